"""Runs the commands our pages show, as they stand there, in a directory of their own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages_kit import MARKS, ROOT, Block, blocks_of, pages

pytestmark = pytest.mark.timeout(240)

TAPE = "ticks/BTCUSDT-usdm-raw-ws-20240808T2354-0000.jsonl.gz"
FOLDERS = ("aurora", "skalp_bot", "configs", "profiles", "scripts", "docs", ".venv")
FILES = ("pyproject.toml", "requirements.lock", "requirements-dev.lock")
QUICK, SLOW = ("", "daemon"), ("slow", "tape")
DAEMON = ["./scripts/run"]
TOOLS = ("curl", "jq", "sqlite3")


def shown(page: Path, marks: tuple[str, ...]) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == "sh" and block.mark in marks]


def those_with(marks: tuple[str, ...]) -> list[Path]:
    return [page for page in pages() if shown(page, marks)]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Desk:
    """A checkout of its own: the same files, another place for state and reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (*FOLDERS, *FILES):
            (folder / name).symlink_to(ROOT / name)
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("BINANCE_", "AURORA_"))
        }
        bin_dir = Path(sys.executable).parent
        self.environ = kept | {"PATH": f"{bin_dir}:{os.environ['PATH']}", "NO_COLOR": "1"}
        self.daemon: subprocess.Popen[bytes] | None = None

    def run(self, block: Block) -> None:
        if block.mark == "daemon":
            self.environ |= self.told()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
        assert done.returncode == 0, f"{block.where} ended with {done.returncode}:\n{said}"

    def told(self) -> dict[str, str]:
        """What a reader would have read: where the daemon keeps its state, and its present halt."""
        if self.daemon is None:
            with (self.folder / "daemon.log").open("wb") as log:
                self.daemon = subprocess.Popen(
                    DAEMON, cwd=self.folder, env=self.environ, stdout=log, stderr=log
                )
        until = time.monotonic() + 40
        while time.monotonic() < until:
            done = subprocess.run(
                ["skalp-bot", "status", "--json"],
                cwd=self.folder,
                env=self.environ,
                capture_output=True,
                check=False,
            )
            status = json.loads(done.stdout or b"{}")
            if done.returncode == 0 and status.get("ready"):
                return {"STATE_DIR": str(status["state_dir"]), "HALT_ID": str(status["trading"]["halt_id"])}
            time.sleep(0.2)
        raise AssertionError(f"no daemon became ready:\n{(self.folder / 'daemon.log').read_text()[-3_000:]}")

    def close(self) -> None:
        """Ctrl-C: a clean end is part of what is shown."""
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGINT)
            assert self.daemon.wait(60) == 0, (self.folder / "daemon.log").read_text()[-3_000:]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon serves all pages; that it ends cleanly after all of it belongs to what is shown."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        assert "CI" not in os.environ, f"CI must have what the pages use: {', '.join(missing)}"
        pytest.skip(f"the pages use {', '.join(missing)}, which is not installed here")
    made = Desk(tmp_path_factory.mktemp("desk"))
    try:
        yield made
        made.close()
    finally:
        if made.daemon is not None and made.daemon.poll() is None:
            made.daemon.kill()


@pytest.mark.parametrize("page", those_with(QUICK), ids=named)
def test_what_a_page_shows_works(page: Path, desk: Desk) -> None:
    for block in shown(page, QUICK):
        desk.run(block)


@pytest.mark.slow
@pytest.mark.parametrize("page", those_with(SLOW), ids=named)
def test_what_a_page_shows_at_length_works(page: Path, desk: Desk) -> None:
    tape = Path(os.environ.get("AURORA_SHARED", str(ROOT.parent / "shared"))) / "data" / TAPE
    if any(block.mark == "tape" for block in shown(page, SLOW)) and not tape.exists():
        assert "CI" not in os.environ, f"CI must have the shared data: {tape}"
        pytest.skip(f"the shared data is not here: {tape}")
    desk.environ["TAPE"] = str(tape.resolve())
    for block in shown(page, SLOW):
        desk.run(block)


def test_every_mark_is_run_or_says_why_not() -> None:
    assert {*QUICK, *SLOW, "ci", "elsewhere"} == set(MARKS)


def test_what_ci_is_said_to_run_is_what_it_runs_or_what_the_desk_starts() -> None:
    """The blocks nobody here runs as they stand: each of their commands is run all the same."""
    ran = [*(ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines(), " ".join(DAEMON)]
    for page in pages():
        for block in shown(page, ("ci",)):
            for line in block.text.splitlines():
                command = line.split("#")[0].strip()
                assert {command, command.removeprefix("./")} & set(ran), f"{block.where}: {command}"


def test_what_is_tried_elsewhere_needs_docker_or_an_account() -> None:
    for page in pages():
        for block in shown(page, ("elsewhere",)):
            assert re.search(r"\bdocker\b|BINANCE_API_KEY", block.text), f"{block.where}: could be run here"
