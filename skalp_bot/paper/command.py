"""The command line of the paper exchange on its own: `python -m skalp_bot.paper`."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from skalp_bot.paper.market import MarketError
from skalp_bot.paper.server import serve
from skalp_bot.paper.settings import ExchangeOptions, OptionError

SWITCH = {"on": True, "off": False}
KEY_VARIABLES = {"api_key": "PAPER_API_KEY", "api_secret": "PAPER_API_SECRET"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the exchange; 0 when stopped by a signal, 2 when an option cannot be used."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        options = read_options(sys.argv[1:] if arguments is None else arguments, os.environ)
        run(options)
    except (OptionError, MarketError) as error:
        print(f"skalp-bot exchange: {error}", file=sys.stderr)  # noqa: T201  # the one line a person reads
        return 2
    return 0


def run(options: ExchangeOptions) -> None:
    uvloop.run(serve(options)) if sys.platform != "win32" else asyncio.run(serve(options))


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> ExchangeOptions:
    given = parser().parse_args(arguments)
    switches = {name: environment[key] for name, key in KEY_VARIABLES.items() if environment.get(key)}
    for item in given.set:
        name, mark, value = item.partition("=")
        if not mark:
            raise OptionError(f"--set {item}: must be KEY=VALUE")
        switches[name] = value
    return ExchangeOptions(
        host=given.host,
        port=given.port,
        market=given.market,
        speed=given.speed,
        seed=given.seed,
        symbols=tuple(filter(None, given.symbols.split(","))),
        limits=SWITCH[given.limits],
        state_dir=given.state_dir,
        ready_file=given.ready_file,
        advertise=given.advertise,
        lenient_routes=None if given.lenient_routes is None else SWITCH[given.lenient_routes],
        switches=switches,
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        exit_with_parent=given.exit_with_parent,
    )


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skalp-bot exchange",
        description="A Binance USD-M futures venue on one port of this machine.",
        epilog="example: skalp-bot exchange --symbols BTCUSDT,ETHUSDT --seed 7 --ready-file ready.json",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, see --ready-file")
    parser.add_argument("--market", default="synthetic", help="synthetic | script:FILE | tape:FILE")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--symbols", default="", help="BTCUSDT,ETHUSDT; default: all the market has")
    parser.add_argument("--limits", choices=SWITCH, default="on")
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--advertise", help="host name written to the ready file")
    parser.add_argument("--lenient-routes", choices=SWITCH, help="default: on when --host is loopback")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin closes")
    return parser
