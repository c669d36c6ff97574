"""Requests over connections held ready, without what aiohttp's session does around each of them.

A session builds a URL, headers, a request, a writer, timers and a response for whoever may want them, and so
does finding a connection in its pool: on a cold cache a third of a millisecond of every exit. Here a
connection waits with its parser in place, and the head is one string. Connections, TLS, names and the
reading of answers stay aiohttp's.
"""

import asyncio
from collections import deque
from collections.abc import Mapping

import aiohttp
import yarl
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError

INFORMATIONAL = range(100, 200)
Heard = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


class Express:
    """One host. ``held`` connections at most wait for the next request; more are made when all are busy."""

    def __init__(self, connector: aiohttp.TCPConnector, origin: str, *, held: int, dial_s: float) -> None:
        self._connector = connector
        self._origin = origin
        self._held = held
        self._idle: deque[Connection] = deque()
        self._caller = aiohttp.ClientRequest("GET", yarl.URL(origin), loop=asyncio.get_running_loop())
        self._patience = aiohttp.ClientTimeout(connect=dial_s)
        self._always = f" HTTP/1.1\r\n{lines(self._caller.headers)}Content-Length: 0\r\n"

    async def ask(self, method: str, address: str, headers: Mapping[str, str], timeout_s: float) -> Heard:
        """Sent once at most, without a body; raises what a session of aiohttp raises."""
        head = f"{method} {address[len(self._origin) :]}{self._always}{lines(headers)}\r\n".encode()
        until = asyncio.get_running_loop().time() + timeout_s
        connection = self._ready() or await self._dialled()
        try:
            written(connection, head)
            async with asyncio.timeout_at(until):
                heard = await answered(connection)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return heard

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        await self._connector.close()

    def _ready(self) -> Connection | None:
        """The one used last: the least likely to have been given up at the other end."""
        while self._idle:
            connection = self._idle.pop()
            if usable(connection):
                return connection
            connection.close()
        return None

    async def _dialled(self) -> Connection:
        try:
            connection = await self._connector.connect(self._caller, traces=[], timeout=self._patience)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"no connection to {self._origin}") from error
        if connection.transport is not None:
            connection.transport.set_write_buffer_limits(high=0)  # Written when told, not at the turn's end.
        armed(connection)
        return connection

    def _keep(self, connection: Connection) -> None:
        if usable(connection) and len(self._idle) < self._held:
            armed(connection)
            self._idle.append(connection)
        else:
            connection.release()


def lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def usable(connection: Connection) -> bool:
    """Open at both ends as far as we know, and nothing on it that belongs to an older request."""
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close


def armed(connection: Connection) -> None:
    """Put the parser of the next answer in place."""
    if connection.protocol is not None:
        connection.protocol.set_response_params(read_until_eof=True)


def written(connection: Connection, head: bytes) -> None:
    transport = connection.transport
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed before anything was written")
    transport.write(head)


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
