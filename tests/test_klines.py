"""Candles: minutes from trades and quotes, and every interval that Binance serves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.paper.board import Billboard, Day
from skalp_bot.paper.klines import INTERVALS, Candles, close_of, flat_candle, fold_candles, open_of
from skalp_bot.paper.market import Candle
from skalp_bot.paper.minutes import MINUTE_MS

D = Decimal
T0 = 1_723_161_240_000  # 2024-08-08 23:54:00 UTC, a Thursday


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1000


def minutes(count: int, *, end_ms: int, price: str = "100") -> list[Candle]:
    start = end_ms - count * MINUTE_MS
    return [flat_candle("BTCUSDT", start + i * MINUTE_MS, D(price) + i) for i in range(count)]


def trade(book: Candles, t_ms: int, price: str, qty: str = "1", *, maker: bool = False, tid: int = 7) -> None:
    book.on_trade(t_ms, D(price), D(qty), buyer_is_maker=maker, trade_id=tid)


def ohlc(candle: Candle) -> list[str]:
    return [str(price) for price in (candle.open, candle.high, candle.low, candle.close)]


def test_a_minute_is_made_of_its_trades_and_ignores_quotes_and_priceless_rows() -> None:
    book = Candles("BTCUSDT")
    trade(book, T0 + 1, "100", "2", tid=11)
    book.on_quote(T0 + 2, D(500), D(501))
    trade(book, T0 + 3, "104", "1", maker=True, tid=12)
    trade(book, T0 + 4, "0", "0", tid=13)
    trade(book, T0 + 5, "99", "4", tid=14)

    candle = book.current("1m", T0 + 6)

    assert candle is not None
    assert ohlc(candle) == ["100", "104", "99", "99"]
    assert [candle.volume, candle.quote_volume, candle.trades] == [D(7), D(700), 3]
    assert [candle.taker_volume, candle.taker_quote_volume] == [D(6), D(596)]
    assert (candle.first_id, candle.last_id) == (11, 14)
    assert (candle.open_ms, candle.close_ms) == (T0, T0 + 59_999)


def test_a_minute_without_trades_shows_the_mid_of_its_quotes() -> None:
    book = Candles("BTCUSDT")
    book.on_quote(T0, D("100.0"), D("100.2"))
    book.on_quote(T0 + 10, D("103.0"), D("103.1"))
    book.on_quote(T0 + 20, D("99.0"), D("99.1"))

    candle = book.current("1m", T0 + 30)

    assert candle is not None
    assert ohlc(candle) == ["100.1", "103.0", "99.0", "99.0"]
    assert [candle.volume, candle.trades, candle.first_id] == [D(0), 0, -1]


def test_silent_minutes_repeat_the_last_close() -> None:
    book = Candles("BTCUSDT")
    trade(book, T0, "100")

    closed = book.roll(T0 + 3 * MINUTE_MS)

    assert [(c.open_ms, str(c.close), c.trades) for c in closed if c.interval == "1m"] == [
        (T0, "100", 1),
        (T0 + MINUTE_MS, "100", 0),
        (T0 + 2 * MINUTE_MS, "100", 0),
    ]


def test_each_interval_closes_once_and_at_its_own_end() -> None:
    book = Candles("BTCUSDT")
    trade(book, T0, "100")

    closed = book.roll(utc(2024, 8, 9, 0, 0))

    names = [c.interval for c in closed if c.interval != "1m"]
    last = [c.interval for c in closed if c.close_ms == utc(2024, 8, 9) - 1]
    # 2024-08-09 is a multiple of three days since the epoch, but no Monday and no first of a month.
    assert last == ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d"]
    assert names.count("5m") == 2  # 23:50 (partly seen) and 23:55
    assert names.count("1d") == 1


def test_the_current_candle_of_every_interval_holds_the_open_minute() -> None:
    book = Candles("BTCUSDT")
    trade(book, T0, "100", "1", tid=1)
    trade(book, T0 + MINUTE_MS, "110", "2", tid=2)

    for interval in INTERVALS:
        candle = book.current(interval, T0 + MINUTE_MS + 1)
        assert candle is not None
        assert candle.interval == interval
        assert candle.close == 110
        assert candle.volume == (2 if interval in ("1m", "5m") and candle.open_ms > T0 else 3)


def test_weeks_open_on_monday_and_months_on_the_first() -> None:
    assert open_of("1w", T0) == utc(2024, 8, 5)
    assert open_of("1w", utc(2024, 8, 5)) == utc(2024, 8, 5)
    assert open_of("1w", utc(2024, 8, 5) - 1) == utc(2024, 7, 29)
    assert open_of("1M", T0) == utc(2024, 8, 1)
    assert close_of("1M", utc(2024, 2, 1)) == utc(2024, 3, 1) - 1
    assert close_of("1M", utc(2024, 12, 1)) == utc(2025, 1, 1) - 1
    assert open_of("3d", utc(2019, 9, 9, 5)) == utc(2019, 9, 8)


@given(st.sampled_from(INTERVALS), st.integers(min_value=0, max_value=4_000_000_000_000))
def test_every_instant_lies_in_exactly_one_candle(interval: str, t_ms: int) -> None:
    start = open_of(interval, t_ms)
    end = close_of(interval, start)
    assert start <= t_ms <= end
    assert open_of(interval, end) == start
    assert open_of(interval, end + 1) == end + 1


@given(
    st.lists(
        st.tuples(st.integers(min_value=0, max_value=90_000), st.integers(min_value=1, max_value=500)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(INTERVALS),
)
def test_a_fold_loses_no_volume_and_keeps_the_extremes(steps: list[tuple[int, int]], interval: str) -> None:
    book, now = Candles("BTCUSDT", keep=10_000), T0
    for gap_ms, price in steps:
        now += gap_ms
        book.on_trade(now, D(price), D(1), buyer_is_maker=False, trade_id=1)
    rows = book.query(interval, now_ms=now, limit=10_000)
    assert sum(row.volume for row in rows) == len(steps)
    assert max(row.high for row in rows) == max(price for _, price in steps)
    assert min(row.low for row in rows) == min(price for _, price in steps)
    assert rows[-1].close == steps[-1][1]
    assert all(a.close_ms + 1 == b.open_ms for a, b in pairwise(rows))


def test_history_meets_what_was_lived_and_is_asked_for_once() -> None:
    asked = []

    def history() -> Sequence[Candle]:
        asked.append(1)
        return minutes(120, end_ms=T0 - MINUTE_MS)  # one minute is missing

    book = Candles("BTCUSDT", history=history)
    trade(book, T0 + 5, "300")

    rows = book.query("1m", now_ms=T0 + 6, limit=1500)
    again = book.query("1h", now_ms=T0 + 6, limit=1500)

    assert len(rows) == 122
    assert all(a.close_ms + 1 == b.open_ms for a, b in pairwise(rows))
    assert rows[-2].close == rows[-3].close == 219  # the missing minute is flat
    assert rows[-1].close == 300
    assert again[-1].high == 300
    assert asked == [1]


def test_history_alone_answers_before_the_first_event() -> None:
    book = Candles("BTCUSDT", history=lambda: minutes(10, end_ms=T0))
    rows = book.query("1m", now_ms=T0 + 1, limit=500)
    assert [row.open_ms for row in rows][-1] == T0
    assert rows[-1].volume == 0


def test_a_question_with_a_start_gets_the_first_rows_and_without_the_last() -> None:
    book = Candles("BTCUSDT", history=lambda: minutes(100, end_ms=T0))
    start = T0 - 50 * MINUTE_MS
    head = book.query("1m", now_ms=T0, limit=3, start_ms=start)
    tail = book.query("1m", now_ms=T0, limit=3)
    window = book.query("1m", now_ms=T0, limit=500, start_ms=start, end_ms=start + 2 * MINUTE_MS)
    assert [row.open_ms for row in head] == [start + i * MINUTE_MS for i in range(3)]
    assert [row.open_ms for row in tail] == [T0 - 2 * MINUTE_MS, T0 - MINUTE_MS, T0]
    assert len(window) == 3


def test_rows_kept_are_bounded() -> None:
    book = Candles("BTCUSDT", keep=50)
    trade(book, T0, "100")
    book.roll(T0 + 500 * MINUTE_MS)
    assert len(book.query("1m", now_ms=T0 + 500 * MINUTE_MS, limit=1500)) == 51


@pytest.mark.parametrize("interval", ["5m", "1h"])
def test_folding_minutes_is_what_the_book_of_candles_says(interval: str) -> None:
    rows = minutes(90, end_ms=T0)
    book = Candles("BTCUSDT", history=lambda: rows)
    served = book.query(interval, now_ms=T0 - 1, limit=1500)
    assert [c.open_ms for c in fold_candles(interval, rows)] == [c.open_ms for c in served]


@pytest.mark.parametrize("interval", INTERVALS[1:])
@pytest.mark.parametrize("lived", [0, 1, 7, 200])
def test_an_interval_first_asked_for_late_has_missed_nothing(interval: str, lived: int) -> None:
    asked_late = Candles("BTCUSDT", history=lambda: minutes(400, end_ms=T0))
    whole = minutes(400, end_ms=T0)
    trade(asked_late, T0 + 1, "500", tid=0)
    asked_late.query("1m", now_ms=T0 + 2, limit=1)  # history is known from here on, and not folded yet
    for index in range(1, lived + 1):
        trade(asked_late, T0 + index * MINUTE_MS, str(500 + index % 13), str(index), tid=index)
    now_ms = T0 + lived * MINUTE_MS + 5

    minute_rows = asked_late.query("1m", now_ms=now_ms, limit=1500)
    assert minute_rows[:400] == whole
    assert asked_late.query(interval, now_ms=now_ms, limit=1500) == fold_candles(interval, minute_rows)


def test_the_rolling_day_is_the_fold_of_its_minutes_at_every_moment() -> None:
    book = Candles("BTCUSDT", history=lambda: minutes(1450, end_ms=T0))
    billboard = Billboard(symbol="BTCUSDT", candles=book, price_step=D("0.1"))
    for index in range(40):
        t_ms = T0 + index * 25_000
        trade(book, t_ms, str(2000 - index * 7 % 11), str(index + 1), maker=index % 2 == 0, tid=index)
        rows = book.query("1m", now_ms=t_ms, limit=1440)
        assert billboard.day(t_ms) == Day.of(billboard, rows, t_ms)
