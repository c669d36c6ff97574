"""Trades on the exchange named by a ready file with python-binance, unchanged but for its addresses."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from binance import AsyncClient, BinanceSocketManager  # type: ignore[import-not-found]  # in its own venv
from binance.exceptions import BinanceAPIException  # type: ignore[import-not-found]  # in its own venv


async def trade(client: Any, sockets: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    seen["time"] = (await client.futures_time())["serverTime"] > 0
    seen["symbols"] = len((await client.futures_exchange_info())["symbols"])
    seen["depth"] = len((await client.futures_order_book(symbol="BTCUSDT", limit=5))["bids"])
    seen["klines"] = len(await client.futures_klines(symbol="BTCUSDT", interval="1m", limit=5))
    seen["leverage"] = (await client.futures_change_leverage(symbol="BTCUSDT", leverage=5))["leverage"]
    seen["balance"] = (await client.futures_account_balance())[0]["asset"]
    seen["account"] = (await client.futures_account())["canTrade"]
    user = sockets.futures_user_socket()
    streams = ["btcusdt@markPrice@1s", "btcusdt@aggTrade"]
    market = sockets.futures_multiplex_socket(streams)
    async with user, market, asyncio.timeout(30):
        seen["stream"] = (await market.recv())["stream"] in streams
        order = await client.futures_create_order(
            symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01", newOrderRespType="RESULT"
        )
        seen["market"] = order["status"]
        events: list[str] = []
        while not events or events[-1] != "FILLED":
            event = await user.recv()
            events.append(event["o"]["X"] if event["e"] == "ORDER_TRADE_UPDATE" else event["e"])
        seen["events"] = events
        limit = await client.futures_create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="59000"
        )
        seen["limit"] = limit["status"]
        named = {"symbol": "BTCUSDT", "orderId": limit["orderId"]}
        changed = await client.futures_modify_order(**named, side="BUY", quantity="0.02", price="59000")
        seen["amended"] = changed["origQty"]
        seen["open"] = len(await client.futures_get_open_orders(symbol="BTCUSDT"))
        seen["canceled"] = (await client.futures_cancel_order(**named))["status"]
        stop = await place_stop(client)
        seen["stop"] = stop["algoStatus"]
        [position] = await client.futures_position_information(symbol="BTCUSDT")
        seen["position"] = float(position["positionAmt"])
        while True:
            event = await user.recv()
            if event["e"] == "ALGO_UPDATE" and event["o"]["X"] == "FINISHED":
                break
    seen["my trades"] = len(await client.futures_account_trades(symbol="BTCUSDT"))
    seen["income"] = sorted({row["incomeType"] for row in await client.futures_income_history()})
    try:
        await client.futures_create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="900", price="59000"
        )
    except BinanceAPIException as error:
        seen["refused"] = error.code
    return seen


async def place_stop(client: Any) -> Any:
    """Place it below the market, which at times is there already."""
    while True:
        try:
            return await client.futures_create_order(
                symbol="BTCUSDT",
                side="SELL",
                type="STOP_MARKET",
                stopPrice="59950",
                quantity="0.01",
                reduceOnly="true",
            )
        except BinanceAPIException as error:
            if error.code != -2021:
                raise
            await asyncio.sleep(0.3)


async def main() -> None:
    ready = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    client = AsyncClient(ready["api_key"], ready["api_secret"])
    client.FUTURES_URL = ready["rest"] + "/fapi"
    sockets = BinanceSocketManager(client)
    sockets.FSTREAM_URL = ready["ws"] + "/"
    try:
        print(json.dumps(await trade(client, sockets)))
    finally:
        await client.close_connection()


asyncio.run(main())
