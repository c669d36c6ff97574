"""The orders that end or guard a position: all of them can only reduce."""

from decimal import Decimal
from itertools import takewhile

from aurora.config import ExitsConfig
from aurora.execution.levels import on_grid, resting
from aurora.model.bracket import Bracket
from aurora.model.instrument import Instrument
from aurora.model.numbers import MILLISECOND, SECOND, Price, Qty, ceil_to, floor_to
from aurora.model.order import (
    Order,
    OrderIntent,
    OrderStatus,
    OrderType,
    Role,
    Side,
    TimeInForce,
    WorkingType,
)

PRICE_BAND = (-4131, -4016, -4024)  # The market is outside the band: a limit at the bound is taken.
NOTHING_TO_REDUCE = -2022
AGAIN_MIN = 200 * MILLISECOND
AGAIN_MAX = 5 * SECOND
PROMPT = 10  # Exits that ended in vain before the next ones are tried with growing patience.
IN_VAIN = (OrderStatus.EXPIRED, OrderStatus.CANCELED, OrderStatus.REJECTED)


def stop_intent(
    role: Role, bracket: Bracket, exits: ExitsConfig, instrument: Instrument, spread: float
) -> OrderIntent:
    """The working stop (reduce-only, with quantity) or the backstop (closePosition, on the mark price).

    Levels were rounded when the position began; the exchange may have another tick by now.
    """
    if role is Role.BACKSTOP:
        return OrderIntent(
            symbol=bracket.symbol,
            side=bracket.side.opposite,
            type=OrderType.STOP_MARKET,
            role=role,
            qty=None,
            trigger=on_grid(bracket.side, bracket.backstop, instrument.tick_size),
            close_position=True,
            working_type=WorkingType.MARK_PRICE,
            reason="backstop at the widest permitted loss",
        )
    return OrderIntent(
        symbol=bracket.symbol,
        side=bracket.side.opposite,
        type=OrderType.STOP_MARKET,
        role=role,
        qty=bracket.qty,
        trigger=on_grid(bracket.side, bracket.stop, instrument.tick_size)
        if exits.mode == "exchange"
        else resting(bracket.side, bracket.stop, spread, exits, instrument),
        reduce_only=True,
        working_type=WorkingType.CONTRACT_PRICE,
        level=bracket.stop,
        reason="working stop",
    )


def exit_intents(
    bracket: Bracket, instrument: Instrument | None, *, last_code: int, mark: Decimal | None
) -> tuple[OrderIntent, ...]:
    """The market exit of the whole position, split where the exchange limits one order.

    After a refusal for the price band it is an IOC limit at the bound instead, if the mark is known.
    """
    price = None
    if last_code in PRICE_BAND and instrument is not None and mark is not None:
        price = bound(bracket.side.opposite, mark, instrument)
    return tuple(
        OrderIntent(
            symbol=bracket.symbol,
            side=bracket.side.opposite,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            role=Role.EXIT,
            qty=part,
            price=price,
            time_in_force=None if price is None else TimeInForce.IOC,
            reduce_only=True,
            slice_no=number,
            reason=bracket.exit_reason,
        )
        for number, part in enumerate(split(bracket.qty, instrument))
    )


def exit_pace(exits: list[Order], config: ExitsConfig, *, quiet_ms: int) -> int:
    """Nanoseconds between tries of a position's exits, given oldest first.

    Many in a row that ended in vain are followed with growing patience, and after the second that found
    nothing to close the books get the quiet they need to be compared.
    """
    pace = max(AGAIN_MIN, int(SECOND / config.exit_tries_per_s))
    vain = sum(1 for _ in takewhile(in_vain, reversed(exits)))
    if vain >= PROMPT:
        pace = max(pace, min(pace << min(vain // PROMPT, 5), AGAIN_MAX))
    if vain > 1 and nothing_to_close(exits[-1]):
        pace = max(pace, SECOND + 2 * quiet_ms * MILLISECOND)
    return pace


def in_vain(order: Order) -> bool:
    """Ended by the exchange without a fill."""
    return order.status in IN_VAIN and not order.filled


def nothing_to_close(order: Order) -> bool:
    """Whether the exchange's answer to an exit doubts that there is a position."""
    expired = order.status is OrderStatus.EXPIRED and order.intent.type is OrderType.MARKET
    return expired or order.code == NOTHING_TO_REDUCE


def target_intent(exits: ExitsConfig, bracket: Bracket, price: Price, qty: Qty, number: int) -> OrderIntent:
    """A take-profit that rests: a reduce-only maker order, or a conditional market order."""
    algo = exits.tp_order == "algo"
    return OrderIntent(
        symbol=bracket.symbol,
        side=bracket.side.opposite,
        type=OrderType.TAKE_PROFIT_MARKET if algo else OrderType.LIMIT,
        role=Role.TAKE_PROFIT,
        qty=qty,
        price=None if algo else price,
        trigger=price if algo else None,
        time_in_force=None if algo else TimeInForce.GTC,
        reduce_only=True,
        working_type=WorkingType.CONTRACT_PRICE,
        level=price,
        slice_no=number,
        reason=f"target at {price}",
    )


def partial_intent(bracket: Bracket, qty: Qty, *, rung: int) -> OrderIntent:
    """A part of the position closed at the market: rung ``rung`` of the ladder was reached."""
    return OrderIntent(
        symbol=bracket.symbol,
        side=bracket.side.opposite,
        type=OrderType.MARKET,
        role=Role.TAKE_PROFIT,
        qty=qty,
        reduce_only=True,
        slice_no=rung,
        reason=f"rung {rung}",
    )


def bound(side: Side, mark: Decimal, instrument: Instrument) -> Price:
    """The most aggressive limit the exchange takes, rounded inside the band."""
    if side is Side.BUY:
        return Price(floor_to(mark * instrument.multiplier_up, instrument.tick_size))
    return Price(ceil_to(mark * instrument.multiplier_down, instrument.tick_size))


def split(qty: Qty, instrument: Instrument | None) -> tuple[Qty, ...]:
    """Parts of at most the largest market order, adding up to ``qty``.

    Up to the next step where the exchange has a coarser one since the position began: of an order that can
    only reduce it takes what there is.
    """
    if instrument is None:
        return (qty,)
    if instrument.market_step_size > 0:
        qty = Qty(ceil_to(qty, instrument.market_step_size))
    if qty <= instrument.market_qty_max:
        return (qty,)
    parts: list[Qty] = []
    left = qty
    while left > 0:
        part = min(left, instrument.market_qty_max)
        parts.append(Qty(part))
        left = Qty(left - part)
    return tuple(parts)
