"""One run from its first event to its last: starting, being ready, stopping in order, telling how it went."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aurora.model.commands import RequestSnapshot
from aurora.model.control import Stream, TradingState, Verb
from aurora.model.numbers import NEVER, SECOND, Nanos
from aurora.model.order import OrderStatus
from aurora.model.step import Step
from skalp_bot.config import RunOptions
from skalp_bot.obs.counts import Counts
from skalp_bot.ports import Clock
from skalp_bot.runner.board import Board
from skalp_bot.runner.control import ControlServer
from skalp_bot.runner.desk import Desk
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.loop import Loop, Onlookers, Pulse
from skalp_bot.runner.marks import Marks
from skalp_bot.runner.outbox import Outbox, OutboxLimits
from skalp_bot.runner.recovery import Recovered
from skalp_bot.runner.report import Report
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import Access, FastExchange
from skalp_bot.runner.views import Views

if TYPE_CHECKING:
    from skalp_bot.runner.telemetry import Telemetry

READY_WAIT_S = 60.0
TELL_EVERY_S = 5.0
ORDERS_SETTLE_S = 20.0
PROTECTED_WAIT_S = 10.0
AGREE_WAIT_S = 15.0
FIRST_LOOK = RequestSnapshot(
    symbol=None, positions=True, orders=False, algo_orders=True, balances=False, why="first look"
)
UNSETTLED = (OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN)


class NotReadyError(Exception):
    """The run cannot start to trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a session is built from."""

    access: Access
    recovered: Recovered
    inbox: Inbox
    exchange: FastExchange


class Keeper:
    """Writes a checkpoint when the journal is due for one."""

    def __init__(self, recovered: Recovered) -> None:
        self._journal = recovered.journal
        self._state = recovered.engine.state

    def see(self, step: Step, /) -> None:
        if step.durable and self._journal.checkpoint_due:
            self._journal.checkpoint(self._state.checkpoint())


class Session:
    """Everything of one run, wired; the composition root owns the tasks."""

    def __init__(
        self, *, options: RunOptions, parts: "Parts", clock: Clock, log: Log, tasks: asyncio.TaskGroup
    ) -> None:
        config, recovered = options.config, parts.recovered
        exchange, inbox = parts.exchange, parts.inbox
        self.options, self.clock, self.log, self.exchange = options, clock, log, exchange
        self.recovered, self.engine, self.journal = recovered, recovered.engine, recovered.journal
        self.state = recovered.engine.state
        self.inbox, self.access = inbox, parts.access
        self.stopping = asyncio.Event()
        self.hurried = False
        self.ready_at = 0
        self.ready_wait_s, self.agree_wait_s = READY_WAIT_S, AGREE_WAIT_S
        self.outbox = Outbox(
            exchange=exchange,
            journal=self.journal,
            clock=clock,
            emit=inbox.put,
            alert=self.alert,
            tasks=tasks,
            limits=OutboxLimits(
                concurrent=config.runner.sends_max,
                exit_reserved=config.runner.exit_sends_reserved,
                exit_wait_ms=config.journal.exit_wait_ms,
            ),
        )
        self.board = Board()
        self.report = Report(quote_asset=config.aurora.quote_asset, opening=recovered.opening)
        self.desk = Desk(state=self.state, clock=clock, emit=inbox.put, durable=self.durable)
        self.views = Views(
            config=config.aurora,
            state=self.state,
            board=self.board,
            report=self.report,
            about=about(options, parts.access, recovered.started.epoch),
        )
        self.counts = Counts(config.aurora.symbols)
        self.onlookers = Onlookers(self.report, self.board, log, self.counts)
        self.loop = Loop(
            engine=self.engine,
            inbox=inbox,
            outbox=self.outbox,
            journal=self.journal,
            clock=clock,
            projections=[Keeper(recovered), self.desk, self.onlookers],
        )
        self.pulse = Pulse(
            clock=clock, emit=inbox.put, outbox=self.outbox, beat_ms=config.runner.heartbeat_ms
        )
        self.control = ControlServer(
            views=self.views, desk=self.desk, clock=clock, journal_path=self.journal.path
        )
        self.telemetry: Telemetry | None = None

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """The epoch durable before anything is sent; positions and stops looked at before anything else."""
        await self.begin(tasks)
        await self.look(tasks)
        await self.control.start()
        await self.exchange.open()
        await self.serve_metrics()
        tasks.create_task(self.exchange.stream(), name="streams")

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """A new epoch on disk, and the loop running; nothing is asked of the exchange yet."""
        self.loop.turn(self.recovered.started)
        await self.durable()
        if self.recovered.halt_reason:
            self.log.say("start_halted", level="warning", reason=self.recovered.halt_reason)
            Marks(self.options.state_dir).obeyed()
        tasks.create_task(self.loop.run(), name="loop")

    async def look(self, tasks: asyncio.TaskGroup) -> None:
        """Reach the exchange, see what is held and what protects it, and let time pass from then on."""
        await self.exchange.connect_fast()
        await self.exchange.execute(FIRST_LOOK)
        tasks.create_task(self.pulse.run(), name="pulse")

    async def serve_metrics(self) -> None:
        metrics = self.options.config.metrics
        self.telemetry = self._telemetry()
        try:
            await self.telemetry.start()
        except OSError as error:
            raise NotReadyError(
                f"metrics.port {metrics.port} on {metrics.host} cannot be opened ({error}): "
                "end who holds it, choose another port, or 0 for none"
            ) from None

    async def close(self) -> None:
        """Let go of sockets and ports."""
        await self.control.close()
        if self.telemetry is not None:
            await self.telemetry.close()

    def _telemetry(self) -> "Telemetry":
        """Imported here: a restart has three seconds to list a stop, and no use for metrics before."""
        from skalp_bot.runner.telemetry import Sources, Telemetry

        config = self.options.config
        return Telemetry(
            config=config,
            clock=self.clock,
            counts=self.counts,
            sources=Sources(
                engine=self.engine,
                loop=self.loop,
                pulse=self.pulse,
                inbox=self.inbox,
                outbox=self.outbox,
                journal=self.journal,
                exchange=self.exchange,
                report=self.report,
                log=self.log,
            ),
            missing=self.missing,
            about={"venue": config.venue.value, "strategy": config.aurora.strategy.name},
        )

    async def become_ready(self) -> None:
        """Books that agree with the exchange's, and every stream up."""
        limit = self.ready_wait_s if self.options.duration_s is not None else float("inf")
        begun = self.clock.monotonic()
        while not await self.desk.wait_until(
            lambda: self.stopping.is_set() or not self.missing(), min(limit, TELL_EVERY_S)
        ):
            waited = (self.clock.monotonic() - begun) / SECOND
            missing = ", ".join(self.missing())
            self.log.say("not_ready", level="warning", missing=missing, seconds=round(waited, 1))
            if waited >= limit:
                raise NotReadyError(f"not ready to trade after {waited:.0f} s: {missing}")
        if not self.stopping.is_set():
            self.ready_at = self.views.ready_at = self.clock.now()
            trading = self.state.durable.trading
            self.log.say("ready", trading_state=trading.state.value, halt_id=trading.halt_id)

    def ready_or_stopping(self) -> bool:
        return self.stopping.is_set() or not self.missing()

    def missing(self) -> list[str]:
        """What stands between us and the first entry."""
        up = self.state.soft.up
        lacking = [f"{stream} stream" for stream in (Stream.MARKET, Stream.USER) if not up.get(stream, False)]
        if self.state.soft.reconciled_at == NEVER:
            lacking.append("a reconciliation without differences")
        return lacking

    def ask_to_stop(self) -> None:
        """First call: stop in order. Second: skip the waits."""
        self.hurried = self.stopping.is_set()
        self.log.say("stop_asked", hurried=self.hurried)
        self.stopping.set()

    async def stop(self) -> list[str]:
        """No entries, nothing in flight, positions behind listed stops; what could not be shown is told."""
        await self.desk.put_on_line(Verb.STOP, by="runner", reason="the process ends")
        doubts: list[str] = []
        if not await self.holds(lambda: not self.unsettled(), ORDERS_SETTLE_S):
            doubts.append(f"orders without an outcome: {', '.join(self.unsettled())}")
        if self.options.flatten_on_exit:
            doubts += await self.flatten()
        if not await self.holds(lambda: not self.unguarded(), PROTECTED_WAIT_S):
            doubts.append(f"positions without a listed stop: {', '.join(self.unguarded())}")
        doubts += await self.agree()
        last = self.engine.stopped(Nanos(self.clock.now()))
        if not doubts:
            self.journal.append(last)
            self.journal.checkpoint(self.state.checkpoint())
        return doubts

    async def agree(self) -> list[str]:
        """The last look: our books and the exchange's listing say the same, and it shows the stops."""
        asked = self.clock.now()
        await self.desk.put_on_line(Verb.RECONCILE, by="runner", reason="the last look")

        def agreed() -> bool:
            return self.state.soft.reconciled_at >= asked and not self.state.durable.drifts

        if not await self.holds(agreed, self.agree_wait_s):
            return ["the last look at the account did not agree with our books"]
        bare = self.desk.listed_bare()
        return [f"listed without a stop: {', '.join(bare)}"] if bare else []

    async def flatten(self) -> list[str]:
        """Close everything; the halt this takes is lifted again, unless there was one before."""
        before = self.state.durable.trading
        answer = await self.desk.act(Verb.FLATTEN, by="runner", reason="--flatten-on-exit")
        if answer.status != 200:
            return ["not proven flat"]
        trading = self.state.durable.trading
        if before.state is TradingState.ACTIVE:
            await self.desk.act(Verb.RESUME, by="runner", reason="flattened on exit", halt_id=trading.halt_id)
        return []

    def unsettled(self) -> list[str]:
        """Entries that still work, and orders nobody knows the fate of."""
        orders = self.state.durable.blotter.open_orders()
        entries = self.desk.open_entries()
        open_ones = [*entries, *(order for order in orders if order.status in UNSETTLED)]
        return sorted({order.key.client_id for order in open_ones})

    def unguarded(self) -> list[str]:
        """Symbols whose position is not behind a listed stop."""
        ledger, brackets = self.state.durable.ledger, self.state.durable.brackets
        held = [position.symbol for position in ledger.positions()]
        return [name for name in held if name not in brackets or brackets[name].naked_since is not None]

    async def holds(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for it, unless somebody is in a hurry."""
        await self.desk.wait_until(lambda: self.hurried or condition(), seconds)
        return condition()

    async def durable(self) -> None:
        """Return when everything concluded so far is on disk."""
        ticket = self.loop.last_ticket
        if ticket is not None:
            await ticket.wait()

    def alert(self, code: str, message: str) -> None:
        self.log.say("alert", level="error", code=code, message=message)
        self.report.error(f"{code}: {message}")


def about(options: RunOptions, access: Access, epoch: int) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "venue": access.venue.value,
        "strategy": options.config.aurora.strategy.name,
        "profile": str(options.profile),
        "state_dir": str(options.state_dir),
        "epoch": epoch,
    }
