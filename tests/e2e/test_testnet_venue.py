"""Venue testnet as it is: ccxt's demo addresses over TLS, found on this machine by the resolver alone."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aurora.model.control import Stream, StreamChanged
from aurora.model.events import OrderUpdate
from aurora.model.market import BookTicker
from aurora.model.order import OrderStatus, Side
from skalp_bot.exch.settings import Venue
from skalp_bot.ports import VenueError
from tests.exch_kit import MARKET_BUY, awaited, submit, until
from tests.paper_kit import paper, trading
from tests.tls_kit import DEMO_HOSTS, DemoResolver, certificates


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


@awaited
async def test_a_venue_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    tls = ("--tls-cert", str(made.server), "--tls-key", str(made.server_key))
    async with paper(tmp_path, "--symbols", "BTCUSDT", *tls) as venue:
        demo = venue.settings(venue=Venue.TESTNET, rest_url="", ws_url="", resolver=DemoResolver(venue.port))
        with pytest.raises(VenueError, match=r"(?i)certificate"):
            async with trading(demo):
                raise AssertionError("it opened")
