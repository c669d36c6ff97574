"""Funding falls due while a position is held: the books and the exchange's own income rows say the same."""

import os
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.rig import LONG_FIRST, Venue, assert_books_agree, profile, start_daemon

pytestmark = pytest.mark.timeout(120)

PERIOD_S = 8 * 3_600
SCRIPT = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, funding_rate: 0.0003}
steps:
  - steady: {seconds: 120, rate: 20}
"""
# Both processes believe in another hour of the day: their clock is set before anything of ours is imported.
AHEAD = """
import os, time
ahead = int(os.environ["AHEAD_NS"])
utc, utc_ns = time.time, time.time_ns
time.time = lambda: utc() + ahead / 1e9
time.time_ns = lambda: utc_ns() + ahead
"""


@pytest.fixture
def due_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Our time at which the exchange's next funding falls due, 18 s from now."""
    now = time.time()
    ahead = (int(now) // PERIOD_S + 1) * PERIOD_S - 18 - now
    (tmp_path / "hour").mkdir()
    (tmp_path / "hour" / "sitecustomize.py").write_text(AHEAD)
    paths = [str(tmp_path / "hour"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("AHEAD_NS", str(int(ahead * 1e9)))
    return now + 18


def income(venue: Venue, kind: str) -> Decimal:
    rows = venue.ask("/fapi/v1/income", incomeType=kind, limit=1000)
    return sum((Decimal(row["income"]) for row in rows), Decimal(0))


@pytest.mark.parametrize("alive", [True, False], ids=["while it runs", "while it is dead"])
def test_funding_is_booked_to_the_cent(tmp_path: Path, due_at: float, alive: bool) -> None:
    venue = Venue(tmp_path / "venue", SCRIPT)
    venue.ahead_s = int(os.environ["AHEAD_NS"]) / 1e9
    daemon = start_daemon(venue, profile(tmp_path, seed=LONG_FIRST), tmp_path / "state")
    try:
        daemon.wait_event("bracket", phase="GUARDED")
        assert time.time() < due_at, "entered in time"
        if not alive:
            time.sleep(0.5)  # That it is guarded is on disk, too.
            daemon.kill()
        time.sleep(max(due_at + 1 - time.time(), 0))
        if not alive:
            daemon = start_daemon(venue, profile(tmp_path, seed=LONG_FIRST), tmp_path / "state")
            daemon.wait_event("ready")
        told = daemon.wait_event("cash_flow", label="FUNDING_FEE") if alive else {}
        report = daemon.stop()
        assert Decimal(report["funding"]) == income(venue, "FUNDING_FEE") < 0
        assert not told or Decimal(told["amount"]) == Decimal(report["funding"])
        if alive:  # A report counts from its own start; the commission was paid before.
            assert -Decimal(report["fees"]) == income(venue, "COMMISSION")
        assert_books_agree(report, venue)
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
        venue.close()
