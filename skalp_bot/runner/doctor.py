"""A look at everything a run will depend on, before it does: machine, disk, configuration, venue, account."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from statistics import median

import apsw
import uvloop

from aurora import governance
from aurora.model.control import Stream, StreamChanged
from aurora.model.events import Event, InstrumentsLoaded
from aurora.model.facts import EpochTaken
from aurora.model.market import BookTicker, MarkPrice
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from skalp_bot.clock import SystemClock
from skalp_bot.config import Config, RunOptions
from skalp_bot.config.advice import check_config
from skalp_bot.exch.checkup import Needs
from skalp_bot.exch.conformance import Conformance, Ground
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.findings import Finding, fail, failed, ok, warn
from skalp_bot.journal.schema import FILE, Fingerprint
from skalp_bot.journal.sqlite import open_journal
from skalp_bot.obs.redact import redacted
from skalp_bot.ports import Clock, JournalError, VenueError
from skalp_bot.runner.connect import exchange_of
from skalp_bot.runner.run_live_aurora import Ended, let_go
from skalp_bot.runner.venue import Access, access_for, child_for

PARTS = ("ccxt", "aiohttp", "uvloop", "orjson", "pydantic")
COMMITS = 20
FREE_FAIL, FREE_WARN = 50 * 2**20, 2**30
STREAMS_WAIT_S = 10.0
MARK_WAIT_S = 5.0
POLL_S = 0.02
NOBODY = Fingerprint(venue="doctor", key_hash="", instance="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What concerns this machine, and what concerns the venue."""

    here: list[Finding]
    there: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        return [*self.here, *self.there]


def main(options: RunOptions, *, conformance: bool) -> Diagnosis:
    """``options.state_dir`` is where a run would write; no file is left there."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(examined(options, SystemClock(), conformance=conformance))


async def examined(options: RunOptions, clock: Clock, *, conformance: bool) -> Diagnosis:
    here = [*machine(), *settings(options.config), *await disk(options, clock)]
    try:
        scratch = scratch_below(options.state_dir)
    except OSError as error:
        lacks = fail(
            "scratch", f"no place for files of a moment: {error}", "make /tmp or --state-dir writable"
        )
        return Diagnosis(here=[*here, lacks])
    with scratch as folder:
        child = child_for(replace(options, state_dir=Path(folder)), clock)
        try:
            access = await access_for(options, child)
            there = await Visit(options.config, access, clock).run(conformance=conformance)
        except VenueError as error:
            there = [fail("venue", "no way there", redacted(str(error)))]
        finally:
            if child is not None:
                await child.stop()
    return Diagnosis(here=here, there=there)


def scratch_below(state_dir: Path) -> "tempfile.TemporaryDirectory[str]":
    """Gone afterwards; in the state directory where a read-only system has no other place."""
    try:
        return tempfile.TemporaryDirectory(prefix="skalp-doctor-")
    except FileNotFoundError:
        return tempfile.TemporaryDirectory(prefix="doctor-", dir=state_dir)


def machine() -> list[Finding]:
    parts = ", ".join(f"{name} {version(name)}" for name in PARTS)
    return [
        ok("versions", f"skalp-bot {version('skalp-bot')}, Python {platform.python_version()}, {parts}"),
        ok("sqlite", apsw.sqlite_lib_version()),
    ]


def settings(config: Config) -> list[Finding]:
    unwise = check_config(config)
    found = [warn("config", one.code, one.message) for one in unwise]
    return found or [ok("config", "nothing to warn of")]


async def disk(options: RunOptions, clock: Clock) -> list[Finding]:
    """Room, and what a real journal takes to make a row durable."""
    root, limit_ms = options.state_dir, options.config.journal.exit_wait_ms
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=root) as folder:
            took = await commits(Path(folder), clock)
    except (OSError, JournalError) as error:
        advice = "make it writable, or name another place with --state-dir or journal.root"
        return [fail("disk", f"{root}: {error}", advice)]
    observed = f"{free / 2**30:.1f} GiB free in {root}"
    if free < FREE_FAIL:
        found = [fail("disk", observed, "free some: a full disk stops entries", "> 50 MiB")]
    elif free < FREE_WARN:
        found = [warn("disk", observed, "free some: the journal grows with every trade", "> 1 GiB")]
    else:
        found = [ok("disk", observed)]
    spent = f"{median(took):.1f} ms the median of {COMMITS}, {max(took):.1f} ms the worst"
    if median(took) > limit_ms:
        advice = "exits will overtake the disk and entries wait for it: use a faster disk"
        return [*found, warn("commit", spent, advice, f"{limit_ms} ms")]
    return [*found, ok("commit", spent, f"{limit_ms} ms")]


async def commits(folder: Path, clock: Clock) -> list[float]:
    """Milliseconds of each."""
    journal = open_journal(folder / FILE, NOBODY, clock)
    try:
        took: list[float] = []
        for number in range(1, COMMITS + 1):
            await journal.note(EpochTaken(epoch=number, at=Nanos(clock.now()))).wait()
            took.append(journal.stats.commit_ns_last / MILLISECOND)
        return took
    finally:
        await journal.close()


class Visit:
    """One look at a venue, its streams included; with ``conformance`` orders are sent and taken back."""

    def __init__(self, config: Config, access: Access, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._events: list[Event] = []
        self._exchange: BinanceExchange = exchange_of(access, config.aurora, emit=self._keep, clock=clock)

    async def run(self, *, conformance: bool) -> list[Finding]:
        try:
            found = await self._exchange.checkup(needs_of(self._config)).run()
            if failed(found):
                return found
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._exchange.stream(), name="streams")
                found += await self._streams()
                if conformance and not failed(found):
                    found += await self._conformance()
                let_go()
        except* Ended:
            pass
        finally:
            await self._exchange.close()
        return found

    async def _streams(self) -> list[Finding]:
        begun = self._clock.monotonic()
        lacking = list(Stream)

        def up() -> bool:
            told = {e.stream: e.up for e in self._events if isinstance(e, StreamChanged)}
            lacking[:] = [stream for stream in Stream if not told.get(stream, False)]
            return not lacking

        if not await self._until(up, STREAMS_WAIT_S):
            why = "check the network and proxies: WebSockets must pass"
            return [fail("streams", f"not up: {', '.join(lacking)}", why, f"{STREAMS_WAIT_S:g} s")]
        took = (self._clock.monotonic() - begun) / SECOND
        return [ok("streams", f"market, mark and user up after {took:.1f} s", f"{STREAMS_WAIT_S:g} s")]

    async def _conformance(self) -> list[Finding]:
        symbol = self._config.aurora.symbols[0]
        marks: list[MarkPrice] = []

        def marked() -> bool:
            marks[:] = [e for e in self._events if isinstance(e, MarkPrice) and e.symbol == symbol]
            return bool(marks)

        if not await self._until(marked, MARK_WAIT_S):
            return [
                fail("ground", f"no mark price of {symbol}", "name a symbol that trades first in symbols")
            ]
        loaded = [e for e in self._events if isinstance(e, InstrumentsLoaded)][-1].instruments
        instrument = next(each for each in loaded if each.symbol == symbol)
        steps = Conformance(
            exchange=self._exchange,
            events=self._events,
            ground=Ground(instrument=instrument, mark=Decimal(repr(marks[-1].mark))),
            clock=self._clock,
            name=f"doctor-{self._clock.now() // SECOND:x}-{os.getpid():x}",
            approve=governance.probe,
        )
        return await steps.run()

    def _keep(self, event: Event) -> None:
        if not isinstance(event, BookTicker):
            self._events.append(event)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        for _ in range(int(seconds / POLL_S)):
            if holds():
                return True
            await self._clock.sleep(POLL_S)
        return holds()


def needs_of(config: Config) -> Needs:
    core = config.aurora
    return Needs(
        prefix=f"{core.brand}{core.instance}-",
        latency_ms_max=core.governance.latency_ms_max,
        slots_max=core.governance.conditional_orders_max,
        slots_reserve=core.governance.conditional_orders_reserve,
        notional_share_max=core.sizing.leverage_use_max,
    )
