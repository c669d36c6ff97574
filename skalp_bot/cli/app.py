"""The command line: its commands, and which exit code each kind of failure gets."""

import sys
from collections.abc import Sequence

import typer

from skalp_bot.cli import config, doctor, exchange, operate, run, show
from skalp_bot.cli.errors import CommandError, exit_code_of, said

app = typer.Typer(
    name="skalp-bot",
    help="A live trading daemon for Binance USD-M futures: sized, gated, protected, reconciled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
explain = typer.Typer(help="The configuration and who set it.", no_args_is_help=True)

run.register(app)
exchange.register(app)
config.register(app, explain)
doctor.register(app)
show.register(app)
operate.register(app)
app.add_typer(explain, name="config")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 ok, 1 failed, 2 bad usage or config, 3 exchange refuses us, 4 halted on an invariant."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="skalp-bot")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        told(error, code, as_json="--json" in given)
        return code
    return 0


def told(error: Exception, code: int, *, as_json: bool) -> None:
    if as_json:
        import orjson

        body = error.body if isinstance(error, CommandError) else {}
        sys.stdout.write(orjson.dumps({"error": said(error), "exit_code": code, **body}).decode() + "\n")
    else:
        sys.stderr.write(f"skalp-bot: {said(error)}\n")
