"""Kelly sizing: units, refusals, haircuts, quantities and the stabilizer."""

import math
from decimal import Decimal, localcontext
from typing import Any

import pytest

from aurora.sizing.band import AutoBand, RelativeBand, SignalTrack
from aurora.sizing.kelly import (
    BracketCosts,
    BracketKelly,
    KellyReason,
    LimitedBy,
    NotionalFraction,
    QtyLimits,
    RiskFraction,
    SizedQty,
    SizedReason,
    SizingStabilizer,
    StabilizerReason,
    StabilizerState,
    apply_dd_haircut_to_kelly,
    dd_haircut_factor,
    fraction_to_qty,
    kelly_binary,
    kelly_bracket,
    kelly_mu_sigma,
    notional_from_risk,
    risk_aversion_from_drawdown,
    risk_from_notional,
)

NAN, INF = math.nan, math.inf
TAKER = BracketCosts(fee_in=0.0005, fee_tp=0.0005, fee_sl=0.0005)
BTC = QtyLimits(
    step=Decimal("0.001"), qty_min=Decimal("0.001"), qty_max=Decimal(120), notional_min=Decimal(100)
)


def sized(fraction: float | Decimal = 0.5, **changes: Any) -> SizedQty:
    arguments: dict[str, Any] = {
        "equity": Decimal(10_000),
        "price": Decimal(50_000),
        "limits": BTC,
        "leverage": 10,
        "margin_free": Decimal(10_000),
        "fee": Decimal("0.0005"),
    }
    return fraction_to_qty(
        fraction if isinstance(fraction, Decimal) else NotionalFraction(fraction), **(arguments | changes)
    )


def bracket(p: float = 0.6, tp: float = 0.01, sl: float = 0.01, **changes: Any) -> BracketKelly:
    arguments: dict[str, Any] = {"costs": BracketCosts(), "side": 1}
    return kelly_bracket(p, tp, sl, **(arguments | changes))


@pytest.mark.parametrize(("p", "rr", "star"), [(0.6, 1.0, 0.2), (0.55, 2.0, 0.325), (0.5, 1.0, 0.0)])
def test_the_textbook_binary_bets_come_out(p: float, rr: float, star: float) -> None:
    assert kelly_binary(p, rr, clip=(0.0, 1.0)) == pytest.approx(star, rel=1e-14)


def test_defaults_are_risk_aversion_one_and_a_clip_from_zero_to_a_fifth() -> None:
    assert kelly_binary(0.9, 2.0) == 0.2
    assert kelly_binary(0.1, 1.0) == 0.0
    assert kelly_mu_sigma(0.01, 0.01) == 0.2


def test_a_negative_edge_is_zero_and_never_a_flipped_side() -> None:
    assert kelly_binary(0.01, 0.1) == 0.0
    result = bracket(p=0.3)
    assert (result.fraction_at_risk, result.fraction_of_notional) == (0.0, 0.0)
    assert result.reason is KellyReason.NO_EDGE
    assert result.f_star is not None
    assert result.f_star < 0.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("p", {"p": -0.01}),
        ("p", {"p": 1.01}),
        ("p", {"p": NAN}),
        ("rr", {"rr": 0.0}),
        ("rr", {"rr": -1.0}),
        ("rr", {"rr": NAN}),
        ("rr", {"rr": INF}),
        ("risk_aversion", {"risk_aversion": 0.0}),
        ("risk_aversion", {"risk_aversion": NAN}),
        ("risk_aversion", {"risk_aversion": INF}),
        ("clip", {"clip": (0.2, 0.1)}),
        ("clip", {"clip": (NAN, 0.1)}),
    ],
)
def test_a_binary_bet_that_means_nothing_is_refused_by_name(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got ") as caught:
        kelly_binary(**({"p": 0.6, "rr": 1.0} | arguments))
    assert repr(arguments[name]) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mu", {"mu": NAN}),
        ("mu", {"mu": INF}),
        ("sigma", {"sigma": -1e-9}),
        ("sigma", {"sigma": NAN}),
        ("rf", {"rf": INF}),
        ("risk_aversion", {"risk_aversion": -1.0}),
        ("method", {"method": "guess"}),
    ],
)
def test_a_mean_and_deviation_that_mean_nothing_are_refused_by_name(
    name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        kelly_mu_sigma(**({"mu": 0.01, "sigma": 0.1} | arguments))


def test_a_sure_return_takes_the_bound_and_no_return_takes_nothing() -> None:
    assert kelly_mu_sigma(1e-9, 0.0, clip=(-0.1, 0.3)) == 0.3
    assert kelly_mu_sigma(-1e-9, 0.0, clip=(-0.1, 0.3)) == -0.1
    assert kelly_mu_sigma(0.0, 0.0, clip=(-0.1, 0.3)) == 0.0
    assert kelly_mu_sigma(1e-300, 1e-200, clip=(-0.1, 0.3)) == 0.3


def test_two_points_that_cannot_both_lose_take_the_bound() -> None:
    assert kelly_mu_sigma(0.02, 0.01, clip=(-3.0, 3.0), method="two_point") == 3.0
    assert kelly_mu_sigma(-0.02, 0.01, clip=(-3.0, 3.0), method="two_point") == -3.0


def test_two_percent_at_risk_behind_a_half_percent_stop_with_costs_is_3_2_times_equity() -> None:
    notional = notional_from_risk(RiskFraction(0.02), net_loss=0.005 + 0.0012)
    assert notional == pytest.approx(3.2258, rel=1e-4)
    assert risk_from_notional(notional, net_loss=0.0062) == pytest.approx(0.02)


def test_a_bracket_tells_both_units_apart_and_they_agree() -> None:
    result = bracket(costs=TAKER, risk_aversion=2.0)
    assert result.fraction_of_notional == pytest.approx(result.fraction_at_risk / result.net_loss)
    assert result.fraction_of_notional > result.fraction_at_risk
    assert result.reason is KellyReason.OK


def test_a_bracket_says_when_it_was_clipped() -> None:
    assert bracket(p=0.9).reason is KellyReason.CLIPPED
    assert bracket(p=0.9).fraction_at_risk == 0.2


def test_a_target_inside_its_costs_is_worth_nothing_at_any_probability() -> None:
    result = bracket(p=1.0, tp=0.0008, sl=0.01, costs=TAKER)
    assert result.reason is KellyReason.COSTS_EXCEED_TARGET
    assert result.p_breakeven is None
    assert result.fraction_of_notional == 0.0


def test_a_stop_that_pays_is_not_believed() -> None:
    assert bracket(costs=BracketCosts(funding=-0.02)).reason is KellyReason.STOP_CANNOT_LOSE


def test_a_short_pays_its_exit_fee_on_the_lower_exit_price() -> None:
    long, short = bracket(costs=TAKER, side=1), bracket(costs=TAKER, side=-1)
    assert short.net_win > long.net_win
    assert short.net_loss > long.net_loss


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("p", {"p": NAN}),
        ("tp", {"tp": 0.0}),
        ("sl", {"sl": -0.01}),
        ("side", {"side": 0}),
        ("clip", {"clip": (-0.1, 0.2)}),
        ("risk_aversion", {"risk_aversion": 0.0}),
    ],
)
def test_a_bracket_that_means_nothing_is_refused_by_name(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}"):
        bracket(**arguments)


def test_costs_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="fee_in must be"):
        BracketCosts(fee_in=NAN)
    with pytest.raises(ValueError, match="slip_sl must be"):
        BracketCosts(slip_sl=-0.1)


@pytest.mark.parametrize(
    ("max_dd", "prob", "aversion"), [(0.3, 0.1, 3.73), (0.2, 0.1, 5.66), (0.1, 0.1, 11.4), (0.9, 0.9, 1.0)]
)
def test_a_drawdown_budget_sets_the_risk_aversion(max_dd: float, prob: float, aversion: float) -> None:
    assert risk_aversion_from_drawdown(max_dd, prob) == pytest.approx(aversion, abs=0.05)


@pytest.mark.parametrize(("max_dd", "prob"), [(0.0, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, 1.0), (NAN, 0.1)])
def test_a_drawdown_budget_that_means_nothing_is_refused(max_dd: float, prob: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \(0, 1\)"):
        risk_aversion_from_drawdown(max_dd, prob)


@pytest.mark.parametrize("method", ["grossman_zhou", "linear", "step"])
def test_a_haircut_is_one_at_the_peak_and_zero_at_the_limit(method: Any) -> None:
    assert dd_haircut_factor(0.0, 0.2, method) == 1.0
    assert dd_haircut_factor(0.2, 0.2, method) == 0.0
    assert dd_haircut_factor(1.5, 0.2, method) == 0.0
    assert apply_dd_haircut_to_kelly(RiskFraction(0.1), 0.25, 0.2, method) == 0.0


def test_a_haircut_of_no_drawdown_is_refused() -> None:
    with pytest.raises(ValueError, match="dd must be"):
        dd_haircut_factor(-0.01, 0.2)
    with pytest.raises(ValueError, match="dd_max must be"):
        dd_haircut_factor(0.01, 0.0)
    with pytest.raises(ValueError, match="fraction must be"):
        apply_dd_haircut_to_kelly(NAN, 0.0, 0.2)


def test_a_quantity_is_floored_and_says_what_limited_it() -> None:
    result = sized(0.5)
    assert (result.qty, result.limited_by, result.reason) == (
        Decimal("0.1"),
        LimitedBy.FRACTION,
        SizedReason.OK,
    )
    assert result.notional == Decimal(5000)
    assert result.margin == Decimal("502.5")
    assert sized(0.50004).qty == Decimal("0.1")


@pytest.mark.parametrize(
    ("changes", "limited_by", "qty"),
    [
        ({"margin_free": Decimal(100)}, LimitedBy.MARGIN, "0.019"),
        ({"margin_free": Decimal(-1)}, LimitedBy.MARGIN, "0"),
        ({"equity": Decimal(-5)}, LimitedBy.FRACTION, "0"),
    ],
)
def test_margin_and_equity_limit_the_quantity(
    changes: dict[str, Any], limited_by: LimitedBy, qty: str
) -> None:
    result = sized(0.5, **changes)
    assert (result.limited_by, result.qty) == (limited_by, Decimal(qty))


def limits(**changes: Any) -> QtyLimits:
    base: dict[str, Any] = {"step": BTC.step, "qty_min": BTC.qty_min, "qty_max": BTC.qty_max}
    return QtyLimits(**(base | {"notional_min": BTC.notional_min} | changes))


def test_the_leverage_bracket_limits_the_notional() -> None:
    result = sized(0.5, limits=limits(notional_max=Decimal(1234)))
    assert (result.limited_by, result.qty) == (LimitedBy.MAX_NOTIONAL, Decimal("0.024"))


def test_too_small_is_zero_with_both_numbers_and_never_rounded_up() -> None:
    small = sized(0.004)
    assert (small.qty, small.reason, small.observed, small.limit) == (
        Decimal(0),
        SizedReason.BELOW_MIN_QTY,
        Decimal("0.000"),
        Decimal("0.001"),
    )
    cheap = sized(0.009)
    assert (cheap.qty, cheap.reason, cheap.observed, cheap.limit) == (
        Decimal(0),
        SizedReason.BELOW_MIN_NOTIONAL,
        Decimal(50),
        Decimal(100),
    )


def test_a_price_off_the_tick_is_sized_as_if_it_were_worse() -> None:
    ticks = limits(tick=Decimal(10), notional_min=Decimal(5))
    assert sized(Decimal("0.05"), price=Decimal("499.99"), limits=ticks).qty == Decimal(1)
    assert sized(Decimal("0.05"), price=Decimal("500.01"), limits=ticks).qty == Decimal("0.980")


def test_a_quantity_does_not_depend_on_the_ambient_decimal_context() -> None:
    calm = sized(0.123456789)
    with localcontext() as context:
        context.prec = 2
        assert sized(0.123456789) == calm


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("price", {"price": Decimal(0)}),
        ("price", {"price": Decimal("NaN")}),
        ("equity", {"equity": Decimal("Infinity")}),
        ("leverage", {"leverage": 0}),
        ("margin_free", {"margin_free": Decimal("NaN")}),
        ("fee", {"fee": Decimal(-1)}),
    ],
)
def test_an_order_that_means_nothing_is_refused_by_name(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        sized(0.5, **changes)


@pytest.mark.parametrize("fraction", [NAN, INF, -0.1, Decimal("NaN"), Decimal(-1)])
def test_a_fraction_that_means_nothing_is_refused(fraction: float | Decimal) -> None:
    with pytest.raises(ValueError, match="fraction must be"):
        sized(fraction)


HELD = StabilizerState(fraction=0.1, changed_ns=1_000)


def test_a_small_increase_stays_inside_the_band() -> None:
    done = SizingStabilizer(band=0.02).apply(HELD, 0.115, 2_000)
    assert (done.fraction, done.reason, done.state) == (0.1, StabilizerReason.HELD_BAND, HELD)


def test_a_large_increase_moves_to_the_edge_of_the_band() -> None:
    done = SizingStabilizer(band=0.02).apply(HELD, 0.15, 2_000)
    assert done.fraction == pytest.approx(0.13)
    assert done.reason is StabilizerReason.INCREASED
    assert done.state == StabilizerState(fraction=done.fraction, changed_ns=2_000)


def test_a_relative_band_is_a_share_of_the_target() -> None:
    assert SizingStabilizer(band=RelativeBand(share=0.1)).apply(HELD, 0.2, 0).fraction == pytest.approx(0.18)


@pytest.mark.parametrize("target", [0.0999, 0.05, 0.0, -0.0])
def test_a_reduction_bypasses_every_guard(target: float) -> None:
    stabilizer = SizingStabilizer(band=0.5, min_interval_ns=10**18)
    done = stabilizer.apply(HELD, target, 1_001)
    assert (done.fraction, done.reason) == (target, StabilizerReason.REDUCED)


def test_a_change_of_side_leaves_the_old_side_at_once_and_waits_with_the_new() -> None:
    done = SizingStabilizer(min_interval_ns=1_000).apply(HELD, -0.1, 1_500)
    assert (done.fraction, done.reason) == (0.0, StabilizerReason.REDUCED)
    later = SizingStabilizer(min_interval_ns=1_000).apply(done.state, -0.1, 2_500)
    assert (later.fraction, later.reason) == (-0.1, StabilizerReason.INCREASED)


def test_an_increase_waits_for_the_interval() -> None:
    stabilizer = SizingStabilizer(min_interval_ns=1_000)
    assert stabilizer.apply(HELD, 0.2, 1_999).reason is StabilizerReason.HELD_INTERVAL
    assert stabilizer.apply(HELD, 0.2, 2_000).fraction == 0.2


def test_buckets_are_geometric_and_floored() -> None:
    stabilizer = SizingStabilizer(bucket=0.25, bucket_top=0.2)
    steps = [stabilizer.apply(StabilizerState(), f, 0).fraction for f in (0.2, 0.199, 0.16, 0.159)]
    assert steps == pytest.approx([0.2, 0.16, 0.16, 0.128])
    held = stabilizer.apply(StabilizerState(fraction=0.16), 0.199, 0)
    assert held.reason is StabilizerReason.HELD_BUCKET


def test_a_signal_not_worth_its_cost_is_reported_and_not_followed() -> None:
    dear = AutoBand(cost_one_way=0.01, gamma=1.0, sigma_target=0.1, sigma_ret=0.001, target_rms=0.2)
    done = SizingStabilizer(band=dear).apply(StabilizerState(), 0.2, 0)
    assert (done.worth_cost, done.reason, done.fraction) == (False, StabilizerReason.HELD_COST, 0.0)
    assert SizingStabilizer(band=dear).apply(HELD, 0.05, 0).fraction == 0.05


def test_a_track_measures_how_much_the_signal_moves() -> None:
    track = SignalTrack()
    for i in range(200):
        track = track.after(0.1 if i % 2 else -0.1, decay=0.9)
    band = track.band(cost_one_way=0.0004, gamma=4.0, sigma_ret=0.02)
    assert [band.sigma_target, band.target_rms] == pytest.approx([0.2, 0.1])


@pytest.mark.parametrize(
    "settings",
    [{"band": -0.1}, {"band": NAN}, {"bucket": -1.0}, {"bucket_top": 0.0}, {"min_interval_ns": -1}],
)
def test_a_stabilizer_setting_that_means_nothing_is_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))} must be "):
        SizingStabilizer(**settings)


def test_a_target_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="target must be"):
        SizingStabilizer().apply(HELD, NAN, 0)
