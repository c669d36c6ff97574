"""The synthetic market: reproducible, on the grid, lively, and impossible to earn on without skill."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skalp_bot.paper.market import BookUpdate, Grid, Mark, MarketError, MarketEvent, MarketSource, Trade
from skalp_bot.paper.sources import open_market

D = Decimal
NOW = 1_723_161_256_789


@dataclass(frozen=True)
class Rules:
    tick: Decimal
    step: Decimal


SPECS: Mapping[str, Grid] = {
    "BTCUSDT": Rules(D("0.10"), D("0.001")),
    "ETHUSDT": Rules(D("0.01"), D("0.001")),
    "SOLUSDT": Rules(D("0.0100"), D("0.01")),
    "XRPUSDT": Rules(D("0.0001"), D("0.1")),
}


def market(*symbols: str, seed: int = 7, speed: float = 1.0) -> MarketSource:
    return open_market("synthetic", symbols=symbols or tuple(SPECS), specs=SPECS, speed=speed, seed=seed)


class Book:
    """The displayed book, rebuilt from the updates as a venue would."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.bid = self.ask = D(0)

    def apply(self, update: BookUpdate) -> None:
        for side, changes in ((self.bids, update.bids), (self.asks, update.asks)):
            if update.snapshot:
                side.clear()
            side.update(changes)
            for price in [price for price, qty in changes if qty == 0]:
                del side[price]
        self.bid, self.ask = max(self.bids), min(self.asks)

    @property
    def mid(self) -> float:
        return float(self.bid + self.ask) / 2


def played(source: MarketSource, seconds: int) -> list[MarketEvent]:
    return [*source.start(NOW), *source.pop(NOW + seconds * 1000)]


def second_by_second(events: Iterable[MarketEvent], symbol: str) -> list[tuple[float, float, float]]:
    """Bid, ask and size imbalance at the end of each second."""
    book, rows, ends = Book(), [], NOW + 1000
    for event in events:
        if not isinstance(event, BookUpdate) or event.symbol != symbol:
            continue
        while event.t_ms >= ends:
            left, right = float(book.bids[book.bid]), float(book.asks[book.ask])
            rows.append((float(book.bid), float(book.ask), (left - right) / (left + right)))
            ends += 1000
        book.apply(event)
    return rows


@pytest.fixture(scope="module")
def long_run() -> list[MarketEvent]:
    return played(market("BTCUSDT", "ETHUSDT", seed=11), 1200)


def test_the_same_seed_is_the_same_market_however_it_is_drawn() -> None:
    whole = played(market(), 20)
    source = market()
    pieces = source.start(NOW)
    for step in range(1, 201):
        pieces += source.pop(NOW + step * 100)
    assert pieces == whole
    assert played(market(seed=8), 20) != whole


def test_events_come_in_order_and_next_ms_tells_when() -> None:
    source = market()
    source.start(NOW)
    source.subscribed("BTCUSDT", NOW)
    last = NOW
    for _ in range(500):
        due = source.next_ms()
        assert due is not None
        assert due >= last
        assert source.pop(due - 1) == []
        events = source.pop(due)
        assert events
        assert {event.t_ms for event in events} == {due}
        last = due


@settings(max_examples=8)
@given(seed=st.integers(min_value=0, max_value=2**31), symbol=st.sampled_from(list(SPECS)))
def test_the_book_is_never_crossed_always_deep_and_on_the_grid(seed: int, symbol: str) -> None:
    book, grid = Book(), SPECS[symbol]
    for event in played(market(symbol, seed=seed), 20):
        match event:
            case BookUpdate():
                book.apply(event)
                assert book.bid < book.ask
                assert min(len(book.bids), len(book.asks)) >= 10
                for price, qty in (*event.bids, *event.asks):
                    assert price % grid.tick == 0 < price
                    assert qty % grid.step == 0 <= qty
            case Trade():
                assert event.price == (book.bid if event.buyer_is_maker else book.ask)
                assert 0 < event.qty <= (book.bids if event.buyer_is_maker else book.asks)[event.price]
            case Mark():
                assert abs(float(event.mark) / book.mid - 1) < 0.02
                assert event.next_funding_ms > event.t_ms


def test_a_minute_of_two_symbols_has_more_than_a_thousand_quotes() -> None:
    for seed in range(3):
        tops, book = 0, {name: Book() for name in ("BTCUSDT", "ETHUSDT")}
        seen: dict[str, tuple[Decimal, ...]] = {}
        for event in played(market("BTCUSDT", "ETHUSDT", seed=seed), 60):
            if isinstance(event, BookUpdate):
                side = book[event.symbol]
                side.apply(event)
                top = (side.bid, side.bids[side.bid], side.ask, side.asks[side.ask])
                tops += seen.get(event.symbol) != top
                seen[event.symbol] = top
        assert 20 * 120 <= tops <= 70 * 120


def test_a_taker_without_skill_loses_the_spread_and_the_fees(long_run: list[MarketEvent]) -> None:
    fee = 0.0005
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rows = second_by_second(long_run, symbol)[::5]
        surprises = []
        for index, (entry, leave) in enumerate(pairwise(rows)):
            side = 1 if index % 2 else -1
            bought, sold = (entry[1], leave[0]) if side > 0 else (leave[1], entry[0])
            profit = sold - bought - fee * (bought + sold)
            cost = (entry[1] - entry[0] + leave[1] - leave[0]) / 2 + fee * (bought + sold)
            surprises.append((profit + cost) / entry[0])
            assert cost > 0
        error = stdev(surprises) / sqrt(len(surprises))
        assert abs(fmean(surprises)) < 3.5 * error
        assert fmean(surprises) - 2 * fee < 0  # and that is a loss, with room


def test_neither_imbalance_nor_the_last_move_tells_the_next(long_run: list[MarketEvent]) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rows = second_by_second(long_run, symbol)
        mids = [(bid + ask) / 2 for bid, ask, _ in rows]
        moves = [b - a for a, b in pairwise(mids)]
        spread = sqrt(len(moves))
        scale = sqrt(fmean(move * move for move in moves))
        # Products with the next move, each scaled by its own size: large moves may not decide alone.
        signs = [
            fmean(
                (1.0 if move > 0 else -1.0) * row[2] for row, move in zip(rows, moves, strict=False) if move
            )
        ]
        assert abs(signs[0]) < 4 / spread
        pairs = [max(-9.0, min(9.0, a * b / scale**2)) for a, b in pairwise(moves)]
        assert abs(fmean(pairs)) < 4 * stdev(pairs) / spread


def test_returns_are_as_volatile_and_as_correlated_as_recorded() -> None:
    source = market("BTCUSDT", "ETHUSDT", seed=3)
    source.start(NOW)
    sums = {"BTCUSDT": 0.0, "ETHUSDT": 0.0}
    both, count = 0.0, 0
    for seed in range(12):
        source = market("BTCUSDT", "ETHUSDT", seed=seed)
        source.start(NOW)
        moves = {}
        for symbol in sums:
            closes = [float(row.close) for row in source.history(symbol)]
            moves[symbol] = [(b / a - 1) * 1e4 for a, b in pairwise(closes)]
            sums[symbol] += sum(move * move for move in moves[symbol])
        both += sum(a * b for a, b in zip(moves["BTCUSDT"], moves["ETHUSDT"], strict=True))
        count += len(moves["BTCUSDT"])
    btc, eth = (sqrt(total / count) for total in sums.values())
    assert btc == pytest.approx(5.13, rel=0.35)
    assert eth == pytest.approx(10.49, rel=0.35)
    assert both / count / btc / eth == pytest.approx(0.745, abs=0.12)


def test_history_meets_the_first_mid_and_covers_a_day() -> None:
    source = market("BTCUSDT", "XRPUSDT")
    opening = {event.symbol: event for event in source.start(NOW) if isinstance(event, BookUpdate)}
    for symbol in source.symbols:
        rows, book, tick = source.history(symbol), Book(), SPECS[symbol].tick
        book.apply(opening[symbol])
        assert len(rows) >= 24 * 60
        assert rows[-1].close_ms + 1 == NOW - NOW % 60_000
        assert abs(float(rows[-1].close) - book.mid) <= float(tick)
        assert all(a.close_ms + 1 == b.open_ms and a.close == b.open for a, b in pairwise(rows))
        assert all(r.low <= min(r.open, r.close) <= max(r.open, r.close) <= r.high for r in rows)
        assert all(r.low % tick == r.high % tick == 0 and r.volume > 0 for r in rows)
        assert list(rows) == list(source.history(symbol))


def test_speed_plays_more_market_in_the_same_time() -> None:
    slow = played(market("BTCUSDT"), 60)
    fast = played(market("BTCUSDT", speed=10.0), 6)
    assert [type(event) for event in fast] == [type(event) for event in slow]
    assert max(event.t_ms for event in fast) <= NOW + 6000


def test_a_restart_keeps_prices_and_draws_other_numbers() -> None:
    source = market("BTCUSDT", "XRPUSDT")
    events = played(source, 30)
    state = source.state()
    books = {name: Book() for name in source.symbols}
    for event in events:
        if isinstance(event, BookUpdate):
            books[event.symbol].apply(event)
    again = market("BTCUSDT", "XRPUSDT")
    for event in again.resume(state, NOW + 60_000):
        if isinstance(event, BookUpdate):
            book = Book()
            book.apply(event)
            assert book.bid == books[event.symbol].bid
    assert again.state()["shared"]["turn"] == 1
    first = [type(event) for event in again.pop(NOW + 62_000)]
    assert first != [type(event) for event in events[: len(first)]]


def test_five_hundred_symbols_are_feasible() -> None:
    specs: dict[str, Grid] = {f"S{index}USDT": Rules(D("0.001"), D("0.1")) for index in range(500)}
    source = open_market("synthetic", symbols=None, specs=specs, speed=1.0, seed=1)
    source.start(NOW)
    assert len(source.symbols) == 500
    assert len({event.symbol for event in source.pop(NOW + 2000)}) == 500


def test_unknown_symbols_are_refused() -> None:
    with pytest.raises(MarketError, match="symbols NOPEUSDT are not allowed; allowed: BTCUSDT"):
        market("NOPEUSDT")
