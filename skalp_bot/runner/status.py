"""What a run tells machines while it runs: log lines, written off the loop."""

import asyncio
import os
from collections import deque
from typing import Any

import orjson

from aurora.model.step import Step
from skalp_bot.obs.redact import redacted
from skalp_bot.ports import Clock
from skalp_bot.runner.lines import TOLD, Line, Lines, headed

LINES_WAITING = 10_000
GATHERED_S = 0.02  # After a write; a line after a silence is written at once.
LEVELS = ("debug", "info", "warning", "error")
CLOSE_WAIT_S = 2.0


class Log:
    """JSON lines to a file descriptor, written off the loop: a blocked reader costs lines, never a trade."""

    def __init__(self, *, clock: Clock, handle: int, level: str = "info") -> None:
        self.dropped = 0
        self._quietest = LEVELS.index(level)
        self._clock = clock
        self._handle = handle
        self._lines = Lines()
        self._waiting: deque[bytes] = deque()
        self._writing = False
        self._dead = False

    def see(self, step: Step, /) -> None:
        if step.facts or type(step.event) in TOLD:
            for line in self._lines.of(step):
                self._put(line)

    def say(self, event: str, *, level: str = "info", **fields: Any) -> None:
        """A line of the shell's own."""
        shown = {key: redacted(value) if isinstance(value, str) else value for key, value in fields.items()}
        self._put(headed(self._clock.now(), 0, {"event": event, "level": level, **shown}))

    async def close(self) -> None:
        """Write what is waiting; gives a blocked reader two seconds."""
        for _ in range(int(CLOSE_WAIT_S / 0.01)):
            if not self._writing:
                return
            await self._clock.sleep(0.01)

    def _put(self, line: Line) -> None:
        if LEVELS.index(line["level"]) < self._quietest:
            return
        if self._dead or len(self._waiting) >= LINES_WAITING:
            self.dropped += 1
            return
        self._waiting.append(orjson.dumps(line, default=str) + b"\n")
        if not self._writing:
            self._write()

    def _write(self) -> None:
        self._writing = True
        text = b"".join(self._waiting)
        self._waiting.clear()
        done = asyncio.get_running_loop().run_in_executor(None, write_all, self._handle, text)
        done.add_done_callback(self._written)

    def _written(self, done: "asyncio.Future[bool]") -> None:
        if done.cancelled() or not done.result():
            self._writing = False
            self._dead = True  # Nobody reads any more; trading goes on.
            self.dropped += len(self._waiting)
            self._waiting.clear()
        else:
            asyncio.get_running_loop().call_later(GATHERED_S, self._write_on)

    def _write_on(self) -> None:
        if self._waiting:
            self._write()
        else:
            self._writing = False


def write_all(handle: int, text: bytes) -> bool:
    """False when nobody can read it any more."""
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(handle, view) :]
    except OSError:
        return False
    return True
