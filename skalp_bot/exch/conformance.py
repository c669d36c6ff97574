"""Whether a venue does with orders what it is relied on to do: places, lists, replaces, cancels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from aurora.model.account import AccountSnapshot, OrderView
from aurora.model.commands import CancelOrder, Command, Lane, QueryOrder, RequestSnapshot, SubmitOrder
from aurora.model.events import (
    CancelAcked,
    CancelFailed,
    Event,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    QueryAnswered,
    RequestFailed,
)
from aurora.model.gate import Approved
from aurora.model.instrument import Instrument
from aurora.model.numbers import Price, Qty, ceil_to, divide, floor_to
from aurora.model.order import (
    Namespace,
    OrderIntent,
    OrderKey,
    OrderStatus,
    OrderType,
    Role,
    Side,
    TimeInForce,
    WorkingType,
)
from skalp_bot.exch.findings import Finding, fail, ok, warn
from skalp_bot.ports import Clock, Exchange

DEPTH = Decimal("0.7")  # How far towards the edge of the price band an order is placed; 1 is the edge.
ROOM = Decimal("1.2")  # Over the least notional, so that a moving mark does not matter.
OUTCOMES = (
    OrderAcked,
    OrderRefused,
    OrderUnknown,
    OrderNotSent,
    CancelAcked,
    CancelFailed,
    QueryAnswered,
    RequestFailed,
    AccountSnapshot,
)
NEWS_S = 5.0
LATEST_S = 6.0  # After the longest life of a signature no order can appear any more.
POLL_S = 0.02
NOT_THERE, TRIGGERS_AT_ONCE, CLOSING_EXISTS, NOTHING_TO_REDUCE = -2011, -2021, -4130, -2022
NO_MARGIN = -2019
REPORT = "the venue does not do what is relied on: do not trade there before this is explained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where the orders go: one symbol, its filters, and its mark price."""

    instrument: Instrument
    mark: Decimal

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    def below(self, depth: Decimal) -> Price:
        """Under the mark by this share of the permitted band, rounded away from the market."""
        factor = 1 - (1 - self.instrument.multiplier_down) * depth
        return Price(floor_to(self.mark * factor, self.instrument.tick_size))

    def above(self, depth: Decimal) -> Price:
        factor = 1 + (self.instrument.multiplier_up - 1) * depth
        return Price(ceil_to(self.mark * factor, self.instrument.tick_size))

    @property
    def qty(self) -> Qty:
        """The least that is accepted at the lower price, rounded up."""
        least = divide(self.instrument.notional_min * ROOM, self.below(DEPTH))
        return Qty(ceil_to(max(least, self.instrument.qty_min), self.instrument.step_size))


class Conformance:
    """Sends orders no market can reach, and takes every one of them back, whatever happens between."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        events: list[Event],
        ground: Ground,
        clock: Clock,
        name: str,
        approve: Callable[[OrderIntent], Approved],
    ) -> None:
        """``approve``: governance's word for orders that only try the venue."""
        self._exchange = exchange
        self._events = events
        self._ground = ground
        self._clock = clock
        self._name = name
        self._approve = approve
        self._number = 0
        self._sent: list[OrderKey] = []
        self._unsure = False
        self._found: list[Finding] = []

    async def run(self) -> list[Finding]:
        """Every step and its verdict; the last one says that nothing was left behind."""
        if not await self._alone():
            return self._found
        try:
            await self._order()
            await self._backstop()
            await self._working_stop()
            await self._refusals()
        finally:
            await self._take_back()
        await self._told()
        return self._found

    async def _alone(self) -> bool:
        look = await self._look()
        symbol = self._ground.symbol
        held = [view for view in look.positions or () if view.symbol == symbol and view.qty] if look else []
        if look is not None and not held:
            return True
        seen = "the account does not answer" if look is None else f"a position in {symbol}"
        self._found.append(fail("ground", seen, "end the daemon and flatten first, then ask again", "flat"))
        return False

    async def _order(self) -> None:
        """A resting order, its replacement beside it, and both taken back."""
        first = await self._placed("order placed", self._far(DEPTH))
        if first is None:
            return
        await self._shown("order listed", first, self._far(DEPTH))
        await self._queried("order queried", first, OrderStatus.NEW)
        second = await self._placed("replacement placed", self._far(DEPTH / 2))
        if second is not None:
            await self._shown("replacement listed", second, self._far(DEPTH / 2))
        await self._cancelled("order cancelled", first)
        await self._queried("order gone", first, OrderStatus.CANCELED)
        if second is not None:
            await self._shown("replacement stays", second, self._far(DEPTH / 2))
            await self._cancelled("replacement cancelled", second)

    async def _backstop(self) -> None:
        """The widest stop, which closes whatever is held; there may be one a side."""
        intent = self._stop(DEPTH, closing=True)
        first = await self._placed("backstop placed", intent)
        if first is None:
            return
        await self._shown("backstop listed", first, intent)
        await self._refused("second backstop", self._stop(DEPTH / 2, closing=True), CLOSING_EXISTS)
        await self._cancelled("backstop cancelled", first)
        await self._gone("backstop gone", first)

    async def _working_stop(self) -> None:
        """The stop that follows: the new one listed before the old one goes."""
        intent, nearer = self._stop(DEPTH, closing=False), self._stop(DEPTH / 2, closing=False)
        first = await self._placed("stop placed", intent, needs_position=True)
        if first is None:
            return
        await self._shown("stop listed", first, intent)
        second = await self._placed("new stop placed", nearer)
        if second is not None:
            await self._shown("new stop listed", second, nearer)
        await self._cancelled("old stop cancelled", first)
        await self._gone("old stop gone", first)
        if second is not None:
            await self._shown("new stop stays", second, nearer)
            await self._cancelled("new stop cancelled", second)

    async def _refusals(self) -> None:
        """What must be refused, with the code that proves that nothing lives."""
        above = replace(self._stop(DEPTH, closing=True), trigger=self._ground.above(DEPTH))
        await self._refused("stop beyond the market", above, TRIGGERS_AT_ONCE)
        naked = OrderIntent(
            symbol=self._ground.symbol,
            side=Side.SELL,
            type=OrderType.MARKET,
            role=Role.EXIT,
            qty=self._ground.qty,
            reduce_only=True,
        )
        await self._refused("reduce-only without a position", naked, NOTHING_TO_REDUCE)
        nobody = OrderKey(namespace=Namespace.REGULAR, client_id=f"{self._name}-none")
        event = await self._do(CancelOrder(key=nobody, symbol=self._ground.symbol))
        code = event.code if isinstance(event, CancelFailed) else 0
        self._compare("cancel of no order", code, NOT_THERE)
        answer = await self._do(QueryOrder(key=nobody, symbol=self._ground.symbol))
        absent = isinstance(answer, QueryAnswered) and answer.view is None
        self._compare("query of no order", "absent" if absent else said(answer), "absent")

    async def _take_back(self) -> None:
        """Cancel what still rests, and show by listing that nothing does."""
        if self._unsure:
            await self._clock.sleep(LATEST_S)
        look = await self._look()
        resting = [view for view in listed(look) if view.client_id.startswith(self._name)]
        for view in resting:
            key = OrderKey(namespace=view.namespace, client_id=view.client_id)
            await self._do(CancelOrder(key=key, symbol=view.symbol))
        look = await self._look()
        left = [view.client_id for view in listed(look) if view.client_id.startswith(self._name)]
        if look is None or left:
            seen = f"still listed: {', '.join(left)}" if left else "the last listing failed"
            self._found.append(fail("nothing left", seen, "cancel them by hand at the venue", "none"))
        else:
            self._found.append(ok("nothing left", f"{len(self._sent)} orders sent, none listed"))

    async def _told(self) -> None:
        """Each order that lived was told of on the user stream, from its birth to its end."""
        for _ in range(int(NEWS_S / POLL_S)):
            if not self._untold():
                break
            await self._clock.sleep(POLL_S)
        wanted = f"{len(self._sent)} of {len(self._sent)}"
        silent = ", ".join(self._untold())
        self._compare("user stream told", f"not of {silent}" if silent else wanted, wanted)

    def _untold(self) -> list[str]:
        told = [(event.key, event.status) for event in self._events if isinstance(event, OrderUpdate)]
        ends = (OrderStatus.NEW, OrderStatus.CANCELED)
        return [key.client_id for key in self._sent if any((key, end) not in told for end in ends)]

    def _far(self, depth: Decimal) -> OrderIntent:
        return OrderIntent(
            symbol=self._ground.symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            role=Role.ENTRY,
            qty=self._ground.qty,
            price=self._ground.below(depth),
            time_in_force=TimeInForce.GTX,
        )

    def _stop(self, depth: Decimal, *, closing: bool) -> OrderIntent:
        return OrderIntent(
            symbol=self._ground.symbol,
            side=Side.SELL,
            type=OrderType.STOP_MARKET,
            role=Role.BACKSTOP if closing else Role.STOP,
            qty=None if closing else self._ground.qty,
            trigger=self._ground.below(depth),
            reduce_only=not closing,
            close_position=closing,
            working_type=WorkingType.MARK_PRICE,
        )

    async def _placed(
        self, step: str, intent: OrderIntent, *, needs_position: bool = False
    ) -> OrderKey | None:
        key, event = await self._submit(intent)
        if isinstance(event, OrderAcked):
            self._found.append(ok(step, f"{intent.type} at {intent.price or intent.trigger}"))
            return key
        if needs_position and isinstance(event, OrderRefused) and event.code == NOTHING_TO_REDUCE:
            why = (
                "this venue takes such a stop only beside a position: watch `stop_listed` on the first trade"
            )
            self._found.append(warn(step, said(event), why))
        elif isinstance(event, OrderRefused) and event.code == NO_MARGIN:
            least = f"{self._ground.qty.normalize():f} {self._ground.symbol} at {intent.price}"
            why = f"free or transfer the margin of the least order, {least}, then ask again"
            self._found.append(fail(step, said(event), why, "accepted"))
        else:
            self._found.append(fail(step, said(event), REPORT, "accepted"))
        return None

    async def _refused(self, step: str, intent: OrderIntent, code: int) -> None:
        _, event = await self._submit(intent)
        seen = event.code if isinstance(event, OrderRefused) else said(event)
        self._compare(step, seen, code)

    async def _cancelled(self, step: str, key: OrderKey) -> None:
        event = await self._do(CancelOrder(key=key, symbol=self._ground.symbol))
        self._compare(step, "cancelled" if isinstance(event, CancelAcked) else said(event), "cancelled")

    async def _queried(self, step: str, key: OrderKey, status: OrderStatus) -> None:
        event = await self._do(QueryOrder(key=key, symbol=self._ground.symbol))
        view = event.view if isinstance(event, QueryAnswered) else None
        self._compare(step, view.status.value if view is not None else said(event), status.value)

    async def _shown(self, step: str, key: OrderKey, intent: OrderIntent) -> None:
        """Listed by the venue with every field as it was sent."""
        view = next((v for v in listed(await self._look()) if v.client_id == key.client_id), None)
        self._compare(step, terms_of(view) if view is not None else "not listed", terms(intent))

    async def _gone(self, step: str, key: OrderKey) -> None:
        look = await self._look()
        shown = [view.client_id for view in listed(look)]
        seen = "no listing" if look is None else "listed" if key.client_id in shown else "not listed"
        self._compare(step, seen, "not listed")

    def _compare(self, step: str, seen: object, wanted: object) -> None:
        if seen == wanted:
            self._found.append(ok(step, str(seen)))
        else:
            self._found.append(fail(step, str(seen), REPORT, str(wanted)))

    async def _submit(self, intent: OrderIntent) -> tuple[OrderKey, Event | None]:
        self._number += 1
        key = OrderKey(namespace=intent.namespace, client_id=f"{self._name}-{self._number}")
        approved = self._approve(intent)
        event = await self._do(SubmitOrder(key=key, approved=approved, lane=Lane.CANCEL, send_before=None))
        if isinstance(event, OrderAcked):
            self._sent.append(key)
        elif not isinstance(event, OrderRefused):
            self._unsure = True  # It may still come to life until its signature expires.
        return key, event

    async def _look(self) -> AccountSnapshot | None:
        event = await self._do(
            RequestSnapshot(
                symbol=self._ground.symbol,
                positions=True,
                orders=True,
                algo_orders=True,
                balances=False,
                why="conformance",
            )
        )
        return event if isinstance(event, AccountSnapshot) else None

    async def _do(self, command: Command) -> Event | None:
        """The one event that tells how it ended; streamed ones may come between."""
        before = len(self._events)
        await self._exchange.execute(command)
        outcomes = [event for event in self._events[before:] if isinstance(event, OUTCOMES)]
        return outcomes[-1] if outcomes else None


def said(event: Event | None) -> str:
    """What the venue answered, in its own words."""
    match event:
        case None:
            return "nothing"
        case OrderAcked():
            return "accepted"
        case OrderRefused() | CancelFailed():
            return f"{event.code} {event.why}"
        case OrderUnknown() | OrderNotSent() | RequestFailed():
            return event.why
        case _:
            return type(event).__name__


def listed(look: AccountSnapshot | None) -> list[OrderView]:
    return [] if look is None else [*(look.orders or ()), *(look.algo_orders or ())]


def terms(intent: OrderIntent) -> str:
    """Everything about an order that the venue must remember as it was sent."""
    return phrase(
        f"{intent.side} {intent.type}",
        qty=intent.qty,
        price=intent.price,
        trigger=intent.trigger,
        reduce_only=intent.reduce_only and not intent.close_position,
        close_position=intent.close_position,
    )


def terms_of(view: OrderView) -> str:
    return phrase(
        f"{view.side} {view.type}",
        qty=view.qty,
        price=view.price,
        trigger=view.trigger,
        reduce_only=view.reduce_only and not view.close_position,
        close_position=view.close_position,
    )


def phrase(head: str, **parts: Decimal | bool | None) -> str:
    words = [head]
    for name, value in parts.items():
        if isinstance(value, Decimal):
            words += [f"{name} {value.normalize():f}"] if value else []
        elif value:
            words.append(name)
    return ", ".join(words)
