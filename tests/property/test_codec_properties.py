"""For every value the core can make: what is written is what is read."""

import types
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora.model.commands import Command
from aurora.model.events import Event
from aurora.model.facts import Fact
from aurora.state import Checkpoint
from skalp_bot.journal.codec import decode, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """The shapes a checkpoint may hold that no event does."""

    by_symbol: dict[str, Decimal]
    by_number: dict[int, tuple[str, ...]]
    pair: tuple[int, float]
    mode: Literal["A", "B"]
    inner: "Nested | None"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    Decimal: DECIMALS,
    types.NoneType: st.none(),
}


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of the type, from its hints: written apart from the codec, so that they can disagree."""
    if isinstance(kind, NewType):
        return values(kind.__supertype__)
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: later(hints[field.name]) for field in fields(kind)})
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg) for arg in sorted(args, key=lambda arg: arg is not types.NoneType)])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is dict:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    assert origin is tuple
    if args[-1] is Ellipsis:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    return st.tuples(*[values(arg) for arg in args])


def later(kind: Any) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: values(kind))


KINDS = [*get_args(Event), *get_args(Command), *get_args(Fact), Checkpoint, Nested]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_what_is_written_is_what_is_read(kind: type, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    again: Any = decode(encode(value), kind)
    assert again == value
    assert encode(again) == encode(value)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(values(Event), max_size=3), facts=st.lists(values(Fact), max_size=3))
def test_a_union_is_told_apart_by_name(events: list[Any], facts: list[Any]) -> None:
    assert decode(encode(tuple(events)), tuple[Event, ...]) == tuple(events)
    assert decode(encode(tuple(facts)), tuple[Fact, ...]) == tuple(facts)


@given(DECIMALS)
def test_money_keeps_every_digit_and_its_scale(amount: Decimal) -> None:
    again = decode(encode(amount), Decimal)
    assert again.as_tuple() == amount.as_tuple()
