import asyncio
import base64
import hashlib
import struct
from collections.abc import Awaitable, Callable

import ccxt
import pytest

from skalp_bot.exch.connection import CLOSE_WAIT_S, FRAME_MAX, Connection, dial
from tests.exch_kit import awaited

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Story = Callable[[Reader, Writer], Awaitable[None]]


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + len(payload).to_bytes(2) + payload
    return head + b"\x7f" + len(payload).to_bytes(8) + payload


async def read_frame(reader: Reader) -> tuple[int, bytes]:
    opcode, size = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(size & 0x7F)
    return opcode & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))


class Far:
    """The far end: shakes hands, then tells its story over real bytes."""

    def __init__(self, story: Story) -> None:
        self.asked = b""
        self._story = story
        self.told = asyncio.Event()

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.asked = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in self.asked.split(b"\r\n")[1:] if b": " in line)
        key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
        proof = base64.b64encode(hashlib.sha1(key + GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
        )
        try:
            await self._story(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The near end may leave at any time.
        finally:
            self.told.set()
            writer.close()


class Near:
    """What our end heard, in order."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lasts: list[bool] = []
        self.pongs = 0
        self.codes: list[int] = []
        self.over = asyncio.Event()
        self.connection = Connection(hear=self._hear, pong=self._pong, ended=self._ended)

    def _hear(self, message: bytes, last: bool) -> None:
        self.heard.append(message)
        self.lasts.append(bool(last))

    def _pong(self) -> None:
        self.pongs += 1

    def _ended(self, code: int) -> None:
        self.codes.append(code)
        self.over.set()


async def play(story: Story, act: Callable[[Near], Awaitable[None]] | None = None) -> tuple[Near, Far]:
    far, near = Far(story), Near()
    server = await asyncio.start_server(far, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(10):
        url = f"ws://127.0.0.1:{port}/private/ws?listenKey=k#b"
        await dial(url, near.connection, ssl_context=None, resolver=None)
        if act is not None:
            await act(near)
        await near.over.wait()
        await far.told.wait()
    return near, far


async def answer_goodbye(reader: Reader, writer: Writer) -> None:
    opcode, payload = await read_frame(reader)
    assert opcode == CLOSE
    writer.write(frame(CLOSE, payload))


@awaited
async def test_every_message_is_heard_whole_and_in_order_also_one_sent_with_the_handshake() -> None:
    async def story(_reader: Reader, writer: Writer) -> None:
        writer.write(frame(TEXT, b"1") + frame(TEXT, b"2"))
        writer.write(
            frame(TEXT, b"3a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"3b", fin=False)
        )
        writer.write(frame(CONTINUATION, b"3c") + frame(TEXT, b"4" * 70_000))
        writer.write(frame(CLOSE, struct.pack(">H", 1001)))
        await writer.drain()

    near, far = await play(story)
    assert near.heard == [b"1", b"2", b"3a3b3c", b"4" * 70_000]
    assert near.codes == [1001]
    assert near.connection.closed
    assert far.asked.startswith(b"GET /private/ws?listenKey=k HTTP/1.1\r\n"), far.asked


@awaited
async def test_the_last_message_of_a_read_is_told_from_those_before_it() -> None:
    go_on = asyncio.Event()

    async def story(reader: Reader, writer: Writer) -> None:
        broken = frame(TEXT, b"4")
        writer.write(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3") + broken[:2])
        await go_on.wait()
        writer.write(broken[2:])
        await answer_goodbye(reader, writer)

    async def act(near: Near) -> None:
        await heard(near, 3)
        assert near.lasts == [False, False, True], "what is still to come does not hold back what is whole"
        go_on.set()
        await heard(near, 4)
        await near.connection.close()

    near, _ = await play(story, act)
    assert near.heard == [b"1", b"2", b"3", b"4"]
    assert near.lasts == [False, False, True, True]


async def heard(near: Near, count: int) -> None:
    while len(near.heard) < count:
        await asyncio.sleep(0.01)


@awaited
async def test_a_ping_is_answered_and_a_pong_is_counted() -> None:
    got: list[tuple[int, bytes]] = []

    async def story(reader: Reader, writer: Writer) -> None:
        writer.write(frame(PING, b"are you there"))
        got.extend([await read_frame(reader), await read_frame(reader)])
        writer.write(frame(PONG, b""))
        await answer_goodbye(reader, writer)

    async def act(near: Near) -> None:
        await near.connection.ping()
        while not near.pongs:
            await asyncio.sleep(0.01)
        await near.connection.close()

    near, _ = await play(story, act)
    assert sorted(got) == [(PING, b""), (PONG, b"are you there")]
    assert near.pongs == 1


@awaited
async def test_what_is_said_arrives_masked_and_whole() -> None:
    got: list[tuple[int, bytes]] = []

    async def story(reader: Reader, writer: Writer) -> None:
        got.append(await read_frame(reader))
        await answer_goodbye(reader, writer)

    async def act(near: Near) -> None:
        await near.connection.send_str('{"id":1}')
        await near.connection.close()

    await play(story, act)
    assert got == [(TEXT, b'{"id":1}')]


@awaited
async def test_a_line_that_is_cut_ends_abnormally() -> None:
    async def story(_reader: Reader, writer: Writer) -> None:
        writer.transport.abort()

    near, _ = await play(story)
    assert near.codes == [1006]


@awaited
async def test_a_message_without_end_is_not_collected_for_ever() -> None:
    async def story(_reader: Reader, writer: Writer) -> None:
        part = b"x" * (1 << 20)
        writer.write(frame(TEXT, part, fin=False))
        for _ in range(FRAME_MAX // len(part) + 1):
            writer.write(frame(CONTINUATION, part, fin=False))
            await writer.drain()

    near, _ = await play(story)
    assert near.heard == []
    assert len(near.codes) == 1


@awaited
async def test_closing_does_not_wait_for_somebody_who_says_nothing() -> None:
    gone = asyncio.Event()

    async def story(_reader: Reader, _writer: Writer) -> None:
        await gone.wait()

    async def act(near: Near) -> None:
        async with asyncio.timeout(CLOSE_WAIT_S + 1):
            await near.connection.close()
            await near.connection.close()  # A second goodbye changes nothing.
        gone.set()

    near, _ = await play(story, act)
    assert near.connection.closed
    assert len(near.codes) == 1


@awaited
async def test_nothing_is_heard_of_a_line_that_was_given_up() -> None:
    async def story(reader: Reader, writer: Writer) -> None:
        writer.write(frame(TEXT, b"before"))
        await read_frame(reader)
        writer.write(frame(TEXT, b"after") + frame(CLOSE, struct.pack(">H", 1000)))
        await writer.drain()

    async def act(near: Near) -> None:
        while not near.heard:
            await asyncio.sleep(0.01)
        await near.connection.close()

    near, _ = await play(story, act)
    assert near.heard == [b"before"]


@awaited
async def test_a_door_that_stays_shut_is_a_network_error_with_its_reason() -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ccxt.NetworkError, match="503"):
            await dial(f"ws://127.0.0.1:{port}/ws", Near().connection, ssl_context=None, resolver=None)
    with pytest.raises(ccxt.NetworkError):
        await dial(f"ws://127.0.0.1:{port}/ws", Near().connection, ssl_context=None, resolver=None)


@awaited
@pytest.mark.parametrize("cut", ["reset", "close"])
async def test_a_line_cut_before_its_handshake_was_answered_is_no_connection(cut: str) -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if cut == "reset":
            writer.transport.abort()
        else:
            writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ccxt.NetworkError, match="handshake"):
            await dial(f"ws://127.0.0.1:{port}/ws", Near().connection, ssl_context=None, resolver=None)
