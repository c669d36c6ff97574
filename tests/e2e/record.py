"""What the exchange has on record of one symbol, and what must hold of it whatever went wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.e2e.rig import Venue, role

OURS = "ska1-"
NAKED_MS = 3_000
ENDED = ("CANCELED", "EXPIRED", "REJECTED", "FINISHED", "TRIGGERED", "TRIGGERING")
FOREIGN = ""  # The role of an order that is not ours.


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    at_ms: int
    role: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A conditional order of ours: when it stood, and how much of which side it would end."""

    client_id: str
    since_ms: int
    until_ms: int | None
    ends: int  # 1: a LONG, -1: a SHORT.
    qty: Decimal | None  # None: all of it.
    guards: bool

    def covers(self, position: Decimal) -> bool:
        if not self.guards or self.ends * position <= 0:
            return False
        return self.qty is None or self.qty >= abs(position)

    def stood_at(self, at_ms: int) -> bool:
        return self.since_ms < at_ms and (self.until_ms is None or self.until_ms > at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Read from the exchange alone; the daemon's word counts for nothing here."""

    now_ms: int
    trades: tuple[Trade, ...]
    stops: tuple[Stop, ...]
    resting: tuple[str, ...]  # Ids of our regular orders that are open.
    requests: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, venue: Venue) -> "Record":
        orders = venue.orders()
        stops = tuple(stop_of(row) for row in venue.algo_orders())
        listed = [row["clientOrderId"] for row in venue.open_orders()]
        return cls(
            now_ms=int(venue.ask("/fapi/v1/time")["serverTime"]),
            trades=tuple(path(venue.trades(), orders)),
            stops=tuple(stop for stop in stops if stop.client_id.startswith(OURS)),
            resting=tuple(name for name in listed if name.startswith(OURS)),
            requests=tuple(venue.requests()),
        )

    @property
    def position(self) -> Decimal:
        return self.trades[-1].after if self.trades else Decimal(0)

    def bare(self) -> list[tuple[int, int]]:
        """Every stretch, from and to in ms, in which a position was held that no standing stop covered."""
        marks = sorted(
            {
                *(trade.at_ms for trade in self.trades),
                *(stop.since_ms for stop in self.stops),
                *(stop.until_ms for stop in self.stops if stop.until_ms is not None),
                self.now_ms,
            }
        )
        spans: list[tuple[int, int]] = []
        for begin, end in pairwise(marks):
            held = self.held_after(begin)
            covered = any(
                stop.covers(held) and stop.since_ms <= begin and (stop.until_ms or end) >= end
                for stop in self.stops
            )
            if not held or covered:
                continue
            joined = bool(spans) and spans[-1][1] == begin
            spans.append((spans.pop()[0] if joined else begin, end))
        return spans

    def bare_ms_max(self, since_ms: int = 0) -> int:
        return max((end - begin for begin, end in self.bare() if end > since_ms), default=0)

    def held_after(self, at_ms: int) -> Decimal:
        done = [trade.after for trade in self.trades if trade.at_ms <= at_ms]
        return done[-1] if done else Decimal(0)

    def assert_sound(self, *, naked_ms: int = NAKED_MS, since_ms: int = 0) -> None:
        """All of it, of the whole record; of the time without a stop only what ended after ``since_ms``."""
        self.assert_never_wrong_way()
        self.assert_one_post_per_id()
        self.assert_fresh_entries_only()
        assert self.bare_ms_max(since_ms) <= naked_ms, self.bare()
        standing = [stop for stop in self.stops if stop.until_ms is None]
        if self.position:
            assert any(stop.covers(self.position) for stop in standing), "held without a stop at the end"
        else:
            assert not standing, "a conditional order without a position"
            assert not self.resting, "an order rests without a position"

    def assert_never_wrong_way(self) -> None:
        """Only entries open or grow; what else is ours shrinks the position and stops at zero."""
        for trade in self.trades:
            if trade.role == FOREIGN:
                continue
            grows = abs(trade.after) > abs(trade.before)
            assert grows if trade.role == "E" else not grows and trade.before, trade
            assert trade.before * trade.after >= 0, trade

    def assert_one_post_per_id(self) -> None:
        posts = Counter(
            (row["path"], row["id"])
            for row in self.requests
            if row["method"] == "POST" and row["id"].startswith(OURS)
        )
        assert posts, "no order of ours was ever posted"
        assert not [name for name, times in posts.items() if times > 1], posts
        assert not [name for (_, name), _ in posts.items() if sum(1 for _, n in posts if n == name) > 1]

    def assert_fresh_entries_only(self) -> None:
        """A position opens only once nothing conditional of an earlier one stands any more."""
        for trade in self.trades:
            if trade.role == "E" and not trade.before:
                left = [stop.client_id for stop in self.stops if stop.stood_at(trade.at_ms)]
                assert not left, (trade, left)


def stop_of(row: dict[str, Any]) -> Stop:
    until = (row["triggerTime"] or row["updateTime"]) if row["algoStatus"] in ENDED else None
    return Stop(
        client_id=row["clientAlgoId"],
        since_ms=row["createTime"],
        until_ms=until,
        ends=1 if row["side"] == "SELL" else -1,
        qty=None if row["closePosition"] else Decimal(row["quantity"]),
        guards="STOP" in row["orderType"] and (row["closePosition"] or row["reduceOnly"]),
    )


def path(trades: Sequence[dict[str, Any]], orders: Sequence[dict[str, Any]]) -> Iterator[Trade]:
    names = {str(order["orderId"]): order["clientOrderId"] for order in orders}
    held = Decimal(0)
    for row in sorted(trades, key=lambda each: int(each["id"])):
        qty = Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)
        name = names[str(row["orderId"])]
        what = role(name) if name.startswith(OURS) else FOREIGN
        yield Trade(at_ms=int(row["time"]), role=what, before=held, after=held + qty)
        held += qty
