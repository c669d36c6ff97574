"""The one thread of our own: when the loop hangs, it has the entries cancelled from outside and ends us."""

import contextlib
import faulthandler
import os
import select
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import orjson

from aurora.model.numbers import SECOND
from skalp_bot.ports import Clock
from skalp_bot.runner.standalone import leave_halt

KILL = "KILL"  # Put this file into the state directory: the same, on demand.
LOG = "watchdog.log"
LOOK_EVERY_S = 0.25
SILENT_S = 5.0
RESCUE_WAIT_S = 10.0
ASLEEP_S = 1.0  # Our own wait was so much too long: the machine or the process was stopped, not the loop.
EXIT_CODE = 4
STDERR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """The command that cancels from outside, its last word a reason; keys are in its environment alone."""

    words: Sequence[str]
    environ: Mapping[str, str]


class Watchdog:
    """``beat_at`` is the monotonic time of the loop's last beat, 0 before the first."""

    def __init__(
        self,
        *,
        clock: Clock,
        beat_at: Callable[[], int],
        state_dir: Path,
        rescue: Rescue,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self.rescue_wait_s = RESCUE_WAIT_S
        self._clock = clock
        self._beat_at = beat_at
        self._state_dir = state_dir
        self._rescue = rescue
        self._end = end
        self._over = threading.Event()
        self._looked_at = clock.monotonic()
        self._excused_at = 0
        self._thread = threading.Thread(  # noqa: TID251  # The one exception: who watches a loop cannot be in it.
            target=self._watch, name="watchdog", daemon=True
        )

    def start(self) -> None:
        self._looked_at = self._clock.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """From now on a silent loop is nobody's business."""
        self._over.set()

    def wait(self, seconds: float) -> None:
        """Until its thread is over."""
        self._thread.join(seconds)

    def reason(self) -> str:
        """Why the process must end; empty while it need not. A process that was stopped is excused."""
        now = self._clock.monotonic()
        if now - self._looked_at > (LOOK_EVERY_S + ASLEEP_S) * SECOND:
            self._excused_at = now
        self._looked_at = now
        if (self._state_dir / KILL).exists():
            return f"the file {self._state_dir / KILL} was found"
        beat_at = self._beat_at()
        silent_s = (now - max(beat_at, self._excused_at)) / SECOND
        if beat_at and silent_s >= SILENT_S:
            return f"the loop was silent for {silent_s:.1f} s"
        return ""

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            why = self.reason()
            if why:
                self._act(why)
                return

    def _act(self, why: str) -> None:
        """Halt first: whatever fails after it, the next start is HALTED. No step waits for another's luck."""
        reason = f"watchdog: {why}"
        try:
            for step in (tell, self._mark, self._cancel_entries):
                # A full disk, or a venue that does not answer: neither the next step nor the end waits.
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    step(reason)
        finally:
            self._end(EXIT_CODE)

    def _mark(self, reason: str) -> None:
        leave_halt(self._state_dir, reason)
        (self._state_dir / KILL).unlink(missing_ok=True)

    def _cancel_entries(self, reason: str) -> None:
        with self._log() as log:
            process = subprocess.Popen(  # noqa: S603  # Our own command.
                [*self._rescue.words, reason],
                env=dict(self._rescue.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            with contextlib.suppress(OSError):
                log.write(f"{reason}\n".encode())
                faulthandler.dump_traceback(log)  # Where it hangs: files and lines, no values.
        process.wait(self.rescue_wait_s)

    def _log(self) -> FileIO:
        """Where the rescue writes; nowhere when the disk takes nothing."""
        try:
            return FileIO(self._state_dir / LOG, "a")
        except OSError:
            return FileIO(os.devnull, "a")


def tell(reason: str) -> None:
    """One line on standard error when it takes one at once; the loop's own log may be what hangs."""
    ready = select.poll()
    ready.register(STDERR, select.POLLOUT)
    if any(event & select.POLLOUT for _, event in ready.poll(0)):
        os.write(STDERR, orjson.dumps({"level": "critical", "event": "watchdog", "reason": reason}) + b"\n")
