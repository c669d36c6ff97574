"""What every call costs: IP weight and order counts, as the venue's tables say."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.wsapi import WsApi
from tests.wire_kit import Shop, open_shop

BTC: dict[str, Any] = {"symbol": "BTCUSDT"}
LIMIT = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "59000"}
STOP = BTC | {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
PUBLIC: list[tuple[str, dict[str, Any], int]] = [
    ("ping", {}, 1),
    ("time", {}, 1),
    ("exchangeInfo", {}, 1),
    *(("depth", BTC | {"limit": limit}, 2) for limit in (5, 10, 20, 50)),
    ("depth", BTC | {"limit": 100}, 5),
    ("depth", BTC, 10),
    ("depth", BTC | {"limit": 1000}, 20),
    ("trades", BTC, 5),
    ("historicalTrades", BTC, 200),
    ("aggTrades", BTC, 20),
    *(("klines", BTC | {"interval": "1m", "limit": limit}, weight) for limit, weight in ((99, 1), (100, 2))),
    ("klines", BTC | {"interval": "1m"}, 5),
    *(
        ("klines", BTC | {"interval": "1m", "limit": limit}, weight)
        for limit, weight in ((1000, 5), (1001, 10))
    ),
    ("premiumIndex", BTC, 1),
    ("premiumIndex", {}, 10),
    ("fundingRate", BTC, 0),
    ("fundingInfo", {}, 0),
    ("ticker/24hr", BTC, 1),
    ("ticker/24hr", {}, 40),
    ("ticker/price", BTC, 1),
    ("ticker/price", {}, 2),
    ("ticker/bookTicker", BTC, 2),
    ("ticker/bookTicker", {}, 5),
    ("openInterest", BTC, 1),
]
SIGNED: list[tuple[str, str, dict[str, Any], int, tuple[int, int]]] = [
    ("POST", "v1/order", LIMIT, 0, (1, 1)),
    ("POST", "v1/algoOrder", STOP | {"triggerPrice": "59000"}, 0, (1, 1)),
    ("POST", "v1/batchOrders", {"batchOrders": orjson.dumps([LIMIT]).decode()}, 5, (5, 1)),
    ("POST", "v1/countdownCancelAll", BTC | {"countdownTime": 0}, 10, (0, 0)),
    ("DELETE", "v1/allOpenOrders", BTC, 1, (0, 0)),
    ("DELETE", "v1/algoOpenOrders", BTC, 1, (0, 0)),
    ("GET", "v1/openOrders", BTC, 1, (0, 0)),
    ("GET", "v1/openOrders", {}, 40, (0, 0)),
    ("GET", "v1/openAlgoOrders", BTC, 1, (0, 0)),
    ("GET", "v1/openAlgoOrders", {}, 40, (0, 0)),
    ("GET", "v1/allOrders", BTC, 5, (0, 0)),
    ("GET", "v1/allAlgoOrders", BTC, 5, (0, 0)),
    ("GET", "v1/userTrades", BTC, 5, (0, 0)),
    ("GET", "v1/forceOrders", BTC, 20, (0, 0)),
    ("GET", "v1/forceOrders", {}, 50, (0, 0)),
    ("GET", "v1/orderAmendment", BTC, 1, (0, 0)),
    *(("GET", f"v{version}/{name}", {}, 5, (0, 0)) for version in (2, 3) for name in ("account", "balance")),
    *(("GET", f"v{version}/positionRisk", {}, 5, (0, 0)) for version in (2, 3)),
    ("POST", "v1/leverage", BTC | {"leverage": 5}, 1, (0, 0)),
    ("GET", "v1/positionSide/dual", {}, 30, (0, 0)),
    ("GET", "v1/multiAssetsMargin", {}, 30, (0, 0)),
    ("GET", "v1/feeBurn", {}, 30, (0, 0)),
    ("GET", "v1/income", {}, 30, (0, 0)),
    ("GET", "v1/leverageBracket", {}, 1, (0, 0)),
    ("GET", "v1/commissionRate", BTC, 20, (0, 0)),
    ("GET", "v1/apiTradingStatus", {}, 10, (0, 0)),
    ("GET", "v1/accountConfig", {}, 5, (0, 0)),
    ("GET", "v1/symbolConfig", {}, 5, (0, 0)),
    ("GET", "v1/rateLimit/order", {}, 1, (0, 0)),
    ("GET", "v1/adlQuantile", {}, 5, (0, 0)),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(Path(tmp_path_factory.mktemp("shop")), options={"limits": False})


def used(shop: Shop) -> tuple[int, int, int]:
    """Read the counters without a call of our own."""
    limits = shop.exchange.desk.limits
    counts = limits.order_headers(shop.identity.api_key, shop.now_ms)
    return (
        int(limits.weight_header("127.0.0.1", shop.now_ms)[1]),
        int(counts[0][1]),
        int(counts[1][1]),
    )


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_public_call_costs_its_weight(shop: Shop, row: tuple[str, dict[str, Any], int]) -> None:
    path, params, weight = row
    before = used(shop)
    reply = shop.get(f"/fapi/v1/{path}", **params)
    assert reply.status == 200, reply.text
    assert used(shop)[0] - before[0] == weight
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == str(used(shop)[0])


@pytest.mark.parametrize("row", SIGNED, ids=lambda row: f"{row[0]}-{row[1]}-{row[3]}")
def test_a_signed_call_costs_its_weight_and_its_orders(
    shop: Shop, row: tuple[str, str, dict[str, Any], int, tuple[int, int]]
) -> None:
    method, path, params, weight, orders = row
    before = used(shop)
    reply = shop.call(method, f"/fapi/{path}", **params)
    assert reply.status == 200, reply.text
    after = used(shop)
    assert (after[0] - before[0], (after[1] - before[1], after[2] - before[2])) == (weight, orders)
    assert ("X-MBX-ORDER-COUNT-10S" in reply.headers) is (orders != (0, 0))


def test_a_websocket_api_handshake_costs_five(shop: Shop) -> None:
    before = used(shop)
    WsApi.open(shop.exchange, "127.0.0.1", {}, shop.now_ms)
    assert used(shop)[0] - before[0] == 5
