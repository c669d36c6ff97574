"""A venue that deviates is reported step by step, with what was seen and what was wanted."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from aurora import governance
from aurora.model.events import InstrumentsLoaded
from skalp_bot.exch.conformance import Conformance, Ground
from skalp_bot.exch.findings import Finding, Verdict
from tests.exch_kit import Canned, QuickClock, Scene, awaited, error, scene

SPEED = 20.0


def shown(sent: dict[str, str], **more: Any) -> dict[str, Any]:
    """The order as the venue lists it."""
    regular = {
        "symbol": sent["symbol"],
        "clientOrderId": sent.get("newClientOrderId", ""),
        "orderId": 11,
        "side": sent["side"],
        "type": sent["type"],
        "status": "NEW",
        "origQty": sent.get("quantity", "0"),
        "executedQty": "0",
        "price": sent.get("price", "0"),
        "stopPrice": "0",
        "reduceOnly": sent.get("reduceOnly") == "true",
        "closePosition": sent.get("closePosition") == "true",
        "updateTime": 1,
    }
    algo = {
        **regular,
        "clientAlgoId": sent.get("clientAlgoId", ""),
        "algoId": 12,
        "orderType": sent["type"],
        "algoStatus": "NEW",
        "quantity": sent.get("quantity", "0"),
        "actualQty": "0",
        "triggerPrice": sent.get("triggerPrice", "0"),
    }
    return (algo if "clientAlgoId" in sent else regular) | more


class Book:
    """Keeps orders as a sound venue does, but for what a test bends."""

    def __init__(self, s: Scene) -> None:
        self.orders: dict[str, dict[str, str]] = {}
        self.bent: dict[str, Any] = {}
        self.deaf = False
        usual = s.venue.usual
        usual["POST order"] = lambda params: self._place(
            params, "newClientOrderId", "clientOrderId", "orderId"
        )
        usual["POST algoOrder"] = lambda params: self._place(params, "clientAlgoId", "clientAlgoId", "algoId")
        usual["DELETE order"] = lambda params: self._cancel(
            params["origClientOrderId"], "clientOrderId", "orderId"
        )
        usual["DELETE algoOrder"] = lambda params: self._cancel(
            params["clientAlgoId"], "clientAlgoId", "algoId"
        )
        usual["GET openOrders"] = lambda _: self._listed("newClientOrderId")
        usual["GET openAlgoOrders"] = lambda _: self._listed("clientAlgoId")

    def _place(self, params: dict[str, str], name: str, theirs: str, number: str) -> dict[str, Any]:
        self.orders[params[name]] = params
        return {theirs: params[name], number: 11}

    def _cancel(self, client_id: str, theirs: str, number: str) -> dict[str, Any]:
        if not self.deaf:
            self.orders.pop(client_id, None)
        return {theirs: client_id, number: 11, "executedQty": "0"}

    def _listed(self, name: str) -> list[dict[str, Any]]:
        return [shown(sent, **self.bent) for sent in self.orders.values() if name in sent]


async def examined(s: Scene) -> dict[str, Finding]:
    await s.exchange.open()
    ground = Ground(instrument=s.last(InstrumentsLoaded).instruments[0], mark=Decimal(60_000))
    steps = Conformance(
        exchange=s.exchange,
        events=s.events,
        ground=ground,
        clock=QuickClock(SPEED),
        name="doctor-1",
        approve=governance.probe,
    )
    return {finding.check: finding for finding in await steps.run()}


@awaited
async def test_orders_are_far_from_the_market_and_large_enough() -> None:
    async with scene() as s:
        book = Book(s)
        await examined(s)
        sent = [each.params for each in s.venue.seen if each.name == "POST order"]
        assert {params["type"] for params in sent} == {"LIMIT", "MARKET"}
        for params in sent:
            if params["type"] == "LIMIT":
                assert Decimal(57_000) < Decimal(params["price"]) < Decimal(59_100)
                assert Decimal(params["price"]) * Decimal(params["quantity"]) > 50
                assert params["timeInForce"] == "GTX"
            else:
                assert params["reduceOnly"] == "true"
        assert book.orders == {}


@pytest.mark.parametrize(
    ("bent", "check", "observed"),
    [
        ({"price": "59000"}, "order listed", "price 59000"),
        ({"origQty": "0.5"}, "order listed", "qty 0.5"),
        ({"reduceOnly": False}, "stop listed", "SELL STOP_MARKET, qty"),
        ({"closePosition": False}, "backstop listed", "SELL STOP_MARKET, trigger"),
        ({"triggerPrice": "59000.5"}, "stop listed", "trigger 59000.5"),
    ],
)
@awaited
async def test_an_order_listed_otherwise_than_sent_is_a_deviation(
    bent: dict[str, Any], check: str, observed: str
) -> None:
    async with scene() as s:
        Book(s).bent = bent
        finding = (await examined(s))[check]
        assert finding.verdict is Verdict.FAIL
        assert observed in finding.observed
        assert finding.limit != finding.observed
        assert "do not trade there" in finding.advice


@awaited
async def test_an_order_that_cannot_be_taken_back_is_named() -> None:
    async with scene() as s:
        Book(s).deaf = True
        found = await examined(s)
        assert found["backstop gone"].verdict is Verdict.FAIL
        assert "doctor-1-1" in found["nothing left"].observed
        assert "by hand" in found["nothing left"].advice


@awaited
async def test_a_venue_that_accepts_what_must_be_refused_is_reported() -> None:
    async with scene() as s:
        Book(s)
        found = await examined(s)
        for check in ("second backstop", "stop beyond the market", "reduce-only without a position"):
            assert (found[check].verdict, found[check].observed) == (Verdict.FAIL, "accepted")


@awaited
async def test_a_stop_that_needs_a_position_is_no_deviation() -> None:
    async with scene() as s:
        Book(s)
        closing = s.venue.usual["POST algoOrder"]

        def refused(params: dict[str, str]) -> Any:
            return closing(params) if params.get("closePosition") else {"code": -2022, "msg": "rejected"}

        s.venue.usual["POST algoOrder"] = refused
        s.venue.next["POST algoOrder"] = [
            Canned(body={"clientAlgoId": "doctor-1-3", "algoId": 3}),
            error(-4130),
            error(-2022),
        ]
        found = await examined(s)
        assert found["stop placed"].verdict is Verdict.WARN


@awaited
async def test_a_silent_user_stream_is_a_deviation() -> None:
    async with scene() as s:
        Book(s)
        assert (await examined(s))["user stream told"].verdict is Verdict.FAIL


@awaited
async def test_an_order_nobody_answered_for_is_looked_for_until_it_cannot_appear_any_more() -> None:
    async with scene() as s:
        book = Book(s)
        s.venue.next["POST order"] = [Canned(fault="reset")]
        late = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "newClientOrderId": "doctor-1-1"}
        asyncio.get_running_loop().call_later(0.2, book.orders.__setitem__, "doctor-1-1", late)
        found = await examined(s)
        assert found["order placed"].verdict is Verdict.FAIL
        assert found["nothing left"].verdict is Verdict.OK
        assert book.orders == {}
