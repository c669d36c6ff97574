"""A paper exchange as a child process, and a wire to it that can be cut or go silent."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skalp_bot.clock import SystemClock
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.settings import ExchangeSettings, Secret, Venue
from tests.exch_kit import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    rest: str
    ws: str
    api_key: str
    api_secret: str
    port: int

    def settings(self, **changes: Any) -> ExchangeSettings:
        usual: dict[str, Any] = {
            "venue": Venue.PAPER,
            "api_key": Secret(self.api_key),
            "api_secret": Secret(self.api_secret),
            "symbols": ("BTCUSDT",),
            "leverage": 25,
            "rest_url": self.rest,
            "ws_url": self.ws,
        }
        return ExchangeSettings(**(usual | changes))


@asynccontextmanager
async def paper(folder: Path, *options: str) -> AsyncIterator[Paper]:
    """Start it, wait for its ready file, stop it with SIGTERM."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "skalp_bot.paper", "--ready-file", str(ready), "--seed", "7", *options]
    child = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            while not ready.exists():
                assert child.returncode is None, (await child.communicate())[1].decode()
                await asyncio.sleep(0.02)
        told = json.loads(ready.read_text(encoding="utf-8"))
        yield Paper(
            rest=told["rest"],
            ws=told["ws"],
            api_key=told["api_key"],
            api_secret=told["api_secret"],
            port=int(told["rest"].rpartition(":")[2]),
        )
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


@dataclass(slots=True)
class Wire:
    """A proxy in front of a port: ``cut`` resets every connection, ``silent`` forwards nothing on."""

    target: int
    silent: bool = False
    carried: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.carried:
            writer.transport.abort()
        self.carried.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.carried += [writer, back]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump(reader, back))
            tasks.create_task(self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.silent:
                    sink.write(data)
                    await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def wire(target: int) -> AsyncIterator[tuple[Wire, int]]:
    """The wire and the port to use instead."""
    made = Wire(target)
    server = await asyncio.start_server(made.carry, "127.0.0.1", 0)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        made.cut()


@asynccontextmanager
async def trading(settings: ExchangeSettings) -> AsyncIterator[Scene]:
    """Our adapter, opened and streaming."""
    events: list[Any] = []
    exchange = BinanceExchange(settings, clock=SystemClock(), emit=events.append)
    try:
        await exchange.open()
        task = asyncio.create_task(exchange.stream())
        try:
            yield Scene(None, exchange, events, [], SystemClock())  # type: ignore[arg-type]  # The venue is in another process.
        finally:
            task.cancel()
            await asyncio.wait([task])
    finally:
        await exchange.close()
