"""What journal tests build with: steps, a small state, and a disk that can be told to fail."""

import random
from collections.abc import Callable, Iterator
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


class LossyFile(apsw.VFSFile):
    """Remembers what was written since the last sync, so that a power cut can take it back."""

    def __init__(self, disk: "LossyDisk", name: str, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = Path(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.happens()
        self._disk.unsynced.setdefault(self._path, []).append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.happens()
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.happens()
        super().xSync(flags)
        self._disk.synced[self._path] = self._path.read_bytes()
        self._disk.unsynced.pop(self._path, None)
        self._disk.syncs += 1


class LossyDisk(apsw.VFS):
    """At the ``cut_at``-th thing that happens to it, takes a picture of what a power cut would leave."""

    def __init__(self, name: str, *, seed: int, cut_at: int, acknowledged: Callable[[], int]) -> None:
        super().__init__(name, "")
        self.name = name
        self.synced: dict[Path, bytes] = {}
        self.unsynced: dict[Path, list[tuple[int, bytes]]] = {}
        self.syncs = 0
        self.left: dict[str, bytes] | None = None
        self.promised = 0
        self._chance = random.Random(seed)
        self._cut_at = cut_at
        self._happened = 0
        self._acknowledged = acknowledged

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 -- SQLite's
        if name is None:
            return apsw.VFSFile("", name, flags)
        return LossyFile(self, name if isinstance(name, str) else name.filename(), flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 -- SQLite's name
        super().xDelete(filename, syncdir)
        self.synced.pop(Path(filename), None)
        self.unsynced.pop(Path(filename), None)

    def happens(self) -> None:
        self._happened += 1
        if self._happened == self._cut_at:
            self.promised = self._acknowledged()
            self.left = {path.name: self.survivor(path) for path in {**self.synced, **self.unsynced}}

    def survivor(self, path: Path) -> bytes:
        """What was synced, and of each later write nothing, all, or its first sectors."""
        content = bytearray(self.synced.get(path, b""))
        for offset, data in self.unsynced.get(path, []):
            kept = data[: self._chance.choice([0, 0, 512, len(data)])]
            if kept:
                content.extend(bytes(max(0, offset + len(kept) - len(content))))
                content[offset : offset + len(kept)] = kept
        return bytes(content)
