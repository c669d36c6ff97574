"""Conditional orders: placing, watching prices, firing, and telling how each ended."""

import heapq
from decimal import Decimal

from skalp_bot.paper.account import Account
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.filters import (
    check_band,
    check_good_till,
    check_notional,
    check_order_count,
    check_position_side,
    check_price,
    check_qty,
    check_status,
    check_trigger_price,
    good_till,
    matched_price,
    reduces,
)
from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.money import ZERO, plain
from skalp_bot.paper.orders import (
    CONDITIONAL_TYPES,
    MARKET_ALGOS,
    STOPS,
    TAKES,
    AlgoOrder,
    AlgoRef,
    AlgoStatus,
    NewAlgo,
    Order,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    Stp,
    TimeInForce,
    WorkingType,
)
from skalp_bot.paper.trading import submit
from skalp_bot.paper.user_events import algo_update, trigger_reject

HUNDRED = Decimal(100)


def place_algo(floor: Floor, account: Account, request: NewAlgo, now_ms: int) -> AlgoOrder:
    """Check and accept a conditional order; margin is looked at only when it fires."""
    market = floor.market(request.symbol)
    check_algo_shape(account, request, now_ms)
    check_status(market.spec, request.side, reduces=request.close_position or bool(request.reduce_only))
    if account.liquidating:
        raise VenueError(-2023)
    check_algo_numbers(floor, market, request)
    if request.client_algo_id is not None and is_open(account, request.client_algo_id):
        raise VenueError(-4116)
    if len(account.open_algos) >= floor.settings.algo_orders_max:
        raise VenueError(-4045)
    check_order_count(account, market)
    if request.close_position and any(closes_alike(algo, request) for algo in account.open_algos.values()):
        raise VenueError(-4130)
    algo = drafted_algo(floor, account, request, now_ms)
    refuse_if_true(market, algo)
    account.algos[algo.algo_id] = algo
    account.open_algos[algo.algo_id] = algo
    account.algo_by_client[algo.client_algo_id] = algo.algo_id
    market.algos[algo.algo_id] = algo
    if algo.good_till_ms:
        heapq.heappush(floor.deadlines, (algo.good_till_ms, "algo", account.id, str(algo.algo_id)))
    algo_update(floor, algo, now_ms)
    return algo


def check_algo_shape(account: Account, request: NewAlgo, now_ms: int) -> None:
    """Refuse parameters that are missing, or sent where they have no place."""
    if request.type not in CONDITIONAL_TYPES:
        raise VenueError(-1116)
    if request.time_in_force is TimeInForce.RPI:
        raise VenueError(-1115)
    check_position_side(account, request.position_side)
    if account.dual and request.reduce_only is not None:
        raise VenueError(-1106, "reduceonly")
    if request.close_position:
        check_close_position(account, request)
    elif request.qty is None:
        raise VenueError(-1102, "quantity")
    trailing = request.type is OrderType.TRAILING_STOP_MARKET
    if trailing and request.callback_rate is None:
        raise VenueError(-1102, "callbackrate")
    if not trailing and request.trigger_price is None:
        raise VenueError(-1102, "triggerprice")
    check_limit(request)
    if request.time_in_force is TimeInForce.GTD:
        check_good_till(request.good_till_ms, now_ms)


def check_limit(request: NewAlgo) -> None:
    matched = request.price_match not in (None, PriceMatch.NONE)
    if request.type in MARKET_ALGOS:
        if matched:
            raise VenueError(-5038)
        if request.price is not None:
            raise VenueError(-1106, "price")
    elif request.price is None and not matched:
        raise VenueError(-1102, "price")
    elif request.price is not None and matched:
        raise VenueError(-1106, "price")


def check_close_position(account: Account, request: NewAlgo) -> None:
    if request.type not in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET):
        raise VenueError(-4136, request.type, "true")
    if request.qty is not None:
        raise VenueError(-4137)
    if request.reduce_only is not None:
        raise VenueError(-1106, "reduceonly") if request.reduce_only else VenueError(-4138)
    opening = {PositionSide.LONG: Side.BUY, PositionSide.SHORT: Side.SELL}
    if account.dual and opening.get(request.position_side or PositionSide.BOTH) is request.side:
        raise VenueError(-4061)


def check_algo_numbers(floor: Floor, market: Market, request: NewAlgo) -> None:
    """Precision, filters and bands of quantity, trigger, limit, activation and callback."""
    spec = market.spec
    if request.qty is not None:
        check_qty(spec, request.qty, market=request.type in MARKET_ALGOS)
    if request.trigger_price is not None and request.type is not OrderType.TRAILING_STOP_MARKET:
        check_trigger_price(spec, request.trigger_price)
        check_trigger_band(floor, market, request.trigger_price)
    if request.price is not None:
        check_price(spec, request.price)
        if floor.settings.limit_band and request.trigger_price is not None:
            check_band(spec, request.side, request.price, request.trigger_price, (-4183, -4184))
    if request.type is OrderType.TRAILING_STOP_MARKET:
        rate = request.callback_rate or ZERO
        if not Decimal("0.1") <= rate <= Decimal(10):
            raise VenueError(-1130, "callbackRate")
        if request.activate_price is not None:
            if request.activate_price <= 0:
                raise VenueError(-4135)
            check_trigger_price(spec, request.activate_price)
    small = request.qty is not None and not request.reduce_only and not request.close_position
    if small and request.qty is not None and not account_reduces(request):
        check_notional(market, request.qty, request.price or request.trigger_price or ZERO)


def account_reduces(request: NewAlgo) -> bool:
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}
    return closing.get(request.position_side or PositionSide.BOTH) is request.side


def check_trigger_band(floor: Floor, market: Market, trigger: Decimal) -> None:
    band, mark = floor.settings.trigger_band, market.mark_price()
    if not band or mark is None:
        return
    if trigger > mark * (1 + band):
        raise VenueError(-4210, plain(mark * (1 + band)))
    if trigger < mark * (1 - band):
        raise VenueError(-4211, plain(mark * (1 - band)))


def is_open(account: Account, client_algo_id: str) -> bool:
    known = account.algo_by_client.get(client_algo_id)
    return known is not None and known in account.open_algos


def closes_alike(algo: AlgoOrder, request: NewAlgo) -> bool:
    """Say whether an open order already closes the position in this direction with this type."""
    same = algo.symbol == request.symbol and algo.side is request.side and algo.type is request.type
    side = request.position_side or PositionSide.BOTH
    return same and algo.close_position and algo.position_side is side


def drafted_algo(floor: Floor, account: Account, request: NewAlgo, now_ms: int) -> AlgoOrder:
    algo_id = floor.ids.take("algo")
    return AlgoOrder(
        account_id=account.id,
        algo_id=algo_id,
        client_algo_id=request.client_algo_id or f"venue_algo_{algo_id}",
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        position_side=request.position_side or PositionSide.BOTH,
        time_in_force=request.time_in_force or TimeInForce.GTC,
        qty=request.qty or ZERO,
        price=request.price or ZERO,
        trigger_price=(request.trigger_price or ZERO)
        if request.type is not OrderType.TRAILING_STOP_MARKET
        else ZERO,
        working_type=request.working_type,
        price_match=request.price_match or PriceMatch.NONE,
        close_position=request.close_position,
        price_protect=request.price_protect,
        reduce_only=bool(request.reduce_only) or request.close_position,
        stp=request.stp or Stp.EXPIRE_MAKER,
        good_till_ms=good_till(request.time_in_force, request.good_till_ms),
        created_ms=now_ms,
        updated_ms=now_ms,
        activate_price=request.activate_price,
        callback_rate=request.callback_rate,
    )


def working_price(market: Market, working: WorkingType) -> Decimal | None:
    if working is WorkingType.MARK_PRICE:
        return market.mark_price()
    return market.last if market.last is not None else market.mark_price()


def refuse_if_true(market: Market, algo: AlgoOrder) -> None:
    """-2021: what would fire at once, or a trailing order whose activation price is already passed."""
    price = working_price(market, algo.working_type)
    if price is None:
        return
    if algo.type is OrderType.TRAILING_STOP_MARKET:
        if algo.activate_price is None:
            algo.activated, algo.extreme, algo.activate_price = True, price, price
        elif reached(algo.side.opposite, algo.activate_price, price):
            raise VenueError(-2021)
    elif is_true(algo, price):
        raise VenueError(-2021)


def reached(side: Side, level: Decimal, price: Decimal) -> bool:
    """BUY waits for the price to rise to the level, SELL for it to fall to the level."""
    return price >= level if side is Side.BUY else price <= level


def is_true(algo: AlgoOrder, price: Decimal) -> bool:
    """Say whether a price fires the order; a trailing order also moves its extreme."""
    if algo.type in STOPS:
        return reached(algo.side, algo.trigger_price, price)
    if algo.type in TAKES:
        return reached(algo.side.opposite, algo.trigger_price, price)
    if not algo.activated:
        if algo.activate_price is None or not reached(algo.side.opposite, algo.activate_price, price):
            return False
        algo.activated = True
    best = min if algo.side is Side.BUY else max
    algo.extreme = price if algo.extreme is None else best(algo.extreme, price)
    turn = 1 + algo.side.sign * (algo.callback_rate or ZERO) / HUNDRED
    return reached(algo.side, algo.extreme * turn, price) and price != algo.extreme


def watch(floor: Floor, market: Market, working: WorkingType, price: Decimal, now_ms: int) -> None:
    """A new last or mark price: arm what it fires."""
    for algo in list(market.algos.values()):
        if algo.status is AlgoStatus.NEW and algo.working_type is working and is_true(algo, price):
            arm(floor, market, algo, now_ms)


def arm(floor: Floor, market: Market, algo: AlgoOrder, now_ms: int) -> None:
    """The condition is true: TRIGGERING, and after the venue's delay the order is born."""
    if algo.price_protect and not protected(market):
        return
    algo.status = AlgoStatus.TRIGGERING
    algo.trigger_ms = algo.updated_ms = now_ms
    algo.fire_ms = now_ms + floor.settings.trigger_delay_ms
    heapq.heappush(floor.firing, (algo.fire_ms, algo.algo_id, algo.account_id))
    algo_update(floor, algo, now_ms)


def protected(market: Market) -> bool:
    """Price protection: mark and last must be close when the order fires."""
    mark, last = market.mark_price(), market.last
    if mark is None or last is None:
        return True
    return abs(mark - last) <= mark * market.spec.trigger_protect


def fire(floor: Floor, algo: AlgoOrder, now_ms: int) -> None:
    """Send the born order to the matching engine under the client id of its conditional order."""
    account = floor.accounts[algo.account_id]
    market = floor.markets[algo.symbol]
    held = account.held(algo.symbol, algo.position_side)
    if algo.close_position:
        if -held * algo.side.sign <= 0:
            finish(floor, algo, AlgoStatus.EXPIRED, now_ms)
            return
        algo.qty = abs(held)
    order = born(floor, algo, now_ms)
    try:
        order.price = priced(market, algo)
        if not reduces(account, order):
            check_notional(market, order.qty, order.price)
        submit(floor, account, market, order, now_ms)
    except VenueError as refusal:
        algo.reason = refusal.msg
        finish(floor, algo, AlgoStatus.REJECTED, now_ms)
        if floor.settings.trigger_reject_event:
            trigger_reject(floor, order, refusal.msg, now_ms)
        return
    algo.order_id = order.order_id
    algo.status = AlgoStatus.TRIGGERED
    algo.updated_ms = now_ms
    drop(floor, algo)
    algo_update(floor, algo, now_ms)
    if not order.open:
        conclude(floor, order, now_ms)


def priced(market: Market, algo: AlgoOrder) -> Decimal:
    if algo.price_match is PriceMatch.NONE:
        return algo.price
    return matched_price(market, algo.side, algo.price_match)


def born(floor: Floor, algo: AlgoOrder, now_ms: int) -> Order:
    kind = OrderType.MARKET if algo.type in MARKET_ALGOS else OrderType.LIMIT
    force = TimeInForce.GTC if algo.time_in_force is TimeInForce.GTE_GTC else algo.time_in_force
    return Order(
        account_id=algo.account_id,
        order_id=floor.ids.take("order"),
        client_order_id=algo.client_algo_id,
        symbol=algo.symbol,
        side=algo.side,
        type=kind,
        orig_type=kind,
        position_side=algo.position_side,
        time_in_force=force,
        qty=algo.qty,
        qty_accepted=algo.qty,
        price=algo.price,
        reduce_only=algo.reduce_only or account_closes(floor, algo),
        close_position=algo.close_position,
        stp=algo.stp,
        price_match=algo.price_match,
        good_till_ms=algo.good_till_ms,
        created_ms=now_ms,
        updated_ms=now_ms,
        algo_id=algo.algo_id,
        working_type=algo.working_type,
        price_protect=algo.price_protect,
    )


def account_closes(floor: Floor, algo: AlgoOrder) -> bool:
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}
    return floor.accounts[algo.account_id].dual and closing.get(algo.position_side) is algo.side


def conclude(floor: Floor, order: Order, now_ms: int) -> None:
    """The born order has ended: its conditional order is FINISHED, with what it achieved."""
    algo = floor.accounts[order.account_id].algos.get(order.algo_id)
    if algo is None or algo.status is not AlgoStatus.TRIGGERED:
        return
    algo.filled, algo.avg_price = order.filled, order.avg_price
    finish(floor, algo, AlgoStatus.FINISHED, now_ms)


def finish(floor: Floor, algo: AlgoOrder, status: AlgoStatus, now_ms: int) -> None:
    algo.status = status
    algo.updated_ms = now_ms
    drop(floor, algo)
    algo_update(floor, algo, now_ms)


def drop(floor: Floor, algo: AlgoOrder) -> None:
    """Take an order off the watch list."""
    floor.accounts[algo.account_id].open_algos.pop(algo.algo_id, None)
    floor.markets[algo.symbol].algos.pop(algo.algo_id, None)


def find_algo(account: Account, ref: AlgoRef) -> AlgoOrder | None:
    if ref.algo_id is None and ref.client_algo_id is None:
        raise VenueError(-1102, "algoid")
    algo_id = ref.algo_id
    if algo_id is None and ref.client_algo_id is not None:
        algo_id = account.algo_by_client.get(ref.client_algo_id)
    return account.algos.get(algo_id) if algo_id is not None else None


def cancel_algo(floor: Floor, account: Account, ref: AlgoRef, now_ms: int) -> AlgoOrder:
    algo = find_algo(account, ref)
    if algo is None or not algo.open:
        raise VenueError(-2011)
    if algo.status is AlgoStatus.TRIGGERING:
        raise VenueError(-4117)
    finish(floor, algo, AlgoStatus.CANCELED, now_ms)
    return algo


def cancel_all_algo(floor: Floor, account: Account, symbol: str, now_ms: int) -> None:
    floor.market(symbol)
    for algo in list(account.open_algos.values()):
        if algo.symbol == symbol and algo.status is AlgoStatus.NEW:
            finish(floor, algo, AlgoStatus.CANCELED, now_ms)


def expire_unneeded(floor: Floor, account: Account, symbol: str, now_ms: int) -> None:
    """Position gone: GTE_GTC orders that would have closed it expire with it."""
    for algo in list(account.open_algos.values()):
        if algo.symbol != symbol or algo.status is not AlgoStatus.NEW:
            continue
        bound = algo.time_in_force is TimeInForce.GTE_GTC or (
            algo.close_position and floor.settings.close_position_ends_when_flat
        )
        if bound and -account.held(symbol, algo.position_side) * algo.side.sign <= 0:
            finish(floor, algo, AlgoStatus.EXPIRED, now_ms)
