"""Trades from signal to reconciled books, in real processes, judged by what the exchange shows."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import (
    LONG_FIRST,
    SHORT_FIRST,
    Daemon,
    Venue,
    ask_daemon,
    assert_books_agree,
    assert_no_id_twice,
    assert_nothing_flipped,
    profile,
    start_daemon,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]

HEAD = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5}
steps:
"""
CALM = "  - steady: {seconds: %s, rate: 20}\n"
MOVE = "  - ramp: {move_bps: %s, seconds: 0.2, rate: 50}\n"


class Stage:
    """A venue with a script and a daemon on it; both end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venue: Venue | None = None
        self.daemons: list[Daemon] = []

    def play(self, script: str, *arguments: str, **knobs: Any) -> tuple[Venue, Daemon]:
        self.venue = Venue(self.folder / "venue", HEAD + script)
        return self.venue, self.run(self.venue, *arguments, **knobs)

    def run(self, venue: Venue, *arguments: str, **knobs: Any) -> Daemon:
        daemon = start_daemon(venue, profile(self.folder, **knobs), self.folder / "state", *arguments)
        self.daemons.append(daemon)
        return daemon

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.kill()
        if self.venue is not None:
            self.venue.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def entered(daemon: Daemon) -> dict[str, Any]:
    """Wait until a position is behind a listed stop."""
    return daemon.wait_event("bracket", phase="GUARDED")


def test_long_and_short_each_take_profit_and_are_each_stopped_out(stage: Stage) -> None:
    # The exercise alternates: LONG up, SHORT up, LONG down, SHORT down.
    moves = "".join(MOVE % bps + CALM % 3 for bps in (45, 45, -45, -45))
    venue, daemon = stage.play(CALM % 5 + moves + CALM % 60, seed=LONG_FIRST)
    trips = [daemon.wait_event("round_trip") for _ in range(4)]
    report = daemon.stop()
    assert [trip["exit_reason"] for trip in trips] == [
        "TAKE_PROFIT",
        "STOP_LOSS",
        "STOP_LOSS",
        "TAKE_PROFIT",
    ]
    assert [Decimal(trip["realized"]) > 0 for trip in trips] == [True, False, False, True]
    assert report["round_trips"] >= 4
    assert report["fills"] == len(venue.trades())
    assert Decimal(report["fees"]) == sum(Decimal(row["commission"]) for row in venue.trades())
    assert Decimal(report["realized_pnl"]) == sum(Decimal(row["realizedPnl"]) for row in venue.trades())
    assert_books_agree(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(LONG_FIRST, id="LONG"), pytest.param(SHORT_FIRST, id="SHORT", marks=pytest.mark.slow)],
)
def test_a_spike_of_one_frame_in_a_burst_still_fires_the_stop(stage: Stage, seed: int) -> None:
    spike = -80 if seed == LONG_FIRST else 80
    burst = f"  - burst:\n      - {{move_bps: {spike}}}\n      - {{mid: 60000.05}}\n"
    venue, daemon = stage.play(CALM % 5 + burst + CALM % 60, seed=seed, tp=0.02)
    opened = entered(daemon)
    trip = daemon.wait_event("round_trip")
    assert trip["exit_reason"] == "STOP_LOSS"
    assert Decimal(opened["stop"]) != Decimal(opened["entry"])
    report = daemon.stop()
    assert_books_agree(report, venue)
    assert_nothing_flipped(venue)
    first_exit = next(order for order in venue.orders() if order["clientOrderId"].endswith("X"))
    assert abs(Decimal(first_exit["avgPrice"]) - 60_000) < 60, "it left at the price after the spike"


def test_local_exit_and_resting_stop_fire_together_and_nothing_flips(stage: Stage) -> None:
    # Quote and print jump through the local level and the resting stop in one instant.
    drop = "  - burst:\n      - {move_bps: -60}\n      - trade: {side: SELL, qty: 1}\n      - mark: 59640\n"
    venue, daemon = stage.play(CALM % 5 + drop + "  - mark: follow\n" + CALM % 60, seed=LONG_FIRST)
    entered(daemon)
    daemon.wait_event("round_trip")
    daemon.wait_event("bracket", phase="GUARDED")  # It re-entered at once, as it wished to.
    report = daemon.stop()
    assert report["round_trips"] >= 1
    assert_books_agree(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
    assert venue.protected()


def test_a_clean_stop_leaves_the_position_behind_a_listed_stop(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=SHORT_FIRST)
    entered(daemon)
    report = daemon.stop()
    assert venue.position() < 0
    assert venue.protected()
    assert report["trading_state"] == "ACTIVE"
    assert daemon.raw[-1].find('"exit_code":0') > 0
    assert_books_agree(report, venue)


def test_flatten_on_exit_leaves_nothing_behind_and_no_halt(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, "--flatten-on-exit", seed=LONG_FIRST)
    entered(daemon)
    report = daemon.stop()
    assert venue.position() == 0
    assert report["trading_state"] == "ACTIVE"
    assert_books_agree(report, venue)


def test_duration_counts_from_ready_and_the_report_adds_up(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, "--duration", "4s", seed=LONG_FIRST)
    daemon.wait_event("ready")
    report = daemon.end(40)
    assert 4.0 <= report["duration_s"] < 12.0
    assert report["ticks"] > 50
    assert report["symbols"] == ["BTCUSDT"]
    arrived = report["ticks"] + report["ticks_conflated"]
    assert arrived <= report["tape"]["sent"] <= arrived + 5, (
        "what was sent and not read is on its way at most"
    )
    assert report["latency_us"]["tick_to_decision"]["p99"] > 0
    assert_books_agree(report, venue)


def test_an_operator_halts_flattens_and_resumes_over_the_socket(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=LONG_FIRST)
    entered(daemon)
    code, status = ask_daemon(daemon.state_dir, "status")
    assert code == 0, status
    assert status["trading"]["state"] == "ACTIVE"
    assert status["symbols"][0]["bracket"]["stop_listed"] is True
    code, answer = ask_daemon(daemon.state_dir, "flatten")
    assert code == 0, answer
    assert answer["verified"] is True
    assert answer["listing"]["positions"] == []
    assert venue.position() == 0
    code, refused = ask_daemon(daemon.state_dir, "resume", "H0-0", "--reason", "guess")
    assert code != 0, refused
    code, resumed = ask_daemon(daemon.state_dir, "resume", answer["halt_id"], "--reason", "drill over")
    assert code == 0, resumed
    entered(daemon)
    assert venue.position() != 0
    assert_books_agree(daemon.stop(), venue)


def test_a_pause_lets_no_entry_through_and_survives_a_restart(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=LONG_FIRST, hold=1.0)
    daemon.wait_event("round_trip")
    code, answer = ask_daemon(daemon.state_dir, "pause")
    assert code == 0, answer
    until(lambda: venue.position() == 0, 10, "flat")
    daemon.kill()
    before = len(venue.trades())
    again = stage.run(venue, seed=LONG_FIRST, hold=1.0)
    again.wait_event("ready")
    again.wait_event("denied", reason="TRADING_STATE")
    assert len(venue.trades()) == before
    report = again.stop()
    assert report["trading_state"] == "REDUCING"
    assert_books_agree(report, venue)


def test_a_second_daemon_on_the_same_state_is_refused(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=LONG_FIRST)
    daemon.wait_event("ready")
    second = stage.run(venue, seed=LONG_FIRST)
    assert second.process.wait(30) == 1
    assert "in use by process" in second.tail() or "in use by process" in json.dumps(second.raw)
    assert daemon.process.poll() is None


@pytest.mark.slow
def test_a_venue_that_is_not_there_is_refused_with_its_address(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 10, seed=LONG_FIRST)
    daemon.wait_event("ready")
    daemon.stop()
    venue.process.kill()
    venue.process.wait()
    late = stage.run(venue, seed=LONG_FIRST)
    assert late.process.wait(30) == 3
    assert "127.0.0.1" in "\n".join(late.raw)


def test_a_position_closed_by_hand_is_followed_and_the_books_agree(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=LONG_FIRST)
    entered(daemon)
    held = venue.position()
    venue.ask("/fapi/v1/order", "POST", symbol="BTCUSDT", side="SELL", type="MARKET", quantity=held)
    daemon.wait_event("round_trip", exit_reason="EXCHANGE_STOP")
    ours = "ska1-"
    until(
        lambda: not [stop for stop in venue.stops() if stop["side"] == "SELL"],
        5,
        "the stops of the closed position are gone",
    )
    report = daemon.stop()
    strangers = [order for order in venue.orders() if not order["clientOrderId"].startswith(ours)]
    assert len(strangers) == 1
    assert_books_agree(report, venue)
    assert_no_id_twice(venue)


def test_a_stop_cancelled_by_hand_stands_again_within_three_seconds(stage: Stage) -> None:
    venue, daemon = stage.play(CALM % 120, seed=SHORT_FIRST)
    entered(daemon)
    for stop in venue.stops():
        venue.ask("/fapi/v1/algoOrder", "DELETE", algoId=stop["algoId"])
    until(venue.protected, 3.0, "a listed stop")
    daemon.wait_event("unprotected")
    report = daemon.stop()
    assert report["unprotected_seconds_max"] <= 3
    assert venue.position() < 0
    assert_books_agree(report, venue)
