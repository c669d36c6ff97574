"""Tells news from its repetition, while two connections carry one stream."""

import orjson

from skalp_bot.exch.fields import Row

FRAMES_KEPT = 1_024  # Of an account's news; a few seconds of it.


class Echo:
    """Remembers what was heard since the stream was doubled; ``forget`` when it no longer is."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}
        self._frames: dict[bytes, None] = {}

    def stale(self, kind: str, symbol: str, number: int) -> bool:
        """Whether this or something newer of the kind was heard; numbers only grow."""
        if number <= self._newest.get((kind, symbol), number - 1):
            return True
        self._newest[kind, symbol] = number
        return False

    def repeated(self, row: Row) -> bool:
        """Whether the same was heard, to the letter."""
        frame = orjson.dumps(row)
        if frame in self._frames:
            return True
        if len(self._frames) >= FRAMES_KEPT:
            del self._frames[next(iter(self._frames))]
        self._frames[frame] = None
        return False

    def forget(self) -> None:
        if self._newest or self._frames:
            self._newest.clear()
            self._frames.clear()
