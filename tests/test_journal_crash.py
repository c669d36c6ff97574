"""The journal after the worst: killed writers, torn tails, and hands that changed it."""

import asyncio
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import of_step, placed
from skalp_bot.journal.sqlite import Limits, RowTicket
from skalp_bot.journal.wal import PAGES
from skalp_bot.ports import JournalError
from tests.journal_kit import Books, LossyDisk, journal, step

WRITER = """
import asyncio, sys
from pathlib import Path
from skalp_bot.journal.sqlite import Limits
from tests.journal_kit import Books, journal, step

async def main():
    book = journal(Path(sys.argv[1]), limits=Limits(log_pages=int(sys.argv[2])))
    seq = book.last_seq
    print("open", seq, flush=True)
    while True:
        tickets = []
        for _ in range(5):
            seq += 1
            tickets.append((seq, book.append(step(seq))))
        if seq % 50 == 0:
            book.checkpoint(Books(count=seq, names=()))
        for number, ticket in tickets:
            await ticket.wait()
            print(number, flush=True)

asyncio.run(main())
"""


def written(path: Path, count: int) -> None:
    async def write() -> None:
        book = journal(path, limits=Limits(batch=3))
        for n in range(1, count + 1):
            await book.append(step(n)).wait()
        await book.close()

    asyncio.run(write())


@pytest.mark.parametrize("log_pages", [PAGES, 4], ids=["a log seldom copied", "a log always being copied"])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, log_pages: int) -> None:
    path = tmp_path / "journal.sqlite"
    moments = random.Random(11)
    acknowledged = 0
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(log_pages)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        assert child.stdout is not None
        assert child.stdout.readline().startswith("open")
        try:
            child.wait(moments.uniform(0.002, 0.2))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        acknowledged = max([acknowledged, *map(int, lines[:-1])])  # The last line may be torn.
        again = journal(path)  # The kernel has freed the lock.
        seqs = [row.seq for row in again.reader.read_rows() if row.kind != "Checkpoint"]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= acknowledged
        found = again.reader.last_checkpoint(Books)
        if found is not None:
            later = [row.seq for row in again.reader.read_rows(after=found.until) if row.kind != "Checkpoint"]
            assert later == list(range(found.value.count + 1, len(seqs) + 1))
        again.reader.verify_chain()
        asyncio.run(again.close())
    assert acknowledged > 20


def test_a_torn_tail_costs_whole_commits_and_never_the_chain(tmp_path: Path) -> None:
    living = tmp_path / "living" / "journal.sqlite"

    async def write() -> None:
        book = journal(living)
        for n in range(1, 21):
            await book.append(step(n)).wait()
        for suffix in ("", "-wal"):  # As a power cut leaves it: nothing was closed.
            shutil.copy(f"{living}{suffix}", tmp_path / f"cut.sqlite{suffix}")
        await book.close()

    asyncio.run(write())
    wal = (tmp_path / "cut.sqlite-wal").read_bytes()
    cuts = random.Random(5)
    lengths = set()
    for trial in range(25):
        folder = tmp_path / str(trial)
        folder.mkdir()
        shutil.copy(tmp_path / "cut.sqlite", folder / "journal.sqlite")
        cut = cuts.randrange(8_000, len(wal))
        (folder / "journal.sqlite-wal").write_bytes(wal[:cut] + cuts.randbytes(cuts.randrange(600)))
        try:
            book = journal(folder / "journal.sqlite")
        except JournalError as error:
            pytest.fail(f"cut at {cut}: {error}")
        seqs = [row.seq for row in book.reader.read_rows()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert book.reader.verify_chain() == len(seqs)
        lengths.add(len(seqs))
        asyncio.run(book.close())
    assert len(lengths) > 3


TAMPERINGS = {
    "a changed fact": ("update rows set facts = replace(facts, 'IncomeRead', 'CleanStop') where id = 3", 3),
    "a changed time": ("update rows set ts = ts + 1 where id = 2", 2),
    "a row taken out": ("delete from rows where id = 4", 4),
    "a row moved to the end": ("update rows set id = 99 where id = 2", 2),
    "a changed account": ("update meta set value = replace(value, 'inst-1', 'inst-9')", 1),
}


@pytest.mark.parametrize(("statement", "row"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_at_its_row(tmp_path: Path, statement: str, row: int) -> None:
    path = tmp_path / "journal.sqlite"
    written(path, 6)
    raw = apsw.Connection(str(path))
    raw.execute(statement)
    raw.close()
    reader = JournalReader(path)
    with pytest.raises(JournalError, match=f"row {row} "):
        reader.verify_chain()
    reader.close()
    with pytest.raises(JournalError):
        journal(path)


def test_a_row_put_in_needs_the_hash_of_every_row_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    written(path, 3)
    reader = JournalReader(path)
    first = next(reader.read_rows())
    forged = placed(of_step(step(999)), 2, first.hash)
    raw = apsw.Connection(str(path))
    raw.execute(
        "update rows set seq = ?, ts = ?, body = ?, facts = ?, hash = ? where id = 2",
        (forged.seq, forged.ts, forged.body, forged.facts, forged.hash),
    )
    raw.close()
    with pytest.raises(JournalError, match="row 3 is not what was written"):
        reader.verify_chain()
    reader.close()


@pytest.mark.parametrize(("said", "forged"), [('count":1', 'count":7'), ('until":1', 'until":2')])
def test_a_forged_checkpoint_is_not_folded(tmp_path: Path, said: str, forged: str) -> None:
    path = tmp_path / "journal.sqlite"

    async def write() -> None:
        book = journal(path)
        book.append(step(1))
        book.checkpoint(Books(count=1, names=()))
        book.append(step(2))
        await book.close()

    asyncio.run(write())
    raw = apsw.Connection(str(path))
    raw.execute("update rows set body = replace(body, ?, ?) where kind = 'Checkpoint'", (said, forged))
    assert raw.changes() == 1
    raw.close()
    with pytest.raises(JournalError, match="row 3 is not what was written"):
        journal(path)


def power_cut(tmp_path: Path, seed: int) -> tuple[int, int]:
    """Cut the power somewhere in the life of a journal; how much was promised and how much survived."""
    chance = random.Random(seed)
    tickets: list[RowTicket] = []
    disk = LossyDisk(
        f"lossy-{seed}",
        seed=seed,
        cut_at=chance.randrange(20, 160),
        acknowledged=lambda: sum(ticket.durable for ticket in tickets),
    )

    async def live() -> None:
        book = journal(tmp_path / "living" / "journal.sqlite", limits=Limits(vfs=disk.name))
        for burst in range(80):
            for _ in range(chance.randrange(1, 4)):
                tickets.append(book.append(step(len(tickets) + 1)))
            if burst % 3:
                await tickets[-1].wait()
        await book.close()

    asyncio.run(live())
    assert disk.left is not None
    assert disk.syncs > 20
    folder = tmp_path / "after"
    folder.mkdir()
    for name, content in disk.left.items():
        (folder / name).write_bytes(content)
    disk.unregister()
    again = journal(folder / "journal.sqlite")
    seqs = [row.seq for row in again.reader.read_rows()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert again.reader.verify_chain() == len(seqs)
    asyncio.run(again.close())
    return disk.promised, len(seqs)


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    outcomes = [power_cut(tmp_path / str(seed), seed) for seed in range(12)]
    assert all(survived >= promised for promised, survived in outcomes)
    assert max(promised for promised, _ in outcomes) > 20
