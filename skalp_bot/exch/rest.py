"""Requests over HTTP: budget, signature, one try, and the raw answer."""

import asyncio

import aiohttp
import yarl

from aurora.model.commands import Lane
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch.budget import PATIENCE_S, Budget
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.settings import ExchangeSettings
from skalp_bot.exch.venue_clock import VenueClock
from skalp_bot.exch.wire import Answer, NoReply, Reply, Request
from skalp_bot.ports import Clock

PING = Request(method="GET", path="ping", api="fapiPublic")
WARM_CONNECTIONS = 2
DIAL_S = 2.0


class Rest:
    """Exits have a session of their own, so that two of its connections can be kept warm for them."""

    def __init__(
        self, *, signer: BinanceClient, settings: ExchangeSettings, clock: Clock, venue_clock: VenueClock
    ) -> None:
        self.budget = Budget(now=venue_clock.now)
        self._signer = signer
        self._settings = settings
        self._clock = clock
        self._venue_clock = venue_clock
        self._general: aiohttp.ClientSession | None = None
        self._exits: aiohttp.ClientSession | None = None

    async def open(self) -> aiohttp.ClientSession:
        """The general session, once both are made."""
        if self._general is None:
            self._general, self._exits = self._session(), self._session()
        return self._general

    async def close(self) -> None:
        for session in (self._exits, self._general):
            if session is not None:
                await session.close()
        self._general = self._exits = None

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
        answer = await self._send(request, lane, timeout_s or self._settings.http_timeout_s)
        if isinstance(answer, Reply):
            self.budget.note(request, answer, asked_at)
        elif not answer.sent:
            self.budget.give_back(request, asked_at)
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
        general = await self.open()
        session = self._exits if lane in {Lane.EXIT, Lane.CANCEL} and self._exits else general
        signed_at = Nanos(self._clock.now())
        address, headers = self._signer.addressed(request.api, request.path, request.method, request.params)
        try:
            async with session.request(
                request.method,
                yarl.URL(
                    address, encoded=True
                ),  # Without a body, which would leave one turn of the loop later.
                headers=headers,
                allow_redirects=False,  # A redirect would send the same order again.
                timeout=aiohttp.ClientTimeout(total=timeout_s, connect=min(DIAL_S, timeout_s)),
            ) as response:
                raw = await response.read()
                return Reply(
                    status=response.status,
                    body=raw.decode("utf-8", "replace"),
                    headers=response.headers,
                    signed_at=signed_at,
                    ts_recv=Nanos(self._clock.now()),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._nothing(error, signed_at, sent=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._nothing(error, signed_at, sent=True)

    def _nothing(self, error: Exception, signed_at: Nanos, *, sent: bool) -> NoReply:
        now = Nanos(self._clock.now())
        what = "no answer" if sent else "not connected"
        after = (now - signed_at) / SECOND
        told = str(error).partition("?")[0]  # An address ends where its parameters and signature begin.
        why = f"{what} after {after:.2f} s: {type(error).__name__} {told}".strip()
        return NoReply(sent=sent, why=why, signed_at=signed_at, ts_recv=now)

    def _session(self) -> aiohttp.ClientSession:
        """``ttl_dns_cache`` is short: a venue that moves must be found again."""
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=60,
            ttl_dns_cache=10,
            resolver=self._settings.resolver,
            ssl=self._settings.ssl_context or True,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
