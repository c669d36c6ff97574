from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.clock import SystemClock

SECOND = 1_000_000_000


@dataclass
class Machine:
    wall: int = 1_700_000_000 * SECOND
    mono: int = 55 * SECOND

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, monotonic=lambda: self.mono)


def test_time_goes_on_when_the_wall_clock_is_set_back() -> None:
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    machine.wall -= 3_600 * SECOND
    machine.mono += 2 * SECOND
    assert clock.now() == start + 2 * SECOND


def test_time_follows_a_machine_that_was_suspended() -> None:
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    machine.wall += 60 * SECOND
    machine.mono += SECOND
    assert clock.now() == start + 60 * SECOND


def test_a_slewed_wall_does_not_make_time_jump() -> None:
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    machine.wall += SECOND + 400_000_000
    machine.mono += SECOND
    assert clock.now() == start + SECOND


@given(st.lists(st.tuples(st.integers(-(10**13), 10**13), st.integers(0, 10**10)), max_size=30))
def test_time_never_goes_back(moves: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    last = clock.now()
    for wall, mono in moves:
        machine.wall += wall
        machine.mono += mono
        assert clock.now() >= last + mono
        last = clock.now()
