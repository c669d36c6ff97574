"""Values of the core to and from JSON, by their type hints: money as text, unions tagged by class name."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from math import inf, isfinite, nan
from operator import attrgetter
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints, overload

import orjson

from aurora.model.account import OrderView
from skalp_bot.ports import JournalError

TAG = "$"
T = TypeVar("T")
Json = Any
Hint = Any  # What a type hint may be: a class, a NewType, a union, a generic.
Write = Callable[[Any], Json]
Read = Callable[[Json], Any]

# What orjson writes as we do; enumerations by their values.
AS_IT_IS = (str, int, bool, types.NoneType, Enum)
SHAPES = "use dataclasses, tuples, dicts, Decimal, enums, str, int, float, bool"

# Look after look at the account shows the same objects where nothing changed, see ``exch.pieces``.
SHOWN = (OrderView,)
TEXTS_KEPT = 1_024

# JSON has no numbers for these; orjson would write null, which is how None is written.
NOT_FINITE = {"NaN": nan, "Infinity": inf, "-Infinity": -inf}


def encode(value: object) -> bytes:
    """The value as JSON; dataclasses at the top and in unions carry their class name."""
    try:
        return orjson.dumps(write_tagged(value))
    except orjson.JSONEncodeError as error:
        raise JournalError(f"{type(value).__name__}: {error}") from error


@overload
def decode(data: bytes, kind: type[T]) -> T: ...
@overload
def decode(data: bytes, kind: Hint) -> Any: ...
def decode(data: bytes, kind: Hint) -> Any:
    """The value of the given type; JournalError names the type and the field that does not fit."""
    return reader_of(kind)(parsed(data))


def parsed(data: bytes) -> Json:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise JournalError(f"not JSON: {error}") from error


# --- writing -----------------------------------------------------------------------------------------


def write_tagged(value: object) -> Json:
    """By what the value is: for the top, where no type hint says what to expect."""
    if isinstance(value, tuple):
        return [write_tagged(item) for item in value]
    if is_dataclass(value):
        return {TAG: type(value).__name__, **writer_of(type(value))(value)}
    if value is None:
        return None
    return writer_of(type(value))(value)


def make_writer(kind: Hint) -> Write:
    if isinstance(kind, NewType):
        return writer_of(kind.__supertype__)
    if isinstance(kind, type) and is_dataclass(kind):
        return write_record(kind)
    if kind is float:
        return write_float
    if kind is Decimal:
        return writes(Decimal, str)
    if isinstance(kind, type) and (kind in (str, int, bool) or issubclass(kind, Enum)):
        return writes(kind, lambda value: value)
    return write_compound(kind)


def write_compound(kind: Hint) -> Write:
    origin: Any = get_origin(kind)
    arguments = get_args(kind)
    if origin in (Union, types.UnionType):
        return write_union(arguments)
    if origin is Literal:
        return lambda value: value
    if origin is tuple:
        return write_tuple(arguments)
    if origin in (dict, Mapping):
        key, item = writer_of(arguments[0]), writer_of(arguments[1])
        return lambda value: [[key(name), item(held)] for name, held in value.items()]
    raise JournalError(f"no way to write a {kind!r}: {SHAPES}")


def writes(kind: type, convert: Write) -> Write:
    def write(value: Any) -> Json:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise JournalError(f"expected {kind.__name__}, got {type(value).__name__} {value!r}")
        return convert(value)

    return write


def write_float(value: Any) -> Json:
    if not isinstance(value, float | int):
        raise JournalError(f"expected float, got {type(value).__name__} {value!r}")
    if isfinite(value):
        return float(value)  # A subclass (numpy has one) would be refused.
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def write_record(kind: Hint) -> Write:
    """Whether they fit, and what has to be converted, is found once for each row of types the fields hold."""
    known: dict[tuple[type, ...], tuple[tuple[str, Write], ...]] = {}

    def write(value: Any) -> Json:
        names, held_by = fields_written(kind)  # Looked up when used, so that a type may contain itself.
        if type(value) is not kind:
            raise JournalError(f"expected {kind.__name__}, got {type(value).__name__}")
        held = held_by(value)
        row = tuple(map(type, held))
        written = dict(zip(names, held, strict=True))
        try:
            if row not in known:
                known[row] = conversions_of(names, held)
            for name, convert in known[row]:
                written[name] = convert(written[name])
        except JournalError:
            raise located(kind, names, held) from None
        return written

    return write


@cache
def fields_written(kind: Hint) -> tuple[dict[str, Write], Callable[[Any], tuple[Any, ...]]]:
    """A writer for each field, and what takes the values of all of them."""
    names = {name: writer_of(hint) for name, hint, _ in hints_of(kind)}
    if len(names) > 1:
        return names, attrgetter(*names)
    return names, lambda value: tuple(getattr(value, name) for name in names)


def conversions_of(names: dict[str, Write], held: tuple[Any, ...]) -> tuple[tuple[str, Write], ...]:
    """Of values of these types; what is JSON already, whatever its value, needs none."""
    found: list[tuple[str, Write]] = []
    for (name, write_field), value in zip(names.items(), held, strict=True):
        if write_field(value) is not value or not isinstance(value, AS_IT_IS):
            found.append((name, str if type(value) is Decimal else write_field))
    return tuple(found)


def located(kind: type, names: dict[str, Write], held: tuple[Any, ...]) -> JournalError:
    """The same failure again, this time with the name of the field."""
    for (name, write_field), value in zip(names.items(), held, strict=True):
        try:
            write_field(value)
        except JournalError as error:
            return JournalError(f"{kind.__name__}.{name}: {error}")
    return JournalError(f"{kind.__name__} cannot be written")


def write_tuple(arguments: tuple[Hint, ...]) -> Write:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = write_shown(arguments[0]) if arguments[0] in SHOWN else write_brief(arguments[0])
        return writes(tuple, lambda value: [item(held) for held in value])
    items = tuple(writer_of(argument) for argument in arguments if argument != ())
    return writes(tuple, lambda value: [item(held) for item, held in zip(items, value, strict=True)])


def write_brief(kind: Hint) -> Write:
    """A record as its text at once: thousands of them as Python objects would cost ten times the memory."""
    item = writer_of(kind)

    def write(value: Any) -> Json:
        written = item(value)
        return orjson.Fragment(orjson.dumps(written).decode()) if isinstance(written, dict) else written

    return write


def write_shown(kind: Hint) -> Write:
    """The same, but the same object is written once; it is kept with its text, so no other has its id."""
    brief = write_brief(kind)
    kept: dict[int, tuple[object, Json]] = {}

    def write(value: Any) -> Json:
        known = kept.get(id(value))
        if known is None:
            known = (value, brief(value))
            if len(kept) >= TEXTS_KEPT:
                kept.clear()
            kept[id(value)] = known
        return known[1]

    return write


def write_union(arguments: tuple[Hint, ...]) -> Write:
    members = members_of(arguments)
    if len(members) == 1:
        only = writer_of(members[0])
        return lambda value: None if value is None else only(value)
    records = records_of(members)
    nullable = len(members) < len(arguments)

    def write(value: Any) -> Json:
        name = type(value).__name__
        if name in records:
            return {TAG: name, **writer_of(records[name])(value)}
        if value is None and nullable:
            return None
        raise JournalError(f"{name} is none of {', '.join(records)}")

    return write


writer_of: Callable[[Hint], Write] = cache(make_writer)


# --- reading -----------------------------------------------------------------------------------------


def make_reader(kind: Hint) -> Read:
    if isinstance(kind, NewType):
        return reader_of(kind.__supertype__)
    if isinstance(kind, type) and is_dataclass(kind):
        return read_record(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return read_enum(kind)
    if kind is float:
        return read_float
    if kind is Decimal:
        return read_decimal
    if kind in (str, int, bool) and isinstance(kind, type):
        return read_scalar(kind)
    return read_compound(kind)


def read_compound(kind: Hint) -> Read:
    origin: Any = get_origin(kind)
    arguments = get_args(kind)
    if origin in (Union, types.UnionType):
        return read_union(arguments)
    if origin is Literal:
        return read_choice({value: value for value in arguments}, "one of the literals")
    if origin is tuple:
        return read_tuple(arguments)
    if origin in (dict, Mapping):
        key, item = reader_of(arguments[0]), reader_of(arguments[1])
        return lambda raw: {key(name): item(held) for name, held in expect(list, raw)}
    raise JournalError(f"no way to read a {kind!r}: {SHAPES}")


def expect(kind: type, raw: Json) -> Any:
    if type(raw) is not kind:
        raise JournalError(f"expected {kind.__name__}, found {raw!r}")
    return raw


def read_scalar(kind: type) -> Read:
    return lambda raw: expect(kind, raw)


def read_float(raw: Json) -> float:
    if type(raw) is float or type(raw) is int:
        return float(raw)
    if isinstance(raw, str) and raw in NOT_FINITE:
        return NOT_FINITE[raw]
    raise JournalError(f"expected float, found {raw!r}")


def read_decimal(raw: Json) -> Decimal:
    try:
        return Decimal(expect(str, raw))
    except InvalidOperation as error:
        raise JournalError(f"expected a decimal number as text, found {raw!r}") from error


def read_enum(kind: type[Enum]) -> Read:
    return read_choice({member.value: member for member in kind}, kind.__name__)


def read_choice(choices: dict[Any, Any], what: str) -> Read:
    def read(raw: Json) -> Any:
        if isinstance(raw, str | int) and raw in choices:
            return choices[raw]
        raise JournalError(f"{raw!r} is not {what}: {', '.join(map(str, choices))}")

    return read


def read_record(kind: Hint) -> Read:
    def read(raw: Json) -> Any:
        if not isinstance(raw, dict):
            raise JournalError(f"expected {kind.__name__}, found {raw!r}")
        plan, required = fields_read(kind)
        values = read_fields(kind.__name__, plan, raw)
        for name in required:
            if name not in values:
                raise JournalError(f"{kind.__name__}.{name} is missing")
        return kind(**values)

    return read


@cache
def fields_read(kind: Hint) -> tuple[dict[str, Read], tuple[str, ...]]:
    """A reader for each field, and the fields without a default."""
    hints = hints_of(kind)
    plan = {name: reader_of(hint) for name, hint, _ in hints}
    return plan, tuple(name for name, _, field in hints if field.default is field.default_factory is MISSING)


def read_fields(kind: str, plan: dict[str, Read], raw: dict[str, Json]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, held in raw.items():
        read_field = plan.get(name)
        if read_field is not None:
            try:
                values[name] = read_field(held)
            except JournalError as error:
                raise JournalError(f"{kind}.{name}: {error}") from None
        elif name != TAG:
            raise JournalError(f"{kind} has no field {name!r}; a newer program wrote this")
        elif held != kind:
            raise JournalError(f"expected {kind}, found {held}")
    return values


def read_tuple(arguments: tuple[Hint, ...]) -> Read:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = reader_of(arguments[0])
        return lambda raw: tuple([item(held) for held in expect(list, raw)])
    items = tuple(reader_of(argument) for argument in arguments if argument != ())

    def read(raw: Json) -> Any:
        if len(expect(list, raw)) != len(items):
            raise JournalError(f"expected {len(items)} items, found {len(raw)}")
        return tuple([item(held) for item, held in zip(items, raw, strict=True)])

    return read


def read_union(arguments: tuple[Hint, ...]) -> Read:
    members = members_of(arguments)
    nullable = len(members) < len(arguments)
    if len(members) == 1:
        only = reader_of(members[0])
        return lambda raw: None if raw is None else only(raw)
    records = records_of(members)

    def read(raw: Json) -> Any:
        if raw is None and nullable:
            return None
        name = raw.get(TAG) if isinstance(raw, dict) else raw
        if name not in records:
            raise JournalError(
                f"{name!r} is none of {', '.join(records)}; a newer program may have written it"
            )
        return reader_of(records[name])(raw)

    return read


reader_of: Callable[[Hint], Read] = cache(make_reader)


# --- types -------------------------------------------------------------------------------------------


def hints_of(kind: type) -> list[tuple[str, Hint, Field[Any]]]:
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name], field) for field in fields(kind)]


def members_of(arguments: tuple[Hint, ...]) -> tuple[Hint, ...]:
    return tuple(argument for argument in arguments if argument is not types.NoneType)


def records_of(members: tuple[Hint, ...]) -> dict[str, type]:
    """Dataclasses by name: a union of anything else could not be told apart when read."""
    records = {member.__name__: member for member in members if isinstance(member, type)}
    if len(records) != len(members) or not all(is_dataclass(member) for member in records.values()):
        raise JournalError(f"a union must be of distinct dataclasses, or of one type and None: {members}")
    return records
