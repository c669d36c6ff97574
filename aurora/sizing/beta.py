"""The Beta distribution: its cumulative probability and its quantiles, to twelve digits."""

import math

STIRLING_FROM = 10.0
FRACTION_STEPS_MAX = 20_000
TINY = 1e-300


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(B <= x) for B ~ Beta(a, b), a and b above zero; the regularised incomplete beta function."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - math.exp(log_weight(1.0 - x, b, a)) * continued_fraction(1.0 - x, b, a) / b
    return math.exp(log_weight(x, a, b)) * continued_fraction(x, a, b) / a


def beta_quantile(q: float, a: float, b: float) -> float:
    """The x with P(B <= x) = q: Newton's method kept inside a bracket that halves when Newton would leave
    it.
    """
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(2_000):
        excess = beta_cdf(x, a, b) - q
        low, high = (low, x) if excess > 0.0 else (x, high)
        slope = math.exp(log_weight(x, a, b)) / (x * (1.0 - x))
        guess = x - excess / slope if slope > 0.0 else -1.0
        if not low < guess < high:
            guess = 0.5 * (low + high)
        if abs(guess - x) <= 1e-15 * x or guess in (low, high):
            return guess
        x = guess
    return x


def log_weight(x: float, a: float, b: float) -> float:
    """ln(x^a (1-x)^b / B(a, b)), by deviance from the mean where the gamma function would lose digits."""
    if min(a, b) < STIRLING_FROM:
        gammas = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        return a * math.log(x) + b * math.log1p(-x) + gammas
    mean_a, mean_b = a / (a + b), b / (a + b)
    deviance = a * math.log1p((x - mean_a) / mean_a) + b * math.log1p((mean_a - x) / mean_b)
    scale = 0.5 * math.log(a * mean_b / (2.0 * math.pi))
    return deviance + scale + stirling_rest(a + b) - stirling_rest(a) - stirling_rest(b)


def stirling_rest(x: float) -> float:
    """What Stirling's formula leaves out of ln gamma(x), for x of at least STIRLING_FROM."""
    inverse = 1.0 / (x * x)
    series = 1 / 1260 - inverse * (1 / 1680 - inverse * (1 / 1188 - inverse * 691 / 360360))
    return (1 / 12 - inverse * (1 / 360 - inverse * series)) / x


def continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, FRACTION_STEPS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        step = 1.0
        for term in (even, odd):
            d = 1.0 / away_from_zero(1.0 + term * d)
            c = away_from_zero(1.0 + term / c)
            step = c * d
            value *= step
        if abs(step - 1.0) < 1e-16:
            break
    return value


def away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
