"""The switchboard: what fires, how often, and what the client on the wire sees of it."""

import asyncio
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from skalp_bot.paper.faults import FaultError, On, Rule, Switchboard
from tests.e2e.paper_process import Venue
from tests.e2e.paper_process import running as venue
from tests.e2e.rig import until


def board(*rules: dict[str, Any]) -> Switchboard:
    made = Switchboard()
    for rule in rules:
        made.put(Rule.read(rule))
    return made


def fired(made: Switchboard) -> list[object]:
    return [row["fired"] for row in made.counts().values()]


def test_a_rule_fires_on_its_match_after_so_many_so_many_times() -> None:
    made = board(
        {"on": "request", "do": "reset", "where": "/order", "after": 1, "times": 2, "method": "POST"}
    )
    hits = [made.fault(On.REQUEST, "/fapi/v1/order", {}, "POST") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert made.fault(On.REQUEST, "/fapi/v1/order", {}, "GET") is None
    assert made.fault(On.REQUEST, "/fapi/v1/depth", {}, "POST") is None
    assert made.counts()["request-reset"] == {"on": "request", "do": "reset", "seen": 5, "fired": 2}


def test_a_rule_matches_parameters() -> None:
    made = board({"do": "reset", "match": {"side": "SELL"}, "times": 0})
    assert made.fault(On.REQUEST, "/x", {"side": "BUY"}) is None
    assert made.fault(On.REQUEST, "/x", {"side": "SELL"}) is not None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"do": "explode"}, "do one of"),
        ({"do": "swap"}, "swap on request"),
        ({"on": "user", "do": "answer"}, "answer on user"),
        ({"do": "reset", "tims": 3}, "tims"),
        ({"do": "reset", "times": "3"}, "times"),
        ({"do": "reset", "match": 7}, "match"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(row: dict[str, Any], says: str) -> None:
    with pytest.raises(FaultError, match=says):
        Rule.read(row)


def test_user_events_are_doubled_swapped_delayed_and_dropped() -> None:
    made = board({"on": "user", "do": "duplicate", "name": "d"})
    assert made.user_event("E", {}, b"1") == [(0, b"1"), (0, b"1")]
    assert made.user_event("E", {}, b"2") == [(0, b"2")]
    made = board({"on": "user", "do": "swap", "name": "s"})
    assert made.user_event("E", {}, b"1") == []
    assert made.user_event("E", {}, b"2") == [(0, b"2"), (0, b"1")]
    made = board({"on": "user", "do": "delay", "ms": 70}, {"on": "user", "do": "drop", "times": 0})
    assert made.user_event("E", {}, b"1") == [(70, b"1")]
    assert made.user_event("E", {}, b"2") == []
    assert fired(made) == [1, 1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with venue(folder, "--set", "faults=on") as made:
        yield made


def ask(made: Venue, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(made.ready["control"] + path, method=method, data=data)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def stop(made: Venue, name: str) -> None:
    made.call(
        "POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
        price="50000", quantity="0.01", newClientOrderId=name,
    )  # fmt: skip


def known(made: Venue, name: str) -> bool:
    rows = made.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")
    return any(row["clientOrderId"] == name for row in rows)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_reset_loses_the_answer_and_the_order_lives_as_the_rule_says(
    running: Venue, *, accepted: bool
) -> None:
    ask(running, "DELETE", "/rules")
    ask(running, "POST", "/rules", {"do": "reset", "method": "POST", "where": "/order", "accepted": accepted})
    name = f"reset-{accepted}"
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        stop(running, name)
    assert known(running, name) is accepted
    assert ask(running, "GET", "/rules")["request-reset"]["fired"] == 1


MEANINGS = {
    "503_unknown": (503, -1000, "Unknown error, please check your request or try again later."),
    "503_failed": (503, 0, "Service Unavailable."),
    "503_overloaded": (503, -1008, "Request throttled by system-level protection."),
    "408": (408, -1007, "Timeout waiting for response from backend server."),
    "refused": (400, -2019, "Margin is insufficient."),
}


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_an_answer_in_its_place_has_the_status_and_the_code(
    running: Venue, meaning: str, *, accepted: bool
) -> None:
    status, code, message = MEANINGS[meaning]
    rule = {"do": "answer", "status": status, "code": code, "message": message, "where": "/order"}
    arm(running, rule | {"accepted": accepted})
    name = f"{meaning}-{accepted}"
    told = refused(running, name)
    assert told[0] == status
    assert told[1] == (json.dumps({"code": code, "msg": message}, separators=(",", ":")) if code else message)
    assert known(running, name) is accepted
    assert fired_of(running) == [1]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_hang_says_nothing_for_so_long_and_then_resets(running: Venue, *, accepted: bool) -> None:
    arm(running, {"do": "hang", "ms": 400, "method": "POST", "where": "/order", "accepted": accepted})
    begun, name = time.monotonic(), f"hang-{accepted}"
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        stop(running, name)
    assert time.monotonic() - begun >= 0.4
    assert known(running, name) is accepted
    assert fired_of(running) == [1]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_delay_gives_the_venues_own_answer_later(running: Venue, *, accepted: bool) -> None:
    arm(running, {"do": "delay", "ms": 400, "method": "POST", "where": "/order", "accepted": accepted})
    begun, name = time.monotonic(), f"delay-{accepted}"
    stop(running, name)
    assert time.monotonic() - begun >= 0.4
    assert known(running, name)
    assert fired_of(running) == [1]


def test_every_request_that_may_change_something_is_on_record_with_what_became_of_it(running: Venue) -> None:
    arm(running, {"do": "reset", "name": "lost", "where": "/order", "match": {"newClientOrderId": "rec-2"}})
    stop(running, "rec-1")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        stop(running, "rec-2")
    rows = [row for row in ask(running, "GET", "/requests") if row["id"].startswith("rec-")]
    assert [(row["id"], row["fault"], row["status"]) for row in rows] == [
        ("rec-1", "", 200),
        ("rec-2", "lost", 0),
    ]
    assert {row["method"] for row in rows} == {"POST"}


def hear(running: Venue, story: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[object]]) -> None:
    """Run a story on a user stream of its own."""

    async def told() -> None:
        key = running.call("POST", "/fapi/v1/listenKey")["listenKey"]
        async with aiohttp.ClientSession() as session:
            url = f"{running.ready['ws']}/private/ws/{key}"
            async with session.ws_connect(url, autoping=False) as line:
                await story(line)

    asyncio.run(asyncio.wait_for(told(), 20))


async def ids(line: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """The orders that the next events are about."""
    found: list[str] = []
    while len(found) < count:
        row = await asyncio.wait_for(line.receive_json(), 5)
        if row["e"] == "ORDER_TRADE_UPDATE":
            found.append(row["o"]["c"])
    return found


USER = {"on": "user", "where": "ORDER_TRADE_UPDATE"}


@pytest.mark.parametrize(
    ("do", "heard"),
    [
        ("duplicate", ["u1", "u1", "u2"]),
        ("swap", ["u2", "u1"]),
        ("delay", ["u2", "u1"]),
        ("drop", ["u2"]),
    ],
)
def test_on_a_real_stream_user_events_come_twice_swapped_late_or_never(
    running: Venue, do: str, heard: list[str]
) -> None:
    arm(running, USER | {"do": do, "ms": 300})

    async def story(line: aiohttp.ClientWebSocketResponse) -> None:
        for name in ("u1", "u2"):
            await asyncio.to_thread(stop, running, f"{name}-{do}")
        assert await ids(line, len(heard)) == [f"{name}-{do}" for name in heard]
        assert fired_of(running) == [1]

    hear(running, story)


def test_a_silent_user_stream_still_answers_pings(running: Venue) -> None:
    arm(running, {"on": "user", "do": "drop", "times": 0})

    async def story(line: aiohttp.ClientWebSocketResponse) -> None:
        await asyncio.to_thread(stop, running, "unheard")
        await line.ping(b"alive")
        answer = await asyncio.wait_for(line.receive(), 5)
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"alive")
        assert known(running, "unheard")
        assert fired_of(running) == [1]

    hear(running, story)


def test_a_frozen_line_stays_open_and_says_nothing_not_even_a_pong(running: Venue) -> None:
    ask(running, "DELETE", "/rules")

    async def story(line: aiohttp.ClientWebSocketResponse) -> None:
        await line.ping(b"before")
        assert (await asyncio.wait_for(line.receive(), 5)).type is aiohttp.WSMsgType.PONG
        assert ask(running, "POST", "/freeze", {"door": "private"}) == {"connections": 1}
        await line.ping(b"after")
        await asyncio.to_thread(stop, running, "frozen")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.receive(), 0.5)

    hear(running, story)


def test_a_line_that_is_reset_ends_at_once_and_a_barred_door_turns_away_so_many(running: Venue) -> None:
    arm(running, {"on": "connect", "do": "reset", "where": "/private", "times": 2})
    with pytest.raises(aiohttp.ClientError):
        hear(running, lambda line: ids(line, 1))
    assert fired_of(running) == [2], "the client asks once more before it gives up"

    async def story(line: aiohttp.ClientWebSocketResponse) -> None:
        assert ask(running, "POST", "/reset", {"door": "private"})["connections"] >= 1
        ended = await asyncio.wait_for(line.receive(), 5)
        assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)

    hear(running, story)


def test_a_pushed_market_stays_where_it_was_pushed_and_fires_what_it_reaches(running: Venue) -> None:
    arm(running)
    before = touch(running)
    printed = {"side": "SELL", "qty": "0.01"}
    ask(running, "POST", "/market", {"symbol": "BTCUSDT", "move_bps": [50, -150, 50], "trade": printed})
    assert abs(touch(running) / before - (1 + Decimal(-50) / 10_000)) < Decimal("0.0002")
    running.call(
        "POST", "/fapi/v1/algoOrder", symbol="BTCUSDT", side="BUY", type="STOP_MARKET", quantity="0.01",
        algoType="CONDITIONAL", triggerPrice=f"{before:.1f}", clientAlgoId="pushed",
    )  # fmt: skip
    trade = {"side": "BUY", "qty": "0.01"}
    ask(running, "POST", "/market", {"symbol": "BTCUSDT", "move_bps": [60], "trade": trade, "mark": True})
    until(lambda: triggered(running, "pushed"), 2.0, "the stop fires")
    status, mark = running.request("GET", "/fapi/v1/premiumIndex", "symbol=BTCUSDT")
    assert status == 200
    assert abs(Decimal(mark["markPrice"]) / touch(running) - 1) < Decimal("0.0001")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"symbol": "DOGEUSDT", "move_bps": [1]}, b"quoted ones"),
        ({"symbol": "BTCUSDT", "move_bps": ["up"]}, b"list of numbers"),
        ({"symbol": "BTCUSDT", "trade": {"side": "LONG", "qty": "1"}}, b"BUY, SELL"),
    ],
)
def test_a_push_that_cannot_be_done_says_why(running: Venue, body: dict[str, Any], says: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(running, "POST", "/market", body)
    assert says in refusal.value.read()


def test_a_symbol_is_listed_as_it_was_changed_and_its_orders_are_judged_by_that(running: Venue) -> None:
    arm(running)
    ask(running, "POST", "/symbols", {"symbol": "BTCUSDT", "status": "BREAK"})
    assert b"-4140" in refused(running, "halted")[1].encode()
    coarse = {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "7.00"}]}
    ask(running, "POST", "/symbols", {"symbol": "BTCUSDT", "status": "TRADING", **coarse})
    listed = running.request("GET", "/fapi/v1/exchangeInfo")[1]["symbols"]
    (bitcoin,) = [row for row in listed if row["symbol"] == "BTCUSDT"]
    (prices,) = [row for row in bitcoin["filters"] if row["filterType"] == "PRICE_FILTER"]
    assert (bitcoin["status"], prices["tickSize"]) == ("TRADING", "7.00")
    assert float(prices["maxPrice"]) > 1000, "what was not named stays"
    assert b"-4014" in refused(running, "off-the-grid")[1].encode()
    fine = {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}]}
    ask(running, "POST", "/symbols", {"symbol": "BTCUSDT", **fine})


@pytest.mark.parametrize("body", [{"symbol": "NOPEUSDT"}, {"symbol": "BTCUSDT", "filters": 7}])
def test_a_change_of_a_listing_that_cannot_be_made_says_why(running: Venue, body: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(running, "POST", "/symbols", body)
    assert b"exchangeInfo" in refusal.value.read()


def arm(made: Venue, *rules: dict[str, Any]) -> None:
    ask(made, "DELETE", "/rules")
    for rule in rules:
        ask(made, "POST", "/rules", rule)


def fired_of(made: Venue) -> list[int]:
    return [row["fired"] for row in ask(made, "GET", "/rules").values()]


def touch(made: Venue) -> Decimal:
    return Decimal(made.request("GET", "/fapi/v1/ticker/bookTicker", "symbol=BTCUSDT")[1]["bidPrice"])


def triggered(made: Venue, name: str) -> bool:
    return bool(made.call("GET", "/fapi/v1/algoOrder", clientAlgoId=name)["algoStatus"] == "FINISHED")


def refused(made: Venue, name: str) -> tuple[int, str]:
    """Status and body of the answer to an order, whatever they are."""
    text = urlencode(
        {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50000",
            "quantity": "0.01", "newClientOrderId": name, "timestamp": time.time_ns() // 1_000_000,
        }
    )  # fmt: skip
    secret = made.ready["api_secret"].encode()
    text += "&signature=" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    request = urllib.request.Request(made.ready["rest"] + "/fapi/v1/order", data=text.encode(), method="POST")
    request.add_header("X-MBX-APIKEY", made.ready["api_key"])
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.urlopen(request, timeout=5)
    return found.value.code, found.value.read().decode()


def test_the_control_port_is_not_among_the_venues_paths(running: Venue) -> None:
    ask(running, "DELETE", "/rules")
    with pytest.raises(json.JSONDecodeError):
        running.request("GET", "/rules")
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(running, "POST", "/rules", {"do": "explode"})
    assert refused.value.code == 400
    assert b"do one of" in refused.value.read()


def test_without_the_switch_there_is_no_control_port(tmp_path: Path) -> None:
    with venue(tmp_path) as made:
        assert "control" not in made.ready
