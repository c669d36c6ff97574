"""Every style of slicing on the wire: the exchange takes the children, and what fills is guarded."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

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

BUSY = """
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 0.02}
steps:
  - steady: {seconds: 300, rate: 20, trades_every: 2}
"""
STYLES = {
    "CHASE": "{style: CHASE, chases_max: 3, requote_ms: 300, child_timeout_s: 2, parent_timeout_s: 8}",
    "ICEBERG": "{style: ICEBERG, clip_share: 0.3, child_timeout_s: 2, parent_timeout_s: 6}",
    "PARTICIPATE": "{style: PARTICIPATE, participation: 0.2, parent_timeout_s: 6}",
    "TWAP": "{style: TWAP, twap_slices: 3, twap_interval_s: 0.5, twap_jitter: 0.5}",
}


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    made = Venue(tmp_path / "venue", BUSY)
    yield made
    made.close()


def entries(venue: Venue) -> list[dict[str, Any]]:
    return [row for row in venue.orders() if role(row["clientOrderId"]) == "E"]


@pytest.mark.parametrize(
    "style",
    [pytest.param(name, marks=[] if name == "CHASE" else [pytest.mark.slow]) for name in STYLES],
)
def test_a_sliced_entry_fills_and_is_guarded(venue: Venue, tmp_path: Path, style: str) -> None:
    chosen = profile(tmp_path, seed=LONG_FIRST, sl=0.01, tp=0.05)
    chosen.write_text(chosen.read_text() + f"execution: {STYLES[style]}\n")
    daemon: Daemon = start_daemon(venue, chosen, tmp_path / "state")
    try:
        over = daemon.wait_event("parent", seconds=40)
        until(venue.protected, 3.0, "a listed stop")
        held = venue.position()
        report = daemon.stop()
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
    filled = sum((Decimal(row["executedQty"]) for row in entries(venue)), Decimal(0))
    assert filled == held == Decimal(over["filled"]) > 0
    assert not venue.open_orders()
    if style in ("CHASE", "ICEBERG"):
        assert entries(venue)[0]["timeInForce"] == ("GTX" if style == "CHASE" else "GTC")
        assert any(row["maker"] for row in venue.trades()) or len(entries(venue)) > 1
    else:
        assert len(entries(venue)) > 1
    assert_books_agree(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
