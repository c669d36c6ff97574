"""Exponentially weighted volatility, and the factor that brings a size to a target volatility."""

import math
from dataclasses import dataclass

from aurora.risk.arguments import finite, inside, not_negative, positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Volatility:
    """Weighted mean of squared returns of equal spacing, the mean taken as zero: a plain value, made anew."""

    decay: float
    """Weight the past keeps per return, in (0, 1)."""
    square: float = 0.0
    weight: float = 0.0
    samples: int = 0

    def __post_init__(self) -> None:
        inside("decay", self.decay, 0.0, 1.0)

    def after(self, ret: float) -> "Volatility":
        """The volatility once one more return is seen."""
        value = finite("ret", ret)
        return Volatility(
            decay=self.decay,
            square=self.decay * self.square + (1.0 - self.decay) * value * value,
            weight=self.decay * self.weight + (1.0 - self.decay),
            samples=self.samples + 1,
        )

    @property
    def sigma(self) -> float:
        """Standard deviation per period, the weights of the past summing to one; 0 before any return."""
        return math.sqrt(self.square / self.weight) if self.weight > 0.0 else 0.0

    def over(self, periods: float) -> float:
        """Standard deviation over that many periods, returns being independent."""
        return self.sigma * math.sqrt(not_negative("periods", periods))


def decay_of_half_life(periods: float) -> float:
    """The decay under which a return counts half after that many periods, above zero."""
    return float(0.5 ** (1.0 / positive("periods", periods)))


def volatility_target_scale(sigma: float, *, target: float, scale_max: float = 1.0) -> float:
    """min(scale_max, target / sigma): what to multiply a size by, before the Kelly clip.

    sigma and target of the same period; sigma at least 0, the others above zero, else ValueError. Never on
    top of a Kelly fraction from mu and sigma, which counts volatility already.
    """
    deviation, wanted = not_negative("sigma", sigma), positive("target", target)
    limit = positive("scale_max", scale_max)
    return min(limit, wanted / deviation) if deviation * limit > wanted else limit
