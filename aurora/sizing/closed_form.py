"""Kelly fractions that have a closed form: the binary bet, and mean against variance."""

from typing import Literal

from aurora.risk.arguments import finite, inside, interval, not_negative, one_of, positive, within
from aurora.sizing.units import NotionalFraction, RiskFraction

MuSigmaMethod = Literal["merton", "second_moment", "two_point"]
MU_SIGMA_METHODS = ("merton", "second_moment", "two_point")
CLIP = (0.0, 0.2)
INFINITY = float("inf")


def kelly_binary(
    p: float, rr: float, risk_aversion: float = 1.0, clip: tuple[float, float] = CLIP
) -> RiskFraction:
    """Fraction of equity to risk at the stop: clip(f*/risk_aversion), f* = (rr p - (1 - p)) / rr.

    p: probability that the target is hit before the stop, in [0, 1]. rr: net win over net loss, above zero.
    risk_aversion: above zero; 2 is half Kelly. clip: bounds of the result; an infinite end is no bound.
    A negative edge gives the lower bound, which is 0 by default: the side is never flipped.
    The result is the equity LOST AT THE STOP, not notional; see `units.notional_from_risk`.
    ValueError names the argument that is out of its range. Source: Kelly 1956; Thorp 2006.
    """
    probability = within("p", p, 0.0, 1.0)
    ratio = inside("rr", rr, 0.0, INFINITY)
    aversion = positive("risk_aversion", risk_aversion)
    low, high = interval("clip", clip)
    return RiskFraction(bounded(binary_star(probability, ratio) / aversion, low, high))


def kelly_mu_sigma(
    mu: float,
    sigma: float,
    *,
    rf: float = 0.0,
    risk_aversion: float = 1.0,
    clip: tuple[float, float] = CLIP,
    method: MuSigmaMethod = "merton",
) -> NotionalFraction:
    """Notional over equity for a return of mean mu and standard deviation sigma: clip(f*/risk_aversion).

    With e = mu - rf, all per the same period and arithmetic: merton f* = e/sigma^2; second_moment f* =
    e/(sigma^2 + e^2), the maximiser of the quadratic approximation and the safer one when |e|/sigma > 0.1;
    two_point f* = e/(sigma^2 - e^2), exact for mu +- sigma at even odds, without a bound when |e| >=
    sigma. sigma = 0 gives the upper bound for e > 0, the lower for e < 0, and 0 (clipped) for e = 0.
    ValueError names the argument that is out of its range. Source: Merton 1969; Thorp 2006.
    """
    excess = finite("mu", mu) - finite("rf", rf)
    deviation = not_negative("sigma", sigma)
    aversion = positive("risk_aversion", risk_aversion)
    low, high = interval("clip", clip)
    one_of("method", method, MU_SIGMA_METHODS)
    return NotionalFraction(bounded(mu_sigma_star(excess, deviation, method) / aversion, low, high))


def binary_star(p: float, rr: float) -> float:
    """Full Kelly of a binary bet, negative when the edge is."""
    return (rr * p - (1.0 - p)) / rr


def mu_sigma_star(excess: float, sigma: float, method: MuSigmaMethod) -> float:
    """Full Kelly from mean and deviation; infinite when nothing can be lost."""
    if excess == 0.0:
        return 0.0
    variance = sigma * sigma
    match method:
        case "merton":
            spread = variance
        case "second_moment":
            spread = variance + excess * excess if variance > 0.0 else 0.0
        case "two_point":
            spread = (sigma - abs(excess)) * (sigma + abs(excess))
    if spread > 0.0:
        return excess / spread
    return INFINITY if excess > 0.0 else -INFINITY


def bounded(value: float, low: float, high: float) -> float:
    """The value moved into [low, high]."""
    return max(low, min(high, value))
