"""What holds of every size: bounds, monotony, limits, optimality."""

import importlib
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aurora.model.numbers import Nanos, Quote
from aurora.risk.arguments import Floats
from aurora.risk.drawdown import DAY, DrawdownMarks, RollingDrawdown
from aurora.risk.tail import tail_historical
from aurora.sizing.kelly import (
    BracketCosts,
    NotionalFraction,
    QtyLimits,
    SizedQty,
    SizedReason,
    SizingStabilizer,
    StabilizerReason,
    StabilizerState,
    apply_dd_haircut_to_kelly,
    dd_haircut_factor,
    drawdown_constraint,
    drawdown_lambda,
    fraction_to_qty,
    growth_rate,
    kelly_binary,
    kelly_bracket,
    kelly_discrete,
    kelly_mu_sigma,
    risk_aversion_from_drawdown,
)
from aurora.sizing.portfolio import PortfolioOptimizer

cp: Any = importlib.import_module("cvxpy")  # Its stubs do not know what it exports.

steady = settings(deadline=None)
"""A busy machine is not a broken promise."""

probability = st.floats(0.0, 1.0)
ratio = st.floats(1e-3, 1e3)
aversion = st.floats(0.1, 100.0)
cap = st.floats(0.0, 5.0)
drawdowns = st.floats(0.0, 1.5)
budget = st.floats(0.01, 0.99)
method = st.sampled_from(["grossman_zhou", "linear", "step"])


@steady
@given(p=probability, rr=ratio, ra=aversion, top=cap)
def test_a_kelly_fraction_is_never_negative_and_never_above_its_cap(
    p: float, rr: float, ra: float, top: float
) -> None:
    assert 0.0 <= kelly_binary(p, rr, ra, (0.0, top)) <= top


@steady
@given(
    mu=st.floats(-1e300, 1e300),
    sigma=st.floats(0.0, 1e300),
    ra=aversion,
    top=cap,
    how=st.sampled_from(["merton", "second_moment", "two_point"]),
)
def test_a_fraction_from_any_mean_and_deviation_stays_in_its_clip(
    mu: float, sigma: float, ra: float, top: float, how: Any
) -> None:
    assert -top <= kelly_mu_sigma(mu, sigma, risk_aversion=ra, clip=(-top, top), method=how) <= top


@steady
@given(p=st.tuples(probability, probability), rr=st.tuples(ratio, ratio), ra=aversion)
def test_a_better_bet_is_never_smaller(p: tuple[float, float], rr: tuple[float, float], ra: float) -> None:
    worse = kelly_binary(min(p), min(rr), ra, (0.0, 5.0))
    assert kelly_binary(max(p), min(rr), ra, (0.0, 5.0)) >= worse
    assert kelly_binary(min(p), max(rr), ra, (0.0, 5.0)) >= worse - 1e-12


@steady
@given(p=probability, rr=ratio, ra=st.tuples(aversion, aversion))
def test_more_aversion_is_never_a_larger_bet(p: float, rr: float, ra: tuple[float, float]) -> None:
    assert kelly_binary(p, rr, max(ra)) <= kelly_binary(p, rr, min(ra))


@steady
@given(
    p=probability,
    tp=st.floats(1e-4, 0.2),
    sl=st.floats(1e-4, 0.2),
    fees=st.tuples(st.floats(0.0, 0.01), st.floats(0.0, 0.01)),
    side=st.sampled_from([1, -1]),
)
def test_costs_never_make_a_bracket_larger(
    p: float, tp: float, sl: float, fees: tuple[float, float], side: Any
) -> None:
    cheap, dear = (
        kelly_bracket(p, tp, sl, BracketCosts(fee_in=f, fee_tp=f, fee_sl=f), side) for f in sorted(fees)
    )
    assert dear.fraction_at_risk <= cheap.fraction_at_risk + 1e-12
    assert 0.0 <= dear.fraction_at_risk <= 0.2
    assert dear.fraction_of_notional * dear.net_loss == pytest.approx(dear.fraction_at_risk)
    assert (dear.fraction_at_risk > 0.0) == (dear.reason in {"OK", "CLIPPED"})
    assert dear.fraction_at_risk == 0.0 or dear.edge > 0.0


@steady
@given(dd=st.tuples(drawdowns, drawdowns), limit=budget, how=method, f=st.floats(0.0, 5.0))
def test_a_haircut_never_grows_with_the_drawdown_and_is_zero_at_the_limit(
    dd: tuple[float, float], limit: float, how: Any, f: float
) -> None:
    shallow, deep = (dd_haircut_factor(d, limit, how) for d in sorted(dd))
    assert 0.0 <= deep <= shallow <= 1.0
    assert dd_haircut_factor(limit, limit, how) == 0.0
    assert 0.0 <= apply_dd_haircut_to_kelly(f, max(dd), limit, how) <= f


@steady
@given(dd=st.tuples(budget, budget), prob=st.tuples(budget, budget))
def test_a_tighter_drawdown_budget_is_never_less_averse(
    dd: tuple[float, float], prob: tuple[float, float]
) -> None:
    loose = risk_aversion_from_drawdown(max(dd), max(prob))
    assert risk_aversion_from_drawdown(min(dd), max(prob)) >= loose >= 1.0
    assert risk_aversion_from_drawdown(max(dd), min(prob)) >= loose


@st.composite
def bets(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    x = draw(st.lists(st.floats(-1.5, 2.0), min_size=2, max_size=6))
    weights = draw(st.lists(st.floats(0.01, 1.0), min_size=len(x), max_size=len(x)))
    assume(min(x) < -1e-3 and max(x) > 1e-3)
    return x, [w / sum(weights) for w in weights]


@steady
@given(bet=bets(), other=probability, limit=st.floats(0.05, 0.9), prob=st.floats(0.01, 0.5))
def test_no_other_stake_grows_faster_and_the_drawdown_bound_holds(
    bet: tuple[list[float], list[float]], other: float, limit: float, prob: float
) -> None:
    x, p = bet
    best = kelly_discrete(x, p)
    assert 0.0 <= best <= 1.0
    assert growth_rate(best, x, p) >= growth_rate(other, x, p) - 1e-12
    bound = kelly_discrete(x, p, max_dd=limit, dd_prob=prob)
    lam = drawdown_lambda(limit, prob)
    assert 0.0 <= bound <= best
    assert drawdown_constraint(bound, x, p, lam=lam) <= 1e-12
    if drawdown_constraint(other, x, p, lam=lam) <= 0.0:
        assert growth_rate(bound, x, p) >= growth_rate(other, x, p) - 1e-10


def decimals(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=places, allow_nan=False, allow_infinity=False)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    step = draw(st.sampled_from([Decimal(s) for s in ("1", "0.1", "0.001", "0.00001", "0.5", "3")]))
    return {
        "equity": draw(decimals("-10", "1000000")),
        "price": draw(decimals("0.0001", "100000")),
        "limits": QtyLimits(
            step=step,
            qty_min=step * draw(st.integers(0, 20)),
            qty_max=step * draw(st.integers(1, 10**6)),
            notional_min=draw(decimals("0", "200", 2)),
            notional_max=draw(st.none() | decimals("0", "100000", 2)),
            tick=draw(st.none() | st.sampled_from([Decimal("0.1"), Decimal("0.0001"), Decimal(5)])),
        ),
        "leverage": draw(st.integers(1, 125)),
        "margin_free": draw(decimals("-10", "100000")),
        "fee": draw(decimals("0", "0.001", 5)),
    }


def breaks_a_limit(qty: Decimal, fraction: Decimal, order: dict[str, Any]) -> bool:
    """Whether a quantity is too large, by exact arithmetic (60 digits hold every product here)."""
    exact = Context(prec=60)
    limits: QtyLimits = order["limits"]
    price = order["price"]
    if limits.tick is not None:
        price = exact.multiply(
            exact.divide(price, limits.tick).to_integral_value(rounding=ROUND_CEILING), limits.tick
        )
    notional = exact.multiply(qty, price)
    worth = exact.multiply(order["equity"], fraction)
    leverage = Decimal(order["leverage"])
    fee = exact.multiply(exact.multiply(notional, order["fee"]), leverage)
    margin_times_leverage = exact.add(notional, fee)
    return (
        notional > worth
        or qty > limits.qty_max
        or margin_times_leverage > exact.multiply(order["margin_free"], leverage)
        or (limits.notional_max is not None and notional > limits.notional_max)
    )


def sized(fraction: Decimal, order: dict[str, Any]) -> SizedQty:
    return fraction_to_qty(fraction, **order)


@steady
@given(order=orders(), fraction=decimals("0", "5", 6))
def test_a_quantity_never_breaks_a_limit_and_one_step_more_would(
    order: dict[str, Any], fraction: Decimal
) -> None:
    result, limits = sized(fraction, order), order["limits"]
    assert result.qty % limits.step == 0
    if result.qty > 0:
        assert not breaks_a_limit(result.qty, fraction, order)
        assert limits.qty_min <= result.qty
        assert result.reason is SizedReason.OK
        assert breaks_a_limit(result.qty + limits.step, fraction, order)
    else:
        assert result.reason is not SizedReason.OK
        least = max(limits.qty_min, limits.step)
        too_small = result.reason is SizedReason.BELOW_MIN_NOTIONAL
        assert too_small or breaks_a_limit(least, fraction, order)


@steady
@given(order=orders(), fractions=st.tuples(decimals("0", "5", 6), decimals("0", "5", 6)))
def test_a_larger_fraction_is_never_a_smaller_quantity(
    order: dict[str, Any], fractions: tuple[Decimal, Decimal]
) -> None:
    order["equity"] = abs(order["equity"])
    assert sized(min(fractions), order).qty <= sized(max(fractions), order).qty


@steady
@given(order=orders(), fraction=st.floats(0.0, 5.0))
def test_a_float_means_the_decimal_it_prints_as(order: dict[str, Any], fraction: float) -> None:
    assert fraction_to_qty(NotionalFraction(fraction), **order) == sized(Decimal(repr(fraction)), order)


stabilizers = st.builds(
    SizingStabilizer,
    band=st.floats(0.0, 0.3),
    bucket=st.just(0.0) | st.floats(1e-4, 0.5),
    bucket_top=st.floats(0.05, 2.0),
    min_interval_ns=st.integers(0, 1_000),
)
targets = st.floats(-1.0, 1.0)


@steady
@given(rule=stabilizers, held=targets, target=targets, now=st.integers(0, 2_000))
def test_a_stabilized_size_lies_between_what_is_held_and_what_is_wanted(
    rule: SizingStabilizer, held: float, target: float, now: int
) -> None:
    done = rule.apply(StabilizerState(fraction=held, changed_ns=0), target, now)
    same = (held > 0.0) == (target > 0.0) and (held < 0.0) == (target < 0.0)
    assert abs(done.fraction) <= max(abs(held) if same else 0.0, abs(target))
    assert done.fraction == 0.0 or (done.fraction > 0.0) == (target > 0.0)
    assert done.state.fraction == done.fraction
    if not same or abs(target) < abs(held):
        assert abs(done.fraction) <= abs(target)


@steady
@given(rule=stabilizers, held=targets, share=st.floats(0.0, 1.0, exclude_max=True), now=st.integers(0, 2_000))
def test_a_reduction_is_never_held_back(rule: SizingStabilizer, held: float, share: float, now: int) -> None:
    assume(abs(held * share) < abs(held))
    done = rule.apply(StabilizerState(fraction=held, changed_ns=now), held * share, now)
    assert done.reason is StabilizerReason.REDUCED
    assert abs(done.fraction) <= abs(held * share)


@steady
@given(rule=stabilizers, path=st.lists(targets, min_size=1, max_size=30))
def test_a_steady_target_is_resized_once_at_most(rule: SizingStabilizer, path: list[float]) -> None:
    state = StabilizerState()
    for i, target in enumerate(path):
        state = rule.apply(state, target, 10_000 * (i + 1)).state
    again = rule.apply(state, path[-1], 10_000 * (len(path) + 1))
    assert rule.apply(again.state, path[-1], 10_000 * (len(path) + 2)).state == again.state


@st.composite
def markets(draw: st.DrawFn) -> tuple[PortfolioOptimizer, Floats, Floats]:
    n = draw(st.integers(1, 8))
    seed = draw(st.integers(0, 2**31))
    noise = np.random.default_rng(seed)
    rank = draw(st.integers(1, n))
    factors = noise.normal(size=(n, rank)) * 0.01
    ridge = draw(st.sampled_from([0.0, 1e-6, 1e-4]))
    max_weight = draw(st.sampled_from([0.1, 0.2, 0.25, 0.5, 1.0]))
    rule = PortfolioOptimizer(
        gamma=draw(st.floats(0.1, 100.0)),
        gross_cap=draw(st.sampled_from([0.3, 0.5, 1.0, 2.0])),
        max_weight=max_weight,
        long_only=draw(st.booleans()),
    )
    mu = noise.normal(size=n) * draw(st.sampled_from([1e-4, 1e-3, 1e-2]))
    return rule, mu, factors @ factors.T + ridge * np.eye(n)


def objective(rule: PortfolioOptimizer, mu: Floats, sigma: Floats, w: Floats) -> float:
    return float(mu @ w - rule.gamma / 2 * w @ sigma @ w)


def feasible_points(rule: PortfolioOptimizer, n: int, seed: int) -> list[Floats]:
    noise = np.random.default_rng(seed)
    points = []
    for _ in range(50):
        w = noise.uniform(0.0 if rule.long_only else -1.0, 1.0, n) * rule.max_weight
        points.append(w * min(1.0, rule.gross_cap / max(float(np.abs(w).sum()), 1e-300)))
    return points


@settings(max_examples=60, deadline=None)
@given(market=markets(), seed=st.integers(0, 2**31))
def test_no_feasible_portfolio_beats_the_optimum(
    market: tuple[PortfolioOptimizer, Floats, Floats], seed: int
) -> None:
    rule, mu, sigma = market
    best = rule.solve(mu, sigma)
    assert best.kkt <= 1e-8
    assert float(np.abs(best.w).sum()) <= rule.gross_cap * (1.0 + 1e-12)
    reached = objective(rule, mu, sigma, best.w)
    for w in feasible_points(rule, mu.size, seed):
        assert objective(rule, mu, sigma, w) <= reached + 1e-9 * abs(reached)


@settings(max_examples=25, deadline=None)
@given(market=markets())
def test_the_optimum_is_the_one_a_conic_solver_finds(
    market: tuple[PortfolioOptimizer, Floats, Floats],
) -> None:
    rule, mu, sigma = market
    scale = float(np.abs(mu).max())
    w = cp.Variable(mu.size)
    value = (mu / scale) @ w - rule.gamma / 2 / scale * cp.quad_form(w, cp.psd_wrap(sigma))
    limits = [cp.norm1(w) <= rule.gross_cap, cp.abs(w) <= rule.max_weight]
    problem = cp.Problem(cp.Maximize(value), limits + ([w >= 0] if rule.long_only else []))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    ours = objective(rule, mu, sigma, rule.solve(mu, sigma).w)
    assert ours == pytest.approx(float(problem.value) * scale, rel=1e-8, abs=1e-8 * scale)


money = st.decimals(Decimal(1), Decimal(10**6), places=2, allow_nan=False, allow_infinity=False)
flows = st.decimals(Decimal(-(10**5)), Decimal(10**6), places=2, allow_nan=False, allow_infinity=False)


@steady
@given(
    path=st.lists(st.tuples(money, st.integers(0, 3 * DAY)), min_size=1, max_size=10),
    flow=flows,
)
def test_a_deposit_or_withdrawal_is_never_a_drawdown(path: list[tuple[Decimal, int]], flow: Decimal) -> None:
    marks = DrawdownMarks.first(Quote(path[0][0]), Nanos(path[0][1]))
    for equity, now in path[1:]:
        marks = marks.after(Quote(equity), Nanos(now))
    moved = marks.transferred(Quote(flow))
    assert moved.lost_today == marks.lost_today
    assert moved.lost_from_peak == marks.lost_from_peak
    assert moved.after(moved.equity, Nanos(marks.day * DAY)) == moved


@steady
@given(path=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=20), flow=st.floats(-1e5, 1e6))
def test_a_rolling_drawdown_does_not_see_a_transfer(path: list[float], flow: float) -> None:
    plain, moved = RollingDrawdown(window_ns=5), RollingDrawdown(window_ns=5)
    half = len(path) // 2
    for i, equity in enumerate(path):
        if i == half:
            moved.transfer(flow)
        plain.mark(equity, i)
        moved.mark(equity + (flow if i >= half else 0.0), i)
    assert moved.high - moved.equity == pytest.approx(plain.high - plain.equity, abs=1e-6)


@steady
@given(
    returns=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60),
    alpha=st.floats(0.01, 0.99),
    shift=st.floats(-0.1, 0.1),
)
def test_a_shortfall_is_coherent(returns: list[float], alpha: float, shift: float) -> None:
    tail = tail_historical(returns, alpha)
    assert tail.cvar >= tail.var - 1e-15
    moved = tail_historical([r + shift for r in returns], alpha)
    assert moved.cvar == pytest.approx(tail.cvar - shift, abs=1e-12)
    doubled = tail_historical([2.0 * r for r in returns], alpha)
    assert doubled.cvar == pytest.approx(2.0 * tail.cvar, abs=1e-12)
    reverse = tail_historical(returns[::-1], alpha)
    both = tail_historical([a + b for a, b in zip(returns, returns[::-1], strict=True)], alpha)
    assert both.cvar <= tail.cvar + reverse.cvar + 1e-12
