"""Every refusal of the venue: its code, its HTTP status and its wording, in one table.

Wording follows the venue to the letter; `%s` takes the arguments given to `VenueError`. Where the venue has a
second wording or status for a code, the caller gives it.
"""

from collections.abc import Mapping


class VenueError(Exception):
    """A refusal as a client sees it: `{"code": code, "msg": msg}` under HTTP `status`."""

    def __init__(self, code: int, *args: object, status: int | None = None, msg: str | None = None) -> None:
        usual, template = TABLE[code]
        self.code = code
        self.status = usual if status is None else status
        self.msg = msg if msg is not None else template % args if args else template
        super().__init__(f"{code}: {self.msg}")

    def body(self) -> dict[str, object]:
        """Give the answer; bytes that were no UTF-8 when they came in do not go out again."""
        return {"code": self.code, "msg": self.msg.encode(errors="replace").decode()}


TABLE: Mapping[int, tuple[int, str]] = {
    -1000: (400, "An unknown error occured while processing the request."),
    -1001: (500, "Internal error; unable to process your request. Please try again."),
    -1002: (401, "You are not authorized to execute this request."),
    -1003: (
        429,
        "Too many requests; current limit is %s requests per minute. "
        "Please use the websocket for live updates to avoid polling the API.",
    ),
    -1006: (500, "An unexpected response was received from the message bus. Execution status unknown."),
    -1007: (
        408,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
    -1008: (
        503,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
        "Please try again.",
    ),
    -1013: (400, "INVALID_MESSAGE"),
    -1014: (400, "Unsupported order combination."),
    -1015: (429, "Too many new orders; current limit is %s orders per %s."),
    -1016: (400, "This service is no longer available."),
    -1020: (400, "This operation is not supported."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -1023: (400, "Start time is greater than end time."),
    -1100: (400, "Illegal characters found in parameter '%s'; legal range is '%s'."),
    -1101: (400, "Too many parameters; expected '%s' and received '%s'."),
    -1102: (400, "Mandatory parameter '%s' was not sent, was empty/null, or malformed."),
    -1103: (400, "An unknown parameter was sent."),
    -1104: (400, "Not all sent parameters were read; read '%s' parameter(s) but was sent '%s'."),
    -1105: (400, "Parameter '%s' was empty."),
    -1106: (400, "Parameter '%s' sent when not required."),
    -1111: (400, "Precision is over the maximum defined for this asset."),
    -1112: (400, "No orders on book for symbol."),
    -1114: (400, "TimeInForce parameter sent when not required."),
    -1115: (400, "Invalid timeInForce."),
    -1116: (400, "Invalid orderType."),
    -1117: (400, "Invalid side."),
    -1118: (400, "New client order ID was empty."),
    -1119: (400, "Original client order ID was empty."),
    -1120: (400, "Invalid interval."),
    -1121: (400, "Invalid symbol."),
    -1122: (400, "Invalid symbol status."),
    -1125: (400, "This listenKey does not exist."),
    -1127: (400, "More than %s hours between startTime and endTime."),
    -1128: (400, "Combination of optional parameters invalid."),
    -1130: (400, "Data sent for parameter '%s' is not valid."),
    -1136: (400, "Invalid newOrderRespType."),
    -2010: (400, "NEW_ORDER_REJECTED"),
    -2011: (400, "Unknown order sent."),
    -2013: (400, "Order does not exist."),
    -2014: (401, "API-key format invalid."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
    -2018: (400, "Balance is insufficient."),
    -2019: (400, "Margin is insufficient."),
    -2020: (400, "Unable to fill."),
    -2021: (400, "Order would immediately trigger."),
    -2022: (400, "ReduceOnly Order is rejected."),
    -2023: (400, "User in liquidation mode now."),
    -2024: (400, "Position is not sufficient."),
    -2025: (400, "Reach max open order limit."),
    -2026: (400, "This OrderType is not supported when reduceOnly."),
    -2027: (400, "Exceeded the maximum allowable position at current leverage."),
    -2028: (400, "Leverage is smaller than permitted: insufficient margin balance."),
    -4001: (400, "Price less than 0."),
    -4002: (400, "Price greater than max price."),
    -4003: (400, "Quantity less than zero."),
    -4004: (400, "Quantity less than min quantity."),
    -4005: (400, "Quantity greater than max quantity."),
    -4006: (400, "Stop price less than zero."),
    -4007: (400, "Stop price greater than max price."),
    -4013: (400, "Price less than min price."),
    -4014: (400, "Price not increased by tick size."),
    -4015: (400, "Client order id length should not be more than 36 chars"),
    -4016: (400, "Limit price can't be higher than %s."),
    -4021: (400, "%s is not valid depth limit"),
    -4023: (400, "Qty not increased by step size."),
    -4024: (400, "Limit price can't be lower than %s."),
    -4028: (400, "Leverage %s is not valid"),
    -4031: (400, "Invalid parameter working type: %s"),
    -4032: (400, "Exceed maximum cancel order size."),
    -4045: (400, "Reach max stop order limit."),
    -4046: (400, "No need to change margin type."),
    -4047: (400, "Margin type cannot be changed if there exists open orders."),
    -4048: (400, "Margin type cannot be changed if there exists position."),
    -4049: (400, "Add margin only support for isolated position."),
    -4050: (400, "Cross balance insufficient."),
    -4051: (400, "Isolated balance insufficient."),
    -4052: (400, "No need to change auto add margin."),
    -4053: (400, "Auto add margin only support for isolated position."),
    -4054: (400, "Cannot add position margin: position is 0."),
    -4055: (400, "Amount must be positive."),
    -4059: (400, "No need to change position side."),
    -4060: (400, "Invalid position side."),
    -4061: (400, "Order's position side does not match user's setting."),
    -4062: (400, "Invalid or improper reduceOnly value."),
    -4067: (400, "Position side cannot be changed if there exists open orders."),
    -4068: (400, "Position side cannot be changed if there exists position."),
    -4082: (400, "Invalid number of batch place orders: %s"),
    -4083: (400, "Fail to place batch orders."),
    -4087: (400, "User can only place reduce only order"),
    -4088: (400, "User can not place order currently"),
    -4105: (400, "Symbol is under position risk control, only reduce-only order is allowed."),
    -4106: (400, "Symbol is under position risk control, buy order is not allowed."),
    -4107: (400, "Symbol is under position risk control, sell order is not allowed."),
    -4109: (400, "Inactive account"),
    -4116: (400, "ClientOrderId is duplicated."),
    -4117: (400, "stop order is triggering"),
    -4118: (400, "ReduceOnly Order Failed. Please check your existing position and open orders"),
    -4120: (
        400,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    ),
    -4130: (
        400,
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    ),
    -4131: (400, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    -4135: (400, "Invalid activation price"),
    -4136: (400, "Target strategy invalid for orderType %s, closePosition %s"),
    -4137: (400, "Quantity must be zero with closePosition equals true"),
    -4138: (400, "Reduce only must be true with closePosition equals true"),
    -4140: (400, "Invalid symbol status for opening position"),
    -4141: (400, "Symbol is closed"),
    -4142: (400, "REJECT: take profit or stop order will be triggered immediately"),
    -4144: (400, "Invalid pair"),
    -4161: (400, "Leverage reduction is not supported in Isolated Margin Mode with open positions"),
    -4164: (400, "Order's notional must be no smaller than %s (unless you choose reduce only)."),
    -4165: (400, "Maximum time interval is %s days"),
    -4167: (
        400,
        "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode.",
    ),
    -4168: (400, "Unable to adjust to isolated-margin mode under the Multi-Assets mode."),
    -4169: (400, "Unable to adjust Multi-Assets Mode with insufficient margin balance in USDⓈ-M Futures"),
    -4170: (400, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures"),
    -4171: (400, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly"),
    -4172: (
        400,
        "Unable to adjust Multi-Assets Mode with a negative wallet balance of margin available asset.",
    ),
    -4183: (400, "Limit price can't be higher than %s."),
    -4184: (400, "Limit price can't be lower than %s."),
    -4188: (400, "This symbol is not in symbol white list."),
    -4189: (400, "Restricted account permission: can only place reduceOnly order on the symbol."),
    -4192: (400, "Trade forbidden due to Cooling-off Period."),
    -4210: (400, "Stop price can't be higher than %s"),
    -4211: (400, "Stop price can't be lower than %s"),
    -4531: (400, "Position mode change requires syncing UM and CM."),
    -5021: (
        400,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    ),
    -5022: (
        400,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    -5024: (400, "Symbol is not in trading status. Order amendment is not permitted."),
    -5025: (400, "Only limit order is supported."),
    -5026: (400, "Exceed maximum modify order limit."),
    -5027: (400, "No need to modify the order."),
    -5028: (400, "Timestamp for this request is outside of the ME recvWindow."),
    -5029: (400, "Order's notional must be no smaller than %s"),
    -5037: (400, "Invalid price match"),
    -5038: (400, "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT"),
    -5039: (400, "Invalid self trade prevention mode"),
    -5040: (
        400,
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
        "and smaller than 253402300799000",
    ),
    -5041: (400, "No depth matches this BBO order"),
    -5043: (400, "A pending modification already exists for this order."),
    -5047: (400, "The original order is not a reduce-only order."),
}
