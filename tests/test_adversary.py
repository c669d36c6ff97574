"""Stories in which the exchange, the wire and the clock do their worst to a position that is held."""

from decimal import Decimal

from aurora.model.commands import RequestSnapshot
from aurora.model.numbers import SECOND
from tests.desk import Desk

D = Decimal


def full_looks(desk: Desk, since: int) -> int:
    commands = [command for step in desk.steps[since:] for command in step.commands]
    return sum(isinstance(command, RequestSnapshot) and command.symbol is None for command in commands)


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
