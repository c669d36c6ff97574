"""Joint statistics of the symbols: covariance by the second, tail scenarios by the minute; soft."""

from collections.abc import Sequence

from aurora.config import AuroraConfig
from aurora.market import MarketView
from aurora.model.market import Candles
from aurora.model.numbers import SECOND, Nanos
from aurora.risk.book import BookScenarios
from aurora.risk.track import CovarianceTrack
from aurora.risk.volatility import decay_of_half_life

MINUTE = 60 * SECOND
STALE = 2 * SECOND  # A quote older than this is no sample.


class Statistics:
    """Sampled from Heartbeats; a symbol without a fresh quote has no return in that sample."""

    def __init__(self, config: AuroraConfig) -> None:
        gates = config.governance
        self.symbols = config.symbols
        self.covariance = CovarianceTrack(
            config.symbols, decay=decay_of_half_life(config.sizing.covariance_halflife_s)
        )
        self.scenarios = BookScenarios(
            config.symbols,
            alpha=gates.cvar_alpha,
            samples_min=gates.cvar_samples_min,
            floor=gates.cvar_floor,
        )
        self._second: dict[str, float] = {}
        self._minute: dict[str, float] = {}
        self._minute_no = 0
        self._candles: dict[str, Sequence[float]] = {}
        self._awaited = config.symbols

    def sample(self, market: MarketView, now: Nanos) -> None:
        """Once a second."""
        mids = {symbol: market.of(symbol).mid for symbol in self.symbols if fresh(market, symbol, now)}
        self.covariance.push(returns(self._second, mids))
        self._second = mids
        minute = now // MINUTE
        if minute != self._minute_no:
            if self._minute_no:
                self.scenarios.push(returns(self._minute, mids))
            self._minute_no, self._minute = minute, mids

    def fold(self) -> None:
        """On the Heartbeats between: what the last sample has left to do."""
        self.covariance.fold()

    def without(self, symbols: tuple[str, ...]) -> None:
        """No history comes for these; that of the others is not held up by it."""
        self._awaited = tuple(symbol for symbol in self.symbols if symbol not in symbols)

    def warm(self, candles: Candles) -> None:
        """History counts once it is there for every symbol, so that its minutes are joint ones."""
        self._candles[candles.symbol] = candles.closes
        if any(symbol not in self._candles for symbol in self._awaited):
            return
        length = min(len(self._candles[symbol]) for symbol in self._awaited)
        rows = {symbol: self._candles[symbol][-length:] for symbol in self._awaited}
        for at in range(1, length):
            before = {symbol: closes[at - 1] for symbol, closes in rows.items()}
            self.scenarios.push(returns(before, {symbol: closes[at] for symbol, closes in rows.items()}))
        self._candles.clear()


def fresh(market: MarketView, symbol: str, now: Nanos) -> bool:
    seen = market.of(symbol)
    return seen.seen and now - seen.ts_recv <= STALE


def returns(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """Simple returns of the symbols quoted at both ends."""
    return {symbol: price / before[symbol] - 1 for symbol, price in after.items() if before.get(symbol)}
