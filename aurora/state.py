"""The engine's whole memory: a durable part that only facts change, and a soft part warmed up again."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from aurora.blotter import Blotter, BlotterCheckpoint
from aurora.ledger import Ledger, LedgerCheckpoint
from aurora.market import MarketView
from aurora.model.bracket import Bracket
from aurora.model.control import Stream, TradingState
from aurora.model.drift import DriftRecord
from aurora.model.facts import (
    Alert,
    BracketRemoved,
    BracketSet,
    CancelRequested,
    CleanStop,
    DriftSeen,
    EpochTaken,
    EquityMarked,
    Fact,
    FeesKnown,
    FillBooked,
    FlowBooked,
    IncomeRead,
    InstrumentsKnown,
    IntentDenied,
    OrderForgotten,
    OrderMoved,
    OrderOpened,
    ParentClosed,
    ParentSet,
    PositionAdopted,
    ProtectionGap,
    RoundTripClosed,
    SentAhead,
    SignalSeen,
    StabilizerMoved,
    StrategyMoved,
    TradingStateChanged,
    WalletOpened,
)
from aurora.model.instrument import FeeRates, Instrument
from aurora.model.numbers import NEVER, Nanos, Qty
from aurora.model.order import Order, OrderKey
from aurora.model.parent import ParentOrder
from aurora.model.position import Position
from aurora.signals.base import Silence

ACTIVE = TradingStateChanged(
    state=TradingState.ACTIVE, halt_id="", by="start", reason="", flatten=False, at=NEVER
)
DRIFTS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The durable part as a value; restoring it and folding the later facts gives the same books."""

    seq: int
    epoch: int
    orders_opened: int
    halts: int
    trading: TradingStateChanged
    ledger: LedgerCheckpoint
    blotter: BlotterCheckpoint
    brackets: tuple[Bracket, ...]
    parents: tuple[ParentOrder, ...]
    position_epochs: tuple[tuple[str, int], ...]
    round_trips: tuple[tuple[str, Nanos], ...]
    instruments: tuple[Instrument, ...]
    fees: tuple[FeeRates, ...]
    stabilizers: tuple[StabilizerMoved, ...]
    strategies: tuple[StrategyMoved, ...]
    drifts: tuple[DriftRecord, ...]


class Durable:
    """What must survive; ``apply`` is the only way in."""

    def __init__(self) -> None:
        self.seq = 0
        self.epoch = 0
        self.orders_opened = 0  # Counts for client ids.
        self.halts = 0
        self.trading = ACTIVE
        self.ledger = Ledger()
        self.blotter = Blotter()
        self.brackets: dict[str, Bracket] = {}
        self.parents: dict[str, ParentOrder] = {}
        self.position_epochs: dict[str, int] = {}
        self.round_trips: dict[str, Nanos] = {}  # When the last one ended.
        self.instruments: dict[str, Instrument] = {}
        self.fees: dict[str, FeeRates] = {}
        self.stabilizers: dict[str, StabilizerMoved] = {}
        self.strategies: dict[str, StrategyMoved] = {}
        self.drifts: dict[tuple[str, str, str], DriftRecord] = {}

    def apply(self, fact: Fact) -> None:  # noqa: C901, PLR0912  # One row per fact; a table in all but name.
        match fact:
            case (
                FillBooked()
                | FlowBooked()
                | WalletOpened()
                | PositionAdopted()
                | EquityMarked()
                | IncomeRead()
            ):
                self.ledger.apply(fact)
            case OrderOpened():
                self.orders_opened += 1
                self.blotter.apply(fact)
            case OrderMoved() | CancelRequested() | OrderForgotten():
                self.blotter.apply(fact)
            case BracketSet(bracket=bracket):
                self.brackets[bracket.symbol] = bracket
                self.position_epochs[bracket.symbol] = bracket.epoch
            case BracketRemoved(symbol=symbol):
                self.brackets.pop(symbol, None)
            case ParentSet(parent=parent):
                self.parents[parent.parent_id] = parent
            case ParentClosed(parent_id=parent_id):
                self.parents.pop(parent_id, None)
            case StabilizerMoved():
                self.stabilizers[fact.symbol] = fact
            case StrategyMoved():
                self.strategies[fact.symbol] = fact
            case TradingStateChanged():
                self.halts += fact.state is not TradingState.ACTIVE
                self.trading = fact
            case RoundTripClosed():
                self.round_trips[fact.symbol] = fact.at
            case InstrumentsKnown(instruments=instruments):
                self.instruments.update({instrument.symbol: instrument for instrument in instruments})
            case FeesKnown(fees=fees):
                self.fees[fees.symbol] = fees
            case EpochTaken(epoch=epoch):
                self.epoch = epoch
            case DriftSeen(record=record):
                self._drift(record)
            case ProtectionGap() | CleanStop() | SignalSeen() | IntentDenied() | Alert() | SentAhead():
                pass
            case _:
                assert_never(fact)

    def _drift(self, record: DriftRecord) -> None:
        key = (record.drift.kind.value, record.drift.symbol, record.drift.subject)
        if record.repaired_at is not None:
            self.drifts.pop(key, None)
        else:
            self.drifts[key] = record
        while len(self.drifts) > DRIFTS_KEPT:
            self.drifts.pop(next(iter(self.drifts)))


@dataclass(slots=True, kw_only=True)
class Look:
    """What the shell last told about a symbol's account side; forgotten at restart."""

    listed_at: Nanos = NEVER  # Request time of the last listing that covered the symbol.
    listing_asked_at: Nanos = NEVER
    trades_asked_at: Nanos = NEVER
    trades_wanted: str = ""  # Why trades are asked for until an answer to a later question has come.
    trades_wanted_at: Nanos = NEVER
    trades_complete_to: int = (
        0  # No trade up to this id is missing; a streamed fill proves nothing of earlier ones.
    )
    changed_at: Nanos = NEVER  # Last fill, order news or request of ours: not comparable until quiet.
    told_qty: Qty | None = None  # From ACCOUNT_UPDATE, checked once quiet.
    told_at: Nanos = NEVER
    foreign: int = 0  # Orders of others on the symbol, as last listed or told.


@dataclass(slots=True, kw_only=True)
class Soft:
    """What a restart may forget."""

    market: MarketView = field(default_factory=MarketView)
    looks: dict[str, Look] = field(default_factory=dict)
    open_questions: dict[str, None] = field(default_factory=dict)  # With ``trades_wanted`` or ``told_qty``.
    up: dict[Stream, bool] = field(default_factory=dict)
    started_at: Nanos = NEVER
    first_look_at: Nanos = NEVER  # First listing of positions and stops in this process.
    looked_at: Nanos = NEVER  # When the last listing of positions was asked for.
    silent_since: Nanos | None = None  # First unanswered request since then.
    returned_at: Nanos = NEVER  # First answer after the last silence.
    snapshot_asked_at: Nanos = NEVER
    looks_in_a_row: int = 0  # Asked for out of turn since the last one that found everything in order.
    snapshot_wanted: str = ""  # Why the next full look should not wait for the timer.
    reconciled_at: Nanos = NEVER
    income_asked_at: Nanos = NEVER
    foreign_conditional: int = 0  # Conditional orders of others on the account, as last listed.
    # By symbol, what the last look at a position that needs nothing had before it; see ``engine.calm``.
    calm: dict[str, tuple[Bracket, Position, tuple[Order, ...]]] = field(default_factory=dict)
    queried: dict[OrderKey, tuple[int, Nanos]] = field(default_factory=dict)  # Tries and last try.
    suspects: dict[tuple[str, str, str], Nanos] = field(default_factory=dict)  # Seen once, not yet confirmed.
    equity: float = float("nan")
    marked_at: Nanos = NEVER
    reviewed_at: dict[str, Nanos] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)  # Why a symbol has no opinion.
    opinions: dict[str, tuple[float, Nanos]] = field(default_factory=dict)  # Signed Kelly notional, and when.
    weights: dict[str, float] = field(default_factory=dict)  # Last good answer of the optimizer.
    entries_failed: dict[str, int] = field(default_factory=dict)  # In a row: refused or turned back.
    entry_after: dict[str, Nanos] = field(default_factory=dict)
    volumes: dict[str, Decimal] = field(default_factory=dict)  # Traded since a participating parent began.
    stopping: bool = False
    alerted: dict[str, Nanos] = field(default_factory=dict)

    def look(self, symbol: str) -> Look:
        found = self.looks.get(symbol)
        if found is None:
            found = self.looks[symbol] = Look()
        return found


class State:
    """Owned by the Engine, changed only inside ``step``."""

    def __init__(self) -> None:
        self.durable = Durable()
        self.soft = Soft()

    def checkpoint(self) -> Checkpoint:
        d = self.durable
        return Checkpoint(
            seq=d.seq,
            epoch=d.epoch,
            orders_opened=d.orders_opened,
            halts=d.halts,
            trading=d.trading,
            ledger=d.ledger.checkpoint(),
            blotter=d.blotter.checkpoint(),
            brackets=tuple(d.brackets.values()),
            parents=tuple(d.parents.values()),
            position_epochs=tuple(d.position_epochs.items()),
            round_trips=tuple(d.round_trips.items()),
            instruments=tuple(d.instruments.values()),
            fees=tuple(d.fees.values()),
            stabilizers=tuple(d.stabilizers.values()),
            strategies=tuple(d.strategies.values()),
            drifts=tuple(d.drifts.values()),
        )

    @classmethod
    def restore(cls, checkpoint: Checkpoint | None) -> "State":
        """The state a checkpoint describes; apply the later facts with ``fold``."""
        state = cls()
        if checkpoint is None:
            return state
        d = state.durable
        d.seq, d.epoch = checkpoint.seq, checkpoint.epoch
        d.orders_opened, d.halts = checkpoint.orders_opened, checkpoint.halts
        d.trading = checkpoint.trading
        d.ledger = Ledger.restore(checkpoint.ledger)
        d.blotter = Blotter.restore(checkpoint.blotter)
        d.brackets = {bracket.symbol: bracket for bracket in checkpoint.brackets}
        d.parents = {parent.parent_id: parent for parent in checkpoint.parents}
        d.position_epochs = dict(checkpoint.position_epochs)
        d.round_trips = dict(checkpoint.round_trips)
        d.instruments = {instrument.symbol: instrument for instrument in checkpoint.instruments}
        d.fees = {fees.symbol: fees for fees in checkpoint.fees}
        d.stabilizers = {moved.symbol: moved for moved in checkpoint.stabilizers}
        d.strategies = {moved.symbol: moved for moved in checkpoint.strategies}
        d.drifts = {(r.drift.kind.value, r.drift.symbol, r.drift.subject): r for r in checkpoint.drifts}
        return state

    def fold(self, seq: int, facts: tuple[Fact, ...]) -> None:
        """One journaled row applied again."""
        for fact in facts:
            self.durable.apply(fact)
        self.durable.seq = max(self.durable.seq, seq)
