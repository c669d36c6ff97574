"""Every metric there is: name, kind, unit, and labels whose values are bounded sets."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.control import Stream, TradingState
from aurora.model.drift import DriftKind
from aurora.model.gate import GateReason
from aurora.model.order import OrderStatus, Role, Side

OTHER = "other"
REQUESTS = (
    "SubmitOrder",
    "CancelOrder",
    "QueryOrder",
    "RequestSnapshot",
    "RequestTrades",
    "RequestIncome",
    "commissionRate",
    "exchangeInfo",
)
ALERTS = (
    "ADOPTED",
    "DECODE_FAILED",
    "DRIFT",
    "ENTRY_FAILED",
    "FORCED_ORDER",
    "FOREIGN_ORDER",
    "LOOP_GAP",
    "NAKED",
    "NOT_TRADING",
    "REDUCTION_REFUSED",
    "RESUME_REFUSED",
    "STOP_SHRUNK",
    "STREAM_DOWN",
    "TRADING_STATE",
    "UNPROTECTED",
)


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """``values`` empty: the configured symbols, and ``other`` for any other."""

    name: str
    values: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        if not self.values:
            return "the configured symbols, `other`"
        return ", ".join(f"`{value}`" for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """As exported: a counter's name ends in ``_total``."""

    name: str
    kind: Kind
    unit: str
    about: str
    labels: tuple[Label, ...] = ()


ROLES = (*(role.name for role in Role), OTHER)
SYMBOL = Label(name="symbol")
ROLE = Label(name="role", values=ROLES)
SIDE = Label(name="side", values=tuple(Side))
STREAM = Label(name="stream", values=tuple(Stream))
GATE = Label(name="gate", values=tuple(GateReason))
KIND = Label(name="kind", values=tuple(DriftKind))
BUDGET = Label(name="budget", values=("weight", "orders_10s", "orders_1m"))
WINDOW = Label(name="since", values=("day_start", "peak"))
# What is measured as it happens: 50 us to 5 s.
SECONDS = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def counter(name: str, about: str, *labels: Label, unit: str = "1") -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, unit=unit, about=about, labels=labels)


def gauge(name: str, about: str, *labels: Label, unit: str = "1") -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, unit=unit, about=about, labels=labels)


def histogram(name: str, about: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, unit="seconds", about=about)


MARKET = (
    counter("skalp_ticks_total", "Quotes the engine stepped.", SYMBOL),
    counter("skalp_ticks_conflated_total", "Quotes a newer one replaced while they waited.", SYMBOL),
    counter("skalp_prints_dropped_total", "Trades of others dropped from a full inbox."),
    gauge(
        "skalp_quote_age_seconds", "Since the newest quote; absent before the first.", SYMBOL, unit="seconds"
    ),
    gauge(
        "skalp_mark_age_seconds",
        "Since the newest mark price; absent before the first.",
        SYMBOL,
        unit="seconds",
    ),
    gauge("skalp_quote_latency_seconds", "From the exchange's event to our receipt.", SYMBOL, unit="seconds"),
    gauge("skalp_stream_up", "1 while the stream is believed.", STREAM),
    gauge(
        "skalp_stream_age_seconds",
        "Since the stream's newest event; a user stream may be silent for long and well.",
        STREAM,
        unit="seconds",
    ),
    counter(
        "skalp_stream_changes_total",
        "Times the stream was told up or down.",
        STREAM,
        Label(name="to", values=("up", "down")),
    ),
    counter("skalp_decode_failures_total", "Messages nobody could read.", STREAM),
)
DECISIONS = (
    counter("skalp_signals_total", "Opinions of the strategy.", SYMBOL, SIDE),
    counter(
        "skalp_decisions_total",
        "Intents reviewed: the gate that denied, or ALL when every gate approved.",
        Label(name="gate", values=("ALL", *GateReason)),
        Label(name="verdict", values=("approved", "denied")),
        ROLE,
    ),
    counter("skalp_gate_failures_total", "Every gate that failed in a denied review.", GATE),
    histogram("skalp_tick_to_decision_seconds", "From a quote's receipt to its finished step."),
    histogram("skalp_tick_to_wire_seconds", "From a quote's receipt to the send of the order it caused."),
)
ORDERS = (
    counter(
        "skalp_orders_total",
        "Outcomes of submissions; unknown means sent, and not answered.",
        ROLE,
        Label(name="outcome", values=("acked", "refused", "unknown", "not_sent")),
    ),
    counter(
        "skalp_orders_finished_total",
        "Orders that reached their end.",
        ROLE,
        Label(name="status", values=tuple(status for status in OrderStatus if status.terminal)),
    ),
    gauge("skalp_orders_open", "Orders not known to be finished.", ROLE),
    gauge("skalp_orders_unknown", "Orders nobody knows the fate of."),
    gauge("skalp_conditional_orders", "Of the venue's slots for conditional orders, held by ours."),
    counter("skalp_commands_sent_total", "Requests released to the wire."),
    counter("skalp_sent_ahead_total", "Exits and cancels that went out before a slow disk had them."),
    counter(
        "skalp_requests_failed_total",
        "Questions without an answer.",
        Label(name="request", values=(*REQUESTS, OTHER)),
    ),
    gauge("skalp_rate_budget_used", "Share of the venue's limit used in the present window.", BUDGET),
    counter(
        "skalp_fills_total",
        "Fills booked.",
        SYMBOL,
        SIDE,
        Label(name="liquidity", values=("maker", "taker")),
    ),
    counter("skalp_fills_quote_total", "Notional of the fills booked.", SYMBOL, unit="quote asset"),
    counter(
        "skalp_round_trips_total",
        "Positions from flat to flat, by their result after fees.",
        SYMBOL,
        Label(name="result", values=("won", "lost")),
    ),
)
MONEY = (
    gauge("skalp_position", "Signed quantity held.", SYMBOL, unit="base asset"),
    gauge("skalp_position_quote", "Signed notional held, at mark.", SYMBOL, unit="quote asset"),
    gauge("skalp_unrealized_quote", "Unrealised profit, at mark.", SYMBOL, unit="quote asset"),
    gauge(
        "skalp_exposure_quote",
        "Gross: positions alone, and worst case over every open order.",
        Label(name="case", values=("held", "worst")),
        unit="quote asset",
    ),
    gauge("skalp_equity_quote", "Wallet and unrealised profit.", unit="quote asset"),
    gauge("skalp_wallet_quote", "Wallet, as our books have it.", unit="quote asset"),
    gauge("skalp_realized_quote", "Realised profit booked, before fees.", unit="quote asset"),
    gauge("skalp_fees_quote", "Fees booked; positive is paid.", unit="quote asset"),
    gauge("skalp_funding_quote", "Funding booked; positive is received.", unit="quote asset"),
    gauge("skalp_drawdown_ratio", "Equity lost, as a fraction; net of transfers.", WINDOW),
    gauge(
        "skalp_tail_quote",
        "Loss of the positions over a minute: at the confidence of the CVAR gate, and expected beyond it.",
        Label(name="measure", values=("var", "cvar")),
        unit="quote asset",
    ),
    gauge("skalp_tail_warming_up", "1 while too few scenarios were seen and a floor is used."),
    gauge(
        "skalp_wallet_residual_quote",
        "Change of the exchange's wallet in this run that no booked cause explains.",
        unit="quote asset",
    ),
)
PROTECTION = (
    gauge("skalp_unprotected_seconds", "Age of the present gap; 0 when guarded.", SYMBOL, unit="seconds"),
    counter(
        "skalp_unprotected_quote_seconds_total",
        "Notional times time without a listed stop, over gaps that have ended.",
        SYMBOL,
        unit="quote asset x seconds",
    ),
    counter("skalp_protection_gaps_total", "Gaps that have ended.", SYMBOL),
    gauge(
        "skalp_protection_gap_seconds_max", "The longest gap of this process, open ones too.", unit="seconds"
    ),
    gauge(
        "skalp_reconciliation_age_seconds",
        "Since the last look at the account without a difference, or the start.",
        unit="seconds",
    ),
    counter(
        "skalp_drift_total",
        "Differences between our books and the exchange's.",
        KIND,
        Label(name="event", values=("found", "repaired")),
    ),
    gauge("skalp_drift_open", "Differences not repaired yet.", KIND),
    gauge("skalp_trading_state", "1 for the present state.", Label(name="state", values=tuple(TradingState))),
    counter(
        "skalp_trading_state_changes_total",
        "Changes of the trading state.",
        Label(name="to", values=tuple(TradingState)),
    ),
    counter("skalp_alerts_total", "Alerts raised.", Label(name="code", values=(*ALERTS, OTHER))),
)
PROCESS = (
    counter("skalp_steps_total", "Events the engine stepped."),
    gauge("skalp_ready", "1 when streams are up and the books agree."),
    histogram("skalp_loop_lag_seconds", "How late each beat of the loop was."),
    gauge("skalp_loop_gap_seconds_max", "The longest silence of the loop.", unit="seconds"),
    gauge("skalp_inbox_waiting", "Events waiting for the engine."),
    counter("skalp_journal_rows_total", "Rows made durable."),
    counter("skalp_journal_commits_total", "Commits."),
    gauge("skalp_journal_pending", "Rows not durable yet."),
    gauge("skalp_journal_broken", "1 when the disk refused; entries have stopped."),
    gauge(
        "skalp_journal_commit_seconds",
        "Time of a commit: the last, and the longest.",
        Label(name="which", values=("last", "max")),
        unit="seconds",
    ),
    counter("skalp_log_lines_dropped_total", "Log lines nobody took in time."),
    gauge("skalp_start_time_seconds", "Start of this process.", unit="seconds since 1970"),
)
PARTS = {
    "Market and streams": MARKET,
    "Decisions": DECISIONS,
    "Orders and fills": ORDERS,
    "Money": MONEY,
    "Protection and truth": PROTECTION,
    "Process": PROCESS,
}
CATALOGUE: dict[str, Metric] = {metric.name: metric for part in PARTS.values() for metric in part}


def metrics_tables() -> str:
    """The reference part of docs/metrics.md."""
    lines: list[str] = []
    for title, part in PARTS.items():
        lines += [f"## {title}", "", "| name | kind | unit | labels | meaning |", "|---|---|---|---|---|"]
        for metric in part:
            labels = "; ".join(f"`{label.name}`: {label.said}" for label in metric.labels)
            lines.append(
                f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels or '-'} | {metric.about} |"
            )
        lines.append("")
    return "\n".join(lines)
