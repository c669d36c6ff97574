"""Reads a market script: a YAML file of openings and steps, checked whole before anything plays.

Every scalar is taken as text, so a price never passes through a float; every complaint names the file and
line, the step, the key, the value and what would be allowed. The grammar is told in docs/market-script.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import yaml

from skalp_bot.paper.market import Grid, Level, MarketError
from skalp_bot.paper.script_fields import Fields, Place, entries

Side = Literal["BUY", "SELL"]
STEP_KEYS = (
    "wait",
    "steady",
    "ramp",
    "burst",
    "trade",
    "mark",
    "repeat",
    "bid",
    "mid",
    "move_bps",
    "move_ticks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A symbol as the script finds it: its first touch, the shape of its book, its pretended past."""

    symbol: str
    tick: Decimal
    step: Decimal
    bid: Decimal
    ask: Decimal
    bid_qty: Decimal
    ask_qty: Decimal
    levels: int
    gap_ticks: int
    depth_qty: Decimal
    funding_rate: Decimal
    history_minutes: int
    history_range_bps: Decimal
    history_volume: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A new touch: absolute (bid and ask, or mid), or moved from the last one; None keeps what stood."""

    symbol: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    mid: Decimal | None = None
    move_bps: Decimal | None = None
    move_ticks: int | None = None
    bid_qty: Decimal | None = None
    ask_qty: Decimal | None = None
    bids: tuple[Level, ...] | None = None
    asks: tuple[Level, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A market trade; `side` is the taker's. Without a price it happens at the touch."""

    symbol: str
    side: Side
    price: Decimal | None
    qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSet:
    """A mark price of its own; `mark` None lets it follow the mid again."""

    symbol: str
    mark: Decimal | None
    index: Decimal | None
    funding_rate: Decimal | None


Frame = Quote | Print | MarkSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Frames of one instant, in order."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Quotes at a rate that go nowhere: the mid alternates by some ticks, the quantities by one step."""

    symbols: tuple[str, ...]
    ms: int
    rate: Decimal
    wobble_ticks: int
    trades_every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Quotes at a rate that walk the mid in a straight line to a target."""

    symbol: str
    to: Decimal | None
    move_bps: Decimal | None
    ms: int
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Steps again and again; `times` None is for ever."""

    times: int | None
    steps: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do, and when: `after_ms` from the step before, or `at_ms` from the beginning."""

    number: str
    after_ms: int
    at_ms: int | None
    do: Frame | Burst | Steady | Ramp | Repeat | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole script; `begin` says what starts its clock."""

    begin: Literal["subscription", "launch"]
    openings: Mapping[str, Opening]
    steps: tuple[Step, ...]


def read_script(path: Path, specs: Mapping[str, Grid]) -> Script:
    """Read and check a script against the tick and step sizes of the venue's symbols."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except OSError as broken:
        raise MarketError(f"market script {path}: cannot be read: {broken.strerror}") from broken
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        raise MarketError(f"market script {path}: not YAML: {' '.join(str(broken).split())}") from broken
    top = Fields(Place(file=str(path), step="file"), root)
    begin = top.choice("begin", ("subscription", "launch"), "subscription")
    pace_ms = top.integer("pace_ms", low=0, default=50)
    symbols = top.node("symbols")
    openings: dict[str, Opening] = {}
    named = Fields(top.place.at("symbols"), symbols)
    for name in named.names():
        if name not in specs:
            raise named.refuse(name, name, "a symbol of the venue: " + ", ".join(sorted(specs)[:8]) + " ...")
        openings[name] = _opening(name, specs[name], Fields(named.place.at(name), named.node(name)))
    named.done()
    if not openings:
        raise top.refuse("symbols", "{}", "at least one symbol with its opening price")
    reader = _StepReader(openings=openings, pace_ms=pace_ms)
    steps = reader.steps(top.place, top.node("steps"), prefix="", nested=False) if top.has("steps") else ()
    top.done()
    return Script(begin="launch" if begin == "launch" else "subscription", openings=openings, steps=steps)


def _opening(symbol: str, grid: Grid, fields: Fields) -> Opening:
    tick, step = grid.tick, grid.step
    if fields.has("price"):
        bid = fields.decimal("price", grid=tick)
        ask = bid + fields.decimal("spread", grid=tick, default=tick)
    else:
        bid = fields.decimal("bid", grid=tick)
        ask = fields.decimal("ask", grid=tick)
    fields.ordered(bid, ask)
    qty = fields.decimal("qty", grid=step, default=step * 1000)
    opening = Opening(
        symbol=symbol,
        tick=tick,
        step=step,
        bid=bid,
        ask=ask,
        bid_qty=fields.decimal("bid_qty", grid=step, default=qty),
        ask_qty=fields.decimal("ask_qty", grid=step, default=qty),
        levels=fields.integer("levels", low=1, high=500, default=20),
        gap_ticks=fields.integer("gap_ticks", low=1, default=1),
        depth_qty=fields.decimal("depth_qty", grid=step, default=qty),
        funding_rate=fields.number("funding_rate", default=Decimal("0.0001")),
        history_minutes=fields.integer("history_minutes", low=0, high=100_000, default=1500),
        history_range_bps=fields.number("history_range_bps", low=Decimal(0), default=Decimal(4)),
        history_volume=fields.number("history_volume", low=Decimal(0), default=step * 10_000),
    )
    fields.done()
    return opening


class _StepReader:
    """Turns step nodes into steps; knows the openings, so that every symbol and grid can be checked."""

    def __init__(self, *, openings: Mapping[str, Opening], pace_ms: int) -> None:
        self._openings = openings
        self._pace_ms = pace_ms

    def steps(self, place: Place, node: yaml.Node, *, prefix: str, nested: bool) -> tuple[Step, ...]:
        read: list[Step] = []
        over_ms: int | None = 0
        for number, entry in enumerate(entries(place, "steps", node), start=1):
            fields = Fields(place.on(f"{prefix}{number}"), entry)
            if over_ms is None:
                raise fields.refuse("", "a step after repeat forever", "nothing: it would never play")
            step = self._step(fields, f"{prefix}{number}", nested=nested)
            if step.at_ms is not None and step.at_ms < over_ms:
                allowed = f"at least {over_ms}, when the step before is over"
                raise fields.refuse("at", fields.text("at"), allowed)
            lasts_ms = length_ms((step,))
            begins_ms = over_ms if step.at_ms is None else step.at_ms
            over_ms = None if lasts_ms is None else begins_ms + lasts_ms
            read.append(step)
        return tuple(read)

    def _step(self, fields: Fields, number: str, *, nested: bool) -> Step:
        kind = fields.one_of(STEP_KEYS)
        at_ms = None
        if fields.has("at"):
            if nested:
                raise fields.refuse(
                    "at", fields.text("at"), "after: MS (inside a repeat there is no fixed time)"
                )
            at_ms = fields.integer("at", low=0)
        paced = kind not in ("wait", "steady", "ramp", "repeat")
        after_ms = fields.integer("after", low=0, default=self._pace_ms if paced and at_ms is None else 0)
        do: Frame | Burst | Steady | Ramp | Repeat | None
        match kind:
            case "wait":
                after_ms += fields.integer("wait", low=0)
                do = None
            case "steady":
                do = self._steady(fields.inner("steady"))
            case "ramp":
                do = self._ramp(fields.inner("ramp"))
            case "burst":
                frames = enumerate(entries(fields.place, "burst", fields.node("burst")), start=1)
                do = Burst(
                    frames=tuple(self._burst_frame(fields, f"{number}.{i}", node) for i, node in frames)
                )
            case "repeat":
                do = self._repeat(fields.inner("repeat"), number)
            case _:
                do = self._frame(fields, kind)
        fields.done()
        return Step(number=number, after_ms=after_ms, at_ms=at_ms, do=do)

    def _burst_frame(self, fields: Fields, number: str, node: yaml.Node) -> Frame:
        inner = Fields(fields.place.on(number), node)
        kind = inner.one_of(("trade", "mark", "bid", "mid", "move_bps", "move_ticks"))
        frame = self._frame(inner, kind)
        inner.done()
        return frame

    def _frame(self, fields: Fields, kind: str) -> Frame:
        opening = self._opening_of(fields)
        match kind:
            case "trade":
                return self._print(fields.inner("trade"), opening)
            case "mark":
                follow = fields.text("mark") == "follow"
                return MarkSet(
                    symbol=opening.symbol,
                    mark=None if follow else fields.decimal("mark"),
                    index=fields.decimal("index") if fields.has("index") else None,
                    funding_rate=fields.number("funding_rate") if fields.has("funding_rate") else None,
                )
            case _:
                return self._quote(fields, opening)

    def _print(self, fields: Fields, opening: Opening) -> Print:
        side = fields.choice("side", ("BUY", "SELL"), "BUY")
        trade = Print(
            symbol=opening.symbol,
            side="SELL" if side == "SELL" else "BUY",
            price=fields.decimal("price", grid=opening.tick) if fields.has("price") else None,
            qty=fields.decimal("qty", grid=opening.step),
        )
        fields.done()
        return trade

    def _quote(self, fields: Fields, opening: Opening) -> Quote:
        tick, step = opening.tick, opening.step
        bid = fields.decimal("bid", grid=tick) if fields.has("bid") else None
        ask = fields.decimal("ask", grid=tick) if bid is not None else None
        if bid is not None and ask is not None:
            fields.ordered(bid, ask)
        return Quote(
            symbol=opening.symbol,
            bid=bid,
            ask=ask,
            mid=fields.decimal("mid") if fields.has("mid") else None,
            move_bps=fields.number("move_bps", low=Decimal(-9999)) if fields.has("move_bps") else None,
            move_ticks=fields.integer("move_ticks") if fields.has("move_ticks") else None,
            bid_qty=fields.decimal("bid_qty", grid=step) if fields.has("bid_qty") else None,
            ask_qty=fields.decimal("ask_qty", grid=step) if fields.has("ask_qty") else None,
            bids=fields.levels("bids", tick=tick, step=step, worse_than=bid, sign=-1),
            asks=fields.levels("asks", tick=tick, step=step, worse_than=ask, sign=1),
        )

    def _steady(self, fields: Fields) -> Steady:
        symbols = (self._opening_of(fields).symbol,) if fields.has("symbol") else tuple(self._openings)
        steady = Steady(
            symbols=symbols,
            ms=fields.milliseconds("seconds"),
            rate=fields.number("rate", low=Decimal("0.01"), high=Decimal(1000), default=Decimal(20)),
            wobble_ticks=fields.integer("wobble_ticks", low=0, default=1),
            trades_every=fields.integer("trades_every", low=0, default=0),
        )
        fields.done()
        return steady

    def _ramp(self, fields: Fields) -> Ramp:
        goal = fields.one_of(("to", "move_bps"))
        ramp = Ramp(
            symbol=self._opening_of(fields).symbol,
            to=fields.decimal("to") if goal == "to" else None,
            move_bps=fields.number("move_bps", low=Decimal(-9999)) if goal == "move_bps" else None,
            ms=fields.milliseconds("seconds"),
            rate=fields.number("rate", low=Decimal("0.01"), high=Decimal(1000), default=Decimal(20)),
        )
        fields.done()
        return ramp

    def _repeat(self, fields: Fields, number: str) -> Repeat:
        forever = fields.text("times") == "forever"
        times = None if forever else fields.integer("times", low=1)
        steps = self.steps(fields.place, fields.node("steps"), prefix=f"{number}.", nested=True)
        if forever and length_ms(steps) == 0:
            raise fields.refuse("times", "forever", "a number, or steps that take time")
        fields.done()
        return Repeat(times=times, steps=steps)

    def _opening_of(self, fields: Fields) -> Opening:
        if not fields.has("symbol"):
            if len(self._openings) == 1:
                return next(iter(self._openings.values()))
            raise fields.refuse("symbol", "(missing)", "one of " + ", ".join(self._openings))
        name = fields.choice("symbol", tuple(self._openings), None)
        return self._openings[name]


def length_ms(steps: tuple[Step, ...]) -> int | None:
    """How long steps take after each other; None for ever."""
    total_ms = 0
    for step in steps:
        total_ms += step.after_ms
        match step.do:
            case Steady(ms=ms) | Ramp(ms=ms):
                total_ms += ms
            case Repeat(times=times, steps=inner):
                once_ms = length_ms(inner)
                if times is None or once_ms is None:
                    return None
                total_ms += times * once_ms
            case _:
                pass
    return total_ms
