"""`skalp-bot exchange` as a process: it says when it is ready, and it ends when it should."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def exchange(tmp_path: Path, *more: str) -> tuple["subprocess.Popen[str]", dict[str, str]]:
    ready = tmp_path / "ready.json"
    words = ["exchange", "--symbols", "BTCUSDT", "--seed", "7", "--ready-file", str(ready), *more]
    child = subprocess.Popen(
        [sys.executable, "-m", "skalp_bot", *words], cwd=ROOT, stdin=subprocess.PIPE, text=True
    )
    for _ in range(200):
        if ready.exists() or child.poll() is not None:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.05)
    return child, json.loads(ready.read_text())


def test_the_exchange_answers_and_stops_on_sigterm_with_0(tmp_path: Path) -> None:
    child, ready = exchange(tmp_path)
    with urllib.request.urlopen(f"{ready['rest']}/fapi/v1/time", timeout=5) as answer:
        assert json.loads(answer.read())["serverTime"] > 0
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0


def test_an_exchange_ends_with_its_parent_when_asked_to(tmp_path: Path) -> None:
    child, _ = exchange(tmp_path, "--exit-with-parent")
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 0
