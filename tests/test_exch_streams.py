import asyncio
import json
import struct
from itertools import pairwise
from typing import Any

import pytest

from aurora.model.account import AccountSnapshot
from aurora.model.commands import RequestSnapshot
from aurora.model.control import DecodeFailed, Stream, StreamChanged
from aurora.model.events import FeesLoaded, InstrumentsLoaded, OrderAcked, OrderUpdate
from aurora.model.market import BookTicker, MarketTrade, MarkPrice
from aurora.model.numbers import MILLISECOND
from skalp_bot.exch.socket import AT_ONCE
from tests.exch_kit import STOP_SELL, Canned, Scene, awaited, error, scene, streaming, submit, until
from tests.test_exch_connection import CLOSE, PING, TEXT, Far
from tests.test_exch_connection import frame as framed

ORDER = {
    "s": "BTCUSDT", "c": "skalpa-1-1-0E", "S": "BUY", "o": "MARKET", "q": "0.01", "p": "0", "sp": "0",
    "x": "NEW", "X": "NEW", "i": 11, "l": "0", "z": "0", "L": "0", "n": "0", "N": "USDT", "T": 5, "t": 0,
    "m": False, "R": False, "cp": False, "rp": "0", "er": "0",
}  # fmt: skip
LOOK = RequestSnapshot(symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="test")


def quote(number: int, *, bid: str = "60000.10", ask: str = "60000.20") -> dict[str, Any]:
    return {
        "e": "bookTicker", "u": number, "s": "BTCUSDT", "b": bid, "B": "1.5", "a": ask, "A": "2.5",
        "T": 1, "E": 2,
    }  # fmt: skip


def touch(number: int, *, bid: str = "60000.10") -> dict[str, Any]:
    """What a question for the touch of ``quote`` is answered with."""
    sides = {"bidPrice": bid, "bidQty": "0.7", "askPrice": "60000.20", "askQty": "2.5"}
    return {"symbol": "BTCUSDT", "lastUpdateId": number, "time": 1, **sides}


def order_event(**changes: Any) -> dict[str, Any]:
    return {"e": "ORDER_TRADE_UPDATE", "T": 5, "E": 5, "o": ORDER | changes}


def changes(s: Scene, stream: Stream) -> list[bool]:
    return [event.up for event in s.of(StreamChanged) if event.stream is stream]


async def all_up(s: Scene) -> None:
    await until(lambda: all(changes(s, stream) == [True] for stream in Stream))


@awaited
async def test_each_stream_is_on_its_route_and_told_when_it_is_up() -> None:
    async with streaming() as s:
        await all_up(s)
        subscribed = {(route, *order["params"]) for route, order in s.venue.heard}
        assert subscribed == {("public", "btcusdt@bookTicker"), ("market", "btcusdt@markPrice@1s")}
        await until(lambda: s.of(FeesLoaded))


@awaited
async def test_every_tick_of_a_burst_is_told_in_order() -> None:
    async with streaming() as s:
        await all_up(s)
        for number in range(500):
            await s.venue.say("public", quote(number))
        await until(lambda: len(s.of(BookTicker)) == 500)
        assert [tick.update_id for tick in s.of(BookTicker)] == list(range(500))
        assert s.last(BookTicker).bid_text == "60000.10"


@awaited
async def test_the_last_frame_of_a_read_is_passed_on_and_those_before_it_are_queued() -> None:
    def frames(*numbers: int) -> bytes:
        return b"".join(framed(TEXT, json.dumps(quote(number)).encode()) for number in numbers)

    async with streaming() as s:
        await all_up(s)
        s.passed.clear()
        s.venue.say_at_once("public", frames(1, 2, 3) + frames(4)[:9])
        await until(lambda: len(s.of(BookTicker)) == 3)
        assert s.passed == s.of(BookTicker)[2:]
        s.venue.say_at_once("public", frames(4)[9:])
        await until(lambda: len(s.of(BookTicker)) == 4)
        s.venue.say_at_once("public", frames(5) + framed(PING, b""))
        await until(lambda: len(s.of(BookTicker)) == 5)
        assert s.passed == s.of(BookTicker)[2:4], "a ping after it makes it wait a turn, no more"


@awaited
async def test_marks_of_one_read_are_told_in_order_and_a_quote_need_not_wait_for_all_of_them() -> None:
    burst = b"".join(framed(TEXT, json.dumps(mark(second)).encode()) for second in range(400))
    async with streaming() as s:
        await all_up(s)
        heard_at = s.clock.now()
        s.venue.say_at_once("market", burst)
        s.venue.say_at_once("public", framed(TEXT, json.dumps(quote(1)).encode()))
        told = [0]
        while told[-1] < 400:
            await asyncio.sleep(0)
            told.append(len(s.of(MarkPrice)))
        assert max(after - before for before, after in pairwise(told)) <= 2 * (AT_ONCE + 400 // 256)
        marks, (tick,) = s.of(MarkPrice), s.of(BookTicker)
        assert [told.ts_event for told in marks] == [second * MILLISECOND for second in range(400)]
        assert s.events.index(tick) < s.events.index(marks[-1])
        assert all(heard_at <= told.ts_recv <= tick.ts_recv + 100 * MILLISECOND for told in marks)


@awaited
async def test_marks_that_came_before_the_line_was_cut_are_told_before_its_loss() -> None:
    burst = b"".join(framed(TEXT, json.dumps(mark(second)).encode()) for second in range(400))
    async with streaming() as s:
        await all_up(s)
        s.venue.say_at_once("market", burst)
        s.venue.say_at_once("market", framed(CLOSE, b"\x03\xe8"))
        await until(lambda: changes(s, Stream.MARK) == [True, False, True])
        lost = next(event for event in s.of(StreamChanged) if event.stream is Stream.MARK and not event.up)
        assert s.events.index(s.of(MarkPrice)[399]) < s.events.index(lost)


@awaited
async def test_every_user_event_of_a_burst_is_told_in_order() -> None:
    async with streaming() as s:
        await all_up(s)
        for number in range(50):
            await s.venue.say("private", order_event(i=number))
            await s.venue.say("private", {"e": "TRADE_LITE", "E": 1, "T": 1})
        await until(lambda: len(s.of(OrderUpdate)) == 50)
        assert [event.exchange_id for event in s.of(OrderUpdate)] == [str(n) for n in range(50)]
        assert not s.of(DecodeFailed)


@pytest.mark.parametrize(
    ("route", "stream"),
    [("public", Stream.MARKET), ("market", Stream.MARK), ("private", Stream.USER)],
)
@awaited
async def test_a_cut_line_is_told_and_dialled_again(route: str, stream: Stream) -> None:
    async with streaming() as s:
        await all_up(s)
        s.venue.abort(route)
        await until(lambda: changes(s, stream) == [True, False, True])
        assert len(s.venue.sockets[route]) == 2
        await s.venue.say("private", order_event())
        await s.venue.say("public", quote(7))
        await until(lambda: s.of(OrderUpdate) and s.of(BookTicker))


ROUTES = [("public", Stream.MARKET), ("market", Stream.MARK), ("private", Stream.USER)]
CALM: dict[str, Any] = {"market_silence_s": 1e9, "mark_silence_s": 1e9}
AGING: dict[str, Any] = CALM | {"connection_life_s": 3.0, "prints": True}


def mark(second: int) -> dict[str, Any]:
    return {"e": "markPriceUpdate", "E": second, "s": "BTCUSDT", "p": "6.5", "i": "6", "r": "0.1", "T": 2}


def printed(number: int) -> dict[str, Any]:
    return {"e": "aggTrade", "E": 1, "a": number, "s": "BTCUSDT", "p": "6.5", "q": "2", "T": 2, "m": True}


@pytest.mark.parametrize(("route", "stream"), ROUTES)
@awaited
async def test_an_old_connection_is_relieved_before_it_is_let_go(route: str, stream: Stream) -> None:
    async with streaming(speed=2.0, **AGING) as s:
        await all_up(s)
        await until(lambda: len(s.venue.sockets[route]) == 2)
        assert len(s.venue.open_at(route)) == 2
        await until(lambda: s.venue.open_at(route) == s.venue.sockets[route][1:2])
        await until(lambda: len(s.venue.sockets[route]) == 3)  # And the younger one, when it has grown old.
        assert changes(s, stream) == [True]


@awaited
async def test_what_two_connections_tell_is_counted_once() -> None:
    async with streaming(speed=2.0, **AGING) as s:
        await all_up(s)
        number = 0
        while any(len(s.venue.sockets[route]) < 3 for route, _ in ROUTES):
            number += 1
            await s.venue.say_on_all("public", quote(number))
            await s.venue.say_on_all("market", mark(number))
            await s.venue.say_on_all("market", printed(number))
            await s.venue.say_on_all("private", order_event(i=number))
            await asyncio.sleep(0.01)
        await until(lambda: len(s.of(OrderUpdate)) == number)
        assert [tick.update_id for tick in s.of(BookTicker)] == list(range(1, number + 1))
        assert [told.ts_event for told in s.of(MarkPrice)] == [n * 1_000_000 for n in range(1, number + 1)]
        assert len(s.of(MarketTrade)) == number
        assert [told.exchange_id for told in s.of(OrderUpdate)] == [str(n) for n in range(1, number + 1)]
        assert all(event.up for event in s.of(StreamChanged))


@awaited
async def test_a_lagging_connection_moves_no_price_back() -> None:
    async with streaming(speed=2.0, **AGING) as s:
        await all_up(s)
        await until(lambda: all(len(s.venue.open_at(route)) == 2 for route in ("public", "market")))
        for route, told in (("public", quote), ("market", mark)):
            behind, ahead = s.venue.open_at(route)
            await ahead.send_str(json.dumps(told(8)))
            await asyncio.sleep(0.05)
            await behind.send_str(json.dumps(told(7)))
        await asyncio.sleep(0.05)
        assert [tick.update_id for tick in s.of(BookTicker)] == [8]
        assert [told.ts_event for told in s.of(MarkPrice)] == [8_000_000]


@pytest.mark.parametrize(("route", "stream"), ROUTES)
@awaited
async def test_a_relief_that_cannot_come_costs_nothing_until_the_line_is_cut(
    route: str, stream: Stream
) -> None:
    async with streaming(speed=4.0, **AGING) as s:
        await all_up(s)
        s.venue.closed = True
        await asyncio.sleep(1.5)  # Six seconds of its time: twice the life.
        assert changes(s, stream) == [True]
        s.venue.abort(route)
        await until(lambda: changes(s, stream) == [True, False])
        s.venue.closed = False
        await until(lambda: changes(s, stream) == [True, False, True])
        await until(lambda: len(s.venue.open_at(route)) == 1)
        assert changes(s, stream) == [True, False, True]


@awaited
async def test_an_expired_listen_key_brings_a_new_one() -> None:
    async with streaming() as s:
        await all_up(s)
        s.venue.usual["POST listenKey"] = lambda _: {"listenKey": "LK2"}
        await s.venue.say("private", {"e": "listenKeyExpired", "E": 1, "listenKey": "LK"})
        await until(lambda: changes(s, Stream.USER) == [True, False, True])
        assert s.venue.times("POST listenKey") == 2
        assert "listen key expired" in s.of(StreamChanged)[-2].why
        await s.venue.say("private", order_event())
        await until(lambda: s.of(OrderUpdate))


@awaited
async def test_a_listen_key_that_has_changed_by_the_relief_takes_over_without_a_loss() -> None:
    async with streaming(speed=2.0, **AGING) as s:
        await all_up(s)
        s.venue.usual["POST listenKey"] = lambda _: {"listenKey": "LK2"}
        await until(lambda: len(s.venue.sockets["private"]) == 2)
        old, young = s.venue.sockets["private"]
        assert [each._req.query["listenKey"] for each in (old, young) if each._req] == ["LK", "LK2"]
        await old.send_str(json.dumps({"e": "listenKeyExpired", "E": 1, "listenKey": "LK"}))
        await until(lambda: s.venue.open_at("private") == [young])
        await young.send_str(json.dumps(order_event()))
        await until(lambda: s.of(OrderUpdate))
        assert changes(s, Stream.USER) == [True]


@awaited
async def test_a_connection_given_up_while_it_is_dialled_is_not_left_behind() -> None:
    async with streaming(speed=2.0, **AGING) as s:
        await all_up(s)
        s.venue.opens.clear()
        await until(lambda: s.venue.times("POST listenKey") == 2)  # The young one is on its way.
        await asyncio.sleep(0.1)
        await s.venue.say("private", {"e": "listenKeyExpired", "listenKey": "LK"})
        await until(lambda: not changes(s, Stream.USER)[-1])
        s.venue.opens.set()
        await until(lambda: len(s.venue.sockets["private"]) >= 3)
        await until(lambda: len(s.venue.open_at("private")) == 1)


@awaited
async def test_a_stream_that_is_cut_with_the_handshake_was_never_up() -> None:
    async def goodbye(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(CLOSE, struct.pack(">H", 1008)))  # In one packet with the handshake.

    cutting = await asyncio.start_server(Far(goodbye), "127.0.0.1", 0)
    async with cutting, scene(ws_url=f"ws://127.0.0.1:{cutting.sockets[0].getsockname()[1]}") as s:
        streams = asyncio.create_task(s.exchange.stream())
        await until(lambda: s.venue.times("POST listenKey") >= 3)
        streams.cancel()
        await asyncio.wait([streams])
    assert s.of(StreamChanged)
    assert not [told for told in s.of(StreamChanged) if told.up]


@awaited
async def test_the_listen_key_is_kept_alive_again_and_again() -> None:
    async with streaming(speed=3000.0, market_silence_s=1e9, mark_silence_s=1e9) as s:
        await until(lambda: s.venue.times("PUT listenKey") >= 3)
        assert changes(s, Stream.USER) == [True]


@awaited
async def test_a_listen_key_the_venue_forgot_is_replaced() -> None:
    async with streaming(speed=3000.0, market_silence_s=1e9, mark_silence_s=1e9) as s:
        s.venue.next["PUT listenKey"] = [error(-1125)]
        await until(lambda: s.venue.times("POST listenKey") == 2)
        lost = [e for e in s.of(StreamChanged) if e.stream is Stream.USER and not e.up]
        assert "listen key" in lost[0].why


@awaited
async def test_a_venue_without_listen_keys_is_asked_until_it_has_one() -> None:
    async with streaming(speed=10.0) as s:
        await all_up(s)
        s.venue.next["POST listenKey"] = [
            Canned(status=503, body="Service Unavailable."),
            Canned(fault="reset"),
        ]
        s.venue.abort("private")
        await until(lambda: changes(s, Stream.USER) == [True, False, True])
        assert s.venue.times("POST listenKey") == 4


@pytest.mark.parametrize("frame", ["", "{", "[]", "7", "null", '{"e":"bookTicker"}', '{"e":1}', "x" * 2000])
@pytest.mark.parametrize("route", ["public", "private"])
@awaited
async def test_garbage_is_told_and_the_stream_goes_on(route: str, frame: str) -> None:
    async with streaming(speed=5.0) as s:
        await all_up(s)
        await s.venue.say(route, frame)
        if frame == "[]":  # Neither an event nor an answer: a venue that says this is not to be trusted.
            await until(lambda: [e.up for e in s.of(StreamChanged)][3:4] == [False])
            await until(lambda: len(s.venue.sockets[route]) == 2)
        else:
            await until(lambda: s.of(DecodeFailed))
        good = quote(1) if route == "public" else order_event()
        await s.venue.say(route, good)
        await until(lambda: s.of(BookTicker) or s.of(OrderUpdate))


@awaited
async def test_a_crossed_or_empty_quote_is_not_believed() -> None:
    async with streaming() as s:
        await all_up(s)
        await s.venue.say("public", quote(1, bid="60000.30"))
        await until(lambda: s.of(DecodeFailed))
        await s.venue.say("public", quote(2, bid="NaN"))
        await s.venue.say("public", quote(3))
        await until(lambda: s.of(BookTicker))
        assert [tick.update_id for tick in s.of(BookTicker)] == [3]


@awaited
async def test_a_flood_of_spoiled_quotes_is_told_once_a_second_and_account_frames_every_time() -> None:
    async with streaming() as s:
        await all_up(s)
        for number in range(200):
            await s.venue.say("public", quote(number, bid="0"))
        await s.venue.say("public", quote(200))
        await until(lambda: s.of(BookTicker))
        told = len(s.of(DecodeFailed))
        assert told <= 2
        for _ in range(5):
            await s.venue.say("private", order_event(q="NaN"))
        await until(lambda: len(s.of(DecodeFailed)) == told + 5)


@pytest.mark.parametrize("code", [-1111, -4014, -4023, -1121, -4140])
@awaited
async def test_a_refusal_that_proves_the_filters_old_has_them_read_again_at_once(code: int) -> None:
    async with streaming(**CALM) as s:
        await all_up(s)
        s.venue.next["POST order"] = [error(code)]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        await until(lambda: s.of(InstrumentsLoaded))
        assert s.venue.times("GET exchangeInfo") == 1


@awaited
async def test_filters_are_read_again_at_intervals_and_other_refusals_change_nothing() -> None:
    async with streaming(reload_s=0.4, **CALM) as s:
        await all_up(s)
        s.venue.next["POST order"] = [error(-2019)]
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert not s.of(InstrumentsLoaded)
        await until(lambda: s.of(InstrumentsLoaded))


@awaited
async def test_an_exit_finds_an_open_connection_whatever_else_is_asked() -> None:
    async with streaming() as s:
        await until(lambda: s.venue.times("GET ping") == 2)
        assert len({seen.peer for seen in s.venue.seen if seen.name == "GET ping"}) == 2
        open_already = {seen.peer for seen in s.venue.seen}
        for name in ("GET positionRisk", "GET openOrders", "GET openAlgoOrders", "GET balance"):
            s.venue.next[name] = [Canned(fault="silence")]
        busy = asyncio.create_task(s.exchange.execute(LOOK))
        await until(lambda: s.venue.times("GET balance"))
        await s.exchange.execute(submit("skalpa-1-1-0X", STOP_SELL))
        assert s.venue.last("POST algoOrder").peer in open_already
        busy.cancel()
        await asyncio.wait([busy])


@awaited
async def test_a_silent_stream_whose_book_moves_elsewhere_is_dropped() -> None:
    async with streaming(speed=10.0, market_silence_s=2.0, mark_silence_s=1e9) as s:
        await all_up(s)
        await s.venue.say("public", quote(5))
        s.venue.usual["GET ticker/bookTicker"] = lambda _: touch(9, bid="60000.00")
        await until(lambda: changes(s, Stream.MARKET) == [True, False, True])
        assert "moved from update 5 to 9" in next(e.why for e in s.of(StreamChanged) if not e.up)


@awaited
async def test_a_market_that_is_only_quiet_is_left_alone() -> None:
    async with streaming(speed=10.0, market_silence_s=2.0, mark_silence_s=1e9) as s:
        await all_up(s)
        await s.venue.say("public", quote(5))
        s.venue.usual["GET ticker/bookTicker"] = lambda _: touch(5)
        await until(lambda: s.venue.times("GET ticker/bookTicker") >= 3)
        assert changes(s, Stream.MARKET) == [True]


@awaited
async def test_a_book_that_moves_only_below_its_touch_does_not_make_the_stream_a_deaf_one() -> None:
    async with streaming(speed=10.0, market_silence_s=2.0, mark_silence_s=1e9) as s:
        await all_up(s)
        await s.venue.say("public", quote(5))
        s.venue.usual["GET ticker/bookTicker"] = lambda _: touch(s.venue.times("GET ticker/bookTicker") + 5)
        await until(lambda: s.venue.times("GET ticker/bookTicker") >= 4)
        assert changes(s, Stream.MARKET) == [True]


@awaited
async def test_a_stream_that_never_said_a_word_is_held_against_the_first_look() -> None:
    async with streaming(speed=10.0, market_silence_s=2.0, mark_silence_s=1e9) as s:
        await all_up(s)
        s.venue.usual["GET ticker/bookTicker"] = lambda _: touch(s.venue.times("GET ticker/bookTicker") + 5)
        await until(lambda: s.venue.times("GET ticker/bookTicker") >= 3)
        assert changes(s, Stream.MARKET) == [True]
        s.venue.usual["GET ticker/bookTicker"] = lambda _: touch(99, bid="59990.00")
        await until(lambda: changes(s, Stream.MARKET) == [True, False, True])


@awaited
async def test_mark_prices_that_stop_coming_mean_a_dead_stream() -> None:
    async with streaming(speed=10.0, mark_silence_s=2.0, market_silence_s=1e9) as s:
        await all_up(s)
        mark = {"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "6.5", "i": "6", "r": "0.1", "T": 2}
        await s.venue.say("market", mark)
        await until(lambda: s.of(MarkPrice))
        await until(lambda: changes(s, Stream.MARK) == [True, False, True])


@awaited
async def test_prints_are_heard_when_asked_for_and_prove_nothing_of_the_marks() -> None:
    changed: dict[str, Any] = {"prints": True, "mark_silence_s": 4.0, "market_silence_s": 1e9}
    async with streaming(speed=10.0, **changed) as s:
        await all_up(s)
        assert ("market", "btcusdt@markPrice@1s", "btcusdt@aggTrade") in {
            (route, *order["params"]) for route, order in s.venue.heard
        }
        said = {"e": "aggTrade", "E": 1, "s": "BTCUSDT", "p": "6.5", "q": "2", "T": 2, "m": True}
        while changes(s, Stream.MARK) == [True]:
            await s.venue.say("market", said)
            await asyncio.sleep(0.02)
        assert s.of(MarketTrade)[0].qty == 2.0
        assert "no mark price" in next(e.why for e in s.of(StreamChanged) if not e.up)


@awaited
async def test_an_acknowledged_order_without_its_event_proves_the_user_stream_deaf() -> None:
    async with streaming(speed=10.0, user_proof_s=3.0, market_silence_s=1e9, mark_silence_s=1e9) as s:
        await all_up(s)
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        assert s.of(OrderAcked)
        await until(lambda: changes(s, Stream.USER) == [True, False, True])
        assert "skalpa-1-1-0E" in next(e.why for e in s.of(StreamChanged) if not e.up)


@awaited
async def test_an_event_before_or_after_the_answer_keeps_the_user_stream() -> None:
    async with streaming(speed=10.0, user_proof_s=3.0, market_silence_s=1e9, mark_silence_s=1e9) as s:
        await all_up(s)
        await s.exchange.execute(submit("skalpa-1-1-0E"))
        await s.venue.say("private", order_event())
        s.venue.next["POST order"] = [error(-2019)]
        await s.exchange.execute(submit("skalpa-1-2-0E"))
        asked = s.venue.times("GET ping")
        await until(lambda: s.venue.times("GET ping") >= asked + 2)  # 15 s of its time and more.
        assert changes(s, Stream.USER) == [True]


@awaited
async def test_a_stop_sent_before_anybody_listened_proves_nothing_of_the_user_stream() -> None:
    """A restart protects what it finds before its streams are up: its first stop's event went to nobody."""
    calm: dict[str, Any] = {"user_proof_s": 3.0, "market_silence_s": 1e9, "mark_silence_s": 1e9}
    async with streaming(speed=10.0, first=submit("skalpa-1-1-0S", STOP_SELL), **calm) as s:
        assert s.of(OrderAcked)
        await all_up(s)
        asked = s.venue.times("GET ping")
        await until(lambda: s.venue.times("GET ping") >= asked + 2)  # 15 s of its time and more.
        assert changes(s, Stream.USER) == [True]


@awaited
async def test_a_subscription_that_is_refused_or_ignored_is_tried_again() -> None:
    async with streaming(speed=20.0, market_silence_s=1e9, mark_silence_s=1e9) as s:
        await all_up(s)
        s.venue.acknowledges = False
        s.venue.abort("public")
        await until(lambda: len(s.venue.sockets["public"]) == 3)  # Dropped after 10 s without an answer.
        refusal = {"code": 2, "msg": "Invalid request: unknown stream", "id": 3}
        await s.venue.say("public", json.dumps(refusal))
        s.venue.acknowledges = True
        await until(lambda: changes(s, Stream.MARKET) == [True, False, True])


@awaited
async def test_a_relief_that_is_refused_takes_nobody_with_it() -> None:
    async with streaming(speed=4.0, **AGING) as s:
        await all_up(s)
        s.venue.acknowledges = False
        await until(lambda: len([order for route, order in s.venue.heard if route == "public"]) == 2)
        old, young = s.venue.sockets["public"]
        serial = next(order["id"] for route, order in reversed(s.venue.heard) if route == "public")
        await young.send_str(json.dumps({"code": 2, "msg": "Invalid request", "id": serial}))
        await until(lambda: young.closed)
        s.venue.acknowledges = True
        await old.send_str(json.dumps(quote(1)))
        await until(lambda: s.of(BookTicker))
        await until(lambda: len(s.venue.sockets["public"]) >= 3 and old.closed)  # Relieved by another one.
        assert changes(s, Stream.MARKET) == [True]


@awaited
async def test_no_listen_key_is_ever_told() -> None:
    async with streaming(speed=10.0) as s:
        await all_up(s)
        s.venue.usual["POST listenKey"] = lambda _: {"listenKey": "OPENSESAME"}
        s.venue.closed = True
        s.venue.abort("private")
        await until(lambda: changes(s, Stream.USER) == [True, False])
        await until(lambda: s.venue.times("POST listenKey") >= 3)
        s.venue.closed = False
        await until(lambda: changes(s, Stream.USER) == [True, False, True])
        await s.venue.say("private", '{"e":"listenKeyExpired","listenKey":"OPENSESAME"')
        await until(lambda: s.of(DecodeFailed))
        told = [e.why for e in s.of(StreamChanged)] + [e.why for e in s.of(DecodeFailed)]
        assert not [why for why in told if "OPENSESAME" in why]
        assert [why for why in told if "***" in why]


@awaited
async def test_closing_while_streaming_leaves_nothing_behind() -> None:
    async with streaming() as s:
        await all_up(s)
    assert not s.of(AccountSnapshot)
    assert [event for event in s.of(StreamChanged) if not event.up] == []
