"""What the venue refuses before anything is placed: presence, precision, filters, in the venue's order."""

from decimal import ROUND_DOWN, ROUND_UP, Decimal

from skalp_bot.paper.account import Account
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.money import ZERO, plain
from skalp_bot.paper.orders import (
    REGULAR_TYPES,
    NewOrder,
    Order,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    TimeInForce,
)
from skalp_bot.paper.symbols import SymbolSpec

GOOD_TILL_AFTER_MS = 600_000
GOOD_TILL_MAX_MS = 253_402_300_799_000
SUSPENDED = frozenset({PriceMatch.OPPONENT_10, PriceMatch.OPPONENT_20})
DEPTHS = {
    PriceMatch.OPPONENT: 1,
    PriceMatch.OPPONENT_5: 5,
    PriceMatch.QUEUE: 1,
    PriceMatch.QUEUE_5: 5,
    PriceMatch.QUEUE_10: 10,
    PriceMatch.QUEUE_20: 20,
}


def check_shape(account: Account, request: NewOrder, now_ms: int) -> None:
    """Refuse parameters that are missing, or sent where they have no place."""
    if request.type not in REGULAR_TYPES:
        raise VenueError(-4120)
    matched = request.price_match not in (None, PriceMatch.NONE)
    if request.type is OrderType.MARKET:
        check_market_shape(request, matched=matched)
    else:
        check_limit_shape(request, matched=matched)
    if request.reduce_only is not None and request.close_position:
        raise VenueError(-1106, "reduceonly")
    if request.close_position:
        raise VenueError(-4136, request.type, "true")
    if request.qty is None:
        raise VenueError(-1102, "quantity")
    check_position_side(account, request.position_side)
    if account.dual and request.reduce_only is not None:
        raise VenueError(-1106, "reduceonly")
    if request.time_in_force is TimeInForce.GTD:
        check_good_till(request.good_till_ms, now_ms)


def check_market_shape(request: NewOrder, *, matched: bool) -> None:
    if request.time_in_force is not None:
        raise VenueError(-1106, "timeInForce")
    if request.price is not None:
        raise VenueError(-1106, "price")
    if matched:
        raise VenueError(-5038)


def check_limit_shape(request: NewOrder, *, matched: bool) -> None:
    if request.time_in_force is None:
        raise VenueError(-1102, "timeinforce")
    if request.time_in_force is TimeInForce.GTE_GTC:
        raise VenueError(-1115)
    if request.price is None and not matched:
        raise VenueError(-1102, "price")
    if request.price is not None and matched:
        raise VenueError(-1106, "price")


def check_good_till(good_till_ms: int | None, now_ms: int) -> None:
    if good_till_ms is None:
        raise VenueError(-1102, "goodtilldate")
    if not now_ms + GOOD_TILL_AFTER_MS < good_till_ms < GOOD_TILL_MAX_MS:
        raise VenueError(-5040)


def good_till(force: TimeInForce | None, good_till_ms: int | None) -> int:
    """Keep the end of a GTD order, to the second below; other orders have none."""
    return (good_till_ms or 0) // 1000 * 1000 if force is TimeInForce.GTD else 0


def check_position_side(account: Account, side: PositionSide | None) -> None:
    hedged = side in (PositionSide.LONG, PositionSide.SHORT)
    if hedged is not account.dual:
        raise VenueError(-4061)


def check_status(spec: SymbolSpec, request_side: Side, *, reduces: bool) -> None:
    """Refuse what the symbol's state forbids."""
    if spec.status == "CLOSE":
        raise VenueError(-4141)
    if spec.status != "TRADING":
        raise VenueError(-4140)
    if reduces:
        return
    match spec.position_control:
        case "LONG" if request_side is Side.BUY:
            raise VenueError(-4106)
        case "SHORT" if request_side is Side.SELL:
            raise VenueError(-4107)
        case "BOTH":
            raise VenueError(-4105)
        case _:
            return


def decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def check_price(spec: SymbolSpec, price: Decimal) -> None:
    if price <= 0:
        raise VenueError(-4001)
    if decimals(price) > spec.price_precision:
        raise VenueError(-1111)
    if spec.price_max and price > spec.price_max:
        raise VenueError(-4002)
    if price < spec.price_min:
        raise VenueError(-4013)
    if spec.tick and price % spec.tick:
        raise VenueError(-4014)


def check_trigger_price(spec: SymbolSpec, price: Decimal) -> None:
    if price <= 0:
        raise VenueError(-4006)
    if decimals(price) > spec.price_precision:
        raise VenueError(-1111)
    if spec.price_max and price > spec.price_max:
        raise VenueError(-4007)
    if spec.tick and price % spec.tick:
        raise VenueError(-4014)


def check_qty(spec: SymbolSpec, qty: Decimal, *, market: bool) -> None:
    least, most, step = (
        (spec.market_qty_min, spec.market_qty_max, spec.market_step)
        if market
        else (spec.qty_min, spec.qty_max, spec.step)
    )
    if qty <= 0:
        raise VenueError(-4003)
    if decimals(qty) > spec.qty_precision:
        raise VenueError(-1111)
    if qty < least:
        raise VenueError(-4004)
    if qty > most:
        raise VenueError(-4005)
    if step and qty % step:
        raise VenueError(-4023)


def check_percent_price(floor: Floor, market: Market, side: Side, price: Decimal) -> None:
    """Bound the aggressive side of a limit price around the mark."""
    mark = market.mark.mark if market.mark else None
    if not floor.settings.percent_price or mark is None:
        return
    check_band(market.spec, side, price, mark, (-4016, -4024))


def check_band(spec: SymbolSpec, side: Side, price: Decimal, around: Decimal, codes: tuple[int, int]) -> None:
    """A buy at most `multiplierUp`, a sell at least `multiplierDown` times a reference price."""
    if side is Side.BUY and spec.multiplier_up:
        cap = (around * spec.multiplier_up / spec.tick).to_integral_value(ROUND_DOWN) * spec.tick
        if price > cap:
            raise VenueError(codes[0], plain(cap))
    if side is Side.SELL and spec.multiplier_down:
        low = (around * spec.multiplier_down / spec.tick).to_integral_value(ROUND_UP) * spec.tick
        if price < low:
            raise VenueError(codes[1], plain(low))


def check_notional(market: Market, qty: Decimal, price: Decimal, code: int = -4164) -> None:
    """Refuse an order that is too small; a market order counts at mark."""
    counted = price or market.mark_price() or ZERO
    if counted and qty * counted < market.spec.notional_min:
        raise VenueError(code, plain(market.spec.notional_min))


def check_order_count(account: Account, market: Market) -> None:
    symbol = market.spec.symbol
    algos = sum(1 for algo in account.open_algos.values() if algo.symbol == symbol)
    if len(account.open.get(symbol, ())) + algos >= market.spec.orders_max:
        raise VenueError(-2025)


def matched_price(market: Market, side: Side, mode: PriceMatch) -> Decimal:
    """Resolve a priceMatch: the N-th level of the opposite or of the own half; -5041 if there is none."""
    if mode in SUSPENDED:
        raise VenueError(-5037)
    opposite = mode.value.startswith("OPPONENT")
    levels = market.half(side.opposite if opposite else side).top(DEPTHS[mode])
    if len(levels) < DEPTHS[mode]:
        raise VenueError(-5041)
    return levels[-1][0]


def check_client_id(account: Account, symbol: str, client_order_id: str) -> None:
    known = account.by_client.get((symbol, client_order_id))
    if known is not None and account.orders[known].open:
        raise VenueError(-4116)


def reduces(account: Account, order: Order) -> bool:
    """Say whether an order can only make a position smaller (reduce-only, or the closing side of a hedge)."""
    if order.reduce_only:
        return True
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}
    return account.dual and closing.get(order.position_side) is order.side
