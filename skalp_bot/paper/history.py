"""Histories of one account: orders, conditional orders, trades, amendments, income, each cut to a query."""

from dataclasses import replace
from typing import Any, TypeVar

from skalp_bot.paper.account import Account
from skalp_bot.paper.algo import find_algo
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.floor import Floor
from skalp_bot.paper.money import eight
from skalp_bot.paper.orders import AlgoOrder, AlgoRef, Order, OrderRef, Query
from skalp_bot.paper.trading import find, needs_id
from skalp_bot.paper.wire import amendment_row, trade_row

Row = dict[str, Any]
T = TypeVar("T")
WEEK_MS = 7 * 86_400_000


def in_window(t_ms: int, query: Query) -> bool:
    return (query.start_ms is None or t_ms >= query.start_ms) and (
        query.end_ms is None or t_ms <= query.end_ms
    )


def cut(rows: list[T], query: Query, *, from_start: bool) -> list[T]:
    """Give the oldest rows from a start that was asked for, else the newest."""
    return rows[: query.limit] if from_start else rows[-query.limit :]


def week(query: Query, now_ms: int, *, since: int | None) -> Query:
    """Give a query seven days: from its start, to its end, or the last; `since` an id it needs none."""
    if since is not None or (query.start_ms is not None and query.end_ms is not None):
        return query
    if query.start_ms is not None:
        return replace(query, end_ms=query.start_ms + WEEK_MS)
    end_ms = now_ms if query.end_ms is None else query.end_ms
    return replace(query, start_ms=end_ms - WEEK_MS, end_ms=query.end_ms)


def order(floor: Floor, account: Account, ref: OrderRef, now_ms: int) -> Order:
    """Find an order; one that was made long ago no longer exists for queries."""
    floor.market(ref.symbol)
    needs_id(ref)
    found = find(account, ref)
    if found is None or not floor.keeps(found, now_ms):
        raise VenueError(-2013)
    return found


def algo(floor: Floor, account: Account, ref: AlgoRef, now_ms: int) -> AlgoOrder:
    found = find_algo(account, ref)
    if found is None or not floor.keeps(found, now_ms):
        raise VenueError(-2013)
    return found


def open_order(floor: Floor, account: Account, ref: OrderRef) -> Order:
    floor.market(ref.symbol)
    needs_id(ref)
    found = find(account, ref)
    if found is None or not found.open:
        raise VenueError(-2013)
    return found


def open_orders(floor: Floor, account: Account, symbol: str | None) -> list[Order]:
    if symbol is not None:
        floor.market(symbol)
        return account.open_orders(symbol)
    found = [o for orders in account.open.values() for o in orders.values()]
    return sorted(found, key=lambda o: o.order_id)


def all_orders(floor: Floor, account: Account, query: Query, now_ms: int) -> list[Order]:
    span = week(query, now_ms, since=query.order_id)
    rows = [
        o
        for o in account.orders.values()
        if o.symbol == query.symbol
        and (query.order_id is None or o.order_id >= query.order_id)
        and in_window(o.created_ms, span)
        and floor.keeps(o, now_ms)
    ]
    return cut(rows, query, from_start=query.order_id is not None or query.start_ms is not None)


def force_orders(account: Account, query: Query, now_ms: int) -> list[Order]:
    span = week(query, now_ms, since=None)
    rows = [
        o
        for o in account.orders.values()
        if o.client_order_id.startswith("autoclose-")
        and query.symbol in (None, o.symbol)
        and in_window(o.created_ms, span)
    ]
    return cut(rows, query, from_start=False)


def user_trades(floor: Floor, account: Account, query: Query, now_ms: int) -> list[Row]:
    if query.symbol is not None:
        floor.market(query.symbol)
    span = week(query, now_ms, since=query.from_id)
    rows = [
        t
        for t in account.trades
        if query.symbol in (None, t.symbol)
        and (query.order_id is None or t.order_id == query.order_id)
        and (query.from_id is None or t.trade_id >= query.from_id)
        and in_window(t.t_ms, span)
    ]
    found = cut(rows, query, from_start=query.from_id is not None or query.start_ms is not None)
    return [trade_row(trade, floor.symbols[trade.symbol]) for trade in found]


def amendments(floor: Floor, account: Account, query: Query, ref: OrderRef | None) -> list[Row]:
    wanted = find(account, ref) if ref is not None else None
    if ref is not None and wanted is None:
        raise VenueError(-2013)
    rows = [
        change
        for change in account.amendments
        if change.symbol == query.symbol
        and (wanted is None or change.order_id == wanted.order_id)
        and in_window(change.t_ms, query)
    ]
    return [amendment_row(change, floor.symbols[change.symbol]) for change in rows[-query.limit :]]


def income(account: Account, query: Query, now_ms: int) -> list[Row]:
    windowed = query.start_ms is None and query.end_ms is None
    oldest = now_ms - WEEK_MS if windowed else 0
    rows = [
        {
            "symbol": row.symbol,
            "incomeType": row.kind,
            "income": eight(row.amount),
            "asset": row.asset,
            "info": row.info,
            "time": row.t_ms,
            "tranId": row.tran_id,
            "tradeId": row.trade_id,
        }
        for row in account.income
        if query.symbol in (None, row.symbol)
        and query.income_type in (None, row.kind)
        and row.t_ms >= oldest
        and in_window(row.t_ms, query)
    ]
    skipped = (query.page - 1) * query.limit
    if query.start_ms is not None:
        return rows[skipped : skipped + query.limit]
    end = max(0, len(rows) - skipped)
    return rows[max(0, end - query.limit) : end]


def open_algos(account: Account, symbol: str | None, algo_id: int | None) -> list[AlgoOrder]:
    return [
        algo
        for algo in account.open_algos.values()
        if symbol in (None, algo.symbol) and algo_id in (None, algo.algo_id)
    ]


def all_algos(floor: Floor, account: Account, query: Query, now_ms: int) -> list[AlgoOrder]:
    span = week(query, now_ms, since=query.order_id)
    rows = [
        algo
        for algo in account.algos.values()
        if algo.symbol == query.symbol
        and (query.order_id is None or algo.algo_id >= query.order_id)
        and in_window(algo.created_ms, span)
        and floor.keeps(algo, now_ms)
    ]
    return cut(rows, query, from_start=query.order_id is not None or query.start_ms is not None)
