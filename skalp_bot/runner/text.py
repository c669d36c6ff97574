"""How a time reads, for people and in logs."""

from datetime import UTC, datetime


def clock_text(nanos: int) -> str:
    """UTC, ISO 8601, to the millisecond; empty for never."""
    if not nanos:
        return ""
    moment = datetime.fromtimestamp(nanos // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos % 1_000_000_000 // 1_000_000:03d}Z"
