"""Every order sent and not yet seen finished; each is exposure from its approval until the ledger has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from aurora.errors import InvariantError, TransitionError
from aurora.model.facts import CancelRequested, DurableFact, OrderForgotten, OrderMoved, OrderOpened
from aurora.model.numbers import CONTEXT, ZERO, Nanos
from aurora.model.order import NEXT, Namespace, Order, OrderKey, OrderStatus, Side
from aurora.model.position import Position

NONE: Mapping[OrderKey, Order] = {}


class Blotter:
    """Our orders by key, with an index for every question asked on a tick. Changed by ``apply`` alone."""

    def __init__(self) -> None:
        self._orders: dict[OrderKey, Order] = {}
        self._ranks: dict[OrderKey, int] = {}  # Age: every list is in this order, whatever happened since.
        self._opened = 0
        # The indexes hold the orders themselves: most questions are asked far more often than orders move.
        self._open: dict[str, dict[OrderKey, Order]] = {}  # By symbol, oldest first.
        self._finished: dict[OrderKey, Order] = {}
        self._unknown: dict[str, dict[OrderKey, Order]] = {}
        self._restless: dict[str, dict[OrderKey, Order]] = {}
        self._increasing: dict[str, dict[OrderKey, Order]] = {}  # May add to a position: open, or not booked.
        self._of_symbol: dict[str, dict[OrderKey, Order]] = {}
        self._of_position: dict[tuple[str, int], dict[OrderKey, Order]] = {}
        self._shown: dict[tuple[str, int], tuple[Order, ...]] = {}  # Of a position, until one of them moves.
        self._exchange_ids: dict[tuple[Namespace, str], OrderKey] = {}
        self._conditional: dict[OrderKey, None] = {}

    def apply(self, fact: DurableFact) -> None:
        match fact:
            case OrderOpened(order=order):
                if order.key in self._orders:
                    raise InvariantError(f"order id {order.key.client_id} was given twice")
                self._put(order)
            case OrderMoved(key=key):
                self._put(moved(self._orders.get(key), fact))
            case CancelRequested(key=key, at=at):
                known = self._orders.get(key)
                if known is not None:
                    self._put(replace(known, cancel_requested_at=at))
            case OrderForgotten(key=key):
                self._forget(key)
            case _:
                pass

    def get(self, key: OrderKey) -> Order | None:
        return self._orders.get(key)

    def find_exchange_id(self, namespace: Namespace, exchange_id: str) -> Order | None:
        key = self._exchange_ids.get((namespace, exchange_id))
        return self._orders[key] if key is not None else None

    def open_orders(self, symbol: str | None = None) -> tuple[Order, ...]:
        """Oldest first; over all symbols by symbol."""
        if symbol is not None:
            return tuple(self._open.get(symbol, NONE).values())
        return flattened(self._open)

    def restless(self) -> tuple[Order, ...]:
        """Open orders that something must become of, see ``Order.restless``; as ``open_orders`` has them."""
        return flattened(self._restless)

    def orders(self, symbol: str | None = None) -> tuple[Order, ...]:
        """Every remembered order, finished ones too, oldest first."""
        if symbol is not None:
            return tuple(self._of_symbol.get(symbol, NONE).values())
        return tuple(self._orders.values())

    def since(self, at: Nanos, symbol: str | None = None) -> tuple[Order, ...]:
        """Open orders, and finished ones that moved at ``at`` or later: what a look of then may show."""
        finished = self._finished if symbol is None else self._of_symbol.get(symbol, NONE)
        late = [order for order in finished.values() if order.updated_at >= at and not order.open]
        late.sort(key=lambda order: self._ranks[order.key])
        return (*self.open_orders(symbol), *late)

    def of_position(self, symbol: str, epoch: int) -> tuple[Order, ...]:
        """Every remembered order of one position, finished ones too, oldest first.

        The same object is the same answer: another is made once an order of the position has moved.
        """
        shown = self._shown.get((symbol, epoch))
        if shown is None:
            shown = tuple(self._of_position.get((symbol, epoch), NONE).values())
            if shown:
                self._shown[symbol, epoch] = shown
        return shown

    def unknown(self, symbol: str) -> tuple[Order, ...]:
        """Sent, and nobody can say what became of them; reduce-only ones too, oldest first."""
        return tuple(self._unknown.get(symbol, NONE).values())

    def conditional_open(self) -> int:
        """How many of the venue's slots for conditional orders ours may hold."""
        return len(self._conditional)

    def increasing(self, symbol: str) -> tuple[Order, ...]:
        """Orders that may still move the position away from zero, ``unsettled`` of each; oldest first."""
        return tuple(self._increasing.get(symbol, NONE).values())

    def worst_exposure(self, symbol: str, position_qty: Decimal, mark: Decimal) -> Decimal:
        """Largest notional (quote units) the symbol can reach if every order fills on one side only."""
        worst = ZERO
        for side in Side:
            qty, price = CONTEXT.multiply(position_qty, Decimal(side.sign)), mark
            for order in self.increasing(symbol):
                if order.intent.side is side:
                    qty = CONTEXT.add(qty, order.unsettled)
                    price = max(price, order.intent.price or ZERO)
            worst = max(worst, CONTEXT.multiply(CONTEXT.abs(qty), price))
        return worst

    def gross_exposure(self, positions: Iterable[Position], marks: Mapping[str, Decimal]) -> Decimal | None:
        """Sum of the worst exposures; a position without a mark counts at its entry.

        None when a symbol with an order at market has neither: then nobody knows, and nothing may be added.
        """
        held = {position.symbol: position for position in positions}
        total = ZERO
        for symbol in sorted({*held, *self._increasing}):
            position = held.get(symbol, Position(symbol=symbol))
            mark = marks.get(symbol, position.entry)
            if not mark and any(not order.intent.price for order in self.increasing(symbol)):
                return None
            total = CONTEXT.add(total, self.worst_exposure(symbol, position.qty, mark))
        return total

    def finished_older_than(self, at: Nanos) -> tuple[Order, ...]:
        """Finished orders last moved before ``at``, longest ago first."""
        old = [order for order in self._finished.values() if order.updated_at < at]
        return tuple(sorted(old, key=lambda order: (order.updated_at, order.key)))

    def __len__(self) -> int:
        return len(self._orders)

    def checkpoint(self) -> "BlotterCheckpoint":
        return BlotterCheckpoint(orders=tuple(self._orders.values()))

    @classmethod
    def restore(cls, checkpoint: "BlotterCheckpoint") -> "Blotter":
        blotter = cls()
        for order in checkpoint.orders:
            blotter._put(order)
        return blotter

    def _put(self, order: Order) -> None:
        key, symbol = order.key, order.intent.symbol
        before = self._orders.get(key)
        self._orders[key] = order
        if before is None:
            self._opened += 1
            self._ranks[key] = self._opened
        self._of_symbol.setdefault(symbol, {})[key] = order
        self._of_position.setdefault((symbol, order.position_epoch), {})[key] = order
        self._shown.pop((symbol, order.position_epoch), None)
        if order.exchange_id:
            self._exchange_ids[key.namespace, order.exchange_id] = key
        self._enter(self._open, order, there=order.open)
        self._enter(self._unknown, order, there=order.status is OrderStatus.UNKNOWN)
        self._enter(self._restless, order, there=order.restless)
        adds = not order.intent.reduces and (order.open or order.filled > order.booked)
        self._enter(self._increasing, order, there=adds)
        if order.open:
            self._finished.pop(key, None)
        else:
            self._finished[key] = order
        if order.open and key.namespace is Namespace.ALGO:
            self._conditional[key] = None
        else:
            self._conditional.pop(key, None)

    def _enter(self, index: dict[str, dict[OrderKey, Order]], order: Order, *, there: bool) -> None:
        """Keep the order as it is now, or not at all; a symbol without any leaves the index."""
        key, symbol = order.key, order.intent.symbol
        kept = index.get(symbol, {})
        if there:
            late = bool(kept) and key not in kept and self._ranks[next(reversed(kept))] > self._ranks[key]
            kept[key] = order
            index[symbol] = {k: kept[k] for k in sorted(kept, key=self._ranks.__getitem__)} if late else kept
        elif key in kept:
            del kept[key]
            if not kept:
                del index[symbol]

    def _forget(self, key: OrderKey) -> None:
        order = self._orders.get(key)
        if order is None:
            return
        if order.open:
            raise InvariantError(f"order {key.client_id} is {order.status}: it cannot be forgotten")
        del self._orders[key], self._ranks[key], self._finished[key]
        self._exchange_ids.pop((key.namespace, order.exchange_id), None)
        self._enter(self._increasing, order, there=False)
        mine = self._of_symbol[order.intent.symbol]
        del mine[key]
        if not mine:
            del self._of_symbol[order.intent.symbol]
        siblings = self._of_position[order.intent.symbol, order.position_epoch]
        del siblings[key]
        self._shown.pop((order.intent.symbol, order.position_epoch), None)
        if not siblings:
            del self._of_position[order.intent.symbol, order.position_epoch]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlotterCheckpoint:
    orders: tuple[Order, ...]


def flattened(index: dict[str, dict[OrderKey, Order]]) -> tuple[Order, ...]:
    """By symbol, then by age."""
    return tuple(order for symbol in sorted(index) for order in index[symbol].values())


def moved(order: Order | None, fact: OrderMoved) -> Order:
    """The order after the move; a move that no exchange can make is a fault of ours, and says so."""
    name = fact.key.client_id
    if order is None:
        raise InvariantError(f"order {name} moved to {fact.status} and was never opened")
    if fact.status is not order.status and fact.status not in NEXT[order.status]:
        raise TransitionError(f"order {name} cannot go from {order.status} to {fact.status}")
    if fact.filled < order.filled or fact.booked < order.booked:
        was, now = (order.filled, order.booked), (fact.filled, fact.booked)
        raise InvariantError(f"order {name} cannot unfill: filled and booked were {was}, now {now}")
    return replace(
        order,
        status=fact.status,
        filled=fact.filled,
        booked=fact.booked,
        cost=fact.cost,
        exchange_id=fact.exchange_id,
        signed_at=fact.signed_at,
        unknown_since=fact.unknown_since,
        listed=fact.listed,
        code=fact.code,
        why=fact.why,
        updated_at=fact.at,
    )
