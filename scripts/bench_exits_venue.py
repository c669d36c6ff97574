"""The exchange of ``bench_exits``: the paper exchange on real sockets, its market moved by hand.

It opens positions for the account, waits until the daemon has put both stops behind each and listed them,
sends one symbol at a time through its local stop, and notes when the first byte of the exit arrives. Told on
standard input what to do, one word a line; answers with one line of JSON each.
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvloop
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from skalp_bot.clock import SystemClock
from skalp_bot.paper.assembly import assemble
from skalp_bot.paper.exchange import Exchange
from skalp_bot.paper.orders import NewOrder, OrderType, Side
from skalp_bot.paper.script_book import ScriptBook
from skalp_bot.paper.script_file import Quote, read_script
from skalp_bot.paper.server import Front, write_ready
from skalp_bot.paper.settings import ExchangeOptions, SocketSettings
from skalp_bot.paper.sockets import Sockets
from skalp_bot.paper.symbols import packaged_content

PRICE, TICK, CROSSED = Decimal(60_000), Decimal("0.1"), Decimal("0.007")  # Beyond 0.5 %, short of 1 %.
QTY = Decimal("0.010")
QUOTES_S = 500  # Over all symbols, so that more of them is not more market.
GAP_S = (0.030, 0.070)  # Between two crossings.
OPENED_MAX = 15  # Not yet behind both stops: all at once would meet the deadline that ends naked positions.
PATIENCE_S = 20.0
ROOMY = "100000000"
LIMITS = {"weight_1m": ROOMY, "orders_10s": ROOMY, "orders_1m": ROOMY}


def names(count: int) -> list[str]:
    return [f"A{number:03d}USDT" for number in range(count)]


def crosses(bid: float) -> bool:
    """Whether a quote with this bid is beyond the stop of its symbol's position."""
    return abs(bid / float(PRICE) - 1) > float(CROSSED) / 2


def options(folder: Path, symbols: list[str]) -> ExchangeOptions:
    """As many symbols as asked for, alike but for their names, on a market that stands still by itself."""
    packaged = packaged_content()
    first = packaged["exchangeInfo"]["symbols"][0]
    tiers = next(row for row in packaged["brackets"] if row["symbol"] == first["symbol"])
    own = [first | {"symbol": name, "pair": name, "baseAsset": name[:4]} for name in symbols]
    (folder / "info.json").write_text(json.dumps(packaged["exchangeInfo"] | {"symbols": own}))
    (folder / "brackets.json").write_text(json.dumps([tiers | {"symbol": name} for name in symbols]))
    lines = [f"  {name}: {{price: {PRICE}, qty: 50, history_minutes: 30}}" for name in symbols]
    (folder / "market.yaml").write_text("\n".join(["symbols:", *lines, "steps:", "  - wait: 1"]) + "\n")
    files = {"exchange_info": str(folder / "info.json"), "brackets": str(folder / "brackets.json")}
    return ExchangeOptions(
        market=f"script:{folder / 'market.yaml'}",
        symbols=tuple(symbols),
        limits=False,
        ready_file=folder / "ready.json",
        switches={**files, **LIMITS, "deposit": "1000000000"},
    )


class Ear(RequestHandler):
    """One connection of a client; notes when the first byte of each request is there."""

    __slots__ = ("heard_at",)

    def data_received(self, data: bytes) -> None:
        if data.startswith((b"POST", b"GET", b"DELETE", b"PUT")):
            self.heard_at = time.monotonic_ns()
        super().data_received(data)


class Door(web.Server):
    def __call__(self) -> RequestHandler:
        return Ear(self, loop=asyncio.get_running_loop(), access_log=None, keepalive_timeout=75.0)


@dataclass(slots=True)
class Bench:
    """Holds ``held`` positions and ends them one after another; all state of a symbol is its phase here."""

    exchange: Exchange
    front: Front
    books: dict[str, ScriptBook]
    held: list[str]
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    bare: dict[str, None] = field(default_factory=dict)  # Flat, its old stops perhaps still there.
    opened: dict[str, None] = field(default_factory=dict)  # Held, not yet listed behind both stops.
    ready: deque[str] = field(default_factory=deque)  # Both stops rest and were listed.
    crossed: dict[str, int] = field(default_factory=dict)
    waits: list[int] = field(default_factory=list)
    open_min: int = 1 << 30

    @property
    def account(self) -> Any:
        return next(iter(self.exchange.desk.venue.floor.accounts.values()))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Every request goes to the exchange; exits are timed, listings of stops are noticed."""
        protocol = request.protocol
        answer = await self.front.handle(request)
        if request.method == "POST" and request.path == "/fapi/v1/order":
            told = dict(parse_qsl(request.query_string) + parse_qsl((await request.read()).decode()))
            self.exited(told["symbol"], protocol.heard_at if isinstance(protocol, Ear) else 0)
        elif request.method == "GET" and request.path == "/fapi/v1/openAlgoOrders":
            self.listed(request.query.get("symbol", ""))
        return answer

    def exited(self, symbol: str, heard_at: int) -> None:
        crossed_at = self.crossed.pop(symbol, None)
        if crossed_at is None:
            raise SystemExit(f"an order for {symbol} that nobody waits for")
        self.waits.append(heard_at - crossed_at)
        self.quote(symbol, PRICE)
        self.bare[symbol] = None

    def listed(self, symbol: str) -> None:
        for name in [symbol] if symbol else list(self.opened):
            if name in self.opened and self.stops(name) == 2:
                del self.opened[name]
                self.ready.append(name)

    def stops(self, symbol: str) -> int:
        return len(self.exchange.desk.venue.open_algos(self.account, symbol))

    def position(self, symbol: str) -> Decimal:
        return sum((p.qty for p in self.account.positions_of(symbol)), Decimal(0))

    def quote(self, symbol: str, bid: Decimal) -> int:
        """Publish a quote; when it was about to be written: the loop writes at the end of its turn."""
        now = self.front.now_ms()
        update = self.books[symbol].quote(Quote(symbol=symbol, bid=bid, ask=bid + TICK))
        self.exchange.desk.venue.on_market(replace(update, t_ms=now), now)
        self.exchange.settle(changed=False)
        return time.monotonic_ns()

    def open(self, symbol: str) -> None:
        """Somebody else's order opens a position of the account; the daemon takes it over."""
        side = self.draw.choice((Side.BUY, Side.SELL))
        order = NewOrder(symbol=symbol, side=side, type=OrderType.MARKET, qty=QTY)
        self.exchange.desk.venue.place(self.account, order, self.front.now_ms())
        self.exchange.settle(changed=True)
        self.opened[symbol] = None

    async def keep_open(self) -> None:
        """A symbol that is flat and swept gets its next position, while few wait for their stops."""
        while True:
            flat = [name for name in self.bare if not self.position(name) and not self.stops(name)]
            for symbol in flat[: max(OPENED_MAX - len(self.opened), 0)]:
                del self.bare[symbol]
                self.open(symbol)
            await asyncio.sleep(0.005)

    async def keep_quoting(self) -> None:
        everybody = list(self.books)
        while True:
            symbol = self.draw.choice(everybody)
            if symbol not in self.crossed:
                self.quote(symbol, PRICE + self.draw.choice((-1, 0, 1)) * TICK)
            await asyncio.sleep(1 / QUOTES_S)

    async def exits(self, count: int) -> dict[str, Any]:
        """So many exits, each of a position behind two listed stops, few on their way at once."""
        apart = max(1, len(self.held) // 10)
        wanted = len(self.waits) + count
        for _ in range(count):
            await until(lambda: len(self.ready) > len(self.held) - 1 - apart, "positions behind two stops")
            await asyncio.sleep(self.draw.uniform(*GAP_S))
            symbol = self.ready.popleft()
            held = self.position(symbol)
            self.open_min = min(self.open_min, sum(1 for name in self.held if self.position(name)))
            away = -CROSSED if held > 0 else CROSSED
            self.crossed[symbol] = 0
            self.crossed[symbol] = self.quote(symbol, PRICE + (PRICE * away).quantize(TICK))
        await until(lambda: len(self.waits) == wanted, "the last exits")
        return {"waits_ns": self.waits[wanted - count :], "open_min": self.open_min}


async def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within {PATIENCE_S:g} s: {what}")
        await asyncio.sleep(0.002)


async def serve(folder: Path, symbols: list[str], positions: int) -> None:
    clock = SystemClock()
    given = options(folder, symbols)
    exchange, identity = assemble(given, now_ms=clock.now() // 1_000_000, rng=random.Random(1))
    sockets = Sockets(settings=SocketSettings(enforced=False), now_ms=lambda: clock.now() // 1_000_000)
    front = Front(exchange=exchange, sockets=sockets, clock=clock)
    openings = read_script(folder / "market.yaml", exchange.desk.venue.symbols).openings
    bench = Bench(
        exchange=exchange,
        front=front,
        books={name: ScriptBook(opening) for name, opening in openings.items()},
        held=symbols[:positions],
    )
    runner = web.ServerRunner(Door(bench.handle), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    gc.freeze()
    write_ready(given, identity, runner.addresses[0][1], listed=exchange.source.symbols)
    async with asyncio.TaskGroup() as tasks:
        workers = [front.pump(), bench.keep_open(), bench.keep_quoting()]
        running = [tasks.create_task(worker) for worker in workers]
        await converse(bench)
        for task in running:
            task.cancel()


async def converse(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        told: dict[str, Any] = {}
        match line:
            case ["open"]:
                bench.bare.update(dict.fromkeys(bench.held))
                await until(lambda: len(bench.ready) == len(bench.held), "all positions behind two stops")
            case ["exits", count]:
                told = await bench.exits(int(count))
        print(json.dumps(told), flush=True)


def main(folder: Path, symbols: int, positions: int) -> None:
    uvloop.run(serve(folder, names(symbols), positions))
