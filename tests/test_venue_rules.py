"""Promises about the rules of the venue at their edges: refusals by code, switches, configuration."""

from decimal import Decimal
from typing import Any

import pytest

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.orders import (
    AlgoRef,
    Amend,
    NewOrder,
    OrderRef,
    OrderStatus,
    OrderType,
    PositionSide,
    PriceMatch,
    Query,
    Side,
    Stp,
    TimeInForce,
)
from tests.venue_kit import BTC, T0, Bench, price

D = Decimal


def refused(code: int) -> pytest.RaisesExc[VenueError]:
    return pytest.raises(VenueError, check=lambda error: error.code == code)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"time_in_force": None}, -1102),
        ({"qty": None}, -1102),
        ({"price": None}, -1102),
        ({"price_match": PriceMatch.QUEUE}, -1106),
        ({"price": None, "price_match": PriceMatch.OPPONENT_20}, -5037),
        ({"price": None, "price_match": PriceMatch.QUEUE_10}, -5041),
        ({"position_side": PositionSide.LONG}, -4061),
        ({"reduce_only": True, "close_position": True}, -1106),
        ({"close_position": True}, -4136),
        ({"time_in_force": TimeInForce.GTD}, -1102),
        ({"time_in_force": TimeInForce.GTD, "good_till_ms": T0 + 600_000}, -5040),
        ({"time_in_force": TimeInForce.GTE_GTC}, -1115),
        ({"type": OrderType.STOP}, -4120),
        ({"type": OrderType.MARKET}, -1106),
        ({"type": OrderType.MARKET, "time_in_force": None}, -1106),
        ({"type": OrderType.MARKET, "time_in_force": None, "price": None, "qty": D(121)}, -4005),
        ({"symbol": "NOSUCH"}, -1121),
    ],
)
def test_a_contradictory_order_is_refused_with_its_code(more: dict[str, Any], code: int) -> None:
    bench = Bench.opened()
    alice = bench.account()
    good: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "qty": D(1),
        "price": price("99"),
    }
    with refused(code):
        bench.venue.place(alice, NewOrder(**(good | more)), bench.now_ms)
    assert not alice.orders
    assert not bench.user(alice)


def test_a_test_order_is_judged_alike_and_leaves_nothing() -> None:
    bench = Bench.opened()
    alice = bench.account()
    request = NewOrder(symbol=BTC, side=Side.BUY, type=OrderType.MARKET, qty=D(1))
    assert bench.venue.test(alice, request, bench.now_ms).status is OrderStatus.NEW
    assert not alice.orders
    assert not bench.drain()


def test_a_market_order_does_not_take_beyond_its_bound() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="100000000")
    bench.book(asks=(("100.1", "0"), ("100.2", "0"), ("100.3", "1"), ("106", "9")))
    order = bench.market(alice, Side.BUY, "5")
    assert (order.filled, order.status) == (D(1), OrderStatus.EXPIRED)
    with refused(-4131):
        bench.market(alice, Side.BUY, "1")


def test_an_empty_book_has_no_market_price() -> None:
    bench = Bench.opened()
    bench.book((("99", "1"),), (), snapshot=True)
    with refused(-1112):
        bench.market(bench.account(), Side.BUY, "1")


@pytest.mark.parametrize(
    ("mode", "at"),
    [
        (PriceMatch.OPPONENT, "100.1"),
        (PriceMatch.QUEUE, "99.9"),
    ],
)
def test_a_matched_price_is_fixed_at_acceptance(mode: PriceMatch, at: str) -> None:
    bench = Bench.opened()
    request = NewOrder(
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        qty=D(1),
        price_match=mode,
    )
    order = bench.venue.place(bench.account(), request, bench.now_ms)
    assert (order.price, order.price_match) == (price(at), mode)


def test_amending_has_its_own_refusals() -> None:
    bench = Bench.opened(amends_max=1)
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99", "1")
    ref = OrderRef(symbol=BTC, order_id=order.order_id)

    def amend(at: str, qty: str, **more: Any) -> None:
        request = Amend(ref=ref, side=Side.BUY, qty=D(qty), price=price(at), **more)
        bench.venue.amend(alice, request, bench.now_ms)

    with refused(-4014):
        amend("99.00005", "1")
    with refused(-5047):
        amend("99", "2", reduce_only=True)
    assert order.open
    amend("98.9", "1")
    with refused(-5026):
        amend("98.8", "1")
    assert bench.venue.amendments(alice, Query(symbol=BTC), ref)[0]["amendment"] == {
        "price": {"before": "99000.00", "after": "98900.00"},
        "origQty": {"before": "1.000", "after": "1.000"},
        "count": 1,
    }
    with refused(-2013):
        request = Amend(ref=OrderRef(symbol=BTC, order_id=1), side=Side.BUY, qty=D(1), price=price("99"))
        bench.venue.amend(alice, request, bench.now_ms)


def test_an_amendment_below_what_has_filled_or_through_the_book_of_a_maker_cancels() -> None:
    bench = Bench.opened()
    alice = bench.account()
    part = bench.limit(alice, Side.SELL, "100.0", "1")
    bench.print("100.0", "0.5", buyer_is_maker=False)
    ref = OrderRef(symbol=BTC, order_id=part.order_id)
    bench.venue.amend(alice, Amend(ref=ref, side=Side.SELL, qty=D("0.5"), price=price("100.0")), bench.now_ms)
    assert part.status is OrderStatus.CANCELED
    maker = bench.limit(alice, Side.BUY, "99", "1", time_in_force=TimeInForce.GTX)
    ref = OrderRef(symbol=BTC, order_id=maker.order_id)
    bench.venue.amend(alice, Amend(ref=ref, side=Side.BUY, qty=D(1), price=price("100.1")), bench.now_ms)
    assert (maker.status, maker.filled) == (OrderStatus.CANCELED, D(0))


@pytest.mark.parametrize(("drops", "mode"), [(False, Stp.EXPIRE_MAKER), (True, Stp.NONE)])
def test_an_amendment_that_crosses_trades_and_keeps_self_trade_prevention(drops: bool, mode: Stp) -> None:
    bench = Bench.opened(amend_drops_stp=drops)
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99", "1")
    ref = OrderRef(symbol=BTC, order_id=order.order_id)
    bench.venue.amend(
        alice, Amend(ref=ref, side=Side.BUY, qty=D(1), price=price("100.1"), modify_id=77), bench.now_ms
    )
    assert (order.status, order.stp) == (OrderStatus.FILLED, mode)
    changed = [e["o"] for e in bench.user(alice) if e["e"] == "ORDER_TRADE_UPDATE"][1]
    assert (changed["x"], changed["X"], changed["M"]) == ("AMENDMENT", "NEW", "77")


@pytest.mark.parametrize(("cancels", "ending"), [(False, "EXPIRED"), (True, "CANCELED")])
def test_a_good_till_date_ends_an_order(cancels: bool, ending: str) -> None:
    bench = Bench.opened(good_till_cancels=cancels)
    alice = bench.account()
    till = bench.now_ms + 700_000
    order = bench.limit(alice, Side.BUY, "99", "1", time_in_force=TimeInForce.GTD, good_till_ms=till)
    assert bench.venue.next_ms() == till
    bench.wait(700_000)
    assert order.status == ending


def test_open_orders_of_a_symbol_are_bounded_with_conditional_ones() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="100000000")
    for step in range(199):
        bench.limit(alice, Side.BUY, str(D("98") + D(step) / 1000), "0.001")
    bench.stop(alice, Side.SELL, "97", close_position=True)
    with refused(-2025):
        bench.limit(alice, Side.BUY, "97", "0.001")


def test_trigger_bands_bind_only_when_switched_on() -> None:
    free, bound = Bench.opened(), Bench.opened(trigger_band=D("0.1"))
    free.stop(free.account(), Side.SELL, "80", close_position=True)
    alice = bound.account()
    with refused(-4211):
        bound.stop(alice, Side.SELL, "80", close_position=True)
    with refused(-4210):
        bound.stop(alice, Side.BUY, "120", close_position=True)


def test_percent_price_can_be_switched_off_as_on_demo() -> None:
    bench = Bench.opened(percent_price=False)
    assert bench.limit(bench.account(), Side.SELL, "94", "1").status is OrderStatus.FILLED


def test_a_triggering_order_cannot_be_cancelled() -> None:
    bench = Bench.opened(trigger_delay_ms=400)
    alice = bench.account()
    stop = bench.stop(alice, Side.SELL, "99", qty=D(1))
    bench.print("98", "0.001", buyer_is_maker=True)
    with refused(-4117):
        bench.venue.cancel_algo(alice, AlgoRef(algo_id=stop.algo_id), bench.now_ms)
    bench.wait(399)
    assert not alice.orders
    bench.wait(1)
    assert len(alice.orders) == 1


def test_leverage_is_bounded_by_brackets_margin_and_position() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="6000")
    with refused(-4028):
        bench.venue.set_leverage(alice, BTC, 151, bench.now_ms)
    row = bench.venue.set_leverage(alice, BTC, 50, bench.now_ms)
    assert row == {"leverage": 50, "maxNotionalValue": "12000000", "symbol": BTC}
    assert bench.user(alice)[0]["ac"] == {"s": BTC, "l": 50}
    bench.venue.set_leverage(alice, BTC, 50, bench.now_ms)
    assert not bench.user(alice), "setting the same leverage says nothing"
    bench.market(alice, Side.BUY, "2")
    with refused(-2028):
        bench.venue.set_leverage(alice, BTC, 10, bench.now_ms)
    assert bench.venue.symbol_config(alice, BTC)[0]["leverage"] == 50


def test_modes_change_only_while_flat_and_only_to_another() -> None:
    bench = Bench.opened()
    alice = bench.account()
    with refused(-4046):
        bench.venue.set_margin_type(alice, BTC, "CROSSED", bench.now_ms)
    with refused(-4059):
        bench.venue.set_dual(alice, dual=False, now_ms=bench.now_ms)
    order = bench.limit(alice, Side.BUY, "99", "1")
    with refused(-4047):
        bench.venue.set_margin_type(alice, BTC, "ISOLATED", bench.now_ms)
    with refused(-4067):
        bench.venue.set_dual(alice, dual=True, now_ms=bench.now_ms)
    bench.venue.cancel(alice, OrderRef(symbol=BTC, order_id=order.order_id), bench.now_ms)
    bench.market(alice, Side.BUY, "1")
    with refused(-4048):
        bench.venue.set_margin_type(alice, BTC, "ISOLATED", bench.now_ms)
    with refused(-4068):
        bench.venue.set_dual(alice, dual=True, now_ms=bench.now_ms)


def test_hedge_mode_keeps_two_positions_and_its_closing_side_reduces() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.venue.set_dual(alice, dual=True, now_ms=bench.now_ms)
    with refused(-4061):
        bench.market(alice, Side.BUY, "1")
    with refused(-1106):
        bench.market(alice, Side.BUY, "1", position_side=PositionSide.LONG, reduce_only=False)
    bench.market(alice, Side.BUY, "1", position_side=PositionSide.LONG)
    bench.market(alice, Side.SELL, "1", position_side=PositionSide.SHORT)
    assert {p["positionSide"]: p["positionAmt"] for p in bench.venue.position_risk(alice, 3, T0)} == {
        "LONG": "1.000",
        "SHORT": "-1.000",
    }
    with refused(-2022):
        bench.market(alice, Side.SELL, "2", position_side=PositionSide.LONG)
    bench.market(alice, Side.SELL, "1", position_side=PositionSide.LONG)
    assert alice.held(BTC, PositionSide.LONG) == 0


def test_money_cannot_be_withdrawn_while_it_is_bound() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="6000")
    bench.market(alice, Side.BUY, "1")
    bench.drain()
    with refused(-2018):
        bench.venue.transfer(alice, D(-2000), bench.now_ms)
    bench.venue.transfer(alice, D(-100), bench.now_ms)
    event = bench.user(alice)[0]["a"]
    assert (event["m"], event["B"][0]["bc"], event["P"]) == ("WITHDRAW", "-100", [])


def test_income_pages_count_from_the_newest_without_a_start() -> None:
    bench = Bench.opened()
    alice = bench.account()
    for amount in range(1, 6):
        bench.venue.transfer(alice, D(amount), bench.now_ms)
    latest = bench.venue.income(alice, Query(limit=2), bench.now_ms)
    assert [row["income"] for row in latest] == ["4.00000000", "5.00000000"]
    second = bench.venue.income(alice, Query(limit=2, page=2), bench.now_ms)
    assert [row["income"] for row in second] == ["2.00000000", "3.00000000"]
    oldest = bench.venue.income(alice, Query(limit=2, start_ms=T0), bench.now_ms)
    assert [row["income"] for row in oldest] == ["1000000.00000000", "1.00000000"]


def test_orders_that_ended_long_ago_are_forgotten_and_free_their_ids() -> None:
    bench = Bench.opened()
    alice = bench.account()
    gone = bench.limit(alice, Side.BUY, "99", "1", client_order_id="gone")
    kept = bench.limit(alice, Side.BUY, "100.1", "1", client_order_id="kept")
    bench.venue.cancel(alice, OrderRef(symbol=BTC, client_order_id="gone"), bench.now_ms)
    bench.wait(3 * 86_400_000 + 1)
    with refused(-2013):
        bench.venue.order(alice, OrderRef(symbol=BTC, order_id=gone.order_id), bench.now_ms)
    assert list(alice.orders) == [kept.order_id]
    assert list(alice.by_client) == [(BTC, "kept")]
    bench.wait(90 * 86_400_000)
    assert not alice.orders


def test_of_orders_that_ended_the_newest_are_kept() -> None:
    bench = Bench.opened(orders_max=3)
    alice = bench.account()
    resting = bench.limit(alice, Side.BUY, "98", "1", client_order_id="resting")
    for number in range(6):
        bench.limit(alice, Side.BUY, "99", "1", client_order_id=f"o{number}")
        bench.venue.cancel(alice, OrderRef(symbol=BTC, client_order_id=f"o{number}"), bench.now_ms)
    bench.wait(600_001)
    assert [order.client_order_id for order in alice.orders.values()] == ["resting", "o3", "o4", "o5"]
    assert set(alice.by_client) == {(BTC, name) for name in ("resting", "o3", "o4", "o5")}
    assert resting.open
