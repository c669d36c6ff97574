"""One exchange with its switchboard and one daemon on it, through many accidents in a row."""

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

from tests.e2e.record import Record
from tests.e2e.rig import LONG_FIRST, SHORT_FIRST, Daemon, Venue, profile, start_daemon, until

MARKET = """
symbols:
  BTCUSDT: {{price: 60000, spread: 0.1, qty: {qty}, levels: 20}}
steps:
  - steady: {{seconds: 3600, rate: 20, wobble_ticks: 0}}
"""
LONG, SHORT = 1, -1
TARGET_BPS, STOP_BPS, GAP_BPS = 45, 33, 120  # Beyond the local target; the local stop; both stops.


class Socket(http.client.HTTPConnection):
    """HTTP to the daemon's control socket."""

    def __init__(self, file: Path) -> None:
        super().__init__("daemon", timeout=15)
        self.file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.file))


class Arena:
    """Every accident begins flat and paused, and is judged flat and paused by the exchange's whole record."""

    def __init__(
        self,
        folder: Path,
        *,
        qty: float = 5,
        side: int = LONG,
        exits: str = "",
        execution: str = "",
        look_s: float = 10.0,  # At two seconds the looks alone use up the minute of weight.
    ) -> None:
        self.folder, self.sound = folder, True
        self.halt_id = ""
        self.judged_ms = self.began = 0
        self.armed: list[str] = []
        # A month's accidents in minutes: the weight of a minute would run out, and with it the questions.
        switches = ("--set", "faults=on", "--set", "weight_1m=24000")
        self.venue = Venue(folder / "venue", MARKET.format(qty=qty), *switches)
        self.profile = profile(
            folder, seed=LONG_FIRST if side == LONG else SHORT_FIRST, every=0.5, exits=exits
        )
        # An order that never arrived is proven dead sooner.
        more = f"execution: {{fence_margin_ms: 1000, {execution}}}\n"
        self.profile.write_text(self.profile.read_text() + more)
        self.first = side
        self.daemon = self.start()

    def start(self, *, paused: bool = True) -> Daemon:
        self.daemon = start_daemon(self.venue, self.profile, self.folder / "state")
        if paused:
            self.daemon.wait_event("ready")
            self.pause()
        return self.daemon

    def restart(self) -> int:
        """The next process on the same state, after a kill; when it was born, in ms."""
        born = time.time_ns() // 1_000_000
        self.venue.switch("DELETE", "/rules")
        self.start(paused=False)
        return born

    def close(self) -> None:
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        self.venue.process.kill()  # It would wait for those whose answer it holds back.
        self.venue.close()

    def ask(self, method: str, page: str, **body: str) -> dict[str, Any]:
        line = Socket(self.folder / "state" / "control.sock")
        try:
            line.request(method, f"/{page}", json.dumps(body) if body else None)
            return dict(json.loads(line.getresponse().read()))
        finally:
            line.close()

    def told(self) -> str:
        """What the daemon logged last, and what became of its requests: for the reader of a failure."""
        rows = [json.dumps(row) for row in self.venue.requests()[-30:]]
        return "\n".join([*self.daemon.raw[-60:], *rows])

    def pause(self) -> None:
        self.halt_id = self.ask("POST", "pause", by="test", reason="between accidents")["halt_id"]

    def resume(self) -> None:
        told = self.ask("POST", "resume", by="test", reason="go", halt_id=self.halt_id)
        assert told["trading_state"] == "ACTIVE", told

    def arm(self, *rules: dict[str, Any]) -> None:
        for number, rule in enumerate(rules):
            name = f"{len(self.armed)}-{number}"
            self.armed.append(name)
            self.venue.switch("POST", "/rules", {"name": name} | rule)

    def next_side(self) -> int:
        opened = [trade.after for trade in Record.of(self.venue).trades if not trade.before]
        if not opened:
            return self.first
        return SHORT if opened[-1] > 0 else LONG

    def begin(self, side: int) -> None:
        """An entry of this side is next; the exercise alternates, so a round trip may have to come first."""
        if self.next_side() != side:
            self.take_profit(self.enter())
            self.judge(fired=False)
        self.began = len(self.venue.requests())

    def enter(self, *, guarded: bool = True, seconds: float = 12.0) -> int:
        """Let one entry happen; its side. No further one is allowed until the next."""
        self.resume()
        until(lambda: self.venue.position() != 0, seconds, "an entry")
        side = LONG if self.venue.position() > 0 else SHORT
        if guarded:
            until(self.guarded, 4.0, "a listed stop")
        self.pause()
        return side

    def guarded(self) -> bool:
        """Whether the daemon itself has seen its stop listed."""
        shown = self.ask("GET", "status")["symbols"][0]["bracket"]
        return shown is not None and bool(shown["stop_listed"]) and self.venue.protected()

    def take_profit(self, side: int) -> None:
        self.venue.push(TARGET_BPS * side)

    def flat(self, seconds: float = 6.0) -> None:
        until(lambda: self.venue.position() == 0, seconds, "flat")

    def judge(self, *, naked_ms: int = 3_000, fired: bool = True) -> Record:
        """Flat, swept, and nothing on record that must not be."""
        if fired:
            silent = [name for name, times in self.venue.fired().items() if not times]
            assert not silent, f"accidents that never happened: {silent}"
        self.venue.switch("DELETE", "/rules")
        self.armed.clear()
        self.flat()
        until(lambda: not self.venue.stops() and not self.venue.open_orders(), 5.0, "swept")
        until(lambda: not self.ask("GET", "status")["drift_open"], 8.0, "books that agree")
        record = Record.of(self.venue)
        record.assert_sound(naked_ms=naked_ms, since_ms=self.judged_ms)
        self.judged_ms = record.now_ms
        return record
