"""The state directory: one file, replaced whole, so that a kill leaves the old one or the new one."""

import fcntl
import os
from pathlib import Path
from typing import Any

import orjson

from skalp_bot.paper.settings import OptionError

NAME = "exchange.json"


class Store:
    """Loads and saves the exchange's memory; holds the directory's lock while it lives.

    A save without `through` survives the death of the process; with it, also a loss of power.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self.draft = folder / (NAME + ".new")
        self.lock = os.open(folder / "exchange.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.lock)
            raise OptionError(
                f"--state-dir {folder}: in use by another exchange; stop that one or name another"
            ) from error

    def load(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        try:
            state = orjson.loads(self.path.read_bytes())
        except orjson.JSONDecodeError as error:
            raise OptionError(f"{self.path}: not readable ({error}); move it away to start afresh") from error
        if not isinstance(state, dict):
            raise OptionError(f"{self.path}: not an exchange's state; move it away to start afresh")
        return state

    def save(self, state: dict[str, Any], *, through: bool) -> None:
        body = orjson.dumps(state)
        with open(
            os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(body)
            if through:
                file.flush()
                os.fsync(file.fileno())
        os.replace(self.draft, self.path)
        if through:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        os.close(self.lock)
