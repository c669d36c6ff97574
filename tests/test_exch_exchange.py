import asyncio
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from aurora.errors import InvariantError
from aurora.model.account import AccountSnapshot
from aurora.model.commands import (
    CancelOrder,
    QueryOrder,
    RequestIncome,
    RequestSnapshot,
    RequestTrades,
)
from aurora.model.events import (
    CancelAcked,
    CancelFailed,
    IncomeListed,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    QueryAnswered,
    RequestFailed,
    TradesListed,
)
from aurora.model.numbers import SECOND, Nanos
from aurora.model.order import Role, Side
from skalp_bot.clock import SystemClock
from tests.exch_kit import MARKET_BUY, STOP_SELL, Canned, awaited, error, scene, submit, until

MARKET_EXIT = replace(MARKET_BUY, side=Side.SELL, role=Role.EXIT, reduce_only=True)
TRADE = {
    "symbol": "BTCUSDT", "orderId": 5, "side": "BUY", "price": "60000.00", "qty": "0.001",
    "realizedPnl": "0", "commission": "0.03", "commissionAsset": "USDT", "time": 7, "maker": False,
}  # fmt: skip
EVERYTHING = RequestSnapshot(
    symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="test"
)


def trade(number: int) -> dict[str, Any]:
    return TRADE | {"id": number}


@awaited
async def test_an_order_is_signed_sent_once_and_acknowledged() -> None:
    async with scene() as s:
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        acked = s.last(OrderAcked)
        assert (acked.key.client_id, acked.exchange_id) == ("skalpa-1-1-0E", "11")
        assert acked.signed_at <= acked.ts_recv
        seen = s.venue.last("POST order")
        assert (seen.headers["X-MBX-APIKEY"], seen.params["recvWindow"]) == ("key", "3000")
        assert abs(int(seen.params["timestamp"]) - acked.signed_at // 1_000_000) < 100
        unsigned = {name: value for name, value in seen.params.items() if name != "signature"}
        digest = hmac.new(b"secret", urlencode(unsigned).encode(), hashlib.sha256).hexdigest()
        assert seen.params["signature"] == digest
        assert s.venue.times("POST order") == 1


@awaited
async def test_an_order_is_its_address_and_has_no_body() -> None:
    async with scene() as s:
        await s.exchange.execute(submit("a.1:B/2_3-4", STOP_SELL))
        seen = s.venue.last("POST algoOrder")
        assert (seen.body, seen.params["clientAlgoId"]) == ("", "a.1:B/2_3-4")
        assert seen.query.startswith("timestamp=")
        assert seen.query.endswith(f"&signature={seen.params['signature']}")
        signed = seen.query.partition("&signature=")[0]
        assert seen.params["signature"] == hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()


@awaited
async def test_what_cannot_be_said_to_the_venue_is_told_and_not_sent() -> None:
    async with scene() as s:
        await s.exchange.execute(submit("an id with spaces", STOP_SELL))
        assert "client id" in s.last(OrderNotSent).why
        assert not s.venue.times("POST algoOrder")


@pytest.mark.parametrize(
    "answer",
    [
        Canned(fault="reset"),
        Canned(fault="truncated"),
        Canned(fault="silence"),
        Canned(body=""),
        Canned(body="<html>", status=502),
        error(-1007, 503),
        error(-4116),
        Canned(status=307, headers={"Location": "/fapi/v1/order"}),
    ],
    ids=lambda canned: canned.fault or f"HTTP {canned.status} {canned.body}",
)
@awaited
async def test_an_answer_that_proves_nothing_is_unknown_and_never_sent_again(answer: Canned) -> None:
    async with scene(http_timeout_s=0.3) as s:
        s.venue.next["POST order"] = [answer]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert s.last(OrderUnknown).why
        assert s.venue.times("POST order") == 1


@awaited
async def test_a_second_post_of_an_id_is_a_bug_and_stops_at_the_door() -> None:
    async with scene() as s:
        s.venue.next["POST order"] = [Canned(fault="reset")]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        with pytest.raises(InvariantError, match="second time"):
            await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert s.venue.times("POST order") == 1


@awaited
async def test_an_order_sent_now_is_written_before_the_call_returns_and_acknowledged() -> None:
    async with scene() as s:
        await s.exchange._rest.warm()
        outcome = s.exchange.send_now(submit("skalpa-1-1-0X", MARKET_EXIT))
        assert outcome is not None
        await until(lambda: s.venue.times("POST order") == 1)  # Nobody awaits its outcome yet.
        assert not s.of(OrderAcked)
        await outcome()
        acked = s.last(OrderAcked)
        assert (acked.key.client_id, acked.exchange_id) == ("skalpa-1-1-0X", "11")
        assert acked.signed_at <= acked.ts_recv
        seen = s.venue.last("POST order")
        assert (seen.headers["X-MBX-APIKEY"], seen.params["newClientOrderId"]) == ("key", "skalpa-1-1-0X")
        signed = seen.query.partition("&signature=")[0]
        assert seen.params["signature"] == hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()
        assert dict(s.exchange.budget_use())["orders_10s"] == 1 / 300


@awaited
async def test_an_order_leaves_once_whichever_way_it_is_sent_again() -> None:
    async with scene() as s:
        await s.exchange._rest.warm()
        order = submit("skalpa-1-1-0X", MARKET_EXIT)
        outcome = s.exchange.send_now(order)
        assert outcome is not None
        assert s.exchange.send_now(order) is None
        with pytest.raises(InvariantError, match="second time"):
            await s.exchange.execute(order)
        await outcome()
        assert s.venue.times("POST order") == 1


@awaited
async def test_an_order_for_which_no_connection_waits_is_left_to_be_executed() -> None:
    async with scene() as s:
        orders = [submit(f"skalpa-1-{n}-0X", MARKET_EXIT) for n in range(9)]
        outcomes = [s.exchange.send_now(order) for order in orders]
        sent = [outcome for outcome in outcomes if outcome is not None]
        assert sent == outcomes[: len(sent)]
        assert 0 < len(sent) < 9
        assert dict(s.exchange.budget_use())["orders_10s"] == len(sent) / 300
        await asyncio.gather(*(outcome() for outcome in sent))
        for order in orders[len(sent) :]:
            await s.exchange.execute(order)
        assert {acked.key for acked in s.of(OrderAcked)} == {order.key for order in orders}
        assert s.venue.times("POST order") == 9


@pytest.mark.parametrize("obstacle", ["a ban", "never connected", "a time limit", "an id"])
@awaited
async def test_what_cannot_be_sent_now_is_not_sent_and_left_to_be_executed(obstacle: str) -> None:
    async with scene(connect=obstacle != "never connected") as s:
        if obstacle == "a ban":
            s.venue.next["GET positionRisk"] = [Canned(status=429, headers={"Retry-After": "1"})]
            await s.exchange.execute(replace(EVERYTHING, orders=False, algo_orders=False, balances=False))
        order = submit(
            "no spaces please" if obstacle == "an id" else "skalpa-1-1-0X",
            MARKET_EXIT,
            send_before=Nanos(SystemClock().now() + SECOND) if obstacle == "a time limit" else None,
        )
        assert s.exchange.send_now(order) is None
        await asyncio.sleep(0.02)
        assert s.venue.times("POST order") == 0
        assert dict(s.exchange.budget_use())["orders_10s"] == 0
        if obstacle == "never connected":
            return
        await s.exchange.execute(order)
        if obstacle == "an id":
            assert "client id" in s.last(OrderNotSent).why
            return
        assert s.last(OrderAcked).key == order.key
        assert s.venue.times("POST order") == 1


@pytest.mark.parametrize("answer", [Canned(fault="reset"), Canned(fault="silence"), error(-1007, 503)])
@awaited
async def test_an_order_sent_now_and_cut_off_is_unknown_and_never_sent_again(answer: Canned) -> None:
    async with scene(http_timeout_s=0.3) as s:
        await s.exchange._rest.warm()
        s.venue.next["POST order"] = [answer]
        outcome = s.exchange.send_now(submit("skalpa-1-1-0X", MARKET_EXIT))
        assert outcome is not None
        await outcome()
        assert s.last(OrderUnknown).why
        assert s.venue.times("POST order") == 1


@awaited
async def test_the_same_id_may_live_once_in_each_namespace() -> None:
    async with scene() as s:
        await s.exchange.execute(submit("skalpa-1-1-0S"))
        await s.exchange.execute(submit("skalpa-1-1-0S", STOP_SELL))
        assert [acked.exchange_id for acked in s.of(OrderAcked)] == ["11", "12"]


@awaited
async def test_a_refusal_comes_with_the_venues_code_and_words() -> None:
    async with scene() as s:
        s.venue.next["POST order"] = [error(-2019, message="Margin is insufficient.")]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        refused = s.last(OrderRefused)
        assert (refused.code, refused.why) == (-2019, "Margin is insufficient.")


@awaited
async def test_what_came_too_late_or_makes_no_sense_never_leaves() -> None:
    async with scene() as s:
        await s.exchange.execute(submit("skalpa-1-1-0E", send_before=Nanos(1)))
        assert "too late" in s.last(OrderNotSent).why
        await s.exchange.execute(submit("no spaces please"))
        assert "client id" in s.last(OrderNotSent).why
        assert s.venue.times("POST order") == 0


@awaited
async def test_a_venue_that_is_gone_proves_that_nothing_was_sent() -> None:
    async with scene() as s:
        dead = s.venue.url
    async with scene(connect=False, rest_url=dead) as s:
        await s.exchange._rest.open()
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert "not connected" in s.last(OrderNotSent).why
        assert {share for _, share in s.exchange.budget_use()} == {0}


@awaited
async def test_a_429_silences_every_lane_until_its_time_is_over() -> None:
    async with scene() as s:
        s.venue.next["POST order"] = [
            Canned(status=429, body={"code": -1003, "msg": "x"}, headers={"Retry-After": "2"})
        ]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert s.last(OrderRefused).code == -1003
        seen = len(s.venue.seen)
        await s.exchange.execute(submit("skalpa-1-2-0E"))
        await s.exchange.execute(submit("skalpa-1-3-0S", STOP_SELL))
        assert len(s.of(OrderNotSent)) == 2
        assert len(s.venue.seen) == seen


@awaited
async def test_cancel_and_query_tell_what_the_venue_said() -> None:
    async with scene() as s:
        key = submit("skalpa-1-1-0S", STOP_SELL).key
        gone = {"algoId": 12, "clientAlgoId": key.client_id, "code": "200", "msg": "success"}
        s.venue.next["DELETE algoOrder"] = [Canned(body=gone), error(-2011)]
        s.venue.next["GET algoOrder"] = [error(-2013), Canned(fault="reset"), Canned(fault="reset")]
        await s.exchange.execute(CancelOrder(key=key, symbol="BTCUSDT"))
        assert s.last(CancelAcked).key == key
        await s.exchange.execute(CancelOrder(key=key, symbol="BTCUSDT"))
        assert s.last(CancelFailed).code == -2011
        await s.exchange.execute(QueryOrder(key=key, symbol="BTCUSDT"))
        assert s.last(QueryAnswered).view is None
        await s.exchange.execute(QueryOrder(key=key, symbol="BTCUSDT"))
        assert s.last(RequestFailed).subject == key.client_id


@awaited
async def test_a_clock_set_forward_lets_no_signature_expire() -> None:
    async with scene() as s:
        s.venue.next["POST order"] = [Canned(fault="reset")]
        s.venue.next["GET order"] = [error(-2013)]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        lost = s.last(OrderUnknown)
        assert lost.signed_at is not None
        s.clock.set_forward(30)
        await s.exchange.execute(QueryOrder(key=lost.key, symbol="BTCUSDT"))
        absent = s.last(QueryAnswered)
        assert absent.view is None
        assert 0 <= absent.requested_at - lost.signed_at < 5 * SECOND  # Not yet a proof that it is dead.


@awaited
async def test_a_snapshot_has_the_parts_that_were_asked_for() -> None:
    async with scene() as s:
        balance = {"asset": "USDT", "balance": "10000.5", "availableBalance": "9000"}
        position = {"symbol": "BTCUSDT", "positionAmt": "-0.5", "entryPrice": "60000", "updateTime": 1}
        s.venue.usual["GET balance"] = lambda _: [balance]
        s.venue.usual["GET positionRisk"] = lambda _: [position]
        await s.exchange.execute(EVERYTHING)
        whole = s.last(AccountSnapshot)
        assert whole.positions is not None
        assert str(whole.positions[0].qty) == "-0.5"
        assert (whole.orders, whole.algo_orders) == ((), ())
        assert whole.requested_at <= whole.ts_recv
        part = RequestSnapshot(
            symbol="BTCUSDT", positions=False, orders=True, algo_orders=False, balances=False, why="test"
        )
        await s.exchange.execute(part)
        assert (s.last(AccountSnapshot).positions, s.last(AccountSnapshot).orders) == (None, ())
        assert s.venue.last("GET openOrders").params["symbol"] == "BTCUSDT"


LISTING = RequestSnapshot(
    symbol="BTCUSDT", positions=False, orders=False, algo_orders=True, balances=False, why="is it listed?"
)
FIRST_LOOK = RequestSnapshot(
    symbol=None, positions=True, orders=False, algo_orders=True, balances=False, why="start"
)


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(LISTING, id="is the stop listed"),
        pytest.param(FIRST_LOOK, id="what is held at the start"),
        pytest.param(
            QueryOrder(key=submit("skalpa-1-1-0E", MARKET_BUY).key, symbol="BTCUSDT"), id="an order"
        ),
        pytest.param(RequestTrades(symbol="BTCUSDT", from_id=1, why="a fill is missing"), id="fills"),
    ],
)
@awaited
async def test_what_protection_waits_for_is_asked_when_the_routine_has_used_up_its_share(
    question: RequestSnapshot | QueryOrder | RequestTrades,
) -> None:
    async with scene() as s:
        s.venue.usual["GET order"] = lambda _: {}
        s.venue.usual["GET userTrades"] = lambda _: []
        used = {"X-MBX-USED-WEIGHT-1M": "2000"}
        s.venue.next["GET openOrders"] = [Canned(body=[], headers=used)]
        await s.exchange.execute(EVERYTHING)
        before = len(s.venue.seen)
        await s.exchange.execute(question)
        assert len(s.venue.seen) > before
        assert not [failed for failed in s.of(RequestFailed) if "not sent" in failed.why]


@awaited
async def test_a_look_at_everything_makes_one_request_a_turn() -> None:
    async with scene() as s:
        spent = []

        async def others() -> None:
            while True:
                spent.append(s.exchange.budget_use())
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        await s.exchange.execute(EVERYTHING)
        task.cancel()
        assert s.of(AccountSnapshot)
        assert len(set(spent)) == 1 + 4  # Nothing, and a little more with each of the four.


@awaited
async def test_an_order_that_rests_as_before_is_shown_as_the_same_view() -> None:
    async with scene() as s:
        stop = {
            "algoId": 7, "clientAlgoId": "skalpa-1-1-0S", "orderType": "STOP_MARKET", "symbol": "BTCUSDT",
            "side": "SELL", "quantity": "0.010", "algoStatus": "NEW", "triggerPrice": "59000.10",
            "price": "0.00", "closePosition": False, "reduceOnly": True, "updateTime": 1,
        }  # fmt: skip
        told = Canned(body=json.dumps([stop], separators=(",", ":")))
        s.venue.next["GET openAlgoOrders"] = [told, told]
        await s.exchange.execute(EVERYTHING)
        await s.exchange.execute(LISTING)
        first, second = (look.algo_orders for look in s.of(AccountSnapshot))
        assert first
        assert second
        assert first[0] is second[0]


@awaited
async def test_a_snapshot_with_one_part_missing_is_no_snapshot() -> None:
    async with scene() as s:
        s.venue.next["GET openAlgoOrders"] = [error(-1000, 500)]
        await s.exchange.execute(EVERYTHING)
        assert "openAlgoOrders" in s.last(RequestFailed).why
        assert s.last(RequestFailed).subject == ""  # A look at everything is about no symbol.
        assert not s.of(AccountSnapshot)


@awaited
async def test_trades_are_read_to_the_last_page_and_none_twice() -> None:
    async with scene() as s:
        book = [trade(number) for number in range(100, 1600)]

        def page(params: dict[str, str]) -> list[dict[str, Any]]:
            first = int(params.get("fromId", "0"))
            return [row for row in book if row["id"] >= first][: int(params["limit"])]

        s.venue.usual["GET userTrades"] = page
        await s.exchange.execute(RequestTrades(symbol="BTCUSDT", from_id=150, why="test"))
        assert [fill.trade_id for fill in s.last(TradesListed).fills] == list(range(150, 1600))
        await s.exchange.execute(RequestTrades(symbol="BTCUSDT", from_id=None, why="test"))
        assert s.venue.times("GET userTrades") == 3


@awaited
async def test_income_is_read_to_the_last_page_without_what_fills_already_told() -> None:
    async with scene() as s:
        rows = [
            {
                "symbol": "BTCUSDT", "incomeType": kind, "income": "-0.1", "asset": "USDT",
                "time": number, "tranId": number, "tradeId": "",
            }
            for number, kind in enumerate(["COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "TRANSFER"] * 300)
        ]  # fmt: skip

        def page(params: dict[str, str]) -> list[dict[str, Any]]:
            start = (int(params["page"]) - 1) * int(params["limit"])
            return rows[start : start + int(params["limit"])]

        s.venue.usual["GET income"] = page
        await s.exchange.execute(RequestIncome(since=Nanos(0), why="test"))
        listed = s.last(IncomeListed)
        assert len(listed.flows) == 600
        assert [flow.ts_event for flow in listed.flows] == sorted(flow.ts_event for flow in listed.flows)
        assert {flow.label for flow in listed.flows} == {"FUNDING_FEE", "TRANSFER"}


@awaited
async def test_income_is_asked_for_in_a_window_that_exists_although_our_clock_is_ahead() -> None:
    async with scene() as s:
        usual = s.venue.usual["GET time"]
        s.venue.usual["GET time"] = lambda params: {"serverTime": usual(params)["serverTime"] - 45_000}
        s.venue.usual["GET income"] = lambda _: []
        await s.exchange.clock_sync()
        await s.exchange.execute(RequestIncome(since=Nanos(SystemClock().now()), why="test"))
        asked = s.venue.last("GET income").params
        assert int(asked["startTime"]) <= int(asked["endTime"])


@awaited
async def test_a_wrong_clock_is_refused_once_and_learned_at_once() -> None:
    async with scene() as s:
        task = asyncio.create_task(s.exchange.stream())
        await until(lambda: len(s.venue.sockets) == 3)
        syncs = s.venue.times("GET time")
        s.venue.next["POST order"] = [error(-1021)]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert s.last(OrderRefused).code == -1021
        await until(lambda: s.venue.times("GET time") > syncs)
        task.cancel()
        await asyncio.wait([task])


@awaited
async def test_the_signed_time_is_the_venues_whatever_our_clock_says() -> None:
    async with scene() as s:
        ahead_ms = 45_000
        usual = s.venue.usual["GET time"]
        s.venue.usual["GET time"] = lambda params: {"serverTime": usual(params)["serverTime"] + ahead_ms}
        await s.exchange.clock_sync()
        await s.exchange.execute(submit("skalpa-1-1-0E", MARKET_BUY))
        signed = int(s.venue.last("POST order").params["timestamp"])
        assert abs(signed - s.last(OrderAcked).signed_at // 1_000_000 - ahead_ms) < 100
