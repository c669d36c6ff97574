"""Promises about the feed: a recording is republished as it was until a client touches the book."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from skalp_bot.paper.market import AggFrame, BookTop, BookUpdate, DepthFrame, Trade, TradeFrame
from skalp_bot.paper.orders import Side
from tests.venue_kit import BTC, T0, Bench, price

D = Decimal


def frame(first: int, last: int, prev: int, bids: tuple[tuple[Decimal, Decimal], ...]) -> BookUpdate:
    told = DepthFrame(
        first_id=first,
        last_id=last,
        prev_id=prev,
        transact_ms=T0 - 7,
        event_ms=T0 - 5,
        bids=bids,
        asks=(),
    )
    return BookUpdate(symbol=BTC, t_ms=T0, bids=bids, asks=(), frame=told)


def top(update_id: int, bid_qty: str, *, depth_recorded: bool = True) -> BookTop:
    return BookTop(
        symbol=BTC,
        t_ms=T0,
        bid=price("99.9"),
        bid_qty=D(bid_qty),
        ask=price("100.1"),
        ask_qty=D(2),
        update_id=update_id,
        transact_ms=T0 - 7,
        event_ms=T0 - 5,
        depth_recorded=depth_recorded,
    )


def market_pushes(bench: Bench, event: Any) -> list[dict[str, Any]]:
    bench.venue.on_market(event, bench.now_ms)
    return [push.payload for push in bench.drain() if push.account_id is None]


def test_recorded_frames_keep_ids_and_times_while_nobody_touches_the_book() -> None:
    bench = Bench.opened()
    (depth,) = market_pushes(bench, frame(100, 110, 95, ((price("99.9"), D(4)),)))
    assert (depth["U"], depth["u"], depth["pu"]) == (100, 110, 95)
    assert (depth["T"], depth["E"]) == (T0 - 7, T0 - 5)
    assert depth["b"] == [["99900.00", "4.000"]]
    (ticker,) = market_pushes(bench, top(130, "5"))
    assert (ticker["u"], ticker["B"], ticker["E"]) == (130, "5.000", T0 - 5)
    (depth,) = market_pushes(bench, frame(111, 125, 110, ((price("99.8"), D(1)),)))
    assert (depth["U"], depth["u"], depth["pu"]) == (111, 125, 110), "a bookTicker ahead breaks no chain"
    assert bench.venue.depth(BTC, 5, T0)["lastUpdateId"] == 130


def test_a_touched_book_is_published_as_it_is_and_the_chain_holds() -> None:
    bench = Bench.opened()
    alice = bench.account()
    market_pushes(bench, frame(100, 110, 95, ((price("99.9"), D(4)),)))
    order = bench.limit(alice, Side.BUY, "100.0", "1")
    own = next(push.payload for push in bench.drain() if push.event == "depthUpdate")
    assert own["pu"] == 110
    pushed = market_pushes(bench, frame(111, 125, 110, ((price("99.9"), D(7)),)))
    assert [p["e"] for p in pushed] == ["depthUpdate"]
    assert pushed[0]["pu"] == own["u"]
    assert order.open


def test_a_recorded_print_keeps_its_id_and_kind() -> None:
    bench = Bench.opened()
    told = TradeFrame(trade_id=5_000_000_000, transact_ms=T0 - 7, event_ms=T0 - 5, kind="MARKET")
    event = Trade(symbol=BTC, t_ms=T0, price=price("100"), qty=D(1), buyer_is_maker=True, frame=told)
    (trade,) = market_pushes(bench, event)
    bench.wait(100)
    (agg,) = [push.payload for push in bench.drain()]
    assert (trade["t"], trade["T"], trade["E"]) == (5_000_000_000, T0 - 7, T0 - 5)
    assert (agg["f"], agg["l"]) == (5_000_000_000, 5_000_000_000)
    assert (agg["T"], agg["E"]) == (T0 - 7, T0 + 100)


def test_a_recorded_aggregate_is_told_as_it_is_after_what_was_running() -> None:
    bench = Bench.opened()
    bench.print("100", "1", buyer_is_maker=True)
    told = AggFrame(agg_id=5_000_000_000, first_id=50, last_id=53, transact_ms=T0 - 7, event_ms=T0 - 5)
    for number in (0, 1):
        again = replace(told, agg_id=told.agg_id + number)
        event = Trade(symbol=BTC, t_ms=T0, price=price("100"), qty=D(2), buyer_is_maker=True, frame=again)
        bench.venue.on_market(event, T0)
    running, *recorded = [push.payload for push in bench.drain() if push.event == "aggTrade"]
    assert (running["q"], running["f"]) == ("1.000", running["l"])
    assert [(row["a"], row["f"], row["l"], row["q"], row["T"], row["E"]) for row in recorded] == [
        (5_000_000_000, 50, 53, "2.000", T0 - 7, T0 - 5),
        (5_000_000_001, 50, 53, "2.000", T0 - 7, T0 - 5),
    ]
    assert bench.venue.next_ms() is None


def test_a_recording_of_touches_alone_knows_two_levels() -> None:
    bench = Bench.opened()
    pushed = market_pushes(bench, top(130, "5", depth_recorded=False))
    assert {push["e"] for push in pushed} == {"bookTicker", "depthUpdate"}
    assert [len(side) for side in bench.venue.top(BTC, 9)] == [1, 1]


def test_a_snapshot_of_depth_fits_between_the_frames_of_the_stream() -> None:
    bench = Bench.opened()
    known = bench.venue.depth(BTC, 5, T0)["lastUpdateId"]
    for qty in ("1", "2", "3"):
        bench.book(bids=(("99.9", f"{qty}.5"),))
        (depth,) = [push.payload for push in bench.drain() if push.event == "depthUpdate"]
        first, last = depth["U"], depth["u"]
        assert isinstance(first, int)
        assert isinstance(last, int)
        assert first <= known <= last
        known = bench.venue.depth(BTC, 5, T0)["lastUpdateId"]
        assert known > last


def test_depth_nobody_hears_is_not_made_and_breaks_no_chain() -> None:
    bench = Bench.opened()
    heard: list[str] = []
    bench.venue.hear_depth(lambda symbol: symbol in heard)
    bench.book(bids=(("99.9", "1"),))
    assert [push.event for push in bench.drain()] == ["bookTicker"]
    known = bench.venue.depth(BTC, 5, T0)["lastUpdateId"]
    heard.append(BTC)
    bench.book(bids=(("99.9", "2"),))
    (depth,) = [push.payload for push in bench.drain() if push.event == "depthUpdate"]
    assert depth["U"] == known


def test_a_print_that_only_reaches_what_is_ahead_of_an_order_is_told_in_full() -> None:
    bench = Bench.opened()
    order = bench.limit(bench.account(), Side.BUY, "99.9", "1")
    bench.drain()
    bench.print("99.9", "1.5", buyer_is_maker=True)
    bench.print("99.9", "1", buyer_is_maker=True)
    told = [push.payload["q"] for push in bench.drain() if push.event == "trade"]
    assert (told, order.filled) == (["1.500", "0.500", "0.500"], D("0.5"))


def test_a_stop_hears_a_print_that_filled_no_resting_order() -> None:
    bench = Bench.opened(trigger_delay_ms=0)
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    bench.limit(alice, Side.BUY, "99.9", "1")
    stop = bench.stop(alice, Side.SELL, "99.9", qty=D(1))
    bench.print("99.9", "0.1", buyer_is_maker=True)
    assert stop.status == "FINISHED"
