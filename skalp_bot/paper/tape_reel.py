"""One symbol of a recording: turns records into market events on venue time.

bookTicker frames are newer than the depth frames around them. So a depth frame older than the touch already
shown changes nothing at the touch or better; what it says about deeper levels holds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Any

from skalp_bot.paper.market import (
    AggFrame,
    BookTop,
    BookUpdate,
    DepthFrame,
    Mark,
    MarketEvent,
    Trade,
    TradeFrame,
    next_funding,
)
from skalp_bot.paper.tape_files import AggPrint, Depth, MarkPrint, Print, Record, Snapshot, Top

SECOND_MS = 1000
# Recordings without marks get the mid as mark and index, and the interest rate as funding.
FUNDING_RATE = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMap:
    """Tape time to venue time: affine, and never later than it should be."""

    tape_ms: int
    venue_ms: int
    speed: float

    def at(self, recorded_ms: int) -> int:
        return self.venue_ms + floor((recorded_ms - self.tape_ms) / self.speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the head of the recording says of a symbol."""

    symbol: str
    top: Top
    snapshot: Snapshot | None
    depth_recorded: bool
    trades_recorded: bool


class Reel:
    """Records in, events out, one ahead."""

    def __init__(self, opening: Opening, records: Callable[[], Iterator[tuple[int, Record]]]) -> None:
        self._opening = opening
        self._records = records
        self._events: Iterator[MarketEvent] | None = None
        self._next: MarketEvent | None = None
        self._played = 0
        self._tape_ms = 0
        self._next_tape_ms = 0
        self._top = opening.top
        self._book_id = 0 if opening.snapshot is None else opening.snapshot.last_id
        self._depth_id: int | None = None
        self.gaps = 0

    @property
    def begun(self) -> bool:
        return self._events is not None

    @property
    def next_ms(self) -> int | None:
        return None if self._next is None else self._next.t_ms

    def opening(self, now_ms: int) -> list[MarketEvent]:
        """The recorded snapshot, cut back to the first touch; without one the touch alone."""
        book = self._snapshot(now_ms, self._opening.snapshot, self._opening.top)
        return [book, self._mark(now_ms, self._opening.top)]

    def begin(self, times: TimeMap) -> None:
        self._events = self._play(times)
        self.wind()

    def wind(self) -> None:
        """Draw the next event, so that it is known when it is due."""
        self._next = None if self._events is None else next(self._events, None)

    def take(self, until_ms: int) -> list[MarketEvent]:
        taken: list[MarketEvent] = []
        while self._next is not None and self._next.t_ms <= until_ms:
            taken.append(self._next)
            self._played += 1
            self.wind()
        return taken

    def skip(self, count: int) -> Iterator[MarketEvent]:
        """Events that were played before, whenever they are due now."""
        for _ in range(count):
            if self._next is None:
                return
            event = self._next
            self._played += 1
            self.wind()
            yield event

    def state(self) -> dict[str, Any]:
        return {"played": self._played if self.begun else None, "tape_ms": self._next_tape_ms}

    def _play(self, times: TimeMap) -> Iterator[MarketEvent]:
        marks_recorded = False
        marked_ms = times.at(times.tape_ms)
        for shown_ms, record in self._records():
            self._next_tape_ms = shown_ms
            t_ms = times.at(shown_ms)
            if not marks_recorded and t_ms - marked_ms >= SECOND_MS:
                marked_ms += (t_ms - marked_ms) // SECOND_MS * SECOND_MS
                yield self._mark(t_ms, self._top)
            marks_recorded = marks_recorded or isinstance(record, MarkPrint)
            yield from self._event(record, t_ms, times)
        if not marks_recorded:
            yield self._mark(times.at(self._next_tape_ms), self._top)

    def _event(self, record: Record, t_ms: int, times: TimeMap) -> Iterator[MarketEvent]:
        transact_ms, event_ms = times.at(record.transact_ms), times.at(record.event_ms)
        match record:
            case Top():
                self._top = record
                yield BookTop(
                    symbol=record.symbol,
                    t_ms=t_ms,
                    bid=record.bid,
                    bid_qty=record.bid_qty,
                    ask=record.ask,
                    ask_qty=record.ask_qty,
                    update_id=record.update_id,
                    transact_ms=transact_ms,
                    event_ms=event_ms,
                    depth_recorded=self._opening.depth_recorded,
                )
            case Depth():
                yield self._depth(record, t_ms, (transact_ms, event_ms))
            case Snapshot():
                self._book_id = record.last_id
                yield self._snapshot(t_ms, record, self._top)
            case Print():
                frame = TradeFrame(
                    trade_id=record.trade_id, transact_ms=transact_ms, event_ms=event_ms, kind=record.kind
                )
                yield self._trade(record, t_ms, frame)
            case AggPrint():
                # Where single trades are recorded, their aggregates would count the volume twice.
                if not self._opening.trades_recorded:
                    yield self._trade(record, t_ms, _agg_frame(record, transact_ms, event_ms))
            case MarkPrint():
                yield Mark(
                    symbol=record.symbol,
                    t_ms=t_ms,
                    mark=record.mark,
                    index=record.index,
                    funding_rate=record.funding_rate,
                    next_funding_ms=next_funding(t_ms),
                )

    def _depth(self, record: Depth, t_ms: int, times: tuple[int, int]) -> BookUpdate:
        if self._depth_id is not None and record.prev_id != self._depth_id:
            self.gaps += 1
        self._depth_id = record.last_id
        bids, asks = record.bids, record.asks
        if record.last_id <= self._book_id:
            bids = asks = ()  # The snapshot already knows.
        elif record.last_id < self._top.update_id:
            bids = tuple(level for level in bids if level[0] < self._top.bid)
            asks = tuple(level for level in asks if level[0] > self._top.ask)
        frame = DepthFrame(
            first_id=record.first_id,
            last_id=record.last_id,
            prev_id=record.prev_id,
            transact_ms=times[0],
            event_ms=times[1],
            bids=record.bids,
            asks=record.asks,
        )
        return BookUpdate(symbol=record.symbol, t_ms=t_ms, bids=bids, asks=asks, frame=frame)

    def _snapshot(self, t_ms: int, snapshot: Snapshot | None, top: Top) -> BookUpdate:
        bids, asks = ((), ()) if snapshot is None else (snapshot.bids, snapshot.asks)
        return BookUpdate(
            symbol=self._opening.symbol,
            t_ms=t_ms,
            bids=((top.bid, top.bid_qty), *(level for level in bids if level[0] < top.bid)),
            asks=((top.ask, top.ask_qty), *(level for level in asks if level[0] > top.ask)),
            snapshot=True,
        )

    def _trade(self, record: Print | AggPrint, t_ms: int, frame: TradeFrame | AggFrame) -> Trade:
        return Trade(
            symbol=record.symbol,
            t_ms=t_ms,
            price=record.price,
            qty=record.qty,
            buyer_is_maker=record.buyer_is_maker,
            frame=frame,
        )

    def _mark(self, t_ms: int, top: Top) -> Mark:
        mid = (top.bid + top.ask) / 2
        return Mark(
            symbol=self._opening.symbol,
            t_ms=t_ms,
            mark=mid,
            index=mid,
            funding_rate=FUNDING_RATE,
            next_funding_ms=next_funding(t_ms),
        )


def standing(symbol: str, events: Iterable[MarketEvent], now_ms: int) -> list[MarketEvent]:
    """The book and mark that all these events leave behind."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    mark: Mark | None = None
    for event in events:
        match event:
            case BookUpdate():
                if event.snapshot:
                    bids.clear()
                    asks.clear()
                bids.update(event.bids)
                asks.update(event.asks)
            case BookTop():
                known = event.depth_recorded
                bids = {price: qty for price, qty in bids.items() if known and price < event.bid}
                asks = {price: qty for price, qty in asks.items() if known and price > event.ask}
                bids[event.bid], asks[event.ask] = event.bid_qty, event.ask_qty
            case Mark():
                mark = event
            case Trade():
                pass
    book = BookUpdate(
        symbol=symbol,
        t_ms=now_ms,
        bids=tuple(sorted(((p, q) for p, q in bids.items() if q), reverse=True)),
        asks=tuple(sorted((p, q) for p, q in asks.items() if q)),
        snapshot=True,
    )
    if mark is None:
        return [book]
    again = Mark(
        symbol=symbol,
        t_ms=now_ms,
        mark=mark.mark,
        index=mark.index,
        funding_rate=mark.funding_rate,
        next_funding_ms=next_funding(now_ms),
    )
    return [book, again]


def _agg_frame(record: AggPrint, transact_ms: int, event_ms: int) -> AggFrame:
    return AggFrame(
        agg_id=record.agg_id,
        first_id=record.first_id,
        last_id=record.last_id,
        transact_ms=transact_ms,
        event_ms=event_ms,
    )
