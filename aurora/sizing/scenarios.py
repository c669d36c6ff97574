"""Kelly over several assets and finitely many scenarios, with or without a bound on the chance of a
drawdown.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aurora.risk.arguments import Floats, distribution, matrix, not_negative

Smooth = Callable[[Floats], tuple[float, Floats, Floats]]
"""Value, gradient and Hessian at a point."""

SHARPNESS_LAST = 1e11
SHARPNESS_FACTOR = 20.0
NEWTON_STEPS_MAX = 60
HALVINGS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioBet:
    """Shares of wealth that sum to one, the expected log growth, and ln E (r'b)^-lambda (0 without
    lambda).
    """

    b: Floats
    growth: float
    log_constraint: float


def kelly_scenarios(gross: ArrayLike, p: ArrayLike, *, lam: float = 0.0) -> ScenarioBet:
    """The long-only shares b that maximise E ln r'b, kept to E (r'b)^-lam <= 1 when lam is above zero.

    gross: gross returns (1 is no change), shape (assets, scenarios), at least 0. p: probabilities, shape
    (scenarios,). lam: see drawdown.drawdown_lambda, at least 0; above zero the last asset must be cash, a
    row of ones. The growth is within 1e-9 of the best. ValueError names the argument out of its range.
    Source: Busseti, Ryu, Boyd 2016; solved by a barrier method.
    """
    returns, weights, aversion = checked(gross, p, lam)
    start = starting_point(returns, weights, lambda b: constraint(returns, weights, aversion, b)[0], aversion)
    if start is None:
        b = all_cash(returns)
    else:
        bound: Smooth | None = (lambda x: constraint(returns, weights, aversion, x)) if aversion else None
        b = maximise(lambda x: growth(returns, weights, x), bound, start)
    return bet(returns, weights, aversion, b)


def kelly_scenarios_quadratic(gross: ArrayLike, p: ArrayLike, *, lam: float = 0.0) -> ScenarioBet:
    """The quadratic approximation of kelly_scenarios (QRCK); arguments as there, the last asset always cash.

    Maximises m'b - b'Sb/2 with lam (lam + 1)/2 b'Sb <= lam m'b, m and S the mean and second moment of the net
    returns. For comparison: it may violate the bound it approximates. Source: Busseti, Ryu, Boyd 2016.
    """
    returns, weights, aversion = checked(gross, p, lam)
    net = returns - 1.0
    mean, second = net @ weights, (net * weights) @ net.T

    def value(b: Floats) -> tuple[float, Floats, Floats]:
        return float(mean @ b - 0.5 * b @ second @ b), mean - second @ b, -second

    def bound(b: Floats) -> tuple[float, Floats, Floats]:
        curved = (aversion + 1.0) * second
        return float(0.5 * b @ curved @ b - mean @ b), curved @ b - mean, curved

    start = starting_point(returns, weights, lambda b: bound(b)[0], aversion)
    if start is None:
        return bet(returns, weights, aversion, all_cash(returns))
    return bet(returns, weights, aversion, maximise(value, bound if aversion else None, start))


def checked(gross: ArrayLike, p: ArrayLike, lam: float) -> tuple[Floats, Floats, float]:
    returns = matrix("gross", gross)
    if returns.min() < 0.0:
        raise ValueError(f"gross must be in [0, inf) everywhere, got {returns.min()!r}")
    if returns.max(axis=0).min() <= 0.0:
        raise ValueError("gross must leave something in every scenario, got a column of zeros")
    weights = distribution("p", p, size=returns.shape[1])
    aversion = not_negative("lam", lam)
    if aversion > 0.0 and not (returns[-1] == 1.0).all():
        raise ValueError(f"gross must end with a row of ones (cash) when lam > 0, got {returns[-1].tolist()}")
    likely = weights > 0.0
    return returns[:, likely], weights[likely], aversion


def starting_point(
    returns: Floats, weights: Floats, constraint_value: Callable[[Floats], float], aversion: float
) -> Floats | None:
    """A point inside every constraint; None when only cash satisfies them, since no asset has a mean above
    it.
    """
    size = returns.shape[0]
    even = np.full(size, 1.0 / size)
    if aversion == 0.0:
        return even
    excess = np.maximum(returns @ weights - 1.0, 0.0)
    if excess.max() <= 0.0:
        return None
    bold = excess / excess.sum()
    part = 0.5
    for _ in range(HALVINGS_MAX):
        point: Floats = (1.0 - part) * all_cash(returns) + part * ((1.0 - part) * bold + part * even)
        if constraint_value(point) < 0.0:
            return point
        part *= 0.5
    return None


def all_cash(returns: Floats) -> Floats:
    cash = np.zeros(returns.shape[0])
    cash[-1] = 1.0
    return cash


def growth(returns: Floats, weights: Floats, b: Floats) -> tuple[float, Floats, Floats]:
    wealth = b @ returns
    slopes = returns / wealth
    return float(weights @ np.log(wealth)), slopes @ weights, -(slopes * weights) @ slopes.T


def constraint(returns: Floats, weights: Floats, lam: float, b: Floats) -> tuple[float, Floats, Floats]:
    """ln E (r'b)^-lam with its derivatives."""
    wealth = b @ returns
    slopes = returns / wealth
    exponents = np.log(weights) - lam * np.log(wealth)
    top = exponents.max()
    shares = np.exp(exponents - top)
    total = shares.sum()
    shares = shares / total
    mean = slopes @ shares
    second = (slopes * shares) @ slopes.T
    return (
        float(top + np.log(total)),
        -lam * mean,
        lam * (1.0 + lam) * second - lam * lam * np.outer(mean, mean),
    )


def maximise(value: Smooth, bound: Smooth | None, start: Floats) -> Floats:
    """The maximiser over the simplex of a concave value, kept to bound <= 0, from a point strictly inside."""
    b, sharpness = start, 10.0
    while sharpness < SHARPNESS_LAST:
        sharpness *= SHARPNESS_FACTOR
        for _ in range(NEWTON_STEPS_MAX):
            step, decrement = newton_step(value, bound, b, sharpness)
            if decrement < 1e-9:
                break
            b = walk(value, bound, b, step, (sharpness, decrement))
    return np.asarray(b / b.sum(), dtype=np.float64)


def newton_step(value: Smooth, bound: Smooth | None, b: Floats, sharpness: float) -> tuple[Floats, float]:
    """The Newton step of the barrier problem, in units of b itself, with its squared decrement."""
    _, slope, curve = value(b)
    gradient, hessian = -sharpness * slope, -sharpness * curve
    if bound is not None:
        room, slope, curve = bound(b)
        gradient = gradient - slope / room
        hessian = hessian - curve / room + np.outer(slope, slope) / (room * room)
    size = b.size
    scaled = b * gradient - 1.0
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = b[:, None] * hessian * b + np.eye(size)
    system[:size, size] = system[size, :size] = b
    relative = np.linalg.solve(system, np.append(-scaled, 0.0))[:size]
    return relative * b, float(-scaled @ relative)


def walk(
    value: Smooth, bound: Smooth | None, b: Floats, step: Floats, sharpness_and_decrement: tuple[float, float]
) -> Floats:
    """The step shortened until it stays inside; far from the optimum also until it improves."""
    sharpness, decrement = sharpness_and_decrement
    shrink = float((step / b).min())
    length = 1.0 if shrink > -0.99 else 0.99 / -shrink
    here = barrier(value, bound, b, sharpness) if decrement > 1e-3 else None
    for _ in range(HALVINGS_MAX):
        ahead = b + length * step
        if bound is None or bound(ahead)[0] < 0.0:
            if here is None:
                return ahead
            there = barrier(value, bound, ahead, sharpness)
            if there <= here - 0.1 * length * decrement + 1e-12 * abs(here):
                return ahead
        length *= 0.5
    return b


def barrier(value: Smooth, bound: Smooth | None, b: Floats, sharpness: float) -> float:
    penalty = -np.log(b).sum() - (np.log(-bound(b)[0]) if bound is not None else 0.0)
    return float(penalty - sharpness * value(b)[0])


def bet(returns: Floats, weights: Floats, aversion: float, b: Floats) -> ScenarioBet:
    return ScenarioBet(
        b=b,
        growth=growth(returns, weights, b)[0],
        log_constraint=constraint(returns, weights, aversion, b)[0],
    )
