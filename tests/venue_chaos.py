"""A seeded crowd that trades against a wandering feed, and the laws that must hold after every act of it."""

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple, TypeVar

from skalp_bot.paper.book import Half
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.floor import Market
from skalp_bot.paper.market import BookUpdate, Mark, Trade
from skalp_bot.paper.matching import on_print, room_to_reduce
from skalp_bot.paper.orders import (
    OPEN,
    AlgoRef,
    Amend,
    NewAlgo,
    NewOrder,
    Order,
    OrderRef,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    Stp,
    TimeInForce,
    WorkingType,
)
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.venue import Account, Venue, VenueSettings

D = Decimal
T0 = 1_790_000_000_000
SYMBOL = "ETHUSDT"
TICK = D("0.01")
HOUR_MS = 3_600_000
HEDGES = (PositionSide.LONG, PositionSide.SHORT)
Request = TypeVar("Request", NewOrder, NewAlgo)
ACTS = (
    "book",
    "print",
    "mark",
    "limit",
    "market_order",
    "cancel",
    "amend",
    "stop",
    "drop",
    "wait",
    "cancel_all",
)
WEIGHTS = (20, 14, 4, 26, 10, 8, 8, 6, 2, 4, 1)


class Waiting(NamedTuple):
    """A resting order as it was before an act."""

    order: Order
    price: Decimal
    place: int
    filled: Decimal
    amends: int

    @property
    def unseen(self) -> bool:
        return self.order.time_in_force is TimeInForce.RPI

    @property
    def rank(self) -> tuple[Decimal, bool, int]:
        """The larger is served first."""
        return self.order.side.sign * self.price, not self.unseen, -self.place


@dataclass
class Chaos:
    """One venue, several accounts, one feed; every choice comes from the generator handed in."""

    rng: random.Random
    deposit: int = 20_000
    hedged: bool = False  # whether carol holds LONG and SHORT apart
    venue: Venue = field(init=False)
    accounts: list[Account] = field(default_factory=list)
    now_ms: int = T0
    mid: int = 300_000
    shown: dict[Side, dict[Decimal, Decimal]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})
    funding_ms: int = T0 + HOUR_MS
    refusals: dict[int, int] = field(default_factory=dict)
    fills: int = 0
    acts: int = 0
    told: dict[tuple[str, str], Decimal] = field(
        default_factory=dict
    )  # positions as the user events tell them
    ledger: dict[str, Decimal] = field(default_factory=dict)  # wallets as the user events tell them

    def __post_init__(self) -> None:
        self.venue = Venue(
            symbols={SYMBOL: replace(default_symbols([SYMBOL])[SYMBOL], rpi=True)},
            settings=VenueSettings(trigger_delay_ms=self.rng.choice([0, 7])),
            now_ms=T0,
        )
        for name in ("alice", "bob", "carol"):
            account = self.venue.open_account(api_key=name, secret=name, deposit=D(self.deposit))
            self.venue.set_leverage(account, SYMBOL, 50, T0)
            self.accounts.append(account)
        if self.hedged:
            self.venue.set_dual(self.accounts[2], dual=True, now_ms=T0)
        self.book()
        self.mark()
        self.after()

    @property
    def market(self) -> Market:
        return self.venue.floor.markets[SYMBOL]

    def act(self, chosen: str | None = None) -> None:
        """Do one thing, the chosen or a drawn one, and check the laws."""
        self.acts += 1
        self.now_ms += self.rng.randrange(0, 3)
        name = chosen or self.rng.choices(ACTS, WEIGHTS)[0]
        before = self.waiting()
        try:
            getattr(self, name)()
        except VenueError as error:
            self.refusals[error.code] = self.refusals.get(error.code, 0) + 1
        self.check_priority(before)
        self.after()

    # Acts of the feed.
    def book(self) -> None:
        self.mid += self.rng.randrange(-4, 5) * (1 if self.deposit > 5_000 else 600)
        fresh: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
        for side in Side:
            for depth in range(6):
                at = (self.mid - side.sign * (1 + depth)) * TICK
                fresh[side][at] = D(self.rng.randrange(0, 40)) / 10
        changes: dict[Side, list[tuple[Decimal, Decimal]]] = {Side.BUY: [], Side.SELL: []}
        for side in Side:
            old = self.shown[side]
            for at in sorted({*old, *fresh[side]}):
                qty = fresh[side].get(at, D(0))
                if qty != old.get(at, D(0)):
                    changes[side].append((at, qty))
        self.shown = {side: {p: q for p, q in fresh[side].items() if q} for side in Side}
        bids, asks = tuple(changes[Side.BUY]), tuple(changes[Side.SELL])
        event = BookUpdate(symbol=SYMBOL, t_ms=self.now_ms, bids=bids, asks=asks)
        self.venue.on_market(event, self.now_ms)

    def print(self) -> None:
        at = (self.mid + self.rng.randrange(-6, 7)) * TICK
        qty = D(self.rng.randrange(1, 60)) / 10
        event = Trade(
            symbol=SYMBOL, t_ms=self.now_ms, price=at, qty=qty, buyer_is_maker=self.rng.random() < 0.5
        )
        resting = {o.order_id: o for a in self.accounts for o in a.open_orders(SYMBOL)}
        before = sum((o.filled for o in resting.values()), D(0))
        seen = len(self.venue.floor.pushes)
        on_print(self.venue.floor, self.market, event, self.now_ms)
        filled = sum((o.filled for o in resting.values()), D(0)) - before
        assert filled <= qty, "a print filled more than its size"
        told = [push.payload for push in self.venue.floor.pushes[seen:] if push.event == "trade"]
        assert sum((D(str(row["q"])) for row in told), D(0)) == qty, "of a print something is not told"
        self.venue.advance(self.now_ms)

    def mark(self) -> None:
        if self.now_ms >= self.funding_ms:
            self.funding_ms += HOUR_MS
        event = Mark(
            symbol=SYMBOL,
            t_ms=self.now_ms,
            mark=self.mid * TICK + D("0.00314159"),
            index=self.mid * TICK,
            funding_rate=D(self.rng.randrange(-30, 31)) / 100_000,
            next_funding_ms=self.funding_ms,
        )
        self.venue.on_market(event, self.now_ms)

    def wait(self) -> None:
        self.now_ms += self.rng.choice([1, 7, 1000, HOUR_MS // 4])
        self.venue.advance(self.now_ms)

    # Acts of the crowd.
    def limit(self) -> None:
        side = self.rng.choice(list(Side))
        force = self.rng.choices(
            [
                TimeInForce.GTC,
                TimeInForce.IOC,
                TimeInForce.FOK,
                TimeInForce.GTX,
                TimeInForce.GTD,
                TimeInForce.RPI,
            ],
            [10, 2, 2, 4, 1, 2],
        )[0]
        matched = self.rng.random() < 0.1
        request = NewOrder(
            symbol=SYMBOL,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=force,
            qty=D(self.rng.randrange(1, 40)) / 10,
            price=None if matched else (self.mid + self.rng.randrange(-8, 9)) * TICK,
            price_match=self.rng.choice([PriceMatch.QUEUE, PriceMatch.OPPONENT_5]) if matched else None,
            stp=self.rng.choice(list(Stp)),
            good_till_ms=self.now_ms + 700_000 if force is TimeInForce.GTD else None,
        )
        account = self.rng.choice(self.accounts)
        order = self.venue.place(account, self.fitted(account, request, 0.3), self.now_ms)
        assert force is not TimeInForce.FOK or order.left == 0, "a FOK order filled in part"

    def market_order(self) -> None:
        request = NewOrder(
            symbol=SYMBOL,
            side=self.rng.choice(list(Side)),
            type=OrderType.MARKET,
            qty=D(self.rng.randrange(1, 80)) / 10,
            stp=self.rng.choice(list(Stp)),
        )
        account = self.rng.choice(self.accounts)
        self.venue.place(account, self.fitted(account, request, 0.4), self.now_ms)

    def fitted(self, account: Account, request: Request, reducing: float) -> Request:
        """Add what the account's position mode asks for."""
        if account.dual:
            return replace(request, position_side=self.rng.choice(HEDGES))
        if isinstance(request, NewAlgo) and request.close_position:
            return request
        return replace(request, reduce_only=self.rng.random() < reducing)

    def some_order(self) -> tuple[Account, int] | None:
        account = self.rng.choice(self.accounts)
        orders = account.open_orders(SYMBOL)
        return (account, self.rng.choice(orders).order_id) if orders else None

    def cancel(self) -> None:
        if found := self.some_order():
            self.venue.cancel(found[0], OrderRef(symbol=SYMBOL, order_id=found[1]), self.now_ms)

    def cancel_all(self) -> None:
        self.venue.cancel_all(self.rng.choice(self.accounts), SYMBOL, self.now_ms)

    def amend(self) -> None:
        if found := self.some_order():
            order = found[0].orders[found[1]]
            request = Amend(
                ref=OrderRef(symbol=SYMBOL, order_id=order.order_id),
                side=order.side,
                qty=D(self.rng.randrange(1, 40)) / 10,
                price=(self.mid + self.rng.randrange(-8, 9)) * TICK,
            )
            self.venue.amend(found[0], request, self.now_ms)

    def stop(self) -> None:
        side = self.rng.choice(list(Side))
        kind = self.rng.choice(list(OrderType)[2:])
        limit = kind in (OrderType.STOP, OrderType.TAKE_PROFIT)
        trailing = kind is OrderType.TRAILING_STOP_MARKET
        closes = not limit and not trailing and self.rng.random() < 0.4
        request = NewAlgo(
            symbol=SYMBOL,
            side=side,
            type=kind,
            trigger_price=None if trailing else (self.mid + self.rng.randrange(-15, 16)) * TICK,
            price=(self.mid + self.rng.randrange(-8, 9)) * TICK if limit else None,
            qty=None if closes else D(self.rng.randrange(1, 40)) / 10,
            close_position=closes,
            callback_rate=D("0.1") if trailing else None,
            time_in_force=self.rng.choice([TimeInForce.GTC, TimeInForce.GTE_GTC]),
            working_type=self.rng.choice(list(WorkingType)),
        )
        account = self.rng.choice(self.accounts)
        self.venue.place_algo(account, self.fitted(account, request, 0.5), self.now_ms)

    def drop(self) -> None:
        account = self.rng.choice(self.accounts)
        if account.open_algos:
            algo_id = self.rng.choice(list(account.open_algos))
            self.venue.cancel_algo(account, AlgoRef(algo_id=algo_id), self.now_ms)

    # Laws.
    def after(self) -> None:
        self.hear()
        self.check_book()
        self.check_money()

    def hear(self) -> None:
        """Fold the user events: what they tell must be what is booked."""
        for push in self.venue.drain():
            if push.event != "ACCOUNT_UPDATE" or push.account_id is None:
                continue
            body: Any = push.payload["a"]
            self.ledger[push.account_id] = D(body["B"][0]["wb"])
            self.fills += body["m"] == "ORDER"
            for row in body["P"]:
                self.told[push.account_id, row["ps"]] = D(row["pa"])
        for account in self.accounts:
            assert self.ledger[account.id] == account.wallet["USDT"], "events and wallet differ"
            for side in PositionSide:
                told = self.told.get((account.id, side), D(0))
                assert told == account.held(SYMBOL, side), "events and position differ"

    def check_book(self) -> None:
        bids, asks = self.market.bids, self.market.asks
        if bids.best is not None and asks.best is not None:
            assert bids.best < asks.best, "the book is crossed at rest"
        assert self.venue.floor.totals.fills_beyond_displayed == 0
        for half in (bids, asks):
            self.check_half(half)
        queues = [
            queue for half in (bids, asks) for kind in (half.queues, half.hidden) for queue in kind.values()
        ]
        resting = sum(len(queue) for queue in queues)
        assert resting == sum(len(account.open.get(SYMBOL, ())) for account in self.accounts)

    def waiting(self) -> list[Waiting]:
        """Note every resting order: its price, its place, what it has filled, how often it was changed."""
        orders = [o for a in self.accounts for o in a.open.get(SYMBOL, {}).values()]
        return [Waiting(o, o.price, o.place, o.filled, o.amends) for o in orders]

    def check_priority(self, before: list[Waiting]) -> None:
        """Who waited at a better price, or longer at the same, was served first; RPI stands aside."""
        untouched = [w for w in before if w.order.amends == w.amends]
        waits = [w for w in untouched if w.order.open]
        for served in (w for w in untouched if w.order.filled > w.filled):
            for other in (w for w in waits if w.order.side is served.order.side):
                if other.unseen and not served.unseen:
                    continue
                assert other.rank <= served.rank, "an order was served before one that stood in front of it"

    def check_half(self, half: Half) -> None:
        assert half.prices == sorted(half.live)
        assert all(qty > 0 for qty in half.live.values()), "nothing rests at zero or below"
        for at, queue in half.queues.items():
            assert queue
            ahead = D(0)
            for order in queue:
                assert order.status in OPEN
                assert order.left > 0
                assert (order.side, order.price) == (half.side, at)
                assert ahead <= order.ahead <= half.free(at), "a place in the queue is kept"
                ahead = order.ahead
            assert half.live[at] == half.free(at) + sum((order.left for order in queue), D(0))
        assert all(0 <= taken <= half.shown[at] for at, taken in half.taken.items())

    def check_money(self) -> None:
        """Every wallet is explained by its rows, and no money appears or vanishes over all accounts."""
        totals = self.venue.floor.totals
        cost = D(0)
        for account in self.accounts:
            cost += sum((p.entry * p.qty for p in account.positions_of(SYMBOL)), D(0))
            assert account.held(SYMBOL, PositionSide.LONG) >= 0 >= account.held(SYMBOL, PositionSide.SHORT)
            bids = asks = D(0)
            for order in account.open.get(SYMBOL, {}).values():
                bids += order.left * order.price if order.side is Side.BUY else 0
                asks += order.left * order.price if order.side is Side.SELL else 0
            assert account.open_notional(SYMBOL) == (bids, asks), "open notional drifted"
            for side, held in product(Side, PositionSide):
                room = room_to_reduce(account, SYMBOL, side, held)
                orders = [o for o in account.open.get(SYMBOL, {}).values() if o.reduce_only]
                reducing = sum((o.left for o in orders if (o.side, o.position_side) == (side, held)), D(0))
                assert reducing <= room, "reduce-only orders rest beyond the position"
        got = [
            totals.deposits,
            {a: -q for a, q in totals.fees.items()},
            {a: -q for a, q in totals.insurance.items()},
            {a: -q for a, q in totals.funding.items()},
            {a: -q for a, q in totals.street.items()},
            totals.rounding,
        ]
        wallets = sum((account.wallet["USDT"] for account in self.accounts), D(0))
        assert wallets == sum((part.get("USDT", D(0)) for part in got), cost), "money is not conserved"
        assert abs(totals.rounding.get("USDT", D(0))) <= D("0.00000001") * (self.fills + 1)

    def check_rows(self) -> None:
        """The slow laws: a wallet is the sum of its rows, and every contract came from somebody."""
        sides: dict[int, list[tuple[int, Decimal, bool]]] = {}
        for account in self.accounts:
            assert account.wallet["USDT"] == sum((row.amount for row in account.income), D(0))
            booked = sum((t.realized - t.commission for t in account.trades), D(0))
            kinds = ("REALIZED_PNL", "COMMISSION")
            assert booked == sum((row.amount for row in account.income if row.kind in kinds), D(0))
            for held in PositionSide:
                moved = (t.side.sign * t.qty for t in account.trades if t.position_side is held)
                assert account.held(SYMBOL, held) == sum(moved, D(0)), "a position is the sum of its trades"
            for trade in account.trades:
                row = (trade.side.sign, trade.qty, trade.maker)
                sides.setdefault(trade.trade_id, []).append(row)
        for rows in sides.values():
            if len(rows) == 2:  # between two accounts: one buys what the other sells, one was there first
                (one, qty, maker), (other, same, taker) = rows
                assert (one, qty, maker) == (-other, same, not taker), "a trade is no exchange"
            assert len(rows) <= 2
