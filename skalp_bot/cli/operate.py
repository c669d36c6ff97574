"""Commands that change something: verbs for a running daemon, each answered when its effect is proven."""

from pathlib import Path
from typing import Annotated, Any

import typer

from skalp_bot.cli.options import Json, StateDir

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
    typer.Option("--profile", metavar="P", help="With --standalone, where no run left its venue."),
]
Exchange = Annotated[
    Path | None,
    typer.Option("--exchange", metavar="READY.json", help="With --standalone and --profile, on venue paper."),
]

HELP = {
    "pause": "No new entries; positions and their protection go on.",
    "cancel": "Cancel resting entry orders, nothing else.",
    "halt": "Cancel entries and stop the strategy; protection continues. Ended by resume.",
    "flatten": "Halt and close every position at market, verified by listing.",
    "reconcile": "Hold the books against the exchange now.",
    "resume": "Trade again after a pause or halt.",
}
HALT_FILE = "HALT"
RESUME_EXAMPLE = "example: skalp-bot resume H-17 --reason 'spread is back'"


def register(app: typer.Typer) -> None:
    verbs = {"pause": pause, "cancel": cancel, "halt": halt, "flatten": flatten, "reconcile": reconcile}
    for name, command in verbs.items():
        app.command(name, help=HELP[name], epilog=f"example: skalp-bot {name} --reason 'news at 14:30'")(
            command
        )
    app.command("resume", help=HELP["resume"], epilog=RESUME_EXAMPLE)(resume)


def pause(*, reason: Reason = "", state_dir: StateDir = None, as_json: Json = False) -> None:
    act("pause", state_dir, reason=reason, as_json=as_json)


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
    if profile is not None or exchange is not None:
        raise typer.BadParameter("--profile and --exchange go with --standalone: add it, or leave them out")
    act("cancel", state_dir, reason=reason, as_json=as_json)


def halt(*, reason: Reason = "", state_dir: StateDir = None, as_json: Json = False) -> None:
    act("halt", state_dir, reason=reason, as_json=as_json)


def flatten(*, reason: Reason = "", state_dir: StateDir = None, as_json: Json = False) -> None:
    act("flatten", state_dir, reason=reason, as_json=as_json)


def reconcile(*, reason: Reason = "", state_dir: StateDir = None, as_json: Json = False) -> None:
    act("reconcile", state_dir, reason=reason, as_json=as_json)


def resume(*, halt_id: HaltId, reason: Why, state_dir: StateDir = None, as_json: Json = False) -> None:
    act("resume", state_dir, reason=reason, halt_id=halt_id, as_json=as_json)


def act(verb: str, state_dir: Path | None, *, reason: str, as_json: bool, halt_id: str = "") -> None:
    import getpass

    from skalp_bot.cli.places import find
    from skalp_bot.cli.render import aside, put_json, put_view

    place = find(state_dir)
    aside(f"state directory {place.said}")
    body = {"by": getpass.getuser(), "reason": reason, "halt_id": halt_id}
    if place.alive:
        from skalp_bot.cli.client import post

        told = post(place.socket, verb, {key: value for key, value in body.items() if value})
    else:
        told = without_daemon(verb, place.state_dir, body)
    if as_json:
        put_json(told)
    else:
        put_view(told)


def without_daemon(verb: str, state_dir: Path, body: dict[str, str]) -> dict[str, Any]:
    """A halt is left for the next start; anything else needs somebody to carry it out."""
    from skalp_bot.cli.errors import CommandError
    from skalp_bot.journal.lock import LOCK_FILE, held, holder

    hung = held(state_dir)
    if verb == "halt":
        said = f"{body['by']}: {body['reason'] or 'asked: halt'}\n"
        (state_dir / HALT_FILE).write_text(said, encoding="utf-8")
    if hung:
        left = f"{state_dir / HALT_FILE} makes its next start HALTED; " if verb == "halt" else ""
        raise CommandError(
            f"process {holder(state_dir / LOCK_FILE)} holds {state_dir} and does not answer: {left}"
            "see its log, end it with kill -9 if it hangs (its stops rest at the exchange), start it again"
        )
    if verb != "halt":
        raise CommandError(
            f"no daemon runs in {state_dir}, so nobody can {verb}: start it with skalp-bot run --state-dir "
            f"{state_dir}, then {verb}; its stops rest at the exchange meanwhile"
        )
    return {"verified": True, "daemon": False, "effect": f"the next start in {state_dir} is HALTED"}
