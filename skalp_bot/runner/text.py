"""How a time reads, for people and in logs."""

from datetime import UTC, datetime
from functools import lru_cache


def clock_text(nanos: int) -> str:
    """UTC, ISO 8601, to the millisecond; empty for never."""
    if not nanos:
        return ""
    return f"{second_text(nanos // 1_000_000_000)}.{nanos % 1_000_000_000 // 1_000_000:03d}Z"


@lru_cache(maxsize=64)
def second_text(second: int) -> str:
    """Of log lines many fall into one second."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
