"""Drawdown, of the day, from the peak and rolling, net of transfers; and volatility."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from aurora.model.numbers import Nanos, Quote
from aurora.risk.drawdown import DAY, DrawdownMarks, RollingDrawdown, RollingMaxDrawdown, drawdown
from aurora.risk.volatility import Volatility, decay_of_half_life, volatility_target_scale


def quote(value: int | str) -> Quote:
    return Quote(Decimal(value))


def at(day: int, hour: int = 0) -> Nanos:
    return Nanos(day * DAY + hour * DAY // 24)


def test_the_first_sight_of_equity_is_no_drawdown() -> None:
    marks = DrawdownMarks.first(quote(1000), at(10, 5))
    assert (marks.day, marks.daily, marks.from_peak) == (10, 0.0, 0.0)


def test_the_day_and_the_peak_are_measured_apart() -> None:
    marks = DrawdownMarks.first(quote(1000), at(10)).after(quote(900), at(10, 3)).after(quote(900), at(11, 1))
    marks = marks.after(quote(855), at(11, 2))
    assert marks.daily == pytest.approx(0.05)
    assert marks.from_peak == pytest.approx(0.145)
    assert [marks.lost_today, marks.lost_from_peak] == [Decimal(45), Decimal(145)]


def test_a_loss_made_over_midnight_while_nobody_looked_still_counts() -> None:
    marks = DrawdownMarks.first(quote(1000), at(10)).after(quote(940), at(11, 6))
    assert marks.daily == pytest.approx(0.06)
    gained = DrawdownMarks.first(quote(1000), at(10)).after(quote(1040), at(11, 6))
    assert gained.daily == 0.0


def test_a_clock_that_steps_back_does_not_start_the_day_again() -> None:
    marks = DrawdownMarks.first(quote(1000), at(11)).after(quote(900), at(10, 23))
    assert (marks.day, marks.day_start) == (11, Decimal(1000))


def test_a_transfer_is_neither_gain_nor_loss() -> None:
    marks = DrawdownMarks.first(quote(1000), at(10)).after(quote(950), at(10, 1))
    for amount in ("500", "-700", "0.00000001"):
        moved = marks.transferred(quote(amount))
        assert [moved.lost_today, moved.lost_from_peak] == [Decimal(50), Decimal(50)]
        assert moved.equity == marks.equity + Decimal(amount)


def test_nothing_to_start_with_counts_as_all_lost() -> None:
    assert drawdown(Decimal(0), Decimal(0)) == 1.0
    assert drawdown(Decimal(100), Decimal(-20)) == pytest.approx(1.2)


def test_equity_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="equity must be a finite Decimal"):
        DrawdownMarks.first(quote("NaN"), at(1))
    with pytest.raises(ValueError, match="amount must be a finite Decimal"):
        DrawdownMarks.first(quote(1), at(1)).transferred(quote("Infinity"))


def test_a_rolling_drawdown_is_measured_from_the_high_of_its_window() -> None:
    draw = np.random.default_rng(1)
    equity = 1000.0 * np.exp(np.cumsum(draw.normal(size=400) * 0.01))
    rolling = RollingDrawdown(window_ns=20)
    for i, value in enumerate(equity.tolist()):
        high = equity[max(0, i - 19) : i + 1].max()
        assert rolling.mark(value, i) == pytest.approx(1.0 - value / high, abs=1e-12)


def test_a_rolling_drawdown_forgets_an_old_high() -> None:
    rolling = RollingDrawdown(window_ns=10)
    rolling.mark(100.0, 0)
    assert rolling.mark(80.0, 9) == pytest.approx(0.2)
    assert rolling.mark(80.0, 10) == 0.0


def test_a_rolling_drawdown_in_money_is_unmoved_by_a_transfer() -> None:
    rolling = RollingDrawdown(window_ns=100)
    rolling.mark(100.0, 0)
    rolling.mark(90.0, 1)
    rolling.transfer(50.0)
    assert rolling.high - rolling.equity == pytest.approx(10.0)
    rolling.mark(140.0, 2)
    assert rolling.high - rolling.equity == pytest.approx(10.0)


def test_a_rolling_high_that_is_gone_counts_as_all_lost() -> None:
    rolling = RollingDrawdown(window_ns=10)
    assert rolling.value == 0.0
    assert rolling.mark(-5.0, 0) == 1.0
    with pytest.raises(ValueError, match="window_ns must be"):
        RollingDrawdown(window_ns=0)


@pytest.mark.parametrize("window", [1, 2, 7, 50])
def test_the_deepest_drawdown_of_a_window_is_exact(window: int) -> None:
    draw = np.random.default_rng(2)
    equity = 100.0 * np.exp(np.cumsum(draw.normal(size=200) * 0.02))
    rolling = RollingMaxDrawdown(window=window)
    assert rolling.value == 0.0
    for i, value in enumerate(equity.tolist()):
        part = equity[max(0, i + 1 - window) : i + 1]
        deepest = float((1.0 - part / np.maximum.accumulate(part)).max())
        assert rolling.mark(value) == pytest.approx(deepest, abs=1e-12)


def test_a_deepest_drawdown_needs_equity() -> None:
    with pytest.raises(ValueError, match="equity must be in"):
        RollingMaxDrawdown(window=3).mark(0.0)
    with pytest.raises(ValueError, match="window must be"):
        RollingMaxDrawdown(window=0)


def test_volatility_weighs_the_past_by_its_decay() -> None:
    vol = Volatility(decay=0.9)
    assert vol.sigma == 0.0
    returns = np.random.default_rng(0).normal(size=50) * 0.01
    for ret in returns.tolist():
        vol = vol.after(ret)
    weights = 0.9 ** np.arange(49, -1, -1)
    assert vol.sigma == pytest.approx(float(np.sqrt((weights * returns**2).sum() / weights.sum())))
    assert vol.over(4.0) == pytest.approx(2.0 * vol.sigma)
    assert vol.samples == 50


def test_a_half_life_halves() -> None:
    assert decay_of_half_life(60.0) ** 60 == pytest.approx(0.5)


def test_a_volatility_target_never_levers_up_unless_told() -> None:
    scales = [volatility_target_scale(sigma, target=0.02) for sigma in (0.0, 0.01, 0.02, 0.04, 0.08)]
    assert scales == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.25])
    assert all(a >= b for a, b in pairwise(scales))
    assert volatility_target_scale(0.01, target=0.02, scale_max=3.0) == pytest.approx(2.0)
