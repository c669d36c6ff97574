"""The journal's write-ahead log: kept short beside the writer, and trusted when a copy of it fails."""

import asyncio
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.sqlite import Limits, SqliteJournal
from skalp_bot.journal.wal import FAR
from skalp_bot.ports import JournalError
from tests.journal_kit import journal, step

LOG_PAGES, FRAME = 50, 4_096 + 24
SHORT = Limits(log_pages=LOG_PAGES)
SIZE_MAX = 2 * FAR * LOG_PAGES * FRAME  # Rows go on while it is copied.

FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from skalp_bot.journal.sqlite import Limits
from skalp_bot.ports import JournalError
from tests.journal_kit import journal, step

async def main():
    book = journal(Path(sys.argv[1]), limits=Limits(log_pages=10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # The log stays below.
    for seq in range(1, 5_000):
        try:
            await book.append(step(seq)).wait()
        except JournalError as broken:
            print(broken, flush=True)
            break
        print(seq, flush=True)
        await asyncio.sleep(0.001)
    await book.close()

asyncio.run(main())
"""


FAILED_COMMIT = """
import asyncio, resource, signal, sys
from pathlib import Path
from skalp_bot.ports import JournalError
from tests.journal_kit import journal, step

async def main():
    path = Path(sys.argv[1])
    book = journal(path)
    for seq in range(1, 51):
        await book.append(step(seq)).wait()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    length = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))  # The log may not grow.
    try:
        await book.append(step(51)).wait()
    except JournalError as broken:
        print(broken, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await book.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def run(program: str, path: Path) -> str:
    """What it said, in a process of its own."""
    words = [sys.executable, "-c", program, str(path)]
    return subprocess.run(
        words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1], check=True
    ).stdout


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def beginnings(path: Path) -> int:
    """How often the log was begun anew, as its header counts."""
    return int.from_bytes(log_of(path).read_bytes()[12:16])


async def write(book: SqliteJournal, count: int) -> int:
    """Rows, one commit each, without a pause; the largest size of the log seen."""
    size = 0
    for _ in range(count):
        await book.append(step(book.last_seq + 1)).wait()
        size = max(size, log_of(book.path).stat().st_size)
    return size


def test_the_log_stays_short_under_commits_without_a_pause(path: Path) -> None:
    async def load() -> tuple[int, int]:
        book = journal(path, limits=SHORT)
        size = await write(book, 1_500)
        begun = beginnings(path)
        await book.close()
        return size, begun

    size, begun = asyncio.run(load())
    assert size <= SIZE_MAX
    assert begun > 2
    assert not log_of(path).exists()  # All of it is in the file.
    reader = JournalReader(path)
    assert reader.verify_chain() == 1_500
    reader.close()


def test_a_reader_that_stays_holds_up_no_commit_and_the_log_is_short_again_after_it(path: Path) -> None:
    async def load() -> tuple[list[int], int, int]:
        book = journal(path, limits=SHORT)
        await write(book, 100)
        holder = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        holder.execute("begin")
        seen = len(holder.execute("select id from rows").fetchall())
        await write(book, 1)
        begun = [beginnings(path)]
        held = await write(book, 800)
        begun.append(beginnings(path))
        assert len(holder.execute("select id from rows").fetchall()) == seen
        holder.execute("rollback")
        holder.close()
        after = await write(book, 1_000)
        begun.append(beginnings(path))
        assert book.broken is None
        await book.close()
        return begun, held, after

    (at_first, meanwhile, at_last), held, after = asyncio.run(load())
    assert meanwhile == at_first  # Nobody took from the reader what it reads.
    assert at_last > meanwhile
    assert after <= held + SIZE_MAX


def test_a_copy_that_fails_breaks_the_journal_and_loses_nothing(path: Path) -> None:
    told = run(FULL_DISK, path).splitlines()
    assert "no entries until a restart" in told[-1]
    assert log_of(path).stat().st_size < 400_000  # It was the copy that failed.
    again = journal(path)
    seqs = [row.seq for row in again.reader.read_rows()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= int(told[-2]) > 500
    again.reader.verify_chain()
    asyncio.run(again.close())


def test_a_commit_that_failed_leaves_the_log_to_the_next_start(path: Path) -> None:
    told = run(FAILED_COMMIT, path)
    assert "no entries until a restart" in told
    assert log_of(path).stat().st_size > 50_000
    again = journal(path)
    assert [row.seq for row in again.reader.read_rows()] == list(range(1, 51))
    again.reader.verify_chain()
    asyncio.run(again.close())


def test_without_threads_to_copy_the_log_the_journal_is_broken_and_hangs_nobody(path: Path) -> None:
    async def story() -> None:
        book = journal(path, limits=Limits(log_pages=10))
        book._checkpointer.shutdown()
        for seq in range(1, 50):
            try:
                await asyncio.wait_for(book.append(step(seq)).wait(), 5)
            except JournalError:
                break
        assert book.broken is not None
        await asyncio.wait_for(book.close(), 5)

    asyncio.run(story())
