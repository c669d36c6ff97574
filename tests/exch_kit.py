"""A venue that is only a wire: canned answers, sockets to speak through, faults below the protocol."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from aurora.model.commands import Lane, SubmitOrder
from aurora.model.events import Event
from aurora.model.gate import Approved
from aurora.model.numbers import SECOND, Nanos, Price, Qty
from aurora.model.order import OrderIntent, OrderKey, OrderType, Role, Side
from skalp_bot.clock import SystemClock
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.settings import ExchangeSettings, Secret, Venue
from skalp_bot.ports import Clock

Found = TypeVar("Found")
Told = ParamSpec("Told")

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "stepSize": "0.001", "maxQty": "1000"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "stepSize": "0.001", "maxQty": "120"},
    {"filterType": "MIN_NOTIONAL", "notional": "50"},
    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"},
]
BITCOIN = {
    "symbol": "BTCUSDT",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "status": "TRADING",
    "triggerProtect": "0.05",
    "marketTakeBound": "0.05",
    "filters": FILTERS,
}
BRACKET = {
    "bracket": 1,
    "initialLeverage": 125,
    "notionalCap": 300000,
    "notionalFloor": 0,
    "maintMarginRatio": 0.004,
    "cum": 0.0,
}


def awaited(story: Callable[Told, Coroutine[Any, Any, None]]) -> Callable[Told, None]:
    """A test that is a coroutine, on a loop of its own."""

    @wraps(story)
    def told(*args: Told.args, **kwargs: Told.kwargs) -> None:
        asyncio.run(story(*args, **kwargs))

    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Canned:
    """``fault`` happens instead of the answer: reset, truncated or silence."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def error(code: int, status: int = 400, message: str = "no") -> Canned:
    return Canned(body={"code": code, "msg": message}, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    name: str
    params: dict[str, str]
    headers: dict[str, str]
    peer: object  # The connection it came over.
    query: str  # Of the address, as sent.
    body: str


class WireVenue:
    """``usual`` answers by 'METHOD path'; ``next`` holds answers that come first, once each."""

    def __init__(self, clock: Clock) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.sockets: dict[str, list[web.WebSocketResponse]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.acknowledges = True
        self.closed = False  # Sockets are turned away.
        self.opens = asyncio.Event()  # Until it is set nobody shakes hands.
        self.opens.set()
        self.next: dict[str, list[Canned]] = {}
        self.usual: dict[str, Callable[[dict[str, str]], Any]] = {
            "GET time": lambda _: {"serverTime": clock.now() // 1_000_000},
            "GET ping": lambda _: {},
            "GET exchangeInfo": lambda _: {"rateLimits": [], "symbols": [BITCOIN]},
            "GET leverageBracket": lambda _: [{"symbol": "BTCUSDT", "brackets": [BRACKET]}],
            "GET positionSide/dual": lambda _: {"dualSidePosition": False},
            "GET positionRisk": lambda _: [],
            "GET openOrders": lambda _: [],
            "GET openAlgoOrders": lambda _: [],
            "GET balance": lambda _: [],
            "GET symbolConfig": lambda _: [
                {"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 25, "isAutoAddMargin": False}
            ],
            "GET klines": lambda _: [[0, "10", "12", "9", "11", "1", 59999, "1", 1, "1", "1", "0"]],
            "GET commissionRate": lambda _: {
                "symbol": "BTCUSDT",
                "makerCommissionRate": "0.0002",
                "takerCommissionRate": "0.0005",
            },
            "GET ticker/bookTicker": lambda _: {
                "symbol": "BTCUSDT",
                "lastUpdateId": 1,
                "bidPrice": "60000.10",
                "askPrice": "60000.20",
            },
            "POST listenKey": lambda _: {"listenKey": "LK"},
            "PUT listenKey": lambda _: {"listenKey": "LK"},
            "POST order": lambda params: {"orderId": 11, "clientOrderId": params["newClientOrderId"]},
            "POST algoOrder": lambda params: {"algoId": 12, "clientAlgoId": params["clientAlgoId"]},
        }

    def times(self, name: str) -> int:
        return sum(1 for each in self.seen if each.name == name)

    def last(self, name: str) -> Seen:
        return next(each for each in reversed(self.seen) if each.name == name)

    async def say(self, route: str, frame: dict[str, Any] | str) -> None:
        """Speak on the newest socket of public, market or private."""
        text = frame if isinstance(frame, str) else json.dumps(frame, separators=(",", ":"))
        await self.sockets[route][-1].send_str(text)

    def say_at_once(self, route: str, written: bytes) -> None:
        """Put bytes on the line as they are: several frames for one read."""
        request = self.sockets[route][-1]._req
        assert request is not None
        assert request.transport is not None
        request.transport.write(written)

    async def say_on_all(self, route: str, frame: dict[str, Any]) -> None:
        """Speak on every socket that is open there, the newest first."""
        text = json.dumps(frame, separators=(",", ":"))
        for socket in reversed(self.open_at(route)):
            await socket.send_str(text)

    def open_at(self, route: str) -> list[web.WebSocketResponse]:
        return [socket for socket in self.sockets.get(route, []) if not socket.closed]

    def abort(self, route: str) -> None:
        """Cut the line without a goodbye."""
        request = self.sockets[route][-1]._req
        assert request is not None
        assert request.transport is not None
        request.transport.abort()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._converse(request)
        body = (await request.read()).decode()
        name = f"{request.method} {request.path.split('/', 3)[3]}"
        params = dict(parse_qsl(request.query_string)) | dict(parse_qsl(body))
        peer = request.transport.get_extra_info("peername") if request.transport else None
        headers, query = dict(request.headers), request.rel_url.raw_query_string
        self.seen.append(Seen(name=name, params=params, headers=headers, peer=peer, query=query, body=body))
        waiting = self.next.get(name, [])
        canned = waiting.pop(0) if waiting else Canned(body=self.usual[name](params))
        return await self._send(request, canned)

    async def _send(self, request: web.Request, canned: Canned) -> web.StreamResponse:
        assert request.transport is not None
        match canned.fault:
            case "reset":
                request.transport.abort()
            case "truncated":
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n"
                request.transport.write(head + b'{"order')
                request.transport.close()
            case "silence":
                await asyncio.sleep(30)
        text = canned.body if isinstance(canned.body, str) else json.dumps(canned.body)
        return web.Response(
            text=text, status=canned.status, headers=canned.headers, content_type="application/json"
        )

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        if self.closed:
            return web.Response(status=403)
        await self.opens.wait()
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        route = request.path.split("/")[1]
        self.sockets.setdefault(route, []).append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                order = json.loads(message.data)
                self.heard.append((route, order))
                if self.acknowledges:
                    await socket.send_str(json.dumps({"result": None, "id": order["id"]}))
        return socket


class QuickClock:
    """Runs ``speed`` times as fast as the machine's, so that patience can be tested without having any."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._real = SystemClock()
        self._start = self._real.monotonic()
        self._offset = self._real.now() - self._start

    def now(self) -> int:
        return self.monotonic() + self._offset

    def monotonic(self) -> int:
        return self._start + int((self._real.monotonic() - self._start) * self._speed)

    async def sleep(self, seconds: float) -> None:
        await self._real.sleep(seconds / self._speed)

    def set_forward(self, seconds: int) -> None:
        """Somebody sets the machine's clock; no time passes."""
        self._offset += seconds * SECOND


@dataclass(slots=True)
class Scene:
    venue: WireVenue
    exchange: BinanceExchange
    events: list[Event]
    passed: list[Event]  # Those of the events that were passed on.
    clock: QuickClock

    def of(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[Found]) -> Found:
        return self.of(kind)[-1]


def settings(url: str, **changes: Any) -> ExchangeSettings:
    usual: dict[str, Any] = {
        "venue": Venue.PAPER,
        "api_key": Secret("key"),
        "api_secret": Secret("secret"),
        "symbols": ("BTCUSDT",),
        "leverage": 25,
        "rest_url": url,
        "ws_url": url.replace("http", "ws", 1),
    }
    return ExchangeSettings(**(usual | changes))


@asynccontextmanager
async def scene(*, speed: float = 1.0, connect: bool = True, **changes: Any) -> AsyncIterator[Scene]:
    """A wire venue and our adapter on it, connected."""
    clock = QuickClock(speed)
    venue = WireVenue(clock)
    server = web.Application()
    server.router.add_route("*", "/{tail:.*}", venue.answer)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    events: list[Event] = []
    passed: list[Event] = []

    def pass_on(event: Event) -> None:
        events.append(event)
        passed.append(event)

    exchange = BinanceExchange(
        settings(venue.url, **changes), clock=clock, emit=events.append, pass_on=pass_on
    )
    try:
        if connect:
            await exchange.connect_fast()
        yield Scene(venue, exchange, events, passed, clock)
    finally:
        await exchange.close()
        await runner.cleanup()


@asynccontextmanager
async def streaming(
    *, speed: float = 1.0, first: SubmitOrder | None = None, **changes: Any
) -> AsyncIterator[Scene]:
    """The same with its streams up; ``first`` is sent before anybody listens."""
    async with scene(speed=speed, **changes) as made:
        if first is not None:
            await made.exchange.execute(first)
        task = asyncio.create_task(made.exchange.stream())
        try:
            await until(lambda: len(made.venue.sockets) == 3)
            yield made
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(holds: Callable[[], object], *, within_s: float = 5.0) -> None:
    """Wait for it; fail when it does not come."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


MARKET_BUY = OrderIntent(
    symbol="BTCUSDT", side=Side.BUY, type=OrderType.MARKET, role=Role.ENTRY, qty=Qty(Decimal("0.010"))
)
STOP_SELL = OrderIntent(
    symbol="BTCUSDT",
    side=Side.SELL,
    type=OrderType.STOP_MARKET,
    role=Role.STOP,
    qty=Qty(Decimal("0.010")),
    trigger=Price(Decimal("59000.10")),
    reduce_only=True,
)


def submit(
    client_id: str, intent: OrderIntent = MARKET_BUY, *, send_before: Nanos | None = None
) -> SubmitOrder:
    return SubmitOrder(
        key=OrderKey(namespace=intent.namespace, client_id=client_id),
        approved=Approved(intent=intent, checks=()),
        lane=Lane.EXIT if intent.reduces else Lane.ENTRY,
        send_before=send_before,
    )
