"""check-config warns where a setting is allowed and still cannot do what it says."""

from pathlib import Path
from typing import Any

import pytest

from aurora.sizing.bracket import BracketKelly
from skalp_bot.config import Config
from skalp_bot.config.advice import bracket_odds, check_config
from skalp_bot.config.load import load_config

ROOT = Path(__file__).parent.parent
SOUND: dict[str, dict[str, Any]] = {
    "exits": {"tp_pct": 0.006, "sl_pct": 0.003, "backstop_pct": 0.01},
    "governance": {"max_concurrent_positions": 2, "spread_bps_max": 5.0},
    "sizing": {"clip_max": 0.01},
}


def config(**changes: Any) -> Config:
    shell = {key: changes.pop(key) for key in ("venue", "market") if key in changes}
    core = {name: {**values, **changes.pop(name, {})} for name, values in SOUND.items()}
    return Config.model_validate({"aurora": {**core, **changes}, **shell})


def codes(told: Config) -> list[str]:
    return [advice.code for advice in check_config(told)]


def odds(told: Config) -> BracketKelly:
    return bracket_odds(told.aurora.exits, told.aurora)


def test_a_sound_configuration_is_left_in_peace() -> None:
    assert codes(config()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exits": {"tp_pct": 0.001}}, "TP_CANNOT_PAY_COSTS"),
        ({"exits": {"tp_pct": 0.002}}, "TP_HARDLY_PAYS"),
        ({"exits": {"sl_pct": 0.001}}, "SL_INSIDE_COSTS"),
        ({"governance": {"spread_bps_max": 70.0}}, "SPREAD_GATE_BEYOND_TP"),
        ({"governance": {"max_concurrent_positions": 91}}, "MORE_POSITIONS_THAN_STOPS"),
        ({"leverage": 100}, "LIQUIDATION_BEFORE_STOP"),
        ({"sizing": {"clip_max": 0.06}}, "ONE_STOP_SPENDS_THE_DAY"),
        ({"sizing": {"leverage_use_max": 6.0}}, "SIZE_BEYOND_LEVERAGE"),
        ({"reconcile": {"interval_s": 200.0}}, "RECONCILED_TOO_SELDOM"),
        ({"venue": "testnet", "market": {"source": "tape:x"}}, "MARKET_IGNORED"),
        ({"venue": "live", "leverage": 20}, "HIGH_LEVERAGE"),
    ],
)
def test_what_cannot_do_what_it_says_is_named(changes: dict[str, Any], code: str) -> None:
    assert code in codes(config(**changes))


def test_ninety_positions_of_two_stops_fit_under_the_cap_and_more_without_a_backstop() -> None:
    assert "MORE_POSITIONS_THAN_STOPS" not in codes(config(governance={"max_concurrent_positions": 90}))
    single = config(governance={"max_concurrent_positions": 180}, exits={"backstop": False})
    assert "MORE_POSITIONS_THAN_STOPS" not in codes(single)
    resting = config(governance={"max_concurrent_positions": 61}, exits={"tp_order": "algo"})
    assert "MORE_POSITIONS_THAN_STOPS" in codes(resting), "a conditional target takes a slot too"


def test_the_codes_own_defaults_are_warned_about_with_numbers() -> None:
    told = {advice.code: advice.message for advice in check_config(Config())}
    assert "0.1 bp" in told["TP_CANNOT_PAY_COSTS"]
    assert "12 bp" in told["TP_CANNOT_PAY_COSTS"]
    assert "999" in told["MORE_POSITIONS_THAN_STOPS"]
    assert "200 conditional orders" in told["MORE_POSITIONS_THAN_STOPS"]


def test_the_break_even_probability_rises_as_the_target_shrinks() -> None:
    wide = odds(config(exits={"tp_pct": 0.02})).p_breakeven
    narrow = odds(config()).p_breakeven
    assert wide is not None
    assert narrow is not None
    assert wide < narrow < 1


def test_each_symbols_own_exits_are_judged_and_unused_ones_are_not() -> None:
    own = {**SOUND["exits"], "tp_pct": 0.001}
    told = check_config(config(exits_by_symbol={"BTCUSDT": own}))
    assert [(advice.code, advice.keys) for advice in told] == [
        ("TP_CANNOT_PAY_COSTS", ("exits_by_symbol.BTCUSDT.tp_pct",))
    ]
    assert "exits_by_symbol.BTCUSDT.tp_pct 0.001 is 10 bp" in told[0].message
    assert codes(config(exits={"tp_pct": 0.001}, exits_by_symbol={"BTCUSDT": SOUND["exits"]})) == []
    some = config(exits_by_symbol={"BTCUSDT": own}, symbols=("BTCUSDT", "ETHUSDT"))
    assert codes(some) == ["TP_CANNOT_PAY_COSTS"]


def test_how_far_a_fixed_price_is_nobody_knows_before_the_entry() -> None:
    assert codes(config(exits={"tp_pct": 0.001, "tp_price": 61_000.0})) == []


@pytest.mark.parametrize("name", ["configs/aurora/testnet.yaml", "configs/aurora/production.yaml"])
def test_shipped_configurations_for_the_exchange_draw_no_warning(name: str) -> None:
    assert codes(load_config(ROOT / name, environ={}).config) == []
