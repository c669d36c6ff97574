"""Scripted markets: what is written happens, when it is written, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.paper.market import BookUpdate, Grid, Mark, MarketError, MarketEvent, MarketSource, Trade
from skalp_bot.paper.sources import open_market

D = Decimal
NOW = 1_723_161_256_000


@dataclass(frozen=True)
class Rules:
    tick: Decimal
    step: Decimal


SPECS: Mapping[str, Grid] = {
    "BTCUSDT": Rules(D("0.10"), D("0.001")),
    "ETHUSDT": Rules(D("0.01"), D("0.001")),
}


def script(tmp_path: Path, text: str, symbols: tuple[str, ...] | None = None) -> MarketSource:
    path = tmp_path / "market.yaml"
    path.write_text(text, encoding="utf-8")
    return open_market(f"script:{path}", symbols=symbols, specs=SPECS, speed=1.0, seed=0)


def play(source: MarketSource, now_ms: int = NOW, *, stop_ms: int = 10**15) -> list[MarketEvent]:
    """Everything from the first subscription on."""
    events = source.start(now_ms)
    source.subscribed(source.symbols[0], now_ms)
    return events + source.pop(stop_ms)


def touches(events: list[MarketEvent]) -> list[tuple[int, str, str]]:
    """The best bid and ask after each book event, rebuilt as the venue would."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    seen = []
    for event in events:
        if isinstance(event, BookUpdate):
            for book, changes in ((bids, event.bids), (asks, event.asks)):
                if event.snapshot:
                    book.clear()
                book.update(changes)
                for price in [price for price, qty in book.items() if qty == 0]:
                    del book[price]
            seen.append((event.t_ms - NOW, str(max(bids)), str(min(asks))))
    return seen


ONE = "symbols: {BTCUSDT: {price: 60000, spread: 0.2, qty: 5}}\n"


def test_the_opening_book_stands_until_the_first_subscription(tmp_path: Path) -> None:
    source = script(tmp_path, ONE + "steps: [{mid: 61000}]")
    opening = source.start(NOW)
    assert source.next_ms() is None
    assert source.pop(NOW + 60_000) == []
    book, mark = opening
    assert isinstance(book, BookUpdate)
    assert book.snapshot
    assert (len(book.bids), len(book.asks)) == (20, 20)
    assert [str(book.bids[0][0]), str(book.asks[0][0]), str(book.asks[1][0])] == [
        "60000.00",
        "60000.20",
        "60000.30",
    ]
    assert isinstance(mark, Mark)
    assert mark.mark == D("60000.1")
    assert mark.next_funding_ms % 28_800_000 == 0

    source.subscribed("ETHUSDT", NOW + 60_000)  # not ours
    assert source.next_ms() is None
    source.subscribed("BTCUSDT", NOW + 60_000)
    assert source.next_ms() == NOW + 60_050
    source.subscribed("BTCUSDT", NOW + 60_020)  # a second subscription changes nothing
    assert source.next_ms() == NOW + 60_050


def test_launch_starts_the_clock_at_once(tmp_path: Path) -> None:
    source = script(tmp_path, "begin: launch\n" + ONE + "steps: [{after: 7, mid: 61000}]")
    source.start(NOW)
    assert source.next_ms() == NOW + 7


def test_quotes_happen_when_written(tmp_path: Path) -> None:
    text = (
        ONE
        + """
steps:
  - {bid: 60001, ask: 60001.1}
  - {after: 10, move_ticks: -5}
  - {at: 500, mid: 60100}
  - wait: 250
  - {move_bps: 100}
"""
    )
    assert touches(play(script(tmp_path, text)))[1:] == [
        (50, "60001.00", "60001.10"),
        (60, "60000.50", "60000.60"),
        (500, "60100.00", "60100.10"),
        (800, "60701.00", "60701.10"),
    ]


def test_a_burst_is_one_instant_with_every_frame_in_it(tmp_path: Path) -> None:
    text = ONE + "steps: [{burst: [{move_bps: -80}, {trade: {side: SELL, qty: 1}}, {mid: 60000.1}]}]"
    events = [event for event in play(script(tmp_path, text)) if event.t_ms == NOW + 50]
    assert [type(event) for event in events] == [BookUpdate, Trade, BookUpdate]
    trade = events[1]
    assert isinstance(trade, Trade)
    assert [str(trade.price), trade.buyer_is_maker] == ["59520.00", True]
    assert touches(play(script(tmp_path, text)))[-1] == (50, "60000.00", "60000.20")


def test_a_spike_inside_a_burst_moves_the_book_and_not_the_mark(tmp_path: Path) -> None:
    text = (
        ONE
        + """
steps:
  - {after: 1000, burst: [{move_bps: -80}, {mid: 60000.1}]}
  - wait: 3000
"""
    )
    marks = [event.mark for event in play(script(tmp_path, text)) if isinstance(event, Mark)]
    assert marks == [D("60000.1")]


def test_marks_follow_the_mid_once_a_second_until_set(tmp_path: Path) -> None:
    text = (
        ONE
        + """
steps:
  - {at: 100, mid: 60100.1}
  - {at: 200, mid: 60200.1}
  - {at: 1500, mark: 50000, index: 50001, funding_rate: -0.0002}
  - {at: 1600, mid: 60300.1}
  - {at: 4000, mark: follow}
  - {at: 4100, mid: 60400.1}
"""
    )
    marks = [(e.t_ms - NOW, e.mark, e.index) for e in play(script(tmp_path, text)) if isinstance(e, Mark)]
    assert marks[1:] == [
        (1000, D("60200.1"), D("60200.1")),
        (1500, D(50000), D(50001)),
        (4000, D("60300.1"), D("60300.1")),
        (5000, D("60400.1"), D("60400.1")),
    ]


def test_steady_quotes_go_nowhere_at_their_rate(tmp_path: Path) -> None:
    text = ONE + "steps: [{steady: {seconds: 10, rate: 20, wobble_ticks: 2, trades_every: 5}}]"
    events = play(script(tmp_path, text))
    tops = touches(events)[1:]
    assert len(tops) == 201
    assert [top[1] for top in tops[:5]] == ["60000.00", "60000.20", "60000.00", "59999.80", "60000.00"]
    assert tops[1][0] == 50
    assert tops[-1] == (10_000, "60000.00", "60000.20")
    sides = [event.buyer_is_maker for event in events if isinstance(event, Trade)]
    assert sides == [False, True] * 20


def test_every_steady_frame_is_news_even_without_wobble(tmp_path: Path) -> None:
    text = ONE + "steps: [{steady: {seconds: 2, rate: 10, wobble_ticks: 0}}]"
    sizes = [e.bids[-1][1] for e in play(script(tmp_path, text))[2:] if isinstance(e, BookUpdate)]
    assert all(a != b for a, b in pairwise(sizes[:-1]))


def test_a_ramp_walks_to_its_target(tmp_path: Path) -> None:
    text = ONE + "steps: [{ramp: {to: 60100.1, seconds: 2, rate: 10}}, {after: 0, move_ticks: 1}]"
    tops = touches(play(script(tmp_path, text)))[1:]
    assert len(tops) == 21
    bids = [D(top[1]) for top in tops]
    assert bids == sorted(bids)
    assert tops[19] == (2000, "60100.00", "60100.20")
    assert tops[20][0] == 2000


def test_deeper_levels_replace_the_ladder_and_go_with_the_next_quote(tmp_path: Path) -> None:
    text = (
        ONE
        + """
steps:
  - {bid: 60000, ask: 60000.2, bids: [[59990, 1], [59980, 2]], asks: [[60010, 3]]}
  - {bid: 60000, ask: 60000.2}
"""
    )
    first, second = [e for e in play(script(tmp_path, text)) if isinstance(e, BookUpdate)][1:]
    assert dict(first.bids)[D(59990)] == 1
    assert dict(first.bids)[D("59999.9")] == 0
    assert dict(second.bids)[D(59990)] == 0
    assert dict(second.bids)[D("59999.9")] == 5
    assert dict(second.bids)[D(60000)] == 5  # the touch is told again


def test_repeats_play_and_for_ever_means_it(tmp_path: Path) -> None:
    text = ONE + "steps: [{repeat: {times: 3, steps: [{move_ticks: 1}, {move_ticks: -1}]}}]"
    assert [top[0] for top in touches(play(script(tmp_path, text)))[1:]] == [50, 100, 150, 200, 250, 300]
    text = ONE + "steps: [{repeat: {times: forever, steps: [{steady: {seconds: 1, rate: 5}}]}}]"
    assert len(touches(play(script(tmp_path, text), stop_ms=NOW + 3_600_000))) > 18_000


def test_history_ends_on_the_first_price_and_is_contiguous(tmp_path: Path) -> None:
    source = script(tmp_path, ONE + "steps: []")
    source.start(NOW)
    rows = source.history("BTCUSDT")
    assert len(rows) == 1500
    assert rows[-1].close_ms + 1 == NOW - NOW % 60_000
    assert all(a.close_ms + 1 == b.open_ms for a, b in pairwise(rows))
    assert all(row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high for row in rows)
    assert all(row.close % D("0.1") == row.high % D("0.1") == 0 for row in rows)
    assert rows[-1].close == D("60000.1")


def test_symbols_not_asked_for_are_left_out_but_take_their_time(tmp_path: Path) -> None:
    text = """
symbols: {BTCUSDT: {price: 60000}, ETHUSDT: {price: 3000}}
steps: [{symbol: ETHUSDT, mid: 3100}, {symbol: BTCUSDT, move_ticks: 3}]
"""
    source = script(tmp_path, text, ("BTCUSDT", "SOLUSDT"))
    assert source.symbols == ("BTCUSDT",)
    assert touches(play(source))[-1] == (100, "60000.30", "60000.40")
    with pytest.raises(MarketError, match="quotes BTCUSDT, ETHUSDT, none of which is asked for"):
        script(tmp_path, text, ("SOLUSDT",))


@given(cut=st.integers(min_value=0, max_value=120))
def test_a_restart_goes_on_where_it_was(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = ONE + "steps: [{steady: {seconds: 3, rate: 20}}, {ramp: {to: 61000, seconds: 1}}, {mark: 5}]"
    tmp_path = tmp_path_factory.mktemp("script")
    whole = [event for event in play(script(tmp_path, text)) if isinstance(event, BookUpdate)]
    source = script(tmp_path, text)
    source.start(NOW)
    source.subscribed("BTCUSDT", NOW)
    before = source.pop(NOW + cut * 37)
    state = source.state()

    again = script(tmp_path, text)
    opened = again.resume(state, NOW + 99_000)
    after = again.pop(10**15)

    books = [event for event in [*before, *after] if isinstance(event, BookUpdate)]
    assert [(b.bids, b.asks) for b in books] == [(b.bids, b.asks) for b in whole[1:]]
    first = opened[0]
    assert isinstance(first, BookUpdate)
    stood = [b for b in [whole[0], *before] if isinstance(b, BookUpdate)][-1]
    assert max(price for price, qty in first.bids if qty) == max(price for price, qty in stood.bids if qty)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("steps: []", "file: key symbols: value \\(missing\\)"),
        ("symbols: {}", "at least one symbol"),
        (
            "symbols: {DOGEUSDT: {price: 1}}",
            "key symbols.DOGEUSDT: .*allowed: a symbol of the venue: BTCUSDT",
        ),
        (
            "symbols: {BTCUSDT: {price: 60000.05}}",
            "key symbols.BTCUSDT.price: value 60000.05 .*a multiple of 0.10",
        ),
        ("symbols: {BTCUSDT: {price: cheap}}", "line 1, file: key symbols.BTCUSDT.price: value cheap"),
        ("symbols: {BTCUSDT: {price: -1}}", "above 0"),
        ("symbols: {BTCUSDT: {price: .nan}}", "above 0"),
        ("symbols: {BTCUSDT: {bid: 5, ask: 5}}", "key symbols.BTCUSDT.ask: value 5.00 .*above the bid 5.00"),
        ("symbols: {BTCUSDT: {price: 1, prise: 2}}", "key symbols.BTCUSDT.prise: value 2 .*one of ask_qty, "),
        (ONE + "steps:\n  - {bid: 60001, ask: 60001}", "line 3, step 1: key ask: value 60001.00"),
        (
            ONE + "steps:\n  - {mid: 1}\n  - {mid: 1, move_bps: 3}",
            "step 2: value mid and move_bps .*exactly one",
        ),
        (ONE + "steps:\n  - {bid: 1}", "step 1: key ask: value \\(missing\\)"),
        (
            ONE + "steps:\n  - {jump: 1}",
            "step 1: value jump is not allowed; allowed: exactly one of the keys wait",
        ),
        (ONE + "steps:\n  - 5", "step 1: value 5 .*a mapping"),
        (ONE + "steps: 5", "key steps: value 5 .*a list"),
        (
            ONE + "steps:\n  - {steady: {seconds: 1, rate: 5000}}",
            "key steady.rate: value 5000 .* from 0.01 to 1000",
        ),
        (
            ONE + "steps:\n  - {steady: {seconds: 1}}\n  - {at: 900, mid: 5}",
            "step 2: key at: value 900 .*at least 1000",
        ),
        (
            ONE + "steps:\n  - {repeat: {times: 2, steps: [{mid: 5}, {at: 5, mid: 5}]}}",
            "step 1.2: key at: .*inside a repeat",
        ),
        (ONE + "steps:\n  - {repeat: {times: forever, steps: [{after: 0, mid: 5}]}}", "steps that take time"),
        (ONE + "steps:\n  - {repeat: {times: forever, steps: [{mid: 5}]}}\n  - {mid: 5}", "never play"),
        (ONE + "steps:\n  - {burst: [{mid: 5}, {wait: 5}]}", "step 1.2: value wait"),
        (ONE + "steps:\n  - {symbol: ETHUSDT, mid: 5}", "key symbol: value ETHUSDT .*one of BTCUSDT"),
        (ONE + "steps:\n  - {trade: {qty: 0.0005}}", "key trade.qty: value 0.0005 .*multiple of 0.001"),
        (ONE + "steps:\n  - {bid: 5, ask: 6, bids: [[5, 1]]}", "key bids: .*further from the touch"),
        (ONE + "steps:\n  - {bid: 5, ask: 6, asks: [[7]]}", "key asks: .*further from the touch"),
        (ONE + "steps:\n  - {mid: 5, asks: [[7, 1]]}", "only beside bid and ask"),
        (ONE + "steps:\n  - {mid: 5, mid: 6}", "key mid: value 6 .*each key once"),
        ("symbols: [", "not YAML"),
        ("", "empty file"),
    ],
)
def test_a_wrong_script_is_refused_with_its_place_and_what_is_allowed(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(MarketError, match=complaint) as refused:
        script(tmp_path, text)
    assert "market.yaml" in str(refused.value)


def test_a_missing_file_and_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="cannot be read: No such file"):
        open_market(f"script:{tmp_path}/none.yaml", symbols=None, specs=SPECS, speed=1.0, seed=0)
    with pytest.raises(MarketError, match="value dream is not allowed"):
        open_market("dream", symbols=None, specs=SPECS, speed=1.0, seed=0)


def test_the_example_of_the_document_plays(tmp_path: Path) -> None:
    document = (Path(__file__).parent.parent / "docs" / "market-script.md").read_text(encoding="utf-8")
    example = document.split("```yaml\n")[1].split("```")[0]
    tops = touches(play(script(tmp_path, example)))
    assert [top[0] for top in tops if D(top[1]) < 59_900 and top[0] < 29_000] == [28_050]  # the spike alone
    assert tops[-1] == (60_050, "59697.00", "59697.10")
