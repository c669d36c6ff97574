"""Value at risk and expected shortfall over a rolling window, exact and incremental. Soft state, warmed
from klines.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aurora.risk.arguments import count, finite, inside, not_negative, one_of
from aurora.risk.tail import (
    Moments,
    Tail,
    cornish_fisher_monotone,
    over_deviation,
    tail_cornish_fisher,
    tail_normal,
    tail_of_sorted,
)

TailMethod = Literal["fhs", "historical", "cornish_fisher"]
TAIL_METHODS = ("fhs", "historical", "cornish_fisher")
DECAY = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class TailReading:
    """A tail as a gate may use it: never below the floor while the window warms up."""

    var: float
    cvar: float
    samples: int
    warming_up: bool


class RollingTail:
    """The tail of the last `window` returns of equal spacing, by one method.

    alpha: confidence in (0, 1). method: fhs (returns over an EWMA volatility of the given decay, at the
    volatility expected next; the default), historical, or cornish_fisher (a normal tail where the
    expansion is no quantile). Until `samples_min` returns are seen the reading is the larger of the sample
    and `floor` (at least 0) and says warming_up. The volatility starts at the root mean square of the
    first `samples_min` returns. ValueError names the argument out of range. Source: see tail.
    """

    def __init__(
        self,
        *,
        window: int = 1_000,
        alpha: float = 0.99,
        method: TailMethod = "fhs",
        decay: float = DECAY,
        samples_min: int = 250,
        floor: float = 0.0,
    ) -> None:
        self.window = count("window", window, 2)
        self.alpha = inside("alpha", alpha, 0.0, 1.0)
        one_of("method", method, TAIL_METHODS)
        self.method: TailMethod = method
        self.decay = inside("decay", decay, 0.0, 1.0)
        self.samples_min = count("samples_min", samples_min, 1)
        if self.samples_min > self.window:
            raise ValueError(f"samples_min must be in [1, window = {window}], got {samples_min!r}")
        self.floor = not_negative("floor", floor)
        self.variance = 0.0
        self.early: list[float] = []
        self.values = SortedWindow(self.window)
        self.sums = PowerSums(self.window)
        self.samples = 0

    def push(self, ret: float) -> None:
        """Sees the next return; ValueError unless it is finite."""
        value = finite("ret", ret)
        self.samples += 1
        match self.method:
            case "historical":
                self.values.push(-value)
            case "cornish_fisher":
                self.sums.push(-value)
            case "fhs":
                self.filter(value)

    def warm(self, returns: Iterable[float]) -> None:
        """Sees past returns, oldest first."""
        for ret in returns:
            self.push(ret)

    def filter(self, value: float) -> None:
        """Keeps the return over the volatility expected before it; the first ones wait for a volatility to
        start with.
        """
        if self.samples < self.samples_min:
            self.early.append(value)
            return
        waiting = [*self.early, value]
        if self.samples == self.samples_min:
            self.variance = math.fsum(r * r for r in waiting) / len(waiting)
        for r in waiting:
            self.values.push(-over_deviation(r, self.variance))
            self.variance = self.decay * self.variance + (1.0 - self.decay) * r * r
        self.early = []

    @property
    def warming_up(self) -> bool:
        return self.samples < self.samples_min

    def read(self) -> TailReading:
        """The tail now; O(log window) plus the few losses beyond it."""
        tail = self.tail()
        low = self.floor if self.warming_up else 0.0
        return TailReading(
            var=max(low, tail.var),
            cvar=max(low, tail.cvar),
            samples=min(self.samples, self.window),
            warming_up=self.warming_up,
        )

    def tail(self) -> Tail:
        """The sample's own tail, without the floor; zero before it has anything to say."""
        match self.method:
            case "fhs":
                if not self.values.ordered:
                    return Tail(var=0.0, cvar=0.0)
                scaled, deviation = tail_of_sorted(self.values.ordered, self.alpha), math.sqrt(self.variance)
                return Tail(var=scaled.var * deviation, cvar=scaled.cvar * deviation)
            case "historical":
                if not self.values.ordered:
                    return Tail(var=0.0, cvar=0.0)
                return tail_of_sorted(self.values.ordered, self.alpha)
            case "cornish_fisher":
                if self.sums.size < 2:
                    return Tail(var=0.0, cvar=0.0)
                shape = self.sums.moments()
                return (tail_cornish_fisher if cornish_fisher_monotone(shape) else tail_normal)(
                    shape, self.alpha
                )


class SortedWindow:
    """The last `window` values, in order of arrival and of size."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.arrived: deque[float] = deque()
        self.ordered: list[float] = []

    def push(self, value: float) -> None:
        if len(self.arrived) == self.window:
            del self.ordered[bisect_left(self.ordered, self.arrived.popleft())]
        self.arrived.append(value)
        insort(self.ordered, value)


class PowerSums:
    """Sums of the first four powers over the last `window` values, about a centre renewed once a window."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.arrived: deque[float] = deque()
        self.centre = 0.0
        self.pushes = 0
        self.totals = [0.0, 0.0, 0.0, 0.0]

    @property
    def size(self) -> int:
        return len(self.arrived)

    def push(self, value: float) -> None:
        if len(self.arrived) == self.window:
            self.add(self.arrived.popleft(), -1.0)
        self.arrived.append(value)
        self.add(value, 1.0)
        self.pushes += 1
        if self.pushes % self.window == 0 or self.pushes == 2:
            self.renew()

    def add(self, value: float, sign: float) -> None:
        shift = value - self.centre
        square = shift * shift
        self.totals[0] += sign * shift
        self.totals[1] += sign * square
        self.totals[2] += sign * square * shift
        self.totals[3] += sign * square * square

    def renew(self) -> None:
        """Starts over from the values, so that rounding never outlives a window."""
        self.centre = math.fsum(self.arrived) / len(self.arrived)
        shifts = [value - self.centre for value in self.arrived]
        self.totals = [math.fsum(s**power for s in shifts) for power in (1, 2, 3, 4)]

    def moments(self) -> Moments:
        n = len(self.arrived)
        m1, m2, m3, m4 = (total / n for total in self.totals)
        second = max(0.0, m2 - m1 * m1)
        third = m3 - 3.0 * m1 * m2 + 2.0 * m1**3
        fourth = m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1**4
        flat = second <= 1e-30 * (self.centre + m1) ** 2
        return Moments(
            mean=self.centre + m1,
            deviation=math.sqrt(second * n / (n - 1)),
            skew=0.0 if flat else third / second**1.5,
            kurtosis=0.0 if flat else fourth / (second * second) - 3.0,
        )
