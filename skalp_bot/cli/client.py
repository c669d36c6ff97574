"""Talking to a running daemon: HTTP with JSON over its control socket."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from skalp_bot.cli.errors import CommandError

TIMEOUT_S = 60.0  # A flatten is answered when the exchange lists no position any more.


def get(socket: Path, page: str) -> dict[str, Any]:
    return asyncio.run(ask(socket, "GET", page, None))


def post(socket: Path, verb: str, body: Mapping[str, str]) -> dict[str, Any]:
    return asyncio.run(ask(socket, "POST", verb, body))


async def ask(socket: Path, method: str, page: str, body: Mapping[str, str] | None) -> dict[str, Any]:
    """The answer; CommandError with the daemon's own words when it refuses or does not answer."""
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket)), timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as session:
            data = None if body is None else orjson.dumps(body)
            async with session.request(method, f"http://daemon/{page}", data=data) as response:
                told = read(await response.read(), socket)
                if response.status >= 400:
                    raise CommandError(str(told.get("error", f"HTTP {response.status}")), body=told)
                return told
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CommandError(
            f"the daemon at {socket} does not answer ({type(error).__name__}): look at its log; "
            "its stops rest at the exchange"
        ) from None


def read(raw: bytes, socket: Path) -> dict[str, Any]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise CommandError(f"the daemon at {socket} said something unreadable: {raw[:80]!r}")
    return told
