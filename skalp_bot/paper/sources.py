"""Opens a market source by its name on the command line: synthetic, script:FILE or tape:FILE[,FILE...]."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from skalp_bot.paper.market import Grid, MarketError, MarketSource
from skalp_bot.paper.script import open_script
from skalp_bot.paper.synthetic import SyntheticMarket
from skalp_bot.paper.tape import open_tape

KINDS = "synthetic, script:FILE, tape:FILE[,FILE...]"


def open_market(
    spec: str, *, symbols: Sequence[str] | None, specs: Mapping[str, Grid], speed: float, seed: int
) -> MarketSource:
    """Open the market named by `spec` for `symbols` (None: all it has).

    Symbols the source does not have are left out: compare `source.symbols`. Raises MarketError.
    """
    if not 0 < speed < float("inf"):
        raise MarketError(f"market: value {speed} of speed is not allowed; allowed: above 0")
    kind, _, rest = spec.partition(":")
    match kind:
        case "synthetic" if not rest:
            served = tuple(specs) if symbols is None else symbols
            return SyntheticMarket(symbols=served, specs=specs, speed=speed, seed=seed)
        case "tape" if rest:
            return open_tape(rest, symbols=symbols, specs=specs, speed=speed)
        case "script" if rest:
            return open_script(Path(rest), symbols=symbols, specs=specs, speed=speed)
        case _:
            raise MarketError(f"market: value {spec} is not allowed; allowed: {KINDS}")
