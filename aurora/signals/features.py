"""From numbers to odds: logistic, martingale offset, and the probability that pays the costs."""

from math import exp, log


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + exp(-x))
    grown = exp(x)
    return grown / (1.0 + grown)


def logit(p: float) -> float:
    """Log-odds of p, 0 < p < 1."""
    return log(p / (1.0 - p))


def martingale_offset(target: float, stop: float) -> float:
    """Log-odds of reaching ``target`` before ``stop`` (distances, both > 0) for a price without drift.

    Optional stopping: the probability is stop / (target + stop).
    """
    return log(stop / target)


def reach(target: float, stop: float, reference: float) -> float:
    """How much of a log-odds weight measured on a symmetric bracket of ``reference`` is left on this one.

    A drift of expected size m before the opinion fades moves the probability of target before stop by
    m / (target + stop); at the martingale point that is m (target + stop) / (target stop) in log-odds.
    On target = stop = reference it is 2 m / reference, which is the weight as measured. Nearer than that
    nothing was measured, so it never grows above 1.
    """
    return min(1.0, reference * (target + stop) / (2.0 * target * stop))


def round_trip_cost(fee: float, spread: float, slippage: float) -> float:
    """Taker both ways from mid to mid, as a fraction of the price: two fees, one spread, two slippages."""
    return 2.0 * fee + spread + 2.0 * slippage


def break_even(target: float, stop: float, cost: float) -> float:
    """Smallest probability of target before stop that pays; 1 when the target cannot pay its own costs.

    net_loss / (net_win + net_loss), all fractions of the price.
    """
    win = target - cost
    return 1.0 if win <= 0.0 else (stop + cost) / (win + stop + cost)
