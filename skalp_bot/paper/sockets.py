"""WebSocket connections over aiohttp: frames out, control messages in, pings, age, slow readers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from skalp_bot.paper.limits import Window
from skalp_bot.paper.settings import SocketSettings
from skalp_bot.paper.streams import CLOSE, PING, PONG, frame

FAREWELL_S = 1.0
Reply = Callable[[str], Awaitable[bytes]]
log = logging.getLogger("skalp_bot.paper")


@dataclass(eq=False, slots=True)
class SocketOutlet:
    """Writes ready frames to one connection; the transport's buffer is the queue."""

    transport: asyncio.WriteTransport
    peer: str
    opened_ms: int
    pinged_ms: int
    ponged_ms: int
    messages_1s: int = 10
    lagging: bool = False
    closed: bool = False
    received: Window = field(default_factory=lambda: Window(1000))

    @property
    def gone(self) -> bool:
        """Closed by us, or by a client that was killed and whose handler has not run yet."""
        return self.closed or self.transport.is_closing()

    def send(self, data: bytes) -> None:
        if not self.gone:
            self.transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and hear the client out for a moment: closing on unread bytes destroys the goodbye."""
        if not self.gone:
            self.transport.write(frame(code.to_bytes(2, "big") + reason.encode(), CLOSE))
            self.closed = True
            asyncio.get_running_loop().call_later(FAREWELL_S, self.transport.abort)

    def backlog(self) -> int:
        return 0 if self.gone else self.transport.get_write_buffer_size()


@dataclass(slots=True)
class Sockets:
    """Every open connection, and the rules they share."""

    settings: SocketSettings
    now_ms: Callable[[], int]
    outlets: dict[SocketOutlet, None] = field(default_factory=dict)
    slow_closed: int = 0

    async def converse(
        self,
        request: web.BaseRequest,
        join: Callable[[SocketOutlet], Reply],
        leave: Callable[[SocketOutlet], None],
        messages_1s: int,
    ) -> web.WebSocketResponse:
        """Hold one connection: `join` gives what answers each message; so many a second are allowed."""
        socket = web.WebSocketResponse(
            compress=False, autoping=False, autoclose=True, max_msg_size=self.settings.message_bytes_max
        )
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        now = self.now_ms()
        outlet = SocketOutlet(
            transport=transport,
            peer=request.remote or "",
            opened_ms=now,
            pinged_ms=now,
            ponged_ms=now,
            messages_1s=messages_1s,
        )
        self.outlets[outlet] = None
        try:
            reply = join(outlet)
            async for message in socket:
                if not await self.heard(outlet, message.type, message.data, reply):
                    break
        finally:
            del self.outlets[outlet]
            leave(outlet)
            outlet.closed = True
        return socket

    async def heard(self, outlet: SocketOutlet, kind: WSMsgType, data: object, reply: Reply) -> bool:
        """Treat one incoming message; False ends the connection."""
        if outlet.closed:
            return True
        now = self.now_ms()
        if outlet.received.add(1, now) > outlet.messages_1s and self.settings.enforced:
            outlet.close(1008, "Too many requests")
            return True
        match kind:
            case WSMsgType.PING:
                outlet.send(frame(bytes(data) if isinstance(data, bytes | bytearray) else b"", PONG))
            case WSMsgType.PONG:
                outlet.ponged_ms = now
            case WSMsgType.TEXT:
                outlet.send(frame(await reply(str(data))))
            case WSMsgType.BINARY:
                text = data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
                outlet.send(frame(await reply(text)))
            case _:
                return False
        return True

    def keep(self) -> None:
        """Ping those whose time has come; end the silent, the old and the hopelessly slow."""
        now, rules = self.now_ms(), self.settings
        for outlet in list(self.outlets):
            if now - outlet.opened_ms >= rules.lifetime_ms:
                outlet.close(1001, "24h connection lifetime reached")
            elif now - outlet.ponged_ms >= rules.ping_ms + rules.pong_ms:
                outlet.close(1008, "Pong timeout")
            elif outlet.backlog() > rules.backlog_bytes_max:
                self.slow_closed += 1
                log.warning(
                    "%s is %d bytes behind (limit %d): closed; read faster or subscribe to less",
                    outlet.peer,
                    outlet.backlog(),
                    rules.backlog_bytes_max,
                )
                outlet.close(1008, "Slow consumer")
                outlet.transport.abort()
            elif now - outlet.pinged_ms >= rules.ping_ms:
                outlet.pinged_ms = now
                outlet.send(frame(str(now).encode(), PING))

    def crowded(self) -> bool:
        """Tell whether a reader who may still be waited for is behind."""
        behind = False
        for outlet in self.outlets:
            backlog = outlet.backlog()
            if outlet.lagging and backlog < self.settings.backlog_bytes_wait // 4:
                outlet.lagging = False
            if not outlet.lagging and backlog > self.settings.backlog_bytes_wait:
                behind = True
        return behind

    def give_up_waiting(self) -> None:
        """Stop waiting for readers who used up the market's patience, until they have caught up."""
        for outlet in self.outlets:
            if outlet.backlog() > self.settings.backlog_bytes_wait:
                outlet.lagging = True

    def close_all(self) -> None:
        for outlet in list(self.outlets):
            outlet.close(1001, "Server shutting down")
            outlet.transport.close()
