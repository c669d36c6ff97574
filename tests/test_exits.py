"""Every kind of exit, LONG and SHORT, told as stories at the desk; and the arithmetic behind them."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aurora.config import AuroraConfig, ExitsConfig, StrategyConfig
from aurora.engine.operate import FORGET_AT_ONCE, KEEP_FINISHED
from aurora.execution.ladder import quantities, rungs
from aurora.execution.levels import levels
from aurora.execution.pyramid import risk
from aurora.execution.stops import break_even
from aurora.market import SymbolMarket
from aurora.model.bracket import Bracket, Phase
from aurora.model.events import InstrumentsLoaded
from aurora.model.facts import BracketSet, IntentDenied, OrderForgotten, RoundTripClosed, SignalSeen
from aurora.model.gate import GateReason
from aurora.model.market import Candles, MarketTrade
from aurora.model.numbers import SECOND, Nanos, Price, Qty
from aurora.model.order import Role, Side
from aurora.risk.true_range import TrueRange
from aurora.signals.exercise import Exercise
from tests.desk import CONFIG, Desk
from tests.kit import instrument, mark
from tests.test_bracket import bracket as sample

D = Decimal


def desk_with(seed: int = 1, *, hold_s: float = 600.0, **exits: Any) -> Desk:
    """The exits are the symbol's own; what is common to all symbols stays as it is and must not count."""
    plain = CONFIG.model_dump()
    plain["exits_by_symbol"] = {"BTCUSDT": plain["exits"] | exits}
    plain["strategy"] |= {"seed": seed, "exercise_hold_s": hold_s}
    return Desk(AuroraConfig.model_validate(plain)).open()


def entered(side: Side, **exits: Any) -> Desk:
    """A guarded position on the wanted side."""
    desk = desk_with(seed_of(side), **exits)
    assert desk.enter() is side
    desk.run(1.2)
    return desk


def seed_of(side: Side) -> int:
    """The seed decides who begins."""
    beginners = (Exercise(config=StrategyConfig(seed=seed), exits_of=CONFIG.exits_of) for seed in range(20))
    return next(strategy.config.seed for strategy in beginners if strategy.side("BTCUSDT", 0) is side)


def held(desk: Desk) -> Bracket:
    return desk.engine.state.durable.brackets["BTCUSDT"]


def go(desk: Desk, fraction: str, seconds: float = 0.2) -> None:
    """Move the mid to entry x (1 + fraction) in the position's favour and stay there."""
    side = held(desk).side
    entry = held(desk).entry_first
    desk.price(str((entry * (1 + D(fraction) * side.sign)).quantize(D("0.1"))))
    desk.run(seconds)


def reason(desk: Desk) -> str:
    trip = desk.facts(RoundTripClosed)[0]
    assert isinstance(trip, RoundTripClosed)
    return trip.exit_reason


@pytest.mark.parametrize("side", Side)
def test_a_trailing_stop_follows_and_never_loosens(side: Side) -> None:
    desk = entered(side, trail_pct=0.002, tp_pct=0.5)
    stops = []
    for fraction in ("0.001", "0.004", "0.003", "0.006", "0.005"):
        go(desk, fraction, 1.5)
        stops.append(held(desk).stop)
    assert [abs(stop) for stop in stops] == sorted(stops, reverse=side is Side.SELL)
    assert (stops[-1] - held(desk).entry) * side.sign > 0
    resting = [intent for intent in desk.venue.resting.values() if intent.role is Role.STOP]
    assert len(resting) == 1
    assert resting[0].level is not None
    assert abs(resting[0].level - stops[-1]) <= held(desk).entry * D("0.0005")
    go(desk, "0.003", 0.3)
    assert desk.venue.position.flat
    assert reason(desk) == "STOP_LOSS"


def test_a_position_held_for_long_does_not_gather_the_stops_it_has_replaced() -> None:
    desk = entered(Side.BUY, trail_pct=0.002, tp_pct=0.5, hold_s=86_400.0)
    for step in range(1, 260):
        go(desk, f"{D(step) * D('0.0006')}", 0.0)
        desk.beat(50)
    blotter = desk.engine.state.durable.blotter
    forgotten = desk.facts(OrderForgotten)
    assert held(desk).epoch == 1
    assert len(forgotten) > FORGET_AT_ONCE
    stops = [order for order in blotter.orders() if order.intent.role is Role.STOP]
    assert min(order.updated_at for order in stops) >= desk.now - KEEP_FINISHED - 2 * SECOND
    fills = [order for order in blotter.orders() if order.filled]
    assert [order.intent.role for order in fills] == [Role.ENTRY]  # What made the position is remembered.


def test_a_position_that_cannot_be_left_for_long_does_not_gather_the_exits_refused() -> None:
    desk = entered(Side.BUY, hold_s=86_400.0)
    desk.venue.refuse = {Role.EXIT: -4140}  # Its symbol does not trade.
    go(desk, "-0.01", 0.0)
    desk.beat(10_000)
    refused = [o for o in desk.engine.state.durable.blotter.orders() if o.intent.role is Role.EXIT]
    assert len(desk.facts(OrderForgotten)) > FORGET_AT_ONCE
    assert min(order.updated_at for order in refused) >= desk.now - KEEP_FINISHED - 2 * SECOND
    desk.venue.refuse = {}
    desk.beat(60)
    assert desk.venue.position.flat


@pytest.mark.parametrize("side", Side)
def test_at_break_even_the_position_is_free_and_cannot_lose(side: Side) -> None:
    desk = entered(side, break_even_pct=0.0015, tp_pct=0.5)
    go(desk, "0.0020", 1.5)
    assert held(desk).phase is Phase.FREE
    stop, entry = held(desk).stop, held(desk).entry
    net = (stop - entry) * side.sign - (stop + entry) * D("0.0005")
    assert D(0) <= net <= D("0.2")


@dataclass(frozen=True, kw_only=True)
class Wishing(Exercise):
    """An exercise that would have its stop where it is told."""

    wishes: dict[str, float]

    def stop_for(self, symbol: str, _market: SymbolMarket, _bracket: Bracket, _now: Nanos) -> float | None:
        return self.wishes.get(symbol)


def wish(desk: Desk, fraction: str) -> Price:
    """Let the strategy wish for a stop at entry x (1 + fraction) in the position's favour."""
    bracket = held(desk)
    level = (bracket.entry * (1 + D(fraction) * bracket.side.sign)).quantize(D("0.1"))
    config = desk.config
    strategy = Wishing(config=config.strategy, exits_of=config.exits_of, wishes={"BTCUSDT": float(level)})
    desk.engine.turn.strategy = strategy
    desk.run(1.5)
    return Price(level)


@pytest.mark.parametrize("side", Side)
def test_a_strategy_moves_its_stop_closer_and_never_further(side: Side) -> None:
    desk = entered(side, strategy_stops=True, sl_pct=0.004, tp_pct=0.5)
    before = held(desk).stop
    wish(desk, "-0.006")
    assert held(desk).stop == before
    closer = wish(desk, "-0.002")
    assert held(desk).stop == closer
    (stop,) = (intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.level == closer
    wish(desk, "-0.003")
    assert held(desk).stop == closer


@pytest.mark.parametrize("side", Side)
def test_where_it_may_loosen_its_stop_it_stays_inside_the_backstop(side: Side) -> None:
    desk = entered(side, strategy_stops=True, strategy_may_loosen=True, sl_pct=0.004, tp_pct=0.5)
    looser = wish(desk, "-0.006")
    assert held(desk).stop == looser
    (stop,) = (intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.level == looser
    wish(desk, "-0.021")
    assert held(desk).stop == looser


def test_a_strategy_that_may_not_move_stops_is_not_asked() -> None:
    desk = entered(Side.BUY, sl_pct=0.004, tp_pct=0.5, break_even_pct=0.3)
    before = held(desk).stop
    wish(desk, "-0.002")
    assert held(desk).stop == before


@pytest.mark.parametrize("side", Side)
def test_time_ends_a_position(side: Side) -> None:
    desk = entered(side, time_stop_s=5)
    desk.run(5.0)
    assert desk.venue.position.flat or held(desk).epoch > 1
    assert reason(desk) == "TIME_STOP"


@pytest.mark.parametrize("side", Side)
def test_a_ladder_takes_its_parts_and_the_stop_follows_what_is_left(side: Side) -> None:
    desk = entered(side, ladder=("0.001:0.5", "0.002:0.25", "0.003:0.25"), tp_pct=0.5)
    whole = abs(desk.venue.position.qty)
    go(desk, "0.0011", 1.5)
    left = abs(desk.venue.position.qty)
    assert whole / 2 - D("0.001") <= left <= whole / 2 + D("0.001")
    stop = next(intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.qty == left
    assert held(desk).phase is Phase.GUARDED
    go(desk, "0.0032", 0.4)
    assert desk.venue.position.flat
    assert reason(desk) == "LADDER"
    assert -side.sign not in desk.venue.worst_sign


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", ["limit", "algo"])
def test_a_target_rests_on_the_ticks_the_exchange_has_now(side: Side, kind: str) -> None:
    desk = entered(side, tp_order=kind, tp_pct=0.01)
    asked = (held(desk).take_profit or D(0)) * side.sign
    other = replace(instrument(), tick_size=Price(D("1.70")))
    desk.tell(InstrumentsLoaded(instruments=(other,), ts_recv=desk.now))
    desk.run(3.0)
    (target,) = [each for each in desk.venue.resting.values() if each.role is Role.TAKE_PROFIT]
    price = target.price or target.trigger or D(0)
    assert price % D("1.70") == 0
    assert 0 < price * side.sign - asked < D("1.70")  # Never nearer than it was asked for.


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("loss", ["refused", "lost"])
def test_a_part_that_was_not_taken_is_due_again(side: Side, loss: str) -> None:
    desk = entered(side, ladder=("0.001:0.5", "0.003:0.5"), tp_pct=0.5)
    whole = abs(desk.venue.position.qty)
    for fraction, left in (("0.0011", whole / 2), ("0.0032", D(0))):
        began = desk.now
        desk.venue.refuse = {Role.TAKE_PROFIT: -4131} if loss == "refused" else {}
        desk.venue.swallow = [Role.TAKE_PROFIT] if loss == "lost" else []
        before, posts = abs(desk.venue.position.qty), len(desk.venue.posts)
        go(desk, fraction, 3.0)
        assert abs(desk.venue.position.qty) == before
        assert 1 <= len(desk.venue.posts) - posts <= 4  # At most once a second.
        desk.venue.refuse, desk.venue.swallow = {}, []
        while abs(abs(desk.venue.position.qty) - left) > D("0.001"):
            desk.run(0.1)
            assert desk.now - began < 15 * SECOND  # A lost one is waited for until it is proven dead.
    assert reason(desk) == "LADDER"
    assert -side.sign not in desk.venue.worst_sign


def test_a_part_that_was_not_taken_is_left_to_its_price() -> None:
    desk = entered(Side.BUY, ladder=("0.001:0.5", "0.003:0.5"), tp_pct=0.5)
    desk.venue.refuse_once = [(Role.TAKE_PROFIT, -4131)]
    whole = desk.venue.position.qty
    go(desk, "0.0011", 0.1)
    go(desk, "0.0002", 5.0)
    assert (desk.venue.position.qty, held(desk).rungs_done) == (whole, 0)
    go(desk, "0.0011", 1.0)
    assert held(desk).rungs_done == 1
    assert desk.venue.position.qty < whole


@pytest.mark.parametrize("side", Side)
def test_an_add_never_risks_more_than_was_risked_first(side: Side) -> None:
    desk = entered(side, pyramid_adds=2, pyramid_step_pct=0.002, pyramid_share=0.5, tp_pct=0.5)
    first = held(desk)
    for fraction in ("0.0025", "0.0050"):
        go(desk, fraction, 1.5)
        now = held(desk)
        assert risk(side, now.entry, now.stop, now.qty) <= first.initial_risk
    assert held(desk).adds_done == 2
    assert abs(desk.venue.position.qty) > first.qty
    assert held(desk).phase in (Phase.GUARDED, Phase.FREE)
    stops = [fact.bracket.stop for fact in desk.facts(BracketSet) if isinstance(fact, BracketSet)]
    assert stops == sorted(stops, reverse=side is Side.SELL)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", ["limit", "algo"])
def test_targets_rest_on_the_exchange_and_follow_the_quantity(side: Side, kind: str) -> None:
    desk = entered(side, tp_order=kind, ladder=("0.002:0.5", "0.004:0.5"), tp_pct=0.5)
    desk.run(1.0)
    targets = [(k, i) for k, i in desk.venue.resting.items() if i.role is Role.TAKE_PROFIT]
    assert sum((intent.qty or D(0) for _, intent in targets), D(0)) == abs(desk.venue.position.qty)
    assert all(intent.reduce_only and intent.side is side.opposite for _, intent in targets)
    desk.fill(targets[0][0])
    desk.run(1.5)
    left = [intent for intent in desk.venue.resting.values() if intent.role is Role.TAKE_PROFIT]
    assert [intent.qty for intent in left] == [abs(desk.venue.position.qty)]
    stop = next(intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.qty == abs(desk.venue.position.qty)
    desk.fill(next(k for k, i in desk.venue.resting.items() if i.role is Role.TAKE_PROFIT))
    desk.run(0.4)
    assert desk.venue.position.flat
    assert -side.sign not in desk.venue.worst_sign


@pytest.mark.parametrize("side", Side)
def test_a_resting_target_that_still_fits_keeps_its_place_in_the_queue(side: Side) -> None:
    """Partly filled, or beside one that filled; an amendment would lose the place as a new order does."""
    desk = entered(side, tp_order="limit", ladder=("0.002:0.5", "0.004:0.5"), tp_pct=0.5)
    desk.run(1.0)
    near, far = (key for key, intent in desk.venue.resting.items() if intent.role is Role.TAKE_PROFIT)
    for qty in ("0.005", None):
        desk.fill(near, qty)
        desk.run(3.0)
    assert near not in desk.venue.resting
    sent = [
        order for order in desk.engine.state.durable.blotter.orders() if order.intent.role is Role.TAKE_PROFIT
    ]
    assert [order.key for order in sent] == [near, far]
    assert desk.venue.resting[far].qty == abs(desk.venue.position.qty)


@pytest.mark.parametrize("side", Side)
def test_in_exchange_mode_the_resting_stop_alone_acts(side: Side) -> None:
    desk = entered(side, mode="exchange", tp_pct=0.5)
    stop = next(intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert stop.trigger == held(desk).stop
    go(desk, "-0.003", 0.5)
    assert not desk.venue.position.flat
    desk.trigger(Role.STOP)
    desk.run(0.3)
    assert desk.venue.position.flat
    assert reason(desk) == "EXCHANGE_STOP"


@pytest.mark.parametrize("side", Side)
def test_in_local_mode_only_the_backstop_rests(side: Side) -> None:
    desk = entered(side, mode="local", tp_pct=0.5)
    assert {intent.role for intent in desk.venue.resting.values()} == {Role.BACKSTOP}
    assert held(desk).phase is Phase.GUARDED
    go(desk, "-0.003", 0.3)
    assert desk.venue.position.flat


def shown(desk: Desk, source: str, price: Decimal) -> None:
    """The price of that source alone is where told."""
    now, level = desk.now, float(price)
    match source:
        case "mid":
            desk.price(str(price))
        case "mark":
            desk.tell(mark(level, symbol="BTCUSDT", when=now))
        case "last":
            symbol, taker = "BTCUSDT", Side.BUY
            desk.tell(
                MarketTrade(symbol=symbol, price=level, qty=1.0, taker=taker, ts_event=now, ts_recv=now)
            )


def beyond(desk: Desk, fraction: str) -> Decimal:
    """Entry x (1 + fraction) in the position's favour."""
    bracket = held(desk)
    return (bracket.entry * (1 + D(fraction) * bracket.side.sign)).quantize(D("0.1"))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("source", ["mid", "mark", "last"])
@pytest.mark.parametrize(("fraction", "why"), [("-0.0021", "STOP_LOSS"), ("0.0061", "TAKE_PROFIT")])
def test_local_levels_are_compared_with_the_price_that_is_configured(
    side: Side, source: str, fraction: str, why: str
) -> None:
    desk = entered(side, trigger_price=source, tp_pct=0.006)
    level, mid = beyond(desk, fraction), (desk.bid + desk.ask) / 2
    for other in ("mid", "mark", "last"):
        if other != source:
            shown(desk, other, level)
            shown(desk, other, mid)
    assert not desk.venue.position.flat
    shown(desk, source, level)
    desk.run(0.3)
    assert desk.venue.position.flat
    assert reason(desk) == why


@pytest.mark.parametrize("side", Side)
def test_the_executable_price_is_the_side_that_would_be_traded_at(side: Side) -> None:
    """A wide book may have its mid on one side of a level and the price one gets on the other."""

    def gets(desk: Desk, price: Decimal) -> None:
        desk.bid, desk.ask = (price, price + 500) if side is Side.BUY else (price - 500, price)
        desk.quote()

    desk = entered(side, trigger_price="executable", tp_pct=0.006)
    gets(desk, beyond(desk, "0.0059"))
    assert not desk.venue.position.flat
    gets(desk, beyond(desk, "0.0061"))
    assert desk.venue.position.flat
    desk = entered(side, trigger_price="executable", tp_pct=0.006)
    gets(desk, beyond(desk, "-0.0019"))
    assert not desk.venue.position.flat
    gets(desk, beyond(desk, "-0.0021"))
    assert desk.venue.position.flat


@pytest.mark.parametrize("side", Side)
def test_levels_in_average_true_ranges_stand_as_far_as_the_market_moves(side: Side) -> None:
    desk = desk_with(seed_of(side), sl_atr=1.5, tp_atr=4.0, trail_atr=2.0, backstop_pct=0.05)
    minutes = 20
    desk.tell(
        Candles(
            symbol="BTCUSDT",
            closes=(60_000.0,) * minutes,
            highs=(60_050.0,) * minutes,
            lows=(59_950.0,) * minutes,
            ts_recv=desk.now,
        )
    )
    assert desk.enter() is side
    desk.run(1.2)
    bracket = held(desk)
    assert bracket.take_profit is not None
    # A range is 100; stops are rounded towards the entry, targets away from it.
    assert D("149.9") <= (bracket.entry - bracket.stop) * side.sign <= 150
    assert 400 <= (bracket.take_profit - bracket.entry) * side.sign <= D("400.1")
    go(desk, "0.005", 1.5)
    peak = (desk.bid + desk.ask) / 2
    assert D("199.9") <= (peak - held(desk).stop) * side.sign <= 200


FIXED = {
    Side.BUY: {"sl_price": 59_800.0, "tp_price": 60_300.0},
    Side.SELL: {"sl_price": 60_200.0, "tp_price": 59_700.0},
}


@pytest.mark.parametrize("side", Side)
def test_a_position_ends_at_its_fixed_stop_and_at_its_fixed_target(side: Side) -> None:
    for name, why in (("sl_price", "STOP_LOSS"), ("tp_price", "TAKE_PROFIT")):
        desk = entered(side, **FIXED[side])
        level = D(str(FIXED[side][name]))
        outward = side.sign * (1 if name == "tp_price" else -1)
        desk.price(str(level - 10 * outward))
        desk.run(0.3)
        assert not desk.venue.position.flat
        desk.price(str(level + outward))
        desk.run(0.3)
        assert desk.venue.position.flat
        assert reason(desk) == why


@pytest.mark.parametrize("side", Side)
def test_the_size_is_reckoned_to_where_the_stop_at_a_fixed_price_rests(side: Side) -> None:
    desk = entered(side, **FIXED[side])
    seen = next(fact for fact in desk.facts(SignalSeen) if isinstance(fact, SignalSeen))
    assert seen.target is not None
    stop = next(intent for intent in desk.venue.resting.values() if intent.role is Role.STOP)
    assert seen.target.stop == stop.trigger
    level = D(str(FIXED[side]["sl_price"]))
    assert level * D("0.0005") <= (level - stop.trigger) * side.sign <= level * D("0.0005") + D("0.1")
    assert seen.signal.stop == pytest.approx(200 / 60_000, rel=1e-3)
    assert seen.signal.target == pytest.approx(300 / 60_000, rel=1e-3)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ["sl_price", "tp_price"])
def test_where_a_fixed_price_lies_on_the_wrong_side_nothing_is_entered(side: Side, name: str) -> None:
    desk = desk_with(seed_of(side), **{"tp_pct": 0.01, name: FIXED[side.opposite][name]})
    desk.run(5.0)
    denied = [fact.denied for fact in desk.facts(IntentDenied) if isinstance(fact, IntentDenied)]
    assert desk.venue.position.flat
    assert not desk.venue.posts
    assert denied[-1].reason is GateReason.EXIT_LEVELS
    distance = 200 if name == "sl_price" else 300
    assert denied[-1].observed == pytest.approx(distance / 60_000 * 1e4, rel=1e-2)
    assert denied[-1].limit == 0


@given(
    side=st.sampled_from(Side),
    entry=st.decimals("50000", "70000", places=1),
    price=st.floats(50_000, 70_000),
    atr=st.none() | st.floats(1, 500),
)
def test_every_stop_is_behind_the_entry_and_inside_the_widest_loss(
    side: Side, entry: Decimal, price: float, atr: float | None
) -> None:
    """Wherever a fixed price lies; and the odds are given for the levels that are set."""
    exits = ExitsConfig(sl_price=price, tp_price=price, sl_atr=2, tp_atr=3, backstop_pct=0.05)
    at = levels(side, Price(entry), exits, instrument(), atr)
    assert (entry - at.stop) * side.sign > -D("0.1")
    assert (at.stop - at.backstop) * side.sign > 0
    assert (at.take_profit - entry) * side.sign >= 0
    target, stop = exits.distances(float(entry), atr)
    if abs(price - float(entry)) > 1:
        taken, left = (at.take_profit, target) if (price - float(entry)) * side.sign > 0 else (at.stop, stop)
        assert abs(float(abs(taken - entry)) - left * float(entry)) <= 0.11


@given(
    entry=st.decimals("100", "100000", places=1),
    fee=st.decimals("0", "0.002", places=5),
    side=st.sampled_from(Side),
)
def test_break_even_pays_both_fees_and_little_more(entry: Decimal, fee: Decimal, side: Side) -> None:
    held_at = sample(side)
    level = break_even(
        Bracket(**{f: getattr(held_at, f) for f in held_at.__slots__} | {"entry": Price(entry)}),
        fee=fee,
        instrument=instrument(),
    )
    net = (level - entry) * side.sign - (level + entry) * fee
    assert D(0) <= net <= D("0.11")


@given(qty=st.integers(1, 200_000), shares=st.sampled_from([("1",), ("0.5", "0.5"), ("0.3", "0.3", "0.4")]))
def test_the_rungs_add_up_to_the_position(qty: int, shares: tuple[str, ...]) -> None:
    ladder = rungs(tuple(f"{0.001 * (n + 1):.3f}:{share}" for n, share in enumerate(shares)))
    size = Qty(D(qty) / 1000)
    parts = quantities(size, ladder, instrument(), Price(D("60000")))
    assert sum(parts) == size
    assert all(part >= 0 for part in parts)
    assert all(part * 60_000 >= 50 for part in parts[:-1] if part)


@pytest.mark.parametrize(
    "ladder", [("0.001",), ("0.001:0.5",), ("0.002:0.5", "0.001:0.5"), ("x:1",), ("0.001:1.5",)]
)
def test_a_ladder_that_does_not_add_up_is_refused(ladder: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="ladder"):
        ExitsConfig(ladder=ladder)


def test_the_true_range_counts_gaps_between_bars() -> None:
    atr = TrueRange()
    minute = 60_000_000_000
    for bar in range(15):
        for price in (100.0 + bar, 101.0 + bar, 100.5 + bar):
            atr.update(price, (bar + 1) * minute)
    # Every bar spans 1; all but the first also open half above the close before them.
    assert atr.value == pytest.approx((1.0 + 13 * 1.5) / 14)
    warmed = TrueRange()
    warmed.warm(tuple([101.0] * 15), tuple([99.0] * 15), tuple([100.0] * 15))
    assert warmed.value == pytest.approx(2.0)
