"""Where a resting child stands, when it must go, and when a parent stops trying to be patient."""

from decimal import Decimal

from aurora.model.instrument import Instrument
from aurora.model.numbers import NEVER, Nanos, Price, ceil_to, divide, floor_to
from aurora.model.order import LIVE, Order, OrderType, Side, TimeInForce
from aurora.model.parent import ParentOrder, Stage, Style

BPS = Decimal(10_000)


def worst_price(side: Side, mid: Decimal, drift_bps: Decimal, instrument: Instrument) -> Price:
    """The price a child may not be beyond, ``drift_bps`` from the decision mid, rounded inside."""
    if side is Side.BUY:
        return Price(floor_to(mid * (1 + divide(drift_bps, BPS)), instrument.tick_size))
    return Price(ceil_to(mid * (1 - divide(drift_bps, BPS)), instrument.tick_size))


def ran_away(parent: ParentOrder, touch: Price) -> bool:
    """Whether even the own touch is worse than the bound."""
    return (touch - parent.bound) * parent.side.sign > 0


def limit_reached(parent: ParentOrder, touch: Price, now: Nanos, *, idle: bool) -> str:
    """Why a patient parent's patience is over, or nothing. ``idle``: none of its children is open."""
    if parent.stage is not Stage.WORKING or parent.style in (Style.IMMEDIATE, Style.TWAP):
        return ""
    if ran_away(parent, touch):
        return "PRICE_RAN"
    if parent.until != NEVER and now >= parent.until:
        return "TIME_UP"
    return "CHASES_USED" if idle and parent.released >= parent.children else ""


def stage_after(parent: ParentOrder, reason: str) -> Stage:
    """A price that ran beyond the bound is not followed; any other limit may be answered by crossing."""
    return Stage.CROSSING if parent.crosses and reason != "PRICE_RAN" else Stage.LEAVING


def must_go(
    child: Order, parent: ParentOrder, touch: Price, *, rested: int, patience: int, requote: int
) -> bool:
    """Whether a resting child is to be cancelled; ``rested``: nanoseconds since it was sent."""
    intent = child.intent
    if child.status not in LIVE or intent.type is not OrderType.LIMIT:
        return False
    if intent.time_in_force is TimeInForce.IOC:
        return False
    if parent.stage is not Stage.WORKING or rested >= patience:
        return True
    behind = intent.price is not None and (touch - intent.price) * parent.side.sign > 0
    return parent.style is Style.CHASE and behind and rested >= requote
