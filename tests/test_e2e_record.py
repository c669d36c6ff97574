"""The judge of the stories over the wire is itself judged: each sin on record is found."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.e2e.record import Record, Stop, Trade

D = Decimal


def trade(at_ms: int, role: str, before: str, after: str) -> Trade:
    return Trade(at_ms=at_ms, role=role, before=D(before), after=D(after))


def stop(name: str, since: int, until: int | None, *, ends: int = 1, qty: str | None = None) -> Stop:
    size = None if qty is None else D(qty)
    return Stop(client_id=f"ska1-{name}", since_ms=since, until_ms=until, ends=ends, qty=size, guards=True)


def post(name: str, path: str = "/fapi/v1/order") -> dict[str, object]:
    return {"method": "POST", "path": path, "id": f"ska1-{name}"}


GOOD = Record(
    now_ms=9_000,
    trades=(trade(1_000, "E", "0", "1"), trade(2_000, "E", "1", "2"), trade(6_000, "X", "2", "0")),
    stops=(stop("aB", 1_020, 6_050), stop("bS", 1_030, 2_200, qty="1"), stop("cS", 2_100, 6_060, qty="2")),
    resting=(),
    requests=tuple(post(name) for name in ("1E", "2E", "3X")),
)


def test_a_clean_record_is_sound_and_its_bare_time_is_from_fill_to_listed_stop() -> None:
    GOOD.assert_sound()
    assert GOOD.bare() == [(1_000, 1_020)]
    assert replace(GOOD, stops=GOOD.stops[1:]).bare() == [(1_000, 1_030), (2_000, 2_100)]


@pytest.mark.parametrize(
    "sinful",
    [
        pytest.param(replace(GOOD, stops=()), id="never protected"),
        pytest.param(replace(GOOD, stops=(stop("aS", 1_020, None, qty="1"),)), id="protected in part"),
        pytest.param(replace(GOOD, stops=(stop("aB", 1_020, None, ends=-1),)), id="on the wrong side"),
        pytest.param(replace(GOOD, trades=GOOD.trades[:2]), id="no stop left at the end"),
        pytest.param(replace(GOOD, resting=("ska1-4T",)), id="an order without a position"),
        pytest.param(replace(GOOD, stops=(stop("aB", 1_020, None),)), id="a stop without a position"),
        pytest.param(replace(GOOD, requests=(*GOOD.requests, post("1E"))), id="posted twice"),
        pytest.param(
            replace(GOOD, requests=(*GOOD.requests, post("1E", "/fapi/v1/algoOrder"))), id="two services"
        ),
        pytest.param(replace(GOOD, requests=()), id="nothing was posted"),
        pytest.param(
            replace(GOOD, trades=(*GOOD.trades[:2], trade(6_000, "X", "2", "-1"))), id="an exit that flips"
        ),
        pytest.param(
            replace(GOOD, trades=(*GOOD.trades, trade(7_000, "S", "0", "-1"))), id="a stop that opens"
        ),
        pytest.param(
            replace(GOOD, trades=(*GOOD.trades[:2], trade(6_000, "E", "2", "0"))), id="an entry that closes"
        ),
        pytest.param(
            replace(
                GOOD,
                trades=(*GOOD.trades, trade(6_010, "E", "0", "1"), trade(6_500, "X", "1", "0")),
                stops=(*GOOD.stops, stop("dB", 6_020, 6_510)),
            ),
            id="entered while an old stop stood",
        ),
    ],
)
def test_each_sin_is_found(sinful: Record) -> None:
    with pytest.raises(AssertionError):
        sinful.assert_sound()


def test_what_strangers_do_is_not_held_against_us() -> None:
    by_hand = (*GOOD.trades[:2], trade(6_000, "", "2", "-1"), trade(6_100, "X", "-1", "0"))
    replace(GOOD, trades=by_hand).assert_sound()
