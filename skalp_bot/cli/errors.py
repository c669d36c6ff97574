"""Failures of a command, and the exit code each kind of them means."""

from collections.abc import Mapping
from typing import Any

OK, FAILED, USAGE, REFUSED, BROKEN = 0, 1, 2, 3, 4

# By module and name: importing every room to learn its errors would cost half a second a command.
EXIT_CODES = {
    ("aurora.errors", "ConfigError"): USAGE,
    ("skalp_bot.paper.settings", "OptionError"): USAGE,
    ("skalp_bot.paper.market", "MarketError"): USAGE,
    ("skalp_bot.ports", "VenueError"): REFUSED,
    ("skalp_bot.ports", "JournalError"): FAILED,
    ("builtins", "PermissionError"): FAILED,
    ("aurora.errors", "TransitionError"): BROKEN,
    ("aurora.errors", "InvariantError"): BROKEN,
}


class CommandError(Exception):
    """A command could not do what was asked; ``body`` is what a machine is told beside the message."""

    def __init__(self, message: str, *, code: int = FAILED, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body = dict(body or {})


def said(error: BaseException) -> str:
    """What a person is told of it."""
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: {error.strerror}: be its owner, as the daemon is, or name another place"
    return str(error)


def exit_code_of(error: BaseException) -> int | None:
    """None for what nobody foresaw: its traceback is worth more than a tidy line."""
    if isinstance(error, CommandError):
        return error.code
    for kind in type(error).__mro__:
        code = EXIT_CODES.get((kind.__module__, kind.__name__))
        if code is not None:
            return code
    return None
