"""One symbol's trades in the order of their ids, and the position they make."""

from bisect import bisect_left
from dataclasses import dataclass

from aurora.model.numbers import Price, Qty
from aurora.model.order import Side
from aurora.model.position import Position

FILLS_KEPT = 1_024  # More than the largest page of trades the exchange lists.


class Book:
    """A base position and the recent trades over it.

    A trade that arrives late is put where it belongs and everything is folded again. Trades up to
    ``adopted_id`` are inside an adopted position already: they are remembered, and move nothing.
    """

    __slots__ = ("_checkpoint", "_ids", "adopted_id", "base", "dropped_id", "position", "trades")

    def __init__(self, base: Position) -> None:
        self.base = base
        self.dropped_id = 0  # Trades up to here are inside the base and no longer remembered one by one.
        self.adopted_id = 0
        self.position = base  # The base and every trade over it.
        self.trades: list[Traded] = []
        self._ids: list[int] = []
        self._checkpoint: BookCheckpoint | None = None  # Made for the book as it is now.

    @property
    def last_id(self) -> int:
        return self._ids[-1] if self._ids else self.dropped_id

    def knows(self, trade_id: int) -> bool:
        if trade_id <= self.dropped_id:
            return True
        at = bisect_left(self._ids, trade_id)
        return at < len(self._ids) and self._ids[at] == trade_id

    def add(self, trade: "Traded") -> None:
        self._checkpoint = None
        at = bisect_left(self._ids, trade.trade_id)
        self.trades.insert(at, trade)
        self._ids.insert(at, trade.trade_id)
        self.position = self._after(self.position, trade) if at == len(self.trades) - 1 else self._folded()
        if len(self.trades) > FILLS_KEPT:
            self.base = self._after(self.base, self.trades.pop(0))
            self.dropped_id = self._ids.pop(0)

    def adopt(self, qty: Qty, entry: Price) -> None:
        self._checkpoint = None
        realized = self.position.realized
        self.adopted_id = self.last_id
        self.base = Position(symbol=self.base.symbol, qty=qty, entry=entry, realized=realized)
        self.position = self._folded()

    def checkpoint(self) -> "BookCheckpoint":
        """The same object until the book changes."""
        if self._checkpoint is None:
            self._checkpoint = BookCheckpoint(
                base=self.base,
                dropped_id=self.dropped_id,
                adopted_id=self.adopted_id,
                trades=tuple(self.trades),
            )
        return self._checkpoint

    @classmethod
    def restore(cls, checkpoint: "BookCheckpoint") -> "Book":
        book = cls(checkpoint.base)
        book.dropped_id, book.adopted_id = checkpoint.dropped_id, checkpoint.adopted_id
        book.trades = list(checkpoint.trades)
        book._ids = [trade.trade_id for trade in book.trades]
        book.position = book._folded()
        return book

    def _folded(self) -> Position:
        position = self.base
        for trade in self.trades:
            position = self._after(position, trade)
        return position

    def _after(self, position: Position, trade: "Traded") -> Position:
        if trade.trade_id <= self.adopted_id:
            return position
        return position.after(trade.side, trade.price, trade.qty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """What of a fill moves a position."""

    trade_id: int
    side: Side
    price: Price
    qty: Qty
    exchange_id: str = ""  # Of its order; journals of old did not keep it.


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCheckpoint:
    base: Position
    dropped_id: int
    adopted_id: int
    trades: tuple[Traded, ...]
