"""`skalp-bot check-config` and `skalp-bot config explain`: what would be traded with, and who said so."""

import typer

from skalp_bot.cli.options import Json, Profile

CHECK_EXAMPLE = "example: skalp-bot check-config profiles/btc_production_testnet.yaml"
EXPLAIN_EXAMPLE = "example: skalp-bot config explain profiles/paper.yaml"


def register(app: typer.Typer, group: typer.Typer) -> None:
    app.command("check-config", epilog=CHECK_EXAMPLE, help="Read a profile, refuse or warn.")(check)
    group.command("explain", epilog=EXPLAIN_EXAMPLE, help="Every value and the layer that set it.")(explain)


def check(*, profile: Profile, as_json: Json = False) -> None:
    """Exit 2 when it cannot be used; warnings alone are exit 0."""
    import os

    from skalp_bot.cli.render import put, put_json
    from skalp_bot.config import load_config
    from skalp_bot.config.advice import check_config

    loaded = load_config(profile, environ=os.environ)
    warnings = check_config(loaded.config)
    if as_json:
        told = [{"code": one.code, "keys": one.keys, "message": one.message} for one in warnings]
        put_json({"ok": True, "profile": str(profile), "files": loaded.files, "warnings": told})
        return
    for one in warnings:
        put(f"warning {one.code}: {one.message}")
    many = {0: "no warnings", 1: "1 warning"}.get(len(warnings), f"{len(warnings)} warnings")
    put(f"{profile}: usable, {many} (read: {', '.join(reversed(loaded.files))})")


def explain(*, profile: Profile, as_json: Json = False) -> None:
    """Secrets are named and never shown."""
    import os

    from skalp_bot.cli.render import put_json, put_table
    from skalp_bot.config import load_config
    from skalp_bot.config.describe import explained
    from skalp_bot.config.secret import API_KEY, API_SECRET

    rows = explained(load_config(profile, environ=os.environ))
    for name in (API_KEY, API_SECRET):
        names = [one for one in (name, f"{name}_FILE") if os.environ.get(one)]
        said = names[0] if names else "nobody"
        rows.append({"key": name, "value": "***" if names else "not set", "set_by": said, "overrules": ""})
    if as_json:
        put_json(rows)
    else:
        put_table(rows)
