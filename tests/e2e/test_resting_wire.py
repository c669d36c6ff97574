"""Orders that rest while the wire fails: entries filled in part or beside their cancel, targets cut short."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.arena import LONG, SHORT, Arena
from tests.e2e.rig import until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(90)]

# The whole entry rests at the touch, behind the hundredth that is displayed there.
PATIENT = "style: ICEBERG, clip_share: 1.0, parent_timeout_s: 120, child_timeout_s: {child}"
SIDES = pytest.mark.parametrize("side", [pytest.param(LONG, id="LONG"), pytest.param(SHORT, id="SHORT")])
Arenas = dict[tuple[str, str], Arena]


@pytest.fixture(scope="module")
def arenas() -> Iterator[Arenas]:
    made: Arenas = {}
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def open_arena(arenas: Arenas, tmp_path_factory: pytest.TempPathFactory, side: int) -> Iterator["Opener"]:
    opener = Opener(arenas, tmp_path_factory, side)
    yield opener
    for arena in arenas.values():
        if not arena.sound:
            print(arena.told())


class Opener:
    """Gives the arena of a configuration, ready for an entry of the side; a failed one is not used again."""

    def __init__(self, arenas: Arenas, folders: pytest.TempPathFactory, side: int) -> None:
        self.arenas, self.folders, self.side = arenas, folders, side

    def __call__(self, *, exits: str = "", execution: str = "") -> Arena:
        key = (exits, execution)
        if key in self.arenas and not self.arenas[key].sound:
            self.arenas.pop(key).close()
        if key not in self.arenas:
            folder = self.folders.mktemp("arena")
            qty = 0.01 if execution else 5
            look_s = 60.0 if execution else 10.0  # No routine look shall help with what was not heard.
            made = Arena(folder, qty=qty, side=self.side, exits=exits, execution=execution, look_s=look_s)
            self.arenas[key] = made
        found = self.arenas[key]
        found.sound = False
        return found


def rested(arena: Arena, side: int) -> dict[str, Any]:
    """Let an entry of this side come to rest at the touch; it as the exchange lists it."""
    while True:
        arena.resume()
        until(lambda: bool(arena.venue.open_orders()), 12.0, "an entry that rests")
        arena.pause()
        order: dict[str, Any] = arena.venue.open_orders()[0]
        if order["side"] == ("BUY" if side == LONG else "SELL"):
            return order
        fill(arena, -side, Decimal(order["origQty"]))
        until(arena.guarded, 4.0, "a listed stop")
        arena.take_profit(-side)
        arena.judge(fired=False)


def fill(arena: Arena, side: int, qty: Decimal) -> None:
    """Print enough at the touch that so much of the resting entry is taken."""
    print_side = "SELL" if side == LONG else "BUY"
    before = abs(arena.venue.position())
    for _ in range(20):
        left = qty - (abs(arena.venue.position()) - before)
        if left <= 0:
            return
        arena.venue.push(trade={"side": print_side, "qty": str(left)})
        time.sleep(0.05)
    raise AssertionError(f"{qty} of the entry were never taken")


def end_entry(arena: Arena) -> None:
    arena.ask("POST", "cancel", by="test", reason="no more of it")
    until(lambda: not arena.venue.open_orders(), 5.0, "the rest of the entry is gone")


@SIDES
@pytest.mark.parametrize("accident", ["reset", "freeze", "silent"])
def test_an_entry_that_fills_in_part_while_the_line_breaks_is_guarded_in_time(
    open_arena: Opener, side: int, accident: str
) -> None:
    arena = open_arena(execution=PATIENT.format(child=60))
    rested(arena, side)
    if accident == "silent":
        arena.arm({"on": "user", "do": "drop", "times": 0})
    elif accident == "freeze":
        assert arena.venue.switch("POST", "/freeze", {"door": "private"})["connections"] == 1
    fill(arena, side, Decimal("0.004"))
    if accident == "reset":
        assert arena.venue.switch("POST", "/reset", {"door": "private"})["connections"] == 1
    until(arena.venue.protected, 8.0, "a listed stop")
    until(arena.guarded, 4.0, "known to be listed")
    end_entry(arena)
    arena.take_profit(side)
    arena.judge(fired=accident == "silent")
    arena.sound = True


@SIDES
@pytest.mark.parametrize("share", ["part", "all"])
def test_a_fill_that_overtakes_the_cancel_of_its_entry_is_guarded(
    open_arena: Opener, side: int, share: str
) -> None:
    arena = open_arena(execution=PATIENT.format(child=1.0))
    arena.arm({"method": "DELETE", "where": "/v1/order", "do": "delay", "ms": 700, "times": 1})
    order = rested(arena, side)
    until(lambda: all(arena.venue.fired().values()), 8.0, "the cancel is on its way")
    fill(arena, side, Decimal("0.004") if share == "part" else Decimal(order["origQty"]))
    until(arena.guarded, 4.0, "a listed stop")
    end_entry(arena)
    arena.take_profit(side)
    arena.judge()
    arena.sound = True


@SIDES
def test_a_target_that_the_venue_cuts_short_is_replaced_by_one_that_fits(
    open_arena: Opener, side: int
) -> None:
    arena = open_arena(exits="tp_order: limit")
    arena.begin(side)
    arena.enter()
    until(lambda: bool(arena.venue.open_orders()), 3.0, "the target rests")
    word = "SELL" if side == LONG else "BUY"
    arena.venue.ask("/fapi/v1/order", "POST", symbol="BTCUSDT", side=word, type="MARKET", quantity="0.005")
    held = abs(arena.venue.position())

    def fits() -> bool:
        sizes = [Decimal(row["origQty"]) - Decimal(row["executedQty"]) for row in arena.venue.open_orders()]
        stops = [Decimal(row["quantity"]) for row in arena.venue.stops() if not row["closePosition"]]
        return sizes == stops == [held]

    until(fits, 6.0, "a target and a stop of exactly what is held")
    arena.take_profit(side)
    record = arena.judge(fired=False)
    assert record.trades[-1].role == "T"
    arena.sound = True
