"""Measures the journal: rows as large as a real entry's, alone and in bursts, and their reading."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from aurora.model.commands import Lane, SubmitOrder
from aurora.model.facts import OrderOpened
from aurora.model.gate import Approved, Check, GateReason
from aurora.model.market import BookTicker
from aurora.model.numbers import Nanos, Qty
from aurora.model.order import Namespace, Order, OrderIntent, OrderKey, OrderStatus, OrderType, Role, Side
from aurora.model.step import Step
from aurora.state import State
from skalp_bot.clock import SystemClock
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.restore import restored
from skalp_bot.journal.schema import FILE, Fingerprint
from skalp_bot.journal.sqlite import Limits, SqliteJournal, open_journal

ALONE, BURSTS, BURST = 300, 40, 64
MEDIAN_MS_MAX = 20.0
ACCOUNT = Fingerprint(venue="paper", key_hash="0" * 16, instance="bench")


def entry(seq: int) -> Step:
    """The step that sends one entry: quote, order, every gate's check."""
    at = Nanos(1_760_000_000_000_000_000 + seq)
    quote = BookTicker(
        symbol="BTCUSDT",
        bid=60000.0,
        bid_qty=1.5,
        ask=60000.1,
        ask_qty=2.5,
        bid_text="60000.0",
        ask_text="60000.1",
        update_id=seq,
        ts_event=at,
        ts_recv=at,
        mid_low=60000.0,
        mid_high=60000.1,
        bid_low=60000.0,
        ask_high=60000.1,
    )
    intent = OrderIntent(
        symbol="BTCUSDT", side=Side.BUY, type=OrderType.MARKET, role=Role.ENTRY, qty=Qty(Decimal("0.014"))
    )
    key = OrderKey(namespace=Namespace.REGULAR, client_id=f"ska1-bench-{seq}-0E")
    checks = tuple(Check(reason=reason, observed=1.0, limit=2.0, passed=True) for reason in GateReason)
    approved = Approved(intent=intent, checks=checks)
    order = Order(key=key, intent=intent, position_epoch=1, status=OrderStatus.PENDING_NEW, created_at=at)
    return Step(
        seq=seq,
        event=quote,
        commands=(SubmitOrder(key=key, approved=approved, lane=Lane.ENTRY, send_before=at),),
        facts=(OrderOpened(order=order, target=None),),
    )


async def alone(book: SqliteJournal, first: int) -> list[float]:
    waits = []
    for seq in range(first, first + ALONE):
        step = entry(seq)
        started = time.perf_counter()
        await book.append(step).wait()
        waits.append((time.perf_counter() - started) * 1e3)
    return waits


async def bursts(book: SqliteJournal, first: int) -> tuple[list[float], float]:
    waits, began = [], time.perf_counter()
    for number in range(BURSTS):
        steps = [entry(first + number * BURST + item) for item in range(BURST)]
        started = time.perf_counter()
        tickets = [book.append(step) for step in steps]
        for ticket in tickets:
            await ticket.wait()
            waits.append((time.perf_counter() - started) * 1e3)
    return waits, BURSTS * BURST / (time.perf_counter() - began)


def spread(waits: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(waits, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "max": round(max(waits), 3)}


async def measured(path: Path) -> dict[str, object]:
    book = open_journal(path, ACCOUNT, SystemClock(), limits=Limits(checkpoint_every=1_000_000))
    single = await alone(book, 1)
    grouped, rate = await bursts(book, ALONE + 1)
    book.checkpoint(State().checkpoint())
    await book.close()
    return {
        "alone_ms": spread(single),
        "burst_ms": spread(grouped),
        "rows_per_s": round(rate),
    }


def read_back(path: Path) -> dict[str, object]:
    reader = JournalReader(path)
    started = time.perf_counter()
    rows = reader.verify_chain()
    verified = time.perf_counter() - started
    facts = sum(1 for _ in reader.facts_after(None))
    decoded = time.perf_counter() - started - verified
    restored(reader)
    reader.close()
    return {"verify_rows_per_s": round(rows / verified), "fold_rows_per_s": round(facts / decoded)}


def main() -> int:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = Path(folder) / FILE
        found = {**asyncio.run(measured(path)), **read_back(path)}
        found["row_bytes"] = path.stat().st_size // (ALONE + BURSTS * BURST)
    for name, value in found.items():
        print(f"{name:18} {value}")
    alone_ms = found["alone_ms"]
    kept = isinstance(alone_ms, dict) and alone_ms["p50"] <= MEDIAN_MS_MAX
    print(json.dumps({"bench": "journal", **found, "kept": kept}))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
