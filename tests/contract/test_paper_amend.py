"""Changing orders over the wire: what comes back, what is refused, and what the user stream says of it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.streams import Route
from tests.contract.shapes import same_shape
from tests.wire_kit import Reply, Shop, open_shop

LIMIT: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, deposit="100000")


def rested(shop: Shop, **more: Any) -> int:
    reply = shop.order(**(LIMIT | {"price": "59000"} | more))
    assert reply.status == 200, reply.text
    return int(reply.json["orderId"])


def changed(shop: Shop, order_id: int, **more: Any) -> Reply:
    wanted = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": "59000"} | more
    return shop.call("PUT", "/fapi/v1/order", orderId=order_id, **wanted)


def test_the_name_of_a_change_comes_back_as_a_number_and_is_told_as_a_text(shop: Shop) -> None:
    order_id, ear = rested(shop), shop.user()
    assert changed(shop, order_id, modifyId=77).json["modifyId"] == 77
    item = {"symbol": "BTCUSDT", "orderId": order_id, "side": "BUY", "quantity": "0.03", "price": "59000"}
    batch = orjson.dumps([item | {"modifyId": 78}, item]).decode()
    [named, again] = shop.call("PUT", "/fapi/v1/batchOrders", batchOrders=batch).json
    assert (named["modifyId"], again["code"]) == (78, -5027)
    assert [event["o"]["M"] for event in ear.heard()] == ["77", "78"]


def test_a_change_without_a_name_has_none(shop: Shop) -> None:
    order_id, ear = rested(shop), shop.user()
    assert "modifyId" not in changed(shop, order_id).json
    assert "M" not in ear.heard()[0]["o"]


def test_self_trade_prevention_survives_a_change_as_in_the_recorded_frames(shop: Shop) -> None:
    order_id, ear = rested(shop), shop.user()
    assert changed(shop, order_id).json["selfTradePreventionMode"] == "EXPIRE_MAKER"
    assert ear.heard()[0]["o"]["V"] == "EXPIRE_MAKER"


def test_a_changed_reduce_only_order_needs_the_least_notional_unless_it_says_reduce_only(shop: Shop) -> None:
    ether = {"symbol": "ETHUSDT", "side": "SELL", "price": "2010"}
    shop.order(symbol="ETHUSDT", side="BUY", type="MARKET", quantity="0.1")
    order_id = rested(shop, **ether, quantity="0.1", reduceOnly="true")
    small = ether | {"quantity": "0.005"}
    plain = changed(shop, order_id, **small)
    assert plain.refusal == (400, -5029, "Order's notional must be no smaller than 20")
    assert changed(shop, order_id, **small, reduceOnly="true").json["origQty"] == "0.005"


def test_only_limit_orders_are_changed(shop: Shop) -> None:
    order_id = shop.order(side="BUY", type="MARKET", quantity="0.01").json["orderId"]
    assert changed(shop, order_id).refusal == (400, -5025, "Only limit order is supported.")


CONTRACT = (
    '{"e":"contractInfo","E":1669647330688,"s":"IOTAUSDT","ps":"IOTAUSDT","ct":"PERPETUAL","dt":4133404800000,'
    '"ot":1569398400000,"cs":"TRADING","st":1}'
)


def test_a_symbol_that_stops_trading_says_so_and_its_orders_are_no_longer_changed(shop: Shop) -> None:
    order_id, (_, ear) = rested(shop), shop.listen(Route.MARKET, "!contractInfo")
    shop.exchange.relist("BTCUSDT", {"status": "SETTLING"})
    [told] = ear.heard()
    same_shape(orjson.loads(CONTRACT), told)
    assert (told["s"], told["cs"]) == ("BTCUSDT", "SETTLING")
    refused = "Symbol is not in trading status. Order amendment is not permitted."
    assert changed(shop, order_id).refusal == (400, -5024, refused)
    assert shop.order(**LIMIT, price="59000").refusal[1] == -4140
    assert shop.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id).status == 200
