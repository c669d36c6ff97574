"""The three streams of the venue, and the proofs that each of them still tells the truth."""

import asyncio
from typing import NamedTuple

import ccxt

from aurora.model.commands import Lane
from aurora.model.control import Stream
from aurora.model.events import Event, OrderUpdate
from aurora.model.market import BookTicker
from aurora.model.numbers import SECOND, Nanos, as_float
from aurora.model.order import OrderKey
from skalp_bot.exch.ccxt_binance import BinanceClient
from skalp_bot.exch.connection import OnFrame
from skalp_bot.exch.decode import book_ticker, mark_price, market_trade, user_event
from skalp_bot.exch.fields import DecodeError, Row, mapping, number, text, whole
from skalp_bot.exch.rest import Rest
from skalp_bot.exch.settings import ExchangeSettings
from skalp_bot.exch.socket import DialError, Plan, Socket
from skalp_bot.exch.wire import Reply, Request
from skalp_bot.ports import Clock, Emit

WATCH_S = 0.5
GRACE_S = 1.0  # A frame on its way when the probe was answered.
LISTEN_KEY_S = 25 * 60.0  # The venue forgets a key after 60 minutes.
LISTEN_KEY_RETRY_S = 60.0
LISTEN_KEY_TRIES = 3
LISTEN_KEY_GONE = -1125
NO_SUCH_SYMBOL = -1121  # Delisted: nobody quotes it.
PROOFS_MAX = 4096


class Streams:
    """Built with the client whose frames it hears; ``run`` holds all sockets until cancelled."""

    def __init__(
        self,
        *,
        client: BinanceClient,
        rest: Rest,
        settings: ExchangeSettings,
        clock: Clock,
        emit: Emit,
        pass_on: Emit,
    ) -> None:
        self._client = client
        self._rest = rest
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self._pass_on = pass_on
        self._quotes: dict[str, BookTicker] = {}  # The newest of each symbol that we heard.
        self._probed: dict[str, Touch] = {}  # Of symbols we have not heard yet, as first asked for.
        self._probe_at = 0
        self._marked_at = 0
        self._promised: dict[OrderKey, int] = {}  # Sent orders without an event; deadline, 0 until acked.
        lower = [symbol.lower() for symbol in settings.symbols]
        self._market = self._socket(Stream.MARKET, "public", [f"{each}@bookTicker" for each in lower])
        kinds = ["markPrice@1s", *(["aggTrade"] if settings.prints else [])]
        self._mark = self._socket(
            Stream.MARK, "market", [f"{each}@{kind}" for kind in kinds for each in lower]
        )
        self._user = self._socket(Stream.USER, "private", [])
        self._sockets = (self._market, self._mark, self._user)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for socket in self._sockets:
                for leg in socket.legs:
                    tasks.create_task(socket.keep(leg), name=f"stream-{socket.plan.stream}{leg.tag}")
            tasks.create_task(self._watch(), name="stream-watch")
            tasks.create_task(self._keep_listen_key(), name="listen-key")

    def hearer_of(self, url: str) -> OnFrame:
        """Who hears the connection to an address; LookupError when nobody dials it any more."""
        for socket in self._sockets:
            if socket.leg_at(url) is not None:
                return socket.hear
        raise LookupError("nobody waits for this connection")

    def on_connected(self, url: str) -> None:
        for socket in self._sockets:
            leg = socket.leg_at(url)
            if leg is not None:
                socket.connected(leg)

    def promise(self, key: OrderKey) -> None:
        """An order is about to be sent: its event may come before its answer.

        Nothing is due of an order sent while nobody listened, as a stop placed at the start.
        """
        if not self._user.up:
            return
        if len(self._promised) >= PROOFS_MAX:
            del self._promised[next(iter(self._promised))]
        self._promised[key] = 0

    def expect(self, key: OrderKey) -> None:
        """The order was acknowledged: its event is due, or the user stream is deaf."""
        if key in self._promised:
            deadline = self._clock.monotonic() + int(self._settings.user_proof_s * SECOND)
            self._promised[key] = deadline

    def forget(self, key: OrderKey) -> None:
        """The order was not acknowledged: nothing is due."""
        self._promised.pop(key, None)

    def _socket(self, stream: Stream, route: str, names: list[str]) -> Socket:
        async def listed() -> str:
            return f"{self._client.get_ws_url('linear', route)}/0"

        plan = Plan(
            stream=stream,
            address=listed if names else self._private_address,
            names=tuple(names),
            read={Stream.MARKET: self._read_book, Stream.MARK: self._read_mark, Stream.USER: self._read_user}[
                stream
            ],
            patient=stream is Stream.MARK,
        )
        return Socket(
            plan,
            client=self._client,
            clock=self._clock,
            emit=self._emit,
            pass_on=self._pass_on,
            life_s=self._settings.connection_life_s,
        )

    def _read_book(self, row: Row, now: Nanos) -> Event | None:
        if row["e"] != "bookTicker":
            raise DecodeError(f"{row['e']} on the book stream")
        tick: BookTicker = book_ticker(row, now)
        heard = self._quotes.get(tick.symbol) if self._market.doubled else None
        if heard is not None and tick.update_id <= heard.update_id:
            return None
        self._quotes[tick.symbol] = tick
        return tick

    def _read_mark(self, row: Row, now: Nanos) -> Event | None:
        """Mark prices prove the stream's life; prints of others share it and prove nothing of the marks."""
        match row["e"]:
            case "markPriceUpdate":
                self._marked_at = self._clock.monotonic()
                return None if self._mark.stale(row, number="E") else mark_price(row, now)
            case "aggTrade" if self._settings.prints:
                return None if self._mark.stale(row, number="a") else market_trade(row, now)
            case other:
                raise DecodeError(f"{other} on the mark price stream")

    def _marks_silent_s(self) -> float:
        since = max(self._marked_at, self._mark.connected_at)
        return (self._clock.monotonic() - since) / SECOND if self._mark.up else 0.0

    def _read_user(self, row: Row, now: Nanos) -> Event | None:
        if row["e"] == "listenKeyExpired":
            self._user.drop("the listen key expired", at=f"={text(row, 'listenKey')}#")
            return None
        if self._user.repeated(row):
            return None
        event = user_event(row, now)
        if isinstance(event, OrderUpdate):
            self._promised.pop(event.key, None)
        return event

    async def _private_address(self) -> str:
        """A key is asked for at each dial; while one is valid the venue answers with the same."""
        answer = await self._rest.ask(Request(method="POST", path="listenKey"), Lane.CANCEL)
        if not isinstance(answer, Reply):
            raise DialError(f"no listen key: {answer.why}")
        if answer.status != 200:
            raise DialError(f"no listen key: HTTP {answer.status} {answer.code or ''} {answer.message}")
        try:
            key = text(mapping(answer.payload(), "listenKey"), "listenKey")
            return str(self._client.get_private_ws_url("linear", key))
        except (DecodeError, ccxt.BaseError) as error:
            raise DialError(f"no listen key: {error}") from error

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(WATCH_S)
            for socket in self._sockets:
                socket.check_life()
            if self._marks_silent_s() > self._settings.mark_silence_s:
                self._mark.drop(f"no mark price for {self._marks_silent_s():.1f} s")
            self._check_promises()
            await self._check_market()

    def _check_promises(self) -> None:
        """An acknowledged order without an event proves what no silence can: that we do not hear."""
        if not self._user.up:
            self._promised.clear()
        now = self._clock.monotonic()
        late = [key for key, deadline in self._promised.items() if deadline and deadline < now]
        for key in late:
            del self._promised[key]
        if late:
            waited = self._settings.user_proof_s
            self._user.drop(
                f"order {late[0].client_id} was acknowledged, its event did not come in {waited} s"
            )

    async def _check_market(self) -> None:
        """Silence is either a quiet market or a deaf stream; the venue's own book tells which."""
        patience = self._settings.market_silence_s
        silent_s, now = self._market.silent_s(), self._clock.monotonic()
        if silent_s <= patience or now - self._probe_at < patience * SECOND:
            return
        self._probe_at = now
        for symbol in self._settings.symbols:
            why = await self._moved_without_us(symbol)
            if why:
                self._market.drop(f"no quote for {silent_s:.1f} s while {why}")
                return

    async def _moved_without_us(self, symbol: str) -> str:
        heard = self._quotes.get(symbol)
        known = self._probed.get(symbol) if heard is None else touch_heard(heard)
        request = Request(
            method="GET", path="ticker/bookTicker", api="fapiPublic", params={"symbol": symbol}, weight=2
        )
        answer = await self._rest.ask(request, Lane.QUERY)
        try:
            if isinstance(answer, Reply) and answer.code == NO_SUCH_SYMBOL:
                return ""
            if not isinstance(answer, Reply) or answer.status != 200:
                return f"the book of {symbol} cannot be asked for"
            told = touch_told(mapping(answer.payload(), "bookTicker"))
        except DecodeError as error:
            return f"the book of {symbol} cannot be read: {error}"
        if known is not None and told.update_id > known.update_id and told.prices != known.prices:
            await self._clock.sleep(GRACE_S)
            if self._quotes.get(symbol) is heard:
                return f"the book of {symbol} moved from update {known.update_id} to {told.update_id}"
        self._probed.setdefault(symbol, told)
        return ""

    async def _keep_listen_key(self) -> None:
        failures = 0
        while True:
            await self._clock.sleep(LISTEN_KEY_RETRY_S if failures else LISTEN_KEY_S)
            answer = await self._rest.ask(Request(method="PUT", path="listenKey"), Lane.CANCEL)
            if isinstance(answer, Reply) and answer.status == 200:
                failures = 0
                continue
            failures += 1
            gone = isinstance(answer, Reply) and answer.code == LISTEN_KEY_GONE
            if gone or failures >= LISTEN_KEY_TRIES:
                failures = 0
                self._user.drop("the listen key could not be kept alive")


class Touch(NamedTuple):
    """The best prices. A book also moves below them, and in quantity: what we trade on still stands then."""

    update_id: int
    prices: tuple[float, float]


def touch_heard(tick: BookTicker) -> Touch:
    return Touch(tick.update_id, (tick.bid, tick.ask))


def touch_told(row: Row) -> Touch:
    prices = as_float(number(row, "bidPrice")), as_float(number(row, "askPrice"))
    return Touch(whole(row, "lastUpdateId"), prices)
