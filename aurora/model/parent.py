"""A parent order: one quantity we mean to trade, sent as a schedule of children."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.numbers import NO_QTY, Nanos, Price, Qty
from aurora.model.order import Side


class Style(StrEnum):
    IMMEDIATE = "IMMEDIATE"
    TWAP = "TWAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentOrder:
    """Conservation: filled + live + unknown of its children never exceed ``qty``."""

    parent_id: str
    symbol: str
    side: Side
    qty: Qty
    style: Style
    children: int  # How many slices the schedule has.
    interval: int  # Nanoseconds between slices.
    started_at: Nanos
    decision_mid: Price  # Slippage is measured against it.
    released: int = 0  # Slices handed to governance so far.
    filled: Qty = NO_QTY
    done: bool = False
    why: str = ""
