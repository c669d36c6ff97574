"""Promises about conditional orders: when they fire, what they tell, and when they are refused."""

from decimal import Decimal
from typing import Any

import pytest

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.orders import (
    AlgoRef,
    AlgoStatus,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    WorkingType,
)
from skalp_bot.paper.wire import algo_cancel_row, algo_row
from tests.venue_kit import BTC, Bench, price

D = Decimal
FILL = ["TRADE_LITE", "ACCOUNT ORDER", "ORDER TRADE FILLED"]


def refused(code: int) -> pytest.RaisesExc[VenueError]:
    return pytest.raises(VenueError, check=lambda error: error.code == code)


def test_a_fired_stop_tells_the_recorded_sequence() -> None:
    bench = Bench.opened(trigger_delay_ms=10)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    bench.print("100", "1", buyer_is_maker=True)
    bench.drain()
    stop = bench.stop(alice, Side.SELL, "99.95", qty=D(1), reduce_only=True, client_algo_id="guard")
    bench.print("99.94", "0.001", buyer_is_maker=True)
    assert bench.story(alice) == ["ALGO NEW", "ALGO TRIGGERING"]
    assert bench.venue.next_ms() == bench.now_ms + 10
    bench.wait(10)
    events = bench.user(alice)
    new, finished = events[0]["o"], events[-1]["o"]
    assert (new["c"], new["si"], new["ss"], new["st"]) == ("guard", stop.algo_id, -1, "ALGO_CONDITION")
    assert (new["o"], new["ot"], new["sp"]) == ("MARKET", "MARKET", "0")
    assert (finished["X"], finished["ap"], finished["aq"]) == ("FINISHED", "99900", "1")
    assert finished["ai"] == str(new["i"])
    assert [event["e"] for event in events] == [
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE",
        "ALGO_UPDATE",
        "ALGO_UPDATE",
    ]
    assert events[-2]["o"]["X"] == "TRIGGERED"


def test_close_position_closes_all_there_is_when_it_fires() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.SELL, "1.5")
    bench.stop(alice, Side.BUY, "100.05", close_position=True)
    bench.print("100.06", "0.001", buyer_is_maker=False)
    assert alice.held(BTC) == 0
    assert bench.story(alice)[-2:] == ["ALGO TRIGGERED", "ALGO FINISHED"]


def test_close_position_without_a_position_expires_when_it_fires() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    stop = bench.stop(alice, Side.SELL, "99", close_position=True)
    bench.print("98.9", "0.001", buyer_is_maker=True)
    assert (stop.status, alice.orders) == (AlgoStatus.EXPIRED, {})
    assert bench.story(alice) == ["ALGO NEW", "ALGO TRIGGERING", "ALGO EXPIRED"]


def test_a_second_close_position_of_a_kind_is_a_duplicate() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.stop(alice, Side.SELL, "99", close_position=True)
    with refused(-4130):
        bench.stop(alice, Side.SELL, "98", close_position=True)
    bench.stop(alice, Side.SELL, "101", close_position=True, type=OrderType.TAKE_PROFIT_MARKET)


@pytest.mark.parametrize(
    ("side", "at", "kind"),
    [
        (Side.SELL, "101", OrderType.STOP_MARKET),
        (Side.BUY, "99", OrderType.STOP_MARKET),
        (Side.SELL, "99", OrderType.TAKE_PROFIT_MARKET),
        (Side.BUY, "101", OrderType.TAKE_PROFIT_MARKET),
    ],
)
@pytest.mark.parametrize("working", list(WorkingType))
def test_a_condition_that_is_already_true_is_refused(
    side: Side, at: str, kind: OrderType, working: WorkingType
) -> None:
    bench = Bench.opened()
    bench.print("100", "0.001", buyer_is_maker=True)
    with refused(-2021):
        bench.stop(bench.account(), side, at, type=kind, qty=D(1), working_type=working)


def test_mark_price_orders_do_not_look_at_prints() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    stop = bench.stop(alice, Side.SELL, "99", close_position=True, working_type=WorkingType.MARK_PRICE)
    bench.print("98", "0.001", buyer_is_maker=True)
    assert stop.open
    bench.mark("99")
    assert stop.status is AlgoStatus.FINISHED


def test_a_stop_limit_is_born_as_a_limit_order_and_finishes_with_it() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    stop = bench.stop(
        alice, Side.SELL, "99.5", type=OrderType.STOP, price=price("100"), qty=D(1), reduce_only=True
    )
    bench.print("99.4", "0.001", buyer_is_maker=True)
    order = alice.orders[stop.order_id]
    assert (stop.status, order.type, order.status) == (
        AlgoStatus.TRIGGERED,
        OrderType.LIMIT,
        OrderStatus.NEW,
    )
    bench.print("100", "1", buyer_is_maker=False)
    assert (stop.status, stop.filled) == (AlgoStatus.FINISHED, D(1))


def test_a_trailing_stop_follows_the_best_price_and_fires_on_the_turn() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    bench.print("100", "0.001", buyer_is_maker=True)
    trail: dict[str, Any] = {
        "type": OrderType.TRAILING_STOP_MARKET,
        "callback_rate": D("0.5"),
        "qty": D(1),
        "activate_price": price("100.5"),
        "reduce_only": True,
    }
    stop = bench.stop(alice, Side.SELL, "0", **trail)
    for at in ("99", "100.4", "100.6", "102", "101.6"):
        bench.print(at, "0.001", buyer_is_maker=True)
        assert stop.status is AlgoStatus.NEW, at
    assert stop.extreme == price("102")
    bench.print("101.49", "0.001", buyer_is_maker=True)
    assert stop.status is AlgoStatus.FINISHED


def test_a_refused_child_rejects_its_conditional_order_with_the_reason() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    stop = bench.stop(alice, Side.SELL, "99", qty=D(1), reduce_only=True)
    bench.print("98.9", "0.001", buyer_is_maker=True)
    assert (stop.status, stop.reason) == (AlgoStatus.REJECTED, "ReduceOnly Order is rejected.")
    assert bench.user(alice)[-1]["o"]["rm"] == "ReduceOnly Order is rejected."


def test_the_deprecated_reject_event_comes_only_when_switched_on() -> None:
    bench = Bench.opened(trigger_delay_ms=0, trigger_reject_event=True)
    alice = bench.account()
    bench.stop(alice, Side.SELL, "99", qty=D(1), reduce_only=True)
    bench.print("98.9", "0.001", buyer_is_maker=True)
    last = bench.user(alice)[-1]
    assert last["e"] == "CONDITIONAL_ORDER_TRIGGER_REJECT"
    assert last["or"]["r"] == "ReduceOnly Order is rejected."


def test_gte_orders_expire_with_the_position_and_close_position_stays() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    gone = bench.stop(alice, Side.SELL, "99", qty=D(1), reduce_only=True, time_in_force=TimeInForce.GTE_GTC)
    stays = bench.stop(alice, Side.SELL, "98", close_position=True)
    bench.market(alice, Side.SELL, "1", reduce_only=True)
    assert (gone.status, stays.status) == (AlgoStatus.EXPIRED, AlgoStatus.NEW)


def test_price_protection_holds_fire_while_mark_and_last_are_apart() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    stop = bench.stop(alice, Side.SELL, "99", close_position=True, price_protect=True)
    bench.print("94", "0.001", buyer_is_maker=True)
    assert stop.open
    bench.print("98", "0.001", buyer_is_maker=True)
    assert stop.status is AlgoStatus.FINISHED


def test_the_regular_endpoint_sends_conditional_types_away() -> None:
    bench = Bench.opened()
    request = NewOrder(symbol=BTC, side=Side.SELL, type=OrderType.STOP_MARKET, qty=D(1))
    with refused(-4120):
        bench.venue.place(bench.account(), request, bench.now_ms)


def test_conditional_orders_are_capped_over_all_symbols() -> None:
    bench = Bench.opened(algo_orders_max=3)
    alice = bench.account()
    for step in range(3):
        bench.stop(alice, Side.SELL, str(95 + step), qty=D(1))
    with refused(-4045):
        bench.stop(alice, Side.SELL, "98", qty=D(1))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"close_position": True, "qty": D(1)}, -4137),
        ({"close_position": True, "reduce_only": True}, -1106),
        ({"close_position": True, "type": OrderType.STOP, "price": price("99")}, -4136),
        ({}, -1102),
        ({"qty": D(1), "type": OrderType.LIMIT}, -1116),
        ({"qty": D(1), "type": OrderType.STOP, "price": price("90")}, -4184),
        ({"qty": D(1), "type": OrderType.TRAILING_STOP_MARKET, "callback_rate": D(11)}, -1130),
        ({"qty": D("0.0001")}, -1111),
    ],
)
def test_contradictions_are_refused_with_their_own_code(more: dict[str, Any], code: int) -> None:
    bench = Bench.opened()
    with refused(code):
        bench.stop(bench.account(), Side.SELL, "99", **more)


def test_cancelling_tells_and_a_second_time_is_unknown() -> None:
    bench = Bench.opened()
    alice = bench.account()
    stop = bench.stop(alice, Side.SELL, "99", close_position=True, client_algo_id="a")
    ref = AlgoRef(client_algo_id="a")
    row = algo_cancel_row(bench.venue.cancel_algo(alice, ref, bench.now_ms))
    assert row == {"algoId": stop.algo_id, "clientAlgoId": "a", "code": "200", "msg": "success"}
    assert bench.story(alice) == ["ALGO NEW", "ALGO CANCELED"]
    with refused(-2011):
        bench.venue.cancel_algo(alice, ref, bench.now_ms)
    assert bench.venue.algo(alice, ref, bench.now_ms) is stop
    queried = algo_row(stop, bench.venue.symbols[BTC], queried=True)
    assert (queried["actualOrderId"], queried["triggerPrice"]) == ("", "99000.00")


def test_the_same_client_algo_id_twice_is_a_duplicate() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.stop(alice, Side.SELL, "99", qty=D(1), client_algo_id="a")
    with refused(-4116):
        bench.stop(alice, Side.SELL, "98", qty=D(1), client_algo_id="a")
