"""Stories in which the exchange, the wire and the clock do their worst to a position that is held."""

from decimal import Decimal

import pytest

from aurora.model.bracket import Phase
from aurora.model.commands import RequestSnapshot
from aurora.model.control import Control, Verb
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from aurora.model.order import OrderStatus, Role, Side
from aurora.model.position import Position
from tests.desk import CONFIG, Desk, Venue
from tests.test_engine import far, never_flipped, phase

D = Decimal


def full_looks(desk: Desk, since: int) -> int:
    commands = [command for step in desk.steps[since:] for command in step.commands]
    return sum(isinstance(command, RequestSnapshot) and command.symbol is None for command in commands)


def last_position(desk: Desk) -> Side:
    """Entered, guarded, and the only one: no further entry is allowed."""
    side = desk.enter()
    desk.run(1.0)
    desk.tell(Control(verb=Verb.PAUSE, by="op", reason="one is enough", halt_id="", ts_recv=desk.now))
    return side


def posts(desk: Desk, role: Role) -> int:
    return sum(key.client_id.endswith(role.value) for key in desk.venue.posts)


def test_a_difference_that_stays_open_leaves_room_for_other_questions() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(1.0)
    desk.venue.wallet += D("0.01")  # Nobody will ever say why.
    desk.run(20.0)
    assert desk.engine.state.durable.drifts
    before = len(desk.steps)
    desk.run(60.0)
    # At two looks a second their weight alone is four times what the exchange allows.
    assert full_looks(desk, before) <= 60 / 8 + 2
    desk.venue.wallet -= D("0.01")
    desk.run(11.0)
    assert not desk.engine.state.durable.drifts


def test_a_new_difference_is_looked_at_again_at_once() -> None:
    desk = Desk().open()
    desk.run(12.0)
    desk.venue.wallet += D("0.01")
    began = desk.now
    while not desk.engine.state.durable.drifts:
        desk.run(0.1)
    assert desk.now - began <= 12 * SECOND


def test_a_naked_position_is_closed_in_time_while_only_questions_are_answered() -> None:
    desk = Desk(venue=Venue(swallow=[Role.STOP, Role.BACKSTOP])).open()
    side = desk.enter()
    began = desk.now
    while not desk.venue.position.flat and desk.now - began < 20 * SECOND:
        desk.run(0.1)
    assert desk.venue.position.flat
    assert desk.now - began <= 4.5 * SECOND
    assert never_flipped(desk, side)


def test_while_nothing_is_answered_the_deadline_waits_for_the_first_answers() -> None:
    desk = Desk(venue=Venue(swallow=[Role.STOP, Role.BACKSTOP])).open()
    desk.enter()
    desk.venue.dead = True
    desk.run(20.0)
    assert posts(desk, Role.EXIT) == 0
    desk.venue.dead, desk.venue.swallow = False, []
    desk.run(2.0)
    assert posts(desk, Role.EXIT) == 0
    assert phase(desk) is Phase.GUARDED


def test_a_position_that_left_without_a_trade_is_not_chased_for_ever() -> None:
    desk = Desk().open()
    side = last_position(desk)
    level = far(desk, side, "-0.003")
    desk.venue.position = Position(symbol="BTCUSDT")
    desk.venue.resting.clear()
    desk.venue.refuse = {Role.EXIT: -2022}
    desk.price(level)
    desk.run(8.0)
    assert desk.engine.state.durable.ledger.position("BTCUSDT").flat
    assert posts(desk, Role.EXIT) <= 6


def test_exits_that_find_nothing_to_close_leave_the_books_time_to_be_compared() -> None:
    desk = Desk().open()
    side = last_position(desk)
    level = far(desk, side, "-0.003")
    desk.venue.position = Position(symbol="BTCUSDT")
    desk.price(level)
    desk.run(8.0)
    assert desk.engine.state.durable.ledger.position("BTCUSDT").flat
    assert posts(desk, Role.EXIT) <= 6


def test_exits_that_are_refused_start_fast_and_grow_patient_and_the_first_taken_one_ends_it() -> None:
    desk = Desk().open()
    side = last_position(desk)
    desk.venue.refuse = {Role.EXIT: -4003}
    desk.price(far(desk, side, "-0.003"))
    desk.run(2.5)
    assert posts(desk, Role.EXIT) >= 8
    desk.run(120.0)
    assert posts(desk, Role.EXIT) <= 80
    desk.venue.refuse = {}
    desk.run(5.5)
    assert desk.venue.position.flat
    assert never_flipped(desk, side)


@pytest.mark.parametrize("seconds", [2, 60])
def test_a_clock_set_back_between_two_processes_holds_up_no_stop(seconds: int) -> None:
    desk = Desk(venue=Venue(swallow=[Role.STOP, Role.BACKSTOP])).open()
    desk.enter()
    desk.run(0.3)
    desk.venue.swallow = []
    desk.now = Nanos(desk.now - seconds * SECOND)
    desk.restart(epoch=2)
    desk.run(0.8)
    assert phase(desk) is Phase.GUARDED
    assert {intent.role for intent in desk.venue.resting.values()} == {Role.STOP, Role.BACKSTOP}


def test_a_clock_set_back_between_two_processes_holds_up_no_exit() -> None:
    desk = Desk().open()
    side = last_position(desk)
    desk.venue.swallow = [Role.EXIT]
    desk.price(far(desk, side, "-0.003"))
    desk.venue.swallow = []
    desk.now = Nanos(desk.now - 60 * SECOND)
    desk.restart(epoch=2)
    desk.run(1.0)
    assert desk.venue.position.flat


@pytest.mark.parametrize("lost", [1, 3])
def test_a_list_of_trades_that_was_lost_is_asked_for_again_because_a_position_may_hide_in_it(
    lost: int,
) -> None:
    desk = Desk(venue=Venue(mute=True, lose_trades=0)).open()
    desk.beat(5)
    desk.venue.lose_trades = lost
    desk.enter()
    began = desk.now
    while phase(desk) is not Phase.GUARDED and desk.now - began < 20 * SECOND:
        desk.run(0.1)
    assert desk.now - began <= (2.5 + lost) * SECOND


@pytest.mark.parametrize("seconds", [34, 36, 38, 40])
def test_after_a_silence_what_happened_in_it_is_asked_at_once(seconds: int) -> None:
    rarely = CONFIG.reconcile.model_copy(update={"interval_s": 300.0})
    desk = Desk(CONFIG.model_copy(update={"reconcile": rarely})).open()
    desk.run(0.1)
    desk.venue.lose_ack, desk.venue.mute = [Role.ENTRY], True
    for _ in range(100):
        desk.quote()
        if not desk.venue.position.flat:
            break
        desk.beat()
    desk.venue.dead = True
    desk.run(seconds)
    assert phase(desk) is Phase.ENTERING
    desk.venue.dead = desk.venue.mute = False
    began = desk.now
    while phase(desk) is not Phase.GUARDED and desk.now - began < 20 * SECOND:
        desk.run(0.1)
    assert desk.now - began <= 3.5 * SECOND


def test_what_never_arrived_is_proven_dead_as_soon_as_its_signature_has_expired() -> None:
    soon = CONFIG.execution.model_copy(update={"fence_margin_ms": 1_000})  # Just after a question of routine.
    desk = Desk(CONFIG.model_copy(update={"execution": soon})).open()
    side = last_position(desk)
    desk.venue.swallow = [Role.EXIT]
    desk.price(far(desk, side, "-0.003"))
    desk.venue.swallow = []
    desk.run(0.5)
    lost = next(o for o in desk.engine.state.durable.blotter.orders() if o.status is OrderStatus.UNKNOWN)
    expires = lost.created_at + (soon.recv_window_ms + soon.fence_margin_ms) * MILLISECOND
    while desk.now < expires - 200 * MILLISECOND:
        desk.run(0.1)
    known = desk.engine.state.durable.blotter.get(lost.key)
    assert known is not None
    assert known.status is OrderStatus.UNKNOWN, "absent before that is no proof"
    desk.run(0.6)
    known = desk.engine.state.durable.blotter.get(lost.key)
    assert known is not None
    assert known.status is OrderStatus.DEAD, "no entry is approved before, so it is asked at once"
