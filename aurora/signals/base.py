"""What a strategy is: a pure opinion about one symbol, and what it must remember over a restart."""

from typing import NamedTuple, Protocol

from aurora.market import SymbolMarket
from aurora.model.bracket import Bracket
from aurora.model.numbers import Nanos
from aurora.model.position import Position
from aurora.model.signal import Signal

Memory = tuple[tuple[str, int], ...]
"""A strategy's memory of one symbol; kept by the engine and changed only through StrategyMoved facts."""

NO_MEMORY: Memory = ()


class Silence(NamedTuple):
    """Why there is no opinion right now, with the two numbers that decided it; most ticks make one."""

    reason: str  # UPPER_SNAKE.
    observed: float
    limit: float


class Strategy(Protocol):
    """Holds no state: what it says follows from its arguments alone, so a replay hears the same."""

    @property
    def name(self) -> str: ...

    def look(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, memory: Memory
    ) -> Signal | Silence:
        """An opinion, or the reason for having none."""
        ...

    def on_book(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, memory: Memory
    ) -> Signal | None:
        """``look`` without the reason."""
        ...

    def remember(self, symbol: str, position: Position, now: Nanos, memory: Memory) -> Memory:
        """The memory after seeing this position: the same object when there is nothing to remember.

        Anything else becomes a StrategyMoved fact before ``look`` is asked again.
        """
        ...

    def stop_for(self, symbol: str, market: SymbolMarket, bracket: Bracket, now: Nanos) -> float | None:
        """Where the strategy would have the stop; None for no wish. Asked if ``strategy_stops`` is on."""
        ...

    def wants_exit(self, symbol: str, position: Position, opened_at: Nanos, now: Nanos) -> str:
        """Why the position should be closed although no level was hit; empty for no such wish."""
        ...
