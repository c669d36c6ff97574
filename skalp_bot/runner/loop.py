"""One event in, one step out: its record to the journal, its commands to the outbox, its shadow to all."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from aurora.model.control import Heartbeat
from aurora.model.events import Event
from aurora.model.market import BookTicker, MarketTrade, MarkPrice
from aurora.model.numbers import MILLISECOND, NEVER, SECOND, Nanos
from aurora.model.step import Step
from skalp_bot.ports import Clock, Emit, Journal, Ticket
from skalp_bot.runner.histogram import Histogram
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.outbox import Outbox

BEAT_MS = 100
GAP_WORTH_TELLING = 150 * MILLISECOND  # Beyond the beat itself.
GAP_THAT_DROPS = SECOND
IN_A_ROW = 32
LATER_S = 0.005
PRICES = (BookTicker, MarkPrice, MarketTrade)


class Stepper(Protocol):
    """What the loop needs of the engine."""

    def step(self, event: Event, /) -> Step: ...


class Projection(Protocol):
    """A fold over steps: log, counters, status. It sees, and changes nothing."""

    def see(self, step: Step, /) -> None: ...


class Onlookers:
    """Projections that are shown each step a moment later, in order: what it decided leaves first.

    A price that decided nothing is shown at once where nothing waits: there are thousands of them. What a
    projection raises ends the loop at its next step.
    """

    def __init__(self, *projections: Projection) -> None:
        self._projections = projections
        self._steps: list[Step] = []
        self._failure: Exception | None = None

    def see(self, step: Step, /) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._steps:
            if not step.commands and not step.facts and type(step.event) in PRICES:
                for projection in self._projections:
                    projection.see(step)
                return
            asyncio.get_running_loop().call_later(LATER_S, self._show_all)
        self._steps.append(step)

    def show(self) -> None:
        """All that wait, now."""
        steps, self._steps = self._steps, []
        for step in steps:
            for projection in self._projections:
                projection.see(step)

    def _show_all(self) -> None:
        try:
            self.show()
        except Exception as failure:  # noqa: BLE001  # Not held back: the next step raises it.
            self._failure = failure


class Loop:
    """The only caller of ``Engine.step``. It never waits for the disk or the wire."""

    def __init__(
        self,
        *,
        engine: Stepper,
        inbox: Inbox,
        outbox: Outbox,
        journal: Journal,
        clock: Clock,
        projections: Sequence[Projection],
    ) -> None:
        self.tick_to_decision = Histogram()
        self.steps = 0
        self.last_ticket: Ticket | None = None  # Durable when everything before it is.
        self._engine = engine
        self._inbox = inbox
        self._outbox = outbox
        self._journal = journal
        self._clock = clock
        self._projections = tuple(projections)
        self._ended: asyncio.Future[None]

    async def run(self) -> None:
        """Step for ever; ends with what a step raised.

        Called back, not woken: a task that sleeps between two ticks costs as much as a step (ADR 0006).
        """
        self._ended = asyncio.get_running_loop().create_future()
        self._drain(None)
        await self._ended

    def _drain(self, event: Event | None) -> None:
        """What is handed over, then what waits; gives way after a decision, 32 prices, or one of all else."""
        if self._ended.done():
            return
        try:
            for _ in range(IN_A_ROW):
                event = event or self._inbox.take()
                if event is not None and (self.turn(event).commands or type(event) not in PRICES):
                    break
                if self._inbox.when_next(self._drain):
                    return
                event = None
        except BaseException as error:  # noqa: BLE001  # Not held back: it is what ``run`` ends with.
            self._ended.set_exception(error)
            return
        asyncio.get_running_loop().call_soon(self._drain, None)

    def turn(self, event: Event) -> Step:
        """Exactly one event through the engine and out on every side."""
        step = self._engine.step(event)
        self.steps += 1
        cause_at = NEVER
        if type(event) is BookTicker:
            cause_at = event.ts_recv
            self.tick_to_decision.add(self._clock.now() - cause_at)
        if step.durable:
            self.last_ticket = ticket = self._journal.append(step)
            if step.commands:
                self._outbox.put(step, ticket, cause_at)
        for projection in self._projections:
            projection.see(step)
        return step


class Pulse:
    """Time passing: a Heartbeat every 100 ms, and the loop's silences measured."""

    def __init__(self, *, clock: Clock, emit: Emit, outbox: Outbox, beat_ms: int = BEAT_MS) -> None:
        self.gap_max = 0
        self.lag = Histogram()
        self.beat_at = 0  # Monotonic; 0 until it runs. Read by the watchdog's thread.
        self._beat_ms = beat_ms
        self._clock = clock
        self._emit = emit
        self._outbox = outbox

    async def run(self) -> None:
        last = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._beat_ms / 1_000)
            now = self._clock.monotonic()
            silence, last = now - last, now
            self.beat_at = now
            self.lag.add(silence - self._beat_ms * MILLISECOND)
            gap = silence if silence > GAP_WORTH_TELLING + self._beat_ms * MILLISECOND else 0
            self.gap_max = max(self.gap_max, gap)
            if gap > GAP_THAT_DROPS:
                self._outbox.drop_entries(f"the loop was silent for {gap / SECOND:.2f} s")
            self._emit(Heartbeat(ts_recv=Nanos(self._clock.now()), gap=gap))
