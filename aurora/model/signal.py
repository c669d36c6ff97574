"""What is seen and how much it is worth: a strategy's opinion and the position it justifies."""

from dataclasses import dataclass

from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An opinion: ``side`` reaches its target before its stop with probability ``p``.

    ``target`` and ``stop`` are distances from the mid as fractions (0.001 = 10 bp).
    """

    symbol: str
    side: Side
    p: float
    n: float  # Effective observations behind p, above zero.
    target: float
    stop: float
    strategy: str
    declared: bool  # True: p is declared, not estimated; the edge gate is bypassed and says so (exercise).
    reason: str
    ts: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingLink:
    """One stage of the chain from signal to quantity, for `why`."""

    stage: str
    value: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPosition:
    """How much: signed quantity, the levels it was sized for, and the chain that led there."""

    symbol: str
    side: Side
    qty: Qty  # Absolute; zero with a reason when the signal is not worth a trade.
    reference: Price  # The price it was sized at.
    stop: Price  # Resting level the loss was computed at.
    take_profit: Price
    risk: Quote  # Loss at the stop, costs included.
    chain: tuple[SizingLink, ...]
    reason: str
