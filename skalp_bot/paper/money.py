"""Arithmetic of money: exact products, one stated rounding, and the two ways numbers are written.

Money (fees, realised profit, funding, wallet) has 8 decimals, rounded half to even. Entry prices have 14
decimals, rounded half to even. Maintenance margin is truncated, as the venue does. The ambient decimal
context is never used: `exact` runs a function of the venue under its own.
"""

from collections.abc import Callable
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    setcontext,
)
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
ZERO = Decimal(0)
MONEY = Decimal("0.00000001")
ENTRY = Decimal("0.00000000000001")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run under the venue's decimal context, whatever the caller has set."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        ambient = getcontext()
        setcontext(CONTEXT)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(ambient)

    return wrapped


def cents(amount: Decimal) -> Decimal:
    """Round money to 8 decimals, half to even."""
    return amount.quantize(MONEY, ROUND_HALF_EVEN, CONTEXT)


def cents_down(amount: Decimal) -> Decimal:
    """Truncate money to 8 decimals, toward zero."""
    return amount.quantize(MONEY, ROUND_DOWN, CONTEXT)


def plain(number: Decimal) -> str:
    """Write without trailing zeros or exponent, as user events do: "0.02", "2317.3", "0"."""
    if not number:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def eight(amount: Decimal) -> str:
    """Write money with 8 decimals, as account rows do."""
    return f"{cents(amount):f}"
