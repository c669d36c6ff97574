"""Subscriptions, routes and frames of the paper exchange."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.paper.params import pairs
from skalp_bot.paper.streams import Hub, Route, Session, control, door, frame, route_of
from tests.wire_kit import Ear, payload

KEY = "L" * 64


def listener(hub: Hub, route: Route, *streams: str, combined: bool = False) -> tuple[Session, Ear]:
    ear = Ear()
    session = Session(outlet=ear, route=route, combined=combined)
    for stream in streams:
        hub.subscribe(session, stream)
    return session, ear


def ask(hub: Hub, session: Session, message: object) -> Any:
    return orjson.loads(control(hub, session, orjson.dumps(message).decode()))


@given(st.binary(max_size=70_000))
def test_a_frame_carries_its_payload_whole(data: bytes) -> None:
    assert payload(frame(data)) == data


@pytest.mark.parametrize(
    ("stream", "route"),
    [
        ("btcusdt@bookTicker", Route.PUBLIC),
        ("!bookTicker", Route.PUBLIC),
        ("btcusdt@depth", Route.PUBLIC),
        ("btcusdt@depth@100ms", Route.PUBLIC),
        ("btcusdt@depth20@500ms", Route.PUBLIC),
        ("btcusdt@rpiDepth@500ms", Route.PUBLIC),
        ("btcusdt@trade", Route.PUBLIC),
        ("btcusdt@aggTrade", Route.MARKET),
        ("btcusdt@markPrice@1s", Route.MARKET),
        ("!markPrice@arr", Route.MARKET),
        ("btcusdt@kline_1m", Route.MARKET),
        ("btcusdt_perpetual@continuousKline_1m", Route.MARKET),
        ("btcusdt@miniTicker", Route.MARKET),
        ("!ticker@arr", Route.MARKET),
        ("btcusdt@forceOrder", Route.MARKET),
        ("!contractInfo", Route.MARKET),
        (KEY, Route.PRIVATE),
    ],
)
def test_every_stream_has_its_door(stream: str, route: Route) -> None:
    assert route_of(stream) is route


@pytest.mark.parametrize(
    ("url", "route", "combined", "streams", "keys"),
    [
        ("/public/ws/0", Route.PUBLIC, False, (), ()),
        ("/market/ws/1", Route.MARKET, False, (), ()),
        ("/ws", Route.NONE, False, (), ()),
        ("/stream", Route.NONE, True, (), ()),
        ("/ws/btcusdt@trade/ethusdt@trade", Route.NONE, False, ("btcusdt@trade", "ethusdt@trade"), ()),
        ("/market/stream?streams=a@ticker/b@ticker", Route.MARKET, True, ("a@ticker", "b@ticker"), ()),
        (f"/private/ws/{KEY}", Route.PRIVATE, False, (KEY,), ()),
        (f"/private/ws/?listenKey={KEY}", Route.PRIVATE, False, (), ((KEY, ()),)),
        (
            f"/private/stream?listenKey={KEY}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE&listenKey=b",
            Route.PRIVATE,
            True,
            (),
            ((KEY, ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")), ("b", ())),
        ),
    ],
)
def test_every_way_clients_write_a_stream_url_is_understood(
    url: str, route: Route, *, combined: bool, streams: tuple[str, ...], keys: tuple[object, ...]
) -> None:
    path, _, query = url.partition("?")
    entry = door(path, pairs(query))
    assert entry is not None
    assert (entry.route, entry.combined, entry.streams, entry.keys) == (route, combined, streams, keys)


@pytest.mark.parametrize("path", ["/", "/fapi/v1/ping", "/public", "/public/wss", "/other/ws"])
def test_other_paths_are_no_streams(path: str) -> None:
    assert door(path, pairs("")) is None


def test_raw_and_wrapped_listeners_get_the_same_payload() -> None:
    hub = Hub(lenient=False)
    _, raw = listener(hub, Route.PUBLIC, "btcusdt@bookTicker")
    _, wrapped = listener(hub, Route.PUBLIC, "btcusdt@bookTicker", combined=True)
    hub.publish("btcusdt@bookTicker", b'{"e":"bookTicker"}')
    assert raw.heard() == [{"e": "bookTicker"}]
    assert wrapped.heard() == [{"stream": "btcusdt@bookTicker", "data": {"e": "bookTicker"}}]
    assert hub.frames_sent == 2


def test_one_frame_is_made_for_all_listeners() -> None:
    hub = Hub(lenient=False)
    ears = [listener(hub, Route.PUBLIC, "btcusdt@trade")[1] for _ in range(3)]
    hub.publish("btcusdt@trade", b"{}")
    assert len({id(ear.frames[0]) for ear in ears}) == 1


def test_a_strict_door_accepts_foreign_streams_and_keeps_silent() -> None:
    hub = Hub(lenient=False)
    session, ear = listener(hub, Route.PUBLIC)
    assert ask(hub, session, {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1}) == {
        "result": None,
        "id": 1,
    }
    hub.publish("btcusdt@aggTrade", b"{}")
    assert ear.frames == []
    assert ask(hub, session, {"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {
        "result": ["btcusdt@aggTrade"],
        "id": 2,
    }


def test_without_a_door_only_public_streams_are_delivered_and_leniently_all() -> None:
    for lenient, expected in ((False, 1), (True, 3)):
        hub = Hub(lenient=lenient)
        _, ear = listener(hub, Route.NONE, "btcusdt@trade", "btcusdt@aggTrade", KEY)
        hub.publish("btcusdt@trade", b"{}")
        hub.publish("btcusdt@aggTrade", b"{}")
        hub.publish_user(KEY, "ORDER_TRADE_UPDATE", b"{}")
        assert len(ear.frames) == expected


@pytest.mark.parametrize("identity", [7, "f3b0a5c2-1d7e-4a5e-9f8d-1c2b3a4d5e6f", None, 2**63])
def test_ids_are_echoed_whatever_they_are(identity: object) -> None:
    hub = Hub(lenient=True)
    session, _ = listener(hub, Route.PUBLIC)
    answer = ask(hub, session, {"method": "SUBSCRIBE", "params": ["x@trade"], "id": identity})
    assert answer == {"result": None, "id": identity}


def test_unsubscribing_ends_delivery_and_leaving_ends_all() -> None:
    hub = Hub(lenient=True)
    session, ear = listener(hub, Route.PUBLIC, "a@trade", "b@trade")
    ask(hub, session, {"method": "UNSUBSCRIBE", "params": ["a@trade"], "id": 1})
    hub.publish("a@trade", b"{}")
    assert ear.frames == []
    hub.leave(session)
    assert hub.listeners == {}


def test_the_combined_property_follows_the_path_and_can_be_changed() -> None:
    hub = Hub(lenient=True)
    session, ear = listener(hub, Route.PUBLIC, "a@trade", combined=True)
    assert ask(hub, session, {"method": "GET_PROPERTY", "params": ["combined"], "id": 2})["result"] is True
    ask(hub, session, {"method": "SET_PROPERTY", "params": ["combined", False], "id": 3})
    hub.publish("a@trade", b'{"e":"trade"}')
    assert ear.heard() == [{"e": "trade"}]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", 3),
        ("[1]", 2),
        ('{"id":1}', 2),
        ('{"method":"DANCE","id":1}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
        ('{"method":"SET_PROPERTY","params":["other",true],"id":1}', 0),
        ('{"method":"GET_PROPERTY","params":["other"],"id":1}', 0),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', 2),
    ],
)
def test_bad_control_messages_are_answered_with_their_code(text: str, code: int) -> None:
    hub = Hub(lenient=True)
    session, _ = listener(hub, Route.PUBLIC)
    answer = orjson.loads(control(hub, session, text))
    assert answer["code"] == code
    assert answer["msg"]


def test_a_connection_takes_1024_streams_and_not_one_more() -> None:
    hub = Hub(lenient=True)
    session, _ = listener(hub, Route.PUBLIC)
    many = [f"s{i}@trade" for i in range(1024)]
    assert ask(hub, session, {"method": "SUBSCRIBE", "params": many, "id": 1}) == {"result": None, "id": 1}
    assert ask(hub, session, {"method": "SUBSCRIBE", "params": ["x@trade"], "id": 2})["code"] == 2
    assert ask(hub, session, {"method": "SUBSCRIBE", "params": many[:3], "id": 3})["result"] is None


def test_a_private_listener_may_choose_its_events() -> None:
    hub = Hub(lenient=False)
    session, ear = listener(hub, Route.PRIVATE, combined=True)
    hub.subscribe(session, KEY, ("ACCOUNT_UPDATE",))
    hub.publish_user(KEY, "TRADE_LITE", b'{"e":"TRADE_LITE"}')
    hub.publish_user(KEY, "ACCOUNT_UPDATE", b'{"e":"ACCOUNT_UPDATE"}')
    assert ear.heard() == [{"stream": KEY, "data": {"e": "ACCOUNT_UPDATE"}}]


def test_a_deleted_key_closes_its_connections() -> None:
    hub = Hub(lenient=False)
    _, ear = listener(hub, Route.PRIVATE, KEY)
    _, other = listener(hub, Route.PRIVATE, "M" * 64)
    hub.drop_key(KEY)
    assert (ear.closed, other.closed) == ([1000], [])
