from pathlib import Path

from aurora.model.numbers import SECOND
from skalp_bot.runner.marks import Marks

START = 1_000_000 * SECOND


def test_three_crashes_within_ten_minutes_start_halted(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    for minute in (0, 4, 8):
        assert marks.halt_reason(START + minute * 60 * SECOND) == ""
        marks.crashed(START + minute * 60 * SECOND)
    assert "3 crashes" in Marks(tmp_path).halt_reason(START + 9 * 60 * SECOND)


def test_crashes_long_apart_do_not_halt(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    for minute in (0, 6, 12, 18):
        marks.crashed(START + minute * 60 * SECOND)
    assert marks.halt_reason(START + 19 * 60 * SECOND) == ""


def test_a_halt_file_halts_the_next_start_once(tmp_path: Path) -> None:
    (tmp_path / "HALT").write_text("cancel --standalone by anna")
    marks = Marks(tmp_path)
    assert "by anna" in marks.halt_reason(START)
    marks.obeyed()
    assert marks.halt_reason(START) == ""


def test_a_spoiled_crash_file_does_not_stop_a_start(tmp_path: Path) -> None:
    (tmp_path / "crashes.json").write_text("{half")
    marks = Marks(tmp_path)
    assert marks.halt_reason(START) == ""
    marks.crashed(START)
