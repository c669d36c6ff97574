"""What strategies say: the exercise on its cadence, the scalper only when the odds pay the costs."""

from decimal import Decimal
from itertools import pairwise
from math import isclose, tanh

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.config import AuroraConfig, ExitsConfig, StrategyConfig
from aurora.market import MarketView, SymbolMarket
from aurora.model.instrument import FeeRates
from aurora.model.numbers import SECOND, Nanos
from aurora.model.order import Side
from aurora.model.position import Position
from aurora.model.signal import Signal
from aurora.signals.base import NO_MEMORY, Memory, Silence
from aurora.signals.exercise import Exercise, mix, name_hash
from aurora.signals.features import break_even, logistic, logit, martingale_offset, reach, round_trip_cost
from aurora.signals.roster import strategy_of
from aurora.signals.skalp import WEIGHTS_AT, Skalp
from tests.kit import BTC, ETH, START, at, position, tick

FLAT = Position(symbol=BTC)
EXITS = ExitsConfig(tp_pct=0.002, sl_pct=0.001)


def fees(taker: str = "0.0005") -> dict[str, FeeRates]:
    return {BTC: FeeRates(symbol=BTC, maker=Decimal("0.0002"), taker=Decimal(taker))}


def skalp(taker: str = "0", *, tp: float = 0.0002, sl: float = 0.0002, **knobs: float) -> Skalp:
    return Skalp(
        config=StrategyConfig.model_validate(knobs),
        exits_of=lambda _: ExitsConfig(tp_pct=tp, sl_pct=sl, backstop_pct=0.5),
        slippage=0.0,
        fees=fees(taker),
    )


def book(bid_qty: float = 9.0, ask_qty: float = 1.0, *, ask: float = 50_000.1) -> SymbolMarket:
    """Two quotes a moment apart; the queues lean as told."""
    view = MarketView()
    view.fold(tick(50_000.0, ask, bid_qty=5.0, ask_qty=5.0))
    view.fold(tick(50_000.0, ask, bid_qty=bid_qty, ask_qty=ask_qty, when=at(0.001)))
    return view.of(BTC)


def exercise(**knobs: float) -> Exercise:
    config = StrategyConfig.model_validate({"name": "exercise", **knobs})
    return Exercise(config=config, exits_of=lambda _: EXITS)


def wait(strategy: Exercise, trips: int = 0) -> int:
    return strategy.wait(BTC, trips)


def settled(strategy: Exercise, since: Nanos = START) -> Memory:
    return strategy.remember(BTC, FLAT, since, NO_MEMORY)


def test_the_exercise_waits_and_then_speaks() -> None:
    strategy, market = exercise(seed=7), book()
    memory = settled(strategy)
    due = Nanos(START + wait(strategy))
    early = strategy.look(BTC, market, FLAT, Nanos(due - 1), memory)
    assert isinstance(early, Silence)
    assert early.reason == "WAITING"
    assert early.observed < early.limit == wait(strategy) / SECOND
    signal = strategy.on_book(BTC, market, FLAT, due, memory)
    assert signal is not None
    assert (signal.declared, signal.strategy, signal.ts) == (True, "exercise", due)
    assert (signal.p, signal.target, signal.stop) == (0.55, 0.002, 0.001)
    assert "declared" in signal.reason


def test_the_exercise_alternates_long_and_short() -> None:
    strategy = exercise(seed=7)
    sides = [strategy.side(BTC, trips) for trips in range(6)]
    assert all(before is after.opposite for before, after in pairwise(sides))


def test_who_begins_depends_on_seed_and_symbol() -> None:
    begins = {
        (seed, symbol): exercise(seed=seed).side(symbol, 0) for seed in range(9) for symbol in (BTC, ETH)
    }
    assert set(begins.values()) == set(Side)
    assert any(begins[seed, BTC] is not begins[seed, ETH] for seed in range(9))


@given(st.integers(0, 2**32), st.integers(0, 10_000), st.floats(0.5, 3_600))
def test_the_wait_stays_between_half_and_one_and_a_half_of_the_mean(
    seed: int, trips: int, mean: float
) -> None:
    waited = wait(exercise(seed=seed, exercise_every_s=mean), trips) / SECOND
    assert mean * 0.499 <= waited <= mean * 1.501


def test_the_mean_wait_is_the_configured_one() -> None:
    strategy = exercise(seed=3, exercise_every_s=8.0)
    waits = [wait(strategy, trips) / SECOND for trips in range(2_000)]
    assert sum(waits) / len(waits) == pytest.approx(8.0, rel=0.03)


def test_a_round_trip_counts_one_and_restarts_the_wait() -> None:
    strategy, held = exercise(seed=7), position("0.010")
    memory = settled(strategy)
    assert strategy.remember(BTC, FLAT, at(1), memory) is memory
    holding = strategy.remember(BTC, held, at(10), memory)
    assert holding is not memory
    assert strategy.remember(BTC, held, at(11), holding) is holding
    flat = strategy.remember(BTC, FLAT, at(20), holding)
    assert dict(flat) == {"trips": 1, "flat_since": at(20), "holding": 0}
    due = Nanos(at(20) + wait(strategy, 1))
    assert strategy.on_book(BTC, book(), FLAT, Nanos(due - 1), flat) is None
    signal = strategy.on_book(BTC, book(), FLAT, due, flat)
    assert signal is not None
    assert signal.side is strategy.side(BTC, 1)


def test_an_unfilled_entry_does_not_use_up_a_turn() -> None:
    strategy = exercise(seed=7)
    memory, due = settled(strategy), Nanos(START + wait(exercise(seed=7)))
    first = strategy.on_book(BTC, book(), FLAT, due, memory)
    again = strategy.on_book(BTC, book(), FLAT, Nanos(due + SECOND), memory)
    assert first is not None
    assert again is not None
    assert first.side is again.side


def test_the_exercise_is_silent_in_a_position_and_before_it_has_settled() -> None:
    strategy, late = exercise(seed=7), at(1_000)
    held = strategy.look(BTC, book(), position(), late, settled(strategy))
    assert isinstance(held, Silence)
    assert held.reason == "IN_POSITION"
    new = strategy.look(BTC, book(), FLAT, late, NO_MEMORY)
    assert isinstance(new, Silence)
    assert new.reason == "NOT_SETTLED"
    blind = strategy.look(BTC, MarketView().of(BTC), FLAT, late, settled(strategy))
    assert isinstance(blind, Silence)
    assert blind.reason == "NO_BOOK"


def test_the_exercise_wants_out_after_its_hold() -> None:
    strategy = exercise(exercise_hold_s=5.0)
    assert strategy.wants_exit(BTC, position(), START, Nanos(at(5) - 1)) == ""
    assert strategy.wants_exit(BTC, position(), START, at(5)) == "HOLD_OVER"


def test_the_mixture_is_the_same_on_every_machine() -> None:
    assert mix(0, 0) == 0xE220A8397B1DCDAF, "first output of splitmix64 seeded with 0"
    assert name_hash("") == 0xCBF29CE484222325
    assert name_hash("a") == 0xAF63DC4C8601EC8C


def test_the_scalper_buys_the_heavier_bid_when_it_costs_nothing() -> None:
    signal = skalp().on_book(BTC, book(9.0, 1.0), FLAT, at(0.01), NO_MEMORY)
    assert signal is not None
    assert (signal.side, signal.declared) == (Side.BUY, False)
    assert 0.5 < signal.p < 0.7


def test_the_scalper_mirrors_a_mirrored_book() -> None:
    up = skalp().on_book(BTC, book(9.0, 1.0), FLAT, at(0.01), NO_MEMORY)
    down = skalp().on_book(BTC, book(1.0, 9.0), FLAT, at(0.01), NO_MEMORY)
    assert up is not None
    assert down is not None
    assert (up.side, down.side) == (Side.BUY, Side.SELL)
    assert up.p == pytest.approx(down.p)


def reason(strategy: Skalp, market: SymbolMarket, held: Position = FLAT, now: Nanos = START) -> str:
    seen = strategy.look(BTC, market, held, now, NO_MEMORY)
    return seen.reason if isinstance(seen, Silence) else "SIGNAL"


def test_the_odds_are_the_weighted_sum_of_queue_and_flow() -> None:
    market = book(9.0, 1.0)
    weighted = skalp(skalp_beta_imbalance=0.5, skalp_beta_flow=0.25)
    signal = weighted.on_book(BTC, market, FLAT, at(0.01), NO_MEMORY)
    assert signal is not None
    assert market.imbalance == pytest.approx(0.8)
    assert market.flow_imbalance == pytest.approx(0.8), "four more at the bid, four less at the ask, of ten"
    assert logit(signal.p) == pytest.approx(0.5 * 0.8 + 0.25 * tanh(0.8))


def test_flow_against_the_queue_weakens_the_opinion() -> None:
    view = MarketView()
    for bid_qty, when in ((30.0, at(0)), (9.0, at(0.001))):
        view.fold(tick(50_000.0, 50_000.1, bid_qty=bid_qty, ask_qty=1.0, when=when))
    market = view.of(BTC)
    assert market.imbalance > 0.0 > market.flow_imbalance
    weak = skalp(skalp_beta_flow=0.1).on_book(BTC, market, FLAT, at(0.01), NO_MEMORY)
    assert weak is not None
    assert logit(weak.p) < 0.4 * 0.8
    turned = skalp(skalp_beta_flow=5.0).on_book(BTC, market, FLAT, at(0.01), NO_MEMORY)
    assert turned is not None
    assert turned.side is Side.SELL


def test_the_scalper_says_why_it_is_silent() -> None:
    assert reason(skalp(), MarketView().of(BTC)) == "NO_BOOK"
    assert reason(skalp(), book(), position()) == "IN_POSITION"
    assert reason(skalp(skalp_horizon_s=5.0), book(), now=at(6)) == "OLD_BOOK"
    assert reason(skalp(), book(5.0, 4.0)) == "BALANCED_BOOK"
    nobody = Skalp(config=StrategyConfig(), exits_of=lambda _: EXITS, slippage=0.0, fees={})
    assert reason(nobody, book()) == "NO_FEES"
    assert reason(skalp("0.0005"), book()) == "EDGE_BELOW_COSTS"


@pytest.mark.parametrize("distance", [0.0002, 0.001, 0.005, 0.02])
@pytest.mark.parametrize("taker", ["0.0002", "0.0004", "0.0005"])
def test_no_bracket_makes_the_scalper_pay_ordinary_fees(distance: float, taker: str) -> None:
    """A fraction of a basis point of drift cannot pay two fees, however far the barriers are."""
    honest = skalp(taker, tp=distance, sl=distance)
    assert reason(honest, book(99.0, 1.0)) == "EDGE_BELOW_COSTS"


def test_a_wide_spread_is_a_cost() -> None:
    assert reason(skalp(), book(ask=50_000.1)) == "SIGNAL"
    assert reason(skalp(), book(ask=50_010.0)) == "EDGE_BELOW_COSTS"


def test_the_scalper_reads_fees_as_they_become_known() -> None:
    known: dict[str, FeeRates] = {}
    strategy = strategy_of(AuroraConfig(), known)
    assert strategy.name == "skalp"
    silent = strategy.look(BTC, book(), FLAT, START, NO_MEMORY)
    assert isinstance(silent, Silence)
    assert silent.reason == "NO_FEES"
    known.update(fees())
    silent = strategy.look(BTC, book(), FLAT, START, NO_MEMORY)
    assert isinstance(silent, Silence)
    assert silent.reason == "EDGE_BELOW_COSTS"


@pytest.mark.parametrize("name", ["skalp", "exercise"])
def test_a_strategy_gives_odds_of_the_symbols_own_bracket(name: str) -> None:
    own = {ETH: EXITS, BTC: ExitsConfig(tp_pct=0.0003, sl_pct=0.0002)}
    config = AuroraConfig.model_validate(
        {
            "symbols": (BTC, ETH),
            "strategy": {"name": name},
            "exits_by_symbol": own,
            "sizing": {"slippage_bps": 0},
        }
    )
    strategy = strategy_of(config, fees("0"))
    memory = strategy.remember(BTC, FLAT, START, NO_MEMORY)
    signal = strategy.on_book(BTC, book(), FLAT, at(60 if name == "exercise" else 0.01), memory)
    assert signal is not None
    assert (signal.target, signal.stop) == (0.0003, 0.0002)


def test_the_roster_knows_every_name_of_the_configuration() -> None:
    config = AuroraConfig(strategy=StrategyConfig(name="exercise"))
    assert strategy_of(config, {}).name == "exercise"


def test_the_scalper_remembers_nothing_and_has_no_clock() -> None:
    assert skalp().remember(BTC, position(), at(1), NO_MEMORY) is NO_MEMORY
    assert skalp().wants_exit(BTC, position(), START, at(10_000)) == ""


sizes = st.floats(0.001, 1_000)


@given(
    sizes, sizes, st.floats(0.0002, 0.05), st.floats(0.0002, 0.05), st.sampled_from(("0", "0.0001", "0.0005"))
)
def test_whoever_speaks_expects_to_win_after_costs(
    bid_qty: float, ask_qty: float, tp: float, sl: float, taker: str
) -> None:
    market = book(bid_qty, ask_qty)
    seen = skalp(taker, tp=tp, sl=sl).look(BTC, market, FLAT, at(0.01), NO_MEMORY)
    if isinstance(seen, Signal):
        cost = round_trip_cost(float(taker), market.spread / market.mid, 0.0)
        assert seen.p * (seen.target - cost) > (1 - seen.p) * (seen.stop + cost)


def test_a_price_without_drift_reaches_the_nearer_barrier_more_often() -> None:
    assert logistic(martingale_offset(0.003, 0.001)) == pytest.approx(0.25)
    assert logistic(martingale_offset(0.001, 0.001)) == pytest.approx(0.5)


def test_weights_hold_on_the_bracket_they_were_measured_on_and_fade_with_distance() -> None:
    assert reach(WEIGHTS_AT, WEIGHTS_AT, WEIGHTS_AT) == pytest.approx(1.0)
    assert reach(10 * WEIGHTS_AT, 10 * WEIGHTS_AT, WEIGHTS_AT) == pytest.approx(0.1)


def test_weights_never_grow_on_a_bracket_tighter_than_any_measured() -> None:
    assert reach(1e-5, 0.005, WEIGHTS_AT) == 1.0


@given(st.floats(WEIGHTS_AT, 0.1), st.floats(WEIGHTS_AT, 0.1), st.floats(1e-6, 1e-4))
def test_the_scaled_weight_is_the_drift_that_it_stands_for(target: float, stop: float, drift: float) -> None:
    """First order: P = (stop + drift) / (target + stop)."""
    weight = 2.0 * drift / WEIGHTS_AT
    p = logistic(martingale_offset(target, stop) + weight * reach(target, stop, WEIGHTS_AT))
    small = drift / min(target, stop)
    exact = (stop + drift) / (target + stop)
    assert abs(p - exact) <= 2.0 * small**2 + 1e-12


@given(st.floats(1e-4, 0.1), st.floats(1e-4, 0.1), st.floats(0, 0.01))
def test_at_break_even_nothing_is_won_or_lost(target: float, stop: float, cost: float) -> None:
    p = break_even(target, stop, cost)
    if target <= cost:
        assert p == 1.0
    else:
        assert isclose(p * (target - cost), (1 - p) * (stop + cost), abs_tol=1e-12)


def test_break_even_matches_the_table_of_the_textbook() -> None:
    for distance, maker, taker in ((0.0005, 0.90, 1.0), (0.002, 0.60, 0.75), (0.01, 0.52, 0.55)):
        assert break_even(distance, distance, round_trip_cost(0.0002, 0, 0)) == pytest.approx(maker)
        assert break_even(distance, distance, round_trip_cost(0.0005, 0, 0)) == pytest.approx(taker)


@given(st.floats(-700, 700))
def test_log_odds_and_probability_are_each_others_inverse(x: float) -> None:
    p = logistic(x)
    assert 0.0 <= p <= 1.0
    assert logistic(-x) == pytest.approx(1.0 - p, abs=1e-12)
    if abs(x) < 20:
        assert logit(p) == pytest.approx(x, abs=1e-6)
