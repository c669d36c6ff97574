"""Plays a market script: steady stretches, moves, bursts, trades and marks at written instants.

The clock of a script starts at the first bookTicker subscription of one of its symbols (or at launch, if it
says so), so a daemon that needs three seconds or thirty to start sees the same market. Marks follow the mid
once a second, as the venue's do, until the script sets one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from itertools import count, islice
from math import floor
from pathlib import Path
from typing import Any, assert_never

from skalp_bot.paper.klines import flat_candle, open_of
from skalp_bot.paper.market import (
    Candle,
    Grid,
    Mark,
    MarketError,
    MarketEvent,
    next_funding,
)
from skalp_bot.paper.minutes import MINUTE_MS
from skalp_bot.paper.script_book import ScriptBook
from skalp_bot.paper.script_file import (
    Burst,
    Frame,
    MarkSet,
    Opening,
    Print,
    Quote,
    Ramp,
    Repeat,
    Script,
    Side,
    Steady,
    Step,
    read_script,
)

SECOND_MS = 1000


class ScriptMarket:
    """A market source that plays one script."""

    def __init__(self, script: Script, *, symbols: Sequence[str] | None, speed: float) -> None:
        self._script = script
        served = tuple(name for name in script.openings if symbols is None or name in symbols)
        if not served:
            written = ", ".join(script.openings)
            raise MarketError(f"market script: it quotes {written}, none of which is asked for")
        self._symbols = served
        self._speed = speed
        self._started_ms = 0
        self._zero_ms: int | None = None
        self._emitted = 0
        self._player = _Player(script)
        self._ahead: Iterator[tuple[int, MarketEvent]] = self._player.play()
        self._next: tuple[int, MarketEvent] | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    def history(self, symbol: str) -> Sequence[Candle]:
        return script_history(self._script.openings[symbol], self._started_ms)

    def start(self, now_ms: int) -> list[MarketEvent]:
        self._started_ms = now_ms
        if self._script.begin == "launch":
            self._zero_ms = now_ms
        return self._opened(now_ms)

    def subscribed(self, symbol: str, now_ms: int) -> None:
        if self._zero_ms is None and symbol in self._symbols:
            self._zero_ms = now_ms

    def next_ms(self) -> int | None:
        if self._zero_ms is None or self._next is None:
            return None
        return self._placed_ms(self._zero_ms, self._next[0])

    def pop(self, until_ms: int) -> list[MarketEvent]:
        taken: list[MarketEvent] = []
        zero_ms = self._zero_ms
        while (
            zero_ms is not None
            and self._next is not None
            and self._placed_ms(zero_ms, self._next[0]) <= until_ms
        ):
            at_ms, event = self._next
            if event.symbol in self._symbols:
                taken.append(_placed(event, self._placed_ms(zero_ms, at_ms)))
            self._emitted += 1
            self._next = next(self._ahead, None)
        return taken

    def state(self) -> dict[str, Any]:
        played_ms = 0 if self._next is None else self._next[0]
        return {"emitted": self._emitted, "begun": self._zero_ms is not None, "played_ms": played_ms}

    def resume(self, state: dict[str, Any], now_ms: int) -> list[MarketEvent]:
        """The next event of the script happens at once; the rest keeps its distances."""
        self._started_ms = now_ms
        self._emitted = state["emitted"]
        for _ in islice(self._ahead, self._emitted):
            pass
        self._zero_ms = self._placed_ms(now_ms, -state["played_ms"]) if state["begun"] else None
        return self._opened(now_ms)

    def _placed_ms(self, zero_ms: int, at_ms: int) -> int:
        return zero_ms + floor(at_ms / self._speed)

    def _opened(self, now_ms: int) -> list[MarketEvent]:
        books = [event for name in self._symbols for event in self._player.books[name].standing(now_ms)]
        # Only now look ahead: drawing the next event moves its book.
        self._next = next(self._ahead, None)
        return books


def open_script(
    path: Path, *, symbols: Sequence[str] | None, specs: Mapping[str, Grid], speed: float
) -> ScriptMarket:
    """Read, check and arm a script."""
    return ScriptMarket(read_script(path, specs), symbols=symbols, speed=speed)


def script_history(opening: Opening, now_ms: int) -> list[Candle]:
    """Minutes that swing by half the range up and down around the first mid, and end on it."""
    mid = ((opening.bid + opening.ask) / 2 / opening.tick).to_integral_value(ROUND_FLOOR) * opening.tick
    swing = (mid * opening.history_range_bps / 20_000 / opening.tick).to_integral_value(
        ROUND_FLOOR
    ) * opening.tick
    last_ms = open_of("1m", now_ms)
    rows: list[Candle] = []
    for back in range(opening.history_minutes, 0, -1):
        begin, end = (mid, mid + swing) if back % 2 == 0 else (mid + swing, mid)
        flat = flat_candle(opening.symbol, last_ms - back * MINUTE_MS, begin)
        rows.append(
            replace(
                flat,
                high=mid + swing,
                low=mid - swing if mid > swing else mid,
                close=end,
                volume=opening.history_volume,
                quote_volume=opening.history_volume * mid,
                trades=100 if opening.history_volume else 0,
                taker_volume=opening.history_volume / 2,
                taker_quote_volume=opening.history_volume / 2 * mid,
            )
        )
    return rows


def _placed(event: MarketEvent, t_ms: int) -> MarketEvent:
    if isinstance(event, Mark):
        return replace(event, t_ms=t_ms, next_funding_ms=next_funding(t_ms))
    return replace(event, t_ms=t_ms)


class _Player:
    """Walks the steps in script time, keeping one book per symbol."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.books = {name: ScriptBook(opening) for name, opening in script.openings.items()}

    def play(self) -> Iterator[tuple[int, MarketEvent]]:
        """Every event with its script time: the steps', and the marks that follow once a second."""
        marked_ms = 0
        for at_ms, frame in self._walk(self._script.steps):
            while marked_ms + SECOND_MS <= at_ms:
                marked_ms += SECOND_MS
                for mark in self._marks():
                    yield marked_ms, mark
            for event in self._apply(frame):
                yield at_ms, event
        for mark in self._marks():
            yield marked_ms + SECOND_MS, mark

    def _marks(self) -> Iterator[Mark]:
        for book in self.books.values():
            mark = book.mark_if_moved()
            if mark is not None:
                yield mark

    def _walk(self, steps: tuple[Step, ...], now_ms: int = 0) -> Iterator[tuple[int, Frame | None]]:
        """Frames in time; a final None tells when the steps were over."""
        for step in steps:
            now_ms = (now_ms if step.at_ms is None else step.at_ms) + step.after_ms
            match step.do:
                case None:
                    pass
                case Burst(frames=frames):
                    for frame in frames:
                        yield now_ms, frame
                case Steady():
                    yield from self._steady(step.do, now_ms)
                    now_ms += step.do.ms
                case Ramp():
                    yield from self._ramp(step.do, now_ms)
                    now_ms += step.do.ms
                case Repeat(times=times, steps=inner):
                    for _ in count() if times is None else range(times):
                        for at_ms, inner_frame in self._walk(inner, now_ms):
                            now_ms = at_ms
                            if inner_frame is not None:
                                yield at_ms, inner_frame
                case Quote() | Print() | MarkSet():
                    yield now_ms, step.do
                case _:
                    assert_never(step.do)
        yield now_ms, None

    def _steady(self, steady: Steady, now_ms: int) -> Iterator[tuple[int, Frame]]:
        homes = {name: self.books[name].touch() for name in steady.symbols}
        for index in range(_frames(steady.ms, steady.rate)):
            at_ms = now_ms + _instant(index, steady.rate)
            shift = (0, 1, 0, -1)[index % 4] * steady.wobble_ticks
            for name, home in homes.items():
                opening = self._script.openings[name]
                yield (
                    at_ms,
                    replace(
                        home,
                        bid=_required(home.bid) + shift * opening.tick,
                        ask=_required(home.ask) + shift * opening.tick,
                        bid_qty=_required(home.bid_qty) + index % 2 * opening.step,
                        ask_qty=_required(home.ask_qty) + index % 2 * opening.step,
                    ),
                )
                if steady.trades_every and (index + 1) % steady.trades_every == 0:
                    side: Side = "BUY" if (index + 1) // steady.trades_every % 2 else "SELL"
                    yield at_ms, Print(symbol=name, side=side, price=None, qty=opening.step)
        for home in homes.values():
            yield now_ms + steady.ms, home

    def _ramp(self, ramp: Ramp, now_ms: int) -> Iterator[tuple[int, Frame]]:
        begin = self.books[ramp.symbol].mid()
        end = ramp.to if ramp.to is not None else begin * (1 + _required(ramp.move_bps) / 10_000)
        frames = max(1, _frames(ramp.ms, ramp.rate))
        for index in range(1, frames + 1):
            at_ms = now_ms + min(ramp.ms, _instant(index, ramp.rate)) if index < frames else now_ms + ramp.ms
            yield at_ms, Quote(symbol=ramp.symbol, mid=begin + (end - begin) * index / frames)

    def _apply(self, frame: Frame | None) -> Sequence[MarketEvent]:
        match frame:
            case None:
                return ()
            case Quote():
                return (self.books[frame.symbol].quote(frame),)
            case Print():
                return (self.books[frame.symbol].trade(frame),)
            case MarkSet():
                return (self.books[frame.symbol].set_mark(frame),)
            case _:
                assert_never(frame)


def _frames(ms: int, rate: Decimal) -> int:
    return int(ms * rate / 1000)


def _instant(index: int, rate: Decimal) -> int:
    return int((index * 1000 / rate).to_integral_value(ROUND_HALF_EVEN))


def _required(value: Decimal | None) -> Decimal:
    if value is None:
        raise AssertionError("a standing touch has all four numbers")
    return value
