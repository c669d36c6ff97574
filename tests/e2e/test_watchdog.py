"""A daemon whose loop hangs: entries cancelled from outside, stops kept, ended, and HALTED next time."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skalp_bot.runner.watchdog import KILL
from tests.e2e.paper_process import Venue, running

ROOT = Path(__file__).parent.parent.parent
PROFILE = f"""
extends: {ROOT}/profiles/paper.yaml
symbols: [BTCUSDT]
strategy: {{name: exercise, seed: 0, exercise_every_s: 0.5, exercise_hold_s: 86400.0}}
exits: {{tp_pct: 0.02, sl_pct: 0.02, backstop_pct: 0.04}}
"""
# A signal that makes the main thread, which is the loop, sleep for a minute.
HANGS = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(60))
from skalp_bot.cli.app import main
sys.exit(main())
"""
SILENCE_S, RESCUE_S, ROOM_S = 5.0, 10.0, 2.0


@contextmanager
def daemon(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "profile.yaml").write_text(PROFILE)
    words = [sys.executable, "-c", HANGS, "run", "--json", "--profile", str(folder / "profile.yaml")]
    words += ["--exchange", str(folder / "ready.json"), "--state-dir", str(folder / "state"), *more]
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def held(venue: Venue) -> bool:
    """A position behind both of its stops."""
    return len(venue.call("GET", "/fapi/v1/openAlgoOrders")) == 2


def until(folder: Path, venue: Venue) -> None:
    began = time.monotonic()
    while not held(venue):
        assert time.monotonic() - began < 40, (folder / "daemon.log").read_text()[-3000:]
        time.sleep(0.2)


def open_orders(venue: Venue) -> list[str]:
    return [row["clientOrderId"] for row in venue.call("GET", "/fapi/v1/openOrders")]


def rest_entry(venue: Venue, client_id: str, *, reduce_only: bool = False) -> None:
    side = "SELL" if venue.call("GET", "/fapi/v3/positionRisk")[0]["positionAmt"].startswith("-") else "BUY"
    far = {"BUY": "58000", "SELL": "62000"}
    if reduce_only:
        side = {"BUY": "SELL", "SELL": "BUY"}[side]
    venue.call(
        "POST",
        "/fapi/v1/order",
        symbol="BTCUSDT",
        side=side,
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.003",
        price=far[side],
        reduceOnly="true" if reduce_only else "false",
        newClientOrderId=client_id,
    )


@pytest.mark.serial
def test_a_hung_loop_is_ended_in_time_its_entries_cancelled_and_its_stops_kept(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        with daemon(tmp_path) as process:
            until(tmp_path, venue)
            process.send_signal(signal.SIGUSR1)
            hung = time.monotonic()
            rest_entry(venue, "ska1-late-1-0E")
            rest_entry(venue, "ska1-late-2-0X", reduce_only=True)
            rest_entry(venue, "somebody-else")
            assert process.wait(60) == 4
            assert time.monotonic() - hung < SILENCE_S + RESCUE_S + ROOM_S
        assert open_orders(venue) == ["ska1-late-2-0X", "somebody-else"]
        assert held(venue)
        halt = (tmp_path / "state" / "HALT").read_text()
        assert "watchdog: the loop was silent for 5." in halt
        assert '"event":"watchdog","reason":"watchdog: the loop' in (tmp_path / "daemon.log").read_text()
        assert "Thread" in (tmp_path / "state" / "watchdog.log").read_text()
        report = tmp_path / "report.json"
        with daemon(tmp_path, "--duration", "3s", "--report", str(report)) as again:
            assert again.wait(60) == 0, (tmp_path / "daemon.log").read_text()[-3000:]
        assert json.loads(report.read_text())["trading_state"] == "HALTED"
        assert held(venue)


@pytest.mark.serial
def test_the_flag_file_ends_a_healthy_daemon_the_same_way(tmp_path: Path) -> None:
    with running(tmp_path) as venue, daemon(tmp_path) as process:
        until(tmp_path, venue)
        rest_entry(venue, "ska1-late-1-0E")
        (tmp_path / "state" / KILL).touch()
        assert process.wait(RESCUE_S + ROOM_S) == 4
        assert open_orders(venue) == []
        assert held(venue)
        assert "KILL was found" in (tmp_path / "state" / "HALT").read_text()
        assert not (tmp_path / "state" / KILL).exists()


@pytest.mark.serial
def test_entries_are_cancelled_from_outside_although_the_halt_cannot_be_written(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path) as venue:
        with daemon(tmp_path) as process:
            until(tmp_path, venue)
            process.kill()
        rest_entry(venue, "ska1-late-1-0E")
        (state / "HALT").mkdir()
        words = [sys.executable, "-m", "skalp_bot", "cancel", "--standalone", "--json"]
        done = subprocess.run(
            [*words, "--state-dir", str(state)], capture_output=True, text=True, check=False, timeout=60
        )
        told = json.loads(done.stdout)
        assert (done.returncode, list(told["cancelled"])) == (1, ["ska1-late-1-0E"])
        assert "HALT cannot be written" in told["error"]
        assert open_orders(venue) == []
        assert held(venue)


@pytest.mark.slow
@pytest.mark.serial
def test_a_daemon_that_was_stopped_as_a_whole_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as venue, daemon(tmp_path) as process:
        until(tmp_path, venue)
        process.send_signal(signal.SIGSTOP)
        time.sleep(SILENCE_S + 2)
        process.send_signal(signal.SIGCONT)
        time.sleep(2)
        assert process.poll() is None
        assert not (tmp_path / "state" / "HALT").exists()
        assert held(venue)
