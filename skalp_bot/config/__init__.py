"""What the daemon is told: typed, complete, frozen, and each value with the layer that set it."""

from skalp_bot.config.load import Loaded, load_config
from skalp_bot.config.options import RunOptions, fresh_state_dir
from skalp_bot.config.root import (
    Config,
    JournalConfig,
    LogConfig,
    MarketConfig,
    MetricsConfig,
    RunnerConfig,
    Venue,
)
from skalp_bot.config.secret import Keys, Secret, take_keys

__all__ = [
    "Config",
    "JournalConfig",
    "Keys",
    "Loaded",
    "LogConfig",
    "MarketConfig",
    "MetricsConfig",
    "RunOptions",
    "RunnerConfig",
    "Secret",
    "Venue",
    "fresh_state_dir",
    "load_config",
    "take_keys",
]
