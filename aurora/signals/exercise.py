"""Trades on a seeded cadence, so that the machinery is seen at work; it knows nothing and says so."""

from collections.abc import Callable
from dataclasses import dataclass

from aurora.config import ExitsConfig, StrategyConfig
from aurora.market import SymbolMarket
from aurora.model.bracket import Bracket
from aurora.model.numbers import SECOND, Nanos, as_float
from aurora.model.order import Side
from aurora.model.position import Position
from aurora.model.signal import Signal
from aurora.signals.base import Memory, Silence

MASK = (1 << 64) - 1
TRIPS, FLAT_SINCE, HOLDING = "trips", "flat_since", "holding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """LONG and SHORT in turn, each a seeded while after the last position was closed.

    The wait is uniform between half and one and a half times the configured mean. ``p`` is declared, not
    estimated: the edge is bypassed and the signal says so.
    """

    config: StrategyConfig
    exits_of: Callable[[str], ExitsConfig]  # By symbol.

    @property
    def name(self) -> str:
        return "exercise"

    def on_book(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, memory: Memory
    ) -> Signal | None:
        seen = self.look(symbol, market, position, now, memory)
        return seen if isinstance(seen, Signal) else None

    def look(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, memory: Memory
    ) -> Signal | Silence:
        if not market.seen:
            return Silence(reason="NO_BOOK", observed=0.0, limit=0.0)
        if not position.flat:
            return Silence(reason="IN_POSITION", observed=abs(as_float(position.qty)), limit=0.0)
        known = dict(memory)
        if known.get(HOLDING, 0) or FLAT_SINCE not in known:
            return Silence(reason="NOT_SETTLED", observed=0.0, limit=0.0)
        trips = known.get(TRIPS, 0)
        waited, wait = now - known[FLAT_SINCE], self.wait(symbol, trips)
        if waited < wait:
            return Silence(reason="WAITING", observed=waited / SECOND, limit=wait / SECOND)
        target, stop = self.exits_of(symbol).distances(market.mid, market.range.value)
        return Signal(
            symbol=symbol,
            side=self.side(symbol, trips),
            p=self.config.exercise_p,
            n=1.0,
            target=target,
            stop=stop,
            strategy=self.name,
            declared=True,
            reason=f"exercise {trips + 1}: declared p, no opinion",
            ts=now,
        )

    def remember(self, _symbol: str, position: Position, now: Nanos, memory: Memory) -> Memory:
        known = dict(memory)
        trips, holding = known.get(TRIPS, 0), bool(known.get(HOLDING, 0))
        if position.flat and (holding or FLAT_SINCE not in known):
            return remembered(trips=trips + 1 if holding else trips, flat_since=now, holding=0)
        if not position.flat and not holding:
            return remembered(trips=trips, flat_since=known.get(FLAT_SINCE, now), holding=1)
        return memory

    def stop_for(self, _symbol: str, _market: SymbolMarket, _bracket: Bracket, _now: Nanos) -> float | None:
        return None

    def wants_exit(self, _symbol: str, _position: Position, opened_at: Nanos, now: Nanos) -> str:
        held = now - opened_at
        return "HOLD_OVER" if held >= int(self.config.exercise_hold_s * SECOND) else ""

    def side(self, symbol: str, trips: int) -> Side:
        """Alternates; the seed and the symbol decide who begins."""
        first = mix(self.config.seed, name_hash(symbol)) & 1
        return Side.BUY if (trips + first) % 2 == 0 else Side.SELL

    def wait(self, symbol: str, trips: int) -> int:
        """Nanoseconds from flat to the next entry."""
        share = mix(mix(self.config.seed, name_hash(symbol)), trips + 1) % 1_000_001
        mean = int(self.config.exercise_every_s * SECOND)
        return mean // 2 + mean * share // 1_000_000


def remembered(*, trips: int, flat_since: int, holding: int) -> Memory:
    return ((TRIPS, trips), (FLAT_SINCE, flat_since), (HOLDING, holding))


def mix(left: int, right: int) -> int:
    """Two integers into 64 well-stirred bits, the same on every machine (the finalizer of splitmix64)."""
    z = (left * 0x9E3779B97F4A7C15 + right + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def name_hash(name: str) -> int:
    """FNV-1a: Python's own hash of a string differs between runs."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value
