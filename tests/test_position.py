"""A position follows its trades, whatever anybody does to the ambient arithmetic."""

from decimal import Decimal, localcontext

from aurora.model.numbers import Price, Qty
from aurora.model.order import Side
from aurora.model.position import Position
from tests.kit import BTC, position


def traded(held: Position, side: Side, price: str, qty: str) -> Position:
    return held.after(side, Price(Decimal(price)), Qty(Decimal(qty)))


def test_an_increase_averages_the_entry() -> None:
    held = traded(position("1", "100"), Side.BUY, "103", "2")
    assert (held.qty, held.entry, held.realized) == (Decimal(3), Decimal(102), Decimal(0))


def test_a_reduction_keeps_the_entry_and_realizes() -> None:
    held = traded(position("-3", "100"), Side.BUY, "90", "1")
    assert (held.qty, held.entry, held.realized) == (Decimal(-2), Decimal(100), Decimal(10))


def test_a_close_leaves_nothing_but_the_profit() -> None:
    held = traded(position("2", "100"), Side.SELL, "99.5", "2")
    assert held.flat
    assert held.side is None
    assert (held.entry, held.realized) == (Decimal(0), Decimal(-1))


def test_a_trade_through_zero_closes_and_opens() -> None:
    held = traded(position("1", "100"), Side.SELL, "110", "3")
    assert (held.qty, held.entry, held.realized) == (Decimal(-2), Decimal(110), Decimal(10))
    assert held.side is Side.SELL


def test_the_ambient_decimal_context_changes_nothing() -> None:
    trades = ((Side.BUY, "61234.1", "0.123"), (Side.BUY, "61999.9", "0.777"), (Side.SELL, "60000.3", "0.456"))
    calm = Position(symbol=BTC)
    for side, price, qty in trades:
        calm = traded(calm, side, price, qty)
    rough = Position(symbol=BTC)
    with localcontext() as context:
        context.prec = 5
        for side, price, qty in trades:
            rough = traded(rough, side, price, qty)
    assert rough == calm
