"""The long run's script works from end to end: it watches, it judges, it ends with its line."""

import json
import subprocess

import pytest

from tests.e2e.rig import ROOT


@pytest.mark.slow
@pytest.mark.serial
def test_a_short_soak_counts_ticks_and_ends_with_balanced_books() -> None:
    done = subprocess.run(
        [ROOT / "scripts/soak", "--minutes", "0.7"], capture_output=True, text=True, timeout=170, check=False
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == bool(told["broken"]), done.stdout + done.stderr
    assert (told["exit_code"], told["residual"], told["drift_open"]) == (0, "0", 0), told
    assert told["fills"] > 0
    assert told["ticks_s"] > 0
    assert 0 < told["rss_start_mib"] <= told["rss_max_mib"]
    assert told["descriptors_start"] > 0
    assert told["journal_mib_hour"] > 0
