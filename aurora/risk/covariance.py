"""Covariance of a sample of returns: weighted, and shrunk towards targets that are less noisy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aurora.risk.arguments import Floats, matrix
from aurora.risk.tail import decay_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A covariance and how far it was moved from the sample to the target, in [0, 1]; None when they
    coincide.
    """

    cov: Floats
    shrinkage: float | None


def covariance_sample(x: ArrayLike) -> Floats:
    """The 1/T covariance of returns x, shape (T, p), newest last, finite."""
    return second_moment(centred(matrix("x", x)))


def covariance_ewma(x: ArrayLike, *, decay: float, mean: str = "zero") -> Floats:
    """Covariance with weights decay^age that sum to one, decay in (0, 1], x as in covariance_sample.

    mean: "zero" takes the mean return as zero, "weighted" removes the weighted mean. Source: RiskMetrics
    1996.
    """
    values = matrix("x", x)
    weights = decay_weights(values.shape[0], decay)
    match mean:
        case "zero":
            moved = values
        case "weighted":
            moved = values - weights @ values
        case _:
            raise ValueError(f"mean must be zero or weighted, got {mean!r}")
    return np.asarray((moved.T * weights) @ moved, dtype=np.float64)


def ledoit_wolf(x: ArrayLike) -> Shrunk:
    """The sample covariance shrunk towards a multiple of the identity; for p large beside T.

    Source: Ledoit, Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices.
    """
    moved = centred(matrix("x", x))
    rows = moved.shape[0]
    sample = second_moment(moved)
    fourth = float(((moved * moved).sum(axis=1) ** 2).sum()) / rows
    return shrunk_to_identity(sample, (fourth - float((sample * sample).sum())) / rows)


def shrunk_to_identity(sample: Floats, noise: float) -> Shrunk:
    """The sample moved towards its mean variance by the share of its squared distance that is noise."""
    size = sample.shape[0]
    mean = float(np.trace(sample)) / size
    distance = float((sample * sample).sum()) - size * mean * mean
    share = min(1.0, max(0.0, noise / distance)) if distance > 0.0 and noise > 0.0 else 0.0
    return Shrunk(cov=moved_towards(sample, mean * np.eye(size), share), shrinkage=share)


def oracle_approximating(x: ArrayLike) -> Shrunk:
    """The sample covariance shrunk towards a multiple of the identity, for nearly normal returns (OAS).

    Source: Chen, Wiesel, Eldar, Hero 2010, in the form without the terms in 2/p.
    """
    moved = centred(matrix("x", x))
    rows, size = moved.shape
    sample = second_moment(moved)
    mean = float(np.trace(sample)) / size
    square = float((sample * sample).mean())
    spread = (rows + 1.0) * (square - mean * mean / size)
    share = min(1.0, (square + mean * mean) / spread) if spread > 0.0 else float(size > 1)
    return Shrunk(cov=moved_towards(sample, mean * np.eye(size), share), shrinkage=share)


def ledoit_wolf_constant_correlation(x: ArrayLike) -> Shrunk:
    """The sample covariance shrunk towards equal correlations; the choice for assets that move together.

    With p < 3 the target is the sample and the shrinkage None. A series that never moves correlates with
    nothing. Source: Ledoit, Wolf 2004, Honey, I shrunk the sample covariance matrix.
    """
    moved = centred(matrix("x", x))
    rows, size = moved.shape
    sample = second_moment(moved)
    if size < 3:
        return Shrunk(cov=sample, shrinkage=None)
    variance = sample.diagonal()
    deviation = np.sqrt(variance)
    outer = np.outer(deviation, deviation)
    correlation = np.divide(sample, outer, out=np.zeros_like(sample), where=outer > 0.0)
    between = (float(correlation.sum()) - float(np.trace(correlation))) / (size * (size - 1))
    target = between * outer
    np.fill_diagonal(target, variance)
    squares = moved * moved
    noise = second_moment(squares) - sample * sample
    cubes = (moved**3).T @ moved / rows - variance[:, None] * sample
    ratio = np.divide(
        deviation, deviation[:, None], out=np.zeros_like(sample), where=deviation[:, None] > 0.0
    )
    shared = ratio * cubes
    common = float(np.trace(noise)) + between * (float(shared.sum()) - float(np.trace(shared)))
    distance = float(((sample - target) ** 2).sum())
    if distance <= 0.0:
        return Shrunk(cov=sample, shrinkage=None)
    share = min(1.0, max(0.0, (float(noise.sum()) - common) / distance / rows))
    return Shrunk(cov=moved_towards(sample, target, share), shrinkage=share)


def centred(x: Floats) -> Floats:
    return np.asarray(x - x.mean(axis=0), dtype=np.float64)


def second_moment(x: Floats) -> Floats:
    return np.asarray(x.T @ x / x.shape[0], dtype=np.float64)


def moved_towards(sample: Floats, target: Floats, share: float) -> Floats:
    return np.asarray((1.0 - share) * sample + share * target, dtype=np.float64)
