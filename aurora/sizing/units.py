"""Two fractions of equity that must never be confused: what is lost at the stop, and what is bought."""

from typing import NewType

from aurora.risk.arguments import finite, positive

RiskFraction = NewType("RiskFraction", float)
"""Fraction of equity lost in the losing outcome, that is when the stop is hit. 0.02 is "risk two percent"."""

NotionalFraction = NewType("NotionalFraction", float)
"""Notional of the position over equity, that is leverage. 3.2 is "hold 3.2 times the equity"."""


def notional_from_risk(fraction_at_risk: RiskFraction, *, net_loss: float) -> NotionalFraction:
    """The notional, over equity, whose stop loses exactly that fraction of equity.

    `net_loss` is the loss at the stop per unit of entry notional, costs included, above zero: a stop of 0.5 %
    with 0.12 % of costs is 0.0062, so 0.02 at risk is 3.2 times the equity. ValueError on other input.
    """
    return NotionalFraction(finite("fraction_at_risk", fraction_at_risk) / positive("net_loss", net_loss))


def risk_from_notional(fraction_of_notional: NotionalFraction, *, net_loss: float) -> RiskFraction:
    """The fraction of equity lost at the stop by a position of that notional; inverse of
    notional_from_risk.
    """
    return RiskFraction(finite("fraction_of_notional", fraction_of_notional) * positive("net_loss", net_loss))
