"""What is believed about the probability of winning, and how doubt shrinks the bet."""

from dataclasses import dataclass

from aurora.risk.arguments import finite, inside, not_negative, positive, within
from aurora.sizing.beta import beta_cdf, beta_quantile
from aurora.sizing.closed_form import binary_star
from aurora.sizing.units import RiskFraction

PRIOR_STRENGTH = 50.0
"""Pseudo-trades at break-even: sceptical enough to keep a record of thirty trades from betting the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaBelief:
    """A Beta(alpha, beta) belief about p. For one bet and log utility only its mean matters; both above
    zero.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)
        positive("beta", self.beta)

    @classmethod
    def from_estimate(cls, p: float, n_effective: float) -> "BetaBelief":
        """The belief whose mean is p in (0, 1) and whose weight is n_effective > 0 independent outcomes."""
        probability, weight = inside("p", p, 0.0, 1.0), positive("n_effective", n_effective)
        return cls(alpha=probability * weight, beta=(1.0 - probability) * weight)

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    @property
    def variance(self) -> float:
        total = self.alpha + self.beta
        return self.alpha / total * (self.beta / total) / (total + 1.0)

    def after(self, *, wins: float, losses: float) -> "BetaBelief":
        """The belief after that many more outcomes, at least 0 each; fractions are overlapping outcomes."""
        return BetaBelief(
            alpha=self.alpha + not_negative("wins", wins), beta=self.beta + not_negative("losses", losses)
        )

    def shrunk(self, p_breakeven: float, strength: float = PRIOR_STRENGTH) -> "BetaBelief":
        """The belief with `strength` pseudo-trades at break-even added: doubt pulls towards no edge.

        p_breakeven in [0, 1], strength at least 0, else ValueError. Source: Beta-binomial conjugacy, a
        sceptical prior centred on break-even.
        """
        centre, weight = within("p_breakeven", p_breakeven, 0.0, 1.0), not_negative("strength", strength)
        return BetaBelief(alpha=self.alpha + weight * centre, beta=self.beta + weight * (1.0 - centre))

    def quantile(self, q: float) -> float:
        """The p that is exceeded with probability 1 - q, q in (0, 1)."""
        return beta_quantile(inside("q", q, 0.0, 1.0), self.alpha, self.beta)

    def prob_above(self, p: float) -> float:
        """P(true p > p); at break-even it is the probability that there is an edge."""
        return beta_cdf(1.0 - within("p", p, 0.0, 1.0), self.beta, self.alpha)


def kelly_posterior_mean(belief: BetaBelief, rr: float) -> RiskFraction:
    """Full Kelly at the posterior mean, unclipped and so negative with a negative edge. rr above zero."""
    return RiskFraction(binary_star(belief.mean, positive("rr", rr)))


def kelly_quantile(belief: BetaBelief, rr: float, q: float) -> RiskFraction:
    """Full Kelly at the q-quantile of p, at least 0: the bet that is too large with probability q only."""
    return RiskFraction(max(0.0, binary_star(belief.quantile(q), positive("rr", rr))))


def kelly_baker_mchale(belief: BetaBelief, rr: float) -> RiskFraction:
    """Full Kelly at the mean, at least 0, times baker_mchale_factor."""
    factor = baker_mchale_factor(belief.mean, belief.variance, rr)
    return RiskFraction(max(0.0, kelly_posterior_mean(belief, rr)) * factor)


def kelly_james_stein(belief: BetaBelief, rr: float) -> RiskFraction:
    """Full Kelly at the mean, at least 0, times james_stein_factor."""
    factor = james_stein_factor(belief.mean, belief.variance, rr)
    return RiskFraction(max(0.0, kelly_posterior_mean(belief, rr)) * factor)


def baker_mchale_factor(p: float, p_var: float, rr: float) -> float:
    """k = e^2 / (e^2 + (rr+1)^2 p_var), e = (rr+1) p - 1: the share of plug-in Kelly that maximises growth.

    p in [0, 1], p_var at least 0, rr above zero, else ValueError. Zero without an edge either way.
    Source: Baker, McHale 2013.
    """
    edge, noise = edge_and_noise(p, p_var, rr)
    return edge * edge / (edge * edge + noise) if edge != 0.0 else 0.0


def james_stein_factor(p: float, p_var: float, rr: float) -> float:
    """k = max(0, 1 - (rr+1)^2 p_var / e^2), e = (rr+1) p - 1: the factor with the bias of the estimate
    removed.

    Arguments as in baker_mchale_factor. Source: James, Stein 1961, positive part, for one mean (1 -
    1/t^2).
    """
    edge, noise = edge_and_noise(p, p_var, rr)
    return max(0.0, 1.0 - noise / (edge * edge)) if edge != 0.0 else 0.0


def shrink_mu(mu: float, standard_error: float) -> float:
    """mu times mu^2 / (mu^2 + se^2): the mean return as far as it is believed. Source: Baker, McHale 2013."""
    mean, error = finite("mu", mu), not_negative("standard_error", standard_error)
    return mean * (mean * mean / (mean * mean + error * error)) if mean != 0.0 else 0.0


def edge_and_noise(p: float, p_var: float, rr: float) -> tuple[float, float]:
    odds = positive("rr", rr) + 1.0
    return odds * within("p", p, 0.0, 1.0) - 1.0, odds * odds * not_negative("p_var", p_var)
