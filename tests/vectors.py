"""Compares this library with reference numbers: any folder of JSON files of the documented shapes."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from aurora.risk.covariance import (
    covariance_ewma,
    ledoit_wolf,
    ledoit_wolf_constant_correlation,
    oracle_approximating,
)
from aurora.risk.tail import (
    cornish_fisher_monotone,
    moments,
    next_deviation,
    tail_cornish_fisher,
    tail_filtered,
    tail_historical,
    tail_linear,
    tail_mean,
    tail_normal,
    tail_weighted,
)
from aurora.sizing.band import half_width_merton, half_width_signal
from aurora.sizing.belief import (
    BetaBelief,
    baker_mchale_factor,
    james_stein_factor,
    kelly_baker_mchale,
    kelly_james_stein,
    kelly_posterior_mean,
    kelly_quantile,
)
from aurora.sizing.bracket import BracketCosts, kelly_bracket
from aurora.sizing.closed_form import MuSigmaMethod, kelly_binary, kelly_mu_sigma
from aurora.sizing.discrete import drawdown_constraint, growth_rate, kelly_discrete, kelly_quadratic
from aurora.sizing.drawdown import dd_haircut_factor, drawdown_lambda, grossman_zhou_cushion
from aurora.sizing.portfolio import PortfolioOptimizer
from aurora.sizing.quantity import QtyLimits, fraction_to_qty
from aurora.sizing.scenarios import kelly_scenarios

Case = Mapping[str, Any]
Answer = dict[str, Any]
UNBOUNDED = (-math.inf, math.inf)
FOLDER = Path(os.environ.get("AURORA_SHARED", "../shared")) / "vectors"


def run_vectors(folder: str | Path) -> dict[str, tuple[int, int]]:
    """Per file: how many of its cases this library matches at the file's tolerance, and how many there
    are.

    A file whose extra lists (`edge_cases`, `suggested_value_errors`) are not all met loses a case for each
    miss.
    """
    return {path.name: run_file(path) for path in sorted(Path(folder).glob("*.json"))}


def run_file(path: Path) -> tuple[int, int]:
    document = json.loads(path.read_text(encoding="utf-8"))
    cases = document["cases"]
    misses = sum(1 for case in cases if not passes(document, case))
    misses += sum(1 for case in document.get("edge_cases", ()) if not passes(document, case))
    misses += sum(1 for case in document.get("suggested_value_errors", ()) if not refuses(document, case))
    return max(0, len(cases) - misses), len(cases)


def passes(document: Case, case: Case) -> bool:
    """Whether every number the case expects and this library computes agrees."""
    function, tolerance = document["function"], document["tolerance"]
    try:
        if function in JUDGES:
            return JUDGES[function](case, tolerance)
        answer = ANSWERS[function](case)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return False
    compared = {name: value for name, value in answer.items() if name in case}
    return bool(compared) and all(
        agrees(name, value, case[name], tolerance) for name, value in compared.items()
    )


def refuses(document: Case, case: Case) -> bool:
    """Whether the arguments of the case raise a ValueError that names one of them."""
    arguments = {name: tuple(map(float, v)) if name == "clip" else float(v) for name, v in case.items()}
    try:
        REFUSALS[document["function"]](**arguments)
    except ValueError as error:
        return any(name in str(error) for name in case)
    return False


def agrees(name: str, got: Any, expected: Any, tolerance: Case) -> bool:
    """Equality within the tolerance of the file; null expects None, or a number that has no finite value."""
    if expected is None:
        return got is None or not math.isfinite(got)
    if got is None:
        return False
    if isinstance(expected, bool):
        return bool(got) == expected
    if isinstance(expected, list):
        return len(got) == len(expected) and all(
            agrees(name, g, e, tolerance) for g, e in zip(got, expected, strict=True)
        )
    if isinstance(expected, str):
        return exactly(got, expected)
    if not math.isfinite(expected):
        return bool(got == expected)
    relative = tolerance.get(f"{name}_rel", tolerance.get("rel", 0.0))
    absolute = tolerance.get(f"{name}_abs", tolerance.get("abs", 0.0))
    return math.isclose(got, expected, rel_tol=relative, abs_tol=absolute)


def exactly(got: Any, expected: str) -> bool:
    return got == Decimal(expected) if isinstance(got, Decimal) else str(got) == expected


def pair(case: Case, name: str) -> tuple[float, float]:
    low, high = case[name]
    return float(low), float(high)


def binary(case: Case) -> Answer:
    star = kelly_binary(case["p"], case["rr"], clip=UNBOUNDED)
    return {
        "f_star": star,
        "f_scaled": kelly_binary(case["p"], case["rr"], case["risk_aversion"], UNBOUNDED),
        "f": kelly_binary(case["p"], case["rr"], case["risk_aversion"], pair(case, "clip")),
    }


def mu_sigma(case: Case) -> Answer:
    def kelly(method: MuSigmaMethod, aversion: float, clip: tuple[float, float]) -> float:
        return kelly_mu_sigma(
            case["mu"], case["sigma"], rf=case["rf"], risk_aversion=aversion, clip=clip, method=method
        )

    aversion, clip = case["risk_aversion"], pair(case, "clip")
    return {
        "f_star": kelly("merton", 1.0, UNBOUNDED),
        "f": kelly("merton", aversion, clip),
        "f_star_second_moment": kelly("second_moment", 1.0, UNBOUNDED),
        "f_second_moment": kelly("second_moment", aversion, clip),
        "f_star_two_point": kelly("two_point", 1.0, UNBOUNDED),
    }


def bracket(case: Case) -> Answer:
    names = ("fee_in", "fee_tp", "fee_sl", "slip_in", "slip_sl", "funding")
    result = kelly_bracket(
        case["p"],
        case["tp"],
        case["sl"],
        BracketCosts(**{name: case[name] for name in names}),
        case["side"],
        case["risk_aversion"],
        (0.0, math.inf),
    )
    return {
        "net_win": result.net_win,
        "net_loss": result.net_loss,
        "rr_eff": result.rr,
        "p_breakeven": result.p_breakeven,
        "f_star": result.f_star,
        "f_risk": result.fraction_at_risk,
        "notional_fraction": result.fraction_of_notional,
    }


def quantity(case: Case) -> Answer:
    sized = fraction_to_qty(
        Decimal(case["fraction_notional"]),
        equity=Decimal(case["equity"]),
        price=Decimal(case["price"]),
        limits=QtyLimits(
            step=Decimal(case["step"]),
            qty_min=Decimal(case["min_qty"]),
            qty_max=Decimal(case["max_qty"]),
            notional_min=Decimal(case["min_notional"]),
        ),
        leverage=Decimal(case["leverage"]),
        margin_free=Decimal(case["available_margin"]),
        fee=Decimal(case["taker_fee"]),
    )
    return {"qty": sized.qty, "limited_by": sized.limited_by.lower(), "reason": sized.reason.lower()}


def drawdown_and_band(case: Case) -> Answer:
    drawdown, limit, cost = case["drawdown"], case["dd_max"], case["cost_one_way"]
    return {
        "gz_raw": grossman_zhou_cushion(drawdown, limit),
        "gz_normalised": dd_haircut_factor(drawdown, limit, "grossman_zhou"),
        "linear": dd_haircut_factor(drawdown, limit, "linear"),
        "half_width_merton": half_width_merton(case["pi"], gamma=case["gamma"], cost_one_way=cost),
        "half_width_signal": half_width_signal(
            cost_one_way=cost,
            gamma=case["gamma"],
            sigma_target=case["sigma_target"],
            sigma_ret=case["sigma_ret"],
        ),
    }


def uncertain(case: Case) -> Answer:
    prior = BetaBelief(alpha=case["alpha0"], beta=case["beta0"])
    belief, rr = prior.after(wins=case["wins"], losses=case["losses"]), case["rr"]
    return {
        "post_mean": belief.mean,
        "post_var": belief.variance,
        "f_post_mean": kelly_posterior_mean(belief, rr),
        "k_baker_mchale": baker_mchale_factor(belief.mean, belief.variance, rr),
        "f_baker_mchale": kelly_baker_mchale(belief, rr),
        "k_james_stein": james_stein_factor(belief.mean, belief.variance, rr),
        "f_james_stein": kelly_james_stein(belief, rr),
        "p_quantile": belief.quantile(case["q"]),
        "f_quantile": kelly_quantile(belief, rr, case["q"]),
        "prob_edge": belief.prob_above(1.0 / (1.0 + rr)),
    }


def discrete(case: Case) -> Answer:
    f = kelly_discrete(case["x"], case["p"], bounds=pair(case, "bounds"))
    return {"f": f, "growth": growth_rate(f, case["x"], case["p"])}


def constrained(case: Case) -> Answer:
    x, p, alpha, beta = case["x"], case["p"], case["alpha"], case["beta"]
    lam = drawdown_lambda(1.0 - alpha, beta)
    free = kelly_discrete(x, p)
    bound = kelly_discrete(x, p, max_dd=1.0 - alpha, dd_prob=beta)
    return {
        "lam": lam,
        "f_kelly": free,
        "growth_kelly": growth_rate(free, x, p),
        "f_rck": bound,
        "growth_rck": growth_rate(bound, x, p),
        "log_constraint_at_rck": drawdown_constraint(bound, x, p, lam=lam),
        "f_qrck": kelly_quadratic(x, p, lam=case["lam"]),
    }


def scenarios_judged(case: Case, tolerance: Case) -> bool:
    """The optimum is flat, so growth and feasibility are compared tightly and the shares loosely."""
    lam = case["lam"]
    result = kelly_scenarios(case["r"], case["pi"], lam=lam or 0.0)
    return (
        abs(result.growth - case["growth"]) <= tolerance["growth_abs"]
        and (lam is None or result.log_constraint <= tolerance["constraint_abs"])
        and np.allclose(result.b, case["b"], rtol=0.0, atol=tolerance["b_abs"])
    )


def portfolio_judged(case: Case, tolerance: Case) -> bool:
    """Feasible, as good as the reference, and the same weights; with a certificate of its own."""
    mu, sigma = np.array(case["mu"]), np.array(case["Sigma"])
    result = PortfolioOptimizer(
        gamma=case["gamma"], gross_cap=case["gross"], max_weight=case["w_max"], long_only=case["long_only"]
    ).solve(mu, sigma)
    slack = tolerance["feas"]
    objective = mu @ result.w - case["gamma"] / 2 * result.w @ sigma @ result.w
    return bool(
        result.kkt <= slack
        and np.abs(result.w).sum() <= case["gross"] + slack
        and np.abs(result.w).max() <= case["w_max"] + slack
        and (not case["long_only"] or result.w.min() >= -slack)
        and math.isclose(objective, case["objective"], rel_tol=tolerance["objective_rel"], abs_tol=1e-15)
        and np.allclose(result.w, case["w"], rtol=0.0, atol=tolerance["w_abs"])
    )


def tails(case: Case) -> Answer:
    returns, alpha, decay = case["returns"], case["alpha"], case["ewma_lambda"]
    shape = moments(returns)
    historical, linear = tail_historical(returns, alpha), tail_linear(returns, alpha)
    normal, bent = tail_normal(shape, alpha), tail_cornish_fisher(shape, alpha)
    weighted = tail_weighted(returns, alpha, decay=decay)
    filtered = tail_filtered(returns, alpha, decay=decay)
    return {
        "var_hist": historical.var,
        "cvar_hist": historical.cvar,
        "cvar_tail_mean": tail_mean(returns, alpha),
        "var_linear": linear.var,
        "cvar_linear_tail_mean": linear.cvar,
        "mean": -shape.mean,
        "std_ddof1": shape.deviation,
        "loss_skew": shape.skew,
        "loss_exkurt": shape.kurtosis,
        "var_normal": normal.var,
        "cvar_normal": normal.cvar,
        "var_cf": bent.var,
        "cvar_cf": bent.cvar,
        "cf_monotone": cornish_fisher_monotone(shape),
        "var_ewma": weighted.var,
        "cvar_ewma": weighted.cvar,
        "sigma_next": next_deviation(returns, decay=decay),
        "var_fhs": filtered.var,
        "cvar_fhs": filtered.cvar,
    }


def covariances(case: Case) -> Answer:
    x, decay = case["X"], case["ewma_lambda"]
    identity, oas = ledoit_wolf(x), oracle_approximating(x)
    equal = ledoit_wolf_constant_correlation(x)
    return {
        "lw_shrinkage": identity.shrinkage,
        "lw_cov": identity.cov.tolist(),
        "oas_shrinkage": oas.shrinkage,
        "oas_cov": oas.cov.tolist(),
        "lwcc_shrinkage": equal.shrinkage,
        "lwcc_cov": equal.cov.tolist(),
        "ewma_cov_zero_mean": covariance_ewma(x, decay=decay).tolist(),
        "ewma_cov_demeaned": covariance_ewma(x, decay=decay, mean="weighted").tolist(),
    }


ANSWERS: dict[str, Callable[[Case], Answer]] = {
    "kelly_binary": binary,
    "kelly_mu_sigma": mu_sigma,
    "kelly_bracket": bracket,
    "fraction_to_qty": quantity,
    "dd_and_band": drawdown_and_band,
    "kelly_uncertain_p": uncertain,
    "kelly_discrete": discrete,
    "rck_scalar": constrained,
    "var_cvar": tails,
    "covariance": covariances,
}
REFUSALS: dict[str, Callable[..., float]] = {"kelly_binary": kelly_binary}


JUDGES: dict[str, Callable[[Case, Case], bool]] = {"rck_multi": scenarios_judged, "mv_qp": portfolio_judged}


def report(results: Mapping[str, tuple[int, int]]) -> Sequence[str]:
    """One line a file, for people."""
    return [f"{name}: {passed} of {total}" for name, (passed, total) in results.items()]
