"""Promises about regular orders: events in recorded order, queue position, amounts to the last digit."""

from decimal import Decimal

import pytest

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.money import plain
from skalp_bot.paper.orders import Amend, OrderRef, OrderStatus, RespType, Side, Stp, TimeInForce
from skalp_bot.paper.wire import new_order_row, order_row
from tests.venue_kit import BTC, Bench, explained, price

D = Decimal
FILL = ["TRADE_LITE", "ACCOUNT ORDER", "ORDER TRADE FILLED"]
PART = ["TRADE_LITE", "ACCOUNT ORDER", "ORDER TRADE PARTIALLY_FILLED"]


def refused(code: int) -> pytest.RaisesExc[VenueError]:
    return pytest.raises(VenueError, check=lambda error: error.code == code)


def test_a_market_order_tells_new_then_each_fill_in_the_recorded_order() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.market(alice, Side.BUY, "3")
    assert bench.story(alice) == ["ORDER NEW NEW", *PART, *FILL]
    assert (order.status, order.filled, order.avg_price) == (
        OrderStatus.FILLED,
        D(3),
        (price("100.1") * 2 + price("100.2")) / 3,
    )


def test_every_event_of_a_fill_carries_one_time_and_the_booked_numbers() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    bench.now_ms += 5
    bench.drain()
    bench.market(alice, Side.SELL, "1")
    new, lite, account, trade = bench.user(alice)
    assert {event["T"] for event in (new, lite, account, trade)} == {bench.now_ms}
    assert trade["o"]["rp"] == "-200"
    assert trade["o"]["n"] == "49.95"
    assert account["a"]["B"][0]["wb"] == plain(alice.wallet["USDT"])
    assert alice.wallet["USDT"] == D(1_000_000) - D("50.05") - D(200) - D("49.95")
    assert explained(alice) == alice.wallet["USDT"]
    assert list(trade["o"])[:4] == ["s", "c", "S", "o"]


def test_an_unfilled_market_remainder_expires_with_reason_9() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="100000000")
    bench.market(alice, Side.BUY, "20")
    assert bench.story(alice)[-1] == "ORDER EXPIRED EXPIRED er9"


def test_an_ioc_remainder_expires_with_reason_2() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.limit(alice, Side.BUY, "100.1", "3", time_in_force=TimeInForce.IOC)
    assert bench.story(alice) == ["ORDER NEW NEW", *PART, "ORDER EXPIRED EXPIRED er2"]


def test_fok_fills_whole_or_leaves_no_trace() -> None:
    bench = Bench.opened()
    alice = bench.account()
    with refused(-5021):
        bench.limit(alice, Side.BUY, "100.1", "3", time_in_force=TimeInForce.FOK)
    assert not bench.story(alice)
    assert not alice.orders
    order = bench.limit(alice, Side.BUY, "100.2", "3", time_in_force=TimeInForce.FOK)
    assert order.status is OrderStatus.FILLED


def test_post_only_that_would_take_leaves_no_trace() -> None:
    bench = Bench.opened()
    alice = bench.account()
    with refused(-5022):
        bench.limit(alice, Side.BUY, "100.1", "1", time_in_force=TimeInForce.GTX)
    assert not bench.story(alice)
    assert bench.limit(alice, Side.BUY, "100.0", "1", time_in_force=TimeInForce.GTX).open


def test_taken_liquidity_stays_taken_until_the_feed_changes_the_level() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "2")
    assert bench.venue.top(BTC, 1)[1] == [["100200.00", "3.000"]]
    bench.book(asks=(("100.1", "2"),))
    assert bench.venue.top(BTC, 1)[1] == [["100200.00", "3.000"]]
    bench.book(asks=(("100.1", "1.5"),))
    assert bench.venue.top(BTC, 1)[1] == [["100100.00", "1.500"]]


def test_a_resting_order_waits_behind_what_was_displayed() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99.9", "1")
    bench.print("99.9", "1.5", buyer_is_maker=True)
    assert order.filled == 0
    bench.print("99.9", "1", buyer_is_maker=True)
    assert order.filled == D("0.5")
    assert bench.story(alice) == ["ORDER NEW NEW", *PART]
    bench.print("99.9", "1", buyer_is_maker=True)
    assert order.status is OrderStatus.FILLED


def test_a_displayed_decrease_moves_up_only_down_to_what_is_displayed() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99.9", "1")
    bench.book(bids=(("99.9", "5"),))
    assert order.ahead == 2
    bench.book(bids=(("99.9", "3"),))
    assert order.ahead == 2
    bench.book(bids=(("99.9", "0.5"),))
    assert order.ahead == D("0.5")


def test_a_print_never_fills_more_than_its_size_over_all_accounts() -> None:
    bench = Bench.opened()
    alice, bob = bench.account("alice"), bench.account("bob")
    first = bench.limit(alice, Side.SELL, "100.0", "1")
    second = bench.limit(bob, Side.SELL, "100.0", "1")
    bench.print("100.3", "1.5", buyer_is_maker=False)
    assert (first.filled, second.filled) == (D(1), D("0.5"))


def test_an_order_inside_the_spread_is_the_touch_for_everybody() -> None:
    bench = Bench.opened()
    alice, bob = bench.account("alice"), bench.account("bob")
    bench.limit(alice, Side.SELL, "100.0", "1")
    assert bench.venue.book_ticker(BTC, bench.now_ms)["askPrice"] == "100000.00"
    order = bench.market(bob, Side.BUY, "1")
    assert order.avg_price == price("100.0")
    assert bench.story(alice)[-3:] == FILL


def test_a_book_that_moves_through_a_resting_order_fills_it_at_its_price() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "100.0", "1")
    bench.book(asks=(("99.95", "0.4"),))
    assert (order.filled, order.avg_price) == (D("0.4"), price("100.0"))
    bids, asks = bench.venue.top(BTC, 1)
    assert D(bids[0][0]) < D(asks[0][0])


def test_reduce_only_needs_something_to_reduce_and_is_shrunk_to_it() -> None:
    bench = Bench.opened()
    alice = bench.account()
    with refused(-2022):
        bench.market(alice, Side.SELL, "1", reduce_only=True)
    bench.market(alice, Side.BUY, "1")
    bench.drain()
    order = bench.market(alice, Side.SELL, "1.5", reduce_only=True)
    assert (order.qty, order.status) == (D(1), OrderStatus.FILLED)
    assert bench.user(alice)[0]["o"]["q"] == "1"


def test_resting_reduce_only_orders_are_cut_with_the_position() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "2")
    near = bench.limit(alice, Side.SELL, "101", "1", reduce_only=True)
    far = bench.limit(alice, Side.SELL, "102", "1", reduce_only=True)
    bench.market(alice, Side.SELL, "0.5")
    assert (near.qty, far.qty, far.status) == (D(1), D("0.5"), OrderStatus.NEW)
    bench.drain()
    bench.market(alice, Side.SELL, "1.5", reduce_only=True)
    assert bench.story(alice)[-2:] == ["ORDER EXPIRED EXPIRED er4"] * 2


def test_self_trade_prevention_follows_the_taker() -> None:
    bench = Bench.opened()
    alice = bench.account()
    resting = bench.limit(alice, Side.SELL, "100.0", "1")
    taker = bench.limit(alice, Side.BUY, "100.0", "1", stp=Stp.EXPIRE_TAKER)
    assert (resting.status, taker.status) == (OrderStatus.NEW, OrderStatus.EXPIRED_IN_MATCH)
    taker = bench.limit(alice, Side.BUY, "100.0", "1")
    assert (resting.status, taker.status) == (OrderStatus.EXPIRED_IN_MATCH, OrderStatus.NEW)


def test_an_amended_order_goes_to_the_back_of_the_queue() -> None:
    bench = Bench.opened()
    alice, bob = bench.account("alice"), bench.account("bob")
    first = bench.limit(alice, Side.SELL, "100.0", "1")
    second = bench.limit(bob, Side.SELL, "100.0", "1")
    ref = OrderRef(symbol=BTC, order_id=first.order_id)
    bench.venue.amend(alice, Amend(ref=ref, side=Side.SELL, qty=D("1.1"), price=price("100.0")), bench.now_ms)
    assert bench.story(alice) == ["ORDER NEW NEW", "ORDER AMENDMENT NEW"]
    bench.print("100.0", "1", buyer_is_maker=False)
    assert (first.filled, second.filled) == (D(0), D(1))
    with refused(-5027):
        bench.venue.amend(
            alice, Amend(ref=ref, side=Side.SELL, qty=D("1.1"), price=price("100.0")), bench.now_ms
        )


def test_a_countdown_cancels_and_zero_stops_it() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99", "1")
    bench.venue.countdown(alice, BTC, 1000, bench.now_ms)
    bench.venue.countdown(alice, BTC, 0, bench.now_ms)
    bench.wait(2000)
    assert order.open
    bench.venue.countdown(alice, BTC, 1000, bench.now_ms)
    assert bench.venue.next_ms() == bench.now_ms + 1000
    bench.wait(1000)
    assert order.status is OrderStatus.CANCELED


def test_ack_answers_as_accepted_and_result_as_ended() -> None:
    bench = Bench.opened()
    alice = bench.account()
    spec = bench.venue.symbols[BTC]
    ack = new_order_row(bench.market(alice, Side.BUY, "1"), spec)
    assert (ack["status"], ack["executedQty"], ack["price"]) == ("NEW", "0.000", "0")
    done = new_order_row(bench.market(alice, Side.BUY, "1", resp_type=RespType.RESULT), spec)
    assert (done["status"], done["executedQty"], done["cumQuote"]) == ("FILLED", "1.000", "100100.00000")
    assert "time" in order_row(next(iter(alice.orders.values())), spec, with_time=True)


@pytest.mark.parametrize(
    ("at", "qty", "code"),
    [
        ("100.00001", "1", -4014),
        ("100.0000001", "1", -1111),
        ("100", "0.0001", -1111),
        ("100", "0", -4003),
        ("0", "1", -4001),
        ("99999", "1", -4002),
        ("0.1", "1", -4013),
        ("100", "1001", -4005),
        ("106", "1", -4016),
        ("99", "0.0005", -1111),
    ],
)
def test_filters_refuse_with_their_own_code(at: str, qty: str, code: int) -> None:
    bench = Bench.opened()
    with refused(code):
        bench.limit(bench.account(), Side.BUY, at, qty)


def test_small_orders_are_refused_unless_they_reduce() -> None:
    bench = Bench.opened(mark="20")
    alice = bench.account()
    bench.book((("20", "9"),), (("20.1", "9"),), snapshot=True)
    with pytest.raises(VenueError, match="-4164: Order's notional must be no smaller than 50 "):
        bench.market(alice, Side.BUY, "0.002")
    bench.market(alice, Side.BUY, "0.003")
    assert bench.market(alice, Side.SELL, "0.001", reduce_only=True).status is OrderStatus.FILLED


def test_margin_and_leverage_brackets_bound_size() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="1000")
    with refused(-2019):
        bench.limit(alice, Side.BUY, "99", "1")
    bench.venue.set_leverage(alice, BTC, 150, bench.now_ms)
    with refused(-2027):
        bench.limit(alice, Side.BUY, "99", "4")
    bench.limit(alice, Side.BUY, "99", "0.9")


def test_a_client_order_id_is_unique_among_open_orders() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.limit(alice, Side.BUY, "99", "1", client_order_id="x")
    with refused(-4116):
        bench.limit(alice, Side.BUY, "99", "1", client_order_id="x")
    bench.venue.cancel(alice, OrderRef(symbol=BTC, client_order_id="x"), bench.now_ms)
    with refused(-2011):
        bench.venue.cancel(alice, OrderRef(symbol=BTC, client_order_id="x"), bench.now_ms)
    bench.limit(alice, Side.BUY, "99", "1", client_order_id="x")


def test_a_print_through_the_price_fills_whatever_was_displayed_ahead() -> None:
    bench = Bench.opened()
    alice = bench.account()
    order = bench.limit(alice, Side.BUY, "99.9", "1")
    bench.print("99.8", "1", buyer_is_maker=True)
    assert (order.status, order.avg_price) == (OrderStatus.FILLED, price("99.9"))


def test_an_account_update_of_a_fill_lists_the_position_that_changed() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "0.02")
    body = next(event["a"] for event in bench.user(alice) if event["e"] == "ACCOUNT_UPDATE")
    assert body["P"] == [
        {
            "s": BTC,
            "pa": "0.02",
            "ep": "100100",
            "cr": "0",
            "up": "-2",
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
            "ma": "USDT",
            "bep": "100150.05",
        }
    ]
    assert list(body) == ["B", "P", "m"]
    assert body["B"][0]["bc"] == "0"
