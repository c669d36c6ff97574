"""Commands that change something, answered when the effect is proven: by the daemon, or where none runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skalp_bot.cli.options import Json, StateDir

if TYPE_CHECKING:
    from skalp_bot.config import RunOptions

Reason = Annotated[str, typer.Option("--reason", metavar="R", help="Kept in the journal.")]
Why = Annotated[str, typer.Option("--reason", metavar="R", help="Kept in the journal.", show_default=False)]
HaltId = Annotated[str, typer.Argument(metavar="HALT_ID", help="As the halt printed it.", show_default=False)]
Standalone = Annotated[
    bool,
    typer.Option(
        "--standalone",
        help="Without the daemon, its lock or its journal: over REST; the next start is HALTED.",
    ),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", metavar="P", help="Where no daemon runs and no run left its configuration."),
]
Exchange = Annotated[
    Path | None,
    typer.Option("--exchange", metavar="READY.json", help="Where no daemon runs, on venue paper."),
]

HELP = {
    "pause": "No new entries; positions and their protection go on.",
    "cancel": "Cancel resting entry orders, nothing else.",
    "halt": "Cancel entries and stop the strategy; protection continues. Ended by resume.",
    "flatten": "Halt and close every position at market, verified by listing.",
    "reconcile": "Hold the books against the exchange now.",
    "resume": "Trade again after a pause or halt.",
}
RESUME_EXAMPLE = "example: skalp-bot resume H-17 --reason 'spread is back'"


def register(app: typer.Typer) -> None:
    verbs = {"pause": pause, "cancel": cancel, "halt": halt, "flatten": flatten, "reconcile": reconcile}
    for name, command in verbs.items():
        app.command(name, help=HELP[name], epilog=f"example: skalp-bot {name} --reason 'news at 14:30'")(
            command
        )
    app.command("resume", help=HELP["resume"], epilog=RESUME_EXAMPLE)(resume)


def pause(
    *,
    reason: Reason = "",
    state_dir: StateDir = None,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    act("pause", Where(state_dir, profile, exchange), reason=reason, as_json=as_json)


def cancel(
    *,
    reason: Reason = "",
    state_dir: StateDir = None,
    standalone: Standalone = False,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    if standalone:
        from skalp_bot.cli.standalone import cancel_alone

        cancel_alone(state_dir, profile, exchange, reason=reason, as_json=as_json)
        return
    act("cancel", Where(state_dir, profile, exchange), reason=reason, as_json=as_json)


def halt(
    *,
    reason: Reason = "",
    state_dir: StateDir = None,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    act("halt", Where(state_dir, profile, exchange), reason=reason, as_json=as_json)


def flatten(
    *,
    reason: Reason = "",
    state_dir: StateDir = None,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    act("flatten", Where(state_dir, profile, exchange), reason=reason, as_json=as_json)


def reconcile(
    *,
    reason: Reason = "",
    state_dir: StateDir = None,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    act("reconcile", Where(state_dir, profile, exchange), reason=reason, as_json=as_json)


def resume(
    *,
    halt_id: HaltId,
    reason: Why,
    state_dir: StateDir = None,
    profile: ProfileOption = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    act("resume", Where(state_dir, profile, exchange), reason=reason, halt_id=halt_id, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Where:
    """Whose verb it is; the last two count where no daemon runs."""

    state_dir: Path | None
    profile: Path | None
    exchange: Path | None


def act(verb: str, where: Where, *, reason: str, as_json: bool, halt_id: str = "") -> None:
    import getpass

    from skalp_bot.cli.places import find
    from skalp_bot.cli.render import aside, put_json, put_view
    from skalp_bot.cli.standalone import user

    place = find(where.state_dir)
    aside(f"state directory {place.said}")
    body = {"by": user(getpass), "reason": reason, "halt_id": halt_id}
    if place.alive:
        from skalp_bot.cli.client import post

        if where.profile is not None or where.exchange is not None:
            raise typer.BadParameter("--profile and --exchange are for where no daemon runs: leave them out")
        told = post(place.socket, verb, {key: value for key, value in body.items() if value})
    else:
        told = without_daemon(verb, place.state_dir, where, body)
    if as_json:
        put_json(told)
    else:
        put_view(told)


def without_daemon(verb: str, state_dir: Path, where: Where, body: dict[str, str]) -> dict[str, Any]:
    """The lock, the journal and the exchange are ours for as long as it takes."""
    from aurora.errors import ConfigError
    from skalp_bot.cli.errors import OK, USAGE, CommandError
    from skalp_bot.runner.control import VERBS
    from skalp_bot.runner.errand import Asked, main

    refuse_where_one_hangs(verb, state_dir, body)
    asked = Asked(
        verb=VERBS[verb],
        by=body["by"],
        reason=body["reason"] or f"asked: {verb}",
        halt_id=body["halt_id"],
    )
    try:
        options = options_of(state_dir, where)
    except ConfigError as error:
        raise CommandError(f"{halt_left(verb, state_dir, body)}{error}", code=USAGE) from None
    outcome = main(options, asked)
    if outcome.code != OK:
        told = outcome.answer.body
        raise CommandError(str(told.get("error", "failed")), code=outcome.code, body=told)
    return outcome.answer.body


def refuse_where_one_hangs(verb: str, state_dir: Path, body: dict[str, str]) -> None:
    """Whoever holds the journal has to be ended first."""
    from skalp_bot.cli.errors import CommandError
    from skalp_bot.journal.lock import LOCK_FILE, held, holder

    if not held(state_dir):
        return
    raise CommandError(
        f"process {holder(state_dir / LOCK_FILE)} holds {state_dir} and does not answer: "
        f"{halt_left(verb, state_dir, body)}see its log, end it with kill -9 if it hangs "
        "(its stops rest at the exchange), start it again"
    )


def halt_left(verb: str, state_dir: Path, body: dict[str, str]) -> str:
    """A halt that cannot be journaled is left for the next start."""
    from skalp_bot.runner.standalone import leave_halt

    if verb != "halt":
        return ""
    leave_halt(state_dir, f"{body['by']}: {body['reason'] or 'asked: halt'}")
    return f"{state_dir}/HALT makes its next start HALTED; "


def options_of(state_dir: Path, where: Where) -> "RunOptions":
    """As the last run there was told, unless a profile or an exchange is named."""
    import os
    from dataclasses import replace

    from skalp_bot.config import RunOptions, Venue, load_config, take_keys
    from skalp_bot.config.kept import kept_options

    keys = take_keys(os.environ)
    if where.profile is None:
        options = kept_options(state_dir)
    else:
        loaded = load_config(where.profile, environ=os.environ)
        resumed = (state_dir / "exchange").is_dir()
        options = RunOptions(
            loaded=loaded, profile=where.profile, state_dir=state_dir, resume_exchange=resumed
        )
    on_paper = options.config.venue is Venue.PAPER
    if where.exchange is not None and not on_paper:
        raise typer.BadParameter(
            f"--exchange is for venue paper, this is venue {options.config.venue}: leave it out"
        )
    return replace(options, keys=None if on_paper else keys, exchange=where.exchange or options.exchange)
