"""Keeps take-profits resting on the exchange, where the configuration wants them there."""

from decimal import Decimal

from aurora.engine.turn import Turn
from aurora.execution.exits import target_intent
from aurora.execution.ladder import quantities, rung_price, rungs
from aurora.execution.levels import on_grid
from aurora.model.bracket import Bracket
from aurora.model.numbers import SECOND, Price, Qty
from aurora.model.order import LIVE, Order, OrderStatus, Role

TARGETS_AGAIN = SECOND
REFUSED_MAX = 5


def wanted(turn: Turn, bracket: Bracket) -> tuple[tuple[Price, Qty], ...]:
    """Price and quantity of every target still open; together they are the position."""
    exits, instrument = turn.config.exits_of(bracket.symbol), turn.d.instruments[bracket.symbol]
    if not exits.ladder:
        target = bracket.take_profit
        # It was rounded when the position began; the exchange may have another tick by now.
        return () if target is None else ((on_grid(bracket.side, target, instrument.tick_size), bracket.qty),)
    ladder = rungs(exits.ladder)
    sizes = quantities(bracket.size_first, ladder, instrument, bracket.entry)
    closed = Decimal(bracket.size_first) - bracket.qty
    open_now: list[tuple[Price, Qty]] = []
    left = Decimal(bracket.qty)
    for number, rung in enumerate(ladder):
        if closed >= sizes[number] and number < len(ladder) - 1:
            closed -= sizes[number]
            continue
        qty = left if number == len(ladder) - 1 else min(sizes[number] - closed, left)
        closed = Decimal(0)
        if qty > 0:
            open_now.append((rung_price(bracket.side, bracket.entry, rung, instrument), Qty(qty)))
            left -= qty
    return tuple(open_now)


def keep_targets(turn: Turn, bracket: Bracket) -> None:
    """Cancel what no longer fits, then place what is missing; a target is profit, so there is no deadline."""
    mine = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    targets = [order for order in mine if order.intent.role is Role.TAKE_PROFIT]
    resting = [order for order in targets if order.open]
    if any(order.status in (OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN) for order in resting):
        return
    missing = list(wanted(turn, bracket))
    stale: list[Order] = []
    for order in resting:
        level = (order.intent.level or Price(Decimal(0)), order.remaining)
        if level in missing:
            missing.remove(level)
        else:
            stale.append(order)
    for order in stale:
        if order.status in LIVE:
            turn.cancel(order)
    if stale or not missing:
        return
    refused = sum(order.status is OrderStatus.REJECTED for order in targets)
    last = max((order.created_at for order in targets), default=0)
    if refused >= REFUSED_MAX or turn.now - last < TARGETS_AGAIN:
        return
    for number, (price, qty) in enumerate(missing):
        intent = target_intent(turn.config.exits_of(bracket.symbol), bracket, price, qty, number)
        turn.reduce(intent, epoch=bracket.epoch)
