"""Requests over held connections: sent once, answered by their own answer, whatever the other end does."""

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import uvloop

from skalp_bot.exch.express import Express

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-MBX-USED-WEIGHT-1M: 7\r\n\r\n{}"
Answers = Callable[["Venue", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Venue:
    """A server that keeps the heads it was sent, and answers as the test says."""

    answers: Answers
    heads: list[str] = field(default_factory=list)
    accepted: int = 0
    server: asyncio.Server = field(init=False)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await self.answers(self, reader, writer)
        writer.close()


@contextlib.asynccontextmanager
async def meeting(
    answers: Answers, *, held: int = 2, idle_s: float = 60.0
) -> AsyncIterator[tuple[Express, Venue, str]]:
    venue = Venue(answers)
    server = venue.server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    express = Express(aiohttp.TCPConnector(limit=0), origin, held=held, dial_s=1.0, idle_s=idle_s)
    try:
        yield express, venue, origin
    finally:
        await express.close()
        server.close()
        for writer in venue.writers:
            writer.close()


def on_the_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(story)
    def test(**given: Any) -> None:
        uvloop.run(story(**given))

    return test


async def plainly(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


@on_the_loop
async def test_it_says_what_it_was_told_and_hears_status_headers_and_body() -> None:
    async with meeting(plainly) as (express, venue, origin):
        status, headers, body = await express.ask(
            "POST", f"{origin}/fapi/v1/order?a=1&b=2", {"X-MBX-APIKEY": "k"}, 1.0
        )
        assert (status, headers["x-mbx-used-weight-1m"], body) == (200, "7", b"{}")
        first, *rest = venue.heads[0].split("\r\n")
        assert first == "POST /fapi/v1/order?a=1&b=2 HTTP/1.1"
        assert {"X-MBX-APIKEY: k", f"Host: {origin.removeprefix('http://')}", "Content-Length: 0"} <= set(
            rest
        )
        assert any(line.startswith("User-Agent: ") for line in rest)


@on_the_loop
async def test_a_connection_serves_one_request_after_another() -> None:
    async with meeting(plainly) as (express, venue, origin):
        for _ in range(3):
            await express.ask("GET", f"{origin}/ping", {}, 1.0)
        assert (venue.accepted, len(venue.heads)) == (1, 3)


@on_the_loop
async def test_requests_at_the_same_time_have_connections_of_their_own_and_few_are_held() -> None:
    async def slowly(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with meeting(slowly, held=2) as (express, venue, origin):
        await asyncio.gather(*(express.ask("GET", f"{origin}/{n}", {}, 1.0) for n in range(5)))
        assert venue.accepted == 5
        assert len(express._idle) == 2


@on_the_loop
async def test_an_answer_in_pieces_and_one_of_unknown_length_are_heard_whole() -> None:
    async def in_chunks(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"4\r\ndefg\r\n0\r\n\r\n")

    async with meeting(in_chunks) as (express, venue, origin):
        assert (await express.ask("GET", f"{origin}/", {}, 1.0))[2] == b"abcdefg"
        assert (await express.ask("GET", f"{origin}/", {}, 1.0))[2] == b"abcdefg"
        assert venue.accepted == 1

    async def until_the_end(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Gone\r\nConnection: close\r\n\r\nno")
        writer.close()

    async with meeting(until_the_end) as (express, venue, origin):
        assert (await express.ask("POST", f"{origin}/", {}, 1.0))[::2] == (503, b"no")
        assert (await express.ask("POST", f"{origin}/", {}, 1.0))[::2] == (503, b"no")
        assert venue.accepted == 2


@on_the_loop
async def test_a_connection_given_up_at_the_other_end_is_not_used_again() -> None:
    async with meeting(plainly) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        venue.writers[0].close()
        await asyncio.sleep(0.05)
        assert (await express.ask("POST", f"{origin}/", {}, 1.0))[0] == 200
        assert (venue.accepted, len(venue.heads)) == (2, 2)


@on_the_loop
async def test_what_is_written_at_once_goes_over_a_connection_that_waits_or_not_at_all() -> None:
    async with meeting(plainly) as (express, venue, origin):
        head = express.head("POST", f"{origin}/order", {})
        assert express.write(head) is None, "none was ever made"
        await express.ask("GET", f"{origin}/ping", {}, 1.0)
        connection = express.write(head)
        assert connection is not None
        assert express.write(head) is None, "the only one is busy"
        assert (await express.read(connection, 1.0))[0] == 200
        assert [head.partition(" ")[0] for head in venue.heads] == ["GET", "POST"]
        held = express._idle[0][0].transport
        assert held is not None
        held.close()  # Its protocol hears of that a turn later.
        assert express.write(head) is None, "it is being closed"
        await asyncio.sleep(0.02)
        assert len(venue.heads) == 2


@on_the_loop
async def test_a_connection_whose_goodbye_was_not_read_yet_is_not_written_to() -> None:
    async with meeting(plainly) as (express, venue, origin):
        await express.ask("GET", f"{origin}/ping", {}, 1.0)
        for writer in venue.writers:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as line:
                line.shutdown(socket.SHUT_WR)  # In this very turn of the loop.
        assert express.write(express.head("POST", f"{origin}/order", {})) is None
        assert (await express.ask("POST", f"{origin}/order", {}, 1.0))[0] == 200
        assert venue.accepted == 2


@on_the_loop
async def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_request() -> None:
    async def twice(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")

    async with meeting(twice) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        await asyncio.sleep(0.1)
        assert (await express.ask("POST", f"{origin}/", {}, 1.0))[2] == b"{}"
        assert venue.accepted == 2


@on_the_loop
async def test_half_a_stray_answer_is_neither_completed_nor_followed_by_the_next_one() -> None:
    stray = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nstray"

    async def halves(venue: Venue, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(venue.heads) == 1:
            writer.write(OK)
            await asyncio.sleep(0.02)
            writer.write(stray[:30])
        else:
            writer.write(stray[30:] * (venue.accepted == 1) + OK)

    async with meeting(halves) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        await asyncio.sleep(0.1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await express.ask("POST", f"{origin}/order", {}, 1.0)
        assert (await express.ask("POST", f"{origin}/order", {}, 1.0))[::2] == (200, b"{}")
        assert venue.accepted == 2


@on_the_loop
async def test_strays_on_many_connections_reach_nobody() -> None:
    async def strays(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nstray")

    async with meeting(strays) as (express, _, origin):
        for _round in range(2):
            heard = await asyncio.gather(*(express.ask("POST", f"{origin}/{n}", {}, 1.0) for n in range(4)))
            assert [status for status, _, _ in heard] == [200] * 4
            await asyncio.sleep(0.1)


@on_the_loop
async def test_a_connection_that_has_waited_for_long_is_not_trusted() -> None:
    async with meeting(plainly, idle_s=0.1) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        await asyncio.sleep(0.2)
        await express.ask("POST", f"{origin}/order", {}, 1.0)
        assert venue.accepted == 2


@pytest.mark.parametrize(("method", "sent"), [("GET", 3), ("DELETE", 3), ("PUT", 3), ("POST", 2)])
@on_the_loop
async def test_only_what_may_be_said_twice_is_said_again_when_a_waiting_connection_is_cut(
    method: str, sent: int
) -> None:
    async def cut_the_second(venue: Venue, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(venue.heads) == 2:
            writer.transport.abort()
        else:
            writer.write(OK)

    async with meeting(cut_the_second) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        if method == "POST":
            with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
                await express.ask(method, f"{origin}/order", {}, 1.0)
        else:
            assert (await express.ask(method, f"{origin}/order", {}, 1.0))[0] == 200
        assert len(venue.heads) == sent


@on_the_loop
async def test_what_was_sent_and_cannot_be_said_again_is_no_failure_to_connect() -> None:
    async def leave(venue: Venue, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(venue.heads) == 1:
            writer.write(OK)
        else:
            venue.server.close()
            writer.transport.abort()

    async with meeting(leave) as (express, venue, origin):
        await express.ask("GET", f"{origin}/", {}, 1.0)
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)) as told:
            await express.ask("DELETE", f"{origin}/order", {}, 1.0)
        assert not isinstance(told.value, aiohttp.ClientConnectorError)
        assert len(venue.heads) == 2


@on_the_loop
async def test_an_answer_and_a_stray_in_one_packet_end_the_connection() -> None:
    async def both(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")

    async with meeting(both) as (express, venue, origin):
        for _ in range(2):
            assert (await express.ask("POST", f"{origin}/", {}, 1.0))[2] == b"{}"
        assert venue.accepted == 2


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", aiohttp.ServerDisconnectedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", aiohttp.ClientPayloadError),
        (b"no such protocol\r\n\r\n", aiohttp.ClientPayloadError),
    ],
    ids=["nothing", "half an answer", "no HTTP"],
)
@on_the_loop
async def test_a_cut_line_is_told_and_nothing_is_sent_again(said: bytes, error: type[Exception]) -> None:
    async def cut(_: Venue, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with meeting(cut) as (express, venue, origin):
        with pytest.raises(error):
            await express.ask("POST", f"{origin}/order", {}, 1.0)
        assert len(venue.heads) == 1


@on_the_loop
async def test_silence_ends_in_time_and_a_late_answer_meets_nobody() -> None:
    async def late(venue: Venue, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(venue.heads) == 1:
            await asyncio.sleep(0.2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        else:
            writer.write(OK)

    async with meeting(late) as (express, venue, origin):
        with pytest.raises(TimeoutError):
            await express.ask("POST", f"{origin}/order", {}, 0.1)
        await asyncio.sleep(0.15)
        assert (await express.ask("POST", f"{origin}/order", {}, 1.0))[2] == b"{}"
        assert venue.accepted == 2


@on_the_loop
async def test_who_stops_waiting_leaves_no_connection_that_still_owes_an_answer() -> None:
    async def never(_: Venue, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with meeting(never) as (express, _, origin):
        asking = asyncio.create_task(express.ask("POST", f"{origin}/order", {}, 5.0))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not express._idle


@on_the_loop
async def test_nobody_at_home_is_an_error_of_connecting() -> None:
    async with meeting(plainly) as (express, venue, origin):
        pass
    express = Express(aiohttp.TCPConnector(limit=0), origin, held=1, dial_s=1.0)
    with pytest.raises(aiohttp.ClientConnectorError):
        await express.ask("POST", f"{origin}/order", {}, 1.0)
    await express.close()
    assert not venue.heads
