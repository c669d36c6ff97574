"""Price-time matching: takers sweep the book, prints of the feed reach resting orders, fills are booked."""

from decimal import Decimal
from enum import Enum

from skalp_bot.paper.account import Account, Position, TradeRow
from skalp_bot.paper.book import Half
from skalp_bot.paper.floor import Floor, Market, add
from skalp_bot.paper.market import Trade, TradeFrame
from skalp_bot.paper.market_events import BOOK_KINDS, publish_trade
from skalp_bot.paper.money import ZERO, cents
from skalp_bot.paper.orders import Execution, Expiry, Order, OrderStatus, PositionSide, Side, Stp, TimeInForce
from skalp_bot.paper.user_events import Fill, Why, account_update, order_update, trade_lite


class Part(Enum):
    """What an order was in an execution: it waited, it came, or the insurance fund took it over."""

    MAKER = "maker"
    TAKER = "taker"
    FORCED = "forced"


def sweep(floor: Floor, market: Market, taker: Order, limit: Decimal | None, now_ms: int) -> None:
    """Trade against the opposite half, best price first, down to `limit`; the rest is left to the caller."""
    half = market.half(taker.side.opposite)
    while taker.open and taker.left:
        price = half.best
        if price is None or (limit is not None and not half.reaches(price, limit)):
            return
        match_level(floor, market, price, taker, now_ms)


def match_level(floor: Floor, market: Market, price: Decimal, taker: Order, now_ms: int) -> None:
    """Trade at one price in time order: feed quantity ahead of a resting order first, then that order."""
    half = market.half(taker.side.opposite)
    for maker in list(half.queues.get(price, ())):
        hit_feed(floor, market, price, taker, min(maker.ahead, half.free(price)), now_ms)
        if not (taker.open and taker.left):
            return
        if maker.account_id == taker.account_id and taker.stp is not Stp.NONE:
            if taker.stp in (Stp.EXPIRE_MAKER, Stp.EXPIRE_BOTH):
                end(floor, maker, OrderStatus.EXPIRED_IN_MATCH, Expiry.STP, now_ms)
            if taker.stp in (Stp.EXPIRE_TAKER, Stp.EXPIRE_BOTH):
                immediate = taker.time_in_force is TimeInForce.IOC
                why = Expiry.IOC_BY_STP if immediate else Expiry.STP
                end(floor, taker, OrderStatus.EXPIRED_IN_MATCH, why, now_ms)
                return
            continue
        qty = min(maker.left, reducible(floor, maker, now_ms), taker.left, reducible(floor, taker, now_ms))
        if qty > 0 and maker.open and taker.open:
            trade(floor, market, price, qty, maker=maker, taker=taker, now_ms=now_ms)
        if not (taker.open and taker.left):
            return
    hit_feed(floor, market, price, taker, half.free(price), now_ms)


def hit_feed(
    floor: Floor, market: Market, price: Decimal, taker: Order, available: Decimal, now_ms: int
) -> None:
    """Let a taker take displayed quantity of the feed; it stays taken until the feed changes the level."""
    if not available:
        return
    qty = min(taker.left, available, reducible(floor, taker, now_ms))
    if qty <= 0 or not taker.open:
        return
    half = market.half(taker.side.opposite)
    if qty > half.free(price):
        floor.totals.fills_beyond_displayed += 1
    move_up(half, price, qty)
    half.take(price, qty)
    trade(floor, market, price, qty, taker=taker, now_ms=now_ms)


def move_up(half: Half, price: Decimal, qty: Decimal) -> None:
    """Feed quantity in front was traded away: everybody waiting at the price moves up."""
    for order in half.queues.get(price, ()):
        order.ahead = max(ZERO, order.ahead - qty)


def trade(
    floor: Floor,
    market: Market,
    price: Decimal,
    qty: Decimal,
    *,
    now_ms: int,
    maker: Order | None = None,
    taker: Order | None = None,
) -> None:
    """One execution between two clients, or between a client and the rest of the market."""
    buyer_is_maker = maker.side is Side.BUY if maker else bool(taker and taker.side is Side.SELL)
    kind = "RPI" if maker is not None and maker.time_in_force is TimeInForce.RPI else "MARKET"
    trade_id = publish_trade(floor, market, price, qty, now_ms, buyer_is_maker=buyer_is_maker, source=kind)
    if maker is not None:
        book_fill(floor, maker, price, qty, trade_id=trade_id, part=Part.MAKER, now_ms=now_ms)
        half = market.half(maker.side)
        if maker.open:
            half.refresh(maker.price)
        else:
            half.leave(maker)
    if taker is not None:
        book_fill(floor, taker, price, qty, trade_id=trade_id, part=Part.TAKER, now_ms=now_ms)
    client = maker or taker
    if client is not None and (maker is None or taker is None):
        add(floor.totals.street, market.spec.margin_asset, client.side.sign * price * qty)


def reducible(floor: Floor, order: Order, now_ms: int) -> Decimal:
    """How much of an order its position lets it trade; a reduce-only one with nothing to reduce ends."""
    if not order.reduce_only:
        return order.left
    room = room_to_reduce(floor.accounts[order.account_id], order.symbol, order.side, order.position_side)
    if room <= 0:
        end(floor, order, OrderStatus.EXPIRED, Expiry.REDUCE_ONLY, now_ms)
        return ZERO
    return room


def room_to_reduce(account: Account, symbol: str, side: Side, position_side: PositionSide) -> Decimal:
    held = account.held(symbol, position_side)
    return max(ZERO, -held * side.sign)


def book_fill(
    floor: Floor, order: Order, price: Decimal, qty: Decimal, *, trade_id: int, part: Part, now_ms: int
) -> None:
    """Book one execution: position, wallet, income, trade row, and the three events in their order."""
    account = floor.accounts[order.account_id]
    spec = floor.symbols[order.symbol]
    asset = spec.margin_asset
    quote = price * qty
    maker = part is Part.MAKER
    told = Execution.CALCULATED if part is Part.FORCED else Execution.TRADE
    rate = floor.settings.maker_rate if maker else floor.settings.taker_rate
    if order.time_in_force is TimeInForce.RPI:
        rate += floor.settings.rpi_rate
    commission = cents(quote * rate)
    position = account.position(order.symbol, order.position_side)
    realized = move(floor, position, qty * order.side.sign, price, commission, now_ms)
    order.filled += qty
    order.cum_quote += quote
    order.updated_ms = now_ms
    order.status = OrderStatus.FILLED if order.filled >= order.qty else OrderStatus.PARTIALLY_FILLED
    if order.open:
        account.rebind(order)
    else:
        account.close(order)
    name = str(trade_id)
    floor.pay(account, asset, realized, "REALIZED_PNL", now_ms, symbol=order.symbol, trade=name)
    floor.pay(account, asset, -commission, "COMMISSION", now_ms, symbol=order.symbol, trade=name)
    add(floor.totals.fees, asset, commission)
    row = TradeRow(
        trade_id=trade_id,
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        position_side=order.position_side,
        price=price,
        qty=qty,
        quote=quote,
        commission=commission,
        asset=asset,
        realized=realized,
        maker=maker,
        t_ms=now_ms,
    )
    account.trades.append(row)
    fill = Fill(
        trade_id=trade_id, price=price, qty=qty, commission=commission, realized=realized, maker=maker
    )
    trade_lite(floor, order, fill, now_ms)
    if floor.settings.order_update_first:
        order_update(floor, order, told, now_ms, fill)
    account_update(floor, account, Why(reason="ORDER", asset=asset), now_ms, [position])
    if not floor.settings.order_update_first:
        order_update(floor, order, told, now_ms, fill)
    floor.dirty[account.id, order.symbol] = None
    if not order.open:
        floor.ended.append(order)


def move(
    floor: Floor, position: Position, delta: Decimal, price: Decimal, commission: Decimal, now_ms: int
) -> Decimal:
    """Change a position; returns realised profit and keeps the break-even burden and the rounding total."""
    before = position.qty
    realized, residue = position.apply(delta, price)
    if not position.qty:
        position.burden = ZERO
    elif before and (before > 0) != (position.qty > 0):
        position.burden = commission
    else:
        position.burden += commission - realized
    position.updated_ms = now_ms
    if residue:
        add(floor.totals.rounding, floor.symbols[position.symbol].margin_asset, residue)
    return realized


def end(
    floor: Floor, order: Order, status: OrderStatus, expiry: Expiry, now_ms: int, *, tell: bool = True
) -> None:
    """End an open order: off the book, out of the open orders, one last event."""
    account = floor.accounts[order.account_id]
    order.status = status
    order.expiry = expiry
    order.updated_ms = now_ms
    account.close(order)
    floor.markets[order.symbol].half(order.side).leave(order)
    if tell:
        cancelled = status is OrderStatus.CANCELED
        order_update(floor, order, Execution.CANCELED if cancelled else Execution.EXPIRED, now_ms)
    floor.ended.append(order)


def on_print(floor: Floor, market: Market, event: Trade, now_ms: int) -> None:
    """A print of the feed: what it traded through fills, then the queue at its price, within its size."""
    half = market.bids if event.buyer_is_maker else market.asks
    left, filled = event.qty, ZERO
    in_book = not isinstance(event.frame, TradeFrame) or event.frame.kind in BOOK_KINDS
    if (half.queues or half.hidden) and event.qty and in_book:
        prices = dict.fromkeys((*half.queues, *half.hidden))
        reached = [price for price in prices if not half.better(event.price, price)]
        for price in sorted(reached, reverse=half.side is Side.BUY):
            left, served = print_at(floor, market, half, price, left, now_ms, through=price != event.price)
            filled += served
    kept = event.frame if not filled and event.frame else "MARKET"
    if filled < event.qty or not event.qty:
        rest = event.qty - filled
        publish_trade(
            floor, market, event.price, rest, now_ms, buyer_is_maker=event.buyer_is_maker, source=kept
        )


def print_at(
    floor: Floor, market: Market, half: Half, price: Decimal, left: Decimal, now_ms: int, *, through: bool
) -> tuple[Decimal, Decimal]:
    """Let a print of size `left` reach the orders at one price; returns what is left, and what filled."""
    filled, displayed = ZERO, ZERO if through else half.free(price)
    for order in list(half.queues.get(price, ())):
        if through:
            order.ahead = ZERO
        passed = min(order.ahead, left)
        if passed:
            move_up(half, price, passed)
            left, displayed = left - passed, displayed - passed
        served = serve(floor, market, order, left, now_ms)
        left, filled = left - served, filled + served
    if price in half.hidden:
        left -= min(left, max(ZERO, displayed))  # RPI orders come after all that is displayed
        for order in list(half.hidden[price]):
            served = serve(floor, market, order, left, now_ms)
            left, filled = left - served, filled + served
    return left, filled


def serve(floor: Floor, market: Market, order: Order, left: Decimal, now_ms: int) -> Decimal:
    """Fill a resting order from what is left of a print; returns how much."""
    qty = min(order.left, reducible(floor, order, now_ms), left) if left else ZERO
    if qty <= 0 or not order.open:
        return ZERO
    trade(floor, market, order.price, qty, maker=order, now_ms=now_ms)
    return qty


def uncross(floor: Floor, market: Market, now_ms: int) -> None:
    """The feed displays liquidity at or through a resting order: it would have met that order, so it does."""
    for own, other in ((market.bids, market.asks), (market.asks, market.bids)):
        while own.queues:
            price, opposite = own.best_resting, other.best
            if price is None or opposite is None or own.better(opposite, price):
                break
            free = other.free(opposite)
            if free <= 0:
                break
            maker = own.queues[price][0]
            qty = min(free, maker.left, reducible(floor, maker, now_ms))
            if qty > 0 and maker.open:
                move_up(other, opposite, qty)
                other.take(opposite, qty)
                trade(floor, market, price, qty, maker=maker, now_ms=now_ms)
