"""Which strategy a configuration names."""

from collections.abc import Mapping
from typing import assert_never

from aurora.config import AuroraConfig
from aurora.model.instrument import FeeRates
from aurora.signals.base import Strategy
from aurora.signals.exercise import Exercise
from aurora.signals.skalp import Skalp


def strategy_of(config: AuroraConfig, fees: Mapping[str, FeeRates]) -> Strategy:
    """``fees`` is read whenever the strategy looks, so it must be the mapping that is kept up to date."""
    match config.strategy.name:
        case "skalp":
            return Skalp(
                config=config.strategy,
                exits_of=config.exits_of,
                slippage=config.sizing.slippage_bps / 1e4,
                fees=fees,
            )
        case "exercise":
            return Exercise(config=config.strategy, exits_of=config.exits_of)
        case never:
            assert_never(never)
