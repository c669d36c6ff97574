"""What one address and one account may ask for: windows of weight and orders, 429, bans, headers."""

from dataclasses import dataclass, field

from skalp_bot.paper.errors import VenueError

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
BAN_MS_FIRST = 120_000
BAN_MS_MAX = 3 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """The venue's ceilings; `enforced` False still counts and still sends the headers."""

    enforced: bool = True
    weight_1m: int = 2400
    orders_10s: int = 300
    orders_1m: int = 1200
    funding_5m: int = 500
    connects_5m: int = 300
    ignored_429_max: int = 20
    retry_after: bool = True

    def rows(self) -> list[dict[str, object]]:
        """Render the limits as exchangeInfo does."""
        return [
            rate_row("REQUEST_WEIGHT", "MINUTE", 1, self.weight_1m),
            rate_row("ORDERS", "MINUTE", 1, self.orders_1m),
            rate_row("ORDERS", "SECOND", 10, self.orders_10s),
        ]

    def order_rows(self) -> list[dict[str, object]]:
        return [
            rate_row("ORDERS", "SECOND", 10, self.orders_10s),
            rate_row("ORDERS", "MINUTE", 1, self.orders_1m),
        ]


def rate_row(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


@dataclass(slots=True)
class Window:
    """A fixed window: the count falls to zero at the next boundary of the clock, not after a pause."""

    span_ms: int
    start_ms: int = 0
    count: int = 0

    def add(self, amount: int, now_ms: int) -> int:
        start = now_ms - now_ms % self.span_ms
        if start != self.start_ms:
            self.start_ms, self.count = start, 0
        self.count += amount
        return self.count

    def left_s(self, now_ms: int) -> int:
        """Seconds until the window ends, rounded up, at least one."""
        return max(1, -(-(self.start_ms + self.span_ms - now_ms) // 1000))


@dataclass(slots=True)
class Visitor:
    """What one IP address has used, and how it behaved after being told to stop."""

    weight: Window = field(default_factory=lambda: Window(MINUTE_MS))
    funding: Window = field(default_factory=lambda: Window(5 * MINUTE_MS))
    connects: Window = field(default_factory=lambda: Window(5 * MINUTE_MS))
    ignored: int = 0
    bans: int = 0
    banned_until_ms: int = 0


@dataclass(slots=True)
class OrderCount:
    """What one account has placed."""

    ten_seconds: Window = field(default_factory=lambda: Window(TEN_SECONDS_MS))
    minute: Window = field(default_factory=lambda: Window(MINUTE_MS))


@dataclass(slots=True)
class Limits:
    """Counts every call; refuses with 429 over a ceiling, with 418 for a time after too many ignored 429."""

    settings: LimitSettings
    visitors: dict[str, Visitor] = field(default_factory=dict)
    accounts: dict[str, OrderCount] = field(default_factory=dict)

    def visitor(self, ip: str) -> Visitor:
        return self.visitors.setdefault(ip, Visitor())

    def check_ban(self, ip: str, now_ms: int) -> None:
        visitor = self.visitor(ip)
        if self.settings.enforced and now_ms < visitor.banned_until_ms:
            raise banned(visitor.banned_until_ms)

    def spend(self, ip: str, weight: int, now_ms: int) -> None:
        """Charge an address; the call that goes over the ceiling is counted and refused."""
        visitor = self.visitor(ip)
        used = visitor.weight.add(weight, now_ms)
        if used == weight:
            visitor.ignored = 0
        if not self.settings.enforced or used <= self.settings.weight_1m or weight == 0:
            return
        visitor.ignored += 1
        if visitor.ignored > self.settings.ignored_429_max:
            visitor.banned_until_ms = now_ms + min(BAN_MS_FIRST << visitor.bans, BAN_MS_MAX)
            visitor.bans += 1
            visitor.ignored = 0
            raise banned(visitor.banned_until_ms)
        raise VenueError(-1003, str(self.settings.weight_1m))

    def spend_funding(self, ip: str, now_ms: int) -> None:
        if self.visitor(ip).funding.add(1, now_ms) > self.settings.funding_5m and self.settings.enforced:
            raise VenueError(-1003, str(self.settings.weight_1m))

    def may_connect(self, ip: str, now_ms: int) -> bool:
        used = self.visitor(ip).connects.add(1, now_ms)
        return not self.settings.enforced or used <= self.settings.connects_5m

    def order(self, account: str, charge: tuple[int, int], now_ms: int) -> None:
        """Charge an account's order counts, (10 s, 1 min)."""
        count = self.accounts.setdefault(account, OrderCount())
        ten, minute = count.ten_seconds.add(charge[0], now_ms), count.minute.add(charge[1], now_ms)
        if not self.settings.enforced:
            return
        if ten > self.settings.orders_10s:
            raise VenueError(-1015, str(self.settings.orders_10s), "TEN_SECONDS")
        if minute > self.settings.orders_1m:
            raise VenueError(-1015, str(self.settings.orders_1m), "MINUTE")

    def weight_header(self, ip: str, now_ms: int) -> tuple[str, str]:
        return "X-MBX-USED-WEIGHT-1M", str(self.visitor(ip).weight.add(0, now_ms))

    def order_headers(self, account: str, now_ms: int) -> list[tuple[str, str]]:
        count = self.accounts.setdefault(account, OrderCount())
        return [
            ("X-MBX-ORDER-COUNT-10S", str(count.ten_seconds.add(0, now_ms))),
            ("X-MBX-ORDER-COUNT-1M", str(count.minute.add(0, now_ms))),
        ]

    def retry_after_s(self, ip: str, now_ms: int) -> int:
        visitor = self.visitor(ip)
        if now_ms < visitor.banned_until_ms:
            return max(1, -(-(visitor.banned_until_ms - now_ms) // 1000))
        return visitor.weight.left_s(now_ms)


def banned(until_ms: int) -> VenueError:
    return VenueError(
        -1003,
        status=418,
        msg=f"Way too many requests; IP banned until {until_ms}. "
        "Please use the websocket for live updates to avoid bans.",
    )
