"""What the steps showed, as plain numbers: a fold that a tick pays two additions for."""

from aurora.model.commands import SubmitOrder
from aurora.model.control import DecodeFailed, Stream, StreamChanged
from aurora.model.events import (
    AccountUpdate,
    Event,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    RequestFailed,
)
from aurora.model.facts import (
    Alert,
    DriftSeen,
    Fact,
    FillBooked,
    IntentDenied,
    OrderMoved,
    ProtectionGap,
    RoundTripClosed,
    SignalSeen,
    TradingStateChanged,
)
from aurora.model.gate import Denied
from aurora.model.market import BookTicker
from aurora.model.numbers import NEVER, SECOND, as_float
from aurora.model.order import OrderKey, OrderStatus, Role
from aurora.model.step import Step
from skalp_bot.obs.catalogue import ALERTS, OTHER, REQUESTS

Labels = tuple[str, ...]
OUTCOMES: dict[type, str] = {
    OrderAcked: "acked",
    OrderRefused: "refused",
    OrderUnknown: "unknown",
    OrderNotSent: "not_sent",
}
DRIFTS_KEPT = 1_000
FINISHED_KEPT = 1_024
ROLE_NAMES = {role.value: role.name for role in Role}


class Counts:
    """``values`` are the counters by name and label values; ``user_at`` is the newest news of the account."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.ticks: dict[str, list[int]] = {symbol: [0, 0] for symbol in symbols}
        self.values: dict[tuple[str, Labels], float] = {}
        self.up: dict[Stream, bool] = dict.fromkeys(Stream, False)
        self.user_at = NEVER
        self.gap_max = 0
        self._known = dict.fromkeys(symbols)
        self._drifts: dict[Labels, None] = {}
        self._finished: dict[OrderKey, OrderStatus] = {}

    def see(self, step: Step, /) -> None:
        event = step.event
        if type(event) is BookTicker:
            pair = self.ticks.get(event.symbol)
            if pair is not None:
                pair[0] += 1
                pair[1] += event.conflated
        else:
            self._told(event)
        if step.commands:
            for command in step.commands:
                if isinstance(command, SubmitOrder):
                    role = command.approved.intent.role.name
                    self._add("skalp_decisions_total", "ALL", "approved", role)
        if step.facts:
            for fact in step.facts:
                self._concluded(fact)

    def symbol(self, name: str) -> str:
        """A label from a bounded set: what others hold or trade on the account is ``other``."""
        return name if name in self._known else OTHER

    def _add(self, name: str, *labels: str, by: float = 1.0) -> None:
        key = (name, labels)
        self.values[key] = self.values.get(key, 0.0) + by

    def _told(self, event: Event) -> None:
        match event:
            case OrderUpdate() | AccountUpdate():
                self.user_at = event.ts_recv
            case OrderAcked() | OrderRefused() | OrderUnknown() | OrderNotSent():
                self._add("skalp_orders_total", role_of(event.key), OUTCOMES[type(event)])
            case StreamChanged(stream=stream, up=up):
                self.up[stream] = up
                self._add("skalp_stream_changes_total", stream, "up" if up else "down")
            case DecodeFailed(stream=stream):
                self._add("skalp_decode_failures_total", stream)
            case RequestFailed(request=request):
                self._add("skalp_requests_failed_total", request if request in REQUESTS else OTHER)
            case _:
                pass

    def _concluded(self, fact: Fact) -> None:
        match fact:
            case SignalSeen(signal=signal):
                self._add("skalp_signals_total", self.symbol(signal.symbol), signal.side)
            case IntentDenied(denied=denied):
                self._denied(denied)
            case OrderMoved() if fact.status.terminal:
                self._finished_once(fact)
            case FillBooked() | RoundTripClosed():
                self._money(fact)
            case ProtectionGap():
                self._gap(fact)
            case DriftSeen():
                self._drift(fact)
            case TradingStateChanged(state=state):
                self._add("skalp_trading_state_changes_total", state)
            case Alert(code=code):
                self._add("skalp_alerts_total", code if code in ALERTS else OTHER)
            case _:
                pass

    def _finished_once(self, fact: OrderMoved) -> None:
        """The same end may be told again, as a last fill is booked after it."""
        if self._finished.get(fact.key) is fact.status:
            return
        self._add("skalp_orders_finished_total", role_of(fact.key), fact.status)
        self._finished[fact.key] = fact.status
        while len(self._finished) > FINISHED_KEPT:
            self._finished.pop(next(iter(self._finished)))

    def _denied(self, denied: Denied) -> None:
        self._add("skalp_decisions_total", denied.reason, "denied", denied.intent.role.name)
        for check in denied.checks:
            if not check.passed:
                self._add("skalp_gate_failures_total", check.reason)

    def _money(self, fact: FillBooked | RoundTripClosed) -> None:
        if isinstance(fact, RoundTripClosed):
            result = "won" if fact.realized > fact.fees else "lost"
            self._add("skalp_round_trips_total", self.symbol(fact.symbol), result)
            return
        fill = fact.fill
        symbol = self.symbol(fill.symbol)
        self._add("skalp_fills_total", symbol, fill.side, "maker" if fill.maker else "taker")
        self._add("skalp_fills_quote_total", symbol, by=as_float(fill.price) * as_float(fill.qty))

    def _gap(self, fact: ProtectionGap) -> None:
        symbol, lasted = self.symbol(fact.symbol), fact.until - fact.since
        self.gap_max = max(self.gap_max, lasted)
        self._add("skalp_protection_gaps_total", symbol)
        exposed = abs(as_float(fact.notional)) * lasted / SECOND
        self._add("skalp_unprotected_quote_seconds_total", symbol, by=exposed)

    def _drift(self, fact: DriftSeen) -> None:
        """A drift is found once, however often it is seen before its repair."""
        drift, repaired = fact.record.drift, fact.record.repaired_at is not None
        subject = (drift.kind.value, drift.symbol, drift.subject)
        if subject not in self._drifts:
            self._add("skalp_drift_total", drift.kind, "found")
            self._drifts[subject] = None
            while len(self._drifts) > DRIFTS_KEPT:
                self._drifts.pop(next(iter(self._drifts)))
        if repaired:
            self._add("skalp_drift_total", drift.kind, "repaired")
            self._drifts.pop(subject, None)


def role_of(key: OrderKey) -> str:
    """The last letter of a client id says why the order exists."""
    return ROLE_NAMES.get(key.client_id[-1:], OTHER)


def age_s(now: int, at: int) -> float:
    return max(now - at, 0) / SECOND
