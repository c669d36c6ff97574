"""A histogram of durations in fixed memory: 32 buckets to every doubling, so 3 % wide."""

from collections.abc import Sequence

SUB_BITS = 5
SUB = 1 << SUB_BITS
HIGHEST = 1 << 50


class Histogram:
    """Counts of nanoseconds; a quantile is the upper edge of its bucket, the maximum is exact."""

    def __init__(self) -> None:
        self.count = 0
        self.max = 0
        self.total = 0
        self._buckets = [0] * (bucket_of(HIGHEST) + 1)

    def add(self, nanos: int) -> None:
        value = nanos if 0 <= nanos <= HIGHEST else min(max(nanos, 0), HIGHEST)
        self.count += 1
        self.total += value
        if value > self.max:
            self.max = value
        shift = value.bit_length() - SUB_BITS - 1  # ``bucket_of`` without the call: one of these per tick.
        self._buckets[(shift << SUB_BITS) + (value >> shift) if shift > 0 else value] += 1

    def quantile(self, fraction: float) -> int:
        """The duration that ``fraction`` of all do not exceed; 0 when there are none."""
        wanted = fraction * self.count
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(upper_edge(index), self.max)
        return self.max

    def within(self, limits: Sequence[int]) -> list[int]:
        """How many were at most each of the ascending limits, to the width of a bucket."""
        found, seen, start = [], 0, 0
        for limit in limits:
            end = bucket_of(min(limit, HIGHEST)) + 1
            seen += sum(self._buckets[start:end])
            found.append(seen)
            start = end
        return found

    def micros(self) -> dict[str, float]:
        """p50, p99 and max in microseconds."""
        shown = {"p50": self.quantile(0.5), "p99": self.quantile(0.99), "max": self.max}
        return {name: round(nanos / 1_000, 1) for name, nanos in shown.items()}


def bucket_of(value: int) -> int:
    shift = value.bit_length() - SUB_BITS - 1
    return (shift << SUB_BITS) + (value >> shift) if shift > 0 else value


def upper_edge(bucket: int) -> int:
    if bucket < 2 * SUB:
        return bucket
    shift = (bucket >> SUB_BITS) - 1
    return (((bucket & (SUB - 1)) + SUB + 1) << shift) - 1
