"""What an answer proves about an order: only an allow-list of refusals is proof, silence never is."""

from typing import assert_never

from aurora.model.events import (
    CancelAcked,
    CancelFailed,
    CancelOutcome,
    OrderAcked,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderUnknown,
    QueryAnswered,
    RequestFailed,
)
from aurora.model.numbers import Nanos, Qty
from aurora.model.order import Namespace, OrderKey
from skalp_bot.exch.fields import DecodeError, mapping, qty, text
from skalp_bot.exch.listings import algo_view, order_view
from skalp_bot.exch.wire import Answer, NoReply, Reply

UNKNOWN_ORDER = -2011  # To a cancel: no such open order.
NO_SUCH_ORDER = -2013  # To a query.
DUPLICATE_ID = -4116  # An earlier send of the same id lives: not a refusal but news of it.
KEY_REFUSED = (-2014, -2015)

# Codes with HTTP 400 that prove no order came to life. Each range is inclusive; a code that is not
# here (also a new one) leaves the order unknown, because asking is cheap and guessing is not.
REFUSED_CODES: tuple[tuple[int, int, str], ...] = (
    (-1013, -1013, "invalid message"),
    (-1022, -1021, "outside the receive window; signature"),
    (-1131, -1100, "parameters"),
    (-1136, -1136, "newOrderRespType"),
    (-2010, -2010, "new order rejected"),
    (-2028, -2018, "balance, margin, fill, trigger, reduce-only, liquidation, limits, leverage"),
    (-4007, -4001, "price, quantity and trigger filters"),
    (-4016, -4013, "price filter, client id, price band"),
    (-4024, -4023, "step size, price band"),
    (-4028, -4028, "leverage"),
    (-4031, -4031, "working type"),
    (-4045, -4045, "conditional order limit"),
    (-4062, -4060, "position side, reduce-only value"),
    (-4088, -4087, "account may only reduce, or not trade"),
    (-4107, -4105, "position risk control"),
    (-4109, -4109, "inactive account"),
    (-4118, -4118, "reduce-only failed"),
    (-4120, -4120, "wrong endpoint for the type"),
    (-4131, -4130, "close-position stop exists; counterparty price out of bounds"),
    (-4138, -4135, "activation, strategy, close-position rules"),
    (-4142, -4140, "symbol status, trigger at once"),
    (-4144, -4144, "invalid pair"),
    (-4164, -4164, "notional too small"),
    (-4184, -4183, "limit against trigger band"),
    (-4189, -4189, "restricted account"),
    (-4192, -4192, "cooling-off account"),
    (-4211, -4202, "leverage rules, trigger bands"),
    (-4403, -4400, "quantitative rules"),
    (-5022, -5021, "fill-or-kill, post-only"),
    (-5028, -5028, "outside the matching engine's receive window"),
    (-5041, -5037, "price match, self-trade, good-till-date"),
)

# A refusal by status and code; 429 and 418 are turned back at the door, before any body is read.
TURNED_BACK = (429, 418)


def refusal(reply: Reply) -> int | None:
    """The code that proves the request was refused; None when nothing is proven."""
    code = reply.code
    if reply.status in TURNED_BACK:
        return -reply.status if code is None else code
    if code is None:
        return None
    if reply.status in {401, 403}:
        return code if code in KEY_REFUSED else None
    if reply.status == 400 and any(low <= code <= high for low, high, _ in REFUSED_CODES):
        return code
    return None


def submitted(key: OrderKey, answer: Answer) -> OrderOutcome:
    """The three outcomes of a POST, and the one from before it."""
    match answer:
        case NoReply(sent=False):
            return OrderNotSent(key=key, why=answer.why, ts_recv=answer.ts_recv)
        case NoReply():
            return _unknown(key, answer, answer.why)
        case Reply(status=200):
            return _accepted(key, answer)
        case Reply():
            code = refusal(answer)
            if code is None:
                return _unknown(key, answer, f"HTTP {answer.status} {answer.code or ''} {answer.message}")
            return OrderRefused(
                key=key,
                code=code,
                why=answer.message,
                signed_at=answer.signed_at,
                ts_recv=answer.ts_recv,
            )
        case _ as never:
            assert_never(never)


def canceled(key: OrderKey, answer: Answer) -> CancelOutcome:
    match answer:
        case NoReply():
            return CancelFailed(key=key, code=0, why=answer.why, ts_recv=answer.ts_recv)
        case Reply(status=200) if _names(key, answer):
            return CancelAcked(key=key, filled=_executed(answer), ts_recv=answer.ts_recv)
        case Reply():
            known = (
                answer.code
                if answer.status == 400 and answer.code in {UNKNOWN_ORDER, NO_SUCH_ORDER}
                else None
            )
            code = known or refusal(answer) or 0
            why = f"HTTP {answer.status} {answer.message}"
            return CancelFailed(key=key, code=code, why=why, ts_recv=answer.ts_recv)
        case _ as never:
            assert_never(never)


def queried(key: OrderKey, answer: Answer, requested_at: Nanos) -> QueryAnswered | RequestFailed:
    match answer:
        case NoReply():
            return _unanswered(key, answer, answer.why)
        case Reply(status=200):
            try:
                row = mapping(answer.payload(), "order")
                view = order_view(row) if key.namespace is Namespace.REGULAR else algo_view(row)
            except DecodeError as error:
                return _unanswered(key, answer, str(error))
            if view.client_id != key.client_id:
                return _unanswered(key, answer, f"answered for {view.client_id}")
            return QueryAnswered(key=key, view=view, requested_at=requested_at, ts_recv=answer.ts_recv)
        case Reply() if answer.status == 400 and answer.code == NO_SUCH_ORDER:
            return QueryAnswered(key=key, view=None, requested_at=requested_at, ts_recv=answer.ts_recv)
        case Reply():
            return _unanswered(key, answer, f"HTTP {answer.status} {answer.code or ''} {answer.message}")
        case _ as never:
            assert_never(never)


def _accepted(key: OrderKey, reply: Reply) -> OrderOutcome:
    exchange_id = _names(key, reply)
    if not exchange_id:
        return _unknown(key, reply, f"HTTP 200 that does not name the order: {reply.body[:80]!r}")
    return OrderAcked(key=key, exchange_id=exchange_id, signed_at=reply.signed_at, ts_recv=reply.ts_recv)


def _names(key: OrderKey, reply: Reply) -> str:
    """The exchange's id, if the body names our order by both ids; empty otherwise."""
    ours, theirs = (
        ("clientOrderId", "orderId") if key.namespace is Namespace.REGULAR else ("clientAlgoId", "algoId")
    )
    try:
        row = mapping(reply.payload(), "order")
        return text(row, theirs) if text(row, ours) == key.client_id else ""
    except DecodeError:
        return ""


def _executed(reply: Reply) -> Qty | None:
    """What had filled before the cancel, where the answer says so (an algo order's does not)."""
    try:
        return qty(mapping(reply.payload(), "order"), "executedQty")
    except DecodeError:
        return None


def _unknown(key: OrderKey, answer: Answer, why: str) -> OrderUnknown:
    return OrderUnknown(key=key, why=why, signed_at=answer.signed_at, ts_recv=answer.ts_recv)


def _unanswered(key: OrderKey, answer: Answer, why: str) -> RequestFailed:
    return RequestFailed(request="QueryOrder", subject=key.client_id, why=why, ts_recv=answer.ts_recv)
