"""Plays recordings on venue time: T' = t0 + (T - T0) / speed, every frame with its recorded ids and levels.

T0 is the first instant of all files together; t0 is the first bookTicker subscription of the symbol, so
nobody misses the beginning. Until then, and again after the last frame, a book stands still. The tape never
moves for us: what clients take or add is the venue's business.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice
from math import floor
from pathlib import Path
from typing import Any

from skalp_bot.paper.market import Candle, Grid, MarketError, MarketEvent
from skalp_bot.paper.tape_files import Depth, Print, Record, Snapshot, TapeFile, Top, open_tape_file
from skalp_bot.paper.tape_reel import Opening, Reel, TimeMap, standing

# A recording that has shown no book by then is no market.
HEAD_RECORDS = 20_000


class TapeMarket:
    """A market source of recordings; one reel per symbol, each with its own beginning."""

    def __init__(
        self, files: Sequence[Path], *, symbols: Sequence[str] | None, specs: Mapping[str, Grid], speed: float
    ) -> None:
        opened = [open_tape_file(path, specs) for path in files]
        heads = [_head(tape) for tape in opened]
        found = list(dict.fromkeys(name for head in heads for name in head.symbols))
        self._symbols = tuple(
            name for name in found if name in specs and (symbols is None or name in symbols)
        )
        if not self._symbols:
            wanted = ", ".join(list(specs if symbols is None else symbols)[:8])
            raise MarketError(f"tape: it holds {', '.join(found) or 'no symbol'}; allowed: any of {wanted}")
        self._speed = speed
        self._tape_ms = min(head.first_ms for head in heads)
        self._reels = {name: self._reel(name, opened, heads) for name in self._symbols}

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    @property
    def gaps(self) -> int:
        """Depth frames so far whose predecessor is missing in the recording."""
        return sum(reel.gaps for reel in self._reels.values())

    def history(self, symbol: str) -> Sequence[Candle]:
        """Nothing is known from before a recording."""
        return ()

    def start(self, now_ms: int) -> list[MarketEvent]:
        return [event for reel in self._reels.values() for event in reel.opening(now_ms)]

    def subscribed(self, symbol: str, now_ms: int) -> None:
        reel = self._reels.get(symbol)
        if reel is not None and not reel.begun:
            reel.begin(TimeMap(tape_ms=self._tape_ms, venue_ms=now_ms, speed=self._speed))

    def next_ms(self) -> int | None:
        due = [reel.next_ms for reel in self._reels.values() if reel.next_ms is not None]
        return min(due, default=None)

    def pop(self, until_ms: int) -> list[MarketEvent]:
        taken = [reel.take(until_ms) for reel in self._reels.values()]
        return taken[0] if len(taken) == 1 else list(merge(*taken, key=lambda event: event.t_ms))

    def state(self) -> dict[str, Any]:
        return {"symbols": {name: reel.state() for name, reel in self._reels.items()}}

    def resume(self, state: dict[str, Any], now_ms: int) -> list[MarketEvent]:
        """The next frame plays at once and the rest keeps its distances; the book is read up again."""
        events: list[MarketEvent] = []
        for name, reel in self._reels.items():
            past = state["symbols"].get(name, {"played": None})
            if past["played"] is None:
                events += reel.opening(now_ms)
                continue
            played_ms = floor((past["tape_ms"] - self._tape_ms) / self._speed)
            reel.begin(TimeMap(tape_ms=self._tape_ms, venue_ms=now_ms - played_ms, speed=self._speed))
            events += standing(name, chain(reel.opening(now_ms), reel.skip(past["played"])), now_ms)
        return events

    def _reel(self, symbol: str, opened: Sequence[TapeFile], heads: Sequence["_Head"]) -> Reel:
        mine = [(tape, head) for tape, head in zip(opened, heads, strict=True) if symbol in head.symbols]
        tops = [head.tops[symbol] for _, head in mine if symbol in head.tops]
        if not tops:
            names = ", ".join(str(tape.path) for tape, _ in mine)
            raise MarketError(
                f"tape {names}: no bookTicker of {symbol} in the first {HEAD_RECORDS} records; "
                "allowed: a recording with bookTicker frames, or a bookTicker download beside it"
            )
        snapshots = [
            head.snapshot for _, head in mine if head.snapshot is not None and symbol == head.symbols[0]
        ]
        opening = Opening(
            symbol=symbol,
            top=min(tops, key=lambda top: top.event_ms),
            snapshot=snapshots[0] if snapshots else None,
            depth_recorded=any(symbol in head.depth for _, head in mine),
            trades_recorded=any(symbol in head.trades for _, head in mine),
        )
        return Reel(opening, lambda: _merged(symbol, mine))


def open_tape(
    files: str, *, symbols: Sequence[str] | None, specs: Mapping[str, Grid], speed: float
) -> TapeMarket:
    """Open FILE[,FILE...]."""
    return TapeMarket([Path(name) for name in files.split(",")], symbols=symbols, specs=specs, speed=speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the beginning of a file shows; snapshots without a symbol belong to the first symbol seen."""

    first_ms: int
    symbols: tuple[str, ...]
    tops: Mapping[str, Top]
    snapshot: Snapshot | None
    depth: Mapping[str, None]
    trades: Mapping[str, None]


def _head(tape: TapeFile) -> _Head:
    first_ms: int | None = None
    symbols: dict[str, None] = {}
    tops: dict[str, Top] = {}
    snapshot: Snapshot | None = None
    depth: dict[str, None] = {}
    trades: dict[str, None] = {}
    for record in islice(tape.records(), HEAD_RECORDS if tape.format == "raw" else 1):
        first_ms = record.event_ms if first_ms is None else first_ms
        match record:
            case Snapshot():
                snapshot = record if snapshot is None else snapshot
                continue
            case Top(symbol=symbol):
                tops.setdefault(symbol, record)
            case Depth(symbol=symbol):
                depth[symbol] = None
            case Print(symbol=symbol):
                trades[symbol] = None
            case _:
                pass
        symbols[record.symbol] = None
    if first_ms is None:
        raise MarketError(f"tape {tape.path}: it holds no market data; allowed: at least one record")
    return _Head(
        first_ms=first_ms, symbols=tuple(symbols), tops=tops, snapshot=snapshot, depth=depth, trades=trades
    )


def _merged(symbol: str, mine: Sequence[tuple[TapeFile, _Head]]) -> Iterator[tuple[int, Record]]:
    """One symbol's records from several files by time; within a file the order of recording stands."""
    tapes = [_timed(symbol, tape, head) for tape, head in mine]
    return tapes[0] if len(tapes) == 1 else merge(*tapes, key=lambda pair: pair[0])


def _timed(symbol: str, tape: TapeFile, head: _Head) -> Iterator[tuple[int, Record]]:
    shown_ms = 0
    for record in tape.records():
        match record:
            case Snapshot():
                mine = symbol == head.symbols[0]
            case _:
                mine = record.symbol == symbol
        if mine:
            shown_ms = max(shown_ms, record.event_ms)
            yield shown_ms, record
