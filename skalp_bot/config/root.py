"""The root of the configuration: the core's sections and the shell's, side by side in one file."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from aurora.config import AuroraConfig, Section


class Venue(StrEnum):
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


class MarketConfig(Section):
    """What the embedded exchange plays; read on venue paper only."""

    source: str = Field(
        "synthetic",
        pattern=r"^(synthetic|(script|tape):.+)$",
        description="synthetic, script:FILE or tape:FILE[,FILE...].",
    )
    speed: float = Field(1.0, ge=0.1, le=1_000, description="Tape seconds per second of the wall.")
    seed: int = Field(0, ge=0, le=2**31, description="Seed of the synthetic market.")


class RunnerConfig(Section):
    """The loop and its ways out."""

    heartbeat_ms: int = Field(
        100, ge=20, le=1_000, description="Time is told to the core this often when the market is silent."
    )
    sends_max: int = Field(8, ge=3, le=32, description="Requests on the wire at once.")
    exit_sends_reserved: int = Field(2, ge=1, le=8, description="Of these, kept free for exits.")

    @model_validator(mode="after")
    def some_are_left(self) -> "RunnerConfig":
        if self.exit_sends_reserved >= self.sends_max:
            raise ValueError(
                f"exit_sends_reserved {self.exit_sends_reserved} must be below sends_max {self.sends_max}"
            )
        return self


class JournalConfig(Section):
    """The durable record."""

    root: str = Field("state", min_length=1, description="Parent of the state directories we name ourselves.")
    exit_wait_ms: int = Field(
        20, ge=0, le=1_000, description="An exit waits so long for the disk, then overtakes it."
    )
    checkpoint_every: int = Field(
        2_000, ge=10, le=1_000_000, description="Rows between checkpoints; bounds what a restart folds."
    )


class LogConfig(Section):
    """What is told about each step."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lines below it are left out; the report and the journal are whole."
    )


class MetricsConfig(Section):
    """Numbers for machines."""

    port: int = Field(
        0, ge=0, le=65_535, description="Port of /metrics, /livez, /readyz and /version; 0 for none."
    )
    host: str = Field(
        "127.0.0.1",
        pattern=r"^[0-9a-fA-F.:]+$",
        description="Its address; anything but loopback shows positions and money to whoever reaches it.",
    )


class Config(Section):
    """Everything a run is told; in files the core's keys stand at the top, beside the shell's."""

    venue: Venue = Field(Venue.PAPER, description="paper, testnet or live.")
    use_futures: Literal[True] = Field(default=True, description="USD-M futures; nothing else is traded.")
    aurora: AuroraConfig = AuroraConfig()
    market: MarketConfig = MarketConfig()
    runner: RunnerConfig = RunnerConfig()
    journal: JournalConfig = JournalConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()

    @model_validator(mode="after")
    def exercise_risks_no_real_money(self) -> "Config":
        if self.venue is Venue.LIVE and self.aurora.strategy.name == "exercise":
            raise ValueError(
                "strategy.name exercise trades on a cadence, without an edge: it is refused on venue live "
                "(allowed: paper, testnet); set strategy.name: skalp"
            )
        return self

    @model_validator(mode="after")
    def symbols_are_quoted_in_the_asset(self) -> "Config":
        symbols, asset = self.aurora.symbols, self.aurora.quote_asset
        strange = [symbol for symbol in symbols if not symbol.endswith(asset) or symbol == asset]
        if strange:
            raise ValueError(f"symbols {', '.join(strange)} are not quoted in quote_asset {asset}")
        foreign = [symbol for symbol in symbols if set(symbol) & set("/:- ")]
        if foreign:
            raise ValueError(f"symbols {', '.join(foreign)}: write them as the exchange, such as BTCUSDT")
        twice = sorted(symbol for symbol in symbols if symbols.count(symbol) > 1)
        if twice:
            raise ValueError(f"symbols names {twice[0]} twice")
        return self
