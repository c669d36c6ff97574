"""Venue testnet as it is: ccxt's demo addresses over TLS, found on this machine by the resolver alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aurora.model.control import Stream, StreamChanged
from aurora.model.events import OrderUpdate
from aurora.model.market import BookTicker
from aurora.model.order import OrderStatus, Side
from skalp_bot.clock import SystemClock
from skalp_bot.config import Keys, RunOptions, Secret, load_config
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.settings import ExchangeSettings, Venue
from skalp_bot.ports import VenueError
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.recovery import recover
from skalp_bot.runner.session import Parts, Session
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import keyed
from tests.exch_kit import MARKET_BUY, awaited, submit, until
from tests.paper_kit import paper, trading
from tests.tls_kit import DEMO_HOSTS, DemoResolver, certificates

ROOT = Path(__file__).parent.parent.parent


@awaited
async def test_the_adapter_trades_on_the_demo_hosts_and_asks_for_no_other(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ("--tls-cert", str(made.server), "--tls-key", str(made.server_key))
    async with paper(tmp_path, "--symbols", "BTCUSDT", *tls) as venue:
        resolver = DemoResolver(venue.port)
        demo = venue.settings(
            venue=Venue.TESTNET, rest_url="", ws_url="", resolver=resolver, ssl_context=made.context()
        )
        async with trading(demo) as s:
            await until(lambda: s.of(BookTicker), within_s=15)
            await until(lambda: {e.stream for e in s.of(StreamChanged) if e.up} == set(Stream), within_s=15)
            await s.exchange.execute(submit("skalpa-1-1-0E"))
            leave = replace(MARKET_BUY, side=Side.SELL, reduce_only=True)
            await s.exchange.execute(submit("skalpa-1-2-0X", leave))
            filled = {"skalpa-1-1-0E", "skalpa-1-2-0X"}
            await until(
                lambda: (
                    {e.key.client_id for e in s.of(OrderUpdate) if e.status is OrderStatus.FILLED} == filled
                )
            )
            moved = sum(e.fill.qty * e.fill.side.sign for e in s.of(OrderUpdate) if e.fill)
            assert moved == Decimal(0)
        assert set(resolver.asked) <= set(DEMO_HOSTS)
        assert {"demo-fapi.binance.com", "fstream.binancefuture.com"} <= set(resolver.asked)


PROFILE = """
extends: {root}/profiles/paper.yaml
venue: testnet
symbols: [BTCUSDT]
strategy: {{name: exercise, exercise_every_s: 1.0, exercise_hold_s: 1.5}}
"""


@contextlib.asynccontextmanager
async def session(folder: Path, settings: ExchangeSettings) -> AsyncIterator[Session]:
    """The daemon on testnet, put together from the parts its composition root uses."""
    profile = folder / "profile.yaml"
    profile.write_text(PROFILE.format(root=ROOT), encoding="utf-8")
    keys = Keys(api_key=Secret(settings.api_key.value), api_secret=Secret(settings.api_secret.value))
    options = RunOptions(
        loaded=load_config(profile, environ={}, options={}),
        profile=profile,
        state_dir=folder / "state",
        keys=keys,
    )
    options.state_dir.mkdir(mode=0o700)
    clock, access = SystemClock(), keyed(options)
    assert access.venue == "testnet"
    recovered = recover(options, access, clock)
    inbox = Inbox(clock=clock, alert=lambda code, message: None)
    exchange = BinanceExchange(settings, clock=clock, emit=inbox.put)
    parts = Parts(access=access, recovered=recovered, inbox=inbox, exchange=exchange)
    with (folder / "log.jsonl").open("wb") as lines:
        log = Log(clock=clock, handle=lines.fileno())
        try:
            async with asyncio.TaskGroup() as tasks:
                made = Session(options=options, parts=parts, clock=clock, log=log, tasks=tasks)
                await made.start(tasks)
                await made.become_ready()
                yield made
                await made.close()
                let_go()
        except* OverError:
            pass
        finally:
            await exchange.close()
            await recovered.journal.close()
            await log.close()


class OverError(Exception):
    """Lets the session's tasks go."""


def let_go() -> None:
    raise OverError


@awaited
async def test_the_daemon_trades_on_testnet_and_contacts_no_other_host(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ("--tls-cert", str(made.server), "--tls-key", str(made.server_key))
    async with paper(tmp_path, "--symbols", "BTCUSDT", *tls) as venue:
        resolver = DemoResolver(venue.port)
        demo = venue.settings(
            venue=Venue.TESTNET,
            leverage=10,
            rest_url="",
            ws_url="",
            resolver=resolver,
            ssl_context=made.context(),
        )
        async with session(tmp_path, demo) as daemon:
            await until(lambda: daemon.report.round_trips >= 1, within_s=40)
            assert await daemon.stop() == []
            report = daemon.report.numbers()
    assert report["fills"] >= 2
    assert report["orders"]["unknown"] == 0
    assert report["drift"]["open"] == 0
    assert Decimal(report["wallet"]["residual"]) == 0
    assert report["unprotected_seconds_max"] <= 3
    assert set(resolver.asked) <= set(DEMO_HOSTS)
    assert {"demo-fapi.binance.com", "fstream.binancefuture.com"} <= set(resolver.asked)


@awaited
async def test_a_venue_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ("--tls-cert", str(made.server), "--tls-key", str(made.server_key))
    async with paper(tmp_path, "--symbols", "BTCUSDT", *tls) as venue:
        demo = venue.settings(venue=Venue.TESTNET, rest_url="", ws_url="", resolver=DemoResolver(venue.port))
        with pytest.raises(VenueError, match=r"(?i)certificate"):
            async with trading(demo):
                raise AssertionError("it opened")
