"""What the market shows: quotes, prints, mark prices; as floats, with the exact text beside them."""

from dataclasses import dataclass

from aurora.model.numbers import NEVER, Nanos
from aurora.model.order import Side


@dataclass(slots=True)
class BookTicker:
    """Best bid and ask; the newest of the ticks since the last step, with the extremes of those it replaced.

    Neither frozen nor keyword-only, for one reason: it is made on every tick, and that costs several times
    as much. Nobody changes it once it has left the inbox.
    """

    symbol: str
    bid: float
    bid_qty: float
    ask: float
    ask_qty: float
    bid_text: str  # As sent: the exact price for an order that joins the touch.
    ask_text: str
    update_id: int
    ts_event: Nanos  # The exchange's clock.
    ts_recv: Nanos  # Ours.
    mid_low: float
    mid_high: float
    bid_low: float
    ask_high: float
    conflated: int = 0  # Ticks this one replaced in the inbox.
    since: Nanos = NEVER  # When the oldest of them was received: the extremes reach back so far.


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPrice:
    symbol: str
    mark: float
    index: float
    funding_rate: float
    next_funding: Nanos
    ts_event: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTrade:
    """A print between others."""

    symbol: str
    price: float
    qty: float
    taker: Side
    ts_event: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """History for warming up: one-minute closes, oldest first."""

    symbol: str
    closes: tuple[float, ...]
    highs: tuple[float, ...]
    lows: tuple[float, ...]
    ts_recv: Nanos
