"""`skalp-bot doctor`: is everything there that a run will need, and what to do where it is not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skalp_bot.cli.options import Json, Profile, VenueName

if TYPE_CHECKING:
    from skalp_bot.exch.findings import Finding
    from skalp_bot.runner.doctor import Diagnosis

EXAMPLE = "example: skalp-bot doctor profiles/btc_production_testnet.yaml --conformance"
HELP = "Check keys, clock, latency, filters, balances, slots, disk and versions; say what to do."

TryOrders = Annotated[
    bool,
    typer.Option(
        "--conformance", help="Also place, replace and cancel far-away orders (paper and testnet only)."
    ),
]
Venue = Annotated[VenueName | None, typer.Option("--venue", help="Overrules the profile's venue.")]
Exchange = Annotated[
    Path | None,
    typer.Option("--exchange", metavar="READY.json", help="A running paper exchange instead of a new one."),
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="Whose disk is measured; default: state.")
]


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=EXAMPLE, help=HELP)(doctor)


def doctor(
    *,
    profile: Profile,
    conformance: TryOrders = False,
    venue: Venue = None,
    exchange: Exchange = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Exit 0 when nothing fails, 1 when this machine does, 3 when the venue or the account does."""
    import os

    from skalp_bot.config import RunOptions, load_config, take_keys
    from skalp_bot.obs.log import install
    from skalp_bot.runner.doctor import main

    keys = take_keys(os.environ)
    asked = {} if venue is None else {"venue": ("--venue", venue.value)}
    loaded = load_config(profile, environ=os.environ, options=asked)
    chosen = loaded.config.venue.value
    if conformance and chosen == VenueName.LIVE:
        raise typer.BadParameter("--conformance sends orders: it is refused on venue live, use testnet")
    if exchange is not None and chosen != VenueName.PAPER:
        raise typer.BadParameter(f"--exchange is for venue paper, this is venue {chosen}: leave it out")
    install(handle=2, level="error")
    options = RunOptions(
        loaded=loaded,
        profile=profile,
        state_dir=state_dir or Path(loaded.config.journal.root),
        keys=None if chosen == VenueName.PAPER else keys,
        exchange=exchange,
    )
    shown(main(options, conformance=conformance), {"profile": str(profile), "venue": chosen}, as_json=as_json)


def shown(diagnosis: "Diagnosis", about: dict[str, Any], *, as_json: bool) -> None:
    from dataclasses import asdict

    from skalp_bot.cli.errors import FAILED, REFUSED
    from skalp_bot.cli.render import put, put_json
    from skalp_bot.exch.findings import Verdict, failed

    rows = [asdict(finding) for finding in diagnosis.findings]
    counts = {verdict.value: sum(row["verdict"] is verdict for row in rows) for verdict in Verdict}
    fine = not failed(diagnosis.findings)
    if as_json:
        put_json({**about, "ok": fine, "counts": counts, "findings": rows})
    else:
        for finding in diagnosis.findings:
            put(line(finding))
        put(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
    if not fine:
        raise typer.Exit(REFUSED if failed(diagnosis.there) else FAILED)


def line(finding: "Finding") -> str:
    """What was seen, and below it what to do where it is not well."""
    wanted = f"  (wanted: {finding.limit})" if finding.limit and finding.advice else ""
    told = f"{finding.verdict.value:<6}{finding.check:<30}{finding.observed}{wanted}"
    return f"{told}\n{'':<36}-> {finding.advice}" if finding.advice else told
