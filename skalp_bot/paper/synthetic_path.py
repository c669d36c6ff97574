"""Volatility and the past of the synthetic market: factors that revert, and minutes walked backwards."""

from dataclasses import dataclass
from decimal import Decimal
from math import exp, log, sqrt
from random import Random

from skalp_bot.paper import synthetic_model as model
from skalp_bot.paper.klines import MINUTE_MS, open_of
from skalp_bot.paper.market import Candle

MINUTES_PER_DAY = 1440
# What is left of a jump's size when its sign is fair and its length exponential: E[J^2] = 2 scale^2.
JUMP_VARIANCE = model.JUMPS_PER_DAY / MINUTES_PER_DAY * 2 * model.JUMP_SIGMAS**2
LOG_VARIANCE = model.SLOW_VARIANCE + model.FAST_VARIANCE
# The factors and the jumps spread the variance; scaled by this, its mean is still the measured one.
SIGMA_SCALE = exp(-LOG_VARIANCE) * sqrt(1 - JUMP_VARIANCE)
SHARED = sqrt(model.VOLATILITY_CORRELATION)
OWN = sqrt(1 - model.VOLATILITY_CORRELATION)


@dataclass(slots=True)
class Factors:
    """Two mean-reverting Gaussians with stationary start; their sum is the log of relative volatility."""

    rng: Random
    slow: float
    fast: float

    @classmethod
    def stationary(cls, rng: Random) -> "Factors":
        slow, fast = sqrt(model.SLOW_VARIANCE), sqrt(model.FAST_VARIANCE)
        return cls(rng=rng, slow=rng.gauss(0, slow), fast=rng.gauss(0, fast))

    def advance(self, minutes: float) -> None:
        """One exact step; the same law holds backwards in time."""
        self.slow = self._step(self.slow, model.SLOW_VARIANCE, minutes / model.SLOW_MINUTES)
        self.fast = self._step(self.fast, model.FAST_VARIANCE, minutes / model.FAST_MINUTES)

    @property
    def total(self) -> float:
        return self.slow + self.fast

    def _step(self, value: float, variance: float, ratio: float) -> float:
        keep = exp(-ratio)
        return value * keep + self.rng.gauss(0, sqrt(variance * (1 - keep * keep)))


def seeded(*parts: int | str) -> Random:
    """An own stream of randomness for each purpose, so that one more draw here changes nothing there."""
    return Random(":".join(str(part) for part in parts))  # noqa: S311 - a market, not a secret


def relative_sigma(shared: float, own: float) -> float:
    """Volatility relative to the symbol's average; `shared` and `own` are factor totals."""
    return SIGMA_SCALE * exp(SHARED * shared + OWN * own)


def jump(rng: Random) -> float:
    """A jump in average standard deviations of a minute; fair in sign."""
    return (rng.random() < 0.5 or -1) * rng.expovariate(1 / model.JUMP_SIGMAS)


class Past:
    """The shared part of every symbol's history, walked backwards from the start once."""

    def __init__(self, rng: Random, factors: Factors, minutes: int) -> None:
        back = Factors(rng=rng, slow=factors.slow, fast=factors.fast)
        self.steps: list[tuple[float, float]] = []
        for _ in range(minutes):
            self.steps.append((back.total, rng.gauss(0, 1)))
            back.advance(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Where a symbol's history has to end."""

    symbol: str
    tick: Decimal
    step: Decimal
    mid_ticks: float
    sigma_bps: float
    slow: float
    fast: float


def history(present: Present, past: Past, rng: Random, start_ms: int) -> list[Candle]:
    """One-minute candles whose last close is the first mid; the law of returns is the live one."""
    own = Factors(rng=rng, slow=present.slow, fast=present.fast)
    together, alone = sqrt(model.RETURN_CORRELATION), sqrt(1 - model.RETURN_CORRELATION)
    tick_value = float(present.tick)
    typical = model.EVENTS_PER_SECOND * 60 * model.TRADE_SHARE
    close = present.mid_ticks
    end_ms = open_of("1m", start_ms)
    rows: list[Candle] = []
    for back, (shared, noise) in enumerate(past.steps, start=1):
        relative = relative_sigma(shared, own.total)
        sigma = present.sigma_bps * 1e-4 * relative
        change = sigma * (together * noise + alone * rng.gauss(0, 1))
        if rng.random() < model.JUMPS_PER_DAY / MINUTES_PER_DAY:
            change += present.sigma_bps * 1e-4 * jump(rng)
        begin = max(1.0, close / max(0.5, 1 + change))
        width = 2 * (sigma * close) ** 2
        high = (begin + close + sqrt((close - begin) ** 2 - width * log(1 - rng.random()))) / 2
        low = (begin + close - sqrt((close - begin) ** 2 - width * log(1 - rng.random()))) / 2
        busy = exp(rng.gauss(0, model.VOLUME_LOG_SIGMA)) * relative**model.VOLUME_VOLATILITY
        trades = max(1, int(typical * busy))
        mean_notional = exp(model.TRADE_LOG_MEAN + model.TRADE_LOG_SIGMA**2 / 2)
        units = max(1, int(trades * mean_notional / (close * tick_value * float(present.step))))
        rows.append(
            _candle(
                present, end_ms - back * MINUTE_MS, (begin, high, low, close), (units, trades), rng.random()
            )
        )
        close = begin
        own.advance(1.0)
    rows.reverse()
    return rows


def _candle(
    present: Present,
    open_ms: int,
    ticks: tuple[float, float, float, float],
    traded: tuple[int, int],
    bought: float,
) -> Candle:
    begin, high, low, close = (max(1, round(value)) for value in ticks)
    volume = traded[0] * present.step
    taker = int(traded[0] * (0.3 + 0.4 * bought)) * present.step
    price = (begin + close) * present.tick / 2
    return Candle(
        symbol=present.symbol,
        interval="1m",
        open_ms=open_ms,
        close_ms=open_ms + MINUTE_MS - 1,
        open=begin * present.tick,
        high=max(begin, high, close) * present.tick,
        low=min(begin, low, close) * present.tick,
        close=close * present.tick,
        volume=volume,
        quote_volume=volume * price,
        trades=traded[1],
        taker_volume=taker,
        taker_quote_volume=taker * price,
    )
