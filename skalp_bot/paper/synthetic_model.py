"""The measured numbers behind the synthetic market, each with its provenance.

`scripts/calibrate_synthetic` measures them on recorded data and prints recorded beside synthetic values;
docs/synthetic-market.md keeps that table. Nothing here was chosen for what a strategy earns on it.

Sources: (T) BTCUSDT bookTicker, trade and depth frames, 2024-08-08 23:54-24:00 UTC, 345 s; (K) BTCUSDT and
ETHUSDT one-minute candles 2025-05-04 to 2025-06-24; (F) their funding rates 2025-03 to 2025-07; (A) an
assumption where no recording exists.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What one symbol is like: its price at the start and its volatility in basis points per root minute."""

    price: Decimal | None
    sigma_bps: float


# (K) last closes and standard deviations of one-minute returns, bps.
BTC = Nature(price=Decimal("105086.5"), sigma_bps=5.13)
ETH = Nature(price=Decimal("2407.48"), sigma_bps=10.49)
NATURES = {
    "BTCUSDT": BTC,
    "BTCUSDC": BTC,
    "ETHUSDT": ETH,
    "ETHUSDC": ETH,
    # Prices of recorded order frames; (A) as volatile as ETH.
    "SOLUSDT": Nature(price=Decimal("85.67"), sigma_bps=10.49),
    "DOGEUSDT": Nature(price=Decimal("0.13856"), sigma_bps=10.49),
}
# (A) any other symbol: a tick is half a basis point of its price, and it is as volatile as ETH.
OTHER = Nature(price=None, sigma_bps=10.49)
OTHER_PRICE_TICKS = 20_000

# (K) log volatility is the sum of two mean-reverting factors: variances and time constants in minutes, fitted
# to the autocorrelation of absolute one-minute returns; and its correlation between BTC and ETH.
SLOW_VARIANCE, SLOW_MINUTES = 0.14, 400.0
FAST_VARIANCE, FAST_MINUTES = 0.12, 15.0
VOLATILITY_CORRELATION = 0.79
# (K) correlation of the fair steps of any two symbols, such that one-minute returns have the recorded 0.745
# between BTC and ETH, own volatilities and own jumps included.
RETURN_CORRELATION = 0.85
# (K) jumps a day, and their mean size in standard deviations of a minute: what the factors leave unexplained
# of moves beyond 8 sigma.
JUMPS_PER_DAY = 3.0
JUMP_SIGMAS = 4.5

# Update events a second and symbol. The tape has 192 bookTicker frames a second, 3 % of which change the mid;
# here size-only frames are thinned six-fold and price changes kept at their number (5.9 a second).
EVENTS_PER_SECOND = 36.0
# (A) the first symbols are lively; those far behind them are quieter, as on the venue.
LIVELY_SYMBOLS, QUIETER_EVERY = 10, 20
PRICE_SHARE, TRADE_SHARE, DEEP_SHARE = 0.17, 0.20, 0.15  # the rest changes a size at the touch
# (T) two thirds of the frames follow the one before within a millisecond.
BURST_SHARE, BURST_GAP_MS = 0.72, 0.7

# (T) spread in ticks: share of price changes that leave one tick, and beyond it an exponential.
ONE_TICK_SHARE, WIDE_TICKS = 0.80, 9.0
# A wide spread closes with this probability at every further update, so that 94 % of updates show one tick.
HEAL_SHARE = 0.65

# (T) quantity at the touch: quantiles of its notional (BTC at 61,700), and its persistence after thinning.
TOUCH_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
TOUCH_NOTIONALS = (60.0, 123.0, 864.0, 42_900.0, 165_200.0, 305_800.0, 688_400.0, 1_447_000.0, 2_000_000.0)
TOUCH_PERSISTENCE = 0.82
TOUCH_OPPOSED = 0.25  # share of its variance that leans against the other side: their correlation is -0.25
# (T) quantity behind the touch: log of its notional.
DEEP_LOG_MEAN, DEEP_LOG_SIGMA, DEEP_NOTIONAL_MAX = 7.8, 2.2, 1_300_000.0
# (T) gap between levels: mean of the first hundred, 2.2 ticks of 0.1 at 61,700, in basis points.
LEVEL_GAP_BPS = 0.0036
LEVELS = 20

# (T) trades: log of their notional, how often the next has the same side (thinned), and how often a price
# change that takes out the opposite touch prints there.
TRADE_LOG_MEAN, TRADE_LOG_SIGMA, TRADE_NOTIONAL_MAX = 7.03, 1.87, 300_000.0
SAME_SIDE_SHARE = 0.9
SWEEP_PRINT_SHARE = 0.3

# (F) funding rate per 8 hours: mean, standard deviation, autocorrelation, highest seen.
FUNDING_MEAN, FUNDING_SIGMA, FUNDING_PERSISTENCE, FUNDING_MAX = 0.000_034, 0.000_041, 0.44, 0.000_1
# (A) the index wanders around the mid; the mark follows the mid with a lag.
INDEX_SIGMA_BPS, INDEX_MINUTES, MARK_LAG_SECONDS = 2.0, 10.0, 2.0

HISTORY_MINUTES = 1500
# (K) spread of the log of a minute's volume, and its correlation with volatility.
VOLUME_LOG_SIGMA, VOLUME_VOLATILITY = 0.7, 1.0
