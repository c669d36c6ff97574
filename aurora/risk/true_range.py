"""Average true range of one-minute bars, kept up to date tick by tick."""

from collections import deque

MINUTE = 60_000_000_000
SPAN = 14


class TrueRange:
    """Mean of the last 14 true ranges (Wilder 1978), price units; None before there are 14."""

    __slots__ = ("_close", "_high", "_low", "_minute", "_ranges", "_total")

    def __init__(self) -> None:
        self._minute = 0
        self._high = self._low = self._close = 0.0
        self._ranges: deque[float] = deque(maxlen=SPAN)
        self._total = 0.0

    @property
    def value(self) -> float | None:
        return self._total / SPAN if len(self._ranges) == SPAN else None

    def update(self, price: float, ts: int) -> None:
        """Take a price at ``ts`` (nanoseconds); a new minute closes the bar before it."""
        minute = ts // MINUTE
        if minute == self._minute:
            if price > self._high:
                self._high = price
            elif price < self._low:
                self._low = price
            self._close = price
            return
        if self._minute:
            self._push(self._high - self._low)
        # A gap between bars belongs to the next range.
        last = self._close
        self._minute = minute
        self._high, self._low = (max(price, last), min(price, last)) if last else (price, price)
        self._close = price

    def warm(self, highs: tuple[float, ...], lows: tuple[float, ...], closes: tuple[float, ...]) -> None:
        """Start from history, oldest first; what was seen live before it is forgotten."""
        if not len(highs) == len(lows) == len(closes):
            raise ValueError("highs, lows and closes must be of one length")
        self._ranges.clear()
        self._total = 0.0
        for at in range(1, len(closes)):
            before = closes[at - 1]
            self._push(max(highs[at], before) - min(lows[at], before))
        self._close = closes[-1] if closes else 0.0

    def _push(self, value: float) -> None:
        if len(self._ranges) == SPAN:
            self._total -= self._ranges[0]
        self._ranges.append(value)
        self._total += value
