"""`skalp-bot run`: options into a configuration, and the daemon started with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skalp_bot.cli.options import Json, Market, Seed, Speed, VenueName, seconds

if TYPE_CHECKING:
    from skalp_bot.config import RunOptions

EXAMPLE = "example: skalp-bot run --profile profiles/paper.yaml --duration 60s --seed 7 --report out.json"

ProfileOption = Annotated[
    Path, typer.Option("--profile", metavar="P", help="A YAML file.", show_default=False)
]
Venue = Annotated[VenueName | None, typer.Option("--venue", help="Overrules the profile's venue.")]
Duration = Annotated[
    str | None, typer.Option("--duration", metavar="60s", help="Counted from READY; default: until stopped.")
]
Report = Annotated[Path | None, typer.Option("--report", metavar="F.json", help="Written at the end.")]
Exchange = Annotated[
    Path | None,
    typer.Option("--exchange", metavar="READY.json", help="A running paper exchange instead of a child."),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", metavar="DIR", help="Journal and exchange state; default on paper: a new one."
    ),
]
Flatten = Annotated[bool, typer.Option("--flatten-on-exit", help="Close every position when stopped.")]
AcceptLive = Annotated[bool, typer.Option("--i-accept-live", help="Needed for venue live: real money.")]


def register(app: typer.Typer) -> None:
    app.command("run", epilog=EXAMPLE, help="Trade: on the embedded paper exchange, the testnet, or live.")(
        run
    )


def run(  # noqa: PLR0913 -- one parameter an option
    *,
    profile: ProfileOption,
    venue: Venue = None,
    market: Market = None,
    speed: Speed = None,
    seed: Seed = None,
    duration: Duration = None,
    report: Report = None,
    exchange: Exchange = None,
    state_dir: State = None,
    flatten_on_exit: Flatten = False,
    i_accept_live: AcceptLive = False,
    as_json: Json = False,
) -> None:
    import os

    from skalp_bot.clock import SystemClock
    from skalp_bot.config import RunOptions, load_config, take_keys
    from skalp_bot.config.options import default_state_dir
    from skalp_bot.journal.lock import refuse_if_held

    lasting = seconds(duration) if duration is not None else None
    keys = take_keys(os.environ)
    asked = overrides(venue=venue, market=market, speed=speed, seed=seed)
    loaded = load_config(profile, environ=os.environ, options=asked)
    config = loaded.config
    check_venue(config.venue.value, exchange=exchange, played=market or speed, accepted=i_accept_live)
    options = RunOptions(
        loaded=loaded,
        profile=profile,
        state_dir=state_dir or default_state_dir(config, SystemClock().now()),
        resume_exchange=state_dir is not None,
        keys=None if config.venue.value == VenueName.PAPER else keys,
        exchange=exchange,
        duration_s=lasting,
        report=report,
        flatten_on_exit=flatten_on_exit,
        json_lines=as_json,
        program=called(),
    )
    refuse_if_held(options.state_dir)
    raise typer.Exit(start(options))


def called() -> str:
    """What to type to call this program again from here: `scripts/run` does not put it on the PATH."""
    import os
    import shutil
    import sys

    beside = Path(sys.executable).parent / "skalp-bot"
    if shutil.which("skalp-bot") or not beside.exists():
        return "skalp-bot"
    near = os.path.relpath(beside)
    return str(beside) if near.startswith("..") else near


def start(options: "RunOptions") -> int:
    """Imported here: ccxt and the core cost most of a second, and no other command needs them.

    What they bring stays for good, so nobody looks for garbage in it: not now and not later.
    """
    import gc

    gc.disable()
    from skalp_bot.runner.run_live_aurora import main

    gc.freeze()
    gc.set_threshold(700, 3)  # The middle generation after 3 looks at the young instead of 10: shorter stops.
    gc.enable()
    return main(options)


def overrides(
    *, venue: VenueName | None, market: str | None, speed: float | None, seed: int | None
) -> dict[str, tuple[str, Any]]:
    """Key to option name and value, for those given; one seed is the market's and the strategy's."""
    given = {
        "venue": ("--venue", None if venue is None else venue.value),
        "market.source": ("--market", market),
        "market.speed": ("--speed", speed),
        "market.seed": ("--seed", seed),
        "strategy.seed": ("--seed", seed),
    }
    return {key: (name, value) for key, (name, value) in given.items() if value is not None}


def check_venue(venue: str, *, exchange: Path | None, played: object, accepted: bool) -> None:
    if venue == VenueName.LIVE and not accepted:
        raise typer.BadParameter("venue live trades real money: add --i-accept-live if you mean it")
    if venue != VenueName.LIVE and accepted:
        raise typer.BadParameter(f"--i-accept-live is for venue live, this is venue {venue}: leave it out")
    if venue != VenueName.PAPER and exchange is not None:
        raise typer.BadParameter(f"--exchange is for venue paper, this is venue {venue}: leave it out")
    if venue != VenueName.PAPER and played is not None:
        raise typer.BadParameter(
            f"--market and --speed are for venue paper, not venue {venue}: leave them out"
        )
    if exchange is not None and played is not None:
        raise typer.BadParameter("--exchange has its own market: give --market and --speed to that exchange")
