"""A burst of quotes that waited judges a stop that stood when it began, and a newer one by its last alone."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora.model.facts import RoundTripClosed
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from aurora.model.order import Role, Side
from skalp_bot.runner.inbox import Inbox
from tests.desk import Desk
from tests.kit import tick
from tests.runner_kit import HandClock
from tests.test_exits import beyond, desk_with, entered, go, held, reason, seed_of, shown

D = Decimal
SOURCES = pytest.mark.parametrize("source", ["mid", "executable"])
SIDES = pytest.mark.parametrize("side", Side)


def burst(desk: Desk, *, worst: Decimal, last: Decimal, since: int) -> None:
    """Quotes from ``since`` on that went to ``worst`` and came to ``last`` while they waited."""
    desk.bid, desk.ask = last - D("0.05"), last + D("0.05")
    way = "low" if held(desk).side is Side.BUY else "high"
    desk.quote(**{way: str(worst)}, since=Nanos(since))


def mid(desk: Desk) -> Decimal:
    return (desk.bid + desk.ask) / 2


def between(one: Decimal, other: Decimal) -> Decimal:
    return (one + other) / 2


@SIDES
@SOURCES
def test_a_price_from_before_the_position_does_not_end_it(side: Side, source: str) -> None:
    desk = desk_with(seed_of(side), trigger_price=source, tp_pct=0.5)
    before = desk.now
    assert desk.enter() is side
    burst(desk, worst=beyond(desk, "-0.01"), last=mid(desk), since=before)
    desk.run(0.3)
    assert not desk.venue.position.flat
    assert not desk.facts(RoundTripClosed)


@SIDES
@pytest.mark.parametrize("source", ["mark", "last"])
@pytest.mark.parametrize(("fraction", "why"), [("-0.01", "STOP_LOSS"), ("0.01", "TAKE_PROFIT")])
def test_a_mark_or_a_trade_from_before_the_position_does_not_end_it(
    side: Side, source: str, fraction: str, why: str
) -> None:
    desk = desk_with(seed_of(side), trigger_price=source, tp_pct=0.006)
    before = desk.now
    assert desk.enter() is side
    level, now = beyond(desk, fraction), desk.now
    desk.now = before
    shown(desk, source, level)
    assert not desk.venue.position.flat
    desk.now = now
    shown(desk, source, level)
    desk.run(0.3)
    assert reason(desk) == why


@SIDES
@SOURCES
def test_a_spike_inside_a_burst_that_began_with_the_position_ends_it(side: Side, source: str) -> None:
    desk = desk_with(seed_of(side), trigger_price=source, tp_pct=0.5)
    assert desk.enter() is side
    burst(desk, worst=beyond(desk, "-0.0021"), last=mid(desk), since=held(desk).stop_since)
    assert desk.venue.position.flat
    desk.run(0.3)
    assert reason(desk) == "STOP_LOSS"


@SIDES
@SOURCES
def test_the_newest_price_ends_a_position_however_long_its_burst_is(side: Side, source: str) -> None:
    desk = desk_with(seed_of(side), trigger_price=source, tp_pct=0.5)
    before = desk.now
    assert desk.enter() is side
    there = beyond(desk, "-0.0021")
    burst(desk, worst=there, last=there, since=before)
    assert desk.venue.position.flat


@SIDES
@pytest.mark.parametrize(("late", "flat"), [(False, False), (True, True)])
def test_a_stop_that_an_add_moved_is_judged_by_what_came_after(side: Side, *, late: bool, flat: bool) -> None:
    """The add moves it when it is sent, and again when it fills dearer than it was thought to."""
    desk = entered(side, pyramid_adds=1, pyramid_step_pct=0.002, pyramid_share=1.0, tp_pct=0.5)
    desk.venue.hold_fills = [Role.ENTRY]
    first, before = held(desk).stop, desk.now
    go(desk, "0.0025")
    sent = held(desk)
    assert (sent.stop - first) * side.sign > 0
    burst(desk, worst=between(first, sent.stop), last=mid(desk), since=before)
    assert not desk.venue.position.flat
    waiting = desk.now
    desk.now = Nanos(desk.now + MILLISECOND)
    desk.bid, desk.ask = desk.bid + 20 * side.sign, desk.ask + 20 * side.sign
    ((child, _),) = desk.children()
    desk.fill(child)
    now = held(desk)
    assert (now.stop - sent.stop) * side.sign > 0
    since = now.stop_since if late else waiting
    burst(desk, worst=between(sent.stop, now.stop), last=mid(desk), since=since)
    assert desk.venue.position.flat is flat


@SIDES
def test_a_stop_that_trails_is_judged_by_the_burst_after_the_quote_that_moved_it(side: Side) -> None:
    desk = entered(side, trail_pct=0.002, tp_pct=0.5)
    first, before = held(desk).stop, desk.now
    desk.price(str(beyond(desk, "0.004")))
    worst = between(first, held(desk).stop)
    burst(desk, worst=worst, last=mid(desk), since=before)
    assert not desk.venue.position.flat
    burst(desk, worst=worst, last=mid(desk), since=held(desk).stop_since + 1)
    assert desk.venue.position.flat


@SIDES
@pytest.mark.parametrize("back_s", [0, 60])
def test_after_a_restart_a_spike_ends_the_position_even_if_the_clock_was_set_back(
    side: Side, back_s: int
) -> None:
    desk = entered(side, tp_pct=0.5)
    desk.now = Nanos(desk.now - back_s * SECOND)
    desk.restart(epoch=2)
    burst(desk, worst=beyond(desk, "-0.0021"), last=mid(desk), since=desk.now)
    assert desk.venue.position.flat


@settings(max_examples=60, deadline=None)
@example(side=Side.BUY, moves=["-0.003", "0"], opened=1)
@example(side=Side.SELL, moves=["-0.003", "0"], opened=0)
@given(
    side=st.sampled_from(Side),
    moves=st.lists(st.sampled_from(("-0.003", "-0.001", "0", "0.001")), min_size=1, max_size=6),
    opened=st.integers(0, 6),
)
def test_whenever_a_fill_overtakes_waiting_quotes_none_older_ends_the_position(
    side: Side, moves: list[str], opened: int
) -> None:
    desk = desk_with(seed_of(side), tp_pct=0.5)
    desk.venue.hold_fills = [Role.ENTRY]
    while not desk.children():
        desk.run(0.1)
    ((child, _),) = desk.children()
    box = Inbox(clock=HandClock(), alert=lambda _code, _why: None)
    for number in range(max(len(moves), opened + 1)):
        desk.now = Nanos(desk.now + MILLISECOND)
        if number == opened:
            desk.fill(child)
        if number < len(moves):
            price = 60_000 * (1 + float(moves[number]) * side.sign)
            box.put(tick(price, price + 0.1, symbol="BTCUSDT", when=desk.now))
    seen = box.take()
    assert isinstance(seen, BookTicker)
    desk.tell(seen)
    judges = moves if opened == 0 else moves[-1:]
    assert desk.venue.position.flat is ("-0.003" in judges)
