"""Margin calls and liquidation of cross positions: the simple form, whole positions at once."""

import heapq
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from skalp_bot.paper.account import Account, Position
from skalp_bot.paper.algo import finish
from skalp_bot.paper.floor import Floor, Market, add
from skalp_bot.paper.margin import asset_margin, maintenance
from skalp_bot.paper.market_events import publish_trade
from skalp_bot.paper.matching import Part, book_fill, end, sweep
from skalp_bot.paper.money import ZERO, cents, plain
from skalp_bot.paper.orders import (
    AlgoStatus,
    Execution,
    Expiry,
    Order,
    OrderStatus,
    OrderType,
    PriceMatch,
    Push,
    Side,
    Stp,
    TimeInForce,
)
from skalp_bot.paper.user_events import Why, account_update, order_update, tell


def check_accounts(floor: Floor, market: Market, now_ms: int) -> None:
    """After a new mark: call or liquidate whoever has too little margin for what is held here."""
    asset = market.spec.margin_asset
    for account in list(floor.accounts.values()):
        holds = any(position.qty for position in account.positions_of(market.spec.symbol))
        if account.liquidating or not holds:
            continue
        margin = asset_margin(floor, account, asset)
        if not margin.maintenance:
            continue
        if floor.settings.liquidation and margin.maintenance >= margin.balance:
            liquidate(floor, account, asset, now_ms)
        elif margin.maintenance >= margin.balance * floor.settings.margin_call_ratio:
            call(floor, account, asset, now_ms)


def held(floor: Floor, account: Account, asset: str) -> list[Position]:
    return [
        position
        for (symbol, _), position in account.positions.items()
        if position.qty and floor.symbols[symbol].margin_asset == asset
    ]


def call(floor: Floor, account: Account, asset: str, now_ms: int) -> None:
    if account.called_ms and now_ms - account.called_ms < floor.settings.margin_call_every_ms:
        return
    account.called_ms = now_ms
    rows = []
    for position in held(floor, account, asset):
        market = floor.markets[position.symbol]
        mark = market.mark_price() or position.entry
        rows.append(
            {
                "s": position.symbol,
                "ps": position.side,
                "pa": plain(position.qty),
                "mt": "CROSSED",
                "iw": "0",
                "mp": plain(mark),
                "up": plain(position.unrealized(mark)),
                "mm": plain(maintenance(market.spec, abs(position.qty) * mark)),
            }
        )
    wallet = plain(account.wallet.get(asset, ZERO))
    tell(floor, account, {"e": "MARGIN_CALL", "E": now_ms, "cw": wallet, "p": rows})


def liquidate(floor: Floor, account: Account, asset: str, now_ms: int) -> None:
    """Cancel every order; until the positions are taken over, the account may order nothing."""
    account.liquidating = True
    for symbol in sorted(account.open):
        for order in account.open_orders(symbol):
            end(floor, order, OrderStatus.EXPIRED, Expiry.LIQUIDATION, now_ms)
    for algo in list(account.open_algos.values()):
        finish(floor, algo, AlgoStatus.EXPIRED, now_ms)
    due_ms = now_ms + floor.settings.liquidation_ms
    heapq.heappush(floor.deadlines, (due_ms, "liquidation", account.id, asset))


def take_over(floor: Floor, account: Account, asset: str, now_ms: int) -> None:
    """Close every position down to its bankruptcy price; the fund bears the rest."""
    for position in held(floor, account, asset):
        close_out(floor, account, position, asset, now_ms)
    wallet = account.wallet.get(asset, ZERO)
    if wallet < 0:
        clear(floor, account, asset, -wallet, "", now_ms)
    account.liquidating = False


def close_out(floor: Floor, account: Account, position: Position, asset: str, now_ms: int) -> None:
    market = floor.markets[position.symbol]
    order = autoclose(floor, account, position, bankruptcy(floor, account, position, asset), now_ms)
    account.keep(order)
    order_update(floor, order, Execution.NEW, now_ms)
    sweep(floor, market, order, order.price, now_ms)
    if order.open:
        hand_over(floor, market, order, now_ms)
    told_force(floor, market, order, now_ms)
    charged = order.cum_quote * market.spec.liquidation_fee
    fee = min(cents(charged), max(ZERO, account.wallet.get(asset, ZERO)))
    if fee:
        clear(floor, account, asset, -fee, position.symbol, now_ms)


def hand_over(floor: Floor, market: Market, order: Order, now_ms: int) -> None:
    """The fund takes what the book did not, at the order's price; such a print is no market trade."""
    price, qty = order.price, order.left
    sells = order.side is Side.SELL
    trade_id = publish_trade(floor, market, price, qty, now_ms, buyer_is_maker=sells, source="INSURANCE_FUND")
    book_fill(floor, order, price, qty, trade_id=trade_id, part=Part.FORCED, now_ms=now_ms)
    add(floor.totals.street, market.spec.margin_asset, order.side.sign * price * qty)


def clear(floor: Floor, account: Account, asset: str, amount: Decimal, symbol: str, now_ms: int) -> None:
    """Move money between an account and the insurance fund."""
    floor.pay(account, asset, amount, "INSURANCE_CLEAR", now_ms, symbol=symbol)
    add(floor.totals.insurance, asset, -amount)
    account_update(floor, account, Why(reason="INSURANCE_CLEAR", asset=asset, change=amount), now_ms)


def bankruptcy(floor: Floor, account: Account, position: Position, asset: str) -> Decimal:
    """Price at which closing the position leaves nothing, on the tick inside that."""
    market = floor.markets[position.symbol]
    mark = market.mark_price() or position.entry
    price = mark - asset_margin(floor, account, asset).balance / position.qty
    tick = market.spec.tick
    inside = ROUND_CEILING if position.qty > 0 else ROUND_FLOOR
    return max(tick, (price / tick).to_integral_value(inside) * tick)


def autoclose(floor: Floor, account: Account, position: Position, price: Decimal, now_ms: int) -> Order:
    order_id = floor.ids.take("order")
    return Order(
        account_id=account.id,
        order_id=order_id,
        client_order_id=f"autoclose-{now_ms}{order_id % 1_000_000:06}",
        symbol=position.symbol,
        side=Side.SELL if position.qty > 0 else Side.BUY,
        type=OrderType.LIMIT,
        position_side=position.side,
        time_in_force=TimeInForce.IOC,
        qty=abs(position.qty),
        qty_accepted=abs(position.qty),
        price=price,
        reduce_only=False,
        close_position=False,
        stp=Stp.NONE,
        price_match=PriceMatch.NONE,
        good_till_ms=0,
        created_ms=now_ms,
        updated_ms=now_ms,
    )


def told_force(floor: Floor, market: Market, order: Order, now_ms: int) -> None:
    spec = market.spec
    row: dict[str, object] = {
        "s": order.symbol,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": spec.qty_text(order.qty),
        "p": spec.price_text(order.price),
        "ap": spec.price_text(order.avg_price),
        "X": order.status,
        "l": spec.qty_text(order.filled),
        "z": spec.qty_text(order.filled),
        "T": now_ms,
    }
    payload: dict[str, object] = {"e": "forceOrder", "E": now_ms, "o": row, "ps": spec.pair, "st": 1}
    floor.pushes.append(Push(event="forceOrder", payload=payload, symbol=order.symbol))
