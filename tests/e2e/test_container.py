"""The container as it is shipped, on a real engine: slow, so only `scripts/test --all` runs it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOL = Path(os.environ.get("AURORA_SHARED", ROOT.parent / "shared")) / "tools" / "container-engine"


def engine() -> dict[str, str]:
    """The engine that runs here, or one that the tool starts, with stand-ins where no registry answers."""
    if not TOOL.exists():
        found = shutil.which("docker")
        if found is None or subprocess.run([found, "version"], capture_output=True, check=False).returncode:
            pytest.skip(f"no docker engine answers and {TOOL} is not here")
        return dict(os.environ)
    told = subprocess.run([TOOL, "up"], check=True, capture_output=True, text=True, timeout=600).stdout
    environ = os.environ | dict(re.findall(r"(\w+)=(\S+)", told))
    named = re.search(r"PROMETHEUS_IMAGE:-([^}]+)\}", (ROOT / "compose.yaml").read_text())
    assert named is not None
    for words in (["python:3.11-slim-bookworm"], [named[1], "prometheus"]):
        subprocess.run([TOOL, "image", *words], check=True, capture_output=True, timeout=1_200, env=environ)
    return environ


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(2_400)
def test_the_container_trades_is_watched_survives_kill_9_and_stops_clean() -> None:
    script = ROOT / "scripts" / "container_smoke"
    done = subprocess.run(
        [script], cwd=ROOT, env=engine(), capture_output=True, text=True, check=False, timeout=1_200
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    assert json.loads(done.stdout.splitlines()[-1])["ok"] is True


def test_the_image_gets_no_state_no_keys_and_no_history() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!LICENSE",
        "!README.md",
        "!aurora",
        "!configs",
        "!profiles",
        "!pyproject.toml",
        "!requirements.lock",
        "!skalp_bot",
    }
