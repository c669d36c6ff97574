"""Who listens to what: stream names, routes, subscriptions, control messages, frames made once for all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol
from urllib.parse import unquote

import orjson

STREAMS_MAX = 1024
LISTEN_KEY_CHARS_MIN = 32
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
PUBLIC_KINDS = ("bookTicker", "trade", "depth", "rpiDepth")


class Route(StrEnum):
    """The class of a stream, and the door of a connection; NONE is the path without a class."""

    NONE = ""
    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


class Outlet(Protocol):
    """The far end of one connection; takes ready frames, never blocks."""

    def send(self, frame: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Wrap a payload as one unmasked, unfragmented, uncompressed WebSocket frame."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65536:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


def wrapped(stream: str, payload: bytes) -> bytes:
    return b'{"stream":' + orjson.dumps(stream) + b',"data":' + payload + b"}"


def route_of(stream: str) -> Route:
    """Tell which door delivers a stream."""
    if is_listen_key(stream):
        return Route.PRIVATE
    kind = stream.removeprefix("!") if stream.startswith("!") else stream.partition("@")[2]
    kind = kind.partition("@")[0]
    return Route.PUBLIC if kind.rstrip("0123456789") in PUBLIC_KINDS else Route.MARKET


def is_listen_key(name: str) -> bool:
    return len(name) >= LISTEN_KEY_CHARS_MIN and name.isalnum()


@dataclass(eq=False, slots=True)
class Session:
    """One stream connection: its door, its subscriptions, and whether its frames are wrapped."""

    outlet: Outlet
    route: Route
    combined: bool
    streams: dict[str, None] = field(default_factory=dict)
    events: dict[str, tuple[str, ...]] = field(default_factory=dict)  # listen key -> wanted events, () is all


@dataclass(slots=True)
class Hub:
    """Fans every payload out: serialised once, framed once raw and once wrapped, whoever listens."""

    lenient: bool
    first_listener: Callable[[str], None] = lambda _stream: None
    tap: "Callable[[Session, str, bytes, Callable[[bytes], None]], None] | None" = None  # Faults, if any.
    listeners: dict[str, dict[Session, None]] = field(default_factory=dict)
    frames_sent: int = 0
    version: int = 0  # grows with every change of who listens to what

    def wanted(self, stream: str) -> bool:
        return stream in self.listeners

    def publish(self, stream: str, payload: bytes) -> None:
        sessions = self.listeners.get(stream)
        if not sessions:
            return
        raw = combined = b""
        for session in sessions:
            if session.combined:
                combined = combined or frame(wrapped(stream, payload))
                session.outlet.send(combined)
            else:
                raw = raw or frame(payload)
                session.outlet.send(raw)
        self.frames_sent += len(sessions)

    def publish_user(self, listen_key: str, event: str, payload: bytes) -> None:
        for session in self.listeners.get(listen_key, ()):
            wanted = session.events.get(listen_key, ())
            if wanted and event not in wanted:
                continue
            deliver = partial(self._deliver, session, listen_key)
            if self.tap is None:
                deliver(payload)
            else:
                self.tap(session, event, payload, deliver)

    def _deliver(self, session: Session, listen_key: str, payload: bytes) -> None:
        session.outlet.send(frame(wrapped(listen_key, payload) if session.combined else payload))
        self.frames_sent += 1

    def subscribe(self, session: Session, stream: str, events: tuple[str, ...] = ()) -> None:
        """Add a stream; a name that is not delivered here is accepted and stays silent."""
        session.streams[stream] = None
        if events:
            session.events[stream] = events
        if not self.delivers(session.route, stream):
            return
        self.listeners.setdefault(stream, {})[session] = None
        self.version += 1
        self.first_listener(stream)

    def delivers(self, route: Route, stream: str) -> bool:
        home = route_of(stream)
        return self.lenient or home is route or (route is Route.NONE and home is Route.PUBLIC)

    def unsubscribe(self, session: Session, stream: str) -> None:
        session.streams.pop(stream, None)
        session.events.pop(stream, None)
        sessions = self.listeners.get(stream)
        if sessions and session in sessions:
            del sessions[session]
            self.version += 1
            if not sessions:
                del self.listeners[stream]

    def leave(self, session: Session) -> None:
        for stream in list(session.streams):
            self.unsubscribe(session, stream)

    def drop_key(self, listen_key: str) -> None:
        """Close every private connection that listens to a key its owner deleted."""
        for session in list(self.listeners.get(listen_key, ())):
            session.outlet.close(1000, "listenKey closed")


@dataclass(frozen=True, slots=True)
class ControlError(Exception):
    """A control message the venue cannot follow."""

    code: int
    msg: str


METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


def control(hub: Hub, session: Session, text: str) -> bytes:
    """Obey one control message and give the answer; ids of any JSON type are echoed."""
    identity: object = None
    try:
        message = read_message(text)
        identity = message.get("id")
        result = obey(hub, session, message)
    except ControlError as error:
        body: dict[str, object] = {"code": error.code, "msg": error.msg}
        return orjson.dumps(body if identity is None else {**body, "id": identity})
    return orjson.dumps({"result": result, "id": identity})


def read_message(text: str) -> dict[str, object]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        raise ControlError(3, f"Invalid JSON: expected value at line {line} column {column}") from error
    if not isinstance(message, dict):
        raise ControlError(2, "Invalid request: request must be an object")
    return message


def obey(hub: Hub, session: Session, message: dict[str, object]) -> object:
    match message.get("method"):
        case "SUBSCRIBE":
            names = names_in(message)
            added = [name for name in names if name not in session.streams]
            if len(session.streams) + len(added) > STREAMS_MAX:
                raise ControlError(2, f"Invalid request: more than {STREAMS_MAX} streams on one connection")
            for name in added:
                hub.subscribe(session, name)
            return None
        case "UNSUBSCRIBE":
            for name in names_in(message):
                hub.unsubscribe(session, name)
            return None
        case "LIST_SUBSCRIPTIONS":
            return list(session.streams)
        case "SET_PROPERTY":
            set_property(session, message.get("params"))
            return None
        case "GET_PROPERTY":
            return get_property(session, message.get("params"))
        case None:
            raise ControlError(2, "Invalid request: missing field `method`")
        case other:
            expected = ", ".join(f"`{name}`" for name in METHODS)
            raise ControlError(2, f"Invalid request: unknown variant `{other}`, expected one of {expected}")


def names_in(message: dict[str, object]) -> list[str]:
    params = message.get("params")
    if not isinstance(params, list):
        raise ControlError(2, "Invalid request: params must be an array of stream names")
    if not all(isinstance(name, str) for name in params):
        raise ControlError(2, "Invalid request: stream name must be a string")
    return [str(name) for name in params]


def set_property(session: Session, params: object) -> None:
    match params:
        case ["combined", bool() as value]:
            session.combined = value
        case ["combined", _]:
            raise ControlError(1, "Invalid value type: expected Boolean")
        case [str(), _]:
            raise ControlError(0, "Unknown property")
        case [_, _, _, *_]:
            raise ControlError(2, "Invalid request: too many parameters")
        case _:
            raise ControlError(2, "Invalid request: property name must be a string")


def get_property(session: Session, params: object) -> bool:
    match params:
        case ["combined"]:
            return session.combined
        case [str()]:
            raise ControlError(0, "Unknown property")
        case [_, _, *_]:
            raise ControlError(2, "Invalid request: too many parameters")
        case _:
            raise ControlError(2, "Invalid request: property name must be a string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a stream URL asks for."""

    route: Route
    combined: bool
    streams: tuple[str, ...]
    keys: tuple[tuple[str, tuple[str, ...]], ...]


def door(path: str, query: Iterator[tuple[str, str]]) -> Door | None:
    """Read a stream URL; None when the path is no stream path. A bare number in the path is no stream."""
    parts = [part for part in path.split("/") if part]
    route = Route.NONE
    if parts and parts[0] in (Route.PUBLIC, Route.MARKET, Route.PRIVATE):
        route = Route(parts.pop(0))
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    names = [unquote(part) for part in parts[1:] if not part.isdigit()]
    keys: list[tuple[str, tuple[str, ...]]] = []
    for name, value in query:
        if name == "streams":
            names.extend(part for part in value.split("/") if part)
        elif name == "listenKey" and value:
            keys.append((value, ()))
        elif name == "events" and keys and value:
            keys[-1] = (keys[-1][0], tuple(value.split("/")))
    return Door(route=route, combined=parts[0] == "stream", streams=tuple(names), keys=tuple(keys))
