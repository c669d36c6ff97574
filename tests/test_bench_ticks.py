"""The measurement of a tick's cost runs from end to end and ends with the promised line."""

import json
import subprocess

import pytest

from tests.e2e.rig import ROOT


@pytest.mark.slow
@pytest.mark.serial
def test_the_quick_measurement_ends_with_a_cost_for_every_number_of_symbols() -> None:
    done = subprocess.run(
        [ROOT / "scripts/bench_ticks", "--quick"], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.keys() == {"per_symbols"}
    assert list(told["per_symbols"]) == ["1", "10", "100"]
    for row in told["per_symbols"].values():
        assert list(row) == ["ours_us", "ccxt_loop_us", "step_us"]
        assert row["step_us"] < row["ours_us"], row
        assert min(row.values()) > 0, row
