"""What the engine concluded: durable facts alone change the books; soft ones are told and forgotten."""

from dataclasses import dataclass
from decimal import Decimal

from aurora.model.bracket import Bracket
from aurora.model.control import TradingState
from aurora.model.drift import DriftRecord
from aurora.model.fill import CashFlow, Fill
from aurora.model.gate import Denied
from aurora.model.instrument import FeeRates, Instrument
from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import Order, OrderKey, OrderStatus
from aurora.model.parent import ParentOrder
from aurora.model.signal import Signal, TargetPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochTaken:
    epoch: int
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentsKnown:
    instruments: tuple[Instrument, ...]
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesKnown:
    fees: FeeRates
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOpened:
    order: Order
    target: TargetPosition | None  # Why it has the size it has; None for protection and exits.


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMoved:
    """The order's new state; every field is the value after the move."""

    key: OrderKey
    status: OrderStatus
    filled: Qty
    booked: Qty
    cost: Quote
    exchange_id: str
    signed_at: Nanos | None
    unknown_since: Nanos | None
    listed: bool
    code: int
    why: str
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    key: OrderKey
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderForgotten:
    """A finished order leaves the blotter; the journal keeps it."""

    key: OrderKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FillBooked:
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBooked:
    """A cash flow enters the books; one already told by the stream only gets its transaction id."""

    flow: CashFlow
    told_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletOpened:
    """The wallet before our first booking: the start of the account's story."""

    asset: str
    wallet: Quote
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAdopted:
    """A position we did not build, taken as the exchange shows it."""

    symbol: str
    qty: Qty
    entry: Price
    why: str
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityMarked:
    """Day start and peak after a mark; both move with transfers by the same amount."""

    day: int  # Days since 1970 (UTC).
    day_start: Quote
    peak: Quote
    equity: Quote
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketSet:
    bracket: Bracket
    cue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketRemoved:
    """Flat, and every protective order of the epoch proven gone."""

    symbol: str
    epoch: int
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentSet:
    parent: ParentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentClosed:
    parent_id: str
    filled: Qty
    slippage_bps: float  # Of its booked fills against the decision mid; positive is worse.
    why: str
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilizerMoved:
    """The sizing stabilizer's memory for one symbol: last accepted fraction and when."""

    symbol: str
    fraction: float
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyMoved:
    """What a strategy must remember over a restart."""

    symbol: str
    memory: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingStateChanged:
    state: TradingState
    halt_id: str  # Names the halt or pause; empty when ACTIVE.
    by: str
    reason: str
    flatten: bool  # The halt also closes every position.
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSeen:
    record: DriftRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeRead:
    """Every cash flow up to ``until`` (exchange time) has been read from the exchange."""

    until: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTripClosed:
    symbol: str
    epoch: int
    realized: Quote
    fees: Quote
    exit_reason: str
    opened_at: Nanos
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionGap:
    """A position stood without a listed stop that covers it, for this long."""

    symbol: str
    epoch: int
    since: Nanos
    until: Nanos
    notional: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAhead:
    """The shell's own: an exit or a cancel went out before its step was durable, as the disk was slow."""

    key: OrderKey
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanStop:
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSeen:
    """Told, not kept."""

    signal: Signal
    target: TargetPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentDenied:
    """Told, not kept: a market that is never entered would fill a disk with refusals."""

    denied: Denied
    target: TargetPosition | None
    at: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something an operator should hear of. Told, not kept."""

    code: str
    subject: str
    message: str
    at: Nanos


DurableFact = (
    EpochTaken
    | InstrumentsKnown
    | FeesKnown
    | OrderOpened
    | OrderMoved
    | CancelRequested
    | OrderForgotten
    | FillBooked
    | FlowBooked
    | WalletOpened
    | PositionAdopted
    | EquityMarked
    | BracketSet
    | BracketRemoved
    | ParentSet
    | ParentClosed
    | StabilizerMoved
    | StrategyMoved
    | TradingStateChanged
    | DriftSeen
    | IncomeRead
    | RoundTripClosed
    | ProtectionGap
    | SentAhead
    | CleanStop
)
SoftFact = SignalSeen | IntentDenied | Alert
Fact = DurableFact | SoftFact
