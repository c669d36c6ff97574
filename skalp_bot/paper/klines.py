"""Candles of one symbol: minutes kept from trades and quotes, and every Binance interval folded from them.

A minute in which something traded shows its trades only, as on Binance. A minute without trades shows the mid
of the quotes (a tape of books alone still has candles), and a silent minute repeats the last close; both have
volume 0.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from skalp_bot.paper.market import Candle
from skalp_bot.paper.minutes import MINUTE_MS, Minutes

DAY_MS = 86_400_000
# The epoch was a Thursday; Binance's weeks open on Monday.
MONDAY_MS = 4 * DAY_MS
ZERO = Decimal(0)
PARTS_MAX = 16  # kept apart until merged: one merge of many is cheaper than many of two

FIXED_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
}
INTERVALS = (*FIXED_MS, "1w", "1M")


class Candles:
    """The candles of one symbol. History is asked for once, at the first question that needs it.

    `places` are the decimals of prices and quantities.
    """

    def __init__(
        self,
        symbol: str,
        *,
        history: Callable[[], Sequence[Candle]] | None = None,
        keep: int = 1500,
        tick: Decimal = Decimal(0),
        places: tuple[int, int] = (2, 3),
    ) -> None:
        self.symbol = symbol
        self._tick = tick
        self._history = history
        self._keep = keep
        self._minute: _Minute | None = None
        self._touch: tuple[Decimal, Decimal] | None = None
        self._mid = ZERO
        self._before = Minutes(symbol, places)  # history
        self._lived = Minutes(symbol, places, keep=keep)
        self._folds = {interval: _Fold(interval, keep) for interval in INTERVALS if interval != "1m"}
        self._unfolded: dict[str, None] = {}  # intervals that lack the history still

    def on_trade(
        self, t_ms: int, price: Decimal, qty: Decimal, *, buyer_is_maker: bool, trade_id: int
    ) -> None:
        """Count a print; rows that carry no price (X = NA) are not prints."""
        if price > 0 and qty > 0:
            self._at(t_ms, price).print(price, qty, taker_bought=not buyer_is_maker, trade_id=trade_id)

    def on_quote(self, t_ms: int, bid: Decimal, ask: Decimal) -> None:
        """Note the touch; it counts in minutes without a trade."""
        if self._touch != (bid, ask):
            self._touch = (bid, ask)
            mid = (bid + ask) / 2
            on_tick = mid - mid % self._tick if self._tick else mid
            self._mid = on_tick.quantize(bid, rounding=ROUND_FLOOR)
        self._at(t_ms, self._mid).quote(self._mid)

    def roll(self, now_ms: int) -> list[Candle]:
        """Close what has ended by now and return it, every interval, shortest first within a minute."""
        closed: list[Candle] = []
        while self._minute is not None and self._minute.open_ms + MINUTE_MS <= now_ms:
            done = self._minute.candle(self.symbol)
            self._minute = _Minute(done.open_ms + MINUTE_MS, done.close)
            self._lived.append(done)
            closed.append(done)
            for fold in self._folds.values():
                ended = fold.add(done)
                if ended is not None:
                    closed.append(ended)
        return closed

    def current(self, interval: str, now_ms: int) -> Candle | None:
        """The candle that is open now, as far as it has come since this book of candles began."""
        self.roll(now_ms)
        if self._minute is None:
            return None
        minute = self._minute.candle(self.symbol)
        if interval == "1m":
            return minute
        return self._fold(interval).with_open(minute)

    def query(
        self,
        interval: str,
        *,
        now_ms: int,
        limit: int,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """As GET /fapi/v1/klines, ascending: with a start the first rows of the range, else the last."""
        self.ask_history()
        current = self.current(interval, now_ms)
        one = interval == "1m"
        rows = self._minutes(limit, start_ms, end_ms) if one else list(self._fold(interval).done)
        if current is not None:
            rows.append(current)
        rows = [
            row
            for row in rows
            if (start_ms is None or row.open_ms >= start_ms) and (end_ms is None or row.open_ms <= end_ms)
        ]
        return rows[:limit] if start_ms is not None else rows[-limit:]

    def ended(self, count: int) -> list[Candle]:
        """The last `count` minutes that ended, history and lived ones each folded into one."""
        self.ask_history()
        parts = (self._before.folded(count - len(self._lived)), self._lived.folded(count))
        return [part for part in parts if part is not None]

    def ask_history(self) -> None:
        """Fetch what was before, once."""
        if self._history is None:
            return
        history, self._history = self._history(), None
        if not isinstance(history, Minutes):
            history = Minutes.of(self.symbol, self._before.places, history)
        lived = self._lived[:1]
        begun = lived[0].open_ms if lived else self._minute.open_ms if self._minute is not None else None
        self._before = history if begun is None else history.until(begun)
        if self._before:
            last = self._before[-1]
            if begun is None:
                self._minute = _Minute(last.open_ms + MINUTE_MS, last.close)
            for open_ms in range(last.open_ms + MINUTE_MS, begun or 0, MINUTE_MS):
                self._before.append(flat_candle(self.symbol, open_ms, last.close))
        self._unfolded = dict.fromkeys(self._folds)

    def _minutes(self, limit: int, start_ms: int | None, end_ms: int | None) -> list[Candle]:
        """Unpack no more minutes than a question can use."""
        rows: list[Candle] = []
        room = self._keep
        for part in (self._lived, self._before):
            first, last = max(0, len(part) - room), len(part)
            if end_ms is not None:
                last = min(last, part.at(end_ms) + 1)
            if start_ms is None:
                first = max(first, last - limit)
            else:
                first = max(first, part.at(start_ms))
                last = min(last, first + limit + 1)  # the first may have begun before the start
            rows[:0] = part[first:last]
            room = max(0, room - len(part))
        return rows

    def _at(self, t_ms: int, price: Decimal) -> "_Minute":
        if self._minute is None:
            self._minute = _Minute(open_of("1m", t_ms), price)
        self.roll(t_ms)
        return self._minute

    def _fold(self, interval: str) -> "_Fold":
        """Give an interval's candles; history is folded when first asked for, which most never are."""
        if interval in self._unfolded:
            del self._unfolded[interval]
            lived, fold = self._folds[interval], _Fold(interval, self._keep)
            for row in self._before:
                fold.add(row)
            fold.join(lived)
            self._folds[interval] = fold
        return self._folds[interval]


def open_of(interval: str, t_ms: int) -> int:
    """Open time of the candle that holds t_ms, in UTC."""
    if interval in FIXED_MS:
        return t_ms - t_ms % FIXED_MS[interval]
    if interval == "1w":
        return t_ms - (t_ms - MONDAY_MS) % (7 * DAY_MS)
    day = datetime.fromtimestamp(t_ms // 1000, UTC)
    return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000


def close_of(interval: str, open_ms: int) -> int:
    """Last millisecond of the candle that opens at open_ms."""
    if interval in FIXED_MS:
        return open_ms + FIXED_MS[interval] - 1
    if interval == "1w":
        return open_ms + 7 * DAY_MS - 1
    # 31 days on, every month has turned, and the next has not.
    return open_of("1M", open_ms + 31 * DAY_MS) - 1


def flat_candle(symbol: str, open_ms: int, price: Decimal) -> Candle:
    """A silent minute."""
    return _Minute(open_ms, price).candle(symbol)


def fold_candles(interval: str, minutes: Iterable[Candle]) -> list[Candle]:
    """Fold minutes into an interval; the last may be unfinished."""
    fold = _Fold(interval, None)
    for minute in minutes:
        fold.add(minute)
    return [*fold.done, *([fold.partial] if fold.partial is not None else [])]


class _Minute:
    """The minute being written."""

    __slots__ = (
        "count",
        "first_id",
        "last_id",
        "open_ms",
        "quoted",
        "taker",
        "taker_value",
        "traded",
        "value",
        "volume",
    )

    def __init__(self, open_ms: int, price: Decimal) -> None:
        self.open_ms = open_ms
        self.quoted = [price, price, price, price]
        self.traded = self.quoted
        self.count = 0
        self.first_id = self.last_id = -1
        self.volume = self.value = self.taker = self.taker_value = ZERO

    def quote(self, mid: Decimal) -> None:
        _widen(self.quoted, mid)

    def print(self, price: Decimal, qty: Decimal, *, taker_bought: bool, trade_id: int) -> None:
        if self.count == 0:
            self.traded = [price, price, price, price]
            self.first_id = trade_id
        self.last_id = trade_id
        _widen(self.traded, price)
        self.count += 1
        self.volume += qty
        self.value += price * qty
        if taker_bought:
            self.taker += qty
            self.taker_value += price * qty

    def candle(self, symbol: str) -> Candle:
        first, high, low, last = self.traded if self.count else self.quoted
        return Candle(
            symbol=symbol,
            interval="1m",
            open_ms=self.open_ms,
            close_ms=self.open_ms + MINUTE_MS - 1,
            open=first,
            high=high,
            low=low,
            close=last,
            volume=self.volume,
            quote_volume=self.value,
            trades=self.count,
            taker_volume=self.taker,
            taker_quote_volume=self.taker_value,
            first_id=self.first_id,
            last_id=self.last_id,
        )


class _Fold:
    """Minutes folded into one interval: candles that ended, and the parts of the one under way."""

    def __init__(self, interval: str, keep: int | None) -> None:
        self.interval = interval
        self.done: deque[Candle] = deque(maxlen=keep)
        self.parts: list[Candle] = []
        self._span = (0, 0)  # open and close of the candle under way

    @property
    def partial(self) -> Candle | None:
        """The candle under way without the open minute."""
        return self._whole(self.parts) if self.parts else None

    def add(self, part: Candle) -> Candle | None:
        """Fold a closed minute, or a run of them, in; returns the candle it completes."""
        if self.parts and part.open_ms > self._span[1]:
            self.done.append(self._whole(self.parts))  # history with a gap: the candle ended unseen
            self.parts = []
        if not self.parts:
            self._span = span_of(self.interval, part.open_ms)
        self.parts.append(part)
        if part.close_ms == self._span[1]:
            self.done.append(self._whole(self.parts))
            self.parts = []
            return self.done[-1]
        if len(self.parts) == PARTS_MAX:
            self.parts = [merged(self.parts)]
        return None

    def join(self, later: "_Fold") -> None:
        """Go on with what another fold of the same interval has gathered since."""
        for part in (*later.done, *later.parts):
            self.add(part)

    def with_open(self, minute: Candle) -> Candle:
        """The candle under way as it looks with this minute."""
        if self.parts and minute.open_ms <= self._span[1]:
            return self._whole([*self.parts, minute])
        open_ms, close_ms = span_of(self.interval, minute.open_ms)
        return replace(minute, interval=self.interval, open_ms=open_ms, close_ms=close_ms)

    def _whole(self, parts: Sequence[Candle]) -> Candle:
        open_ms, close_ms = self._span
        return replace(merged(parts), interval=self.interval, open_ms=open_ms, close_ms=close_ms)


def span_of(interval: str, t_ms: int) -> tuple[int, int]:
    """First and last millisecond of the candle that holds t_ms."""
    open_ms = open_of(interval, t_ms)
    return open_ms, close_of(interval, open_ms)


def merged(rows: Sequence[Candle]) -> Candle:
    """Fold candles that follow each other into one."""
    ids = [row for row in rows if row.first_id >= 0]
    return replace(
        rows[0],
        close_ms=rows[-1].close_ms,
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        close=rows[-1].close,
        volume=sum((row.volume for row in rows), ZERO),
        quote_volume=sum((row.quote_volume for row in rows), ZERO),
        trades=sum(row.trades for row in rows),
        taker_volume=sum((row.taker_volume for row in rows), ZERO),
        taker_quote_volume=sum((row.taker_quote_volume for row in rows), ZERO),
        first_id=ids[0].first_id if ids else -1,
        last_id=ids[-1].last_id if ids else -1,
    )


def _widen(ohlc: list[Decimal], price: Decimal) -> None:
    if price > ohlc[1]:
        ohlc[1] = price
    elif price < ohlc[2]:
        ohlc[2] = price
    ohlc[3] = price
