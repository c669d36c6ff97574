"""The report of a run: a fold over its steps, written as one JSON file."""

import errno
import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from aurora.errors import ConfigError
from aurora.model.account import AccountSnapshot
from aurora.model.commands import SubmitOrder
from aurora.model.control import DecodeFailed, TradingState
from aurora.model.drift import Drift
from aurora.model.events import (
    AccountUpdate,
    Event,
    OrderAcked,
    OrderRefused,
    OrderUnknown,
    RequestFailed,
)
from aurora.model.facts import (
    BracketRemoved,
    BracketSet,
    DriftSeen,
    Fact,
    FillBooked,
    FlowBooked,
    IntentDenied,
    OrderForgotten,
    OrderMoved,
    OrderOpened,
    ParentClosed,
    PositionAdopted,
    ProtectionGap,
    RoundTripClosed,
    SignalSeen,
    TradingStateChanged,
    WalletOpened,
)
from aurora.model.fill import FlowKind
from aurora.model.market import BookTicker
from aurora.model.numbers import CONTEXT, SECOND, ZERO, Nanos, as_float
from aurora.model.order import OrderKey, OrderStatus
from aurora.model.step import Step
from aurora.state import DRIFTS_KEPT

ERRORS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the books held when the process started."""

    wallet: Decimal | None  # None: never seen before.
    trading: TradingState
    unknown: tuple[OrderKey, ...] = ()
    drifts: tuple[Drift, ...] = ()
    naked: tuple[tuple[str, Nanos, float], ...] = ()  # Whose stop was not listed, since when, the notional.


class Report:
    """Counts what steps show, from the process's first to its last."""

    def __init__(self, *, quote_asset: str, opening: Opening) -> None:
        self.ticks = self.ticks_conflated = self.signals = self.approved = 0
        self.acked = self.refused = self.unknown_told = 0
        self.fills = self.round_trips = self.reconciliations = 0
        self.denied: dict[str, int] = {}
        self.trading = opening.trading
        self.errors: list[str] = []
        self.errors_dropped = 0
        self.now = 0
        self._asset = quote_asset
        self._start = opening.wallet
        self._end = opening.wallet
        self._adopted = 0
        self._realized = self._fees = self._funding = self._transfers = self._other = ZERO
        self._unknown = dict.fromkeys(opening.unknown)
        self._drifts_open = dict.fromkeys(map(subject_of, opening.drifts))
        self._drifts_found = self._drifts_repaired = 0
        self._naked: dict[str, Nanos] = {name: since for name, since, _ in opening.naked}
        self._filled_at: dict[str, Nanos] = {}  # The oldest fill booked in this step.
        self._bare = {name: held for name, _, held in opening.naked}  # Notional of each position.
        self._gap_max = 0
        self._exposed = 0.0  # Quote units x seconds, over gaps that have ended.
        self._parents = 0  # That filled at all.
        self._slippage_sum = self._slippage_worst = 0.0

    @property
    def drifts_open(self) -> int:
        return len(self._drifts_open)

    @property
    def orders_unknown(self) -> int:
        return len(self._unknown)

    def see(self, step: Step, /) -> None:
        event = step.event
        self.now = max(self.now, event.ts_recv)
        if isinstance(event, BookTicker):
            self.ticks += 1
            self.ticks_conflated += event.conflated
        else:
            self._told(event)
        for command in step.commands:
            self.approved += isinstance(command, SubmitOrder)
        self._filled_at.clear()
        for fact in step.facts:
            self._concluded(fact)

    def error(self, text: str) -> None:
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(text)
        else:
            self.errors_dropped += 1

    @property
    def unprotected_max(self) -> int:
        """Nanoseconds; a gap that is still open counts up to now."""
        return max([self._gap_max, *(self.now - since for since in self._naked.values())])

    @property
    def exposed(self) -> float:
        """Quote units x seconds without a listed stop; a gap that is still open counts up to now."""
        still = (self._bare.get(name, 0.0) * (self.now - at) for name, at in self._naked.items())
        return self._exposed + sum(still) / SECOND

    def wallet(self) -> dict[str, str]:
        """Where the wallet began and ended, and whether every cent between has a cause."""
        start, end = self._start or ZERO, self._end or ZERO
        explained = CONTEXT.subtract(self._realized, self._fees)
        for flow in (self._funding, self._transfers, self._other):
            explained = CONTEXT.add(explained, flow)
        residual = CONTEXT.subtract(CONTEXT.subtract(end, start), explained)
        shown = {"start": start, "end": end, "explained": explained, "residual": residual}
        return {name: money(value) for name, value in shown.items()}

    def numbers(self) -> dict[str, Any]:
        """Everything a fold can know; the runner adds what only it knows."""
        return {
            "ticks": self.ticks,
            "ticks_conflated": self.ticks_conflated,
            "signals": self.signals,
            "decisions": {"approved": self.approved, "denied": dict(sorted(self.denied.items()))},
            "orders": {
                "sent": self.acked + self.refused + self.unknown_told,
                "acked": self.acked,
                "refused": self.refused,
                "unknown": self.orders_unknown,
            },
            "fills": self.fills,
            "round_trips": self.round_trips,
            "slippage_bps": {
                "parents": self._parents,
                "mean": round(self._slippage_sum / self._parents, 3) if self._parents else None,
                "worst": round(self._slippage_worst, 3) if self._parents else None,
            },
            "realized_pnl": money(self._realized),
            "fees": money(self._fees),
            "funding": money(self._funding),
            "transfers": money(self._transfers),
            "other_flows": money(self._other),
            "reconciliations": self.reconciliations,
            "drift": {
                "found": self._drifts_found,
                "repaired": self._drifts_repaired,
                "open": self.drifts_open,
            },
            "wallet": self.wallet(),
            "positions_adopted": self._adopted,
            "unprotected_seconds_max": round(self.unprotected_max / SECOND, 3),
            "unprotected_quote_seconds": round(self.exposed, 3),
            "trading_state": self.trading.value,
            "errors": [*self.errors, *([f"... and {self.errors_dropped} more"] * bool(self.errors_dropped))],
        }

    def _told(self, event: Event) -> None:
        match event:
            case OrderAcked():
                self.acked += 1
            case OrderRefused():
                self.refused += 1
            case OrderUnknown():
                self.unknown_told += 1
            case AccountSnapshot():
                self.reconciliations += whole(event)
                for balance in event.balances or ():
                    if balance.asset == self._asset:
                        self._end = balance.wallet
            case AccountUpdate():
                for asset, wallet in event.wallets:
                    if asset == self._asset:
                        self._end = wallet
            case DecodeFailed():
                self.error(f"{event.stream} message not read: {event.why}")
            case RequestFailed():
                self.error(f"{event.request} {event.subject}: {event.why}")
            case _:
                pass

    def _concluded(self, fact: Fact) -> None:
        match fact:
            case SignalSeen():
                self.signals += 1
            case IntentDenied(denied=denied):
                self.denied[denied.reason.value] = self.denied.get(denied.reason.value, 0) + 1
            case OrderOpened() | OrderMoved() | OrderForgotten():
                self._order(fact)
            case FillBooked() | FlowBooked() | WalletOpened():
                self._money(fact)
            case PositionAdopted():
                self._adopted += 1
            case RoundTripClosed():
                self.round_trips += 1
            case ParentClosed(filled=filled, slippage_bps=slippage) if filled:
                self._slippage_worst = max(self._slippage_worst, slippage) if self._parents else slippage
                self._slippage_sum += slippage
                self._parents += 1
            case DriftSeen():
                self._drift(fact)
            case ProtectionGap() | BracketSet() | BracketRemoved():
                self._protection(fact)
            case TradingStateChanged(state=state):
                self.trading = state
            case _:
                pass

    def _protection(self, fact: ProtectionGap | BracketSet | BracketRemoved) -> None:
        match fact:
            case ProtectionGap():
                since = min(fact.since, self._naked.pop(fact.symbol, fact.since))
                self._gap_max = max(self._gap_max, fact.until - since)
                self._exposed += as_float(fact.notional) * (fact.until - since) / SECOND
            case BracketSet(bracket=bracket):
                name, since_told = bracket.symbol, bracket.naked_since
                self._bare[name] = as_float(bracket.qty) * as_float(bracket.entry)
                if since_told is None:
                    self._naked.pop(name, None)
                elif name not in self._naked:  # It was naked from its fill on, however late we heard of that.
                    self._naked[name] = min(since_told, self._filled_at.get(name, since_told))
            case BracketRemoved(symbol=symbol):
                self._naked.pop(symbol, None)
                self._bare.pop(symbol, None)

    def _order(self, fact: OrderOpened | OrderMoved | OrderForgotten) -> None:
        if isinstance(fact, OrderMoved) and fact.status is OrderStatus.UNKNOWN:
            self._unknown[fact.key] = None
        elif not isinstance(fact, OrderOpened):
            self._unknown.pop(fact.key, None)

    def _money(self, fact: FillBooked | FlowBooked | WalletOpened) -> None:
        match fact:
            case WalletOpened(asset=asset, wallet=wallet):
                if asset == self._asset and self._start is None:
                    self._start = wallet
            case FillBooked(fill=fill):
                self._filled_at.setdefault(fill.symbol, fill.ts_event)
                self.fills += 1
                self._realized = CONTEXT.add(self._realized, fill.realized)
                if fill.fee_asset == self._asset:
                    self._fees = CONTEXT.add(self._fees, fill.fee)
            case FlowBooked(flow=flow, told_before=told):
                if told or flow.asset != self._asset:
                    return
                match flow.kind:
                    case FlowKind.FUNDING:
                        self._funding = CONTEXT.add(self._funding, flow.amount)
                    case FlowKind.TRANSFER:
                        self._transfers = CONTEXT.add(self._transfers, flow.amount)
                    case FlowKind.OTHER:
                        self._other = CONTEXT.add(self._other, flow.amount)

    def _drift(self, fact: DriftSeen) -> None:
        subject = subject_of(fact.record.drift)
        known = subject in self._drifts_open
        if not known:
            self._drifts_found += 1
        if fact.record.repaired_at is None:
            self._drifts_open[subject] = None
            while len(self._drifts_open) > DRIFTS_KEPT:
                self._drifts_open.pop(next(iter(self._drifts_open)))
        else:
            self._drifts_repaired += 1
            self._drifts_open.pop(subject, None)


def whole(look: AccountSnapshot) -> bool:
    """Whether it shows everything that is compared."""
    parts = (look.positions, look.orders, look.algo_orders, look.balances)
    return look.symbol is None and None not in parts


def subject_of(drift: Drift) -> tuple[str, str, str]:
    return (drift.kind.value, drift.symbol, drift.subject)


def money(value: Decimal) -> str:
    """Plain digits, no exponent, no trailing zeros after the point; zero is '0'."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def prove_writable(path: Path) -> None:
    """Before anything trades: a report that cannot be written is found out now, not after the last order."""
    try:
        if path.is_dir() or not path.name:
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = beside_of(path)
        beside.write_bytes(b"")
        beside.unlink()
    except OSError as error:
        raise ConfigError(
            f"--report {path} cannot be written ({error.strerror}): name a file in a directory that can be"
        ) from None


def beside_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def write_report(path: Path, numbers: dict[str, Any]) -> None:
    """All of it or nothing: a reader never sees half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = beside_of(path)
    beside.write_bytes(orjson.dumps(numbers, option=orjson.OPT_INDENT_2) + b"\n")
    beside.replace(path)
