"""Retail price improvement: orders that no book stream shows, no client meets, and prints fill last."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.streams import Route
from skalp_bot.paper.symbols import packaged_content
from tests.wire_kit import Reply, Shop, open_shop

PRINTS = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 10, qty: 1, levels: 5}
steps:
  - wait: 1000
  - trade: {side: SELL, qty: 0.6, price: 60000}
  - wait: 1000
  - trade: {side: SELL, qty: 0.6, price: 60000}
  - wait: 1000
"""
BUY: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "timeInForce": "RPI", "quantity": "0.1"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    info = deepcopy(packaged_content()["exchangeInfo"])
    info["symbols"][0]["permissionSets"].append("RPI")
    file = tmp_path / "info.json"
    file.write_bytes(orjson.dumps(info))
    return open_shop(tmp_path, PRINTS, deposit="100000", exchange_info=str(file))


def rest(shop: Shop, price: str, **more: Any) -> Reply:
    return shop.order(**(BUY | {"price": price} | more))


def touch(shop: Shop) -> Any:
    return shop.get("/fapi/v1/ticker/bookTicker", symbol="BTCUSDT").json


def test_it_rests_unseen_and_is_met_by_no_client(shop: Shop) -> None:
    before, (_, ear) = (
        touch(shop)["bidPrice"],
        shop.listen(Route.PUBLIC, "btcusdt@bookTicker", "btcusdt@depth@100ms"),
    )
    placed = rest(shop, "60004").json
    assert (placed["status"], placed["timeInForce"], placed["selfTradePreventionMode"]) == (
        "NEW",
        "RPI",
        "NONE",
    )
    shop.play(500)
    assert (touch(shop)["bidPrice"], ear.heard()) == (before, [])
    sold = shop.order(side="SELL", type="MARKET", quantity="0.1", newOrderRespType="RESULT").json
    assert (sold["status"], sold["avgPrice"]) == ("FILLED", "60000.00000")
    assert [row["clientOrderId"] for row in shop.call("GET", "/fapi/v1/openOrders").json] == [
        placed["clientOrderId"]
    ]


def test_prints_fill_it_after_all_that_is_displayed_at_its_price(shop: Shop) -> None:
    rest(shop, "60000")
    _, ear = shop.listen(Route.PUBLIC, "btcusdt@trade")
    _, sums = shop.listen(Route.MARKET, "btcusdt@aggTrade")
    user = shop.user()
    shop.play(1500)
    assert [frame["X"] for frame in ear.heard()] == ["MARKET"]
    better = rest(shop, "60001").json
    shop.play(1500)
    assert [(frame["X"], frame["q"]) for frame in ear.heard()[1:]] == [("RPI", "0.100"), ("MARKET", "0.500")]
    assert [frame["nq"] for frame in sums.heard()] == ["0.600", "0.000", "0.500"]
    [fill] = [
        event["o"]
        for event in user.heard()
        if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"
    ]
    assert (fill["i"], fill["m"], fill["n"]) == (better["orderId"], True, "1.500025")
    assert [row["isRPITrade"] for row in shop.get("/fapi/v1/trades", symbol="BTCUSDT").json] == [
        False,
        True,
        False,
    ]


def test_its_trades_are_in_the_candle(shop: Shop) -> None:
    rest(shop, "60001")
    shop.play(1500)
    [candle] = shop.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1).json
    assert (candle[2], candle[5]) == ("60001.00", "0.600")


def test_it_never_takes_and_never_changes(shop: Shop) -> None:
    assert rest(shop, "60010").refusal[:2] == (400, -5022)
    order_id = rest(shop, "59990").json["orderId"]
    named = {"symbol": "BTCUSDT", "orderId": order_id}
    change = shop.call("PUT", "/fapi/v1/order", **named, side="BUY", quantity="0.2", price="59990")
    assert change.refusal == (400, -1020, "This operation is not supported.")
    assert shop.call("DELETE", "/fapi/v1/order", **named).json["status"] == "CANCELED"


def test_it_is_for_listed_symbols_only(tmp_path: Path) -> None:
    refused = rest(open_shop(tmp_path), "59990")
    assert refused.refusal == (400, -4188, "This symbol is not in symbol white list.")
