"""Reading single fields of Binance's JSON: exact, checked, or refused."""

import json
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from aurora.model.numbers import MILLISECOND, Nanos, Price, Qty, Quote

Row = dict[str, Any]
Choice = TypeVar("Choice", bound=StrEnum)

# Above the largest number the venue writes (2^63, for "no cap"); keeps garbage like 1e308 out of sums.
NUMBER_MAX = Decimal(10) ** 20


class DecodeError(Exception):
    """A payload that does not say what it should."""


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


# Made once: for a short answer, making it takes as long as reading.
EXACT = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def parsed(body: str) -> Any:
    """JSON with exact numbers; NaN and Infinity are refused."""
    try:
        return EXACT.decode(body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise DecodeError(f"not JSON: {body[:80]!r}") from error


def mapping(value: Any, what: str) -> Row:
    if not isinstance(value, dict):
        raise DecodeError(f"{what}: expected an object, got {str(value)[:80]!r}")
    return value


def rows(value: Any, what: str) -> list[Row]:
    if not isinstance(value, list):
        raise DecodeError(f"{what}: expected a list, got {str(value)[:80]!r}")
    return [mapping(each, what) for each in value]


def text(row: Row, key: str) -> str:
    """A string or an id; absent and null are refused."""
    value = row.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DecodeError(f"{key}: expected text, got {value!r}")


def text_or_empty(row: Row, key: str) -> str:
    return "" if row.get(key) is None else text(row, key)


def flag(row: Row, key: str) -> bool:
    """A boolean, or its word; absent and null are false."""
    match row.get(key):
        case bool(value):
            return value
        case None:
            return False
        case str(word) if word.lower() in {"true", "false"}:
            return word.lower() == "true"
        case other:
            raise DecodeError(f"{key}: expected true or false, got {other!r}")


def number(row: Row, key: str) -> Decimal:
    value = row.get(key)
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return _finite(value, key)
    raise DecodeError(f"{key}: expected a number, got {value!r}")


def number_or_zero(row: Row, key: str) -> Decimal:
    """Absent, null and empty mean nothing was there."""
    return Decimal(0) if row.get(key) in (None, "") else number(row, key)


def price(row: Row, key: str) -> Price:
    value = number(row, key)
    if value <= 0:
        raise DecodeError(f"{key}: a price is above zero, got {value}")
    return Price(value)


def price_or_none(row: Row, key: str) -> Price:
    """A price, where zero says there is none (market orders, untriggered prices)."""
    return Price(_not_negative(number_or_zero(row, key), key))


def qty(row: Row, key: str) -> Qty:
    return Qty(_not_negative(number(row, key), key))


def qty_or_zero(row: Row, key: str) -> Qty:
    return Qty(_not_negative(number_or_zero(row, key), key))


def quote(row: Row, key: str) -> Quote:
    return Quote(number(row, key))


def quote_or_zero(row: Row, key: str) -> Quote:
    return Quote(number_or_zero(row, key))


def whole(row: Row, key: str) -> int:
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    raise DecodeError(f"{key}: expected a whole number, got {value!r}")


def nanos(row: Row, key: str) -> Nanos:
    """Milliseconds since 1970 as nanoseconds."""
    value = whole(row, key)
    if value < 0:
        raise DecodeError(f"{key}: time before 1970: {value}")
    return Nanos(value * MILLISECOND)


def choice(row: Row, key: str, kind: type[Choice]) -> Choice:
    value = text(row, key)
    try:
        return kind(value)
    except ValueError:
        raise DecodeError(f"{key}: {value!r} is not a {kind.__name__}") from None


def _finite(value: str | int | Decimal, key: str) -> Decimal:
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise DecodeError(f"{key}: {value!r} is not a number") from None
    if not exact.is_finite() or abs(exact) > NUMBER_MAX:
        raise DecodeError(f"{key}: {value!r} is not a usable number")
    return exact


def _not_negative(value: Decimal, key: str) -> Decimal:
    if value < 0:
        raise DecodeError(f"{key}: below zero: {value}")
    return value
