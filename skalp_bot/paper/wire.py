"""Venue records as JSON rows: field order, types and number texts of the REST interface."""

from typing import Any

from skalp_bot.paper.account import TradeRow
from skalp_bot.paper.money import ZERO, eight, plain
from skalp_bot.paper.orders import (
    MARKET_ALGOS,
    AlgoOrder,
    AlgoStatus,
    Amendment,
    Order,
    OrderStatus,
    OrderType,
    RespType,
    Side,
)
from skalp_bot.paper.symbols import SymbolSpec

Row = dict[str, Any]


def order_row(order: Order, spec: SymbolSpec, *, with_time: bool = False) -> Row:
    """Give the order as GET, PUT and DELETE show it; `with_time` adds the creation time of the GET family."""
    market = order.type is OrderType.MARKET
    row: Row = {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": "0" if market else spec.price_text(order.price),
        "avgPrice": avg_text(order, spec),
        "origQty": spec.qty_text(order.qty),
        "executedQty": spec.qty_text(order.filled),
        "cumQty": spec.qty_text(order.filled),
        "cumQuote": quote_text(order, spec),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": "0" if market else spec.price_text(ZERO),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.orig_type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp,
        "goodTillDate": order.good_till_ms,
    }
    if with_time:
        row["time"] = order.created_ms
    row["updateTime"] = order.updated_ms
    return row


def avg_text(order: Order, spec: SymbolSpec) -> str:
    """Average price: "0.00" before the first fill, then with at least the symbol's decimals."""
    if not order.filled:
        return "0.00"
    return f"{order.avg_price:.{max(5, spec.price_precision)}f}"


def quote_text(order: Order, spec: SymbolSpec) -> str:
    return f"{order.cum_quote:.{max(5, spec.price_precision)}f}"


def new_order_row(order: Order, spec: SymbolSpec) -> Row:
    """Give the answer of POST order: by its newOrderRespType, as accepted or as it ended."""
    row = order_row(order, spec)
    if order.resp_type is RespType.ACK:
        row |= {
            "status": OrderStatus.NEW,
            "avgPrice": "0.00",
            "executedQty": spec.qty_text(ZERO),
            "cumQty": spec.qty_text(ZERO),
            "cumQuote": f"{ZERO:.{max(5, spec.price_precision)}f}",
        }
    return row


def algo_row(algo: AlgoOrder, spec: SymbolSpec, *, queried: bool = False) -> Row:
    """Give a conditional order; `queried` adds the fields of the GET family."""
    trailing = algo.callback_rate is not None
    row: Row = {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force,
        "quantity": spec.qty_text(algo.qty),
        "algoStatus": algo.status,
        "triggerPrice": spec.price_text(algo.trigger_price),
        "price": spec.price_text(algo.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": algo.stp,
        "workingType": algo.working_type,
        "priceMatch": algo.price_match,
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        "activatePrice": spec.price_text(algo.activate_price or ZERO) if trailing else "",
        "callbackRate": plain(algo.callback_rate) if algo.callback_rate is not None else "",
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.trigger_ms,
        "goodTillDate": algo.good_till_ms,
    }
    if queried:
        row |= outcome(algo, spec)
    return row


def outcome(algo: AlgoOrder, spec: SymbolSpec) -> Row:
    born = algo.order_id != 0
    actual = OrderType.MARKET if algo.type in MARKET_ALGOS else OrderType.LIMIT
    finished = algo.status is AlgoStatus.FINISHED
    return {
        "actualOrderId": str(algo.order_id) if born else "",
        "actualPrice": f"{algo.avg_price if finished else ZERO:.5f}",
        "actualType": actual if born else "",
        "actualQty": spec.qty_text(algo.filled) if finished else spec.qty_text(ZERO),
        "tpTriggerPrice": spec.price_text(ZERO),
        "tpPrice": spec.price_text(ZERO),
        "slTriggerPrice": spec.price_text(ZERO),
        "slPrice": spec.price_text(ZERO),
        "tpOrderType": "",
    }


def algo_cancel_row(algo: AlgoOrder) -> Row:
    """Give the answer of DELETE algoOrder; its code is a string."""
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "code": "200",
        "msg": "success",
    }


def trade_row(trade: TradeRow, spec: SymbolSpec) -> Row:
    """Give a fill; its value has the decimals of price and quantity together, a profit of nothing is bare."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": plain(trade.price),
        "qty": spec.qty_text(trade.qty),
        "realizedPnl": eight(trade.realized) if trade.realized else "0",
        "marginAsset": trade.asset,
        "quoteQty": f"{trade.quote:.{spec.price_precision + spec.qty_precision}f}",
        "baseQty": "0",
        "commission": eight(trade.commission),
        "commissionAsset": trade.asset,
        "pair": spec.pair,
        "time": trade.t_ms,
        "positionSide": trade.position_side,
        "buyer": trade.side is Side.BUY,
        "maker": trade.maker,
    }


def amendment_row(change: Amendment, spec: SymbolSpec) -> Row:
    return {
        "amendmentId": change.amendment_id,
        "symbol": change.symbol,
        "pair": spec.pair,
        "orderId": change.order_id,
        "clientOrderId": change.client_order_id,
        "time": change.t_ms,
        "amendment": {
            "price": {
                "before": spec.price_text(change.price_before),
                "after": spec.price_text(change.price_after),
            },
            "origQty": {
                "before": spec.qty_text(change.qty_before),
                "after": spec.qty_text(change.qty_after),
            },
            "count": change.count,
        },
    }
