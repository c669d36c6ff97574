"""The long run's script: what it judges, and that it works from end to end."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import ROOT


def script() -> Any:
    """The script as a module; it is no part of a package."""
    spec = importlib.util.spec_from_file_location("soak", ROOT / "scripts" / "soak.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = made
    spec.loader.exec_module(made)
    return made


SOAK = script()
REPORT = {
    "ticks": 899_000,
    "ticks_conflated": 1_000,
    "duration_s": 1800.0,
    "fills": 10,
    "wallet": {"residual": "0"},
    "drift": {"open": 0},
    "errors": [],
}


def run(**rates: float) -> list[Any]:
    """Half an hour of samples: each value begins somewhere and changes by so much a minute."""
    begin = {
        "rss_mib": 100.0,
        "exchange_mib": 80.0,
        "descriptors": 30.0,
        "journal_mib": 1.0,
        "state_mib": 1.0,
    }
    rate = {"journal_mib": 1.0} | rates
    return [
        SOAK.Sample(at=at, **{name: begin[name] + rate.get(name, 0.0) * at / 60 for name in begin})
        for at in range(0, 1800, 2)
    ]


def broken(samples: list[Any], **changes: Any) -> list[str]:
    lost = changes.pop("streams_lost", 0)
    told = SOAK.measured(samples, REPORT | changes, 0) | {"streams_lost": lost, "rate": 500}
    return list(SOAK.budgets(told, judged=True))


def test_a_run_that_holds_its_budgets_breaks_nothing() -> None:
    assert broken(run(rss_mib=0.19)) == []


def test_memory_that_grows_after_minute_five_is_broken_and_before_it_is_not() -> None:
    assert "memory grows 0.21" in broken(run(rss_mib=0.21))[0]
    warming = [replace(each, rss_mib=100 + min(each.at, 300.0) / 10) for each in run()]
    assert broken(warming) == []
    late = [replace(each, rss_mib=100 + 10 * (each.at > 1_000)) for each in run()]
    assert "memory grows" in broken(late)[0], "one step of 10 MiB is growth as well"


@pytest.mark.parametrize(
    ("samples", "changes", "words"),
    [
        (run(rss_mib=0.0), {"wallet": {"residual": "0.01"}}, "residual 0.01"),
        (run(descriptors=0.1), {}, "descriptors changed"),
        (run(), {"ticks": 800_000}, "ticks/s arrived of 500"),
        (run(), {"fills": 0}, "no fills"),
        (run(), {"streams_lost": 3}, "streams were lost 3 times"),
        ([replace(each, journal_mib=min(each.at, 600.0)) for each in run()], {}, "trading did not keep up"),
        ([replace(each, rss_mib=201.0) for each in run()], {}, "after the start"),
    ],
)
def test_every_other_budget_is_judged(samples: list[Any], changes: dict[str, Any], words: str) -> None:
    assert words in "; ".join(broken(samples, **changes))


def test_lost_streams_are_counted_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    told = [{"event": "stream", "up": up} for up in (True, False, True, False)]
    log.write_text("not JSON\n" + "".join(json.dumps(line) + "\n" for line in [*told, {"event": "ready"}]))
    assert SOAK.streams_lost(log) == 2


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
