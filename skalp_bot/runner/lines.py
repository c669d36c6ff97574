"""Log lines: the shadows of facts, one table row for each kind worth a line."""

from collections.abc import Iterator
from typing import Any

from aurora.model.control import Control, DecodeFailed, StreamChanged
from aurora.model.events import Event, RequestFailed
from aurora.model.facts import (
    Alert,
    BracketSet,
    CleanStop,
    DriftSeen,
    EpochTaken,
    Fact,
    FillBooked,
    FlowBooked,
    IntentDenied,
    OrderMoved,
    OrderOpened,
    ParentClosed,
    PositionAdopted,
    ProtectionGap,
    RoundTripClosed,
    SignalSeen,
    TradingStateChanged,
)
from aurora.model.numbers import SECOND
from aurora.model.order import OrderStatus
from aurora.model.step import Step
from skalp_bot.obs.redact import redacted
from skalp_bot.runner.report import money
from skalp_bot.runner.text import clock_text

REFUSAL_AGAIN = 10 * SECOND
WORTH_A_WARNING = (OrderStatus.UNKNOWN, OrderStatus.REJECTED, OrderStatus.NOT_SENT, OrderStatus.DEAD)
TOLD = frozenset((StreamChanged, Control, DecodeFailed, RequestFailed))  # Events with a line of their own.
Line = dict[str, Any]


class Lines:
    """Turns steps into log lines; a refusal repeated within ten seconds is only counted."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], tuple[int, int]] = {}  # Last told, how many since.
        self._phases: dict[tuple[str, int], str] = {}

    def of(self, step: Step) -> Iterator[Line]:
        at = step.event.ts_recv
        told = event_line(step.event)
        if told is not None:
            yield headed(at, step.seq, told)
        for fact in step.facts:
            line = self.line(fact)
            if line is not None:
                yield headed(at, step.seq, line)

    def line(self, fact: Fact) -> Line | None:  # One row per kind of fact.
        match fact:
            case IntentDenied():
                return self._refusal(fact)
            case BracketSet():
                return self._bracket(fact)
            case OrderOpened() | OrderMoved():
                return order_line(fact)
            case FillBooked() | FlowBooked() | PositionAdopted() | RoundTripClosed():
                return money_line(fact)
            case TradingStateChanged():
                return {
                    "level": "warning",
                    "event": "trading_state",
                    "state": fact.state.value,
                    "halt_id": fact.halt_id,
                    "by": fact.by,
                    "reason": fact.reason,
                }
            case SignalSeen(signal=signal):
                return {
                    "event": "signal",
                    "symbol": signal.symbol,
                    "side": signal.side.value,
                    "p": signal.p,
                    "reason": signal.reason,
                }
            case _:
                return watch_line(fact)

    def _refusal(self, fact: IntentDenied) -> Line | None:
        denied = fact.denied
        key = (denied.intent.symbol, denied.reason.value)
        last, count = self._refused.get(key, (0, 0))
        if fact.at - last < REFUSAL_AGAIN:
            self._refused[key] = (last, count + 1)
            return None
        self._refused[key] = (fact.at, 0)
        return {
            "event": "denied",
            "symbol": denied.intent.symbol,
            "side": denied.intent.side.value,
            "role": denied.intent.role.name,
            "reason": denied.reason.value,
            "observed": denied.observed,
            "limit": denied.limit,
            "also_since_last_told": count,
        }

    def _bracket(self, fact: BracketSet) -> Line | None:
        bracket = fact.bracket
        key = (bracket.symbol, bracket.epoch)
        if self._phases.get(key) == bracket.phase.value:
            return None
        self._phases = {k: v for k, v in self._phases.items() if k[0] != bracket.symbol}
        self._phases[key] = bracket.phase.value
        return {
            "event": "bracket",
            "symbol": bracket.symbol,
            "phase": bracket.phase.value,
            "cue": fact.cue,
            "qty": str(bracket.qty),
            "entry": str(bracket.entry),
            "stop": str(bracket.stop),
            "exit_reason": bracket.exit_reason,
        }


def headed(at: int, seq: int, line: Line) -> Line:
    """Time, level and name first, so that a page of lines can be read."""
    level, event = line.pop("level", "info"), line.pop("event")
    head = {"ts": clock_text(at), "level": level, "event": event, "seq": seq}
    return {**head, **{key: value for key, value in line.items() if value not in ("", None)}}


def event_line(event: Event) -> Line | None:
    match event:
        case StreamChanged():
            level = "info" if event.up else "warning"
            return {
                "level": level,
                "event": "stream",
                "stream": event.stream.value,
                "up": event.up,
                "why": redacted(event.why),
            }
        case Control():
            return {"event": "control", "verb": event.verb.value, "by": event.by, "reason": event.reason}
        case DecodeFailed():
            return {
                "level": "error",
                "event": "not_read",
                "stream": event.stream.value,
                "why": redacted(event.why),
            }
        case RequestFailed():
            return {
                "level": "warning",
                "event": "request_failed",
                "request": event.request,
                "subject": event.subject,
                "why": redacted(event.why),
            }
        case _:
            return None


def order_line(fact: OrderOpened | OrderMoved) -> Line | None:
    if isinstance(fact, OrderOpened):
        intent = fact.order.intent
        return {
            "event": "order",
            "id": fact.order.key.client_id,
            "symbol": intent.symbol,
            "role": intent.role.name,
            "side": intent.side.value,
            "type": intent.type.value,
            "qty": "all" if intent.qty is None else str(intent.qty),
            "price": None if intent.price is None else str(intent.price),
            "trigger": None if intent.trigger is None else str(intent.trigger),
            "reason": intent.reason,
        }
    if not fact.status.terminal and fact.status not in WORTH_A_WARNING:
        return None
    return {
        "level": "warning" if fact.status in WORTH_A_WARNING else "info",
        "event": "order_moved",
        "id": fact.key.client_id,
        "status": fact.status.value,
        "filled": str(fact.filled),
        "code": fact.code or None,
        "why": redacted(fact.why),
    }


def money_line(fact: FillBooked | FlowBooked | PositionAdopted | RoundTripClosed) -> Line:
    match fact:
        case FillBooked(fill=fill):
            return {
                "event": "fill",
                "symbol": fill.symbol,
                "id": fill.client_id,
                "side": fill.side.value,
                "qty": str(fill.qty),
                "price": str(fill.price),
                "fee": f"{money(fill.fee)} {fill.fee_asset}",
                "realized": money(fill.realized),
                "source": fill.source.value,
            }
        case FlowBooked(flow=flow):
            return {
                "event": "cash_flow",
                "label": flow.label,
                "asset": flow.asset,
                "amount": money(flow.amount),
                "symbol": flow.symbol,
            }
        case PositionAdopted():
            return {
                "level": "warning",
                "event": "position_adopted",
                "symbol": fact.symbol,
                "qty": str(fact.qty),
                "entry": str(fact.entry),
                "why": fact.why,
            }
        case RoundTripClosed():
            return {
                "event": "round_trip",
                "symbol": fact.symbol,
                "realized": money(fact.realized),
                "fees": money(fact.fees),
                "exit_reason": fact.exit_reason,
                "seconds": round((fact.at - fact.opened_at) / SECOND, 3),
            }


def watch_line(fact: Fact) -> Line | None:
    match fact:
        case DriftSeen(record=record):
            repaired = record.repaired_at is not None
            return {
                "level": "info" if repaired else "warning",
                "event": "drift_repaired" if repaired else "drift",
                "kind": record.drift.kind.value,
                "subject": record.drift.subject,
                "symbol": record.drift.symbol,
                "ours": record.drift.ours,
                "theirs": record.drift.theirs,
                "repair": record.repair,
            }
        case ParentClosed():
            return {
                "event": "parent",
                "id": fact.parent_id,
                "filled": money(fact.filled),
                "slippage_bps": round(fact.slippage_bps, 3),
                "why": fact.why,
            }
        case ProtectionGap():
            return {
                "event": "unprotected",
                "symbol": fact.symbol,
                "seconds": round((fact.until - fact.since) / SECOND, 3),
            }
        case Alert():
            return {
                "level": "warning",
                "event": "alert",
                "code": fact.code,
                "subject": fact.subject,
                "message": redacted(fact.message),
            }
        case EpochTaken(epoch=epoch):
            return {"event": "started", "epoch": epoch}
        case CleanStop():
            return {"event": "clean_stop"}
        case _:
            return None
