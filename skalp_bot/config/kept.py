"""What a run was told, kept beside its journal: a verb without a daemon must mean the same account."""

from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from aurora.errors import ConfigError
from skalp_bot.config.load import Loaded
from skalp_bot.config.options import RunOptions
from skalp_bot.config.root import Config

FILE = "run.json"


def keep(options: RunOptions) -> None:
    """Write it whole or not at all. No key is in there: configuration never holds one."""
    kept = {
        "profile": str(options.profile.absolute()),
        "exchange": str(options.exchange.absolute()) if options.exchange is not None else None,
        "resume_exchange": options.resume_exchange,
        "config": options.config.model_dump(mode="json"),
    }
    beside = options.state_dir / f"{FILE}.new"
    beside.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")
    beside.chmod(0o600)
    beside.replace(options.state_dir / FILE)


def kept_options(state_dir: Path) -> RunOptions:
    """As the last run in this directory was told; ConfigError when that is not to be had."""
    path = state_dir / FILE
    try:
        told: dict[str, Any] = orjson.loads(path.read_bytes())
        config = Config.model_validate_json(orjson.dumps(told["config"]), strict=True)
        exchange = told["exchange"]
        return RunOptions(
            loaded=Loaded(config=config, entries={}, overruled={}, files=(str(path),)),
            profile=Path(told["profile"]),
            state_dir=state_dir,
            resume_exchange=bool(told["resume_exchange"]),
            exchange=Path(exchange) if exchange else None,
        )
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError(
            f"{path} does not tell how the last run was configured ({type(error).__name__}): "
            "name its profile with --profile"
        ) from None
