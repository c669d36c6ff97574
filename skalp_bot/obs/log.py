"""What libraries say, as JSON lines, redacted, and never waited for."""

import logging
import os
import select
from datetime import UTC, datetime

import orjson

from skalp_bot.obs.redact import redact

LINE_MAX = select.PIPE_BUF  # Up to this size a pipe that polls writable takes a line whole, without waiting.


def install(*, handle: int, level: str) -> "LineHandler":
    """Send everything said through ``logging`` to a file descriptor, one object a line."""
    handler = LineHandler(handle)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return handler


class Lines(logging.Formatter):
    """One JSON object, redacted after exceptions became text, so that nothing slips by."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line = {"ts": at, "level": record.levelname.lower(), "event": record.getMessage()}
        line["logger"] = record.name
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(redact(line), default=str).decode()


class LineHandler(logging.Handler):
    """Writes a line when the reader has room for it, and counts it as dropped when not."""

    def __init__(self, handle: int) -> None:
        super().__init__()
        self.dropped = 0
        self._handle = handle
        self._poll = select.poll()
        self._poll.register(handle, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = cut(self.format(record).encode("utf-8", "replace") + b"\n")
            ready = self._poll.poll(0)
            if ready and ready[0][1] & select.POLLOUT:
                os.write(self._handle, line)
            else:
                self.dropped += 1
        except OSError:
            self.dropped += 1  # Nobody reads any more.


def cut(line: bytes) -> bytes:
    """At most what one write takes; a longer one loses its tail and is marked."""
    if len(line) <= LINE_MAX:
        return line
    kept = line[: LINE_MAX // 3].decode("utf-8", "replace")  # Quotes in it will be escaped once more.
    return orjson.dumps({"event": "line cut", "was": kept}) + b"\n"
