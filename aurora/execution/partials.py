"""A parent order in slices: what to send next, what is left, and never more than was meant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from aurora.model.instrument import Instrument
from aurora.model.numbers import CONTEXT, NO_QTY, ZERO, Nanos, Qty, ceil_to, divide, floor_to
from aurora.model.order import Order, OrderStatus
from aurora.model.parent import ParentOrder, Style

CHILDREN_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """What became of a parent's quantity so far; the three never overlap."""

    live: Qty = NO_QTY  # Remaining quantity of children in flight, resting or being cancelled.
    filled: Qty = NO_QTY
    unknown: Qty = NO_QTY  # Remaining quantity of children nobody can say anything about.

    @property
    def committed(self) -> Qty:
        """What the parent has spent, or may have."""
        return Qty(CONTEXT.add(CONTEXT.add(self.live, self.filled), self.unknown))

    @classmethod
    def of(cls, orders: Iterable[Order]) -> "Children":
        """Summed over the parent's orders; a finished one counts with what it filled."""
        live = filled = unknown = ZERO
        for order in orders:
            filled = CONTEXT.add(filled, order.filled)
            if order.status is OrderStatus.UNKNOWN:
                unknown = CONTEXT.add(unknown, order.remaining)
            elif order.open:
                live = CONTEXT.add(live, order.remaining)
        return cls(live=Qty(live), filled=Qty(filled), unknown=Qty(unknown))


class End(StrEnum):
    """Why a parent is over."""

    FILLED = "FILLED"
    TAIL_TOO_SMALL = "TAIL_TOO_SMALL"  # The exchange takes no order as small as what is left.
    SLICES_USED = "SLICES_USED"  # Every slice was released; what they did not fill is not chased.
    ABORTED = "ABORTED"


class PartialSlicer:
    """Pure arithmetic over a parent and its children; conservation holds at every instant:

    live + filled + unknown + the child it answers <= the parent's quantity.
    """

    @staticmethod
    def split(parent: ParentOrder, instrument: Instrument) -> ParentOrder:
        """The parent with enough slices that none is larger than one market order may be."""
        least = ceil_to(divide(parent.qty, lot(instrument).largest), Decimal(1))
        return replace(parent, children=min(max(parent.children, int(least)), CHILDREN_MAX))

    @staticmethod
    def remaining(parent: ParentOrder, children: Children) -> Qty:
        """What no child has filled or may still fill."""
        return Qty(max(CONTEXT.subtract(parent.qty, children.committed), ZERO))

    @staticmethod
    def next_child(parent: ParentOrder, children: Children, instrument: Instrument, now: Nanos) -> Qty | None:
        """The quantity to send now, if any: what the schedule is due, floored to the lot.

        A remainder too small for an order of its own goes with this child; when both do not fit into one
        order, this child leaves it larger.
        """
        if parent.done or parent.released >= parent.children:
            return None
        rules = lot(instrument)
        left = floor_to(PartialSlicer.remaining(parent, children), rules.step)
        due = CONTEXT.subtract(due_by(parent, now), children.committed)
        child = min(floor_to(max(due, ZERO), rules.step), left, rules.largest)
        rest = CONTEXT.subtract(left, child)
        if rest > ZERO and too_small(rest, parent, instrument):
            child = left if left <= rules.largest else floor_to(divide(left, Decimal(2)), rules.step)
        return None if child <= ZERO or too_small(child, parent, instrument) else Qty(child)

    @staticmethod
    def released(parent: ParentOrder) -> ParentOrder:
        """After one more child was approved."""
        return replace(parent, released=parent.released + 1)

    @staticmethod
    def track(parent: ParentOrder, children: Children, instrument: Instrument) -> ParentOrder:
        """The parent knowing what its children filled, and whether it is over.

        It is never over while a child is live or unknown: a late fill must find it.
        """
        known = replace(parent, filled=children.filled)
        if parent.done or children.live or children.unknown:
            return known
        end = ending(known, children, instrument)
        return known if end is None else replace(known, done=True, why=end.value)

    @staticmethod
    def abort(parent: ParentOrder, why: str) -> ParentOrder:
        """No further child; those that live are the caller's to cancel."""
        return parent if parent.done else replace(parent, done=True, why=f"{End.ABORTED.value}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The stricter of the limit and the market filter: a child may be either."""

    step: Qty
    smallest: Qty
    largest: Qty


def lot(instrument: Instrument) -> Lot:
    step = max(instrument.step_size, instrument.market_step_size)
    return Lot(
        step=step,
        smallest=max(instrument.qty_min, instrument.market_qty_min),
        largest=Qty(floor_to(min(instrument.qty_max, instrument.market_qty_max), step)),
    )


def too_small(qty: Decimal, parent: ParentOrder, instrument: Instrument) -> bool:
    """For an entry: below the smallest quantity or notional, at the price the decision was made at."""
    notional = CONTEXT.multiply(qty, parent.decision_mid)
    return qty < lot(instrument).smallest or notional < instrument.notional_min


def due_by(parent: ParentOrder, now: Nanos) -> Decimal:
    """How much the schedule wants committed by now; slices fall due at its start and every interval after."""
    if parent.style is Style.IMMEDIATE or parent.interval <= 0:
        return parent.qty
    slices = min((now - parent.started_at) // parent.interval + 1, parent.children)
    return divide(CONTEXT.multiply(parent.qty, Decimal(max(slices, 0))), Decimal(parent.children))


def ending(parent: ParentOrder, children: Children, instrument: Instrument) -> End | None:
    """Why nothing more can come of a parent without live or unknown children; None while it can."""
    left = PartialSlicer.remaining(parent, children)
    if left <= ZERO:
        return End.FILLED
    if too_small(floor_to(left, lot(instrument).step), parent, instrument):
        return End.TAIL_TOO_SMALL
    return End.SLICES_USED if parent.released >= parent.children else None
