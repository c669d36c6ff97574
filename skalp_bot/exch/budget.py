"""How much we may still ask of the venue: weights, order counts, bans, and who goes first."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from aurora.model.commands import Lane
from aurora.model.numbers import MILLISECOND, SECOND
from skalp_bot.exch.fields import DecodeError, Row, text, whole
from skalp_bot.exch.wire import Reply, Request

WEIGHT_LIMIT = 2400
ORDERS_10S_LIMIT = 300
ORDERS_1M_LIMIT = 1200
BAN_S = 120  # The shortest ban there is, when nobody says how long.
TOO_MANY_ORDERS = -1015

# Share of each limit a lane may use up, in percent: what is left above it belongs to the lanes before.
SHARE = {Lane.EXIT: 100, Lane.CANCEL: 95, Lane.QUERY: 80, Lane.ENTRY: 60}
# How long a lane waits for room before it is turned back.
PATIENCE_S = {Lane.EXIT: 1.0, Lane.CANCEL: 1.0, Lane.QUERY: 2.0, Lane.ENTRY: 0.0}
UNTIL = re.compile(r"banned until (\d{13})")
SPANS = {"SECOND": SECOND, "MINUTE": 60 * SECOND, "HOUR": 3600 * SECOND, "DAY": 86400 * SECOND}


@dataclass(slots=True, kw_only=True)
class Window:
    """A fixed window on the venue's clock: it empties at every multiple of its span."""

    name: str
    header: str
    span: int
    limit: int
    used: int = 0
    index: int = -1

    def roll(self, now: int) -> None:
        index = now // self.span
        if index != self.index:
            self.index, self.used = index, 0

    def fits(self, cost: int, lane: Lane) -> bool:
        return cost == 0 or (self.used + cost) * 100 <= self.limit * SHARE[lane]

    def ends(self) -> int:
        return (self.index + 1) * self.span


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """No room now; there may be some after ``wait_s``."""

    wait_s: float
    why: str


@dataclass(slots=True, kw_only=True)
class Budget:
    """``now`` is the venue's time. What other programs behind our address use is told by the headers."""

    now: Callable[[], int]
    weight: Window = field(
        default_factory=lambda: Window(
            name="weight", header="X-MBX-USED-WEIGHT-1M", span=60 * SECOND, limit=WEIGHT_LIMIT
        )
    )
    orders: tuple[Window, Window] = field(
        default_factory=lambda: (
            Window(
                name="orders in 10 s",
                header="X-MBX-ORDER-COUNT-10S",
                span=10 * SECOND,
                limit=ORDERS_10S_LIMIT,
            ),
            Window(
                name="orders in 1 min", header="X-MBX-ORDER-COUNT-1M", span=60 * SECOND, limit=ORDERS_1M_LIMIT
            ),
        )
    )
    closed_until: int = 0
    orders_closed_until: int = 0

    def admit(self, lane: Lane, request: Request) -> Turned | None:
        """Take the room for this request, or say when to come back. Inside a ban nobody gets any."""
        now = self.now()
        if now < self.closed_until:
            return self._turned(self.closed_until, "the venue asked for silence")
        if request.orders and now < self.orders_closed_until:
            return self._turned(self.orders_closed_until, "the venue asked for no more orders")
        costs = [(self.weight, request.weight), *((window, request.orders) for window in self.orders)]
        for window, cost in costs:
            window.roll(now)
            if not window.fits(cost, lane):
                share = window.limit * SHARE[lane] // 100
                return self._turned(window.ends(), f"{window.name}: {window.used} + {cost} of {share} used")
        for window, cost in costs:
            window.used += cost
        return None

    def note(self, request: Request, reply: Reply, asked_at: int) -> None:
        """Learn from what the venue counted; a count of a window that has ended says nothing of this one."""
        now = self.now()
        for window in (self.weight, *self.orders):
            window.roll(now)
            told = reply.headers.get(window.header, "")
            if told.isdecimal() and asked_at // window.span == window.index:
                window.used = max(window.used, int(told))
        if reply.status in {418, 429}:
            self._close(request, reply, now)

    def give_back(self, request: Request, asked_at: int) -> None:
        """No byte of it left us, so the venue never counted it: an outage must not use up its minute."""
        now = self.now()
        costs = [(self.weight, request.weight), *((window, request.orders) for window in self.orders)]
        for window, cost in costs:
            window.roll(now)
            if asked_at // window.span == window.index:
                window.used = max(window.used - cost, 0)

    def set_limits(self, rate_limits: list[Row]) -> None:
        """The limits of exchangeInfo; spans we do not know are left as they are."""
        for row in rate_limits:
            try:
                kind, limit = text(row, "rateLimitType"), whole(row, "limit")
                span = SPANS.get(text(row, "interval"), 0) * whole(row, "intervalNum")
            except DecodeError:
                continue
            windows = (self.weight,) if kind == "REQUEST_WEIGHT" else self.orders if kind == "ORDERS" else ()
            for window in windows:
                if window.span == span and limit > 0:
                    window.limit = limit

    def use(self) -> tuple[tuple[str, float], ...]:
        """The share of each limit used in the present windows."""
        now = self.now()
        for window in (self.weight, *self.orders):
            window.roll(now)
        named = zip(("weight", "orders_10s", "orders_1m"), (self.weight, *self.orders), strict=True)
        return tuple((name, window.used / window.limit) for name, window in named)

    def _close(self, request: Request, reply: Reply, now: int) -> None:
        until = _silence_until(reply, now)
        if reply.status == 429 and reply.code == TOO_MANY_ORDERS:
            self.orders_closed_until = max(self.orders_closed_until, until or self.orders[0].ends())
            return
        fallback = now + BAN_S * SECOND if reply.status == 418 else self.weight.ends()
        self.closed_until = max(self.closed_until, until or fallback)

    def _turned(self, until: int, why: str) -> Turned:
        wait_s = max(until - self.now(), MILLISECOND) / SECOND
        return Turned(wait_s=wait_s, why=f"{why}; room again in {wait_s:.1f} s")


def _silence_until(reply: Reply, now: int) -> int:
    """When the venue says we may come back; 0 when it does not say."""
    named = UNTIL.search(reply.body)
    told = int(named.group(1)) * MILLISECOND if named else 0
    after = reply.headers.get("Retry-After", "")
    return max(told, now + int(after) * SECOND if after.isdecimal() else 0)
