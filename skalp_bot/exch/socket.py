"""One stream's socket: dialled, believed when it answers, dropped when it goes silent, dialled again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import ccxt
import orjson

from aurora.model.control import DecodeFailed, Stream, StreamChanged
from aurora.model.events import Event
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.fields import DecodeError, Row
from skalp_bot.ports import Clock, Emit

BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 30.0  # A connection that lived this long makes the next loss a first one.
ACK_S = 10.0
LIFE_S = 23.5 * 3600  # The venue ends every connection after a day; we choose the moment.

# A listen key opens the account's stream to whoever reads it: in an address, or in a frame.
LISTEN_KEY = re.compile(r"""(listenKey["']?\s*[=:]\s*["']?)[^\s"'&]+""")
LOSSES = (ccxt.BaseError, aiohttp.ClientError, OSError, TimeoutError)


def redacted(why: str) -> str:
    return LISTEN_KEY.sub(r"\1***", why)


class DialError(Exception):
    """The address of a stream could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``address`` finds the URL anew for each dial; ``names`` are subscribed once connected."""

    stream: Stream
    address: Callable[[], Awaitable[str]]
    names: tuple[str, ...]
    read: Callable[[Row, Nanos], Event | None]


class Socket:
    """``last_at`` is the monotonic time of the last frame; ``up`` is what the engine was told last."""

    def __init__(self, plan: Plan, *, client: BinanceClient, clock: Clock, emit: Emit) -> None:
        self.plan = plan
        self.up = False
        self.url = ""
        self.connected_at = 0
        self.last_at = 0
        self._client = client
        self._clock = clock
        self._emit = emit
        self._serial = 0
        self._failures = 0
        self._spoiled_at = 0
        self._spoiled_untold = 0

    async def keep(self) -> None:
        """Dial for ever; every loss has a reason and a pause after it."""
        while True:
            self.connected_at = 0
            why = await self._session()
            if self._age_s(self.connected_at) > STEADY_S:
                self._failures = 0
            pause = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
            self._failures += 1
            self._tell(up=False, why=why)
            await self._clock.sleep(pause)

    def connected(self) -> None:
        """ccxt reached the address; a stream without subscriptions is up with that."""
        self.connected_at = self.last_at = self._clock.monotonic()
        if not self.plan.names:
            self._tell(up=True, why="connected")

    def hear(self, frame: str) -> None:
        """One text frame. Never raises: ccxt's loop would die of it without a word."""
        now = Nanos(self._clock.now())
        self.last_at = self._clock.monotonic()
        try:
            row = orjson.loads(frame)
            if "e" in row:
                if not self.up:
                    self._tell(up=True, why="first frame")
                event = self.plan.read(row, now)
                if event is not None:
                    self._emit(event)
            else:
                self._answered(row)
        except DecodeError as error:
            self._spoiled(str(error), now)
        except Exception as error:  # noqa: BLE001  # See above: a frame may fail, the loop may not.
            self._spoiled(redacted(f"{type(error).__name__}: {error}: {frame[:160]}"), now)

    def drop(self, why: str) -> None:
        self._client.drop(self.url, why)

    def check_life(self) -> None:
        """Drop a connection that was never acknowledged, or that the venue is about to end."""
        if not self.connected_at:
            return
        age_s = self._age_s(self.connected_at)
        if not self.up and age_s > ACK_S:
            self.drop(f"subscription not acknowledged within {ACK_S:.0f} s")
        elif age_s > LIFE_S:
            self.drop("renewed before the venue's 24 h limit")

    def silent_s(self) -> float:
        """Seconds since the last frame of a stream that is up; zero for one that is not."""
        return self._age_s(self.last_at) if self.up else 0.0

    async def _session(self) -> str:
        """Until the connection ends; the reason why it did."""
        try:
            self.url = await self.plan.address()
            self._serial += 1
            await self._client.watch(self.url, str(self.plan.stream), self._subscription(), self.plan.stream)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return "connection closed"  # ccxt cancels its futures when a socket closes.
        except DialError as error:
            return str(error)
        except LOSSES as error:
            return redacted(f"{type(error).__name__}: {error}")
        return "ended without a reason"

    def _subscription(self) -> dict[str, Any] | None:
        if not self.plan.names:
            return None
        return {"method": "SUBSCRIBE", "params": list(self.plan.names), "id": self._serial}

    def _answered(self, row: Row) -> None:
        if "id" in row and "result" in row and row.get("error") is None:
            self._tell(up=True, why="subscribed")
        else:
            self.drop(redacted(f"subscription refused: {str(row)[:160]}"))

    def _spoiled(self, why: str, now: Nanos) -> None:
        """Each spoiled account frame is told; of market data one a second, so that a flood drowns nothing."""
        quiet = now - self._spoiled_at < SECOND and self.plan.stream is not Stream.USER
        self._spoiled_untold += 1
        if quiet:
            return
        counted = f" (and {self._spoiled_untold - 1} more)" if self._spoiled_untold > 1 else ""
        self._spoiled_at, self._spoiled_untold = now, 0
        self._emit(DecodeFailed(stream=self.plan.stream, why=why + counted, ts_recv=now))

    def _tell(self, *, up: bool, why: str) -> None:
        """Changes are told, and the first of a row of failures; the row itself is not."""
        changed, self.up = up != self.up, up
        if changed or (not up and self._failures == 1):
            now = Nanos(self._clock.now())
            self._emit(StreamChanged(stream=self.plan.stream, up=up, why=why, ts_recv=now))

    def _age_s(self, since: int) -> float:
        return (self._clock.monotonic() - since) / SECOND if since else 0.0
