"""A second call of the set-up finds nothing to do and says so by being quick."""

import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.serial
@pytest.mark.parametrize("want", ["run", "dev"])
def test_a_second_setup_costs_under_two_seconds(want: str) -> None:
    subprocess.run([ROOT / "scripts/setup", want], check=True, capture_output=True)
    began = time.monotonic()
    again = subprocess.run([ROOT / "scripts/setup", want], check=True, capture_output=True, text=True)
    assert time.monotonic() - began < 2.0
    assert "installing" not in again.stderr
