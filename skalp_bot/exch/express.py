"""Requests over connections held ready, without what aiohttp's session does around each of them.

A session builds a URL, headers, a request, a writer, timers and a response for whoever may want them, and so
does finding a connection in its pool: on a cold cache a third of a millisecond of every exit. Here a
connection waits, and the head is one string. Connections, TLS, names and the reading of answers stay
aiohttp's (ADR 0007).
"""

import asyncio
import select
from collections import deque
from collections.abc import Mapping

import aiohttp
import yarl
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError

INFORMATIONAL = range(100, 200)
AGAIN = frozenset({"GET", "PUT", "DELETE"})  # Twice does what once does.
IDLE_S = 60.0  # Not used for longer, a connection may be dead without a sign of it.
Heard = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


class Express:
    """One host. ``held`` connections at most wait for the next request; more are made when all are busy."""

    def __init__(
        self,
        connector: aiohttp.TCPConnector,
        origin: str,
        *,
        held: int,
        dial_s: float,
        idle_s: float = IDLE_S,
    ) -> None:
        self._connector = connector
        self._origin = origin
        self._held = held
        self._dial_s = dial_s
        self._idle_s = idle_s
        self._now = asyncio.get_running_loop().time
        self._idle: deque[tuple[Connection, float]] = deque()
        self._caller = aiohttp.ClientRequest("GET", yarl.URL(origin), loop=asyncio.get_running_loop())
        self._always = f" HTTP/1.1\r\n{lines(self._caller.headers)}Content-Length: 0\r\n"

    async def ask(self, method: str, address: str, headers: Mapping[str, str], timeout_s: float) -> Heard:
        """Without a body; raises what a session of aiohttp raises.

        Sent once at most, but for what may be said twice: that is sent again when a connection that had
        waited turns out to be cut.
        """
        head = self.head(method, address, headers)
        until = self._now() + timeout_s
        connection = self.write(head)
        cut = None
        if connection is not None:
            try:
                return await self._read(connection, until)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if method not in AGAIN:
                    raise
                cut = error
        connection = await self._dialled(until, instead_of=cut)
        self._write(connection, head)
        return await self._read(connection, until)

    def head(self, method: str, address: str, headers: Mapping[str, str]) -> bytes:
        """A whole request: it has no body."""
        return f"{method} {address[len(self._origin) :]}{self._always}{lines(headers)}\r\n".encode()

    def write(self, head: bytes) -> Connection | None:
        """At once, over a connection that waits; None where there is none, and then nothing was written."""
        connection = self._ready()
        if connection is not None:
            self._write(connection, head)
        return connection

    async def read(self, connection: Connection, timeout_s: float) -> Heard:
        """The answer to what was written; raises as ``ask`` does, of a request that was sent."""
        return await self._read(connection, self._now() + timeout_s)

    def _write(self, connection: Connection, head: bytes) -> None:
        try:
            written(connection, head)
        except BaseException:
            connection.close()
            raise

    async def _read(self, connection: Connection, until: float) -> Heard:
        try:
            async with asyncio.timeout_at(until):
                heard = await answered(connection)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return heard

    async def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()
        await self._connector.close()

    def _ready(self) -> Connection | None:
        """The one used last: the least likely to have been given up at the other end."""
        while self._idle:
            connection, since = self._idle.pop()
            if usable(connection) and not unread(connection) and self._now() - since <= self._idle_s:
                return connection
            connection.close()
        return None

    async def _dialled(self, until: float, *, instead_of: Exception | None = None) -> Connection:
        """A failure is one of connecting only where nothing was sent before; else it is what cut that off."""
        patience = aiohttp.ClientTimeout(connect=max(min(self._dial_s, until - self._now()), 0.001))
        try:
            connection = await self._connector.connect(self._caller, traces=[], timeout=patience)
        except (aiohttp.ClientError, TimeoutError) as error:
            if instead_of is not None:
                raise instead_of from error
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise aiohttp.ConnectionTimeoutError(f"no connection to {self._origin}") from error
            raise
        if connection.transport is not None:
            connection.transport.set_write_buffer_limits(high=0)  # Written when told, not at the turn's end.
        return connection

    def _keep(self, connection: Connection) -> None:
        """Never in aiohttp's pool: it does not look whether something unread is on a connection."""
        if usable(connection) and len(self._idle) < self._held:
            self._idle.append((connection, self._now()))
        else:
            connection.close()


def lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def usable(connection: Connection) -> bool:
    """Open at both ends as far as we know, and nothing on it that belongs to an older request."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        return False
    return protocol.is_connected() and not protocol.should_close


def unread(connection: Connection) -> bool:
    """Whether the kernel holds what the loop has not read yet: a goodbye, most likely."""
    transport = connection.transport
    if transport is None:
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)
    return bool(poll.poll(0))


def written(connection: Connection, head: bytes) -> None:
    """With a parser made now: what came while nobody had asked must not pass for the beginning of this."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed before anything was written")
    transport.write(head)
    protocol.set_response_params(read_until_eof=True)


async def answered(connection: Connection) -> Heard:
    protocol = connection.protocol
    if protocol is None:
        raise aiohttp.ServerDisconnectedError
    try:
        message, payload = await protocol.read()
        while message.code in INFORMATIONAL:
            message, payload = await protocol.read()
    except HttpProcessingError as error:
        raise aiohttp.ClientPayloadError(f"not HTTP: {error.message}") from error
    return message.code, message.headers, await payload.read()
