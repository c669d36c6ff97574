"""The tail of a whole book: what several positions may lose together, and what one order adds to it. Soft
state.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aurora.risk.arguments import Floats, count, finite, inside, not_negative
from aurora.risk.rolling import DECAY
from aurora.risk.tail import tail_place


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTail:
    """Loss of the book beyond the confidence level, in the unit of the exposures."""

    var: float
    cvar: float
    contributions: Mapping[str, float]
    """What each symbol adds to cvar; they sum to it (Euler)."""
    samples: int
    """Scenarios in which every symbol held was seen."""
    warming_up: bool


class BookScenarios:
    """Joint scenarios of the symbols' returns, filtered: each return over its own EWMA volatility, at the
    next one.

    window: scenarios kept. alpha: confidence in (0, 1). decay in (0, 1). With fewer than samples_min
    scenarios the shortfall is at least floor (the assumed shortfall per unit of exposure, at least 0)
    times the gross exposure, and it says warming_up. ValueError names the argument out of range. Source:
    Barone-Adesi, Giannopoulos, Vosper 1999; Rockafellar, Uryasev 2000; Tasche 1999 for the contributions.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        window: int = 1_000,
        alpha: float = 0.99,
        decay: float = DECAY,
        samples_min: int = 250,
        floor: float = 0.0,
    ) -> None:
        self.symbols = tuple(symbols)
        self.window = count("window", window, 2)
        self.alpha = inside("alpha", alpha, 0.0, 1.0)
        self.decay = inside("decay", decay, 0.0, 1.0)
        self.samples_min = count("samples_min", samples_min, 1)
        self.floor = not_negative("floor", floor)
        self.scaled: Floats = np.full((self.window, len(self.symbols)), np.nan)
        self.squares: Floats = np.zeros(len(self.symbols))
        self.weights: Floats = np.zeros(len(self.symbols))
        self.next_row = 0

    def push(self, returns: Mapping[str, float | None]) -> None:
        """Sees one sample of equal spacing: each symbol's return, None or absent where there was none.

        A symbol's first return only starts its volatility.
        """
        row = np.full(len(self.symbols), np.nan)
        for i, symbol in enumerate(self.symbols):
            value = returns.get(symbol)
            if value is None:
                continue
            ret = finite(f"returns[{symbol}]", value)
            variance = self.squares[i] / self.weights[i] if self.weights[i] > 0.0 else 0.0
            if variance > 0.0:
                row[i] = ret / math.sqrt(variance)
            elif self.weights[i] > 0.0:
                row[i] = 0.0
            self.squares[i] = self.decay * self.squares[i] + (1.0 - self.decay) * ret * ret
            self.weights[i] = self.decay * self.weights[i] + (1.0 - self.decay)
        if not np.isnan(row).all():
            self.scaled[self.next_row] = row
            self.next_row = (self.next_row + 1) % self.window

    def tail(self, exposures: Mapping[str, float]) -> BookTail:
        """The tail of signed exposures (any money unit, finite); KeyError for a symbol that is not
        followed.
        """
        held = [(self.place(symbol), finite(f"exposures[{symbol}]", e)) for symbol, e in exposures.items()]
        held = [(i, exposure) for i, exposure in held if exposure != 0.0]
        names = [self.symbols[i] for i, _ in held]
        if not held:
            return BookTail(var=0.0, cvar=0.0, contributions={}, samples=0, warming_up=False)
        places = [i for i, _ in held]
        weights = np.divide(
            self.squares, self.weights, out=np.zeros_like(self.squares), where=self.weights > 0
        )
        scale = np.array([exposure for _, exposure in held]) * np.sqrt(weights[places])
        losses = -self.scaled[:, places] * scale
        losses = losses[~np.isnan(losses).any(axis=1)]
        samples = losses.shape[0]
        gross = math.fsum(abs(exposure) for _, exposure in held)
        low = self.floor * gross if samples < self.samples_min else 0.0
        var, cvar, parts = shortfall(losses, self.alpha) if samples else (0.0, 0.0, np.zeros(len(held)))
        if cvar < low:
            parts = np.array([low * abs(exposure) / gross for _, exposure in held])
        return BookTail(
            var=max(low, var),
            cvar=max(low, cvar),
            contributions=dict(zip(names, parts.tolist(), strict=True)),
            samples=samples,
            warming_up=samples < self.samples_min,
        )

    def marginal(self, exposures: Mapping[str, float], symbol: str, change: float) -> tuple[BookTail, float]:
        """The tail after the symbol's exposure changes, and the cvar that the change adds (below zero: a
        hedge).
        """
        after = dict(exposures)
        after[symbol] = after.get(symbol, 0.0) + finite("change", change)
        tail = self.tail(after)
        return tail, tail.cvar - self.tail(exposures).cvar

    def place(self, symbol: str) -> int:
        if symbol not in self.symbols:
            raise KeyError(f"{symbol!r} is not followed; followed are {', '.join(self.symbols)}")
        return self.symbols.index(symbol)


def shortfall(losses: Floats, alpha: float) -> tuple[float, float, Floats]:
    """Var and coherent cvar of the row sums, and what each column contributes to cvar."""
    total = losses.sum(axis=1)
    k, share = tail_place(alpha, total.size)
    order = np.argsort(total, kind="stable")
    beyond = order[k:]
    weights = np.zeros(total.size)
    weights[beyond] = 1.0 / share
    weights[order[k - 1]] = 1.0 - beyond.size / share
    parts = np.asarray(weights @ losses, dtype=np.float64)
    return float(total[order[k - 1]]), math.fsum(parts.tolist()), parts
