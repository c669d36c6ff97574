"""Several symbols, one budget: alone it is Kelly, together the optimizer, blind a fair share."""

from decimal import Decimal

from aurora.config import AuroraConfig
from aurora.engine import Engine
from aurora.engine.pool import pooled
from aurora.engine.statistics import Statistics
from aurora.engine.turn import Turn
from aurora.model.facts import WalletOpened
from aurora.model.market import Candles
from aurora.model.numbers import SECOND, Nanos, Quote
from aurora.model.order import Side
from aurora.model.signal import SizingLink
from aurora.sizing.kelly import NotionalFraction, risk_aversion_from_drawdown
from aurora.state import State

NOW = Nanos(1_800_000_000 * SECOND)


def turn(symbols: int, **sizing: float) -> Turn:
    config = AuroraConfig.model_validate(
        {
            "symbols": [f"S{n}USDT" for n in range(symbols)],
            "sizing": {"leverage_use_max": 1.0, "gross_cap": 1.0, **sizing},
        }
    )
    state = State()
    engine = Engine(config, state)
    made = Turn(config, state, NOW, engine.mind)
    made.conclude(WalletOpened(asset="USDT", wallet=Quote(Decimal(1000)), at=NOW))
    return made


def sample(stats: Statistics, rows: int, together: float) -> None:
    """Returns of which a share is common to all symbols."""
    for n in range(rows):
        common = 0.001 if n % 2 else -0.001
        own = {s: 0.001 if (n >> k) % 2 else -0.001 for k, s in enumerate(stats.symbols)}
        stats.covariance.push({s: together * common + (1 - together) * own[s] for s in stats.symbols})


def asked(made: Turn, symbol: str, fraction: float) -> tuple[float, str]:
    chain: list[SizingLink] = []
    share = pooled(made, symbol, Side.BUY, NotionalFraction(fraction), 1000.0, chain)
    return share, chain[-1].note


def test_alone_a_symbol_gets_its_kelly_fraction_within_the_budget() -> None:
    assert asked(turn(3), "S0USDT", 0.4) == (0.4, "alone: Kelly")
    assert asked(turn(3), "S0USDT", 5.0)[0] == 1.0


def test_signals_of_the_same_moment_share_one_budget() -> None:
    made = turn(3)
    sample(made.stats, 200, together=0.0)
    for symbol in made.stats.symbols:
        asked(made, symbol, 0.6)
    shares = [asked(made, f"S{n}USDT", 0.6)[0] for n in range(3)]
    assert sum(shares) <= 1.0 + 1e-9
    assert min(shares) > 0.2


def test_symbols_that_move_together_get_less_than_alone() -> None:
    apart, close = turn(2, gross_cap=2.0), turn(2, gross_cap=2.0)
    sample(apart.stats, 200, together=0.0)
    sample(close.stats, 200, together=0.95)
    for made in (apart, close):
        asked(made, "S0USDT", 0.5)
    alone = asked(apart, "S1USDT", 0.5)[0]
    crowded = asked(close, "S1USDT", 0.5)[0]
    assert crowded < 0.7 * alone <= 0.5


def test_without_statistics_it_is_a_fair_share_and_says_why() -> None:
    made = turn(2)
    asked(made, "S0USDT", 0.9)
    share, note = asked(made, "S1USDT", 0.9)
    assert share <= 0.5
    assert "warming_up" in note


def test_a_symbol_without_fresh_returns_is_not_optimized_on_old_ones() -> None:
    made = turn(2)
    sample(made.stats, 200, together=0.0)
    for _ in range(100):
        made.stats.covariance.push({"S0USDT": 0.001})
    asked(made, "S0USDT", 0.9)
    share, note = asked(made, "S1USDT", 0.9)
    assert share <= 0.5
    assert "no fresh returns of S1USDT" in note


def test_an_old_opinion_is_not_weighed() -> None:
    made = turn(2)
    asked(made, "S0USDT", 0.9)
    made.now = Nanos(NOW + 2 * SECOND)
    assert asked(made, "S1USDT", 0.4) == (0.4, "alone: Kelly")


def test_the_drawdown_budget_sets_the_aversion() -> None:
    made = turn(1, drawdown_max=0.2, drawdown_prob=0.1)
    assert made.aversion == risk_aversion_from_drawdown(0.2, 0.1)
    assert turn(1).aversion == 1.0


def test_the_tail_is_warm_once_every_symbol_has_its_history() -> None:
    made = turn(2)
    closes = tuple(100.0 * (1.001 if n % 2 else 1.0) for n in range(400))
    for symbol in made.stats.symbols:
        assert made.stats.scenarios.tail({symbol: 100.0}).warming_up
        made.stats.warm(Candles(symbol=symbol, closes=closes, highs=closes, lows=closes, ts_recv=NOW))
    tail = made.stats.scenarios.tail({"S0USDT": 100.0})
    assert not tail.warming_up
    assert 0.05 < tail.cvar < 0.2
