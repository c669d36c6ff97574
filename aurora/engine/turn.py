"""One turn of the line: the state it may change through facts, and what it has asked and concluded so far."""

from dataclasses import dataclass, replace
from decimal import Decimal

from aurora import governance
from aurora.config import AuroraConfig
from aurora.engine.statistics import Statistics
from aurora.model.commands import (
    CancelOrder,
    Command,
    Lane,
    QueryOrder,
    RequestSnapshot,
    RequestTrades,
    SubmitOrder,
)
from aurora.model.drift import Drift, DriftRecord
from aurora.model.facts import (
    Alert,
    CancelRequested,
    DriftSeen,
    Fact,
    OrderMoved,
    OrderOpened,
    ParentClosed,
)
from aurora.model.gate import Approved
from aurora.model.numbers import MILLISECOND, SECOND, Nanos, Qty, Quote, as_float, divide
from aurora.model.order import LIVE, Namespace, Order, OrderIntent, OrderKey, OrderStatus, Role, follow
from aurora.model.parent import ParentOrder
from aurora.model.signal import TargetPosition
from aurora.signals.base import Strategy
from aurora.sizing.kelly import risk_aversion_from_drawdown
from aurora.state import Durable, Soft, State

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
DEFAULT_TAKER = Decimal("0.0005")  # VIP 0.
ALERT_EVERY = 10 * SECOND
ALERTS_KEPT = 1_000  # Subjects come from outside; they must not fill the memory.
LISTING_EVERY = 200 * MILLISECOND
TRADES_EVERY = 500 * MILLISECOND
ENTRY_QUERY_WAIT_MAX = Nanos(2 * SECOND)  # Behind it may stand a position without a stop.
QUERY_WAITS = tuple(Nanos(ms * MILLISECOND) for ms in (200, 500, 1_000, 2_000, 4_000, 8_000))


def base36(value: int) -> str:
    text = ""
    while True:
        value, digit = divmod(value, 36)
        text = DIGITS[digit] + text
        if not value:
            return text


@dataclass(frozen=True, slots=True)
class Mind:
    """What the engine holds beside its state: opinions and statistics; both are made anew at a start."""

    strategy: Strategy
    stats: Statistics


class Turn:
    """Handed from room to room within one step; only what ``conclude`` applied outlives it.

    The engine keeps one and begins it anew with each event: most ticks conclude nothing.
    """

    __slots__ = ("commands", "config", "d", "facts", "now", "prefix", "soft", "stats", "strategy")

    def __init__(self, config: AuroraConfig, state: State, now: Nanos, mind: Mind) -> None:
        self.config = config
        self.prefix = f"{config.brand}{config.instance}-"  # How every client id of this daemon begins.
        self.d: Durable = state.durable
        self.soft: Soft = state.soft
        self.now = now
        self.strategy = mind.strategy
        self.stats = mind.stats
        self.commands: list[Command] = []
        self.facts: list[Fact] = []

    def begin(self, now: Nanos) -> None:
        """Nothing asked and nothing concluded yet, at ``now``."""
        self.now = now
        if self.commands:
            self.commands = []
        if self.facts:
            self.facts = []

    def conclude(self, fact: Fact) -> None:
        self.d.apply(fact)
        self.facts.append(fact)

    def alert(self, code: str, subject: str, message: str) -> None:
        """Tell the operator, at most once every ten seconds per code and subject."""
        last = self.soft.alerted.get(code + subject)
        if last is None or self.now - last >= ALERT_EVERY:
            if len(self.soft.alerted) >= ALERTS_KEPT:
                self.soft.alerted.pop(next(iter(self.soft.alerted)))
            self.soft.alerted[code + subject] = self.now
            self.conclude(Alert(code=code, subject=subject, message=message, at=self.now))

    def submit(
        self, approved: Approved, *, lane: Lane, epoch: int, target: TargetPosition | None = None
    ) -> Order:
        """Open the order in the books and ask for it to be sent; its id is used once, ever."""
        intent = approved.intent
        serial = f"{base36(self.d.epoch)}-{base36(self.d.orders_opened + 1)}"
        name = f"{self.prefix}{serial}-{intent.slice_no}{intent.role.value}"
        order = Order(
            key=OrderKey(namespace=intent.namespace, client_id=name),
            intent=intent,
            position_epoch=epoch,
            status=OrderStatus.PENDING_NEW,
            created_at=self.now,
            updated_at=self.now,
        )
        self.conclude(OrderOpened(order=order, target=target))
        before = None
        if lane is Lane.ENTRY:
            before = Nanos(self.now + self.config.execution.send_before_ms * MILLISECOND)
        self.commands.append(SubmitOrder(key=order.key, approved=approved, lane=lane, send_before=before))
        self.soft.look(intent.symbol).changed_at = self.now
        return order

    def reduce(self, intent: OrderIntent, *, epoch: int) -> Order:
        """Send an order that can only reduce; no gate may refuse it."""
        return self.submit(governance.reduction(intent), lane=Lane.EXIT, epoch=epoch)

    def move(self, order: Order, told: OrderStatus, **changes: object) -> Order:
        """Book what became of an order; news that changes nothing is no fact."""
        moved = replace(order, status=follow(order.status, told), **changes)  # type: ignore[arg-type]  # Its own fields.
        if moved.exchange_id and not order.exchange_id:
            moved = self.identified(moved)
        if moved == self.d.blotter.get(order.key):
            return moved
        self.conclude(
            OrderMoved(
                key=moved.key,
                status=moved.status,
                filled=moved.filled,
                booked=moved.booked,
                cost=moved.cost,
                exchange_id=moved.exchange_id,
                signed_at=moved.signed_at,
                unknown_since=moved.unknown_since,
                listed=moved.listed,
                code=moved.code,
                why=moved.why,
                at=self.now,
            )
        )
        self.soft.look(order.intent.symbol).changed_at = self.now
        if moved.status.terminal:
            self.soft.queried.pop(order.key, None)
        return moved

    def identified(self, order: Order) -> Order:
        """Credit what a list of trades told before anybody knew whose trades they were."""
        trades = self.d.ledger.trades_of(order.intent.symbol, order.exchange_id)
        booked = Qty(sum((each.qty for each in trades), Decimal(0)))
        if order.key.namespace is not Namespace.REGULAR or booked <= order.booked:
            return order
        cost = Quote(sum((each.price * each.qty for each in trades), Decimal(0)))
        return replace(order, booked=booked, cost=cost, filled=Qty(max(order.filled, booked)))

    def cancel(self, order: Order, *, again_after: int = SECOND) -> None:
        """Ask for a cancel, again only after a while."""
        asked = order.cancel_requested_at
        if order.status.terminal or (asked is not None and self.now - asked < again_after):
            return
        self.conclude(CancelRequested(key=order.key, at=self.now))
        self.commands.append(CancelOrder(key=order.key, symbol=order.intent.symbol))

    def query(self, order: Order, *, now: bool = False) -> None:
        """Ask what became of an order, with growing patience or at once."""
        tries, last = self.soft.queried.get(order.key, (0, order.unknown_since or order.updated_at))
        wait = QUERY_WAITS[min(tries, len(QUERY_WAITS) - 1)]
        if not order.intent.reduces:
            wait = min(wait, ENTRY_QUERY_WAIT_MAX)
        if not now and self.now - last < wait:
            return
        self.soft.queried[order.key] = (tries + 1, self.now)
        self.commands.append(QueryOrder(key=order.key, symbol=order.intent.symbol))

    def list_stops(self, symbol: str, why: str) -> None:
        """Ask which algo orders rest on the symbol."""
        look = self.soft.look(symbol)
        if self.now - look.listing_asked_at < LISTING_EVERY:
            return
        look.listing_asked_at = self.now
        self.commands.append(
            RequestSnapshot(
                symbol=symbol, positions=False, orders=False, algo_orders=True, balances=False, why=why
            )
        )

    def list_trades(self, symbol: str, why: str) -> None:
        """Ask for the trades after the last one known to be without a gap before it; again until answered."""
        look = self.soft.look(symbol)
        look.trades_wanted, look.trades_wanted_at = why, self.now
        self.soft.open_questions[symbol] = None
        self.ask_trades(symbol)

    def ask_trades(self, symbol: str) -> None:
        look = self.soft.look(symbol)
        if self.now - look.trades_asked_at < TRADES_EVERY:
            return
        look.trades_asked_at = self.now
        last = look.trades_complete_to
        self.commands.append(
            RequestTrades(symbol=symbol, from_id=last + 1 if last else None, why=look.trades_wanted)
        )

    def look_soon(self, why: str) -> None:
        """The next full look at the account should not wait for its timer."""
        self.soft.snapshot_wanted = self.soft.snapshot_wanted or why

    def drift(self, drift: Drift, *, repair: str = "") -> None:
        """Record a difference; with ``repair`` it is found and mended in one."""
        key = (drift.kind.value, drift.symbol, drift.subject)
        known = self.d.drifts.get(key)
        if known is not None and not repair and known.drift == drift:
            return
        found = known.found_at if known is not None else self.now
        record = DriftRecord(
            drift=drift, found_at=found, repaired_at=self.now if repair else None, repair=repair
        )
        self.conclude(DriftSeen(record=record))
        if not repair:
            self.alert("DRIFT", drift.subject, f"{drift.kind}: ours {drift.ours}, exchange {drift.theirs}")

    def end_parent(self, parent: ParentOrder, why: str) -> None:
        """No further slices; what is filled stays and is protected."""
        children = [
            o
            for o in self.d.blotter.of_position(parent.symbol, self.d.position_epochs[parent.symbol])
            if o.intent.parent_id == parent.parent_id
        ]
        for child in children:
            if child.status in LIVE:
                self.cancel(child)
        booked, cost = sum(c.booked for c in children), sum(c.cost for c in children)
        slippage = 0.0
        if booked:
            average = divide(Decimal(cost), Decimal(booked))
            slippage = as_float(divide(average, parent.decision_mid) - 1) * 1e4 * parent.side.sign
        self.conclude(
            ParentClosed(
                parent_id=parent.parent_id,
                filled=Qty(Decimal(booked)),
                slippage_bps=slippage,
                why=why,
                at=self.now,
            )
        )

    @property
    def aversion(self) -> float:
        """Risk aversion of Kelly and of the optimizer: configured, or what the drawdown budget asks for."""
        sizing = self.config.sizing
        if sizing.drawdown_prob > 0:
            budget = risk_aversion_from_drawdown(sizing.drawdown_max, sizing.drawdown_prob)
            return max(sizing.risk_aversion, budget)
        return sizing.risk_aversion

    def atr(self, symbol: str) -> float | None:
        """Average true range in price units, once known."""
        return self.soft.market.of(symbol).range.value

    def taker_fee(self, symbol: str) -> Decimal:
        """Fraction of notional; the lowest tier's until the account's own is known."""
        fees = self.d.fees.get(symbol)
        return fees.taker if fees is not None else DEFAULT_TAKER

    def price(self, symbol: str) -> Decimal:
        """The mark (the mid until one was heard) as a Decimal; zero while the symbol is unseen."""
        return Decimal(repr(self.soft.market.of(symbol).mark))

    def own(self, client_id: str) -> bool:
        return client_id.startswith(self.prefix)


def role_of(client_id: str) -> Role | None:
    """The role an id of ours ends with."""
    try:
        return Role(client_id[-1:])
    except ValueError:
        return None
