"""The measurement of an exit runs from end to end and ends with the promised line."""

import json
import socket
import subprocess

import pytest

from tests.e2e.rig import ROOT


def packets_seen() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except PermissionError:
        return False
    return True


@pytest.mark.skipif(not packets_seen(), reason="needs CAP_NET_RAW, to see the packets of the loopback")
@pytest.mark.slow
@pytest.mark.serial
def test_the_quick_measurement_ends_with_exits_and_commits_for_every_number_of_symbols() -> None:
    done = subprocess.run(
        [ROOT / "scripts/bench_exits", "--quick"], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told["per_symbols"]) == ["10", "100", "500"]
    for row in told["per_symbols"].values():
        assert row["exits"] == 12
        assert 0 < row["exit_p50_ms"] <= row["exit_max_ms"], row
        assert row["exit_p50_ms"] < row["heard_p50_ms"], row  # The exchange reads it after it was sent.
        assert 0 < row["commit_p50_ms"] <= row["commit_max_ms"], row
