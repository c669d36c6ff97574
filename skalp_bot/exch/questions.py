"""Questions about the account, page by page until they are answered whole, or a stated failure."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aurora.model.account import AccountSnapshot
from aurora.model.commands import Lane, RequestIncome, RequestSnapshot, RequestTrades
from aurora.model.events import IncomeListed, RequestFailed, TradesListed
from aurora.model.fill import CashFlow, Fill
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from skalp_bot.exch import listings
from skalp_bot.exch.fields import DecodeError
from skalp_bot.exch.pieces import Listing
from skalp_bot.exch.rest import Rest
from skalp_bot.exch.venue_clock import VenueClock
from skalp_bot.exch.wire import Reply, Request
from skalp_bot.ports import Clock

PAGE = 1000
PAGES_MAX = 100
INCOME_DAYS = 89  # The venue keeps three months.
KEPT = 512  # Rows of orders remembered, about a megabyte; the venue lets 200 conditional ones rest.

POSITIONS = Request(method="GET", path="positionRisk", api="fapiPrivateV3")
BALANCES = Request(method="GET", path="balance", api="fapiPrivateV3")
OPEN_ORDERS = Request(method="GET", path="openOrders")
OPEN_ALGO = Request(method="GET", path="openAlgoOrders")


class AskError(Exception):
    """The venue did not answer a question; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One listing of a snapshot."""

    request: Request
    listing: Listing[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    why: str


class Questions:
    """Every method answers with an event; none raises for what the venue or the network does."""

    def __init__(self, *, rest: Rest, clock: Clock, venue_clock: VenueClock) -> None:
        self._rest = rest
        self._clock = clock
        self._venue_clock = venue_clock
        self._positions = Listing("positionRisk", listings.position_view, clock=clock)
        self._orders = Listing("openOrders", listings.order_view, clock=clock, kept=KEPT)
        self._algo = Listing("openAlgoOrders", listings.algo_view, clock=clock, kept=KEPT)
        self._balances = Listing("balance", listings.balance_view, clock=clock)

    async def snapshot(self, command: RequestSnapshot) -> AccountSnapshot | RequestFailed:
        """All parts one right after another, so that they describe nearly the same moment.

        The listing of one symbol proves its stops and costs next to nothing: it goes before other questions.
        """
        requested_at = self._now()
        # What protection waits for goes before the routine: the stops of a symbol, and a start's first look.
        lane = Lane.CANCEL if command.symbol or not command.orders else Lane.QUERY
        listed = {"symbol": command.symbol} if command.symbol else {}
        weight = 1 if command.symbol else 40
        parts = {
            "positions": _part(POSITIONS, self._positions) if command.positions else None,
            "orders": _part(OPEN_ORDERS, self._orders, listed, weight) if command.orders else None,
            "algo": _part(OPEN_ALGO, self._algo, listed, weight) if command.algo_orders else None,
            "balances": _part(BALANCES, self._balances) if command.balances else None,
        }
        asked: dict[str, asyncio.Task[Any]] = {}
        async with asyncio.TaskGroup() as tasks:
            for name, part in parts.items():
                if part is not None:
                    asked[name] = tasks.create_task(self._read(part, lane))
                    await self._clock.sleep(0)  # One request a turn of the loop: an exit waits for no more.
        found = dict.fromkeys(parts) | {name: task.result() for name, task in asked.items()}
        for failure in found.values():
            if isinstance(failure, Failure):
                return self._failed("RequestSnapshot", command.symbol or "", failure.why)
        return AccountSnapshot(
            symbol=command.symbol,
            positions=found["positions"],
            orders=found["orders"],
            algo_orders=found["algo"],
            balances=found["balances"],
            requested_at=requested_at,
            ts_recv=self._now(),
        )

    async def trades(self, command: RequestTrades) -> TradesListed | RequestFailed:
        """Every trade from ``from_id`` on; without one, the newest page."""
        requested_at = self._now()
        try:
            fills = [fill async for page in self._trade_pages(command) for fill in page]
        except (AskError, DecodeError) as error:
            return self._failed("RequestTrades", command.symbol, str(error))
        return TradesListed(
            symbol=command.symbol, fills=tuple(fills), requested_at=requested_at, ts_recv=self._now()
        )

    async def income(self, command: RequestIncome) -> IncomeListed | RequestFailed:
        """Every cash flow that is no trade since ``since``, oldest first."""
        requested_at = self._now()
        try:
            flows = [flow async for page in self._income_pages(command.since) for flow in page]
        except (AskError, DecodeError) as error:
            return self._failed("RequestIncome", "", str(error))
        return IncomeListed(
            flows=tuple(sorted(flows, key=lambda flow: flow.ts_event)),
            since=command.since,
            requested_at=requested_at,
            ts_recv=self._now(),
        )

    async def _trade_pages(self, command: RequestTrades) -> AsyncIterator[tuple[Fill, ...]]:
        from_id = command.from_id
        for _ in range(PAGES_MAX):
            params = {"symbol": command.symbol, "limit": str(PAGE)}
            if from_id is not None:
                params["fromId"] = str(from_id)
            request = Request(method="GET", path="userTrades", params=params, weight=5)
            told = await self._told(request, Lane.CANCEL)
            read = partial(listings.listed_fill, now=told.ts_recv)
            page = await Listing("userTrades", read, clock=self._clock).views(told.body)
            yield page
            if from_id is None or len(page) < PAGE:
                return
            from_id = max(fill.trade_id for fill in page) + 1
        raise AskError(f"more than {PAGES_MAX} pages of {PAGE} trades")

    async def _income_pages(self, since: Nanos) -> AsyncIterator[tuple[CashFlow, ...]]:
        until = self._venue_clock.now()
        begin = min(max(since, until - INCOME_DAYS * 86400 * SECOND), until)  # Our clock may be ahead.
        window = {
            "startTime": str(begin // MILLISECOND),
            "endTime": str(until // MILLISECOND),
            "limit": str(PAGE),
        }
        for number in range(1, PAGES_MAX + 1):
            params = window | {"page": str(number)}
            request = Request(method="GET", path="income", params=params, weight=30)
            told = await self._told(request, Lane.QUERY)
            read = partial(listings.income_flows, now=told.ts_recv)
            page = await Listing("income", read, clock=self._clock).views(told.body)
            yield tuple(flow for flows in page for flow in flows)
            if len(page) < PAGE:
                return
        raise AskError(f"more than {PAGES_MAX} pages of {PAGE} income rows")

    async def _read(self, part: Part, lane: Lane) -> Any:
        try:
            return await part.listing.views((await self._told(part.request, lane)).body)
        except (AskError, DecodeError) as error:
            return Failure(why=str(error))

    async def _told(self, request: Request, lane: Lane) -> Reply:
        answer = await self._rest.ask(request, lane)
        if not isinstance(answer, Reply):
            raise AskError(f"{request.name}: {answer.why}")
        if answer.status != 200:
            raise AskError(f"{request.name}: HTTP {answer.status} {answer.code or ''} {answer.message}")
        return answer

    def _failed(self, name: str, subject: str, why: str) -> RequestFailed:
        return RequestFailed(request=name, subject=subject, why=why, ts_recv=self._now())

    def _now(self) -> Nanos:
        return Nanos(self._clock.now())


def _part(
    request: Request, listing: Listing[Any], params: dict[str, str] | None = None, weight: int = 5
) -> Part:
    return Part(request=replace(request, params=params or {}, weight=weight), listing=listing)
