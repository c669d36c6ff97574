"""The sizing models under the names they are known by; each lives in the file named after its noun."""

from aurora.sizing.band import AutoBand, RelativeBand, SignalTrack, half_width_merton, half_width_signal
from aurora.sizing.belief import (
    BetaBelief,
    baker_mchale_factor,
    james_stein_factor,
    kelly_baker_mchale,
    kelly_james_stein,
    kelly_posterior_mean,
    kelly_quantile,
    shrink_mu,
)
from aurora.sizing.bracket import BracketCosts, BracketKelly, KellyReason, kelly_bracket
from aurora.sizing.closed_form import kelly_binary, kelly_mu_sigma
from aurora.sizing.discrete import drawdown_constraint, growth_rate, kelly_discrete, kelly_quadratic
from aurora.sizing.drawdown import (
    apply_dd_haircut_to_kelly,
    dd_haircut_factor,
    drawdown_lambda,
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
from aurora.sizing.scenarios import ScenarioBet, kelly_scenarios, kelly_scenarios_quadratic
from aurora.sizing.stabilizer import SizingStabilizer, Stabilized, StabilizerReason, StabilizerState
from aurora.sizing.units import NotionalFraction, RiskFraction, notional_from_risk, risk_from_notional

__all__ = [
    "AutoBand",
    "BetaBelief",
    "BracketCosts",
    "BracketKelly",
    "KellyReason",
    "LimitedBy",
    "NotionalFraction",
    "QtyLimits",
    "RelativeBand",
    "RiskFraction",
    "ScenarioBet",
    "SignalTrack",
    "SizedQty",
    "SizedReason",
    "SizingStabilizer",
    "Stabilized",
    "StabilizerReason",
    "StabilizerState",
    "apply_dd_haircut_to_kelly",
    "baker_mchale_factor",
    "dd_haircut_factor",
    "drawdown_constraint",
    "drawdown_lambda",
    "fraction_to_qty",
    "grossman_zhou_cushion",
    "growth_rate",
    "half_width_merton",
    "half_width_signal",
    "james_stein_factor",
    "kelly_baker_mchale",
    "kelly_binary",
    "kelly_bracket",
    "kelly_discrete",
    "kelly_james_stein",
    "kelly_mu_sigma",
    "kelly_posterior_mean",
    "kelly_quadratic",
    "kelly_quantile",
    "kelly_scenarios",
    "kelly_scenarios_quadratic",
    "limit_order_limits",
    "market_order_limits",
    "notional_from_risk",
    "risk_aversion_from_drawdown",
    "risk_from_notional",
    "shrink_mu",
]
