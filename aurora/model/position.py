"""A position is what the fills say it is."""

from dataclasses import dataclass, replace

from aurora.model.numbers import CONTEXT, NO_PRICE, NO_QTY, NO_QUOTE, ZERO, Price, Qty, Quote
from aurora.model.order import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Signed base quantity (long positive), average entry and realised profit in quote units."""

    symbol: str
    qty: Qty = NO_QTY
    entry: Price = NO_PRICE
    realized: Quote = NO_QUOTE

    @property
    def flat(self) -> bool:
        return self.qty == ZERO

    @property
    def side(self) -> Side | None:
        """The side that opened it; None when flat."""
        if self.flat:
            return None
        return Side.BUY if self.qty > ZERO else Side.SELL

    def after(self, side: Side, price: Price, qty: Qty) -> "Position":
        """The position once this trade is booked; a trade through zero is a close and an open."""
        c = CONTEXT
        held = c.abs(self.qty)
        total = Qty(c.add(self.qty, c.multiply(qty, side.sign)))
        if self.qty * side.sign >= ZERO:
            paid = c.add(c.multiply(held, self.entry), c.multiply(qty, price))
            return replace(self, qty=total, entry=Price(c.divide(paid, c.abs(total))))
        closed = min(held, qty)
        gain = c.multiply(c.multiply(c.subtract(price, self.entry), closed), -side.sign)
        realized = Quote(c.add(self.realized, gain))
        if total * self.qty > ZERO:
            return replace(self, qty=total, realized=realized)
        return replace(self, qty=total, entry=price if total else NO_PRICE, realized=realized)
