"""Options that several commands share, and how durations and switches are read."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON value on standard output.")]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", help="Default: the newest under state/ that answers, else its newest journal."
    ),
]
Profile = Annotated[Path, typer.Argument(help="A YAML file, as profiles/paper.yaml.", show_default=False)]
Market = Annotated[
    str | None, typer.Option("--market", metavar="M", help="synthetic | script:FILE | tape:FILE[,FILE...]")
]
Speed = Annotated[float | None, typer.Option("--speed", metavar="X", help="Tape seconds per second.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Of the synthetic market.")]

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Switch(StrEnum):
    ON = "on"
    OFF = "off"

    @property
    def on(self) -> bool:
        return self is Switch.ON


class VenueName(StrEnum):
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


def seconds(text: str) -> float:
    """``60s``, ``5m``, ``1.5h``, ``1d`` or plain seconds; above zero."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    value = float(found[1]) * UNITS[found[2]] if found else 0.0
    if value <= 0:
        raise typer.BadParameter(f"{text!r}: must be a time above zero, as 60s, 5m or 1h")
    return value
