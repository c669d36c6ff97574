"""Verbs where no daemon runs: the lock, the journal and the exchange are theirs, and they never enter."""

import json
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import (
    LONG_FIRST,
    PYTHON,
    ROOT,
    Venue,
    ask_daemon,
    assert_no_id_twice,
    assert_nothing_flipped,
    profile,
    role,
    start_daemon,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]

CALM = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5}
steps:
  - steady: {seconds: 300, rate: 20}
"""
EAGER = 0.5  # Seconds between the entries a strategy would like to send.


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    made = Venue(tmp_path / "venue", CALM)
    yield made
    made.close()


@pytest.fixture
def state(venue: Venue, tmp_path: Path) -> Path:
    """What a daemon leaves that was killed while it held a position behind its stops."""
    found = tmp_path / "state"
    daemon = start_daemon(venue, profile(tmp_path, seed=LONG_FIRST, every=EAGER), found)
    try:
        daemon.wait_event("bracket", phase="GUARDED")
        until(venue.protected, 5, "a listed stop")
    finally:
        daemon.kill()
    return found


def entries(venue: Venue) -> list[str]:
    return [row["clientOrderId"] for row in venue.orders() if role(row["clientOrderId"]) == "E"]


def left(venue: Venue, client_id: str) -> None:
    """An order far from the market, as somebody sent it."""
    venue.ask(
        "/fapi/v1/order",
        "POST",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.010",
        price="58000",
        newClientOrderId=client_id,
    )


def offline(state: Path) -> dict[str, Any]:
    code, told = ask_daemon(state, "status")
    assert code == 0, told
    return dict(told)


def test_flatten_closes_what_a_killed_daemon_left_and_proves_it(venue: Venue, state: Path) -> None:
    held, before = venue.position(), entries(venue)
    assert held > 0
    run = json.loads((state / "run.json").read_text())
    (state / "run.json").write_text(json.dumps(run | {"exchange": None, "resume_exchange": False}))
    code, told = ask_daemon(state, "flatten")
    assert (code, told["trading_state"]) == (3, "HALTED")
    assert "the paper exchange of that run ended with it" in told["error"]
    assert "no position was closed" in told["error"]
    words = ["flatten", "--reason", "enough", "--exchange", str(venue.ready_file)]
    code, told = ask_daemon(state, *words)
    assert (code, told["verified"], told["trading_state"]) == (0, True, "HALTED")
    assert (told["listing"]["positions"], told["drift_open"]) == ([], 0)
    assert venue.position() == 0
    assert venue.stops() == venue.open_orders() == []
    assert entries(venue) == before
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
    shown = offline(state)
    assert (shown["trading"]["reason"], shown["stopped_cleanly"]) == ("enough", True)
    assert Decimal(shown["wallet"]) == venue.wallet()
    code, chain = ask_daemon(state, "ledger")
    assert (code, chain["positions"]) == (0, [])


def test_verbs_leave_the_position_behind_its_stop_and_others_orders_alone(
    venue: Venue, state: Path, tmp_path: Path
) -> None:
    held, before = venue.position(), entries(venue)
    stops = sorted(stop["clientAlgoId"] for stop in venue.stops())
    left(venue, f"{before[0].split('-')[0]}-zz-1-0E")
    left(venue, "somebody-else")
    code, told = ask_daemon(state, "cancel")
    assert (code, told["open_entries"], told["trading_state"]) == (0, [], "ACTIVE")
    assert [row["clientOrderId"] for row in venue.open_orders()] == ["somebody-else"]
    assert sorted(stop["clientAlgoId"] for stop in venue.stops()) == stops
    code, told = ask_daemon(state, "pause", "--reason", "lunch")
    assert (code, told["trading_state"], told["verified"]) == (0, "REDUCING", True)
    code, refused = ask_daemon(state, "resume", "H-9", "--reason", "wrong name")
    assert code == 1
    assert told["halt_id"] in refused["error"]
    code, again = ask_daemon(state, "resume", told["halt_id"], "--reason", "back")
    assert (code, again["trading_state"]) == (0, "ACTIVE")
    code, told = ask_daemon(state, "halt")
    assert code == 0
    daemon = start_daemon(venue, profile(tmp_path, seed=LONG_FIRST, every=EAGER), state)
    line = daemon.wait_event("ready")
    assert (line["trading_state"], line["halt_id"]) == ("HALTED", told["halt_id"])
    report = daemon.stop()
    assert (report["orders"]["unknown"], report["drift"]["open"]) == (0, 0)
    kept = [row for row in entries(venue) if "-zz-" not in row and row != "somebody-else"]
    assert (venue.position(), venue.protected(), kept) == (held, True, before)


def test_a_halt_holds_although_the_exchange_is_gone(venue: Venue, state: Path) -> None:
    venue.process.terminate()
    venue.process.wait(10)
    code, told = ask_daemon(state, "halt", "--reason", "fire")
    assert (code, told["trading_state"], told["verified"]) == (3, "HALTED", False)
    assert told["error"].startswith(f"HALTED {told['halt_id']} is journaled; the exchange was not reached")
    shown = offline(state)
    assert (shown["trading"]["state"], shown["trading"]["reason"]) == ("HALTED", "fire")
    assert shown["stopped_cleanly"] is False
    code, told = ask_daemon(state, "resume", told["halt_id"], "--reason", "fire is out")
    assert (code, told["trading_state"]) == (3, "ACTIVE")
    assert offline(state)["trading"]["state"] == "ACTIVE"


def test_an_exchange_kept_in_the_state_directory_is_started_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = ["run", "--profile", str(profile(tmp_path, every=EAGER)), "--state-dir", str(state)]
    log = tmp_path / "log"
    with log.open("wb") as told:
        daemon = subprocess.Popen([*PYTHON, *words], cwd=ROOT, stdout=told, stderr=told)
    try:
        until(lambda: b'"GUARDED"' in log.read_bytes(), 30, "a protected position")
    finally:
        daemon.kill()
        daemon.wait(10)
    code, told_now = ask_daemon(state, "flatten")
    assert (code, told_now["verified"], told_now["listing"]["positions"]) == (0, True, [])
