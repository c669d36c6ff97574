"""Trades on the exchange named by a ready file with the official SDK, unchanged but for its addresses."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from binance_common.configuration import (  # type: ignore[import-not-found]  # in its own venv
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError  # type: ignore[import-not-found]  # in its own venv
from binance_sdk_derivatives_trading_usds_futures import (  # type: ignore[import-not-found]  # in its own venv
    derivatives_trading_usds_futures as sdk,
)


def reads(rest: Any) -> dict[str, Any]:
    """Call what reads: the SDK's models are strict about every type."""
    one = {"symbol": "BTCUSDT"}
    calls: dict[str, Any] = {
        "time": rest.check_server_time(),
        "exchange info": rest.exchange_information(),
        "depth": rest.order_book(**one, limit=5),
        "trades": rest.recent_trades_list(**one),
        "agg trades": rest.compressed_aggregate_trades_list(**one),
        "klines": rest.kline_candlestick_data(**one, interval="1m", limit=5),
        "mark": rest.mark_price(**one),
        "marks": rest.mark_price(),
        "funding": rest.get_funding_rate_history(**one),
        "funding info": rest.get_funding_rate_info(),
        "ticker": rest.ticker24hr_price_change_statistics(**one),
        "price": rest.symbol_price_ticker_v2(**one),
        "top": rest.symbol_order_book_ticker(**one),
        "open interest": rest.open_interest(**one),
        "account": rest.account_information_v3(),
        "account v2": rest.account_information_v2(),
        "balance": rest.futures_account_balance_v3(),
        "balance v2": rest.futures_account_balance_v2(),
        "configuration": rest.futures_account_configuration(),
        "symbol configuration": rest.symbol_configuration(**one),
        "brackets": rest.notional_and_leverage_brackets(**one),
        "fees": rest.user_commission_rate(**one),
        "limits": rest.query_user_rate_limit(),
        "mode": rest.get_current_position_mode(),
        "multi": rest.get_current_multi_assets_mode(),
        "burn": rest.get_bnb_burn_status(),
        "positions": rest.position_information_v3(),
        "positions v2": rest.position_information_v2(),
        "adl": rest.position_adl_quantile_estimation(),
        "orders": rest.all_orders(**one),
        "my trades": rest.account_trade_list(**one),
        "income": rest.get_income_history(),
        "algos": rest.query_all_algo_orders(**one),
        "forced": rest.users_force_orders(),
    }
    return {name: bool(call.data() is not None) for name, call in calls.items()}


async def trade(client: Any) -> dict[str, Any]:
    rest, seen = client.rest_api, {}
    seen["leverage"] = rest.change_initial_leverage(symbol="BTCUSDT", leverage=5).data().leverage
    key = rest.start_user_data_stream().data().listen_key
    heard: dict[str, list[str]] = {"user": [], "top": [], "mark": [], "depth": []}
    connection = await client.websocket_streams.create_connection()
    for name, stream in (
        ("user", await connection.user_data(key)),
        ("top", await connection.individual_symbol_book_ticker_streams(symbol="btcusdt")),
        ("mark", await connection.mark_price_stream(symbol="btcusdt")),
        ("depth", await connection.diff_book_depth_streams(symbol="btcusdt")),
    ):
        stream.on("message", lambda data, name=name: heard[name].append(type(data).__name__))
    order = await call(
        rest.new_order,
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity=0.01,
        new_order_resp_type="RESULT",
    )
    seen["market"] = order.status
    limit = await call(
        rest.new_order,
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        quantity=0.01,
        price=59000,
    )
    seen["limit"] = limit.status
    named = {"symbol": "BTCUSDT", "order_id": limit.order_id}
    changed = await call(rest.modify_order, **named, side="BUY", quantity=0.02, price=59000)
    seen["amended"] = changed.orig_qty
    seen["canceled"] = (await call(rest.cancel_order, **named)).status
    stop = await place_stop(rest)
    seen["stop"] = stop.algo_status
    seen["position"] = len(await call(rest.position_information_v3))
    for _ in range(150):
        if not await call(rest.position_information_v3):
            break
        await asyncio.sleep(0.1)
    seen["closed"] = not await call(rest.position_information_v3)
    for _ in range(100):
        if all(heard.values()):
            break
        await asyncio.sleep(0.1)
    seen["heard"] = {name: len(messages) > 0 for name, messages in heard.items()}
    seen["reads"] = reads(rest)
    await connection.close_connection(close_session=True)
    return seen


async def place_stop(rest: Any) -> Any:
    """Place it below the market, which at times is there already."""
    while True:
        try:
            return await call(
                rest.new_algo_order,
                algo_type="CONDITIONAL",
                symbol="BTCUSDT",
                side="SELL",
                type="STOP_MARKET",
                trigger_price=59950,
                quantity=0.01,
                reduce_only="true",
            )
        except BadRequestError as error:
            if "immediately trigger" not in str(error):
                raise
            await asyncio.sleep(0.3)


async def call(method: Any, **arguments: Any) -> Any:
    """Run the SDK's blocking REST call beside its socket loop."""
    return (await asyncio.to_thread(method, **arguments)).data()


async def over_socket(client: Any) -> str:
    connection = await client.websocket_api.create_connection()
    try:
        placed = await connection.new_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=58000
        )
        order = placed.data().result
        gone = await connection.cancel_order(symbol="BTCUSDT", order_id=order.order_id)
        return str(gone.data().result.status)
    finally:
        await connection.close_connection(close_session=True)


async def main() -> None:
    ready = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    keys = {"api_key": ready["api_key"], "api_secret": ready["api_secret"]}
    client = sdk.DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(**keys, base_path=ready["rest"]),
        config_ws_api=ConfigurationWebSocketAPI(**keys, stream_url=ready["ws_api"]),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=ready["ws"]),
    )
    seen = await trade(client)
    seen["over socket"] = await over_socket(client)
    print(json.dumps(seen))


asyncio.run(main())
