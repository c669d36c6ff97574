"""Works the parent orders: the next child when one is due, and no child left resting that should not."""

from dataclasses import replace
from decimal import Decimal

from aurora import governance
from aurora.engine.briefing import brief
from aurora.engine.turn import Turn
from aurora.execution.levels import exact
from aurora.execution.partials import Children, PartialSlicer
from aurora.execution.planner import child_intent
from aurora.execution.quotes import limit_reached, must_go, stage_after
from aurora.governance import Briefing
from aurora.model.commands import Lane
from aurora.model.facts import IntentDenied, ParentSet
from aurora.model.gate import Approved
from aurora.model.market import MarketTrade
from aurora.model.numbers import MILLISECOND, SECOND, Nanos, Price, Qty
from aurora.model.order import LIVE, Order, OrderType, Role, Side
from aurora.model.parent import ParentOrder, Style
from aurora.model.signal import TargetPosition

BOOKING_WAIT = 10 * SECOND


def work(turn: Turn, symbol: str | None = None) -> None:
    """Every parent, or those of one symbol, whose turn it is."""
    for parent in tuple(turn.d.parents.values()):
        if symbol is None or parent.symbol == symbol:
            advance(turn, parent)


def advance(turn: Turn, parent: ParentOrder) -> None:
    """End it, stop being patient, take back a quote, or send the next child: the first that applies."""
    mine, instrument = children_of(turn, parent), turn.d.instruments[parent.symbol]
    done = Children.of(mine)
    tracked = PartialSlicer.track(parent, done, instrument)
    if tracked.done:
        if not any(price_awaited(child, turn.now) for child in mine):
            turn.end_parent(tracked, tracked.why)
        return
    touch = own_touch(turn, parent)
    if touch is None:
        return
    reason = limit_reached(parent, touch, turn.now, idle=not any(order.open for order in mine))
    if reason:
        parent = replace(parent, stage=stage_after(parent, reason), why=reason)
        turn.conclude(ParentSet(parent=parent))
    take_back(turn, parent, mine, touch)
    if parent.style is Style.PARTICIPATE:
        parent = replace(parent, volume=Qty(turn.soft.volumes.get(parent.parent_id, Decimal(0))))
    child = PartialSlicer.next_child(parent, done, instrument, turn.now)
    if child is None:
        return
    approved = reviewed(turn, parent, child, None)
    if approved is None:
        turn.end_parent(parent, "a slice was refused")
        return
    send(turn, parent, approved, None)


def children_of(turn: Turn, parent: ParentOrder) -> tuple[Order, ...]:
    orders = turn.d.blotter.of_position(parent.symbol, turn.d.position_epochs[parent.symbol])
    return tuple(order for order in orders if order.intent.parent_id == parent.parent_id)


def price_awaited(child: Order, now: Nanos) -> bool:
    """Whether it is known to have filled and not yet at what price; the record of its parent can wait."""
    return child.filled > child.booked and now - child.updated_at < BOOKING_WAIT


def own_touch(turn: Turn, parent: ParentOrder) -> Price | None:
    """The price of the side we would join, exactly as the exchange wrote it."""
    market = turn.soft.market.of(parent.symbol)
    if not market.seen:
        return None
    return Price(Decimal(market.bid_text if parent.side is Side.BUY else market.ask_text))


def take_back(turn: Turn, parent: ParentOrder, mine: tuple[Order, ...], touch: Price) -> None:
    """Cancel what rests too long or too far behind; it counts in full until it is proven gone."""
    execution = turn.config.execution
    for child in mine:
        if must_go(
            child,
            parent,
            touch,
            rested=turn.now - child.created_at,
            patience=int(execution.child_timeout_s * SECOND),
            requote=execution.requote_ms * MILLISECOND,
        ):
            turn.cancel(child)


def reviewed(turn: Turn, parent: ParentOrder, qty: Qty, target: TargetPosition | None) -> Approved | None:
    touch = own_touch(turn, parent)
    if touch is None:
        return None
    briefing: Briefing = brief(turn, parent.symbol)
    intent = child_intent(parent, qty, touch)
    decision = governance.review(intent, briefing, turn.config.governance, turn.now)
    if isinstance(decision, Approved):
        return decision
    turn.conclude(IntentDenied(denied=decision, target=target, at=turn.now))
    return None


def send(turn: Turn, parent: ParentOrder, approved: Approved, target: TargetPosition | None) -> None:
    epoch = turn.d.position_epochs[parent.symbol]
    turn.submit(approved, lane=Lane.ENTRY, epoch=epoch, target=target)
    turn.conclude(ParentSet(parent=PartialSlicer.released(parent)))


def hear_trade(turn: Turn, trade: MarketTrade) -> None:
    """Count what is traded while a parent wants its share of it."""
    for parent in turn.d.parents.values():
        if parent.symbol == trade.symbol and parent.style is Style.PARTICIPATE:
            before = turn.soft.volumes.get(parent.parent_id, Decimal(0))
            turn.soft.volumes[parent.parent_id] = before + exact(trade.qty)


def cancel_orphans(turn: Turn) -> None:
    """An entry that rests although its parent is over could fill for nobody."""
    for order in turn.d.blotter.restless():
        resting = order.intent.role is Role.ENTRY and order.intent.type is OrderType.LIMIT
        if resting and order.status in LIVE and order.intent.parent_id not in turn.d.parents:
            turn.cancel(order)
    for name in [name for name in turn.soft.volumes if name not in turn.d.parents]:
        turn.soft.volumes.pop(name)
