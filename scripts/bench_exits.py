"""Measures an exit on the wire: from the quote that crosses the stop to the first byte of the order.

The daemon is `skalp-bot run` as users start it; the paper exchange has a process and a core of its own. The
kernel's own times of the packets count: of the one with the crossing quote and of the one that the order
begins with. Between them lie the daemon's wake-up, the tick, the step, the commit of its record, signing and
sending; what the exchange itself is busy with does not count. `heard` is the same exit by the exchange's
clock: from before it writes the quote to when it comes to read the order.
Between blocks of exits a third process commits records of the same kind, one after another, with the same
journal, in the same folder, on the daemon's core: that is what the disk alone costs.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
SYMBOLS, POSITIONS_MAX, REPETITIONS = (10, 100, 500), 90, 3
P50_OVER_MS, P99_OVER_MS, GROWTH_MAX = 1.0, 5.0, 1.3
READY_S = 120.0
PROFILE = """
extends: {root}/profiles/paper.yaml
symbols: [{symbols}]
strategy: {{name: skalp, skalp_imbalance_min: 1.0}}
exits: {{tp_pct: 0.05, sl_pct: 0.005, net_offset_bps: 50, backstop_pct: 0.03}}
"""


@dataclass(frozen=True)
class Plan:
    """Exits of a repetition, in blocks, with commits before, between and after them."""

    blocks: int
    exits: int
    commits: int
    repetitions: int


FULL = Plan(blocks=4, exits=125, commits=100, repetitions=REPETITIONS)
QUICK = Plan(blocks=1, exits=12, commits=12, repetitions=1)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short repetition, budgets not judged")
    parser.add_argument("--symbols", default=",".join(map(str, SYMBOLS)), help="how many, e.g. 10,100,500")
    parser.add_argument("--dir", help="where the journals are written; default: here, on a real disk")
    parser.add_argument("--role", choices=("venue", "commits"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    counts = [int(word) for word in given.symbols.split(",")]
    if given.role == "venue":
        from scripts import bench_exits_venue

        bench_exits_venue.main(given.folder, counts[0], min(counts[0], POSITIONS_MAX))
        return 0
    if given.role == "commits":
        commit_on_demand(given.folder)
        return 0
    return compare(counts, QUICK if given.quick else FULL, given.dir or str(ROOT), judged=not given.quick)


# -- the comparison


def compare(counts: list[int], plan: Plan, where: str, *, judged: bool) -> int:
    print(f"{plan.blocks * plan.exits} exits a cell, {plan.repetitions} repetitions; {load()}")
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for repetition in range(plan.repetitions):
        for count in counts:
            with tempfile.TemporaryDirectory(prefix=".bench-exits-", dir=where) as folder:
                row = measured(Path(folder), count, plan)
            found[count].append(row)
            shown = ", ".join(f"{name} {value:g}" for name, value in row.items())
            print(f"{repetition + 1}. {count:4d} symbols: {shown}", flush=True)
    rows = {str(count): middle(repeated) for count, repeated in found.items()}
    broken = budgets(rows)
    for text in broken:
        print(f"{'broken' if judged else 'not judged'}: {text}")
    print(load())
    print(json.dumps({"bench": "exits", "per_symbols": rows, "kept": not broken}))
    return 1 if broken and judged else 0


def load() -> str:
    return f"load {' '.join(f'{each:.2f}' for each in os.getloadavg())}, {os.cpu_count()} cores"


def middle(repeated: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in repeated), 3) for name in repeated[0]}


def budgets(rows: dict[str, dict[str, float]]) -> list[str]:
    """What does not hold of what is promised."""
    broken = []
    for count, row in rows.items():
        for cut, over in (("p50", P50_OVER_MS), ("p99", P99_OVER_MS)):
            exit_ms, commit_ms = row[f"exit_{cut}_ms"], row[f"commit_{cut}_ms"]
            if exit_ms > commit_ms + over:
                broken.append(
                    f"{cut} of an exit at {count} symbols is {exit_ms:.2f} ms, promised: at most that of a "
                    f"commit, {commit_ms:.2f}, and {over:g}"
                )
    few, many = rows.get("10"), rows.get("500")
    if few and many and many["exit_p50_ms"] > GROWTH_MAX * few["exit_p50_ms"]:
        growth = many["exit_p50_ms"] / few["exit_p50_ms"]
        broken.append(f"p50 at 500 symbols is {growth:.2f} of that at 10, promised {GROWTH_MAX:g}")
    return broken


def measured(folder: Path, count: int, plan: Plan) -> dict[str, float]:
    """One repetition of one cell: fresh processes, their figures in milliseconds."""
    from scripts.bench_exits_venue import crosses
    from scripts.bench_exits_wire import Tap

    venue = Talker("venue", folder, count, server=True)
    daemon = probe = None
    try:
        daemon = start_daemon(folder, count)
        wait_for_ready(folder, daemon)
        probe = Talker("commits", folder, count, server=False)
        venue.ask("open")
        exits: list[int] = []
        heard: list[int] = []
        commits = list(probe.ask(f"commits {plan.commits}")["ns"])
        told: dict[str, Any] = {}
        port = urlsplit(json.loads((folder / "ready.json").read_text())["rest"]).port or 0
        for _ in range(plan.blocks):
            with Tap(port, crosses) as tap:
                told = venue.ask(f"exits {plan.exits}")
                exits += tap.waits()
            heard += told["waits_ns"]
            commits += probe.ask(f"commits {plan.commits}")["ns"]
        if len(exits) != len(heard):
            raise SystemExit(f"{len(heard)} exits, {len(exits)} of them seen on the wire")
        row = spread("exit", exits) | spread("heard", heard) | spread("commit", commits)
        return row | {"exits": len(exits), "open_min": told["open_min"]}
    finally:
        if daemon is not None:
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
        for talker in (venue, probe):
            if talker is not None:
                talker.close()


def spread(name: str, nanos: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(nanos, n=100)
    figures = {"p50": cuts[49], "p99": cuts[98], "max": max(nanos)}
    return {f"{name}_{cut}_ms": round(value / 1e6, 3) for cut, value in figures.items()}


# -- the processes


class Talker:
    """A process of this script that answers each line with a line."""

    def __init__(self, role: str, folder: Path, count: int, *, server: bool) -> None:
        words = [sys.executable, __file__, "--role", role, "--symbols", str(count), "--folder", str(folder)]
        self._log = (folder / f"{role}.log").open("wb")
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        to_its_core(self._process.pid, server=server)
        self._path = folder / f"{role}.log"

    def ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"no answer to {line!r}:\n{self._path.read_text()[-2000:]}")
        return dict(json.loads(answer))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


def to_its_core(pid: int, *, server: bool) -> None:
    """The exchange on the first core, the daemon and the commits on another, where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[0]} if server else set(cores[1:] or cores))


def start_daemon(folder: Path, count: int) -> subprocess.Popen[bytes]:
    from scripts.bench_exits_venue import names

    wait_for((folder / "ready.json").exists, "the exchange")
    profile = folder / "profile.yaml"
    profile.write_text(PROFILE.format(root=ROOT, symbols=", ".join(names(count))))
    words = [sys.executable, "-m", "skalp_bot", "run", "--profile", str(profile)]
    words += ["--exchange", str(folder / "ready.json"), "--state-dir", str(folder / "state")]
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
    to_its_core(daemon.pid, server=False)
    return daemon


def wait_for_ready(folder: Path, daemon: subprocess.Popen[bytes]) -> None:
    log = folder / "daemon.log"

    def ready() -> bool:
        said = log.read_text()
        if daemon.poll() is not None:
            raise SystemExit(f"the daemon ended with {daemon.returncode}:\n{said[-2000:]}")
        return '"event":"ready"' in said.replace(": ", ":")

    wait_for(ready, "the daemon's readiness")


def wait_for(holds: Any, what: str) -> None:
    end = time.monotonic() + READY_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within {READY_S:g} s: {what}")
        time.sleep(0.1)


# -- commits alone


def commit_on_demand(folder: Path) -> None:
    import uvloop

    uvloop.run(commit_loop(folder))


async def commit_loop(folder: Path) -> None:
    """Rows as an exit writes them, each awaited before the next, at the pace of the exits."""
    from scripts.bench_exits_venue import GAP_S
    from skalp_bot.clock import SystemClock
    from skalp_bot.journal.schema import FILE, Fingerprint
    from skalp_bot.journal.sqlite import open_journal

    place = folder / "commits"
    place.mkdir(mode=0o700)
    account = Fingerprint(venue="paper", key_hash="0" * 16, instance="bench")
    book = open_journal(place / FILE, account, SystemClock())
    loop, seq, step = asyncio.get_running_loop(), 0, exit_step()
    draw = random.Random(7)
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        taken = []
        for _ in range(int(line[1])):
            seq += 1
            row = step._replace(seq=seq)
            begun = time.monotonic_ns()
            await book.append(row).wait()
            taken.append(time.monotonic_ns() - begun)
            await asyncio.sleep(draw.uniform(*GAP_S))
        print(json.dumps({"ns": taken}), flush=True)
    await book.close()


def exit_step() -> Any:
    """The step of an exit as the engine makes it: the quote, the bracket, the order."""
    from aurora.model.commands import Lane, SubmitOrder
    from tests.desk import Desk

    desk = Desk().open()
    desk.enter()
    desk.run(2.0)
    level = desk.engine.state.durable.brackets["BTCUSDT"].stop
    entry = desk.venue.position.entry
    step = desk.price(str(round(level + (level - entry) / 10, 1)))
    assert [c.lane for c in step.commands if isinstance(c, SubmitOrder)] == [Lane.EXIT], step
    return step


if __name__ == "__main__":
    sys.exit(main())
