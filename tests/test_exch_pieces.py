import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.clock import SystemClock
from skalp_bot.exch.fields import DecodeError, Row, parsed, rows, whole
from skalp_bot.exch.pieces import PIECE, Listing
from tests.exch_kit import awaited

ROW = {"algoId": 1, "price": "0.10", "tick": 0.1, "why": None}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def shown(row: Row) -> Row | None:
    """A reader that lets nothing out of sight, leaves out what is flat and refuses what is bad."""
    if "bad" in row:
        raise DecodeError("bad")
    return None if "flat" in row else row


def views_of(body: str) -> tuple[Row, ...]:
    return asyncio.run(Listing("test", shown, clock=SystemClock(), kept=1).views(body))


def views_at_once(body: str) -> tuple[Row, ...]:
    return tuple(view for row in rows(parsed(body), "test") if (view := shown(row)) is not None)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["as the venue writes", "with spaces"])
@awaited
async def test_between_a_few_rows_of_a_long_listing_others_have_a_turn(separators: tuple[str, str]) -> None:
    turns, read_in = [0], []

    def read(row: Row) -> int:
        read_in.append(turns[0])
        return whole(row, "algoId")

    async def others() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    body = json.dumps([ROW | {"algoId": number} for number in range(180)], separators=separators)
    assert await Listing("test", read, clock=SystemClock()).views(body) == tuple(range(180))
    assert max(read_in.count(turn) for turn in set(read_in)) == PIECE
    task.cancel()


VALUES: list[Any] = [
    None, True, 0, -1, 10**30, 0.1, 1e-7, 1e22, "", "0.10", "},{", "}]", '"', "\\", "é", "\n",
    [], {}, [[]], [{}], {"a": {}}, [{"a": 1}, {"b": "},{"}],
]  # fmt: skip
keys = st.sampled_from(["a", "b", "},{", "flat", "bad"])
listed = st.lists(st.dictionaries(keys, st.sampled_from(VALUES), max_size=3), max_size=4)


@given(listed, st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]), st.sampled_from([None, 1]))
def test_a_listing_in_pieces_says_what_it_says_at_once(
    found: list[Row], separators: tuple[str, str], indent: int | None
) -> None:
    body = json.dumps(found, separators=separators, indent=indent)
    try:
        at_once = views_at_once(body)
    except DecodeError:
        with pytest.raises(DecodeError):
            views_of(body)
        return
    assert repr(views_of(body)) == repr(at_once)  # Numbers to the last digit and their kind, order of keys.


@given(listed, st.data())
def test_a_listing_cut_or_spoiled_anywhere_is_read_alike_or_refused_alike(
    found: list[Row], data: st.DataObject
) -> None:
    body = compact(found)
    at = data.draw(st.integers(0, len(body)))
    spoiled = (
        body[:at] + data.draw(st.text('},{[]":\\ 1a', max_size=3)) + body[at + data.draw(st.integers(0, 3)) :]
    )
    try:
        at_once = views_at_once(spoiled)
    except DecodeError:
        with pytest.raises(DecodeError):
            views_of(spoiled)
        return
    assert repr(views_of(spoiled)) == repr(at_once)


@pytest.mark.parametrize(
    "body", ["", "{}", "null", "[1]", '{"a":1}', '{"a":1},{"a":2}', '[{"a":NaN}]', "[[{}]]"]
)
def test_what_is_no_list_of_rows_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        views_of(body)


@awaited
async def test_a_row_that_says_the_same_again_is_the_same_view_and_a_changed_one_is_not() -> None:
    asked = Listing("test", dict, clock=SystemClock(), kept=200)
    first = await asked.views(compact([ROW | {"algoId": number} for number in range(200)]))
    changed = [
        ROW | {"algoId": number} | ({"price": "0.100"} if number == 7 else {}) for number in range(200)
    ]
    again = await asked.views(compact(changed))
    assert [old is new for old, new in zip(first, again, strict=True)].count(False) == 1
    assert again[7]["price"] == "0.100"
    part = await asked.views(compact(changed[7:9]))
    assert (part[0] is again[7], part[1] is first[8]) == (True, True)


@awaited
async def test_of_all_rows_ever_listed_only_the_newest_are_kept() -> None:
    asked = Listing("test", dict, clock=SystemClock(), kept=200)
    first = await asked.views(compact([ROW]))
    await asked.views(compact([ROW | {"algoId": number + 2} for number in range(200)]))
    assert (await asked.views(compact([ROW])))[0] is not first[0]


def test_one_row_that_cannot_be_read_refuses_the_whole_listing() -> None:
    with pytest.raises(DecodeError, match="bad"):
        views_of(compact([ROW] * 50 + [{"bad": 1}] + [ROW]))
