"""Pictures of the two tables that decide what may happen to an order and to a position's protection."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from aurora.errors import TransitionError
from aurora.execution.bracket import NEXT as PHASES
from aurora.execution.bracket import Cue
from aurora.model.bracket import Phase
from aurora.model.order import NEXT as STATUSES
from aurora.model.order import OrderStatus, follow

MARK = "<!-- tables -->\n"


def main() -> None:
    page = Path(__file__).parent.parent / "docs" / "execution.md"
    head, mark, _ = page.read_text().partition(MARK)
    page.write_text(head + mark + execution_tables())


def execution_tables() -> str:
    """Everything below the mark in docs/execution.md."""
    return "\n".join(
        (
            "",
            "## Status of an order",
            "",
            *diagram(status_edges(), first=OrderStatus.PENDING_NEW, last=(OrderStatus.FILLED,)),
            "",
            "Rows: the status it is in. Columns: what it is told. `=` keeps its status (late news); `no` is",
            "refused: the engine stops rather than believe it.",
            "",
            *grid("status", OrderStatus, OrderStatus, followed),
            "",
            "## Phase of a bracket",
            "",
            *diagram(phase_edges(), first=Phase.ENTERING, last=(Phase.CLOSED,)),
            "",
            "Rows: the phase. Columns: the cue. `=` keeps the phase, `no` cannot happen.",
            "",
            *grid("phase", Phase, Cue, advanced),
            "",
        )
    )


def status_edges() -> list[tuple[str, str, str]]:
    return [(now.value, told.value, "") for now in OrderStatus for told in STATUSES[now]]


def phase_edges() -> list[tuple[str, str, str]]:
    """One arrow per pair of phases, with every cue that leads from one to the other."""
    cues: dict[tuple[str, str], list[str]] = {}
    for (now, cue), then in PHASES.items():
        if then is not now:
            cues.setdefault((now.value, then.value), []).append(cue.value)
    return [(now, then, ", ".join(found)) for (now, then), found in cues.items()]


def diagram(edges: Iterable[tuple[str, str, str]], *, first: str, last: Iterable[str]) -> list[str]:
    lines = [f"    {now} --> {then}{f' : {why}' if why else ''}" for now, then, why in edges]
    ends = [f"    {name} --> [*]" for name in last]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, *ends, "```"]


def followed(now: str, told: str) -> str:
    try:
        then = follow(OrderStatus(now), OrderStatus(told))
    except TransitionError:
        return "no"
    return "=" if then == now else then.value


def advanced(now: str, cue: str) -> str:
    then = PHASES.get((Phase(now), Cue(cue)))
    if then is None:
        return "no"
    return "=" if then == now else then.value


def grid(
    name: str, rows: Iterable[str], columns: Iterable[str], cell: Callable[[str, str], str]
) -> list[str]:
    heads = list(columns)
    return [
        f"| {name} | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
        *(f"| **{row}** | {' | '.join(cell(row, head) for head in heads)} |" for row in rows),
    ]


if __name__ == "__main__":
    main()
