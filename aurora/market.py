"""What the market shows right now, per symbol; soft: a restart sees it anew."""

from math import exp, inf, log

from aurora.model.market import BookTicker, Candles, MarketTrade, MarkPrice
from aurora.model.numbers import NEVER, Nanos
from aurora.model.order import Side
from aurora.risk.true_range import TrueRange

MarketEvent = BookTicker | MarkPrice | MarketTrade | Candles


class MarketView:
    """The latest of every symbol; what cannot be true is dropped and counted."""

    def __init__(self, flow_halflife_s: float = 1.0) -> None:
        self._decay = -log(2.0) / (flow_halflife_s * 1e9)  # Per nanosecond.
        self._symbols: dict[str, SymbolMarket] = {}
        self.dropped = 0

    def fold(self, event: MarketEvent) -> bool:
        """Take the event in; False when it was dropped."""
        market = self.of(event.symbol)
        match event:
            case BookTicker():
                return self.quote(event)
            case MarkPrice():
                taken = market.mark_at(event)
            case MarketTrade():
                taken = market.trade(event)
            case Candles():
                taken = market.warm(event)
        if not taken:
            market.dropped += 1
            self.dropped += 1
        return taken

    def quote(self, tick: BookTicker) -> bool:
        """``fold`` for the event that comes most."""
        market = self._symbols.get(tick.symbol) or self.of(tick.symbol)
        if market.quote(tick, self._decay):
            return True
        market.dropped += 1
        self.dropped += 1
        return False

    def of(self, symbol: str) -> "SymbolMarket":
        """The symbol's market; one nobody has seen yet is empty (``seen`` is False)."""
        market = self._symbols.get(symbol)
        if market is None:
            market = self._symbols[symbol] = SymbolMarket(symbol)
        return market

    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self._symbols))


class SymbolMarket:
    """One symbol's best quote, mark and last print, with what the order flow at the touch says.

    ``flow`` is order-flow imbalance at the best quotes (Cont, Kukanov and Stoikov 2014): the sum of each
    update's net added demand in base units, fading exponentially in exchange time. ``depth`` is the faded
    sum of the quantities at the touch on the same clock, so that flow / depth has no unit.
    """

    __slots__ = (
        "ask",
        "ask_qty",
        "ask_text",
        "bid",
        "bid_qty",
        "bid_text",
        "candles",
        "depth",
        "dropped",
        "flow",
        "funding_rate",
        "index",
        "last_price",
        "last_qty",
        "last_taker",
        "last_ts",
        "latency_ms",
        "mark_price",
        "mark_ts",
        "mid",
        "next_funding",
        "range",
        "symbol",
        "ts_event",
        "ts_recv",
        "update_id",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bid = self.ask = self.bid_qty = self.ask_qty = self.mid = 0.0
        self.bid_text = self.ask_text = ""
        self.update_id = 0
        self.ts_event = self.ts_recv = NEVER
        self.latency_ms = 0.0
        self.flow = self.depth = 0.0
        self.mark_price = self.index = self.funding_rate = 0.0
        self.mark_ts = self.next_funding = NEVER
        self.last_price = self.last_qty = 0.0
        self.last_taker: Side | None = None
        self.last_ts = NEVER
        self.candles: Candles | None = None
        self.dropped = 0
        self.range = TrueRange()

    @property
    def seen(self) -> bool:
        """Whether a quote has arrived; before that every price is 0."""
        return self.mid > 0.0

    @property
    def spread(self) -> float:
        """In price units."""
        return self.ask - self.bid

    @property
    def spread_bps(self) -> float:
        return (self.ask - self.bid) / self.mid * 1e4 if self.mid else inf

    @property
    def mark(self) -> float:
        """The exchange's mark price; the mid until one was heard (``mark_is_mid``)."""
        return self.mark_price or self.mid

    @property
    def mark_is_mid(self) -> bool:
        return not self.mark_price

    @property
    def imbalance(self) -> float:
        """Queue imbalance at the touch, from -1 (all ask) to 1 (all bid)."""
        total = self.bid_qty + self.ask_qty
        return (self.bid_qty - self.ask_qty) / total if total else 0.0

    @property
    def flow_imbalance(self) -> float:
        """Order-flow imbalance over the depth it met, squeezed into -1 to 1."""
        return max(-1.0, min(1.0, self.flow / self.depth)) if self.depth else 0.0

    def age_ms(self, now: Nanos) -> float:
        """Since the last quote arrived, on our clock."""
        return (now - self.ts_recv) / 1e6

    def quote(self, tick: BookTicker, decay: float) -> bool:
        bid, ask, bid_qty, ask_qty = tick.bid, tick.ask, tick.bid_qty, tick.ask_qty
        # A comparison with NaN is False, so this refuses it too.
        if not (0.0 < bid < ask < inf and 0.0 < bid_qty < inf and 0.0 < ask_qty < inf):
            return False
        if self.mid:
            pressure = 0.0
            if bid >= self.bid:
                pressure += bid_qty
            if bid <= self.bid:
                pressure -= self.bid_qty
            if ask <= self.ask:
                pressure -= ask_qty
            if ask >= self.ask:
                pressure += self.ask_qty
            elapsed = tick.ts_event - self.ts_event
            fade = exp(decay * elapsed) if elapsed > 0 else 1.0
            self.flow = self.flow * fade + pressure
            self.depth = self.depth * fade + bid_qty + ask_qty
        self.bid, self.ask, self.bid_qty, self.ask_qty = bid, ask, bid_qty, ask_qty
        self.bid_text, self.ask_text = tick.bid_text, tick.ask_text
        self.mid = 0.5 * (bid + ask)
        self.range.update(self.mid, tick.ts_recv)
        self.update_id = tick.update_id
        self.ts_event, self.ts_recv = tick.ts_event, tick.ts_recv
        self.latency_ms = (tick.ts_recv - tick.ts_event) / 1e6
        return True

    def mark_at(self, told: MarkPrice) -> bool:
        if not 0.0 < told.mark < inf:
            return False
        self.mark_price, self.mark_ts = told.mark, told.ts_recv
        self.index, self.funding_rate = told.index, told.funding_rate
        self.next_funding = told.next_funding
        return True

    def trade(self, told: MarketTrade) -> bool:
        if not (0.0 < told.price < inf and 0.0 < told.qty < inf):
            return False
        self.last_price, self.last_qty = told.price, told.qty
        self.last_taker, self.last_ts = told.taker, told.ts_event
        return True

    def warm(self, told: Candles) -> bool:
        if not told.closes or not all(0.0 < price < inf for price in told.closes):
            return False
        self.candles = told
        self.range.warm(told.highs, told.lows, told.closes)
        return True
