"""Runs the daemon on a paper exchange for a long time and watches from outside what it holds on to.

The market is a script: five symbols that go nowhere, on which the exercise strategy trades. Budgets: the
resident memory after the start, its slope per minute after minute 5, a constant number of descriptors; and
the run must end well, with every tick counted and every cent explained.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable, "-m", "skalp_bot"]
PRICES = {
    "BTCUSDT": "price: 60000, spread: 0.1, qty: 5",
    "ETHUSDT": "price: 2000, spread: 0.01, qty: 100",
    "BNBUSDT": "price: 600, spread: 0.01, qty: 300",
    "SOLUSDT": "price: 150, spread: 0.01, qty: 1000",
    "XRPUSDT": "price: 2, spread: 0.0001, qty: 50000",
}
PROFILE = """
extends: {root}/profiles/paper.yaml
symbols: [{symbols}]
governance: {{max_concurrent_positions: {count}, daily_drawdown_max: 0.9}}  # Fees must not end the trading.
"""
RSS_MIB_MAX, SLOPE_MIB_MAX = 200.0, 0.2
SETTLED_S, WARM_S, JUDGED_MINUTES = 20.0, 300.0, 15.0
TICKS_MIN = 0.98
TRADING_MIN = 0.5  # The journal of the last third of the time over that of the first.
SAMPLE_S, READY_S, END_S = 2.0, 60.0, 60.0
LOG = "daemon.log"


@dataclass(frozen=True)
class Sample:
    """The daemon at one moment, seconds after it was ready; and the memory of its exchange."""

    at: float
    rss_mib: float
    exchange_mib: float
    descriptors: int
    journal_mib: float
    state_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=500, help="ticks a second over all symbols")
    given = parser.parse_args()
    if given.minutes * 60 < 2 * SETTLED_S or given.rate < len(PRICES):
        parser.error(f"--minutes must be at least {2 * SETTLED_S / 60:.2f}, --rate at least {len(PRICES)}")
    print(f"{given.minutes:g} minutes at {given.rate} ticks/s; load {load()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        samples, report, code = soaked(Path(name), given.minutes * 60, given.rate)
        lost = streams_lost(Path(name) / LOG)
    told = measured(samples, report, code) | {"streams_lost": lost}
    told |= {"minutes": given.minutes, "rate": given.rate}
    broken = budgets(told, judged=given.minutes >= JUDGED_MINUTES)
    for text in broken:
        print(f"broken: {text}")
    print(f"load {load()}")
    print(json.dumps({"bench": "soak"} | told | {"broken": broken}))
    return 1 if broken else 0


def load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


# -- the run


def soaked(folder: Path, seconds: float, rate: int) -> tuple[list[Sample], dict[str, Any], int]:
    """Samples from ready to the end, the report, the exit code."""
    exchange = opened(folder, rate)
    try:
        daemon = started(folder, seconds)
        try:
            samples = watched(daemon, exchange, folder, seconds)
            code = daemon.wait(END_S)
        finally:
            ended(daemon)
        report_file = folder / "report.json"
        return samples, json.loads(report_file.read_bytes()) if report_file.exists() else {}, code
    finally:
        ended(exchange)


def opened(folder: Path, rate: int) -> subprocess.Popen[bytes]:
    lines = "".join(f"  {symbol}: {{{told}, levels: 20}}\n" for symbol, told in PRICES.items())
    each = rate / len(PRICES)
    steady = f"steady: {{seconds: 60, rate: {each:g}, trades_every: 10}}"
    script = f"symbols:\n{lines}steps:\n  - repeat: {{times: forever, steps: [{{{steady}}}]}}\n"
    (folder / "market.yaml").write_text(script)
    ready, log = folder / "ready.json", folder / "exchange.log"
    words = [*PYTHON, "exchange", "--symbols", ",".join(PRICES), "--ready-file", str(ready)]
    words += ["--market", f"script:{folder / 'market.yaml'}"]
    with log.open("wb") as handle:
        exchange = subprocess.Popen(words, cwd=ROOT, stdout=handle, stderr=handle)
    wait_for(ready.exists, exchange, log)
    return exchange


def started(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    profile = folder / "profile.yaml"
    profile.write_text(PROFILE.format(root=ROOT, symbols=", ".join(PRICES), count=len(PRICES)))
    words = [*PYTHON, "run", "--profile", str(profile), "--exchange", str(folder / "ready.json")]
    words += ["--state-dir", str(folder / "state"), "--report", str(folder / "report.json")]
    log = folder / LOG
    with log.open("wb") as handle:
        daemon = subprocess.Popen(
            [*words, "--duration", f"{seconds:.0f}s"], cwd=ROOT, stdout=handle, stderr=handle
        )
    wait_for(lambda: b'"ready"' in log.read_bytes() or b" ready" in log.read_bytes(), daemon, log)
    return daemon


def wait_for(holds: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_S
    while not holds():
        if process.poll() is not None or time.monotonic() > until:
            ended(process)
            raise SystemExit(f"not ready in {READY_S:g} s:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def watched(
    daemon: subprocess.Popen[bytes], exchange: subprocess.Popen[bytes], folder: Path, seconds: float
) -> list[Sample]:
    """A sample every two seconds until shortly before the daemon ends by itself."""
    begun, samples, minute = time.monotonic(), [], 0
    while (passed := time.monotonic() - begun) < seconds - SAMPLE_S and daemon.poll() is None:
        samples.append(seen(daemon.pid, exchange.pid, folder / "state", passed))
        if passed >= 60 * (minute + 1):
            minute += 1
            last = samples[-1]
            print(
                f"minute {minute:3d}: {last.rss_mib:7.1f} MiB, {last.descriptors} descriptors, "
                f"journal {last.journal_mib:.2f} MiB; exchange {last.exchange_mib:.1f} MiB",
                flush=True,
            )
        time.sleep(SAMPLE_S)
    return samples


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def seen(pid: int, exchange: int, state: Path, at: float) -> Sample:
    sizes = {}
    for path in state.rglob("*"):
        try:
            sizes[path.name] = path.stat().st_size / 2**20 if path.is_file() else 0.0
        except FileNotFoundError:  # A socket or a checkpoint's file that has just gone.
            continue
    return Sample(
        at=at,
        rss_mib=resident_mib(pid),
        exchange_mib=resident_mib(exchange),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        journal_mib=sum(size for name, size in sizes.items() if name.startswith("journal.sqlite")),
        state_mib=sum(sizes.values()),
    )


# -- what it comes to


def streams_lost(log: Path) -> int:
    """How often a stream went down, by the daemon's own words."""
    lines = [json.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    return sum(line["event"] == "stream" and not line["up"] for line in lines)


def measured(samples: list[Sample], report: dict[str, Any], code: int) -> dict[str, Any]:
    settled = [each for each in samples if each.at >= SETTLED_S]
    if len(settled) < 4:
        raise SystemExit(f"the daemon ended with {code} after {len(samples)} samples")
    late = [each for each in settled if each.at >= WARM_S]
    if len(late) < 4:
        late = settled[len(settled) // 2 :]
    third = max(1, len(settled) // 3)
    first, last = grown(settled[:third]), grown(settled[-third:])
    ticks = report.get("ticks", 0) + report.get("ticks_conflated", 0)
    return {
        "exit_code": code,
        "rss_start_mib": round(settled[0].rss_mib, 1),
        "rss_end_mib": round(samples[-1].rss_mib, 1),
        "rss_max_mib": round(max(each.rss_mib for each in settled), 1),
        "rss_slope_mib_min": round(60 * slope([(each.at, each.rss_mib) for each in late]), 3),
        "descriptors_start": int(statistics.median(each.descriptors for each in settled[:third])),
        "descriptors_end": int(statistics.median(each.descriptors for each in settled[-third:])),
        "descriptors_max": max(each.descriptors for each in settled),
        "journal_mib_hour": round(3600 * slope([(each.at, each.journal_mib) for each in settled]), 1),
        "trading_kept_up": round(last / first, 2) if first else 0.0,
        "exchange_end_mib": round(samples[-1].exchange_mib, 1),
        "exchange_slope_mib_min": round(60 * slope([(each.at, each.exchange_mib) for each in late]), 3),
        "state_dir_mib_hour": round(3600 * slope([(each.at, each.state_mib) for each in settled]), 1),
        "ticks_s": round(ticks / max(report.get("duration_s", 0.0), 1.0), 1),
        "ticks_conflated": report.get("ticks_conflated", 0),
        "fills": report.get("fills", 0),
        "residual": report.get("wallet", {}).get("residual", "unknown"),
        "drift_open": report.get("drift", {}).get("open", -1),
        "errors": report.get("errors", ["no report"])[:5],
    }


def grown(samples: list[Sample]) -> float:
    """What the journal grew by, in MiB."""
    return samples[-1].journal_mib - samples[0].journal_mib


def slope(points: list[tuple[float, float]]) -> float:
    """Units per second of the straight line through them."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def budgets(told: dict[str, Any], *, judged: bool) -> list[str]:
    """What does not hold; a slope over a few minutes says nothing."""
    growth = told["descriptors_end"] - told["descriptors_start"]
    promises = {
        f"exit code {told['exit_code']}": told["exit_code"] == 0,
        f"{told['rss_start_mib']} MiB after the start, allowed {RSS_MIB_MAX:g}": (
            told["rss_start_mib"] < RSS_MIB_MAX
        ),
        f"memory grows {told['rss_slope_mib_min']} MiB a minute, allowed {SLOPE_MIB_MAX:g}": (
            told["rss_slope_mib_min"] < SLOPE_MIB_MAX or not judged
        ),
        f"descriptors changed by {growth}": growth == 0,
        f"{told['ticks_s']} ticks/s arrived of {told['rate']}": told["ticks_s"] >= TICKS_MIN * told["rate"],
        f"streams were lost {told['streams_lost']} times": told["streams_lost"] == 0,
        f"residual {told['residual']}": told["residual"] == "0",
        f"drift open {told['drift_open']}": told["drift_open"] == 0,
        "no fills": told["fills"] > 0,
        f"trading did not keep up: {told['trading_kept_up']} of its first third in the last": (
            told["trading_kept_up"] >= TRADING_MIN or not judged
        ),
    }
    return [what for what, holds in promises.items() if not holds]


if __name__ == "__main__":
    sys.exit(main())
