"""The sockets in the wall: an exchange to trade on, a journal to remember with, a clock to tell time by."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aurora.model.commands import Command, SubmitOrder
from aurora.model.events import Event
from aurora.model.facts import DurableFact
from aurora.model.step import Step


class Clock(Protocol):
    """UTC and monotonic nanoseconds; the only way to wait."""

    def now(self) -> int: ...
    def monotonic(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...


Emit = Callable[[Event], None]
"""Hands one event to the inbox; never blocks, never raises. One that is called ``pass_on`` has it stepped
before it returns, when nothing waits before it."""


Outcome = Callable[[], Awaitable[None]]
"""Of a command that was sent: awaited until it is known and emitted."""


class Exchange(Protocol):
    """A venue. Streams and answers arrive through the ``Emit`` it was built with, always as events."""

    async def open(self) -> None:
        """Check venue, clock, keys, modes, leverage; raise VenueError when trading is not possible."""
        ...

    async def stream(self) -> None:
        """Keep every stream alive until cancelled; each loss and return is a StreamChanged event."""
        ...

    async def execute(self, command: Command) -> None:
        """Carry out one command; its outcome is emitted as an event before this returns."""
        ...

    def send_now(self, order: SubmitOrder) -> Outcome | None:
        """Send it before this returns; None where that takes waiting: it was not sent, ``execute`` does."""
        ...

    async def close(self) -> None: ...


class Ticket(Protocol):
    """A promise that a row is durable; ``error`` says why it never will be."""

    @property
    def durable(self) -> bool: ...

    @property
    def error(self) -> str: ...

    async def wait(self) -> None:
        """Return when durable; raise JournalError when the disk refused."""
        ...

    def when_settled(self, call: Callable[[], None], /, *, urgent: bool = True) -> None:
        """Have it called once, soon after it is known whether the row is durable.

        Where it is ``urgent`` the row goes to the disk now, else with others a moment later.
        """
        ...


class Journal(Protocol):
    """The durable record; one writer."""

    def append(self, step: Step) -> Ticket:
        """Queue one step; never blocks."""
        ...

    def note(self, fact: DurableFact) -> Ticket:
        """Queue a fact of the shell's own."""
        ...

    async def close(self) -> None: ...


class VenueError(Exception):
    """The exchange cannot be traded with as configured; the message says what to do."""


class JournalError(Exception):
    """The record cannot be written or trusted."""
