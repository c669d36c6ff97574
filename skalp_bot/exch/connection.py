"""One WebSocket connection whose frames are pushed to us as they arrive, in the dress ccxt expects of one."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import ccxt
from aiohttp.abc import AbstractResolver
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from picows.url import WSParsedURL

OnFrame = Callable[[bytes, bool], None]
"""A text message, and whether a read ends with it. Must not raise: nobody is there to hear of it."""

# Looking them up on their class goes through its metaclass.
TEXT, CONTINUATION = WSMsgType.TEXT, WSMsgType.CONTINUATION
PONG, CLOSE = WSMsgType.PONG, WSMsgType.CLOSE

FRAME_MAX = 10 * 1024 * 1024
CLOSE_WAIT_S = 1.0  # A line that is dead at the other end does not say goodbye.
ABNORMAL = 1006


class Connection(WSListener):
    """``hear`` gets each text message, ``pong`` is called at each pong, ``ended`` once with the code."""

    def __init__(self, *, hear: OnFrame, pong: Callable[[], None], ended: Callable[[int], None]) -> None:
        self._hear = hear
        self._pong = pong
        self._ended = ended
        self._transport: WSTransport | None = None
        self._parts: list[bytes] = []
        self._code = ABNORMAL

    # -- what the wire calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is TEXT and frame.fin:
            self._hear(frame.get_payload_as_bytes(), frame.last_in_buffer)
        elif kind is PONG:
            self._pong()
        elif kind is CLOSE:
            self._code = int(getattr(frame.get_close_code(), "value", ABNORMAL))
            self._leave()
        elif kind is TEXT or kind is CONTINUATION:
            self._collect(frame)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self._ended(self._code)

    def _collect(self, frame: WSFrame) -> None:
        """Parts of a long message; bounded as one frame is."""
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > FRAME_MAX:
            self._leave()
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._hear(whole, frame.last_in_buffer)

    def _leave(self) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close()
            self._transport.disconnect()

    # -- what ccxt calls

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_disconnected

    async def send_str(self, text: str) -> None:
        if self._transport is not None:
            self._transport.send(TEXT, text.encode())

    async def ping(self) -> None:
        if self._transport is not None:
            self._transport.send_ping()

    async def close(self) -> None:
        """Say goodbye, and cut the line when the goodbye cannot be brought out."""
        if self._transport is None:
            return
        self._leave()
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._transport.wait_disconnected()
        except TimeoutError:
            self._transport.disconnect(graceful=False)


async def dial(
    url: str,
    connection: Connection,
    *,
    ssl_context: ssl.SSLContext | None,
    resolver: AbstractResolver | None,
) -> Connection:
    """Connect and shake hands; NetworkError when that fails. The caller sets the time it may take."""

    async def found(at: WSParsedURL) -> socket.socket | None:
        return None if resolver is None else await reached(resolver, at.host, at.port)

    try:
        await ws_connect(
            lambda: connection,
            url.partition("#")[0],  # A fragment is ours: it tells two connections to one address apart.
            ssl_context=ssl_context,
            socket_factory=found,
            max_frame_size=FRAME_MAX,
            max_redirects=0,
            use_aiofastnet=False,
        )
    except (WSError, OSError) as error:
        raise ccxt.NetworkError(f"{type(error).__name__}: {error}") from error
    if connection.closed:  # picows is silent about a line that was cut before its handshake was answered.
        raise ccxt.NetworkError("the line was cut during its handshake")
    return connection


async def reached(resolver: AbstractResolver, host: str, port: int) -> socket.socket:
    """A socket connected to the first address of the host that answers."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for row in await resolver.resolve(host, port):
        made = socket.socket(row["family"], socket.SOCK_STREAM)
        made.setblocking(False)  # noqa: FBT003  # The standard library's own signature.
        try:
            await loop.sock_connect(made, (row["host"], row["port"]))
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure
