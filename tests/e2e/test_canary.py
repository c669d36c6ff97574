"""A key nobody else has, and then every place it could have leaked to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.paper_process import Venue, launch, wait_ready
from tests.e2e.test_watchdog import HANGS
from tests.test_runner_telemetry import free_port

ROOT = Path(__file__).parent.parent.parent
# Not of the length that redaction knows by sight: it must not be told at all, not only hidden in time.
KEY, SECRET = "cAnArY-kEy-5f1e9b7d3a", "cAnArY-sEcReT-8c2f6e4b0d"
PROFILE = f"""
extends: {ROOT}/profiles/paper.yaml
symbols: [BTCUSDT]
strategy: {{name: exercise, seed: 0, exercise_every_s: 0.5}}
"""
PAGES = ("metrics", "livez", "readyz", "version")
VIEWS = ("status", "positions", "orders", "gates", "ledger")


def leaked(text: bytes | str) -> list[str]:
    seen = text if isinstance(text, bytes) else text.encode()
    return [name for name, value in (("key", KEY), ("secret", SECRET)) if value.encode() in seen]


def words_of_all_processes() -> bytes:
    found = b""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found += (folder / "cmdline").read_bytes()
            except OSError:
                continue  # It ended meanwhile, or belongs to somebody else.
    return found


def run(folder: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    (folder / "profile.yaml").write_text(PROFILE)
    words = [sys.executable, "-m", "skalp_bot", "run", "--profile", str(folder / "profile.yaml")]
    words += ["--exchange", str(folder / "ready.json"), "--state-dir", str(folder / "state"), *more]
    environ = os.environ | {"AURORA__METRICS__PORT": str(port), "AURORA__LOG__LEVEL": "debug"}
    with (folder / "daemon.log").open("ab") as log:
        return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, env=environ)


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_key_is_never_in_log_journal_metrics_report_views_or_argv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as around:
        around.setenv("PAPER_API_KEY", KEY)
        around.setenv("PAPER_API_SECRET", SECRET)
        exchange = launch(tmp_path)
    port, report = free_port(), tmp_path / "report.json"
    try:
        venue = Venue(exchange, wait_ready(tmp_path, exchange))
        assert (venue.ready["api_key"], venue.ready["api_secret"]) == (KEY, SECRET)
        daemon = run(tmp_path, port, "--report", str(report))
        until_ready(tmp_path, port)
        await_fill(port)
        assert leaked(words_of_all_processes()) == []
        for page in PAGES:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
                assert leaked(answer.read()) == [], page
        for view in VIEWS:
            assert leaked(shown(tmp_path, view)) == [], view
        assert leaked(told(tmp_path, "cancel", "--standalone")) == []
        exchange.kill()  # What a lost venue makes it say must not name the key either.
        exchange.wait(10)
        time.sleep(1)
        daemon.send_signal(signal.SIGTERM)
        time.sleep(1)
        daemon.send_signal(signal.SIGTERM)  # The second one skips the waits.
        daemon.wait(60)
    finally:
        exchange.kill()
    assert json.loads(report.read_text())["ticks"] > 0
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert {"journal.sqlite", "venue.json", "HALT"} <= {path.name for path in files}
    for path in (*files, tmp_path / "daemon.log", report):
        assert leaked(path.read_bytes()) == [], path


def test_a_key_the_venue_refuses_is_not_shown_in_the_refusal(tmp_path: Path) -> None:
    exchange = launch(tmp_path)
    try:
        told = wait_ready(tmp_path, exchange) | {"api_key": KEY, "api_secret": SECRET}
        (tmp_path / "ready.json").write_text(json.dumps(told))
        daemon = run(tmp_path, free_port())
        assert leaked(words_of_all_processes()) == []
        assert daemon.wait(60) == 3
        looked = asked("doctor", str(tmp_path / "profile.yaml"), "--exchange", str(tmp_path / "ready.json"))
        assert b"fail  keys" in looked
        assert leaked(looked) == []
    finally:
        exchange.kill()
        exchange.wait(10)
    log = (tmp_path / "daemon.log").read_bytes()
    assert b"-2015" in log or b"-2014" in log
    assert leaked(log) == []


def test_a_configuration_explained_names_the_key_and_does_not_show_it() -> None:
    said = asked("config", "explain", "profiles/paper.yaml")
    assert b"BINANCE_API_KEY" in said
    assert leaked(said) == []


@pytest.mark.serial
def test_a_child_exchange_a_hung_daemon_and_its_rescue_never_get_a_key_nor_show_it(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(PROFILE)
    words = [sys.executable, "-c", HANGS, "run", "--json", "--profile", str(tmp_path / "profile.yaml")]
    port = free_port()
    environ = keyed() | {"AURORA__METRICS__PORT": str(port)}
    with (tmp_path / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [*words, "--state-dir", str(tmp_path / "state")], cwd=ROOT, stdout=log, stderr=log, env=environ
        )
    seen: dict[int, bytes] = {}
    try:
        until_ready(tmp_path, port)
        seen |= children(daemon.pid)
        daemon.send_signal(signal.SIGUSR1)
        while daemon.poll() is None:
            seen |= children(daemon.pid)
            time.sleep(0.02)
    finally:
        daemon.kill()
    assert daemon.wait(10) == 4
    for part in (b"exchange", b"--standalone"):
        assert any(part in told for told in seen.values()), "nobody of that name was looked at"
    for told in seen.values():
        assert leaked(told) == [], told[:200]
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert {"watchdog.log", "HALT", "exchange.log", "run.json"} <= {path.name for path in files}
    for path in (*files, tmp_path / "daemon.log"):
        assert leaked(path.read_bytes()) == [], path


def keyed() -> dict[str, str]:
    """The environment of somebody who keeps his keys in it."""
    return os.environ | {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}


def children(pid: int) -> dict[int, bytes]:
    """Words and environment of every process this one has started and that lives."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(
                pid
            ):
                found[int(folder.name)] = (folder / "cmdline").read_bytes() + (
                    folder / "environ"
                ).read_bytes()
        except OSError:
            continue  # It ended meanwhile.
    return found


def asked(*words: str) -> bytes:
    """What a command says, on either stream, to somebody with keys in the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "skalp_bot", *words],
        cwd=ROOT, env=keyed(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout


def await_fill(port: int) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 30:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        if any(line.startswith("skalp_fills_total{") and not line.endswith(" 0.0") for line in lines):
            return
        time.sleep(0.2)
    raise AssertionError("no fill was counted in 30 s")


def until_ready(folder: Path, port: int) -> None:
    began = time.monotonic()
    while not ready(port):
        assert time.monotonic() - began < 60, (folder / "daemon.log").read_text()[-3000:]
        time.sleep(0.2)


def shown(folder: Path, view: str) -> bytes:
    """A page of the control socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(str(folder / "state" / "control.sock"))
        line.sendall(f"GET /{view} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.0 200"), answer[:200]
    return answer


def told(folder: Path, *words: str) -> bytes:
    command = [sys.executable, "-m", "skalp_bot", *words, "--state-dir", str(folder / "state"), "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
