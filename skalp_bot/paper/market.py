"""What a market source tells the venue: books, trades, marks, history, and the protocol of the source.

Prices and quantities are Decimal, times are integer milliseconds of venue time. `t_ms` is the instant at
which the venue learns of the event and publishes it; events of one source arrive in non-decreasing `t_ms`.

A source invents nothing it did not see. Scripted and synthetic sources send plain `BookUpdate`s and `Trade`s:
the venue derives update ids and every stream frame from them. A tape also carries the recorded frame
(`DepthFrame`, `TradeFrame`, `AggFrame`, `BookTop`), its times already mapped onto venue time, so that an
untouched book republishes the recording field by field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

FUNDING_MS = 8 * 3_600_000
Level = tuple[Decimal, Decimal]  # price, absolute displayed quantity; quantity 0 removes the level


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFrame:
    """A recorded depthUpdate: its ids (U, u, pu), times (T, E) and levels exactly as they were sent.

    Depth frames and bookTickers share one sequence of ids, and bookTickers run ahead: `last_id` is
    often below that of a `BookTop` already published. Only the chain of depth frames must hold (prev_id
    is the last_id of the frame before); a newer bookTicker is no reason to number a frame anew.
    """

    first_id: int
    last_id: int
    prev_id: int
    transact_ms: int
    event_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUpdate:
    """Displayed levels that changed (or, as `snapshot`, the whole book: levels not named are gone).

    With `frame` the venue publishes that depth frame and derives no bookTicker from this event (the tape
    brings its own `BookTop`s); `bids` and `asks` are then what to apply, which is less than the frame where
    the frame is older than the top of book already published. A snapshot is state, never news: nothing is
    published for it.
    """

    symbol: str
    t_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    snapshot: bool = False
    frame: DepthFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTop:
    """A recorded bookTicker: the touch is exactly this, and every level better than it is gone.

    `depth_recorded` is False where the tape has no depth frames: then nothing is known behind the touch, the
    book is these two levels alone, and the venue derives depth frames itself.
    """

    symbol: str
    t_ms: int
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    update_id: int
    transact_ms: int
    event_ms: int
    depth_recorded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFrame:
    """Identity of a recorded trade frame; `kind` is its X field (MARKET, RPI, INSURANCE_FUND, ADL, NA)."""

    trade_id: int
    transact_ms: int
    event_ms: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AggFrame:
    """Identity of a recorded aggTrade."""

    agg_id: int
    first_id: int
    last_id: int
    transact_ms: int
    event_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A market print. A recorded one carries its frame: a trade, or an aggregate if only those were."""

    symbol: str
    t_ms: int
    price: Decimal
    qty: Decimal
    buyer_is_maker: bool
    frame: TradeFrame | AggFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Mark and index price, and the funding rate in force until `next_funding_ms`."""

    symbol: str
    t_ms: int
    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    next_funding_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One kline; `close_ms` is the last millisecond that belongs to it, ids are -1 where nothing traded."""

    symbol: str
    interval: str
    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int
    taker_volume: Decimal
    taker_quote_volume: Decimal
    first_id: int = -1
    last_id: int = -1


class Grid(Protocol):
    """What a source must know of a symbol's rules: prices are multiples of the tick, sizes of the step."""

    @property
    def tick(self) -> Decimal: ...

    @property
    def step(self) -> Decimal: ...


MarketEvent = BookUpdate | BookTop | Trade | Mark


def next_funding(now_ms: int) -> int:
    """The next funding time: 00:00, 08:00 and 16:00 UTC, as Binance keeps it for most symbols."""
    return now_ms - now_ms % FUNDING_MS + FUNDING_MS


class MarketError(Exception):
    """A market source cannot be used: a bad file, an unknown symbol, a bad argument. Says what to do."""


class MarketSource(Protocol):
    """Anything that plays a market to the venue, in venue time."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols this source quotes; a subset of those asked for."""
        ...

    def history(self, symbol: str) -> Sequence[Candle]:
        """1m candles that closed before `start`, oldest first, contiguous; empty where nothing is known.

        May be asked for only after `start`.
        """
        ...

    def start(self, now_ms: int) -> list[MarketEvent]:
        """Open at `now_ms`: a snapshot and a mark per symbol. Called once, and not after `resume`."""
        ...

    def subscribed(self, symbol: str, now_ms: int) -> None:
        """Note the first bookTicker subscription of a symbol; tapes and scripts begin to play then."""
        ...

    def next_ms(self) -> int | None:
        """Venue time of the next event; None while nothing is scheduled (the last book stands)."""
        ...

    def pop(self, until_ms: int) -> list[MarketEvent]:
        """Take all events with t_ms <= until_ms, in order."""
        ...

    def state(self) -> dict[str, Any]:
        """JSON-able position in the market, for a restart."""
        ...

    def resume(self, state: dict[str, Any], now_ms: int) -> list[MarketEvent]:
        """Go on from `state` instead of `start`; returns the books and marks as they stand."""
        ...
