import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aurora.config import AuroraConfig
from aurora.model.account import AccountSnapshot, BalanceView
from aurora.model.bracket import Bracket, Phase
from aurora.model.control import DecodeFailed as Unread
from aurora.model.control import Stream, TradingState
from aurora.model.drift import Drift, DriftKind, DriftRecord
from aurora.model.events import AccountUpdate, Event, OrderAcked, OrderRefused, OrderUnknown
from aurora.model.facts import (
    BracketSet,
    DriftSeen,
    Fact,
    FillBooked,
    FlowBooked,
    IntentDenied,
    ParentClosed,
    ProtectionGap,
    TradingStateChanged,
    WalletOpened,
)
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.gate import Denied, GateReason
from aurora.model.numbers import SECOND, Nanos, Price, Qty, Quote
from aurora.model.order import Namespace, OrderKey, OrderStatus, Side
from aurora.state import State
from skalp_bot.runner.lines import Lines
from skalp_bot.runner.recovery import opening_of
from skalp_bot.runner.report import Opening, Report, money, write_report
from skalp_bot.runner.text import clock_text
from tests.runner_kit import beat, moved, step, submit, tick

FIELDS = {
    "ticks", "ticks_conflated", "signals", "decisions", "orders", "fills", "round_trips", "realized_pnl",
    "fees",
    "funding", "reconciliations", "drift", "wallet", "unprotected_seconds_max", "trading_state", "errors",
}  # fmt: skip
KEY = OrderKey(namespace=Namespace.REGULAR, client_id="ska1-1-1-0E")


def report(wallet: str | None = None) -> Report:
    opening = Opening(wallet=None if wallet is None else Decimal(wallet), trading=TradingState.ACTIVE)
    return Report(quote_asset="USDT", opening=opening)


def seen(fold: Report, *facts: Fact, event: Event | None = None) -> Report:
    fold.see(step(facts=facts, event=event))
    return fold


def fill(number: int, realized: str = "0", fee: str = "0", asset: str = "USDT") -> FillBooked:
    return FillBooked(
        fill=Fill(
            symbol="BTCUSDT",
            trade_id=number,
            client_id="c",
            exchange_id="1",
            side=Side.BUY,
            price=Price(Decimal(1)),
            qty=Qty(Decimal(1)),
            fee=Quote(Decimal(fee)),
            fee_asset=asset,
            realized=Quote(Decimal(realized)),
            maker=False,
            ts_event=Nanos(0),
            ts_recv=Nanos(0),
        )
    )


def flow(kind: FlowKind, amount: str, *, told_before: bool = False) -> FlowBooked:
    return FlowBooked(
        flow=CashFlow(
            kind=kind,
            asset="USDT",
            amount=Quote(Decimal(amount)),
            symbol="",
            label="X",
            flow_id="",
            ts_event=Nanos(0),
            ts_recv=Nanos(0),
        ),
        told_before=told_before,
    )


def look(wallet: str, *, symbol: str | None = None) -> AccountSnapshot:
    balance = BalanceView(asset="USDT", wallet=Quote(Decimal(wallet)), available=Quote(Decimal(wallet)))
    return AccountSnapshot(
        symbol=symbol,
        positions=(),
        orders=(),
        algo_orders=(),
        balances=(balance,),
        requested_at=Nanos(0),
        ts_recv=Nanos(0),
    )


def bracket(*, naked_since: int | None) -> BracketSet:
    one = Price(Decimal(1))
    return BracketSet(
        bracket=Bracket(
            symbol="BTCUSDT",
            epoch=1,
            side=Side.BUY,
            phase=Phase.NAKED if naked_since is not None else Phase.GUARDED,
            qty=Qty(Decimal(1)),
            entry=one,
            stop=one,
            initial_stop=one,
            take_profit=None,
            backstop=one,
            opened_at=Nanos(0),
            naked_since=None if naked_since is None else Nanos(naked_since),
        ),
        cue="X",
    )


def drift(*, repaired: bool, subject: str = "BTCUSDT") -> DriftSeen:
    difference = Drift(kind=DriftKind.POSITION_QTY, subject=subject, symbol="BTCUSDT", ours="1", theirs="2")
    return DriftSeen(
        record=DriftRecord(
            drift=difference, found_at=Nanos(1), repaired_at=Nanos(2) if repaired else None, repair=""
        )
    )


def test_every_promised_field_is_there_from_the_start() -> None:
    assert report().numbers().keys() >= FIELDS


def test_every_cent_of_the_wallet_has_a_cause() -> None:
    fold = seen(report(), WalletOpened(asset="USDT", wallet=Quote(Decimal(1_000)), at=Nanos(0)))
    seen(fold, fill(1, fee="0.4"), fill(2, realized="-7.31", fee="0.39"), fill(3, fee="0.01", asset="BNB"))
    seen(fold, flow(FlowKind.FUNDING, "-0.05"), flow(FlowKind.TRANSFER, "50"))
    seen(fold, flow(FlowKind.FUNDING, "-0.05", told_before=True))
    seen(fold, event=look("1041.85"))
    assert fold.wallet() == {"start": "1000", "end": "1041.85", "explained": "41.85", "residual": "0"}
    assert (fold.numbers()["fees"], fold.numbers()["realized_pnl"]) == ("0.79", "-7.31")


def test_a_cent_without_a_cause_is_a_residual() -> None:
    fold = seen(report("1000"), fill(1, realized="5"), event=look("1005.01"))
    assert fold.wallet()["residual"] == "0.01"


def test_a_restart_begins_with_the_wallet_of_the_books() -> None:
    fold = seen(report("990.5"), event=look("990.5"))
    assert fold.wallet()["start"] == "990.5"
    assert fold.wallet()["residual"] == "0"


def test_the_wallet_ends_where_the_exchange_last_said() -> None:
    update = AccountUpdate(
        reason="ORDER",
        wallets=(("USDT", Quote(Decimal("7.5"))),),
        flows=(),
        positions=(),
        ts_event=Nanos(0),
        ts_recv=Nanos(0),
    )
    fold = seen(report("7.5"), event=look("9"))
    assert seen(fold, event=update).wallet()["end"] == "7.5"


def test_an_order_is_unknown_until_its_fate_is_told() -> None:
    fold = seen(report(), moved("a", OrderStatus.UNKNOWN), moved("b", OrderStatus.UNKNOWN))
    assert fold.orders_unknown == 2
    seen(fold, moved("a", OrderStatus.FILLED), moved("b", OrderStatus.DEAD))
    assert fold.orders_unknown == 0


def test_sent_orders_are_those_the_wire_answered_or_swallowed() -> None:
    fold = report()
    at = Nanos(0)
    seen(fold, event=OrderAcked(key=KEY, exchange_id="1", signed_at=at, ts_recv=at))
    seen(fold, event=OrderRefused(key=KEY, code=-2019, why="", signed_at=at, ts_recv=at))
    seen(fold, event=OrderUnknown(key=KEY, why="", signed_at=at, ts_recv=at))
    assert fold.numbers()["orders"] == {"sent": 3, "acked": 1, "refused": 1, "unknown": 0}


def test_the_longest_unprotected_time_counts_closed_and_open_gaps() -> None:
    gap = ProtectionGap(symbol="BTCUSDT", epoch=1, since=Nanos(0), until=Nanos(SECOND), notional=Decimal(1))
    fold = seen(report(), gap, event=beat(2 * SECOND))
    assert fold.numbers()["unprotected_seconds_max"] == 1.0
    seen(fold, bracket(naked_since=10 * SECOND), event=beat(10 * SECOND))
    seen(fold, event=beat(14 * SECOND))
    assert fold.numbers()["unprotected_seconds_max"] == 4.0
    seen(fold, bracket(naked_since=None), event=beat(15 * SECOND))
    assert fold.unprotected_max == SECOND


def test_unprotected_notional_times_time_counts_closed_and_open_gaps() -> None:
    gap = ProtectionGap(symbol="BTCUSDT", epoch=1, since=Nanos(0), until=Nanos(SECOND), notional=Decimal(200))
    fold = seen(report(), bracket(naked_since=0), gap, bracket(naked_since=None), event=beat(2 * SECOND))
    assert fold.numbers()["unprotected_quote_seconds"] == 200.0
    held = bracket(naked_since=10 * SECOND).bracket
    seen(fold, bracket(naked_since=10 * SECOND), event=beat(14 * SECOND))
    open_gap = float(held.qty * held.entry) * 4
    assert open_gap > 0
    assert fold.numbers()["unprotected_quote_seconds"] == 200.0 + open_gap


def test_a_position_the_last_process_left_unprotected_counts_from_then_on() -> None:
    """Its bracket may be told only once its stop is listed, which may be never."""
    state = State()
    state.durable.apply(bracket(naked_since=10 * SECOND))
    held = state.durable.brackets["BTCUSDT"]
    fold = Report(quote_asset="USDT", opening=opening_of(state, AuroraConfig(symbols=("BTCUSDT",))))
    seen(fold, event=beat(14 * SECOND))
    assert fold.numbers()["unprotected_seconds_max"] == 4.0
    assert fold.numbers()["unprotected_quote_seconds"] == float(held.qty * held.entry) * 4


def test_drift_is_open_until_repaired_and_found_once() -> None:
    fold = seen(report(), drift(repaired=False), drift(repaired=False))
    assert fold.numbers()["drift"] == {"found": 1, "repaired": 0, "open": 1}
    seen(fold, drift(repaired=True), drift(repaired=True, subject="at once"))
    assert fold.numbers()["drift"] == {"found": 2, "repaired": 2, "open": 0}


def test_drift_left_open_by_the_last_process_stays_open() -> None:
    left = drift(repaired=False).record.drift
    fold = Report(
        quote_asset="USDT", opening=Opening(wallet=None, trading=TradingState.HALTED, drifts=(left,))
    )
    assert fold.numbers()["drift"] == {"found": 0, "repaired": 0, "open": 1}
    assert fold.numbers()["trading_state"] == "HALTED"


def test_decisions_count_approvals_and_denials_by_reason() -> None:
    intent = submit("e1").approved.intent
    denied = Denied(intent=intent, reason=GateReason.SPREAD, observed=7.1, limit=5.0, checks=())
    fold = seen(report(), *(IntentDenied(denied=denied, target=None, at=Nanos(0)) for _ in range(2)))
    fold.see(step(submit("e1")))
    written = json.loads(orjson.dumps(fold.numbers()))
    assert written["decisions"] == {"approved": 1, "denied": {"SPREAD": 2}}


def test_ticks_and_what_they_replaced_are_told_apart() -> None:
    one = tick(100.0)
    one.conflated = 4
    fold = seen(report(), event=one)
    assert (fold.numbers()["ticks"], fold.numbers()["ticks_conflated"]) == (1, 4)


def test_a_position_heard_of_late_was_unprotected_from_its_fill_on() -> None:
    """The daemon was dead, or deaf, when the entry filled: nine seconds nobody saw are not nothing."""
    booked = fill(1)
    late = replace(booked, fill=replace(booked.fill, ts_event=Nanos(SECOND)))
    fold = seen(report(), late, bracket(naked_since=10 * SECOND))
    seen(fold, bracket(naked_since=10 * SECOND))
    gap = ProtectionGap(
        symbol="BTCUSDT",
        epoch=1,
        since=Nanos(10 * SECOND),
        until=Nanos(10 * SECOND + SECOND // 10),
        notional=Decimal(1),
    )
    seen(fold, gap, bracket(naked_since=None))
    assert fold.numbers()["unprotected_seconds_max"] == 9.1
    seen(fold, bracket(naked_since=20 * SECOND))
    seen(fold, replace(gap, since=Nanos(20 * SECOND), until=Nanos(21 * SECOND)))
    assert fold.numbers()["unprotected_seconds_max"] == 9.1, "an old fill says nothing of a later gap"


def test_errors_are_bounded_and_the_rest_is_counted() -> None:
    fold = report()
    for _ in range(150):
        seen(fold, event=Unread(stream=Stream.USER, why="odd", ts_recv=Nanos(0)))
    errors = fold.numbers()["errors"]
    assert len(errors) == 101
    assert errors[-1] == "... and 50 more"


def test_a_report_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.json"
    write_report(path, {"a": 1})
    write_report(path, report().numbers())
    assert json.loads(path.read_text()).keys() >= FIELDS
    assert [found.name for found in path.parent.iterdir()] == ["out.json"]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-1e9, max_value=1e9))
def test_money_reads_plainly_and_loses_nothing(value: Decimal) -> None:
    text = money(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert text != "-0"


def test_a_refusal_is_told_once_in_ten_seconds_with_its_count() -> None:
    lines = Lines()
    denied = Denied(
        intent=submit("e1").approved.intent, reason=GateReason.SPREAD, observed=7.1, limit=5.0, checks=()
    )
    told = []
    for second in (1, 2, 3, 12):
        fact = IntentDenied(denied=denied, target=None, at=Nanos(second * SECOND + 100 * SECOND))
        told += list(lines.of(step(facts=(fact,))))
    assert [line["event"] for line in told] == ["denied", "denied"]
    assert told[1]["also_since_last_told"] == 2
    assert (told[0]["observed"], told[0]["limit"]) == (7.1, 5.0)


def test_a_bracket_is_told_when_its_phase_changes() -> None:
    lines = Lines()
    facts = (bracket(naked_since=1), bracket(naked_since=1), bracket(naked_since=None))
    phases = [line["phase"] for line in lines.of(step(facts=facts))]
    assert phases == ["NAKED", "GUARDED"]


def test_a_halt_is_a_warning_that_names_its_id() -> None:
    fact = TradingStateChanged(
        state=TradingState.HALTED, halt_id="H1-1", by="anna", reason="news", flatten=False, at=Nanos(0)
    )
    (line,) = Lines().of(step(facts=(fact,), event=beat(SECOND)))
    assert line["level"] == "warning"
    assert (line["halt_id"], line["by"], line["reason"]) == ("H1-1", "anna", "news")
    assert line["ts"] == "1970-01-01T00:00:01.000Z"


def test_never_reads_as_nothing() -> None:
    assert clock_text(0) == ""


def test_what_entries_cost_against_the_mid_they_were_decided_at_is_told() -> None:
    fold = report()
    assert fold.numbers()["slippage_bps"] == {"parents": 0, "mean": None, "worst": None}
    for number, (filled, slippage) in enumerate((("0.010", -0.5), ("0", 0.0), ("0.020", 1.25))):
        over = ParentClosed(
            parent_id=f"p{number}", filled=Qty(Decimal(filled)), slippage_bps=slippage, why="", at=Nanos(1)
        )
        seen(fold, over)
    assert fold.numbers()["slippage_bps"] == {"parents": 2, "mean": 0.375, "worst": 1.25}
    assert seen(report(), over).numbers()["slippage_bps"]["worst"] == 1.25
