"""The venue's state as JSON-able values and back; displayed books are the market's to restore."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from skalp_bot.paper.account import Account
from skalp_bot.paper.floor import Floor, Ids, Totals
from skalp_bot.paper.market import Mark
from skalp_bot.paper.orders import AlgoOrder, AlgoStatus, Order, OrderStatus, OrderType

T = TypeVar("T")
INDEXES = ("orders", "open", "by_client", "algos", "open_algos", "algo_by_client", "positions", "sums")
HISTORIES = ("trades", "income", "amendments")


Living = tuple[Iterable[Order], Iterable[AlgoOrder]]


def dump(floor: Floor, living: Mapping[str, Living] | None = None) -> dict[str, Any]:
    """Give all that a restart needs; with `living` only those orders of each account, and no histories."""
    return {
        "ids": plain_value(floor.ids),
        "totals": plain_value(floor.totals),
        "accounts": [
            dump_account(account, None if living is None else living[account.id])
            for account in floor.accounts.values()
        ],
        "markets": {
            symbol: {
                "last": None if market.last is None else str(market.last),
                "mark": None if market.mark is None else plain_value(market.mark),
                "ids": [market.update_id, market.depth_id, market.trade_id, market.agg_id],
                "derived": market.derived,
                "funded_ms": market.funded_ms,
                "funding": list(market.funding),
            }
            for symbol, market in floor.markets.items()
        },
    }


def dump_account(account: Account, living: Living | None) -> dict[str, Any]:
    left_out = INDEXES if living is None else (*INDEXES, *HISTORIES)
    row = {f.name: plain_value(getattr(account, f.name)) for f in fields(account) if f.name not in left_out}
    orders, algos = (account.orders.values(), account.algos.values()) if living is None else living
    row["positions"] = [plain_value(position) for position in account.positions.values()]
    row["orders"] = [plain_value(order) for order in orders]
    row["algos"] = [plain_value(algo) for algo in algos]
    return row


def plain_value(value: Any) -> Any:
    """Turn records, decimals and queues into what JSON holds."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain_value(getattr(value, name)) for name in names(type(value))}
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | deque):
        return [plain_value(item) for item in value]
    return value


@cache
def names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def readers(kind: Any) -> dict[str, Callable[[Any], Any]]:
    return {name: reader(hint) for name, hint in get_type_hints(kind).items() if name in names(kind)}


def reader(hint: Any) -> Callable[[Any], Any]:
    """Make a reader of one field from its type; unknown shapes pass as they are."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        inner = reader(next(arg for arg in args if arg is not NoneType))
        return lambda value: None if value is None else inner(value)
    if hint is Decimal:
        return Decimal
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda value: read(hint, value)
    if origin is dict:
        inner = reader(args[1])
        return lambda value: {key: inner(item) for key, item in value.items()}
    if origin is deque:
        inner = reader(args[0])
        return lambda value: [inner(item) for item in value]
    return lambda value: value


def read(kind: type[T], row: Mapping[str, Any]) -> T:
    """Build a record from its row; fields the row does not know keep their default."""
    target: Any = kind
    known = readers(target)
    return kind(**{name: known[name](value) for name, value in row.items() if name in known})


def restore(floor: Floor, state: Mapping[str, Any]) -> None:
    """Fill an empty floor from `dump`; resting orders join the books with their place in the queue."""
    floor.ids = read(Ids, state["ids"])
    floor.totals = read(Totals, state["totals"])
    for symbol, row in state["markets"].items():
        market = floor.markets.get(symbol)
        if market is None:
            continue
        market.last = None if row["last"] is None else Decimal(row["last"])
        market.mark = None if row["mark"] is None else read(Mark, row["mark"])
        market.update_id, market.depth_id, market.trade_id, market.agg_id = row["ids"]
        market.derived = row["derived"]
        market.funded_ms = row["funded_ms"]
        market.funding.extend(row["funding"])
    for row in state["accounts"]:
        restore_account(floor, row)
    resting = [o for a in floor.accounts.values() for orders in a.open.values() for o in orders.values()]
    for order in sorted(resting, key=lambda order: order.place):
        floor.markets[order.symbol].half(order.side).rejoin(order)
    floor.moved.clear()


def restore_account(floor: Floor, row: Mapping[str, Any]) -> None:
    known = readers(Account)
    account = Account(id=row["id"], api_key=row["api_key"], secret=row["secret"])
    for name, value in row.items():
        if name in INDEXES:
            continue
        if name in HISTORIES:
            getattr(account, name).extend(known[name](value))
        else:
            setattr(account, name, known[name](value))
    floor.accounts[account.id] = account
    floor.by_key[account.api_key] = account
    position_of = reader(get_args(get_type_hints(Account)["positions"])[1])
    algo_of = reader(get_args(get_type_hints(Account)["algos"])[1])
    for item in row["positions"]:
        position = position_of(item)
        account.positions[position.symbol, position.side] = position
        if position.qty and position.symbol in floor.markets:
            floor.held[position.symbol] = None
    for item in row["orders"]:
        restore_order(floor, account, read(Order, item))
    for item in row["algos"]:
        restore_algo(floor, account, algo_of(item))
    if account.listen_key:
        floor.by_listen_key[account.listen_key] = account
        entry = (account.listen_key_ms, "listen_key", account.id, account.listen_key)
        heapq.heappush(floor.deadlines, entry)
    for asset in account.wallet if account.liquidating else ():
        heapq.heappush(floor.deadlines, (0, "liquidation", account.id, asset))
    for symbol, due_ms in account.countdowns.items():
        heapq.heappush(floor.deadlines, (due_ms, "countdown", account.id, symbol))


def restore_order(floor: Floor, account: Account, order: Order) -> None:
    if not order.open:
        account.orders[order.order_id] = order
        account.by_client[order.symbol, order.client_order_id] = order.order_id
        return
    account.keep(order)
    if order.good_till_ms:
        name = str(order.order_id)
        heapq.heappush(floor.deadlines, (order.good_till_ms, "order", account.id, name))
    market = floor.markets.get(order.symbol)
    if market is None or order.type is OrderType.MARKET:
        order.status = OrderStatus.EXPIRED
        account.close(order)


def restore_algo(floor: Floor, account: Account, algo: Any) -> None:
    account.algos[algo.algo_id] = algo
    account.algo_by_client[algo.client_algo_id] = algo.algo_id
    market = floor.markets.get(algo.symbol)
    if not algo.open or market is None:
        return
    account.open_algos[algo.algo_id] = algo
    market.algos[algo.algo_id] = algo
    if algo.status is AlgoStatus.TRIGGERING:
        heapq.heappush(floor.firing, (algo.fire_ms, algo.algo_id, account.id))
    if algo.good_till_ms:
        heapq.heappush(floor.deadlines, (algo.good_till_ms, "algo", account.id, str(algo.algo_id)))
