"""What the journal alone can tell: the daemon's own views, over the state its rows describe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aurora.config import AuroraConfig
from aurora.model.facts import CleanStop
from aurora.state import State
from skalp_bot.cli.errors import CommandError
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.restore import restored
from skalp_bot.journal.rows import CHECKPOINT, Row
from skalp_bot.runner.board import Board
from skalp_bot.runner.explain import why as told_by_journal
from skalp_bot.runner.report import Opening, Report
from skalp_bot.runner.text import clock_text
from skalp_bot.runner.views import Views

OF_A_LIVING_DAEMON = (
    "ready",
    "ready_at",
    "equity",
    "streams",
    "reconciled_age_s",
    "unprotected_seconds_max",
    "counters",
    "alerts",
)
OF_A_LIVING_SYMBOL = ("bid", "ask", "quote_age_ms", "last_decision", "decided_at", "last_id")


def status(path: Path) -> dict[str, Any]:
    """Without what only a running daemon knows: quotes, streams, counters."""
    reader = JournalReader(path)
    try:
        last = next(iter(reader.newest(1)), None)
        shown = views_of(reader, restored(reader)).status(last.ts if last else 0)
        for key in OF_A_LIVING_DAEMON:
            del shown[key]
        for row in shown["symbols"]:
            for key in OF_A_LIVING_SYMBOL:
                del row[key]
        return {**shown, "rows": last.id if last else 0, "stopped_cleanly": clean(reader.newest(2))}
    finally:
        reader.close()


def clean(last_rows: tuple[Row, ...]) -> bool:
    """The last thing said was a clean stop; its checkpoint may follow it."""
    steps = [row for row in last_rows if row.kind != CHECKPOINT]
    return bool(steps) and any(isinstance(fact, CleanStop) for fact in steps[-1].facts_concluded)


def positions(path: Path) -> dict[str, Any]:
    return viewed(path, Views.positions)


def orders(path: Path) -> dict[str, Any]:
    return viewed(path, Views.orders)


def ledger(path: Path) -> dict[str, Any]:
    """The books, after the whole chain of rows was verified."""
    reader = JournalReader(path)
    try:
        verified = reader.verify_chain()
        shown = views_of(reader, restored(reader)).ledger()
    finally:
        reader.close()
    del shown["run"], shown["equity"]
    return {"rows_verified": verified, **shown}


def why(path: Path, name: str) -> dict[str, Any]:
    found = told_by_journal(path, name)
    if not found["found"]:
        raise CommandError(f"id {name!r} is not in the journal {path}; `skalp-bot orders` lists open ids")
    return found


def viewed(path: Path, view: Callable[[Views], dict[str, Any]]) -> dict[str, Any]:
    reader = JournalReader(path)
    try:
        return view(views_of(reader, restored(reader)))
    finally:
        reader.close()


def views_of(reader: JournalReader, state: State) -> Views:
    symbols = tuple(state.durable.instruments) or AuroraConfig().symbols
    asset = state.durable.ledger.quote_asset
    account = reader.account
    opening = Opening(wallet=None, trading=state.durable.trading.state)
    last = next(iter(reader.newest(1)), None)
    return Views(
        config=AuroraConfig(symbols=symbols, quote_asset=asset),
        state=state,
        board=Board(),
        report=Report(quote_asset=asset, opening=opening),
        about={
            "running": False,
            "venue": account.venue,
            "instance": account.instance,
            "last_row_at": clock_text(last.ts) if last else "",
        },
    )
