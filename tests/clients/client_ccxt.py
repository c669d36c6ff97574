"""Trades on the exchange named by a ready file with ccxt.pro, unchanged but for its addresses."""

import asyncio
import json
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import ccxt.pro

SYMBOL = "BTC/USDT:USDT"


def point(exchange: Any, base: str) -> None:
    socket, api = "ws" + base[4:], exchange.urls["api"]
    for name, value in api.items():
        if isinstance(value, str):
            api[name] = base + urllib.parse.urlsplit(value).path
    for name, value in api["ws"].items():
        if isinstance(value, str):
            api["ws"][name] = f"{socket}/{name}-unused"
    api["ws"]["linear"] = socket + "/ws"
    api["ws"]["ws-api"] = {"linear": socket + "/ws-fapi/v1"}


async def until(watch: Any, wanted: Any) -> Any:
    async with asyncio.timeout(20):
        while True:
            found = await watch()
            if wanted(found):
                return found


async def trade(exchange: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    await exchange.load_markets()
    await exchange.load_time_difference()
    await exchange.set_leverage(5, SYMBOL)
    seen["balance"] = (await exchange.fetch_balance())["USDT"]["total"]
    orders = asyncio.ensure_future(until(lambda: exchange.watch_orders(SYMBOL), has_filled))
    await asyncio.sleep(0.5)
    ticker = await exchange.watch_bids_asks([SYMBOL])
    seen["bid"] = ticker[SYMBOL]["bid"]
    seen["book"] = len((await exchange.watch_order_book(SYMBOL))["bids"])
    seen["trades"] = len(await exchange.watch_trades(SYMBOL))
    seen["mark"] = (await exchange.watch_mark_price(SYMBOL))["markPrice"]
    seen["candles"] = len(await exchange.watch_ohlcv(SYMBOL, "1m"))
    seen["ticker"] = (await exchange.watch_ticker(SYMBOL))["last"]
    market = await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "ccxt-1"})
    seen["market"] = market["status"]
    seen["event"] = (await orders)[-1]["clientOrderId"]
    limit = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"postOnly": True})
    seen["limit"] = limit["status"]
    edited = await exchange.edit_order(limit["id"], SYMBOL, "limit", "buy", 0.02, 59000)
    seen["amended"] = edited["amount"]
    seen["canceled"] = (await exchange.cancel_order(limit["id"], SYMBOL))["status"]
    stop = await place_stop(exchange)
    seen["stop"] = stop["status"]
    seen["trigger listed"] = len(await exchange.fetch_open_orders(SYMBOL, params={"trigger": True}))
    seen["position"] = (await exchange.fetch_positions([SYMBOL]))[0]["contracts"]
    async with asyncio.timeout(20):
        while await exchange.fetch_positions([SYMBOL]):
            await asyncio.sleep(0.1)
    seen["my trades"] = len(await exchange.fetch_my_trades(SYMBOL))
    seen["income"] = sorted({row["info"]["incomeType"] for row in await exchange.fetch_ledger("USDT")})
    over_socket = await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, 58000)
    seen["over socket"] = (await exchange.cancel_order_ws(over_socket["id"], SYMBOL))["status"]
    try:
        await exchange.create_order(SYMBOL, "limit", "buy", 900, 59000)
    except ccxt.ExchangeError as error:
        seen["refused"] = str(error).partition(" ")[2]
    return seen


async def place_stop(exchange: Any) -> Any:
    """Place it below the market, which at times is there already."""
    while True:
        try:
            return await exchange.create_order(
                SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": 59950, "reduceOnly": True}
            )
        except ccxt.ExchangeError as error:
            if "-2021" not in str(error):
                raise
            await asyncio.sleep(0.3)


def has_filled(orders: Any) -> bool:
    return any(order["status"] == "closed" for order in orders)


async def main() -> None:
    ready = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    exchange = ccxt.pro.binanceusdm(
        {
            "apiKey": ready["api_key"],
            "secret": ready["api_secret"],
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    exchange.has["fetchCurrencies"] = False
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    point(exchange, ready["rest"])
    try:
        print(json.dumps(await trade(exchange)))
    finally:
        await exchange.close()


asyncio.run(main())
