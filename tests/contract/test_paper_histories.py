"""How far back histories reach: seven days unless told otherwise; orders are found three days or ninety."""

from pathlib import Path
from typing import Any

import pytest

from tests.wire_kit import Shop, open_shop

DAY_MS = 86_400_000
LIMIT: dict[str, Any] = {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
STOP: dict[str, Any] = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "50000",
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, deposit="100000")


def days(shop: Shop, count: float) -> None:
    shop.play(int(count * DAY_MS), pace_ms=DAY_MS // 4)


def bought(shop: Shop) -> int:
    return int(shop.order(side="BUY", type="MARKET", quantity="0.01").json["orderId"])


def listed(shop: Shop, path: str, name: str, **more: Any) -> list[int]:
    return [row[name] for row in shop.call("GET", f"/fapi/v1/{path}", symbol="BTCUSDT", **more).json]


def test_a_history_shows_seven_days_unless_a_time_or_an_id_is_named(shop: Shop) -> None:
    begun, first = shop.now_ms, bought(shop)
    days(shop, 8)
    second = bought(shop)
    for path in ("allOrders", "userTrades"):
        assert listed(shop, path, "orderId") == [second], path
        assert listed(shop, path, "orderId", startTime=begun) == [first], path
        assert listed(shop, path, "orderId", endTime=begun + 1000) == [first], path
    assert listed(shop, "allOrders", "orderId", orderId=first) == [first, second]
    trades = shop.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=begun).json
    assert listed(shop, "userTrades", "orderId", fromId=trades[0]["id"]) == [first, second]


def test_an_order_that_ended_without_a_fill_is_found_for_three_days_from_its_making(shop: Shop) -> None:
    kept, gone = bought(shop), shop.order(**LIMIT).json["orderId"]
    named = {"symbol": "BTCUSDT", "orderId": gone}
    stop = {"algoId": shop.call("POST", "/fapi/v1/algoOrder", **STOP).json["algoId"]}
    days(shop, 2.5)
    shop.call("DELETE", "/fapi/v1/order", **named)
    shop.call("DELETE", "/fapi/v1/algoOrder", **stop)
    assert shop.call("GET", "/fapi/v1/order", **named).status == 200
    assert shop.call("GET", "/fapi/v1/algoOrder", **stop).status == 200
    days(shop, 1)
    assert shop.call("GET", "/fapi/v1/order", **named).refusal[1] == -2013
    assert shop.call("GET", "/fapi/v1/algoOrder", **stop).refusal[1] == -2013
    assert listed(shop, "allOrders", "orderId", orderId=1) == [kept]
    assert listed(shop, "allAlgoOrders", "algoId", algoId=1) == []


def test_a_filled_order_is_found_for_ninety_days_and_an_open_one_as_long_as_it_rests(shop: Shop) -> None:
    filled, open_id = bought(shop), shop.order(**LIMIT).json["orderId"]
    days(shop, 89)
    assert listed(shop, "allOrders", "orderId", orderId=1) == [filled, open_id]
    days(shop, 2)
    assert listed(shop, "allOrders", "orderId", orderId=1) == [open_id]
