"""How values read for people and in logs: times, money, and nothing that is secret."""

import re
from datetime import UTC, datetime

SECRET = re.compile(
    r"(?i)((?:signature|listenKey|apiKey|api_key|secret|token)=)[^&\s\"']+|\b[A-Za-z0-9]{64}\b"
)


def clock_text(nanos: int) -> str:
    """UTC, ISO 8601, to the millisecond; empty for never."""
    if not nanos:
        return ""
    moment = datetime.fromtimestamp(nanos // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos % 1_000_000_000 // 1_000_000:03d}Z"


def scrubbed(text: str) -> str:
    """The text without signatures, listen keys and anything shaped like a key."""
    return SECRET.sub(lambda match: (match.group(1) or "") + "***", text)
