"""A parent order in slices: what to send next, what is left, and never more than was meant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from zlib import crc32

from aurora.model.instrument import Instrument
from aurora.model.numbers import CONTEXT, NO_QTY, ZERO, Nanos, Qty, ceil_to, divide, floor_to
from aurora.model.order import Order, OrderStatus
from aurora.model.parent import ParentOrder, Stage, Style

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
        if not may_send(parent, children):
            return None
        rules = lot(instrument)
        largest = min(rules.largest, parent.clip) if parent.clip and works(parent) else rules.largest
        left = floor_to(PartialSlicer.remaining(parent, children), rules.step)
        due = CONTEXT.subtract(due_by(parent, children, now), children.committed)
        child = min(floor_to(max(due, ZERO), rules.step), left, largest)
        if works(parent) and child < min(left, smallest_share(parent, rules)):
            return None
        rest = CONTEXT.subtract(left, child)
        if rest > ZERO and too_small(rest, parent, instrument):
            child = left if left <= largest else floor_to(divide(left, Decimal(2)), rules.step)
        return None if child <= ZERO or too_small(child, parent, instrument) else Qty(child)

    @staticmethod
    def released(parent: ParentOrder) -> ParentOrder:
        """After one more child was approved; the child that crosses is the last."""
        stage = Stage.LEAVING if parent.stage is Stage.CROSSING else parent.stage
        return replace(parent, released=parent.released + 1, stage=stage)

    @staticmethod
    def track(parent: ParentOrder, children: Children, instrument: Instrument) -> ParentOrder:
        """The parent knowing what its children filled, and whether it is over.

        It is never over while a child is live or unknown: a late fill must find it.
        """
        known = replace(parent, filled=children.filled)
        if parent.done or children.live or children.unknown:
            return known
        end = ending(known, children, instrument)
        return known if end is None else replace(known, done=True, why=end)

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


def works(parent: ParentOrder) -> bool:
    return parent.stage is Stage.WORKING


def may_send(parent: ParentOrder, children: Children) -> bool:
    """A resting style has one child at a time; nothing crosses while a quote of its own may still fill."""
    alone = not children.live and not children.unknown
    match parent.stage:
        case Stage.WORKING:
            more = parent.released < parent.children
            return not parent.done and more and (alone or not parent.style.rests)
        case Stage.CROSSING:
            return not parent.done and alone
        case Stage.LEAVING:
            return False


def smallest_share(parent: ParentOrder, rules: Lot) -> Decimal:
    """Participation waits until a child is worth one of its places."""
    if parent.style is not Style.PARTICIPATE:
        return ZERO
    return ceil_to(divide(parent.qty, Decimal(parent.children)), rules.step)


def due_by(parent: ParentOrder, children: Children, now: Nanos) -> Decimal:
    """How much the schedule wants committed by now.

    TWAP slices fall due at the start and every interval after, each later by its own part of the jitter.
    """
    if not works(parent):
        return parent.qty
    match parent.style:
        case Style.IMMEDIATE | Style.ICEBERG | Style.CHASE:
            return parent.qty if now >= parent.started_at else ZERO
        case Style.PARTICIPATE:
            others = max(CONTEXT.subtract(parent.volume, children.filled), ZERO)
            return min(CONTEXT.multiply(others, parent.share), parent.qty)
        case Style.TWAP:
            slices = min(slices_due(parent, now), parent.children)
            return divide(CONTEXT.multiply(parent.qty, Decimal(slices)), Decimal(parent.children))


def slices_due(parent: ParentOrder, now: Nanos) -> int:
    elapsed = now - parent.started_at
    if elapsed < 0:
        return 0
    if parent.interval <= 0:
        return parent.children
    number, since = divmod(elapsed, parent.interval)
    return number + (since >= lateness(parent, number))


def lateness(parent: ParentOrder, number: int) -> int:
    """Nanoseconds slice ``number`` comes late: the seed decides, below the jitter; the first is on time."""
    if not number or not parent.jitter:
        return 0
    return crc32(f"{parent.seed}:{parent.parent_id}:{number}".encode()) * parent.jitter >> 32


def ending(parent: ParentOrder, children: Children, instrument: Instrument) -> str | None:
    """Why nothing more can come of a parent without live or unknown children; None while it can."""
    left = PartialSlicer.remaining(parent, children)
    if left <= ZERO:
        return End.FILLED.value
    if parent.stage is Stage.LEAVING:
        return parent.why or End.SLICES_USED.value
    if too_small(floor_to(left, lot(instrument).step), parent, instrument):
        return End.TAIL_TOO_SMALL.value
    used = parent.released >= parent.children and parent.style in (Style.IMMEDIATE, Style.TWAP)
    return End.SLICES_USED.value if used else None
