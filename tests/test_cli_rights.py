"""A place that belongs to somebody else is named in one line, with what to do; never a traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RIGHTS = "-dac_override,-dac_read_search"  # What lets root into every directory.
AS_ANYBODY = ["setpriv", "--bounding-set", RIGHTS, "--inh-caps", RIGHTS] if os.geteuid() == 0 else []


@pytest.mark.skipif(
    bool(AS_ANYBODY) and shutil.which("setpriv") is None, reason="root without setpriv may go anywhere"
)
@pytest.mark.parametrize(
    "words",
    [
        f"run --profile {ROOT}/profiles/paper.yaml",
        "status",
        "halt --reason drill",
        "status --state-dir state/x",
        "cancel --standalone --state-dir state/x",
        "exchange --state-dir state/y",
        "exchange --ready-file state/r.json",
    ],
)
def test_a_directory_of_somebody_else_is_named(tmp_path: Path, words: str) -> None:
    (tmp_path / "state").mkdir(mode=0)
    command = [*AS_ANYBODY, sys.executable, "-m", "skalp_bot", *words.split()]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in (1, 2, 3), done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("skalp-bot: state")
    assert "ermission" in last
    assert "Traceback" not in done.stderr
