"""What a scrape reads from the books: positions, exposure, tail, gaps, drift; each as the engine has it."""

from collections.abc import Iterable

import pytest

from aurora.model.order import Role
from skalp_bot.obs.catalogue import CATALOGUE
from skalp_bot.obs.counts import Counts
from skalp_bot.obs.metrics import Reading, Sample
from skalp_bot.runner.gauges import Gauges
from tests.desk import Desk, Venue


def read(desk: Desk) -> dict[tuple[str, tuple[str, ...]], float]:
    samples: Iterable[Sample] = Gauges(engine=desk.engine, counts=Counts(desk.config.symbols)).read(desk.now)
    found = [sample for sample in samples if isinstance(sample, Reading)]
    assert {sample.name for sample in found} <= set(CATALOGUE)
    shown = {(sample.name, sample.labels): sample.value for sample in found}
    assert len(shown) == len(found), "a series told twice in one scrape"
    return shown


def in_position(venue: Venue | None = None) -> Desk:
    """A desk that has just entered."""
    desk = Desk(venue=venue).open()
    for _ in range(200):
        desk.price("60000")
        if desk.venue.position.qty:
            return desk
        desk.beat()
    raise AssertionError("no entry in 200 beats")


def test_a_flat_desk_shows_zeros_and_a_wallet() -> None:
    shown = read(Desk().open())
    assert shown["skalp_position", ("BTCUSDT",)] == 0
    assert shown["skalp_exposure_quote", ("held",)] == 0
    assert shown["skalp_wallet_quote", ()] == 10_000
    assert shown["skalp_tail_quote", ("cvar",)] == 0
    assert shown["skalp_trading_state", ("ACTIVE",)] == 1
    assert shown["skalp_stream_up", ("USER",)] == 1


def test_a_position_shows_its_size_its_notional_and_its_tail() -> None:
    desk = in_position()
    desk.beat(12)  # Equity is marked once a second.
    shown = read(desk)
    qty = float(desk.venue.position.qty)
    assert shown["skalp_position", ("BTCUSDT",)] == qty
    assert shown["skalp_position_quote", ("BTCUSDT",)] == pytest.approx(qty * 60_000)
    assert shown["skalp_exposure_quote", ("held",)] == pytest.approx(abs(qty) * 60_000)
    assert shown["skalp_exposure_quote", ("worst",)] == pytest.approx(abs(qty) * 60_000)
    assert shown["skalp_tail_quote", ("cvar",)] > 0
    assert shown["skalp_tail_warming_up", ()] == 1
    assert shown["skalp_orders_open", ("STOP",)] == 1
    assert shown["skalp_orders_open", ("BACKSTOP",)] == 1
    assert shown["skalp_conditional_orders", ()] >= 2
    assert shown["skalp_unprotected_seconds", ("BTCUSDT",)] == 0
    assert shown["skalp_drawdown_ratio", ("day_start",)] > 0  # The fee of the entry.
    assert shown["skalp_fees_quote", ()] > 0


def test_a_gap_without_a_listed_stop_is_shown_while_it_lasts() -> None:
    desk = in_position(Venue(lose_ack=[Role.STOP, Role.BACKSTOP]))
    bracket = desk.engine.state.durable.brackets["BTCUSDT"]
    if bracket.naked_since is None:
        pytest.fail("the stops' lost answers should have left it naked")
    lasted = (desk.now - bracket.naked_since) / 1e9
    shown = read(desk)
    assert shown["skalp_unprotected_seconds", ("BTCUSDT",)] == pytest.approx(lasted)
    assert shown["skalp_protection_gap_seconds_max", ()] == pytest.approx(lasted)


def test_an_order_without_an_outcome_is_shown_as_unknown() -> None:
    desk = Desk(venue=Venue(lose_ack=[Role.ENTRY], hold_fills=[Role.ENTRY], mute=True)).open()
    for _ in range(200):
        desk.price("60000")
        shown = read(desk)
        if shown["skalp_orders_unknown", ()] == 1:
            assert shown["skalp_orders_open", ("ENTRY",)] == 1
            assert shown["skalp_exposure_quote", ("worst",)] > 0
            assert shown["skalp_exposure_quote", ("held",)] == 0
            return
        desk.beat()
    raise AssertionError("the entry never became unknown")
