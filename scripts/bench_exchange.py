"""Measures the paper exchange: stream messages, order round trips, memory; limits off, a core of its own.

    scripts/bench_exchange [--symbols 1,50,500] [--seconds 5]

More than one symbol needs the shared data (AURORA_SHARED, default ../shared); without it
such a row is left out and said so. Goals, reported only: 20,000 messages/s and 1,000 round trips/s.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import orjson

SHARED = Path(os.environ.get("AURORA_SHARED", "../shared"))
INFO = SHARED / "data/exchange_info/fapi-exchangeInfo-testnet-20260331.json"
BRACKETS = SHARED / "data/brackets/fapi-leverageBracket-mainnet-20260702.json"
GOALS = {"messages_s": 20_000, "round_trips_s": 1_000}


@contextlib.contextmanager
def exchange(symbols: list[str], speed: float, *, full: bool) -> Iterator[tuple[dict[str, str], int]]:
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "skalp_bot.paper", "--symbols", ",".join(symbols), "--limits", "off"]
        command += ["--speed", str(speed), "--seed", "7", "--ready-file", str(ready), "--exit-with-parent"]
        if full:
            command += ["--set", f"exchange_info={INFO}", "--set", f"brackets={BRACKETS}"]
        command += ["--set", "deposit=1000000000"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[0]})
        os.sched_setaffinity(0, set(cores[1:]) or set(cores))
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit(f"the exchange ended with {process.returncode}")
                time.sleep(0.05)
            yield json.loads(ready.read_text()), process.pid
        finally:
            os.sched_setaffinity(0, set(cores))
            process.terminate()
            process.wait(10)


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def messages(ready: dict[str, str], pid: int, symbols: list[str], seconds: float) -> dict[str, float]:
    """Take bookTicker, trade and depth of every symbol on one connection, as fast as it gives."""
    names = [f"{name.lower()}@{kind}" for name in symbols for kind in ("bookTicker", "trade", "depth@100ms")]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(ready["ws"] + "/stream", compress=0, max_msg_size=0) as socket,
    ):
        for start in range(0, min(len(names), 1000), 200):
            await socket.send_bytes(
                orjson.dumps({"method": "SUBSCRIBE", "params": names[start : start + 200], "id": start})
            )
        await socket.receive()
        busy, begun, count, lags = cpu_s(pid), time.perf_counter(), 0, []
        while (passed := time.perf_counter() - begun) < seconds:
            message = await socket.receive()
            count += 1
            if count % 2000 == 0:
                data = orjson.loads(message.data)
                lags.append(time.time() * 1000 - data.get("data", {}).get("E", 0))
        busy = cpu_s(pid) - busy
        return {
            "messages_s": round(count / passed),
            "server_cpu": round(busy / passed, 2),
            "server_us_per_message": round(busy / max(count, 1) * 1e6, 1),
            "lag_ms_p50": round(statistics.median(lags), 1) if lags else 0.0,
        }


async def round_trips(ready: dict[str, str], pid: int, symbol: str, seconds: float) -> dict[str, float]:
    """Place resting orders one after another, each awaited, and cancel every second one."""
    headers, secret, times, placed = {"X-MBX-APIKEY": ready["api_key"]}, ready["api_secret"].encode(), [], 0
    async with aiohttp.ClientSession(headers=headers) as session:

        async def call(method: str, path: str, **params: object) -> dict[str, object]:
            text = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
            text += "&signature=" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
            async with session.request(method, f"{ready['rest']}{path}?{text}") as answer:
                body: dict[str, object] = orjson.loads(await answer.read())
                if answer.status != 200:
                    raise SystemExit(f"refused: {body}")
                return body

        top = await call("GET", "/fapi/v1/ticker/bookTicker", symbol=symbol)
        price = f"{float(str(top['bidPrice'])) * 0.97:.1f}"
        order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        memory, begun = resident_kb(pid), time.perf_counter()
        while time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            answer = await call("POST", "/fapi/v1/order", **order, price=price)
            times.append(time.perf_counter() - start)
            placed += 1
            start = time.perf_counter()
            await call("DELETE", "/fapi/v1/order", symbol=symbol, orderId=answer["orderId"])
            times.append(time.perf_counter() - start)
        passed = time.perf_counter() - begun
        grown = resident_kb(pid) - memory
    times.sort()
    return {
        "round_trips_s": round(len(times) / passed),
        "round_trip_ms_p50": round(times[len(times) // 2] * 1000, 3),
        "round_trip_ms_p99": round(times[len(times) * 99 // 100] * 1000, 3),
        "kb_per_order": round(grown / max(placed, 1), 2),
    }


def known_symbols(count: int) -> list[str]:
    rows = orjson.loads(INFO.read_bytes())["symbols"]
    trading = [
        row["symbol"] for row in rows if row["status"] == "TRADING" and row["contractType"] == "PERPETUAL"
    ]
    return ["BTCUSDT", *(name for name in trading if name != "BTCUSDT")][:count]


def measure(count: int, seconds: float, speed: float) -> dict[str, float] | None:
    full = count > 1
    if full and not (INFO.exists() and BRACKETS.exists()):
        print(f"{count:4d} symbols: left out, {INFO} is not there")
        return None
    symbols = known_symbols(count) if full else ["BTCUSDT"]
    with exchange(symbols, speed, full=full) as (ready, pid):
        rss = resident_kb(pid)
        found: dict[str, float] = {"symbols": len(symbols), "rss_mb": round(rss / 1024, 1)}
        found |= asyncio.run(messages(ready, pid, symbols, seconds))
    with exchange(symbols, 1.0, full=full) as (ready, pid):
        found |= asyncio.run(round_trips(ready, pid, "BTCUSDT", seconds))
    print(f"{len(symbols):4d} symbols: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--symbols", default="1,50,500")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    rows = [
        row
        for count in map(int, given.symbols.split(","))
        if (row := measure(count, given.seconds, max(2.0, 400.0 / count))) is not None
    ]
    best = {name: max((row[name] for row in rows), default=0) for name in GOALS}
    print(json.dumps({"bench": "exchange", "goals": GOALS, "best": best, "rows": rows}))


main()
