"""Keeps a size from trembling: no-trade band, buckets and least interval, never against a reduction."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, cast

from aurora.risk.arguments import count, finite, not_negative, within
from aurora.sizing.band import AutoBand, Band, half_width_of
from aurora.sizing.drawdown import Fraction

BUCKET_SLACK = 1e-9
BUCKET_MIN = 1e-4


class StabilizerReason(StrEnum):
    """What the stabilizer did with the target."""

    INCREASED = "INCREASED"
    REDUCED = "REDUCED"
    UNCHANGED = "UNCHANGED"
    HELD_BAND = "HELD_BAND"
    HELD_BUCKET = "HELD_BUCKET"
    HELD_INTERVAL = "HELD_INTERVAL"
    HELD_COST = "HELD_COST"


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilizerState:
    """All it remembers: the signed fraction held, and when that last changed (UTC nanoseconds)."""

    fraction: float = 0.0
    changed_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilized(Generic[Fraction]):
    """The fraction to hold now, the memory for the next call, and why."""

    fraction: Fraction
    state: StabilizerState
    reason: StabilizerReason
    half_width: float
    worth_cost: bool
    """False when the band the costs ask for is so wide that the signal is not worth trading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingStabilizer:
    """A pure rule from (memory, target, time) to the fraction to hold. It keeps no state and asks no
    clock.

    band: half width in the unit of the target as a float, or a RelativeBand, or an AutoBand; a larger size
    goes to the edge of the band, not to the target. bucket: relative width of the geometric buckets, 0 for
    none; sizes are floored to bucket_top / (1 + bucket)^k. min_interval_ns: least time between a resize
    and the next increase. A reduction of risk bypasses every guard; a change of side counts as a reduction
    to zero, then an increase. ValueError names the setting that is out of its range.
    """

    band: Band = 0.0
    bucket: float = 0.0
    bucket_top: float = 1.0
    min_interval_ns: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.band, AutoBand):
            not_negative("band", half_width_of(self.band, 0.0))
        if self.bucket != 0.0:
            within("bucket", self.bucket, BUCKET_MIN, 10.0)
        if not 0.0 < self.bucket_top < math.inf:
            raise ValueError(f"bucket_top must be in (0, inf), got {self.bucket_top!r}")
        count("min_interval_ns", self.min_interval_ns, 0)

    def apply(self, previous: StabilizerState, target: Fraction, now_ns: int) -> Stabilized[Fraction]:
        """The fraction to hold, given what is held, what is wanted (signed, finite) and the time of the
        event.
        """
        wanted = finite("target", target)
        held = previous.fraction
        size, base = abs(wanted), abs(held) if same_side(wanted, held) else 0.0
        half_width = half_width_of(self.band, wanted)
        if wanted == held:
            magnitude, reason = size, StabilizerReason.UNCHANGED
        elif size < base:
            magnitude, reason = self.floored(size), StabilizerReason.REDUCED
        else:
            magnitude, reason = self.increase(size, base, half_width, now_ns - previous.changed_ns)
            if base == 0.0 and magnitude == 0.0 and held != 0.0:
                reason = StabilizerReason.REDUCED
        fraction = math.copysign(magnitude, wanted) if magnitude else 0.0
        moved = fraction != held
        return Stabilized(
            fraction=cast(Fraction, fraction),
            state=StabilizerState(fraction=fraction, changed_ns=now_ns) if moved else previous,
            reason=reason,
            half_width=half_width,
            worth_cost=self.worth_cost,
        )

    @property
    def worth_cost(self) -> bool:
        return not isinstance(self.band, AutoBand) or self.band.worth_cost

    def increase(
        self, size: float, base: float, half_width: float, elapsed_ns: int
    ) -> tuple[float, StabilizerReason]:
        """The size after an increase from base towards size, or base with what held it back."""
        if not self.worth_cost:
            return base, StabilizerReason.HELD_COST
        edge = size - half_width
        if edge <= base:
            return base, StabilizerReason.HELD_BAND
        stepped = self.floored(edge)
        if stepped <= base * (1.0 + BUCKET_SLACK):
            return base, StabilizerReason.HELD_BUCKET
        if 0 < self.min_interval_ns > elapsed_ns:
            return base, StabilizerReason.HELD_INTERVAL
        return stepped, StabilizerReason.INCREASED

    def floored(self, size: float) -> float:
        """The largest bucket not above the size; the size itself without buckets."""
        if self.bucket == 0.0 or size == 0.0:
            return size
        width = math.log1p(self.bucket)
        level = math.floor(math.log(size / self.bucket_top) / width + BUCKET_SLACK)
        return min(size, self.bucket_top * math.exp(level * width))


def same_side(a: float, b: float) -> bool:
    """Whether both are long or both short; a product would underflow."""
    return (a > 0.0 and b > 0.0) or (a < 0.0 and b < 0.0)
