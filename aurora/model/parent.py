"""A parent order: one quantity we mean to trade, sent as a schedule of children."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aurora.model.numbers import NEVER, NO_PRICE, NO_QTY, ZERO, Nanos, Price, Qty
from aurora.model.order import Side


class Style(StrEnum):
    IMMEDIATE = "IMMEDIATE"
    TWAP = "TWAP"
    ICEBERG = "ICEBERG"  # Rests at the own touch and shows a part at a time.
    CHASE = "CHASE"  # Post-only at the own touch, quoted anew when the touch moves away.
    PARTICIPATE = "PARTICIPATE"  # A share of what the others trade.

    @property
    def rests(self) -> bool:
        return self in (Style.ICEBERG, Style.CHASE)


class Stage(StrEnum):
    WORKING = "WORKING"
    CROSSING = "CROSSING"  # A limit was reached; the rest is taken at the bound once nothing rests.
    LEAVING = "LEAVING"  # No further child; over when the last one is.


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentOrder:
    """Conservation: filled + live + unknown of its children never exceed ``qty``."""

    parent_id: str
    symbol: str
    side: Side
    qty: Qty
    style: Style
    children: int  # How many children the schedule has.
    interval: int  # Nanoseconds between slices.
    started_at: Nanos
    decision_mid: Price  # Slippage is measured against it.
    jitter: int = 0  # Nanoseconds a slice may come after its time, at most.
    seed: int = 0  # Decides how much later.
    clip: Qty = NO_QTY  # Most that is shown at once; 0: all.
    bound: Price = NO_PRICE  # Worst price of a child that has one.
    share: Decimal = ZERO  # Of the volume the others trade.
    volume: Qty = NO_QTY  # What they traded since it began.
    until: Nanos = NEVER  # Exhausted then; NEVER: no limit.
    crosses: bool = False  # Whether a limit reached is answered by taking the rest, or by leaving it.
    stage: Stage = Stage.WORKING
    released: int = 0  # Children handed to governance so far.
    filled: Qty = NO_QTY
    done: bool = False
    why: str = ""
