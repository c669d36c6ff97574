"""Who may trade and how that changes: trading states, operators' verbs, streams."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.numbers import Nanos


class TradingState(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # No entries.
    HALTED = "HALTED"  # No strategy; protection continues.


class Verb(StrEnum):
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"
    HALT = "HALT"
    FLATTEN = "FLATTEN"
    RESUME = "RESUME"
    RECONCILE = "RECONCILE"
    STOP = "STOP"  # The process is to end: no entries, resting slices cancelled.


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    verb: Verb
    by: str
    reason: str
    halt_id: str  # RESUME names the halt it lifts; empty otherwise.
    ts_recv: Nanos


class Stream(StrEnum):
    MARKET = "MARKET"
    MARK = "MARK"
    USER = "USER"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanged:
    stream: Stream
    up: bool
    why: str
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeFailed:
    """A payload nobody could read; one of the account makes the books suspect."""

    stream: Stream
    why: str
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Time passing. ``gap`` is the loop's silence before it, when longer than it should be (ns)."""

    ts_recv: Nanos
    gap: int = 0
