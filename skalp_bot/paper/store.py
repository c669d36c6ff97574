"""The state directory: a file that only grows and one that is replaced whole; a kill leaves old or new."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from skalp_bot.paper.settings import OptionError

LIVING, HISTORY, LENGTH = "exchange.json", "history.jsonl", "history_bytes"
PRIVATE = 0o600


class Store:
    """Loads and saves the exchange's memory; holds the directory's lock while it lives.

    The history is appended to first; the living state then says how much of it counts, so what a kill left
    behind the last complete save is cut off at the next start. A save without `through` survives the death of
    the process; with it, also a loss of power.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = os.open(folder / "exchange.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.lock)
            raise OptionError(
                f"--state-dir {folder}: in use by another exchange; stop that one or name another directory"
            ) from error
        self.history = os.open(folder / HISTORY, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        self.length = 0

    def load(self) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Give the living state and the history it counts on; None for a new directory."""
        path = self.folder / LIVING
        if not path.exists():
            os.ftruncate(self.history, 0)
            return None
        try:
            state = orjson.loads(path.read_bytes())
            self.length = state[LENGTH]
            records = [orjson.loads(line) for line in read_exactly(self.history, self.length).splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{path}: not readable ({error}); move it away to start afresh") from error
        os.ftruncate(self.history, self.length)
        return state, records

    def save(self, state: dict[str, Any], ended: Sequence[dict[str, Any]], *, through: bool) -> None:
        if ended:
            body = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in ended)
            self.length += write_all(self.history, body)
        if through:
            os.fsync(self.history)
        path, draft = self.folder / LIVING, self.folder / (LIVING + ".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
        try:
            write_all(file, orjson.dumps({**state, LENGTH: self.length}))
            if through:
                os.fsync(file)
        finally:
            os.close(file)
        os.replace(draft, path)
        if through:
            folder = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        os.close(self.history)
        os.close(self.lock)


def read_exactly(file: int, count: int) -> bytes:
    body = os.pread(file, count, 0)
    if len(body) != count:
        raise ValueError(f"{HISTORY} has {len(body)} of {count} bytes")
    return body


def write_all(file: int, body: bytes) -> int:
    left = memoryview(body)
    while left:
        left = left[os.write(file, left) :]
    return len(body)
