"""The paper exchange on one TCP port: REST, streams and the WebSocket API, until told to stop."""

import asyncio
import contextlib
import gc
import logging
import os
import random
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import orjson
from aiohttp import web

from skalp_bot.clock import SystemClock
from skalp_bot.paper.assembly import Identity, assemble
from skalp_bot.paper.exchange import Exchange
from skalp_bot.paper.faultport import Faults, switchboard
from skalp_bot.paper.params import pairs
from skalp_bot.paper.rest import Raw
from skalp_bot.paper.settings import ExchangeOptions, OptionError, read_switches
from skalp_bot.paper.sockets import Reply, SocketOutlet, Sockets
from skalp_bot.paper.store import Store
from skalp_bot.paper.streams import STREAMS_MAX, Session, control, door
from skalp_bot.paper.wsapi import WS_API_PATH, WsApi

log = logging.getLogger("skalp_bot.paper")
IDLE_S, HOUSEKEEPING_S, CLOSING_S = 0.02, 1.0, 1.0
LINE_BYTES_MAX = 1 << 16  # a URL may name 1,024 streams


@dataclass(slots=True)
class Front:
    """Hands every request to the exchange and every connection to its session."""

    exchange: Exchange
    sockets: Sockets
    clock: SystemClock
    faults: Faults | None = None

    def now_ms(self) -> int:
        return max(self.exchange.now_ms, self.clock.now() // 1_000_000)

    async def played(self) -> int:
        """Let the market come up to now; between two chunks of it everybody else has a turn."""
        now_ms = self.now_ms()
        while self.exchange.step(now_ms):
            await self.clock.sleep(0)
        return now_ms

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        target = origin_form(request.message.path)
        path, _, query = target.partition("?")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.upgrade(request, path, query)
        body = await request.read()
        raw = Raw(
            method=request.method,
            path=path,
            query=query,
            body=body.decode("utf-8", "surrogateescape"),
            headers={name.lower(): value for name, value in request.headers.items()},
            ip=request.remote or "",
        )
        now_ms = await self.played()
        if self.faults is not None:
            found = await self.faults.answer(request, raw, lambda: self.exchange.answer(raw, self.now_ms()))
            if found is None:
                return web.Response(status=499)
            answer = found
        else:
            answer = self.exchange.answer(raw, now_ms)
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    async def upgrade(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        ip = request.remote or ""
        if self.faults is not None and self.faults.turned_away(path) and request.transport is not None:
            request.transport.abort()
            return web.Response(status=499)
        if not self.exchange.desk.limits.may_connect(ip, self.now_ms()):
            return web.Response(status=429, text="Too many connection attempts")
        if path.rstrip("/") == WS_API_PATH:
            api = WsApi.open(self.exchange, ip, dict(pairs(query)), self.now_ms())

            async def served(text: str) -> bytes:
                return api.answer(text, await self.played())

            return await self.sockets.converse(
                request,
                lambda _outlet: served,
                lambda _outlet: None,
                self.sockets.settings.requests_1s,
            )
        entry = door(path, pairs(query))
        if entry is None:
            return web.Response(status=404, text="Not Found")
        if len(entry.streams) + len(entry.keys) > STREAMS_MAX:
            return web.Response(status=400, text=f"More than {STREAMS_MAX} streams on one connection")
        sessions: dict[SocketOutlet, Session] = {}

        def join(outlet: SocketOutlet) -> Reply:
            session = sessions[outlet] = Session(outlet=outlet, route=entry.route, combined=entry.combined)
            self.exchange.step(self.now_ms())
            for stream in entry.streams:
                self.exchange.hub.subscribe(session, stream)
            for key, events in entry.keys:
                self.exchange.hub.subscribe(session, key, events)

            async def obeyed(text: str) -> bytes:
                return control(self.exchange.hub, session, text)

            return obeyed

        return await self.sockets.converse(
            request,
            join,
            lambda outlet: self.exchange.hub.leave(sessions.pop(outlet)),
            self.sockets.settings.messages_1s,
        )

    async def pump(self) -> None:
        """Play the market in venue time for ever; wait, up to a limit, for readers who are behind."""
        while True:
            if self.exchange.step(self.now_ms()):
                await self.clock.sleep(0)
            else:
                due = self.exchange.next_ms()
                wait = IDLE_S if due is None else (due - self.now_ms()) / 1000
                await self.clock.sleep(min(max(wait, 0.001), IDLE_S))
            await self.patience()

    async def patience(self) -> None:
        waited_ms = 0
        while self.sockets.crowded():
            if waited_ms >= self.sockets.settings.wait_ms_max:
                self.sockets.give_up_waiting()
                return
            waited_ms += 5
            await self.clock.sleep(0.005)

    async def keep_house(self) -> None:
        while True:
            await self.clock.sleep(HOUSEKEEPING_S)
            self.sockets.keep()
            if self.exchange.dirty:
                self.exchange.save(through=True)


def origin_form(target: str) -> str:
    """Cut scheme and host off a request target that carries them, as every server must accept."""
    _, mark, rest = target.partition("://")
    return target if target.startswith("/") or not mark else "/" + rest.partition("/")[2]


async def serve(options: ExchangeOptions, *, stop: asyncio.Event | None = None) -> None:
    """Run one exchange until SIGTERM, SIGINT, the parent's end or `stop`. Raises OptionError, MarketError."""
    clock, done, tls = SystemClock(), stop or asyncio.Event(), tls_context(options)
    store = Store(options.state_dir) if options.state_dir is not None else None
    try:
        exchange, identity = assemble(
            options,
            now_ms=clock.now() // 1_000_000,
            rng=random.SystemRandom(),
            saved=store.load() if store is not None else None,
            keeper=store,
        )
        async with (
            listening(options, tls, exchange, clock) as (front, port),
            contextlib.AsyncExitStack() as stack,
        ):
            exchange.desk.board.draw()
            gc.freeze()  # what stands by now lives as long as the process
            control_port = 0
            if front.faults is not None:
                control_port = await stack.enter_async_context(switchboard(front.faults))
            write_ready(options, identity, port, listed=exchange.source.symbols, control_port=control_port)
            with until(options, done):
                async with asyncio.TaskGroup() as group:
                    workers = [group.create_task(front.pump()), group.create_task(front.keep_house())]
                    await done.wait()
                    for worker in workers:
                        worker.cancel()
            front.sockets.close_all()
        exchange.save(through=True)
    finally:
        if store is not None:
            store.close()


@contextlib.asynccontextmanager
async def listening(
    options: ExchangeOptions, tls: ssl.SSLContext | None, exchange: Exchange, clock: SystemClock
) -> AsyncIterator[tuple[Front, int]]:
    switches = read_switches(options.switches, limits=options.limits)
    front = Front(
        exchange=exchange,
        faults=Faults(exchange, clock) if switches.front.faults else None,
        sockets=Sockets(settings=switches.sockets, now_ms=lambda: clock.now() // 1_000_000),
        clock=clock,
    )
    server = web.Server(front.handle, access_log=None, keepalive_timeout=75.0, max_line_size=LINE_BYTES_MAX)
    runner = web.ServerRunner(server, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, ssl_context=tls, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise OptionError(
                f"--port {options.port} on {options.host}: {error.strerror or error}; use another, or 0"
            ) from error
        yield front, runner.addresses[0][1]
    finally:
        await runner.shutdown()
        await runner.cleanup()


def tls_context(options: ExchangeOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise OptionError("--tls-cert and --tls-key belong together; give both or neither")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"--tls-cert {options.tls_cert}: {error}; give PEM files") from error
    return context


def write_ready(
    options: ExchangeOptions, identity: Identity, port: int, *, listed: tuple[str, ...], control_port: int = 0
) -> None:
    """Write the file that says: it answers, here, with these keys. Readable by the owner only."""
    host = options.advertise or options.host
    secure = "s" if options.tls_cert is not None else ""
    ready = {
        "rest": f"http{secure}://{host}:{port}",
        "ws": f"ws{secure}://{host}:{port}",
        "ws_api": f"ws{secure}://{host}:{port}/ws-fapi/v1",
        "api_key": identity.api_key,
        "api_secret": identity.api_secret,
        "instance": identity.instance,
        "symbols": listed,
        "pid": os.getpid(),
    }
    if control_port:
        ready["control"] = f"http://127.0.0.1:{control_port}"
    log.info("paper exchange %s answers at %s", identity.instance, ready["rest"])
    if options.ready_file is None:
        return
    draft = options.ready_file.with_name(options.ready_file.name + ".new")
    options.ready_file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(orjson.dumps(ready, option=orjson.OPT_INDENT_2) + b"\n")
    os.replace(draft, options.ready_file)


@contextlib.contextmanager
def until(options: ExchangeOptions, done: asyncio.Event) -> Iterator[None]:
    """Set `done` on SIGTERM and SIGINT, and when the parent's pipe on stdin closes."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, done.set)
    stdin = sys.stdin.fileno() if options.exit_with_parent else -1

    def heard() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            done.set()

    if stdin >= 0:
        try:
            loop.add_reader(stdin, heard)
        except OSError as error:
            raise OptionError("--exit-with-parent: stdin must be a pipe held open by the parent") from error
    try:
        yield
    finally:
        if stdin >= 0:
            loop.remove_reader(stdin)
        for number in signals:
            loop.remove_signal_handler(number)
