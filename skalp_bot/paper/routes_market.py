"""Public market data over REST."""

from collections.abc import Callable
from dataclasses import replace

from skalp_bot.paper.board import Billboard
from skalp_bot.paper.desk import Call
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.market import Candle
from skalp_bot.paper.params import Params
from skalp_bot.paper.readers import interval_of, query_of, times_of
from skalp_bot.paper.rest import Endpoint, Security, Weigh

DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
HOUR_MS = 3_600_000


def plain_limit(params: Params, default: int) -> int:
    """Read `limit` for the weight of a call, before it is judged."""
    value = params.values.get("limit", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default


def weigh_depth(params: Params) -> int:
    return DEPTH_WEIGHTS.get(plain_limit(params, 500), 2)


def weigh_klines(params: Params) -> int:
    limit = plain_limit(params, 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def one_or_all(one: int, every: int) -> Weigh:
    def weigh(params: Params) -> int:
        return one if "symbol" in params else every

    return weigh


def ping(_call: Call) -> object:
    return {}


def time(call: Call) -> object:
    return {"serverTime": call.now_ms}


def stats(call: Call) -> object:
    """Not Binance's: what this venue counted, for who wants to know that nothing was lost on the way."""
    tops = call.desk.board.tops
    return {
        "bookTicker": {"frames": tops.frames, "sent": tops.sent, "dropped": tops.dropped},
        "fills_beyond_displayed": call.venue.floor.totals.fills_beyond_displayed,
    }


def exchange_info(call: Call) -> object:
    assets = sorted({spec.margin_asset for spec in call.venue.symbols.values()})
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": call.desk.limits.settings.rows(),
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in assets
        ],
        "symbols": [spec.raw for spec in call.venue.symbols.values()],
    }


def depth(call: Call) -> object:
    symbol = call.must_symbol()
    limit = call.params.whole("limit")
    if limit is None:
        limit = 500
    if limit > 1000:
        raise VenueError(-1130, "limit")
    if limit not in DEPTH_WEIGHTS:
        raise VenueError(-4021, limit)
    return call.venue.depth(symbol, limit, call.now_ms)


def trades(call: Call) -> object:
    query = query_of(call.params, limit=500, most=1000, symbol=call.must_symbol())
    return call.venue.recent_trades(replace(query, from_id=None))


def historical_trades(call: Call) -> object:
    return call.venue.recent_trades(query_of(call.params, limit=100, most=500, symbol=call.must_symbol()))


def agg_trades(call: Call) -> object:
    query = query_of(call.params, limit=500, most=1000, symbol=call.must_symbol())
    start, end = query.start_ms, query.end_ms
    if start is not None and end is not None and end - start > HOUR_MS:
        raise VenueError(-1127, 1)
    return call.venue.agg_trades(query)


def candle_row(candle: Candle, *, volumes: bool = True) -> list[object]:
    """Write a candle as its array; price candles that are no trades carry zeroes for volume."""
    prices = [format(price, "f") for price in (candle.open, candle.high, candle.low, candle.close)]
    if not volumes:
        return [candle.open_ms, *prices, "0", candle.close_ms, "0", candle.trades, "0", "0", "0"]
    return [
        candle.open_ms,
        *prices,
        format(candle.volume, "f"),
        candle.close_ms,
        format(candle.quote_volume, "f"),
        candle.trades,
        format(candle.taker_volume, "f"),
        format(candle.taker_quote_volume, "f"),
        "0",
    ]


def candles(call: Call, billboard: Billboard, *, volumes: bool) -> list[list[object]]:
    interval = interval_of(call.params)
    start, end = times_of(call.params)
    limit = call.params.within("limit", 500, 1, call.venue.floor.settings.klines_limit_max)
    rows = billboard.candles.query(interval, now_ms=call.now_ms, limit=limit, start_ms=start, end_ms=end)
    return [candle_row(row, volumes=volumes) for row in rows]


def klines(call: Call) -> object:
    return candles(call, call.desk.billboard(call.must_symbol()), volumes=True)


def mark_klines(call: Call) -> object:
    return candles(call, call.desk.billboard(call.must_symbol()), volumes=False)


def premium_klines(call: Call) -> object:
    """Answer with a premium of nothing: no history of it is kept."""
    zero = "0.00000000"
    rows = candles(call, call.desk.billboard(call.must_symbol()), volumes=False)
    return [[row[0], zero, zero, zero, zero, *row[5:]] for row in rows]


def pair_klines(call: Call) -> object:
    return candles(call, billboard_of_pair(call), volumes=False)


def continuous_klines(call: Call) -> object:
    if call.params.must("contractType") not in (
        "PERPETUAL",
        "CURRENT_QUARTER",
        "NEXT_QUARTER",
        "TRADIFI_PERPETUAL",
    ):
        raise VenueError(-1130, "contractType")
    billboard = billboard_of_pair(call)
    if call.params.must("contractType") != "PERPETUAL":
        return []
    return candles(call, billboard, volumes=True)


def billboard_of_pair(call: Call) -> Billboard:
    pair = call.params.must("pair")
    for spec in call.venue.symbols.values():
        if spec.pair == pair and spec.perpetual and spec.symbol in call.desk.board.billboards:
            return call.desk.board.billboards[spec.symbol]
    raise VenueError(-4144)


def listed(call: Call) -> list[str]:
    """Name the symbols that have a market."""
    return [symbol for symbol in call.venue.symbols if symbol in call.desk.board.billboards]


def premium_index(call: Call) -> object:
    symbol = call.symbol()
    if symbol is not None:
        return call.venue.premium_index(symbol, call.now_ms)
    return [call.venue.premium_index(name, call.now_ms) for name in listed(call)]


def funding_rate(call: Call) -> object:
    timed = "startTime" in call.params or "endTime" in call.params
    query = query_of(call.params, limit=100 if timed else 200, most=1000, symbol=call.symbol())
    return call.venue.funding_rates(query)


def funding_info(call: Call) -> object:
    return [
        {
            "symbol": symbol,
            "adjustedFundingRateCap": "0.00300",
            "adjustedFundingRateFloor": "-0.00300",
            "fundingIntervalHours": 8,
            "disclaimer": True,
            "updateTime": None,
        }
        for symbol in listed(call)
        if call.venue.symbols[symbol].perpetual
    ]


def ticker_24h(call: Call) -> object:
    symbol = call.symbol()
    if symbol is not None:
        day = call.desk.billboard(symbol).day(call.now_ms)
        return day.rest() if day is not None else {}
    return [day.rest() for day in call.desk.board.days(call.now_ms)]


def ticker_price(call: Call) -> object:
    symbol = call.symbol()
    if symbol is not None:
        return price_row(call.desk.billboard(symbol), call.now_ms)
    return [price_row(billboard, call.now_ms) for billboard in call.desk.board.billboards.values()]


def price_row(billboard: Billboard, now_ms: int) -> dict[str, object]:
    newest = billboard.newest
    if newest is not None:
        return {"symbol": billboard.symbol, "price": newest["p"], "time": newest["T"]}
    current = billboard.candles.current("1m", now_ms)
    price = format(current.close, "f") if current is not None else "0"
    return {"symbol": billboard.symbol, "price": price, "time": now_ms}


def book_ticker(call: Call) -> object:
    symbol = call.symbol()
    if symbol is not None:
        return call.venue.book_ticker(symbol, call.now_ms)
    return [call.venue.book_ticker(name, call.now_ms) for name in listed(call)]


def open_interest(call: Call) -> object:
    billboard = call.desk.billboard(call.must_symbol())
    day = billboard.day(call.now_ms)
    volume = day.volume if day is not None else "0"
    return {"symbol": billboard.symbol, "openInterest": volume, "time": call.now_ms}


def get(
    path: str,
    call: Callable[[Call], object],
    *,
    weight: int | Weigh = 1,
    mandatory: tuple[str, ...] = (),
    security: Security = Security.NONE,
    funding: bool = False,
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        call=call,
        weight=weight,
        mandatory=mandatory,
        security=security,
        funding=funding,
    )


CANDLES, PAIR_CANDLES = ("symbol", "interval"), ("pair", "interval")
ENDPOINTS = (
    get("/fapi/v1/ping", ping),
    get("/fapi/v1/time", time),
    get("/fapi/v1/exchangeInfo", exchange_info),
    get("/fapi/v1/depth", depth, weight=weigh_depth, mandatory=("symbol",)),
    get("/fapi/v1/trades", trades, weight=5, mandatory=("symbol",)),
    get(
        "/fapi/v1/historicalTrades",
        historical_trades,
        weight=200,
        security=Security.KEY,
        mandatory=("symbol",),
    ),
    get("/fapi/v1/aggTrades", agg_trades, weight=20, mandatory=("symbol",)),
    get("/fapi/v1/klines", klines, weight=weigh_klines, mandatory=CANDLES),
    get("/fapi/v1/markPriceKlines", mark_klines, weight=weigh_klines, mandatory=CANDLES),
    get("/fapi/v1/premiumIndexKlines", premium_klines, weight=weigh_klines, mandatory=CANDLES),
    get("/fapi/v1/indexPriceKlines", pair_klines, weight=weigh_klines, mandatory=PAIR_CANDLES),
    get(
        "/fapi/v1/continuousKlines",
        continuous_klines,
        weight=weigh_klines,
        mandatory=("pair", "contractType", "interval"),
    ),
    get("/fapi/v1/premiumIndex", premium_index, weight=one_or_all(1, 10)),
    get("/fapi/v1/fundingRate", funding_rate, weight=0, funding=True),
    get("/fapi/v1/fundingInfo", funding_info, weight=0, funding=True),
    get("/fapi/v1/ticker/24hr", ticker_24h, weight=one_or_all(1, 40)),
    get("/fapi/v1/ticker/price", ticker_price, weight=one_or_all(1, 2)),
    get("/fapi/v2/ticker/price", ticker_price, weight=one_or_all(1, 2)),
    get("/paper/v1/stats", stats, weight=0),
    get("/fapi/v1/ticker/bookTicker", book_ticker, weight=one_or_all(2, 5)),
    get("/fapi/v1/openInterest", open_interest, weight=1, mandatory=("symbol",)),
)
