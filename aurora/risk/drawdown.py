"""How far equity has fallen: since the UTC day began, since its peak, and over a rolling window; net of
transfers.
"""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from aurora.model.numbers import CONTEXT, Nanos, Quote, as_float
from aurora.risk.arguments import finite

DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownMarks:
    """What must survive a restart: the day, its starting equity, the peak and the last equity, in quote
    units.

    Equity includes unrealised profit and funding.
    """

    day: int
    """Days since 1970, UTC."""
    day_start: Quote
    peak: Quote
    equity: Quote

    @classmethod
    def first(cls, equity: Quote, now: Nanos) -> "DrawdownMarks":
        worth = finite_quote("equity", equity)
        return cls(day=now // DAY, day_start=worth, peak=worth, equity=worth)

    def after(self, equity: Quote, now: Nanos) -> "DrawdownMarks":
        """The marks once equity is seen at that time; time never takes a day back.

        A new day starts at the larger of the last equity before it and the first in it, so that a loss
        made while nobody looked still counts.
        """
        worth = finite_quote("equity", equity)
        day = max(self.day, now // DAY)
        start = self.day_start if day == self.day else max(self.equity, worth)
        return DrawdownMarks(day=day, day_start=start, peak=max(self.peak, worth), equity=worth)

    def transferred(self, amount: Quote) -> "DrawdownMarks":
        """The marks after a deposit (above zero) or withdrawal: all move by it, so no loss or gain
        appears.
        """
        flow = finite_quote("amount", amount)
        return DrawdownMarks(
            day=self.day,
            day_start=Quote(CONTEXT.add(self.day_start, flow)),
            peak=Quote(CONTEXT.add(self.peak, flow)),
            equity=Quote(CONTEXT.add(self.equity, flow)),
        )

    @property
    def lost_today(self) -> Quote:
        """Quote units below the day's start, at least 0."""
        return loss(self.day_start, self.equity)

    @property
    def lost_from_peak(self) -> Quote:
        """Quote units below the peak, at least 0."""
        return loss(self.peak, self.equity)

    @property
    def daily(self) -> float:
        """lost_today over the day's start."""
        return drawdown(self.day_start, self.equity)

    @property
    def from_peak(self) -> float:
        """lost_from_peak over the peak: what dd_haircut_factor asks for."""
        return drawdown(self.peak, self.equity)


def drawdown(start: Decimal, equity: Decimal) -> float:
    """1 - equity/start, at least 0; 1 when there was nothing to start with, so that a gate refuses."""
    if start <= 0:
        return 1.0
    return max(0.0, as_float(CONTEXT.divide(loss(Quote(start), Quote(equity)), start)))


def loss(start: Quote, equity: Quote) -> Quote:
    return Quote(max(Decimal(0), CONTEXT.subtract(start, equity)))


def finite_quote(name: str, value: Quote) -> Quote:
    if not value.is_finite():
        raise ValueError(f"{name} must be a finite Decimal, got {value}")
    return value


class RollingDrawdown:
    """Drawdown from the highest equity of the last `window_ns`, exact, in amortised constant time. Soft
    state.
    """

    def __init__(self, *, window_ns: int) -> None:
        if window_ns <= 0:
            raise ValueError(f"window_ns must be in (0, inf), got {window_ns!r}")
        self.window_ns = window_ns
        self.equity = 0.0
        self.transfers = 0.0
        self.highs: deque[tuple[int, float]] = deque()

    def mark(self, equity: float, now_ns: int) -> float:
        """Sees the equity, transfers inside, at a time not before the last one; returns the drawdown."""
        self.equity = finite("equity", equity)
        earned = self.equity - self.transfers
        while self.highs and self.highs[-1][1] <= earned:
            self.highs.pop()
        self.highs.append((now_ns, earned))
        while self.highs[0][0] <= now_ns - self.window_ns:
            self.highs.popleft()
        return self.value

    def transfer(self, amount: float) -> None:
        """A deposit (above zero) or withdrawal: the highs move with it."""
        self.transfers += finite("amount", amount)
        self.equity += amount

    @property
    def high(self) -> float:
        """The highest equity of the window in today's money."""
        return self.highs[0][1] + self.transfers if self.highs else 0.0

    @property
    def value(self) -> float:
        """1 - equity/high, at least 0; 1 when the high is not above zero."""
        return max(0.0, (self.high - self.equity) / self.high) if self.high > 0.0 else float(bool(self.highs))


class RollingMaxDrawdown:
    """The deepest drawdown inside the last `window` marks, exact, in amortised constant time. Soft state.

    Two stacks of summaries (high, low, deepest) that join associatively: the queue that keeps a running fold.
    """

    def __init__(self, *, window: int) -> None:
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window!r}")
        self.window = window
        self.size = 0
        self.front: list[tuple[float, float, float]] = []
        self.back: list[float] = []
        self.folded: tuple[float, float, float] | None = None

    def mark(self, equity: float) -> float:
        """Sees the next equity, above zero; returns the deepest drawdown of the window."""
        value = finite("equity", equity)
        if value <= 0.0:
            raise ValueError(f"equity must be in (0, inf), got {equity!r}")
        if self.size == self.window:
            self.forget_oldest()
        self.back.append(value)
        one = (value, value, 0.0)
        self.folded = one if self.folded is None else joined(self.folded, one)
        self.size += 1
        return self.value

    def forget_oldest(self) -> None:
        if not self.front:
            whole: tuple[float, float, float] | None = None
            for value in reversed(self.back):
                one = (value, value, 0.0)
                whole = one if whole is None else joined(one, whole)
                self.front.append(whole)
            self.back, self.folded = [], None
        self.front.pop()
        self.size -= 1

    @property
    def value(self) -> float:
        parts = [part for part in (self.front[-1] if self.front else None, self.folded) if part is not None]
        if not parts:
            return 0.0
        return (joined(parts[0], parts[1]) if len(parts) == 2 else parts[0])[2]


def joined(
    older: tuple[float, float, float], newer: tuple[float, float, float]
) -> tuple[float, float, float]:
    """High, low and deepest drawdown of two stretches, the older first."""
    deepest = max(older[2], newer[2], 1.0 - newer[1] / older[0])
    return max(older[0], newer[0]), min(older[1], newer[1]), deepest
