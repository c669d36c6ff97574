"""Value at risk and expected shortfall: coherent, incremental, and never below the floor while warming up."""

from typing import Any

import numpy as np
import pytest

from aurora.risk.arguments import Floats
from aurora.risk.book import BookScenarios
from aurora.risk.rolling import PowerSums, RollingTail
from aurora.risk.tail import (
    Moments,
    cornish_fisher_monotone,
    moments,
    tail_cornish_fisher,
    tail_filtered,
    tail_historical,
    tail_linear,
    tail_normal,
    tail_weighted,
)


def draws(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_t(4, n) * 0.01


def test_the_quantile_index_reads_alpha_as_a_decimal() -> None:
    returns = -np.arange(1.0, 21.0)
    assert tail_historical(returns, 0.95).var == 19.0
    assert tail_historical(returns, 0.95).cvar == 20.0


def test_part_of_the_atom_counts_in_the_shortfall() -> None:
    tail = tail_historical(-np.arange(1.0, 11.0), 0.85)
    assert tail.var == 9.0
    assert tail.cvar == pytest.approx((10.0 * 1.0 + 9.0 * 0.5) / 1.5)


def test_constant_returns_lose_what_they_lose() -> None:
    returns = np.full(50, -0.01)
    for tail in (
        tail_historical(returns, 0.99),
        tail_linear(returns, 0.99),
        tail_filtered(returns, 0.99, decay=0.97),
    ):
        assert tail.var == pytest.approx(0.01)
        assert tail.cvar == pytest.approx(0.01)
    shape = moments(returns)
    assert (shape.skew, shape.kurtosis) == (0.0, 0.0)
    assert tail_normal(shape, 0.99).cvar == pytest.approx(0.01)


def test_a_market_that_never_moved_has_no_tail() -> None:
    assert tail_filtered(np.zeros(10), 0.9, decay=0.9).cvar == 0.0
    rolling = RollingTail(window=10, samples_min=5)
    rolling.warm([0.0] * 10)
    assert rolling.read().cvar == 0.0


def test_equal_weights_are_the_historical_tail() -> None:
    returns = draws(200)
    assert tail_weighted(returns, 0.95, decay=1.0).var == tail_historical(returns, 0.95).var
    assert tail_weighted(returns, 0.95, decay=1.0).cvar == pytest.approx(tail_historical(returns, 0.95).cvar)


def test_a_skewed_expansion_that_turns_back_is_not_called_a_quantile() -> None:
    assert not cornish_fisher_monotone(Moments(mean=0.0, deviation=1.0, skew=3.0, kurtosis=1.0))
    assert cornish_fisher_monotone(Moments(mean=0.0, deviation=1.0, skew=0.1, kurtosis=0.5))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, np.nan])
def test_a_confidence_that_means_nothing_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\)"):
        tail_historical(draws(10), alpha)


@pytest.mark.parametrize("returns", [[], [np.nan], [[0.1]], [np.inf, 0.0]])
def test_returns_that_mean_nothing_are_refused(returns: Any) -> None:
    with pytest.raises(ValueError, match="returns must"):
        tail_historical(returns, 0.9)


@pytest.mark.parametrize("window", [2, 7, 100])
def test_a_rolling_historical_tail_is_the_tail_of_its_window(window: int) -> None:
    rolling, returns = RollingTail(window=window, alpha=0.9, method="historical", samples_min=1), draws(300)
    for i, ret in enumerate(returns.tolist()):
        rolling.push(ret)
        tail = tail_historical(returns[max(0, i + 1 - window) : i + 1], 0.9)
        assert (rolling.tail().var, rolling.tail().cvar) == (tail.var, tail.cvar)


def test_a_rolling_cornish_fisher_tail_is_the_tail_of_its_window() -> None:
    rolling = RollingTail(window=60, alpha=0.95, method="cornish_fisher", samples_min=2)
    returns = draws(500) + 0.3
    for i, ret in enumerate(returns.tolist()):
        rolling.push(ret)
        if i < 5:
            continue
        shape = moments(returns[max(0, i - 59) : i + 1])
        law = tail_cornish_fisher if cornish_fisher_monotone(shape) else tail_normal
        assert rolling.tail().cvar == pytest.approx(law(shape, 0.95).cvar, rel=1e-8)


def test_a_rolling_filtered_tail_is_the_batch_one_when_both_saw_the_same() -> None:
    returns = draws(120)
    rolling = RollingTail(window=120, alpha=0.95, samples_min=120, decay=0.97)
    rolling.warm(returns.tolist())
    tail = tail_filtered(returns, 0.95, decay=0.97)
    assert rolling.tail().var == pytest.approx(tail.var, rel=1e-12)
    assert rolling.tail().cvar == pytest.approx(tail.cvar, rel=1e-12)


def test_a_filtered_tail_grows_at_once_when_the_market_wakes() -> None:
    filtered, plain = RollingTail(window=500), RollingTail(window=500, method="historical")
    for rolling in (filtered, plain):
        rolling.warm(draws(500, 1).tolist())
    before = filtered.read().cvar, plain.read().cvar
    for ret in (0.05, -0.05, 0.05, -0.05):
        filtered.push(ret)
        plain.push(ret)
    assert filtered.read().cvar > 1.3 * before[0]
    assert filtered.read().cvar / before[0] > plain.read().cvar / before[1]


@pytest.mark.parametrize("method", ["fhs", "historical", "cornish_fisher"])
def test_a_cold_tail_is_never_below_its_floor_and_says_so(method: Any) -> None:
    rolling = RollingTail(window=100, samples_min=50, floor=0.02, method=method)
    assert rolling.read().cvar == 0.02
    rolling.warm([0.0001, -0.0001] * 24)
    assert rolling.read().warming_up
    assert rolling.read().cvar == 0.02
    rolling.warm([0.0001, -0.0001])
    assert not rolling.read().warming_up
    assert rolling.read().cvar < 0.02


def test_power_sums_do_not_drift() -> None:
    sums, values = PowerSums(50), draws(5_000) + 1.0
    for value in values.tolist():
        sums.push(value)
    assert sums.moments().deviation == pytest.approx(float(values[-50:].std(ddof=1)), rel=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 1},
        {"alpha": 1.0},
        {"method": "magic"},
        {"decay": 1.0},
        {"floor": -1.0},
        {"samples_min": 0},
        {"samples_min": 2_000},
    ],
)
def test_a_rolling_setting_that_means_nothing_is_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))} must be "):
        RollingTail(**settings)


def book(rows: Floats, **settings: Any) -> BookScenarios:
    scenarios = BookScenarios(
        ("BTCUSDT", "ETHUSDT"), **({"window": 400, "alpha": 0.95, "samples_min": 50} | settings)
    )
    for row in rows.tolist():
        scenarios.push(dict(zip(scenarios.symbols, row, strict=True)))
    return scenarios


def pairs(n: int = 400, correlation: float = 0.8) -> Floats:
    z = np.random.default_rng(3).standard_normal((n, 2)) * 0.01
    return np.column_stack([z[:, 0], correlation * z[:, 0] + (1 - correlation**2) ** 0.5 * z[:, 1]])


def test_contributions_add_up_to_the_shortfall_of_the_book() -> None:
    tail = book(pairs()).tail({"BTCUSDT": 1_000.0, "ETHUSDT": 500.0})
    assert sum(tail.contributions.values()) == pytest.approx(tail.cvar, rel=1e-12)
    assert tail.cvar >= tail.var > 0.0


def test_a_hedge_takes_from_the_shortfall_and_an_addition_adds() -> None:
    scenarios = book(pairs())
    _, hedge = scenarios.marginal({"BTCUSDT": 1_000.0}, "ETHUSDT", -700.0)
    after, addition = scenarios.marginal({"BTCUSDT": 1_000.0}, "ETHUSDT", 700.0)
    assert hedge < 0.0 < addition
    assert after.cvar == pytest.approx(scenarios.tail({"BTCUSDT": 1_000.0}).cvar + addition)


def test_the_book_is_subadditive() -> None:
    scenarios = book(pairs())
    both = scenarios.tail({"BTCUSDT": 1_000.0, "ETHUSDT": -800.0}).cvar
    assert both <= sum(scenarios.tail({s: e}).cvar for s, e in (("BTCUSDT", 1_000.0), ("ETHUSDT", -800.0)))


def test_a_scenario_missing_a_held_symbol_is_left_out_and_counted() -> None:
    scenarios = book(pairs(100))
    for ret in (0.01, -0.01):
        scenarios.push({"BTCUSDT": ret, "ETHUSDT": None})
    assert scenarios.tail({"ETHUSDT": 1.0}).samples == 99
    assert scenarios.tail({"BTCUSDT": 1.0}).samples == 101


def test_a_cold_book_loses_its_floor() -> None:
    tail = book(pairs(20), floor=0.05).tail({"BTCUSDT": 1_000.0, "ETHUSDT": -1_000.0})
    assert tail.warming_up
    assert tail.cvar == 100.0
    assert tail.contributions == {"BTCUSDT": 50.0, "ETHUSDT": 50.0}


def test_an_empty_book_loses_nothing() -> None:
    assert book(pairs(20), floor=0.05).tail({"BTCUSDT": 0.0}).cvar == 0.0


def test_a_symbol_that_is_not_followed_is_named() -> None:
    with pytest.raises(KeyError, match="DOGEUSDT"):
        book(pairs(20)).tail({"DOGEUSDT": 1.0})
