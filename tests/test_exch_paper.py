"""The adapter against the paper exchange: another process, another idea of the protocol, real TCP."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aurora.model.account import AccountSnapshot
from aurora.model.commands import CancelOrder, QueryOrder, RequestIncome, RequestSnapshot, RequestTrades
from aurora.model.control import DecodeFailed, Stream, StreamChanged
from aurora.model.events import (
    AccountUpdate,
    CancelAcked,
    CancelFailed,
    FeesLoaded,
    IncomeListed,
    InstrumentsLoaded,
    LeverageChanged,
    OrderAcked,
    OrderRefused,
    OrderUpdate,
    QueryAnswered,
    RequestFailed,
    TradesListed,
)
from aurora.model.market import BookTicker, Candles, MarkPrice
from aurora.model.numbers import Nanos, Price
from aurora.model.order import OrderIntent, OrderStatus, OrderType, Role, Side, TimeInForce, WorkingType
from skalp_bot.exch.settings import Secret
from skalp_bot.ports import VenueError
from tests.exch_kit import MARKET_BUY, STOP_SELL, Scene, awaited, submit, until
from tests.paper_kit import paper, trading, wire

ALL = RequestSnapshot(symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="test")


def near(s: Scene, factor: str) -> Price:
    """The bid times this, on the tick."""
    bid = Decimal(s.last(BookTicker).bid_text)
    return Price((bid * Decimal(factor)).quantize(Decimal("0.1")))


def statuses(s: Scene, client_id: str) -> list[OrderStatus]:
    return [event.status for event in s.of(OrderUpdate) if event.key.client_id == client_id]


async def ready(s: Scene) -> None:
    await until(lambda: s.of(BookTicker) and s.of(MarkPrice), within_s=15)
    await until(lambda: {e.stream for e in s.of(StreamChanged) if e.up} == set(Stream), within_s=15)


async def enter(s: Scene, client_id: str = "skalpa-1-1-0E") -> None:
    await s.exchange.execute(submit(client_id))
    await until(lambda: OrderStatus.FILLED in statuses(s, client_id))


@awaited
async def test_a_whole_trade_over_the_wire(tmp_path: Path) -> None:
    async with paper(tmp_path, "--symbols", "BTCUSDT") as venue, trading(venue.settings()) as s:
        await ready(s)
        assert s.last(InstrumentsLoaded).instruments[0].brackets
        assert s.last(LeverageChanged).leverage == 25
        assert s.of(Candles)
        assert s.last(AccountSnapshot).positions == ()
        await until(lambda: s.of(FeesLoaded))
        await enter(s)
        fills = [event.fill for event in s.of(OrderUpdate) if event.fill is not None]
        assert sum(fill.qty for fill in fills) == Decimal("0.010")
        assert all(fill.fee > 0 for fill in fills)
        await until(lambda: s.of(AccountUpdate))
        assert s.last(AccountUpdate).positions[0].qty == Decimal("0.01")
        await s.exchange.execute(submit("skalpa-1-2-0S", replace(STOP_SELL, trigger=near(s, "0.97"))))
        backstop = replace(
            STOP_SELL,
            qty=None,
            reduce_only=False,
            close_position=True,
            role=Role.BACKSTOP,
            trigger=near(s, "0.9"),
            working_type=WorkingType.MARK_PRICE,
        )
        await s.exchange.execute(submit("skalpa-1-3-0B", backstop))
        await s.exchange.execute(ALL)
        listed = s.last(AccountSnapshot)
        assert listed.positions is not None
        assert [view.qty for view in listed.positions] == [Decimal("0.01")]
        assert listed.algo_orders is not None
        shown = {view.client_id: view for view in listed.algo_orders}
        assert shown.keys() == {"skalpa-1-2-0S", "skalpa-1-3-0B"}
        assert shown["skalpa-1-2-0S"].reduce_only
        assert shown["skalpa-1-3-0B"].close_position
        leave = replace(MARKET_BUY, side=Side.SELL, role=Role.EXIT, reduce_only=True)
        await s.exchange.execute(submit("skalpa-1-4-0X", leave))
        await until(lambda: OrderStatus.FILLED in statuses(s, "skalpa-1-4-0X"))
        await s.exchange.execute(RequestTrades(symbol="BTCUSDT", from_id=None, why="test"))
        streamed = {event.fill.trade_id: event.fill for event in s.of(OrderUpdate) if event.fill}
        told = {fill.trade_id: fill for fill in s.last(TradesListed).fills}
        assert streamed.keys() == told.keys()
        for trade_id, fill in told.items():
            same = streamed[trade_id]
            assert (fill.price, fill.qty, fill.fee, fill.realized, fill.side, fill.maker) == (
                same.price, same.qty, same.fee, same.realized, same.side, same.maker
            )  # fmt: skip
        await s.exchange.execute(RequestIncome(since=Nanos(0), why="test"))
        assert [flow.label for flow in s.last(IncomeListed).flows] == ["TRANSFER"]
        assert not s.of(DecodeFailed)
        assert not s.of(RequestFailed)
        assert all(event.up for event in s.of(StreamChanged))


@awaited
async def test_orders_rest_are_queried_cancelled_and_refused(tmp_path: Path) -> None:
    async with paper(tmp_path, "--symbols", "BTCUSDT") as venue, trading(venue.settings()) as s:
        await ready(s)
        resting = OrderIntent(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            role=Role.ENTRY,
            qty=MARKET_BUY.qty,
            price=near(s, "0.98"),
            time_in_force=TimeInForce.GTX,
        )
        command = submit("skalpa-1-1-0E", resting)
        await s.exchange.execute(command)
        await until(lambda: statuses(s, "skalpa-1-1-0E") == [OrderStatus.NEW])
        await s.exchange.execute(QueryOrder(key=command.key, symbol="BTCUSDT"))
        view = s.last(QueryAnswered).view
        assert view is not None
        assert (view.status, view.price) == (OrderStatus.NEW, resting.price)
        await s.exchange.execute(CancelOrder(key=command.key, symbol="BTCUSDT"))
        assert s.last(CancelAcked).key == command.key
        await until(lambda: statuses(s, "skalpa-1-1-0E") == [OrderStatus.NEW, OrderStatus.CANCELED])
        await s.exchange.execute(CancelOrder(key=command.key, symbol="BTCUSDT"))
        assert s.last(CancelFailed).code == -2011
        nobody = submit("skalpa-1-9-0E").key
        await s.exchange.execute(QueryOrder(key=nobody, symbol="BTCUSDT"))
        assert s.last(QueryAnswered).view is None
        crossing = replace(resting, price=near(s, "1.01"))
        await s.exchange.execute(submit("skalpa-1-2-0E", crossing))
        assert s.last(OrderRefused).code == -5022
        await s.exchange.execute(submit("skalpa-1-3-0S", replace(STOP_SELL, trigger=near(s, "0.97"))))
        stop = submit("skalpa-1-3-0S", STOP_SELL).key
        if s.of(OrderAcked)[-1].key == stop:
            await s.exchange.execute(CancelOrder(key=stop, symbol="BTCUSDT"))
            await s.exchange.execute(QueryOrder(key=stop, symbol="BTCUSDT"))
        naked = replace(MARKET_BUY, side=Side.SELL, reduce_only=True)
        await s.exchange.execute(submit("skalpa-1-4-0X", naked))
        assert s.last(OrderRefused).code == -2022
        assert not s.of(DecodeFailed)


@awaited
async def test_every_stream_comes_back_after_the_line_was_cut(tmp_path: Path) -> None:
    async with paper(tmp_path, "--symbols", "BTCUSDT") as venue, wire(venue.port) as (line, port):
        through = venue.settings(rest_url=f"http://127.0.0.1:{port}", ws_url=f"ws://127.0.0.1:{port}")
        async with trading(through) as s:
            await ready(s)
            before = len(s.events)
            line.cut()
            after = s.events
            await until(
                lambda: (
                    {e.stream for e in after[before:] if isinstance(e, StreamChanged) and not e.up}
                    == set(Stream)
                )
            )
            await until(
                lambda: (
                    {e.stream for e in after[before:] if isinstance(e, StreamChanged) and e.up} == set(Stream)
                ),
                within_s=10,
            )
            ticks = len(s.of(BookTicker))
            await until(lambda: len(s.of(BookTicker)) > ticks, within_s=10)
            await enter(s)


@pytest.mark.slow
@awaited
async def test_a_line_that_only_went_silent_is_noticed_and_replaced(tmp_path: Path) -> None:
    async with paper(tmp_path, "--symbols", "BTCUSDT") as venue, wire(venue.port) as (line, port):
        through = venue.settings(
            rest_url=f"http://127.0.0.1:{port}",
            ws_url=f"ws://127.0.0.1:{port}",
            market_silence_s=1.0,
            mark_silence_s=2.5,
            keepalive_ms=1000,
            http_timeout_s=0.5,
        )
        async with trading(through) as s:
            await ready(s)
            line.silent = True
            await until(
                lambda: {e.stream for e in s.of(StreamChanged) if not e.up} == set(Stream), within_s=15
            )
            line.silent = False
            before = len(s.events)
            await until(
                lambda: (
                    {e.stream for e in s.events[before:] if isinstance(e, StreamChanged) and e.up}
                    == set(Stream)
                ),
                within_s=20,
            )
            await enter(s)


@awaited
async def test_a_start_that_cannot_work_names_the_fix(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"api_key": Secret("nobody")}, "ready file"),
        ({"api_secret": Secret("wrong")}, "BINANCE_API_SECRET"),
        ({"symbols": ("DOGEBTC",)}, "DOGEBTC"),
    ]
    async with paper(tmp_path, "--symbols", "BTCUSDT") as venue:
        for changes, words in cases:
            with pytest.raises(VenueError, match=words):
                async with trading(venue.settings(**changes)):
                    raise AssertionError("it opened")
