"""What a day brings, in seconds: the venue ends old connections and forgets listen keys; trading goes on."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import (
    Venue,
    assert_books_agree,
    assert_no_id_twice,
    assert_nothing_flipped,
    profile,
    start_daemon,
)

pytestmark = pytest.mark.timeout(120)

MARKET = """
symbols:
  BTCUSDT: {{price: 60000, spread: 0.1, qty: 5}}
steps:
  - steady: {{seconds: {seconds}, rate: 20}}
"""


class Day:
    """A venue with shortened times and a daemon that trades about every second on it."""

    def __init__(self, folder: Path, *switches: str, seconds: int = 600, knobs: str = "") -> None:
        self.venue = Venue(folder / "venue", MARKET.format(seconds=seconds), *switches)
        told = profile(folder, every=0.5, hold=0.5)
        told.write_text(told.read_text() + knobs)
        self.daemon = start_daemon(self.venue, told, folder / "state")

    def losses(self, stream: str, count: int) -> None:
        """So often the stream was lost, and each time it was had again."""
        for _ in range(count):
            self.daemon.wait_event("stream", 30, stream=stream, up=False)
            self.daemon.wait_event("stream", 15, stream=stream, up=True)

    def trade_on(self) -> None:
        """News of a fill comes over the stream that was had again."""
        self.daemon.wait_event("fill", 15, source="STREAM")
        self.daemon.wait_event("round_trip", 15)

    def frames(self) -> dict[str, int]:
        """Quotes as the venue counted them."""
        return dict(self.venue.ask("/paper/v1/stats")["bookTicker"])

    def market_is_over(self, seconds: float) -> None:
        """Wait until no quote comes any more."""
        end = time.monotonic() + seconds
        before: dict[str, int] = {}
        while (now := self.frames()) != before:
            assert time.monotonic() < end, now
            before = now
            time.sleep(1.0)

    def reasons(self, stream: str) -> set[str]:
        """Why it was lost, as far as the daemon was listened to."""
        lost = [line for line in self.daemon.lines if line["event"] == "stream" and not line["up"]]
        return {line["why"] for line in lost if line["stream"] == stream}

    def told(self, event: str) -> list[dict[str, Any]]:
        """Every line of that kind, to the end of the run."""
        lines = [json.loads(line) for line in self.daemon.raw if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def close(self) -> None:
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        self.venue.close()

    def ended(self) -> dict[str, Any]:
        """A clean stop, and books in which nothing the venue did is missing."""
        report = self.daemon.stop()
        assert report["fills"] == len(self.venue.trades())
        assert report["round_trips"] >= 2
        assert_books_agree(report, self.venue)
        assert_nothing_flipped(self.venue)
        assert_no_id_twice(self.venue)
        return report


def test_connections_are_relieved_before_the_cut_and_no_event_is_lost(tmp_path: Path) -> None:
    """The venue cuts after 9 s; every 2 s and a little more, a young connection relieves the old one."""
    day = Day(tmp_path, "--set", "lifetime_ms=9000", seconds=25, knobs="upkeep: {connection_life_s: 2.0}\n")
    try:
        day.daemon.wait_event("ready", 40)
        day.market_is_over(60)
        report = day.ended()
        frames = day.frames()
    finally:
        day.close()
    lost = [line for line in day.told("stream") if not line["up"]]
    assert lost == []
    assert report["ticks"] + report["ticks_conflated"] == frames["frames"] - frames["dropped"]
    assert frames["sent"] > frames["frames"]  # Some were sent twice, so two connections listened.
    assert report["drift"]["found"] == 0


def test_the_cut_at_the_age_limit_loses_no_event(tmp_path: Path) -> None:
    day = Day(tmp_path, "--set", "lifetime_ms=4000")
    try:
        day.daemon.wait_event("ready", 40)
        day.losses("USER", 2)
        day.trade_on()
        report = day.ended()
    finally:
        day.close()
    assert day.reasons("USER") >= {"NetworkError: Connection closed by remote server, closing code 1001"}
    assert report["drift"]["found"] == report["drift"]["repaired"]


def test_an_expired_listen_key_loses_no_event(tmp_path: Path) -> None:
    day = Day(tmp_path, "--set", "listen_key_ms=4000")
    try:
        day.daemon.wait_event("ready", 40)
        day.losses("USER", 2)
        day.trade_on()
        report = day.ended()
    finally:
        day.close()
    assert day.reasons("USER") == {"NetworkError: the listen key expired"}
    assert report["drift"]["found"] == report["drift"]["repaired"]
