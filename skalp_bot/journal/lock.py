"""One writer per state directory: a lock the kernel drops when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from skalp_bot.ports import JournalError

LOCK_FILE = "daemon.lock"


class StateLock:
    """An exclusive ``flock`` on a side file that holds the pid of its owner.

    The file is never deleted: between deleting and making it anew two processes could each hold one.
    """

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = state_dir / LOCK_FILE
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise in_use(state_dir) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> "StateLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def refuse_if_held(state_dir: Path) -> None:
    """For who is about to touch things beside the journal; the lock itself is taken later."""
    if held(state_dir):
        raise in_use(state_dir)


def in_use(state_dir: Path) -> JournalError:
    return JournalError(
        f"state directory {state_dir} is in use by process {holder(state_dir / LOCK_FILE)}: "
        "end that daemon first (its positions stay protected) or choose another --state-dir"
    )


def holder(path: Path) -> str:
    """The pid written by the owner; a word when it has not been written yet."""
    return path.read_text(encoding="ascii").strip() or "(starting)"


def held(state_dir: Path) -> bool:
    """Whether a live process holds the lock; takes it for a moment to find out."""
    path = state_dir / LOCK_FILE
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
