"""Stories of the line: entry, protection, exits, accidents, restarts."""

from decimal import Decimal

import pytest

from aurora.model.account import PositionView
from aurora.model.bracket import Phase
from aurora.model.commands import RequestSnapshot, RequestTrades, SubmitOrder
from aurora.model.control import Control, TradingState, Verb
from aurora.model.events import AccountUpdate
from aurora.model.facts import FillBooked, IntentDenied, PositionAdopted, ProtectionGap, RoundTripClosed
from aurora.model.numbers import Price, Qty
from aurora.model.order import OrderStatus, Role, Side
from tests.desk import Desk, Venue

D = Decimal


def phase(desk: Desk) -> Phase | None:
    bracket = desk.engine.state.durable.brackets.get("BTCUSDT")
    return bracket.phase if bracket else None


def roles(desk: Desk) -> list[Role]:
    return sorted(intent.role for intent in desk.venue.resting.values())


def never_flipped(desk: Desk, side: Side) -> bool:
    return -side.sign not in desk.venue.worst_sign


def books_agree(desk: Desk) -> bool:
    durable = desk.engine.state.durable
    assert durable.ledger.wallet("USDT") == desk.venue.wallet
    assert durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert not durable.drifts
    return True


def far(desk: Desk, side: Side, fraction: str) -> str:
    """A mid away from the entry, positive in the position's favour."""
    entry = desk.venue.position.entry
    return str((entry * (1 + D(fraction) * side.sign)).quantize(D("0.1")))


def test_an_entry_is_guarded_by_two_listed_stops() -> None:
    desk = Desk().open()
    side = desk.enter()
    desk.run(0.5)
    assert phase(desk) is Phase.GUARDED
    assert roles(desk) == [Role.BACKSTOP, Role.STOP]
    assert all(intent.side is side.opposite and intent.reduces for intent in desk.venue.resting.values())
    assert books_agree(desk)


@pytest.mark.parametrize(("move", "reason"), [("-0.0021", "STOP_LOSS"), ("0.0022", "TAKE_PROFIT")])
def test_a_level_that_is_hit_ends_flat_and_swept(move: str, reason: str) -> None:
    desk = Desk().open()
    side = desk.enter()
    desk.run(0.5)
    desk.price(far(desk, side, move))
    desk.run(0.3)
    trip = desk.facts(RoundTripClosed)[0]
    assert isinstance(trip, RoundTripClosed)
    assert trip.exit_reason == reason
    assert desk.venue.position.flat
    assert not desk.venue.resting
    assert phase(desk) is None
    assert never_flipped(desk, side)
    assert books_agree(desk)


def test_both_sides_are_traded() -> None:
    desk = Desk().open()
    first = desk.enter()
    desk.price(far(desk, first, "0.0022"))
    desk.run(0.5)
    assert desk.enter() is first.opposite


def test_a_one_frame_spike_fires_the_stop() -> None:
    desk = Desk().open()
    side = desk.enter()
    desk.run(0.5)
    level = far(desk, side, "-0.003")
    mid = str(desk.bid)
    desk.price(mid, **({"low": level} if side is Side.BUY else {"high": level}))
    desk.run(0.2)
    assert desk.venue.position.flat


def test_a_fill_of_our_own_counts_even_if_the_venues_clock_is_behind_the_first_look() -> None:
    desk = Desk(venue=Venue(behind=30_000_000_000)).open()
    desk.enter()
    desk.run(1.0)
    assert phase(desk) is Phase.GUARDED
    assert books_agree(desk)


@pytest.mark.parametrize(("bid", "ask"), [("0", "60000.1"), ("NaN", "60000.1"), ("60001.0", "59000.0")])
def test_a_quote_that_cannot_be_true_moves_nothing(bid: str, ask: str) -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(0.5)
    desk.bid, desk.ask = D(bid), D(ask)
    step = desk.quote()
    assert step.commands == ()
    assert step.facts == ()


def test_the_exchange_stop_and_the_local_exit_firing_together_flip_nothing() -> None:
    desk = Desk().open()
    side = desk.enter()
    desk.run(0.5)
    desk.venue.hold_fills.append(Role.EXIT)
    desk.price(far(desk, side, "-0.004"))
    desk.trigger(Role.STOP)
    desk.venue.hold_fills.clear()
    for key in [key for key, intent in desk.venue.resting.items() if intent.role is Role.EXIT]:
        desk.fill(key)
    desk.run(0.4)
    assert never_flipped(desk, side)
    assert len(desk.facts(RoundTripClosed)) >= 1
    assert books_agree(desk)


def test_stops_that_cannot_be_had_end_in_an_exit_within_the_deadline() -> None:
    desk = Desk().open()
    desk.venue.refuse = {Role.STOP: -1111, Role.BACKSTOP: -1111}
    side = desk.enter()
    began = desk.now
    while not desk.venue.position.flat and desk.now - began < 6_000_000_000:
        desk.run(0.1)
    assert desk.venue.position.flat
    assert desk.now - began < 4_500_000_000
    assert never_flipped(desk, side)
    gap = desk.facts(ProtectionGap)[0]
    assert isinstance(gap, ProtectionGap)
    assert (gap.until - gap.since) / 1e9 <= 3.2


def test_a_stop_that_would_trigger_at_once_is_an_exit_at_once() -> None:
    desk = Desk().open()
    desk.venue.refuse = {Role.STOP: -2021}
    desk.run(3.0)
    trip = desk.facts(RoundTripClosed)[0]
    assert isinstance(trip, RoundTripClosed)
    assert trip.exit_reason == "STOP_WOULD_TRIGGER"


def test_a_stop_whose_ack_was_lost_is_found_by_listing_and_not_doubled_for_long() -> None:
    desk = Desk(venue=Venue(lose_ack=[Role.STOP, Role.BACKSTOP])).open()
    desk.enter()
    desk.run(2.0)
    assert phase(desk) is Phase.GUARDED
    assert roles(desk).count(Role.STOP) == 1
    assert books_agree(desk)


def test_a_stop_cancelled_by_hand_is_replaced() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(0.5)
    for key in list(desk.venue.resting):
        desk.venue.resting.pop(key)
        desk.venue.seen[key] = OrderStatus.CANCELED
    desk.run(11.0)
    assert roles(desk) == [Role.BACKSTOP, Role.STOP]
    assert phase(desk) is Phase.GUARDED


def test_one_listing_without_both_stops_is_enough_to_call_a_position_naked() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(1.0)
    for key in list(desk.venue.resting):
        desk.venue.resting.pop(key)
        desk.venue.seen[key] = OrderStatus.CANCELED
    ask = RequestSnapshot(
        symbol=None, positions=True, orders=False, algo_orders=True, balances=False, why="first look"
    )
    step = desk.engine.step(desk.snapshot(ask))
    sent = [c.approved.intent.role for c in step.commands if isinstance(c, SubmitOrder)]
    assert sorted(sent) == [Role.BACKSTOP, Role.STOP]
    assert phase(desk) is Phase.NAKED


def test_an_entry_with_unknown_outcome_blocks_new_entries_until_it_is_found() -> None:
    desk = Desk(venue=Venue(lose_ack=[Role.ENTRY], mute=True)).open()
    desk.venue.hold_fills.append(Role.ENTRY)
    desk.run(2.5)
    entries = [key for key in desk.venue.posts if key.client_id.endswith("E")]
    assert len(entries) == 1
    desk.venue.mute = False
    desk.venue.hold_fills.clear()
    desk.fill(entries[0], told=False)
    desk.run(3.0)
    assert phase(desk) is Phase.GUARDED
    assert len([key for key in desk.venue.posts if key.client_id.endswith("E")]) == 1
    assert books_agree(desk)


def test_fills_the_stream_never_told_are_fetched_and_protected() -> None:
    desk = Desk(venue=Venue(mute=True)).open()
    desk.enter()
    desk.run(12.0)
    assert phase(desk) is Phase.GUARDED
    assert books_agree(desk)


def test_a_fill_listed_before_anybody_knew_its_order_counts_as_exposure_once() -> None:
    desk = Desk(venue=Venue(lose_ack=[Role.ENTRY], mute=True)).open()
    desk.enter()
    desk.venue.mute = False
    desk.run(3.0)
    books, held = desk.engine.state.durable, desk.venue.position.qty
    (entry,) = [each for each in books.blotter.orders() if each.intent.role is Role.ENTRY]
    assert entry.status is OrderStatus.FILLED
    assert (entry.booked, entry.unsettled) == (abs(held), Decimal(0))
    assert entry.cost == abs(held) * desk.venue.trades[0].price
    assert books.blotter.worst_exposure("BTCUSDT", held, Decimal(60_000)) == abs(held) * 60_000
    assert desk.restart(2).engine.state.durable.blotter.orders()[0].booked == abs(held)


def test_a_fill_whose_trade_is_never_listed_counts_as_exposure_once() -> None:
    desk = Desk(venue=Venue(lose_ack=[Role.ENTRY], mute=True, hide_trades=True)).open()
    desk.enter()
    desk.run(20.0)
    books, held = desk.engine.state.durable, desk.venue.position.qty
    assert desk.facts(PositionAdopted)
    assert (books.ledger.position("BTCUSDT").qty, phase(desk)) == (held, Phase.GUARDED)
    assert books.blotter.worst_exposure("BTCUSDT", held, Decimal(60_000)) == abs(held) * 60_000


def test_a_refused_entry_is_not_asked_for_again_at_once() -> None:
    desk = Desk(venue=Venue(refuse={Role.ENTRY: -2019})).open()
    desk.run(20.0)
    entries = [key for key in desk.venue.posts if key.client_id.endswith("E")]
    assert 2 <= len(entries) <= 6
    assert not desk.engine.state.durable.brackets
    desk.venue.refuse = {}
    desk.run(20.0)
    assert desk.venue.trades


def test_partial_fills_are_protected_from_the_first_on() -> None:
    desk = Desk().open()
    desk.venue.hold_fills.append(Role.ENTRY)
    for _ in range(40):
        desk.run(0.1)
        if desk.venue.resting:
            break
    key = next(iter(desk.venue.resting))
    desk.fill(key, "0.010")
    desk.run(0.5)
    assert phase(desk) is Phase.GUARDED
    stop = next(intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.qty == D("0.010")
    desk.fill(key)
    desk.run(1.0)
    stops = [intent for intent in desk.venue.resting.values() if intent.role is Role.STOP]
    assert [intent.qty for intent in stops] == [abs(desk.venue.position.qty)]
    assert phase(desk) is Phase.GUARDED


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3, 2.0])
def test_a_restart_finds_the_same_position_and_protects_it(seconds: float) -> None:
    desk = Desk().open()
    side = desk.enter()
    if seconds:
        desk.run(seconds)
    before = desk.venue.position
    desk.restart(epoch=2)
    desk.run(1.0)
    assert desk.venue.position == before
    assert phase(desk) is Phase.GUARDED
    assert roles(desk) == [Role.BACKSTOP, Role.STOP]
    assert never_flipped(desk, side)
    assert books_agree(desk)


def test_a_halt_survives_a_restart_and_is_lifted_only_by_its_name() -> None:
    desk = Desk().open()
    desk.tell(Control(verb=Verb.HALT, by="op", reason="drill", halt_id="", ts_recv=desk.now))
    desk.restart(epoch=2)
    trading = desk.engine.state.durable.trading
    assert trading.state is TradingState.HALTED
    desk.tell(Control(verb=Verb.RESUME, by="op", reason="", halt_id="H0-0", ts_recv=desk.now))
    assert desk.engine.state.durable.trading.state is TradingState.HALTED
    desk.tell(Control(verb=Verb.RESUME, by="op", reason="", halt_id=trading.halt_id, ts_recv=desk.now))
    assert desk.engine.state.durable.trading.halt_id == ""
    desk.enter()


def test_a_look_asked_for_while_another_is_on_its_way_is_not_lost() -> None:
    desk = Desk().open()
    desk.run(3.0)
    answer = desk.snapshot(
        RequestSnapshot(
            symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="timer"
        )
    )
    desk.tell(Control(verb=Verb.RECONCILE, by="op", reason="", halt_id="", ts_recv=desk.now))
    desk.tell(answer)
    before = len(desk.steps)
    desk.beat(6)
    asked = [c for step in desk.steps[before:] for c in step.commands if isinstance(c, RequestSnapshot)]
    assert [command.why for command in asked] == ["asked by op"]


def test_looks_at_an_account_that_never_agrees_stay_affordable() -> None:
    desk = Desk().open()
    desk.enter()
    desk.venue.wallet += D("1")
    before = len(desk.steps)
    desk.run(60.0)
    asked = [
        c
        for step in desk.steps[before:]
        for c in step.commands
        if isinstance(c, RequestSnapshot) and c.symbol is None
    ]
    assert 6 <= len(asked) <= 16
    assert [record.drift.kind.value for record in desk.engine.state.durable.drifts.values()] == ["BALANCE"]


def test_a_streamed_position_that_no_fill_explains_is_asked_about_once_it_is_quiet() -> None:
    desk = Desk().open()
    desk.run(1.0)
    told = PositionView(symbol="BTCUSDT", qty=Qty(D("0.5")), entry=Price(D(60_000)), ts_event=desk.now)
    before = len(desk.steps)
    desk.tell(
        AccountUpdate(
            reason="ORDER", wallets=(), flows=(), positions=(told,), ts_event=desk.now, ts_recv=desk.now
        )
    )
    desk.run(5.0)
    asked = [command for step in desk.steps[before:] for command in step.commands]
    (trades,) = (command for command in asked if isinstance(command, RequestTrades))
    assert "differs from its fills" in trades.why
    looks = [command for command in asked if isinstance(command, RequestSnapshot) and command.positions]
    assert any("differs from its fills" in look.why for look in looks)


def test_flatten_closes_and_stays_halted() -> None:
    desk = Desk().open()
    side = desk.enter()
    desk.tell(Control(verb=Verb.FLATTEN, by="op", reason="enough", halt_id="", ts_recv=desk.now))
    desk.run(1.0)
    assert desk.venue.position.flat
    assert not desk.venue.resting
    desk.run(5.0)
    assert desk.venue.position.flat
    assert never_flipped(desk, side)


def test_pause_denies_entries_with_its_reason_and_leaves_protection_alone() -> None:
    desk = Desk().open()
    desk.tell(Control(verb=Verb.PAUSE, by="op", reason="lunch", halt_id="", ts_recv=desk.now))
    desk.run(3.0)
    denied = desk.facts(IntentDenied)[-1]
    assert isinstance(denied, IntentDenied)
    assert denied.denied.reason.value == "TRADING_STATE"
    assert not desk.facts(FillBooked)


def test_the_same_story_gives_the_same_steps() -> None:
    def story() -> list[object]:
        desk = Desk().open()
        side = desk.enter()
        desk.run(1.0)
        desk.price(far(desk, side, "0.0022"))
        desk.run(5.0)
        return list(desk.steps)

    assert story() == story()
