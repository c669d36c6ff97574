"""What a run leaves in its state directory for who must act without it: venue and ids, never a key."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from aurora.config import AuroraConfig
from skalp_bot.config import Config, Keys, RunOptions, Venue
from skalp_bot.ports import VenueError
from skalp_bot.runner.venue import Access, access_of

FILE = "venue.json"
CHILD_READY = "exchange.json"  # What a child exchange writes into our state directory.


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions:
    """``ready_file`` is the paper exchange's; it holds the keys of venue paper."""

    venue: str
    ready_file: str
    brand: str
    instance: str
    symbols: list[str]
    leverage: int
    quote_asset: str

    @property
    def core(self) -> AuroraConfig:
        """As much configuration as it takes to ask and to cancel."""
        return AuroraConfig(
            symbols=tuple(self.symbols),
            quote_asset=self.quote_asset,
            leverage=self.leverage,
            brand=self.brand,
            instance=self.instance,
        )

    @property
    def prefix(self) -> str:
        """How every client id of that daemon begins."""
        return f"{self.brand}{self.instance}-"


def directions_of(config: Config, ready_file: Path) -> Directions:
    core = config.aurora
    return Directions(
        venue=config.venue.value,
        ready_file=str(ready_file.absolute()) if config.venue is Venue.PAPER else "",
        brand=core.brand,
        instance=core.instance,
        symbols=list(core.symbols),
        leverage=core.leverage,
        quote_asset=core.quote_asset,
    )


def leave_directions(options: RunOptions) -> None:
    ready_file = options.exchange or options.state_dir / CHILD_READY
    found = directions_of(options.config, ready_file)
    beside = options.state_dir / f".{FILE}"
    beside.write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2) + b"\n")
    beside.replace(options.state_dir / FILE)


def read_directions(state_dir: Path) -> Directions:
    """VenueError when there are none."""
    path = state_dir / FILE
    try:
        return Directions(**orjson.loads(path.read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError) as error:
        raise VenueError(
            f"{path} cannot be used ({type(error).__name__}): name the profile the daemon ran with, "
            "--profile P, and on venue paper its exchange, --exchange READY.json"
        ) from None


def access_by(found: Directions, keys: Keys | None) -> Access:
    if found.venue == Venue.PAPER:
        return access_of(Path(found.ready_file))
    if keys is None:
        raise VenueError(
            f"venue {found.venue} needs API keys: set BINANCE_API_KEY_FILE and BINANCE_API_SECRET_FILE "
            "(or the names without _FILE)"
        )
    return Access(venue=Venue(found.venue), api_key=keys.api_key, api_secret=keys.api_secret)
