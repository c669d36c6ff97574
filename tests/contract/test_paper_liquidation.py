"""A liquidation over the wire: what the account may not do, what it and everybody is told, what is listed."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.streams import Route
from tests.contract.shapes import same_shape
from tests.wire_kit import Ear, Shop, open_shop

FALLING = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 0.1, levels: 3}
steps:
  - wait: 1000
  - {bid: 59000, ask: 59000.1, bid_qty: 0.02, ask_qty: 0.02}
  - wait: 60000
"""
FORCED = orjson.loads(
    '[{"orderId":6071832819,"symbol":"BTCUSDT","status":"FILLED","clientOrderId":"autoclose-1596107620040000020",'
    '"price":"10871.09","avgPrice":"10913.21000","origQty":"0.001","executedQty":"0.001","cumQuote":"10.91321",'
    '"timeInForce":"IOC","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"SELL",'
    '"positionSide":"BOTH","stopPrice":"0","workingType":"CONTRACT_PRICE","origType":"LIMIT",'
    '"time":1596107620044,"updateTime":1596107620087}]'
)
EVENT = orjson.loads(
    '{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014",'
    '"p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893},"ps":"BTCUSDT","st":1}'
)
EXTRA = ("cumQty", "priceMatch", "selfTradePreventionMode", "goodTillDate", "priceProtect")
CALL = orjson.loads(
    '{"e":"MARGIN_CALL","E":1587727187525,"cw":"3.16812045","p":[{"s":"ETHUSDT","ps":"LONG","pa":"1.327",'
    '"mt":"CROSSED","iw":"0","mp":"187.17127","up":"-1.166074","mm":"1.614445"}]}'
)
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
    return holding(tmp_path, FALLING)


def holding(tmp_path: Path, script: str) -> Shop:
    """Make an account that holds more than a fall of 1,000 leaves it margin for, with a stop far below."""
    shop = open_shop(tmp_path, script, deposit="320")
    assert shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100).status == 200
    bought = shop.order(side="BUY", type="MARKET", quantity="0.3", newOrderRespType="RESULT")
    assert bought.json["status"] == "FILLED", bought.text
    assert shop.call("POST", "/fapi/v1/algoOrder", **STOP).status == 200
    return shop


def fall(shop: Shop) -> Ear:
    ear = shop.user()
    while not any(event["e"] == "ALGO_UPDATE" for event in ear.heard()):
        shop.play(10)
    return ear


def test_while_its_positions_are_taken_over_an_account_orders_nothing(shop: Shop) -> None:
    fall(shop)
    refused = (400, -2023, "User in liquidation mode now.")
    assert shop.order(side="SELL", type="MARKET", quantity="0.1").refusal == refused
    assert shop.call("POST", "/fapi/v1/algoOrder", **STOP).refusal == refused
    assert len(shop.call("GET", "/fapi/v3/positionRisk").json) == 1
    shop.play(200)
    assert shop.call("GET", "/fapi/v3/positionRisk").json == []
    assert shop.order(side="SELL", type="MARKET", quantity="0.1").refusal[1] != -2023


def test_the_account_is_told_of_a_limit_order_that_closes_it(shop: Shop) -> None:
    ear = fall(shop)
    shop.play(200)
    orders = [event["o"] for event in ear.heard() if event["e"] == "ORDER_TRADE_UPDATE"]
    assert {(row["o"], row["f"]) for row in orders} == {("LIMIT", "IOC")}
    assert all(row["c"].startswith("autoclose-") for row in orders)
    assert (orders[0]["x"], orders[0]["X"]) == ("NEW", "NEW")
    assert (orders[-1]["x"], orders[-1]["X"], orders[-1]["z"]) == ("CALCULATED", "FILLED", "0.3")
    assert {row["x"] for row in orders[1:-1]} == {"TRADE"}
    reasons = [event["a"]["m"] for event in ear.heard() if event["e"] == "ACCOUNT_UPDATE"]
    assert "INSURANCE_CLEAR" in reasons


def test_what_the_fund_takes_is_printed_but_is_no_market_trade(shop: Shop) -> None:
    _, prints = shop.listen(Route.PUBLIC, "btcusdt@trade")
    _, sums = shop.listen(Route.MARKET, "btcusdt@aggTrade")
    fall(shop)
    shop.play(200)
    kinds = {frame["X"]: frame for frame in prints.heard()}
    assert set(kinds) == {"MARKET", "INSURANCE_FUND"}
    taken = kinds["INSURANCE_FUND"]["p"]
    listed = shop.get("/fapi/v1/trades", symbol="BTCUSDT").json
    assert taken not in {row["price"] for row in listed}
    assert taken not in {frame["p"] for frame in sums.heard()}
    assert shop.get("/fapi/v1/ticker/price", symbol="BTCUSDT").json["price"] == listed[-1]["price"]


def test_forced_orders_are_listed(shop: Shop) -> None:
    fall(shop)
    shop.play(200)
    rows = shop.call("GET", "/fapi/v1/forceOrders").json
    same_shape(FORCED, rows, extra=EXTRA)
    assert (rows[0]["origQty"], rows[0]["side"], rows[0]["timeInForce"]) == ("0.300", "SELL", "IOC")
    named = {"symbol": "BTCUSDT", "autoCloseType": "LIQUIDATION"}
    assert shop.call("GET", "/fapi/v1/forceOrders", **named).json == rows
    assert shop.call("GET", "/fapi/v1/forceOrders", autoCloseType="ADL").json == []
    clear = shop.call("GET", "/fapi/v1/income", incomeType="INSURANCE_CLEAR").json
    assert clear


def test_everybody_is_told_of_the_largest_liquidation_of_a_second(shop: Shop) -> None:
    _, one = shop.listen(Route.MARKET, "btcusdt@forceOrder")
    _, every = shop.listen(Route.MARKET, "!forceOrder@arr")
    fall(shop)
    shop.play(150)
    assert one.heard() == []  # its second has not ended
    shop.play(1000)
    [event] = one.heard()
    assert every.heard() == [event]
    same_shape(EVENT, event)
    assert list(event["o"]) == list(EVENT["o"])


def test_an_account_that_comes_near_is_called_once(tmp_path: Path) -> None:
    shop = holding(tmp_path, FALLING.replace("59000", "59230"))
    ear = shop.user()
    shop.play(5000)
    [call] = ear.heard()
    same_shape(CALL, call)
    assert list(call) == list(CALL)
    assert (call["p"][0]["pa"], call["p"][0]["ps"]) == ("0.3", "BOTH")
