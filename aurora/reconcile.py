"""Our books held against the exchange's: every difference, typed; nothing is repaired here."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from aurora.model.account import AccountSnapshot, OrderView
from aurora.model.drift import Drift, DriftKind
from aurora.model.numbers import CONTEXT, ZERO, Qty, Quote
from aurora.model.order import LIVE, Namespace, Order, OrderStatus
from aurora.model.position import Position

ABSENT = "absent"


class BookedOrder(NamedTuple):
    """An open order in either's books; each look at the account makes two of every order."""

    namespace: Namespace
    client_id: str
    symbol: str
    filled: Qty
    settled: bool = True  # False: in flight, unknown or being cancelled; listed or not, both are right.


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One side's view of an account. A part that is None was not asked for, so it is not compared."""

    positions: tuple[tuple[str, Qty], ...] | None
    regular: tuple[BookedOrder, ...] | None
    algo: tuple[BookedOrder, ...] | None
    wallets: tuple[tuple[str, Quote], ...] | None


def diff(ours: Books, theirs: Books, prefix: str) -> tuple[Drift, ...]:
    """Every difference, in a fixed order. ``prefix`` begins the client ids of this daemon's orders."""
    found: list[Drift] = []
    if ours.positions is not None and theirs.positions is not None:
        found += position_drifts(dict(ours.positions), dict(theirs.positions))
    algo_ids = {order.client_id for order in ours.algo or ()}
    for held, listed in ((ours.regular, theirs.regular), (ours.algo, theirs.algo)):
        if held is not None and listed is not None:
            found += order_drifts(held, listed, algo_ids, prefix)
    if ours.wallets is not None and theirs.wallets is not None:
        found += wallet_drifts(dict(ours.wallets), dict(theirs.wallets))
    return tuple(sorted(found, key=lambda d: (d.kind, d.symbol, d.subject, d.ours, d.theirs)))


def our_books(
    positions: Iterable[Position],
    orders: Iterable[Order],
    wallets: Iterable[tuple[str, Quote]],
    snapshot: AccountSnapshot,
) -> Books:
    """What the snapshot can be held against; ``orders`` may be finished ones, too.

    An order that moved after the snapshot was asked for may be listed or not, also when that was its end.
    """
    regular: list[BookedOrder] = []
    algo: list[BookedOrder] = []
    for order in orders:
        known = order.open or order.updated_at >= snapshot.requested_at
        if known and snapshot.symbol in (None, order.intent.symbol):
            (regular if order.key.namespace is Namespace.REGULAR else algo).append(booked(order, snapshot))
    return Books(
        positions=tuple((position.symbol, position.qty) for position in positions),
        regular=tuple(regular),
        algo=tuple(algo),
        wallets=tuple(wallets),
    )


def their_books(snapshot: AccountSnapshot) -> Books:
    return Books(
        positions=None
        if snapshot.positions is None
        else tuple((view.symbol, view.qty) for view in snapshot.positions),
        regular=None if snapshot.orders is None else tuple(listed(view) for view in snapshot.orders),
        algo=None if snapshot.algo_orders is None else tuple(listed(view) for view in snapshot.algo_orders),
        wallets=None
        if snapshot.balances is None
        else tuple((view.asset, view.wallet) for view in snapshot.balances),
    )


def booked(order: Order, snapshot: AccountSnapshot) -> BookedOrder:
    settled = (
        order.status in LIVE
        and order.status is not OrderStatus.TRIGGERED  # Its child trades; the listing drops it any moment.
        and order.cancel_requested_at is None
        and max(order.updated_at, order.created_at) < snapshot.requested_at
    )
    key = order.key
    return BookedOrder(key.namespace, key.client_id, order.intent.symbol, order.filled, settled)


def listed(view: OrderView) -> BookedOrder:
    return BookedOrder(view.namespace, view.client_id, view.symbol, view.filled)


def position_drifts(ours: dict[str, Qty], theirs: dict[str, Qty]) -> list[Drift]:
    """A symbol that is not listed is flat."""
    return [
        Drift(
            kind=DriftKind.POSITION_QTY,
            subject=symbol,
            symbol=symbol,
            ours=text(ours.get(symbol, ZERO)),
            theirs=text(theirs.get(symbol, ZERO)),
        )
        for symbol in sorted({*ours, *theirs})
        if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    ]


def wallet_drifts(ours: dict[str, Quote], theirs: dict[str, Quote]) -> list[Drift]:
    return [
        Drift(
            kind=DriftKind.BALANCE,
            subject=asset,
            symbol="",
            ours=text(ours.get(asset, ZERO)),
            theirs=text(theirs.get(asset, ZERO)),
        )
        for asset in sorted({*ours, *theirs})
        if ours.get(asset, ZERO) != theirs.get(asset, ZERO)
    ]


def order_drifts(
    held: tuple[BookedOrder, ...], listed_now: tuple[BookedOrder, ...], algo_ids: set[str], prefix: str
) -> list[Drift]:
    """Of one namespace, so that the client's id tells orders apart."""
    ours = {order.client_id: order for order in held}
    theirs = {order.client_id: order for order in listed_now}
    drifts = [
        drift(DriftKind.ORDER_MISSING, order, text(order.filled), ABSENT)
        for order in held
        if order.settled and order.client_id not in theirs
    ]
    for order in listed_now:
        mine = ours.get(order.client_id)
        if mine is None:
            kind = stranger(order, algo_ids, prefix)
            if kind is not None:
                drifts.append(drift(kind, order, ABSENT, text(order.filled)))
        elif mine.filled != order.filled and mine.settled and order.namespace is Namespace.REGULAR:
            drifts.append(drift(DriftKind.ORDER_FILLED, order, text(mine.filled), text(order.filled)))
    return drifts


def stranger(order: BookedOrder, algo_ids: set[str], prefix: str) -> DriftKind | None:
    """What an order is that we do not hold; a triggered stop's child has its parent's id, and is ours."""
    if order.namespace is Namespace.REGULAR and order.client_id in algo_ids:
        return None
    return DriftKind.ORDER_EXTRA if order.client_id.startswith(prefix) else DriftKind.ORDER_FOREIGN


def drift(kind: DriftKind, order: BookedOrder, ours: str, theirs: str) -> Drift:
    return Drift(kind=kind, subject=order.client_id, symbol=order.symbol, ours=ours, theirs=theirs)


def text(value: Decimal) -> str:
    """Exact and without padding, so that equal numbers read alike."""
    return f"{value.normalize(CONTEXT):f}" if value else "0"
