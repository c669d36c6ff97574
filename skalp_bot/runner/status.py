"""What a run shows while it runs: log lines for machines, a live table on a terminal."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aurora.model.step import Step
from skalp_bot.obs.redact import redacted
from skalp_bot.ports import Clock
from skalp_bot.runner.lines import Line, Lines, headed

LINES_WAITING = 10_000
LEVELS = ("debug", "info", "warning", "error")
REDRAW_EVERY_S = 0.25
CLOSE_WAIT_S = 2.0


class Log:
    """JSON lines to a file descriptor, written off the loop: a blocked reader costs lines, never a trade."""

    def __init__(self, *, clock: Clock, handle: int, level: str = "info") -> None:
        self.dropped = 0
        self._quietest = LEVELS.index(level)
        self._clock = clock
        self._handle = handle
        self._lines = Lines()
        self._waiting: deque[bytes] = deque()
        self._writing = False
        self._dead = False

    def see(self, step: Step, /) -> None:
        for line in self._lines.of(step):
            self._put(line)

    def say(self, event: str, *, level: str = "info", **fields: Any) -> None:
        """A line of the shell's own."""
        shown = {key: redacted(value) if isinstance(value, str) else value for key, value in fields.items()}
        self._put(headed(self._clock.now(), 0, {"event": event, "level": level, **shown}))

    async def close(self) -> None:
        """Write what is waiting; gives a blocked reader two seconds."""
        for _ in range(int(CLOSE_WAIT_S / 0.01)):
            if not self._writing:
                return
            await self._clock.sleep(0.01)

    def _put(self, line: Line) -> None:
        if LEVELS.index(line["level"]) < self._quietest:
            return
        if self._dead or len(self._waiting) >= LINES_WAITING:
            self.dropped += 1
            return
        self._waiting.append(orjson.dumps(line, default=str) + b"\n")
        if not self._writing:
            self._write()

    def _write(self) -> None:
        self._writing = True
        text = b"".join(self._waiting)
        self._waiting.clear()
        done = asyncio.get_running_loop().run_in_executor(None, write_all, self._handle, text)
        done.add_done_callback(self._written)

    def _written(self, done: "asyncio.Future[bool]") -> None:
        self._writing = False
        if done.cancelled() or not done.result():
            self._dead = True  # Nobody reads any more; trading goes on.
            self.dropped += len(self._waiting)
            self._waiting.clear()
        elif self._waiting:
            self._write()


def write_all(handle: int, text: bytes) -> bool:
    """False when nobody can read it any more."""
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(handle, view) :]
    except OSError:
        return False
    return True


class Screen:
    """Redraws a table four times a second, off the loop."""

    def __init__(self, *, clock: Clock, view: Callable[[], dict[str, Any]], console: Console) -> None:
        self._clock = clock
        self._view = view
        self._console = console

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        live = Live(console=self._console, auto_refresh=False, transient=False)
        live.start()
        try:
            while True:
                shown = self._view()
                await loop.run_in_executor(None, live.update, drawn(shown))
                await loop.run_in_executor(None, live.refresh)
                await self._clock.sleep(REDRAW_EVERY_S)
        finally:
            live.update(drawn(self._view()), refresh=True)
            live.stop()


STATE_COLOURS = {"ACTIVE": "green", "REDUCING": "yellow", "HALTED": "red"}


def drawn(view: dict[str, Any]) -> Group:
    """The status as people see it: who may trade, what is held, what was decided last and why."""
    trading, counters = view["trading"], view["counters"]
    head = Text.assemble(
        (trading["state"], f"bold {STATE_COLOURS.get(trading['state'], 'white')}"),
        f" {trading['halt_id']} {trading['reason']}".rstrip(),
        f"  {view['venue']} {view['strategy']}, {'ready' if view['ready'] else 'starting'}",
    )
    equity = view["equity"]
    money = Text(
        f"equity {'?' if equity is None else format(equity, '.2f')} {view['quote_asset']}"
        f"  realised {view['realized']}  fees {view['fees']}"
        f"  {counters['fills']} fills  {counters['round_trips']} round trips"
    )
    table = Table(expand=True, box=SIMPLE, pad_edge=False)
    for name in ("symbol", "mid", "position", "entry", "stop", "PnL", "phase"):
        table.add_column(name, no_wrap=True)
    for row in view["symbols"]:
        held, bracket = row["position"], row["bracket"]
        mark = "" if bracket is None else (" ok" if bracket["stop_listed"] else " NOT LISTED")
        table.add_row(
            row["symbol"],
            f"{(row['bid'] + row['ask']) / 2:.7g}" if row["bid"] else "",
            held["qty"] if held else "flat",
            held["entry"][:9] if held else "",
            f"{bracket['stop']}{mark}" if bracket else "",
            f"{held['unrealized']:+.2f}" if held and held["unrealized"] is not None else "",
            bracket["phase"] if bracket else "",
        )
    decisions = [
        Text.assemble((f"{row['symbol']} ", "bold"), row["last_decision"]) for row in view["symbols"]
    ]
    alerts = Text("\n".join(alert["message"] for alert in view["alerts"][-3:]), style="yellow")
    return Group(head, money, table, *decisions, alerts)


def opening_words(
    *, venue: str, strategy: str, symbols: tuple[str, ...], state_dir: str, log: str, program: str
) -> tuple[str, ...]:
    """The first lines a person reads: what is happening, and where to look."""
    return (
        f"skalp-bot: strategy {strategy} on {', '.join(symbols)}, venue {venue}.",
        f"State (journal, lock, control socket): {state_dir}",
        f"Log: {log}",
        f"Look:  {program} status --state-dir {state_dir}   (positions, orders, gates, why-not, ledger)",
        f"Stop:  Ctrl-C leaves positions protected; {program} flatten --state-dir {state_dir} closes them.",
    )


def closing_words(numbers: dict[str, Any], program: str) -> tuple[str, ...]:
    """The last lines: what was earned and paid, what is still open, and whether every cent has a cause."""
    wallet, state = numbers["wallet"], numbers["state_dir"]
    left = ", ".join(f"{symbol} {qty}" for symbol, qty in numbers["positions_left"].items())
    doubts = [f"Not as it should be: {error}" for error in numbers["errors"][:5]]
    return (
        f"Ended with exit code {numbers['exit_code']} after {numbers['duration_s']:.0f} s: "
        f"{numbers['round_trips']} round trips, {numbers['fills']} fills.",
        f"Realised {numbers['realized_pnl']}, fees {numbers['fees']}, funding {numbers['funding']}; "
        f"wallet {wallet['start']} -> {wallet['end']}, unexplained {wallet['residual']}.",
        f"Longest time without a listed stop: {numbers['unprotected_seconds_max']:.3f} s.",
        f"Still open: {left or 'nothing'}.",
        f"Read on: {program} ledger --state-dir {state}   (positions, orders, why ID)",
        *doubts,
    )
