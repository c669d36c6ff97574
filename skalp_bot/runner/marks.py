"""Marks in the state directory that outlive a process: crashes in a row, and an order to start halted."""

from pathlib import Path

import orjson

from aurora.model.numbers import SECOND

CRASHES = "crashes.json"
HALT = "HALT"
CRASHES_MAX = 3
WITHIN = 600 * SECOND


class Marks:
    """Three crashes within ten minutes, or a HALT file, make the next start HALTED."""

    def __init__(self, state_dir: Path) -> None:
        self._crashes = state_dir / CRASHES
        self._halt = state_dir / HALT

    def crashed(self, now: int) -> None:
        """Remember one more crash; older ones than count are forgotten."""
        recent = [*self._recent(now), now][-CRASHES_MAX:]
        beside = self._crashes.with_suffix(".new")
        beside.write_bytes(orjson.dumps(recent))
        beside.replace(self._crashes)

    def halt_reason(self, now: int) -> str:
        """Why this start must be HALTED; empty when it need not."""
        if self._halt.exists():
            return f"file {self._halt} was found: {self._halt.read_text(errors='replace').strip()[:200]}"
        crashes = len(self._recent(now))
        if crashes >= CRASHES_MAX:
            return f"{crashes} crashes within {WITHIN // SECOND} s, limit {CRASHES_MAX}"
        return ""

    def obeyed(self) -> None:
        """The halt is in the journal now; the marks have done their work."""
        self._halt.unlink(missing_ok=True)
        self._crashes.unlink(missing_ok=True)

    def _recent(self, now: int) -> list[int]:
        try:
            found = orjson.loads(self._crashes.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return []
        return [at for at in found if isinstance(at, int) and now - WITHIN < at <= now]
