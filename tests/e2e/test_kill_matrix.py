"""kill -9 at every instant of a trade: the next start lists a stop within three seconds, before any entry."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.e2e.arena import LONG, SHORT, STOP_BPS, Arena
from tests.e2e.record import Record
from tests.e2e.rig import role, until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(90)]

LISTED_MS = 3_000
HELD = {"do": "hang", "ms": 6_000, "times": 0}  # The daemon will not live to see the answer.
ENTRIES = {"method": "POST", "where": "/v1/order"} | HELD
EXITS = {"method": "POST", "where": "/v1/order", "match": {"reduceOnly": "true"}} | HELD
STOPS = {"method": "POST", "where": "/algoOrder"} | HELD
CANCELS = {"method": "DELETE", "where": "/algoOrder"} | HELD
DEAF = {"on": "user", "do": "drop", "times": 0}
TRAILING = "trail_pct: 0.002"
RESTING = "tp_order: limit"
LADDER = "tp_order: limit, ladder: ['0.002:0.5', '0.0045:0.5']"
Story = Callable[[Arena, int], None]


@pytest.fixture(scope="module")
def arenas() -> Iterator[dict[str, Arena]]:
    """One per configuration of the exits, through many kills; one whose test failed is not used again."""
    made: dict[str, Arena] = {}
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def arena(
    arenas: dict[str, Arena],
    tmp_path_factory: pytest.TempPathFactory,
    exits: str,
    side: int,
    moment: Story,
) -> Iterator[Arena]:
    """A start uses a sixth of an address's weight: two moments share an exchange, and no more."""
    key = f"{exits} {MOMENTS.index((moment, exits)) // 2}"
    if key in arenas and not arenas[key].sound:
        arenas.pop(key).close()
    if key not in arenas:
        arenas[key] = Arena(tmp_path_factory.mktemp("arena"), side=side, exits=exits)
    found = arenas[key]
    found.sound = False
    found.begin(side)
    yield found
    if not found.sound:
        print(found.told())


def entry_on_its_way(arena: Arena, side: int) -> None:
    arena.arm(ENTRIES | {"accepted": True}, DEAF)
    arena.resume()
    until(lambda: arena.venue.position() * side > 0, 8.0, "filled, and nobody told us")


def entry_that_never_arrives(arena: Arena, side: int) -> None:
    arena.arm(ENTRIES)
    arena.resume()
    until(lambda: posted(arena, "E") == 1, 8.0, "posted")


def stops_on_their_way(arena: Arena, side: int) -> None:
    arena.arm(STOPS)
    arena.resume()
    until(lambda: posted(arena, "S") == posted(arena, "B") == 1, 8.0, "both posted")
    assert not arena.venue.stops()
    assert arena.venue.position() * side > 0


def stops_accepted_unheard(arena: Arena, side: int) -> None:
    arena.arm(STOPS | {"accepted": True}, DEAF)
    arena.resume()
    until(lambda: len(arena.venue.stops()) == 2, 8.0, "both rest")


def guarded(arena: Arena, side: int) -> None:
    assert arena.enter() == side


def exit_on_its_way(arena: Arena, side: int) -> None:
    arena.enter()
    arena.arm(EXITS)
    arena.venue.push(-STOP_BPS * side)
    until(lambda: posted(arena, "X") >= 1, 5.0, "posted")


def exit_filled_unheard(arena: Arena, side: int) -> None:
    arena.enter()
    arena.arm(EXITS | {"accepted": True}, DEAF)
    arena.venue.push(-STOP_BPS * side)
    until(lambda: arena.venue.position() == 0, 5.0, "filled, and nobody told us")


def new_stop_sent_old_not_cancelled(arena: Arena, side: int) -> None:
    arena.enter()
    arena.arm(CANCELS)
    arena.venue.push(20 * side)
    until(lambda: len(working(arena)) == 2, 8.0, "old and new both rest")


def new_stop_on_its_way(arena: Arena, side: int) -> None:
    arena.enter()
    arena.arm(STOPS)
    arena.venue.push(20 * side)
    until(lambda: posted(arena, "S") == 2, 8.0, "the new one is posted")


def maker_target_rests(arena: Arena, side: int) -> None:
    arena.enter()
    until(lambda: len(arena.venue.open_orders()) == 1, 3.0, "the target rests")


def ladder_half_filled(arena: Arena, side: int) -> None:
    arena.enter()
    held = abs(arena.venue.position())
    until(lambda: len(arena.venue.open_orders()) == 2, 3.0, "both rungs rest")
    arena.arm(DEAF, STOPS)
    arena.venue.push(23 * side)
    until(lambda: 0 < abs(arena.venue.position()) < held, 5.0, "the first rung filled")


MOMENTS: list[tuple[Story, str]] = [
    (entry_on_its_way, ""),
    (entry_that_never_arrives, ""),
    (stops_on_their_way, ""),
    (stops_accepted_unheard, ""),
    (guarded, ""),
    (exit_on_its_way, ""),
    (exit_filled_unheard, ""),
    (new_stop_sent_old_not_cancelled, TRAILING),
    (new_stop_on_its_way, TRAILING),
    (maker_target_rests, RESTING),
    (ladder_half_filled, LADDER),
]


def moments() -> pytest.MarkDecorator:
    """On both sides; the default set has the core of the promise on both and the rest on one, in turn."""
    rows = []
    for number, (moment, exits) in enumerate(MOMENTS):
        for side, word in ((LONG, "LONG"), (SHORT, "SHORT")):
            quick = moment is stops_on_their_way or (number % 2 == 0) == (side == LONG)
            marks = [] if quick else [pytest.mark.slow]
            rows.append(pytest.param(side, exits, moment, id=f"{moment.__name__}-{word}", marks=marks))
    return pytest.mark.parametrize(("side", "exits", "moment"), rows)


@moments()
def test_killed_at_any_instant_the_next_start_lists_a_stop_within_three_seconds(
    arena: Arena, side: int, moment: Story
) -> None:
    moment(arena, side)
    arena.daemon.kill()
    held = arena.venue.position()
    assert held * side >= 0
    born = arena.restart()
    if held:
        until(arena.venue.protected, 4.0, "a listed stop")
    arena.daemon.wait_event("ready")
    arena.pause()
    if held and moment is not exit_on_its_way:
        until(arena.guarded, 3.0, "known to be listed")
        assert arena.venue.position() == held
        until(lambda: settled(arena), 6.0, "one backstop and one working stop, of what is held")
        arena.take_profit(side)
    record = arena.judge(naked_ms=10_000, fired=False)
    if held:
        listed_before_entries(record, born)
    told = arena.ask("GET", "status")
    assert told["drift_open"] == 0
    assert told["unprotected_seconds_max"] >= record.bare_ms_max(born) / 1000 - 0.05, record.bare()
    arena.sound = True


def listed_before_entries(record: Record, born: int) -> None:
    """Covered from three seconds after the start on, and nothing that could open was sent before."""
    late = [span for span in record.bare() if span[1] > born + LISTED_MS and span[0] < born + LISTED_MS]
    assert not late, (born, late)
    covered = max((end for begin, end in record.bare() if begin <= born + LISTED_MS), default=born)
    early = [
        row
        for row in record.requests
        if row["method"] == "POST" and role(row["id"]) == "E" and born <= row["t_ms"] < covered
    ]
    assert not early, early


def posted(arena: Arena, what: str) -> int:
    rows = arena.venue.requests()[arena.began :]
    return sum(row["method"] == "POST" and role(row["id"]) == what for row in rows)


def working(arena: Arena) -> list[Decimal]:
    return [Decimal(row["quantity"]) for row in arena.venue.stops() if not row["closePosition"]]


def settled(arena: Arena) -> bool:
    backstops = [row for row in arena.venue.stops() if row["closePosition"]]
    return working(arena) == [abs(arena.venue.position())] and len(backstops) == 1
