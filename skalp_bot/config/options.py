"""What `skalp-bot run` is asked for, beside the configuration."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aurora.model.numbers import SECOND
from skalp_bot.config.load import Loaded
from skalp_bot.config.root import Config, Venue
from skalp_bot.config.secret import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Command line and environment, already checked; everything a run needs is in here."""

    loaded: Loaded
    profile: Path
    state_dir: Path
    resume_exchange: bool = False  # --state-dir was given: the child exchange keeps its state there too.
    keys: Keys | None = None  # None on venue paper: the exchange's ready file has them.
    exchange: Path | None = None  # READY.json of a running paper exchange; None: start one as a child.
    duration_s: float | None = None  # From READY; None: until stopped.
    report: Path | None = None
    flatten_on_exit: bool = False
    json_lines: bool = False  # JSON log lines also on a terminal.
    program: str = "skalp-bot"  # What a person types to call us again.

    @property
    def config(self) -> Config:
        return self.loaded.config


def default_state_dir(config: Config, now: int) -> Path:
    """Without --state-dir: a new directory for each paper run, one that stays for each other venue."""
    root = Path(config.journal.root)
    return fresh_state_dir(root, now) if config.venue is Venue.PAPER else root / config.venue.value


def fresh_state_dir(root: Path, now: int) -> Path:
    """A new directory for a paper run, named by its start (UTC; ``now`` in nanoseconds)."""
    start = datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    wanted = root / "paper" / start
    numbered = (root / "paper" / f"{start}-{number}" for number in range(2, 1_000))
    return next(path for path in (wanted, *numbered) if not path.exists())
