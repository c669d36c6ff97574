"""How wide a no-trade band should be: what the theory of proportional costs says."""

from dataclasses import dataclass

from aurora.risk.arguments import finite, not_negative, positive

WORTH_RATIO_MAX = 1.6
"""Above this ratio of half width to size of the signal, simulation finds not trading at all the best
policy.
"""


def half_width_merton(pi: float, *, gamma: float, cost_one_way: float) -> float:
    """Half width of the band around a constant target weight pi: (3/(2 gamma) pi^2 (1-pi)^2 cost)^(1/3).

    gamma: relative risk aversion, above zero. cost_one_way: proportional cost of a trade, at least 0.
    ValueError names the argument out of range. Source: Davis, Norman 1990; Gerhold et al. 2014 (leading
    order).
    """
    weight = finite("pi", pi) * (1.0 - pi)
    cost = not_negative("cost_one_way", cost_one_way)
    return float((1.5 / positive("gamma", gamma) * weight * weight * cost) ** (1.0 / 3.0))


def half_width_signal(*, cost_one_way: float, gamma: float, sigma_target: float, sigma_ret: float) -> float:
    """Half width around a target that moves: (3/2 cost sigma_target^2 / (gamma sigma_ret^2))^(1/3).

    sigma_target: standard deviation per period of the CHANGES of the target notional fraction, at least 0.
    sigma_ret: standard deviation of the return over the same period, above zero. gamma: above zero.
    ValueError names the argument out of range. Source: derived as the band above; within 2.1 % of the best
    band while the half width stays under the size of the signal.
    """
    ratio = not_negative("sigma_target", sigma_target) / positive("sigma_ret", sigma_ret)
    cost = not_negative("cost_one_way", cost_one_way)
    return float((1.5 * cost / positive("gamma", gamma) * ratio * ratio) ** (1.0 / 3.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeBand:
    """A half width that is a fixed share of the target."""

    share: float

    def __post_init__(self) -> None:
        not_negative("share", self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoBand:
    """A half width from what trading costs and how much the signal moves.

    sigma_target, sigma_ret: see half_width_signal. target_rms: root mean square of the target, the size of
    the signal.
    """

    cost_one_way: float
    gamma: float
    sigma_target: float
    sigma_ret: float
    target_rms: float

    def __post_init__(self) -> None:
        not_negative("target_rms", self.target_rms)
        not_negative("half width", self.half_width)

    @property
    def half_width(self) -> float:
        return half_width_signal(
            cost_one_way=self.cost_one_way,
            gamma=self.gamma,
            sigma_target=self.sigma_target,
            sigma_ret=self.sigma_ret,
        )

    @property
    def worth_cost(self) -> bool:
        """Whether the signal is large enough, beside the band it needs, to be worth trading at all."""
        return self.half_width <= WORTH_RATIO_MAX * self.target_rms


Band = float | RelativeBand | AutoBand


def half_width_of(band: Band, target: float) -> float:
    """The half width of any band at that target, in the target's unit."""
    match band:
        case RelativeBand(share=share):
            return share * abs(target)
        case AutoBand():
            return band.half_width
        case _:
            return float(band)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTrack:
    """How much a target moves, exponentially weighted: a plain value, made anew at every sample of equal
    spacing.
    """

    target: float = 0.0
    change_square: float = 0.0
    target_square: float = 0.0
    samples: int = 0

    def after(self, target: float, *, decay: float) -> "SignalTrack":
        """The track one period later; decay in (0, 1) is the weight the past keeps."""
        value = finite("target", target)
        if not 0.0 < decay < 1.0:
            raise ValueError(f"decay must be in (0, 1), got {decay!r}")
        if self.samples == 0:
            return SignalTrack(target=value, target_square=value * value, samples=1)
        change = (value - self.target) ** 2
        past = decay if self.samples > 1 else 0.0
        return SignalTrack(
            target=value,
            change_square=past * self.change_square + (1.0 - past) * change,
            target_square=decay * self.target_square + (1.0 - decay) * value * value,
            samples=self.samples + 1,
        )

    def band(self, *, cost_one_way: float, gamma: float, sigma_ret: float) -> AutoBand:
        """The automatic band for the signal as tracked; sigma_ret per the same period."""
        return AutoBand(
            cost_one_way=cost_one_way,
            gamma=gamma,
            sigma_target=self.change_square**0.5,
            sigma_ret=sigma_ret,
            target_rms=self.target_square**0.5,
        )
