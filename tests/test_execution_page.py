"""The pictures of docs/execution.md are those of the code."""

from pathlib import Path

from aurora.execution.bracket import NEXT
from aurora.model.order import OrderStatus
from scripts.execution_tables import MARK, execution_tables

PAGE = Path(__file__).parent.parent / "docs" / "execution.md"


def test_the_page_shows_the_tables_of_the_code() -> None:
    """When this fails, scripts/execution_tables writes them anew."""
    assert PAGE.read_text().partition(MARK)[2] == execution_tables()


def test_every_status_and_every_phase_change_is_in_the_picture() -> None:
    shown = execution_tables()
    assert all(f"| **{status}** |" in shown for status in OrderStatus)
    for (phase, cue), then in NEXT.items():
        arrow = next((line for line in shown.splitlines() if line.startswith(f"    {phase} --> {then}")), "")
        assert phase is then or cue.value in arrow
