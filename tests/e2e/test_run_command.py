"""`skalp-bot run` as a newcomer starts it: its own exchange, its report, its exit codes, its end."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import PYTHON, ROOT, until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(170)]


def run(folder: Path, *words: str, seconds: float = 90.0, **environ: str) -> subprocess.CompletedProcess[str]:
    report = folder / "out.json"
    return subprocess.run(
        [*PYTHON, "run", "--profile", str(ROOT / "profiles/paper.yaml"), "--report", str(report), *words],
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def reported(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out.json").read_text()))


def until_told(log: Path, text: str, seconds: float) -> None:
    until(lambda: text in log.read_text(errors="replace"), seconds, text)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def exchange_pid(state_dir: Path) -> int:
    """The child that was told to write its ready file into this directory."""
    wanted = str(state_dir / "exchange.json")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if wanted in words and "exchange" in words:
                return int(entry.name)
    return 0


def check_promises(report: dict[str, Any], *, ticks: int) -> None:
    assert report["ticks"] > ticks
    assert report["fills"] > 0
    assert report["round_trips"] >= 1
    assert report["orders"]["unknown"] == 0
    assert report["drift"]["open"] == 0
    assert report["wallet"]["residual"] == "0"
    assert report["unprotected_seconds_max"] <= 3
    assert report["trading_state"] == "ACTIVE"


def test_a_first_run_trades_and_its_report_adds_up(tmp_path: Path) -> None:
    done = run(tmp_path, "--duration", "20s", "--seed", "7")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    check_promises(reported(tmp_path), ticks=300)
    assert "never retrieved" not in done.stdout, "longer than a ping takes, and nothing raised unseen"
    first = [json.loads(line)["message"] for line in done.stdout.splitlines()[:5]]
    assert "strategy exercise" in first[0]
    assert any("state/paper" in line for line in first)
    words = next(line for line in first if line.startswith("Look:")).split()[1:]
    shown = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert shown.returncode == 0, "the first thing we tell a newcomer to type works as it stands"


@pytest.mark.slow
def test_the_promised_minute_twice_in_a_row(tmp_path: Path) -> None:
    for _ in range(2):
        done = run(tmp_path, "--duration", "60s", "--seed", "7", seconds=150)
        assert done.returncode == 0, done.stdout[-3000:]
        check_promises(reported(tmp_path), ticks=1_000)


def test_each_symbol_stops_where_its_own_exits_say(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        *("--duration", "12s", "--seed", "7"),
        AURORA__EXITS_BY_SYMBOL__ETHUSDT__SL_PCT="0.004",
        AURORA__EXITS_BY_SYMBOL__ETHUSDT__TP_PCT="0.006",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    guarded = [line for line in told if line["event"] == "bracket" and line["cue"] == "COVERED"]
    for symbol, distance in (("BTCUSDT", 0.001), ("ETHUSDT", 0.004)):
        stops = [abs(float(b["stop"]) / float(b["entry"]) - 1) for b in guarded if b["symbol"] == symbol]
        assert stops
        assert stops == pytest.approx([distance] * len(stops), rel=0.02)
    assert reported(tmp_path)["slippage_bps"]["parents"] >= 2


def test_a_killed_daemon_takes_its_own_exchange_with_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = [*PYTHON, "run", "--profile", str(ROOT / "profiles/paper.yaml"), "--state-dir", str(state)]
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=log)
        until_told(tmp_path / "log", '"event":"ready"', 30)
        child = exchange_pid(state)
        assert child
        daemon.kill()
        daemon.wait()
        until(lambda: not alive(child), 10, "the exchange ended")


def test_ctrl_c_stops_cleanly_and_resumes_with_the_same_account(tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = ["run", "--profile", str(ROOT / "profiles/paper.yaml"), "--state-dir", str(state), "--seed", "7"]
    wallets = []
    for number in range(2):
        report = tmp_path / f"{number}.json"
        with (tmp_path / f"log{number}").open("wb") as log:
            daemon = subprocess.Popen(
                [*PYTHON, *words, "--report", str(report)], cwd=tmp_path, stdout=log, stderr=log
            )
            until_told(tmp_path / f"log{number}", '"event":"fill"', 40)
            time.sleep(1.0)
            daemon.send_signal(signal.SIGINT)
            assert daemon.wait(40) == 0, (tmp_path / f"log{number}").read_text()[-3000:]
        told = json.loads(report.read_text())
        assert told["wallet"]["residual"] == "0"
        assert told["drift"]["open"] == 0
        wallets.append(told["wallet"])
    assert wallets[1]["start"] == wallets[0]["end"]


def test_a_failed_start_still_reports_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text('{"rest": "http://127.0.0.1:9"}')
    done = run(tmp_path, "--exchange", str(tmp_path / "ready.json"))
    assert done.returncode == 3
    assert "ready file" in done.stderr
    assert reported(tmp_path)["errors"]
    assert reported(tmp_path)["exit_code"] == 3


def test_a_market_that_cannot_be_played_is_told_in_the_exchanges_words(tmp_path: Path) -> None:
    done = run(tmp_path, "--market", "script:nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


@pytest.mark.parametrize("place", ["", ".", "a_file/out.json"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_trades(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "a_file").write_text("in the way")
    done = run(tmp_path, "--report", place, "--duration", "5s", seconds=30)
    assert done.returncode == 2
    assert "--report" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("state/paper/*/journal.sqlite"))


def test_a_run_whose_report_is_lost_at_the_end_has_failed(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    out = (tmp_path / "log").open("wb")
    daemon = subprocess.Popen(
        [*PYTHON, "run", "--profile", str(ROOT / "profiles/paper.yaml"), "--report", "reports/out.json"],
        cwd=tmp_path,
        stdout=out,
        stderr=out,
    )
    until_told(tmp_path / "log", '"event":"ready"', 40)
    (folder / "out.json").mkdir()  # Somebody put something there meanwhile.
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(40) == 1
    assert "could not be written" in (tmp_path / "log").read_text()
    out.close()


def test_a_state_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("in the way")
    done = run(tmp_path, "--state-dir", "a_file", "--duration", "5s", seconds=30)
    assert done.returncode == 2
    assert "state directory a_file cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_directory_too_deep_for_its_socket_is_refused_before_anything_trades(tmp_path: Path) -> None:
    deep = Path("d" * 60) / ("e" * 60)
    done = run(tmp_path, "--state-dir", str(deep), "--duration", "5s", seconds=30)
    assert done.returncode == 2
    assert "too deep for its control.sock" in done.stderr
    assert not (tmp_path / deep / "journal.sqlite").exists()
