"""Exact quantities: money and size are Decimal, statistics are float, and the two never mix."""

from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
)
from typing import NewType

Price = NewType("Price", Decimal)
Qty = NewType("Qty", Decimal)
Quote = NewType("Quote", Decimal)
Nanos = NewType("Nanos", int)

ZERO = Decimal(0)
NO_QTY = Qty(ZERO)
NO_PRICE = Price(ZERO)
NO_QUOTE = Quote(ZERO)
NEVER = Nanos(0)
SECOND = 1_000_000_000
MILLISECOND = 1_000_000

# The ambient context belongs to whoever changed it last (ccxt does); anything that can round uses this one.
CONTEXT = Context(
    prec=28,
    rounding=ROUND_HALF_EVEN,
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)


def as_float(value: Decimal) -> float:
    """The one gate from owned to estimated."""
    return float(value)


def divide(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Quotient at 28 digits, half-even, whatever the ambient context says."""
    return CONTEXT.divide(numerator, denominator)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value`` (value >= 0, step > 0)."""
    return CONTEXT.multiply(CONTEXT.divide_int(value, step), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value`` (value >= 0, step > 0)."""
    floor = floor_to(value, step)
    return floor if floor == value else floor + step
