"""Market streams: events pushed as they happen, and those made at their own pace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from skalp_bot.paper.board import Billboard, Board
from skalp_bot.paper.depthfeed import SPEEDS_MS, DepthFeed, TopOf
from skalp_bot.paper.klines import INTERVALS
from skalp_bot.paper.market import Candle
from skalp_bot.paper.streams import Hub

Payload = Mapping[str, Any]
PACES_MS = (100, 250, 500, 1000, 2000, 3000, 5000)


@dataclass(frozen=True, slots=True)
class Names:
    """The stream names of one symbol."""

    direct: Mapping[str, str]
    mark_1s: str
    mark_3s: str
    ticker: str
    mini: str
    klines: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, symbol: str) -> "Names":
        low = symbol.lower()
        return cls(
            direct={kind: f"{low}@{kind}" for kind in ("bookTicker", "trade", "aggTrade")},
            mark_1s=f"{low}@markPrice@1s",
            mark_3s=f"{low}@markPrice",
            ticker=f"{low}@ticker",
            mini=f"{low}@miniTicker",
            klines=tuple(
                (interval, f"{low}@kline_{interval}", f"{low}_perpetual@continuousKline_{interval}")
                for interval in INTERVALS
            ),
        )


@dataclass(slots=True)
class Feeds:
    """Turns the venue's market payloads into every public stream."""

    hub: Hub
    board: Board
    depth: DepthFeed
    names: dict[str, Names] = field(default_factory=dict)
    fresh_tops: dict[str, bytes] = field(default_factory=dict)
    forced: dict[str, Payload] = field(default_factory=dict)
    klines_sent: dict[str, tuple[int, Decimal, int]] = field(default_factory=dict)
    now_ms: int = 0

    @classmethod
    def make(cls, hub: Hub, board: Board, top_of: TopOf) -> "Feeds":
        names = {symbol: Names.of(symbol) for symbol in board.billboards}
        return cls(hub=hub, board=board, depth=DepthFeed(hub=hub, top_of=top_of), names=names)

    def on_payload(self, payload: Payload) -> None:
        """Publish what is pushed at once; remember the rest."""
        kind = payload["e"]
        if kind == "forceOrder":
            self.force_order(payload)
            return
        if kind == "contractInfo":
            self.hub.publish("!contractInfo", orjson.dumps(payload))
            return
        self.board.on_payload(payload)
        if kind == "depthUpdate":
            self.depth.on_update(payload, payload["b"], payload["a"])
            return
        symbol = payload["s"]
        stream = self.names[symbol].direct.get(kind)
        every = kind == "bookTicker" and self.hub.wanted("!bookTicker")
        if kind == "bookTicker":
            self.board.tops.count(len(self.hub.listeners.get(stream or "", ())))
        if stream is None or not (every or self.hub.wanted(stream)):
            return
        body = orjson.dumps(payload)
        self.hub.publish(stream, body)
        if every:
            self.fresh_tops[symbol] = body

    def force_order(self, payload: Payload) -> None:
        """Keep the largest liquidation of each symbol until its second ends."""
        symbol = payload["o"]["s"]
        known = self.forced.get(symbol)
        if known is None or value_of(payload) > value_of(known):
            self.forced[symbol] = payload

    def push_forced(self) -> None:
        for symbol, payload in self.forced.items():
            body = orjson.dumps(payload)
            self.hub.publish(symbol.lower() + "@forceOrder", body)
            self.hub.publish("!forceOrder@arr", body)
        self.forced.clear()

    def advance(self, now_ms: int) -> None:
        """Push everything whose time came between the last call and now."""
        before, self.now_ms = self.now_ms, now_ms
        if before == 0:
            return
        for pace in PACES_MS:
            if now_ms // pace != before // pace:
                self.push(pace, now_ms - now_ms % pace, now_ms)

    def push(self, pace: int, boundary_ms: int, now_ms: int) -> None:
        if pace in SPEEDS_MS:
            self.depth.flush(pace, now_ms)
        match pace:
            case 250:
                self.push_klines(now_ms)
            case 1000:
                self.push_marks(boundary_ms, lambda names: names.mark_1s, "!markPrice@arr@1s")
                self.push_arrays(now_ms)
                self.push_forced()
            case 2000:
                self.push_tickers(now_ms)
            case 3000:
                self.push_marks(boundary_ms, lambda names: names.mark_3s, "!markPrice@arr")
            case 5000:
                for body in self.fresh_tops.values():
                    self.hub.publish("!bookTicker", body)
                self.fresh_tops.clear()
            case _:
                pass

    def push_marks(self, boundary_ms: int, name_of: Callable[[Names], str], array: str) -> None:
        bodies: list[bytes] = []
        for symbol, billboard in self.board.billboards.items():
            stream = name_of(self.names[symbol])
            if billboard.mark is None or not (self.hub.wanted(stream) or self.hub.wanted(array)):
                continue
            body = orjson.dumps({**billboard.mark, "E": boundary_ms})
            bodies.append(body)
            self.hub.publish(stream, body)
        if bodies:
            self.hub.publish(array, b"[" + b",".join(bodies) + b"]")

    def push_arrays(self, now_ms: int) -> None:
        """Push the arrays of what changed within the second."""
        minis, tickers = (self.hub.wanted(array) for array in ("!miniTicker@arr", "!ticker@arr"))
        days = self.board.days(now_ms, now_ms - 2000) if minis or tickers else []
        if days and minis:
            self.hub.publish("!miniTicker@arr", orjson.dumps([day.mini(now_ms) for day in days]))
        if days and tickers:
            self.hub.publish("!ticker@arr", orjson.dumps([day.ticker(now_ms) for day in days]))

    def push_tickers(self, now_ms: int) -> None:
        for symbol, billboard in self.board.billboards.items():
            names = self.names[symbol]
            if not (self.hub.wanted(names.ticker) or self.hub.wanted(names.mini)):
                continue
            day = billboard.day(now_ms)
            if day is not None:
                self.hub.publish(names.ticker, orjson.dumps(day.ticker(now_ms)))
                self.hub.publish(names.mini, orjson.dumps(day.mini(now_ms)))

    def push_klines(self, now_ms: int) -> None:
        for symbol, billboard in self.board.billboards.items():
            wanted = [
                row for row in self.names[symbol].klines if self.hub.wanted(row[1]) or self.hub.wanted(row[2])
            ]
            if not wanted:
                continue
            for interval, stream, continuous in wanted:
                current = billboard.candles.current(interval, now_ms)
                if current is None:
                    continue
                state = (current.open_ms, current.close, current.trades)
                sent = self.klines_sent.get(stream)
                if sent is not None and sent[0] < current.open_ms:
                    ended = billboard.candles.query(interval, now_ms=now_ms, limit=1, end_ms=sent[0])
                    for candle in ended:
                        self.push_kline(billboard, candle, (stream, continuous), now_ms, closed=True)
                if sent != state:
                    self.klines_sent[stream] = state
                    self.push_kline(billboard, current, (stream, continuous), now_ms, closed=False)

    def push_kline(
        self, billboard: Billboard, candle: Candle, streams: tuple[str, str], now_ms: int, *, closed: bool
    ) -> None:
        row = kline_row(candle, closed=closed)
        body = {"e": "kline", "E": now_ms, "s": billboard.symbol, "ps": billboard.symbol, "k": row, "st": 1}
        self.hub.publish(streams[0], orjson.dumps(body))
        if self.hub.wanted(streams[1]):
            row = {name: value for name, value in row.items() if name != "s"}
            head = {"e": "continuous_kline", "E": now_ms, "ps": billboard.symbol, "ct": "PERPETUAL"}
            self.hub.publish(streams[1], orjson.dumps({**head, "k": row}))


def value_of(payload: Payload) -> Decimal:
    return Decimal(payload["o"]["z"]) * Decimal(payload["o"]["ap"])


def kline_row(candle: Candle, *, closed: bool) -> dict[str, object]:
    return {
        "t": candle.open_ms,
        "T": candle.close_ms,
        "s": candle.symbol,
        "i": candle.interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": format(candle.open, "f"),
        "c": format(candle.close, "f"),
        "h": format(candle.high, "f"),
        "l": format(candle.low, "f"),
        "v": format(candle.volume, "f"),
        "n": candle.trades,
        "x": closed,
        "q": format(candle.quote_volume, "f"),
        "V": format(candle.taker_volume, "f"),
        "Q": format(candle.taker_quote_volume, "f"),
        "B": "0",
    }
