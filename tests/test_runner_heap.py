"""What a large block leaves behind in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

# Copies of a growing text come and go, and what is made beside them lives on, as with checkpoints.
STORY = """
import sys
from skalp_bot.runner.heap import give_back_large_blocks
def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
if sys.argv[1] == "given back":
    give_back_large_blocks()
kept, before = [], resident()
bytearray(b"x") * 4_000_000  # The largest; from now on what is smaller is not given back.
for size in range(300_000, 3_000_000, 50_000):
    copies = []
    for _ in range(4):
        copies.append(bytearray(b"x") * size)
        kept.append(bytearray(2_000))
    del copies
print(resident() - before)
"""


def left_behind(how: str) -> int:
    """KiB."""
    done = subprocess.run([sys.executable, "-c", STORY, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux how much is resident")
def test_large_blocks_go_back_to_the_system() -> None:
    assert left_behind("given back") < 1_500 < left_behind("kept")
