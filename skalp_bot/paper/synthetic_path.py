"""Volatility and the past of the synthetic market: factors that revert, and minutes walked backwards."""

from dataclasses import dataclass
from decimal import Decimal
from math import exp, sqrt
from random import Random

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from skalp_bot.paper import synthetic_model as model
from skalp_bot.paper.klines import open_of
from skalp_bot.paper.minutes import (
    CLOSE,
    FIRST_ID,
    HIGH,
    LAST_ID,
    LOW,
    MINUTE_MS,
    OPEN,
    TAKER,
    TAKER_VALUE,
    TRADES,
    VALUE,
    VOLUME,
    Minutes,
    Table,
)

Floats = NDArray[np.float64]
MINUTES_PER_DAY = 1440
BLOCK = 256
# What is left of a jump's size when its sign is fair and its length exponential: E[J^2] = 2 scale^2.
JUMP_VARIANCE = model.JUMPS_PER_DAY / MINUTES_PER_DAY * 2 * model.JUMP_SIGMAS**2
LOG_VARIANCE = model.SLOW_VARIANCE + model.FAST_VARIANCE
# The factors and the jumps spread the variance; scaled by this, its mean is still the measured one.
SIGMA_SCALE = exp(-LOG_VARIANCE) * sqrt(1 - JUMP_VARIANCE)
SHARED = sqrt(model.VOLATILITY_CORRELATION)
OWN = sqrt(1 - model.VOLATILITY_CORRELATION)


@dataclass(slots=True)
class Factors:
    """Two mean-reverting Gaussians with stationary start; their sum is the log of relative volatility."""

    rng: Random
    slow: float
    fast: float

    @classmethod
    def stationary(cls, rng: Random) -> "Factors":
        slow, fast = sqrt(model.SLOW_VARIANCE), sqrt(model.FAST_VARIANCE)
        return cls(rng=rng, slow=rng.gauss(0, slow), fast=rng.gauss(0, fast))

    def advance(self, minutes: float) -> None:
        """One exact step; the same law holds backwards in time."""
        self.slow = self._step(self.slow, model.SLOW_VARIANCE, minutes / model.SLOW_MINUTES)
        self.fast = self._step(self.fast, model.FAST_VARIANCE, minutes / model.FAST_MINUTES)

    @property
    def total(self) -> float:
        return self.slow + self.fast

    def _step(self, value: float, variance: float, ratio: float) -> float:
        keep = exp(-ratio)
        return value * keep + self.rng.gauss(0, sqrt(variance * (1 - keep * keep)))


def seeded(*parts: int | str) -> Random:
    """An own stream of randomness for each purpose, so that one more draw here changes nothing there."""
    return Random(":".join(str(part) for part in parts))  # noqa: S311 - a market, not a secret


def relative_sigma(shared: float, own: float) -> float:
    """Volatility relative to the symbol's average; `shared` and `own` are factor totals."""
    return SIGMA_SCALE * exp(SHARED * shared + OWN * own)


def jump(rng: Random) -> float:
    """A jump in average standard deviations of a minute; fair in sign."""
    return (rng.random() < 0.5 or -1) * rng.expovariate(1 / model.JUMP_SIGMAS)


class Past:
    """The shared part of every symbol's history, walked backwards from the start once."""

    def __init__(self, rng: Random, factors: Factors, minutes: int) -> None:
        draws = many(rng)
        self.volatility = walked_back(factors.slow, factors.fast, draws, minutes)
        self.noise = draws.standard_normal(minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Where a symbol's history has to end."""

    symbol: str
    tick: Decimal
    step: Decimal
    mid_ticks: float
    sigma_bps: float
    slow: float
    fast: float


def history(present: Present, past: Past, rng: Random, start_ms: int) -> Minutes:
    """One-minute candles whose last close is the first mid; the law of returns is the live one."""
    count, draws = len(past.noise), many(rng)
    own = walked_back(present.slow, present.fast, draws, count)
    relative = SIGMA_SCALE * np.exp(SHARED * past.volatility + OWN * own)
    usual = present.sigma_bps * 1e-4
    together, alone = sqrt(model.RETURN_CORRELATION), sqrt(1 - model.RETURN_CORRELATION)
    change = usual * relative * (together * past.noise + alone * draws.standard_normal(count))
    jumping = draws.random(count) < model.JUMPS_PER_DAY / MINUTES_PER_DAY
    change += (
        usual
        * jumping
        * np.where(draws.random(count) < 0.5, -1, 1)
        * draws.exponential(model.JUMP_SIGMAS, count)
    )
    begin = np.maximum(1.0, present.mid_ticks / np.cumprod(np.maximum(0.5, 1 + change)))
    close = np.concatenate(([present.mid_ticks], begin[:-1]))
    width = 2 * (usual * relative * close) ** 2
    middle, square = (begin + close) / 2, (close - begin) ** 2
    high = middle + np.sqrt(square + width * draws.standard_exponential(count)) / 2
    low = middle - np.sqrt(square + width * draws.standard_exponential(count)) / 2
    busy = np.exp(model.VOLUME_LOG_SIGMA * draws.standard_normal(count)) * relative**model.VOLUME_VOLATILITY
    trades = np.maximum(1, np.floor(model.EVENTS_PER_SECOND * 60 * model.TRADE_SHARE * busy))
    mean_notional = exp(model.TRADE_LOG_MEAN + model.TRADE_LOG_SIGMA**2 / 2)
    units = np.maximum(1, np.floor(trades * mean_notional / (close * float(present.tick * present.step))))
    taker = np.floor(units * (0.3 + 0.4 * draws.random(count)))
    table = packed(present, (begin, high, low, close), (units, taker, trades))
    open_ms = open_of("1m", start_ms) - count * MINUTE_MS
    return Minutes(present.symbol, places(present), open_ms=open_ms, table=table)


def places(present: Present) -> tuple[int, int]:
    """Decimals of tick and step."""
    return decimals(present.tick), decimals(present.step)


def decimals(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def packed(present: Present, ticks: tuple[Floats, ...], traded: tuple[Floats, ...]) -> Table:
    """Put drawn minutes, newest first, on the grid and into the order of time."""
    begin, high, low, close = (np.maximum(1, np.rint(value[::-1])).astype(np.int64) for value in ticks)
    units, taker, trades = (value[::-1].astype(np.int64) for value in traded)
    price, qty = places(present)
    tick, step = int(present.tick.scaleb(price)), int(present.step.scaleb(qty))
    table = np.empty((LAST_ID + 1, len(begin)), np.int64)
    table[OPEN], table[CLOSE] = begin * tick, close * tick
    table[HIGH] = np.maximum(high, np.maximum(begin, close)) * tick
    table[LOW] = np.minimum(low, np.minimum(begin, close)) * tick
    table[VOLUME], table[TAKER], table[TRADES] = units * step, taker * step, trades
    double = (begin + close) * (tick * step)
    table[VALUE], table[TAKER_VALUE] = units * double // 2, taker * double // 2
    table[FIRST_ID] = table[LAST_ID] = -1
    return table


def walked_back(slow: float, fast: float, draws: Generator, minutes: int) -> Floats:
    """The log of relative volatility now and every minute before; the law is the same in both directions."""
    return reverting(slow, model.SLOW_VARIANCE, model.SLOW_MINUTES, draws.standard_normal(minutes - 1)) + (
        reverting(fast, model.FAST_VARIANCE, model.FAST_MINUTES, draws.standard_normal(minutes - 1))
    )


def reverting(value: float, variance: float, reach: float, noise: Floats) -> Floats:
    """A mean-reverting Gaussian from `value` on, a block at a time: powers of a whole path would overflow."""
    powers = np.exp(-np.arange(1, BLOCK + 1) / reach)
    fresh = noise * sqrt(variance * (1 - exp(-2 / reach)))
    path = np.empty(len(noise) + 1)
    path[0] = value
    for start in range(0, len(noise), BLOCK):
        block = fresh[start : start + BLOCK]
        keep = powers[: len(block)]
        path[start + 1 : start + 1 + len(block)] = keep * (path[start] + (block / keep).cumsum())
    return path


def many(rng: Random) -> Generator:
    """Draws by the thousand, from the same seed."""
    return Generator(PCG64(rng.getrandbits(128)))
