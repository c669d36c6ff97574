"""One budget for all symbols: signals of the same moment share it through the optimizer."""

from aurora.engine.turn import Turn
from aurora.model.numbers import SECOND, Nanos, as_float
from aurora.model.order import Side
from aurora.model.signal import SizingLink
from aurora.sizing.kelly import NotionalFraction
from aurora.sizing.portfolio import PortfolioError, PortfolioOptimizer, mean_from_kelly

TOGETHER = SECOND  # Opinions this young are weighed together.
SAMPLES_MIN = 60


def pooled(
    turn: Turn, symbol: str, side: Side, wanted: NotionalFraction, equity: float, chain: list[SizingLink]
) -> NotionalFraction:
    """The symbol's share of the common gross budget; alone and inside it, its own Kelly fraction.

    Positions already held use up their part of the gross cap first.
    """
    sizing = turn.config.sizing
    turn.soft.opinions[symbol] = (wanted * side.sign, turn.now)
    held = sum(
        abs(as_float(p.qty)) * as_float(turn.price(p.symbol) or p.entry) for p in turn.d.ledger.positions()
    )
    budget = sizing.gross_cap - (held / equity if equity > 0 else sizing.gross_cap)
    if budget <= 0 or wanted <= 0:
        chain.append(SizingLink(stage="portfolio", value=0.0, note=f"gross budget left {budget:.4f}"))
        return NotionalFraction(0.0)
    together = {name: f for name, (f, at) in turn.soft.opinions.items() if considered(turn, name, at)}
    if len(together) == 1:
        share = min(wanted, budget, sizing.leverage_use_max)
        chain.append(SizingLink(stage="portfolio", value=share, note="alone: Kelly"))
        return NotionalFraction(share)
    return solved(turn, symbol, side, together, budget, chain)


def considered(turn: Turn, symbol: str, at: Nanos) -> bool:
    return turn.now - at <= TOGETHER and turn.d.ledger.position(symbol).flat


def solved(
    turn: Turn,
    symbol: str,
    side: Side,
    together: dict[str, float],
    budget: float,
    chain: list[SizingLink],
) -> NotionalFraction:
    """The optimizer's weight for the symbol; without an answer the last good one, and the chain says so."""
    sizing = turn.config.sizing
    names = sorted(together)
    gamma = turn.aversion
    try:
        if turn.stats.covariance.samples < SAMPLES_MIN:
            raise PortfolioError(f"warming_up: {turn.stats.covariance.samples} of {SAMPLES_MIN} samples")
        stale = [name for name in names if name in turn.stats.covariance.stale]
        if stale:
            raise PortfolioError(f"no fresh returns of {', '.join(stale)}")
        cov = turn.stats.covariance.covariance(names).cov
        means = mean_from_kelly([together[name] for name in names], cov, gamma=gamma)
        optimizer = PortfolioOptimizer(gamma=gamma, gross_cap=budget, max_weight=sizing.leverage_use_max)
        weights = optimizer.solve(means, cov)
    except ValueError as error:
        last = min(turn.soft.weights.get(symbol, abs(together[symbol])), abs(together[symbol]), budget)
        share = min(last, budget * abs(together[symbol]) / sum(abs(f) for f in together.values()))
        chain.append(SizingLink(stage="portfolio", value=share, note=f"no optimum ({error}); a fair share"))
        return NotionalFraction(share)
    weight = float(weights.w[names.index(symbol)])
    share = max(0.0, weight * side.sign)
    turn.soft.weights[symbol] = share
    note = f"with {', '.join(n for n in names if n != symbol)}; kkt {weights.kkt:.1e}"
    chain.append(SizingLink(stage="portfolio", value=share, note=note))
    return NotionalFraction(share)
