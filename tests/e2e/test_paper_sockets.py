"""Stream connections of the paper exchange over real sockets: pings, age, floods, slow readers."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.e2e.paper_process import Venue, running

FAST = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
steps:
  - steady: {seconds: 3600, rate: 1000, trades_every: 2}
"""


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


async def closing(connection: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read until the server ends the connection."""
    while True:
        message = await connection.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
            return connection.close_code


def test_the_server_pings_and_ends_connections_that_never_answer_or_grow_old(tmp_path: Path) -> None:
    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            url = venue.ready["ws"] + "/ws"
            async with session.ws_connect(url, autoping=False) as mute:
                first = await mute.receive()
                assert first.type is aiohttp.WSMsgType.PING
                assert await closing(mute) == 1008
            async with session.ws_connect(url) as polite:
                begun = time.monotonic()
                assert await closing(polite) == 1001
                assert time.monotonic() - begun > 2

    switches = ("--set", "ping_ms=300", "--set", "pong_ms=900", "--set", "lifetime_ms=2200")
    with running(tmp_path, *switches) as venue:
        run(story(venue))


def test_client_pings_are_answered_and_floods_end_the_connection(tmp_path: Path) -> None:
    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(venue.ready["ws"] + "/public/ws", autoping=False) as connection:
                await connection.ping(b"hello")
                answer = await connection.receive()
                assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"hello")
            async with session.ws_connect(venue.ready["ws"] + "/public/ws") as connection:
                with contextlib.suppress(ConnectionResetError):  # closed while we were still sending
                    for index in range(25):
                        await connection.send_json({"method": "LIST_SUBSCRIPTIONS", "id": index})
                assert await closing(connection) == 1008

    with running(tmp_path) as venue:
        run(story(venue))


def test_frames_are_not_compressed_even_for_those_who_offer_it(tmp_path: Path) -> None:
    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            url = venue.ready["ws"] + "/public/ws/btcusdt@bookTicker"
            async with session.ws_connect(url, compress=15) as connection:
                assert connection.compress == 0
                assert (await connection.receive_json())["e"] == "bookTicker"

    with running(tmp_path) as venue:
        run(story(venue))


def test_unknown_stream_paths_are_404(tmp_path: Path) -> None:
    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(venue.ready["ws"] + "/nowhere")
            assert caught.value.status == 404

    with running(tmp_path) as venue:
        run(story(venue))


def test_an_address_may_name_1024_streams_and_not_one_more(tmp_path: Path) -> None:
    def naming(venue: Venue, count: int) -> str:
        names = [f"longname{index:04}usdt@depth20@100ms" for index in range(count)]
        return f"{venue.ready['ws']}/public/stream?streams={'/'.join(names)}"

    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(naming(venue, 1024)) as connection:
                await connection.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
                assert len((await connection.receive_json())["result"]) == 1024
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(naming(venue, 1025))
            assert caught.value.status == 400

    with running(tmp_path) as venue:
        run(story(venue))


def deaf(venue: Venue) -> socket.socket:
    """Subscribe and never read."""
    at = urlsplit(venue.ready["rest"])
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((at.hostname, at.port))
    connection.sendall(
        b"GET /ws/btcusdt@bookTicker/btcusdt@trade/btcusdt@depth@0ms HTTP/1.1\r\nHost: x\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    return connection


def test_a_reader_who_never_reads_is_closed_and_nobody_else_loses_a_frame(tmp_path: Path) -> None:
    async def story(venue: Venue) -> None:
        async with aiohttp.ClientSession() as session:
            url = venue.ready["ws"] + "/public/ws/btcusdt@depth@0ms"
            async with session.ws_connect(url, compress=0) as connection:
                previous = (await connection.receive_json())["u"]
                begun = time.monotonic()
                while "closed; read faster" not in (tmp_path / "log.txt").read_text(encoding="utf-8"):
                    assert time.monotonic() - begun < 25
                    for _ in range(200):
                        frame = await connection.receive_json()
                        assert frame["pu"] == previous
                        previous = frame["u"]

    (tmp_path / "market.yaml").write_text(FAST, encoding="utf-8")
    switches = ("--set", "backlog_bytes_wait=50000", "--set", "backlog_bytes_max=200000")
    with running(tmp_path, *switches) as venue:
        slow = deaf(venue)
        try:
            run(story(venue))
            assert venue.request("GET", "/fapi/v1/ping") == (200, {})
        finally:
            slow.close()
