import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.events import (
    CancelAcked,
    CancelFailed,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    QueryAnswered,
    RequestFailed,
)
from aurora.model.numbers import Nanos
from aurora.model.order import Namespace, OrderKey, OrderStatus
from skalp_bot.exch.outcomes import canceled, queried, submitted
from skalp_bot.exch.wire import NoReply, Reply

KEY = OrderKey(namespace=Namespace.REGULAR, client_id="skalpa-1-2-0E")
ALGO = OrderKey(namespace=Namespace.ALGO, client_id="skalpa-1-2-0S")
SIGNED = Nanos(100)
NOW = Nanos(200)


def reply(status: int, body: Any) -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(status=status, body=text, headers={}, signed_at=SIGNED, ts_recv=NOW)


def failure(status: int, code: int, message: str = "no") -> Reply:
    return reply(status, {"code": code, "msg": message})


REFUSED = [
    (400, -1013), (400, -1021), (400, -1022), (400, -1100), (400, -1102), (400, -1106), (400, -1111),
    (400, -1121), (400, -1130), (400, -2010), (400, -2018), (400, -2019), (400, -2020), (400, -2021),
    (400, -2022), (400, -2027), (400, -2028), (400, -4003), (400, -4014), (400, -4016), (400, -4023),
    (400, -4045), (400, -4061), (400, -4118), (400, -4120), (400, -4130), (400, -4131), (400, -4164),
    (400, -5021), (400, -5022), (400, -5028), (401, -2014), (401, -2015), (403, -2015),
    (429, -1003), (429, -1015), (418, -1003),
]  # fmt: skip
UNKNOWN = [
    (400, -1000), (400, -1001), (400, -1006), (400, -1007), (400, -4116), (400, -4117), (400, -9999),
    (400, -2011), (400, -2013), (401, -1002), (403, -1002), (408, -1007), (500, -1000), (500, -1001),
    (503, -1001), (503, -1006), (503, -1007), (503, -1008), (504, -1007), (200, -2019), (500, -2019),
    (302, -2019),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code"), REFUSED)
def test_the_listed_refusals_prove_that_the_order_never_lived(status: int, code: int) -> None:
    outcome = submitted(KEY, failure(status, code))
    assert outcome == OrderRefused(key=KEY, code=code, why="no", signed_at=SIGNED, ts_recv=NOW)


@pytest.mark.parametrize(("status", "code"), UNKNOWN)
def test_everything_else_leaves_the_order_unknown(status: int, code: int) -> None:
    outcome = submitted(KEY, failure(status, code))
    assert isinstance(outcome, OrderUnknown)
    assert str(code) in outcome.why
    assert outcome.signed_at == SIGNED


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, ""),
        reply(200, "{}"),
        reply(200, "null"),
        reply(200, "[]"),
        reply(200, '{"orderId":325078477,"clientOrderId":"skalpa-1-2-0'),
        reply(200, {"orderId": 5, "clientOrderId": "somebody else"}),
        reply(200, {"clientOrderId": KEY.client_id}),
        reply(200, {"orderId": None, "clientOrderId": KEY.client_id}),
        reply(502, "<html>Bad Gateway</html>"),
        reply(403, "<html>WAF</html>"),
        reply(503, "Unknown error, please check your request or try again later."),
        reply(503, "Service Unavailable."),
        reply(400, "<html>"),
        reply(400, '{"code":-2019,"msg":"Margin is insu'),
        reply(400, {"code": "-2019", "msg": "a code is a number"}),
        NoReply(sent=True, why="connection reset mid response", signed_at=SIGNED, ts_recv=NOW),
        NoReply(sent=True, why="timeout", signed_at=SIGNED, ts_recv=NOW),
    ],
)
def test_a_broken_answer_proves_nothing(answer: Reply | NoReply) -> None:
    outcome = submitted(KEY, answer)
    assert isinstance(outcome, OrderUnknown)
    assert outcome.why


def test_an_order_named_by_both_ids_is_accepted() -> None:
    body = {"orderId": 325078477, "clientOrderId": KEY.client_id, "status": "NEW"}
    assert submitted(KEY, reply(200, body)) == OrderAcked(
        key=KEY, exchange_id="325078477", signed_at=SIGNED, ts_recv=NOW
    )
    algo = {"algoId": 2000000547321628, "clientAlgoId": ALGO.client_id}
    accepted = submitted(ALGO, reply(200, algo))
    assert isinstance(accepted, OrderAcked)
    assert accepted.exchange_id == "2000000547321628"
    assert isinstance(submitted(ALGO, reply(200, body)), OrderUnknown)


def test_turned_away_at_the_door_is_refused_even_without_a_body() -> None:
    for status in (418, 429):
        outcome = submitted(KEY, reply(status, ""))
        assert isinstance(outcome, OrderRefused)
        assert outcome.code == -status


def test_what_never_left_is_not_sent() -> None:
    answer = NoReply(sent=False, why="connection refused", signed_at=SIGNED, ts_recv=NOW)
    assert submitted(KEY, answer) == OrderNotSent(key=KEY, why="connection refused", ts_recv=NOW)


@given(st.integers(100, 599), st.one_of(st.text(), st.integers(-9999, 9999).map(lambda c: f'{{"code":{c}}}')))
def test_no_answer_at_all_raises_and_only_200_can_accept(status: int, body: str) -> None:
    outcome = submitted(KEY, reply(status, body))
    assert not isinstance(outcome, OrderAcked | OrderNotSent)
    if status >= 500 or status in {200, 408}:
        assert isinstance(outcome, OrderUnknown)
    assert isinstance(canceled(KEY, reply(status, body)), CancelFailed)
    assert isinstance(queried(KEY, reply(status, body), SIGNED), QueryAnswered | RequestFailed)


def test_a_cancel_is_believed_only_when_the_answer_names_the_order() -> None:
    ours = {"orderId": 1, "clientOrderId": KEY.client_id, "status": "CANCELED"}
    assert canceled(KEY, reply(200, ours)) == CancelAcked(key=KEY, ts_recv=NOW)
    algo = {"algoId": 2146760, "clientAlgoId": ALGO.client_id, "code": "200", "msg": "success"}
    assert isinstance(canceled(ALGO, reply(200, algo)), CancelAcked)
    cases: list[tuple[Reply | NoReply, int]] = [
        (failure(400, -2011), -2011),
        (failure(400, -1021), -1021),
        (failure(429, -1003), -1003),
        (failure(503, -1001), 0),
        (failure(400, -4117), 0),
        (reply(200, ""), 0),
        (NoReply(sent=True, why="timeout", signed_at=SIGNED, ts_recv=NOW), 0),
    ]
    for answer, code in cases:
        outcome = canceled(KEY, answer)
        assert isinstance(outcome, CancelFailed)
        assert outcome.code == code


def test_only_the_venues_own_word_says_there_is_no_such_order() -> None:
    absent = queried(KEY, failure(400, -2013), SIGNED)
    assert absent == QueryAnswered(key=KEY, view=None, requested_at=SIGNED, ts_recv=NOW)
    for answer in (failure(400, -2011), failure(503, -2013), reply(404, "<html>"), reply(200, "{}")):
        assert isinstance(queried(KEY, answer, SIGNED), RequestFailed)


def test_a_query_shows_the_order_and_refuses_somebody_elses() -> None:
    row = {
        "orderId": 7, "symbol": "BTCUSDT", "status": "PARTIALLY_FILLED", "clientOrderId": KEY.client_id,
        "price": "60000.00", "origQty": "0.100", "executedQty": "0.040", "type": "LIMIT", "side": "BUY",
        "reduceOnly": False, "closePosition": False, "stopPrice": "0.00", "updateTime": 5,
    }  # fmt: skip
    answered = queried(KEY, reply(200, row), SIGNED)
    assert isinstance(answered, QueryAnswered)
    assert answered.view is not None
    assert answered.view.status is OrderStatus.PARTIALLY_FILLED
    assert isinstance(queried(KEY, reply(200, row | {"clientOrderId": "x"}), SIGNED), RequestFailed)
