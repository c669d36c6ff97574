"""The bracket's table, its levels and what counts as cover."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.config import ExitsConfig
from aurora.errors import TransitionError
from aurora.execution.bracket import (
    NEXT,
    Cue,
    advance,
    covered,
    not_after,
    predates,
    stop_hit,
    target_hit,
    with_stop,
)
from aurora.execution.exits import exit_intents, split, stop_intent
from aurora.execution.levels import levels, resting
from aurora.model.bracket import Bracket, Phase
from aurora.model.numbers import NEVER, Nanos, Price, Qty
from aurora.model.order import Namespace, Order, OrderKey, OrderStatus, OrderType, Role, Side
from tests.kit import instrument

D = Decimal


def bracket(
    side: Side = Side.BUY, phase: Phase = Phase.GUARDED, *, naked_since: int | None = None
) -> Bracket:
    long = side is Side.BUY
    return Bracket(
        symbol="BTCUSDT",
        epoch=3,
        side=side,
        phase=phase,
        qty=Qty(D("0.5")),
        entry=Price(D("60000")),
        stop=Price(D("59700" if long else "60300")),
        initial_stop=Price(D("59700" if long else "60300")),
        take_profit=Price(D("60600" if long else "59400")),
        backstop=Price(D("58800" if long else "61200")),
        opened_at=Nanos(1),
        naked_since=None if naked_since is None else Nanos(naked_since),
    )


def stop(*, qty: str = "0.5", status: OrderStatus = OrderStatus.NEW, listed: bool = True) -> Order:
    intent = stop_intent(Role.STOP, bracket(), ExitsConfig(), instrument(), 0.1)
    key = OrderKey(namespace=Namespace.ALGO, client_id="ska1-1-1-0S")
    order = Order(key=key, intent=intent, position_epoch=3, status=status, created_at=Nanos(1), listed=listed)
    filled = D("0.5") - D(qty)
    return Order(**{**{f: getattr(order, f) for f in order.__slots__}, "filled": Qty(filled)})


@pytest.mark.parametrize(("phase", "cue"), list(product(Phase, Cue)))
def test_every_pair_of_phase_and_cue_is_a_row_or_refused(phase: Phase, cue: Cue) -> None:
    before = bracket(phase=phase)
    if (phase, cue) in NEXT:
        assert advance(before, cue, Nanos(9)).phase is NEXT[phase, cue]
    else:
        with pytest.raises(TransitionError, match=f"{cue.value} while {phase.value}"):
            advance(before, cue, Nanos(9))


def test_a_closed_bracket_never_opens_again() -> None:
    assert {NEXT[row] for row in NEXT if row[0] is Phase.CLOSED} == {Phase.CLOSED}


def test_what_is_added_is_naked_until_a_listed_stop_covers_it() -> None:
    grown = advance(bracket(phase=Phase.GUARDED), Cue.FILLED, Nanos(50))
    assert (grown.phase, grown.naked_since) == (Phase.NAKED, 50)
    assert advance(grown, Cue.FILLED, Nanos(70)).naked_since == 50
    covered_again = advance(grown, Cue.COVERED, Nanos(90))
    assert (covered_again.phase, covered_again.naked_since) == (Phase.GUARDED, None)


def test_a_stop_counts_from_the_first_fill_and_from_every_move() -> None:
    filled = advance(bracket(phase=Phase.ENTERING), Cue.FILLED, Nanos(50))
    assert filled.stop_since == 50
    assert advance(filled, Cue.FILLED, Nanos(60)).stop_since == 50
    assert with_stop(filled, filled.stop, Nanos(70)) == filled
    moved = with_stop(filled, Price(D("59800")), Nanos(80))
    assert (moved.stop, moved.stop_since) == (D("59800"), 80)
    assert not_after(moved, Nanos(60)).stop_since == 60


def test_what_began_before_the_stop_predates_it_and_nothing_predates_one_of_unknown_age() -> None:
    moved = with_stop(bracket(), Price(D("59800")), Nanos(80))
    assert [predates(Nanos(since), moved) for since in (NEVER, 79, 80, 81)] == [False, True, False, False]
    assert not predates(Nanos(79), bracket())


def test_nakedness_is_counted_while_closing_too() -> None:
    lost = advance(bracket(phase=Phase.CLOSING), Cue.UNCOVERED, Nanos(50))
    assert (lost.phase, lost.naked_since) == (Phase.CLOSING, 50)


@pytest.mark.parametrize(
    ("order", "safe"),
    [
        (stop(), True),
        (stop(listed=False), False),
        (stop(qty="0.4"), False),
        (stop(status=OrderStatus.CANCELED), False),
        (stop(status=OrderStatus.UNKNOWN), False),
    ],
    ids=["listed", "only accepted", "too small", "cancelled", "unknown"],
)
def test_only_a_listed_live_stop_of_the_whole_quantity_covers(order: Order, *, safe: bool) -> None:
    assert covered([order], bracket(), Qty(D("0.5"))) is safe


def test_a_spike_inside_a_burst_fires_the_stop_and_a_gone_profit_is_not_taken() -> None:
    assert stop_hit(bracket(), mid_low=59_700.0, mid_high=60_700.0)
    assert not stop_hit(bracket(), mid_low=59_700.1, mid_high=60_700.0)
    assert stop_hit(bracket(Side.SELL), mid_low=59_000.0, mid_high=60_300.0)
    assert target_hit(bracket(), 60_600.0)
    assert not target_hit(bracket(), 60_599.9)
    assert target_hit(bracket(Side.SELL), 59_400.0)


@given(
    side=st.sampled_from(Side),
    entry=st.decimals("1000", "100000", places=1),
    sl=st.floats(0.0005, 0.01),
    spread=st.floats(0, 50),
)
def test_the_resting_stop_stands_beyond_the_local_one_and_inside_the_backstop(
    side: Side, entry: Decimal, sl: float, spread: float
) -> None:
    exits = ExitsConfig(sl_pct=sl, backstop_pct=0.2)
    at = levels(side, Price(entry), exits, instrument())
    rest = resting(side, at.stop, spread, exits, instrument())
    assert (at.stop - rest) * side.sign >= 0
    assert (rest - at.backstop) * side.sign > 0
    for price in (at.stop, at.take_profit, at.backstop, rest):
        assert price % D("0.10") == 0
    # Rounded towards being hit earlier: never further from the entry than configured.
    assert (entry - at.stop) * side.sign <= entry * D(repr(sl))


@given(qty=st.integers(1, 1_000_000))
def test_the_parts_of_an_exit_add_up_and_fit(qty: int) -> None:
    whole = Qty(D(qty) / 1000)
    parts = split(whole, instrument())
    assert sum(parts) == whole
    assert all(0 < part <= 120 for part in parts)


def test_after_a_price_band_refusal_the_exit_is_a_limit_at_the_bound() -> None:
    market, *_ = exit_intents(bracket(), instrument(), last_code=0, mark=D("59000"))
    assert (market.type, market.price, market.reduce_only) == (OrderType.MARKET, None, True)
    limit, *_ = exit_intents(bracket(), instrument(), last_code=-4131, mark=D("59000"))
    assert (limit.type, limit.price, limit.side) == (OrderType.LIMIT, D("56050.0"), Side.SELL)
