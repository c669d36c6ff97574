"""Commands that only look: at a running daemon through its socket, else at its journal."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from skalp_bot.cli.options import Json, StateDir

Symbol = Annotated[str | None, typer.Argument(metavar="[SYMBOL]", show_default=False, help="Default: all.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Of an order or a halt.", show_default=False)]

HELP = {
    "status": "Trading state, positions, stops, the last decision of each symbol and its reason.",
    "positions": "Open positions and what protects them.",
    "orders": "Orders that are not finished.",
    "gates": "Every gate's last look: observed against limit.",
    "ledger": "The wallet, cent by cent: every change and its cause.",
    "why": "Why an order was sent, and what became of it.",
    "why-not": "Why there is no entry right now.",
}


def register(app: typer.Typer) -> None:
    for name, command in {"status": status, "positions": positions, "orders": orders, "gates": gates}.items():
        app.command(name, help=HELP[name], epilog=f"example: skalp-bot {name} --json")(command)
    app.command("why", help=HELP["why"], epilog="example: skalp-bot why ska1-1a2b3c-7-0E")(why)
    app.command("why-not", help=HELP["why-not"], epilog="example: skalp-bot why-not BTCUSDT")(why_not)
    app.command("ledger", help=HELP["ledger"], epilog="example: skalp-bot ledger --state-dir state/testnet")(
        ledger
    )


def status(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    show("status", state_dir, as_json=as_json)


def positions(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    show("positions", state_dir, as_json=as_json)


def orders(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    show("orders", state_dir, as_json=as_json)


def gates(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    show("gates", state_dir, as_json=as_json)


def ledger(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    show("ledger", state_dir, as_json=as_json)


def why_not(*, symbol: Symbol = None, state_dir: StateDir = None, as_json: Json = False) -> None:
    show(f"why-not/{symbol.upper()}" if symbol else "why-not", state_dir, as_json=as_json)


def why(*, name: Id, state_dir: StateDir = None, as_json: Json = False) -> None:
    show(f"why/{name}", state_dir, as_json=as_json)


def show(page: str, state_dir: Any, *, as_json: bool) -> None:
    from skalp_bot.cli.places import find
    from skalp_bot.cli.render import aside, put_json, put_view

    place = find(state_dir)
    aside(f"state directory {place.said}")
    if place.alive:
        from skalp_bot.cli.client import get

        told = get(place.socket, page)
    else:
        told = from_journal(page)(place.journal)
    if as_json:
        put_json(told)
    else:
        from skalp_bot.cli.pages import for_people

        put_view(for_people(page.partition("/")[0], told))


def from_journal(page: str) -> Callable[[Any], dict[str, Any]]:
    """What the journal can tell by itself."""
    from skalp_bot.cli import offline
    from skalp_bot.cli.errors import CommandError

    views = {
        "status": offline.status,
        "positions": offline.positions,
        "orders": offline.orders,
        "ledger": offline.ledger,
    }
    if page.startswith("why/"):
        return lambda path: offline.why(path, page.removeprefix("why/"))
    if page not in views:
        word = page.partition("/")[0]
        raise CommandError(
            f"{word} is known to a running daemon only, and none answers: skalp-bot run starts one"
        )
    return views[page]
