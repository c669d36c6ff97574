"""The verdict on an intent, and every check behind it."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.order import OrderIntent


class GateReason(StrEnum):
    TRADING_STATE = "TRADING_STATE"
    NOT_RECONCILED = "NOT_RECONCILED"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    STALE_PROTECTION = "STALE_PROTECTION"
    MAX_CONCURRENT_POSITIONS = "MAX_CONCURRENT_POSITIONS"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    FREE_MARGIN = "FREE_MARGIN"
    SPREAD = "SPREAD"
    LATENCY = "LATENCY"
    STALE_BOOK = "STALE_BOOK"
    DAILY_DRAWDOWN = "DAILY_DRAWDOWN"
    CVAR = "CVAR"
    CONDITIONAL_SLOTS = "CONDITIONAL_SLOTS"
    EXIT_LEVELS = "EXIT_LEVELS"
    FOREIGN_ACTIVITY = "FOREIGN_ACTIVITY"
    INSTRUMENT = "INSTRUMENT"
    COOLDOWN = "COOLDOWN"
    GATE_ERROR = "GATE_ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One gate's look at one intent; observed against limit is the headroom people are shown."""

    reason: GateReason
    observed: float
    limit: float
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Only ``governance.review`` makes one of these."""

    intent: OrderIntent
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    intent: OrderIntent
    reason: GateReason
    observed: float
    limit: float
    checks: tuple[Check, ...]


GateDecision = Approved | Denied
