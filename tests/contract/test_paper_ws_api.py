"""The WebSocket API of the paper exchange: envelopes, signatures, sessions, rate-limit blocks."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from skalp_bot.paper.wsapi import WsApi
from tests.wire_kit import Shop, open_shop

LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def connect(shop: Shop, **query: str) -> WsApi:
    return WsApi.open(shop.exchange, "127.0.0.1", query, shop.now_ms)


def ask(shop: Shop, api: WsApi, method: str, *, signed: bool = True, **params: Any) -> Any:
    values = dict(params)
    if signed:
        values = {"apiKey": shop.identity.api_key, "timestamp": shop.now_ms} | values
        text = "&".join(f"{name}={json_word(values[name])}" for name in sorted(values))
        secret = shop.identity.api_secret.encode()
        values["signature"] = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    request = {"id": "a-1", "method": method, "params": values}
    return orjson.loads(api.answer(orjson.dumps(request).decode(), shop.now_ms))


def json_word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_a_public_answer_carries_id_status_result_and_limits(shop: Shop) -> None:
    answer = ask(shop, connect(shop), "ticker.price", signed=False, symbol="BTCUSDT")
    assert list(answer) == ["id", "status", "result", "rateLimits"]
    assert (answer["id"], answer["status"], answer["result"]["symbol"]) == ("a-1", 200, "BTCUSDT")
    assert answer["rateLimits"] == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 6}
    ]


def test_orders_are_placed_changed_queried_and_cancelled(shop: Shop) -> None:
    api = connect(shop)
    placed = ask(shop, api, "order.place", **LIMIT)
    assert placed["status"] == 200
    assert [(row["rateLimitType"], row["interval"], row["count"]) for row in placed["rateLimits"]] == [
        ("ORDERS", "SECOND", 1),
        ("ORDERS", "MINUTE", 1),
        ("REQUEST_WEIGHT", "MINUTE", 5),
    ]
    named = {"symbol": "BTCUSDT", "orderId": placed["result"]["orderId"]}
    assert ask(shop, api, "order.status", **named)["result"]["status"] == "NEW"
    changed = ask(shop, api, "order.modify", **named, side="BUY", quantity="0.02", price="59000")
    assert changed["result"]["origQty"] == "0.020"
    assert changed["rateLimits"][-1]["count"] == 6  # the query cost one, the change none
    assert ask(shop, api, "order.cancel", **named)["result"]["status"] == "CANCELED"
    gone = ask(shop, api, "order.cancel", **named)
    assert (gone["status"], gone["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


def test_conditional_orders_are_placed_and_cancelled_in_full(shop: Shop) -> None:
    api = connect(shop)
    placed = ask(
        shop,
        api,
        "algoOrder.place",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        triggerPrice="59000",
        quantity="0.01",
    )
    assert placed["result"]["algoStatus"] == "NEW"
    gone = ask(shop, api, "algoOrder.cancel", algoId=placed["result"]["algoId"])
    assert gone["result"]["algoStatus"] == "CANCELED"
    assert (gone["result"]["code"], gone["result"]["msg"]) == ("200", "success")


@pytest.mark.parametrize(
    "method",
    [
        "account.status",
        "v2/account.status",
        "account.balance",
        "v2/account.balance",
        "account.position",
        "v2/account.position",
    ],
)
def test_account_methods_answer(shop: Shop, method: str) -> None:
    assert ask(shop, connect(shop), method)["status"] == 200


def test_the_user_stream_is_started_kept_and_stopped(shop: Shop) -> None:
    api, key = connect(shop), {"apiKey": shop.identity.api_key}
    started = ask(shop, api, "userDataStream.start", signed=False, **key)
    assert len(started["result"]["listenKey"]) == 64
    assert ask(shop, api, "userDataStream.ping", signed=False, **key)["result"] == started["result"]
    assert ask(shop, api, "userDataStream.stop", signed=False, **key)["result"] == {}
    assert ask(shop, api, "userDataStream.ping", signed=False, **key)["error"]["code"] == -1125


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"apiKey": "Z" * 64}, 401, -2015),
        ({"apiKey": "short"}, 401, -2014),
        ({"timestamp": 1}, 400, -1021),
        ({"signature": "00"}, 400, -1022),
        ({"symbol": "NOSUCH"}, 400, -1121),
    ],
)
def test_refusals_come_in_the_envelope(shop: Shop, change: dict[str, Any], status: int, code: int) -> None:
    api = connect(shop)
    if "signature" in change:
        values = {**LIMIT, "apiKey": shop.identity.api_key, "timestamp": shop.now_ms} | change
        answer = ask(shop, api, "order.place", signed=False, **values)
    else:
        answer = ask(shop, api, "order.place", **(LIMIT | change))
    assert (answer["status"], answer["error"]["code"]) == (status, code)


def test_a_refused_order_tells_its_counts_too(shop: Shop) -> None:
    answer = ask(shop, connect(shop), "order.place", **(LIMIT | {"quantity": "900"}))
    assert answer["error"] == {"code": -2019, "msg": "Margin is insufficient."}
    assert [(row["rateLimitType"], row["interval"], row["count"]) for row in answer["rateLimits"]] == [
        ("ORDERS", "SECOND", 1),
        ("ORDERS", "MINUTE", 1),
        ("REQUEST_WEIGHT", "MINUTE", 5),
    ]


def test_a_method_may_be_named_with_its_version(shop: Shop) -> None:
    answer = ask(shop, connect(shop), "v1/ticker.price", signed=False, symbol="BTCUSDT")
    assert answer["result"]["symbol"] == "BTCUSDT"


METHOD_WEIGHTS: list[tuple[str, dict[str, Any], int]] = [
    ("depth", {"symbol": "BTCUSDT", "limit": 5}, 2),
    ("depth", {"symbol": "BTCUSDT", "limit": 1000}, 20),
    ("ticker.price", {"symbol": "BTCUSDT"}, 1),
    ("ticker.price", {}, 2),
    ("ticker.book", {"symbol": "BTCUSDT"}, 2),
    ("ticker.book", {}, 5),
    ("order.place", LIMIT, 0),
    ("account.status", {}, 5),
    ("v2/account.balance", {}, 5),
    ("v2/account.position", {}, 5),
    ("userDataStream.start", {}, 1),
    ("session.status", {}, 2),
]


@pytest.mark.parametrize("row", METHOD_WEIGHTS, ids=lambda row: f"{row[0]}-{row[2]}")
def test_a_method_costs_its_weight(shop: Shop, row: tuple[str, dict[str, Any], int]) -> None:
    method, params, weight = row
    answer = ask(shop, connect(shop), method, **params)
    assert answer["status"] == 200, answer
    assert answer["rateLimits"][-1]["count"] == 5 + weight


def test_limits_are_left_out_on_request(shop: Shop) -> None:
    assert "rateLimits" not in ask(
        shop, connect(shop, returnRateLimits="false"), "ticker.price", signed=False
    )


def test_nonsense_is_answered_not_dropped(shop: Shop) -> None:
    api = connect(shop)
    for text in ("{", "[]", '{"id":1}', '{"id":1,"method":"dance"}', '{"id":1,"method":"depth","params":3}'):
        answer = orjson.loads(api.answer(text, shop.now_ms))
        assert answer["status"] == 400
        assert answer["error"]["code"] in (-1135, -1000)


def test_a_session_is_logged_on_with_an_ed25519_key_and_signs_no_more(tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / "key.pem"
    file.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    name = "E" * 64
    shop = open_shop(tmp_path, public_keys=f"{name}:{file}")
    api = connect(shop)
    assert ask(shop, api, "session.status", signed=False)["result"]["apiKey"] is None
    text = f"apiKey={name}&timestamp={shop.now_ms}"
    proof = base64.b64encode(private.sign(text.encode())).decode()
    logon = {"apiKey": name, "timestamp": shop.now_ms, "signature": proof}
    assert ask(shop, api, "session.logon", signed=False, **logon)["result"]["apiKey"] == name
    placed = ask(shop, api, "order.place", signed=False, **LIMIT, timestamp=shop.now_ms)
    assert placed["status"] == 200, placed
    ask(shop, api, "session.logout", signed=False)
    refused = ask(shop, api, "order.place", signed=False, **LIMIT, timestamp=shop.now_ms)
    assert refused["error"]["code"] == -2014


def test_a_session_needs_an_ed25519_key(shop: Shop) -> None:
    answer = ask(shop, connect(shop), "session.logon")
    assert answer["status"] == 400
    assert "Ed25519" in answer["error"]["msg"]
