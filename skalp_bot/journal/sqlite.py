"""The journal's one writer: rows are queued, committed in groups off the loop, and their tickets kept."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import apsw

from aurora.model.facts import DurableFact, TradingStateChanged
from aurora.model.numbers import Nanos
from aurora.model.step import Step
from skalp_bot.journal import schema
from skalp_bot.journal.lock import StateLock
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import CHECKPOINT, Draft, Written, checkpointed, of_step, placed
from skalp_bot.journal.schema import Fingerprint
from skalp_bot.journal.scribe import Breath, Scribe
from skalp_bot.journal.wal import PAGES, LogKeeper
from skalp_bot.ports import Clock, JournalError

LINGER_S = 0.005  # How long a row that nobody waits for may be alone.
BATCH = 256
QUEUE_MAX = 5_000  # Far more than a disk that will catch up ever owes; some 25 MB.
CHECKPOINT_EVERY = 2_000  # Rows; bounds how long a restart folds.
OVERTAKEN_NS = 1_000_000_000  # How long a checkpoint lets rows go first.
INSERT = "insert into rows(id, kind, seq, ts, body, commands, facts, hash) values(?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What tests turn: sizes, the disk underneath, how long rows linger and a commit is held back (s)."""

    batch: int = BATCH
    queue_max: int = QUEUE_MAX
    checkpoint_every: int = CHECKPOINT_EVERY
    log_pages: int = PAGES
    linger_s: float = LINGER_S
    vfs: str | None = None
    delay: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStats:
    rows: int
    commits: int
    pending: int
    commit_ns_last: int
    commit_ns_max: int


class RowTicket:
    """A promise that a row is durable; any number may wait for it."""

    __slots__ = ("_hurry", "_settled", "_then", "durable", "error")

    def __init__(self, *, durable: bool = False, hurry: Callable[[], None] | None = None) -> None:
        self.durable = durable
        self.error = ""
        self._hurry = hurry
        self._settled = durable
        self._then: list[Callable[[], None]] = []

    async def wait(self) -> None:
        """Return when durable; raise JournalError when it never will be."""
        if not self._settled:
            told = asyncio.Event()
            self.when_settled(told.set)
            await told.wait()
        if self.error:
            raise JournalError(self.error)

    def when_settled(self, call: Callable[[], None], *, urgent: bool = True) -> None:
        """Have ``call`` called once the promise is kept or broken; what it raises is the loop's to tell."""
        if self._settled:
            asyncio.get_running_loop().call_soon(call)
        else:
            self._then.append(call)
            if urgent and self._hurry is not None:
                self._hurry()

    def settle(self, error: str) -> None:
        """Kept when ``error`` is empty. Calls are made at once: a turn of the loop is time of an exit."""
        self.durable = not error
        self._settled = True
        self.error = error
        calls, self._then = self._then, []
        for call in calls:
            try:
                call()
            except Exception as failure:  # noqa: BLE001  # One must not keep the others from being told.
                told = {"message": "what waited for a record failed", "exception": failure}
                asyncio.get_running_loop().call_exception_handler(told)


KEPT = RowTicket(durable=True)


class SqliteJournal:
    """Implements ``ports.Journal``. Once a commit fails it is broken for good: every ticket says so."""

    def __init__(self, path: Path, fingerprint: Fingerprint, clock: Clock, limits: Limits) -> None:
        self.path = path
        self.broken: str | None = None
        self.on_broken: Callable[[str], None] | None = None
        self._clock = clock
        self._limits = limits
        self._queue: deque[tuple[Draft, RowTicket]] = deque()
        self._committing: list[tuple[Draft, RowTicket]] = []
        self._started = 0
        self._waited_for = False  # Whether somebody waits for a row that is queued.
        self._lingering = False
        self._closing = False
        self._commit_ns = [0, 0]
        self._counts = [0, 0]
        with contextlib.ExitStack() as undo:
            self._lock = StateLock(path.parent)
            undo.callback(self._lock.release)
            self._connection = schema.open_writer(path, fingerprint, vfs=limits.vfs)
            undo.callback(self._connection.close)
            self._log = None if limits.vfs else LogKeeper(path, self._connection, pages=limits.log_pages)
            if self._log is not None:
                undo.callback(self._log.close)
            self.reader = JournalReader(path, self._connection if limits.vfs else None)
            known = self.reader.checkpointed_until()
            self.reader.verify_chain(after=known)  # The checkpoint itself included.
            undo.pop_all()
        self._tip = self.reader.tip()
        self._queued = self._tip[0]  # The id of the last row queued.
        self._since_checkpoint = self._queued - known - (known > 0)
        self._last_seq = max((row.seq for row in self.reader.newest(1)), default=0)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._checkpointer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._checkpoints: deque[RowTicket] = deque()  # Being written down.
        self._overtaken: deque[tuple[Written, int, RowTicket]] = deque()  # Written down, and since when.
        self._breath = Breath(clock)
        self._scribe = Scribe(self._breath.take)

    @property
    def checkpoint_due(self) -> bool:
        """Whether so many rows were queued since the last checkpoint that a restart would fold too long."""
        return self._since_checkpoint >= self._limits.checkpoint_every

    @property
    def last_seq(self) -> int:
        """The newest step queued or found in the file."""
        return self._last_seq

    @property
    def stats(self) -> JournalStats:
        return JournalStats(
            rows=self._counts[0],
            commits=self._counts[1],
            pending=len(self._queue) + len(self._committing) + len(self._overtaken),
            commit_ns_last=self._commit_ns[0],
            commit_ns_max=self._commit_ns[1],
        )

    def append(self, step: Step) -> RowTicket:
        """Queue one step; one without commands or durable facts is no row and needs no waiting."""
        if not step.durable:
            return KEPT
        self._last_seq = step.seq
        ticket = self._put(of_step(step))
        if any(type(fact) is TradingStateChanged for fact in step.facts):
            self._hurry()  # The exchange cannot be asked for it should we be gone in a moment.
        return ticket

    def note(self, fact: DurableFact) -> RowTicket:
        """Queue a fact of the shell's own."""
        return self._put(self._draft(type(fact).__name__, facts=(fact,)))

    def checkpoint(self, state: object) -> RowTicket:
        """Write down the whole state as it is after the last row queued; a dataclass the codec can write.

        In a thread of its own. When it is text it waits until no row does: the records of orders go first.
        """
        ticket = RowTicket()
        loop = asyncio.get_running_loop()
        self._checkpointer.submit(self._write_down, loop, state, self._queued)
        self._checkpoints.append(ticket)
        self._since_checkpoint = 0
        return ticket

    def _write_down(self, loop: asyncio.AbstractEventLoop, state: object, until: int) -> None:
        """In the checkpoint's thread."""
        body, error = None, ""
        try:
            body = checkpointed(self._scribe.write(state), until=until, breathe=self._breath.take)
        except BaseException as failure:  # noqa: BLE001  # Told, and the journal is broken with it.
            error = f"{type(failure).__name__}: {failure}"
        loop.call_soon_threadsafe(self._written_down, body, error)

    def _written_down(self, body: Written | None, error: str) -> None:
        ticket = self._checkpoints.popleft()
        if body is None:
            self._break(error)
        elif self.broken is None:
            self._overtaken.append((body, self._clock.monotonic(), ticket))
            if not self._committing:
                self._begin()
            return
        ticket.settle(self.broken or error)

    async def close(self) -> None:
        """Commit what is queued, then let go of file and lock. Idempotent; never raises for a broken disk."""
        self._breath.hurry()
        while waiting := self._checkpoints or [ticket for _, ticket in self._queue or self._committing]:
            with contextlib.suppress(JournalError):
                await waiting[-1].wait()
        self._closing = True
        await asyncio.to_thread(self._let_go)  # The disk may hold up a copy; nobody else need stand still.

    def _let_go(self) -> None:
        if self._log is not None:
            self._log.stopped = True
        self._executor.shutdown(wait=True)  # First: it hands copies to the other.
        self._checkpointer.shutdown(wait=True)
        self.reader.close()
        leave = self.broken is not None or (self._log is not None and self._log.failed)
        if self._log is not None:
            self._log.close(leave=leave)
        if leave:
            schema.leave_log(self._connection)
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        self._lock.release()

    def _put(self, draft: Draft) -> RowTicket:
        ticket = RowTicket(hurry=self._hurry)
        if self.broken is None and len(self._queue) >= self._limits.queue_max:
            self._break(f"the disk is {len(self._queue)} rows behind")
        if self.broken is not None:
            ticket.settle(self.broken)
            return ticket
        self._since_checkpoint += 1
        self._queued += 1
        self._queue.append((draft, ticket))
        self._linger()
        return ticket

    def _linger(self) -> None:
        """What nobody waits for is committed a moment later, and with what comes meanwhile."""
        if not (self._committing or self._lingering):
            self._lingering = True
            asyncio.get_running_loop().call_later(self._limits.linger_s, self._lingered)

    def _lingered(self) -> None:
        self._lingering = False
        if self._queue and not self._committing:
            self._begin()

    def _hurry(self) -> None:
        """Somebody waits for a row."""
        self._waited_for = True
        if self._queue and not self._committing:
            self._begin()

    def _draft(self, kind: str, *, body: Written | None = None, facts: tuple[DurableFact, ...] = ()) -> Draft:
        """A row that is no step's."""
        return Draft(kind=kind, seq=self._last_seq, ts=Nanos(self._clock.now()), body=body, facts=facts)

    def _begin(self) -> None:
        """Take the next group; everything queued meanwhile makes the group after it.

        A checkpoint is large, so it goes alone when it can, and always behind every row queued: the numbers
        of rows that other checkpoints were told stay what they are.
        """
        take = min(self._limits.batch, len(self._queue))
        self._committing = [self._queue.popleft() for _ in range(take)]
        self._waited_for = self._waited_for and bool(self._queue)
        if self._overtaken and not self._queue:
            body, since, ticket = self._overtaken[0]
            now = self._clock.monotonic()
            if not self._committing or now - since >= OVERTAKEN_NS:
                self._overtaken.popleft()
                self._queued += 1
                self._committing.append((self._draft(CHECKPOINT, body=body), ticket))
        loop = asyncio.get_running_loop()
        self._started = self._clock.monotonic()
        if self._limits.delay is None:
            self._hand_over(loop)
        else:
            loop.call_later(self._limits.delay(), self._hand_over, loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        drafts = [draft for draft, _ in self._committing]
        self._executor.submit(self._write, loop, drafts)

    def _write(self, loop: asyncio.AbstractEventLoop, drafts: list[Draft]) -> None:
        """In the writer's thread: whatever happens, the loop hears of it once."""
        error = ""
        try:
            self._commit(drafts)
        except BaseException as failure:  # noqa: BLE001  # Told, and the journal is broken with it.
            error = f"{type(failure).__name__}: {failure}"
        loop.call_soon_threadsafe(self._committed, error)
        if not error and self._log is not None and self._log.due():
            with self._breaking(loop):
                self._checkpointer.submit(self._keep_short, loop, self._log)

    def _keep_short(self, loop: asyncio.AbstractEventLoop, log: LogKeeper) -> None:
        """In the checkpoint's thread; it leaves the rest to the writer's when the log stays long."""
        with self._breaking(loop):
            log.copy_beside()
            if log.far_behind:
                self._executor.submit(self._copy_between, loop, log)

    def _copy_between(self, loop: asyncio.AbstractEventLoop, log: LogKeeper) -> None:
        with self._breaking(loop):
            log.copy_between()

    @contextlib.contextmanager
    def _breaking(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """What fails in another thread is told, and the journal is broken with it."""
        try:
            yield
        except BaseException as failure:  # noqa: BLE001  # See above.
            if not self._closing:
                loop.call_soon_threadsafe(self._break, f"{type(failure).__name__}: {failure}")

    def _commit(self, drafts: list[Draft]) -> None:
        """In the writer's thread. What fails here is never tried again on this connection.

        After a failed fsync the kernel may call the lost pages clean: only a new process may trust the file.
        """
        row_id, before = self._tip
        rows = []
        for draft in drafts:
            row = placed(draft, row_id + 1, before)
            row_id, before = row.id, row.hash
            rows.append((row.id, row.kind, row.seq, row.ts, row.body, row.commands, row.facts, row.hash))
        try:
            self._connection.execute("begin immediate")
            self._connection.executemany(INSERT, rows)
            self._connection.execute("commit")
        except apsw.Error:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("rollback")
            if self._log is not None:
                self._log.failed = True
            schema.leave_log(self._connection)
            with contextlib.suppress(apsw.Error):
                self._connection.close()
            raise
        self._tip = (row_id, before)

    def _committed(self, error: str) -> None:
        """Back on the loop: keep the promises of the group, or break them all."""
        group, self._committing = self._committing, []
        took = self._clock.monotonic() - self._started
        self._commit_ns = [took, max(took, self._commit_ns[1])]
        if error:
            self._break(error)
        else:
            self._counts = [self._counts[0] + len(group), self._counts[1] + 1]
        for _, ticket in group:
            ticket.settle((self.broken or error) if error else "")
        if self._committing:  # A call may have queued a row, and begun with it.
            return
        if self._overtaken or (self._queue and self._waited_for):
            self._begin()
        elif self._queue:
            self._linger()

    def _break(self, why: str) -> None:
        if self.broken is not None:
            return
        self.broken = (
            f"journal {self.path} is broken ({why}): no entries until a restart; "
            "free or repair the disk, then start again"
        )
        while self._queue:
            self._queue.popleft()[1].settle(self.broken)
        while self._overtaken:
            self._overtaken.popleft()[-1].settle(self.broken)
        if self.on_broken is not None:
            self.on_broken(self.broken)


def open_journal(
    path: Path, fingerprint: Fingerprint, clock: Clock, *, limits: Limits | None = None
) -> SqliteJournal:
    """The one writer of this file: locked, of this account, its chain verified since the last checkpoint."""
    return SqliteJournal(path, fingerprint, clock, limits or Limits())
