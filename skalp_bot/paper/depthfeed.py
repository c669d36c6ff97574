"""Depth streams: book changes gathered into windows, pushed as differences and as the top of the book."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from skalp_bot.paper.streams import Hub

SPEEDS_MS = (100, 250, 500)
TOPS = (5, 10, 20)
Levels = list[list[str]]
TopOf = Callable[[str, int], tuple[Levels, Levels]]


@dataclass(slots=True)
class Gathered:
    """The changes of one symbol since the last push at one speed."""

    first: Mapping[str, object]
    last: Mapping[str, object]
    count: int = 0
    bids: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)

    def take(self, update: Mapping[str, object], bids: Levels, asks: Levels) -> None:
        self.last = update
        self.count += 1
        self.bids.update((price, qty) for price, qty in bids)
        self.asks.update((price, qty) for price, qty in asks)

    def difference(self, now_ms: int) -> dict[str, object]:
        if self.count == 1:
            return dict(self.last)
        return {
            **self.head(now_ms),
            "b": [[price, qty] for price, qty in self.bids.items()],
            "a": [[price, qty] for price, qty in self.asks.items()],
        }

    def head(self, now_ms: int) -> dict[str, object]:
        first, last = self.first, self.last
        ids = {"U": first["U"], "u": last["u"], "pu": first["pu"]}
        tail = {name: last[name] for name in ("ps", "st") if name in last}
        return {"e": "depthUpdate", "E": now_ms, "T": last["T"], "s": last["s"], **tail, **ids}


@dataclass(frozen=True, slots=True)
class DepthNames:
    """The stream names of one symbol, by speed."""

    now: str
    differences: Mapping[int, tuple[str, ...]]
    tops: Mapping[int, tuple[tuple[int, str], ...]]

    @classmethod
    def of(cls, symbol: str) -> "DepthNames":
        low = symbol.lower()
        return cls(
            now=f"{low}@depth@0ms",
            differences={
                100: (f"{low}@depth@100ms",),
                250: (f"{low}@depth", f"{low}@depth@250ms"),
                500: (f"{low}@depth@500ms", f"{low}@rpiDepth@500ms"),
            },
            tops={
                100: tuple((n, f"{low}@depth{n}@100ms") for n in TOPS),
                250: tuple((n, name) for n in TOPS for name in (f"{low}@depth{n}", f"{low}@depth{n}@250ms")),
                500: tuple((n, f"{low}@depth{n}@500ms") for n in TOPS),
            },
        )

    def wanted(self, hub: Hub) -> tuple[int, ...]:
        """Name the speeds somebody listens at; 0 is every change at once."""
        return tuple(speed for speed in (0, *SPEEDS_MS) if any(map(hub.wanted, self.at(speed))))

    def at(self, speed: int) -> tuple[str, ...]:
        if speed == 0:
            return (self.now,)
        return (*self.differences[speed], *(name for _, name in self.tops[speed]))


@dataclass(slots=True)
class DepthFeed:
    """Publishes every depth stream somebody listens to."""

    hub: Hub
    top_of: TopOf
    names: dict[str, DepthNames] = field(default_factory=dict)
    wanted: dict[str, tuple[int, ...]] = field(default_factory=dict)  # as of `version`
    version: int = -1
    windows: dict[int, dict[str, Gathered]] = field(
        default_factory=lambda: {speed: {} for speed in SPEEDS_MS}
    )

    def on_update(self, update: Mapping[str, object], bids: Levels, asks: Levels) -> None:
        symbol = str(update["s"])
        for speed in self.speeds(symbol):
            if speed == 0:
                self.hub.publish(self.names[symbol].now, orjson.dumps(update))
                continue
            gathered = self.windows[speed].get(symbol)
            if gathered is None:
                gathered = self.windows[speed][symbol] = Gathered(first=update, last=update)
            gathered.take(update, bids, asks)

    def listened(self, symbol: str) -> bool:
        """Say whether anybody listens to any depth stream of a symbol."""
        return bool(self.speeds(symbol))

    def speeds(self, symbol: str) -> tuple[int, ...]:
        if self.version != self.hub.version:
            self.recount()
        wanted = self.wanted.get(symbol)
        if wanted is None:
            names = self.names.get(symbol) or self.names.setdefault(symbol, DepthNames.of(symbol))
            wanted = self.wanted[symbol] = names.wanted(self.hub)
        return wanted

    def recount(self) -> None:
        """Somebody came or went: ask anew who listens, and drop what nobody waits for."""
        self.version = self.hub.version
        self.wanted = {symbol: names.wanted(self.hub) for symbol, names in self.names.items()}
        for speed, windows in self.windows.items():
            for symbol in [symbol for symbol in windows if speed not in self.wanted[symbol]]:
                del windows[symbol]

    def flush(self, speed: int, now_ms: int) -> None:
        gathered, self.windows[speed] = self.windows[speed], {}
        for symbol, window in gathered.items():
            names = self.names[symbol]
            if any(self.hub.wanted(name) for name in names.differences[speed]):
                payload = orjson.dumps(window.difference(now_ms))
                for name in names.differences[speed]:
                    self.hub.publish(name, payload)
            for count, name in names.tops[speed]:
                if self.hub.wanted(name):
                    bids, asks = self.top_of(symbol, count)
                    body = {**window.head(now_ms), "b": bids, "a": asks}
                    self.hub.publish(name, orjson.dumps(body))
