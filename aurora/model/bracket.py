"""The value of a bracket, which keeps one position protected from its first fill to its last."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.numbers import NEVER, NO_PRICE, NO_QTY, NO_QUOTE, Nanos, Price, Qty, Quote
from aurora.model.order import Side


class Phase(StrEnum):
    ENTERING = "ENTERING"  # Entry order working, nothing filled yet.
    NAKED = "NAKED"  # Filled, and the exchange has not listed a stop that covers it.
    GUARDED = "GUARDED"  # A listed stop covers it, at the initial risk.
    FREE = "FREE"  # A listed stop covers it, at break-even with fees or better.
    CLOSING = "CLOSING"  # Exit working; nothing but the exit is decided.
    CLOSED = "CLOSED"  # Flat; protective orders are being proven gone.


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    symbol: str
    epoch: int  # Counts the positions of the symbol; orders carry it.
    side: Side  # The side that opened the position.
    phase: Phase
    qty: Qty  # Absolute position quantity now covered or to be covered.
    entry: Price  # Average; the decision's reference until the first fill.
    stop: Price  # Local level: acted on here at once.
    initial_stop: Price
    take_profit: Price | None
    backstop: Price  # Trigger of the closePosition stop.
    opened_at: Nanos
    entry_first: Price = NO_PRICE  # Average entry, quantity and risk before any add.
    size_first: Qty = NO_QTY
    initial_risk: Quote = NO_QUOTE
    adds_done: int = 0
    rungs_done: int = 0
    stop_since: Nanos = NEVER  # Its first fill, or when the stop last moved: no older price judges it.
    peak: Price | None = None  # Best price seen, for a trailing ratchet.
    naked_since: Nanos | None = None
    exit_reason: str = ""
    exits_tried: int = 0
    exit_tried_at: Nanos = NEVER
    stops_tried: int = 0  # Since it was last guarded.
    stop_tried_at: Nanos = NEVER
    closed_at: Nanos = NEVER
    realized: Quote = NO_QUOTE  # Over the fills of this position, as the exchange booked them.
    fees: Quote = NO_QUOTE
