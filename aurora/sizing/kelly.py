"""The sizing models under the names they are known by; each lives in the file named after its noun."""

from aurora.sizing.bracket import BracketCosts, BracketKelly, KellyReason, kelly_bracket
from aurora.sizing.closed_form import kelly_binary, kelly_mu_sigma
from aurora.sizing.drawdown import (
    apply_dd_haircut_to_kelly,
    dd_haircut_factor,
    grossman_zhou_cushion,
    risk_aversion_from_drawdown,
)
from aurora.sizing.quantity import (
    LimitedBy,
    QtyLimits,
    SizedQty,
    SizedReason,
    fraction_to_qty,
    limit_order_limits,
    market_order_limits,
)
from aurora.sizing.stabilizer import SizingStabilizer, Stabilized, StabilizerReason, StabilizerState
from aurora.sizing.units import NotionalFraction, RiskFraction, notional_from_risk, risk_from_notional

__all__ = [
    "BracketCosts",
    "BracketKelly",
    "KellyReason",
    "LimitedBy",
    "NotionalFraction",
    "QtyLimits",
    "RiskFraction",
    "SizedQty",
    "SizedReason",
    "SizingStabilizer",
    "Stabilized",
    "StabilizerReason",
    "StabilizerState",
    "apply_dd_haircut_to_kelly",
    "dd_haircut_factor",
    "fraction_to_qty",
    "grossman_zhou_cushion",
    "kelly_binary",
    "kelly_bracket",
    "kelly_mu_sigma",
    "limit_order_limits",
    "market_order_limits",
    "notional_from_risk",
    "risk_aversion_from_drawdown",
    "risk_from_notional",
]
