"""Ports small enough to build in a test: a recording exchange, a disk to stop, a clock to turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from decimal import Decimal
from functools import partial

from aurora.model.commands import CancelOrder, Command, Lane, QueryOrder, SubmitOrder
from aurora.model.control import Heartbeat
from aurora.model.events import Event
from aurora.model.facts import DurableFact, Fact, OrderMoved
from aurora.model.gate import Approved
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, Nanos, Qty
from aurora.model.order import Namespace, OrderIntent, OrderKey, OrderStatus, OrderType, Role, Side
from aurora.model.step import Step
from skalp_bot.ports import JournalError, Outcome


class HandClock:
    """Time stands still until told; sleeping gives way and nothing else."""

    def __init__(self, now: int = 1_000 * MILLISECOND) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def monotonic(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.001))


class RecordingExchange:
    """Keeps what it was asked to do; each send lasts until ``let_go``."""

    def __init__(self, *, hold: bool = False) -> None:
        self.executed: list[Command] = []
        self.written: list[str] = []
        self.connected = True
        self.in_flight = 0
        self.in_flight_max = 0
        self._go = asyncio.Event()
        if not hold:
            self._go.set()

    async def open(self) -> None: ...

    async def stream(self) -> None: ...

    async def execute(self, command: Command) -> None:
        self.executed.append(command)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            await self._go.wait()
        finally:
            self.in_flight -= 1

    def send_now(self, order: SubmitOrder) -> Outcome | None:
        if not self.connected:
            return None
        self.written.append(order.key.client_id)
        return partial(self.execute, order)

    async def close(self) -> None: ...

    def let_go(self) -> None:
        self._go.set()

    @property
    def ids(self) -> list[str]:
        return [
            c.key.client_id for c in self.executed if isinstance(c, SubmitOrder | CancelOrder | QueryOrder)
        ]


class DiskTicket:
    def __init__(self, disk: "Disk") -> None:
        self._disk = disk
        self._number = disk.rows

    @property
    def durable(self) -> bool:
        return self._disk.synced >= self._number

    @property
    def error(self) -> str:
        return "disk full" if self._disk.broken and not self.durable else ""

    async def wait(self) -> None:
        while not self.durable:
            if self.error:
                raise JournalError(self.error)
            await self._disk.moved.wait()

    def when_settled(self, call: Callable[[], None], *, urgent: bool = True) -> None:
        self._disk.calls.append((self._number, call))
        self._disk.tell()


class Disk:
    """A journal whose disk syncs when told."""

    def __init__(self, *, instant: bool = True) -> None:
        self.rows = 0
        self.synced = 0
        self.broken = False
        self.steps: list[Step] = []
        self.notes: list[DurableFact] = []
        self.moved = asyncio.Event()
        self.calls: list[tuple[int, Callable[[], None]]] = []
        self._instant = instant

    def append(self, step: Step) -> DiskTicket:
        self.steps.append(step)
        return self._row()

    def note(self, fact: DurableFact) -> DiskTicket:
        self.notes.append(fact)
        return self._row()

    async def close(self) -> None: ...

    def sync(self) -> None:
        self.synced = self.rows
        self._move()

    def break_down(self) -> None:
        self.broken = True
        self._move()

    def _row(self) -> DiskTicket:
        self.rows += 1
        if self._instant and not self.broken:
            self.synced = self.rows
        return DiskTicket(self)

    def _move(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()
        self.tell()

    def tell(self) -> None:
        """Call back whom the disk has answered, each in a turn of the loop of its own."""
        settled = [each for each in self.calls if self.broken or each[0] <= self.synced]
        self.calls = [each for each in self.calls if each not in settled]
        for _, call in settled:
            asyncio.get_running_loop().call_soon(call)


def submit(
    client_id: str, *, role: Role = Role.ENTRY, send_before: int | None = None, lane: Lane | None = None
) -> SubmitOrder:
    entry = role is Role.ENTRY
    intent = OrderIntent(
        symbol="BTCUSDT",
        side=Side.BUY if entry else Side.SELL,
        type=OrderType.MARKET,
        role=role,
        qty=Qty(Decimal("0.01")),
        reduce_only=not entry,
    )
    return SubmitOrder(
        key=OrderKey(namespace=Namespace.REGULAR, client_id=client_id),
        approved=Approved(intent=intent, checks=()),
        lane=lane if lane is not None else (Lane.ENTRY if entry else Lane.EXIT),
        send_before=None if send_before is None else Nanos(send_before),
    )


def cancel(client_id: str) -> CancelOrder:
    return CancelOrder(key=OrderKey(namespace=Namespace.REGULAR, client_id=client_id), symbol="BTCUSDT")


def query(client_id: str) -> QueryOrder:
    return QueryOrder(key=OrderKey(namespace=Namespace.REGULAR, client_id=client_id), symbol="BTCUSDT")


def step(*commands: Command, facts: tuple[Fact, ...] = (), event: Event | None = None, seq: int = 1) -> Step:
    return Step(seq=seq, event=event or beat(), commands=commands, facts=facts)


def beat(at: int = 0) -> Heartbeat:
    return Heartbeat(ts_recv=Nanos(at))


def tick(mid: float, *, symbol: str = "BTCUSDT", update_id: int = 1, at: int = 0) -> BookTicker:
    bid, ask = mid - 0.5, mid + 0.5
    return BookTicker(
        symbol=symbol,
        bid=bid,
        bid_qty=1.0,
        ask=ask,
        ask_qty=1.0,
        bid_text=str(bid),
        ask_text=str(ask),
        update_id=update_id,
        ts_event=Nanos(at),
        ts_recv=Nanos(at),
        mid_low=mid,
        mid_high=mid,
        bid_low=bid,
        ask_high=ask,
    )


async def until(holds: Callable[[], bool], *, seconds: float = 2.0) -> None:
    """Wait until it holds; fail loudly when it does not."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose leftover tasks end with the test."""
    async with asyncio.TaskGroup() as tasks:
        yield tasks
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()


def moved(client_id: str, status: OrderStatus) -> OrderMoved:
    values: dict[str, object] = {
        "key": OrderKey(namespace=Namespace.REGULAR, client_id=client_id),
        "status": status,
        "filled": Qty(Decimal(0)),
        "booked": Qty(Decimal(0)),
        "cost": Decimal(0),
        "exchange_id": "",
        "signed_at": None,
        "unknown_since": None,
        "listed": False,
        "code": 0,
        "why": "",
        "at": Nanos(0),
    }
    known = {item.name for item in fields(OrderMoved)}
    return OrderMoved(**{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type] # Named by the class itself.
