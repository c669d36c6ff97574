"""The Exchange port on Binance USD-M: open, stream, execute, close."""

import asyncio
from collections.abc import Awaitable
from math import inf
from typing import assert_never

from aurora.errors import InvariantError
from aurora.model.commands import (
    CancelOrder,
    Command,
    Lane,
    QueryOrder,
    RequestIncome,
    RequestSnapshot,
    RequestTrades,
    SubmitOrder,
)
from aurora.model.events import OrderAcked, OrderNotSent, OrderOutcome, RequestFailed
from aurora.model.numbers import Nanos
from aurora.model.order import OrderKey
from skalp_bot.exch import encode, outcomes
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.checkup import Checkup, Needs
from skalp_bot.exch.connection import OnFrame
from skalp_bot.exch.fields import DecodeError
from skalp_bot.exch.questions import Questions
from skalp_bot.exch.rest import Rest
from skalp_bot.exch.settings import ExchangeSettings
from skalp_bot.exch.startup import Startup
from skalp_bot.exch.streams import Streams
from skalp_bot.exch.venue_clock import VenueClock
from skalp_bot.exch.wire import Answer, Reply, Request
from skalp_bot.ports import Clock, Emit, Outcome, VenueError

SKEWED = (-1021, -5028)
# Precision, tick size and step size as we know them are not the venue's, nor is the state of the symbol.
OUTDATED = (-1111, -4014, -4023, -1121, -1122, -4140, -4141)
POSTED_MAX = 10_000  # Ids remembered as posted; many times what the outbox can hold back.
FEES_RETRY_S = 60.0
RELOAD_AGAIN_S = 5.0
HALTED_S = 60.0


class BinanceExchange:
    """Satisfies ``ports.Exchange``; ``connect_fast`` alone is enough to ask, cancel and submit."""

    def __init__(
        self, settings: ExchangeSettings, *, clock: Clock, emit: Emit, pass_on: Emit | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self._posted: dict[OrderKey, int] = {}  # How far our time was ahead of the monotonic one then.
        self._connected = False
        self._skewed = asyncio.Event()
        self._outdated = asyncio.Event()
        self.venue_clock = VenueClock(clock)
        self._client = BinanceClient(
            settings,
            venue_ms=lambda: self.venue_clock.now() // 1_000_000,
            hearer_of=self._hearer_of,
            on_connected=self._on_connected,
        )
        self._rest = Rest(signer=self._client, settings=settings, clock=clock, venue_clock=self.venue_clock)
        self._questions = Questions(rest=self._rest, clock=clock, venue_clock=self.venue_clock)
        self._streams = Streams(
            client=self._client,
            rest=self._rest,
            settings=settings,
            clock=clock,
            emit=emit,
            pass_on=pass_on or emit,
        )
        self._startup = Startup(
            rest=self._rest,
            settings=settings,
            clock=clock,
            venue_clock=self.venue_clock,
            emit=emit,
            host=self._client.host,
        )

    async def connect_fast(self) -> None:
        """The venue's time and nothing else: what recovery needs before it can protect a position."""
        if not self._connected:
            self._client.attach(await self._rest.open())
            await self._startup.reach()
            self._connected = True

    async def clock_sync(self) -> None:
        """Learn the venue's time anew; VenueError when it does not answer."""
        self._skewed.clear()
        why = await self._startup.sync_clock()
        if why:
            raise VenueError(f"{self._client.host} does not tell its time: {why}")

    async def open(self) -> None:
        """Everything a trading day needs; raises VenueError with the fix, emits what it learned."""
        await self.connect_fast()
        try:
            await self._startup.fit(await self._startup.instruments())
            await self._startup.one_way_mode()
            await self._startup.margin_and_leverage(self._startup.trading)
            await self._startup.candles(self._startup.trading)
        except DecodeError as error:
            raise VenueError(f"{self._client.host} answered what nobody can read: {error}") from error
        await self.execute(
            RequestSnapshot(
                symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="open"
            )
        )

    async def stream(self) -> None:
        """Streams, and the upkeep that a long day needs; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._streams.run(), name="streams")
            tasks.create_task(self._keep_clock(), name="clock-sync")
            tasks.create_task(self._keep_warm(), name="warm-connections")
            tasks.create_task(self._load_fees(), name="fees")
            tasks.create_task(self._keep_filters(), name="filters")

    async def execute(self, command: Command) -> None:
        """Carry out one command; exactly one event tells how it ended."""
        match command:
            case SubmitOrder():
                self._emit(await self._submit(command))
            case CancelOrder():
                request = encode.cancel(command.key, command.symbol)
                answer = await self._ask(request, Lane.CANCEL)
                self._emit(outcomes.canceled(command.key, answer))
            case QueryOrder():
                requested_at = self._asked_at(command.key)
                answer = await self._ask(encode.query(command.key, command.symbol), Lane.CANCEL)
                self._emit(outcomes.queried(command.key, answer, requested_at))
            case RequestSnapshot():
                self._emit(await self._questions.snapshot(command))
            case RequestTrades():
                self._emit(await self._questions.trades(command))
            case RequestIncome():
                self._emit(await self._questions.income(command))
            case _ as never:
                assert_never(never)

    def send_now(self, order: SubmitOrder) -> Outcome | None:
        """Encoded, signed and written in one go. What has a time limit is left to ``execute``."""
        key = order.key
        if order.send_before is not None or key in self._posted:
            return None
        try:
            request = encode.submit(order)
        except encode.EncodeError:
            return None
        self._remember(key)  # First: whatever fails from here on, it is not sent again.
        answer = self._rest.send_now(request, order.lane)
        if answer is None:
            del self._posted[key]
            return None
        self._streams.promise(key)

        async def outcome() -> None:
            self._emit(self._outcome(key, self._heeded(await answer())))

        return outcome

    def checkup(self, needs: Needs) -> Checkup:
        """Questions about the venue and the account, before anything depends on them."""
        return Checkup(
            rest=self._rest,
            startup=self._startup,
            settings=self._settings,
            clock=self._clock,
            venue_clock=self.venue_clock,
            needs=needs,
        )

    def budget_use(self) -> tuple[tuple[str, float], ...]:
        """The share used of each of the venue's limits, by name."""
        return self._rest.budget.use()

    async def close(self) -> None:
        await self._client.close()
        await self._rest.close()

    async def _submit(self, command: SubmitOrder) -> OrderOutcome:
        key = command.key
        if key in self._posted:
            raise InvariantError(f"order {key.client_id} was about to be sent a second time")
        try:
            request = encode.submit(command)
        except encode.EncodeError as error:
            return OrderNotSent(key=key, why=f"not sent: {error}", ts_recv=Nanos(self._clock.now()))
        self._remember(key)
        self._streams.promise(key)
        return self._outcome(key, await self._ask(request, command.lane, send_before=command.send_before))

    def _outcome(self, key: OrderKey, answer: Answer) -> OrderOutcome:
        outcome = outcomes.submitted(key, answer)
        if isinstance(outcome, OrderAcked):
            self._streams.expect(key)
        else:
            self._streams.forget(key)
        return outcome

    def _remember(self, key: OrderKey) -> None:
        if len(self._posted) >= POSTED_MAX:
            del self._posted[next(iter(self._posted))]
        self._posted[key] = self._ahead()

    def _asked_at(self, key: OrderKey) -> Nanos:
        """Now, on the clock by which the order was signed: setting it forward lets no signature expire."""
        now, ahead = self._clock.now(), self._ahead()
        return Nanos(now - max(ahead - self._posted.get(key, ahead), 0))

    def _ahead(self) -> int:
        return self._clock.now() - self._clock.monotonic()

    async def _ask(self, request: Request, lane: Lane, *, send_before: Nanos | None = None) -> Answer:
        return self._heeded(await self._rest.ask(request, lane, send_before=send_before))

    def _heeded(self, answer: Answer) -> Answer:
        """What an answer says of our clock and filters."""
        code = answer.code if isinstance(answer, Reply) else None
        if code in SKEWED:
            self._skewed.set()
        if code in OUTDATED:
            self._outdated.set()
        return answer

    async def _keep_clock(self) -> None:
        """At intervals, and at once when the venue found our time wrong."""
        while True:
            try:
                async with asyncio.timeout(self._settings.clock_sync_s):
                    await self._skewed.wait()
            except TimeoutError:
                pass
            self._skewed.clear()
            await self._startup.sync_clock()
            await self._clock.sleep(1.0)

    async def _keep_warm(self) -> None:
        while True:
            await self._rest.warm()
            await self._clock.sleep(self._settings.warm_every_s)

    async def _load_fees(self) -> None:
        """Once, after the start, because nothing waited for them."""
        asked = [symbol for symbol in self._settings.symbols if symbol not in self._startup.missing]
        while asked:
            asked = [
                symbol
                for symbol in asked
                if not await self._done("commissionRate", symbol, self._startup.fees(symbol))
            ]
            await self._clock.sleep(FEES_RETRY_S)

    async def _keep_filters(self) -> None:
        """At intervals, short ones while a symbol of ours does not trade; at once when proven wrong."""
        while True:
            halted = len(self._startup.trading) < len(self._settings.symbols)
            try:
                async with asyncio.timeout(min(self._settings.reload_s, HALTED_S if halted else inf)):
                    await self._outdated.wait()
            except TimeoutError:
                pass
            self._outdated.clear()
            await self._done("exchangeInfo", "filters", self._startup.reload())
            await self._clock.sleep(RELOAD_AGAIN_S)

    async def _done(self, request: str, subject: str, work: Awaitable[object]) -> bool:
        """Upkeep that fails is told and tried again; it stops nothing."""
        try:
            await work
        except (VenueError, DecodeError) as error:
            now = Nanos(self._clock.now())
            self._emit(RequestFailed(request=request, subject=subject, why=str(error), ts_recv=now))
            return False
        return True

    def _hearer_of(self, url: str) -> OnFrame:
        return self._streams.hearer_of(url)

    def _on_connected(self, url: str) -> None:
        self._streams.on_connected(url)
