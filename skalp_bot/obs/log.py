"""Log lines as JSON, redacted, and never waited for: ours and those of the libraries below us."""

import logging
import os
import select
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from skalp_bot.obs.redact import redact

LINE_MAX = select.PIPE_BUF  # Up to this size a pipe that polls writable takes a line whole, without waiting.
EventDict = MutableMapping[str, Any]


def install(*, handle: int, level: str) -> "LineHandler":
    """Send everything said through ``structlog`` or ``logging`` to a file descriptor, one object a line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = LineHandler(handle)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, render],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return handler


class LineHandler(logging.Handler):
    """Writes a line when the reader has room for it, and counts it as dropped when not."""

    def __init__(self, handle: int) -> None:
        super().__init__()
        self.dropped = 0
        self._handle = handle
        self._poll = select.poll()
        self._poll.register(handle, select.POLLOUT)

    def let_go(self) -> None:
        """Before its descriptor is closed: the number may be a socket's next, and lines would go there."""
        logging.getLogger().removeHandler(self)

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


def redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """After exceptions became text and before anything is rendered, so that nothing slips by."""
    clean: EventDict = redact(event)
    return clean


def render(_logger: Any, _method: str, event: EventDict) -> str:
    head = {key: event[key] for key in ("ts", "level", "event") if key in event}
    return orjson.dumps({**head, **event}, default=str).decode()


def cut(line: bytes) -> bytes:
    """At most what one write takes; a longer one loses its tail and is marked."""
    if len(line) <= LINE_MAX:
        return line
    kept = line[: LINE_MAX // 3].decode("utf-8", "replace")  # Quotes in it will be escaped once more.
    return orjson.dumps({"event": "line cut", "was": kept}) + b"\n"
