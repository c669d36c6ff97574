"""The codec: what the bytes look like, and what it refuses by name."""

from collections.abc import Hashable
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal, localcontext
from math import isnan
from typing import Any

import orjson
import pytest

from aurora.model.account import OrderView
from aurora.model.bracket import Bracket
from aurora.model.control import Heartbeat, TradingState
from aurora.model.events import Event, OrderAcked
from aurora.model.facts import CleanStop, DurableFact, EpochTaken, IntentDenied, StabilizerMoved
from aurora.model.gate import Approved, Check, GateDecision, GateReason
from aurora.model.market import BookTicker
from aurora.model.numbers import Nanos, Price, Qty
from aurora.model.order import Namespace, OrderIntent, OrderKey, OrderType, Role, Side
from aurora.model.position import Position
from skalp_bot.journal.codec import TEXTS_KEPT, decode, encode
from skalp_bot.ports import JournalError
from tests.kit import order, snapshot, tick, view
from tests.test_bracket import bracket

KEY = OrderKey(namespace=Namespace.ALGO, client_id="ska1-1-1-0S")
INTENT = OrderIntent(
    symbol="BTCUSDT", side=Side.BUY, type=OrderType.MARKET, role=Role.ENTRY, qty=Qty(Decimal("0.1"))
)


def test_money_is_text_and_enums_are_their_words() -> None:
    raw = orjson.loads(encode(Position(symbol="BTCUSDT", qty=Qty(Decimal("-0.00100")))))
    assert raw == {"$": "Position", "symbol": "BTCUSDT", "qty": "-0.00100", "entry": "0", "realized": "0"}
    assert encode(TradingState.HALTED) == b'"HALTED"'


def test_a_hostile_decimal_context_changes_nothing() -> None:
    amount = Decimal("123456789.123456789123456789")
    with localcontext() as ambient:
        ambient.prec = 3
        assert decode(encode(amount), Decimal) == amount


def test_only_members_of_unions_and_the_top_carry_their_name() -> None:
    raw = orjson.loads(encode(OrderAcked(key=KEY, exchange_id="7", signed_at=Nanos(1), ts_recv=Nanos(2))))
    assert raw["$"] == "OrderAcked"
    assert raw["key"] == {"namespace": "ALGO", "client_id": "ska1-1-1-0S"}


@pytest.mark.parametrize("limit", [float("inf"), float("-inf")])
def test_an_unlimited_limit_survives(limit: float) -> None:
    check = Check(reason=GateReason.SPREAD, observed=1.0, limit=limit, passed=True)
    assert decode(encode(check), Check) == check


def test_a_number_that_is_none_survives_as_none_of_a_number() -> None:
    check = Check(reason=GateReason.CVAR, observed=float("nan"), limit=0.1, passed=False)
    assert isnan(decode(encode(check), Check).observed)


def test_a_field_added_later_takes_its_default_when_an_older_row_lacks_it() -> None:
    raw = orjson.loads(encode(Heartbeat(ts_recv=Nanos(5), gap=3)))
    del raw["gap"]
    assert decode(orjson.dumps(raw), Heartbeat) == Heartbeat(ts_recv=Nanos(5), gap=0)


def test_a_bracket_and_a_quote_of_an_older_journal_know_no_age_of_their_stop_and_burst() -> None:
    raw = orjson.loads(encode(bracket()))
    del raw["stop_since"]
    assert decode(orjson.dumps(raw), Bracket) == bracket()
    raw = orjson.loads(encode(tick()))
    del raw["since"]
    assert decode(orjson.dumps(raw), BookTicker) == tick()


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"{", Heartbeat, "not JSON"),
        (b'{"ts_recv":1,"speed":2}', Heartbeat, "Heartbeat has no field 'speed'"),
        (b'{"gap":1}', Heartbeat, "Heartbeat.ts_recv is missing"),
        (b'{"ts_recv":"1"}', Heartbeat, "Heartbeat.ts_recv: expected int, found '1'"),
        (b'{"ts_recv":true}', Heartbeat, "Heartbeat.ts_recv: expected int, found True"),
        (b'{"$":"CleanStop","at":1}', Heartbeat, "expected Heartbeat, found CleanStop"),
        (b'{"$":"Launched","at":1}', DurableFact, "'Launched' is none of EpochTaken"),
        (b'{"at":1}', DurableFact, "None is none of EpochTaken"),
        (
            b'{"$":"EpochTaken","epoch":null,"at":1}',
            DurableFact,
            "EpochTaken.epoch: expected int, found None",
        ),
        (b'{"symbol":"B","qty":0.1}', Position, "Position.qty: expected str, found 0.1"),
        (b'{"symbol":"B","qty":"ten"}', Position, "Position.qty: expected a decimal number as text"),
        (
            b'{"symbol":"B","fraction":"big","at":1}',
            StabilizerMoved,
            "StabilizerMoved.fraction: expected",
        ),
        (b'"PAUSED"', TradingState, "'PAUSED' is not TradingState: ACTIVE, REDUCING, HALTED"),
        (b"[]", Heartbeat, "expected Heartbeat, found []"),
        (b"3", tuple[Event, ...], "expected list, found 3"),
        (b'[["a",1,2]]', tuple[tuple[str, int], ...], "expected 2 items, found 3"),
        (b"1", list[int], "no way to read a list[int]"),
        (b"1", int | str, "a union must be of distinct dataclasses"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data: bytes, kind: Hashable, said: str) -> None:
    with pytest.raises(JournalError) as refused:
        decode(data, kind)
    assert said in str(refused.value)


def test_each_row_of_types_is_written_by_its_own_conversions() -> None:
    for entry in (Decimal("1.10"), Decimal(2)):
        assert orjson.loads(encode(Position(symbol="B", entry=Price(entry))))["entry"] == str(entry)
    whole: Any = 3  # An int may stand for a float, and is written as one.
    for observed, written in ((1.0, b"1.0"), (float("nan"), b'"NaN"'), (whole, b"3.0"), (2.5, b"2.5")):
        check = Check(reason=GateReason.SPREAD, observed=observed, limit=whole, passed=True)
        assert (
            encode(check)
            == b'{"$":"Check","reason":"SPREAD","observed":%b,"limit":3.0,"passed":true,"note":""}' % written
        )
    for fits in (True, False, True):
        with (
            nullcontext() if fits else pytest.raises(JournalError, match=r"Position\.entry: expected Decimal")
        ):
            encode(Position(symbol="B", entry=Price(Decimal(1)) if fits else FLOAT))


WRONG: Any = object()
FLOAT: Any = 0.1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (EpochTaken(epoch=WRONG, at=Nanos(1)), "EpochTaken.epoch: expected int, got object"),
        (Position(symbol="B", entry=FLOAT), "Position.entry: expected Decimal, got float"),
        (EpochTaken(epoch=2**64, at=Nanos(1)), "EpochTaken: Integer exceeds 64-bit range"),
        (CleanStop(at=WRONG), "CleanStop.at: expected int, got object"),
        ({1, 2}, "no way to write a <class 'set'>"),
        (IntentDenied(denied=WRONG, target=None, at=Nanos(1)), "IntentDenied.denied: expected Denied"),
    ],
)
def test_what_cannot_be_written_says_where(value: object, said: str) -> None:
    with pytest.raises(JournalError) as refused:
        encode(value)
    assert said in str(refused.value)


def test_a_decision_reads_back_as_the_verdict_it_was() -> None:
    approved = Approved(intent=INTENT, checks=())
    assert decode(encode(approved), GateDecision) == approved


def seen(trigger: str) -> OrderView:
    return view(order("ska1-1-1-0S", replace(INTENT, trigger=Price(Decimal(trigger)))))


def triggers(*views: OrderView) -> list[str]:
    return [
        row["trigger"] for row in orjson.loads(encode(replace(snapshot(), algo_orders=views)))["algo_orders"]
    ]


def test_a_view_that_is_shown_again_is_written_as_before_and_an_equal_one_to_its_own_last_digit() -> None:
    short, long = seen("59000.1"), seen("59000.10")
    assert short == long
    assert triggers(short, long) == ["59000.1", "59000.10"]
    assert triggers(long, seen("59000.100"), short) == ["59000.10", "59000.100", "59000.1"]


def test_views_that_come_and_go_are_never_taken_for_one_another() -> None:
    for first in range(0, 3 * TEXTS_KEPT, 50):
        wanted = [str(number) for number in range(first + 1, first + 51)]
        assert triggers(*map(seen, wanted)) == wanted
