"""Builders of everyday values, so that a test names only what its story is about."""

from dataclasses import replace
from decimal import Decimal

from aurora.model.account import AccountSnapshot, OrderView
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.instrument import Instrument, LeverageBracket
from aurora.model.market import BookTicker, MarkPrice
from aurora.model.numbers import SECOND, Nanos, Price, Qty, Quote
from aurora.model.order import Namespace, Order, OrderIntent, OrderKey, OrderStatus, OrderType, Role, Side
from aurora.model.position import Position

BTC = "BTCUSDT"
ETH = "ETHUSDT"
START = Nanos(1_780_000_000 * SECOND)


def at(seconds: float) -> Nanos:
    """So many seconds into the story."""
    return Nanos(START + round(seconds * SECOND))


def instrument(symbol: str = BTC) -> Instrument:
    return Instrument(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        trading=True,
        tick_size=Price(Decimal("0.10")),
        price_min=Price(Decimal("0.10")),
        price_max=Price(Decimal(1000000)),
        step_size=Qty(Decimal("0.001")),
        qty_min=Qty(Decimal("0.001")),
        qty_max=Qty(Decimal(1000)),
        market_step_size=Qty(Decimal("0.001")),
        market_qty_min=Qty(Decimal("0.001")),
        market_qty_max=Qty(Decimal(120)),
        notional_min=Quote(Decimal(100)),
        multiplier_up=Decimal("1.05"),
        multiplier_down=Decimal("0.95"),
        market_take_bound=Decimal("0.05"),
        trigger_protect=Decimal("0.05"),
        brackets=(
            LeverageBracket(
                leverage=125,
                notional_floor=Quote(Decimal(0)),
                notional_cap=Quote(Decimal(300_000)),
                maint_margin_ratio=Decimal("0.004"),
                maint_amount=Quote(Decimal(0)),
            ),
        ),
    )


def tick(
    bid: float = 50_000.0,
    ask: float = 50_000.1,
    *,
    symbol: str = BTC,
    bid_qty: float = 1.0,
    ask_qty: float = 1.0,
    when: Nanos = START,
    update_id: int = 1,
) -> BookTicker:
    """A quote that took a millisecond to arrive."""
    mid = (bid + ask) / 2
    return BookTicker(
        symbol=symbol,
        bid=bid,
        bid_qty=bid_qty,
        ask=ask,
        ask_qty=ask_qty,
        bid_text=str(bid),
        ask_text=str(ask),
        update_id=update_id,
        ts_event=Nanos(when - 1_000_000),
        ts_recv=when,
        mid_low=mid,
        mid_high=mid,
        bid_low=bid,
        ask_high=ask,
    )


def mark(price: float = 50_000.0, *, symbol: str = BTC, when: Nanos = START) -> MarkPrice:
    return MarkPrice(
        symbol=symbol,
        mark=price,
        index=price,
        funding_rate=0.0001,
        next_funding=Nanos(when + 3_600 * SECOND),
        ts_event=when,
        ts_recv=when,
    )


def fill(
    trade_id: int,
    side: Side = Side.BUY,
    qty: str = "0.010",
    price: str = "50000",
    *,
    symbol: str = BTC,
    fee: str = "0.25",
    fee_asset: str = "USDT",
    realized: str = "0",
    client_id: str = "",
    when: Nanos = START,
) -> Fill:
    return Fill(
        symbol=symbol,
        trade_id=trade_id,
        client_id=client_id,
        exchange_id="",
        side=side,
        price=Price(Decimal(price)),
        qty=Qty(Decimal(qty)),
        fee=Quote(Decimal(fee)),
        fee_asset=fee_asset,
        realized=Quote(Decimal(realized)),
        maker=False,
        ts_event=when,
        ts_recv=when,
    )


def flow(
    amount: str,
    kind: FlowKind = FlowKind.FUNDING,
    *,
    flow_id: str = "",
    asset: str = "USDT",
    symbol: str = "",
    when: Nanos = START,
) -> CashFlow:
    return CashFlow(
        kind=kind,
        asset=asset,
        amount=Quote(Decimal(amount)),
        symbol=symbol,
        label=kind.value,
        flow_id=flow_id,
        ts_event=when,
        ts_recv=when,
    )


def intent(
    side: Side = Side.BUY,
    qty: str | None = "0.010",
    *,
    symbol: str = BTC,
    kind: OrderType = OrderType.MARKET,
    role: Role = Role.ENTRY,
    price: str | None = None,
    trigger: str | None = None,
    reduce_only: bool = False,
    close_position: bool = False,
) -> OrderIntent:
    return OrderIntent(
        symbol=symbol,
        side=side,
        type=kind,
        role=role,
        qty=None if qty is None else Qty(Decimal(qty)),
        price=None if price is None else Price(Decimal(price)),
        trigger=None if trigger is None else Price(Decimal(trigger)),
        reduce_only=reduce_only,
        close_position=close_position,
    )


def order(
    client_id: str,
    wanted: OrderIntent | None = None,
    status: OrderStatus = OrderStatus.PENDING_NEW,
    *,
    filled: str = "0",
    epoch: int = 1,
    when: Nanos = START,
) -> Order:
    asked = wanted if wanted is not None else intent()
    return Order(
        key=OrderKey(namespace=asked.namespace, client_id=client_id),
        intent=asked,
        position_epoch=epoch,
        status=status,
        created_at=when,
        updated_at=when,
        filled=Qty(Decimal(filled)),
        booked=Qty(Decimal(filled)),
    )


def view(known: Order) -> OrderView:
    """The order as the exchange would list it."""
    return OrderView(
        namespace=known.key.namespace,
        symbol=known.intent.symbol,
        client_id=known.key.client_id,
        exchange_id=known.exchange_id,
        side=known.intent.side,
        type=known.intent.type,
        status=known.status,
        qty=known.intent.qty or Qty(Decimal(0)),
        filled=known.filled,
        price=known.intent.price or Price(Decimal(0)),
        trigger=known.intent.trigger or Price(Decimal(0)),
        reduce_only=known.intent.reduce_only,
        close_position=known.intent.close_position,
        ts_event=known.updated_at,
    )


def stranger(client_id: str, namespace: Namespace = Namespace.REGULAR) -> OrderView:
    """A listed order with an id of one's choice."""
    seen = view(order(client_id, intent(kind=OrderType.LIMIT, price="49000"), OrderStatus.NEW))
    return replace(seen, namespace=namespace)


def snapshot(when: Nanos = START) -> AccountSnapshot:
    """A complete look at an empty account."""
    return AccountSnapshot(
        symbol=None,
        positions=(),
        orders=(),
        algo_orders=(),
        balances=(),
        requested_at=when,
        ts_recv=Nanos(when + 50_000_000),
    )


def position(qty: str = "0.010", entry: str = "50000", symbol: str = BTC) -> Position:
    return Position(symbol=symbol, qty=Qty(Decimal(qty)), entry=Price(Decimal(entry)))
