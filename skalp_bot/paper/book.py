"""The book our clients see: what the feed displays, less what clients took, plus what clients rest.

Liquidity taken at a level stays taken until the feed next changes that level. An order joins behind the
displayed quantity of its price and knows how much of it is still ahead. A displayed decrease shrinks what is
ahead only down to the new displayed quantity; prints at the price consume what is ahead first.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from skalp_bot.paper.money import ZERO
from skalp_bot.paper.orders import Order, Side, TimeInForce

Levels = tuple[tuple[Decimal, Decimal], ...]


@dataclass(slots=True)
class Half:
    """One side of the book."""

    side: Side
    symbol: str
    moved: dict[str, None]  # symbols whose book has something to publish
    shown: dict[Decimal, Decimal] = field(default_factory=dict)  # as the feed displays
    taken: dict[Decimal, Decimal] = field(default_factory=dict)  # of it, already taken by clients
    queues: dict[Decimal, list[Order]] = field(default_factory=dict)  # clients' orders, oldest first
    hidden: dict[Decimal, list[Order]] = field(default_factory=dict)  # their RPI orders: nobody sees them
    live: dict[Decimal, Decimal] = field(default_factory=dict)  # what clients see
    prices: list[Decimal] = field(default_factory=list)  # of `live`, ascending
    changed: dict[Decimal, Decimal] = field(default_factory=dict)  # levels not yet published

    @property
    def best(self) -> Decimal | None:
        if not self.prices:
            return None
        return self.prices[-1] if self.side is Side.BUY else self.prices[0]

    @property
    def best_resting(self) -> Decimal | None:
        if not self.queues:
            return None
        return max(self.queues) if self.side is Side.BUY else min(self.queues)

    @property
    def touched(self) -> bool:
        return bool(self.taken or self.queues)

    def from_best(self) -> Iterator[Decimal]:
        return reversed(self.prices) if self.side is Side.BUY else iter(self.prices)

    def top(self, count: int) -> list[tuple[Decimal, Decimal]]:
        prices = self.prices[-count:][::-1] if self.side is Side.BUY else self.prices[:count]
        return [(price, self.live[price]) for price in prices]

    def better(self, price: Decimal, than: Decimal) -> bool:
        return price > than if self.side is Side.BUY else price < than

    def reaches(self, price: Decimal, limit: Decimal) -> bool:
        """Say whether a taker with this limit may trade at a price of this half."""
        return price >= limit if self.side is Side.BUY else price <= limit

    def free(self, price: Decimal) -> Decimal:
        """Quantity of the feed at a price that nobody took yet."""
        shown = self.shown.get(price, ZERO)
        return shown - self.taken[price] if price in self.taken else shown

    def show(self, price: Decimal, qty: Decimal) -> None:
        """Apply a displayed quantity of the feed; the same quantity again is no change."""
        if qty == self.shown.get(price, ZERO):
            return
        if qty:
            self.shown[price] = qty
        else:
            del self.shown[price]
        if self.taken:
            self.taken.pop(price, None)
        if price in self.queues:
            for order in self.queues[price]:
                order.ahead = min(order.ahead, qty)
        self.refresh(price)

    def show_all(self, levels: Levels) -> None:
        """Apply a whole half: levels not named are gone."""
        named = dict(levels)
        for price in [price for price in self.shown if price not in named]:
            self.show(price, ZERO)
        for price, qty in levels:
            self.show(price, qty)

    def show_touch(self, price: Decimal, qty: Decimal) -> None:
        """Apply a recorded touch: every displayed level better than it is gone."""
        for better in [p for p in (*self.better_live(price), *self.taken) if self.better(p, price)]:
            self.show(better, ZERO)
        self.show(price, qty)

    def better_live(self, price: Decimal) -> list[Decimal]:
        if self.side is Side.BUY:
            return self.prices[bisect_right(self.prices, price) :]
        return self.prices[: bisect_left(self.prices, price)]

    def take(self, price: Decimal, qty: Decimal) -> None:
        """Take displayed quantity of the feed away until the feed changes the level."""
        self.taken[price] = self.taken.get(price, ZERO) + qty
        self.refresh(price)

    def join(self, order: Order) -> None:
        """Rest an order behind all that is displayed at its price."""
        order.ahead = self.free(order.price)
        self.rejoin(order)

    def rejoin(self, order: Order) -> None:
        """Rest an order with the place in the queue it already had (after a restart)."""
        self.home(order).setdefault(order.price, []).append(order)
        self.refresh(order.price)

    def home(self, order: Order) -> dict[Decimal, list[Order]]:
        return self.hidden if order.time_in_force is TimeInForce.RPI else self.queues

    def leave(self, order: Order) -> None:
        queues = self.home(order)
        queue = queues.get(order.price, [])
        for index, waiting in enumerate(queue):
            if waiting is order:
                del queue[index]
                break
        else:
            return
        if not queue:
            del queues[order.price]
        self.refresh(order.price)

    def refresh(self, price: Decimal) -> None:
        """Recompute what clients see at a price and note the change."""
        qty = self.free(price)
        if price in self.queues:
            for order in self.queues[price]:
                qty += order.qty - order.filled
        before = self.live.get(price)
        if qty == (before if before is not None else ZERO):
            return
        if before is None:
            insort(self.prices, price)
            self.live[price] = qty
        elif qty:
            self.live[price] = qty
        else:
            del self.live[price]
            del self.prices[bisect_left(self.prices, price)]
        self.changed[price] = qty
        self.moved[self.symbol] = None
