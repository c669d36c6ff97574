"""The metrics page: what it promises is what it shows, and what it shows is what happened."""

import re
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aurora.model.control import Stream, StreamChanged, TradingState
from aurora.model.drift import Drift, DriftKind, DriftRecord
from aurora.model.events import OrderAcked, OrderUnknown, RequestFailed
from aurora.model.facts import (
    Alert,
    DriftSeen,
    Fact,
    FillBooked,
    IntentDenied,
    ProtectionGap,
    RoundTripClosed,
    SignalSeen,
    TradingStateChanged,
)
from aurora.model.gate import Check, Denied, GateReason
from aurora.model.numbers import SECOND, Nanos, Quote
from aurora.model.order import Namespace, OrderKey, OrderStatus, Role, Side
from aurora.model.signal import Signal
from skalp_bot.obs.catalogue import ALERTS, CATALOGUE, SECONDS, Kind, metrics_tables
from skalp_bot.obs.counts import Counts
from skalp_bot.obs.metrics import Reading, Spread, page
from skalp_bot.runner.histogram import Histogram
from tests.kit import BTC, ETH, START, at, fill, intent, tick
from tests.runner_kit import moved, step, submit

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
SYMBOLS = (BTC, ETH)

TOOL = shutil.which("promtool")


def counts_of(*facts: Fact) -> Counts:
    counts = Counts(SYMBOLS)
    counts.see(step(facts=facts))
    return counts


def key(client_id: str) -> OrderKey:
    return OrderKey(namespace=Namespace.REGULAR, client_id=client_id)


def gap(seconds: float, notional: str, symbol: str = BTC) -> ProtectionGap:
    return ProtectionGap(symbol=symbol, epoch=1, since=START, until=at(seconds), notional=Decimal(notional))


def drift(repaired: Nanos | None = None) -> DriftSeen:
    seen = Drift(kind=DriftKind.BALANCE, subject="USDT", symbol="", ours="1", theirs="2")
    return DriftSeen(record=DriftRecord(drift=seen, found_at=START, repaired_at=repaired))


def denied(reason: GateReason, *also: GateReason) -> IntentDenied:
    checks = tuple(Check(reason=each, observed=2.0, limit=1.0, passed=False) for each in (reason, *also))
    passed = Check(reason=GateReason.COOLDOWN, observed=0.0, limit=1.0, passed=True)
    verdict = Denied(intent=intent(), reason=reason, observed=2.0, limit=1.0, checks=(*checks, passed))
    return IntentDenied(denied=verdict, target=None, at=START)


def test_the_documented_tables_are_those_of_the_code() -> None:
    """When this fails, scripts/metrics_page writes them anew."""
    assert PAGE.read_text().partition("<!-- tables -->\n\n")[2] == metrics_tables()


def test_every_name_says_its_kind_and_every_label_set_is_bounded() -> None:
    for name, metric in CATALOGUE.items():
        assert name.startswith("skalp_")
        assert (metric.kind is Kind.COUNTER) == name.endswith("_total")
        for label in metric.labels:
            assert label.values or label.name == "symbol"


def test_every_name_in_the_code_is_catalogued_and_every_catalogued_name_is_in_the_code() -> None:
    root = Path(__file__).parent.parent / "skalp_bot"
    sources = [path for path in sorted(root.glob("**/*.py")) if path.name != "catalogue.py"]
    named = {name for path in sources for name in re.findall(r'"(skalp_[a-z_]+)"', path.read_text())}
    assert named - {"skalp_bot"} == set(CATALOGUE)


def test_every_alert_the_core_raises_has_its_own_label() -> None:
    sources = sorted((Path(__file__).parent.parent / "aurora").glob("**/*.py"))
    raised = {code for path in sources for code in re.findall(r'alert\(\s*"([A-Z_]+)"', path.read_text())}
    assert raised == set(ALERTS)


def test_ticks_and_those_they_replaced_are_counted_by_symbol() -> None:
    counts = Counts(SYMBOLS)
    counts.see(step(event=tick()))
    counts.see(step(event=replace(tick(), conflated=3)))
    assert counts.ticks == {BTC: [2, 3], ETH: [0, 0]}


def test_a_denial_names_its_gate_and_every_gate_that_failed_beside_it() -> None:
    counts = counts_of(denied(GateReason.SPREAD, GateReason.LATENCY))
    assert counts.values == {
        ("skalp_decisions_total", ("SPREAD", "denied", "ENTRY")): 1,
        ("skalp_gate_failures_total", ("SPREAD",)): 1,
        ("skalp_gate_failures_total", ("LATENCY",)): 1,
    }


def test_an_approval_is_counted_when_its_order_leaves() -> None:
    counts = Counts(SYMBOLS)
    counts.see(step(submit("ska1-1-1-0E"), submit("ska1-1-2-0X", role=Role.EXIT)))
    assert counts.values == {
        ("skalp_decisions_total", ("ALL", "approved", "ENTRY")): 1,
        ("skalp_decisions_total", ("ALL", "approved", "EXIT")): 1,
    }


def test_outcomes_are_told_by_the_role_in_the_id() -> None:
    counts = Counts(SYMBOLS)
    counts.see(step(event=OrderAcked(key=key("a-0S"), exchange_id="1", signed_at=START, ts_recv=START)))
    counts.see(step(event=OrderUnknown(key=key("a-0E"), why="", signed_at=START, ts_recv=START)))
    counts.see(step(event=OrderUnknown(key=key("strange?"), why="", signed_at=START, ts_recv=START)))
    filled = moved("a-0E", OrderStatus.FILLED)
    counts.see(step(facts=(filled, moved("a-1E", OrderStatus.NEW), filled)))  # Told twice, ended once.
    assert counts.values == {
        ("skalp_orders_total", ("STOP", "acked")): 1,
        ("skalp_orders_total", ("ENTRY", "unknown")): 1,
        ("skalp_orders_total", ("other", "unknown")): 1,
        ("skalp_orders_finished_total", ("ENTRY", "FILLED")): 1,
    }


def test_fills_and_round_trips_are_counted_and_strangers_share_a_label() -> None:
    def trip(realized: str) -> RoundTripClosed:
        return RoundTripClosed(
            symbol=BTC,
            epoch=1,
            realized=Quote(Decimal(realized)),
            fees=Quote(Decimal("0.5")),
            exit_reason="STOP",
            opened_at=START,
            at=at(1),
        )

    counts = counts_of(
        FillBooked(fill=fill(1, qty="0.5", price="100")),
        FillBooked(fill=fill(2, Side.SELL, symbol="DOGEUSDT", qty="1", price="2")),
        trip("0.6"),
        trip("0.5"),
    )
    assert counts.values == {
        ("skalp_fills_total", (BTC, "BUY", "taker")): 1,
        ("skalp_fills_quote_total", (BTC,)): 50.0,
        ("skalp_fills_total", ("other", "SELL", "taker")): 1,
        ("skalp_fills_quote_total", ("other",)): 2.0,
        ("skalp_round_trips_total", (BTC, "won")): 1,
        ("skalp_round_trips_total", (BTC, "lost")): 1,
    }


def test_an_unprotected_gap_counts_its_notional_by_its_time() -> None:
    counts = counts_of(gap(2.0, "-100"), gap(0.5, "100"))
    assert counts.values["skalp_unprotected_quote_seconds_total", (BTC,)] == pytest.approx(250.0)
    assert counts.values["skalp_protection_gaps_total", (BTC,)] == 2
    assert counts.gap_max == 2 * SECOND


def test_a_drift_is_found_once_and_repaired_once() -> None:
    counts = counts_of(drift(), drift(), drift(repaired=at(1)), drift())
    assert counts.values == {
        ("skalp_drift_total", ("BALANCE", "found")): 2,
        ("skalp_drift_total", ("BALANCE", "repaired")): 1,
    }


def test_what_has_no_name_in_the_catalogue_is_other() -> None:
    counts = counts_of(Alert(code="NEW_ONE", subject="", message="", at=START))
    counts.see(step(event=RequestFailed(request="weather", subject="", why="", ts_recv=START)))
    assert counts.values == {
        ("skalp_alerts_total", ("other",)): 1,
        ("skalp_requests_failed_total", ("other",)): 1,
    }


def everything() -> Counts:
    signal = Signal(
        symbol=BTC,
        side=Side.BUY,
        n=1.0,
        p=0.5,
        target=0.01,
        stop=0.01,
        strategy="s",
        declared=False,
        reason="r",
        ts=START,
    )
    halted = TradingStateChanged(
        state=TradingState.HALTED, halt_id="H-1", by="", reason="", flatten=False, at=START
    )
    counts = counts_of(
        SignalSeen(signal=signal, target=None), denied(GateReason.CVAR), gap(1, "1"), drift(), halted
    )
    counts.see(step(submit("a-0E"), event=StreamChanged(stream=Stream.USER, up=True, why="", ts_recv=START)))
    return counts


def test_the_page_is_read_by_prometheus_and_holds_catalogued_names_and_values_only() -> None:
    lag = Spread(name="skalp_loop_lag_seconds", within=tuple(range(len(SECONDS))), count=20, total_s=1.5)
    text = page(everything(), [Reading(name="skalp_orders_unknown", value=2), lag]).text().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for family in families.values():
        if family.name.startswith("process_"):
            continue
        metric = CATALOGUE[family.name + "_total" * (family.type == "counter")]
        assert family.documentation == metric.about
        allowed = {label.name: label.values or (*SYMBOLS, "other") for label in metric.labels}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            assert sorted(labels) == sorted(label.name for label in metric.labels)
            assert all(value in allowed[name] for name, value in labels.items())
    assert families["skalp_orders_unknown"].samples[0].value == 2
    beats = {sample.name: sample.value for sample in families["skalp_loop_lag_seconds"].samples}
    assert (beats["skalp_loop_lag_seconds_count"], beats["skalp_loop_lag_seconds_sum"]) == (20, 1.5)


def test_a_counter_shows_its_zeros_before_the_first_event() -> None:
    text = page(Counts(SYMBOLS), ()).text().decode()
    assert 'skalp_fills_total{liquidity="taker",side="BUY",symbol="BTCUSDT"} 0.0' in text
    assert 'skalp_orders_total{outcome="unknown",role="ENTRY"} 0.0' in text


def test_a_histogram_tells_how_many_were_within_each_edge() -> None:
    spread = Histogram()
    for nanos in (10, 1_000, 1_000_000, 2 * SECOND):
        spread.add(nanos)
    assert spread.within((10, 999_999_999, 10 * SECOND)) == [1, 3, 4]
    assert spread.total == 10 + 1_000 + 1_000_000 + 2 * SECOND


@pytest.mark.skipif(
    TOOL is None, reason="promtool is not here: it comes with Prometheus (apt install prometheus)"
)
def test_prometheus_own_tool_finds_nothing_to_say_about_the_page() -> None:
    lag = Spread(name="skalp_loop_lag_seconds", within=tuple(range(len(SECONDS))), count=20, total_s=1.5)
    text = page(everything(), [Reading(name="skalp_orders_unknown", value=2), lag]).text()
    done = subprocess.run([str(TOOL), "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
