"""Where our books and the exchange's differ, and what was done about it."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.numbers import Nanos


class DriftKind(StrEnum):
    POSITION_QTY = "POSITION_QTY"
    ORDER_MISSING = "ORDER_MISSING"  # We hold it live; the exchange does not list it.
    ORDER_EXTRA = "ORDER_EXTRA"  # The exchange lists one with our brand that we do not hold.
    ORDER_FOREIGN = "ORDER_FOREIGN"  # Not ours: seen, counted, never touched.
    ORDER_FILLED = "ORDER_FILLED"  # Listed with another filled quantity than ours.
    BALANCE = "BALANCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference, both sides as exact text; ``subject`` is a symbol, an asset or a client id."""

    kind: DriftKind
    subject: str
    symbol: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRecord:
    """A drift from first sight to repair."""

    drift: Drift
    found_at: Nanos
    repaired_at: Nanos | None = None
    repair: str = ""
