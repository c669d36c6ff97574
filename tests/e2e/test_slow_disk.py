"""While the disk stands still for two seconds exits leave, and are on record after; entries wait."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from aurora.model.commands import SubmitOrder
from aurora.model.facts import OrderMoved, SentAhead
from aurora.model.order import OrderStatus, Role
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import Row
from skalp_bot.journal.schema import FILE
from tests.e2e.arena import STOP_BPS, Arena
from tests.e2e.record import Record
from tests.e2e.rig import role, until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(90)]

STILL_S = 2.0
EXIT_WAIT_MS, GRACE_MS = 20, 50


def test_an_exit_overtakes_a_disk_that_stands_still_and_an_entry_does_not(tmp_path: Path) -> None:
    arena = Arena(tmp_path)
    try:
        side = arena.enter()
        arena.resume()  # It may enter again as soon as it is flat and swept.
        with standing_still(tmp_path / "state" / FILE):
            begun_ms = time.time_ns() // 1_000_000
            arena.venue.push(-STOP_BPS * side)
            time.sleep(STILL_S)
            posted = orders_posted(arena, begun_ms)
            assert not rows_since(tmp_path, begun_ms), "the disk was to stand still"
        assert [role(name) for name in posted] == ["X"], posted
        until(lambda: arena.venue.position() != 0, 10.0, "an entry, now that the disk is back")
        arena.pause()
        until(arena.guarded, 4.0, "a listed stop")
        rows = rows_since(tmp_path, begun_ms)
        ((name, left_ms),) = posted.items()
        assert left_ms - decided(rows, name).ts / 1e6 <= EXIT_WAIT_MS + GRACE_MS
        assert sent_ahead(rows, name).id > decided(rows, name).id
        assert_entries_waited(arena, rows, begun_ms)
        Record.of(arena.venue).assert_sound()
        assert "JOURNAL_BROKEN" not in arena.told()
    finally:
        arena.close()


@contextmanager
def standing_still(journal: Path) -> Iterator[None]:
    """While another connection holds the file's write lock, no commit of the daemon's comes to an end."""
    holder = apsw.Connection(str(journal))
    holder.execute("pragma busy_timeout=1000")
    holder.execute("begin immediate")
    try:
        yield
    finally:
        holder.execute("rollback")
        holder.close()


def orders_posted(arena: Arena, since_ms: int) -> dict[str, int]:
    """Regular orders by id, with the exchange's time of their arrival."""
    return {
        row["id"]: row["t_ms"]
        for row in arena.venue.requests()
        if row["method"] == "POST" and row["path"] == "/fapi/v1/order" and row["t_ms"] >= since_ms
    }


def rows_since(folder: Path, since_ms: int) -> list[Row]:
    reader = JournalReader(folder / "state" / FILE)
    try:
        return [row for row in reader.read_rows() if row.ts >= since_ms * 1_000_000]
    finally:
        reader.close()


def decided(rows: list[Row], name: str) -> Row:
    """The step that asked for this order."""
    return next(row for row in rows if name in submitted(row))


def submitted(row: Row, of: Role | None = None) -> list[str]:
    orders = [command for command in row.commands_given if isinstance(command, SubmitOrder)]
    return [each.key.client_id for each in orders if of in (None, each.approved.intent.role)]


def sent_ahead(rows: list[Row], name: str) -> Row:
    """The fact of the shell's own that says so."""
    facts = ((row, fact) for row in rows for fact in row.facts_concluded if isinstance(fact, SentAhead))
    return next(row for row, fact in facts if fact.key.client_id == name)


def assert_entries_waited(arena: Arena, rows: list[Row], begun_ms: int) -> None:
    """Some entry was decided while the disk stood still, none of these left, and each was turned back."""
    until_ns = (begun_ms + (STILL_S - 0.5) * 1000) * 1e6
    waited = [name for row in rows if row.ts < until_ns for name in submitted(row, Role.ENTRY)]
    assert waited, "no entry was decided while the disk stood still"
    assert not set(waited) & set(orders_posted(arena, begun_ms))
    ends = {
        fact.key.client_id: fact.status
        for row in rows
        for fact in row.facts_concluded
        if isinstance(fact, OrderMoved)
    }
    assert {ends.get(name) for name in waited} == {OrderStatus.NOT_SENT}
