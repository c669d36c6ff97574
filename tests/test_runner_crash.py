import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from aurora.config import AuroraConfig
from aurora.errors import TransitionError
from skalp_bot.clock import SystemClock
from skalp_bot.ports import Clock, Emit, VenueError
from skalp_bot.runner.run_live_aurora import Run
from skalp_bot.runner.venue import Access, FastExchange
from tests.test_runner_session import QuietVenue, options

READY = {
    "rest": "http://127.0.0.1:9",
    "ws": "ws://127.0.0.1:9",
    "api_key": "k",
    "api_secret": "s",
    "instance": "i",
}


class TroubledVenue(QuietVenue):
    """Flat and quiet, until its streams bring trouble."""

    def __init__(self, emit: Emit, trouble: Exception) -> None:
        super().__init__(emit)
        self.trouble = trouble

    async def stream(self) -> None:
        raise self.trouble


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def ended(state_dir: Path, trouble: Exception) -> tuple[int, dict[str, Any]]:
    """A whole run on a venue that brings this trouble: exit code and report."""
    state_dir.mkdir(exist_ok=True)
    (state_dir / "ready.json").write_text(json.dumps(READY))
    report = state_dir / "out.json"

    def connect(
        _access: Access, _config: AuroraConfig, /, *, emit: Emit, clock: Clock, pass_on: Emit
    ) -> FastExchange:
        del clock
        return TroubledVenue(emit, trouble)

    chosen = options(
        state_dir, exchange=state_dir / "ready.json", report=report, json_lines=True, duration_s=1.0
    )
    code = asyncio.run(Run(chosen, SystemClock(), connect=connect).run())
    return code, json.loads(report.read_text())


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (RuntimeError("a bug"), 1),
        (TransitionError("order status NOT_SENT was told FILLED"), 4),
        (VenueError("keys were revoked: make new ones"), 3),
    ],
)
def test_a_broken_run_ends_reports_and_says_why(tmp_path: Path, trouble: Exception, code: int) -> None:
    told, report = ended(tmp_path, trouble)
    assert told == report["exit_code"] == code
    assert str(trouble) in report["errors"][0]
    assert (tmp_path / "crashes.json").exists() is (code != 3)
    assert not (tmp_path / "control.sock").exists()


def test_the_third_crash_in_a_row_makes_the_next_start_halted(tmp_path: Path) -> None:
    states = [ended(tmp_path, RuntimeError("a bug"))[1]["trading_state"] for _ in range(4)]
    assert states == ["ACTIVE", "ACTIVE", "ACTIVE", "HALTED"]


def test_a_secret_in_an_error_is_hidden_from_report_and_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    signature = "f" * 64
    _, report = ended(tmp_path, RuntimeError(f"GET /x?signature={signature}"))
    shown = capfd.readouterr()
    assert signature not in json.dumps(report) + shown.out + shown.err
    assert "crashed" in shown.out
