"""Refusals that need a state of things: symbols that do not trade, empty books, bands, modes, fired stops."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.symbols import packaged_content
from tests.contract.shapes import same_shape
from tests.wire_kit import QUIET, Reply, Shop, open_shop

LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
MARKET: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP: dict[str, Any] = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP",
    "quantity": "0.01",
    "triggerPrice": "59000",
    "price": "58900",
}
WIDE = QUIET.replace("spread: 0.1", "spread: 8000")
THIN = QUIET.replace("levels: 20", "levels: 1")
ISOLATED = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How a venue was set up, what was asked of it last, and what it said."""

    name: str
    ask: Callable[[Shop], Reply]
    code: int
    message: str
    row: dict[str, Any] = field(default_factory=dict)  # of exchangeInfo
    filters: dict[str, dict[str, str]] = field(default_factory=dict)
    script: str = QUIET
    switches: dict[str, str] = field(default_factory=dict)


def order(shop: Shop, **more: object) -> Reply:
    return shop.call("POST", "/fapi/v1/order", **(LIMIT | more))


def bought(shop: Shop, quantity: str = "0.01") -> Reply:
    return shop.call("POST", "/fapi/v1/order", **(MARKET | {"quantity": quantity}))


def stop(shop: Shop, **more: object) -> Reply:
    return shop.call("POST", "/fapi/v1/algoOrder", **(STOP | more))


def amended(shop: Shop, **more: object) -> Reply:
    named = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order(shop).json["orderId"]}
    twice = {"quantity": "0.02", "price": "58000"} | more
    shop.call("PUT", "/fapi/v1/order", **named, **({"quantity": "0.01", "price": "58500"} | more))
    return shop.call("PUT", "/fapi/v1/order", **named, **twice)


def multi_assets(shop: Shop) -> Reply:
    return shop.call("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")


def after(*acts: Callable[[Shop], Reply]) -> Callable[[Shop], Reply]:
    def ask(shop: Shop) -> Reply:
        for act in acts[:-1]:
            assert act(shop).status == 200
        return acts[-1](shop)

    return ask


def cancelled_on_its_way(shop: Shop) -> Reply:
    """Trigger a stop by a print of our own, and cancel it before its order is born."""
    bought(shop)
    market = {name: value for name, value in STOP.items() if name != "price"}
    placed = shop.call(
        "POST", "/fapi/v1/algoOrder", **market | {"type": "STOP_MARKET", "triggerPrice": 60000}
    )
    sold = shop.call("POST", "/fapi/v1/order", **MARKET | {"side": "SELL"})
    assert (placed.status, sold.status) == (200, 200)
    return shop.call("DELETE", "/fapi/v1/algoOrder", algoId=placed.json["algoId"])


def margin_type(shop: Shop) -> Reply:
    return shop.call("POST", "/fapi/v1/marginType", **ISOLATED)


def leverage(value: int) -> Callable[[Shop], Reply]:
    return lambda shop: shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=value)


ONLY_REDUCE = "Symbol is under position risk control, only reduce-only order is allowed."
STORIES = [
    Story(
        name="empty number",
        ask=lambda shop: order(shop, quantity=""),
        code=-1105,
        message="Parameter 'quantity' was empty.",
    ),
    Story(
        name="empty name",
        ask=lambda shop: shop.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=""),
        code=-1119,
        message="Original client order ID was empty.",
    ),
    Story(
        name="empty book",
        ask=after(lambda shop: bought(shop, "5"), bought),
        code=-1112,
        message="No orders on book for symbol.",
        script=THIN,
    ),
    Story(
        name="below the least quantity",
        ask=lambda shop: order(shop, quantity="0.009"),
        code=-4004,
        message="Quantity less than min quantity.",
        filters={"LOT_SIZE": {"minQty": "0.010"}},
    ),
    Story(
        name="between the steps",
        ask=lambda shop: order(shop, quantity="0.011"),
        code=-4023,
        message="Qty not increased by step size.",
        filters={"LOT_SIZE": {"stepSize": "0.002"}},
    ),
    Story(
        name="trigger below zero",
        ask=lambda shop: stop(shop, triggerPrice="-1"),
        code=-4006,
        message="Stop price less than zero.",
    ),
    Story(
        name="trigger beyond the largest price",
        ask=lambda shop: stop(shop, triggerPrice="9000000"),
        code=-4007,
        message="Stop price greater than max price.",
    ),
    Story(
        name="a batch of no orders",
        ask=lambda shop: shop.call("POST", "/fapi/v1/batchOrders", batchOrders="[1]"),
        code=-4083,
        message="Fail to place batch orders.",
    ),
    Story(
        name="risk control of both sides",
        ask=order,
        code=-4105,
        message=ONLY_REDUCE,
        filters={"POSITION_RISK_CONTROL": {"positionControlSide": "BOTH"}},
    ),
    Story(
        name="risk control of buys",
        ask=order,
        code=-4106,
        message="Symbol is under position risk control, buy order is not allowed.",
        filters={"POSITION_RISK_CONTROL": {"positionControlSide": "LONG"}},
    ),
    Story(
        name="risk control of sells",
        ask=lambda shop: order(shop, side="SELL", price="61000"),
        code=-4107,
        message="Symbol is under position risk control, sell order is not allowed.",
        filters={"POSITION_RISK_CONTROL": {"positionControlSide": "SHORT"}},
    ),
    Story(
        name="cancelled while it triggers",
        ask=cancelled_on_its_way,
        code=-4117,
        message="stop order is triggering",
        switches={"trigger_delay_ms": "400"},
    ),
    Story(
        name="the best price out of bounds",
        ask=bought,
        code=-4131,
        message="The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
        script=WIDE,
    ),
    Story(
        name="the best price beyond PERCENT_PRICE, though not beyond marketTakeBound",
        ask=bought,
        code=-4131,
        message="The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
        row={"marketTakeBound": "0.30"},
        script=WIDE,
    ),
    Story(
        name="a symbol that settles",
        ask=order,
        code=-4140,
        message="Invalid symbol status for opening position",
        row={"status": "SETTLING"},
    ),
    Story(name="a closed symbol", ask=order, code=-4141, message="Symbol is closed", row={"status": "CLOSE"}),
    Story(
        name="less leverage on isolated margin",
        ask=after(margin_type, bought, leverage(10)),
        code=-4161,
        message="Leverage reduction is not supported in Isolated Margin Mode with open positions",
    ),
    Story(
        name="multi-assets with an isolated symbol",
        ask=after(margin_type, multi_assets),
        code=-4167,
        message="Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under "
        "isolated-margin mode.",
    ),
    Story(
        name="isolated in multi-assets mode",
        ask=after(multi_assets, margin_type),
        code=-4168,
        message="Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    ),
    Story(
        name="multi-assets with open orders",
        ask=after(order, multi_assets),
        code=-4170,
        message="Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures",
    ),
    Story(
        name="a limit far above its trigger",
        ask=lambda shop: stop(shop, side="BUY", triggerPrice="60500", price="66000"),
        code=-4183,
        message="Limit price can't be higher than 63525.",
    ),
    Story(
        name="a limit far below its trigger",
        ask=lambda shop: stop(shop, price="50000"),
        code=-4184,
        message="Limit price can't be lower than 56050.",
    ),
    Story(
        name="a trigger far above mark",
        ask=lambda shop: stop(shop, side="BUY", triggerPrice="66000.1", price="66000.1"),
        code=-4210,
        message="Stop price can't be higher than 66000.055",
        switches={"trigger_band": "0.1"},
    ),
    Story(
        name="a trigger far below mark",
        ask=lambda shop: stop(shop, triggerPrice="53000", price="53000"),
        code=-4211,
        message="Stop price can't be lower than 54000.045",
        switches={"trigger_band": "0.1"},
    ),
    Story(
        name="amended too often",
        ask=amended,
        code=-5026,
        message="Exceed maximum modify order limit.",
        switches={"amends_max": "1"},
    ),
    Story(
        name="amended to next to nothing",
        ask=lambda shop: amended(shop, quantity="0.001", price="40000"),
        code=-5029,
        message="Order's notional must be no smaller than 50",
    ),
    Story(
        name="a market order that matches a price",
        ask=lambda shop: shop.call("POST", "/fapi/v1/order", **MARKET, priceMatch="QUEUE"),
        code=-5038,
        message="Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT",
    ),
    Story(
        name="margin for an isolated position",
        ask=after(
            margin_type,
            bought,
            lambda shop: shop.call("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="1", type="1"),
        ),
        code=-1020,
        message="This operation is not supported.",
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story.code} {story.name}")
def test_a_state_of_the_venue_earns_its_own_refusal(tmp_path: Path, story: Story) -> None:
    info = deepcopy(packaged_content()["exchangeInfo"])
    row = next(row for row in info["symbols"] if row["symbol"] == "BTCUSDT")
    row.update(story.row)
    for item in row["filters"]:
        item.update(story.filters.get(item["filterType"], {}))
    file = tmp_path / "info.json"
    file.write_bytes(orjson.dumps(info))
    switches: dict[str, Any] = {"deposit": "100000", "exchange_info": str(file)} | story.switches
    shop = open_shop(tmp_path, story.script, **switches)
    assert story.ask(shop).refusal == (400, story.code, story.message)


QUANTILE = '[{"symbol":"BTCUSDT","adlQuantile":{"LONG":1,"SHORT":2,"BOTH":0}}]'
AMENDMENT = (
    '[{"amendmentId":5363,"symbol":"BTCUSDT","pair":"BTCUSDT","orderId":20072994037,"clientOrderId":"LJ9R4",'
    '"time":1629184560899,"amendment":{"price":{"before":"30004","after":"30003.2"},'
    '"origQty":{"before":"1","after":"1"},"count":3}}]'
)
CANDLES = '[[1591256460000,"9653.29","9654.78","9653.28","9654.56","0",1591256519999,"0",60,"0","0","0"]]'
ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "adlQuantile": ({}, QUANTILE),
    "apiTradingStatus": ({}, '{"indicators":{},"updateTime":1545741270000}'),
    "orderAmendment": ({"symbol": "BTCUSDT", "origClientOrderId": "LJ9R4"}, AMENDMENT),
    "forceOrders": ({}, "[]"),
    "markPriceKlines": ({"symbol": "BTCUSDT", "interval": "1m"}, CANDLES),
    "premiumIndexKlines": ({"symbol": "BTCUSDT", "interval": "1m"}, CANDLES),
    "indexPriceKlines": ({"pair": "BTCUSDT", "interval": "1m"}, CANDLES),
    "continuousKlines": ({"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1m"}, CANDLES),
}


@pytest.mark.parametrize("path", ANSWERS)
def test_seldom_asked_questions_are_answered_with_the_venues_fields(tmp_path: Path, path: str) -> None:
    shop = open_shop(tmp_path, deposit="100000")
    bought(shop)
    placed = order(shop, newClientOrderId="LJ9R4").json["orderId"]
    named = {"symbol": "BTCUSDT", "side": "BUY", "orderId": placed}
    assert shop.call("PUT", "/fapi/v1/order", **named, quantity="0.02", price="58000").status == 200
    params, example = ANSWERS[path]
    reply = shop.call("GET", f"/fapi/v1/{path}", **params)
    assert reply.status == 200
    same_shape(orjson.loads(example), reply.json)


def test_ranks_of_deleveraging_name_all_sides_of_the_accounts_mode(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, deposit="100000")
    bought(shop)
    [one_way] = shop.call("GET", "/fapi/v1/adlQuantile").json
    assert one_way["adlQuantile"] == {"LONG": 0, "SHORT": 0, "BOTH": 1}


def test_without_percent_price_only_the_take_bound_limits_a_market_order(tmp_path: Path) -> None:
    info = deepcopy(packaged_content()["exchangeInfo"])
    info["symbols"][0]["marketTakeBound"] = "0.30"
    file = tmp_path / "info.json"
    file.write_bytes(orjson.dumps(info))
    shop = open_shop(tmp_path, WIDE, deposit="100000", exchange_info=str(file), percent_price="off")
    assert bought(shop).status == 200
