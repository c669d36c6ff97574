"""The container as it is shipped, on a real engine: slow, so only `scripts/test --all` runs it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def service(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name])


@pytest.mark.parametrize("name", ["exchange", "daemon", "testnet"])
def test_every_service_of_ours_runs_without_rights_and_comes_back(name: str) -> None:
    made = service(name)
    assert (made["read_only"], made["cap_drop"], made["init"]) == (True, ["ALL"], True)
    assert made["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in made["security_opt"]
    assert "ports" not in made, "nothing of ours is published to the host"


def test_keys_come_as_secret_files_and_from_nowhere_else() -> None:
    made = service("testnet")
    assert set(made["environment"]) == {
        "AURORA__METRICS__HOST",
        "BINANCE_API_KEY_FILE",
        "BINANCE_API_SECRET_FILE",
    }
    assert made["secrets"] == ["api_key", "api_secret"]


def test_the_prometheus_image_is_named_once_and_published_on_loopback_only() -> None:
    assert (ROOT / "compose.yaml").read_text().count("prom/prometheus") == 1
    made = service("prometheus")
    assert made["entrypoint"] == ["prometheus"]
    assert all(port.startswith("127.0.0.1:") for port in made["ports"])


def test_the_dockerfile_needs_no_buildkit_no_curl_and_no_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm" in text
    assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == 2
    assert not re.search(r"--mount|--chmod|--link|<<|^# *syntax", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    health = text[text.index("HEALTHCHECK") :]
    assert "curl" not in health
    assert "skalp_bot.obs.probe" in health


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
