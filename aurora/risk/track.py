"""Covariance of live returns, followed one sample at a time, symbols coming, missing and going stale. Soft
state.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from aurora.risk.arguments import Floats, finite, not_negative
from aurora.risk.covariance import Shrunk, shrunk_to_identity

PIECE_ELEMENTS, BEATS = 32_768, 8  # Of a matrix at once; a sample is folded within so many pieces.
ShrinkTarget = Literal["identity", "none"]


class CovarianceTrack:
    """Exponentially weighted covariance of the symbols' returns, the mean taken as zero, shrunk (Ledoit-
    Wolf).

    decay: weight the past keeps per sample, in (0, 1]; 1 weighs all samples alike. A pair of symbols is
    updated only by samples that hold both, so a missing return neither pulls it to zero nor ages it. A
    symbol unseen for more than `stale_samples` samples is stale: it keeps its last variance, and `stale`
    names it. ValueError names the argument out of range. Source: RiskMetrics 1996; Ledoit, Wolf 2004, the
    noise of a weighted mean being the sum of the squared weights times the dispersion of x x'.
    """

    def __init__(self, symbols: Sequence[str], *, decay: float, stale_samples: int = 60) -> None:
        if not symbols or len(dict.fromkeys(symbols)) != len(symbols):
            raise ValueError(f"symbols must be at least one and all different, got {list(symbols)!r}")
        if not 0.0 < decay <= 1.0:
            raise ValueError(f"decay must be in (0, 1], got {decay!r}")
        self.symbols = tuple(symbols)
        self.decay = decay
        self.stale_samples = int(not_negative("stale_samples", stale_samples))
        size = len(self.symbols)
        self.moments: Floats = np.zeros((size, size))
        self.weights: Floats = np.zeros((size, size))
        self.values, self.seen = np.zeros(size), np.zeros(size)  # The newest sample.
        self.folded = size  # Rows of the matrices that have it already.
        self.piece = max(PIECE_ELEMENTS // size, size // BEATS + 1)
        self.scratch: tuple[Floats, Floats] = (np.zeros((self.piece, size)), np.zeros((self.piece, size)))
        self.squared_weight = 0.0
        self.whole_weight = 0.0
        self.fourth = 0.0
        self.unseen = [0] * size
        self.samples = 0

    def push(self, returns: Mapping[str, float | None]) -> None:
        """Sees one sample: the return of each symbol over the period, None or absent where there was none.

        The matrices follow in pieces, one now; the next sample and every question wait for all of them.
        """
        self.finish()
        values = np.zeros(len(self.symbols))
        seen = np.zeros(len(self.symbols))
        for i, symbol in enumerate(self.symbols):
            value = returns.get(symbol)
            self.unseen[i] = 0 if value is not None else self.unseen[i] + 1
            if value is not None:
                values[i], seen[i] = finite(f"returns[{symbol}]", value), 1.0
        if not seen.any():
            return
        self.samples += 1
        norm = float(values @ values) * len(self.symbols) / float(seen.sum())
        self.fourth = self.decay * self.fourth + norm * norm
        self.whole_weight = self.decay * self.whole_weight + 1.0
        self.squared_weight = self.decay * self.decay * self.squared_weight + 1.0
        self.values, self.seen, self.folded = values, seen, 0
        self.fold()

    def fold(self) -> None:
        """Some more rows of the matrices take the newest sample in: with hundreds of symbols all take ms."""
        begin, end = self.folded, min(self.folded + self.piece, len(self.symbols))
        if begin == end:
            return
        both, other = (matrix[: end - begin] for matrix in self.scratch)  # In place: cheaper by far.
        moments, weights = self.moments[begin:end], self.weights[begin:end]
        np.outer(self.seen[begin:end], self.seen, out=both)
        np.multiply(both, self.decay - 1.0, out=other)
        other += 1.0
        moments *= other
        weights *= other
        weights += both
        moments += np.outer(self.values[begin:end], self.values, out=other)
        self.folded = end

    def finish(self) -> None:
        """Whatever was not folded yet."""
        while self.folded < len(self.symbols):
            self.fold()

    @property
    def stale(self) -> tuple[str, ...]:
        """Symbols not seen for longer than allowed, or never; their covariances must not be relied on."""
        self.finish()
        never = self.weights.diagonal() == 0.0
        return tuple(
            symbol for i, symbol in enumerate(self.symbols) if never[i] or self.unseen[i] > self.stale_samples
        )

    def covariance(
        self, symbols: Sequence[str] | None = None, *, shrink: ShrinkTarget = "identity"
    ) -> Shrunk:
        """The covariance of the symbols (all by default) in that order, positive semidefinite, shape (n, n).

        KeyError for a symbol never tracked; ValueError for one that was never seen, naming it.
        """
        self.finish()
        chosen = self.symbols if symbols is None else tuple(symbols)
        places = [self.symbols.index(s) if s in self.symbols else self.unknown(s) for s in chosen]
        weights = self.weights[np.ix_(places, places)]
        for i, symbol in enumerate(chosen):
            if weights[i, i] == 0.0:
                raise ValueError(f"symbols must have been seen at least once, got {symbol!r}")
        moments = self.moments[np.ix_(places, places)]
        sample = np.divide(moments, weights, out=np.zeros_like(moments), where=weights > 0.0)
        sample = made_semidefinite(sample) if self.uneven(weights) else sample
        if shrink == "none":
            return Shrunk(cov=sample, shrinkage=None)
        fourth = self.fourth / self.whole_weight * (len(chosen) / len(self.symbols)) ** 2
        share = self.squared_weight / (self.whole_weight * self.whole_weight)
        return shrunk_to_identity(sample, share * (fourth - float((sample * sample).sum())))

    def unknown(self, symbol: str) -> int:
        raise KeyError(f"{symbol!r} is not tracked; tracked are {', '.join(self.symbols)}")

    def uneven(self, weights: Floats) -> bool:
        """Whether pairs were seen at different times, which can cost positive semidefiniteness."""
        return bool(weights.min() != weights.max())


def made_semidefinite(cov: Floats) -> Floats:
    """The matrix with negative eigenvalues raised to zero and the variances restored, so only correlations
    move.
    """
    values, vectors = np.linalg.eigh(cov)
    if float(values[0]) >= 0.0:
        return cov
    raised = (vectors * np.maximum(values, 0.0)) @ vectors.T
    before, after = cov.diagonal(), raised.diagonal()
    ratio = np.sqrt(np.divide(before, after, out=np.zeros_like(before), where=after > 0.0))
    fixed = raised * np.outer(ratio, ratio)
    return np.asarray(0.5 * (fixed + fixed.T), dtype=np.float64)
