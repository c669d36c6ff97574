"""Parameters into the venue's requests: which words are allowed, and the code each wrong word earns."""

from enum import StrEnum
from typing import TypeVar

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.klines import INTERVALS
from skalp_bot.paper.orders import (
    AlgoRef,
    Amend,
    NewAlgo,
    NewOrder,
    OrderRef,
    OrderType,
    PositionSide,
    PriceMatch,
    Query,
    RespType,
    Side,
    Stp,
    TimeInForce,
    WorkingType,
)
from skalp_bot.paper.params import Params

Word = TypeVar("Word", bound=StrEnum)
ORDER_MANDATORY = ("symbol", "side", "type")
ALGO_MANDATORY = ("algoType", "symbol", "side", "type")
AMEND_MANDATORY = ("symbol", "side", "quantity", "price")


def word(params: Params, name: str, words: type[Word], refusal: VenueError) -> Word | None:
    value = params.text(name)
    if value is None:
        return None
    if value not in words.__members__:
        raise refusal
    return words[value]


def side_of(params: Params) -> Side:
    side = word(params, "side", Side, VenueError(-1117))
    if side is None:
        raise VenueError(-1102, "side")
    return side


def type_of(params: Params) -> OrderType:
    kind = word(params, "type", OrderType, VenueError(-1116))
    if kind is None:
        raise VenueError(-1102, "type")
    return kind


def position_side_of(params: Params) -> PositionSide | None:
    return word(params, "positionSide", PositionSide, VenueError(-4060))


def tif_of(params: Params) -> TimeInForce | None:
    return word(params, "timeInForce", TimeInForce, VenueError(-1115))


def price_match_of(params: Params) -> PriceMatch | None:
    return word(params, "priceMatch", PriceMatch, VenueError(-5037))


def stp_of(params: Params) -> Stp | None:
    return word(params, "selfTradePreventionMode", Stp, VenueError(-5039))


def client_id(params: Params, name: str, empty: int) -> str | None:
    if name in params and not params.values[name.lower()]:
        raise VenueError(empty)
    return params.client_id(name)


def new_order(params: Params) -> NewOrder:
    params.need(*ORDER_MANDATORY)
    return NewOrder(
        symbol=params.must("symbol"),
        side=side_of(params),
        type=type_of(params),
        position_side=position_side_of(params),
        time_in_force=tif_of(params),
        qty=params.number("quantity"),
        price=params.number("price"),
        reduce_only=params.flag("reduceOnly", -4062),
        close_position=params.flag("closePosition"),
        client_order_id=client_id(params, "newClientOrderId", -1118),
        resp_type=word(params, "newOrderRespType", RespType, VenueError(-1136)) or RespType.ACK,
        price_match=price_match_of(params),
        stp=stp_of(params),
        good_till_ms=params.whole("goodTillDate"),
    )


def order_ref(params: Params) -> OrderRef:
    params.need("symbol")
    order_id = params.whole("orderId")
    name = client_id(params, "origClientOrderId", -1119)
    if order_id is None and name is None:
        raise VenueError(-1102, "orderid")
    return OrderRef(symbol=params.must("symbol"), order_id=order_id, client_order_id=name)


def amend(params: Params) -> Amend:
    price_match = price_match_of(params)
    params.need(*(AMEND_MANDATORY if price_match is None else AMEND_MANDATORY[:3]))
    return Amend(
        ref=order_ref(params),
        side=side_of(params),
        qty=params.number("quantity"),
        price=params.number("price"),
        price_match=price_match,
        reduce_only=params.flag("reduceOnly", -4062),
        modify_id=params.whole("modifyId"),
    )


def new_algo(params: Params) -> NewAlgo:
    params.need(*ALGO_MANDATORY)
    if params.must("algoType") != "CONDITIONAL":
        raise VenueError(-1130, "algoType")
    working = params.text("workingType")
    working_type = word(params, "workingType", WorkingType, VenueError(-4031, working))
    return NewAlgo(
        symbol=params.must("symbol"),
        side=side_of(params),
        type=type_of(params),
        position_side=position_side_of(params),
        time_in_force=tif_of(params),
        qty=params.number("quantity"),
        price=params.number("price"),
        trigger_price=params.number("triggerPrice"),
        working_type=working_type or WorkingType.CONTRACT_PRICE,
        price_match=price_match_of(params),
        close_position=params.flag("closePosition") or False,
        price_protect=params.flag("priceProtect") or False,
        reduce_only=params.flag("reduceOnly", -4062),
        activate_price=params.number("activatePrice"),
        callback_rate=params.number("callbackRate"),
        client_algo_id=client_id(params, "clientAlgoId", -1118),
        stp=stp_of(params),
        good_till_ms=params.whole("goodTillDate"),
    )


def algo_ref(params: Params) -> AlgoRef:
    algo_id = params.whole("algoId")
    name = client_id(params, "clientAlgoId", -1119)
    if algo_id is None and name is None:
        raise VenueError(-1102, "algoid")
    return AlgoRef(algo_id=algo_id, client_algo_id=name)


def interval_of(params: Params) -> str:
    interval = params.must("interval")
    if interval not in INTERVALS:
        raise VenueError(-1120)
    return interval


def times_of(params: Params) -> tuple[int | None, int | None]:
    """Read startTime and endTime; a start after its end is refused."""
    start, end = params.whole("startTime"), params.whole("endTime")
    if start is not None and end is not None and start > end:
        raise VenueError(-1023)
    return start, end


def query_of(params: Params, *, limit: int, most: int, symbol: str | None) -> Query:
    """Read which part of a history is wanted."""
    start, end = times_of(params)
    return Query(
        symbol=symbol,
        order_id=params.whole("orderId"),
        from_id=params.whole("fromId"),
        start_ms=start,
        end_ms=end,
        page=params.within("page", 1, 1, 1_000_000),
        limit=params.within("limit", limit, 1, most),
        income_type=params.text("incomeType"),
    )
