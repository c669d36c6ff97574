"""What goes into the engine: market, account, outcomes of our own requests, operators and time."""

from dataclasses import dataclass

from aurora.model.account import AccountSnapshot, OrderView, PositionView
from aurora.model.control import Control, DecodeFailed, Heartbeat, StreamChanged
from aurora.model.fill import CashFlow, Fill
from aurora.model.instrument import FeeRates, Instrument
from aurora.model.market import BookTicker, Candles, MarketTrade, MarkPrice
from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import OrderKey, OrderStatus, OrderType, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """What the exchange says became of an order (ours or not), with the fill that moved it, if one did."""

    key: OrderKey
    symbol: str
    exchange_id: str
    side: Side
    type: OrderType
    status: OrderStatus
    qty: Qty
    filled: Qty
    price: Price
    trigger: Price
    reduce_only: bool
    close_position: bool
    parent_algo: str  # Exchange id of the algo order it was born from; empty otherwise.
    child_id: str  # For an algo order: exchange id of the order it gave birth to.
    why: str  # Expiry or rejection reason in the exchange's words.
    fill: Fill | None
    ts_event: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUpdate:
    """Streamed balances and positions after a change: a check on our books, and the cause of cash flows."""

    reason: str  # ORDER, FUNDING_FEE, DEPOSIT, ...
    wallets: tuple[tuple[str, Quote], ...]
    flows: tuple[CashFlow, ...]  # Non-trade balance changes it carries.
    positions: tuple[PositionView, ...]
    ts_event: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageChanged:
    symbol: str
    leverage: int
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCalled:
    symbols: tuple[str, ...]
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAcked:
    key: OrderKey
    exchange_id: str
    signed_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """Proof that the order never lived."""

    key: OrderKey
    code: int
    why: str
    signed_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnknown:
    """Sent, and nobody can say what became of it."""

    key: OrderKey
    why: str
    signed_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotSent:
    """Turned back before the wire: late, no budget, or the queue was dropped."""

    key: OrderKey
    why: str
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAcked:
    """``filled``: executed before the cancel took; None where the answer does not say."""

    key: OrderKey
    filled: Qty | None = None
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFailed:
    """Refused (code < 0: -2011 says the exchange knows no such open order) or unknown (code 0)."""

    key: OrderKey
    code: int
    why: str
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswered:
    """``view`` None: the exchange knows no such order. Only a query asked after the fence proves it dead."""

    key: OrderKey
    view: OrderView | None
    requested_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """A query, snapshot or trade request that brought no answer."""

    request: str  # The command's class name.
    subject: str
    why: str
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesListed:
    """Answer to RequestTrades: every trade of ours from ``from_id`` on, or the newest page."""

    symbol: str
    fills: tuple[Fill, ...]
    requested_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeListed:
    """Answer to RequestIncome: cash flows that are not trades, oldest first."""

    flows: tuple[CashFlow, ...]
    since: Nanos
    requested_at: Nanos
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentsLoaded:
    """What the exchange lists of our symbols; ``missing`` are those it does not."""

    instruments: tuple[Instrument, ...]
    missing: tuple[str, ...] = ()
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesLoaded:
    fees: FeeRates
    ts_recv: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """First event of a process: its id epoch, above every earlier one."""

    epoch: int
    halt_requested: bool  # A HALT file was found; the process starts HALTED.
    ts_recv: Nanos


OrderOutcome = OrderAcked | OrderRefused | OrderUnknown | OrderNotSent
CancelOutcome = CancelAcked | CancelFailed
Answer = QueryAnswered | RequestFailed | AccountSnapshot | TradesListed | IncomeListed
MarketEvent = BookTicker | MarkPrice | MarketTrade | Candles
AccountEvent = OrderUpdate | Fill | AccountUpdate | LeverageChanged | MarginCalled
Event = (
    MarketEvent
    | AccountEvent
    | OrderOutcome
    | CancelOutcome
    | Answer
    | InstrumentsLoaded
    | FeesLoaded
    | Started
    | StreamChanged
    | DecodeFailed
    | Control
    | Heartbeat
)
