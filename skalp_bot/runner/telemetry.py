"""Where the run's parts meet the metrics page and the health port."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aurora.engine import Engine
from aurora.model.control import TradingState
from aurora.model.numbers import SECOND
from skalp_bot.config import Config
from skalp_bot.journal.sqlite import SqliteJournal
from skalp_bot.obs.counts import Counts
from skalp_bot.obs.health import HealthServer, Pulses
from skalp_bot.obs.metrics import Page, Reading, Sample, page
from skalp_bot.ports import Clock
from skalp_bot.runner.gauges import Gauges, spread
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.loop import Loop, Pulse
from skalp_bot.runner.outbox import Outbox
from skalp_bot.runner.report import Report
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import FastExchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who counts what already."""

    engine: Engine
    loop: Loop
    pulse: Pulse
    inbox: Inbox
    outbox: Outbox
    journal: SqliteJournal
    exchange: FastExchange
    report: Report
    log: Log


class Telemetry:
    """``missing`` says why the run is not ready; a port of 0 serves nothing."""

    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        counts: Counts,
        sources: Sources,
        missing: Callable[[], list[str]],
        about: dict[str, Any],
    ) -> None:
        self._clock = clock
        self._counts = counts
        self._sources = sources
        self._lacking = missing
        self._started = clock.now()
        self._gauges = Gauges(engine=sources.engine, counts=counts)
        pulses = Pulses(page=self.page, beat_age_s=self.beat_age_s, missing=self.missing)
        self.server = HealthServer(
            host=config.metrics.host, port=config.metrics.port, pulses=pulses, about=about
        )
        self._serves = config.metrics.port > 0

    async def start(self) -> None:
        """OSError when the port is taken."""
        if self._serves:
            await self.server.start()

    async def close(self) -> None:
        await self.server.close()

    def page(self) -> Page:
        return page(self._counts, self._readings())

    def missing(self) -> list[str]:
        """Why no entry is possible now."""
        trading = self._sources.engine.state.durable.trading
        lacking = list(self._lacking())
        if trading.state is not TradingState.ACTIVE:
            lacking.append(f"trading state {trading.state} ({trading.halt_id}: {trading.reason})")
        return lacking

    def beat_age_s(self) -> float:
        """Since the loop last showed a sign of life; 0 while it is not asked for one yet."""
        at = self._sources.pulse.beat_at
        return (self._clock.monotonic() - at) / SECOND if at else 0.0

    def _readings(self) -> Iterator[Sample]:
        yield from self._gauges.read(self._clock.now())
        yield from self._flow()
        yield from self._journal()
        sources = self._sources
        for budget, share in sources.exchange.budget_use():
            yield Reading(name="skalp_rate_budget_used", labels=(budget,), value=share)
        residual = float(sources.report.wallet()["residual"])
        yield Reading(name="skalp_wallet_residual_quote", value=residual)
        yield Reading(name="skalp_ready", value=float(not self._lacking()))
        yield Reading(name="skalp_start_time_seconds", value=self._started / SECOND)

    def _flow(self) -> Iterator[Sample]:
        sources = self._sources
        yield spread("skalp_tick_to_decision_seconds", sources.loop.tick_to_decision)
        yield spread("skalp_tick_to_wire_seconds", sources.outbox.tick_to_wire)
        yield spread("skalp_loop_lag_seconds", sources.pulse.lag)
        yield Reading(name="skalp_loop_gap_seconds_max", value=sources.pulse.gap_max / SECOND)
        yield Reading(name="skalp_steps_total", value=sources.loop.steps)
        yield Reading(name="skalp_inbox_waiting", value=len(sources.inbox))
        yield Reading(name="skalp_prints_dropped_total", value=sources.inbox.trades_dropped)
        yield Reading(name="skalp_commands_sent_total", value=sources.outbox.sent)
        yield Reading(name="skalp_sent_ahead_total", value=sources.outbox.sent_ahead)
        yield Reading(name="skalp_log_lines_dropped_total", value=sources.log.dropped)

    def _journal(self) -> Iterator[Reading]:
        journal = self._sources.journal
        stats = journal.stats
        yield Reading(name="skalp_journal_rows_total", value=stats.rows)
        yield Reading(name="skalp_journal_commits_total", value=stats.commits)
        yield Reading(name="skalp_journal_pending", value=stats.pending)
        yield Reading(name="skalp_journal_broken", value=float(journal.broken is not None))
        for which, nanos in (("last", stats.commit_ns_last), ("max", stats.commit_ns_max)):
            yield Reading(name="skalp_journal_commit_seconds", labels=(which,), value=nanos / SECOND)
