"""The doctor on a real paper exchange over TCP: what it finds, what it advises, what it leaves behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.cli.app import main
from skalp_bot.config import load_config
from skalp_bot.exch.checkup import may_trade, restricted
from skalp_bot.exch.findings import Finding, Verdict, failed
from skalp_bot.runner.doctor import needs_of
from tests.e2e.paper_process import Venue, running
from tests.exch_kit import awaited, scene

PROFILE = Path(__file__).parent.parent / "profiles" / "paper.yaml"
Capture = pytest.CaptureFixture[str]

CALLS = """extends: {paper}
symbols: [BTCUSDT]
governance: {{max_concurrent_positions: 1}}
"""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running(tmp_path_factory.mktemp("venue")) as made:
        yield made


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "profile.yaml"
    path.write_text(CALLS.format(paper=PROFILE))
    return path


def ask(
    venue: Venue, profile: Path, capsys: Capture, *words: str, **ready: str
) -> tuple[int, dict[str, Any]]:
    """The doctor's exit code, and its findings by check."""
    file = profile.parent / "ready.json"
    file.write_text(json.dumps(venue.ready | ready))
    arguments = [str(profile), "--exchange", str(file), "--state-dir", str(profile.parent / "state")]
    code = main(["doctor", *arguments, "--json", *words])
    told = json.loads(capsys.readouterr().out)
    return code, {finding["check"]: finding for finding in told["findings"]} | {"": told}


def test_a_sound_venue_passes_every_check(venue: Venue, profile: Path, capsys: Capture) -> None:
    code, found = ask(venue, profile, capsys)
    assert (code, found[""]["ok"], found[""]["counts"]["fail"]) == (0, True, 0)
    checks = (
        "versions sqlite disk commit reach clock latency keys balance permissions positions orders streams"
    )
    for check in (*checks.split(), "position mode", "filters BTCUSDT", "margin BTCUSDT", "stop slots"):
        assert found[check]["verdict"] == "ok", found[check]
    assert found["config"]["verdict"] == "warn"
    assert list((profile.parent / "state").iterdir()) == []


def test_a_person_reads_what_to_do_below_what_was_seen(venue: Venue, profile: Path, capsys: Capture) -> None:
    (profile.parent / "ready.json").write_text(json.dumps(venue.ready))
    ready, state = str(profile.parent / "ready.json"), str(profile.parent / "state")
    assert main(["doctor", str(profile), "--exchange", ready, "--state-dir", state]) == 0
    lines = capsys.readouterr().out.splitlines()
    warned = next(number for number, line in enumerate(lines) if line.startswith("warn  config"))
    assert lines[warned + 1].strip().startswith("-> ")
    assert lines[-1].endswith("0 failed")


def test_conformance_places_replaces_cancels_and_leaves_nothing(
    venue: Venue, profile: Path, capsys: Capture
) -> None:
    code, found = ask(venue, profile, capsys, "--conformance")
    assert code == 0, [one for one in found[""]["findings"] if one["verdict"] == "fail"]
    steps = ("order listed", "replacement stays", "old stop gone", "nothing left", "user stream told")
    assert all(found[step]["verdict"] == "ok" for step in steps)
    assert found["second backstop"]["observed"] == "-4130"
    assert found["stop beyond the market"]["observed"] == "-2021"
    ended = venue.call("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")
    assert {row["status"] for row in ended} == {"CANCELED"}
    assert venue.call("GET", "/fapi/v1/openOrders") == venue.call("GET", "/fapi/v1/openAlgoOrders") == []
    assert all(row["clientOrderId"].startswith("doctor-") for row in ended)


def test_conformance_does_not_touch_a_symbol_with_a_position(
    venue: Venue, profile: Path, capsys: Capture
) -> None:
    sides = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.010"}
    venue.call("POST", "/fapi/v1/order", side="BUY", **sides)
    try:
        before = len(venue.call("GET", "/fapi/v1/allOrders", symbol="BTCUSDT"))
        code, found = ask(venue, profile, capsys, "--conformance")
        assert (code, found["ground"]["observed"]) == (3, "a position in BTCUSDT")
        assert len(venue.call("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")) == before
    finally:
        venue.call("POST", "/fapi/v1/order", side="SELL", **sides)


def test_orders_of_others_and_hedge_mode_are_pointed_out(
    venue: Venue, profile: Path, capsys: Capture
) -> None:
    venue.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    try:
        code, found = ask(venue, profile, capsys)
        assert (code, found["position mode"]["verdict"]) == (0, "warn")
        assert "switches to one-way" in found["position mode"]["advice"]
        bought = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.010", "positionSide": "LONG"}
        venue.call("POST", "/fapi/v1/order", side="BUY", **bought)
        code, found = ask(venue, profile, capsys)
        venue.call("POST", "/fapi/v1/order", side="SELL", **bought)
        assert (code, found["positions"]["observed"]) == (3, "BTCUSDT in hedge mode")
        assert "close them" in found["positions"]["advice"]
    finally:
        venue.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    far = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    venue.call("POST", "/fapi/v1/order", **far, quantity="0.010", price="58000", newClientOrderId="other")
    try:
        code, found = ask(venue, profile, capsys)
        assert (code, found["orders"]["verdict"]) == (0, "warn")
        assert "other" in found["orders"]["advice"]
    finally:
        venue.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="other")


@pytest.mark.parametrize(
    ("ready", "check", "advice"),
    [
        ({"api_key": "x" * 64}, "keys", "key, address or permissions are wrong"),
        ({"api_secret": "x"}, "keys", "the secret does not belong to the key"),
        ({"rest": "http://127.0.0.1:9"}, "reach", "Is the paper exchange running?"),
    ],
)
def test_what_the_venue_refuses_is_exit_3_with_the_fix(
    venue: Venue, profile: Path, capsys: Capture, ready: dict[str, str], check: str, advice: str
) -> None:
    code, found = ask(venue, profile, capsys, **ready)
    assert (code, found[check]["verdict"]) == (3, "fail")
    assert advice in found[check]["advice"]
    assert "streams" not in found


@awaited
async def test_a_clock_that_makes_the_latency_gate_refuse_fails_and_a_smaller_error_is_told() -> None:
    async def clock(ahead_ms: int) -> Finding:
        async with scene() as s:
            usual = s.venue.usual["GET time"]
            s.venue.usual["GET time"] = lambda params: {"serverTime": usual(params)["serverTime"] + ahead_ms}
            needs = needs_of(load_config(PROFILE, environ={}).config)
            return next(one for one in await s.exchange.checkup(needs).run() if one.check == "clock")

    for ahead_ms, verdict in ((0, Verdict.OK), (900, Verdict.WARN), (-900, Verdict.WARN)):
        assert (await clock(ahead_ms)).verdict is verdict
    for ahead_ms in (30_000, -30_000):
        found = await clock(ahead_ms)
        assert (found.verdict, found.limit) == (Verdict.FAIL, "1500 ms")
        assert "timedatectl" in found.advice
        assert "LATENCY" in found.advice


def test_stop_slots_taken_by_others_fail_with_the_gate_that_will_refuse(
    venue: Venue, profile: Path, capsys: Capture
) -> None:
    profile.write_text(profile.read_text().replace("{max", "{conditional_orders_max: 22, max"))
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    names = ("slot-1", "slot-2", "slot-3")
    for name in names:
        terms = {"triggerPrice": "50000", "quantity": "0.010", "clientAlgoId": name}
        venue.call("POST", "/fapi/v1/algoOrder", **stop, **terms)
    try:
        code, found = ask(venue, profile, capsys)
        assert (code, found["stop slots"]["verdict"]) == (3, "fail")
        assert found["stop slots"]["observed"] == "0 free for new stops (3 of 22 used, 20 in reserve)"
        assert "CONDITIONAL_SLOTS" in found["stop slots"]["advice"]
    finally:
        for name in names:
            venue.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId=name)


def test_a_wallet_too_small_is_told_what_it_takes_and_is_no_fault_of_the_venue(
    profile: Path, capsys: Capture, tmp_path: Path
) -> None:
    with running(tmp_path, "--set", "deposit=3") as poor:
        code, found = ask(poor, profile, capsys, "--conformance")
    assert (code, found["filters BTCUSDT"]["verdict"]) == (3, "warn")
    assert "it takes more than 100.00 USDT" in found["filters BTCUSDT"]["advice"]
    assert found["order placed"]["observed"].startswith("-2019")
    assert "margin of the least order, 0.00" in found["order placed"]["advice"]


def test_a_symbol_nobody_lists_is_named(venue: Venue, profile: Path, capsys: Capture) -> None:
    profile.write_text(profile.read_text().replace("BTCUSDT", "BTXUSDT"))
    code, found = ask(venue, profile, capsys)
    assert (code, found["filters BTXUSDT"]["verdict"]) == (3, "fail")
    assert "BTXUSDT is not listed" in found["filters BTXUSDT"]["advice"]


def test_a_disk_that_cannot_be_written_is_exit_1(venue: Venue, profile: Path, capsys: Capture) -> None:
    (profile.parent / "state").write_text("a file where a directory should be")
    code, found = ask(venue, profile, capsys)
    assert (code, found["disk"]["verdict"]) == (1, "fail")
    assert "--state-dir" in found["disk"]["advice"]


NO_TMP = """
import sys, tempfile
tempfile.tempdir = "/nowhere"
from skalp_bot.cli.app import main
sys.exit(main())
"""


def test_a_system_without_a_temporary_directory_is_examined_all_the_same(profile: Path) -> None:
    state = profile.parent / "state"
    words = [sys.executable, "-c", NO_TMP, "doctor", str(profile), "--state-dir", str(state)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(state.iterdir()) == []
    state.rmdir()
    state.write_text("a file where a directory should be")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "make /tmp or --state-dir writable" in done.stdout


def test_without_an_exchange_on_paper_it_starts_one_and_ends_it(profile: Path, capsys: Capture) -> None:
    assert main(["doctor", str(profile), "--state-dir", str(profile.parent / "state")]) == 0
    assert "reach" in capsys.readouterr().out


def test_without_keys_the_venue_is_a_failure_that_names_them(tmp_path: Path, capsys: Capture) -> None:
    words = [str(PROFILE), "--venue", "testnet", "--state-dir", str(tmp_path / "state"), "--json"]
    assert main(["doctor", *words]) == 3
    told = json.loads(capsys.readouterr().out)
    assert "BINANCE_API_KEY_FILE" in told["findings"][-1]["advice"]


@pytest.mark.parametrize(
    ("changed", "verdict", "said"),
    [
        ({}, Verdict.OK, "futures only"),
        ({"enableFutures": False}, Verdict.FAIL, "may not trade futures"),
        ({"enableWithdrawals": True}, Verdict.FAIL, "may withdraw"),
        ({"ipRestrict": False}, Verdict.WARN, "from any address"),
    ],
)
def test_a_live_key_should_do_no_more_than_trade(
    changed: dict[str, bool], verdict: Verdict, said: str
) -> None:
    sound = {"enableFutures": True, "enableWithdrawals": False, "ipRestrict": True}
    (finding,) = restricted(sound | changed)
    assert finding.verdict is verdict
    assert said in finding.observed


def test_an_account_that_may_not_trade_fails() -> None:
    assert failed([may_trade({"canTrade": False})])
    assert not failed([may_trade({"canTrade": True})])
