"""SIGTERM at a bad moment: nothing rests that enters, nothing is unknown, what is held is guarded."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.schema import FILE
from tests.e2e.rig import (
    LONG_FIRST,
    Daemon,
    Venue,
    assert_books_agree,
    assert_no_id_twice,
    assert_nothing_flipped,
    profile,
    role,
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
PATIENT = "execution: {style: ICEBERG, clip_share: 0.3, child_timeout_s: 60, parent_timeout_s: 600}\n"
ENTRIES = {"on": "request", "method": "POST", "where": "/v1/order", "match": {"side": "BUY"}}
STOP_S_MAX = 30.0


class Scene:
    """A venue with its switchboard, a daemon on it, and its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venue = Venue(folder / "venue", MARKET, "--set", "faults=on")
        self.daemon: Daemon

    def run(self, knobs: str = "", *arguments: str) -> Daemon:
        path = profile(self.folder, seed=LONG_FIRST, sl=0.01, tp=0.05)
        path.write_text(path.read_text() + knobs)
        self.daemon = start_daemon(self.venue, path, self.folder / "state", *arguments)
        return self.daemon

    def stopped(self) -> dict[str, Any]:
        """A clean stop within its time, journaled, with books that agree."""
        begun = time.monotonic()
        report = self.daemon.stop()
        assert time.monotonic() - begun < STOP_S_MAX
        reader = JournalReader(self.folder / "state" / FILE)
        assert "CleanStop" in reader.newest(2)[0].facts + reader.newest(2)[1].facts
        reader.close()
        assert_books_agree(report, self.venue)
        assert_nothing_flipped(self.venue)
        assert_no_id_twice(self.venue)
        assert not self.venue.open_orders()
        return report

    def close(self) -> None:
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        self.venue.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


def test_resting_slices_are_taken_back_and_no_slice_follows(scene: Scene) -> None:
    scene.run(PATIENT)
    until(lambda: bool(scene.venue.ready) and bool(scene.venue.open_orders()), 40, "a slice rests")
    sent = len(scene.venue.orders())
    scene.stopped()
    entries = [row for row in scene.venue.orders() if role(row["clientOrderId"]) == "E"]
    assert len(scene.venue.orders()) == sent
    assert {row["status"] for row in entries} == {"CANCELED"}
    assert scene.venue.position() == 0
    assert not scene.venue.stops()


@pytest.mark.parametrize(
    ("accident", "arrives"),
    [
        pytest.param({"do": "delay", "ms": 1500, "accepted": True}, True, id="its answer is late"),
        pytest.param({"do": "reset", "accepted": True}, True, id="its answer is lost"),
        pytest.param({"do": "reset"}, False, id="it never arrived"),
    ],
)
def test_an_entry_on_its_way_is_resolved_and_guarded(
    scene: Scene, accident: dict[str, Any], arrives: bool
) -> None:
    scene.venue.switch("POST", "/rules", ENTRIES | accident | {"name": accident["do"]})
    daemon = scene.run()
    daemon.wait_event("order", 40, role="ENTRY")
    scene.stopped()
    assert scene.venue.fired() == {accident["do"]: 1}
    assert bool(scene.venue.position()) == arrives
    assert scene.venue.protected() == arrives


def test_a_stop_on_its_way_is_waited_for_until_it_is_listed(scene: Scene) -> None:
    stops = {"on": "request", "method": "POST", "where": "/algoOrder", "do": "delay", "ms": 1200, "times": 2}
    scene.venue.switch("POST", "/rules", stops)
    daemon = scene.run()
    daemon.wait_event("order", 40, role="STOP")
    report = scene.stopped()
    assert scene.venue.position() != 0
    assert scene.venue.protected()
    assert report["positions_left"]


def test_flatten_on_exit_leaves_neither_position_nor_stops(scene: Scene) -> None:
    daemon = scene.run("", "--flatten-on-exit")
    daemon.wait_event("bracket", 40, phase="GUARDED")
    scene.stopped()
    assert scene.venue.position() == 0
    assert not scene.venue.stops()
