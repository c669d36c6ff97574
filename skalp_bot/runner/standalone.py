"""Entries cancelled over REST with neither lock nor journal: for a daemon that hangs, or is gone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aurora.model.account import AccountSnapshot, OrderView
from aurora.model.commands import CancelOrder, RequestSnapshot
from aurora.model.events import Event
from aurora.model.numbers import SECOND
from aurora.model.order import OrderKey
from skalp_bot.config import Keys
from skalp_bot.ports import Clock
from skalp_bot.runner.connect import exchange_of
from skalp_bot.runner.directions import Directions, access_by
from skalp_bot.runner.marks import HALT
from skalp_bot.runner.venue import FastExchange

LIMIT_S = 8.0
AGAIN_S = 1.0  # An order on its way when we first looked is listed by then.
RETRY_S = 0.25
LOOK = RequestSnapshot(
    symbol=None, positions=True, orders=True, algo_orders=True, balances=False, why="standalone"
)


@dataclass(slots=True, kw_only=True)
class Swept:
    """``verified``: two listings, a second apart, showed no entry of ours."""

    verified: bool = False
    cancelled: dict[str, str] = field(default_factory=dict)  # Id to symbol.
    left: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()  # Reduce-only and conditional orders: they protect.
    positions: dict[str, str] = field(default_factory=dict)
    error: str = ""


def leave_halt(state_dir: Path, reason: str) -> None:
    """Makes the next start HALTED; written before anything that can fail."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state_dir / HALT).write_text(f"{reason}\n", encoding="utf-8")


async def cancel_entries(found: Directions, keys: Keys | None, clock: Clock) -> Swept:
    """VenueError when the exchange cannot be reached or there are no keys for it."""
    access = access_by(found, keys)
    events: list[Event] = []
    exchange = exchange_of(access, found.core, emit=events.append, clock=clock)
    try:
        await exchange.connect_fast()
        return await Sweep(exchange, events, clock, own=lambda name: name.startswith(found.prefix)).run()
    finally:
        await exchange.close()


class Sweep:
    """Looks and cancels until nothing of ours can open a position any more, or the time is over."""

    def __init__(
        self, exchange: FastExchange, events: list[Event], clock: Clock, *, own: Callable[[str], bool]
    ) -> None:
        self._exchange = exchange
        self._events = events
        self._clock = clock
        self._own = own
        self._swept = Swept()

    async def run(self) -> Swept:
        deadline = self._clock.monotonic() + int(LIMIT_S * SECOND)
        clean = 0
        while self._clock.monotonic() < deadline:
            look = await self._look()
            if look is None:
                await self._clock.sleep(RETRY_S)
                continue
            entries = self._read(look)
            clean = 0 if entries else clean + 1
            if clean > 1:
                self._swept.verified = True
                break
            await self._cancel(entries)
            await self._clock.sleep(RETRY_S if entries else AGAIN_S)
        return self._swept

    async def _look(self) -> AccountSnapshot | None:
        self._events.clear()
        await self._exchange.execute(LOOK)
        for event in self._events:
            if isinstance(event, AccountSnapshot):
                return event
        self._swept.error = "; ".join(str(getattr(event, "why", "")) for event in self._events)
        return None

    def _read(self, look: AccountSnapshot) -> list[OrderView]:
        ours = [view for view in look.orders or () if self._own(view.client_id)]
        entries = [view for view in ours if not (view.reduce_only or view.close_position)]
        protecting = [view for view in ours if view not in entries]
        conditional = [view for view in look.algo_orders or () if self._own(view.client_id)]
        self._swept.left = tuple(view.client_id for view in entries)
        self._swept.kept = tuple(view.client_id for view in (*protecting, *conditional))
        self._swept.positions = {view.symbol: str(view.qty) for view in look.positions or () if view.qty}
        self._swept.error = ""
        return entries

    async def _cancel(self, entries: list[OrderView]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for view in entries:
                key = OrderKey(namespace=view.namespace, client_id=view.client_id)
                tasks.create_task(self._exchange.execute(CancelOrder(key=key, symbol=view.symbol)))
                self._swept.cancelled[view.client_id] = view.symbol
