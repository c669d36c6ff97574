"""Compares this library with reference numbers: any folder of JSON files of the documented shapes."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from aurora.sizing.band import half_width_merton, half_width_signal
from aurora.sizing.bracket import BracketCosts, kelly_bracket
from aurora.sizing.closed_form import MuSigmaMethod, kelly_binary, kelly_mu_sigma
from aurora.sizing.drawdown import dd_haircut_factor, grossman_zhou_cushion
from aurora.sizing.quantity import QtyLimits, fraction_to_qty

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
    answer_of = ANSWERS.get(document["function"])
    if answer_of is None:
        return False
    try:
        answer = answer_of(case)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return False
    tolerance = document["tolerance"]
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


ANSWERS: dict[str, Callable[[Case], Answer]] = {
    "kelly_binary": binary,
    "kelly_mu_sigma": mu_sigma,
    "kelly_bracket": bracket,
    "fraction_to_qty": quantity,
    "dd_and_band": drawdown_and_band,
}
REFUSALS: dict[str, Callable[..., float]] = {"kelly_binary": kelly_binary}


def report(results: Mapping[str, tuple[int, int]]) -> Sequence[str]:
    """One line a file, for people."""
    return [f"{name}: {passed} of {total}" for name, (passed, total) in results.items()]
