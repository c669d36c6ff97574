"""Value at risk and expected shortfall of a sample of returns, by every method the gates may use."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from aurora.risk.arguments import inside, vector

STANDARD = NormalDist()
EXACT_SLACK = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Value at risk and expected shortfall, in the unit of the returns; positive is a loss."""

    var: float
    cvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean, standard deviation (n - 1) and biased skewness and excess kurtosis of the LOSSES."""

    mean: float
    deviation: float
    skew: float
    kurtosis: float


def tail_historical(returns: ArrayLike, alpha: float) -> Tail:
    """The k-th smallest loss, k = ceil(alpha n), and the coherent shortfall beyond it.

    returns: shape (n,), finite. alpha: confidence in (0, 1), read as the decimal it prints as. The
    shortfall is var + sum max(loss - var, 0) / ((1 - alpha) n), the atom at var counted in part.
    ValueError names the argument. Source: Rockafellar, Uryasev 2000; Acerbi, Tasche 2002.
    """
    return tail_of_sorted(np.sort(-vector("returns", returns)).tolist(), alpha)


def tail_of_sorted(losses: Sequence[float], alpha: float) -> Tail:
    """tail_historical of losses sorted upwards, not empty."""
    k, share = tail_place(alpha, len(losses))
    var = losses[k - 1]
    return Tail(var=var, cvar=var + math.fsum(loss - var for loss in losses[k:]) / share)


@lru_cache(maxsize=4096)
def tail_place(alpha: float, n: int) -> tuple[int, float]:
    """k = ceil(alpha n) and (1 - alpha) n, with alpha as the exact decimal: 0.95 of 20 is 19, not
    19.000...01.
    """
    level = Decimal(repr(inside("alpha", alpha, 0.0, 1.0)))
    k = math.ceil(level * n)
    return k, float((1 - level) * n)


def tail_mean(returns: ArrayLike, alpha: float) -> float:
    """Mean of the losses at or beyond the historical var: the common shortcut, not coherent."""
    losses = -vector("returns", returns)
    return float(losses[losses >= tail_historical(returns, alpha).var].mean())


def tail_linear(returns: ArrayLike, alpha: float) -> Tail:
    """The linearly interpolated quantile of the losses, and the mean of the losses at or beyond it."""
    losses = np.sort(-vector("returns", returns))
    place = Decimal(repr(inside("alpha", alpha, 0.0, 1.0))) * (losses.size - 1)
    low = math.floor(place)
    part = float(place - low)
    var = float(losses[low])
    if part > 0.0:
        var += part * (float(losses[low + 1]) - var)
    return Tail(var=var, cvar=float(losses[losses >= var].mean()))


def moments(returns: ArrayLike) -> Moments:
    """Moments of the losses -returns, shape (n,) with n >= 2; skewness and kurtosis are 0 without
    variance.
    """
    losses = -vector("returns", returns)
    if losses.size < 2:
        raise ValueError(f"returns must have the shape (n,) with n >= 2, got {losses.shape}")
    mean = math.fsum(losses) / losses.size
    centred = losses - mean
    second, third, fourth = (math.fsum(centred**power) / losses.size for power in (2, 3, 4))
    flat = second <= (1e-15 * float(np.abs(losses).max())) ** 2
    return Moments(
        mean=mean,
        deviation=math.sqrt(second * losses.size / (losses.size - 1)),
        skew=0.0 if flat else third / second**1.5,
        kurtosis=0.0 if flat else fourth / (second * second) - 3.0,
    )


def tail_normal(shape: Moments, alpha: float) -> Tail:
    """The tail of a normal law with that mean and deviation."""
    z = STANDARD.inv_cdf(inside("alpha", alpha, 0.0, 1.0))
    hazard = STANDARD.pdf(z) / (1.0 - alpha)
    return Tail(var=shape.mean + shape.deviation * z, cvar=shape.mean + shape.deviation * hazard)


def tail_cornish_fisher(shape: Moments, alpha: float) -> Tail:
    """The tail of the Cornish-Fisher expansion; meaningless unless cornish_fisher_monotone(shape).

    Source: Cornish, Fisher 1937; Maillard 2012 for the shortfall.
    """
    z = STANDARD.inv_cdf(inside("alpha", alpha, 0.0, 1.0))
    skew, kurtosis = shape.skew, shape.kurtosis
    bent = (
        z
        + (z * z - 1.0) * skew / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skew * skew / 36.0
    )
    hazard = STANDARD.pdf(z) / (1.0 - alpha)
    swell = 1.0 + z * skew / 6.0 + (z * z - 1.0) * kurtosis / 24.0 - (2.0 * z * z - 1.0) * skew * skew / 36.0
    return Tail(var=shape.mean + shape.deviation * bent, cvar=shape.mean + shape.deviation * hazard * swell)


def cornish_fisher_monotone(shape: Moments) -> bool:
    """Whether the expansion rises everywhere, so that it is a quantile at all. Source: Maillard 2012."""
    square = shape.skew * shape.skew
    lead = shape.kurtosis / 8.0 - square / 6.0
    return (
        lead >= 0.0 and square / 9.0 - 4.0 * lead * (1.0 - shape.kurtosis / 8.0 + 5.0 * square / 36.0) <= 0.0
    )


def tail_weighted(returns: ArrayLike, alpha: float, *, decay: float) -> Tail:
    """The historical tail with weights decay^age, newest last: the smallest loss whose weight reaches alpha.

    decay in (0, 1]. Source: Boudoukh, Richardson, Whitelaw 1998; the shortfall as in tail_historical.
    """
    losses = -vector("returns", returns)
    weights = decay_weights(losses.size, decay)
    order = np.argsort(losses, kind="stable")
    level = inside("alpha", alpha, 0.0, 1.0)
    reached = list(accumulate(weights[order].tolist()))
    place = min(bisect_left(reached, level - EXACT_SLACK), losses.size - 1)
    var = float(losses[order[place]])
    beyond = math.fsum(weights * np.maximum(losses - var, 0.0))
    return Tail(var=var, cvar=var + beyond / float(1 - Decimal(repr(level))))


def tail_filtered(returns: ArrayLike, alpha: float, *, decay: float) -> Tail:
    """Filtered historical simulation: the historical tail of returns over their volatility, at the next
    volatility.

    The variance starts at mean(r^2) and follows decay v + (1 - decay) r^2, decay in (0, 1]. Newest return
    last. Source: Barone-Adesi, Giannopoulos, Vosper 1999; Hull, White 1998.
    """
    values = vector("returns", returns)
    scaled, deviation = standardised(values.tolist(), decay)
    tail = tail_of_sorted(sorted(-z for z in scaled), alpha)
    return Tail(var=tail.var * deviation, cvar=tail.cvar * deviation)


def next_deviation(returns: ArrayLike, *, decay: float) -> float:
    """The volatility that tail_filtered expects next."""
    return standardised(vector("returns", returns).tolist(), decay)[1]


def standardised(returns: Sequence[float], decay: float) -> tuple[list[float], float]:
    """Every return over the volatility expected before it, and the volatility expected next."""
    if not 0.0 < decay <= 1.0:
        raise ValueError(f"decay must be in (0, 1], got {decay!r}")
    variance = math.fsum(r * r for r in returns) / len(returns)
    scaled = []
    for r in returns:
        scaled.append(over_deviation(r, variance))
        variance = decay * variance + (1.0 - decay) * r * r
    return scaled, math.sqrt(variance)


def over_deviation(value: float, variance: float) -> float:
    """The value over the deviation; 0 while nothing has ever moved."""
    return value / math.sqrt(variance) if variance > 0.0 else 0.0


def decay_weights(n: int, decay: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weights decay^age that sum to one, newest last."""
    if not 0.0 < decay <= 1.0:
        raise ValueError(f"decay must be in (0, 1], got {decay!r}")
    weights = decay ** np.arange(n - 1, -1, -1, dtype=np.float64)
    return np.asarray(weights / math.fsum(weights), dtype=np.float64)
