"""Conditional orders over REST: the algo service."""

from dataclasses import replace

from skalp_bot.paper.desk import Call
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.orders import AlgoOrder
from skalp_bot.paper.readers import ALGO_MANDATORY, algo_ref, new_algo, query_of
from skalp_bot.paper.routes_trade import DONE, engine_clock, limit_days, signed, weigh_open
from skalp_bot.paper.wire import algo_cancel_row, algo_row


def place(call: Call) -> object:
    request = new_algo(call.params)
    spec = call.desk.spec(request.symbol)
    engine_clock(call)
    return algo_row(call.venue.place_algo(call.account, request, call.now_ms), spec)


def cancel(call: Call) -> object:
    return algo_cancel_row(call.venue.cancel_algo(call.account, algo_ref(call.params), call.now_ms))


def cancel_in_full(call: Call) -> object:
    """Cancel as the WebSocket API does: recorded to answer with the order, documented as REST; so both."""
    algo = call.venue.cancel_algo(call.account, algo_ref(call.params), call.now_ms)
    return algo_row(algo, call.venue.symbols[algo.symbol]) | algo_cancel_row(algo)


def cancel_all(call: Call) -> object:
    call.venue.cancel_all_algo(call.account, call.must_symbol(), call.now_ms)
    return DONE


def status(call: Call) -> object:
    return queried(call, [call.venue.algo(call.account, algo_ref(call.params), call.now_ms)])[0]


def open_algos(call: Call) -> object:
    kind = call.params.text("algoType")
    if kind not in (None, "CONDITIONAL"):
        raise VenueError(-1130, "algoType")
    found = call.venue.open_algos(call.account, call.symbol(), call.params.whole("algoId"))
    return queried(call, found)


def all_algos(call: Call) -> object:
    query = query_of(call.params, limit=500, most=1000, symbol=call.must_symbol())
    limit_days(query)
    query = replace(query, order_id=call.params.whole("algoId"))
    return queried(call, call.venue.all_algos(call.account, query, call.now_ms))


def queried(call: Call, algos: list[AlgoOrder]) -> list[object]:
    return [algo_row(algo, call.venue.symbols[algo.symbol], queried=True) for algo in algos]


SYMBOL = ("symbol",)
ENDPOINTS = (
    signed("POST", "/fapi/v1/algoOrder", place, weight=0, orders=(1, 1), mandatory=ALGO_MANDATORY),
    signed("DELETE", "/fapi/v1/algoOrder", cancel),
    signed("GET", "/fapi/v1/algoOrder", status),
    signed("GET", "/fapi/v1/openAlgoOrders", open_algos, weight=weigh_open),
    signed("GET", "/fapi/v1/allAlgoOrders", all_algos, weight=5, mandatory=SYMBOL),
    signed("DELETE", "/fapi/v1/algoOpenOrders", cancel_all, mandatory=SYMBOL),
)
