"""From an estimated fraction to a quantity that can be sent: floors, never up, and says what limited it."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

from aurora.model.instrument import Instrument
from aurora.model.numbers import Qty, Quote
from aurora.risk.arguments import not_negative
from aurora.sizing.units import NotionalFraction

UP = Context(prec=28, rounding=ROUND_CEILING)
DOWN = Context(prec=28, rounding=ROUND_FLOOR)
EXACT = Context(prec=200)
ZERO = Decimal(0)


class LimitedBy(StrEnum):
    """What made the quantity no larger."""

    FRACTION = "FRACTION"
    MARGIN = "MARGIN"
    MAX_QTY = "MAX_QTY"
    MAX_NOTIONAL = "MAX_NOTIONAL"


class SizedReason(StrEnum):
    """Why the quantity is what it is."""

    OK = "OK"
    BELOW_MIN_QTY = "BELOW_MIN_QTY"
    BELOW_MIN_NOTIONAL = "BELOW_MIN_NOTIONAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class QtyLimits:
    """What the exchange allows of one order. A missing tick or notional_max does not limit."""

    step: Decimal
    qty_min: Decimal
    qty_max: Decimal
    notional_min: Decimal
    notional_max: Decimal | None = None
    """Largest notional that the leverage bracket still leaves; floor of the position, not of the order."""
    tick: Decimal | None = None

    def __post_init__(self) -> None:
        positive_decimal("step", self.step)
        not_negative_decimal("qty_min", self.qty_min)
        positive_decimal("qty_max", self.qty_max)
        not_negative_decimal("notional_min", self.notional_min)
        if self.notional_max is not None:
            not_negative_decimal("notional_max", self.notional_max)
        if self.tick is not None:
            positive_decimal("tick", self.tick)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedQty:
    """A quantity, or zero with the reason, and the two numbers compared last."""

    qty: Qty
    notional: Quote
    """qty times the price it was sized at."""
    margin: Quote
    """Initial margin and fee at that price, rounded up."""
    limited_by: LimitedBy
    reason: SizedReason
    observed: Decimal
    """OK: the quantity the fraction asked for, rounded down. Otherwise what fell short of `limit`."""
    limit: Decimal
    """OK: the largest quantity allowed before flooring to the step. Otherwise the exchange's minimum."""


def fraction_to_qty(
    fraction: NotionalFraction | Decimal,
    *,
    equity: Decimal,
    price: Decimal,
    limits: QtyLimits,
    leverage: Decimal | int,
    margin_free: Decimal,
    fee: Decimal,
) -> SizedQty:
    """The largest quantity whose notional is at most `fraction` of equity and that passes every limit.

    fraction: NOTIONAL over equity, at least 0; a float is read through `repr`. price: above zero; off the
    tick it is sized at the tick above and its notional checked at the tick below. leverage: at least 1.
    margin_free: margin the order may use; equity and margin_free not above zero give zero. fee: taker fee
    per notional, at least 0. qty = floor(min(equity fraction / price, margin_free / (price (1/leverage +
    fee)), qty_max, notional_max / price) to step); below qty_min or notional_min it is zero with the
    reason. Never rounded up. Arithmetic is exact. ValueError names the argument that is out of its range.
    """
    wanted = exact_fraction(fraction)
    sized_at, checked_at = price_range(price, limits.tick)
    use = 1 / Fraction(at_least_one("leverage", leverage)) + Fraction(not_negative_decimal("fee", fee))
    raw = Fraction(finite_decimal("equity", equity)) * wanted / sized_at
    limited_by, allowed = LimitedBy.FRACTION, raw
    caps = [
        (LimitedBy.MARGIN, Fraction(finite_decimal("margin_free", margin_free)) / (sized_at * use)),
        (LimitedBy.MAX_QTY, Fraction(limits.qty_max)),
    ]
    if limits.notional_max is not None:
        caps.append((LimitedBy.MAX_NOTIONAL, Fraction(limits.notional_max) / sized_at))
    for name, cap in caps:
        if cap < allowed:
            limited_by, allowed = name, cap
    steps = max(0, floor(allowed / Fraction(limits.step)))
    qty = EXACT.multiply(Decimal(steps), limits.step)
    reason, observed, limit = verdict(qty, checked_at, limits)
    if reason is SizedReason.OK:
        observed, limit = rounded_down(raw), rounded_down(allowed)
    else:
        qty = ZERO
    notional = Fraction(qty) * sized_at
    return SizedQty(
        qty=Qty(qty),
        notional=Quote(rounded_up(notional)),
        margin=Quote(rounded_up(notional * use)),
        limited_by=limited_by,
        reason=reason,
        observed=observed,
        limit=limit,
    )


def limit_order_limits(instrument: Instrument, *, leverage: int, notional_held: Decimal = ZERO) -> QtyLimits:
    """The limits of a limit order on the instrument at that leverage, beside a position of that notional."""
    return QtyLimits(
        step=instrument.step_size,
        qty_min=instrument.qty_min,
        qty_max=instrument.qty_max,
        notional_min=instrument.notional_min,
        notional_max=bracket_room(instrument, leverage, notional_held),
        tick=instrument.tick_size,
    )


def market_order_limits(instrument: Instrument, *, leverage: int, notional_held: Decimal = ZERO) -> QtyLimits:
    """The limits of a market order on the instrument at that leverage, beside a position of that notional."""
    return QtyLimits(
        step=instrument.market_step_size or instrument.step_size,
        qty_min=instrument.market_qty_min,
        qty_max=instrument.market_qty_max,
        notional_min=instrument.notional_min,
        notional_max=bracket_room(instrument, leverage, notional_held),
        tick=instrument.tick_size,
    )


def bracket_room(instrument: Instrument, leverage: int, notional_held: Decimal) -> Decimal | None:
    """Notional the leverage brackets still leave at that leverage; None when the instrument lists none."""
    if not instrument.brackets:
        return None
    caps = [bracket.notional_cap for bracket in instrument.brackets if bracket.leverage >= leverage]
    return max(ZERO, DOWN.subtract(max(caps, default=ZERO), abs(notional_held)))


def verdict(qty: Decimal, price: Fraction, limits: QtyLimits) -> tuple[SizedReason, Decimal, Decimal]:
    """Whether the exchange would take the quantity, with what was seen and what it asks for."""
    if qty < limits.qty_min or qty == 0:
        return SizedReason.BELOW_MIN_QTY, qty, max(limits.qty_min, limits.step)
    notional = Fraction(qty) * price
    if notional < Fraction(limits.notional_min):
        return SizedReason.BELOW_MIN_NOTIONAL, rounded_down(notional), limits.notional_min
    return SizedReason.OK, qty, limits.qty_min


def price_range(price: Decimal, tick: Decimal | None) -> tuple[Fraction, Fraction]:
    """The tick at or above the price, and the tick at or below it; the price twice when there is no tick."""
    exact = Fraction(positive_decimal("price", price))
    if tick is None:
        return exact, exact
    grain = Fraction(tick)
    return ceil(exact / grain) * grain, floor(exact / grain) * grain


def exact_fraction(fraction: NotionalFraction | Decimal) -> Fraction:
    if isinstance(fraction, Decimal):
        return Fraction(not_negative_decimal("fraction", fraction))
    return Fraction(Decimal(repr(not_negative("fraction", fraction))))


def rounded_down(value: Fraction) -> Decimal:
    return DOWN.divide(Decimal(value.numerator), Decimal(value.denominator))


def rounded_up(value: Fraction) -> Decimal:
    return UP.divide(Decimal(value.numerator), Decimal(value.denominator))


def finite_decimal(name: str, value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError(f"{name} must be a finite Decimal, got {value}")
    return value


def positive_decimal(name: str, value: Decimal) -> Decimal:
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{name} must be a Decimal in (0, inf), got {value}")
    return value


def not_negative_decimal(name: str, value: Decimal) -> Decimal:
    if not value.is_finite() or value < 0:
        raise ValueError(f"{name} must be a Decimal in [0, inf), got {value}")
    return value


def at_least_one(name: str, value: Decimal | int) -> Decimal:
    number = Decimal(value)
    if not number.is_finite() or number < 1:
        raise ValueError(f"{name} must be in [1, inf), got {value}")
    return number
