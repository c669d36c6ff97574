"""The displayed book of one scripted symbol: a touch, a ladder behind it, and a mark that follows."""

from decimal import ROUND_HALF_EVEN, Decimal

from skalp_bot.paper.market import BookUpdate, Level, Mark, MarketEvent, Trade, next_funding
from skalp_bot.paper.script_file import MarkSet, Opening, Print, Quote

ZERO = Decimal(0)


class ScriptBook:
    """Turns written quotes into book updates; only what differs from what stands is told."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._bid, self._ask = opening.bid, opening.ask
        self._bid_qty, self._ask_qty = opening.bid_qty, opening.ask_qty
        self._bids = dict(self._ladder(self._bid, self._bid_qty, sign=-1))
        self._asks = dict(self._ladder(self._ask, self._ask_qty, sign=1))
        self._mark = self._index = self.mid()
        self._funding_rate = opening.funding_rate
        self._mark_is_set = False

    def touch(self) -> Quote:
        return Quote(
            symbol=self._opening.symbol,
            bid=self._bid,
            ask=self._ask,
            bid_qty=self._bid_qty,
            ask_qty=self._ask_qty,
        )

    def mid(self) -> Decimal:
        return (self._bid + self._ask) / 2

    def standing(self, now_ms: int) -> list[MarketEvent]:
        """The whole book and the mark as they are now."""
        book = BookUpdate(
            symbol=self._opening.symbol,
            t_ms=now_ms,
            bids=tuple(self._bids.items()),
            asks=tuple(self._asks.items()),
            snapshot=True,
        )
        return [book, self._told_mark(now_ms)]

    def quote(self, quote: Quote) -> BookUpdate:
        self._bid, self._ask = self._placed(quote)
        self._bid_qty = self._bid_qty if quote.bid_qty is None else quote.bid_qty
        self._ask_qty = self._ask_qty if quote.ask_qty is None else quote.ask_qty
        if self._bid <= 0:  # A script cannot push a price below the first tick.
            self._bid, self._ask = self._opening.tick, self._opening.tick + self._ask - self._bid
        bids = self._side(self._bid, self._bid_qty, quote.bids, sign=-1)
        asks = self._side(self._ask, self._ask_qty, quote.asks, sign=1)
        update = BookUpdate(
            symbol=self._opening.symbol,
            t_ms=0,
            bids=_changes(self._bids, bids, self._bid),
            asks=_changes(self._asks, asks, self._ask),
        )
        self._bids, self._asks = bids, asks
        return update

    def trade(self, told: Print) -> Trade:
        touch = self._ask if told.side == "BUY" else self._bid
        return Trade(
            symbol=told.symbol,
            t_ms=0,
            price=touch if told.price is None else told.price,
            qty=told.qty,
            buyer_is_maker=told.side == "SELL",
        )

    def set_mark(self, told: MarkSet) -> Mark:
        self._mark_is_set = told.mark is not None
        self._mark = self.mid() if told.mark is None else told.mark
        self._index = self._mark if told.index is None else told.index
        if told.funding_rate is not None:
            self._funding_rate = told.funding_rate
        return self._told_mark(0)

    def mark_if_moved(self) -> Mark | None:
        """The mark that follows the mid, once it has moved."""
        if self._mark_is_set or self._mark == self.mid():
            return None
        self._mark = self._index = self.mid()
        return self._told_mark(0)

    def _told_mark(self, t_ms: int) -> Mark:
        return Mark(
            symbol=self._opening.symbol,
            t_ms=t_ms,
            mark=self._mark,
            index=self._index,
            funding_rate=self._funding_rate,
            next_funding_ms=next_funding(t_ms),
        )

    def _placed(self, quote: Quote) -> tuple[Decimal, Decimal]:
        """Where the touch goes; a mid keeps the spread and rounds to the nearest tick."""
        if quote.bid is not None and quote.ask is not None:
            return quote.bid, quote.ask
        tick, spread = self._opening.tick, self._ask - self._bid
        if quote.move_ticks is not None:
            return self._bid + quote.move_ticks * tick, self._ask + quote.move_ticks * tick
        mid = quote.mid
        if mid is None:
            mid = self.mid() * (1 + (quote.move_bps or ZERO) / 10_000)
        bid = ((mid - spread / 2) / tick).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * tick
        return bid, bid + spread

    def _side(
        self, price: Decimal, qty: Decimal, deeper: tuple[Level, ...] | None, *, sign: int
    ) -> dict[Decimal, Decimal]:
        if deeper is None:
            return dict(self._ladder(price, qty, sign=sign))
        return {price: qty, **dict(deeper)}

    def _ladder(self, price: Decimal, qty: Decimal, *, sign: int) -> list[Level]:
        gap = self._opening.gap_ticks * self._opening.tick * sign
        rungs = [(price + gap * rung, self._opening.depth_qty) for rung in range(1, self._opening.levels)]
        return [(price, qty), *((rung, size) for rung, size in rungs if rung > 0)]


def _changes(old: dict[Decimal, Decimal], new: dict[Decimal, Decimal], touch: Decimal) -> tuple[Level, ...]:
    """What is gone, what differs, and the touch always: writing it again restores what was taken there."""
    gone = tuple((price, ZERO) for price in old if price not in new)
    return gone + tuple((price, qty) for price, qty in new.items() if price == touch or old.get(price) != qty)
