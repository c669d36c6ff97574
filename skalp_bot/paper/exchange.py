"""The paper exchange without its sockets: requests, market and time in; answers and frames out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import orjson

from skalp_bot.paper.archive import Archive, Record
from skalp_bot.paper.desk import Desk
from skalp_bot.paper.feeds import Feeds
from skalp_bot.paper.market import MarketEvent, MarketSource
from skalp_bot.paper.orders import Push
from skalp_bot.paper.rest import Answer, Catalogue, Raw
from skalp_bot.paper.streams import Hub, is_listen_key

CHUNK = 64
SLICE_MS = 5


class Keeper(Protocol):
    """Where the exchange's memory goes."""

    def save(self, state: dict[str, Any], ended: Sequence[Record], *, through: bool) -> None: ...


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One venue, its market, its audience. Nothing leaves before the state it speaks of is saved."""

    desk: Desk
    source: MarketSource
    hub: Hub
    feeds: Feeds
    catalogue: Catalogue
    identity: Mapping[str, Any]  # kept with the state: instance, keys, market
    keeper: Keeper | None = None
    archive: Archive = field(default_factory=Archive)
    now_ms: int = 0
    waiting: list[MarketEvent] = field(default_factory=list)
    slice_ms: int = 0  # up to when `waiting` was drawn
    listen_keys: dict[str, dict[str, None]] = field(default_factory=dict)
    dirty: bool = False  # something is newer than what is on the disk for good

    def open(self, opening: list[MarketEvent], now_ms: int) -> None:
        """Take the market's opening books and start to listen for subscriptions."""
        self.now_ms = max(self.now_ms, now_ms)
        self.hub.first_listener = self.on_listener
        for event in opening:
            self.desk.venue.on_market(event, self.now_ms)
        for symbol, billboard in self.desk.board.billboards.items():
            bids, asks = self.desk.venue.top(symbol, 1)
            if bids and asks:
                billboard.candles.on_quote(self.now_ms, Decimal(bids[0][0]), Decimal(asks[0][0]))
        self.settle(changed=True)
        self.feeds.advance(self.now_ms)

    def on_listener(self, stream: str) -> None:
        """A subscription may wake a tape, or bind a connection to an account."""
        if is_listen_key(stream):
            account = self.desk.venue.account_by_listen_key(stream)
            if account is not None:
                self.listen_keys.setdefault(account.id, {})[stream] = None
        elif stream == "!bookTicker":
            for symbol in self.source.symbols:
                self.source.subscribed(symbol, self.now_ms)
        elif stream.endswith("@bookTicker"):
            self.source.subscribed(stream.removesuffix("@bookTicker").upper(), self.now_ms)

    def answer(self, raw: Raw, now_ms: int) -> Answer:
        """Serve one REST call; the market up to now comes first."""
        self.catch_up(now_ms)
        answer = self.catalogue.answer(self.desk, raw, self.now_ms)
        self.settle(changed=raw.method != "GET" and answer.status == 200)
        return answer

    def relist(self, symbol: str, changes: Mapping[str, Any]) -> None:
        """Lay other values of exchangeInfo over a symbol, and tell who listens."""
        self.desk.venue.relist(symbol, changes)
        self.settle(changed=True)

    def catch_up(self, now_ms: int) -> None:
        while self.step(now_ms):
            pass

    def step(self, now_ms: int) -> bool:
        """Play at most one chunk of what is due; True while more is due.

        The market is drawn a slice of time at a time: however far behind it is, no draw holds up the others.
        """
        now_ms = max(now_ms, self.now_ms)
        if not self.waiting:
            due = self.source.next_ms()
            self.slice_ms = now_ms if due is None else min(now_ms, max(due, self.now_ms) + SLICE_MS)
            if due is not None and due <= now_ms:
                self.waiting = self.source.pop(self.slice_ms)
        chunk, self.waiting = self.waiting[:CHUNK], self.waiting[CHUNK:]
        venue = self.desk.venue
        for event in chunk:
            self.now_ms = max(self.now_ms, event.t_ms)
            venue.on_market(event, self.now_ms)
            if (timer := venue.next_ms()) is not None and timer <= self.now_ms:
                venue.advance(self.now_ms)
            self.settle(changed=False)
        if self.waiting:
            return True
        self.now_ms = max(self.now_ms, self.slice_ms)
        if (timer := venue.next_ms()) is not None and timer <= self.now_ms:
            venue.advance(self.now_ms)
            self.settle(changed=False)
        self.feeds.advance(self.now_ms)
        return self.now_ms < now_ms

    def next_ms(self) -> int | None:
        """When the market or a timer of the venue wants attention next."""
        due = [time for time in (self.source.next_ms(), self.desk.venue.next_ms()) if time is not None]
        return min(due, default=None)

    def settle(self, *, changed: bool) -> None:
        """Save what changed, then tell the world what happened, in order."""
        pushes = self.desk.venue.drain()
        if changed or any(push.account_id is not None for push in pushes):
            self.save(through=False)
        for push in pushes:
            if push.account_id is None:
                self.dirty = True
                self.feeds.on_payload(push.payload)
            else:
                self.tell(push)

    def tell(self, push: Push) -> None:
        """Send a user event to every live key of its account; an expired key hears only that it expired."""
        body = orjson.dumps(push.payload)
        keys = self.listen_keys.get(push.account_id or "", {})
        ended = push.payload.get("listenKey") if push.event == "listenKeyExpired" else None
        for key in list(keys):
            owner = self.desk.venue.account_by_listen_key(key)
            if key == ended or (ended is None and owner is not None and owner.id == push.account_id):
                self.hub.publish_user(key, push.event, body)
            if owner is None:  # It expired just now, or its owner deleted it.
                del keys[key]

    def save(self, *, through: bool) -> None:
        self.dirty = not through
        if self.keeper is None:
            return
        living, ended = self.archive.take(self.desk.venue.floor)
        state = {
            **self.identity,
            "now_ms": self.now_ms,
            "venue": living,
            "market_state": self.source.state(),
            "multi_assets": self.desk.multi_assets,
            "fee_burn": self.desk.fee_burn,
        }
        self.keeper.save(state, ended, through=through)
