import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.control import Control, Heartbeat, Verb
from aurora.model.events import Event, LeverageChanged, RequestFailed
from aurora.model.market import BookTicker, MarketTrade, MarkPrice
from aurora.model.numbers import NEVER, Nanos
from aurora.model.order import Side
from skalp_bot.runner.inbox import ACCOUNT_RUN, QUOTE_RUN, Inbox, InboxFloodedError
from tests.runner_kit import HandClock, beat, tick

PRINT = MarketTrade(symbol="A", price=1.0, qty=1.0, taker=Side.BUY, ts_event=Nanos(0), ts_recv=Nanos(0))


def news(number: int) -> LeverageChanged:
    return LeverageChanged(symbol="BTCUSDT", leverage=number, ts_recv=Nanos(number))


def mark(value: float, symbol: str = "BTCUSDT") -> MarkPrice:
    return MarkPrice(
        symbol=symbol,
        mark=value,
        index=value,
        funding_rate=0.0,
        next_funding=Nanos(0),
        ts_event=Nanos(0),
        ts_recv=Nanos(0),
    )


def made(limit: int = 100) -> tuple[Inbox, list[str]]:
    alerts: list[str] = []
    box = Inbox(clock=HandClock(), alert=lambda code, _: alerts.append(code), account_limit=limit)
    return box, alerts


def drained(box: Inbox) -> list[Event]:
    events = []
    while (event := box.take()) is not None:
        events.append(event)
    return events


def test_a_spike_of_one_frame_survives_conflation() -> None:
    box, _ = made()
    for number, mid in enumerate([100.0, 100.0, 60.0, 100.0, 130.0, 101.0]):
        box.put(tick(mid, update_id=number))
    (seen,) = drained(box)
    assert isinstance(seen, BookTicker)
    assert (seen.bid, seen.update_id, seen.conflated) == (100.5, 5, 5)
    assert (seen.mid_low, seen.mid_high, seen.bid_low, seen.ask_high) == (60.0, 130.0, 59.5, 130.5)


def test_a_quote_tells_since_when_it_has_replaced_others() -> None:
    box, _ = made()
    for at in (7, 8, 9):
        box.put(tick(100.0, at=at))
    box.put(tick(100.0, symbol="B", at=10))
    seen = [event for event in drained(box) if isinstance(event, BookTicker)]
    assert [(each.ts_recv, each.since) for each in seen] == [(9, 7), (10, NEVER)]
    box.put(tick(100.0, at=11))
    (later,) = drained(box)
    assert isinstance(later, BookTicker)
    assert later.since == NEVER


def test_extremes_are_forgotten_once_they_were_read() -> None:
    box, _ = made()
    box.put(tick(60.0))
    drained(box)
    box.put(tick(100.0))
    (seen,) = drained(box)
    assert isinstance(seen, BookTicker)
    assert (seen.mid_low, seen.conflated) == (100.0, 0)


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.floats(1, 1e6)), max_size=60))
def test_ticks_plus_conflated_equal_the_frames_that_arrived(frames: list[tuple[str, float]]) -> None:
    box, _ = made()
    seen: list[Event] = []
    for number, (symbol, mid) in enumerate(frames):
        box.put(tick(mid, symbol=symbol))
        if number % 5 == 4:
            seen += drained(box)
    seen += drained(box)
    ticks = [event for event in seen if isinstance(event, BookTicker)]
    assert len(ticks) + sum(t.conflated for t in ticks) == len(frames) == box.frames
    for symbol in {symbol for symbol, _ in frames}:
        mids = [mid for name, mid in frames if name == symbol]
        assert min(t.mid_low for t in ticks if t.symbol == symbol) == min(mids)
        assert max(t.mid_high for t in ticks if t.symbol == symbol) == max(mids)


def test_news_of_the_account_comes_in_order_and_complete_between_quotes_and_time() -> None:
    box, _ = made()
    box.put(beat())
    for number in range(30):
        box.put(news(number))
    box.put(tick(100.0))
    events = drained(box)
    assert isinstance(events[0], BookTicker)
    assert events[1:31] == [news(number) for number in range(30)]
    assert isinstance(events[31], Heartbeat)


def test_a_storm_of_account_news_does_not_blind_the_stops() -> None:
    box, _ = made(limit=1_000)
    for number in range(200):
        box.put(news(number))
    box.put(mark(100.0))
    taken = [box.take() for _ in range(10)]
    box.put(tick(100.0))
    rest = drained(box)
    assert isinstance(rest[0], BookTicker)
    assert len(taken) + [type(event) for event in rest[1:]].index(MarkPrice) == ACCOUNT_RUN


def test_a_verb_goes_before_quotes_and_all_news() -> None:
    box, _ = made()
    halt, resume = (
        Control(verb=verb, by="test", reason="", halt_id="", ts_recv=Nanos(0))
        for verb in (Verb.HALT, Verb.RESUME)
    )
    for number in range(100):
        box.put(news(number))
        box.put(tick(1.0, symbol=f"A{number}"))
    box.put(halt)
    box.put(resume)
    assert (box.take(), box.take(), len(box)) == (halt, resume, 200)


def test_a_storm_of_quotes_does_not_silence_the_account() -> None:
    box, _ = made()
    for number in range(3):
        box.put(news(number))
    box.put(beat())
    for number in range(100):
        box.put(tick(1.0, symbol=f"A{number}"))
    events = drained(box)
    told = [index for index, event in enumerate(events) if not isinstance(event, BookTicker)]
    assert told == [(QUOTE_RUN + 1) * (number + 1) - 1 for number in range(4)]
    assert [events[index] for index in told[:3]] == [news(number) for number in range(3)]
    assert len(events) == 104


def test_symbols_take_turns_by_who_waited_longest() -> None:
    box, _ = made()
    box.put(tick(1.0, symbol="A"))
    box.put(tick(1.0, symbol="B"))
    box.put(tick(2.0, symbol="A"))
    assert [event.symbol for event in drained(box) if isinstance(event, BookTicker)] == ["A", "B"]


def test_only_the_latest_mark_price_is_kept() -> None:
    box, _ = made()
    box.put(mark(1.0))
    box.put(mark(2.0))
    box.put(mark(3.0, "ETHUSDT"))
    assert drained(box) == [mark(2.0), mark(3.0, "ETHUSDT")]


def test_quotes_go_before_the_burst_of_marks() -> None:
    box, _ = made()
    for number in range(500):
        box.put(mark(1.0, f"M{number}"))
    box.put(tick(1.0))
    assert isinstance(box.take(), BookTicker)
    assert len(box) == 500


def test_marks_are_heard_however_many_quotes_there_are() -> None:
    box, _ = made()
    box.put(mark(1.0))
    for number in range(100):
        box.put(tick(1.0, symbol=f"A{number}"))
    kinds = [type(event) for event in drained(box)]
    assert kinds.index(MarkPrice) == QUOTE_RUN
    assert len(kinds) == 101


def test_prints_between_others_are_bounded_and_counted() -> None:
    box, _ = made()
    for _ in range(5_000):
        box.put(PRINT)
    assert len(box) == 4_096
    assert box.trades_dropped == 5_000 - 4_096


def test_heartbeats_melt_into_one_that_remembers_the_longest_gap() -> None:
    box, _ = made()
    box.put(Heartbeat(ts_recv=Nanos(1), gap=7))
    box.put(Heartbeat(ts_recv=Nanos(2), gap=0))
    assert drained(box) == [Heartbeat(ts_recv=Nanos(2), gap=7)]


def test_overflow_halts_first_and_loses_nothing() -> None:
    box, alerts = made(limit=10)
    for number in range(25):
        box.put(news(number))
    first, *rest = drained(box)
    assert isinstance(first, Control)
    assert first.verb is Verb.HALT
    assert "limit is 10" in first.reason
    assert rest == [news(number) for number in range(25)]
    assert alerts == ["INBOX_OVERFLOW"]


def test_a_second_overflow_halts_again() -> None:
    box, alerts = made(limit=10)
    for _ in range(2):
        for number in range(11):
            box.put(news(number))
        drained(box)
    assert alerts == ["INBOX_OVERFLOW"] * 2


def test_a_flood_ends_the_reader_rather_than_losing_news_silently() -> None:
    box, _ = made(limit=3)
    for number in range(40):
        box.put(news(number))
    with pytest.raises(InboxFloodedError, match="over 30"):
        box.take()


def test_a_waiting_reader_is_called_once_by_a_burst_and_after_it() -> None:
    async def story() -> list[Event]:
        box, _ = made()
        calls: list[list[Event]] = []
        box.when_next(lambda _: calls.append(drained(box)))
        failed = RequestFailed(request="QueryOrder", subject="x", why="", ts_recv=Nanos(0))
        box.put(tick(100.0))
        box.put(failed)
        box.put(tick(101.0))
        assert calls == []
        for _ in range(3):
            await asyncio.sleep(0)
        (taken,) = calls
        return taken

    first, second = asyncio.run(story())
    assert isinstance(first, BookTicker)
    assert first.conflated == 1
    assert isinstance(second, RequestFailed)


def test_an_event_passed_on_reaches_a_waiting_reader_at_once_and_only_once() -> None:
    box, _ = made()
    read: list[Event | None] = []
    box.when_next(read.append)
    first, second = tick(100.0), tick(101.0)
    box.pass_on(first)
    assert read == [first]
    assert (len(box), box.frames) == (0, 1)
    box.pass_on(second)
    assert read == [first], "it waits no more"
    assert drained(box) == [second]
    assert box.frames == 2


@pytest.mark.parametrize(
    "event", [tick(100.0), mark(1.0), beat(), news(1), PRINT], ids=lambda e: type(e).__name__
)
def test_no_reader_waits_while_something_does(event: Event) -> None:
    box, _ = made()
    read: list[Event | None] = []
    box.put(event)
    assert not box.when_next(read.append)
    box.pass_on(news(2))
    assert read == []
    assert len(drained(box)) == 2
    assert box.when_next(read.append)
    box.pass_on(news(3))
    assert read == [news(3)]


def test_news_after_a_rest_is_the_first_of_a_row() -> None:
    box, _ = made()
    for number in range(64):
        box.put(news(number))
    for _ in range(64):
        box.take()
    assert box.when_next(lambda _: None)
    box.pass_on(news(64))
    box.put(mark(100.0))
    box.put(news(65))
    assert box.take() == news(65)


def test_an_event_passed_on_overtakes_nothing_that_waits() -> None:
    async def story() -> list[Event]:
        box, _ = made()
        read: list[Event | None] = []
        box.when_next(read.append)
        box.put(news(1))
        box.put(tick(90.0))
        box.pass_on(tick(100.0))
        assert read == []
        await asyncio.sleep(0)
        assert read == [None], "called to take what waits"
        return drained(box)

    first, second = asyncio.run(story())
    assert isinstance(first, BookTicker)
    assert (first.mid_low, first.conflated) == (90.0, 1)
    assert second == news(1)


def test_mark_and_book_of_one_symbol_do_not_replace_each_other() -> None:
    box, _ = made()
    box.put(tick(1.0))
    box.put(mark(2.0))
    assert [type(event).__name__ for event in drained(box)] == ["BookTicker", "MarkPrice"]
    assert len(box) == 0
