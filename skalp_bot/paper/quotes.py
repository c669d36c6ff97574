"""Public reads of the venue: depth, touch, mark, prints and funding history."""

from collections.abc import Iterable
from typing import Any

from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.market_events import Pairs, texts, touch_of
from skalp_bot.paper.money import ZERO
from skalp_bot.paper.orders import Query

Row = dict[str, Any]
INTEREST = "0.00010000"


def depth_row(floor: Floor, symbol: str, limit: int, now_ms: int) -> Row:
    market = floor.market(symbol)
    book_ms = market.book_ms or now_ms
    bids, asks = top_rows(floor, symbol, limit)
    return {"lastUpdateId": snapshot_id(floor, market), "E": now_ms, "T": book_ms, "bids": bids, "asks": asks}


def snapshot_id(floor: Floor, market: Market) -> int:
    """Id of the book as it stands: inside the next frame of ours, so that U <= id <= u holds for it."""
    if not market.update_id:
        return floor.opened_ms + 1
    return market.depth_id + 1 if market.derived else max(market.update_id, market.depth_id)


def top_rows(floor: Floor, symbol: str, count: int) -> tuple[Pairs, Pairs]:
    market = floor.market(symbol)
    return texts(market, market.bids.top(count)), texts(market, market.asks.top(count))


def touch_row(floor: Floor, symbol: str, now_ms: int) -> Row:
    market = floor.market(symbol)
    bid, bid_qty, ask, ask_qty = touch_of(market)
    spec = market.spec
    return {
        "symbol": symbol,
        "bidPrice": spec.price_text(bid or ZERO),
        "bidQty": spec.qty_text(bid_qty),
        "askPrice": spec.price_text(ask or ZERO),
        "askQty": spec.qty_text(ask_qty),
        "time": market.book_ms or now_ms,
        "lastUpdateId": market.update_id,
    }


def premium_row(floor: Floor, symbol: str, now_ms: int) -> Row:
    market = floor.market(symbol)
    mark = market.mark
    price = market.mark_price() or ZERO
    index = mark.index if mark else price
    return {
        "symbol": symbol,
        "markPrice": f"{price:.8f}",
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": f"{mark.funding_rate if mark else ZERO:.8f}" if market.spec.perpetual else "",
        "interestRate": INTEREST if market.spec.perpetual else "",
        "nextFundingTime": mark.next_funding_ms if mark else 0,
        "time": mark.t_ms if mark else now_ms,
    }


def within(rows: Iterable[Row], query: Query, *, id_name: str, time_name: str) -> list[Row]:
    """Cut a history: by first id, by time, newest `limit` unless a start was asked for; ascending."""
    found = [
        row
        for row in rows
        if (query.from_id is None or row[id_name] >= query.from_id)
        and (query.start_ms is None or row[time_name] >= query.start_ms)
        and (query.end_ms is None or row[time_name] <= query.end_ms)
    ]
    from_start = query.from_id is not None or query.start_ms is not None
    return found[: query.limit] if from_start else found[-query.limit :]


def funding_rows(floor: Floor, query: Query) -> list[Row]:
    markets = floor.markets.values() if query.symbol is None else [floor.market(query.symbol)]
    rows = [row for market in markets for row in market.funding]
    rows.sort(key=lambda row: row["fundingTime"])
    return within(rows, query, id_name="fundingTime", time_name="fundingTime")
