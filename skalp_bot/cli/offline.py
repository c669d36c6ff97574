"""What the journal alone can tell: books, positions and open orders, folded anew from every fact."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

from aurora.model.facts import (
    CleanStop,
    Fact,
    FillBooked,
    FlowBooked,
    OrderForgotten,
    OrderMoved,
    OrderOpened,
    PositionAdopted,
    TradingStateChanged,
    WalletOpened,
)
from aurora.model.fill import FlowKind
from aurora.model.numbers import CONTEXT, ZERO
from aurora.model.order import Order, OrderKey
from aurora.model.position import Position
from skalp_bot.cli.errors import CommandError
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import Row

CAUSES = {FlowKind.FUNDING: "funding", FlowKind.TRANSFER: "transfers", FlowKind.OTHER: "other"}


@dataclass(slots=True, kw_only=True)
class Account:
    """One asset's wallet, by cause."""

    opened: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    transfers: Decimal = ZERO
    other: Decimal = ZERO

    def add(self, cause: str, amount: Decimal) -> None:
        setattr(self, cause, CONTEXT.add(getattr(self, cause), amount))

    @property
    def wallet(self) -> Decimal:
        gained = (self.opened, self.realized, self.funding, self.transfers, self.other)
        return CONTEXT.subtract(reduce(CONTEXT.add, gained), self.fees)


@dataclass(slots=True, kw_only=True)
class Books:
    """A second, independent fold of the facts: it shares no code with the daemon's own ledger."""

    quote: str = "USDT"
    accounts: dict[str, Account] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[OrderKey, Order] = field(default_factory=dict)
    trading: TradingStateChanged | None = None
    last: Row | None = None
    clean: bool = False

    def account(self, asset: str) -> Account:
        return self.accounts.setdefault(asset, Account())

    def fold(self, fact: Fact) -> None:
        match fact:
            case WalletOpened():
                self.account(fact.asset).opened = fact.wallet
                self.quote = fact.asset
            case FillBooked() | FlowBooked() | PositionAdopted():
                self.money(fact)
            case OrderOpened(order=order):
                self.orders[order.key] = order
            case OrderMoved():
                self.moved(fact)
            case OrderForgotten():
                self.orders.pop(fact.key, None)
            case TradingStateChanged():
                self.trading = fact
            case _:
                pass
        self.clean = isinstance(fact, CleanStop)

    def money(self, fact: FillBooked | FlowBooked | PositionAdopted) -> None:
        match fact:
            case FillBooked(fill=fill):
                self.account(self.quote).add("realized", fill.realized)
                self.account(fill.fee_asset).add("fees", fill.fee)
                held = self.positions.get(fill.symbol, Position(symbol=fill.symbol))
                self.positions[fill.symbol] = held.after(fill.side, fill.price, fill.qty)
            case FlowBooked(flow=flow, told_before=False):
                self.account(flow.asset).add(CAUSES[flow.kind], flow.amount)
            case PositionAdopted():
                self.positions[fact.symbol] = Position(symbol=fact.symbol, qty=fact.qty, entry=fact.entry)
            case _:
                pass

    def moved(self, fact: OrderMoved) -> None:
        order = self.orders.get(fact.key)
        if order is not None:
            self.orders[fact.key] = replace(order, status=fact.status, filled=fact.filled)


def read(path: Path) -> tuple[Books, JournalReader]:
    reader = JournalReader(path)
    books = Books()
    for row in reader.read_rows():
        books.last = row
        for fact in row.durable_facts:
            books.fold(fact)
    return books, reader


def status(path: Path) -> dict[str, Any]:
    books, reader = read(path)
    account = reader.account
    changed = books.trading
    reader.close()
    return {
        "running": False,
        "venue": account.venue,
        "last_row": books.last.id if books.last else 0,
        "last_at": clock_text(books.last.ts) if books.last else "",
        "stopped_cleanly": books.clean,
        "trading": {
            "state": changed.state.value if changed else "ACTIVE",
            "halt_id": changed.halt_id if changed else "",
            "by": changed.by if changed else "",
            "reason": changed.reason if changed else "",
        },
        "wallet": str(books.account(books.quote).wallet),
        "quote_asset": books.quote,
        "orders_open": len(open_orders(books)),
        "positions": list(held(books)),
    }


def positions(path: Path) -> dict[str, Any]:
    books, reader = read(path)
    reader.close()
    return {"positions": list(held(books))}


def orders(path: Path) -> dict[str, Any]:
    books, reader = read(path)
    reader.close()
    return {
        "orders": [
            {
                "id": order.key.client_id,
                "symbol": order.intent.symbol,
                "role": order.intent.role.name,
                "side": order.intent.side.value,
                "type": order.intent.type.value,
                "status": order.status.value,
                "qty": "all" if order.intent.qty is None else str(order.intent.qty),
                "filled": str(order.filled),
                "price": None if order.intent.price is None else str(order.intent.price),
                "trigger": None if order.intent.trigger is None else str(order.intent.trigger),
            }
            for order in open_orders(books)
        ]
    }


def ledger(path: Path) -> dict[str, Any]:
    books, reader = read(path)
    rows = reader.verify_chain()
    reader.close()
    return {
        "rows_verified": rows,
        "assets": [
            {
                "asset": asset,
                "opened": str(account.opened),
                "realized_pnl": str(account.realized),
                "fees": str(account.fees),
                "funding": str(account.funding),
                "transfers": str(account.transfers),
                "other": str(account.other),
                "wallet": str(account.wallet),
            }
            for asset, account in sorted(books.accounts.items())
        ],
        "positions": list(held(books)),
    }


def why(path: Path, name: str) -> dict[str, Any]:
    import importlib

    found: dict[str, Any] = importlib.import_module("skalp_bot.runner.explain").why(path, name)
    if not found["found"]:
        raise CommandError(f"id {name!r} is not in the journal {path}; `skalp-bot orders` lists open ids")
    return found


def held(books: Books) -> Iterator[dict[str, str]]:
    for symbol, position in sorted(books.positions.items()):
        if not position.flat:
            yield {"symbol": symbol, "qty": str(position.qty), "entry": str(position.entry)}


def open_orders(books: Books) -> list[Order]:
    return [order for order in books.orders.values() if order.open]


def clock_text(nanos: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(nanos // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
