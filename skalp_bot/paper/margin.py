"""Margin of one account: what positions and orders bind, what is free, where it would be liquidated."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from skalp_bot.paper.account import Account, Position
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.money import ZERO, cents, cents_down
from skalp_bot.paper.orders import Order, OrderType, PositionSide, Side
from skalp_bot.paper.symbols import Bracket, SymbolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMargin:
    """What one symbol binds."""

    position: Decimal = ZERO
    orders: Decimal = ZERO
    maintenance: Decimal = ZERO
    unrealized: Decimal = ZERO
    notional: Decimal = ZERO
    bids: Decimal = ZERO
    asks: Decimal = ZERO

    @property
    def initial(self) -> Decimal:
        return self.position + self.orders


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetMargin:
    """What all symbols of one margin asset bind together (cross)."""

    wallet: Decimal
    position: Decimal
    orders: Decimal
    maintenance: Decimal
    unrealized: Decimal

    @property
    def initial(self) -> Decimal:
        return self.position + self.orders

    @property
    def balance(self) -> Decimal:
        return self.wallet + self.unrealized

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.balance - self.initial)

    @property
    def withdrawable(self) -> Decimal:
        return max(ZERO, min(self.available, self.wallet))


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """An order that is being considered: its position side and its notional."""

    side: Side
    position_side: PositionSide
    notional: Decimal


def bracket_for(spec: SymbolSpec, notional: Decimal) -> Bracket:
    for bracket in spec.brackets:
        if notional <= bracket.cap:
            return bracket
    return spec.brackets[-1]


def cap_at(spec: SymbolSpec, leverage: int) -> Decimal:
    """Largest notional the brackets allow at a leverage."""
    return max((b.cap for b in spec.brackets if b.leverage >= leverage), default=ZERO)


def maintenance(spec: SymbolSpec, notional: Decimal) -> Decimal:
    """Notional x rate - cum of its bracket, truncated at 8 decimals."""
    bracket = bracket_for(spec, notional)
    return cents_down(notional * bracket.mmr - bracket.cum)


def symbol_margin(floor: Floor, account: Account, symbol: str, added: Added | None = None) -> SymbolMargin:
    """Initial and maintenance margin of one symbol; reduce-only orders bind nothing.

    One-way: the larger of |position + buys| and |position - sells| at mark, over leverage. Hedge: per side.
    """
    market = floor.markets[symbol]
    mark = market.mark_price() or ZERO
    leverage = floor.leverage(account, symbol)
    position_im = presented = maint = unrealized = net = bids_all = asks_all = ZERO
    sides = (PositionSide.LONG, PositionSide.SHORT) if account.dual else (PositionSide.BOTH,)
    for side in sides:
        position = account.positions.get((symbol, side))
        qty = position.qty if position else ZERO
        notional = qty * mark
        bids, asks = open_interest(account, symbol, side, added)
        if side is PositionSide.LONG:
            asks = ZERO
        elif side is PositionSide.SHORT:
            bids = ZERO
        presented += max(abs(notional + bids), abs(notional - asks)) if bids or asks else abs(notional)
        position_im += abs(notional)
        net += notional
        bids_all += bids
        asks_all += asks
        if position is not None and qty:
            maint += maintenance(market.spec, abs(notional))
            unrealized += position.unrealized(mark)
    bound = cents(position_im / leverage)
    return SymbolMargin(
        position=bound,
        orders=max(ZERO, cents(presented / leverage) - bound),
        maintenance=maint,
        unrealized=unrealized,
        notional=net,
        bids=bids_all,
        asks=asks_all,
    )


def open_interest(
    account: Account, symbol: str, side: PositionSide, added: Added | None
) -> tuple[Decimal, Decimal]:
    bids = account.binding(symbol, side, Side.BUY)
    asks = account.binding(symbol, side, Side.SELL)
    if added is not None and added.position_side is side:
        if added.side is Side.BUY:
            bids += added.notional
        else:
            asks += added.notional
    return bids, asks


def busy_symbols(account: Account) -> list[str]:
    """Symbols with a position or an open order, sorted."""
    names = {symbol for (symbol, _), position in account.positions.items() if position.qty}
    names.update(symbol for symbol, orders in account.open.items() if orders)
    return sorted(names)


def asset_margin(floor: Floor, account: Account, asset: str) -> AssetMargin:
    position = orders = maint = unrealized = ZERO
    for symbol in busy_symbols(account):
        if floor.symbols[symbol].margin_asset != asset:
            continue
        bound = symbol_margin(floor, account, symbol)
        position += bound.position
        orders += bound.orders
        maint += bound.maintenance
        unrealized += bound.unrealized
    return AssetMargin(
        wallet=account.wallet.get(asset, ZERO),
        position=position,
        orders=orders,
        maintenance=maint,
        unrealized=unrealized,
    )


def assumed_price(market: Market, order: Order, premium: Decimal) -> Decimal:
    """Price at which an order is charged margin before it trades; a market buy `premium` beyond the ask."""
    bid, ask = market.bids.best, market.asks.best
    mark = market.mark_price() or ZERO
    if order.side is Side.BUY:
        if order.type is OrderType.MARKET:
            return (ask if ask is not None else mark) * (1 + premium)
        return order.price
    if order.type is OrderType.MARKET:
        return bid if bid is not None else mark
    return max(order.price, bid if bid is not None else order.price)


def check_margin(floor: Floor, account: Account, market: Market, order: Order) -> None:
    """Refuse what the account cannot carry: -2027 beyond the leverage's bracket, -2019 beyond free margin."""
    if order.reduce_only:
        check_flip(floor, account, market, order)
        return
    symbol, spec = order.symbol, market.spec
    price = assumed_price(market, order, floor.settings.market_premium)
    added = Added(side=order.side, position_side=order.position_side, notional=order.left * price)
    before = symbol_margin(floor, account, symbol)
    after = symbol_margin(floor, account, symbol, added)
    cost = after.initial - before.initial
    if cost <= 0:
        return
    leverage = floor.leverage(account, symbol)
    grown = max(abs(after.notional + after.bids), abs(after.notional - after.asks))
    if grown > cap_at(spec, leverage):
        raise VenueError(-2027)
    mark = market.mark_price() or price
    open_loss = order.left * abs(min(ZERO, order.side.sign * (mark - price)))
    if cost + open_loss > asset_margin(floor, account, spec.margin_asset).available:
        raise VenueError(-2019)


def check_flip(floor: Floor, account: Account, market: Market, order: Order) -> None:
    """Refuse (-4118) what could flip, with open orders of its side, beyond what margin carries."""
    if not account.binding(order.symbol, order.position_side, order.side):
        return
    price = assumed_price(market, order, floor.settings.market_premium)
    added = Added(side=order.side, position_side=order.position_side, notional=order.left * price)
    before = symbol_margin(floor, account, order.symbol)
    cost = symbol_margin(floor, account, order.symbol, added).initial - before.initial
    if cost > asset_margin(floor, account, market.spec.margin_asset).available:
        raise VenueError(-4118)


def liquidation_price(floor: Floor, account: Account, position: Position) -> Decimal:
    """Mark price at which a one-way cross position meets its maintenance margin; zero where there is none.

    LP = (wallet - other maintenance + other unrealised + cum - s q E) / (q mmr - s q), with the bracket of
    the notional at LP found by iteration.
    """
    if not position.qty:
        return ZERO
    spec = floor.symbols[position.symbol]
    whole = asset_margin(floor, account, spec.margin_asset)
    own = symbol_margin(floor, account, position.symbol)
    free = whole.wallet - (whole.maintenance - own.maintenance) + (whole.unrealized - own.unrealized)
    qty, sign = abs(position.qty), 1 if position.qty > 0 else -1
    return at_bracket(spec.brackets, free=free, qty=qty, sign=sign, entry=position.entry)


def at_bracket(
    brackets: Sequence[Bracket], *, free: Decimal, qty: Decimal, sign: int, entry: Decimal
) -> Decimal:
    price = ZERO
    for bracket in brackets:
        price = (free + bracket.cum - sign * qty * entry) / (qty * bracket.mmr - sign * qty)
        if price * qty <= bracket.cap:
            break
    return max(ZERO, price)
