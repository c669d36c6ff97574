"""`skalp-bot exchange`: the paper exchange on its own, for any Binance client."""

from pathlib import Path
from typing import Annotated

import typer

from skalp_bot.cli.options import Json, Market, Seed, Speed, Switch

EXAMPLE = "example: skalp-bot exchange --symbols BTCUSDT,ETHUSDT --seed 7 --ready-file ready.json"
KEY_VARIABLES = {"api_key": "PAPER_API_KEY", "api_secret": "PAPER_API_SECRET"}

Host = Annotated[str, typer.Option("--host", help="Loopback unless you mean it.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: a free one, see --ready-file.")]
Symbols = Annotated[str, typer.Option("--symbols", metavar="A,B", help="Default: all the market has.")]
Limits = Annotated[Switch, typer.Option("--limits", help="Rate limits and order counts.")]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="Keep accounts and orders there.")
]
Ready = Annotated[
    Path | None, typer.Option("--ready-file", metavar="F.json", help="Written once it answers.")
]
Advertise = Annotated[str | None, typer.Option("--advertise", metavar="HOST", help="Name in the ready file.")]
Lenient = Annotated[
    Switch | None, typer.Option("--lenient-routes", help="Default: on when --host is loopback.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Venue switch; repeatable.")
]
Cert = Annotated[Path | None, typer.Option("--tls-cert", hidden=True)]
Key = Annotated[Path | None, typer.Option("--tls-key", hidden=True)]
WithParent = Annotated[bool, typer.Option("--exit-with-parent", hidden=True)]


def register(app: typer.Typer) -> None:
    app.command(
        "exchange", epilog=EXAMPLE, help="A Binance USD-M futures venue on one port of this machine."
    )(exchange)


def exchange(  # noqa: PLR0913 -- one parameter an option
    *,
    host: Host = "127.0.0.1",
    port: Port = 0,
    market: Market = None,
    speed: Speed = None,
    seed: Seed = None,
    symbols: Symbols = "",
    limits: Limits = Switch.ON,
    state_dir: StateDir = None,
    ready_file: Ready = None,
    advertise: Advertise = None,
    lenient_routes: Lenient = None,
    settings: Settings = None,
    tls_cert: Cert = None,
    tls_key: Key = None,
    exit_with_parent: WithParent = False,
    as_json: Json = False,
) -> None:
    import os

    from skalp_bot.paper.command import run
    from skalp_bot.paper.settings import ExchangeOptions

    switches = {name: os.environ[key] for name, key in KEY_VARIABLES.items() if os.environ.get(key)}
    options = ExchangeOptions(
        host=host,
        port=port,
        market=market or "synthetic",
        speed=1.0 if speed is None else speed,
        seed=seed or 0,
        symbols=tuple(filter(None, symbols.split(","))),
        limits=limits.on,
        state_dir=state_dir,
        ready_file=ready_file,
        advertise=advertise,
        lenient_routes=None if lenient_routes is None else lenient_routes.on,
        switches=switches | switched(settings or []),
        tls_cert=tls_cert,
        tls_key=tls_key,
        exit_with_parent=exit_with_parent,
    )
    tell(as_json=as_json)
    run(options)


def switched(settings: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in settings:
        name, mark, value = item.partition("=")
        if not mark:
            raise typer.BadParameter(f"--set {item}: must be KEY=VALUE")
        found[name] = value
    return found


def tell(*, as_json: bool) -> None:
    """Log lines on standard error, as text or JSON."""
    import sys

    if as_json:
        from skalp_bot.obs.log import install

        install(handle=sys.stderr.fileno(), level="info")
    else:
        import logging

        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
