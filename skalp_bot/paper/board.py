"""What the public remembers of each symbol: candles, the last print and mark, the rolling day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Any

from skalp_bot.paper.klines import Candles, merged
from skalp_bot.paper.market import Candle
from skalp_bot.paper.market_events import BOOK_KINDS
from skalp_bot.paper.symbols import SymbolSpec

Payload = Mapping[str, Any]
DAY_MINUTES = 1440
MINUTE_MS = 60_000


@dataclass(slots=True)
class Billboard:
    """One symbol as the public sees it."""

    symbol: str
    candles: Candles
    price_step: Decimal
    newest: Payload | None = None  # print
    mark: Payload | None = None
    changed_ms: int = 0
    ended: tuple[int, list[Candle]] = (-1, [])  # the minute, and all ended before it as one

    def on_payload(self, payload: Payload) -> None:
        match payload["e"]:
            case "bookTicker":
                self.candles.on_quote(payload["T"], Decimal(payload["b"]), Decimal(payload["a"]))
            case "trade":
                self.on_trade(payload)
            case "markPriceUpdate":
                self.mark = payload
            case _:
                pass

    def on_trade(self, payload: Payload) -> None:
        if payload["X"] not in BOOK_KINDS:
            return
        self.newest = payload
        self.changed_ms = payload["T"]
        self.candles.on_trade(
            payload["T"],
            Decimal(payload["p"]),
            Decimal(payload["q"]),
            buyer_is_maker=payload["m"],
            trade_id=payload["t"],
        )

    def day(self, now_ms: int) -> "Day | None":
        """Fold the last 24 hours; minutes that ended are folded once a minute."""
        current = self.candles.current("1m", now_ms)
        if current is None or current.open_ms != self.ended[0]:
            rows = self.candles.ended(DAY_MINUTES - 1)
            current = self.candles.current("1m", now_ms)
            if current is None:
                return None
            self.ended = (current.open_ms, [merged(rows)] if rows else [])
        return Day.of(self, [*self.ended[1], current], now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The rolling 24 hours of one symbol, as text."""

    symbol: str
    change: str
    change_percent: str
    weighted: str
    last: str
    last_qty: str
    open: str
    high: str
    low: str
    volume: str
    quote_volume: str
    open_ms: int
    close_ms: int
    first_id: int
    last_id: int
    count: int

    @classmethod
    def of(cls, billboard: Billboard, rows: Sequence[Candle], now_ms: int) -> "Day":
        step = billboard.price_step
        newest = billboard.newest
        first, last = rows[0].open, Decimal(newest["p"]) if newest else rows[-1].close
        volume = sum((row.volume for row in rows), Decimal(0))
        value = sum((row.quote_volume for row in rows), Decimal(0))
        ids = [row for row in rows if row.first_id >= 0]
        percent = (last - first) / first * 100 if first else Decimal(0)
        return cls(
            symbol=billboard.symbol,
            change=text(last - first, step),
            change_percent=text(percent, Decimal("0.001")),
            weighted=text(value / volume if volume else last, step),
            last=text(last, step),
            last_qty=newest["q"] if newest else "0",
            open=text(first, step),
            high=text(max(row.high for row in rows), step),
            low=text(min(row.low for row in rows), step),
            volume=format(volume, "f"),
            quote_volume=text(value, Decimal("0.01")),
            open_ms=max(rows[0].open_ms, now_ms - now_ms % MINUTE_MS - (DAY_MINUTES - 1) * MINUTE_MS),
            close_ms=now_ms,
            first_id=ids[0].first_id if ids else 0,
            last_id=ids[-1].last_id if ids else 0,
            count=sum(row.trades for row in rows),
        )

    def rest(self) -> dict[str, object]:
        return {
            "symbol": self.symbol,
            "priceChange": self.change,
            "priceChangePercent": self.change_percent,
            "weightedAvgPrice": self.weighted,
            "lastPrice": self.last,
            "lastQty": self.last_qty,
            "openPrice": self.open,
            "highPrice": self.high,
            "lowPrice": self.low,
            "volume": self.volume,
            "quoteVolume": self.quote_volume,
            "openTime": self.open_ms,
            "closeTime": self.close_ms,
            "firstId": self.first_id,
            "lastId": self.last_id,
            "count": self.count,
        }

    def ticker(self, now_ms: int) -> dict[str, object]:
        return {
            "e": "24hrTicker",
            "E": now_ms,
            "s": self.symbol,
            "ps": self.symbol,
            "p": self.change,
            "P": self.change_percent,
            "w": self.weighted,
            "c": self.last,
            "Q": self.last_qty,
            "o": self.open,
            "h": self.high,
            "l": self.low,
            "v": self.volume,
            "q": self.quote_volume,
            "O": self.open_ms,
            "C": self.close_ms,
            "F": self.first_id,
            "L": self.last_id,
            "n": self.count,
            "st": 1,
        }

    def mini(self, now_ms: int) -> dict[str, object]:
        return {
            "e": "24hrMiniTicker",
            "E": now_ms,
            "s": self.symbol,
            "ps": self.symbol,
            "c": self.last,
            "o": self.open,
            "h": self.high,
            "l": self.low,
            "v": self.volume,
            "q": self.quote_volume,
            "st": 1,
        }


def text(value: Decimal, step: Decimal) -> str:
    """Write a derived figure to the given precision; statistics round half to even."""
    return format(value.quantize(step, rounding=ROUND_HALF_EVEN), "f")


@dataclass(slots=True)
class Tops:
    """bookTicker frames since launch: made, sent (once for each listener), made while nobody listened."""

    frames: int = 0
    sent: int = 0
    dropped: int = 0

    def count(self, listeners: int) -> None:
        self.frames += 1
        self.sent += listeners
        self.dropped += not listeners


@dataclass(slots=True)
class Board:
    """All symbols' billboards."""

    billboards: dict[str, Billboard]
    tops: Tops = field(default_factory=Tops)

    @classmethod
    def make(cls, specs: Mapping[str, SymbolSpec], history: Callable[[str], Sequence[Candle]]) -> "Board":
        return cls(
            {
                symbol: Billboard(
                    symbol=symbol,
                    candles=Candles(
                        symbol, history=partial(history, symbol), tick=spec.tick, places=spec.places
                    ),
                    price_step=spec.price_exp,
                )
                for symbol, spec in specs.items()
            }
        )

    def draw(self) -> None:
        """Fetch every history now: at the first question about all symbols it would hold everybody up."""
        for billboard in self.billboards.values():
            billboard.candles.ask_history()

    def days(self, now_ms: int, since_ms: int = 0) -> "list[Day]":
        """Give the days of all symbols that traded at or after `since_ms`."""
        recent = (row for row in self.billboards.values() if row.changed_ms >= since_ms)
        return [day for row in recent if (day := row.day(now_ms)) is not None]

    def on_payload(self, payload: Payload) -> None:
        billboard = self.billboards.get(payload["s"])
        if billboard is not None:
            billboard.on_payload(payload)
