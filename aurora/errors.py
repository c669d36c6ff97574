"""Exceptions of the core: each one is a bug or a broken premise, never a market condition."""


class AuroraError(Exception):
    """Base of every exception raised by ``aurora``."""


class InvariantError(AuroraError):
    """The books no longer add up; the only safe answer is to halt."""


class TransitionError(InvariantError):
    """A state machine was shown an event its table does not list."""


class ConfigError(AuroraError):
    """The configuration cannot be traded with; the message names key, value and allowed range."""
