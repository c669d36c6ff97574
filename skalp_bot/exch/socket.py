"""One stream's socket: dialled, believed when it answers, dropped when it goes silent, dialled again."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import ccxt
import orjson

from aurora.model.control import DecodeFailed, Stream, StreamChanged
from aurora.model.events import Event
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.echo import Echo
from skalp_bot.exch.fields import DecodeError, Row, text, whole
from skalp_bot.ports import Clock, Emit

BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 30.0  # A connection that lived this long makes the next loss a first one.
ACK_S = 10.0
AT_ONCE, UNREAD_MAX = 4, 4_096  # Frames of a patient stream.
OVERLAP_S = 2.0  # Two connections tell the same for so long, and echoes are listened for so long after.

# A listen key opens the account's stream to whoever reads it: in an address, or in a frame.
LISTEN_KEY = re.compile(r"""(listenKey["']?\s*[=:]\s*["']?)[^\s"'&]+""")
LOSSES = (ccxt.BaseError, aiohttp.ClientError, OSError, TimeoutError)


def redacted(why: str) -> str:
    return LISTEN_KEY.sub(r"\1***", why)


class DialError(Exception):
    """The address of a stream could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``address`` finds the URL anew for each dial; ``names`` are subscribed once connected.

    Frames of a ``patient`` stream come in bursts and are read a few at a time.
    """

    stream: Stream
    address: Callable[[], Awaitable[str]]
    names: tuple[str, ...]
    read: Callable[[Row, Nanos], Event | None]
    patient: bool = False


@dataclass(eq=False, slots=True)
class Leg:
    """One of a stream's two connections; ``tag`` makes its address its own, and no venue sees a fragment."""

    tag: str
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    serial: int = 0  # Of its subscription; the answer repeats it.
    connected_at: int = 0
    up_at: int = 0
    failures: int = 0


class Socket:
    """A stream: one connection, and a second one while a young one relieves one that has grown old.

    ``last_at`` is the time of the last frame; ``up`` is what the engine was told last; while
    ``doubled`` everything may be heard twice.
    """

    def __init__(
        self, plan: Plan, *, client: BinanceClient, clock: Clock, emit: Emit, pass_on: Emit, life_s: float
    ) -> None:
        self.plan = plan
        self.up = False
        self.doubled = False
        self.last_at = 0
        self.legs = (Leg("#a"), Leg("#b"))
        self._client = client
        self._clock = clock
        self._emit = emit
        self._pass_on = pass_on
        self._life_s = life_s
        self._echo = Echo()
        self._serial = 0
        self._doubled_at = 0
        self._spoiled_at = 0
        self._spoiled_untold = 0
        self._unread: deque[tuple[bytes, Nanos]] = deque()
        self._reading = False
        self._want(self.legs[0])

    async def keep(self, leg: Leg) -> None:
        """Dial whenever wanted, for ever; every loss has a reason and a pause after it."""
        while True:
            await leg.wanted.wait()
            why = await self._session(leg)
            if self._age_s(leg.connected_at) > STEADY_S:
                leg.failures = 0
            pause = BACKOFF_S[min(leg.failures, len(BACKOFF_S) - 1)]
            leg.failures += 1
            self._lost(leg, why)
            await self._clock.sleep(pause)

    @property
    def connected_at(self) -> int:
        """When the younger connection was made; 0 without one."""
        return max(leg.connected_at for leg in self.legs)

    def leg_at(self, url: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.url == url), None)

    def connected(self, leg: Leg) -> None:
        """ccxt reached the address; a stream without subscriptions is up with that."""
        leg.connected_at, self.last_at = self._clock.monotonic(), self._clock.now()
        if not self.plan.names:
            self._raised(leg, "connected")

    def hear(self, frame: bytes, last: bool) -> None:  # noqa: FBT001  # Called by position: the hot path.
        """One text frame; the ``last`` of a read is acted upon at once, with what came before it."""
        now: Nanos = self._clock.now()  # type: ignore[assignment]  # Naming it would cost a call per tick.
        self.last_at = now
        if not self.plan.patient:
            self._read(frame, now, self._pass_on if last else self._emit)
            return
        self._unread.append((frame, now))
        if len(self._unread) > UNREAD_MAX:
            self._read_some(UNREAD_MAX)
        elif not self._reading:
            self._reading = True
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        """The quotes of another stream wait for a few frames of this one, not for all of a burst."""
        self._read_some(AT_ONCE + len(self._unread) // 256)  # More of many, lest slow turns make them old.
        self._reading = bool(self._unread)
        if self._reading:
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_some(self, frames: int) -> None:
        for _ in range(min(frames, len(self._unread))):
            frame, heard_at = self._unread.popleft()
            self._read(frame, heard_at, self._emit)

    def _read(self, frame: bytes, now: Nanos, emit: Emit) -> None:
        """Never raises: the connection would die of it."""
        try:
            row = orjson.loads(frame)
            if "e" in row:
                if not self.up:
                    self._raised(max(self.legs, key=lambda leg: leg.connected_at), "first frame")
                event = self.plan.read(row, now)
                if event is not None:
                    emit(event)
            else:
                self._answered(row)
        except DecodeError as error:
            self._spoiled(str(error), now)
        except Exception as error:  # noqa: BLE001  # See above: a frame may fail, the line may not.
            shown = frame[:160].decode("utf-8", "replace")
            self._spoiled(redacted(f"{type(error).__name__}: {error}: {shown}"), now)

    def drop(self, why: str, *, at: str = "") -> None:
        """It cannot be trusted: let go of all that carries it, or of what has ``at`` in its address."""
        for leg in self.legs:
            if at in leg.url:
                self._client.drop(leg.url, why)

    def check_life(self) -> None:
        """Drop what was never acknowledged; relieve what the venue is about to end, and only then let go."""
        for leg in self.legs:
            if leg.connected_at and not leg.up_at and self._age_s(leg.connected_at) > ACK_S:
                self._client.drop(leg.url, f"subscription not acknowledged within {ACK_S:.0f} s")
        carrying = sorted((leg for leg in self.legs if leg.up_at), key=lambda leg: leg.up_at)
        match carrying:
            case [old] if self._age_s(old.connected_at) > self._life_s:
                self._want(self._other(old))
            case [old, young] if self._age_s(young.up_at) > OVERLAP_S:
                old.wanted.clear()
                self._client.drop(old.url, "relieved by a younger connection")
            case _:
                pass
        if all(leg.wanted.is_set() for leg in self.legs):
            self._doubled_at = self._clock.monotonic()
        self.doubled = self._doubled_at > 0 and self._age_s(self._doubled_at) <= OVERLAP_S

    def stale(self, row: Row, *, number: str) -> bool:
        """Whether the other of two connections told this or something newer; the ``number`` only grows."""
        if not self.doubled:
            self._echo.forget()
            return False
        return self._echo.stale(text(row, "e"), text(row, "s"), whole(row, number))

    def repeated(self, row: Row) -> bool:
        """Whether the other of two connections told this, to the letter."""
        if not self.doubled:
            self._echo.forget()
            return False
        return self._echo.repeated(row)

    def silent_s(self) -> float:
        """Seconds since the last frame of a stream that is up; zero for one that is not."""
        return (self._clock.now() - self.last_at) / SECOND if self.up else 0.0

    async def _session(self, leg: Leg) -> str:
        """Until the connection ends; the reason why it did."""
        try:
            leg.url = await self.plan.address() + leg.tag
            self._serial += 1
            leg.serial = self._serial
            await self._client.watch(leg.url, str(self.plan.stream), self._subscription(), self.plan.stream)
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
        """An answer that names no question of ours is a reason to trust neither connection."""
        leg = next((leg for leg in self.legs if "id" in row and leg.serial == row["id"]), None)
        if leg is not None and "result" in row and row.get("error") is None:
            self._raised(leg, "subscribed")
        else:
            self.drop(redacted(f"subscription refused: {str(row)[:160]}"), at=leg.url if leg else "")

    def _want(self, leg: Leg) -> None:
        leg.wanted.set()
        if self._other(leg).wanted.is_set():
            self.doubled, self._doubled_at = True, self._clock.monotonic()

    def _other(self, leg: Leg) -> Leg:
        first, second = self.legs
        return second if leg is first else first

    def _raised(self, leg: Leg, why: str) -> None:
        leg.up_at = leg.up_at or self._clock.monotonic()
        self._tell(up=True, why=why)

    def _lost(self, leg: Leg, why: str) -> None:
        """While the other connection carries on, nothing has happened; else this one is dialled again.

        The first of a row of failures is told, the row itself is not.
        """
        self._read_some(UNREAD_MAX)  # What is read once it is gone would pass for its return.
        leg.connected_at = leg.up_at = 0
        other = self._other(leg)
        if other.up_at and other.wanted.is_set():
            leg.wanted.clear()
            return
        self._want(leg)
        if not other.up_at:
            self._tell(up=False, why=why, again=leg.failures == 1)

    def _spoiled(self, why: str, now: Nanos) -> None:
        """Each spoiled account frame is told; of market data one a second, so that a flood drowns nothing."""
        quiet = now - self._spoiled_at < SECOND and self.plan.stream is not Stream.USER
        self._spoiled_untold += 1
        if quiet:
            return
        counted = f" (and {self._spoiled_untold - 1} more)" if self._spoiled_untold > 1 else ""
        self._spoiled_at, self._spoiled_untold = now, 0
        self._emit(DecodeFailed(stream=self.plan.stream, why=why + counted, ts_recv=now))

    def _tell(self, *, up: bool, why: str, again: bool = False) -> None:
        """Changes are told; what is so already only when asked to."""
        changed, self.up = up != self.up, up
        if changed or again:
            now = Nanos(self._clock.now())
            self._emit(StreamChanged(stream=self.plan.stream, up=up, why=why, ts_recv=now))

    def _age_s(self, since: int) -> float:
        return (self._clock.monotonic() - since) / SECOND if since else 0.0
