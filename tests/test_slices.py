"""Every style of slicing as a story at the desk: what rests, what chases, what crosses, what is left."""

from decimal import Decimal
from typing import Any

import pytest

from aurora.config import AuroraConfig
from aurora.model.bracket import Phase
from aurora.model.commands import SubmitOrder
from aurora.model.control import Control, Verb
from aurora.model.facts import BracketRemoved, ParentClosed, ParentSet
from aurora.model.market import MarketTrade
from aurora.model.order import OrderIntent, OrderKey, OrderStatus, OrderType, Role, Side, TimeInForce
from aurora.model.parent import ParentOrder, Style
from tests.desk import CONFIG, Desk

D = Decimal


def desk_with(style: Style, seed: int = 1, **execution: Any) -> Desk:
    plain = CONFIG.model_dump()
    plain["execution"] |= {"style": style.value, "child_timeout_s": 5, "parent_timeout_s": 20} | execution
    plain["exits"] |= {"sl_pct": 0.01, "tp_pct": 0.4}
    plain["strategy"]["seed"] = seed
    return Desk(AuroraConfig.model_validate(plain)).open()


def quoting(style: Style, side: Side = Side.BUY, **execution: Any) -> tuple[Desk, OrderKey, OrderIntent]:
    """A desk whose first child rests; the seed decides the side."""
    for seed in range(20):
        desk = desk_with(style, seed, **execution)
        for _ in range(60):
            desk.run(0.1)
            if desk.children():
                break
        key, intent = desk.children()[0]
        if intent.side is side:
            return desk, key, intent
    raise AssertionError("no seed begins on that side")


def parent_of(desk: Desk) -> ParentOrder:
    begun = desk.facts(ParentSet)[0]
    assert isinstance(begun, ParentSet)
    return begun.parent


def closed(desk: Desk) -> ParentClosed:
    over = desk.facts(ParentClosed)[0]
    assert isinstance(over, ParentClosed)
    return over


def shift(desk: Desk, ticks: int, side: Side) -> None:
    """The touch moves away from a resting order by so many ticks of 0.1."""
    move = D("0.1") * ticks * side.sign
    desk.bid, desk.ask = desk.bid + move, desk.ask + move
    desk.quote()


def entries(desk: Desk) -> list[OrderKey]:
    return [key for key in desk.venue.posts if key.client_id.endswith("E")]


def phase(desk: Desk) -> Phase | None:
    bracket = desk.engine.state.durable.brackets.get("BTCUSDT")
    return bracket.phase if bracket else None


def agreed(desk: Desk) -> bool:
    """Books agree, never more than was meant, and what is held is guarded."""
    durable = desk.engine.state.durable
    assert durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert abs(desk.venue.position.qty) <= parent_of(desk).qty
    assert desk.venue.position.flat or phase(desk) is Phase.GUARDED
    return not durable.drifts


@pytest.mark.parametrize("side", Side)
def test_a_chase_rests_post_only_at_its_own_touch(side: Side) -> None:
    desk, key, intent = quoting(Style.CHASE, side)
    assert (intent.type, intent.time_in_force) == (OrderType.LIMIT, TimeInForce.GTX)
    assert intent.price == (desk.bid if side is Side.BUY else desk.ask)
    assert intent.qty == parent_of(desk).qty
    desk.fill(key)
    desk.run(0.5)
    assert closed(desk).why == "FILLED"
    assert closed(desk).slippage_bps <= 0, "a maker does not pay the spread"
    assert agreed(desk)


@pytest.mark.parametrize("side", Side)
def test_a_quote_left_behind_is_taken_back_and_made_anew(side: Side) -> None:
    desk, first, _ = quoting(Style.CHASE, side)
    desk.run(0.4)
    shift(desk, 3, side)
    desk.run(0.2)
    ((second, intent),) = desk.children()
    assert second != first
    assert intent.price == (desk.bid if side is Side.BUY else desk.ask)


def test_a_quote_the_market_came_towards_stays_where_it_is() -> None:
    desk, first, _ = quoting(Style.CHASE)
    desk.run(0.4)
    shift(desk, -3, Side.BUY)
    desk.run(0.4)
    assert [key for key, _ in desk.children()] == [first]


def test_a_quote_rests_a_while_before_it_is_moved() -> None:
    desk, first, _ = quoting(Style.CHASE, requote_ms=2_000)
    shift(desk, 3, Side.BUY)
    desk.run(1.0)
    assert [key for key, _ in desk.children()] == [first]
    desk.run(1.5)
    assert first not in desk.venue.resting


def chase_away(desk: Desk, times: int) -> None:
    for _ in range(times):
        desk.run(0.4)
        shift(desk, 1, Side.BUY)
        desk.run(0.2)


def test_after_its_last_chase_the_rest_is_taken_up_to_the_bound() -> None:
    desk, _, _ = quoting(Style.CHASE, chases_max=2)
    chase_away(desk, 2)
    assert desk.venue.position.flat
    chase_away(desk, 1)
    assert desk.venue.position.qty == parent_of(desk).qty
    assert len(entries(desk)) == 4, "three quotes and the one that crossed"
    assert closed(desk).why == "FILLED"
    desk.run(0.5)
    assert agreed(desk)


def test_after_its_last_chase_nothing_is_left_of_one_that_gives_up() -> None:
    desk, _, _ = quoting(Style.CHASE, chases_max=1, then="give_up")
    chase_away(desk, 2)
    assert closed(desk).why == "CHASES_USED"
    assert desk.venue.position.flat
    assert not desk.venue.resting
    assert desk.facts(BracketRemoved), "the symbol is free again"


def test_a_price_that_ran_beyond_the_bound_is_not_followed() -> None:
    desk, key, _ = quoting(Style.CHASE, drift_bps_max=2.0)
    desk.fill(key, "0.010")
    desk.run(0.4)
    shift(desk, 200, Side.BUY)
    desk.run(0.5)
    assert closed(desk).why == "PRICE_RAN"
    assert closed(desk).filled == D("0.010")
    assert not desk.children()
    assert agreed(desk), "what had filled is kept, and guarded"


def test_time_up_takes_the_rest() -> None:
    desk, _, _ = quoting(Style.CHASE, parent_timeout_s=3)
    desk.run(4.0)
    assert desk.venue.position.qty == parent_of(desk).qty
    assert agreed(desk)


def test_a_post_only_order_that_would_take_is_refused_and_quoted_again() -> None:
    desk, _, _ = quoting(Style.CHASE, chases_max=3)
    desk.run(0.4)
    # The market falls through the quote while it is on its way.
    bid, ask = desk.bid, desk.ask
    shift(desk, 2, Side.BUY)
    desk.bid, desk.ask = bid - 5, ask - 5
    desk.beat()
    refused = [o for o in desk.engine.state.durable.blotter.orders() if o.code == -5022]
    assert refused
    desk.run(0.4)
    ((_, intent),) = desk.children()
    assert intent.price == desk.bid
    assert agreed(desk)


def test_a_fill_that_beats_the_cancel_is_not_bought_twice() -> None:
    desk, key, intent = quoting(Style.CHASE)
    desk.run(0.4)
    desk.venue.mute = True
    part = D("0.010")
    desk.fill(key, str(part), told=False)
    shift(desk, 3, Side.BUY)
    desk.run(0.2)
    ((_, again),) = desk.children()
    assert intent.qty is not None
    assert again.qty == intent.qty - part
    desk.venue.mute = False
    desk.run(1.0)
    assert agreed(desk)


def test_a_cancel_that_does_not_say_what_had_filled_is_asked_about_first() -> None:
    desk, key, intent = quoting(Style.CHASE)
    desk.venue.curt = desk.venue.mute = True
    desk.run(0.4)
    desk.fill(key, "0.010", told=False)
    shift(desk, 3, Side.BUY)
    desk.run(0.3)
    ((_, again),) = desk.children()
    assert intent.qty is not None
    assert again.qty == intent.qty - D("0.010")
    desk.run(1.0)
    assert agreed(desk)


def test_a_quote_that_filled_whole_before_its_cancel_ends_the_parent() -> None:
    desk, key, _ = quoting(Style.CHASE)
    desk.run(0.4)
    desk.fill(key, told=False)
    shift(desk, 3, Side.BUY)
    desk.run(1.5)
    assert closed(desk).why == "FILLED"
    assert len(entries(desk)) == 1
    assert agreed(desk)


def test_a_quote_whose_answer_was_lost_counts_until_it_is_found() -> None:
    desk = desk_with(Style.CHASE)
    desk.venue.lose_ack = [Role.ENTRY]
    desk.venue.mute = True
    desk.run(4.0)
    assert len(entries(desk)) >= 1
    assert sum((intent.qty or D(0) for _, intent in desk.children()), D(0)) <= parent_of(desk).qty
    desk.venue.mute = False
    desk.fill(desk.children()[0][0])
    desk.run(1.0)
    assert agreed(desk)


def test_what_fills_unheard_is_asked_about_and_guarded() -> None:
    desk, key, _ = quoting(Style.ICEBERG, child_timeout_s=60, parent_timeout_s=120)
    desk.venue.mute = True
    desk.fill(key)
    desk.run(7.0)
    assert phase(desk) is Phase.GUARDED


def test_an_iceberg_shows_a_clip_at_a_time_until_it_is_filled() -> None:
    desk, _, _ = quoting(Style.ICEBERG, clip_share=0.3)
    whole, shown = parent_of(desk).qty, []
    while desk.children():
        ((key, intent),) = desk.children()
        assert intent.qty is not None
        assert intent.time_in_force is TimeInForce.GTC
        shown.append(intent.qty)
        desk.fill(key)
        desk.run(0.2)
    assert max(shown) <= parent_of(desk).clip
    assert len(shown) >= 4
    assert sum(shown) == whole
    assert closed(desk).why == "FILLED"
    desk.run(0.5)
    assert agreed(desk)


def test_a_child_that_rests_too_long_is_quoted_anew() -> None:
    desk, first, _ = quoting(Style.ICEBERG, child_timeout_s=2)
    shift(desk, 3, Side.BUY)
    desk.run(1.5)
    assert [key for key, _ in desk.children()] == [first]
    desk.run(1.0)
    ((second, intent),) = desk.children()
    assert second != first
    assert intent.price == desk.bid


def trade(desk: Desk, qty: float) -> None:
    desk.tell(
        MarketTrade(
            symbol="BTCUSDT",
            price=60_000.0,
            qty=qty,
            taker=Side.BUY,
            ts_event=desk.now,
            ts_recv=desk.now,
        )
    )


def test_participation_takes_its_share_of_what_others_trade() -> None:
    desk = desk_with(Style.PARTICIPATE, participation=0.1)
    desk.run(3.0)
    whole = parent_of(desk).qty
    assert desk.venue.position.flat, "nobody traded"
    trade(desk, float(whole) * 3)
    desk.run(0.2)
    held = abs(desk.venue.position.qty)
    assert whole * D("0.25") <= held <= whole * D("0.3")
    for _ in range(3):
        trade(desk, float(whole) * 3)
        desk.run(0.2)
    desk.run(0.5)
    assert abs(desk.venue.position.qty) == whole
    assert agreed(desk)


def test_participation_that_nobody_trades_with_takes_the_rest_in_the_end() -> None:
    desk = desk_with(Style.PARTICIPATE, parent_timeout_s=4)
    desk.run(8.0)
    assert abs(desk.venue.position.qty) == parent_of(desk).qty
    assert agreed(desk)


def test_jittered_slices_come_late_and_never_early() -> None:
    desk = desk_with(Style.TWAP, twap_slices=4, twap_interval_s=1.0, twap_jitter=0.8)
    desk.run(8.0)
    orders = desk.engine.state.durable.blotter.orders()
    sent = [order.created_at for order in orders if order.intent.role is Role.ENTRY]
    began = parent_of(desk).started_at
    late = [(at - began) / 1e9 - number for number, at in enumerate(sent)]
    assert len(sent) == 4
    assert all(0 <= each <= 0.95 for each in late)
    assert max(late) > 0.15
    assert agreed(desk)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("style", Style)
def test_every_parents_slippage_is_on_record_however_late_its_fills_are_told(
    side: Side, style: Style
) -> None:
    seed = next(seed for seed in range(20) if first_side(desk_with(style, seed)) is side)
    desk = desk_with(style, seed, parent_timeout_s=3, child_timeout_s=1)
    desk.venue.mute, desk.venue.lose_trades = True, 2
    desk.run(14.0)
    over = closed(desk)
    trades = desk.venue.trades
    paid = sum((trade.price * trade.qty for trade in trades), D(0)) / sum((t.qty for t in trades), D(0))
    worse = (paid / parent_of(desk).decision_mid - 1) * side.sign * 10_000
    assert over.filled == abs(desk.venue.position.qty) == parent_of(desk).qty
    assert over.slippage_bps == pytest.approx(float(worse))
    assert 0 < over.slippage_bps < 0.1, "half a spread of a tenth at 60,000"


def test_fills_that_nobody_ever_prices_do_not_keep_a_parent_for_ever() -> None:
    desk = desk_with(Style.IMMEDIATE)
    desk.venue.mute, desk.venue.lose_trades = True, 1_000_000
    while not any(order.filled for order in desk.engine.state.durable.blotter.orders()):
        desk.run(0.1)
    desk.venue.dead = True
    desk.run(12.0)
    assert closed(desk).filled == 0


def test_fills_that_only_the_position_tells_are_priced_by_it() -> None:
    desk = desk_with(Style.IMMEDIATE)
    desk.venue.mute, desk.venue.lose_trades = True, 1_000_000
    desk.run(16.0)
    assert closed(desk).filled == abs(desk.venue.position.qty)
    assert 0 < closed(desk).slippage_bps < 0.1, "half a spread of a tenth at 60,000"


def first_side(desk: Desk) -> Side:
    while not desk.facts(ParentSet):
        desk.run(0.1)
    return parent_of(desk).side


@pytest.mark.parametrize("verb", [Verb.HALT, Verb.FLATTEN, Verb.STOP])
@pytest.mark.parametrize("style", [Style.CHASE, Style.ICEBERG])
def test_an_abort_leaves_no_quote_and_keeps_what_filled_guarded(style: Style, verb: Verb) -> None:
    desk, key, _ = quoting(style)
    desk.fill(key, "0.010")
    desk.tell(Control(verb=verb, by="op", reason="drill", halt_id="", ts_recv=desk.now))
    desk.run(1.0)
    assert not desk.children()
    assert abs(desk.venue.position.qty) == (D(0) if verb is Verb.FLATTEN else D("0.010"))
    assert agreed(desk)


def test_a_quote_still_on_its_way_when_the_halt_came_is_taken_back_once_it_rests() -> None:
    desk = desk_with(Style.CHASE)
    desk.run(0.5)
    desk.answering = True  # The wire is slow: nothing is answered until the story says so.
    while not any(isinstance(command, SubmitOrder) for command in desk.pending):
        desk.run(0.1)
    desk.tell(Control(verb=Verb.HALT, by="op", reason="drill", halt_id="", ts_recv=desk.now))
    desk.answering = False
    desk.beat()
    assert entries(desk), "it arrived after the halt"
    desk.run(1.0)
    assert not desk.children()
    assert desk.venue.position.flat


def test_an_exit_takes_the_quotes_back() -> None:
    desk, key, _ = quoting(Style.ICEBERG)
    desk.fill(key)
    desk.run(0.5)
    assert desk.children()
    desk.price(str((desk.venue.position.entry * D("0.985")).quantize(D("0.1"))))
    desk.run(1.0)
    assert not desk.children()
    assert desk.venue.position.flat
    assert -1 not in desk.venue.worst_sign


def test_a_restart_ends_the_parent_and_its_quotes_and_guards_what_filled() -> None:
    desk, key, _ = quoting(Style.ICEBERG)
    desk.fill(key)
    desk.run(0.3)
    assert desk.children()
    desk.restart(epoch=2)
    desk.run(2.0)
    assert not desk.children()
    assert phase(desk) is Phase.GUARDED


def test_a_refused_child_ends_the_parent_and_frees_the_symbol() -> None:
    desk = desk_with(Style.CHASE, chases_max=2, then="give_up")
    desk.venue.refuse = {Role.ENTRY: -4164}
    desk.run(3.0)
    assert closed(desk).why == "CHASES_USED"
    statuses = [o.status for o in desk.engine.state.durable.blotter.orders()]
    assert set(statuses) == {OrderStatus.REJECTED}
