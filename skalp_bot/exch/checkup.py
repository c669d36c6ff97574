"""Questions to a venue before money depends on it; nothing is changed there and nothing is sent."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from aurora.model.commands import Lane
from aurora.model.numbers import MILLISECOND, NO_QUOTE, as_float
from skalp_bot.exch import listings
from skalp_bot.exch.fields import DecodeError, Row, flag, mapping, number, rows, text, whole
from skalp_bot.exch.findings import Finding, fail, failed, ok, warn
from skalp_bot.exch.questions import BALANCES, OPEN_ALGO, OPEN_ORDERS, POSITIONS
from skalp_bot.exch.rest import PING, Rest
from skalp_bot.exch.settings import ExchangeSettings, Venue
from skalp_bot.exch.startup import SYNCHRONISE, Startup
from skalp_bot.exch.venue_clock import VenueClock
from skalp_bot.exch.wire import Reply, Request
from skalp_bot.ports import Clock, VenueError

PINGS = 10
SKEW_MS_WORTH_TELLING = 500.0
FEES_ASKED_MAX = 5  # At twenty weight units each.
SLOTS_PER_POSITION = 2
ACCOUNT = Request(method="GET", path="accountConfig", weight=5)
MODE = Request(method="GET", path="positionSide/dual", weight=30)
RESTRICTIONS = Request(method="GET", path="account/apiRestrictions", api="sapi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the configuration asks of a venue; ``prefix`` begins every id of ours."""

    prefix: str
    latency_ms_max: float
    slots_max: int
    slots_reserve: int
    notional_share_max: float  # Of one position, over the wallet.


class Checkup:
    """Each check answers with findings; one that cannot be made is a finding too."""

    def __init__(
        self,
        *,
        rest: Rest,
        startup: Startup,
        settings: ExchangeSettings,
        clock: Clock,
        venue_clock: VenueClock,
        needs: Needs,
    ) -> None:
        self._rest = rest
        self._startup = startup
        self._settings = settings
        self._clock = clock
        self._venue_clock = venue_clock
        self._needs = needs
        self._hedge = False
        self._held: tuple[str, ...] = ()
        self._wallet = NO_QUOTE

    async def run(self) -> list[Finding]:
        """In the order in which one depends on the other."""
        found = await self._looked("reach", self._reach)
        if failed(found):
            return found
        found += self._skew()
        found += await self._looked("latency", self._latency)
        keys = await self._looked("keys", self._keys)
        found += keys
        if failed(keys):
            return found
        for name, look in (
            ("permissions", self._permissions),
            ("position mode", self._mode),
            ("positions", self._positions),
            ("filters", self._filters),
            ("margin", self._margin),
            ("orders", self._orders),
            ("stop slots", self._slots),
            ("fees", self._fees),
        ):
            found += await self._looked(name, look)
        return found

    async def _looked(self, check: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
        try:
            return await look()
        except (VenueError, DecodeError) as error:
            return [fail(check, "no answer to go by", str(error))]

    async def _reach(self) -> list[Finding]:
        await self._startup.reach()
        return [ok("reach", self._startup.host)]

    def _skew(self) -> list[Finding]:
        skew_s = self._venue_clock.skew_s
        observed = f"{abs(skew_s) * 1e3:.0f} ms {'behind' if skew_s > 0 else 'ahead of'} the venue"
        limit = f"{self._needs.latency_ms_max:g} ms"
        if abs(skew_s) * 1e3 > self._needs.latency_ms_max:
            return [fail("clock", observed, f"{SYNCHRONISE}; the gate LATENCY refuses entries", limit)]
        if abs(skew_s) * 1e3 > SKEW_MS_WORTH_TELLING:
            return [warn("clock", observed, f"quotes look that much older or younger: {SYNCHRONISE}", limit)]
        return [ok("clock", observed, limit)]

    async def _latency(self) -> list[Finding]:
        took: list[float] = []
        for _ in range(PINGS):
            begun = self._clock.monotonic()
            answer = await self._rest.ask(PING, Lane.CANCEL)
            if isinstance(answer, Reply):
                took.append((self._clock.monotonic() - begun) / MILLISECOND)
        limit = f"{self._needs.latency_ms_max:g} ms"
        if not took:
            return [fail("latency", f"none of {PINGS} pings was answered", "check the network", limit)]
        lost = f", {PINGS - len(took)} of {PINGS} lost" if len(took) < PINGS else ""
        observed = f"{median(took):.1f} ms there and back, worst {max(took):.1f}{lost}"
        if lost or median(took) > self._needs.latency_ms_max:
            advice = "move nearer to the venue or mend the line: governance.latency_ms_max refuses entries"
            return [warn("latency", observed, advice, limit)]
        return [ok("latency", observed, limit)]

    async def _keys(self) -> list[Finding]:
        balances = listings.balance_views(await self._startup.ask(for_all(BALANCES, 5)))
        asset = self._settings.quote_asset
        held = next((view for view in balances if view.asset == asset), None)
        found = [ok("keys", f"accepted by venue {self._settings.venue}")]
        if held is None or held.wallet <= 0:
            advice = f"transfer {asset} to the futures wallet, or set quote_asset to what it holds"
            return [*found, fail("balance", f"no {asset} in the wallet", advice, f"> 0 {asset}")]
        self._wallet = held.wallet
        observed = f"{held.wallet:f} {asset}, {held.available:f} available"
        if held.available <= 0:
            return [*found, warn("balance", observed, "nothing can be entered until margin is free")]
        return [*found, ok("balance", observed)]

    async def _permissions(self) -> list[Finding]:
        account = mapping(await self._startup.ask(ACCOUNT), "accountConfig")
        found = [may_trade(account)]
        if flag(account, "multiAssetsMargin"):
            advice = "equity is counted in quote_asset alone: switch multi-assets mode off"
            found.append(warn("permissions", "multi-assets margin is on", advice))
        if self._settings.venue is Venue.LIVE:
            found += restricted(mapping(await self._startup.ask(RESTRICTIONS), "apiRestrictions"))
        return found

    async def _positions(self) -> list[Finding]:
        listed = await self._startup.ask(for_all(POSITIONS, 5))
        if self._hedge:
            return hedged(listed)
        views = listings.position_views(listed)
        self._held = tuple(view.symbol for view in views)
        shown = ", ".join(f"{view.symbol} {view.qty:f}" for view in views)
        strange = [symbol for symbol in self._held if symbol not in self._settings.symbols]
        if strange:
            advice = "they are adopted and not traded: close them, or add them to symbols"
            return [warn("positions", f"{shown}; not in symbols: {', '.join(strange)}", advice)]
        return [ok("positions", shown or "flat")]

    async def _mode(self) -> list[Finding]:
        self._hedge = flag(mapping(await self._startup.ask(MODE), "positionSide/dual"), "dualSidePosition")
        if not self._hedge:
            return [ok("position mode", "one-way")]
        return [warn("position mode", "hedge", "the next start switches to one-way when the account is flat")]

    async def _filters(self) -> list[Finding]:
        found: list[Finding] = []
        for each in await self._startup.instruments():
            rules = f"tick {each.tick_size:f}, step {each.step_size:f}, least {each.notional_min:f}"
            check = f"filters {each.symbol}"
            if not each.trading:
                found.append(
                    fail(check, f"{rules}; not trading", "take the symbol out of symbols", "TRADING")
                )
            elif self._share_max() < as_float(each.notional_min):
                found.append(warn(check, rules, self._too_small(as_float(each.notional_min))))
            else:
                found.append(ok(check, rules))
        for symbol, why in self._startup.missing.items():
            found.append(fail(f"filters {symbol}", "not listed", why, "TRADING"))
        return found

    def _listed(self) -> list[str]:
        return [symbol for symbol in self._settings.symbols if symbol not in self._startup.missing]

    def _too_small(self, notional_min: float) -> str:
        wallet = notional_min / self._needs.notional_share_max
        return (
            f"the wallet allows a position of {self._share_max():.2f} at most (sizing.leverage_use_max): "
            f"it takes more than {wallet:.2f} {self._settings.quote_asset} to trade this symbol"
        )

    def _share_max(self) -> float:
        """The largest notional of one position that sizing allows with this wallet."""
        return as_float(self._wallet) * self._needs.notional_share_max

    async def _margin(self) -> list[Finding]:
        wanted = f"{self._settings.margin_type} x{self._settings.leverage}"
        found: list[Finding] = []
        for symbol in self._listed():
            row = await self._startup.symbol_config(symbol)
            seen = f"{text(row, 'marginType')} x{whole(row, 'leverage')}"
            check = f"margin {symbol}"
            if seen == wanted:
                found.append(ok(check, seen))
            elif symbol not in self._held:
                found.append(ok(check, f"{seen}; the start sets {wanted}"))
            elif text(row, "marginType") != self._settings.margin_type:
                advice = "a start is refused while the position is open: close it, or change it by hand"
                found.append(fail(check, seen, advice, wanted))
            else:
                advice = (
                    "a start is REDUCING while the position is open: close it, or configure this leverage"
                )
                found.append(warn(check, seen, advice, wanted))
        return found

    async def _orders(self) -> list[Finding]:
        views = listings.order_views(await self._startup.ask(for_all(OPEN_ORDERS, 40)))
        foreign = [view.client_id for view in views if not view.client_id.startswith(self._needs.prefix)]
        observed = f"{len(views)} open, {len(views) - len(foreign)} of ours"
        if foreign:
            advice = f"left alone, and no entry on their symbols: {', '.join(foreign[:3])}"
            return [warn("orders", observed, advice)]
        return [ok("orders", observed)]

    async def _slots(self) -> list[Finding]:
        resting = listings.algo_views(await self._startup.ask(for_all(OPEN_ALGO, 40)))
        most, reserve = self._needs.slots_max, self._needs.slots_reserve
        free = max(most - reserve - len(resting), 0)
        observed = f"{free} free for new stops ({len(resting)} of {most} used, {reserve} in reserve)"
        if free < SLOTS_PER_POSITION:
            advice = "cancel conditional orders nobody needs: the gate CONDITIONAL_SLOTS refuses entries"
            return [fail("stop slots", observed, advice, f">= {SLOTS_PER_POSITION}")]
        return [ok("stop slots", observed, f">= {SLOTS_PER_POSITION}")]

    async def _fees(self) -> list[Finding]:
        found: list[Finding] = []
        for symbol in self._listed()[:FEES_ASKED_MAX]:
            rates = await self._startup.fees(symbol)
            found.append(ok(f"fees {symbol}", f"maker {rates.maker:f}, taker {rates.taker:f} of notional"))
        return found


def hedged(listed: Any) -> list[Finding]:
    """A hedge-mode account is switched when it is flat; before, its positions are not ours to read."""
    held = [text(row, "symbol") for row in rows(listed, "positionRisk") if number(row, "positionAmt")]
    symbols = tuple(dict.fromkeys(held))  # Either side may be held.
    if not symbols:
        return [ok("positions", "flat")]
    advice = "close them at the venue: the mode can be switched on a flat account only"
    return [fail("positions", f"{', '.join(symbols)} in hedge mode", advice, "flat")]


def may_trade(account: Row) -> Finding:
    if flag(account, "canTrade"):
        return ok("permissions", "the account may trade futures")
    return fail("permissions", "the account may not trade", "open futures trading at the venue, or ask why")


def restricted(key: Row) -> list[Finding]:
    """What a live key may do beside trading; the venue tells it on live only."""
    found: list[Finding] = []
    if not flag(key, "enableFutures"):
        found.append(fail("key", "may not trade futures", "allow 'Enable Futures' for this key"))
    if flag(key, "enableWithdrawals"):
        found.append(fail("key", "may withdraw", "make a key without withdrawals; nothing here needs them"))
    if not flag(key, "ipRestrict"):
        found.append(warn("key", "works from any address", "restrict it to this machine's address"))
    return found or [ok("key", "futures only, no withdrawals, bound to addresses")]


def for_all(request: Request, weight: int) -> Request:
    """The question about all symbols at once, at its true weight."""
    return replace(request, weight=weight)
