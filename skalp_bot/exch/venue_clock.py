"""The venue's time: its answers laid over our monotonic clock, so that a step of ours moves nothing."""

from aurora.model.numbers import MILLISECOND, SECOND
from skalp_bot.ports import Clock

SKEW_S_MAX = 60.0


class VenueClock:
    """Until it has heard the venue it believes our own clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()
        self.skew_s = 0.0  # Venue minus ours, at the last sync.

    def now(self) -> int:
        """Nanoseconds since 1970 by the venue's clock."""
        return self._clock.monotonic() + self._offset

    def learn(self, *, asked_at: int, answered_at: int, server_ms: int) -> None:
        """``asked_at`` and ``answered_at`` are monotonic; the venue is taken to have spoken halfway."""
        halfway = (asked_at + answered_at) // 2
        server = server_ms * MILLISECOND + MILLISECOND // 2  # Told in whole milliseconds, rounded down.
        self._offset = server - halfway
        ours = self._clock.now() - self._clock.monotonic()
        self.skew_s = (self._offset - ours) / SECOND
