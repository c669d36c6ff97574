"""What the engine asks of the world; nothing else may cause a request."""

from dataclasses import dataclass
from enum import IntEnum

from aurora.model.gate import Approved
from aurora.model.numbers import Nanos
from aurora.model.order import OrderKey


class Lane(IntEnum):
    """Who goes first when the budget is short."""

    EXIT = 0
    CANCEL = 1
    QUERY = 2
    ENTRY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder:
    """One POST, ever. ``send_before``: after this local time it goes back as NotSent (None: no limit)."""

    key: OrderKey
    approved: Approved
    lane: Lane
    send_before: Nanos | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    key: OrderKey
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOrder:
    key: OrderKey
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSnapshot:
    """``symbol`` limits the listed orders; the parts are what to ask for."""

    symbol: str | None
    positions: bool
    orders: bool
    algo_orders: bool
    balances: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTrades:
    symbol: str
    from_id: int | None  # None: the newest page.
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIncome:
    since: Nanos  # Event time of the exchange.
    why: str


Command = SubmitOrder | CancelOrder | QueryOrder | RequestSnapshot | RequestTrades | RequestIncome
