"""kill -9 at every stage of a trade: the next start finds one position, one stop, one ledger."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.rig import (
    LONG_FIRST,
    Daemon,
    Venue,
    assert_ledger_agrees,
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


def after_entry_sent(daemon: Daemon) -> None:
    daemon.wait_event("order", role="ENTRY")


def after_entry_arrived(daemon: Daemon) -> None:
    daemon.wait_event("order", role="ENTRY")
    until(lambda: bool(daemon.venue.orders()), 5.0, "the entry at the exchange")


def after_first_fill(daemon: Daemon) -> None:
    daemon.wait_event("fill")


def after_stop_sent(daemon: Daemon) -> None:
    daemon.wait_event("order", role="STOP")


def while_guarded(daemon: Daemon) -> None:
    daemon.wait_event("bracket", phase="GUARDED")


def while_exiting(daemon: Daemon) -> None:
    daemon.wait_event("order", role="EXIT")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    made = Venue(tmp_path / "venue", CALM)
    yield made
    made.close()


@pytest.mark.parametrize(
    "moment",
    [after_entry_sent, after_entry_arrived, after_first_fill, after_stop_sent, while_guarded, while_exiting],
)
def test_a_killed_daemon_resumes_where_the_exchange_is(
    venue: Venue, tmp_path: Path, moment: Callable[[Daemon], None]
) -> None:
    state = tmp_path / "state"
    exiting = moment is while_exiting
    one = profile(tmp_path, seed=LONG_FIRST, hold=1.5 if exiting else 86_400.0)
    first = start_daemon(venue, one, state)
    moment(first)
    first.kill()
    time.sleep(0.2)  # What was on the wire arrives.
    held = venue.position()
    entries = [o["clientOrderId"] for o in venue.orders() if role(o["clientOrderId"]) == "E"]
    second = start_daemon(venue, profile(tmp_path, seed=LONG_FIRST), state)
    try:
        if held:
            until(
                venue.protected, 3.0 - (time.monotonic() - second.born), "a listed stop within 3 s of start"
            )
        second.wait_event("ready")
        assert venue.position() == held or exiting
        if held and not exiting:
            now = [o["clientOrderId"] for o in venue.orders() if role(o["clientOrderId"]) == "E"]
            assert now == entries, "no second entry"
        report = second.stop()
    finally:
        if second.process.poll() is None:
            second.kill()
    assert_ledger_agrees(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
    assert report["trading_state"] == "ACTIVE"
    assert len(entries) <= 1
    assert Decimal(report["wallet"]["end"]) == venue.wallet()


@pytest.mark.slow
def test_killed_again_and_again_it_still_adds_up(venue: Venue, tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = profile(tmp_path, seed=LONG_FIRST, hold=1.0)
    for moment in (after_first_fill, while_exiting, after_stop_sent, after_entry_sent):
        daemon = start_daemon(venue, one, state)
        moment(daemon)
        daemon.kill()
    last = start_daemon(venue, one, state)
    last.wait_event("round_trip", seconds=40)
    report = last.stop()
    assert_ledger_agrees(report, venue)
    assert_nothing_flipped(venue)
    assert_no_id_twice(venue)
