"""What a drawdown budget asks of a bet: how averse to be, and how much less to hold while under water."""

import math
from typing import Literal, TypeVar, cast

from aurora.risk.arguments import finite, inside, not_negative, one_of

HaircutMethod = Literal["grossman_zhou", "linear", "step"]
HAIRCUT_METHODS = ("grossman_zhou", "linear", "step")
Fraction = TypeVar("Fraction", bound=float)


def drawdown_lambda(max_dd: float, prob: float) -> float:
    """lambda = ln(prob) / ln(1 - max_dd): E (1 + f X)^-lambda <= 1 keeps P(equity ever falls by max_dd)
    below prob.

    Both in (0, 1), else ValueError. Source: Busseti, Ryu, Boyd 2016, Risk-constrained Kelly gambling.
    """
    floor = 1.0 - inside("max_dd", max_dd, 0.0, 1.0)
    return math.log(inside("prob", prob, 0.0, 1.0)) / math.log(floor)


def risk_aversion_from_drawdown(max_dd: float, prob: float) -> float:
    """Risk aversion that keeps the chance of ever losing max_dd of equity near prob: max(1, (1 + lambda) /
    2).

    It is the divisor of Kelly fractions and the gamma of the portfolio optimizer alike: a loss of 30 %
    with 10 % probability is 3.73, 20 % with 10 % is 5.66, 10 % with 10 % is 11.4. Both arguments in (0,
    1), else ValueError. Source: the quadratic approximation of risk-constrained Kelly (Busseti, Ryu, Boyd
    2016); assumes a true p.
    """
    return max(1.0, (1.0 + drawdown_lambda(max_dd, prob)) / 2.0)


def dd_haircut_factor(dd: float, dd_max: float, method: HaircutMethod = "grossman_zhou") -> float:
    """Factor in [0, 1] on a Kelly fraction at drawdown dd, 1 at the peak and 0 from dd_max on, never
    rising in dd.

    dd: 1 - equity/peak, at least 0. dd_max: the drawdown never to be passed, in (0, 1). grossman_zhou:
    (dd_max - dd) / ((1 - dd) dd_max), the growth-optimal one for a fraction already divided by a risk
    aversion of 1/dd_max. linear: 1 - dd/dd_max. step: 1, from half of dd_max on 0.5, from dd_max on 0.
    ValueError names the argument out of range. Source: Grossman, Zhou 1993; Cvitanic, Karatzas 1995.
    """
    depth = not_negative("dd", dd)
    limit = inside("dd_max", dd_max, 0.0, 1.0)
    one_of("method", method, HAIRCUT_METHODS)
    if depth >= limit:
        return 0.0
    match method:
        case "grossman_zhou":
            return grossman_zhou_cushion(depth, limit) / limit
        case "linear":
            return 1.0 - depth / limit
        case "step":
            return 1.0 if depth < limit / 2.0 else 0.5


def grossman_zhou_cushion(dd: float, dd_max: float) -> float:
    """max(0, (dd_max - dd) / (1 - dd)): the share of equity above the floor, which multiplies FULL Kelly.

    Arguments as in dd_haircut_factor. Source: Grossman, Zhou 1993 (exposure proportional to W - alpha M).
    """
    depth = not_negative("dd", dd)
    limit = inside("dd_max", dd_max, 0.0, 1.0)
    return (limit - depth) / (1.0 - depth) if depth < limit else 0.0


def apply_dd_haircut_to_kelly(
    fraction: Fraction, dd: float, dd_max: float, method: HaircutMethod = "grossman_zhou"
) -> Fraction:
    """The fraction, of risk or of notional alike, times dd_haircut_factor; the unit goes through unchanged.

    Zero whatever the fraction once dd reaches dd_max. ValueError as in dd_haircut_factor or when not finite.
    """
    return cast(Fraction, finite("fraction", fraction) * dd_haircut_factor(dd, dd_max, method))
