"""The journal's writer: what is promised durable is, and a disk that fails is never believed again."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from aurora.model.control import TradingState
from aurora.model.facts import EpochTaken, TradingStateChanged
from aurora.model.numbers import Nanos
from skalp_bot.clock import SystemClock
from skalp_bot.journal.lock import held
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import EPOCH_ZERO, next_epoch
from skalp_bot.journal.sqlite import Limits, RowTicket, open_journal
from skalp_bot.ports import Journal, JournalError
from tests.journal_kit import ACCOUNT, Books, Disk, epoch, failing_disk, journal, quiet_step, step

NOW = Nanos(1_790_000_000 * 1_000_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def test_steps_come_back_as_they_were_and_in_order(path: Path) -> None:
    async def write() -> None:
        book = journal(path)
        tickets = [book.append(step(n)) for n in range(1, 601)]
        assert not any(ticket.durable for ticket in tickets)
        await tickets[-1].wait()
        assert all(ticket.durable for ticket in tickets)
        assert book.stats.rows == 600
        assert book.stats.commits < 10
        await book.close()

    asyncio.run(write())
    reader = JournalReader(path)
    rows = list(reader.read_rows())
    assert [row.id for row in rows] == list(range(1, 601))
    assert [row.events for row in rows] == [(step(n).event,) for n in range(1, 601)]
    assert [row.facts_concluded for row in rows] == [step(n).facts for n in range(1, 601)]
    assert reader.verify_chain() == 600
    reader.close()


def test_a_step_that_decides_nothing_is_no_row(path: Path) -> None:
    async def write() -> None:
        book = journal(path)
        ticket = book.append(quiet_step(1))
        assert ticket.durable
        await ticket.wait()
        await book.close()

    asyncio.run(write())
    assert list(JournalReader(path).read_rows()) == []


def asked(ticket: RowTicket) -> RowTicket:
    """A row that somebody waits for, which begins a commit when none is under way."""
    ticket.when_settled(lambda: None)
    return ticket


def test_rows_that_nobody_waits_for_are_committed_together_a_moment_later(path: Path) -> None:
    async def write() -> list[tuple[int, bool]]:
        book = journal(path, limits=Limits(linger_s=0.05))
        tickets = [book.append(step(1))]
        await asyncio.sleep(0.02)
        tickets.append(book.append(step(2)))
        seen = [(book.stats.commits, tickets[1].durable)]
        async with asyncio.timeout(5.0):
            while not all(ticket.durable for ticket in tickets):
                await asyncio.sleep(0.001)
        seen.append((book.stats.commits, tickets[0].durable))
        await book.close()
        return seen

    assert asyncio.run(write()) == [(0, False), (1, True)]


@pytest.mark.parametrize("busy", [False, True], ids=["at rest", "behind a commit"])
def test_a_row_that_somebody_waits_for_takes_all_before_it_along_at_once(path: Path, busy: bool) -> None:
    async def write() -> tuple[int, bool]:
        book = journal(path, limits=Limits(linger_s=60.0, delay=lambda: 0.01))
        if busy:
            asked(book.append(step(1)))
        quiet = book.append(step(2))
        async with asyncio.timeout(5.0):
            await book.append(step(3)).wait()
        told = book.stats.commits, quiet.durable
        await book.close()
        return told

    assert asyncio.run(write()) == (1 + busy, True)


def test_a_halt_does_not_linger_although_nobody_waits_for_it(path: Path) -> None:
    halted = TradingStateChanged(
        state=TradingState.HALTED, halt_id="h1", by="test", reason="", flatten=False, at=Nanos(1)
    )

    async def write() -> None:
        book = journal(path, limits=Limits(linger_s=60.0))
        ticket = book.append(step(1)._replace(facts=(halted,)))
        async with asyncio.timeout(5.0):
            while not ticket.durable:
                await asyncio.sleep(0.001)
        await book.close()

    asyncio.run(write())


def test_a_row_that_is_asked_for_late_begins_then(path: Path) -> None:
    async def write() -> int:
        book = journal(path, limits=Limits(linger_s=60.0))
        await book.append(step(1)).wait()
        quiet = book.append(step(2))
        await asyncio.sleep(0.02)
        assert not quiet.durable
        async with asyncio.timeout(5.0):
            await quiet.wait()
        await book.close()
        return book.stats.commits

    assert asyncio.run(write()) == 2


def test_a_slow_disk_delays_tickets_and_nothing_else(path: Path) -> None:
    async def write() -> float:
        book = journal(path, limits=Limits(delay=lambda: 0.2))
        loop = asyncio.get_running_loop()
        started = loop.time()
        tickets = [asked(book.append(step(1))), book.append(step(2)), book.append(step(3))]
        assert loop.time() - started < 0.1
        assert not tickets[0].durable
        await tickets[-1].wait()
        took = loop.time() - started
        await book.close()
        return took

    assert asyncio.run(write()) >= 0.4  # The first alone, the two queued meanwhile together.


def test_a_file_that_another_program_locks_for_a_while_is_slow_and_not_broken(path: Path) -> None:
    async def write() -> str | None:
        book = journal(path)
        holder = apsw.Connection(str(path))
        holder.execute("begin immediate")
        ticket = book.append(step(1))
        await asyncio.sleep(0.6)
        assert not ticket.durable
        holder.execute("rollback")
        holder.close()
        await ticket.wait()
        await book.close()
        return book.broken

    assert asyncio.run(write()) is None


def test_one_waiter_given_up_leaves_the_others_waiting(path: Path) -> None:
    async def write() -> bool:
        book = journal(path, limits=Limits(delay=lambda: 0.1))
        ticket = book.append(step(1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ticket.wait(), 0.02)
        await ticket.wait()
        await book.close()
        return ticket.durable

    assert asyncio.run(write())


async def error_of(ticket: RowTicket) -> str:
    with pytest.raises(JournalError) as broken:
        await ticket.wait()
    return str(broken.value)


def test_a_failed_fsync_breaks_every_waiting_and_later_ticket(path: Path) -> None:
    heard: list[str] = []

    async def write(disk: Disk) -> None:
        book = journal(path, limits=Limits(vfs=disk.name))
        book.on_broken = heard.append
        await book.append(step(1)).wait()
        disk.failing = True
        waiting = [book.append(step(2)), book.append(step(3))]
        assert "no entries until a restart" in await error_of(waiting[0])
        await error_of(waiting[1])
        disk.failing = False  # A disk that came back is not believed: what it lost it calls clean.
        await error_of(book.append(step(4)))
        assert book.broken == heard[0]
        assert len(heard) == 1
        await book.close()

    with failing_disk("fsync-fails") as disk:
        asyncio.run(write(disk))
    again = journal(path)
    seqs = [row.seq for row in again.reader.read_rows()]
    assert seqs[:1] == [1]
    assert 4 not in seqs
    assert again.reader.verify_chain() == len(seqs)
    asyncio.run(again.close())


def test_a_step_that_cannot_be_written_breaks_the_journal_and_says_which_field(path: Path) -> None:
    async def write() -> str:
        book = journal(path)
        whole = step(1)
        said = await error_of(book.append(whole._replace(facts=(epoch(2**70),))))
        await book.close()
        return said

    assert "64-bit" in asyncio.run(write())


def test_a_disk_too_far_behind_breaks_the_journal_instead_of_filling_memory(path: Path) -> None:
    async def write() -> None:
        book = journal(path, limits=Limits(queue_max=5, delay=lambda: 0.05))
        tickets = [asked(book.append(step(1))), *(book.append(step(n)) for n in range(2, 9))]
        # One committing, five queued, two too many.
        assert "rows behind" in await error_of(tickets[6])
        await error_of(tickets[1])
        await tickets[0].wait()
        await book.close()

    asyncio.run(write())
    assert [row.seq for row in JournalReader(path).read_rows()] == [1]


def test_close_commits_what_is_queued_and_frees_the_lock(path: Path) -> None:
    async def write() -> None:
        book = journal(path, limits=Limits(delay=lambda: 0.02))
        for n in range(1, 50):
            book.append(step(n))
        assert held(path.parent)
        await book.close()
        await book.close()
        assert not held(path.parent)

    asyncio.run(write())
    assert len(list(JournalReader(path).read_rows())) == 49


def test_the_second_daemon_is_told_the_pid_of_the_first(path: Path) -> None:
    first = journal(path)
    with pytest.raises(JournalError, match=r"in use by process \d+.*--state-dir"):
        journal(path)
    asyncio.run(first.close())
    asyncio.run(journal(path).close())


@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, venue="testnet"),
        replace(ACCOUNT, key_hash="f" * 16),
        replace(ACCOUNT, instance="inst-2"),
    ],
)
def test_a_journal_of_another_account_is_refused(path: Path, other: object) -> None:
    asyncio.run(journal(path).close())
    with pytest.raises(JournalError, match=r"another account .*venue paper, key 012345.*another --state-dir"):
        open_journal(path, other, SystemClock())  # type: ignore[arg-type] # parametrized
    assert not held(path.parent)


def test_a_newer_schema_is_refused(path: Path) -> None:
    asyncio.run(journal(path).close())
    raw = apsw.Connection(str(path))
    raw.execute("pragma user_version=2")
    raw.close()
    with pytest.raises(JournalError, match="has schema 2, this program knows 1"):
        journal(path)
    with pytest.raises(JournalError, match="has schema 2"):
        JournalReader(path)


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(JournalError, match="cannot be opened"):
        journal(path)


def test_only_its_owner_may_read_it(path: Path) -> None:
    asyncio.run(journal(path).close())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_restart_folds_the_checkpoint_and_what_came_after(path: Path) -> None:
    books = Books(count=2, names=("BTCUSDT",))

    async def write() -> None:
        book = journal(path)
        for n in (1, 2):
            book.append(step(n))
        book.checkpoint(Books(count=1, names=()))
        book.checkpoint(books)
        for n in (3, 4):
            book.append(step(n))
        book.note(epoch(9))
        await book.close()

    asyncio.run(write())
    again = journal(path)
    found = again.reader.last_checkpoint(Books)
    assert found is not None
    assert (found.value, found.until) == (books, 2)
    assert list(again.reader.facts_after(found)) == [*step(3).facts, *step(4).facts, epoch(9)]
    assert len(list(again.reader.facts_after(None))) == 5
    assert again.last_seq == 4
    assert again.reader.last_epoch() == 9
    asyncio.run(again.close())


def test_no_record_waits_for_a_checkpoint_and_a_restart_folds_those_that_overtook_it(path: Path) -> None:
    books = Books(count=1, names=tuple(f"A{n}USDT" for n in range(300_000)))

    async def write() -> list[str]:
        book, order = journal(path), list[str]()
        await book.append(step(1)).wait()
        kept = book.checkpoint(books)
        kept.when_settled(lambda: order.append("checkpoint"))
        for n in (2, 3):
            ticket = book.append(step(n))
            ticket.when_settled(lambda n=n: order.append(f"step {n}"))  # type: ignore[misc]  # Bound now.
            await ticket.wait()
        await book.close()
        return order

    assert asyncio.run(write()) == ["step 2", "step 3", "checkpoint"]
    again = journal(path)
    assert [(row.id, row.kind) for row in again.reader.newest(2)] == [(3, "Heartbeat"), (4, "Checkpoint")]
    found = again.reader.last_checkpoint(Books)
    assert found is not None
    assert (found.value, found.until) == (books, 1)
    assert list(again.reader.facts_after(found)) == [*step(2).facts, *step(3).facts]
    assert again.last_seq == 3
    asyncio.run(again.close())


def test_rows_queued_behind_a_checkpoint_that_is_text_are_committed_before_it(path: Path) -> None:
    async def write() -> tuple[list[str], int]:
        book, order = journal(path, limits=Limits(delay=lambda: 0.3)), list[str]()

        def tell(ticket: RowTicket, name: str) -> None:
            ticket.when_settled(lambda: order.append(name))

        tell(book.append(step(1)), "step 1")
        tell(book.checkpoint(Books(count=1, names=())), "first checkpoint")
        await asyncio.sleep(0.1)  # Its text waits now for the commit of the step.
        tell(book.append(step(2)), "step 2")
        tell(book.checkpoint(Books(count=2, names=())), "second checkpoint")
        await asyncio.sleep(0.1)
        tell(book.append(step(3)), "step 3")
        await book.close()
        return order, book.stats.commits

    order, commits = asyncio.run(write())
    assert order == ["step 1", "step 2", "step 3", "first checkpoint", "second checkpoint"]
    assert commits == 4
    again = journal(path)
    found = again.reader.last_checkpoint(Books)
    assert found is not None
    assert (found.value.count, found.until) == (2, 2)
    assert list(again.reader.facts_after(found)) == list(step(3).facts)
    assert again.last_seq == 3
    asyncio.run(again.close())


def test_a_checkpoint_goes_with_the_rows_when_they_never_end(path: Path) -> None:
    async def write() -> bool:
        book = journal(path, limits=Limits(delay=lambda: 0.1))
        kept = book.checkpoint(Books(count=0, names=()))
        loop = asyncio.get_running_loop()
        book.append(step(1))
        end, seq = loop.time() + 3.0, 1
        while not kept.durable and loop.time() < end:
            seq += 1
            book.append(step(seq))  # While a group is being committed: there is always one waiting.
            await asyncio.sleep(0.02)
        durable = kept.durable
        await book.close()
        return durable

    assert asyncio.run(write())


def test_a_state_that_cannot_be_written_breaks_the_journal_and_says_so(path: Path) -> None:
    async def write() -> str:
        book = journal(path)
        ticket = book.checkpoint(Books(count=1.5, names=()))  # type: ignore[arg-type]  # The point.
        with pytest.raises(JournalError, match=r"Books\.count: expected int"):
            await ticket.wait()
        await book.close()
        return book.broken or ""

    assert "expected int" in asyncio.run(write())


def test_an_empty_journal_has_nothing_to_restore(path: Path) -> None:
    book = journal(path)
    assert book.reader.last_checkpoint(Books) is None
    assert list(book.reader.facts_after(None)) == []
    assert (book.reader.last_epoch(), book.last_seq) == (0, 0)
    asyncio.run(book.close())


def test_a_checkpoint_is_due_after_so_many_rows_and_counts_over_restarts(path: Path) -> None:
    limits = Limits(checkpoint_every=4)

    async def write(rows: int) -> list[bool]:
        book = journal(path, limits=limits)
        due = []
        for n in range(rows):
            book.append(step(n))
            due.append(book.checkpoint_due)
            if book.checkpoint_due:
                book.checkpoint(Books(count=n, names=()))
        await book.close()
        return due

    assert asyncio.run(write(6)) == [False, False, False, True, False, False]
    assert asyncio.run(write(2)) == [False, True]


def test_an_epoch_is_above_the_last_and_above_the_clock() -> None:
    seconds = NOW // 1_000_000_000 - EPOCH_ZERO
    assert next_epoch(0, NOW) == seconds
    assert next_epoch(seconds, NOW) == seconds + 1
    assert next_epoch(seconds + 500, NOW) == seconds + 501  # The clock went back.


def test_a_reader_sees_what_is_durable_while_the_writer_writes(path: Path) -> None:
    async def write() -> list[int]:
        book = journal(path)
        await book.note(epoch(1)).wait()
        beside = JournalReader(path)
        seen = [len(list(beside.read_rows()))]
        await book.append(step(1)).wait()
        seen.append(len(list(beside.read_rows())))
        beside.close()
        await book.close()
        return seen

    assert asyncio.run(write()) == [1, 2]


def test_rows_that_mention_an_id_are_found(path: Path) -> None:
    async def write() -> None:
        book = journal(path)
        book.append(step(1))
        book.note(EpochTaken(epoch=77_123, at=Nanos(1)))
        await book.close()

    asyncio.run(write())
    reader = JournalReader(path)
    assert [row.kind for row in reader.read_rows(mentioning="77123")] == ["EpochTaken"]
    assert list(reader.read_rows(mentioning="nowhere")) == []
    reader.close()


def test_it_is_the_journal_the_runner_asks_for(path: Path) -> None:
    book: Journal = journal(path)
    asyncio.run(book.close())


def test_a_call_that_fails_keeps_no_other_from_hearing_and_rows_it_queued_are_written(path: Path) -> None:
    async def write() -> tuple[list[str], list[str]]:
        heard, failures = list[str](), list[str]()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, told: failures.append(str(told["exception"]))
        )
        book = journal(path, limits=Limits(batch=2))

        def fail() -> None:
            raise ValueError("a waiter of no use")

        def one_more() -> None:
            book.append(step(6))

        first, second = book.append(step(1)), book.append(step(2))
        first.when_settled(fail)
        first.when_settled(lambda: heard.append("first"))
        second.when_settled(lambda: heard.append("second"))
        second.when_settled(one_more)  # While the group is being settled.
        for n in (3, 4, 5):
            book.append(step(n))
        await book.close()
        return heard, failures

    heard, failures = asyncio.run(write())
    assert (heard, failures) == (["first", "second"], ["a waiter of no use"])
    again = journal(path)
    assert [row.seq for row in again.reader.read_rows()] == [1, 2, 3, 4, 5, 6]
    again.reader.verify_chain()
    asyncio.run(again.close())
