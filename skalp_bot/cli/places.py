"""Which state directory a command means: the one named, the newest that answers, or the newest journal."""

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skalp_bot.cli.errors import CommandError

SOCKET = "control.sock"
JOURNAL = "journal.sqlite"
ROOT = Path("state")
DEPTH = ("*", "*/*")  # state/testnet and state/paper/START.


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    state_dir: Path
    alive: bool  # Its daemon takes connections.

    @property
    def socket(self) -> Path:
        return self.state_dir / SOCKET

    @property
    def journal(self) -> Path:
        return self.state_dir / JOURNAL

    @property
    def said(self) -> str:
        return f"{self.state_dir} ({'daemon answers' if self.alive else 'no daemon, from its journal'})"


def find(state_dir: Path | None) -> Place:
    """CommandError when there is nothing to address."""
    if state_dir is not None:
        return named(state_dir)
    sockets = newest(f"{depth}/{SOCKET}" for depth in DEPTH)
    for path in sockets:
        if answers(path):
            return Place(state_dir=path.parent, alive=True)
    journals = newest(f"{depth}/{JOURNAL}" for depth in DEPTH)
    if journals:
        return Place(state_dir=journals[0].parent, alive=False)
    for folder in (ROOT, *sorted(ROOT.glob("*"))):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    raise CommandError(
        f"nothing runs and no journal is under {ROOT}/: start `skalp-bot run --profile profiles/paper.yaml`, "
        "or name a directory with --state-dir"
    )


def named(state_dir: Path) -> Place:
    if not state_dir.is_dir():
        raise CommandError(f"state directory {state_dir} does not exist: check --state-dir")
    alive = answers(state_dir / SOCKET)
    if not alive and not (state_dir / JOURNAL).is_file():
        raise CommandError(f"state directory {state_dir} holds neither a live {SOCKET} nor a {JOURNAL}")
    return Place(state_dir=state_dir, alive=alive)


def newest(patterns: Iterable[str]) -> list[Path]:
    found = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return sorted(found, key=lambda path: path.lstat().st_mtime_ns, reverse=True)


def answers(path: Path) -> bool:
    """Whether somebody listens: the file alone outlives a killed daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
