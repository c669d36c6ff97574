"""Measures the cost of a tick: processor time of a whole process, divided by the ticks it stepped.

Every measurement is a fresh process that hears a server in another one, over loopback, one segment per
tick: ours (ccxt's socket, our decoder, inbox, loop and ``Engine.step`` with one open position and armed
exits), the plain ``watch_bids_asks`` loop of unmodified ccxt, and the engine alone on ticks that are decoded
already. A run of ours is void when more than 1 % of its ticks were conflated, any run when the server could
not hold the pace; a void run is repeated. What the plain loop missed is counted as if it had paid for it.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SYMBOLS = (1, 10, 100)
REPETITIONS, TRIES = 5, 4
CONFLATED_MAX, PACE_MIN = 0.01, 0.95
FASTER_MIN, STEP_US_MAX, STEP_GROWTH_MAX = 3.0, 15.0, 1.3
PATIENCE_S = 60.0
LOOK_S = 0.05
TAIL_S = 10.0
LATE_GAPS_MAX = 100  # What the server catches up with; beyond it the pace was not held.
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Plan:
    """How fast, how many ticks before the measurement, and how many in it."""

    rate: int
    warm: int
    ticks: int

    @property
    def last(self) -> int:
        return self.warm + self.ticks


FULL = Plan(rate=2_500, warm=2_500, ticks=10_000)
QUICK = Plan(rate=500, warm=100, ticks=400)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short repetition, budgets not judged")
    parser.add_argument("--symbols", default=",".join(map(str, SYMBOLS)), help="how many, e.g. 1,10,100")
    parser.add_argument("--role", choices=sorted(ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    plan = QUICK if given.quick else FULL
    counts = [int(word) for word in given.symbols.split(",")]
    if given.role:
        on_its_core(server=given.role == "serve")
        print(json.dumps(ROLES[given.role](names(counts[0]), plan, given.port)))
        return 0
    return compare(counts, plan, 1 if given.quick else REPETITIONS, judged=not given.quick)


def names(count: int) -> list[str]:
    return ["BTCUSDT", *(f"A{number:02d}USDT" for number in range(1, count))]


def on_its_core(*, server: bool) -> None:
    """The server on the first core, whoever is measured on another, where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]} if server else set(cores[1:] or cores))


# -- the comparison


def compare(counts: list[int], plan: Plan, repetitions: int, *, judged: bool) -> int:
    print(f"{plan.ticks:,} ticks at {plan.rate:,}/s; load {load()}, {os.cpu_count()} cores")
    found: dict[tuple[int, str], list[float]] = {}
    voids: list[str] = []
    for repetition in range(repetitions):
        for count in counts:
            for name in ("ours", "ccxt", "alone"):
                cost = measured(name, count, plan, voids, judged=judged)
                found.setdefault((count, name), []).extend([] if cost is None else [cost])
                shown = "void" if cost is None else f"{cost:8.2f} us/tick"
                print(f"{repetition + 1}. {count:4d} symbols  {name:5s} {shown}", flush=True)
    rows = {
        str(count): {
            "ours_us": middle(found[count, "ours"]),
            "ccxt_loop_us": middle(found[count, "ccxt"]),
            "step_us": middle(found[count, "alone"]),
        }
        for count in counts
    }
    short = [f"{name} at {n}" for (n, name), costs in found.items() if len(costs) < repetitions]
    broken = [f"no {repetitions} good runs of {what}" for what in short] + budgets(rows)
    for text in voids:
        print(f"void: {text}")
    for text in broken:
        print(f"{'broken' if judged else 'not judged'}: {text}")
    print(f"load {load()}")
    print(json.dumps({"per_symbols": rows}))
    return 1 if broken and judged else 0


def load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def middle(costs: list[float]) -> float | None:
    return round(statistics.median(costs), 2) if costs else None


def budgets(rows: dict[str, dict[str, float | None]]) -> list[str]:
    """What does not hold of what is promised; a number that is missing proves nothing."""
    broken = []
    ten, one, hundred = (rows.get(count, {}) for count in ("10", "1", "100"))
    ours, plain = ten.get("ours_us"), ten.get("ccxt_loop_us")
    if ours and plain and plain < FASTER_MIN * ours:
        broken.append(f"ours is {plain / ours:.2f} times cheaper at 10 symbols, promised {FASTER_MIN:g}")
    for count, row in rows.items():
        step = row["step_us"]
        if step and step > STEP_US_MAX:
            broken.append(f"a step takes {step:.1f} us at {count} symbols, promised {STEP_US_MAX:g}")
    few, many = one.get("step_us"), hundred.get("step_us")
    if few and many and many > STEP_GROWTH_MAX * few:
        broken.append(
            f"a step at 100 symbols takes {many / few:.2f} of one at 1, promised {STEP_GROWTH_MAX:g}"
        )
    return broken


def measured(name: str, count: int, plan: Plan, voids: list[str], *, judged: bool) -> float | None:
    """Microseconds per tick, or None when no run was good enough."""
    if name == "alone":
        return float(listened(name, count, plan, port=0)["us"])
    for _ in range(TRIES if judged else 1):
        seen, pace = heard(name, count, plan)
        why = void(name, seen, pace, plan)
        if not why or not judged:
            return float(seen["us"])
        voids.append(f"{name} at {count} symbols: {why}")
    return None


def void(name: str, seen: dict[str, Any], pace: dict[str, Any], plan: Plan) -> str:
    if pace["rate"] < PACE_MIN * plan.rate:
        return f"{pace['rate']:.0f} ticks/s, {plan.rate} were to be sent"
    missed = 1 - seen["stepped"] / seen["ticks"]
    if name == "ours" and missed > CONFLATED_MAX:
        return f"{missed:.1%} conflated"
    return ""


def heard(name: str, count: int, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """One process against one server; what each of them says of it."""
    server = subprocess.Popen(words("serve", count, plan, 0), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        seen = listened(name, count, plan, int(server.stdout.readline()))
        pace = json.loads(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
    return seen, pace


def listened(name: str, count: int, plan: Plan, port: int) -> dict[str, Any]:
    done = subprocess.run(
        words(name, count, plan, port), stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} with {count} symbols ended with {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def words(role: str, count: int, plan: Plan, port: int) -> list[str]:
    quick = ["--quick"] if plan is QUICK else []
    told = ["--role", role, "--symbols", str(count), "--port", str(port)]
    return [sys.executable, __file__, *told, *quick]


# -- the server


def serve(symbols: list[str], plan: Plan, _port: int) -> dict[str, Any]:
    """Speak to one client: each tick a frame and a segment of its own, at the pace."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        print(door.getsockname()[1], flush=True)
        wire, _ = door.accept()
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shake_hands(wire)
    request = json.loads(read_frame(wire)[1])
    wire.sendall(frame(json.dumps({"result": None, "id": request["id"]}).encode()))
    quotes = [(symbol, *quote) for symbol, quote in wander(symbols, plan.last)]
    with contextlib.suppress(OSError):
        seconds = speak(wire, quotes, plan)
    return {"rate": plan.ticks / seconds}


def speak(wire: socket.socket, quotes: list[tuple[str, str, str, str, str]], plan: Plan) -> float:
    """Never two ticks at once, also when it is late. Ends with slow repetitions of the last tick."""
    gap, begun, took = 1.0 / plan.rate, 0.0, 0.0
    due = time.perf_counter()
    with contextlib.suppress(OSError):
        for number, quote in enumerate(quotes, start=1):
            if number == plan.warm:
                begun = time.perf_counter()
            wire.send(frame(book_ticker(number, quote)))
            due = max(due + gap, time.perf_counter() - LATE_GAPS_MAX * gap)
            if number % plan.rate == 0:
                answer(wire)
            time.sleep(max(gap / 4, due - time.perf_counter()))  # It sleeps longer than asked.
        took = time.perf_counter() - begun
        for number in range(plan.last + 1, plan.last + int(TAIL_S * 100)):
            wire.send(frame(book_ticker(number, quotes[-1])))
            answer(wire)
            time.sleep(0.01)
    return took or time.perf_counter() - begun


def wander(symbols: list[str], count: int) -> list[tuple[str, tuple[str, str, str, str]]]:
    """Quotes in turn: prices that stay far from any exit, sizes too even for an opinion."""
    draw, found, step = random.Random(7), [], 0
    for number in range(count):
        step = max(-50, min(50, step + draw.choice((-1, 0, 0, 1))))
        bid, size = 60_000 + step / 10, draw.uniform(3.0, 5.0)
        other = size * draw.uniform(0.6, 1.6)
        texts = (f"{bid:.2f}", f"{size:.3f}", f"{bid + 0.1:.2f}", f"{other:.3f}")
        found.append((symbols[number % len(symbols)], texts))
    return found


def book_ticker(number: int, quote: tuple[str, str, str, str, str]) -> bytes:
    symbol, bid, bid_qty, ask, ask_qty = quote
    now = time.time_ns() // 1_000_000
    return (
        f'{{"e":"bookTicker","u":{number},"s":"{symbol}","b":"{bid}","B":"{bid_qty}",'
        f'"a":"{ask}","A":"{ask_qty}","T":{now},"E":{now}}}'
    ).encode()


def shake_hands(wire: socket.socket) -> None:
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        asked += wire.recv(65_536)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", asked)
    assert key is not None
    proof = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    wire.sendall(upgrade + b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n")


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    size = len(payload)
    head = bytes([0x80 | opcode, size]) if size < 126 else bytes([0x80 | opcode, 126]) + size.to_bytes(2)
    return head + payload


def read_frame(wire: socket.socket) -> tuple[int, bytes]:
    opcode, size = exactly(wire, 2)
    size &= 0x7F
    if size == 126:
        size = int.from_bytes(exactly(wire, 2))
    mask, masked = exactly(wire, 4), exactly(wire, size)
    return opcode & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))


def exactly(wire: socket.socket, size: int) -> bytes:
    taken = b""
    while len(taken) < size:
        more = wire.recv(size - len(taken))
        if not more:
            raise ConnectionError("the client has gone")
        taken += more
    return taken


def answer(wire: socket.socket) -> None:
    while select.select([wire], [], [], 0)[0]:
        opcode, payload = read_frame(wire)
        if opcode == PING:
            wire.sendall(frame(payload, PONG))
        elif opcode == CLOSE:
            wire.sendall(frame(payload, CLOSE))
            raise ConnectionError("the client has said goodbye")


# -- ours


def armed(symbols: list[str]) -> tuple[Any, int]:
    """An engine that trades for real numbers of symbols, holds one position behind stops, and its time."""
    from aurora.config import AuroraConfig
    from aurora.model.bracket import Phase
    from aurora.model.events import FeesLoaded, InstrumentsLoaded
    from aurora.model.instrument import FeeRates
    from aurora.model.numbers import SECOND, Nanos
    from tests.desk import CONFIG, FEE, Desk
    from tests.kit import instrument

    told = CONFIG.model_dump() | {"symbols": symbols}
    desk = Desk(AuroraConfig.model_validate(told))
    desk.now = Nanos(time.time_ns() - 300 * SECOND)
    desk.open()
    desk.enter()
    desk.run(2.0)
    desk.config = AuroraConfig.model_validate(told | {"strategy": {"name": "skalp"}})
    desk.restart(epoch=2)
    desk.tell(InstrumentsLoaded(instruments=tuple(map(instrument, symbols)), ts_recv=desk.now))
    for symbol in symbols:
        fees = FeeRates(symbol=symbol, maker=FEE, taker=FEE)
        desk.tell(FeesLoaded(fees=fees, ts_recv=desk.now))
    desk.run(2.0)
    bracket = desk.engine.state.durable.brackets["BTCUSDT"]
    assert bracket.phase is Phase.GUARDED, bracket
    assert not desk.venue.position.flat
    return desk.engine, desk.now


class Meter:
    """Looks every 50 ms how far it is, and reads the processor's clock before and after what is measured.

    ``progress`` tells the number of the newest tick and how many were stepped; it is all a tick pays.
    """

    def __init__(self, plan: Plan, progress: Callable[[], tuple[int, int]]) -> None:
        self._plan = plan
        self._progress = progress

    async def measure(self) -> dict[str, Any]:
        first, before, begun = await self._at(self._plan.warm)
        last, after, ended = await self._at(self._plan.last)
        return {"busy": ended - begun, "ticks": last - first, "stepped": after - before}

    async def _at(self, number: int) -> tuple[int, int, float]:
        newest, steps = self._progress()
        while newest < number:
            await asyncio.sleep(LOOK_S)
            newest, steps = self._progress()
        return newest, steps, time.process_time()


def ours(symbols: list[str], plan: Plan, port: int) -> dict[str, Any]:
    """The daemon's way from the socket to the step, without journal, projections and sends."""
    import uvloop

    return uvloop.run(our_loop(symbols, plan, port))


async def our_loop(symbols: list[str], plan: Plan, port: int) -> dict[str, Any]:
    from skalp_bot.clock import SystemClock
    from skalp_bot.exch.ccxt_binance import BinanceClient
    from skalp_bot.exch.rest import Rest
    from skalp_bot.exch.settings import ExchangeSettings, Secret, Venue
    from skalp_bot.exch.streams import Streams
    from skalp_bot.exch.venue_clock import VenueClock
    from skalp_bot.runner.inbox import Inbox
    from skalp_bot.runner.loop import Loop

    engine, _ = armed(symbols)
    clock, market = SystemClock(), engine.state.soft.market
    settings = ExchangeSettings(
        venue=Venue.PAPER,
        api_key=Secret("key"),
        api_secret=Secret("secret"),
        symbols=tuple(symbols),
        leverage=10,
        rest_url=f"http://127.0.0.1:{port}",
        ws_url=f"ws://127.0.0.1:{port}",
    )
    inbox = Inbox(clock=clock, alert=print)
    client = BinanceClient(
        settings,
        venue_ms=lambda: clock.now() // 1_000_000,
        hearer_of=lambda url: streams.hearer_of(url),  # noqa: PLW0108  # Made below.
        on_connected=lambda url: streams.on_connected(url),  # noqa: PLW0108  # Made below.
    )
    rest = Rest(signer=client, settings=settings, clock=clock, venue_clock=VenueClock(clock))
    streams = Streams(
        client=client, rest=rest, settings=settings, clock=clock, emit=inbox.put, pass_on=inbox.pass_on
    )
    loop = Loop(engine=engine, inbox=inbox, outbox=Nowhere(), journal=Nowhere(), clock=clock, projections=())

    def progress() -> tuple[int, int]:
        return max(market.of(symbol).update_id for symbol in symbols), loop.steps

    client.attach(await rest.open())
    book = streams._market  # noqa: SLF001  # One of three sockets; the others cost no tick anything.
    tasks = [asyncio.create_task(book.keep(book.legs[0])), asyncio.create_task(loop.run())]
    seen = await measured_beside(tasks, Meter(plan, progress))
    await client.close()
    await rest.close()
    return {"us": seen["busy"] / seen["stepped"] * 1e6, **seen}


class Nowhere:
    """A journal for steps that are durable by accident, such as the stream's coming up, and an outbox."""

    def append(self, _step: Any) -> None:
        return None

    def put(self, step: Any, *_: Any) -> None:
        raise SystemExit(f"the engine was to hold still: {step.commands}")


async def measured_beside(tasks: list[asyncio.Task[None]], meter: Meter) -> dict[str, Any]:
    """What the meter tells at the end, or the failure of a task."""
    measuring = asyncio.create_task(meter.measure())
    async with asyncio.timeout(PATIENCE_S):
        done, _ = await asyncio.wait([measuring, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (measuring, *tasks):
        task.cancel()
    for task in done:
        task.result()
    return measuring.result()


# -- the plain loop, and the engine alone


def plain(symbols: list[str], plan: Plan, port: int) -> dict[str, Any]:
    """ccxt as its manual says, on the same loop; nothing of it is changed but the addresses."""
    import uvloop

    return uvloop.run(plain_loop(symbols, plan, port))


async def plain_loop(symbols: list[str], plan: Plan, port: int) -> dict[str, Any]:
    import ccxt.pro

    exchange = ccxt.pro.binanceusdm({"enableRateLimit": False})
    api = exchange.urls["api"]
    for name, address in api.items():
        if isinstance(address, str):
            api[name] = f"http://127.0.0.1:{port}"
    api["ws"] = dict.fromkeys(api["ws"], f"ws://127.0.0.1:{port}/ws")
    exchange.set_markets(exchange.parse_markets([listing(symbol) for symbol in symbols]))
    unified, newest, steps = list(exchange.markets), 0, 0
    assert len(unified) == len(symbols)

    async def watch() -> None:
        nonlocal newest, steps
        while True:
            for ticker in (await exchange.watch_bids_asks(unified)).values():
                steps += 1
                newest = ticker["info"]["u"]

    meter = Meter(plan, lambda: (newest, steps))
    seen = await measured_beside([asyncio.create_task(watch())], meter)
    await exchange.close()
    return {"us": seen["busy"] / seen["ticks"] * 1e6, **seen}


def listing(symbol: str) -> dict[str, Any]:
    from tests.exch_kit import BITCOIN

    base = symbol.removesuffix("USDT")
    told: dict[str, Any] = {"symbol": symbol, "pair": symbol, "baseAsset": base, "marginAsset": "USDT"}
    told |= {"contractType": "PERPETUAL", "onboardDate": 0, "orderTypes": [], "timeInForce": []}
    return BITCOIN | told


def alone(symbols: list[str], plan: Plan, _port: int) -> dict[str, Any]:
    """Ticks that are decoded already, one after another, without a loop or a socket."""
    from tests.kit import tick

    engine, now = armed(symbols)
    gap = 1_000_000_000 // plan.rate
    ticks = [
        tick(
            float(bid),
            float(ask),
            symbol=symbol,
            bid_qty=float(bid_qty),
            ask_qty=float(ask_qty),
            when=now + number * gap,
            update_id=1_000_000 + number,
        )
        for number, (symbol, (bid, bid_qty, ask, ask_qty)) in enumerate(wander(symbols, plan.last), start=1)
    ]
    for each in ticks[: plan.warm]:
        engine.step(each)
    begun = time.process_time()
    for each in ticks[plan.warm :]:
        engine.step(each)
    busy = time.process_time() - begun
    return {"us": busy / plan.ticks * 1e6, "ticks": plan.ticks, "stepped": plan.ticks}


ROLES = {"serve": serve, "ours": ours, "ccxt": plain, "alone": alone}

if __name__ == "__main__":
    sys.exit(main())
