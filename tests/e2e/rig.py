"""Real processes on loopback: a paper exchange with a script, a daemon on it, and the exchange's own view."""

import functools
import hashlib
import hmac
import http.client
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PYTHON = [sys.executable, "-m", "skalp_bot"]
LONG_FIRST, SHORT_FIRST = 0, 4  # Seeds of the exercise on BTCUSDT.
SYMBOL = "BTCUSDT"
# The whole of 127.0.0.0/8 is this machine; each address has a minute of request weight of its own.
TESTERS = itertools.cycle([f"127.0.0.{number}" for number in range(2, 10)])

PROFILE = """
extends: {root}/profiles/paper.yaml
symbols: [{symbol}]
strategy: {{name: exercise, seed: {seed}, exercise_every_s: {every}, exercise_hold_s: {hold}}}
exits: {{tp_pct: {tp}, sl_pct: {sl}, backstop_pct: 0.02, {exits}}}
reconcile: {{interval_s: {look_s}}}
"""


def profile(  # One keyword per knob a story turns.
    folder: Path,
    *,
    seed: int = LONG_FIRST,
    every: float = 0.5,
    hold: float = 86_400.0,
    tp: float = 0.003,
    sl: float = 0.003,
    exits: str = "",
    look_s: float = 2.0,
) -> Path:
    path = folder / "profile.yaml"
    text = PROFILE.format(
        root=ROOT, symbol=SYMBOL, seed=seed, every=every, hold=hold, tp=tp, sl=sl, exits=exits, look_s=look_s
    )
    path.write_text(text)
    return path


class Elsewhere(urllib.request.HTTPHandler):
    """Asks from other addresses: a test must not use up the daemon's minute of request weight."""

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connect = functools.partial(http.client.HTTPConnection, source_address=(next(TESTERS), 0))
        return self.do_open(connect, request)


FROM_ELSEWHERE = urllib.request.build_opener(Elsewhere)


class Venue:
    """A paper exchange as a process of its own, and signed questions to it: the truth of these tests."""

    def __init__(self, folder: Path, script: str, *switches: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ahead_s = 0.0  # Of its clock over ours, where a test set it so.
        self.ready_file = folder / "ready.json"
        (folder / "market.yaml").write_text(script)
        words = [*PYTHON, "exchange", "--symbols", SYMBOL, "--market", f"script:{folder / 'market.yaml'}"]
        words += ["--ready-file", str(self.ready_file), "--limits", "on", *switches]
        self._log = (folder / "exchange.log").open("wb")
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=self._log, stderr=self._log)
        await_file(self.ready_file, self.process)
        self.ready = json.loads(self.ready_file.read_text())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._log.close()

    def ask(self, path: str, method: str = "GET", **params: object) -> Any:
        params |= {"timestamp": int((time.time() + self.ahead_s) * 1000), "recvWindow": 5000}
        text = urllib.parse.urlencode(params)
        secret = self.ready["api_secret"].encode()
        signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"{self.ready['rest']}{path}?{text}&signature={signature}",
            method=method,
            headers={"X-MBX-APIKEY": self.ready["api_key"]},
        )
        try:
            with FROM_ELSEWHERE.open(request, timeout=5) as answer:
                return json.loads(answer.read(), parse_float=Decimal)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def switch(self, method: str, path: str, body: object = None) -> Any:
        """Its switchboard, where it was started with one (``--set faults=on``)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"] + path, method=method, data=data)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def push(self, *move_bps: float, **more: object) -> None:
        """Move the whole market by each of these in one instant."""
        self.switch("POST", "/market", {"symbol": SYMBOL, "move_bps": list(move_bps), **more})

    def requests(self) -> list[dict[str, Any]]:
        return list(self.switch("GET", "/requests"))

    def fired(self) -> dict[str, int]:
        return {name: row["fired"] for name, row in self.switch("GET", "/rules").items()}

    def position(self) -> Decimal:
        rows = self.ask("/fapi/v3/positionRisk", symbol=SYMBOL)
        return sum((Decimal(row["positionAmt"]) for row in rows), Decimal(0))

    def stops(self) -> list[dict[str, Any]]:
        return list(self.ask("/fapi/v1/openAlgoOrders", symbol=SYMBOL))

    def open_orders(self) -> list[dict[str, Any]]:
        return list(self.ask("/fapi/v1/openOrders", symbol=SYMBOL))

    def orders(self) -> list[dict[str, Any]]:
        return list(self.ask("/fapi/v1/allOrders", symbol=SYMBOL, limit=1000))

    def algo_orders(self) -> list[dict[str, Any]]:
        return list(self.ask("/fapi/v1/allAlgoOrders", symbol=SYMBOL, limit=1000))

    def trades(self) -> list[dict[str, Any]]:
        return list(self.ask("/fapi/v1/userTrades", symbol=SYMBOL, limit=1000))

    def wallet(self) -> Decimal:
        rows = self.ask("/fapi/v3/balance")
        return next(Decimal(row["balance"]) for row in rows if row["asset"] == "USDT")

    def protected(self) -> bool:
        """Whether a listed stop reduces the position that is held."""
        qty = self.position()
        side = "SELL" if qty > 0 else "BUY"
        return any(stop["side"] == side and "STOP" in stop["orderType"] for stop in self.stops())


@dataclass
class Daemon:
    """`skalp-bot run` as a child; its log lines, its report, its end."""

    process: subprocess.Popen[bytes]
    venue: Venue
    report_file: Path
    state_dir: Path
    born: float
    lines: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    _queue: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)

    def wait_line(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 30.0) -> dict[str, Any]:
        """The next line that is wanted; fails with the last lines when there is none in time."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"not told in {seconds} s; last lines:\n{self.tail()}") from None
            if line is None:
                raise AssertionError(f"the daemon ended ({self.process.wait()}); last lines:\n{self.tail()}")
            self.lines.append(line)
            if wanted(line):
                return line

    def wait_event(self, event: str, seconds: float = 30.0, **fields: object) -> dict[str, Any]:
        def wanted(line: dict[str, Any]) -> bool:
            return line.get("event") == event and all(line.get(key) == value for key, value in fields.items())

        return self.wait_line(wanted, seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 40.0) -> dict[str, Any]:
        self.process.send_signal(signal.SIGTERM)
        return self.end(seconds)

    def end(self, seconds: float) -> dict[str, Any]:
        """Wait for a clean end; the report."""
        code = self.process.wait(seconds)
        assert code == 0, f"exit code {code}:\n{self.tail()}"
        return dict(json.loads(self.report_file.read_text()))

    def tail(self) -> str:
        return "\n".join(self.raw[-40:])

    def read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            text = raw.decode(errors="replace").rstrip()
            self.raw.append(text)
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                self._queue.put(line)
        self._queue.put(None)


def start_daemon(venue: Venue, profile_file: Path, state_dir: Path, *arguments: str) -> Daemon:
    report = state_dir.parent / "report.json"
    words = [*PYTHON, "run", "--profile", str(profile_file), "--exchange", str(venue.ready_file)]
    words += ["--state-dir", str(state_dir), "--report", str(report), *arguments]
    born = time.monotonic()
    process = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"NO_COLOR": "1"}
    )
    daemon = Daemon(process=process, venue=venue, report_file=report, state_dir=state_dir, born=born)
    threading.Thread(target=daemon.read, daemon=True).start()
    return daemon


def ask_daemon(state_dir: Path, *words: str) -> tuple[int, Any]:
    """A command of the CLI against a running daemon: exit code and its JSON."""
    done = subprocess.run(
        [*PYTHON, *words, "--state-dir", str(state_dir), "--json"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


def await_file(path: Path, process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f"ended with {process.returncode} before {path.name} was written"
        assert time.monotonic() < until, f"{path} was not written in {seconds} s"
        time.sleep(0.02)


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again; fail with what was waited for."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.1f} s: {what}"
        time.sleep(0.1)  # Each question weighs five of the 2,400 a minute has.


def role(client_id: str) -> str:
    return client_id[-1:]


def walked(venue: Venue) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Each of our trades in order: role of its order, position before, position after."""
    roles = {str(order["orderId"]): role(order["clientOrderId"]) for order in venue.orders()}
    held = Decimal(0)
    for trade in sorted(venue.trades(), key=lambda row: int(row["id"])):
        qty = Decimal(trade["qty"]) * (1 if trade["side"] == "BUY" else -1)
        yield roles[str(trade["orderId"])], held, held + qty
        held += qty


def assert_nothing_flipped(venue: Venue) -> None:
    """Only entries open or grow; whatever reduces never crosses zero."""
    for what, before, after in walked(venue):
        if what == "E":
            assert abs(after) > abs(before), (what, before, after)
        else:
            assert before != 0, (what, before, after)
            assert abs(after) < abs(before), (what, before, after)
            assert after * before >= 0, (what, before, after)


def assert_no_id_twice(venue: Venue) -> None:
    """As the exchange saw it: each id once among orders, apart from a stop's child, and once among stops."""
    stops = [row["clientAlgoId"] for row in venue.algo_orders()]
    orders = [row["clientOrderId"] for row in venue.orders()]
    assert len(stops) == len(set(stops)), sorted(stops)
    assert len(orders) == len(set(orders)), sorted(orders)


def assert_books_agree(report: dict[str, Any], venue: Venue) -> None:
    assert_ledger_agrees(report, venue)
    assert report["unprotected_seconds_max"] <= 3, report["unprotected_seconds_max"]


def assert_ledger_agrees(report: dict[str, Any], venue: Venue) -> None:
    """Without the time unprotected: over a kill it counts how long nobody could know, dead time included."""
    assert report["wallet"]["residual"] == "0", report["wallet"]
    assert Decimal(report["wallet"]["end"]) == venue.wallet()
    assert report["drift"]["open"] == 0, report["drift"]
    assert report["orders"]["unknown"] == 0
