"""What a day brings, in seconds: the venue ends old connections and forgets listen keys; trading goes on."""

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

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]

CALM = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5}
steps:
  - steady: {seconds: 600, rate: 20}
"""


class Day:
    """A venue with shortened times and a daemon that trades about every second on it."""

    def __init__(self, folder: Path, *switches: str) -> None:
        self.venue = Venue(folder / "venue", CALM, *switches)
        self.daemon = start_daemon(self.venue, profile(folder, every=0.5, hold=0.5), folder / "state")

    def losses(self, stream: str, count: int) -> None:
        """So often the stream was lost, and each time it was had again."""
        for _ in range(count):
            self.daemon.wait_event("stream", 30, stream=stream, up=False)
            self.daemon.wait_event("stream", 15, stream=stream, up=True)

    def trade_on(self) -> None:
        """News of a fill comes over the stream that was had again."""
        self.daemon.wait_event("fill", 15, source="STREAM")
        self.daemon.wait_event("round_trip", 15)

    def reasons(self, stream: str) -> set[str]:
        """Why it was lost, as far as the daemon was listened to."""
        lost = [line for line in self.daemon.lines if line["event"] == "stream" and not line["up"]]
        return {line["why"] for line in lost if line["stream"] == stream}

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
