"""What journal tests build with: steps, a small state, and a disk that can be told to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from aurora.model.control import Heartbeat
from aurora.model.facts import EpochTaken, IncomeRead
from aurora.model.numbers import Nanos
from aurora.model.step import Step
from skalp_bot.clock import SystemClock
from skalp_bot.journal.schema import Fingerprint
from skalp_bot.journal.sqlite import Limits, SqliteJournal, open_journal

ACCOUNT = Fingerprint(venue="paper", key_hash="0123456789abcdef", instance="inst-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Stands in for the engine's checkpoint."""

    count: int
    names: tuple[str, ...]


def step(seq: int) -> Step:
    """A step worth a row."""
    at = Nanos(1_700_000_000_000_000_000 + seq)
    return Step(seq=seq, event=Heartbeat(ts_recv=at), commands=(), facts=(IncomeRead(until=at),))


def quiet_step(seq: int) -> Step:
    return Step(seq=seq, event=Heartbeat(ts_recv=Nanos(seq)), commands=(), facts=())


def epoch(number: int) -> EpochTaken:
    return EpochTaken(epoch=number, at=Nanos(number))


def journal(path: Path, *, limits: Limits | None = None) -> SqliteJournal:
    return open_journal(path, ACCOUNT, SystemClock(), limits=limits)


class FailingFile(apsw.VFSFile):
    """Passes everything on, until told that the disk is gone."""

    def __init__(self, disk: "Disk", name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's name
        if self._disk.failing:
            raise apsw.IOError("fsync: the disk is gone")
        super().xSync(flags)


class Disk(apsw.VFS):
    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.failing = False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FailingFile:  # noqa: N802 -- SQLite's
        return FailingFile(self, name, flags)


@contextmanager
def failing_disk(name: str) -> Iterator[Disk]:
    disk = Disk(name)
    try:
        yield disk
    finally:
        disk.unregister()
