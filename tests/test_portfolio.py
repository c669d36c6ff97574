"""The portfolio optimizer: exact, certified, and honest about what it cannot do."""

import importlib.util
from typing import Any

import numpy as np
import pytest

from aurora.risk.arguments import Floats
from aurora.sizing.interior import QuadraticProgram, minimise
from aurora.sizing.portfolio import (
    PortfolioError,
    PortfolioOptimizer,
    Weights,
    mean_from_kelly,
    volatility_scale,
)


def optimizer(**changes: Any) -> PortfolioOptimizer:
    settings: dict[str, Any] = {"gamma": 5.0, "gross_cap": 1.0, "max_weight": 0.3}
    return PortfolioOptimizer(**(settings | changes))


def market(n: int, seed: int = 0) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    factors = draw.normal(size=(n, 3)) * 0.01
    sigma = factors @ factors.T + np.diag(draw.uniform(1e-5, 4e-4, n))
    return draw.normal(size=n) * 1e-3, sigma


def gap(rule: PortfolioOptimizer, mu: Floats, sigma: Floats, w: Floats) -> float:
    """A bound on what any feasible point could still gain: the best linear step over the whole feasible
    set.
    """
    slope = mu - rule.gamma * sigma @ w
    pulls = np.sort(np.maximum(slope, 0.0) if rule.long_only else np.abs(slope))[::-1]
    left, best = rule.gross_cap, 0.0
    for pull in pulls:
        best += pull * min(rule.max_weight, left)
        left -= min(rule.max_weight, left)
    return float(best - slope @ w)


def check_optimal(rule: PortfolioOptimizer, mu: Floats, sigma: Floats, answer: Weights) -> None:
    w = answer.w / rule.leverage
    objective = float(mu @ w - rule.gamma / 2 * w @ sigma @ w)
    assert answer.kkt <= 1e-8
    assert gap(rule, mu, sigma, w) <= 2e-6 * abs(objective) + 1e-15
    assert np.abs(w).sum() <= rule.gross_cap * (1 + 1e-12)
    assert np.abs(w).max() <= rule.max_weight * (1 + 1e-12)
    assert not rule.long_only or w.min() >= 0.0


def test_one_asset_inside_its_caps_is_its_kelly_fraction() -> None:
    sigma = np.array([[4e-4]])
    mu = mean_from_kelly([0.12], sigma, gamma=5.0)
    assert optimizer().solve(mu, sigma).w == pytest.approx([0.12])


def test_correlated_assets_share_what_one_of_them_would_get() -> None:
    sigma = np.array([[1.0, 0.999], [0.999, 1.0]]) * 1e-4
    w = (
        optimizer(gross_cap=10.0, max_weight=10.0)
        .solve(mean_from_kelly([0.2, 0.2], sigma, gamma=5.0), sigma)
        .w
    )
    assert w.sum() == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 50, 300])
@pytest.mark.parametrize("long_only", [False, True])
def test_the_optimum_is_certified_at_every_size(n: int, long_only: bool) -> None:
    rule = optimizer(long_only=long_only, max_weight=0.05 if n > 100 else 0.3)
    mu, sigma = market(n)
    check_optimal(rule, mu, sigma, rule.solve(mu, sigma))


def singular(kind: str, n: int, seed: int) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    mu, sigma = market(n, seed)
    factors = draw.normal(size=(n, max(1, n // 3))) * 0.01
    match kind:
        case "rank-deficient":
            sigma = factors @ factors.T
        case "near-singular":
            sigma = factors @ factors.T + 1e-14 * np.eye(n)
        case "duplicated":
            twin = draw.integers(0, max(1, n // 2), n)
            mu, sigma = mu[twin], sigma[np.ix_(twin, twin)]
        case "one without variance":
            sigma[0] = sigma[:, 0] = 0.0
        case "none with variance":
            sigma = np.zeros((n, n))
        case "ties":
            mu, sigma = np.full(n, 1e-3), np.eye(n) * 1e-4
    return mu, sigma


KINDS = [
    "rank-deficient",
    "near-singular",
    "duplicated",
    "one without variance",
    "none with variance",
    "ties",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 5, 15, 60])
def test_the_optimum_is_certified_where_the_covariance_is_singular(kind: str, n: int) -> None:
    for seed in range(4):
        rule = optimizer(
            max_weight=(0.2, 0.3)[seed % 2], gamma=(1e-2, 1.0, 50.0, 1e3)[seed], long_only=seed % 2 == 0
        )
        mu, sigma = singular(kind, n, seed)
        check_optimal(rule, mu, sigma, rule.solve(mu, sigma))


def test_a_vertex_where_full_weights_fill_the_gross_cap_exactly_is_certified() -> None:
    rule = optimizer(max_weight=0.2, gamma=1e-3)
    mu, sigma = market(12)
    answer = rule.solve(mu, sigma)
    assert np.count_nonzero(answer.w) == 5
    assert answer.active.gross
    assert answer.kkt <= 1e-9


def test_a_warm_start_gives_the_same_answer_as_a_cold_one() -> None:
    rule = optimizer()
    mu, sigma = market(40)
    answer = rule.solve(mu, sigma)
    for seed in range(20):
        mu = mu + np.random.default_rng(seed).normal(size=40) * 2e-4
        answer = rule.solve(mu, sigma, warm=answer)
        assert answer.w == pytest.approx(rule.solve(mu, sigma).w, abs=1e-9)


def test_a_warm_start_of_another_size_is_ignored() -> None:
    rule = optimizer()
    mu, sigma = market(10)
    assert rule.solve(mu, sigma, warm=rule.solve(*market(4))).w == pytest.approx(rule.solve(mu, sigma).w)


def test_leverage_multiplies_the_weights() -> None:
    mu, sigma = market(8)
    assert optimizer(leverage=3.0).solve(mu, sigma).w == pytest.approx(optimizer().solve(mu, sigma).w * 3.0)


def test_no_expected_return_holds_nothing() -> None:
    answer = optimizer().solve(np.zeros(3), np.eye(3))
    assert (answer.w.tolist(), answer.kkt) == ([0.0, 0.0, 0.0], 0.0)


def test_clip_and_scale_is_feasible_and_not_optimal() -> None:
    mu, sigma = market(30)
    rough, best = optimizer(method="clip_scale").solve(mu, sigma), optimizer().solve(mu, sigma)

    def objective(w: Floats) -> float:
        return float(mu @ w - 2.5 * w @ sigma @ w)

    assert np.abs(rough.w).sum() <= 1.0 + 1e-12
    assert np.abs(rough.w).max() <= 0.3
    assert objective(rough.w) < objective(best.w)
    assert rough.kkt > 1e-3 > best.kkt


def test_the_net_exposure_is_bounded_exactly() -> None:
    mu, sigma = np.array([1e-3, 8e-4, 6e-4, -1e-4]), np.eye(4) * 1e-4
    free, tied = optimizer(), optimizer(net_cap=0.1)
    assert free.solve(mu, sigma).w.sum() > 0.5
    answer = tied.solve(mu, sigma)
    assert answer.w.sum() == pytest.approx(0.1, abs=1e-9)
    assert answer.kkt <= 1e-8


def test_a_turnover_penalty_leaves_a_good_enough_position_alone() -> None:
    mu, sigma = market(6)
    held = optimizer().solve(mu, sigma).w
    near = mu * 1.01
    stay = optimizer(turnover_cost=1e-3).solve(near, sigma, held=held)
    assert stay.w == pytest.approx(held, abs=1e-7)
    assert not np.allclose(optimizer().solve(near * 1.5 + 1e-4, sigma).w, held, atol=1e-4)


def test_the_general_solver_agrees_with_the_exact_one() -> None:
    mu, sigma = market(20)
    loose = optimizer(net_cap=50.0).solve(mu, sigma)
    assert loose.w == pytest.approx(optimizer().solve(mu, sigma).w, abs=1e-7)


@pytest.mark.parametrize(
    ("message", "mu", "sigma"),
    [
        ("mu must be finite", [np.nan, 0.0], np.eye(2)),
        ("sigma must be finite", [0.1, 0.0], [[1.0, np.inf], [np.inf, 1.0]]),
        ("sigma must have the shape", [0.1, 0.0], np.eye(3)),
        ("mu must have the shape", [], np.eye(1)),
        ("sigma must be symmetric", [0.1, 0.0], [[1.0, 0.5], [0.1, 1.0]]),
        ("sigma must have variances", [0.1, 0.0], [[-1.0, 0.0], [0.0, 1.0]]),
        ("sigma must be positive semidefinite", [0.1, 0.0], [[1.0, 2.0], [2.0, 1.0]]),
    ],
)
def test_a_market_that_means_nothing_is_refused_by_name(message: str, mu: Any, sigma: Any) -> None:
    with pytest.raises(ValueError, match=message):
        optimizer().solve(mu, sigma)


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 0.0},
        {"gross_cap": -1.0},
        {"max_weight": np.nan},
        {"leverage": 0.0},
        {"method": "magic"},
        {"net_cap": -0.1},
        {"turnover_cost": np.inf},
        {"method": "clip_scale", "net_cap": 1.0},
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))} must be "):
        optimizer(**settings)


def test_an_answer_that_cannot_be_certified_is_refused_not_returned() -> None:
    nothing = QuadraticProgram(
        p=np.zeros((1, 1)), q=np.array([1.0]), g=np.array([[1.0], [-1.0]]), h=np.array([-2.0, 1.0])
    )
    assert not minimise(nothing).kkt <= 1e-8


@pytest.mark.skipif(importlib.util.find_spec("piqp") is not None, reason="the optional extra is installed")
def test_a_missing_optional_solver_says_what_to_install() -> None:
    with pytest.raises(PortfolioError, match=r"pip install skalp-bot\[qp\]"):
        optimizer(method="piqp").solve(*market(3))


def test_the_optional_solver_agrees_with_the_exact_one() -> None:
    pytest.importorskip("piqp", reason="the optional extra [qp] is not installed")
    mu, sigma = market(20)
    assert optimizer(method="piqp").solve(mu, sigma).w == pytest.approx(
        optimizer().solve(mu, sigma).w, abs=1e-6
    )


def test_a_target_volatility_scales_down_and_up_to_its_limit() -> None:
    w, sigma = np.array([0.5, 0.5]), np.eye(2) * 1e-4
    deviation = float(np.sqrt(w @ sigma @ w))
    assert volatility_scale(w, sigma, target=deviation / 2) == pytest.approx(0.5)
    assert volatility_scale(w, sigma, target=deviation * 3) == 1.0
    assert volatility_scale(w, sigma, target=deviation * 3, scale_max=2.0) == 2.0
    assert volatility_scale(np.zeros(2), sigma, target=1.0) == 1.0
