"""Orders over REST: place, amend, cancel, batches, queries."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from skalp_bot.paper.auth import check_time
from skalp_bot.paper.desk import Call
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.orders import CONDITIONAL_TYPES, Amend, Order, Query, Stp
from skalp_bot.paper.params import Params, from_json
from skalp_bot.paper.readers import (
    AMEND_MANDATORY,
    ORDER_MANDATORY,
    amend,
    new_order,
    order_ref,
    query_of,
)
from skalp_bot.paper.rest import Endpoint, Security, Weigh
from skalp_bot.paper.wire import new_order_row, order_row

BATCH_MAX, CANCEL_MAX = 5, 10
DAY_MS = 86_400_000
DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def engine_clock(call: Call) -> None:
    """Check the timestamp once more where the matching engine would; late by then is -5028."""
    if "timestamp" in call.params:
        check_time(call.params, call.now_ms + call.desk.engine_delay_ms, refusal=-5028)


def place(call: Call) -> object:
    request = new_order(call.params)
    call.desk.spec(request.symbol)
    engine_clock(call)
    return accepted(call, call.venue.place(call.account, request, call.now_ms))


def accepted(call: Call, order: Order) -> object:
    """Give the answer of POST order, with or without what filled."""
    row = new_order_row(order, call.desk.spec_of(order))
    if not call.venue.floor.settings.new_order_fills:
        del row["avgPrice"], row["cumQuote"]
    return row


def test(call: Call) -> object:
    request = new_order(call.params)
    call.desk.spec(request.symbol)
    if request.type in CONDITIONAL_TYPES and call.venue.floor.settings.test_conditional:
        return {}
    return accepted(call, call.venue.test(call.account, request, call.now_ms))


def change(call: Call) -> object:
    request = amend(call.params)
    call.desk.spec(request.ref.symbol)
    engine_clock(call)
    return changed(call, request)


def changed(call: Call, request: Amend) -> object:
    """Amend; the name the caller gave to the change comes back with the order."""
    order = call.venue.amend(call.account, request, call.now_ms)
    named = {} if request.modify_id is None else {"modifyId": request.modify_id}
    return {**order_row(order, call.desk.spec_of(order)), **named}


def cancel(call: Call) -> object:
    ref = order_ref(call.params)
    call.desk.spec(ref.symbol)
    order = call.venue.cancel(call.account, ref, call.now_ms)
    return order_row(order, call.desk.spec_of(order))


def status(call: Call) -> object:
    ref = order_ref(call.params)
    call.desk.spec(ref.symbol)
    order = call.venue.order(call.account, ref, call.now_ms)
    return order_row(order, call.desk.spec_of(order), with_time=True)


def open_order(call: Call) -> object:
    ref = order_ref(call.params)
    call.desk.spec(ref.symbol)
    order = call.venue.open_order(call.account, ref)
    return order_row(order, call.desk.spec_of(order), with_time=True)


def cancel_all(call: Call) -> object:
    call.venue.cancel_all(call.account, call.must_symbol(), call.now_ms)
    return DONE


def countdown(call: Call) -> object:
    symbol, span = call.must_symbol(), call.params.whole("countdownTime")
    if span is None or span < 0:
        raise VenueError(-1102, "countdowntime")
    call.venue.countdown(call.account, symbol, span, call.now_ms)
    return {"symbol": symbol, "countdownTime": str(span)}


def open_orders(call: Call) -> object:
    return rows(call, call.venue.open_orders(call.account, call.symbol()))


def all_orders(call: Call) -> object:
    query = query_of(call.params, limit=500, most=1000, symbol=call.must_symbol())
    limit_days(query)
    return rows(call, call.venue.all_orders(call.account, query, call.now_ms))


def rows(call: Call, orders: list[Order]) -> list[object]:
    return [order_row(order, call.desk.spec_of(order), with_time=True) for order in orders]


def limit_days(query: Query, days: int = 7) -> None:
    start, end = query.start_ms, query.end_ms
    if start is not None and end is not None and end - start > days * DAY_MS:
        raise VenueError(-4165, days)


def user_trades(call: Call) -> object:
    query = query_of(call.params, limit=500, most=1000, symbol=call.must_symbol())
    limit_days(query)
    if query.from_id is not None and (query.start_ms is not None or query.end_ms is not None):
        raise VenueError(-1128)
    return call.venue.user_trades(call.account, query, call.now_ms)


def force_orders(call: Call) -> object:
    kind = call.params.text("autoCloseType")
    if kind not in (None, "LIQUIDATION", "ADL"):
        raise VenueError(-1130, "autoCloseType")
    query = query_of(call.params, limit=50, most=100, symbol=call.symbol())
    prefix = {
        None: ("autoclose-", "adl_autoclose"),
        "LIQUIDATION": ("autoclose-",),
        "ADL": ("adl_autoclose",),
    }
    found = call.venue.force_orders(call.account, query, call.now_ms)
    return rows(call, [order for order in found if order.client_order_id.startswith(prefix[kind])])


def amendments(call: Call) -> object:
    query = query_of(call.params, limit=50, most=100, symbol=call.must_symbol())
    named = "orderId" in call.params or "origClientOrderId" in call.params
    return call.venue.amendments(call.account, query, order_ref(call.params) if named else None)


def batch_items(call: Call) -> list[Params]:
    items = call.params.listed("batchOrders")
    if items is None or not 1 <= len(items) <= BATCH_MAX:
        raise VenueError(-4082, 0 if items is None else len(items))
    params: list[Params] = []
    for item in items:
        if not isinstance(item, Mapping):
            raise VenueError(-4083)
        params.append(from_json(item))
    return params


def place_batch(call: Call) -> object:
    def one(params: Params) -> object:
        request = new_order(params)
        request = replace(request, stp=request.stp or Stp.NONE)  # the default of a batch
        call.desk.spec(request.symbol)
        return accepted(call, call.venue.place(call.account, request, call.now_ms))

    engine_clock(call)
    return each(one, batch_items(call))


def change_batch(call: Call) -> object:
    def one(params: Params) -> object:
        request = amend(params)
        call.desk.spec(request.ref.symbol)
        return changed(call, request)

    engine_clock(call)
    return each(one, batch_items(call))


def cancel_batch(call: Call) -> object:
    symbol = call.must_symbol()
    ids, names = call.params.listed("orderIdList"), call.params.listed("origClientOrderIdList")
    wanted = [("orderid", value) for value in ids or ()] + [
        ("origclientorderid", value) for value in (names or () if not ids else ())
    ]
    if not wanted:
        raise VenueError(-1102, "orderidlist")
    if len(wanted) > CANCEL_MAX:
        raise VenueError(-4032)

    def one(params: Params) -> object:
        order = call.venue.cancel(call.account, order_ref(params), call.now_ms)
        return order_row(order, call.desk.spec_of(order))

    return each(one, [from_json({"symbol": symbol, name: value}) for name, value in wanted])


def each(one: Callable[[Params], object], items: list[Params]) -> list[object]:
    """Do every item; the refusal of one is its row and no matter of the others."""
    answers: list[object] = []
    for item in items:
        try:
            answers.append(one(item))
        except VenueError as error:
            answers.append(error.body())
    return answers


def weigh_open(params: Params) -> int:
    return 1 if "symbol" in params else 40


def weigh_forced(params: Params) -> int:
    return 20 if "symbol" in params else 50


def signed(
    method: str,
    path: str,
    call: Callable[[Call], object],
    *,
    weight: int | Weigh = 1,
    orders: tuple[int, int] | None = None,
    mandatory: tuple[str, ...] = (),
) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        call=call,
        security=Security.SIGNED,
        weight=weight,
        orders=orders,
        mandatory=mandatory,
    )


SYMBOL, BATCH = ("symbol",), ("batchOrders",)
ENDPOINTS = (
    signed("POST", "/fapi/v1/order", place, weight=0, orders=(1, 1), mandatory=ORDER_MANDATORY),
    signed("POST", "/fapi/v1/order/test", test, weight=0, mandatory=ORDER_MANDATORY),
    signed("PUT", "/fapi/v1/order", change, weight=0, orders=(1, 1), mandatory=AMEND_MANDATORY[:3]),
    signed("DELETE", "/fapi/v1/order", cancel, mandatory=SYMBOL),
    signed("GET", "/fapi/v1/order", status, mandatory=SYMBOL),
    signed("POST", "/fapi/v1/batchOrders", place_batch, weight=5, orders=(5, 1), mandatory=BATCH),
    signed("PUT", "/fapi/v1/batchOrders", change_batch, weight=5, orders=(5, 1), mandatory=BATCH),
    signed("DELETE", "/fapi/v1/batchOrders", cancel_batch, mandatory=SYMBOL),
    signed("DELETE", "/fapi/v1/allOpenOrders", cancel_all, mandatory=SYMBOL),
    signed(
        "POST", "/fapi/v1/countdownCancelAll", countdown, weight=10, mandatory=("symbol", "countdownTime")
    ),
    signed("GET", "/fapi/v1/openOrder", open_order, mandatory=SYMBOL),
    signed("GET", "/fapi/v1/openOrders", open_orders, weight=weigh_open),
    signed("GET", "/fapi/v1/allOrders", all_orders, weight=5, mandatory=SYMBOL),
    signed("GET", "/fapi/v1/userTrades", user_trades, weight=5, mandatory=SYMBOL),
    signed("GET", "/fapi/v1/forceOrders", force_orders, weight=weigh_forced),
    signed("GET", "/fapi/v1/orderAmendment", amendments, mandatory=SYMBOL),
)
