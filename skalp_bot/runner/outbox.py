"""The one way out: a command leaves when its step is durable, exits first, each at most once."""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from aurora.model.commands import CancelOrder, Command, Lane, QueryOrder, SubmitOrder
from aurora.model.control import Control, Verb
from aurora.model.events import OrderNotSent, RequestFailed
from aurora.model.facts import SentAhead
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from aurora.model.order import OrderKey
from aurora.model.step import Step
from skalp_bot.ports import Clock, Emit, Exchange, Journal, JournalError, Outcome, Ticket
from skalp_bot.runner.histogram import Histogram

BACKLOG_LIMIT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """``exit_reserved`` of the ``concurrent`` sends are kept free for exits."""

    concurrent: int = 8
    exit_reserved: int = 2
    exit_wait_ms: int = 20


@dataclass(slots=True, kw_only=True, order=True)
class Parcel:
    """One command on its way; the order of parcels is the order of sending."""

    lane: Lane
    number: int
    command: Command = field(compare=False)
    cause_at: Nanos = field(compare=False)  # When the event behind it reached us; 0 when it was no quote.
    returned: bool = field(default=False, compare=False)
    outcome: Outcome | None = field(default=None, compare=False)  # Where it was sent at once.


class Outbox:
    """Releases commands, and tells the engine of each one that it turned back.

    What can increase exposure waits for the disk; everything else waits ``exit_wait_ms`` at most.
    """

    def __init__(
        self,
        *,
        exchange: Exchange,
        journal: Journal,
        clock: Clock,
        emit: Emit,
        alert: Callable[[str, str], None],
        tasks: asyncio.TaskGroup,
        limits: OutboxLimits = OutboxLimits(),
    ) -> None:
        self.sent = 0
        self.sent_ahead = 0
        self.tick_to_wire = Histogram()
        self._exchange = exchange
        self._journal = journal
        self._clock = clock
        self._emit = emit
        self._alert = alert
        self._tasks = tasks
        self._limits = limits
        self._numbers = 0
        self._parked: dict[int, Parcel] = {}
        self._ready: list[Parcel] = []
        self._in_flight = 0
        self._broken = ""
        self._closed = False

    @property
    def idle(self) -> bool:
        """Nothing parked, queued or on the wire."""
        return not (self._parked or self._ready or self._in_flight)

    def put(self, step: Step, ticket: Ticket, cause_at: Nanos) -> None:
        """Take the commands of one step, whose record is ``ticket``; never blocks."""
        parcels = [self._parcel(command, cause_at) for command in step.commands]
        if ticket.durable:
            self._release(parcels)
            return
        entries = [parcel for parcel in parcels if increases(parcel.command)]
        others = [parcel for parcel in parcels if not increases(parcel.command)]
        for parcel in parcels:
            self._parked[parcel.number] = parcel
        if entries:
            self._tasks.create_task(self._wait_then_release(entries, ticket))
        if others:
            self._release_soon(others, ticket)

    def drop_entries(self, why: str) -> None:
        """Turn back every entry that is not on the wire yet."""
        queued = [*self._parked.values(), *self._ready]
        for parcel in sorted(queued):
            if increases(parcel.command):
                self._turn_back(parcel, why)

    def _parcel(self, command: Command, cause_at: Nanos) -> Parcel:
        self._numbers += 1
        return Parcel(lane=lane_of(command), number=self._numbers, command=command, cause_at=cause_at)

    async def _wait_then_release(self, entries: list[Parcel], ticket: Ticket) -> None:
        """Entries: durable or never; what outlives its time goes back even while the disk is silent."""
        try:
            async with asyncio.timeout(self._patience(entries)):
                await ticket.wait()
        except JournalError as error:
            self._journal_broke(str(error))
            why = f"the journal refused the record: {error}"
        except TimeoutError:
            why = "the record was not durable in time"
        else:
            self._release(entries)
            return
        for parcel in entries:
            self._turn_back(parcel, why)

    def _release_soon(self, parcels: list[Parcel], ticket: Ticket) -> None:
        """Exits and cancels: a slow disk may hold them up for ``exit_wait_ms`` and no longer.

        Called back, not waited for in a task: that is a part of what an exit takes beyond its commit.
        """
        timer = asyncio.get_running_loop().call_later(
            self._limits.exit_wait_ms / 1_000, self._let_go, parcels, ticket
        )

        def settled() -> None:
            timer.cancel()
            if ticket.error:
                self._journal_broke(ticket.error)
            self._let_go(parcels, ticket)

        ticket.when_settled(settled, urgent=any(parcel.lane is not Lane.QUERY for parcel in parcels))

    def _let_go(self, parcels: list[Parcel], ticket: Ticket) -> None:
        """By the disk or by the clock, whichever comes first."""
        if parcels[0].number not in self._parked:
            return
        for parcel in parcels:  # First: a note that breaks the journal settles this very ticket.
            self._parked.pop(parcel.number, None)
        if not ticket.durable:
            self._note_ahead(parcels)
        self._release(parcels)

    def _note_ahead(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            key = key_of(parcel.command)
            if key is None:
                continue
            self.sent_ahead += 1
            try:
                self._journal.note(SentAhead(key=key, at=self._now()))
            except JournalError as error:
                self._journal_broke(str(error))

    def _journal_broke(self, why: str) -> None:
        if self._broken:
            return
        self._broken = why
        self._alert("JOURNAL_BROKEN", f"{why}; entries stop, exits go on")
        self._emit(
            Control(verb=Verb.PAUSE, by="outbox", reason=f"journal: {why}", halt_id="", ts_recv=self._now())
        )

    def _release(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            self._parked.pop(parcel.number, None)
            if parcel.returned or self._cancels_already(parcel.command):
                continue
            if parcel.lane in (Lane.ENTRY, Lane.QUERY) and len(self._ready) >= BACKLOG_LIMIT:
                self._turn_back(parcel, f"{len(self._ready)} commands are queued already")
                continue
            heapq.heappush(self._ready, parcel)
        self._dispatch()

    def _cancels_already(self, command: Command) -> bool:
        """The same cancel waits: in an outage it is asked for every second, and one answer will do."""
        return isinstance(command, CancelOrder) and any(each.command == command for each in self._ready)

    def _dispatch(self) -> None:
        while self._ready and not self._closed:
            parcel = self._ready[0]
            room = self._limits.concurrent
            if parcel.lane is not Lane.EXIT:
                room -= self._limits.exit_reserved
            if self._in_flight >= room:
                return
            heapq.heappop(self._ready)
            if parcel.returned:
                continue
            late = self._late(parcel.command)
            if late:
                self._turn_back(parcel, late)
                continue
            sending = self._send(parcel)
            try:
                self._tasks.create_task(sending)
            except RuntimeError:  # The group is shutting down: the process ends, what is queued never lived.
                sending.close()
                self._closed = True
                return
            self._in_flight += 1
            if parcel.lane is Lane.EXIT and isinstance(parcel.command, SubmitOrder):
                parcel.outcome = self._exchange.send_now(parcel.command)  # Its task begins a turn later.
                if parcel.outcome is not None:
                    self._count(parcel)

    async def _send(self, parcel: Parcel) -> None:
        try:
            if parcel.outcome is not None:
                await parcel.outcome()
                return
            late = self._late(parcel.command)
            if late:
                self._turn_back(parcel, late)
                return
            self._count(parcel)
            await self._exchange.execute(parcel.command)
        except asyncio.CancelledError:
            self._closed = True  # The process ends; what is queued never lived.
            raise
        finally:
            self._in_flight -= 1
            if not self._closed:
                self._dispatch()

    def _count(self, parcel: Parcel) -> None:
        self.sent += 1
        if parcel.cause_at and isinstance(parcel.command, SubmitOrder):
            self.tick_to_wire.add(self._clock.now() - parcel.cause_at)

    def _late(self, command: Command) -> str:
        if not isinstance(command, SubmitOrder) or command.send_before is None:
            return ""
        late = self._clock.now() - command.send_before
        return f"{late / MILLISECOND:.1f} ms too late" if late > 0 else ""

    def _turn_back(self, parcel: Parcel, why: str) -> None:
        if parcel.returned:
            return
        parcel.returned = True
        self._parked.pop(parcel.number, None)
        match parcel.command:
            case SubmitOrder(key=key):
                self._emit(OrderNotSent(key=key, why=why, ts_recv=self._now()))
            case command:
                subject = command.key.client_id if isinstance(command, QueryOrder) else ""
                request = type(command).__name__
                self._emit(RequestFailed(request=request, subject=subject, why=why, ts_recv=self._now()))

    def _patience(self, entries: list[Parcel]) -> float | None:
        limits = [p.command.send_before for p in entries if isinstance(p.command, SubmitOrder)]
        known = [limit for limit in limits if limit is not None]
        if not known:
            return None
        return max(max(known) - self._clock.now(), 0) / SECOND

    def _now(self) -> Nanos:
        return Nanos(self._clock.now())


def increases(command: Command) -> bool:
    """Whether it could make a position larger; such a command never overtakes the disk."""
    return isinstance(command, SubmitOrder) and not command.approved.intent.reduces


def lane_of(command: Command) -> Lane:
    match command:
        case SubmitOrder(lane=lane):
            return lane
        case CancelOrder():
            return Lane.CANCEL
        case _:
            return Lane.QUERY


def key_of(command: Command) -> OrderKey | None:
    """The order it acts on; a question acts on none."""
    return command.key if isinstance(command, SubmitOrder | CancelOrder) else None
