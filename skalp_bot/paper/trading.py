"""Regular orders: placing, amending, cancelling, and the venue's reduce-only rule."""

import heapq
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from skalp_bot.paper.account import Account
from skalp_bot.paper.book import Half
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.filters import (
    check_client_id,
    check_notional,
    check_order_count,
    check_percent_price,
    check_price,
    check_qty,
    check_shape,
    check_status,
    good_till,
    matched_price,
    reduces,
)
from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.margin import check_margin
from skalp_bot.paper.matching import end, room_to_reduce, sweep
from skalp_bot.paper.money import ZERO
from skalp_bot.paper.orders import (
    Amend,
    Amendment,
    Execution,
    Expiry,
    NewOrder,
    Order,
    OrderRef,
    OrderStatus,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    Stp,
    TimeInForce,
)
from skalp_bot.paper.user_events import order_update

STP_FREE = (TimeInForce.FOK, TimeInForce.GTX, TimeInForce.RPI)
POST_ONLY = (TimeInForce.GTX, TimeInForce.RPI)


def place(floor: Floor, account: Account, request: NewOrder, now_ms: int, *, dry: bool = False) -> Order:
    """Check and accept a new order; `dry` checks only."""
    market = floor.market(request.symbol)
    check_shape(account, request, now_ms)
    if request.time_in_force is TimeInForce.RPI and not market.spec.rpi:
        raise VenueError(-4188)
    order = drafted(floor, account, market, request, now_ms)
    check_status(market.spec, order.side, reduces=order.reduce_only)
    if account.liquidating:
        raise VenueError(-2023)
    check_qty(market.spec, order.qty, market=order.type is OrderType.MARKET)
    if order.type is OrderType.LIMIT:
        check_price(market.spec, order.price)
        check_percent_price(floor, market, order.side, order.price)
    check_client_id(account, order.symbol, order.client_order_id)
    if not reduces(account, order):
        check_notional(market, order.qty, order.price)
    submit(floor, account, market, order, now_ms, dry=dry)
    return order


def drafted(floor: Floor, account: Account, market: Market, request: NewOrder, now_ms: int) -> Order:
    """Turn a request into the order it would become; takes an order id."""
    order_id = floor.ids.take("order")
    mode = request.price_match or PriceMatch.NONE
    price = request.price or ZERO
    if mode is not PriceMatch.NONE:
        price = matched_price(market, request.side, mode)
    assert_qty = request.qty if request.qty is not None else ZERO
    side = request.position_side or PositionSide.BOTH
    force = request.time_in_force or TimeInForce.GTC
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(side) is request.side
    return Order(
        account_id=account.id,
        order_id=order_id,
        client_order_id=request.client_order_id or f"venue_{order_id}",
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        orig_type=request.type,
        position_side=side,
        time_in_force=force,
        qty=assert_qty,
        qty_accepted=assert_qty,
        price=price,
        reduce_only=bool(request.reduce_only) or (account.dual and closing),
        close_position=False,
        stp=Stp.NONE if force in STP_FREE else request.stp or Stp.EXPIRE_MAKER,
        price_match=mode,
        good_till_ms=good_till(request.time_in_force, request.good_till_ms),
        created_ms=now_ms,
        updated_ms=now_ms,
        resp_type=request.resp_type,
    )


def submit(
    floor: Floor, account: Account, market: Market, order: Order, now_ms: int, *, dry: bool = False
) -> None:
    """Let an order that passed the filters meet the matching engine, or refuse it without a trace."""
    check_order_count(account, market)
    if order.reduce_only:
        room = room_to_reduce(account, order.symbol, order.side, order.position_side)
        if room <= 0 or (account.dual and order.qty > room):
            raise VenueError(-2022)
        order.qty = min(order.qty, room)
    check_margin(floor, account, market, order)
    limit = check_crossing(floor, market, order)
    if dry:
        return
    account.keep(order)
    order_update(floor, order, Execution.NEW, now_ms)
    sweep(floor, market, order, limit, now_ms)
    settle_rest(floor, market, order, now_ms)


def check_crossing(floor: Floor, market: Market, order: Order) -> Decimal | None:
    """Refuse GTX that would take, FOK that would not fill, and a market order without a price in its bound.

    Returns the worst price the order may trade at; None is no limit.
    """
    half = market.half(order.side.opposite)
    best = half.best
    if order.type is OrderType.MARKET:
        if best is None:
            raise VenueError(-1112)
        limit = market_limit(floor, market, order.side)
        if limit is not None and not half.reaches(best, limit):
            raise VenueError(-4131)
        return limit
    crosses = best is not None and half.reaches(best, order.price)
    if order.time_in_force in POST_ONLY and crosses:
        raise VenueError(-5022)
    if order.time_in_force is TimeInForce.FOK and fillable(floor, half, order) < order.qty:
        raise VenueError(-5021)
    return order.price


def fillable(floor: Floor, half: Half, order: Order) -> Decimal:
    """How much a taker would get now; a reduce-only maker gives no more than its position then allows."""
    found = ZERO
    given: dict[tuple[str, PositionSide], Decimal] = {}
    for price in half.from_best():
        if found >= order.qty or not half.reaches(price, order.price):
            break
        found += half.free(price)
        for maker in half.queues.get(price, ()):
            key = (maker.account_id, maker.position_side)
            qty = maker.left
            if maker.reduce_only:
                account = floor.accounts[maker.account_id]
                room = room_to_reduce(account, maker.symbol, maker.side, maker.position_side)
                qty = max(ZERO, min(qty, room - given.get(key, ZERO)))
            given[key] = given.get(key, ZERO) + qty
            found += qty
    return found


def market_limit(floor: Floor, market: Market, side: Side) -> Decimal | None:
    """How far from mark a market order may walk: to the nearer of `marketTakeBound` and PERCENT_PRICE."""
    if market.mark is None:
        return None
    spec = market.spec
    bounds = [1 + side.sign * spec.market_take_bound] if spec.market_take_bound else []
    percent = spec.multiplier_up if side is Side.BUY else spec.multiplier_down
    if percent and floor.settings.percent_price:
        bounds.append(percent)
    nearer = min if side is Side.BUY else max
    return market.mark.mark * nearer(bounds) if bounds else None


def settle_rest(floor: Floor, market: Market, order: Order, now_ms: int) -> None:
    """What becomes of the part that did not trade at once."""
    if not order.open:
        return
    if order.type is OrderType.MARKET:
        end(floor, order, OrderStatus.EXPIRED, Expiry.MARKET, now_ms)
    elif order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        end(floor, order, OrderStatus.EXPIRED, Expiry.IOC, now_ms)
    else:
        order.place = floor.ids.take("place")
        market.half(order.side).join(order)
        if order.good_till_ms:
            name = str(order.order_id)
            heapq.heappush(floor.deadlines, (order.good_till_ms, "order", order.account_id, name))
        if order.reduce_only:
            floor.dirty[order.account_id, order.symbol] = None


def find(account: Account, ref: OrderRef) -> Order | None:
    order_id = ref.order_id
    if order_id is None and ref.client_order_id is not None:
        order_id = account.by_client.get((ref.symbol, ref.client_order_id))
    found = account.orders.get(order_id) if order_id is not None else None
    return found if found is not None and found.symbol == ref.symbol else None


def needs_id(ref: OrderRef) -> None:
    if ref.order_id is None and ref.client_order_id is None:
        raise VenueError(-1102, "orderid")


def cancel(floor: Floor, account: Account, ref: OrderRef, now_ms: int) -> Order:
    floor.market(ref.symbol)
    needs_id(ref)
    order = find(account, ref)
    if order is None or not order.open:
        raise VenueError(-2011)
    end(floor, order, OrderStatus.CANCELED, Expiry.NONE, now_ms)
    return order


def cancel_all(floor: Floor, account: Account, symbol: str, now_ms: int) -> None:
    floor.market(symbol)
    for order in account.open_orders(symbol):
        end(floor, order, OrderStatus.CANCELED, Expiry.NONE, now_ms)


def amend(floor: Floor, account: Account, request: Amend, now_ms: int) -> Order:
    """Change price and quantity of a resting limit order; it goes to the back of the queue."""
    market = floor.market(request.ref.symbol)
    needs_id(request.ref)
    order = find(account, request.ref)
    if order is not None and order.type is not OrderType.LIMIT:
        raise VenueError(-5025)
    if order is None or not order.open:
        raise VenueError(-2013)
    if order.time_in_force is TimeInForce.RPI:
        raise VenueError(-1020)
    price, qty = amended(floor, market, order, request)
    if order.amends >= floor.settings.amends_max:
        raise VenueError(-5026)
    if price == order.price and qty == order.qty:
        raise VenueError(-5027)
    if qty <= order.filled:
        end(floor, order, OrderStatus.CANCELED, Expiry.NONE, now_ms)
        return order
    half = market.half(order.side.opposite)
    crosses = half.best is not None and half.reaches(half.best, price)
    if crosses and order.time_in_force is TimeInForce.GTX:
        end(floor, order, OrderStatus.CANCELED, Expiry.NONE, now_ms)
        return order
    recheck_margin(floor, account, market, order, replace(order, price=price, qty=qty))
    requeue(floor, market, order, price, qty, now_ms)
    order.modify_id = request.modify_id
    if floor.settings.amend_drops_stp:
        order.stp = Stp.NONE
    order.price_match = request.price_match or PriceMatch.NONE
    order_update(floor, order, Execution.AMENDMENT, now_ms)
    sweep(floor, market, order, order.price, now_ms)
    settle_rest(floor, market, order, now_ms)
    return order


def amended(floor: Floor, market: Market, order: Order, request: Amend) -> tuple[Decimal, Decimal]:
    """Check what an amendment asks for; returns its price and quantity."""
    if market.spec.status != "TRADING":
        raise VenueError(-5024)
    if request.side is not order.side:
        raise VenueError(-1117)
    if request.reduce_only and not order.reduce_only:
        raise VenueError(-5047)
    mode = request.price_match or PriceMatch.NONE
    if mode is not PriceMatch.NONE and request.price is not None:
        raise VenueError(-1106, "price")
    if request.qty is None:
        raise VenueError(-1102, "quantity")
    price = request.price if mode is PriceMatch.NONE else matched_price(market, order.side, mode)
    if price is None:
        raise VenueError(-1102, "price")
    check_qty(market.spec, request.qty, market=False)
    check_price(market.spec, price)
    check_percent_price(floor, market, order.side, price)
    qty = request.qty
    if order.reduce_only:
        account = floor.accounts[order.account_id]
        room = room_to_reduce(account, order.symbol, order.side, order.position_side)
        qty = min(qty, order.filled + room)
    if not request.reduce_only:
        check_notional(market, request.qty, price, -5029)
    return price, qty


def recheck_margin(floor: Floor, account: Account, market: Market, order: Order, wanted: Order) -> None:
    """Check margin as if the old order were not there."""
    asked, order.qty = order.qty, order.filled
    account.rebind(order)
    try:
        check_margin(floor, account, market, wanted)
    finally:
        order.qty = asked
        account.rebind(order)


def requeue(floor: Floor, market: Market, order: Order, price: Decimal, qty: Decimal, now_ms: int) -> None:
    """Take an order off its place, change it and write the change down."""
    market.half(order.side).leave(order)
    order.amends += 1
    account = floor.accounts[order.account_id]
    row = Amendment(
        amendment_id=floor.ids.take("amendment"),
        symbol=order.symbol,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        t_ms=now_ms,
        price_before=order.price,
        price_after=price,
        qty_before=order.qty,
        qty_after=qty,
        count=order.amends,
    )
    account.amendments.append(row)
    order.price, order.qty, order.updated_ms = price, qty, now_ms
    account.rebind(order)


def enforce_reduce_only(floor: Floor, account: Account, symbol: str, now_ms: int) -> None:
    """Cut resting reduce-only orders to what is reducible; the best priced and oldest keep their size."""
    resting = [order for order in account.open_orders(symbol) if order.reduce_only]
    if not resting:
        return
    market = floor.markets[symbol]
    for key in ((s, p) for s in Side for p in PositionSide):
        orders = [order for order in resting if (order.side, order.position_side) == key]
        room = room_to_reduce(account, symbol, *key)
        for order in sorted(orders, key=rank(key[0])):
            kept = min(order.left, room)
            room -= kept
            if kept <= 0:
                end(floor, order, OrderStatus.EXPIRED, Expiry.REDUCE_ONLY, now_ms)
            elif kept < order.left:
                order.qty = order.filled + kept
                order.updated_ms = now_ms
                account.rebind(order)
                market.half(order.side).refresh(order.price)
                order_update(floor, order, Execution.AMENDMENT, now_ms)


def rank(side: Side) -> Callable[[Order], tuple[Decimal, int]]:
    """Order of execution: best price first, then age."""
    return lambda order: (-side.sign * order.price, order.order_id)
