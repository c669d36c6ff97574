"""What a venue meets at its edges: absurd numbers, odd bytes, defaults of batches, rules seldom reached."""

import hashlib
import hmac
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.server import origin_form
from skalp_bot.paper.streams import Route, door
from skalp_bot.paper.symbols import packaged_content
from skalp_bot.paper.wsapi import WsApi
from tests.wire_kit import QUIET, START_MS, Reply, Shop, open_shop

LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
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
    "type": "STOP",
    "quantity": "0.01",
    "triggerPrice": "59000",
    "price": "58900",
}
ENDLESS = "1" * 5000  # more digits than Python turns into a number
MISSING = "Mandatory parameter '%s' was not sent, was empty/null, or malformed."
INTEGERS = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, deposit="100000")


def order(shop: Shop, **more: object) -> Reply:
    return shop.call("POST", "/fapi/v1/order", **(LIMIT | more))


@pytest.mark.parametrize(
    "call",
    [
        ("/fapi/v1/depth", {"symbol": "BTCUSDT"}),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m"}),
        ("/fapi/v1/markPriceKlines", {"symbol": "BTCUSDT", "interval": "1m"}),
        ("/fapi/v1/trades", {"symbol": "BTCUSDT"}),
    ],
    ids=lambda call: call[0].rpartition("/")[2],
)
def test_a_limit_of_thousands_of_digits_is_refused_like_any_other(
    shop: Shop, call: tuple[str, dict[str, Any]]
) -> None:
    path, params = call
    assert shop.get(path, **params, limit=ENDLESS).refusal == (400, -1100, INTEGERS)


def test_a_limit_of_thousands_of_digits_does_not_end_a_websocket_api_connection(shop: Shop) -> None:
    api = WsApi.open(shop.exchange, "127.0.0.1", {}, shop.now_ms)
    request = {"id": 1, "method": "depth", "params": {"symbol": "BTCUSDT", "limit": ENDLESS}}
    answer = orjson.loads(api.answer(orjson.dumps(request).decode(), shop.now_ms))
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (1, 400, -1100)


def test_a_timestamp_of_thousands_of_digits_is_malformed(shop: Shop) -> None:
    reply = shop.call("GET", "/fapi/v3/balance", timestamp=ENDLESS)
    assert reply.refusal == (400, -1102, MISSING % "timestamp")


def test_bytes_that_are_no_text_are_refused_in_text(shop: Shop) -> None:
    head = f"algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP&timestamp={shop.now_ms}&workingType="
    sent = head.encode() + b"\xff"
    signature = hmac.new(shop.identity.api_secret.encode(), sent, hashlib.sha256).hexdigest()
    body = sent.decode("utf-8", "surrogateescape") + f"&signature={signature}"
    reply = shop.raw("POST", "/fapi/v1/algoOrder", body=body)
    assert reply.refusal == (400, -4031, "Invalid parameter working type: ?")


def test_self_trade_prevention_is_off_in_batches_unless_asked_for_and_on_in_single_orders(
    shop: Shop,
) -> None:
    items = [LIMIT, LIMIT | {"selfTradePreventionMode": "EXPIRE_TAKER"}]
    batch = shop.call("POST", "/fapi/v1/batchOrders", batchOrders=orjson.dumps(items).decode()).json
    modes = [row["selfTradePreventionMode"] for row in batch]
    assert [*modes, order(shop).json["selfTradePreventionMode"]] == ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER"]


def test_a_good_till_date_is_kept_to_the_second(shop: Shop) -> None:
    wanted = START_MS + 700_123
    limit = order(shop, timeInForce="GTD", goodTillDate=wanted).json
    stop = shop.call("POST", "/fapi/v1/algoOrder", **STOP, timeInForce="GTD", goodTillDate=wanted).json
    assert (limit["goodTillDate"], stop["goodTillDate"]) == (START_MS + 700_000, START_MS + 700_000)
    shop.play(700_000 - (shop.now_ms - START_MS) - 10, pace_ms=1000)
    assert len(shop.call("GET", "/fapi/v1/openOrders").json) == 1
    shop.play(20)
    assert shop.call("GET", "/fapi/v1/openOrders").json == []
    assert shop.call("GET", "/fapi/v1/openAlgoOrders").json == []


def test_a_conditional_order_is_no_retail_price_improvement(shop: Shop) -> None:
    reply = shop.call("POST", "/fapi/v1/algoOrder", **STOP, timeInForce="RPI")
    assert reply.refusal == (400, -1115, "Invalid timeInForce.")


@pytest.mark.parametrize(("deposit", "carried"), [("400", False), ("4000", True)])
def test_reduce_only_fails_where_it_could_flip_with_other_orders_into_what_margin_does_not_carry(
    tmp_path: Path, deposit: str, *, carried: bool
) -> None:
    shop = open_shop(tmp_path, deposit=deposit)
    bought = shop.order(side="BUY", type="MARKET", quantity="0.1", newOrderRespType="RESULT")
    assert bought.json["status"] == "FILLED"
    exit_first = order(shop, side="SELL", quantity="0.1", price="60300", reduceOnly="true")
    assert exit_first.status == 200  # alone it can only reduce
    assert order(shop, side="SELL", quantity="0.19", price="60100").status == 200
    reply = order(shop, side="SELL", quantity="0.1", price="60200", reduceOnly="true")
    if carried:
        assert reply.status == 200
    else:
        said = "ReduceOnly Order Failed. Please check your existing position and open orders"
        assert reply.refusal == (400, -4118, said)


@pytest.mark.parametrize(
    "url",
    ["/ws/btcusdt%40bookTicker/%21miniTicker%40arr", "/ws/btcusdt@bookTicker/!miniTicker@arr"],
)
def test_stream_names_may_be_escaped_in_the_path(url: str) -> None:
    asked = door(url, iter(()))
    assert asked is not None
    assert (asked.route, asked.streams) == (Route.NONE, ("btcusdt@bookTicker", "!miniTicker@arr"))


POSITION_MARGIN: list[tuple[dict[str, Any], int, str]] = [
    ({"amount": "1", "type": "1"}, -4049, "Add margin only support for isolated position."),
    ({"amount": "0", "type": "1"}, -4055, "Amount must be positive."),
    ({"amount": "1", "type": "3"}, -1130, "Data sent for parameter 'type' is not valid."),
    ({"type": "1"}, -1102, MISSING % "amount"),
]


@pytest.mark.parametrize("row", POSITION_MARGIN, ids=lambda row: str(row[1]))
def test_margin_is_added_to_isolated_positions_only(shop: Shop, row: tuple[dict[str, Any], int, str]) -> None:
    reply = shop.call("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", **row[0])
    assert reply.refusal == (400, row[1], row[2])
    assert shop.call("GET", "/fapi/v1/positionMargin/history", symbol="BTCUSDT").json == []


def test_margin_is_not_added_to_nothing(shop: Shop) -> None:
    shop.call("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    reply = shop.call("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="1", type="1")
    assert reply.refusal == (400, -4054, "Cannot add position margin: position is 0.")


def test_the_venues_uncertain_answers_are_switches(tmp_path: Path) -> None:
    usual = open_shop(tmp_path)
    other = open_shop(
        tmp_path,
        klines_limit_max="1000",
        new_order_fills="off",
        bracket_object="on",
        test_conditional="on",
        retry_after="off",
        weight_1m="40",
    )
    candles = {"symbol": "BTCUSDT", "interval": "1m", "limit": 1500}
    assert usual.get("/fapi/v1/klines", **candles).status == 200
    assert other.get("/fapi/v1/klines", **candles).refusal[1] == -1130
    assert {"avgPrice", "cumQuote"} - order(usual).json.keys() == set()
    assert {"avgPrice", "cumQuote"} & order(other).json.keys() == set()
    brackets = [
        shop.call("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT").json for shop in (usual, other)
    ]
    assert brackets[0] == [brackets[1]]
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "59000", "quantity": "1"}
    assert usual.call("POST", "/fapi/v1/order/test", **stop).refusal[1] == -4120
    assert other.call("POST", "/fapi/v1/order/test", **stop).json == {}
    refused = [other.get("/fapi/v1/exchangeInfo") for _ in range(40)][-1]
    assert (refused.status, "Retry-After" in refused.headers) == (429, False)


@pytest.mark.parametrize(("first", "place"), [("off", 2), ("on", 1)])
def test_what_comes_first_of_a_fill_is_a_switch(tmp_path: Path, first: str, place: int) -> None:
    shop = open_shop(tmp_path, order_update_first=first)
    ear = shop.user()
    shop.order(side="BUY", type="MARKET", quantity="0.1")
    told = ear.events()[1:4]
    assert (told[0], told[place]) == ("TRADE_LITE", "ORDER_TRADE_UPDATE")


@pytest.mark.parametrize(("premium", "status"), [("0.0005", 200), ("0.5", 400)])
def test_what_a_market_order_is_charged_beyond_the_touch_is_a_switch(
    tmp_path: Path, premium: str, status: int
) -> None:
    shop = open_shop(tmp_path, deposit="320", market_premium=premium)
    assert shop.order(side="BUY", type="MARKET", quantity="0.1").status == status


@pytest.mark.parametrize(
    ("target", "read"),
    [
        ("/fapi/v1/ping?x=http://y", "/fapi/v1/ping?x=http://y"),
        ("http://127.0.0.1:8080/fapi/v1/ping?a=1", "/fapi/v1/ping?a=1"),
        ("https://host", "/"),
        ("*", "*"),
    ],
)
def test_a_request_may_name_the_whole_address(target: str, read: str) -> None:
    assert origin_form(target) == read


def test_a_contract_with_a_delivery_date_pays_no_funding_and_says_so(tmp_path: Path) -> None:
    row = deepcopy(packaged_content()["exchangeInfo"]["symbols"][0])
    later = row | {"symbol": "BTCUSDT_260925", "contractType": "CURRENT_QUARTER"}
    info = tmp_path / "info.json"
    info.write_bytes(orjson.dumps({"symbols": [later, row]}))
    script = QUIET.replace("  ETHUSDT", "  BTCUSDT_260925").replace(
        "price: 2000, spread: 0.01", "price: 61000, spread: 0.1"
    )
    shop = open_shop(tmp_path, script, deposit="100000", exchange_info=str(info))
    _, ear = shop.listen(Route.NONE, "btcusdt_260925@markPrice@1s", "btcusdt@markPrice@1s")
    assert shop.order(symbol="BTCUSDT_260925", side="BUY", type="MARKET", quantity="0.1").status == 200
    shop.play(2000, pace_ms=100)
    marks = {frame["s"]: frame for frame in ear.heard()}
    assert (marks["BTCUSDT_260925"]["r"], marks["BTCUSDT_260925"]["T"]) == ("", 0)
    assert (marks["BTCUSDT"]["r"], marks["BTCUSDT"]["T"] > shop.now_ms) == ("0.00010000", True)
    premium = shop.get("/fapi/v1/premiumIndex", symbol="BTCUSDT_260925").json
    told = {premium["lastFundingRate"], premium["interestRate"], premium["nextFundingTime"]}
    assert told == {"", 0}
    assert [row["symbol"] for row in shop.get("/fapi/v1/fundingInfo").json] == ["BTCUSDT"]
    shop.play(8 * 3_600_000, pace_ms=60_000)
    assert shop.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE").json == []
    perpetual = shop.get("/fapi/v1/continuousKlines", pair="BTCUSDT", contractType="PERPETUAL", interval="1m")
    assert perpetual.json == shop.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m").json
