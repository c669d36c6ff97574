"""The main job on real recorded input: every recorded quote arrives, trades happen, the books close."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.paper_process import Venue, running

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AURORA_SHARED", ROOT.parent / "shared"))
TAPE = SHARED / "data/ticks/BTCUSDT-usdm-raw-ws-20240808T2354-0000.jsonl.gz"
QUOTES_ON_TAPE = 66_089

needs_tape = pytest.mark.skipif(not TAPE.exists(), reason="the shared recording is absent (AURORA_SHARED)")


def played(tmp_path: Path, *, speed: str, duration: str) -> tuple[dict[str, Any], str]:
    report = tmp_path / "out.json"
    command = [sys.executable, "-m", "skalp_bot", "run", "--profile", "profiles/paper.yaml"]
    command += ["--market", f"tape:{TAPE}", "--speed", speed, "--duration", duration, "--report", str(report)]
    command += ["--state-dir", str(tmp_path / "state")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stderr
    numbers: dict[str, Any] = json.loads(report.read_text())
    return numbers, ended.stdout


@needs_tape
@pytest.mark.slow
def test_the_whole_recording_is_traded_on_and_every_quote_of_it_arrives(tmp_path: Path) -> None:
    report, log = played(tmp_path, speed="10", duration="60s")
    assert report["ticks"] + report["ticks_conflated"] == QUOTES_ON_TAPE
    assert report["tape"]["dropped"] == 0
    assert report["tape"]["fills_beyond_displayed"] == 0
    assert report["fills"] > 0
    assert "STREAM_DOWN" not in log, "the last book stands, and nobody takes that for a deaf stream"
    assert report["wallet"]["residual"] == "0"
    assert report["drift"]["open"] == 0
    assert report["unprotected_seconds_max"] <= 3


@needs_tape
def test_symbols_the_tape_does_not_hold_are_left_out_and_named(tmp_path: Path) -> None:
    report, log = played(tmp_path, speed="2", duration="5s")
    assert report["symbols"] == ["BTCUSDT"]
    assert report["tape"]["fills_beyond_displayed"] == 0
    assert report["ticks"] > 0
    assert '"event":"not_on_tape"' in log
    assert "ETHUSDT" in log


@needs_tape
def test_a_reader_who_falls_behind_is_waited_for_and_gets_every_recorded_quote_in_order(
    tmp_path: Path,
) -> None:
    async def heard(venue: Venue) -> list[int]:
        async with aiohttp.ClientSession() as http:
            url = venue.ready["ws"] + "/public/ws/btcusdt@bookTicker"
            async with http.ws_connect(url, compress=0) as connection:
                await asyncio.sleep(5)  # The whole recording would have been played by now.
                return [json.loads(await connection.receive_str())["u"] for _ in range(QUOTES_ON_TAPE)]

    with gzip.open(TAPE, "rt", encoding="utf-8") as lines:
        frames = (json.loads(line.split(" ", 1)[1]).get("data", {}) for line in lines)
        recorded = [frame["u"] for frame in frames if frame.get("e") == "bookTicker"]
    with running(tmp_path, "--market", f"tape:{TAPE}", "--speed", "100") as venue:
        assert asyncio.run(heard(venue)) == recorded
        told = venue.request("GET", "/paper/v1/stats")[1]["bookTicker"]
    assert told == {"frames": QUOTES_ON_TAPE, "sent": QUOTES_ON_TAPE, "dropped": 0}
