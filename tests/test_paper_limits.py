"""Request and order limits of the paper exchange."""

import pytest

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.limits import Limits, LimitSettings

NOON = 1_700_000_040_000 - 1_700_000_040_000 % 60_000
SMALL = LimitSettings(weight_1m=10, orders_10s=2, orders_1m=3, ignored_429_max=2)


def refusal(limits: Limits, weight: int, now_ms: int) -> VenueError:
    with pytest.raises(VenueError) as caught:
        limits.spend("ip", weight, now_ms)
    return caught.value


def test_weight_is_counted_in_a_fixed_minute_and_forgotten_at_its_end() -> None:
    limits = Limits(SMALL)
    limits.spend("ip", 10, NOON + 59_999)
    assert limits.weight_header("ip", NOON + 59_999) == ("X-MBX-USED-WEIGHT-1M", "10")
    limits.spend("ip", 10, NOON + 60_000)
    limits.spend("other", 10, NOON + 60_000)


def test_going_over_is_429_with_the_venues_words_and_seconds_to_wait() -> None:
    limits = Limits(SMALL)
    limits.spend("ip", 10, NOON)
    error = refusal(limits, 1, NOON + 100)
    assert (error.status, error.code) == (429, -1003)
    assert error.msg == (
        "Too many requests; current limit is 10 requests per minute. "
        "Please use the websocket for live updates to avoid polling the API."
    )
    assert limits.retry_after_s("ip", NOON + 100) == 60


def test_ignoring_429_earns_a_ban_with_its_end_and_the_next_ban_is_longer() -> None:
    limits = Limits(SMALL)
    limits.spend("ip", 10, NOON)
    statuses = [refusal(limits, 1, NOON + step).status for step in range(3)]
    assert statuses == [429, 429, 418]
    with pytest.raises(VenueError) as caught:
        limits.check_ban("ip", NOON + 1000)
    until = NOON + 2 + 120_000
    assert (caught.value.status, caught.value.code) == (418, -1003)
    assert caught.value.msg == (
        f"Way too many requests; IP banned until {until}. "
        "Please use the websocket for live updates to avoid bans."
    )
    assert limits.retry_after_s("ip", NOON + 1000) == 120
    limits.check_ban("ip", until)
    limits.check_ban("other", NOON)
    later = NOON + 600_000
    limits.spend("ip", 10, later)
    for _ in range(3):
        refusal(limits, 1, later)
    assert limits.visitor("ip").banned_until_ms == later + 240_000


def test_a_quiet_minute_forgives_ignored_429() -> None:
    limits = Limits(SMALL)
    for minute in range(3):
        limits.spend("ip", 10, NOON + minute * 60_000)
        for _ in range(2):
            assert refusal(limits, 1, NOON + minute * 60_000).status == 429


@pytest.mark.parametrize(
    ("charges", "message"),
    [
        ([(1, 1)] * 3, "Too many new orders; current limit is 2 orders per TEN_SECONDS."),
        ([(0, 1)] * 4, "Too many new orders; current limit is 3 orders per MINUTE."),
    ],
)
def test_too_many_orders_are_refused_by_the_window_that_is_full(
    charges: list[tuple[int, int]], message: str
) -> None:
    limits = Limits(SMALL)
    for charge in charges[:-1]:
        limits.order("a", charge, NOON)
    with pytest.raises(VenueError) as caught:
        limits.order("a", charges[-1], NOON)
    assert (caught.value.status, caught.value.code, caught.value.msg) == (429, -1015, message)
    limits.order("b", charges[0], NOON)


def test_order_counts_are_reported_per_account() -> None:
    limits = Limits(SMALL)
    limits.order("a", (1, 1), NOON)
    assert limits.order_headers("a", NOON + 10_000) == [
        ("X-MBX-ORDER-COUNT-10S", "0"),
        ("X-MBX-ORDER-COUNT-1M", "1"),
    ]


def test_limits_off_counts_and_never_refuses() -> None:
    limits = Limits(LimitSettings(enforced=False, weight_1m=1, orders_10s=1, orders_1m=1, connects_5m=1))
    for _ in range(50):
        limits.check_ban("ip", NOON)
        limits.spend("ip", 5, NOON)
        limits.order("a", (1, 1), NOON)
        limits.spend_funding("ip", NOON)
        assert limits.may_connect("ip", NOON)
    assert limits.weight_header("ip", NOON)[1] == "250"
