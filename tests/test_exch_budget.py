import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.commands import Lane
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch.budget import Budget, Turned
from skalp_bot.exch.wire import Reply, Request

MINUTE = 60 * SECOND


class Time:
    def __init__(self) -> None:
        self.now = 1000 * MINUTE

    def __call__(self) -> int:
        return self.now


def ask(weight: int = 1, orders: int = 0) -> Request:
    return Request(method="GET", path="x", weight=weight, orders=orders)


def answer(status: int = 200, body: str = "{}", **headers: str) -> Reply:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=body, headers=told, signed_at=Nanos(0), ts_recv=Nanos(0))


def spent(budget: Budget, lane: Lane, request: Request) -> int:
    count = 0
    while budget.admit(lane, request) is None:
        count += 1
    return count


def test_each_lane_leaves_room_for_those_before_it() -> None:
    budget = Budget(now=Time())
    assert spent(budget, Lane.ENTRY, ask()) == 1440
    assert spent(budget, Lane.QUERY, ask()) == 480
    assert spent(budget, Lane.CANCEL, ask()) == 360
    assert spent(budget, Lane.EXIT, ask()) == 120


def test_entries_leave_order_count_for_exits() -> None:
    budget = Budget(now=Time())
    assert spent(budget, Lane.ENTRY, ask(0, 1)) == 180
    assert spent(budget, Lane.EXIT, ask(0, 1)) == 120


def test_an_order_costs_no_weight_so_a_spent_weight_does_not_hold_an_exit() -> None:
    budget = Budget(now=Time())
    spent(budget, Lane.EXIT, ask())
    assert budget.admit(Lane.EXIT, ask(0, 1)) is None


def test_what_never_left_us_is_given_back_in_its_own_window_only() -> None:
    time = Time()
    budget = Budget(now=time)
    asked = ask(weight=5, orders=1)
    assert budget.admit(Lane.EXIT, asked) is None
    assert budget.use() == (("weight", 5 / 2400), ("orders_10s", 1 / 300), ("orders_1m", 1 / 1200))
    asked_at = time.now
    time.now += 10 * SECOND
    budget.admit(Lane.EXIT, asked)
    budget.give_back(asked, asked_at)
    assert budget.use() == (("weight", 5 / 2400), ("orders_10s", 1 / 300), ("orders_1m", 1 / 1200))


def test_room_comes_back_with_the_venues_next_window() -> None:
    time = Time()
    budget = Budget(now=time)
    spent(budget, Lane.ENTRY, ask(0, 1))
    time.now += 7 * SECOND
    turned = budget.admit(Lane.ENTRY, ask(0, 1))
    assert isinstance(turned, Turned)
    assert turned.wait_s == pytest.approx(3.0)
    time.now += 3 * SECOND
    assert budget.admit(Lane.ENTRY, ask(0, 1)) is None


def test_what_others_spend_behind_our_address_is_counted() -> None:
    time = Time()
    budget = Budget(now=time)
    budget.note(ask(), answer(X_MBX_USED_WEIGHT_1M="1440"), time.now)
    assert isinstance(budget.admit(Lane.ENTRY, ask()), Turned)
    assert budget.admit(Lane.QUERY, ask()) is None


def test_a_count_of_a_window_that_has_ended_says_nothing() -> None:
    time = Time()
    budget = Budget(now=time)
    asked_at = time.now
    time.now += MINUTE
    budget.note(ask(), answer(X_MBX_USED_WEIGHT_1M="2400"), asked_at)
    assert budget.admit(Lane.ENTRY, ask()) is None


@pytest.mark.parametrize(
    ("reply", "silence_s"),
    [
        (answer(429, '{"code":-1003,"msg":"x"}', Retry_After="7"), 7),
        (answer(429, '{"code":-1003,"msg":"x"}'), 60),
        (answer(418, "", Retry_After="300"), 300),
        (answer(418, ""), 120),
        (answer(418, '{"code":-1003,"msg":"Way too many requests; IP banned until 60090000."}'), 120),
        (answer(418, '{"code":-1003,"msg":"IP banned until 0000060090000."}'), 90),
    ],
)
def test_a_ban_silences_every_lane_until_it_is_over(reply: Reply, silence_s: int) -> None:
    time = Time()
    budget = Budget(now=time)
    budget.note(ask(), reply, time.now)
    time.now += silence_s * SECOND - 1
    for lane in Lane:
        for request in (ask(), ask(0, 1)):
            assert isinstance(budget.admit(lane, request), Turned)
    time.now += 1
    assert budget.admit(Lane.ENTRY, ask()) is None


def test_too_many_orders_stops_orders_and_nothing_else() -> None:
    time = Time()
    budget = Budget(now=time)
    budget.note(ask(), answer(429, '{"code":-1015,"msg":"x"}'), time.now)
    assert isinstance(budget.admit(Lane.EXIT, ask(0, 1)), Turned)
    assert budget.admit(Lane.CANCEL, ask()) is None
    time.now += 10 * SECOND
    assert budget.admit(Lane.EXIT, ask(0, 1)) is None


def test_the_venues_own_limits_replace_the_defaults() -> None:
    budget = Budget(now=Time())
    budget.set_limits(
        [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
            {"rateLimitType": "ORDERS"},
        ]
    )
    assert budget.weight.limit == 6000
    assert [window.limit for window in budget.orders] == [10, 1200]


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 50), st.integers(0, 2), st.integers(0, 20))))
def test_no_sequence_of_requests_exceeds_a_limit(asked: list[tuple[Lane, int, int, int]]) -> None:
    time = Time()
    budget = Budget(now=time)
    counted: dict[tuple[str, int], int] = {}
    for lane, weight, orders, pause_s in asked:
        time.now += pause_s * SECOND
        if budget.admit(lane, ask(weight, orders)) is None:
            for window, cost in ((budget.weight, weight), *((each, orders) for each in budget.orders)):
                place = (window.name, time.now // window.span)
                counted[place] = counted.get(place, 0) + cost
                assert counted[place] <= window.limit
