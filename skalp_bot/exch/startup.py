"""From a cold start to a venue that can be traded on: checked, set where allowed, or refused with the fix."""

from dataclasses import replace
from typing import Any

from aurora.model.commands import Lane
from aurora.model.events import FeesLoaded, InstrumentsLoaded, LeverageChanged, RequestFailed
from aurora.model.instrument import FeeRates, Instrument
from aurora.model.numbers import SECOND, Nanos
from skalp_bot.exch import listings
from skalp_bot.exch.fields import DecodeError, Row, flag, mapping, rows, text, whole
from skalp_bot.exch.rest import Rest
from skalp_bot.exch.settings import ExchangeSettings, Venue
from skalp_bot.exch.venue_clock import SKEW_S_MAX, VenueClock
from skalp_bot.exch.wire import Answer, NoReply, Reply, Request
from skalp_bot.ports import Clock, Emit, VenueError

TIME = Request(method="GET", path="time", api="fapiPublic")
TIME_SAMPLES = 3
REACH_S = 6.0  # How long a start keeps trying to reach the venue.
REACH_PAUSE_S = 0.5
CANDLES = 499  # The most for two weight units.
SYNCHRONISE = "synchronise it, for instance with `timedatectl set-ntp true`"
ROOM_S = 61.0  # A start waits for the venue's next minute: to end would leave what is held alone.
RETRY_PAUSES_S = (0.25, 0.5, 0.0)  # After each try; the last one is not waited for.
SKEWED = -1021
NO_CHANGE = (-4046, -4059)

WHERE_KEYS = {
    Venue.PAPER: "the paper exchange prints its key and secret in its ready file",
    Venue.TESTNET: "keys for testnet are made at demo.binance.com (API management) and differ from live keys",
    Venue.LIVE: "create a key at binance.com with 'Enable Futures' and this machine's address allowed",
}


class Startup:
    """Each step raises VenueError, whose message says what to do."""

    def __init__(
        self,
        *,
        rest: Rest,
        settings: ExchangeSettings,
        clock: Clock,
        venue_clock: VenueClock,
        emit: Emit,
        host: str,
    ) -> None:
        self._rest = rest
        self._settings = settings
        self._clock = clock
        self._venue_clock = venue_clock
        self._emit = emit
        self.host = host
        self.missing: dict[str, str] = {}  # Symbols of ours that are not listed, with words for people.
        self.trading: tuple[str, ...] = ()
        self._set_up: dict[str, None] = {}  # Margin type and leverage are as configured.

    async def reach(self) -> None:
        """Keep asking for the time until the venue answers, for REACH_S at most."""
        deadline = self._clock.monotonic() + int(REACH_S * SECOND)
        while (why := await self.sync_clock()) and self._clock.monotonic() < deadline:
            await self._clock.sleep(REACH_PAUSE_S)
        if why:
            raise VenueError(f"cannot reach {self.host}: {why}. {self._unreachable()}")
        skew_s = self._venue_clock.skew_s
        if abs(skew_s) > SKEW_S_MAX:
            raise VenueError(
                f"this machine's clock is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} the"
                f" venue's (limit {SKEW_S_MAX:.0f} s): {SYNCHRONISE}"
            )

    async def sync_clock(self) -> str:
        """Learn the venue's time from the quickest of a few answers; the reason when there was none."""
        quickest, why = None, ""
        for _ in range(TIME_SAMPLES):
            asked_at = self._clock.monotonic()
            answer = await self._rest.ask(TIME, Lane.CANCEL)
            answered_at = self._clock.monotonic()
            try:
                server_ms = whole(mapping(_body(answer), "time"), "serverTime")
            except (VenueError, DecodeError) as error:
                why = str(error)
                break
            if quickest is None or answered_at - asked_at < quickest[1] - quickest[0]:
                quickest = (asked_at, answered_at, server_ms)
        if quickest is None:
            return why
        self._venue_clock.learn(asked_at=quickest[0], answered_at=quickest[1], server_ms=quickest[2])
        return ""

    async def instruments(self) -> tuple[Instrument, ...]:
        """Filters and leverage brackets of our symbols, emitted too, and the venue's limits."""
        return self._told(await self._listed())

    async def reload(self) -> None:
        """The same on a running day. What begins to trade is set up before anybody hears that it does."""
        self._told(tuple([await self._begun(each) for each in await self._listed()]))

    async def fit(self, loaded: tuple[Instrument, ...]) -> None:
        """Refuse what cannot be traded as configured; symbols that do not trade now are left out, not all."""
        for each in loaded:
            self._fits(each)
        if self.trading or set(await self._positions_open()) & set(self._settings.symbols):
            return
        halted = [f"symbol {each.symbol} does not trade at {self.host} now" for each in loaded]
        raise VenueError("; ".join([*self.missing.values(), *halted]))

    async def one_way_mode(self) -> None:
        """Hedge mode is switched off when nothing is open."""
        path = "positionSide/dual"
        mode = await self.ask(Request(method="GET", path=path, weight=30))
        if not flag(mapping(mode, path), "dualSidePosition"):
            return
        if await self._positions_open():
            raise VenueError(
                "the account is in hedge mode and has open positions: close them, then start again"
                " (the mode is switched to one-way when the account is flat)"
            )
        await self._set(Request(method="POST", path=path, params={"dualSidePosition": "false"}))

    async def margin_and_leverage(self, symbols: tuple[str, ...]) -> None:
        """Set only where they differ and the symbol is flat; what the venue then says is what counts."""
        open_symbols = await self._positions_open()
        for symbol in symbols:
            config = await self.symbol_config(symbol)
            flat = symbol not in open_symbols
            if text(config, "marginType") != self._settings.margin_type:
                await self._set_margin_type(symbol, text(config, "marginType"), flat=flat)
            if whole(config, "leverage") != self._settings.leverage and flat:
                await self._set_leverage(symbol)
            config = await self.symbol_config(symbol)
            if text(config, "marginType") != self._settings.margin_type:
                raise VenueError(
                    f"{symbol}: margin type was set but the venue still says {config['marginType']}"
                )
            told = LeverageChanged(symbol=symbol, leverage=whole(config, "leverage"), ts_recv=self._now())
            if told.leverage != self._settings.leverage and flat:
                raise VenueError(
                    f"{symbol}: leverage was set to {self._settings.leverage}, the venue says {told.leverage}"
                )
            self._emit(told)
            self._set_up[symbol] = None

    async def candles(self, symbols: tuple[str, ...]) -> None:
        """History to warm up on, one minute each."""
        for symbol in symbols:
            params = {"symbol": symbol, "interval": "1m", "limit": str(CANDLES)}
            request = Request(method="GET", path="klines", api="fapiPublic", params=params, weight=2)
            history = await self.ask(request, timeout_s=self._settings.bulk_timeout_s)
            self._emit(listings.candles(history, symbol, self._now()))

    async def fees(self, symbol: str) -> FeeRates:
        """What the account pays there, emitted too."""
        request = Request(method="GET", path="commissionRate", params={"symbol": symbol}, weight=20)
        rates = listings.fee_rates(await self.ask(request))
        self._emit(FeesLoaded(fees=rates, ts_recv=self._now()))
        return rates

    async def _listed(self) -> tuple[Instrument, ...]:
        request = Request(method="GET", path="exchangeInfo", api="fapiPublic")
        info = await self.ask(request, timeout_s=self._settings.bulk_timeout_s)
        self._rest.budget.set_limits(rows(mapping(info, "exchangeInfo").get("rateLimits", []), "rateLimits"))
        listed = listings.listed_symbols(info)
        self.missing = {
            symbol: f"symbol {symbol} is not listed at {self.host}; {_likely(symbol, sorted(listed))}"
            for symbol in self._settings.symbols
            if symbol not in listed
        }
        ours = [listed[symbol] for symbol in self._settings.symbols if symbol in listed]
        return tuple([await self._bracketed(listings.instrument(row)) for row in ours])

    def _told(self, loaded: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
        self.trading = tuple(each.symbol for each in loaded if each.trading)
        missing = tuple(self.missing)
        self._emit(InstrumentsLoaded(instruments=loaded, missing=missing, ts_recv=self._now()))
        return loaded

    async def _begun(self, each: Instrument) -> Instrument:
        """The instrument; as one that does not trade yet while it cannot be set up."""
        if not each.trading or each.symbol in self._set_up:
            return each
        try:
            self._fits(each)
            await self.margin_and_leverage((each.symbol,))
            await self.candles((each.symbol,))
        except (VenueError, DecodeError) as error:
            why, now = str(error), self._now()
            self._emit(RequestFailed(request="set up", subject=each.symbol, why=why, ts_recv=now))
            return replace(each, trading=False)
        return each

    def _fits(self, each: Instrument) -> None:
        if each.quote_asset != self._settings.quote_asset:
            raise VenueError(
                f"symbol {each.symbol} is quoted in {each.quote_asset}, the account in"
                f" {self._settings.quote_asset}: take another symbol or quote_asset"
            )
        wanted = self._settings.leverage
        most = max((bracket.leverage for bracket in each.brackets), default=wanted)
        if wanted > most:
            raise VenueError(f"leverage {wanted} is above what {each.symbol} allows ({most}): lower it")

    async def _bracketed(self, plain: Instrument) -> Instrument:
        """What does not trade is not entered, and needs none."""
        if not plain.trading:
            return plain
        request = Request(method="GET", path="leverageBracket", params={"symbol": plain.symbol})
        brackets = listings.leverage_brackets(await self.ask(request)).get(plain.symbol, ())
        return listings.with_brackets(plain, brackets)

    async def _positions_open(self) -> tuple[str, ...]:
        payload = await self.ask(Request(method="GET", path="positionRisk", api="fapiPrivateV3", weight=5))
        return tuple(text(row, "symbol") for row in rows(payload, "positionRisk") if _moved(row))

    async def symbol_config(self, symbol: str) -> Row:
        request = Request(method="GET", path="symbolConfig", params={"symbol": symbol}, weight=5)
        for row in rows(await self.ask(request), "symbolConfig"):
            if row.get("symbol") == symbol:
                return row
        raise VenueError(f"{symbol}: {self.host} does not say its leverage and margin type")

    async def _set_margin_type(self, symbol: str, actual: str, *, flat: bool) -> None:
        wanted = self._settings.margin_type
        if not flat:
            raise VenueError(
                f"{symbol} has an open position with margin type {actual}, {wanted} is configured:"
                f" close the position or configure {actual}"
            )
        params = {"symbol": symbol, "marginType": wanted}
        await self._set(Request(method="POST", path="marginType", params=params))

    async def _set_leverage(self, symbol: str) -> None:
        params = {"symbol": symbol, "leverage": str(self._settings.leverage)}
        await self._set(Request(method="POST", path="leverage", params=params))

    async def _set(self, request: Request) -> None:
        answer = await self._rest.ask(request, Lane.CANCEL)
        if not (isinstance(answer, Reply) and answer.code in NO_CHANGE):
            self._checked(request, answer)

    async def ask(self, request: Request, *, timeout_s: float | None = None) -> Any:
        """A question may be asked again when nobody answered; a wrong clock is set first."""
        for pause_s in RETRY_PAUSES_S:
            answer = await self._rest.ask(request, Lane.CANCEL, timeout_s=timeout_s, patience_s=ROOM_S)
            if isinstance(answer, Reply) and answer.status < 500 and answer.code != SKEWED:
                break
            await self._clock.sleep(pause_s)
            if isinstance(answer, Reply) and answer.code == SKEWED:
                await self.sync_clock()
        return self._checked(request, answer)

    def _checked(self, request: Request, answer: Answer) -> Any:
        """The body of a good answer; anything else is a VenueError that names the fix."""
        try:
            return _body(answer)
        except DecodeError as error:
            raise VenueError(f"{self.host} {request.name}: {error}") from error
        except VenueError as error:
            code = answer.code if isinstance(answer, Reply) else None
            raise VenueError(f"{self.host} {request.name}: {error}{self._fix(code)}") from error

    def _fix(self, code: int | None) -> str:
        venue = self._settings.venue
        match code:
            case -2014:
                return f": the API key is malformed: check BINANCE_API_KEY; {WHERE_KEYS[venue]}"
            case -2015:
                return f": key, address or permissions are wrong for venue {venue}; {WHERE_KEYS[venue]}"
            case -1022:
                return ": the secret does not belong to the key: check BINANCE_API_SECRET"
            case -1021:
                return f": this machine's clock moves: {SYNCHRONISE}"
            case -4067 | -4047:
                return ": open orders stand in the way: cancel them, then start again"
            case _:
                return ""

    def _unreachable(self) -> str:
        if self._settings.venue is Venue.PAPER:
            return (
                "Is the paper exchange running? Start one with `skalp-bot exchange`, or leave --exchange out"
            )
        return "Check this machine's network, DNS and proxy; to trade without a network use --venue paper"

    def _now(self) -> Nanos:
        return Nanos(self._clock.now())


def _body(answer: Answer) -> Any:
    match answer:
        case NoReply():
            raise VenueError(answer.why)
        case Reply(status=200):
            return answer.payload()
        case Reply():
            raise VenueError(f"HTTP {answer.status} {answer.code or ''} {answer.message}")


def _moved(row: Row) -> bool:
    return text(row, "positionAmt").strip("-0.") != ""


def _likely(symbol: str, listed: list[str]) -> str:
    near = [each for each in listed if each.startswith(symbol[:3])][:5]
    if near:
        return f"did you mean {', '.join(near)}?"
    if len(listed) <= 10:
        return f"listed there: {', '.join(listed)}; name those under symbols, or in AURORA__SYMBOLS"
    return f"{len(listed)} symbols are listed there"
