"""Kelly with many outcomes, many assets, and doubt about the odds."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from aurora.risk.arguments import Floats
from aurora.sizing.beta import beta_cdf, beta_quantile
from aurora.sizing.kelly import (
    BetaBelief,
    ScenarioBet,
    baker_mchale_factor,
    drawdown_constraint,
    drawdown_lambda,
    growth_rate,
    james_stein_factor,
    kelly_binary,
    kelly_discrete,
    kelly_quadratic,
    kelly_scenarios,
    kelly_scenarios_quadratic,
    shrink_mu,
)


def test_two_outcomes_are_the_binary_bet() -> None:
    assert kelly_discrete([2.0, -1.0], [0.55, 0.45]) == pytest.approx(kelly_binary(0.55, 2.0, clip=(0, 1)))


def test_a_timeout_outcome_shrinks_or_grows_the_bet_by_what_it_pays() -> None:
    without = kelly_discrete([1.0, -1.0, 0.0], [0.4, 0.3, 0.3])
    paying = kelly_discrete([1.0, -1.0, -0.1], [0.4, 0.3, 0.3])
    assert 0.0 < paying < without


def test_the_stake_maximises_growth() -> None:
    x, p = [0.9, -0.4, 0.1, -1.3], [0.4, 0.3, 0.2, 0.1]
    best = kelly_discrete(x, p, bounds=(-1.0, 1.0))
    assert all(growth_rate(best, x, p) >= growth_rate(best + step, x, p) for step in (-1e-4, 1e-4))


def test_nothing_to_win_stakes_nothing() -> None:
    assert kelly_discrete([0.0, 0.0], [0.5, 0.5], bounds=(-1.0, 1.0)) == 0.0
    assert kelly_discrete([0.5, -1.0], [0.5, 0.5]) == 0.0


def test_a_drawdown_bound_is_met_with_equality_and_costs_growth() -> None:
    x, p = [1.0, -1.0], [0.55, 0.45]
    bound = kelly_discrete(x, p, max_dd=0.3, dd_prob=0.1)
    lam = drawdown_lambda(0.3, 0.1)
    assert bound == pytest.approx(0.0269, abs=5e-5)
    assert drawdown_constraint(bound, x, p, lam=lam) == pytest.approx(0.0, abs=1e-14)
    assert growth_rate(bound, x, p) < growth_rate(kelly_discrete(x, p), x, p)


def test_a_drawdown_bound_holds_on_the_short_side_too() -> None:
    x, p = [1.0, -1.0], [0.45, 0.55]
    assert kelly_discrete(x, p, bounds=(-1, 1), max_dd=0.3, dd_prob=0.1) == pytest.approx(-0.0269, abs=5e-5)


def test_the_quadratic_approximation_may_break_the_bound_that_the_exact_root_keeps() -> None:
    x, p, lam = [0.2, -0.9], [0.9, 0.1], drawdown_lambda(0.3, 0.1)
    exact = kelly_discrete(x, p, max_dd=0.3, dd_prob=0.1)
    assert drawdown_constraint(kelly_quadratic(x, p, lam=lam), x, p, lam=lam) > 0.0
    assert drawdown_constraint(exact, x, p, lam=lam) <= 1e-14


def test_bets_that_mean_nothing_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="p must sum to 1"):
        kelly_discrete([1.0, -1.0], [0.5, 0.6])
    with pytest.raises(ValueError, match="p must be in"):
        kelly_discrete([1.0, -1.0], [1.5, -0.5])
    with pytest.raises(ValueError, match="x must be finite"):
        kelly_discrete([math.nan, -1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match="bounds must be finite"):
        kelly_discrete([1.0, 0.5], [0.5, 0.5], bounds=(0.0, math.inf))
    with pytest.raises(ValueError, match="given together"):
        kelly_discrete([1.0, -1.0], [0.5, 0.5], max_dd=0.1)
    with pytest.raises(ValueError, match="bounds must hold 0"):
        kelly_discrete([1.0, -0.1], [0.5, 0.5], bounds=(0.1, 1.0), max_dd=0.1, dd_prob=0.1)


def finite_outcomes() -> tuple[Floats, Floats]:
    """The finite-outcome example of Busseti, Ryu and Boyd: 20 assets, 100 scenarios, their seed."""
    draw = np.random.RandomState(0)
    p = draw.uniform(size=100)
    gross = draw.uniform(low=0.7, high=1.3, size=(20, 100))
    for _ in range(30):
        for outlier in (0.1, 2.5):
            asset, scenario = draw.choice(20), draw.choice(100)
            gross[asset, scenario] = outlier
    gross[-1] = 1.0
    return gross, p / p.sum()


@pytest.mark.parametrize(
    ("method", "lam", "growth", "bound", "ruined"),
    [
        (kelly_scenarios, 0.0, 0.062, 1.0, 0.398),
        (kelly_scenarios, drawdown_lambda(0.3, 0.1), 0.043, 0.100, 0.073),
        (kelly_scenarios, 5.5, 0.047, 0.141, 0.099),
        (kelly_scenarios_quadratic, 0.0, 0.054, 1.0, 0.218),
        (kelly_scenarios_quadratic, drawdown_lambda(0.3, 0.1), 0.027, 0.100, 0.025),
        (kelly_scenarios_quadratic, 2.8, 0.044, 0.368, 0.100),
    ],
)
def test_the_published_table_of_risk_constrained_kelly_is_reproduced_to_its_digits(
    method: Callable[..., ScenarioBet], lam: float, growth: float, bound: float, ruined: float
) -> None:
    gross, p = finite_outcomes()
    bet = method(gross, p, lam=lam)
    drawn = np.random.RandomState(0).choice(100, size=1_000_000, p=p)
    paths = np.log(bet.b @ gross)[drawn].reshape(10_000, 100).cumsum(axis=1)
    assert round(float(paths[:, -1].mean()) / 100, 3) == growth
    assert round(0.7**lam, 3) == bound
    assert round(float((np.minimum(paths.min(axis=1), 0.0) < math.log(0.7)).mean()), 3) == ruined


def test_without_an_asset_better_than_cash_everything_stays_cash() -> None:
    bet = kelly_scenarios([[1.2, 0.7], [1.0, 1.0]], [0.5, 0.5], lam=3.0)
    assert (bet.b.tolist(), bet.growth) == ([0.0, 1.0], 0.0)


def test_scenarios_that_mean_nothing_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="gross must be in"):
        kelly_scenarios([[-0.1, 1.0], [1.0, 1.0]], [0.5, 0.5])
    with pytest.raises(ValueError, match="gross must end with a row of ones"):
        kelly_scenarios([[1.2, 0.9], [1.1, 1.0]], [0.5, 0.5], lam=1.0)
    with pytest.raises(ValueError, match="column of zeros"):
        kelly_scenarios([[0.0, 1.0], [0.0, 1.0]], [0.5, 0.5])
    with pytest.raises(ValueError, match="lam must be"):
        kelly_scenarios([[1.2, 0.9], [1.0, 1.0]], [0.5, 0.5], lam=-1.0)


def test_doubt_pulls_a_belief_towards_break_even() -> None:
    belief = BetaBelief.from_estimate(0.6, 100.0)
    shrunk = belief.shrunk(0.5)
    assert shrunk.mean == pytest.approx((60 + 25) / 150)
    assert belief.shrunk(0.5, 0.0) == belief
    assert shrunk.variance < belief.variance


def test_outcomes_move_a_belief_by_counting() -> None:
    assert BetaBelief(alpha=1.0, beta=1.0).after(wins=3, losses=1) == BetaBelief(alpha=4.0, beta=2.0)


def test_more_evidence_means_less_shrinkage() -> None:
    few, many = (BetaBelief.from_estimate(0.55, n) for n in (30.0, 3_000.0))
    assert baker_mchale_factor(few.mean, few.variance, 1.0) < baker_mchale_factor(
        many.mean, many.variance, 1.0
    )
    assert james_stein_factor(few.mean, few.variance, 1.0) == 0.0
    assert james_stein_factor(many.mean, many.variance, 1.0) > 0.9


def test_no_edge_is_believed_to_be_no_edge() -> None:
    assert baker_mchale_factor(0.5, 0.0, 1.0) == 0.0
    assert james_stein_factor(0.5, 0.01, 1.0) == 0.0
    assert shrink_mu(0.0, 0.0) == 0.0
    assert shrink_mu(0.01, 0.01) == pytest.approx(0.005)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1.0, 1.0), (12.0, 30.0), (5_000.0, 4_000.0), (0.7, 900.0)])
@pytest.mark.parametrize("q", [1e-6, 0.05, 0.5, 0.95])
def test_a_quantile_of_the_beta_law_has_its_probability(a: float, b: float, q: float) -> None:
    x = beta_quantile(q, a, b)
    assert beta_cdf(x, a, b) == pytest.approx(q, rel=1e-9)
    assert beta_cdf(x, a, b) + beta_cdf(1.0 - x, b, a) == pytest.approx(1.0, abs=1e-9)


def test_the_uniform_and_the_arcsine_law_come_out_exactly() -> None:
    assert beta_cdf(0.3, 1.0, 1.0) == pytest.approx(0.3, rel=1e-14)
    assert beta_cdf(0.3, 0.5, 0.5) == pytest.approx(2.0 / math.pi * math.asin(math.sqrt(0.3)), rel=1e-13)
    assert (beta_cdf(0.0, 2.0, 3.0), beta_cdf(1.0, 2.0, 3.0)) == (0.0, 1.0)


def test_a_belief_that_means_nothing_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="alpha must be"):
        BetaBelief(alpha=0.0, beta=1.0)
    with pytest.raises(ValueError, match="p must be in"):
        BetaBelief.from_estimate(1.0, 10.0)
    with pytest.raises(ValueError, match="q must be in"):
        BetaBelief(alpha=1.0, beta=1.0).quantile(1.0)
