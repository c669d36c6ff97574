"""What the exchange lists changes while a run goes on: filters, a halt, a symbol that is gone."""

import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import (
    PYTHON,
    ROOT,
    SYMBOL,
    Daemon,
    Venue,
    assert_books_agree,
    assert_nothing_flipped,
    profile,
    start_daemon,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]

MARKET = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5}
steps:
  - steady: {seconds: 600, rate: 20}
"""
COARSE_STEP = {
    "filters": [
        {"filterType": "LOT_SIZE", "stepSize": "0.005", "minQty": "0.005"},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.005", "minQty": "0.005"},
    ]
}
ODD_TICK = {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "1.70"}]}  # Neither stop lies on it.
HALTED, TRADING = {"status": "BREAK"}, {"status": "TRADING"}


class Floor:
    """A venue whose listing a story changes, and a daemon on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venue = Venue(folder / "venue", MARKET, "--set", "faults=on")
        self.daemons: list[Daemon] = []

    def relist(self, changes: dict[str, Any]) -> None:
        self.venue.switch("POST", "/symbols", {"symbol": SYMBOL, **changes})

    def profile(self, symbols: str = SYMBOL, *, every: float = 1.0, hold: float = 0.5) -> Path:
        path = profile(self.folder, every=every, hold=hold)
        text = path.read_text().replace(f"symbols: [{SYMBOL}]", f"symbols: [{symbols}]")
        path.write_text(text + "upkeep: {reload_s: 2}\n")
        return path

    def run(self, profile_file: Path) -> Daemon:
        daemon = start_daemon(self.venue, profile_file, self.folder / "state")
        self.daemons.append(daemon)
        return daemon

    def refused_start(self, profile_file: Path) -> str:
        """What a start says that is refused with exit code 3."""
        words = [*PYTHON, "run", "--profile", str(profile_file), "--exchange", str(self.venue.ready_file)]
        words += ["--state-dir", str(self.folder / "state")]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3, done.stdout + done.stderr
        return done.stderr

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.kill()
        self.venue.close()


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    made = Floor(tmp_path)
    yield made
    made.close()


def test_other_steps_of_quantity_are_learnt_from_the_first_refusal(floor: Floor) -> None:
    path = floor.profile()
    path.write_text(path.read_text().replace("reload_s: 2", "reload_s: 3600"))
    daemon = floor.run(path)
    daemon.wait_event("round_trip", 40)
    floor.relist(COARSE_STEP)
    before = {row["orderId"] for row in floor.venue.orders()}
    daemon.wait_event("alert", 15, code="ENTRY_FAILED")
    daemon.wait_event("round_trip", 30)
    report = daemon.stop()
    later = [row for row in floor.venue.orders() if row["orderId"] not in before]
    assert later
    assert all(not Decimal(row["origQty"]) % Decimal("0.005") for row in later), later
    assert_books_agree(report, floor.venue)
    assert_nothing_flipped(floor.venue)


def test_a_position_off_the_new_steps_is_closed_whole(floor: Floor) -> None:
    path = floor.profile(hold=3.0)
    path.write_text(path.read_text().replace("reload_s: 2", "reload_s: 3600"))
    daemon = floor.run(path)
    daemon.wait_event("bracket", 40, phase="GUARDED")
    assert floor.venue.position() % Decimal("0.005") != 0
    floor.relist(COARSE_STEP)
    daemon.wait_event("round_trip", 20)
    assert_books_agree(daemon.stop(), floor.venue)
    assert_nothing_flipped(floor.venue)


def test_another_tick_is_learnt_from_the_first_stop_refused(floor: Floor) -> None:
    path = floor.profile(hold=86_400.0)
    path.write_text(path.read_text().replace("reload_s: 2", "reload_s: 3600"))
    daemon = floor.run(path)
    daemon.wait_event("ready", 40)
    floor.relist(ODD_TICK)
    daemon.wait_event("order_moved", 30, status="REJECTED", code=-4014)
    daemon.wait_event("bracket", 10, phase="GUARDED")
    until(lambda: len(floor.venue.stops()) == 2, 15, "both stops rest")
    report = daemon.stop()
    stops = floor.venue.stops()
    assert all(not Decimal(stop["triggerPrice"]) % Decimal("1.70") for stop in stops), stops
    assert floor.venue.protected()
    assert report["unprotected_seconds_max"] <= 3


def test_a_halt_refuses_entries_and_the_exits_are_tried_until_it_ends(floor: Floor) -> None:
    daemon = floor.run(floor.profile(hold=3.0))
    daemon.wait_event("bracket", 40, phase="GUARDED")
    floor.relist(HALTED)
    daemon.wait_event("alert", 15, code="NOT_TRADING")
    daemon.wait_event("order_moved", 15, status="REJECTED", code=-4140)
    assert floor.venue.position() != 0
    floor.relist(TRADING)
    daemon.wait_event("round_trip", 30)
    floor.relist(HALTED)
    denied = daemon.wait_event("denied", 30, reason="INSTRUMENT")
    assert denied["role"] == "ENTRY"
    floor.relist(TRADING)
    daemon.wait_event("fill", 30)
    report = daemon.stop()
    assert_books_agree(report, floor.venue)
    assert_nothing_flipped(floor.venue)


def test_a_symbol_that_is_not_listed_is_left_out_and_the_others_trade(floor: Floor) -> None:
    daemon = floor.run(floor.profile(f"{SYMBOL}, GONEUSDT"))
    told = daemon.wait_event("alert", 40, code="NOT_TRADING")
    assert "GONEUSDT is not listed" in told["message"]
    daemon.wait_event("round_trip", 40)
    assert_books_agree(daemon.stop(), floor.venue)


def test_a_start_with_nothing_to_trade_is_refused_unless_a_position_is_held(floor: Floor) -> None:
    assert "GONEUSDT is not listed" in floor.refused_start(floor.profile("GONEUSDT"))
    path = floor.profile(hold=86_400.0)
    floor.relist(HALTED)
    assert f"{SYMBOL} does not trade" in floor.refused_start(path)
    floor.relist(TRADING)
    first = floor.run(path)
    first.wait_event("bracket", 40, phase="GUARDED")
    first.kill()
    floor.relist(HALTED)
    second = floor.run(path)
    second.wait_event("ready", 40)
    report = second.stop()
    assert report["positions_left"]
    assert floor.venue.protected()
