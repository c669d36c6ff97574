"""Commands turned into requests: which endpoint, which parameters, exact decimals as plain text."""

import re
from decimal import Decimal

from aurora.model.commands import SubmitOrder
from aurora.model.order import Namespace, OrderIntent, OrderKey, OrderType, TimeInForce
from skalp_bot.exch.wire import Request

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")

PRICED = (OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT)
CLOSING = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)
CLIENT_ID_NAME = {Namespace.REGULAR: "newClientOrderId", Namespace.ALGO: "clientAlgoId"}


class EncodeError(Exception):
    """An intent that cannot be said to the venue; nothing was sent."""


def plain(value: Decimal) -> str:
    """Above zero, without exponent or trailing zeros: 1E+3 -> 1000, 0.10 -> 0.1."""
    if not value.is_finite() or value <= 0:
        raise EncodeError(f"{value} cannot be sent: a price or quantity is above zero")
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def submit(command: SubmitOrder) -> Request:
    """The one POST of this order."""
    intent, key = command.approved.intent, command.key
    if intent.namespace is not key.namespace:
        raise EncodeError(f"{key.client_id}: a {intent.type} order does not belong to {key.namespace}")
    regular = key.namespace is Namespace.REGULAR
    params = {} if regular else {"algoType": "CONDITIONAL"}
    params |= {"symbol": intent.symbol, "side": intent.side, "type": intent.type}
    params |= _size(intent) | _prices(intent)
    if intent.reduce_only:
        params["reduceOnly"] = "true"
    params[CLIENT_ID_NAME[key.namespace]] = checked_id(key)
    params["newOrderRespType"] = "ACK"
    path = "order" if regular else "algoOrder"
    return Request(method="POST", path=path, params=params, weight=0, orders=1)


def cancel(key: OrderKey, symbol: str) -> Request:
    return _named("DELETE", key, symbol)


def query(key: OrderKey, symbol: str) -> Request:
    return _named("GET", key, symbol)


def checked_id(key: OrderKey) -> str:
    if not CLIENT_ID.fullmatch(key.client_id):
        raise EncodeError(f"client id {key.client_id!r}: 1 to 36 characters of [.A-Z:/a-z0-9_-]")
    return key.client_id


def _named(method: str, key: OrderKey, symbol: str) -> Request:
    if key.namespace is Namespace.REGULAR:
        return Request(
            method=method, path="order", params={"symbol": symbol, "origClientOrderId": key.client_id}
        )
    return Request(method=method, path="algoOrder", params={"clientAlgoId": key.client_id})


def _size(intent: OrderIntent) -> dict[str, str]:
    if not intent.close_position:
        if intent.qty is None:
            raise EncodeError(f"{intent.symbol}: a {intent.type} order needs a quantity")
        return {"quantity": plain(intent.qty)}
    if intent.type not in CLOSING or intent.qty is not None or intent.reduce_only:
        raise EncodeError(
            f"{intent.symbol}: closePosition goes with {' or '.join(CLOSING)},"
            " without quantity and reduceOnly"
        )
    return {"closePosition": "true"}


def _prices(intent: OrderIntent) -> dict[str, str]:
    params: dict[str, str] = {}
    if intent.type in PRICED:
        if intent.price is None:
            raise EncodeError(f"{intent.symbol}: a {intent.type} order needs a price")
        params |= {
            "price": plain(intent.price),
            "timeInForce": intent.time_in_force or TimeInForce.GTC,
        }
    elif intent.price is not None:
        raise EncodeError(f"{intent.symbol}: a {intent.type} order takes no price")
    if intent.namespace is Namespace.REGULAR:
        return params
    if intent.trigger is None or intent.type is OrderType.TRAILING_STOP_MARKET:
        raise EncodeError(f"{intent.symbol}: a {intent.type} order cannot be sent without a trigger price")
    return params | {"triggerPrice": plain(intent.trigger), "workingType": intent.working_type}
