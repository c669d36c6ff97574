"""A large state put into words record by record; a record that is still the same object is not told again."""

from collections.abc import Callable
from dataclasses import is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from threading import Event
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin

import orjson

from skalp_bot.journal.codec import TAG, Hint, encode, hints_of, writer_of
from skalp_bot.ports import Clock, JournalError

PLAIN = (str, int, bool, float, Decimal, NoneType)
BREATH_EVERY_NS, BREATH_S = 200_000, 0.001
TellItem = Callable[[Hint, Any, list[str]], None]


class Scribe:
    """Writes what ``encode`` writes, and calls ``breathe`` after each record of a list.

    Texts are kept for the next state, each with its record, so that nothing else can take the record's place
    in memory. What a state did not have is forgotten with it.
    """

    def __init__(self, breathe: Callable[[], None]) -> None:
        self._breathe = breathe
        self._before: dict[int, tuple[object, str]] = {}
        self._kept: dict[int, tuple[object, str]] = {}

    def write(self, state: object) -> list[str]:
        """The state, a dataclass, as text in pieces; JournalError names what cannot be written."""
        self._before, self._kept = self._kept, {}
        pieces = [f'{{"{TAG}":"{type(state).__name__}",']
        try:
            self._tell_fields(type(state), state, pieces, self._tell_or_recall)
        except (JournalError, orjson.JSONEncodeError):
            encode(state)  # Says where.
            raise
        while self._before:
            self._before.popitem()
            self._breathe()
        return pieces

    def _tell_or_recall(self, kind: Hint, record: Any, pieces: list[str]) -> None:
        known = self._before.pop(id(record), None)
        if known is None:
            begin = len(pieces)
            self._tell(kind, record, pieces, self._tell_item)
            pieces[begin:] = ["".join(pieces[begin:])]
            known = (record, pieces[begin])
        else:
            pieces.append(known[1])
        if lasting(kind):
            self._kept[id(record)] = known
        self._breathe()

    def _tell_item(self, kind: Hint, record: Any, pieces: list[str]) -> None:
        self._tell(kind, record, pieces, self._tell_item)
        self._breathe()

    def _tell(self, hint: Hint, value: Any, pieces: list[str], tell_item: TellItem) -> None:
        if divided(hint) and type(value) is hint:
            pieces.append("{")
            self._tell_fields(hint, value, pieces, tell_item)
        elif (kind := item_of(hint)) is not None and isinstance(value, tuple):
            pieces.append("[")
            for number, item in enumerate(value):
                if number:
                    pieces.append(",")
                tell_item(kind, item, pieces)
            pieces.append("]")
        else:
            pieces.append(orjson.dumps(writer_of(hint)(value)).decode())

    def _tell_fields(self, kind: Hint, record: Any, pieces: list[str], tell_item: TellItem) -> None:
        for number, (name, hint) in enumerate(hints_by_name(kind).items()):
            pieces.append(f'{"," if number else ""}"{name}":')
            self._tell(hint, getattr(record, name), pieces, tell_item)
        pieces.append("}")


class Breath:
    """Lets other threads run now and then: one that only computes makes each of them wait, every time anew,
    for the whole interval after which the interpreter takes the lock from it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hurried = Event()
        self._taken = 0

    def take(self) -> None:
        """Pause if it is time to; no more once somebody is in a hurry."""
        if self._clock.monotonic() - self._taken >= BREATH_EVERY_NS:
            self._hurried.wait(BREATH_S)
            self._taken = self._clock.monotonic()

    def hurry(self) -> None:
        self._hurried.set()


def is_record(hint: Hint) -> bool:
    return is_dataclass(hint)


@cache
def hints_by_name(kind: Hint) -> dict[str, Hint]:
    return {name: hint for name, hint, _ in hints_of(kind)}


@cache
def item_of(hint: Hint) -> Hint | None:
    """The class of a list of records of one class."""
    arguments = get_args(hint)
    origin: Any = get_origin(hint)
    listed = origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis
    return arguments[0] if listed and is_record(arguments[0]) else None


@cache
def divided(hint: Hint) -> bool:
    """Whether it is a record with a list of records somewhere in it."""
    fields = hints_by_name(hint).values() if is_record(hint) else ()
    return any(item_of(field) is not None or divided(field) for field in fields)


@cache
def lasting(kind: Hint) -> bool:
    """Whether an object of this class says the same for as long as it lives: frozen, all the way down."""
    seen, waiting = set[Hint](), [kind]
    while waiting:
        hint = waiting.pop()
        if hint in seen:  # A type may contain itself.
            continue
        seen.add(hint)
        origin: Any = get_origin(hint)
        if isinstance(hint, NewType):
            waiting.append(hint.__supertype__)
        elif is_record(hint) and hint.__dataclass_params__.frozen:
            waiting += hints_by_name(hint).values()
        elif origin in (tuple, Union, UnionType):
            waiting += [argument for argument in get_args(hint) if argument not in (Ellipsis, ())]
        elif not (origin is Literal or hint in PLAIN or (isinstance(hint, type) and issubclass(hint, Enum))):
            return False
    return True
