"""The operator's door: HTTP on a Unix socket only the owner of the state directory may open."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from aurora.model.control import Verb
from skalp_bot.ports import Clock, JournalError
from skalp_bot.runner.desk import Answer, Desk
from skalp_bot.runner.explain import why
from skalp_bot.runner.views import Views

SOCKET = "control.sock"
BODY_MAX = 64 * 1024
TEXT_MAX = 500
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
VERBS = {
    "pause": Verb.PAUSE,
    "cancel": Verb.CANCEL,
    "halt": Verb.HALT,
    "flatten": Verb.FLATTEN,
    "resume": Verb.RESUME,
    "reconcile": Verb.RECONCILE,
}


class ControlServer:
    """GET shows, POST acts; a POST answers when its effect is proven, or says that it is not."""

    def __init__(self, *, views: Views, desk: Desk, clock: Clock, journal_path: Path) -> None:
        self.path = journal_path.parent / SOCKET
        self._views = views
        self._desk = desk
        self._clock = clock
        self._journal_path = journal_path
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_get("/{page:status|positions|orders|gates|ledger|why-not}", self._page)
        app.router.add_get("/why-not/{symbol}", self._why_not)
        app.router.add_get("/why/{id}", self._why)
        app.router.add_post("/{verb}", self._verb)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        self.path.unlink(missing_ok=True)  # Left by a process that was killed; the lock says it is gone.
        mask = os.umask(0o177)  # From its first instant nobody else may open it.
        try:
            await web.UnixSite(self._runner, str(self.path)).start()
        finally:
            os.umask(mask)

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self.path.unlink(missing_ok=True)

    async def _page(self, request: web.Request) -> web.Response:
        match request.match_info["page"]:
            case "status":
                return answered(self._views.status(self._clock.now()))
            case "positions":
                return answered(self._views.positions())
            case "orders":
                return answered(self._views.orders())
            case "gates":
                return answered(self._views.gates())
            case "ledger":
                return answered(self._views.ledger())
            case _:
                return answered(self._views.why_not())

    async def _why_not(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"].upper()
        known = self._views.names()
        if symbol not in known:
            return answered({"error": f"symbol {symbol} is not traded here; traded: {', '.join(known)}"}, 404)
        return answered(self._views.why_not(symbol))

    async def _why(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(None, why, self._journal_path, name)
        except JournalError as error:
            return answered({"error": str(error)}, 503)
        if not found["found"]:
            return answered({"error": f"id {name!r} is not in the journal; `orders` lists open ids"}, 404)
        return answered(found)

    async def _verb(self, request: web.Request) -> web.Response:
        word = request.match_info["verb"]
        verb = VERBS.get(word)
        if verb is None:
            return answered({"error": f"verb {word!r} is not known; known: {', '.join(VERBS)}"}, 404)
        try:
            body = orjson.loads(await request.read() or b"{}")
        except orjson.JSONDecodeError as error:
            return answered({"error": f"the body is not JSON: {error}"}, 400)
        if not isinstance(body, dict):
            return answered({"error": 'the body must be an object: {"by", "reason", "halt_id"}'}, 400)
        texts = {name: str(body.get(name, ""))[:TEXT_MAX] for name in ("by", "reason", "halt_id")}
        if verb is Verb.RESUME and not (texts["reason"] and texts["halt_id"]):
            return answered({"error": "resume needs halt_id and reason"}, 400)
        answer: Answer = await self._desk.act(
            verb,
            by=texts["by"] or "operator",
            reason=texts["reason"] or f"asked: {word}",
            halt_id=texts["halt_id"],
        )
        return answered(answer.body, answer.status)


def answered(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body) + b"\n", status=status, content_type="application/json")
