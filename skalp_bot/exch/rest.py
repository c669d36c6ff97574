"""Requests over HTTP: budget, signature, one try, and the raw answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import yarl

from aurora.model.commands import Lane
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch.budget import PATIENCE_S, Budget
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.express import Express, Heard
from skalp_bot.exch.settings import ExchangeSettings
from skalp_bot.exch.venue_clock import VenueClock
from skalp_bot.exch.wire import Answer, NoReply, Reply, Request
from skalp_bot.ports import Clock

PING = Request(method="GET", path="ping", api="fapiPublic")
WARM_CONNECTIONS, HELD_CONNECTIONS = 2, 8  # Used again and again; kept after a burst.
DIAL_S = 2.0


class Rest:
    """What protects has connections of its own, two of them kept warm; all else goes the usual way."""

    def __init__(
        self, *, signer: BinanceClient, settings: ExchangeSettings, clock: Clock, venue_clock: VenueClock
    ) -> None:
        self.budget = Budget(now=venue_clock.now)
        self._signer = signer
        self._settings = settings
        self._clock = clock
        self._venue_clock = venue_clock
        self._general: aiohttp.ClientSession | None = None
        self._express: Express | None = None

    async def open(self) -> aiohttp.ClientSession:
        """The session of what can wait; ccxt borrows it."""
        if self._general is None:
            self._general = aiohttp.ClientSession(
                connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._general

    async def close(self) -> None:
        if self._express is not None:
            await self._express.close()
        if self._general is not None:
            await self._general.close()
        self._general = self._express = None

    async def ask(
        self,
        request: Request,
        lane: Lane,
        *,
        send_before: Nanos | None = None,
        timeout_s: float | None = None,
        patience_s: float | None = None,
    ) -> Answer:
        """Send once when there is room; never retry, never raise for what the network does."""
        turned = await self._admitted(request, lane, PATIENCE_S[lane] if patience_s is None else patience_s)
        now, asked_at = Nanos(self._clock.now()), self._venue_clock.now()
        if turned:
            return NoReply(sent=False, why=f"not sent: {turned}", signed_at=now, ts_recv=now)
        if send_before is not None and now > send_before:
            self.budget.give_back(request, asked_at)
            late_ms = (now - send_before) / 1e6
            return NoReply(sent=False, why=f"not sent: {late_ms:.1f} ms too late", signed_at=now, ts_recv=now)
        return self._noted(
            request, asked_at, await self._send(request, lane, timeout_s or self._settings.http_timeout_s)
        )

    def send_now(self, request: Request, lane: Lane) -> Callable[[], Awaitable[Answer]] | None:
        """Written before this returns, where the budget has room and a connection waits; call for its answer.

        None where one of them is missing, and then nothing was sent.
        """
        express, asked_at = self._express, self._venue_clock.now()
        if express is None or self.budget.admit(lane, request) is not None:
            return None
        signed_at = Nanos(self._clock.now())
        address, headers = self._signer.addressed(request.api, request.path, request.method, request.params)
        connection = express.write(express.head(request.method, address, headers))
        if connection is None:
            self.budget.give_back(request, asked_at)
            return None

        async def answer() -> Answer:
            heard = express.read(connection, self._settings.http_timeout_s)
            return self._noted(request, asked_at, await self._told(heard, signed_at))

        return answer

    async def warm(self) -> None:
        """Use as many connections at once as shall stay open for exits."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WARM_CONNECTIONS):
                if self.budget.admit(Lane.QUERY, PING) is None:
                    tasks.create_task(self._send(PING, Lane.EXIT, self._settings.http_timeout_s))

    async def _admitted(self, request: Request, lane: Lane, patience: float) -> str:
        """Empty when there is room, at once or within the patience; else why not."""
        while (turned := self.budget.admit(lane, request)) is not None:
            if turned.wait_s > patience:
                return turned.why
            patience -= turned.wait_s
            await self._clock.sleep(turned.wait_s)
        return ""

    async def _send(self, request: Request, lane: Lane, timeout_s: float) -> Answer:
        send = self._protect if lane in (Lane.EXIT, Lane.CANCEL) else self._inquire
        signed_at = Nanos(self._clock.now())
        address, headers = self._signer.addressed(request.api, request.path, request.method, request.params)
        return await self._told(send(request.method, address, headers, timeout_s), signed_at)

    async def _told(self, heard: Awaitable[Heard], signed_at: Nanos) -> Answer:
        try:
            status, told, raw = await heard
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._nothing(error, signed_at, sent=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._nothing(error, signed_at, sent=True)
        return Reply(
            status=status,
            body=raw.decode("utf-8", "replace"),
            headers=told,
            signed_at=signed_at,
            ts_recv=Nanos(self._clock.now()),
        )

    def _noted(self, request: Request, asked_at: int, answer: Answer) -> Answer:
        """What the venue counted of it."""
        if isinstance(answer, Reply):
            self.budget.note(request, answer, asked_at)
        elif not answer.sent:
            self.budget.give_back(request, asked_at)
        return answer

    async def _protect(
        self, method: str, address: str, headers: Mapping[str, str], timeout_s: float
    ) -> Heard:
        if self._express is None:
            self._express = Express(
                self._connector(), self._signer.host, held=HELD_CONNECTIONS, dial_s=DIAL_S
            )
        return await self._express.ask(method, address, headers, timeout_s)

    async def _inquire(
        self, method: str, address: str, headers: Mapping[str, str], timeout_s: float
    ) -> Heard:
        session = await self.open()
        async with session.request(
            method,
            yarl.URL(address, encoded=True),
            headers=headers,
            allow_redirects=False,  # A redirect would send the same order again.
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=min(DIAL_S, timeout_s)),
        ) as response:
            return response.status, response.headers, await response.read()

    def _nothing(self, error: Exception, signed_at: Nanos, *, sent: bool) -> NoReply:
        now = Nanos(self._clock.now())
        what = "no answer" if sent else "not connected"
        after = (now - signed_at) / SECOND
        told = str(error).partition("?")[0]  # An address ends where its parameters and signature begin.
        why = f"{what} after {after:.2f} s: {type(error).__name__} {told}".strip()
        return NoReply(sent=sent, why=why, signed_at=signed_at, ts_recv=now)

    def _connector(self) -> aiohttp.TCPConnector:
        """``ttl_dns_cache`` is short: a venue that moves must be found again."""
        return aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=10,
            resolver=self._settings.resolver,
            ssl=self._settings.ssl_context or True,
        )
