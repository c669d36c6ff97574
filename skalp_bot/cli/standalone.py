"""`skalp-bot cancel --standalone`: entries cancelled when no daemon can be asked to."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skalp_bot.runner.directions import Directions


def cancel_alone(
    state_dir: Path | None, profile: Path | None, exchange: Path | None, *, reason: str, as_json: bool
) -> None:
    """The HALT file first; then the listing, the cancels, and a listing that shows that they worked."""
    import asyncio
    import getpass
    import os
    from dataclasses import asdict

    from skalp_bot.cli.errors import FAILED
    from skalp_bot.cli.places import find
    from skalp_bot.cli.render import aside, put_json, put_view
    from skalp_bot.clock import SystemClock
    from skalp_bot.config import take_keys
    from skalp_bot.runner.marks import HALT
    from skalp_bot.runner.standalone import cancel_entries, leave_halt

    place = state_dir or find(None).state_dir
    unmarked = ""
    try:
        leave_halt(place, f"{user(getpass)}: cancel --standalone: {reason or 'asked'}")
    except OSError as error:  # The entries are cancelled all the same.
        unmarked = f"{place / HALT} cannot be written ({error.strerror}): the next start will not be HALTED"
    keys = take_keys(os.environ)
    found = directions(place, profile, exchange)
    aside(f"state directory {place}; {unmarked or 'the next start there is HALTED'}")
    swept = asyncio.run(cancel_entries(found, keys, SystemClock()))
    told: dict[str, Any] = {**asdict(swept), "halt_file": "" if unmarked else str(place / HALT)}
    if unmarked:
        told["error"] = unmarked
    if not swept.verified:
        told["error"] = swept.error or f"entries still work: {', '.join(swept.left)}; ask again"
    if as_json:
        put_json(told)
    else:
        put_view(told)
    still = running(place)
    if still:
        aside(still)
    if unmarked or not swept.verified:
        raise typer.Exit(FAILED)


def user(getpass: Any) -> str:
    """A container's user may have no name."""
    try:
        return str(getpass.getuser())
    except (KeyError, OSError):
        return "operator"


def directions(state_dir: Path, profile: Path | None, exchange: Path | None) -> "Directions":
    """As the run left them, or as the profile and the ready file say."""
    import os

    from skalp_bot.config import load_config
    from skalp_bot.runner.directions import CHILD_READY, directions_of, read_directions

    if profile is None:
        return read_directions(state_dir)
    loaded = load_config(profile, environ=os.environ)
    return directions_of(loaded.config, exchange or state_dir / CHILD_READY)


def running(state_dir: Path) -> str:
    """A warning when a daemon lives: it may send new entries."""
    from skalp_bot.journal.lock import LOCK_FILE, held, holder

    if not held(state_dir):
        return ""
    return (
        f"process {holder(state_dir / LOCK_FILE)} still runs in {state_dir} and may send new entries: "
        "halt it (skalp-bot halt), or end it with kill -9 if it hangs"
    )
