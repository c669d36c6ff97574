"""The one queue into the engine: a quote overtakes older ones and most else, account news waits in line."""

import asyncio
from collections import deque
from collections.abc import Callable

from aurora.model.control import Control, Heartbeat, Verb
from aurora.model.events import Event
from aurora.model.market import BookTicker, MarketTrade, MarkPrice
from aurora.model.numbers import Nanos
from skalp_bot.ports import Clock

ACCOUNT_LIMIT = 10_000
FLOOD_FACTOR = 10
TRADES_LIMIT = 4_096
ACCOUNT_RUN = 64
QUOTE_RUN = 8


Reader = Callable[[Event | None], None]
"""Is handed an event, or takes what waits. Never raises."""


class InboxFloodedError(Exception):
    """More news of the account than memory is meant for; only a fresh look at the account helps."""


class Inbox:
    """Verbs, quotes, the account in order, time, then the rest of the market; one reader.

    Nothing of the account is ever dropped: at ``account_limit`` the reader is told to HALT and the lane grows
    on; at ten times that it is told that the books are lost (a restart reads them anew). Quotes keep one slot
    per symbol, which carries the extremes of the quotes it replaced. They go before all but verbs, for a stop
    may hang on one (ADR 0008); after eight in a row something else passes. After 64 pieces of account news
    time and marks get a turn, so that a storm of them cannot blind the stops that hang on those.
    """

    def __init__(
        self, *, clock: Clock, alert: Callable[[str, str], None], account_limit: int = ACCOUNT_LIMIT
    ) -> None:
        self.frames = 0
        self.conflated = 0
        self.trades_dropped = 0
        self._clock = clock
        self._alert = alert
        self._limit = account_limit
        self._verbs: deque[Control] = deque()
        self._account: deque[Event] = deque()
        self._beat: Heartbeat | None = None
        self._books: dict[str, BookTicker] = {}
        self._marks: dict[str, MarkPrice] = {}
        self._books_due: deque[str] = deque()
        self._marks_due: deque[str] = deque()
        self._trades: deque[MarketTrade] = deque()
        self._in_a_row = 0
        self._quotes_in_a_row = 0
        self._over = False
        self._flooded = False
        self._waiting: Reader | None = None  # While nothing else waits.

    def put(self, event: Event) -> None:
        """Take one event in; never blocks, never raises."""
        match event:
            case BookTicker():
                self._put_quote(event)
            case MarkPrice():
                if event.symbol not in self._marks:
                    self._marks_due.append(event.symbol)
                self._marks[event.symbol] = event
            case MarketTrade():
                self._put_trade(event)
            case Heartbeat():
                waiting = self._beat.gap if self._beat is not None else 0
                self._beat = event if event.gap >= waiting else Heartbeat(ts_recv=event.ts_recv, gap=waiting)
            case Control():
                self._verbs.append(event)
            case _:
                self._put_account(event)
        if self._waiting is not None:
            asyncio.get_running_loop().call_soon(self._waiting, None)
            self._waiting = None

    def pass_on(self, event: Event) -> None:
        """``put`` that reaches a waiting reader at once: nothing is there for the event to wait behind."""
        reader = self._waiting
        if reader is None:
            self.put(event)
            return
        self._waiting = None
        if type(event) is BookTicker:
            self.frames += 1
        reader(event)

    def when_next(self, reader: Reader) -> bool:
        """Have the reader called once: soon after a put, or with what is passed on.

        False where something waits: that is to be taken first.
        """
        market = self._books_due or self._marks_due or self._trades
        if market or self._account or self._verbs or self._beat is not None:
            return False
        self._in_a_row = self._quotes_in_a_row = 0
        self._waiting = reader
        return True

    def take(self) -> Event | None:
        """The next event, or None when there is none."""
        if self._flooded:
            raise InboxFloodedError(f"over {self._limit * FLOOD_FACTOR} events of the account are waiting")
        if self._verbs:
            return self._verbs.popleft()
        if self._books_due and self._quotes_in_a_row < QUOTE_RUN:
            self._quotes_in_a_row += 1
            return self._books.pop(self._books_due.popleft())
        self._quotes_in_a_row = 0
        if self._account and self._in_a_row < ACCOUNT_RUN:
            self._in_a_row += 1
            return self._take_account()
        self._in_a_row = 0
        if self._beat is not None:
            beat, self._beat = self._beat, None
            return beat
        if self._marks_due:
            return self._marks.pop(self._marks_due.popleft())
        if self._trades:
            return self._trades.popleft()
        if self._account:
            return self._take_account()
        return self._books.pop(self._books_due.popleft()) if self._books_due else None

    def __len__(self) -> int:
        market = len(self._books_due) + len(self._marks_due) + len(self._trades)
        return len(self._verbs) + len(self._account) + market + (self._beat is not None)

    def _put_quote(self, tick: BookTicker) -> None:
        self.frames += 1
        older = self._books.get(tick.symbol)
        if older is None:
            self._books_due.append(tick.symbol)
        else:
            self.conflated += 1
            tick.conflated = older.conflated + 1
            tick.since = older.since or older.ts_recv
            tick.mid_low = min(older.mid_low, tick.mid_low)
            tick.mid_high = max(older.mid_high, tick.mid_high)
            tick.bid_low = min(older.bid_low, tick.bid_low)
            tick.ask_high = max(older.ask_high, tick.ask_high)
        self._books[tick.symbol] = tick

    def _put_trade(self, trade: MarketTrade) -> None:
        if len(self._trades) >= TRADES_LIMIT:
            self._trades.popleft()
            self.trades_dropped += 1
        self._trades.append(trade)

    def _put_account(self, event: Event) -> None:
        waiting = len(self._account)
        if waiting >= self._limit and not self._over:
            self._over = True
            why = f"{waiting} events of the account are waiting, the limit is {self._limit}"
            halt = Control(
                verb=Verb.HALT, by="inbox", reason=why, halt_id="", ts_recv=Nanos(self._clock.now())
            )
            self._verbs.append(halt)
            self._alert("INBOX_OVERFLOW", why)
        if waiting >= self._limit * FLOOD_FACTOR:
            self._flooded = True
            return
        self._account.append(event)

    def _take_account(self) -> Event:
        event = self._account.popleft()
        if self._over and len(self._account) < self._limit // 2:
            self._over = False
        return event
