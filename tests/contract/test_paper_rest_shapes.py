"""Every REST answer of the paper exchange against the venue's own, field by field and type by type."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.shapes import differences, same_shape
from tests.wire_kit import Shop, open_shop

TRADING = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
  ETHUSDT: {price: 2000, spread: 0.01, qty: 50, levels: 20}
steps:
  - {symbol: BTCUSDT, trade: {side: BUY, qty: 0.01}}
  - {symbol: BTCUSDT, trade: {side: SELL, qty: 0.02}}
  - {symbol: ETHUSDT, trade: {side: SELL, qty: 0.02}}
"""
PUBLIC: dict[str, tuple[str, dict[str, Any], str]] = {
    "ping": ("/fapi/v1/ping", {}, "{}"),
    "time": ("/fapi/v1/time", {}, '{"serverTime":1789478299014}'),
    "depth": (
        "/fapi/v1/depth",
        {"symbol": "BTCUSDT", "limit": 5},
        '{"lastUpdateId":11563384769463,"E":1789478303560,"T":1789478303557,'
        '"bids":[["76914.90","5.878"]],"asks":[["76915.00","2.149"]]}',
    ),
    "trades": (
        "/fapi/v1/trades",
        {"symbol": "BTCUSDT"},
        '[{"id":28457,"price":"76915.00","qty":"0.002","quoteQty":"153.83","time":1499865549590,'
        '"isBuyerMaker":true,"isRPITrade":false}]',
    ),
    "aggTrades": (
        "/fapi/v1/aggTrades",
        {"symbol": "BTCUSDT"},
        '[{"a":3450415493,"p":"76906.00","q":"0.004","nq":"0.004","f":8079747315,"l":8079747315,'
        '"T":1789478330891,"m":false}]',
    ),
    "klines": (
        "/fapi/v1/klines",
        {"symbol": "BTCUSDT", "interval": "1m", "limit": 3},
        '[[1789478160000,"76936.20","76965.50","76936.10","76965.40","20.680",1789478219999,'
        '"1591436.27140",878,"15.190","1168938.63310","0"]]',
    ),
    "premiumIndex": (
        "/fapi/v1/premiumIndex",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","markPrice":"76916.95122464","indexPrice":"76959.67847826",'
        '"estimatedSettlePrice":"77018.74802742","lastFundingRate":"0.00008972",'
        '"interestRate":"0.00010000","nextFundingTime":1789488000000,"time":1789478303000}',
    ),
    "24hr": (
        "/fapi/v1/ticker/24hr",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","priceChange":"-885.10","priceChangePercent":"-1.138",'
        '"weightedAvgPrice":"78027.43","lastPrice":"76914.90","lastQty":"0.002","openPrice":"77800.00",'
        '"highPrice":"79570.90","lowPrice":"76667.30","volume":"169924.020","quoteVolume":"13258734360.38",'
        '"openTime":1789391880000,"closeTime":1789478298702,"firstId":8076263956,"lastId":8079746427,'
        '"count":3466091}',
    ),
    "price": (
        "/fapi/v1/ticker/price",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","price":"76935.10","time":1789478433767}',
    ),
    "bookTicker": (
        "/fapi/v1/ticker/bookTicker",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","bidPrice":"76914.90","bidQty":"4.218","askPrice":"76915.00",'
        '"askQty":"6.128","time":1789478303376,"lastUpdateId":11563384751926}',
    ),
    "openInterest": (
        "/fapi/v1/openInterest",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","openInterest":"106312.376","time":1789478297197}',
    ),
}
ORDER = (
    '{"orderId":325078477,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"iCXL1BywlBaf2sesNUrVl3",'
    '"price":"43187.00","avgPrice":"0.00","origQty":"0.100","executedQty":"0.000","cumQty":"0.000",'
    '"cumQuote":"0.00000","timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"closePosition":false,'
    '"side":"BUY","positionSide":"BOTH","stopPrice":"0.00","workingType":"CONTRACT_PRICE",'
    '"priceProtect":false,"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER",'
    '"goodTillDate":0,"updateTime":1702555534435}'
)
ALGO = (
    '{"algoId":2146760,"clientAlgoId":"6B2I9XVcJpCjqPAJ4YoFX7","algoType":"CONDITIONAL",'
    '"orderType":"TAKE_PROFIT","symbol":"BNBUSDT","side":"SELL","positionSide":"BOTH","timeInForce":"GTC",'
    '"quantity":"0.01","algoStatus":"NEW","triggerPrice":"750.000","price":"750.000",'
    '"icebergQuantity":null,"selfTradePreventionMode":"EXPIRE_MAKER","workingType":"CONTRACT_PRICE",'
    '"priceMatch":"NONE","closePosition":false,"priceProtect":false,"reduceOnly":false,"activatePrice":"",'
    '"callbackRate":"","createTime":1750485492076,"updateTime":1750485492076,"triggerTime":0,'
    '"goodTillDate":0}'
)
TRADE = (
    '[{"buyer":false,"commission":"0.07819010","commissionAsset":"USDT","id":698759,"maker":false,'
    '"orderId":25851813,"price":"7819.01","qty":"0.002","quoteQty":"15.63802","baseQty":"0",'
    '"marginAsset":"USDT","realizedPnl":"-0.91539999","side":"SELL","positionSide":"SHORT",'
    '"symbol":"BTCUSDT","pair":"BTCUSDT","time":1569514978020}]'
)
BALANCE = (
    '[{"accountAlias":"SgsR","asset":"USDT","balance":"122607.35137903","crossWalletBalance":"23.72469206",'
    '"crossUnPnl":"0.00000000","availableBalance":"23.72469206","maxWithdrawAmount":"23.72469206",'
    '"marginAvailable":true,"updateTime":1617939110373}]'
)
POSITION_V3 = (
    '[{"symbol":"ADAUSDT","positionSide":"BOTH","positionAmt":"30","entryPrice":"0.385",'
    '"breakEvenPrice":"0.385077","markPrice":"0.41047590","unRealizedProfit":"0.76427700",'
    '"liquidationPrice":"0","isolatedMargin":"0","notional":"12.31427700","marginAsset":"USDT",'
    '"isolatedWallet":"0","initialMargin":"0.61571385","maintMargin":"0.08004280",'
    '"positionInitialMargin":"0.61571385","openOrderInitialMargin":"0","adl":2,"bidNotional":"0",'
    '"askNotional":"0","updateTime":1720736417660}]'
)
POSITION_V2 = (
    '[{"symbol":"BTCUSDT","positionAmt":"0.001","entryPrice":"22185.2","breakEvenPrice":"0.0",'
    '"markPrice":"21123.05052574","unRealizedProfit":"-1.06214947","liquidationPrice":"19731.45529116",'
    '"leverage":"4","maxNotionalValue":"100000000","marginType":"cross","isolatedMargin":"0.00000000",'
    '"isAutoAddMargin":"false","positionSide":"LONG","notional":"21.12305052","isolatedWallet":"0",'
    '"updateTime":1655217461579}]'
)
INCOME = (
    '[{"symbol":"BTCUSDT","incomeType":"COMMISSION","income":"-0.01000000","asset":"USDT",'
    '"info":"COMMISSION","time":1570636800000,"tranId":9689322392,"tradeId":"2059192"}]'
)
RATES = (
    '[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":10000},'
    '{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":20000}]'
)
CONFIG = (
    '{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,"dualSidePosition":true,'
    '"updateTime":0,"multiAssetsMargin":false,"tradeGroupId":-1}'
)
SIGNED: dict[str, tuple[str, dict[str, Any], str]] = {
    "v2/balance": ("/fapi/v2/balance", {}, BALANCE),
    "v3/balance": ("/fapi/v3/balance", {}, BALANCE),
    "v3/positionRisk": ("/fapi/v3/positionRisk", {}, POSITION_V3),
    "v2/positionRisk": ("/fapi/v2/positionRisk", {}, POSITION_V2),
    "userTrades": ("/fapi/v1/userTrades", {"symbol": "BTCUSDT"}, TRADE),
    "income": ("/fapi/v1/income", {"incomeType": "COMMISSION"}, INCOME),
    "openOrders": ("/fapi/v1/openOrders", {}, f'[{ORDER[:-1]},"time":1702555533435}}]'),
    "allOrders": ("/fapi/v1/allOrders", {"symbol": "BTCUSDT"}, f'[{ORDER[:-1]},"time":1702555533435}}]'),
    "leverageBracket": (
        "/fapi/v1/leverageBracket",
        {"symbol": "ETHUSDT"},
        '[{"symbol":"ETHUSDT","brackets":[{"bracket":1,"initialLeverage":75,"notionalCap":10000,'
        '"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0.0}]}]',
    ),
    "commissionRate": (
        "/fapi/v1/commissionRate",
        {"symbol": "BTCUSDT"},
        '{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0005",'
        '"rpiCommissionRate":"0.00005"}',
    ),
    "accountConfig": ("/fapi/v1/accountConfig", {}, CONFIG),
    "symbolConfig": (
        "/fapi/v1/symbolConfig",
        {"symbol": "BTCUSDT"},
        '[{"symbol":"BTCUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21,'
        '"maxNotionalValue":"1000000"}]',
    ),
    "rateLimit/order": ("/fapi/v1/rateLimit/order", {}, RATES),
    "positionSide/dual": ("/fapi/v1/positionSide/dual", {}, '{"dualSidePosition":true}'),
    "multiAssetsMargin": ("/fapi/v1/multiAssetsMargin", {}, '{"multiAssetsMargin":true}'),
    "feeBurn": ("/fapi/v1/feeBurn", {}, '{"feeBurn":true}'),
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Make an exchange on which trades were printed, a position is open and an order rests."""
    shop = open_shop(tmp_path, TRADING)
    shop.play(1200)
    filled = shop.order(side="BUY", type="MARKET", quantity="0.01", newOrderRespType="RESULT")
    assert filled.json["status"] == "FILLED"
    rests = shop.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="59000")
    assert rests.status == 200
    return shop


@pytest.mark.parametrize("name", PUBLIC)
def test_public_answers_have_the_venues_fields(shop: Shop, name: str) -> None:
    path, params, example = PUBLIC[name]
    reply = shop.get(path, **params)
    assert reply.status == 200
    same_shape(orjson.loads(example), reply.json)


@pytest.mark.parametrize("name", SIGNED)
def test_account_answers_have_the_venues_fields(shop: Shop, name: str) -> None:
    path, params, example = SIGNED[name]
    reply = shop.call("GET", path, **params)
    assert reply.status == 200, reply.text
    same_shape(orjson.loads(example), reply.json, extra=("notionalCoef",))


@pytest.mark.parametrize("path", ["premiumIndex", "ticker/24hr", "ticker/price", "ticker/bookTicker"])
def test_without_a_symbol_the_answer_is_an_array_of_all(shop: Shop, path: str) -> None:
    one = shop.get(f"/fapi/v1/{path}", symbol="BTCUSDT").json
    rows = shop.get(f"/fapi/v1/{path}").json
    assert [row["symbol"] for row in rows] == ["BTCUSDT", "ETHUSDT"]
    for row in rows:
        same_shape(one, row)


def test_orders_are_answered_with_every_field_on_every_way(shop: Shop) -> None:
    example = orjson.loads(ORDER)
    placed = shop.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="58000").json
    same_shape(example, placed)
    assert (placed["price"], placed["origQty"]) == ("58000.00", "0.100")
    named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    changed = shop.call(
        "PUT", "/fapi/v1/order", **named, side="BUY", quantity="0.2", price="58100", timeInForce="GTC"
    ).json
    same_shape(example, changed)
    timed = {**example, "time": 1}
    same_shape(timed, shop.call("GET", "/fapi/v1/order", **named).json)
    same_shape(timed, shop.call("GET", "/fapi/v1/openOrder", **named).json)
    batch = [{"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "57000"}]
    rows = shop.call(
        "POST",
        "/fapi/v1/batchOrders",
        batchOrders=orjson.dumps([batch[0] | {"quantity": 0.1}, batch[0]]).decode(),
    ).json
    same_shape(example, rows[0])
    assert rows[1]["code"] == -1102
    canceled = shop.call("DELETE", "/fapi/v1/order", **named).json
    same_shape(example, canceled)
    assert canceled["status"] == "CANCELED"
    done = {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert shop.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT").json == done
    assert shop.call("GET", "/fapi/v1/openOrders").json == []


def test_conditional_orders_are_answered_with_every_field_on_every_way(shop: Shop) -> None:
    example = orjson.loads(ALGO)
    queried = example | {
        "actualOrderId": "",
        "actualPrice": "0.00000",
        "actualType": "",
        "actualQty": "",
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
    }
    placed = shop.call(
        "POST",
        "/fapi/v1/algoOrder",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP",
        quantity="0.01",
        price="58900",
        triggerPrice="59000",
    ).json
    same_shape(example, placed)
    found = shop.call("GET", "/fapi/v1/algoOrder", algoId=placed["algoId"]).json
    assert not [line for line in differences(queried, found) if "actual" not in line and "Price" not in line]
    assert [row["algoId"] for row in shop.call("GET", "/fapi/v1/openAlgoOrders").json] == [placed["algoId"]]
    rows = shop.call("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT").json
    assert [row["algoId"] for row in rows] == [placed["algoId"]]
    gone = shop.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId=placed["clientAlgoId"]).json
    assert gone == {
        "algoId": placed["algoId"],
        "clientAlgoId": placed["clientAlgoId"],
        "code": "200",
        "msg": "success",
    }
    done = {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert shop.call("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").json == done


def test_the_account_has_every_field_of_both_versions(shop: Shop) -> None:
    totals = [
        "totalInitialMargin",
        "totalMaintMargin",
        "totalWalletBalance",
        "totalUnrealizedProfit",
        "totalMarginBalance",
        "totalPositionInitialMargin",
        "totalOpenOrderInitialMargin",
        "totalCrossWalletBalance",
        "totalCrossUnPnl",
        "availableBalance",
        "maxWithdrawAmount",
    ]
    asset = [
        "asset",
        "walletBalance",
        "unrealizedProfit",
        "marginBalance",
        "maintMargin",
        "initialMargin",
        "positionInitialMargin",
        "openOrderInitialMargin",
        "crossWalletBalance",
        "crossUnPnl",
        "availableBalance",
        "maxWithdrawAmount",
        "updateTime",
    ]
    position = [
        "symbol",
        "positionSide",
        "positionAmt",
        "unrealizedProfit",
        "isolatedMargin",
        "notional",
        "isolatedWallet",
        "initialMargin",
        "maintMargin",
        "updateTime",
    ]
    three: dict[str, Any] = shop.call("GET", "/fapi/v3/account").json
    assert set(three) == {*totals, "assets", "positions"}
    assert all(set(row) == set(asset) and row["updateTime"] > 0 for row in three["assets"])
    assert [set(row) for row in three["positions"]] == [set(position)]
    two: dict[str, Any] = shop.call("GET", "/fapi/v2/account").json
    more = "feeTier feeBurn canTrade canDeposit canWithdraw updateTime multiAssetsMargin tradeGroupId"
    assert set(two) >= {*totals, *more.split(), "assets", "positions"}
    assert {row["symbol"] for row in two["positions"]} == {"BTCUSDT", "ETHUSDT"}
    assert two["positions"][0]["leverage"] == "20"
    assert two["positions"][0]["isolated"] is False


def test_exchange_info_is_the_venues_row_with_our_limits(shop: Shop) -> None:
    info = shop.get("/fapi/v1/exchangeInfo", symbol="IGNORED").json
    assert list(info) == [
        "timezone",
        "serverTime",
        "futuresType",
        "rateLimits",
        "exchangeFilters",
        "assets",
        "symbols",
    ]
    assert info["futuresType"] == "U_MARGINED"
    assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    assert {row["limit"] for row in info["rateLimits"]} == {2400, 1200, 300}


def test_settings_answer_as_the_venue_does(shop: Shop) -> None:
    same_shape(
        {"leverage": 21, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"},
        shop.call("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=10).json,
    )
    answer = shop.call("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED").json
    assert answer == {"code": 200, "msg": "success"}
    span = shop.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=100000).json
    assert span == {"symbol": "BTCUSDT", "countdownTime": "100000"}


def test_a_listen_key_lives_is_kept_and_is_deleted(shop: Shop) -> None:
    first = shop.raw("POST", "/fapi/v1/listenKey").json
    assert len(first["listenKey"]) == 64
    assert shop.raw("POST", "/fapi/v1/listenKey").json == first
    assert shop.raw("PUT", "/fapi/v1/listenKey", body="listenKey=whatever").json == first
    assert shop.raw("DELETE", "/fapi/v1/listenKey").json == {}
    gone = shop.raw("PUT", "/fapi/v1/listenKey")
    assert gone.refusal == (400, -1125, "This listenKey does not exist.")


def test_unknown_paths_and_methods_are_plain_404(shop: Shop) -> None:
    for method, path in (("GET", "/fapi/v1/nothing"), ("DELETE", "/fapi/v1/ping"), ("GET", "/")):
        reply = shop.raw(method, path)
        assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html")
        assert reply.text.startswith(b"<html>")


def test_a_symbol_in_which_nothing_happened_yet_has_a_price_and_a_day(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    for symbol, price in (("BTCUSDT", "60000.00"), ("ETHUSDT", "2000.00")):
        assert shop.get("/fapi/v1/ticker/price", symbol=symbol).json["price"] == price
        day = shop.get("/fapi/v1/ticker/24hr", symbol=symbol).json
        assert day["lastPrice"] == price
    assert [row["symbol"] for row in shop.get("/fapi/v1/ticker/24hr").json] == ["BTCUSDT", "ETHUSDT"]


def test_prices_stand_on_the_tick_also_where_nothing_traded(tmp_path: Path) -> None:
    moving = TRADING.split("steps:")[0] + "steps:\n  - ramp: {symbol: BTCUSDT, to: 60010, seconds: 5}\n"
    shop = open_shop(tmp_path, moving)
    for _ in range(20):
        shop.play(250)
        price = shop.get("/fapi/v1/ticker/price", symbol="BTCUSDT").json["price"]
        candle = shop.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1).json[0]
        assert {text[-1] for text in (price, *candle[1:5])} == {"0"}, (price, candle)
