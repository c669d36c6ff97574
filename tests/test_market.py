"""The market as last seen: what is true is kept, what cannot be true is dropped and counted."""

from math import inf, nan
from time import perf_counter

import pytest

from aurora.market import MarketView, SymbolMarket
from aurora.model.market import BookTicker, Candles, MarketTrade
from aurora.model.numbers import MILLISECOND, Nanos
from aurora.model.order import Side
from tests.kit import BTC, ETH, START, at, mark, tick


def seen(*ticks: BookTicker) -> SymbolMarket:
    view = MarketView(flow_halflife_s=1.0)
    for one in ticks:
        assert view.fold(one)
    return view.of(BTC)


def test_a_quote_sets_what_is_derived_from_it() -> None:
    market = seen(tick(99.0, 101.0, bid_qty=3.0, ask_qty=1.0))
    assert (market.bid, market.ask, market.mid, market.spread) == (99.0, 101.0, 100.0, 2.0)
    assert market.spread_bps == pytest.approx(200.0)
    assert market.imbalance == pytest.approx(0.5)
    assert market.latency_ms == pytest.approx(1.0)
    assert market.age_ms(at(2)) == pytest.approx(2_000.0)


def test_symbols_do_not_see_each_other() -> None:
    view = MarketView()
    view.fold(tick(1.0, 2.0, symbol=ETH))
    assert view.of(ETH).seen
    assert not view.of(BTC).seen
    assert view.symbols() == (BTC, ETH)


def test_a_symbol_nobody_has_seen_is_empty_and_says_so() -> None:
    market = MarketView().of(BTC)
    assert not market.seen
    assert market.spread_bps == inf
    assert market.mark == 0.0
    assert market.imbalance == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        tick(nan, 101.0),
        tick(99.0, nan),
        tick(0.0, 101.0),
        tick(-1.0, 101.0),
        tick(101.0, 99.0),
        tick(100.0, 100.0),
        tick(99.0, inf),
        tick(99.0, 101.0, bid_qty=0.0),
        tick(99.0, 101.0, ask_qty=0.0),
        tick(99.0, 101.0, ask_qty=nan),
        tick(99.0, 101.0, ask_qty=inf),
    ],
)
def test_a_quote_that_cannot_be_true_is_dropped_and_counted(bad: BookTicker) -> None:
    view = MarketView()
    for _ in range(3):
        assert view.fold(tick(99.0, 101.0))
    assert not view.fold(bad)
    assert (view.of(BTC).bid, view.of(BTC).ask) == (99.0, 101.0)
    assert (view.dropped, view.of(BTC).dropped) == (1, 1)


def test_the_mark_is_the_mid_until_one_was_heard() -> None:
    view = MarketView()
    view.fold(tick(99.0, 101.0))
    assert (view.of(BTC).mark, view.of(BTC).mark_is_mid) == (100.0, True)
    assert view.fold(mark(100.5))
    assert (view.of(BTC).mark, view.of(BTC).mark_is_mid) == (100.5, False)
    assert not view.fold(mark(nan))
    assert not view.fold(mark(0.0))
    assert view.of(BTC).mark == 100.5


def test_the_last_print_is_kept() -> None:
    view = MarketView()
    said = MarketTrade(symbol=BTC, price=100.0, qty=2.0, taker=Side.SELL, ts_event=START, ts_recv=START)
    assert view.fold(said)
    market = view.of(BTC)
    assert (market.last_price, market.last_qty, market.last_taker) == (100.0, 2.0, Side.SELL)
    for price, qty in ((nan, 2.0), (0.0, 2.0), (100.0, 0.0), (inf, 2.0), (100.0, nan)):
        odd = MarketTrade(symbol=BTC, price=price, qty=qty, taker=Side.SELL, ts_event=START, ts_recv=START)
        assert not view.fold(odd)
    dust = MarketTrade(symbol=BTC, price=0.5, qty=0.5, taker=Side.BUY, ts_event=START, ts_recv=START)
    assert view.fold(dust)


def test_candles_are_kept_unless_they_hold_nonsense() -> None:
    view = MarketView()
    good = Candles(symbol=BTC, closes=(1.0, 2.0), highs=(1.0, 2.0), lows=(1.0, 2.0), ts_recv=START)
    assert view.fold(good)
    assert view.of(BTC).candles is good
    assert not view.fold(Candles(symbol=BTC, closes=(1.0, nan), highs=(), lows=(), ts_recv=START))
    assert not view.fold(Candles(symbol=BTC, closes=(1.0, 0.0), highs=(), lows=(), ts_recv=START))
    assert not view.fold(Candles(symbol=BTC, closes=(), highs=(), lows=(), ts_recv=START))
    assert view.of(BTC).candles is good


# Quote after (bid 100 x 5, ask 101 x 7), and the net demand it adds (Cont, Kukanov and Stoikov).
FLOWS = [
    ((100.0, 101.0, 8.0, 7.0), 3.0),  # More at the bid.
    ((100.0, 101.0, 5.0, 4.0), 3.0),  # Less at the ask.
    ((100.5, 101.0, 2.0, 7.0), 2.0),  # The bid stepped up: its whole size is new demand.
    ((99.5, 101.0, 9.0, 7.0), -5.0),  # The bid stepped down: the old size is gone.
    ((100.0, 100.5, 5.0, 3.0), -3.0),  # The ask stepped down: new supply.
    ((100.0, 101.5, 5.0, 9.0), 7.0),  # The ask stepped up: the old supply is gone.
]


@pytest.mark.parametrize(("quote", "net"), FLOWS)
def test_order_flow_is_the_net_demand_added_at_the_touch(
    quote: tuple[float, float, float, float], net: float
) -> None:
    bid, ask, bid_qty, ask_qty = quote
    market = seen(
        tick(100.0, 101.0, bid_qty=5.0, ask_qty=7.0), tick(bid, ask, bid_qty=bid_qty, ask_qty=ask_qty)
    )
    assert market.flow == pytest.approx(net)


def test_order_flow_halves_in_its_half_life() -> None:
    start = tick(100.0, 101.0, bid_qty=5.0)
    market = seen(start, tick(100.0, 101.0, bid_qty=9.0), tick(100.0, 101.0, bid_qty=9.0, when=at(1)))
    assert market.flow == pytest.approx(2.0)


def test_flow_is_held_against_the_depth_it_met() -> None:
    quiet = tick(100.0, 101.0, bid_qty=5.0, ask_qty=5.0)
    market = seen(quiet, tick(100.0, 101.0, bid_qty=9.0, ask_qty=6.0))
    assert (market.flow, market.depth) == (3.0, 15.0)
    assert market.flow_imbalance == pytest.approx(0.2)
    later = seen(
        quiet,
        tick(100.0, 101.0, bid_qty=9.0, ask_qty=6.0),
        tick(100.0, 101.0, bid_qty=9.0, ask_qty=6.0, when=at(1)),
    )
    assert later.depth == pytest.approx(15.0 / 2 + 15.0)
    assert seen(quiet).flow_imbalance == 0.0
    crash = tick(90.0, 101.0, bid_qty=1.0, ask_qty=1.0)
    assert seen(tick(100.0, 101.0, bid_qty=50.0), crash).flow_imbalance == -1.0


def test_mirroring_the_book_mirrors_the_flow() -> None:
    up = seen(tick(100.0, 101.0, bid_qty=5.0, ask_qty=2.0), tick(100.5, 101.0, bid_qty=3.0, ask_qty=1.0))
    down = seen(tick(100.0, 101.0, bid_qty=2.0, ask_qty=5.0), tick(100.0, 100.5, bid_qty=1.0, ask_qty=3.0))
    assert up.flow_imbalance == pytest.approx(-down.flow_imbalance)
    assert up.imbalance == pytest.approx(-down.imbalance)
    assert 0.0 < up.flow_imbalance <= 1.0


def test_a_clock_that_goes_back_does_not_blow_up_the_flow() -> None:
    market = seen(tick(100.0, 101.0), tick(100.0, 101.0, bid_qty=5.0), tick(99.0, 101.0, when=at(-3_600)))
    assert abs(market.flow) < 10.0


def test_a_tick_costs_a_few_microseconds() -> None:
    """The best of several rounds, against a bound several times above what it takes on one slow core."""
    ticks = [
        tick(100.0 + i % 3, 104.0 + i % 5, bid_qty=1.0 + i % 7, when=Nanos(START + i * MILLISECOND))
        for i in range(1_000)
    ]
    view, best = MarketView(), inf
    for _ in range(7):
        started = perf_counter()
        for one in ticks:
            view.fold(one)
        best = min(best, perf_counter() - started)
    assert best / len(ticks) < 15e-6
