"""A position is what the fills say it is."""

from dataclasses import dataclass, replace

from aurora.model.numbers import NO_PRICE, NO_QTY, NO_QUOTE, ZERO, Price, Qty, Quote, divide
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
        total = Qty(self.qty + qty * side.sign)
        if self.qty * side.sign >= ZERO:
            paid = abs(self.qty) * self.entry + qty * price
            return replace(self, qty=total, entry=Price(divide(paid, abs(total))))
        closed = min(abs(self.qty), qty)
        direction = 1 if self.qty > ZERO else -1
        realized = Quote(self.realized + (price - self.entry) * closed * direction)
        if total * self.qty > ZERO:
            return replace(self, qty=total, realized=realized)
        return replace(self, qty=total, entry=price if total else NO_PRICE, realized=realized)
