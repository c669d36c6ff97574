"""Packed minutes: the same as the candles they were made of."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.paper.klines import merged
from skalp_bot.paper.market import Candle
from skalp_bot.paper.minutes import MINUTE_MS, Minutes

D = Decimal
T0 = 1_723_161_240_000
PLACES = (1, 3)


@st.composite
def rows(draw: st.DrawFn) -> list[Candle]:
    made = []
    for index in range(draw(st.integers(min_value=1, max_value=40))):
        prices = sorted(draw(st.lists(st.integers(1, 10**7), min_size=4, max_size=4)))
        units, trades = draw(st.integers(0, 10**10)), draw(st.integers(0, 3))
        made.append(
            Candle(
                symbol="BTCUSDT",
                interval="1m",
                open_ms=T0 + index * MINUTE_MS,
                close_ms=T0 + (index + 1) * MINUTE_MS - 1,
                open=D(prices[1]) / 10,
                high=D(prices[3]) / 10,
                low=D(prices[0]) / 10,
                close=D(prices[2]) / 10,
                volume=D(units) / 1000,
                quote_volume=D(units * prices[0]) / 10_000,
                trades=trades,
                taker_volume=D(units // 2) / 1000,
                taker_quote_volume=D(units // 2 * prices[0]) / 10_000,
                first_id=index * 10 if trades else -1,
                last_id=index * 10 + trades if trades else -1,
            )
        )
    return made


@given(rows(), st.integers(min_value=1, max_value=50))
def test_what_is_packed_comes_out_and_adds_up_the_same(candles: list[Candle], count: int) -> None:
    packed = Minutes.of("BTCUSDT", PLACES, candles)
    assert list(packed) == candles
    assert packed[-1] == candles[-1]
    assert packed[len(candles) // 2] == candles[len(candles) // 2]
    assert packed.folded(count) == merged(candles[-count:])
    assert list(packed.until(T0 + count * MINUTE_MS)) == candles[:count]


@given(rows(), st.integers(min_value=1, max_value=10))
def test_no_more_minutes_are_kept_than_asked_for(candles: list[Candle], keep: int) -> None:
    packed = Minutes("BTCUSDT", PLACES, keep=keep)
    for candle in candles:
        packed.append(candle)
    assert list(packed) == candles[-keep:]
    assert packed.at(candles[-1].open_ms) == len(packed) - 1


def test_nothing_packed_folds_to_nothing() -> None:
    packed = Minutes("BTCUSDT", PLACES)
    assert packed.folded(5) is None
    with pytest.raises(IndexError):
        _ = packed[0]


def test_a_day_of_the_greatest_minutes_adds_up_exactly() -> None:
    giant = Minutes.of("BTCUSDT", PLACES, [])
    row = Candle(
        symbol="BTCUSDT",
        interval="1m",
        open_ms=T0,
        close_ms=T0 + MINUTE_MS - 1,
        open=D(1),
        high=D(1),
        low=D(1),
        close=D(1),
        volume=D(9_000_000_000_000_000),
        quote_volume=D(900_000_000_000_000),
        trades=1,
        taker_volume=D(0),
        taker_quote_volume=D(0),
    )
    for _ in range(1440):
        giant.append(row)
    day = giant.folded(1440)
    assert day is not None
    assert (day.volume, day.quote_volume) == (row.volume * 1440, row.quote_volume * 1440)
