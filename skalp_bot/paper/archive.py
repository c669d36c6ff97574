"""What has ended is written once: fills, income, closed orders; only what still lives is written again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from skalp_bot.paper.account import Account
from skalp_bot.paper.floor import Floor
from skalp_bot.paper.orders import AlgoOrder, AlgoStatus, Order
from skalp_bot.paper.persist import HISTORIES, dump, plain_value

UNDER_WAY = frozenset({AlgoStatus.NEW, AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED})
Record = dict[str, Any]


@dataclass(slots=True)
class Mark:
    """How far one account has been archived, and which of its orders have not ended."""

    rows: dict[str, Any] = field(default_factory=dict)
    order_id: int = -1
    algo_id: int = -1
    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)


@dataclass(slots=True)
class Archive:
    """Splits a venue's state into what still changes and what never will again."""

    marks: dict[str, Mark] = field(default_factory=dict)

    def take(self, floor: Floor) -> tuple[dict[str, Any], list[Record]]:
        """Give the living state, and the records that ended since the last call."""
        ended: list[Record] = []
        for account in floor.accounts.values():
            mark = self.marks.setdefault(account.id, Mark())
            ended.extend({"account": account.id, **record} for record in ended_in(account, mark))
        living = {name: (mark.orders.values(), mark.algos.values()) for name, mark in self.marks.items()}
        return dump(floor, living), ended

    def resume(self, floor: Floor) -> None:
        """Start from a restored venue: what has ended there is archived already."""
        self.take(floor)


def ended_in(account: Account, mark: Mark) -> Iterator[Record]:
    for name in HISTORIES:
        for row in newer(getattr(account, name), mark.rows.get(name)):
            mark.rows[name] = row
            yield {"kind": name, "row": plain_value(row)}
    for order in reversed(account.orders.values()):
        if order.order_id <= mark.order_id:
            break
        mark.orders[order.order_id] = order
    mark.order_id = max([mark.order_id, *mark.orders])
    for order in [order for order in mark.orders.values() if not order.open]:
        del mark.orders[order.order_id]
        yield {"kind": "orders", "row": plain_value(order)}
    for algo in reversed(account.algos.values()):
        if algo.algo_id <= mark.algo_id:
            break
        mark.algos[algo.algo_id] = algo
    mark.algo_id = max([mark.algo_id, *mark.algos])
    for algo in [algo for algo in mark.algos.values() if algo.status not in UNDER_WAY]:
        del mark.algos[algo.algo_id]
        yield {"kind": "algos", "row": plain_value(algo)}


def newer(rows: Any, last: Any) -> list[Any]:
    """Take the rows appended after `last`, oldest first."""
    found: list[Any] = []
    for row in reversed(rows):
        if row is last:
            break
        found.append(row)
    found.reverse()
    return found


def whole(living: Mapping[str, Any], records: Iterable[Record]) -> dict[str, Any]:
    """Join the living state and the archive into what `Venue` takes as its state."""
    past: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        past.setdefault(record["account"], {}).setdefault(record["kind"], []).append(record["row"])
    accounts = []
    for account in living["accounts"]:
        rows = past.get(account["id"], {})
        orders = sorted([*rows.get("orders", []), *account["orders"]], key=lambda row: row["order_id"])
        algos = sorted([*rows.get("algos", []), *account["algos"]], key=lambda row: row["algo_id"])
        histories = {name: rows.get(name, []) for name in HISTORIES}
        accounts.append({**account, **histories, "orders": orders, "algos": algos})
    return {**living, "accounts": accounts}
