"""Third-party clients, each unmodified in an environment of its own, trade on the paper exchange."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.paper_process import launch, wait_ready

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
REFUSED = 'binanceusdm {"code":-2019,"msg":"Margin is insufficient."}'.partition(" ")[2]


def environment(name: str, *packages: str) -> Path:
    """Make the client's own virtual environment once; skip where packages cannot be had."""
    home = ROOT / "build" / "clients" / name
    python = home / "bin" / "python"
    stamp = home / ".packages"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == " ".join(packages):
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot install {packages}: {done.stderr[-200:]}")
    stamp.write_text(" ".join(packages), encoding="utf-8")
    return python


def modules(name: str, package: str) -> Path:
    """Install a JavaScript client once; skip where there is no node or the package cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here")
    home = ROOT / "build" / "clients" / name
    stamp = home / ".packages"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != package:
        home.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(home),
            package,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot install {package}: {done.stderr[-200:]}")
        stamp.write_text(package, encoding="utf-8")
    return home / "node_modules"


def trade(folder: Path, program: Path | str, script: str, **more: str) -> Any:
    """Let a client trade on an exchange of its own; gives what it saw."""
    (folder / "market.yaml").write_bytes((CLIENTS / "market.yaml").read_bytes())
    exchange = launch(folder, "--symbols", "BTCUSDT,ETHUSDT")
    try:
        wait_ready(folder, exchange)
        done = subprocess.run(
            [str(program), str(CLIENTS / script), str(folder / "ready.json")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more,
        )
        log = (folder / "log.txt").read_text(encoding="utf-8")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log}"
        assert "Traceback" not in log, log
        return json.loads(done.stdout)
    finally:
        exchange.terminate()
        exchange.wait(10)


def check_ccxt(seen: Any) -> None:
    expected = {
        "balance": 10000.0,
        "market": "closed",
        "event": "ccxt-1",
        "limit": "open",
        "amended": 0.02,
        "canceled": "canceled",
        "stop": "open",
        "trigger listed": 1,
        "position": 0.01,
        "my trades": 2,
        "income": ["COMMISSION", "REALIZED_PNL", "TRANSFER"],
        "over socket": "canceled",
        "refused": REFUSED,
    }
    assert {name: seen[name] for name in expected} == expected
    for name in ("bid", "mark", "ticker"):
        assert 59_000 < seen[name] < 61_000
    assert seen["book"] > 5
    assert seen["trades"] > 0
    assert seen["candles"] > 0


def test_ccxt_trades_here_unchanged(tmp_path: Path) -> None:
    check_ccxt(trade(tmp_path, sys.executable, "client_ccxt.py"))


@pytest.mark.slow
def test_ccxt_in_its_own_environment_trades_here_unchanged(tmp_path: Path) -> None:
    python = environment("ccxt", "ccxt==4.5.90")
    check_ccxt(trade(tmp_path, python, "client_ccxt.py"))


@pytest.mark.slow
def test_python_binance_trades_here_unchanged(tmp_path: Path) -> None:
    python = environment("python-binance", "python-binance==1.0.37")
    assert trade(tmp_path, python, "client_python_binance.py") == {
        "time": True,
        "symbols": 2,
        "depth": 5,
        "klines": 5,
        "leverage": 5,
        "balance": "USDT",
        "account": True,
        "stream": True,
        "market": "FILLED",
        "events": ["NEW", "TRADE_LITE", "ACCOUNT_UPDATE", "FILLED"],
        "limit": "NEW",
        "amended": "0.020",
        "open": 1,
        "canceled": "CANCELED",
        "stop": "NEW",
        "position": 0.01,
        "my trades": 2,
        "income": ["COMMISSION", "REALIZED_PNL", "TRANSFER"],
        "refused": -2019,
    }


@pytest.mark.slow
def test_the_official_sdk_trades_here_unchanged(tmp_path: Path) -> None:
    python = environment("official-sdk", "binance-sdk-derivatives-trading-usds-futures==18.0.1")
    seen = trade(tmp_path, python, "client_official_sdk.py")
    assert all(seen.pop("reads").values())
    assert seen == {
        "leverage": 5,
        "market": "FILLED",
        "limit": "NEW",
        "amended": "0.020",
        "canceled": "CANCELED",
        "stop": "NEW",
        "position": 1,
        "closed": True,
        "heard": {"user": True, "top": True, "mark": True, "depth": True},
        "over socket": "CANCELED",
    }


@pytest.mark.slow
def test_a_javascript_client_trades_here_unchanged(tmp_path: Path) -> None:
    home = modules("sieblyio", "binance@3.6.5")
    assert trade(tmp_path, "node", "client_sieblyio.cjs", NODE_PATH=str(home)) == {
        "symbols": 2,
        "depth": 5,
        "klines": 5,
        "leverage": 5,
        "balance": "USDT",
        "account": True,
        "market": "FILLED",
        "limit": "NEW",
        "amended": "0.030",
        "open": 1,
        "canceled": "CANCELED",
        "batch": ["NEW", -2019],
        "stop": "NEW",
        "position": 0.02,
        "trades": 2,
        "income": ["COMMISSION", "REALIZED_PNL", "TRANSFER"],
        "events": [
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ALGO_UPDATE NEW",
            "ALGO_UPDATE TRIGGERING",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ALGO_UPDATE TRIGGERED",
            "ALGO_UPDATE FINISHED",
        ],
    }
