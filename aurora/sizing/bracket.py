"""Kelly for a bracket order: entry, take-profit and stop with every cost inside the odds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from aurora.risk.arguments import finite, inside, interval, not_negative, positive, within
from aurora.sizing.closed_form import CLIP, INFINITY, binary_star, bounded
from aurora.sizing.units import NotionalFraction, RiskFraction, notional_from_risk


class KellyReason(StrEnum):
    """Why the fraction is what it is."""

    OK = "OK"
    CLIPPED = "CLIPPED"
    NO_EDGE = "NO_EDGE"
    COSTS_EXCEED_TARGET = "COSTS_EXCEED_TARGET"
    STOP_CANNOT_LOSE = "STOP_CANNOT_LOSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketCosts:
    """Costs of one round trip, per unit of entry notional except that an exit fee is charged on the exit
    notional.

    Fees may be negative (rebates); slippages may not. funding: above zero is paid, below is received.
    """

    fee_in: float = 0.0
    fee_tp: float = 0.0
    fee_sl: float = 0.0
    slip_in: float = 0.0
    slip_sl: float = 0.0
    funding: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fee_in", "fee_tp", "fee_sl"):
            inside(name, getattr(self, name), -1.0, 1.0)
        not_negative("slip_in", self.slip_in)
        not_negative("slip_sl", self.slip_sl)
        finite("funding", self.funding)


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketKelly:
    """What a bracket is worth and how much of equity it deserves, in both units."""

    net_win: float
    """Gained at the take-profit, per unit of entry notional, costs inside."""
    net_loss: float
    """Lost at the stop, per unit of entry notional, costs inside."""
    rr: float
    """net_win over net_loss; not above zero when costs eat the target."""
    p_breakeven: float | None
    """The probability of the target at which nothing is won; None when no probability is enough."""
    edge: float
    """Expected net return per unit of entry notional: p net_win - (1 - p) net_loss."""
    f_star: float | None
    """Full Kelly before risk aversion and clip, negative with a negative edge; None when rr is not above
    zero.
    """
    fraction_at_risk: RiskFraction
    """Of equity, lost when the stop is hit."""
    fraction_of_notional: NotionalFraction
    """Notional over equity: fraction_at_risk over net_loss."""
    reason: KellyReason = field(default=KellyReason.OK)


def kelly_bracket(
    p: float,
    tp: float,
    sl: float,
    costs: BracketCosts,
    side: Literal[1, -1],
    risk_aversion: float = 1.0,
    clip: tuple[float, float] = CLIP,
) -> BracketKelly:
    """Kelly of an entry with a take-profit at distance tp and a stop at distance sl, costs inside the
    odds.

    p: probability of the target before the stop, in [0, 1]. tp, sl: distances over the entry price, above
    zero. side: +1 long, -1 short. risk_aversion: above zero. clip: bounds of the fraction at risk, low end
    at least 0. net_win = tp - fee_in - fee_tp (1 + side tp) - slip_in - funding; net_loss = sl + fee_in +
    fee_sl (1 - side sl) + slip_in + slip_sl + funding. A negative edge, costs beyond the target and a stop
    that cannot lose give zero with the reason. ValueError names the argument that is out of its range.
    Source: Kelly 1956 on net outcomes.
    """
    probability = within("p", p, 0.0, 1.0)
    target, stop = positive("tp", tp), positive("sl", sl)
    aversion = positive("risk_aversion", risk_aversion)
    low, high = interval("clip", clip)
    not_negative("clip[0]", low)
    if side not in (1, -1):
        raise ValueError(f"side must be 1 or -1, got {side!r}")
    net_win = target - costs.fee_in - costs.fee_tp * (1 + side * target) - costs.slip_in - costs.funding
    exit_costs = costs.fee_sl * (1 - side * stop) + costs.slip_sl
    net_loss = stop + costs.fee_in + exit_costs + costs.slip_in + costs.funding
    edge = probability * net_win - (1.0 - probability) * net_loss
    rr = net_win / net_loss if net_loss != 0.0 else INFINITY
    if net_win <= 0.0 or net_loss <= 0.0:
        return BracketKelly(
            net_win=net_win,
            net_loss=net_loss,
            rr=rr,
            p_breakeven=None,
            edge=edge,
            f_star=None,
            fraction_at_risk=RiskFraction(0.0),
            fraction_of_notional=NotionalFraction(0.0),
            reason=KellyReason.COSTS_EXCEED_TARGET if net_win <= 0.0 else KellyReason.STOP_CANNOT_LOSE,
        )
    f_star = binary_star(probability, rr)
    wanted = f_star / aversion
    at_risk = RiskFraction(bounded(wanted, low, high) if f_star > 0.0 else 0.0)
    return BracketKelly(
        net_win=net_win,
        net_loss=net_loss,
        rr=rr,
        p_breakeven=net_loss / (net_win + net_loss),
        edge=edge,
        f_star=f_star,
        fraction_at_risk=at_risk,
        fraction_of_notional=notional_from_risk(at_risk, net_loss=net_loss),
        reason=reason_of(f_star, wanted, at_risk),
    )


def reason_of(f_star: float, wanted: float, at_risk: float) -> KellyReason:
    if f_star <= 0.0:
        return KellyReason.NO_EDGE
    return KellyReason.OK if at_risk == wanted else KellyReason.CLIPPED
