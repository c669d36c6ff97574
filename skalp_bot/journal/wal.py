"""The write-ahead log kept short: another connection copies it into the file while the writer writes."""

import contextlib
from pathlib import Path

import apsw

from skalp_bot.journal import schema

PAGES = 250  # Of growth between copies, some 1 MB: what one has to sync is soon synced.
FAR = 4  # Times that, and the writer copies the last few between two commits, when nothing is added.
PASSES = 3  # What is added during one is copied by the next, until one ends with nothing left.


class LogKeeper:
    """Left to itself SQLite copies the log within a commit, and what waits for that row waits for it all.

    A log that is copied whole is begun anew by the next commit, unless some reader still reads from it.
    Copies wait for nobody. After one that failed nothing is copied any more: what the disk lost it may call
    clean, and only the log, read from its beginning by a new process, makes the file whole.
    """

    def __init__(self, path: Path, writer: apsw.Connection, *, pages: int = PAGES) -> None:
        self.failed = False
        self.stopped = False  # The journal is being closed.
        self._writer = writer
        self._beside = schema.open_beside(path)
        self._step = pages
        self._pages = 0  # As the newest commit left it.
        self._asked = 0
        writer.set_wal_hook(self._committed)

    @property
    def far_behind(self) -> bool:
        """Whether copies beside the writer do not keep up with it."""
        return self._pages >= FAR * self._step

    def due(self) -> bool:
        """Whether the log has grown so much since this was last the answer; in the writer's thread."""
        if self._pages < self._asked:  # Begun anew.
            self._asked = 0
        if self._pages - self._asked < self._step:
            return False
        self._asked = self._pages
        return True

    def copy_beside(self) -> None:
        """While the writer goes on; in a thread of its own."""
        for _ in range(PASSES):
            if self._copy(self._beside) >= self._pages or self.stopped:
                return

    def copy_between(self) -> None:
        """In the writer's thread."""
        self._copy(self._writer)

    def close(self, *, leave: bool = False) -> None:
        """``leave`` the log as it is: the file is not to be trusted alone."""
        if leave:
            schema.leave_log(self._beside)
        with contextlib.suppress(apsw.Error):
            self._beside.close()

    def _copy(self, connection: apsw.Connection) -> int:
        """How many pages of the log are copied now."""
        if self.failed or self.stopped:
            return 0
        try:
            _, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:  # Another connection copies it at this moment.
            return 0
        except BaseException:
            self.failed = True
            raise
        return copied

    def _committed(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK
