"""The composition root: builds a run, keeps its tasks, ends it in order, and says how it went."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import uvloop

from aurora.config import AuroraConfig
from aurora.errors import ConfigError, InvariantError
from aurora.model.control import TradingState
from aurora.model.numbers import SECOND
from skalp_bot.clock import SystemClock
from skalp_bot.config import RunOptions, Venue
from skalp_bot.config.kept import keep
from skalp_bot.config.secret import API_KEY, API_SECRET
from skalp_bot.obs.log import install
from skalp_bot.obs.redact import redacted
from skalp_bot.ports import Clock, Emit, JournalError, VenueError
from skalp_bot.runner.connect import exchange_of
from skalp_bot.runner.control import SOCKET
from skalp_bot.runner.directions import leave_directions
from skalp_bot.runner.heap import give_back_large_blocks
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.marks import Marks
from skalp_bot.runner.recovery import Recovered, recover
from skalp_bot.runner.report import Opening, Report, money, prove_writable, write_report
from skalp_bot.runner.session import NotReadyError, Parts, Session
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import (
    NO_TAPE,
    Access,
    FastExchange,
    PaperChild,
    access_for,
    child_for,
    on_tape,
    tape_counted,
)
from skalp_bot.runner.watchdog import Rescue, Watchdog
from skalp_bot.runner.words import closing_words, opening_words

OK, FAILED, USAGE, REFUSED, BROKEN = 0, 1, 2, 3, 4
LOG_FILE = "log.jsonl"
GIL_S = 0.0001  # The journal's thread and the loop take turns; either may hold the other up for so long.
SOCKET_PATH_MAX = 107  # Of an address of a Unix socket, without its final zero.


class Connect(Protocol):
    """Makes the adapter of a venue."""

    def __call__(
        self, access: Access, config: AuroraConfig, /, *, emit: Emit, clock: Clock, pass_on: Emit
    ) -> FastExchange: ...


class Ended(Exception):  # noqa: N818  # Not an error: the way the body of a TaskGroup lets its tasks go.
    """The run is over, as meant."""


def main(options: RunOptions) -> int:
    """Run until stopped; the exit code says how it ended (0 ok, 1 failed, 3 refused, 4 broken invariant)."""
    give_back_large_blocks()
    sys.setswitchinterval(GIL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Run(options, SystemClock()).run())


def let_go() -> None:
    raise Ended


class Run:
    """One process of the daemon, from options to exit code."""

    def __init__(self, options: RunOptions, clock: Clock, *, connect: Connect = exchange_of) -> None:
        self.options, self.clock, self.connect = options, clock, connect
        prepare(options)
        self.on_terminal = sys.stdout.isatty() and not options.json_lines
        handle = self._log_handle()
        self.log = Log(clock=clock, handle=handle, level=options.config.log.level)
        self.lines = install(handle=handle, level="warning")  # What libraries say; ours come from steps.
        self.session: Session | None = None
        self.child: PaperChild | None = None
        self.began = clock.now()
        self.ended = 0
        self.code = FAILED
        self.recovered: Recovered | None = None
        self.tape = NO_TAPE
        self.errors: list[str] = []

    async def run(self) -> int:
        """The one place that catches everything: a broken run still stops, reports and says why."""
        self._first_words()
        try:
            code = await self._run()
        except* ConfigError as group:
            code = self._failed(USAGE, group)
        except* VenueError as group:
            code = self._failed(REFUSED, group)
        except* (JournalError, NotReadyError) as group:
            code = self._failed(FAILED, group)
        except* InvariantError as group:
            code = self._crashed(BROKEN, group)
        except* Exception as group:  # noqa: BLE001  # The composition root: said, marked, and the process ends.
            code = self._crashed(FAILED, group)
        await self._close()
        code = self._report(code)
        self.log.say("ended", exit_code=code)
        if self.on_terminal:
            print("\n".join(closing_words(self.numbers(code), self.options.program)))  # noqa: T201  # For the person.
        await self.log.close()
        self.lines.let_go()
        return code

    async def _run(self) -> int:
        self.child = child_for(self.options, self.clock)
        access = await access_for(self.options, self.child)
        self.options, absent = on_tape(self.options, access)
        if absent:
            self.log.say(
                "not_on_tape", level="warning", symbols=", ".join(absent), message="left out of this run"
            )
        self._refuse_on_live(access)
        self.recovered = recover(self.options, access, self.clock)
        keep(self.options)
        leave_directions(self.options)
        inbox = Inbox(clock=self.clock, alert=self._alert)
        exchange = self.connect(
            access, self.options.config.aurora, emit=inbox.put, clock=self.clock, pass_on=inbox.pass_on
        )
        parts = Parts(access=access, recovered=self.recovered, inbox=inbox, exchange=exchange)
        try:
            async with asyncio.TaskGroup() as tasks:
                session = self.session = Session(
                    options=self.options, parts=parts, clock=self.clock, log=self.log, tasks=tasks
                )
                with self._watched(session, access):
                    self.code = await self._live(session, tasks)
                self.ended = self.clock.now()
                let_go()
        except* Ended:
            pass
        finally:
            await exchange.close()
            if self.session is not None:
                self.session.onlookers.show()
        return self.code

    async def _live(self, session: Session, tasks: asyncio.TaskGroup) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, session.ask_to_stop)
        if self.child is not None:
            tasks.create_task(self.child.watch(), name="exchange")
        if self.on_terminal:
            tasks.create_task(self._screen(session), name="screen")
        await session.start(tasks)
        await session.become_ready()
        gc.freeze()  # What stands by now lives as long as the process: nobody looks for garbage in it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.options.duration_s):
                await session.stopping.wait()
        doubts = await session.stop()
        self.tape = await tape_counted(session.access)
        self.errors += doubts
        for doubt in doubts:
            self.log.say("not_shown", level="error", what=doubt)
        await session.durable()
        return FAILED if doubts else OK

    async def _screen(self, session: Session) -> None:
        """Imported here: only a person needs it."""
        from rich.console import Console

        from skalp_bot.runner.screen import Screen

        await Screen(
            clock=self.clock, view=lambda: session.views.status(self.clock.now()), console=Console()
        ).run()

    @contextlib.contextmanager
    def _watched(self, session: Session, access: Access) -> Iterator[None]:
        state_dir = self.options.state_dir
        watchdog = Watchdog(
            clock=self.clock,
            beat_at=lambda: session.pulse.beat_at,
            state_dir=state_dir,
            rescue=rescue_of(access, state_dir),
        )
        watchdog.start()
        try:
            yield
        finally:
            watchdog.stop()

    def _refuse_on_live(self, access: Access) -> None:
        if access.venue is Venue.LIVE and self.options.config.aurora.strategy.name == "exercise":
            raise VenueError(
                "strategy exercise trades without an edge: allowed on paper and testnet, refused on live"
            )

    def _failed(self, code: int, group: BaseExceptionGroup[Exception]) -> int:
        for error in leaves(group):
            self.errors.append(redacted(str(error)))
            self.log.say("failed", level="error", error=redacted(str(error)))
            print(f"skalp-bot: {redacted(str(error))}", file=sys.stderr)  # noqa: T201  # For the person.
        return code

    def _crashed(self, code: int, group: BaseExceptionGroup[Exception]) -> int:
        Marks(self.options.state_dir).crashed(self.clock.now())
        for error in leaves(group):
            said = f"{type(error).__name__}: {redacted(str(error))}"
            self.errors.append(said)
            self.log.say("crashed", level="error", error=said, trace=trace_of(error))
            print(f"skalp-bot: {said}\n{trace_of(error)}", file=sys.stderr)  # noqa: T201  # For the person.
        return code

    async def _close(self) -> None:
        if self.session is not None:
            await self.session.close()
        if self.recovered is not None:
            await self.recovered.journal.close()
        if self.child is not None:
            await self.child.stop()

    def _report(self, code: int) -> int:
        """A run without the report it was asked for has failed, and says so."""
        if self.options.report is None:
            return code
        try:
            write_report(self.options.report, self.numbers(code))
        except OSError as error:
            said = f"the report {self.options.report} could not be written: {error}"
            self.errors.append(said)
            self.log.say("no_report", level="error", error=said)
            print(f"skalp-bot: {said}", file=sys.stderr)  # noqa: T201  # For the person.
            return code or FAILED
        return code

    def numbers(self, code: int) -> dict[str, Any]:
        """The whole report; a run that failed early reports what it has."""
        config, session = self.options.config, self.session
        fold = session.report if session else nothing_seen(config.aurora.quote_asset)
        begun = session.ready_at if session and session.ready_at else 0
        found: dict[str, Any] = {
            "venue": config.venue.value,
            "strategy": config.aurora.strategy.name,
            "symbols": list(config.aurora.symbols),
            "duration_s": round(((self.ended or self.clock.now()) - begun) / SECOND, 3) if begun else 0.0,
            "exit_code": code,
            "state_dir": str(self.options.state_dir),
            "tape": self.tape,
            **fold.numbers(),
        }
        empty = {"p50": 0.0, "p99": 0.0, "max": 0.0}
        found["latency_us"] = {
            "tick_to_decision": session.loop.tick_to_decision.micros() if session else empty,
            "tick_to_wire": session.outbox.tick_to_wire.micros() if session else empty,
        }
        found["loop_gap_ms_max"] = round(session.pulse.gap_max / 1e6, 1) if session else 0.0
        found["sent_ahead_of_disk"] = session.outbox.sent_ahead if session else 0
        found["log_lines_dropped"] = self.log.dropped
        held = session.state.durable.ledger.positions() if session else ()
        found["positions_left"] = {position.symbol: money(position.qty) for position in held}
        found["errors"] = [*self.errors, *found["errors"]]
        return found

    def _alert(self, code: str, message: str) -> None:
        self.log.say("alert", level="error", code=code, message=message)

    def _log_handle(self) -> int:
        if not self.on_terminal:
            return sys.stdout.fileno()
        path = self.options.state_dir / LOG_FILE
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _first_words(self) -> None:
        config = self.options.config
        words = opening_words(
            venue=config.venue.value,
            strategy=config.aurora.strategy.name,
            symbols=config.aurora.symbols,
            state_dir=str(self.options.state_dir),
            log=str(self.options.state_dir / LOG_FILE) if self.on_terminal else "these lines",
            program=self.options.program,
        )
        if self.on_terminal:
            print("\n".join(words))  # noqa: T201  # For the person.
            return
        for line in words:
            self.log.say("hello", message=line)


def prepare(options: RunOptions) -> None:
    """What a run writes to, proven before it trades."""
    try:
        options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"state directory {options.state_dir} cannot be made ({error.strerror}): "
            "name one that can with --state-dir, or its parent with journal.root"
        ) from None
    length = len(os.fsencode(options.state_dir / SOCKET))
    if length > SOCKET_PATH_MAX:
        raise ConfigError(
            f"state directory {options.state_dir} is too deep for its {SOCKET}: {length} bytes, the system "
            f"allows {SOCKET_PATH_MAX}; name a shorter one with --state-dir, or one relative to where you are"
        )
    if options.report is not None:
        prove_writable(options.report)


def rescue_of(access: Access, state_dir: Path) -> Rescue:
    """How to cancel from outside; the paper exchange's keys are in its ready file."""
    words = [sys.executable, "-m", "skalp_bot", "cancel", "--standalone", "--json"]
    words += ["--state-dir", str(state_dir), "--reason"]
    keys = {API_KEY: access.api_key.reveal(), API_SECRET: access.api_secret.reveal()}
    return Rescue(words=words, environ=os.environ | ({} if access.venue is Venue.PAPER else keys))


def nothing_seen(quote_asset: str) -> Report:
    """The report of a run that never held its books."""
    return Report(quote_asset=quote_asset, opening=Opening(wallet=None, trading=TradingState.ACTIVE))


def leaves(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    """The exceptions themselves, out of their groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def trace_of(error: BaseException) -> str:
    """The last frames, without secrets."""
    return redacted("".join(traceback.format_exception(error))[-4_000:])
