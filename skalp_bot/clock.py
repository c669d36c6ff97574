"""The one place that asks the machine what time it is; imports nothing of ours."""

import asyncio
import time


class SystemClock:
    """Wall and monotonic time in nanoseconds; satisfies ``ports.Clock`` by structure."""

    def now(self) -> int:
        return time.time_ns()

    def monotonic(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
