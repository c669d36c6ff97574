"""The switchboard's own port on the loopback, and what the wire does when one of its rules fires."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from skalp_bot.clock import SystemClock
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.exchange import Exchange
from skalp_bot.paper.faults import Do, FaultError, On, Rule, Switchboard
from skalp_bot.paper.moved import MovedMarket
from skalp_bot.paper.params import pairs
from skalp_bot.paper.rest import JSON_HEADERS, Answer, Raw
from skalp_bot.paper.sockets import SocketOutlet
from skalp_bot.paper.streams import Session

Execute = Callable[[], Answer]
IDS = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
REQUESTS_KEPT = 10_000


class Faults:
    """Stands between the wire and the exchange; without rules it changes nothing."""

    def __init__(self, exchange: Exchange, clock: SystemClock) -> None:
        self.board = Switchboard()
        self.exchange = exchange
        self.clock = clock
        self.requests: deque[dict[str, object]] = deque(maxlen=REQUESTS_KEPT)
        exchange.hub.tap = self.tapped

    async def answer(self, request: web.BaseRequest, raw: Raw, execute: Execute) -> Answer | None:
        """The answer to give; None when the connection was reset instead."""
        facts = dict([*pairs(raw.query), *pairs(raw.body)])
        rule = self.board.fault(On.REQUEST, raw.path, facts, raw.method) if self.board.rules else None
        seen = self.noted(raw, facts, rule)

        def carried_out() -> Answer:
            answer = execute()
            seen["status"] = answer.status
            return answer

        if rule is None:
            return carried_out()
        answer = carried_out() if rule.accepted else None
        match rule.do:
            case Do.ANSWER:
                body = rule.message.encode()
                if rule.code:
                    body = orjson.dumps({"code": rule.code, "msg": rule.message})
                wait = (("Retry-After", str(rule.retry_s)),) if rule.retry_s else ()
                return Answer(status=rule.status, body=body, headers=(*JSON_HEADERS, *wait))
            case Do.DELAY:
                await self.clock.sleep(rule.ms / 1000)
                return answer or carried_out()
            case _:
                await self.clock.sleep(rule.ms / 1000 if rule.do is Do.HANG else 0)
                if request.transport is not None:
                    request.transport.abort()
                return None

    def noted(self, raw: Raw, facts: Mapping[str, str], rule: Rule | None) -> dict[str, object]:
        """One row per request that may change something; ``status`` is the venue's own, 0 for none."""
        seen: dict[str, object] = {
            "t_ms": self.clock.now() // 1_000_000,
            "method": raw.method,
            "path": raw.path,
            "symbol": facts.get("symbol", ""),
            "id": next((facts[name] for name in IDS if name in facts), ""),
            "fault": rule.name if rule is not None else "",
            "status": 0,
        }
        if raw.method != "GET":
            self.requests.append(seen)
        return seen

    def turned_away(self, path: str) -> bool:
        return self.board.fault(On.CONNECT, path, {}) is not None

    def tapped(self, session: Session, event: str, payload: bytes, deliver: Callable[[bytes], None]) -> None:
        """One user event on its way to one connection."""
        if not self.board.rules and not self.board.held:
            deliver(payload)
            return
        order = orjson.loads(payload).get("o", {})
        facts = {str(key): str(value) for key, value in order.items()} if isinstance(order, dict) else {}
        for ms, late in self.board.user_event(event, facts, payload):
            if ms:
                asyncio.get_running_loop().call_later(ms / 1000, deliver, late)
            else:
                deliver(late)

    def at_door(self, door: str) -> list[SocketOutlet]:
        """Connections that came in at a door; all of them without one."""
        found: dict[SocketOutlet, None] = {}
        for sessions in self.exchange.hub.listeners.values():
            for session in sessions:
                if isinstance(session.outlet, SocketOutlet) and door in ("", session.route.value):
                    found[session.outlet] = None
        return list(found)

    async def control(self, request: web.BaseRequest) -> web.StreamResponse:
        """GET /rules, /requests; POST /rules, /reset, /freeze, /market, /symbols; DELETE /rules[/NAME]."""
        try:
            body = orjson.loads(await request.read() or b"{}")
            shown = self.act(request.method, request.path.strip("/").split("/"), body)
        except (FaultError, orjson.JSONDecodeError) as error:
            return web.Response(status=400, body=orjson.dumps({"error": str(error)}))
        return web.Response(body=orjson.dumps(shown), content_type="application/json")

    def act(self, method: str, path: list[str], body: Any) -> object:
        if not isinstance(body, dict):
            raise FaultError(f"{body!r}: must be an object")
        match method, path:
            case "GET", ["rules"]:
                return self.board.counts()
            case "POST", ["rules"]:
                self.board.put(Rule.read(body))
                return self.board.counts()
            case "GET", ["requests"]:
                return list(self.requests)
            case "POST", ["market"] if isinstance(self.exchange.source, MovedMarket):
                self.exchange.source.push(body, self.clock.now() // 1_000_000)
                return {}
            case "POST", ["symbols"]:
                self.relist(body)
                return {}
            case "DELETE", ["rules", *name]:
                self.board.clear("/".join(name))
                return self.board.counts()
            case "POST", ["reset" | "freeze" as verb]:
                outlets = self.at_door(str(body.get("door", "")))
                for outlet in outlets:
                    if verb == "reset":
                        outlet.transport.abort()
                    else:
                        outlet.closed = True  # Nothing goes out and nothing is answered; the line stays open.
                return {"connections": len(outlets)}
            case _:
                asked = "/".join(path)
                raise FaultError(
                    f"{method} /{asked}: use /rules, /requests, /reset, /freeze, /market or /symbols"
                )

    def relist(self, body: Mapping[str, Any]) -> None:
        """Another status, other filters, worded as in exchangeInfo."""
        changes = {name: value for name, value in body.items() if name != "symbol"}
        try:
            self.exchange.relist(str(body.get("symbol")), changes)
        except (VenueError, KeyError, ValueError, TypeError, ArithmeticError) as error:
            raise FaultError(
                f"symbols: {error!r}: name a symbol, and change it as exchangeInfo does"
            ) from None


@asynccontextmanager
async def switchboard(faults: Faults | None) -> AsyncIterator[int]:
    """Serve the control path on a port of its own, on the loopback only; port 0 when it is switched off."""
    if faults is None:
        yield 0
        return
    runner = web.ServerRunner(web.Server(faults.control, access_log=None), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
