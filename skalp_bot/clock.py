"""The one place that asks the machine what time it is; imports nothing of ours."""

import asyncio
import time
from collections.abc import Callable

JUMP = 500_000_000


class SystemClock:
    """UTC and monotonic time in nanoseconds; satisfies ``ports.Clock`` by structure.

    UTC advances with the monotonic clock, so it never goes back when somebody sets the wall clock back; it
    follows the wall when that is half a second ahead (set forward, or the machine was suspended).
    """

    def __init__(
        self,
        *,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> int:
        passed = self._monotonic()
        ahead = self._wall() - passed - self._offset
        if ahead > JUMP:
            self._offset += ahead
        return passed + self._offset

    def monotonic(self) -> int:
        return self._monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
