"""The honest scalper: queue and order-flow imbalance against the costs; mostly it stays silent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import tanh

from aurora.config import ExitsConfig, StrategyConfig
from aurora.market import SymbolMarket
from aurora.model.bracket import Bracket
from aurora.model.instrument import FeeRates
from aurora.model.numbers import Nanos, as_float
from aurora.model.order import Side
from aurora.model.position import Position
from aurora.model.signal import Signal
from aurora.signals.base import Memory, Silence
from aurora.signals.features import break_even, logistic, martingale_offset, reach, round_trip_cost

# The bracket on which the weights of the configuration are log-odds: target = stop = 2 bp.
WEIGHTS_AT = 0.0002


@dataclass(frozen=True, slots=True, kw_only=True)
class Skalp:
    """P(target before stop) = logistic(martingale offset + what the touch says, scaled to the distance).

    Odd in the market: mirroring bid and ask mirrors the opinion, because there is no intercept. ``fees`` is
    the engine's own mapping, read at each look; a symbol whose fees are not known gets no opinion.
    """

    config: StrategyConfig
    exits_of: Callable[[str], ExitsConfig]  # By symbol.
    slippage: float  # Fraction of the price per fill.
    fees: Mapping[str, FeeRates]

    @property
    def name(self) -> str:
        return "skalp"

    def on_book(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, memory: Memory
    ) -> Signal | None:
        seen = self.look(symbol, market, position, now, memory)
        return seen if isinstance(seen, Signal) else None

    def look(
        self, symbol: str, market: SymbolMarket, position: Position, now: Nanos, _memory: Memory
    ) -> Signal | Silence:
        if not market.seen:
            return Silence(reason="NO_BOOK", observed=0.0, limit=0.0)
        if position.qty:
            return Silence(reason="IN_POSITION", observed=abs(as_float(position.qty)), limit=0.0)
        age, life = market.age_ms(now), self.config.skalp_horizon_s * 1e3
        if age > life:
            return Silence(reason="OLD_BOOK", observed=age, limit=life)
        queue, least = abs(market.imbalance), self.config.skalp_imbalance_min
        if queue < least:
            return Silence("BALANCED_BOOK", queue, least)  # What most ticks end with.
        return self._weigh(symbol, market, now)

    def _weigh(self, symbol: str, market: SymbolMarket, now: Nanos) -> Signal | Silence:
        rates = self.fees.get(symbol)
        if rates is None:
            return Silence(reason="NO_FEES", observed=0.0, limit=0.0)
        target, stop = self.exits_of(symbol).distances(market.mid, market.range.value)
        lean = self.config.skalp_beta_imbalance * market.imbalance + self.config.skalp_beta_flow * tanh(
            market.flow_imbalance
        )
        side = Side.BUY if lean > 0.0 else Side.SELL
        p = logistic(martingale_offset(target, stop) + abs(lean) * reach(target, stop, WEIGHTS_AT))
        cost = round_trip_cost(as_float(rates.taker), market.spread / market.mid, self.slippage)
        needed = break_even(target, stop, cost)
        if p <= needed:
            return Silence(reason="EDGE_BELOW_COSTS", observed=p, limit=needed)
        return Signal(
            symbol=symbol,
            side=side,
            p=p,
            n=self.config.skalp_observations,
            target=target,
            stop=stop,
            strategy=self.name,
            declared=False,
            reason=f"queue {market.imbalance:+.3f}, flow {market.flow_imbalance:+.3f}, needs p {needed:.4f}",
            ts=now,
        )

    def remember(self, _symbol: str, _position: Position, _now: Nanos, memory: Memory) -> Memory:
        return memory

    def stop_for(self, _symbol: str, _market: SymbolMarket, _bracket: Bracket, _now: Nanos) -> float | None:
        return None

    def wants_exit(self, _symbol: str, _position: Position, _opened_at: Nanos, _now: Nanos) -> str:
        """Its brackets decide: the odds it gave had no time limit."""
        return ""
