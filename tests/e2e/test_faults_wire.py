"""Accidents on the wire with real processes, judged by the exchange, each ends flat or behind a stop."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import (
    LONG_FIRST,
    Daemon,
    Venue,
    assert_ledger_agrees,
    assert_no_id_twice,
    assert_nothing_flipped,
    profile,
    start_daemon,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]

THIN = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 0.01, levels: 20}
steps:
"""
DEEP = THIN.replace("qty: 0.01", "qty: 5")
CALM = "  - steady: {seconds: %s, rate: 20}\n"
GAP = "  - burst:\n      - {move_bps: -90}\n      - trade: {side: SELL, qty: 1}\n      - mark: 59460\n"
DIP = "  - burst:\n      - {move_bps: -33}\n"  # Through the local level, short of the resting stop.
STOPS = {"on": "request", "method": "POST", "where": "/algoOrder"}
EXITS = {"on": "request", "method": "POST", "where": "/v1/order", "match": {"reduceOnly": "true"}}


class Stage:
    """A venue with its switchboard and a daemon on it; both end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[Daemon] = []
        self.venues: list[Venue] = []

    def play(self, script: str, *rules: dict[str, Any], **knobs: Any) -> tuple[Venue, Daemon]:
        venue = Venue(self.folder / "venue", script, "--set", "faults=on")
        self.venues.append(venue)
        for rule in rules:
            switch(venue, "POST", "/rules", rule)
        daemon = start_daemon(venue, profile(self.folder, seed=LONG_FIRST, **knobs), self.folder / "state")
        self.daemons.append(daemon)
        return venue, daemon


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for daemon in made.daemons:
        if daemon.process.poll() is None:
            daemon.kill()
    for venue in made.venues:
        venue.close()


def switch(venue: Venue, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(venue.ready["control"] + path, method=method, data=data)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def fired(venue: Venue) -> int:
    return sum(row["fired"] for row in switch(venue, "GET", "/rules").values())


def safe(venue: Venue) -> bool:
    return venue.position() == 0 or venue.protected()


def judged(venue: Venue, daemon: Daemon, *, naked_s: float = 3.5) -> dict[str, Any]:
    """Stop it, and hold it to what every accident must leave behind."""
    assert fired(venue) >= 1, "the accident never happened"
    switch(venue, "DELETE", "/rules")
    until(lambda: safe(venue), 4.0, "flat or behind a listed stop")
    report = daemon.stop()
    assert_ledger_agrees(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
    assert safe(venue)
    assert report["unprotected_seconds_max"] <= naked_s, report["unprotected_seconds_max"]
    return report


ACCIDENTS = {
    "ack_lost": {"do": "reset", "accepted": True, "times": 2},
    "never_arrived": {"do": "reset", "accepted": False, "times": 2},
    "timed_out_accepted": {"do": "hang", "ms": 4000, "accepted": True, "times": 1},
    "timed_out": {"do": "hang", "ms": 4000, "accepted": False, "times": 1},
    "503_executed": {
        "do": "answer",
        "status": 503,
        "code": -1000,
        "message": "Unknown error, please check your request or try again later.",
        "accepted": True,
    },
    "503_failed": {"do": "answer", "status": 503, "message": "Service Unavailable.", "times": 2},
    "408_executed": {
        "do": "answer",
        "status": 408,
        "code": -1007,
        "message": "Timeout waiting for response from backend server.",
        "accepted": True,
    },
    "refused_once": {"do": "answer", "status": 400, "code": -1111, "message": "Precision", "times": 2},
}
QUICK = ("ack_lost",)


@pytest.mark.parametrize(
    "accident",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in ACCIDENTS],
)
def test_an_accident_of_the_first_stops_leaves_the_position_guarded(stage: Stage, accident: str) -> None:
    venue, daemon = stage.play(DEEP + CALM % 120, STOPS | ACCIDENTS[accident])
    daemon.wait_event("fill")
    until(venue.protected, 4.0, "a listed stop")
    daemon.wait_event("bracket", phase="GUARDED")
    judged(venue, daemon)
    assert len([row for row in venue.stops() if row["closePosition"]]) <= 1
    assert len([row for row in venue.stops() if not row["closePosition"]]) <= 2


@pytest.mark.slow
def test_stops_that_are_always_refused_end_the_position_within_the_deadline(stage: Stage) -> None:
    rule = {
        "do": "answer",
        "status": 400,
        "code": -4045,
        "message": "Reach max stop order limit.",
        "times": 0,
    }
    venue, daemon = stage.play(DEEP + CALM % 120, STOPS | rule)
    daemon.wait_event("fill")
    until(lambda: venue.position() == 0, 6.0, "flat")
    assert daemon.wait_event("round_trip")["exit_reason"] == "NAKED_DEADLINE"
    judged(venue, daemon, naked_s=4.0)


@pytest.mark.parametrize(
    "accident",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in ACCIDENTS],
)
def test_an_accident_of_the_exit_ends_flat_all_the_same(stage: Stage, accident: str) -> None:
    venue, daemon = stage.play(DEEP + CALM % 5 + DIP + CALM % 120, EXITS | ACCIDENTS[accident])
    daemon.wait_event("bracket", phase="GUARDED")
    daemon.wait_event("round_trip", seconds=40)
    judged(venue, daemon)


def test_turned_back_with_418_during_an_exit_the_resting_stop_ends_the_position(stage: Stage) -> None:
    banned = {"do": "answer", "status": 418, "code": -1003, "message": "Way too many requests", "retry_s": 3}
    script = DEEP + CALM % 5 + DIP + CALM % 1 + GAP + CALM % 120
    venue, daemon = stage.play(script, EXITS | banned)
    daemon.wait_event("bracket", phase="GUARDED")
    until(lambda: any(row["side"] == "SELL" for row in venue.trades()), 20.0, "an exit fill")
    daemon.wait_event("round_trip", seconds=40)
    judged(venue, daemon)


@pytest.mark.slow
def test_an_exchange_exit_beside_a_local_one_and_an_eager_strategy_flip_nothing(stage: Stage) -> None:
    slow = {"do": "delay", "ms": 700, "times": 1}
    script = DEEP + CALM % 5 + DIP + CALM % 0.2 + GAP + CALM % 120
    venue, daemon = stage.play(script, EXITS | slow, every=0.5)
    daemon.wait_event("bracket", phase="GUARDED")
    daemon.wait_event("round_trip", seconds=30)
    daemon.wait_event("bracket", phase="GUARDED", seconds=30)
    judged(venue, daemon)


def drop_after_first_fill(venue: Venue) -> None:
    rule = {"on": "user", "do": "drop", "where": "ORDER_TRADE_UPDATE", "match": {"x": "TRADE"}, "after": 1}
    switch(venue, "POST", "/rules", rule | {"times": 0, "name": "deaf"})


def silent_user_stream(venue: Venue) -> None:
    switch(venue, "POST", "/rules", {"on": "user", "do": "drop", "times": 0})


def doubled_and_late(venue: Venue) -> None:
    switch(venue, "POST", "/rules", {"on": "user", "do": "duplicate", "times": 0, "match": {"x": "TRADE"}})
    switch(venue, "POST", "/rules", {"on": "user", "do": "delay", "ms": 150, "times": 4, "name": "late"})
    switch(venue, "POST", "/rules", {"on": "user", "do": "swap", "times": 3, "name": "swapped"})


@pytest.mark.parametrize(
    "accident",
    [
        silent_user_stream,
        pytest.param(drop_after_first_fill, marks=pytest.mark.slow),
        pytest.param(doubled_and_late, marks=pytest.mark.slow),
    ],
)
def test_a_user_stream_that_lies_or_is_silent_leaves_the_position_guarded(
    stage: Stage, accident: Callable[[Venue], None]
) -> None:
    venue, daemon = stage.play(THIN + CALM % 120, every=3.0)
    daemon.wait_event("ready")
    accident(venue)
    until(lambda: venue.position() != 0, 15.0, "an entry")
    until(venue.protected, 8.0, "a listed stop")
    daemon.wait_event("bracket", phase="GUARDED", seconds=10)
    report = judged(venue, daemon, naked_s=6.0)
    assert report["fills"] == len(venue.trades())


@pytest.mark.parametrize("verb", ["freeze", pytest.param("reset", marks=pytest.mark.slow)])
def test_a_private_line_broken_right_after_the_entry_leaves_the_position_guarded(
    stage: Stage, verb: str
) -> None:
    venue, daemon = stage.play(THIN + CALM % 120)
    daemon.wait_event("order", role="ENTRY")
    assert switch(venue, "POST", f"/{verb}", {"door": "private"})["connections"] >= 1
    until(lambda: venue.position() != 0, 15.0, "the entry")
    until(venue.protected, 8.0, "a listed stop")
    daemon.wait_event("bracket", phase="GUARDED", seconds=10)
    switch(venue, "POST", "/rules", {"on": "user", "do": "delay", "ms": 1, "times": 1})
    until(lambda: safe(venue), 3.0, "safe")
    report = daemon.stop()
    assert_ledger_agrees(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
    assert report["fills"] == len(venue.trades())
    assert Decimal(report["wallet"]["end"]) == venue.wallet()
