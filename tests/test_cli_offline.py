"""With no daemon running the journal still tells the ledger, positions, orders and state."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aurora.model.control import Heartbeat, TradingState
from aurora.model.facts import (
    CleanStop,
    Fact,
    FillBooked,
    FlowBooked,
    OrderMoved,
    OrderOpened,
    TradingStateChanged,
    WalletOpened,
)
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import Namespace, Order, OrderIntent, OrderKey, OrderStatus, OrderType, Role, Side
from aurora.model.step import Step
from aurora.state import Checkpoint, State
from skalp_bot.cli.app import main
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.restore import restored
from tests.journal_kit import journal

NOW = Nanos(1_763_000_000_000_000_000)
STATE = Path("state/testnet")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


def fill(number: int, side: Side, price: str, *, realized: str = "0") -> FillBooked:
    return FillBooked(
        fill=Fill(
            symbol="BTCUSDT",
            trade_id=number,
            client_id="ska1-1-1-0E",
            exchange_id="9",
            side=side,
            price=Price(Decimal(price)),
            qty=Qty(Decimal("0.01")),
            fee=Quote(Decimal("0.30")),
            fee_asset="USDT",
            realized=Quote(Decimal(realized)),
            maker=False,
            ts_event=NOW,
            ts_recv=NOW,
        )
    )


def flow(kind: FlowKind, amount: str, *, told_before: bool = False) -> FlowBooked:
    money = Quote(Decimal(amount))
    return FlowBooked(
        flow=CashFlow(
            kind=kind,
            asset="USDT",
            amount=money,
            symbol="",
            label="X",
            flow_id="" if told_before else amount,
            ts_event=NOW,
            ts_recv=NOW,
        ),
        told_before=told_before,
    )


def opened(number: int, status: OrderStatus = OrderStatus.NEW) -> OrderOpened:
    intent = OrderIntent(
        symbol="BTCUSDT", side=Side.SELL, type=OrderType.STOP_MARKET, role=Role.STOP, qty=Qty(Decimal("0.02"))
    )
    key = OrderKey(namespace=Namespace.ALGO, client_id=f"ska1-1-{number}-0S")
    order = Order(key=key, intent=intent, position_epoch=1, status=status, created_at=NOW)
    return OrderOpened(order=order, target=None)


def moved(order: OrderOpened, status: OrderStatus) -> OrderMoved:
    values: dict[str, Any] = {name: Decimal(0) for name in ("filled", "booked", "cost")}
    known = {name: value for name, value in values.items() if name in OrderMoved.__dataclass_fields__}
    return OrderMoved(
        key=order.order.key,
        status=status,
        exchange_id="1",
        signed_at=None,
        unknown_since=None,
        listed=True,
        code=0,
        why="",
        at=NOW,
        **known,
    )


def remembered(*facts: Fact) -> None:
    async def write() -> None:
        book = journal(STATE / "journal.sqlite")
        for number, fact in enumerate(facts, start=1):
            book.append(Step(seq=number, event=Heartbeat(ts_recv=NOW), commands=(), facts=(fact,)))
        await book.close()

    asyncio.run(write())


def told(command: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*command.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_cent_of_the_wallet_has_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    remembered(
        WalletOpened(asset="USDT", wallet=Quote(Decimal("10000.00")), at=NOW),
        fill(1, Side.BUY, "60000.0"),
        fill(2, Side.BUY, "60100.0"),
        fill(3, Side.SELL, "60200.0", realized="1.50"),
        flow(FlowKind.FUNDING, "-0.25"),
        flow(FlowKind.FUNDING, "-0.25", told_before=True),
        flow(FlowKind.TRANSFER, "100"),
        flow(FlowKind.OTHER, "0.01"),
    )
    shown = told("ledger", capsys)
    assert shown["assets"] == [
        {
            "asset": "USDT",
            "opened": "10000",
            "realized_pnl": "1.5",
            "fees": "0.9",
            "funding": "-0.25",
            "transfers": "100",
            "other": "0.01",
            "wallet": "10100.36",
        }
    ]
    (position,) = shown["positions"]
    assert (position["symbol"], position["qty"], position["entry"]) == ("BTCUSDT", "0.01", "60050")
    assert shown["rows_verified"] == 8
    assert told("positions", capsys) == {"positions": shown["positions"]}


def test_open_orders_are_those_that_have_not_ended(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = opened(1), opened(2)
    remembered(first, second, moved(first, OrderStatus.CANCELED))
    (shown,) = told("orders", capsys)["orders"]
    assert (shown["id"], shown["role"], shown["qty"]) == ("ska1-1-2-0S", "STOP", "0.02")


def test_status_tells_the_trading_state_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    halted = TradingStateChanged(
        state=TradingState.HALTED, halt_id="H-3", by="ann", reason="news", flatten=False, at=NOW
    )
    remembered(WalletOpened(asset="USDT", wallet=Quote(Decimal(50)), at=NOW), halted)
    shown = told("status", capsys)
    trading = shown["trading"]
    assert [trading[key] for key in ("state", "halt_id", "by", "reason")] == ["HALTED", "H-3", "ann", "news"]
    assert (shown["running"], shown["stopped_cleanly"], shown["wallet"]) == (False, False, "50")
    remembered(CleanStop(at=NOW))
    assert told("status", capsys)["stopped_cleanly"] is True


def test_status_from_a_journal_hides_no_unknown_order_and_claims_nothing_it_cannot_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = opened(1, OrderStatus.PENDING_NEW)
    remembered(
        WalletOpened(asset="USDT", wallet=Quote(Decimal(50)), at=NOW),
        fill(1, Side.BUY, "60000.0"),
        sent,
        replace(moved(sent, OrderStatus.UNKNOWN), unknown_since=NOW),
    )
    shown = told("status", capsys)
    assert shown["orders_unknown"] == 1
    assert "unprotected_seconds_max" not in shown, "it is not in the journal, and 0 would be a claim"
    (symbol,) = shown["symbols"]
    assert "last_decision" not in symbol
    assert symbol["position"]["unrealized"] is None, "without a quote nobody knows"


def test_why_tells_the_story_of_an_order_and_knows_when_there_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = opened(1)
    remembered(first, moved(first, OrderStatus.CANCELED))
    shown = told(f"why {first.order.key.client_id}", capsys)
    assert [row["row"] for row in shown["story"]] == [1, 2]
    assert main(["why", "ska1-9-9-0E"]) == 1
    assert "is not in the journal" in capsys.readouterr().err


def test_a_checkpoint_and_what_came_after_give_the_books_of_all_rows() -> None:
    facts: tuple[Fact, ...] = (
        WalletOpened(asset="USDT", wallet=Quote(Decimal(100)), at=NOW),
        fill(1, Side.BUY, "60000.0"),
        opened(1),
        opened(2),
        fill(2, Side.SELL, "60200.0", realized="2"),
    )
    remembered(*facts[:3])
    path = STATE / "journal.sqlite"

    async def checkpointed() -> None:
        book = journal(path)
        book.checkpoint(restored(book.reader).checkpoint())
        for number, fact in enumerate(facts[3:], start=4):
            book.append(Step(seq=number, event=Heartbeat(ts_recv=NOW), commands=(), facts=(fact,)))
        await book.close()

    asyncio.run(checkpointed())
    whole = State()
    for number, fact in enumerate(facts, start=1):
        whole.fold(number, (fact,))
    reader = JournalReader(path)
    assert reader.last_checkpoint(Checkpoint) is not None
    assert restored(reader).checkpoint() == whole.checkpoint()
    reader.close()
