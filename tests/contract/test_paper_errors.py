"""Every refusal the paper exchange can be brought to: exact status, code and wording."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.errors import TABLE
from tests.wire_kit import START_MS, Reply, Shop, open_shop

Row = tuple[dict[str, Any], int, str | None]
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
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "59000",
}
MISSING = "Mandatory parameter '%s' was not sent, was empty/null, or malformed."
NOT_REQUIRED = "Parameter '%s' sent when not required."
ALGO_ONLY = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
FOK = (
    "Due to the order could not be filled immediately, the FOK order has been rejected. "
    "The order will not be recorded in the order history"
)
GTX = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history"
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, deposit="100000")


def without(order: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in order.items() if name not in names}


ORDERS: list[Row] = [
    (without(LIMIT, "symbol"), -1102, MISSING % "symbol"),
    (without(LIMIT, "side"), -1102, MISSING % "side"),
    (without(LIMIT, "type"), -1102, MISSING % "type"),
    (without(LIMIT, "timeInForce"), -1102, MISSING % "timeinforce"),
    (without(LIMIT, "price"), -1102, MISSING % "price"),
    (without(LIMIT, "quantity"), -1102, MISSING % "quantity"),
    (without(MARKET, "quantity"), -1102, MISSING % "quantity"),
    (LIMIT | {"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
    (LIMIT | {"side": "HOLD"}, -1117, "Invalid side."),
    (LIMIT | {"type": "PEG"}, -1116, "Invalid orderType."),
    (LIMIT | {"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
    (LIMIT | {"timeInForce": "RPI"}, -4188, "This symbol is not in symbol white list."),
    (MARKET | {"timeInForce": "GTC"}, -1106, NOT_REQUIRED % "timeInForce"),
    (MARKET | {"price": "60000"}, -1106, NOT_REQUIRED % "price"),
    (LIMIT | {"reduceOnly": "maybe"}, -4062, "Invalid or improper reduceOnly value."),
    (LIMIT | {"newOrderRespType": "FULL"}, -1136, "Invalid newOrderRespType."),
    (
        LIMIT | {"newClientOrderId": "x" * 37},
        -4015,
        "Client order id length should not be more than 36 chars",
    ),
    (LIMIT | {"newClientOrderId": ""}, -1118, "New client order ID was empty."),
    (
        LIMIT | {"newClientOrderId": "a b"},
        -1100,
        "Illegal characters found in parameter 'newclientorderid'; "
        r"legal range is '^[\.A-Z\:/a-z0-9_-]{1,36}$'.",
    ),
    (LIMIT | {"price": "59000.123"}, -1111, "Precision is over the maximum defined for this asset."),
    (LIMIT | {"quantity": "0.0101"}, -1111, "Precision is over the maximum defined for this asset."),
    (LIMIT | {"price": "59000.05"}, -4014, "Price not increased by tick size."),
    (LIMIT | {"price": "9000000"}, -4002, "Price greater than max price."),
    (LIMIT | {"price": "1"}, -4013, "Price less than min price."),
    (LIMIT | {"price": "-1"}, -4001, "Price less than 0."),
    (LIMIT | {"quantity": "2000"}, -4005, "Quantity greater than max quantity."),
    (MARKET | {"quantity": "500"}, -4005, "Quantity greater than max quantity."),
    (LIMIT | {"quantity": "-1"}, -4003, "Quantity less than zero."),
    (LIMIT | {"price": "70000"}, -4016, None),
    (LIMIT | {"side": "SELL", "price": "50000"}, -4024, None),
    (LIMIT | {"timeInForce": "GTX", "price": "60001"}, -5022, GTX),
    (LIMIT | {"timeInForce": "FOK", "price": "60000.1", "quantity": "6"}, -5021, FOK),
    (LIMIT | {"timeInForce": "GTD"}, -1102, MISSING % "goodtilldate"),
    (LIMIT | {"timeInForce": "GTD", "goodTillDate": START_MS}, -5040, None),
    (MARKET | {"reduceOnly": "true"}, -2022, "ReduceOnly Order is rejected."),
    (LIMIT | {"quantity": "40"}, -2019, "Margin is insufficient."),
    (MARKET | {"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
    (MARKET | {"positionSide": "UP"}, -4060, "Invalid position side."),
    (LIMIT | {"priceMatch": "BEST"}, -5037, "Invalid price match"),
    (LIMIT | {"priceMatch": "QUEUE"}, -1106, NOT_REQUIRED % "price"),
    (without(LIMIT, "price") | {"priceMatch": "OPPONENT_10"}, -5037, "Invalid price match"),
    (
        LIMIT | {"selfTradePreventionMode": "X"},
        -5039,
        "Invalid self trade prevention mode",
    ),
    *(
        (MARKET | {"type": kind, "stopPrice": "59000"}, -4120, ALGO_ONLY)
        for kind in ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
    ),
]
ALGOS: list[Row] = [
    (without(STOP, "algoType"), -1102, MISSING % "algotype"),
    (STOP | {"algoType": "VP"}, -1130, "Data sent for parameter 'algoType' is not valid."),
    (without(STOP, "triggerPrice"), -1102, MISSING % "triggerprice"),
    (without(STOP, "quantity"), -1102, MISSING % "quantity"),
    (STOP | {"workingType": "LAST"}, -4031, "Invalid parameter working type: LAST"),
    (STOP | {"triggerPrice": "61000"}, -2021, "Order would immediately trigger."),
    (
        STOP | {"closePosition": "true"},
        -4137,
        "Quantity must be zero with closePosition equals true",
    ),
    (
        without(STOP, "quantity") | {"closePosition": "true", "reduceOnly": "true"},
        -1106,
        NOT_REQUIRED % "reduceonly",
    ),
    (
        without(STOP, "quantity") | {"closePosition": "true", "reduceOnly": "false"},
        -4138,
        "Reduce only must be true with closePosition equals true",
    ),
    (
        without(STOP, "triggerPrice")
        | {"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "0"},
        -4135,
        "Invalid activation price",
    ),
    (STOP | {"triggerPrice": "59000.05"}, -4014, "Price not increased by tick size."),
    (STOP | {"clientAlgoId": "x" * 37}, -4015, "Client order id length should not be more than 36 chars"),
]


def title(row: Row) -> str:
    return f"{row[1]}-" + "-".join(f"{name}={value}" for name, value in row[0].items())[-40:]


@pytest.mark.parametrize("row", ORDERS, ids=title)
def test_a_wrong_order_is_refused_with_the_venues_code_and_words(shop: Shop, row: Row) -> None:
    params, code, message = row
    reply = shop.call("POST", "/fapi/v1/order", **params)
    assert (reply.status, reply.json["code"]) == (400, code), reply.text
    assert message is None or reply.json["msg"] == message
    assert set(reply.json) == {"code", "msg"}
    assert shop.call("GET", "/fapi/v1/openOrders").json == []


@pytest.mark.parametrize("row", ALGOS, ids=title)
def test_a_wrong_conditional_order_is_refused_with_the_venues_code_and_words(shop: Shop, row: Row) -> None:
    params, code, message = row
    reply = shop.call("POST", "/fapi/v1/algoOrder", **params)
    assert reply.refusal == (400, code, message), reply.text


def placed(shop: Shop, **more: object) -> Any:
    reply = shop.call("POST", "/fapi/v1/order", **(LIMIT | more))
    assert reply.status == 200, reply.text
    return reply.json


def bought(shop: Shop, **more: object) -> Any:
    reply = shop.call("POST", "/fapi/v1/order", **(MARKET | {"newOrderRespType": "RESULT"} | more))
    assert reply.json["status"] == "FILLED", reply.text
    return reply.json


def test_a_client_order_id_is_open_once(shop: Shop) -> None:
    placed(shop, newClientOrderId="one")
    again = shop.call("POST", "/fapi/v1/order", **LIMIT, newClientOrderId="one")
    assert again.refusal == (400, -4116, "ClientOrderId is duplicated.")


def test_a_price_match_needs_its_level(tmp_path: Path) -> None:
    thin = "symbols:\n  BTCUSDT: {price: 60000, levels: 3}\nsteps:\n  - wait: 1\n"
    shop = open_shop(tmp_path, thin)
    reply = shop.call("POST", "/fapi/v1/order", **without(LIMIT, "price"), priceMatch="OPPONENT_5")
    assert reply.refusal == (400, -5041, "No depth matches this BBO order")


def test_orders_that_do_not_exist_are_not_found_and_not_cancelled(shop: Shop) -> None:
    named = {"symbol": "BTCUSDT", "orderId": 1}
    for path in ("order", "openOrder"):
        reply = shop.call("GET", f"/fapi/v1/{path}", **named)
        assert reply.refusal == (400, -2013, "Order does not exist.")
    gone = shop.call("DELETE", "/fapi/v1/order", **named)
    assert gone.refusal == (400, -2011, "Unknown order sent.")
    assert shop.call("GET", "/fapi/v1/algoOrder", algoId=5).refusal[1] == -2013
    assert shop.call("DELETE", "/fapi/v1/algoOrder", algoId=5).refusal[1] == -2011
    none = shop.call("GET", "/fapi/v1/order", symbol="BTCUSDT")
    assert none.refusal[1] == -1102


def test_a_done_order_cannot_be_cancelled_again(shop: Shop) -> None:
    order = placed(shop)
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert shop.call("DELETE", "/fapi/v1/order", **named).status == 200
    assert shop.call("DELETE", "/fapi/v1/order", **named).refusal[1] == -2011


def test_only_one_closing_stop_stands_per_direction(shop: Shop) -> None:
    bought(shop)
    stop = without(STOP, "quantity") | {"closePosition": "true"}
    assert shop.call("POST", "/fapi/v1/algoOrder", **stop).status == 200
    second = shop.call("POST", "/fapi/v1/algoOrder", **(stop | {"triggerPrice": "58000"}))
    assert second.refusal == (
        400,
        -4130,
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    )


def test_small_orders_need_a_minimum_notional(shop: Shop) -> None:
    reply = shop.call("POST", "/fapi/v1/order", **(LIMIT | {"quantity": "0.001", "price": "58000"}))
    row = next(row for row in shop.get("/fapi/v1/exchangeInfo").json["symbols"] if row["symbol"] == "BTCUSDT")
    notional = next(item["notional"] for item in row["filters"] if item["filterType"] == "MIN_NOTIONAL")
    if float(notional) > 58:
        assert reply.refusal == (
            400,
            -4164,
            f"Order's notional must be no smaller than {notional} (unless you choose reduce only).",
        )
    else:
        assert reply.status == 200


def amended(shop: Shop, order: Any, **more: object) -> Reply:
    base: dict[str, object] = {"symbol": "BTCUSDT", "orderId": order["orderId"], "side": "BUY"}
    return shop.call("PUT", "/fapi/v1/order", **(base | {"quantity": "0.01", "price": "59000"} | more))


def test_amending_is_refused_for_its_own_reasons(shop: Shop) -> None:
    order = placed(shop)
    assert amended(shop, order).refusal == (400, -5027, "No need to modify the order.")
    assert amended(shop, {"orderId": 99}, price="58000").refusal[1] == -2013
    assert amended(shop, order, price="58000.05").refusal[1] == -4014
    assert shop.call("GET", "/fapi/v1/openOrders").json[0]["price"] == "59000.00"


SETTINGS: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("leverage", {"symbol": "BTCUSDT", "leverage": 0}, -4028, "Leverage 0 is not valid"),
    ("leverage", {"symbol": "BTCUSDT", "leverage": 1000}, -4028, "Leverage 1000 is not valid"),
    ("leverage", {"symbol": "NOSUCH", "leverage": 5}, -1121, "Invalid symbol."),
    ("leverage", {"symbol": "BTCUSDT"}, -1102, MISSING % "leverage"),
    ("marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}, -4046, "No need to change margin type."),
    (
        "marginType",
        {"symbol": "BTCUSDT", "marginType": "HALF"},
        -1130,
        "Data sent for parameter 'marginType' is not valid.",
    ),
    ("positionSide/dual", {"dualSidePosition": "false"}, -4059, "No need to change position side."),
    ("positionSide/dual", {}, -1102, MISSING % "dualsideposition"),
    (
        "multiAssetsMargin",
        {"multiAssetsMargin": "false"},
        -4171,
        "Adjusted asset mode is currently set and does not need to be adjusted repeatedly",
    ),
    ("countdownCancelAll", {"symbol": "BTCUSDT"}, -1102, MISSING % "countdowntime"),
]


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: f"{row[0]}{row[2]}")
def test_a_wrong_setting_is_refused(shop: Shop, row: tuple[str, dict[str, Any], int, str | None]) -> None:
    path, params, code, message = row
    assert shop.call("POST", f"/fapi/v1/{path}", **params).refusal == (400, code, message)


def test_modes_do_not_change_under_orders_or_positions(shop: Shop) -> None:
    placed(shop)
    assert shop.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true").refusal == (
        400,
        -4067,
        "Position side cannot be changed if there exists open orders.",
    )
    margin = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    assert shop.call("POST", "/fapi/v1/marginType", **margin).refusal[1] == -4047
    shop.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    bought(shop)
    assert shop.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true").refusal[1] == -4068
    assert shop.call("POST", "/fapi/v1/marginType", **margin).refusal[1] == -4048


PUBLIC: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("depth", {}, -1102, MISSING % "symbol"),
    ("depth", {"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
    ("depth", {"symbol": "BTCUSDT", "limit": 3}, -4021, "3 is not valid depth limit"),
    ("depth", {"symbol": "BTCUSDT", "limit": 1500}, -1130, "Data sent for parameter 'limit' is not valid."),
    ("trades", {"symbol": "BTCUSDT", "limit": 1001}, -1130, "Data sent for parameter 'limit' is not valid."),
    (
        "aggTrades",
        {"symbol": "BTCUSDT", "limit": 1001},
        -1130,
        "Data sent for parameter 'limit' is not valid.",
    ),
    (
        "aggTrades",
        {"symbol": "BTCUSDT", "startTime": 1, "endTime": 3_600_002},
        -1127,
        "More than 1 hours between startTime and endTime.",
    ),
    ("klines", {"symbol": "BTCUSDT", "interval": "1s"}, -1120, "Invalid interval."),
    ("klines", {"symbol": "BTCUSDT"}, -1102, MISSING % "interval"),
    ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 2000}, -1130, None),
    ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": 2, "endTime": 1}, -1023, None),
    ("premiumIndex", {"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
    (
        "continuousKlines",
        {"pair": "NO", "contractType": "PERPETUAL", "interval": "1m"},
        -4144,
        "Invalid pair",
    ),
    (
        "klines",
        {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"},
        -1100,
        "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
    ),
    ("openInterest", {"symbol": ""}, -1102, MISSING % "symbol"),
]


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: f"{row[0]}{row[2]}")
def test_a_wrong_public_call_is_refused(shop: Shop, row: tuple[str, dict[str, Any], int, str | None]) -> None:
    path, params, code, message = row
    reply = shop.get(f"/fapi/v1/{path}", **params)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert message is None or reply.json["msg"] == message


QUERIES: list[tuple[str, dict[str, Any], int]] = [
    ("allOrders", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 8 * 86_400_000}, -4165),
    ("userTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
    ("userTrades", {"symbol": "BTCUSDT", "limit": 0}, -1130),
    ("forceOrders", {"autoCloseType": "OTHER"}, -1130),
    ("openAlgoOrders", {"algoType": "VP"}, -1130),
    ("allAlgoOrders", {}, -1102),
    ("commissionRate", {"symbol": "NOSUCH"}, -1121),
    ("income", {"limit": 1001}, -1130),
    ("orderAmendment", {"symbol": "BTCUSDT", "orderId": 5}, -2013),
]


@pytest.mark.parametrize("row", QUERIES, ids=lambda row: f"{row[0]}{row[2]}")
def test_a_wrong_query_is_refused(shop: Shop, row: tuple[str, dict[str, Any], int]) -> None:
    path, params, code = row
    reply = shop.call("GET", f"/fapi/v1/{path}", **params)
    assert (reply.status, reply.json["code"]) == (400, code)


def test_batches_are_counted_and_each_refusal_is_its_own_row(shop: Shop) -> None:
    def batch(method: str, items: object, **more: object) -> Reply:
        text = orjson.dumps(items).decode()
        return shop.call(method, "/fapi/v1/batchOrders", batchOrders=text, **more)

    assert batch("POST", [LIMIT] * 6).refusal == (400, -4082, "Invalid number of batch place orders: 6")
    assert batch("POST", []).refusal == (400, -4082, "Invalid number of batch place orders: 0")
    assert batch("POST", {"a": 1}).refusal == (
        400,
        -1130,
        "Data sent for parameter 'batchOrders' is not valid.",
    )
    rows = batch("POST", [LIMIT, MARKET | {"reduceOnly": True}]).json
    assert rows[0]["status"] == "NEW"
    assert rows[1] == {"code": -2022, "msg": "ReduceOnly Order is rejected."}
    ids = orjson.dumps([rows[0]["orderId"], 12345]).decode()
    gone = shop.call("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderidlist=ids).json
    assert gone[0]["status"] == "CANCELED"
    assert gone[1] == {"code": -2011, "msg": "Unknown order sent."}
    many = orjson.dumps(list(range(1, 12))).decode()
    over = shop.call("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=many)
    assert over.refusal == (400, -4032, "Exceed maximum cancel order size.")


Spoil = Callable[[Shop], Reply]
DOORS: list[tuple[str, Spoil, tuple[int, int, str]]] = [
    (
        "no key",
        lambda shop: shop.raw("GET", "/fapi/v3/account", shop.sign({}), headers={}),
        (401, -2014, "API-key format invalid."),
    ),
    (
        "unknown key",
        lambda shop: shop.raw("GET", "/fapi/v3/account", shop.sign({}), headers={"x-mbx-apikey": "Z" * 64}),
        (401, -2015, "Invalid API-key, IP, or permissions for action."),
    ),
    (
        "no key for history",
        lambda shop: shop.raw("GET", "/fapi/v1/historicalTrades", "symbol=BTCUSDT", headers={}),
        (401, -2014, "API-key format invalid."),
    ),
    ("no timestamp", lambda shop: shop.raw("GET", "/fapi/v3/account"), (400, -1102, MISSING % "timestamp")),
    (
        "no signature",
        lambda shop: shop.raw("GET", "/fapi/v3/account", f"timestamp={shop.now_ms}"),
        (400, -1102, MISSING % "signature"),
    ),
    (
        "bad signature",
        lambda shop: shop.raw("GET", "/fapi/v3/account", f"timestamp={shop.now_ms}&signature=ab"),
        (400, -1022, "Signature for this request is not valid."),
    ),
    (
        "late",
        lambda shop: shop.call("GET", "/fapi/v3/account", timestamp=shop.now_ms - 5001),
        (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    ),
    (
        "early",
        lambda shop: shop.call("GET", "/fapi/v3/account", timestamp=shop.now_ms + 1000),
        (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time."),
    ),
    (
        "key before parameters",
        lambda shop: shop.raw("POST", "/fapi/v1/order", headers={}),
        (401, -2014, "API-key format invalid."),
    ),
    (
        "parameters before the clock",
        lambda shop: shop.raw("POST", "/fapi/v1/order", body="timestamp=1&signature=x"),
        (400, -1102, MISSING % "symbol"),
    ),
    (
        "the clock before the signature",
        lambda shop: shop.raw("GET", "/fapi/v3/account", "timestamp=1&signature=x"),
        (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    ),
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door[0])
def test_the_door_checks_in_the_venues_order(
    shop: Shop, door: tuple[str, Spoil, tuple[int, int, str]]
) -> None:
    assert door[1](shop).refusal == door[2]


def test_the_matching_engine_has_its_own_clock(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, engine_delay_ms="3000")
    reply = shop.call("POST", "/fapi/v1/order", **LIMIT, timestamp=shop.now_ms - 4000)
    assert reply.refusal == (400, -5028, "Timestamp for this request is outside of the ME recvWindow.")


def test_weight_and_orders_are_limited_and_told_in_headers(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, weight_1m="12", orders_10s="2", ignored_429_max="1")
    first = shop.call("POST", "/fapi/v1/order", **LIMIT)
    assert first.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert first.headers["X-MBX-ORDER-COUNT-1M"] == "1"
    assert first.headers["X-MBX-USED-WEIGHT-1M"] == "0"
    shop.call("POST", "/fapi/v1/order", **LIMIT)
    third = shop.call("POST", "/fapi/v1/order", **LIMIT)
    assert third.refusal == (429, -1015, "Too many new orders; current limit is 2 orders per TEN_SECONDS.")
    assert shop.get("/fapi/v1/depth", symbol="BTCUSDT", limit=500).headers["X-MBX-USED-WEIGHT-1M"] == "10"
    over = shop.get("/fapi/v1/depth", symbol="BTCUSDT", limit=500)
    assert (over.status, over.json["code"]) == (429, -1003)
    assert int(over.headers["Retry-After"]) > 0
    banned = shop.get("/fapi/v1/ping")
    assert (banned.status, banned.json["code"]) == (418, -1003)
    assert banned.json["msg"].startswith("Way too many requests; IP banned until ")
    assert shop.get("/fapi/v1/ping").status == 418


def leverage(shop: Shop, value: int) -> Reply:
    return shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=value)


def many(count: int, act: Callable[[], Reply]) -> Reply:
    return [act() for _ in range(count)][-1]


def algo(shop: Shop, **more: object) -> Reply:
    return shop.call("POST", "/fapi/v1/algoOrder", **(STOP | more))


def too_large(shop: Shop) -> Reply:
    leverage(shop, 125)
    return shop.call("POST", "/fapi/v1/order", **(LIMIT | {"quantity": "100"}))


def too_little_leverage(shop: Shop) -> Reply:
    leverage(shop, 100)
    bought(shop, quantity="4")
    return leverage(shop, 1)


def hedged(shop: Shop, **more: object) -> Reply:
    answer = shop.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    assert answer.json == {"code": 200, "msg": "success"}
    return shop.call("POST", "/fapi/v1/order", **(MARKET | more))


CLOSING = without(STOP, "quantity") | {"closePosition": "true"}
TRAILING = without(STOP, "triggerPrice") | {"type": "TRAILING_STOP_MARKET"}
STORIES: list[tuple[str, Spoil, tuple[int, str]]] = [
    (
        "200 conditional orders",
        lambda shop: many(201, lambda: algo(shop)),
        (-4045, "Reach max stop order limit."),
    ),
    (
        "the symbol's open orders",
        lambda shop: many(201, lambda: shop.call("POST", "/fapi/v1/order", **LIMIT)),
        (-2025, "Reach max open order limit."),
    ),
    (
        "position too large for the leverage",
        too_large,
        (-2027, "Exceeded the maximum allowable position at current leverage."),
    ),
    (
        "leverage too small for the margin",
        too_little_leverage,
        (-2028, "Leverage is smaller than permitted: insufficient margin balance."),
    ),
    (
        "amending into reduce-only",
        lambda shop: amended(shop, placed(shop), quantity="0.02", reduceOnly="true"),
        (-5047, "The original order is not a reduce-only order."),
    ),
    (
        "amending an unnamed order",
        lambda shop: shop.call("PUT", "/fapi/v1/order", **without(LIMIT, "type", "timeInForce")),
        (-1102, MISSING % "orderid"),
    ),
    (
        "closing with a limit",
        lambda shop: shop.call(
            "POST", "/fapi/v1/algoOrder", **(CLOSING | {"type": "STOP", "price": "58000"})
        ),
        (-4136, "Target strategy invalid for orderType STOP, closePosition true"),
    ),
    (
        "callback too wide",
        lambda shop: shop.call("POST", "/fapi/v1/algoOrder", **TRAILING, callbackRate="20"),
        (-1130, "Data sent for parameter 'callbackRate' is not valid."),
    ),
    (
        "no callback",
        lambda shop: shop.call("POST", "/fapi/v1/algoOrder", **TRAILING),
        (-1102, MISSING % "callbackrate"),
    ),
    (
        "activated at once",
        lambda shop: shop.call(
            "POST", "/fapi/v1/algoOrder", **TRAILING, callbackRate="1", activatePrice="59000"
        ),
        (-2021, "Order would immediately trigger."),
    ),
    (
        "hedge mode without a side",
        hedged,
        (-4061, "Order's position side does not match user's setting."),
    ),
    (
        "hedge mode with reduce-only",
        lambda shop: hedged(shop, positionSide="LONG", reduceOnly="false"),
        (-1106, NOT_REQUIRED % "reduceonly"),
    ),
    (
        "hedge mode reducing nothing",
        lambda shop: hedged(shop, positionSide="LONG", side="SELL"),
        (-2022, "ReduceOnly Order is rejected."),
    ),
    (
        "closing and reducing",
        lambda shop: shop.call("POST", "/fapi/v1/algoOrder", **CLOSING, reduceOnly="true"),
        (-1106, NOT_REQUIRED % "reduceonly"),
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0])
def test_a_state_of_things_earns_its_own_refusal(
    tmp_path: Path, story: tuple[str, Spoil, tuple[int, str]]
) -> None:
    shop = open_shop(tmp_path, options={"limits": False}, deposit="100000")
    code, message = story[2]
    assert story[1](shop).refusal == (400, code, message)


def test_every_code_of_the_table_is_provoked_here_or_named_on_the_page_as_out_of_reach() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "paper-exchange.md").read_text(encoding="utf-8")
    section = page.partition("## Codes nothing here provokes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| -")]
    named = {int(code) for row in rows for code in re.findall(r"-\d{4}", row)}
    tests = "".join(file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob("*.py")))
    provoked = {code for code in TABLE if re.search(rf"{code}\b", tests)}
    assert named & provoked == set()
    assert set(TABLE) - provoked == named
