"""What the exchange says we have: positions, orders and balances as listed or streamed."""

from dataclasses import dataclass

from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import Namespace, OrderStatus, OrderType, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    symbol: str
    qty: Qty  # Signed.
    entry: Price
    ts_event: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as the exchange shows it; also how a query answers."""

    namespace: Namespace
    symbol: str
    client_id: str
    exchange_id: str
    side: Side
    type: OrderType
    status: OrderStatus
    qty: Qty  # Zero for closePosition.
    filled: Qty
    price: Price
    trigger: Price
    reduce_only: bool
    close_position: bool
    ts_event: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    asset: str
    wallet: Quote
    available: Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """One look at the account; a part that was not asked for is None, an empty one is ``()``.

    ``symbol`` limits the orders listed to one symbol; None means all of them.
    ``requested_at`` and ``ts_recv`` bracket the moment it describes.
    """

    symbol: str | None
    positions: tuple[PositionView, ...] | None
    orders: tuple[OrderView, ...] | None
    algo_orders: tuple[OrderView, ...] | None
    balances: tuple[BalanceView, ...] | None
    requested_at: Nanos
    ts_recv: Nanos
