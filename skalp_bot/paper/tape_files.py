"""Reads recordings line by line: raw stream frames, and Binance's public bookTicker and aggTrades downloads.

A raw line is `<recv_ns> <json>`, the JSON a combined-stream frame or the answer of GET /fapi/v1/depth. Files
may be plain, gzip or zip. Nothing is held but the line at hand: a day of ticks needs no more memory than a
minute.
"""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, Literal, cast

import orjson

from skalp_bot.paper.market import Level, MarketError

Format = Literal["raw", "bookTicker", "aggTrades"]
RAW_LINE = re.compile(r"^\d+ \{")
TICKER_COLUMNS = (
    "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"
)
AGG_COLUMNS = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """A recorded bookTicker."""

    symbol: str
    transact_ms: int
    event_ms: int
    update_id: int
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """A recorded depthUpdate."""

    symbol: str
    transact_ms: int
    event_ms: int
    first_id: int
    last_id: int
    prev_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A recorded answer of GET /fapi/v1/depth; it names no symbol, so it belongs to its file's."""

    transact_ms: int
    event_ms: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A recorded trade."""

    symbol: str
    transact_ms: int
    event_ms: int
    trade_id: int
    price: Decimal
    qty: Decimal
    buyer_is_maker: bool
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AggPrint:
    """A recorded aggTrade."""

    symbol: str
    transact_ms: int
    event_ms: int
    agg_id: int
    first_id: int
    last_id: int
    price: Decimal
    qty: Decimal
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPrint:
    """A recorded markPriceUpdate."""

    symbol: str
    transact_ms: int
    event_ms: int
    mark: Decimal
    index: Decimal
    funding_rate: Decimal


Record = Top | Depth | Snapshot | Print | AggPrint | MarkPrint


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeFile:
    """A recording and what its first line and its name say it is; `symbol` is None where the frames tell."""

    path: Path
    format: Format
    symbol: str | None

    def records(self) -> Iterator[Record]:
        """Every record, in the order of the file; kinds of frames a market does not need are passed over."""
        with ExitStack() as stack:
            number = 0
            try:
                for line in _lines(self.path, stack):
                    number += 1
                    record = self._record(line)
                    if record is not None:
                        yield record
            except (ValueError, KeyError, IndexError, TypeError, InvalidOperation) as wrong:
                raise MarketError(
                    f"tape {self.path}, line {number}: not a {self.format} record ({wrong}); "
                    "record the file again or cut it before this line"
                ) from wrong
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as broken:
                raise MarketError(
                    f"tape {self.path}, after line {number}: cannot be read further ({broken}); "
                    "the file is damaged or cut off"
                ) from broken

    def _record(self, line: str) -> Record | None:
        match self.format:
            case "raw":
                return _raw(line)
            case "bookTicker":
                return None if line.startswith("update_id") else _ticker_row(cast("str", self.symbol), line)
            case "aggTrades":
                return None if line.startswith("agg_trade_id") else _agg_row(cast("str", self.symbol), line)


def open_tape_file(path: Path, known: Mapping[str, object]) -> TapeFile:
    """Say what a file is, by its first line; a download's symbol comes from its name."""
    with ExitStack() as stack:
        try:
            first = next(_lines(path, stack), "")
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeDecodeError) as broken:
            raise MarketError(f"tape {path}: cannot be read: {broken}") from broken
    kind = _format_of(first)
    if kind is None:
        raise MarketError(
            f"tape {path}: value {first[:60]!r} of line 1 is not allowed; allowed: '<recv_ns> <json>', "
            f"or the columns {TICKER_COLUMNS}, or the columns {AGG_COLUMNS}"
        )
    if kind == "raw":
        return TapeFile(path=path, format=kind, symbol=None)
    named = [token for token in re.split(r"[-_.]", path.name) if token in known]
    if not named:
        raise MarketError(
            f"tape {path}: its name holds no symbol of the venue; "
            "allowed: a name like BTCUSDT-bookTicker-2024-03-01.zip"
        )
    return TapeFile(path=path, format=kind, symbol=named[0])


def _format_of(first: str) -> Format | None:
    if RAW_LINE.match(first):
        return "raw"
    cells = first.strip().split(",")
    if len(cells) != 7:
        return None
    if first.startswith("update_id") or cells[6].isdigit():
        return "bookTicker"
    if first.startswith("agg_trade_id") or cells[6].lower() in ("true", "false"):
        return "aggTrades"
    return None


def _lines(path: Path, stack: ExitStack) -> Iterator[str]:
    if path.suffix == ".zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        members = [name for name in archive.namelist() if not name.endswith("/")]
        if len(members) != 1:
            raise zipfile.BadZipFile(f"{len(members)} files in the archive; allowed: one")
        binary: IO[bytes] = stack.enter_context(archive.open(members[0]))
        return iter(io.TextIOWrapper(binary, encoding="utf-8"))
    if path.suffix == ".gz":
        return iter(stack.enter_context(gzip.open(path, "rt", encoding="utf-8")))
    return iter(stack.enter_context(path.open(encoding="utf-8")))


def _raw(line: str) -> Record | None:
    frame = orjson.loads(line.partition(" ")[2])
    data = frame.get("data", frame)
    if "lastUpdateId" in data:
        return Snapshot(
            transact_ms=data["T"],
            event_ms=data["E"],
            last_id=data["lastUpdateId"],
            bids=_levels(data["bids"]),
            asks=_levels(data["asks"]),
        )
    reader = READERS.get(data.get("e"))
    return None if reader is None else reader(data)


def _top(data: dict[str, Any]) -> Record:
    return Top(
        symbol=data["s"],
        transact_ms=data["T"],
        event_ms=data["E"],
        update_id=data["u"],
        bid=Decimal(data["b"]),
        bid_qty=Decimal(data["B"]),
        ask=Decimal(data["a"]),
        ask_qty=Decimal(data["A"]),
    )


def _depth(data: dict[str, Any]) -> Record:
    return Depth(
        symbol=data["s"],
        transact_ms=data["T"],
        event_ms=data["E"],
        first_id=data["U"],
        last_id=data["u"],
        prev_id=data["pu"],
        bids=_levels(data["b"]),
        asks=_levels(data["a"]),
    )


def _trade(data: dict[str, Any]) -> Record:
    return Print(
        symbol=data["s"],
        transact_ms=data["T"],
        event_ms=data["E"],
        trade_id=data["t"],
        price=Decimal(data["p"]),
        qty=Decimal(data["q"]),
        buyer_is_maker=data["m"],
        kind=data.get("X", "MARKET"),
    )


def _agg_trade(data: dict[str, Any]) -> Record:
    return AggPrint(
        symbol=data["s"],
        transact_ms=data["T"],
        event_ms=data["E"],
        agg_id=data["a"],
        first_id=data["f"],
        last_id=data["l"],
        price=Decimal(data["p"]),
        qty=Decimal(data["q"]),
        buyer_is_maker=data["m"],
    )


def _mark(data: dict[str, Any]) -> Record:
    return MarkPrint(
        symbol=data["s"],
        transact_ms=data["E"],
        event_ms=data["E"],
        mark=Decimal(data["p"]),
        index=Decimal(data["i"]),
        funding_rate=Decimal(data["r"] or "0"),
    )


READERS = {
    "bookTicker": _top,
    "depthUpdate": _depth,
    "trade": _trade,
    "aggTrade": _agg_trade,
    "markPriceUpdate": _mark,
}


def _ticker_row(symbol: str, line: str) -> Record:
    update_id, bid, bid_qty, ask, ask_qty, transact_ms, event_ms = line.rstrip().split(",")
    return Top(
        symbol=symbol,
        transact_ms=int(transact_ms),
        event_ms=int(event_ms),
        update_id=int(update_id),
        bid=_trimmed(bid),
        bid_qty=_trimmed(bid_qty),
        ask=_trimmed(ask),
        ask_qty=_trimmed(ask_qty),
    )


def _agg_row(symbol: str, line: str) -> Record:
    agg_id, price, qty, first_id, last_id, transact_ms, maker = line.rstrip().split(",")
    if maker.lower() not in ("true", "false"):
        raise ValueError(f"is_buyer_maker {maker} is neither true nor false")
    return AggPrint(
        symbol=symbol,
        transact_ms=int(transact_ms),
        event_ms=int(transact_ms),
        agg_id=int(agg_id),
        first_id=int(first_id),
        last_id=int(last_id),
        price=_trimmed(price),
        qty=_trimmed(qty),
        buyer_is_maker=maker.lower() == "true",
    )


def _trimmed(text: str) -> Decimal:
    """Downloads pad to eight places; the venue's frames do not."""
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _levels(rows: list[list[str]]) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(qty)) for price, qty in rows)
