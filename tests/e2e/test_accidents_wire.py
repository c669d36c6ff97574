"""One daemon through every accident, LONG and SHORT: after each the exchange's whole record is sound."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.arena import GAP_BPS, LONG, SHORT, STOP_BPS, TARGET_BPS, Arena
from tests.e2e.record import Record
from tests.e2e.rig import until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(90)]

STOPS = {"on": "request", "method": "POST", "where": "/algoOrder"}
EXITS = {"on": "request", "method": "POST", "where": "/v1/order", "match": {"reduceOnly": "true"}}
ENTRY = {"on": "request", "method": "POST", "where": "/v1/order"}
FILLS = {"on": "user", "where": "ORDER_TRADE_UPDATE", "match": {"x": "TRADE"}}


def sides(*quick: str, slow: Sequence[str] = (), what: str = "accident") -> pytest.MarkDecorator:
    """Each of these on both sides; the default set has the quick ones, on one side each, in turn."""
    rows = []
    for number, name in enumerate((*quick, *slow)):
        for side, word in ((LONG, "LONG"), (SHORT, "SHORT")):
            runs = name in quick and (number % 2 == 0) == (side == LONG)
            marks = [] if runs else [pytest.mark.slow]
            rows.append(pytest.param(side, name, id=f"{name}-{word}", marks=marks))
    return pytest.mark.parametrize(("side", what), rows, indirect=["side"])


BOTH = pytest.mark.parametrize(
    "side", [pytest.param(LONG, id="LONG"), pytest.param(SHORT, id="SHORT")], indirect=True
)
ACCIDENTS: dict[str, dict[str, Any]] = {
    "ack_lost": {"do": "reset", "accepted": True, "times": 2},
    "never_arrived": {"do": "reset", "times": 2},
    "timed_out_accepted": {"do": "hang", "ms": 4000, "accepted": True},
    "timed_out": {"do": "hang", "ms": 4000},
    "503_unknown_executed": {
        "do": "answer",
        "code": -1000,
        "message": "Unknown error, please check your request or try again later.",
        "accepted": True,
        "times": 2,
    },
    "503_failed": {"do": "answer", "message": "Service Unavailable.", "times": 2},
    "503_overloaded": {"do": "answer", "code": -1008, "message": "Request throttled.", "times": 2},
    "408_executed": {
        "do": "answer",
        "status": 408,
        "code": -1007,
        "message": "Timeout waiting for response from backend server.",
        "accepted": True,
        "times": 2,
    },
    "408": {"do": "answer", "status": 408, "code": -1007, "message": "Timeout.", "times": 2},
    "refused": {"do": "answer", "status": 400, "code": -1111, "message": "Precision", "times": 2},
    "429": {"do": "answer", "status": 429, "code": -1003, "message": "Too many requests.", "retry_s": 1},
    "418": {"do": "answer", "status": 418, "code": -1003, "message": "Banned.", "retry_s": 2},
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Arena]]:
    """The arena all of these share; one whose test failed is not used again."""
    made: list[Arena] = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def arena(stage: list[Arena], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    if not stage or not stage[-1].sound:
        for old in stage:
            old.close()
        stage.append(Arena(tmp_path_factory.mktemp("arena")))
    found = stage[-1]
    found.sound = False
    yield found
    if not found.sound:
        print(found.told())


@pytest.fixture
def side(arena: Arena, request: pytest.FixtureRequest) -> int:
    """The side the next entry will have."""
    wanted: int = request.param
    arena.begin(wanted)
    return wanted


def over(arena: Arena, *, naked_ms: int = 3_000) -> Record:
    found = arena.judge(naked_ms=naked_ms)
    arena.sound = True
    return found


@sides(
    "ack_lost",
    "timed_out_accepted",
    "503_unknown_executed",
    "refused",
    slow=("never_arrived", "timed_out", "503_failed", "503_overloaded", "408_executed", "408"),
)
def test_an_accident_of_the_stops_leaves_the_position_guarded(arena: Arena, side: int, accident: str) -> None:
    arena.arm(STOPS | ACCIDENTS[accident])
    assert arena.enter() == side
    arena.take_profit(side)
    over(arena)


@BOTH
def test_stops_refused_without_end_are_an_exit_at_the_deadline(arena: Arena, side: int) -> None:
    arena.arm(STOPS | {"do": "answer", "status": 400, "code": -4045, "message": "Max", "times": 0})
    assert arena.enter(guarded=False) == side
    arena.flat()
    over(arena, naked_ms=3_400)


@sides(
    "never_arrived",
    "timed_out",
    "503_overloaded",
    "408_executed",
    "429",
    "418",
    slow=("ack_lost", "timed_out_accepted", "503_unknown_executed", "503_failed", "408", "refused"),
)
def test_an_accident_of_the_exit_ends_flat_all_the_same(arena: Arena, side: int, accident: str) -> None:
    arena.enter()
    arena.arm(EXITS | ACCIDENTS[accident])
    arena.venue.push(-STOP_BPS * side)
    arena.flat(12.0)
    over(arena)


@BOTH
def test_a_gap_through_both_stops_while_the_exit_is_turned_back_ends_flat(arena: Arena, side: int) -> None:
    arena.enter()
    arena.arm(EXITS | ACCIDENTS["418"])
    gap(arena, side)
    arena.flat()
    over(arena)


@BOTH
def test_an_exchange_exit_beside_the_local_one_and_an_eager_strategy_flip_nothing(
    arena: Arena, side: int
) -> None:
    arena.enter()
    arena.arm(EXITS | {"do": "delay", "ms": 600})
    arena.resume()  # It may enter again as soon as it sees itself flat.
    arena.venue.push(-STOP_BPS * side)
    gap(arena, side)
    until(lambda: arena.venue.position() * side < 0, 12.0, "the next entry, on the other side")
    until(arena.guarded, 4.0, "a listed stop")
    arena.pause()
    arena.take_profit(-side)
    over(arena)


@BOTH
def test_target_and_stop_in_one_tick_are_one_exit(arena: Arena, side: int) -> None:
    arena.enter()
    before = len(arena.venue.orders())
    arena.venue.push(TARGET_BPS * side, -(TARGET_BPS + STOP_BPS + 5) * side, (TARGET_BPS + 1) * side)
    arena.flat()
    assert len(arena.venue.orders()) == before + 1
    record = arena.judge(fired=False)
    assert record.trades[-1].role == "X"
    arena.sound = True


USER_ACCIDENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "silent": ({"on": "user", "do": "drop", "times": 0},),
    "fills_dropped": (FILLS | {"do": "drop", "times": 0},),
    "doubled": ({"on": "user", "do": "duplicate", "times": 0},),
    "reordered": ({"on": "user", "do": "swap", "times": 4},),
    "doubled_late_and_reordered": (
        FILLS | {"do": "duplicate"},
        {"on": "user", "do": "delay", "ms": 400, "times": 2},
        {"on": "user", "do": "swap", "times": 3},
    ),
}


@sides(*USER_ACCIDENTS)
def test_a_user_stream_that_lies_or_is_silent_changes_nothing(arena: Arena, side: int, accident: str) -> None:
    arena.arm(*USER_ACCIDENTS[accident])
    arena.enter()
    arena.take_profit(side)
    over(arena)


@sides("freeze", "reset", what="verb")
def test_a_private_line_broken_before_the_fill_leaves_it_guarded(arena: Arena, side: int, verb: str) -> None:
    until(
        lambda: bool(arena.ask("GET", "status")["streams"]["USER"]["up"]), 5.0, "the way back of the last one"
    )
    arena.arm({"on": "connect", "do": "reset", "where": "/private"})
    assert arena.venue.switch("POST", f"/{verb}", {"door": "private"})["connections"] == 1
    if verb == "reset":
        until(lambda: all(arena.venue.fired().values()), 5.0, "the first way back is barred too")
    arena.enter(seconds=40.0)
    arena.take_profit(side)
    arena.flat()
    until(lambda: all(arena.venue.fired().values()), 40.0, "the line was renewed")
    over(arena)


@BOTH
def test_every_stop_cancelled_by_hand_stands_again(arena: Arena, side: int) -> None:
    arena.enter()
    for stop in arena.venue.stops():
        arena.venue.ask("/fapi/v1/algoOrder", "DELETE", algoId=stop["algoId"])
    until(arena.venue.protected, 3.0, "a listed stop")
    until(arena.guarded, 3.0, "known to be listed")
    arena.take_profit(side)
    arena.judge(fired=False)
    arena.sound = True


@sides("half", "all", "twice", what="share")
def test_a_foreign_market_order_that_reduces_closes_or_reverses_is_followed(
    arena: Arena, side: int, share: str
) -> None:
    arena.enter()
    held = abs(arena.venue.position())
    qty = {"half": held - held // Decimal("0.002") * Decimal("0.001"), "all": held, "twice": 2 * held}[share]
    by_hand(arena, -side, qty)
    if share != "all":
        now = side if share == "half" else -side
        assert arena.venue.position() * now > 0
        until(lambda: covered_exactly(arena), 5.0, "a working stop of exactly what is held")
        until(arena.guarded, 4.0, "a listed stop")
        arena.take_profit(now)
    arena.judge(fired=False)
    arena.sound = True


def test_after_all_of_it_the_report_says_what_the_exchange_says(stage: list[Arena]) -> None:
    for arena in stage[-1:]:
        if not arena.sound:
            pytest.skip("an accident before this one was not survived")
        record, trades = Record.of(arena.venue), arena.venue.trades()
        report = arena.daemon.stop()
        assert report["wallet"]["residual"] == "0", report["wallet"]
        assert Decimal(report["wallet"]["end"]) == arena.venue.wallet()
        assert report["fills"] == len(trades)
        assert Decimal(report["fees"]) == sum(Decimal(row["commission"]) for row in trades)
        assert Decimal(report["realized_pnl"]) == sum(Decimal(row["realizedPnl"]) for row in trades)
        assert report["orders"]["unknown"] == report["drift"]["open"] == 0
        assert report["unprotected_seconds_max"] >= record.bare_ms_max() / 1000 - 0.05
        assert report["round_trips"] == sum(1 for trade in record.trades if not trade.after) + sum(
            1 for trade in record.trades if trade.before * trade.after < 0
        )


def gap(arena: Arena, side: int) -> None:
    """The market jumps through the resting stop, prints there, and the mark follows."""
    arena.venue.push(
        -GAP_BPS * side, trade={"side": "SELL" if side == LONG else "BUY", "qty": "1"}, mark=True
    )


def by_hand(arena: Arena, side: int, qty: Decimal) -> None:
    word = "BUY" if side == LONG else "SELL"
    arena.venue.ask("/fapi/v1/order", "POST", symbol="BTCUSDT", side=word, type="MARKET", quantity=f"{qty:f}")


def covered_exactly(arena: Arena) -> bool:
    held = arena.venue.position()
    word = "SELL" if held > 0 else "BUY"
    sizes = [
        Decimal(row["quantity"])
        for row in arena.venue.stops()
        if not row["closePosition"] and row["side"] == word
    ]
    return sizes == [abs(held)]
