"""The watchdog: a silent loop is ended after a rescue, a process that slept is not, and HALT comes first."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from aurora.model.numbers import SECOND
from skalp_bot.clock import SystemClock
from skalp_bot.runner.marks import HALT, Marks
from skalp_bot.runner.watchdog import KILL, LOG, Rescue, Watchdog

NOTHING = Rescue(words=(sys.executable, "-c", "pass"), environ={})


class StoryClock:
    """Time as the story tells it."""

    def __init__(self) -> None:
        self.at = 100 * SECOND

    def now(self) -> int:
        return self.at

    def monotonic(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody sleeps {seconds} s here")


def watching(state_dir: Path, beat_at: int = 100 * SECOND) -> tuple[Watchdog, StoryClock]:
    clock = StoryClock()
    return Watchdog(clock=clock, beat_at=lambda: beat_at, state_dir=state_dir, rescue=NOTHING), clock


def after(watchdog: Watchdog, clock: StoryClock, seconds: float, every: float = 0.25) -> str:
    """What it says once so much time has passed, looked at regularly."""
    said = ""
    for _ in range(round(seconds / every)):
        clock.at += round(every * SECOND)
        said = watchdog.reason()
    return said


def test_five_seconds_of_silence_are_too_many_and_less_is_not(tmp_path: Path) -> None:
    watchdog, clock = watching(tmp_path)
    assert after(watchdog, clock, 4.75) == ""
    assert after(watchdog, clock, 0.25) == "the loop was silent for 5.0 s"


def test_a_loop_that_has_not_begun_is_not_expected_to_beat(tmp_path: Path) -> None:
    watchdog, clock = watching(tmp_path, beat_at=0)
    assert after(watchdog, clock, 60) == ""


def test_a_process_that_was_stopped_as_a_whole_gets_its_five_seconds_anew(tmp_path: Path) -> None:
    watchdog, clock = watching(tmp_path)
    assert after(watchdog, clock, 4) == ""
    assert after(watchdog, clock, 3_600, every=3_600) == ""
    assert after(watchdog, clock, 4.75) == ""
    assert after(watchdog, clock, 0.25) != ""


def test_the_flag_file_asks_for_the_same(tmp_path: Path) -> None:
    watchdog, _ = watching(tmp_path)
    assert watchdog.reason() == ""
    (tmp_path / KILL).touch()
    assert str(tmp_path / KILL) in watchdog.reason()


def acted(state_dir: Path, words: Sequence[str], wait_s: float = 10.0) -> tuple[list[int], float]:
    """Exit codes and how long it took, in a real thread, with a loop that has been silent for long."""
    codes: list[int] = []
    watchdog = Watchdog(
        clock=SystemClock(),
        beat_at=lambda: 1,
        state_dir=state_dir,
        rescue=Rescue(words=words, environ={"KEY": "from the environment", "PATH": os.environ["PATH"]}),
        end=codes.append,
    )
    watchdog.rescue_wait_s = wait_s
    began = time.monotonic()
    watchdog.start()
    watchdog.wait(20)
    return codes, time.monotonic() - began


def test_halt_is_written_before_the_rescue_runs_and_the_end_comes_after_it(tmp_path: Path) -> None:
    (tmp_path / KILL).touch()
    look = f"import os,sys; print(open({str(tmp_path / HALT)!r}).read(), os.environ['KEY'], sys.argv[1:])"
    codes, _ = acted(tmp_path, [sys.executable, "-c", look])
    assert codes == [4]
    said = (tmp_path / LOG).read_text()
    assert f"watchdog: the file {tmp_path / KILL} was found\n from the environment" in said
    assert "['watchdog: the file" in said
    assert "Thread" in said  # Where everybody stood.
    assert not (tmp_path / KILL).exists()
    assert Marks(tmp_path).halt_reason(0).startswith(f"file {tmp_path / HALT} was found: watchdog:")


def test_a_rescue_that_hangs_is_not_waited_for_longer_than_told(tmp_path: Path) -> None:
    codes, took = acted(tmp_path, ["sleep", "6"], wait_s=0.5)
    assert codes == [4]
    assert took < 5


@pytest.mark.parametrize("words", [["/nonexistent/command"], [sys.executable, "-c", "raise SystemExit(3)"]])
def test_the_end_comes_whatever_becomes_of_the_rescue(tmp_path: Path, words: list[str]) -> None:
    codes, _ = acted(tmp_path, words)
    assert codes == [4]
    assert (tmp_path / HALT).exists()


def test_a_full_disk_does_not_keep_a_hung_process_alive(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where a directory should be")
    codes, _ = acted(taken, ["true"])
    assert codes == [4]


def test_entries_are_cancelled_although_the_halt_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / HALT).mkdir()
    (tmp_path / LOG).mkdir()
    done = tmp_path / "rescued"
    codes, _ = acted(tmp_path, [sys.executable, "-c", f"open({str(done)!r}, 'w')"])
    assert codes == [4]
    assert done.exists()


def test_a_watchdog_told_to_stop_ends_nobody(tmp_path: Path) -> None:
    codes: list[int] = []
    watchdog = Watchdog(
        clock=SystemClock(), beat_at=lambda: 1, state_dir=tmp_path, rescue=NOTHING, end=codes.append
    )
    watchdog.stop()
    watchdog.start()
    watchdog.wait(5)
    assert codes == []
    assert not (tmp_path / HALT).exists()
