"""Why something happened, read back from the journal: the decision, its numbers, and what became of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aurora.model.commands import SubmitOrder
from aurora.model.facts import Fact, OrderOpened, SignalSeen
from aurora.model.order import OrderKey
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.rows import Row
from skalp_bot.runner.board import checks_shown, signal_shown, target_shown
from skalp_bot.runner.lines import Lines
from skalp_bot.runner.text import clock_text

ROWS_MAX = 200


def why(path: Path, name: str) -> dict[str, Any]:
    """The story of one id (an order's, a halt's, the exchange's): who decided it, why, and its fate."""
    reader = JournalReader(path)
    try:
        return story_of(reader, name)
    finally:
        reader.close()


def story_of(reader: JournalReader, name: str) -> dict[str, Any]:
    decision: dict[str, Any] | None = None
    story: list[dict[str, Any]] = []
    rows = 0
    for row in reader.read_rows(mentioning=name):
        if not mentions(row, name) or row.kind == "Checkpoint":
            continue
        rows += 1
        if rows > ROWS_MAX:
            break
        decision = decision or decided(row, name)
        story.append(
            {"at": clock_text(row.ts), "row": row.id, "seq": row.seq, "event": row.kind, **told(row, name)}
        )
    return {"id": name, "found": bool(story), "decision": decision, "story": story}


def mentions(row: Row, name: str) -> bool:
    """Whole words only: order 1 is not order 10."""
    quoted = f'"{name}"'
    return any(quoted in text for text in (row.commands, row.facts, row.body or ""))


def decided(row: Row, name: str) -> dict[str, Any] | None:
    """The moment of approval: signal, size and every gate, as they were."""
    for command in row.commands_given:
        if isinstance(command, SubmitOrder) and command.key.client_id == name:
            facts = row.facts_concluded
            signals = [fact.signal for fact in facts if isinstance(fact, SignalSeen)]
            opened = [
                fact for fact in facts if isinstance(fact, OrderOpened) and fact.order.key == command.key
            ]
            intent = command.approved.intent
            return {
                "at": clock_text(row.ts),
                "seq": row.seq,
                "cause": row.kind,
                "intent": {
                    "symbol": intent.symbol,
                    "role": intent.role.name,
                    "side": intent.side.value,
                    "type": intent.type.value,
                    "qty": None if intent.qty is None else str(intent.qty),
                    "reason": intent.reason,
                },
                "signal": signal_shown(signals[0] if signals else None),
                "target": target_shown(opened[0].target if opened else None),
                "gates": checks_shown(command.approved.checks),
            }
    return None


def told(row: Row, name: str) -> dict[str, Any]:
    """The lines of this row's facts that speak of the id; all of them when none does by itself."""
    lines = Lines()
    facts = [fact for fact in row.facts_concluded if name in names_in(fact)] or list(row.facts_concluded)
    shown = [line for fact in facts if (line := lines.line(fact)) is not None]
    return {"facts": shown}


def names_in(fact: Fact) -> Iterator[str]:
    """Every id a fact carries at its top."""
    inner = getattr(fact, "order", getattr(fact, "fill", fact))
    for attribute in ("client_id", "exchange_id", "halt_id"):
        value = getattr(inner, attribute, "")
        if value:
            yield value
    key = getattr(inner, "key", None)
    if isinstance(key, OrderKey):
        yield key.client_id
