"""Kelly for one bet with finitely many outcomes, with or without a bound on the chance of a drawdown."""

import math
from collections.abc import Callable

from numpy.typing import ArrayLike

from aurora.risk.arguments import distribution, finite, interval, not_negative, positive, vector
from aurora.sizing.drawdown import drawdown_lambda

Outcomes = list[tuple[float, float]]
HALVINGS_MAX = 1_100


def kelly_discrete(
    x: ArrayLike,
    p: ArrayLike,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    max_dd: float | None = None,
    dd_prob: float | None = None,
) -> float:
    """The stake f in `bounds` with 1 + f x > 0 that maximises the expected log growth sum p ln(1 + f x),
    exactly.

    x: net return of each outcome per unit of stake, shape (n,), finite; with x = -1 for the loss f is a
    fraction at risk, with x = returns on notional it is a fraction of notional. p: their probabilities,
    shape (n,), sum 1. max_dd and dd_prob, both in (0, 1) or both None: also keep P(equity ever falls by
    max_dd) < dd_prob, through E (1 + f x)^-lambda <= 1; then `bounds` must hold 0. ValueError names the
    argument that is out of its range. Source: Kelly 1956; Busseti, Ryu, Boyd 2016. The root is bisected to
    the last bit.
    """
    outcomes = paired(x, p)
    low, high = feasible(outcomes, interval("bounds", bounds))
    if not any(value * weight for value, weight in outcomes):
        return min(max(0.0, low), high)
    free = bisect_last(lambda f: slope(outcomes, f) > 0.0, low, high)
    if max_dd is None and dd_prob is None:
        return free
    if max_dd is None or dd_prob is None:
        raise ValueError(f"max_dd and dd_prob must be given together, got {max_dd!r} and {dd_prob!r}")
    if not low <= 0.0 <= high:
        raise ValueError(f"bounds must hold 0 when a drawdown is bounded, got {bounds!r}")
    lam = drawdown_lambda(max_dd, dd_prob)
    if log_constraint(outcomes, free, lam) <= 0.0:
        return free
    toward = math.copysign(1.0, free)
    size = bisect_last(lambda f: log_constraint(outcomes, toward * f, lam) <= 0.0, 0.0, abs(free))
    return toward * size


def growth_rate(f: float, x: ArrayLike, p: ArrayLike) -> float:
    """Expected log growth sum p ln(1 + f x) of the stake f; minus infinity when an outcome ruins."""
    outcomes, stake = paired(x, p), finite("f", f)
    if any(1.0 + stake * value <= 0.0 < weight for value, weight in outcomes):
        return -math.inf
    return math.fsum(weight * math.log1p(stake * value) for value, weight in outcomes if weight > 0.0)


def drawdown_constraint(f: float, x: ArrayLike, p: ArrayLike, *, lam: float) -> float:
    """ln E (1 + f x)^-lam of the stake f, infinite when an outcome ruins; the constraint holds up to 0."""
    return log_constraint(paired(x, p), finite("f", f), not_negative("lam", lam))


def kelly_quadratic(x: ArrayLike, p: ArrayLike, *, lam: float) -> float:
    """min(1, m/S, 2m/((lam+1) S)) with m = E x and S = E x^2, at least 0: the quadratic approximation (QRCK).

    lam at least 0. For intuition only: it may violate the drawdown bound it approximates.
    Source: Busseti, Ryu, Boyd 2016, section on the quadratic approximation.
    """
    outcomes = paired(x, p)
    aversion = not_negative("lam", lam)
    mean = math.fsum(weight * value for value, weight in outcomes)
    square = math.fsum(weight * value * value for value, weight in outcomes)
    if mean <= 0.0:
        return 0.0
    return min(1.0, mean / positive("E x^2", square), 2.0 * mean / ((aversion + 1.0) * square))


def paired(x: ArrayLike, p: ArrayLike) -> Outcomes:
    values = vector("x", x)
    weights = distribution("p", p, size=values.size)
    return list(zip(values.tolist(), weights.tolist(), strict=True))


def feasible(outcomes: Outcomes, bounds: tuple[float, float]) -> tuple[float, float]:
    """The bounds cut down to where no outcome ruins; the cut ends themselves ruin and are never reached."""
    worst = min(value for value, _ in outcomes)
    best = max(value for value, _ in outcomes)
    low = max(bounds[0], -1.0 / best if best > 0.0 else -math.inf)
    high = min(bounds[1], -1.0 / worst if worst < 0.0 else math.inf)
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"bounds must be finite and leave a stake that cannot ruin, got {bounds!r}")
    return low, high


def bisect_last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The last point of [low, high] up to which a condition that holds first and fails later still holds."""
    if holds(high):
        return high
    for _ in range(HALVINGS_MAX):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def slope(outcomes: Outcomes, f: float) -> float:
    """Derivative of the growth; at a ruinous stake it points back to safety."""
    terms = []
    for value, weight in outcomes:
        left = 1.0 + f * value
        if left <= 0.0:
            return -math.inf if f > 0.0 else math.inf
        terms.append(weight * value / left)
    return math.fsum(terms)


def log_constraint(outcomes: Outcomes, f: float, lam: float) -> float:
    """ln E (1 + f x)^-lam, by log-sum-exp."""
    exponents = []
    for value, weight in outcomes:
        if weight <= 0.0:
            continue
        if 1.0 + f * value <= 0.0:
            return math.inf
        exponents.append(math.log(weight) - lam * math.log1p(f * value))
    top = max(exponents)
    return top + math.log(math.fsum(math.exp(e - top) for e in exponents))
