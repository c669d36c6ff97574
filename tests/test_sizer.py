"""The chain from a signal to a quantity: every stage is there, in order, and only ever takes away."""

from decimal import Decimal

import pytest

from aurora.config import AuroraConfig
from aurora.engine.sizer import sized
from aurora.engine.turn import Turn
from aurora.model.facts import EquityMarked
from aurora.model.numbers import Quote
from aurora.model.order import Side
from aurora.model.signal import Signal, TargetPosition
from tests.desk import CONFIG, Desk
from tests.kit import instrument

D = Decimal
STAGES = [
    "signal",
    "kelly_full",
    "shrunk_p",
    "risk_aversion",
    "at_risk",
    "drawdown_haircut",
    "portfolio",
    "stabilizer",
    "quantity",
]


def target(p: float, n: float, *, peak: str = "10000", **sizing: float) -> TargetPosition:
    """A bracket of 1 % target and 0.5 % stop, where costs leave an edge to size."""
    plain = CONFIG.model_dump()
    plain["exits"] |= {"tp_pct": 0.01, "sl_pct": 0.005}
    plain["sizing"] |= {"risk_aversion": 2.0, "clip_max": 0.2, "leverage_use_max": 50.0, "gross_cap": 50.0}
    plain["sizing"] |= {"band": 0.0, "bucket": 0.0, **sizing}
    plain["leverage"] = 100
    config = AuroraConfig.model_validate(plain)
    desk = Desk(config).open()
    desk.price("60000")
    turn = Turn(config, desk.engine.state, desk.now, desk.engine.mind)
    marked = EquityMarked(
        day=1, day_start=Quote(D(peak)), peak=Quote(D(peak)), equity=Quote(D(10000)), at=desk.now
    )
    turn.conclude(marked)
    signal = Signal(
        symbol="BTCUSDT",
        side=Side.BUY,
        p=p,
        n=n,
        target=0.01,
        stop=0.005,
        strategy="story",
        declared=False,
        reason="",
        ts=desk.now,
    )
    return sized(turn, signal, turn.soft.market.of("BTCUSDT"), instrument())[0]


def stage(found: TargetPosition, name: str) -> float:
    return next(link.value for link in found.chain if link.stage == name)


def test_the_chain_names_every_stage_in_order() -> None:
    found = target(0.6, 300.0)
    assert [link.stage for link in found.chain] == STAGES
    assert found.qty > 0
    assert found.risk <= D("10000") * D(repr(stage(found, "at_risk"))) * D("1.000001")


def test_few_observations_are_doubted_more() -> None:
    few, many = target(0.6, 20.0), target(0.6, 20_000.0)
    assert stage(few, "shrunk_p") < stage(many, "shrunk_p") < 0.6
    assert few.qty < many.qty


def test_aversion_divides_and_a_drawdown_budget_raises_it() -> None:
    two, four = target(0.6, 1e6), target(0.6, 1e6, risk_aversion=4.0)
    assert stage(four, "at_risk") == pytest.approx(stage(two, "at_risk") / 2)
    budget = target(0.6, 1e6, drawdown_max=0.1, drawdown_prob=0.1)
    assert stage(budget, "risk_aversion") == pytest.approx(11.43, abs=0.01)


def test_under_water_it_holds_less_and_at_the_limit_nothing() -> None:
    dry, wet = target(0.6, 1e6), target(0.6, 1e6, peak="11000")
    assert 0 < wet.qty < dry.qty
    assert target(0.6, 1e6, peak="12500").qty == 0


def test_no_edge_is_a_zero_with_its_reason() -> None:
    found = target(0.4, 300.0)
    assert (found.qty, found.reason) == (D(0), "NO_EDGE")


def test_the_common_budget_caps_the_notional() -> None:
    found = target(0.7, 1e6, gross_cap=0.5)
    assert found.qty * found.reference <= D("10000") * D("0.5")
    assert stage(found, "portfolio") == pytest.approx(0.5)
