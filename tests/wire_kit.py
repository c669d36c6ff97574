"""A paper exchange in the memory of a test: written market, virtual time, real bytes, no sockets."""

import hashlib
import hmac
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from skalp_bot.paper.assembly import Identity, Saved, assemble
from skalp_bot.paper.exchange import Exchange, Keeper
from skalp_bot.paper.rest import Raw
from skalp_bot.paper.settings import ExchangeOptions
from skalp_bot.paper.streams import Route, Session, control

START_MS = 1_790_000_000_000
QUIET = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
  ETHUSDT: {price: 2000, spread: 0.01, qty: 50, levels: 20}
steps:
  - wait: 1
"""


@dataclass(slots=True)
class Ear:
    """The far end of a stream connection."""

    frames: list[bytes] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def close(self, code: int, reason: str) -> None:
        assert reason
        self.closed.append(code)

    def heard(self) -> list[Any]:
        return [orjson.loads(payload(one)) for one in self.frames]

    def events(self) -> list[str]:
        return [message["e"] for message in self.heard()]


def payload(data: bytes) -> bytes:
    """Read an unmasked text frame as RFC 6455 lays it out."""
    assert data[0] == 0x81
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    assert len(data) == start + size
    return data[start:]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)

    @property
    def refusal(self) -> tuple[int, int, str]:
        return self.status, self.json["code"], self.json["msg"]


@dataclass(slots=True)
class Shop:
    """An exchange, its only customer, and the clock both live by."""

    exchange: Exchange
    identity: Identity
    now_ms: int = START_MS

    @property
    def headers(self) -> dict[str, str]:
        return {"x-mbx-apikey": self.identity.api_key}

    def raw(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = self.headers if headers is None else headers
        call = Raw(method=method, path=path, query=query, body=body, headers=sent, ip="127.0.0.1")
        answer = self.exchange.answer(call, self.now_ms)
        return Reply(answer.status, answer.body, dict(answer.headers))

    def get(self, path: str, **params: object) -> Reply:
        """Make a public call."""
        return self.raw("GET", path, urlencode(params))

    def sign(self, params: Mapping[str, object]) -> str:
        text = urlencode({"timestamp": self.now_ms, **params})
        signature = hmac.new(self.identity.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"{text}&signature={signature}"

    def call(self, method: str, path: str, **params: object) -> Reply:
        """Make a signed call, as ccxt does: POST and PUT in the body, the rest in the query."""
        text = self.sign(params)
        return (
            self.raw(method, path, body=text) if method in ("POST", "PUT") else self.raw(method, path, text)
        )

    def order(self, **params: object) -> Reply:
        return self.call("POST", "/fapi/v1/order", **({"symbol": "BTCUSDT"} | params))

    def listen(self, route: Route, *streams: str, combined: bool = False) -> tuple[Session, Ear]:
        ear = Ear()
        session = Session(outlet=ear, route=route, combined=combined)
        for stream in streams:
            self.exchange.hub.subscribe(session, stream)
        return session, ear

    def tell(self, session: Session, message: object) -> Any:
        return orjson.loads(control(self.exchange.hub, session, orjson.dumps(message).decode()))

    def user(self, *, combined: bool = False) -> Ear:
        key = self.raw("POST", "/fapi/v1/listenKey").json["listenKey"]
        return self.listen(Route.PRIVATE, key, combined=combined)[1]

    def play(self, span_ms: int, pace_ms: int = 10) -> None:
        """Let venue time run."""
        end = self.now_ms + span_ms
        while self.now_ms < end:
            self.now_ms = min(self.now_ms + pace_ms, end)
            self.exchange.catch_up(self.now_ms)


def open_shop(
    folder: Path,
    script: str = QUIET,
    *,
    options: Mapping[str, Any] | None = None,
    saved: Saved | None = None,
    keeper: Keeper | None = None,
    now_ms: int = START_MS,
    settle_ms: int = 50,
    **switches: str,
) -> Shop:
    """Open an exchange on a written market."""
    file = folder / "market.yaml"
    file.write_text(script, encoding="utf-8")
    chosen = ExchangeOptions(market=f"script:{file}", switches=switches, **(options or {}))
    exchange, identity = assemble(chosen, now_ms=now_ms, rng=random.Random(7), saved=saved, keeper=keeper)
    shop = Shop(exchange=exchange, identity=identity, now_ms=now_ms)
    shop.play(settle_ms)
    return shop
