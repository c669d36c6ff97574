"""What never appears in a line, a report or an error: keys, signatures, listen keys, passwords."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
SECRET_NAME = re.compile(
    r"(?i)(api[-_]?key|secret|passw|token|signature|authorization|x-mbx-apikey|listen[-_]?key|dsn)"
)
# Query values by name, what a key or a signature looks like, and the password of an address.
# Sixty-four hexadecimal digits are also a sha256: digests are shown shortened.
SECRET_TEXT = re.compile(
    r"(?i)((?:signature|listenKey|apiKey|api_key|secret|token)[\"']?\s*[=:]\s*[\"']?)[^&\s\"',}]+"
    r"|\b[A-Za-z0-9]{64}\b"
    r"|(://[^:/@\s]+:)[^@\s]+(?=@)"
)


def redacted(text: str) -> str:
    return SECRET_TEXT.sub(lambda found: f"{found[1] or found[2] or ''}{HIDDEN}", text)


def redact(value: Any) -> Any:
    """The same value with every secret hidden: by the name of its key, or by its looks."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bytes):
        return redacted(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: HIDDEN if hidden(key, held) else redact(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [redact(held) for held in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))


def hidden(key: object, value: object) -> bool:
    return value not in (None, "", 0) and SECRET_NAME.search(str(key)) is not None
