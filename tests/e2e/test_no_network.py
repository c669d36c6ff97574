"""Without a network the testnet venue says so, and what to do, soon."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CUT_OFF = ["unshare", "--net", "--map-root-user"]


def can_be_cut_off() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*CUT_OFF, "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not can_be_cut_off(), reason="this machine lets nobody take a network away")
def test_the_testnet_venue_without_a_network_fails_soon_and_says_what_to_do(tmp_path: Path) -> None:
    keys = {"BINANCE_API_KEY": "a" * 64, "BINANCE_API_SECRET": "b" * 64}
    command = [sys.executable, "-m", "skalp_bot", "run", "--profile", "profiles/btc_production_testnet.yaml"]
    began = time.monotonic()
    ended = subprocess.run(
        [*CUT_OFF, *command, "--venue", "testnet", "--state-dir", str(tmp_path / "state")],
        cwd=ROOT,
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3
    assert time.monotonic() - began < 15
    assert "cannot reach https://demo-fapi.binance.com" in ended.stderr
    assert "--venue paper" in ended.stderr
    assert keys["BINANCE_API_SECRET"] not in ended.stderr + ended.stdout
