"""Measures the paper exchange: stream messages, order round trips, memory; limits off, a core of its own.

    scripts/bench_exchange [--symbols 1,50,500,705] [--seconds 5]

The stream phase offers more market than a core can play and takes bookTicker, trade and depth frames with
aiohttp, without reading their JSON. `server_cpu` and `client_cpu` are shares of a core: where the first is
not near 1, others had the core, and what still holds is `us_per_message`, in processor time of the server, as
is `us_per_round_trip`, the market included. `kb_per_symbol` is against the first row. More than one symbol
needs the shared data (AURORA_SHARED, default ../shared); without it such a row is left out and said so.
Goals, reported only: 20,000 messages/s and 1,000 round trips/s.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

SHARED = Path(os.environ.get("AURORA_SHARED", "../shared"))
INFO = SHARED / "data/exchange_info/fapi-exchangeInfo-testnet-20260331.json"
BRACKETS = SHARED / "data/brackets/fapi-leverageBracket-mainnet-20260702.json"
GOALS = {"messages_s": 20_000, "round_trips_s": 1_000}
KINDS = ("bookTicker", "trade", "depth@100ms")
STREAMS_MAX = 1024
OFFERED_S = 60_000  # market events; a core plays about half of it
OPEN_SYMBOLS, OPEN_EACH, BATCH = 50, 195, 5
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running exchange: what its ready file says, and how long it took to write it."""

    ready: dict[str, Any]
    pid: int
    start_s: float

    def resident_kb(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def exchange(symbols: list[str], speed: float) -> Iterator[Server]:
    """Start one on the first core, alone; this process keeps to the others."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "skalp_bot.paper", "--symbols", ",".join(symbols), "--limits", "off"]
        command += ["--speed", str(speed), "--seed", "7", "--ready-file", str(ready), "--exit-with-parent"]
        command += ["--set", "deposit=1000000000"]
        if len(symbols) > 1:
            command += ["--set", f"exchange_info={INFO}", "--set", f"brackets={BRACKETS}"]
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[0]})
        os.sched_setaffinity(0, set(cores[1:]) or set(cores))
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit(f"the exchange ended with {process.returncode}")
                time.sleep(0.005)
            start_s = time.perf_counter() - begun
            yield Server(ready=json.loads(ready.read_text()), pid=process.pid, start_s=start_s)
        finally:
            os.sched_setaffinity(0, set(cores))
            process.terminate()
            process.wait(10)


async def first_questions(server: Server) -> Row:
    """Ask about all symbols at once, as the first thing after the start."""
    found: Row = {"start_s": round(server.start_s, 2)}
    async with aiohttp.ClientSession(server.ready["rest"]) as session:
        for name, path in (("first_ticker_24hr_s", "ticker/24hr"), ("exchange_info_s", "exchangeInfo")):
            begun = time.perf_counter()
            async with session.get(f"/fapi/v1/{path}") as answer:
                await answer.read()
            found[name] = round(time.perf_counter() - begun, 3)
    found["rss_mb"] = round(server.resident_kb() / 1024, 1)
    return found


async def messages(server: Server, symbols: list[str], seconds: float) -> Row:
    """Take every frame of one connection as fast as it gives them."""
    names = [f"{name.lower()}@{kind}" for kind in KINDS for name in symbols][:STREAMS_MAX]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.ready["ws"] + "/stream", compress=0, max_msg_size=0) as socket,
    ):
        for start in range(0, len(names), 256):
            part = {"method": "SUBSCRIBE", "params": names[start : start + 256], "id": start}
            await socket.send_bytes(orjson.dumps(part))
        await socket.receive()
        busy, own, begun, count = server.cpu_s(), time.process_time(), time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            for _ in range(100):
                await socket.receive()
            count += 100
        busy, own = server.cpu_s() - busy, time.process_time() - own
    return {
        "messages_s": round(count / passed),
        "us_per_message": round(busy / count * 1e6, 1),
        "server_cpu": round(busy / passed, 2),
        "client_cpu": round(own / passed, 2),
    }


@dataclass(slots=True)
class Trader:
    """Places and cancels resting orders over one kept connection."""

    server: Server
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, **params: object) -> Row:
        text = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        secret = self.server.ready["api_secret"].encode()
        text += "&signature=" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        url = URL(f"{self.server.ready['rest']}{path}?{text}", encoded=True)
        async with self.session.request(method, url) as answer:
            body: Row = orjson.loads(await answer.read())
            if answer.status != 200 or (isinstance(body, list) and "code" in body[0]):
                raise SystemExit(f"refused: {body}")
            return body

    async def order_for(self, row: Row) -> Row:
        """Give a small order that rests 3 % below the touch, on the symbol's grid."""
        filters = {item["filterType"]: item for item in row["filters"]}
        tick, step = Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"])
        least = Decimal(filters["MIN_NOTIONAL"]["notional"])
        top = await self.call("GET", "/fapi/v1/ticker/bookTicker", symbol=row["symbol"])
        price = (Decimal(top["bidPrice"]) * Decimal("0.97") / tick).to_integral_value(ROUND_FLOOR) * tick
        qty = (least * 2 / price / step).to_integral_value(ROUND_UP) * step
        kind = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        return {"symbol": row["symbol"], **kind, "price": f"{price:f}", "quantity": f"{qty:f}"}

    async def open_orders(self, orders: list[Row]) -> float:
        """Fill the books with resting orders; returns how much memory each took, in kB."""
        memory = self.server.resident_kb()
        for order in orders:
            batch = json.dumps([order] * BATCH)
            for _ in range(OPEN_EACH // BATCH):
                await self.call("POST", "/fapi/v1/batchOrders", batchOrders=batch)
        return (self.server.resident_kb() - memory) / (len(orders) * OPEN_EACH)

    async def round_trips(self, order: Row, seconds: float) -> list[float]:
        """Place and cancel one after another, each awaited; returns how long each took."""
        times: list[float] = []
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            answer = await self.call("POST", "/fapi/v1/order", **order)
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
            await self.call("DELETE", "/fapi/v1/order", symbol=order["symbol"], orderId=answer["orderId"])
            times.append(time.perf_counter() - start)
        return times


async def trading(server: Server, symbols: list[str], seconds: float) -> Row:
    async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": server.ready["api_key"]}) as session:
        trader = Trader(server, session)
        info = await trader.call("GET", "/fapi/v1/exchangeInfo")
        rows = {row["symbol"]: row for row in info["symbols"]}
        orders = [await trader.order_for(rows[name]) for name in symbols[:OPEN_SYMBOLS]]
        busy = server.cpu_s()
        times = sorted(await trader.round_trips(orders[0], seconds))
        busy = server.cpu_s() - busy
        kb = await trader.open_orders(orders)
    return {
        "round_trips_s": round(len(times) / sum(times)),
        "us_per_round_trip": round(busy / len(times) * 1e6),
        "p50_ms": round(times[len(times) // 2] * 1000, 3),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 3),
        "kb_per_open_order": round(kb, 2),
    }


def known_symbols(count: int) -> list[str]:
    """The first of the file, those one can trade before the others."""
    rows = orjson.loads(INFO.read_bytes())["symbols"]
    rows.sort(key=lambda row: (row["symbol"] != "BTCUSDT", row["status"] != "TRADING"))
    return [row["symbol"] for row in rows[:count]]


def measure(count: int, seconds: float) -> Row | None:
    if count > 1 and not (INFO.exists() and BRACKETS.exists()):
        print(f"{count:4d} symbols: left out, {INFO} is not there")
        return None
    symbols = known_symbols(count) if count > 1 else ["BTCUSDT"]
    found: Row = {"symbols": len(symbols)}
    usual = sum(36 / (1 + max(0, rank - 10) / 20) for rank in range(len(symbols)))
    with exchange(symbols, 1.0) as server:
        found |= asyncio.run(first_questions(server))
        found |= asyncio.run(trading(server, symbols, seconds))
    with exchange(symbols, max(1.0, OFFERED_S / usual)) as server:
        found |= asyncio.run(messages(server, symbols, seconds))
    print(f"{len(symbols):4d} symbols: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--symbols", default="1,50,500,705")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    counts = sorted(map(int, given.symbols.split(",")))
    rows = [row for count in counts if (row := measure(count, given.seconds)) is not None]
    for row in rows[1:]:
        more = row["symbols"] - rows[0]["symbols"]
        row["kb_per_symbol"] = round((row["rss_mb"] - rows[0]["rss_mb"]) * 1024 / more, 1)
    print(json.dumps({"bench": "exchange", "cores": os.cpu_count(), "goals": GOALS, "rows": rows}))


main()
