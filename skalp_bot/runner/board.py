"""What people ask about most: the last decision of every symbol, its reason, and every gate's headroom."""

from dataclasses import dataclass, field
from typing import Any

from aurora.model.commands import SubmitOrder
from aurora.model.control import StreamChanged
from aurora.model.facts import Alert, IntentDenied, SignalSeen, TradingStateChanged
from aurora.model.gate import Check
from aurora.model.market import BookTicker
from aurora.model.numbers import NEVER, Nanos
from aurora.model.signal import Signal, TargetPosition
from aurora.model.step import Step
from skalp_bot.runner.text import clock_text

ALERTS_KEPT = 50
RISK_DIGITS = 8  # An estimate: beyond these it is noise.


@dataclass(slots=True, kw_only=True)
class SymbolBoard:
    """The newest of everything a person asks about one symbol."""

    symbol: str
    bid: float = 0.0
    ask: float = 0.0
    quote_at: Nanos = NEVER
    ticks: int = 0
    decision: str = "nothing decided yet"
    decided_at: Nanos = NEVER
    last_id: str = ""
    signal: Signal | None = None
    target: TargetPosition | None = None
    checks: tuple[Check, ...] = ()
    checked_at: Nanos = NEVER
    denied: dict[str, int] = field(default_factory=dict)


class Board:
    """A fold over steps; nothing here is needed to trade."""

    def __init__(self) -> None:
        self.symbols: dict[str, SymbolBoard] = {}
        self.streams: dict[str, StreamChanged] = {}
        self.alerts: list[Alert] = []
        self.last_change: TradingStateChanged | None = None

    def see(self, step: Step, /) -> None:
        event = step.event
        if isinstance(event, BookTicker):
            line = self.of(event.symbol)
            line.bid, line.ask, line.quote_at = event.bid, event.ask, event.ts_recv
            line.ticks += 1 + event.conflated
        elif isinstance(event, StreamChanged):
            self.streams[event.stream.value] = event
        for fact in step.facts:
            match fact:
                case SignalSeen():
                    self._signal(fact, event.ts_recv)
                case IntentDenied():
                    self._denied(fact)
                case Alert():
                    self.alerts = [*self.alerts[1 - ALERTS_KEPT :], fact]
                case TradingStateChanged():
                    self.last_change = fact
                case _:
                    pass
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._approved(command, event.ts_recv)

    def of(self, symbol: str) -> SymbolBoard:
        found = self.symbols.get(symbol)
        if found is None:
            found = self.symbols[symbol] = SymbolBoard(symbol=symbol)
        return found

    def _signal(self, fact: SignalSeen, at: Nanos) -> None:
        line = self.of(fact.signal.symbol)
        line.signal, line.target, line.decided_at = fact.signal, fact.target, at
        if fact.target is None:
            line.decision = f"{fact.signal.side} signal, no target: {fact.signal.reason}"
        elif not fact.target.qty:
            line.decision = f"{fact.signal.side} signal, size zero: {fact.target.reason}"
        else:
            line.decision = f"{fact.signal.side} signal for {fact.target.qty}: {fact.signal.reason}"

    def _denied(self, fact: IntentDenied) -> None:
        denied = fact.denied
        line = self.of(denied.intent.symbol)
        line.checks, line.checked_at, line.decided_at = denied.checks, fact.at, fact.at
        line.target = fact.target
        line.denied[denied.reason.value] = line.denied.get(denied.reason.value, 0) + 1
        line.decision = (
            f"{denied.intent.role.name} {denied.intent.side} denied: {denied.reason} "
            f"observed {denied.observed:g}, limit {denied.limit:g}"
        )

    def _approved(self, command: SubmitOrder, at: Nanos) -> None:
        intent = command.approved.intent
        line = self.of(intent.symbol)
        if command.approved.checks:
            line.checks, line.checked_at = command.approved.checks, at
        line.decided_at, line.last_id = at, command.key.client_id
        amount = "all" if intent.qty is None else str(intent.qty)
        reason = f": {intent.reason}" if intent.reason else ""
        line.decision = f"{intent.role.name} {intent.side} {amount} {intent.type} sent{reason}"


def checks_shown(checks: tuple[Check, ...]) -> list[dict[str, Any]]:
    """Each gate with both numbers, the failed ones first."""
    ordered = sorted(checks, key=lambda check: check.passed)
    return [
        {
            "gate": check.reason.value,
            "passed": check.passed,
            "observed": check.observed,
            "limit": check.limit,
            "note": check.note,
        }
        for check in ordered
    ]


def signal_shown(signal: Signal | None) -> dict[str, Any] | None:
    if signal is None:
        return None
    return {
        "side": signal.side.value,
        "p": signal.p,
        "target": signal.target,
        "stop": signal.stop,
        "strategy": signal.strategy,
        "declared": signal.declared,
        "reason": signal.reason,
        "at": clock_text(signal.ts),
    }


def target_shown(target: TargetPosition | None) -> dict[str, Any] | None:
    """How much and why: each link of the chain from signal to quantity."""
    if target is None:
        return None
    return {
        "side": target.side.value,
        "qty": str(target.qty),
        "reference": str(target.reference),
        "stop": str(target.stop),
        "take_profit": str(target.take_profit),
        "risk": str(round(target.risk, RISK_DIGITS)),
        "reason": target.reason,
        "chain": [{"stage": link.stage, "value": link.value, "note": link.note} for link in target.chain],
    }
