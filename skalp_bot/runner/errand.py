"""One verb where no daemon runs: lock, act, journal, prove, leave; whatever happens, nothing is entered."""

import asyncio
import os
from dataclasses import dataclass

import uvloop

from aurora.model.commands import Command, SubmitOrder
from aurora.model.control import Control, Verb
from aurora.model.events import Event, OrderNotSent, RequestFailed
from aurora.model.numbers import Nanos
from skalp_bot.clock import SystemClock
from skalp_bot.config import RunOptions, Secret
from skalp_bot.obs.log import install
from skalp_bot.obs.redact import redacted
from skalp_bot.ports import Clock, Emit, VenueError
from skalp_bot.runner.connect import exchange_of
from skalp_bot.runner.desk import Answer
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.outbox import increases
from skalp_bot.runner.recovery import Recovered, recover
from skalp_bot.runner.run_live_aurora import LOG_FILE, Ended, leaves, let_go
from skalp_bot.runner.session import Parts, Session
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import Access, FastExchange, PaperChild, access_for, child_for

OK, FAILED, REFUSED = 0, 1, 3
UNDONE = {
    Verb.CANCEL: "no entry order was cancelled",
    Verb.HALT: "entry orders that may still rest were not cancelled",
    Verb.FLATTEN: "no position was closed; the next start closes them, or flatten again",
    Verb.RECONCILE: "the books were held against nothing",
}
UNSEEN = "the account was not looked at"
PAPER_GONE = (
    "the paper exchange of that run ended with it, accounts and all: name a running one with --exchange "
    "READY.json (a run with --state-dir keeps its exchange there and can be resumed)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an operator wants done, by whom and why."""

    verb: Verb
    by: str
    reason: str
    halt_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The daemon's own answer, and the exit code it means."""

    answer: Answer
    code: int


def main(options: RunOptions, asked: Asked) -> Outcome:
    """Carry the verb out; JournalError when another process holds the journal or it cannot be trusted."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Errand(options, asked, SystemClock()).run())


class Errand:
    """The daemon's own session, without its strategy, control socket and metrics."""

    def __init__(self, options: RunOptions, asked: Asked, clock: Clock) -> None:
        self.options, self.asked, self.clock = options, asked, clock
        self.child: PaperChild | None = None
        self.refusal = ""  # Of the first question that was not answered.
        self.outcome = Outcome(answer=Answer(status=500, body={"error": "cut short"}), code=FAILED)

    async def run(self) -> Outcome:
        log_file = self.options.state_dir / LOG_FILE
        handle = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        lines = install(handle=handle, level="warning")
        log = Log(clock=self.clock, handle=handle, level=self.options.config.log.level)
        try:
            access, why = await self._access()
            recovered = recover(self.options, access, self.clock)
            try:
                return await self._in_session(access, why, recovered, log)
            except ExceptionGroup as group:  # The caller knows single errors by their kind.
                raise leaves(group)[0] from None
            finally:
                await recovered.journal.close()
        finally:
            if self.child is not None:
                await self.child.stop()
            await log.close()
            lines.let_go()
            os.close(handle)

    async def _access(self) -> tuple[Access | None, str]:
        """The way to the exchange, or why there is none: the journal can be told without it."""
        self.child = child_for(self.options, self.clock)
        if self.child is not None and not self.options.resume_exchange:
            return None, PAPER_GONE
        try:
            return await access_for(self.options, self.child), ""
        except VenueError as error:
            return None, str(error)

    async def _in_session(self, access: Access | None, why: str, recovered: Recovered, log: Log) -> Outcome:
        inbox = Inbox(clock=self.clock, alert=lambda code, said: log.say("alert", code=code, message=said))
        venue: FastExchange = Nowhere(why)
        if access is not None:

            def hear(event: Event) -> None:
                if isinstance(event, RequestFailed):
                    self.refusal = self.refusal or redacted(event.why)
                inbox.put(event)

            venue = exchange_of(access, self.options.config.aurora, emit=hear, clock=self.clock)
        gate = Gate(venue, emit=inbox.put, clock=self.clock)
        parts = Parts(access=access or nobody(self.options), recovered=recovered, inbox=inbox, exchange=gate)
        try:
            async with asyncio.TaskGroup() as tasks:
                session = Session(options=self.options, parts=parts, clock=self.clock, log=log, tasks=tasks)
                try:
                    self.outcome = await self._carried_out(session, gate, tasks)
                finally:
                    session.onlookers.show()
                let_go()
        except* Ended:
            pass
        finally:
            await venue.close()
        return self.outcome

    async def _carried_out(self, session: Session, gate: "Gate", tasks: asyncio.TaskGroup) -> Outcome:
        asked, desk = self.asked, session.desk
        await session.begin(tasks)
        session.loop.turn(self._control(Verb.STOP))  # From the first step on: no strategy, no entries.
        refused = desk.refusal(asked.verb, asked.halt_id)
        if refused is not None:
            await session.durable()
            return Outcome(answer=refused, code=FAILED)
        await desk.put_on_line(asked.verb, by=asked.by, reason=asked.reason, halt_id=asked.halt_id)
        await session.durable()
        try:
            await session.look(tasks)
            if not knows_what_is_held(session):
                await gate.open()
        except VenueError as error:
            return await self._unreached(session, redacted(str(error)))
        tasks.create_task(gate.stream(), name="streams")
        if asked.verb in (Verb.CANCEL, Verb.HALT):
            await desk.looked(asked.by)  # Entries the journal does not know are cancelled too.
        answer = await desk.proof(asked.verb, asked.by)
        return await self._left(session, answer)

    async def _unreached(self, session: Session, why: str) -> Outcome:
        """What is journaled counts; the rest is said."""
        answer = await session.desk.answer(verified=False)
        state = f"{answer.body['trading_state']} {answer.body['halt_id']}".strip()
        undone = UNDONE.get(self.asked.verb, UNSEEN)
        error = f"{state} is journaled; the exchange was not reached, so {undone}: {why}"
        return Outcome(answer=Answer(status=503, body={**answer.body, "error": error}), code=REFUSED)

    async def _left(self, session: Session, answer: Answer) -> Outcome:
        """A clean stop behind a proven effect; what cannot be shown on leaving is part of the answer."""
        if answer.status == 200:
            doubts = await session.stop()
            await session.durable()
            if not doubts:
                return Outcome(answer=answer, code=OK)
            error = f"done, but not shown on leaving: {'; '.join(doubts)}; look at the account"
            answer = Answer(status=504, body={**answer.body, "error": error})
        return unproven(answer, self.refusal)

    def _control(self, verb: Verb) -> Control:
        now = Nanos(self.clock.now())
        return Control(verb=verb, by="runner", reason="no daemon runs", halt_id="", ts_recv=now)


class Gate:
    """The exchange behind a door: closed until it was reached, and never open to what adds exposure."""

    def __init__(self, venue: FastExchange, *, emit: Emit, clock: Clock) -> None:
        self._venue = venue
        self._emit = emit
        self._clock = clock
        self._reached = asyncio.Event()

    async def connect_fast(self) -> None:
        await self._venue.connect_fast()
        self._reached.set()

    async def open(self) -> None:
        await self._venue.open()

    async def stream(self) -> None:
        await self._venue.stream()

    async def execute(self, command: Command) -> None:
        if isinstance(command, SubmitOrder) and increases(command):
            now = Nanos(self._clock.now())
            self._emit(OrderNotSent(key=command.key, why="no daemon runs: nothing is entered", ts_recv=now))
            return
        await self._reached.wait()
        await self._venue.execute(command)

    def send_now(self, order: SubmitOrder) -> None:
        """Nothing passes but by the gate."""

    def budget_use(self) -> tuple[tuple[str, float], ...]:
        return self._venue.budget_use()

    async def close(self) -> None:
        await self._venue.close()


class Nowhere:
    """An exchange there is no way to; it says why as soon as it is asked for."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def connect_fast(self) -> None:
        raise VenueError(self._why)

    async def open(self) -> None:
        raise VenueError(self._why)

    async def stream(self) -> None:
        raise VenueError(self._why)

    async def execute(self, command: Command) -> None:
        raise VenueError(self._why)

    def send_now(self, order: SubmitOrder) -> None: ...

    def budget_use(self) -> tuple[tuple[str, float], ...]:
        return ()

    async def close(self) -> None: ...


def unproven(answer: Answer, refusal: str) -> Outcome:
    """Where the exchange refused to tell, that is the reason."""
    if not refusal:
        return Outcome(answer=answer, code=FAILED)
    error = f"{answer.body.get('error', 'not proven')}; the first question that failed: {refusal}"
    return Outcome(answer=Answer(status=answer.status, body={**answer.body, "error": error}), code=REFUSED)


def knows_what_is_held(session: Session) -> bool:
    """Whether the filters of every configured and held symbol are in the journal."""
    durable = session.state.durable
    held = (position.symbol for position in durable.ledger.positions())
    return all(name in durable.instruments for name in (*session.options.config.aurora.symbols, *held))


def nobody(options: RunOptions) -> Access:
    return Access(venue=options.config.venue, api_key=Secret(""), api_secret=Secret(""))
