"""From a target position to the parent order that gets there."""

from decimal import Decimal

from aurora.config import ExecutionConfig
from aurora.model.bracket import Bracket, Phase
from aurora.model.numbers import NO_QTY, SECOND, Nanos, Price, Qty
from aurora.model.order import OrderIntent, OrderType, Role
from aurora.model.parent import ParentOrder, Style
from aurora.model.position import Position
from aurora.model.signal import TargetPosition


def plan(
    target: TargetPosition, position: Position, *, parent_id: str, config: ExecutionConfig, now: Nanos
) -> ParentOrder | None:
    """The parent order from a flat position to the target; None when there is nothing to do.

    A position is left by its exits, never by trading through it: with one held the plan is empty.
    """
    if target.qty <= NO_QTY or not position.flat:
        return None
    style = Style(config.style)
    return ParentOrder(
        parent_id=parent_id,
        symbol=target.symbol,
        side=target.side,
        qty=target.qty,
        style=style,
        children=1 if style is Style.IMMEDIATE else config.twap_slices,
        interval=0 if style is Style.IMMEDIATE else int(config.twap_interval_s * SECOND),
        started_at=now,
        decision_mid=target.reference,
    )


def child_intent(parent: ParentOrder, qty: Qty) -> OrderIntent:
    """One slice of the parent, at the market."""
    return OrderIntent(
        symbol=parent.symbol,
        side=parent.side,
        type=OrderType.MARKET,
        role=Role.ENTRY,
        qty=qty,
        parent_id=parent.parent_id,
        slice_no=parent.released,
        reason=f"slice {parent.released + 1} of {parent.children}",
    )


def entering(
    target: TargetPosition, *, epoch: int, backstop: Price, now: Nanos, local_stop: Price
) -> Bracket:
    """The bracket of a position that is about to be entered."""
    return Bracket(
        symbol=target.symbol,
        epoch=epoch,
        side=target.side,
        phase=Phase.ENTERING,
        qty=Qty(Decimal(0)),
        entry=target.reference,
        stop=local_stop,
        initial_stop=local_stop,
        take_profit=target.take_profit,
        backstop=backstop,
        opened_at=now,
    )
