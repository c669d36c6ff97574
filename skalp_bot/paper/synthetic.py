"""The synthetic market: seeded, correlated symbols on their real grids, calibrated on recorded data.

Deterministic by seed and start time. One heap of next instants serves all symbols; there is no work between
events. docs/synthetic-market.md tells the model and compares it with the recordings.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from heapq import heapify, heapreplace
from math import exp, sqrt
from random import Random
from typing import Any

from skalp_bot.paper import synthetic_model as model
from skalp_bot.paper.market import Candle, Grid, Mark, MarketError, MarketEvent, next_funding
from skalp_bot.paper.synthetic_book import SyntheticBook
from skalp_bot.paper.synthetic_path import MINUTES_PER_DAY as DAY
from skalp_bot.paper.synthetic_path import Factors, Past, Present, history, jump, relative_sigma, seeded

SECOND_MS = 1000.0
MINUTE_MS = 60_000.0
TOGETHER = sqrt(model.RETURN_CORRELATION)
ALONE = sqrt(1 - model.RETURN_CORRELATION)
JUMPS_PER_MS = model.JUMPS_PER_DAY / DAY / MINUTE_MS


class SyntheticMarket:
    """A market source of any number of symbols; time inside runs `speed` times as fast as the venue's."""

    def __init__(self, *, symbols: Sequence[str], specs: Mapping[str, Grid], speed: float, seed: int) -> None:
        unknown = [name for name in symbols if name not in specs]
        if unknown or not symbols:
            known, told = ", ".join(list(specs)[:8]), ", ".join(unknown) or "(none)"
            raise MarketError(f"synthetic market: symbols {told} are not allowed; allowed: {known} ...")
        self._specs = {name: specs[name] for name in symbols}
        self._speed, self._seed = speed, seed
        self._zero_ms = 0
        self._lives: list[_Life] = []
        self._heap: list[tuple[float, int]] = []
        self._shared = _Shared(seeded(seed, "shared"))
        self._opening: dict[str, Present] = {}
        self._past: Past | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._specs)

    def history(self, symbol: str) -> Sequence[Candle]:
        if self._past is None:
            rng = seeded(self._seed, "past")
            self._past = Past(rng, self._shared.opening, model.HISTORY_MINUTES)
        return history(self._opening[symbol], self._past, seeded(self._seed, symbol, "past"), self._zero_ms)

    def start(self, now_ms: int) -> list[MarketEvent]:
        return self._begin(now_ms, {})

    def subscribed(self, symbol: str, now_ms: int) -> None:
        """A synthetic market has always been running."""

    def next_ms(self) -> int | None:
        return self._venue_ms(self._heap[0][0]) if self._heap else None

    def pop(self, until_ms: int) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        heap = self._heap
        until = (until_ms + 1 - self._zero_ms) * self._speed
        while heap and heap[0][0] < until:
            at, index = heap[0]
            life = self._lives[index]
            self._shared.advance(at)
            t_ms = self._venue_ms(at)
            if at >= life.marks_at:
                events.append(life.mark(at, t_ms))
            else:
                life.move(at, self._shared)
                events.extend(life.book.act(t_ms))
                life.rest(at)
            heapreplace(heap, (min(life.acts_at, life.marks_at), index))
        return events

    def state(self) -> dict[str, Any]:
        return {
            "shared": self._shared.state(),
            "symbols": {life.book.symbol: life.state() for life in self._lives},
        }

    def resume(self, state: dict[str, Any], now_ms: int) -> list[MarketEvent]:
        """Prices, volatility and funding go on; the book behind the touch is drawn anew."""
        return self._begin(now_ms, state)

    def _begin(self, now_ms: int, state: Mapping[str, Any]) -> list[MarketEvent]:
        self._zero_ms = now_ms
        turn = self._shared.begin(self._seed, state.get("shared"))
        events: list[MarketEvent] = []
        for name, grid in self._specs.items():
            life = _Life(name, grid, seeded(self._seed, name, turn), state.get("symbols", {}).get(name))
            life.quieten(len(self._lives))
            self._lives.append(life)
            self._opening[name] = life.present(grid)
            events.append(life.book.snapshot(now_ms))
            events.append(life.mark(0.0, now_ms))
            # Marks of many symbols spread over the second.
            life.marks_at = SECOND_MS * (1 + len(self._lives) / (len(self._specs) + 1))
        self._heap = [(min(life.acts_at, life.marks_at), index) for index, life in enumerate(self._lives)]
        heapify(self._heap)
        return events

    def _venue_ms(self, at: float) -> int:
        return self._zero_ms + int(at / self._speed)


class _Shared:
    """What all symbols feel: a common Brownian path and common volatility."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._at = 0.0
        self._factors_at = 0.0
        self._turn = 0
        self.path = 0.0
        self.factors = Factors.stationary(rng)
        self.opening = self.factors
        self.volatility = self.factors.total

    def begin(self, seed: int, state: Mapping[str, Any] | None) -> int:
        if state is not None:
            self._turn = state["turn"] + 1
            self._rng = seeded(seed, "shared", self._turn)
            self.factors = Factors(rng=self._rng, slow=state["slow"], fast=state["fast"])
        self.opening = Factors(rng=self._rng, slow=self.factors.slow, fast=self.factors.fast)
        self.volatility = self.factors.total
        return self._turn

    def advance(self, at: float) -> None:
        elapsed = at - self._at
        if elapsed > 0:
            self.path += sqrt(elapsed / MINUTE_MS) * self._rng.gauss(0, 1)
            self._at = at
        if at - self._factors_at >= SECOND_MS:
            self.factors.advance((at - self._factors_at) / MINUTE_MS)
            self.volatility = self.factors.total
            self._factors_at = at

    def state(self) -> dict[str, Any]:
        return {"turn": self._turn, "slow": self.factors.slow, "fast": self.factors.fast}


class _Life:
    """One symbol in time: when it acts, how volatile it is, its mark, index and funding."""

    def __init__(self, symbol: str, grid: Grid, rng: Random, state: Mapping[str, Any] | None) -> None:
        nature = model.NATURES.get(symbol, model.OTHER)
        price = nature.price if nature.price is not None else grid.tick * model.OTHER_PRICE_TICKS
        self._rng = rng
        self._sigma_bps = nature.sigma_bps
        self._factors = Factors.stationary(rng)
        self._funding = min(rng.gauss(model.FUNDING_MEAN, model.FUNDING_SIGMA), model.FUNDING_MAX)
        if state is not None:
            price = Decimal(state["bid"])
            self._factors = Factors(rng=rng, slow=state["slow"], fast=state["fast"])
            self._funding = state["funding"]
        self.book = SyntheticBook(symbol, grid, price, rng)
        self._tick = grid.tick
        self._tick_value = float(grid.tick)
        self._relative = 1.0
        self._moved_at = self._factors_at = 0.0
        self._path = 0.0
        self._mark = self.book.mid
        self._marked_at = 0.0
        self._basis_bps = rng.gauss(0, model.INDEX_SIGMA_BPS)
        self._funding_ms = 0
        self._gap_ms = SECOND_MS / model.EVENTS_PER_SECOND
        self.acts_at = rng.expovariate(1 / self._gap_ms)
        self.marks_at = SECOND_MS

    def quieten(self, rank: int) -> None:
        """Symbols far down the list act less often; their price moves no less."""
        self._gap_ms *= 1 + max(0, rank - model.LIVELY_SYMBOLS) / model.QUIETER_EVERY

    def move(self, at: float, shared: _Shared) -> None:
        """Let the hidden value make its fair step since the last time."""
        rng, book = self._rng, self.book
        elapsed = at - self._moved_at
        own = sqrt(elapsed / MINUTE_MS) * rng.gauss(0, 1)
        step = TOGETHER * (shared.path - self._path) + ALONE * own
        sigma = self._sigma_bps * 1e-4
        book.fair += book.fair * sigma * self._relative * step
        if rng.random() < elapsed * JUMPS_PER_MS:
            book.fair += book.fair * sigma * jump(rng)
        self._moved_at, self._path = at, shared.path
        if at - self._factors_at >= SECOND_MS:
            self._factors.advance((at - self._factors_at) / MINUTE_MS)
            self._factors_at = at
        self._relative = relative_sigma(shared.volatility, self._factors.total)

    def rest(self, at: float) -> None:
        """Choose the next instant; a wide spread does not wait."""
        rng, book = self._rng, self.book
        if book.ask - book.bid > 1 or rng.random() < model.BURST_SHARE:
            gap = rng.expovariate(1 / model.BURST_GAP_MS)
        else:
            calm = (self._gap_ms - model.BURST_SHARE * model.BURST_GAP_MS) / (1 - model.BURST_SHARE)
            gap = rng.expovariate(min(1.4, max(0.7, self._relative)) / calm)
        self.acts_at = at + gap

    def mark(self, at: float, t_ms: int) -> Mark:
        rng = self._rng
        seconds = (at - self._marked_at) / SECOND_MS
        self._marked_at, self.marks_at = at, at + SECOND_MS
        self._mark += (self.book.mid - self._mark) * (1 - exp(-seconds / model.MARK_LAG_SECONDS))
        keep = exp(-seconds / 60 / model.INDEX_MINUTES)
        self._basis_bps = keep * self._basis_bps + rng.gauss(0, model.INDEX_SIGMA_BPS * sqrt(1 - keep * keep))
        if self._funding_ms and t_ms >= self._funding_ms:
            noise = model.FUNDING_SIGMA * sqrt(1 - model.FUNDING_PERSISTENCE**2)
            last = self._funding - model.FUNDING_MEAN
            drawn = model.FUNDING_MEAN + model.FUNDING_PERSISTENCE * last + rng.gauss(0, noise)
            self._funding = min(drawn, model.FUNDING_MAX)
        self._funding_ms = next_funding(t_ms)
        index = self.book.mid * (1 + self._basis_bps * 1e-4)
        return Mark(
            symbol=self.book.symbol,
            t_ms=t_ms,
            mark=Decimal(f"{self._mark * self._tick_value:.8f}"),
            index=Decimal(f"{index * self._tick_value:.8f}"),
            funding_rate=Decimal(f"{self._funding:.8f}"),
            next_funding_ms=self._funding_ms,
        )

    def present(self, grid: Grid) -> Present:
        return Present(
            symbol=self.book.symbol,
            tick=grid.tick,
            step=grid.step,
            mid_ticks=self.book.mid,
            sigma_bps=self._sigma_bps,
            slow=self._factors.slow,
            fast=self._factors.fast,
        )

    def state(self) -> dict[str, Any]:
        return {
            "bid": str(self.book.bid * self._tick),
            "slow": self._factors.slow,
            "fast": self._factors.fast,
            "funding": self._funding,
        }
