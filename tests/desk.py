"""An engine at a desk with a small honest exchange across the wire: stories feed it prices and accidents."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from aurora.config import AuroraConfig
from aurora.engine import Engine
from aurora.model.account import AccountSnapshot, BalanceView, OrderView, PositionView
from aurora.model.commands import (
    CancelOrder,
    Command,
    QueryOrder,
    RequestIncome,
    RequestSnapshot,
    RequestTrades,
    SubmitOrder,
)
from aurora.model.control import Heartbeat, Stream, StreamChanged
from aurora.model.events import (
    CancelAcked,
    CancelFailed,
    Event,
    FeesLoaded,
    IncomeListed,
    InstrumentsLoaded,
    OrderAcked,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    QueryAnswered,
    RequestFailed,
    Started,
    TradesListed,
)
from aurora.model.facts import Fact
from aurora.model.fill import Fill
from aurora.model.instrument import FeeRates
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, NEVER, SECOND, Nanos, Price, Qty, Quote
from aurora.model.order import (
    Namespace,
    OrderIntent,
    OrderKey,
    OrderStatus,
    OrderType,
    Role,
    Side,
    TimeInForce,
)
from aurora.model.position import Position
from aurora.model.step import Step
from aurora.state import State
from tests.kit import instrument

D = Decimal
START = Nanos(1_800_000_000 * SECOND)
FEE = D("0.0005")

CONFIG = AuroraConfig.model_validate(
    {
        "symbols": ["BTCUSDT"],
        "leverage": 10,
        "strategy": {"name": "exercise", "seed": 1, "exercise_every_s": 1.0, "exercise_hold_s": 600.0},
        "sizing": {"risk_aversion": 10.0, "clip_max": 0.005},
        "exits": {"tp_pct": 0.002, "sl_pct": 0.002},
        "reconcile": {"interval_s": 10},
    }
)


@dataclass
class Venue:
    """What an exchange would hold; answers commands at once, unless a story says otherwise."""

    wallet: Decimal = field(default_factory=lambda: D("10000"))
    position: Position = field(default_factory=lambda: Position(symbol="BTCUSDT"))
    resting: dict[OrderKey, OrderIntent] = field(default_factory=dict)
    seen: dict[OrderKey, OrderStatus] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    posts: list[OrderKey] = field(default_factory=list)
    refuse: dict[Role, int] = field(default_factory=dict)  # Role -> code.
    refuse_once: list[tuple[Role, int]] = field(default_factory=list)
    refuse_reducing_nothing: bool = False  # -2022 instead of an order that expires.
    foreign: list[OrderView] = field(default_factory=list)  # Orders of others.
    slots: int = 200  # Conditional orders that may rest; -4045 beyond.
    shrink: dict[Role, Decimal] = field(default_factory=dict)  # Listed with this quantity.
    lose_ack: list[Role] = field(default_factory=list)  # Accepted, but the answer is lost; once each.
    swallow: list[Role] = field(default_factory=list)  # Never arrives, and no answer comes back.
    hold_fills: list[Role] = field(default_factory=list)  # Accepted, filled by the story.
    lose_trades: int = 0  # So many lists of trades are not answered.
    hide_trades: bool = False  # Lists of trades are empty.
    dead: bool = False  # Nothing arrives, nothing is answered.
    behind: int = 0  # The venue's clock is so many nanoseconds behind ours.
    mute: bool = False  # The user stream says nothing.
    kept: list[OrderUpdate] | None = None  # News the story will tell itself.
    curt: bool = False  # The answer to a cancel does not say what had filled.
    worst_sign: list[int] = field(default_factory=list)


class Desk:
    """Engine, venue and a clock that only the story moves."""

    def __init__(self, config: AuroraConfig = CONFIG, venue: Venue | None = None) -> None:
        self.config = config
        self.venue = venue or Venue()
        self.engine = Engine(config, State())
        self.now = START
        self.bid, self.ask = D("60000.0"), D("60000.1")
        self.steps: list[Step] = []
        self.tick_no = 0
        self.pending: list[Command] = []
        self.answering = False
        self.dying = (
            ""  # "unsent" or "unheard": what the next steps' commands come to; the process ends here.
        )
        self.dead = False

    # -- the story's verbs

    def open(self, epoch: int = 1) -> "Desk":
        """Start, load, look, and let the streams come up."""
        self.tell(Started(epoch=epoch, halt_requested=False, ts_recv=self.now))
        self.tell(InstrumentsLoaded(instruments=(instrument(),), ts_recv=self.now))
        fees = FeeRates(symbol="BTCUSDT", maker=D("0.0002"), taker=FEE)
        self.tell(FeesLoaded(fees=fees, ts_recv=self.now))
        self.tell(StreamChanged(stream=Stream.USER, up=True, why="", ts_recv=self.now))
        self.beat(5)
        return self

    def restart(self, epoch: int) -> "Desk":
        """Only the facts survive, folded anew."""
        state = State()
        for step in self.steps:
            state.fold(step.seq, step.facts)
        assert state.checkpoint() == self.engine.state.checkpoint()
        self.engine = Engine(self.config, state)
        self.dying, self.dead, self.pending = "", False, []
        return self.open(epoch)

    def price(self, mid: str, *, low: str | None = None, high: str | None = None) -> Step:
        """A quote around ``mid``; low and high are the extremes of the ticks it replaced."""
        self.bid, self.ask = D(mid) - D("0.05"), D(mid) + D("0.05")
        return self.quote(low=low, high=high)

    def quote(self, *, low: str | None = None, high: str | None = None, since: Nanos = NEVER) -> Step:
        self.tick_no += 1
        self.now = Nanos(self.now + 20 * MILLISECOND)
        bid, ask = float(self.bid), float(self.ask)
        mid = (bid + ask) / 2
        return self.tell(
            BookTicker(
                symbol="BTCUSDT",
                bid=bid,
                bid_qty=5.0,
                ask=ask,
                ask_qty=5.0,
                bid_text=str(self.bid),
                ask_text=str(self.ask),
                update_id=self.tick_no,
                ts_event=Nanos(self.now - 5 * MILLISECOND),
                ts_recv=self.now,
                mid_low=float(low) if low else mid,
                mid_high=float(high) if high else mid,
                bid_low=float(low) if low else bid,
                ask_high=float(high) if high else ask,
                since=since,
            )
        )

    def beat(self, times: int = 1) -> None:
        for _ in range(times):
            self.now = Nanos(self.now + 100 * MILLISECOND)
            self.tell(Heartbeat(ts_recv=self.now))

    def run(self, seconds: float) -> None:
        """Quotes at the present price and heartbeats, until the time is over."""
        until = self.now + seconds * SECOND
        while self.now < until:
            self.quote()
            self.beat()

    def enter(self) -> Side:
        """Run until a position is held, and say which side."""
        for _ in range(100):
            self.run(0.1)
            if not self.venue.position.flat:
                break
        side = self.venue.position.side
        assert side is not None, [f for s in self.steps for f in s.facts][-3:]
        return side

    def tell(self, event: Event) -> Step:
        if self.dead:
            return self.steps[-1]
        step = self.engine.step(event)
        self.steps.append(step)
        if self.dying and step.commands:
            self.dead = True
            for command in step.commands if self.dying == "unheard" else ():
                self.answer(command)
            return step
        self.pending += step.commands
        while self.pending and not self.answering:
            self.answering = True
            self.now = Nanos(self.now + MILLISECOND)
            self.answer(self.pending.pop(0))
            self.answering = False
        self.venue.worst_sign.append((self.venue.position.qty > 0) - (self.venue.position.qty < 0))
        return step

    def facts(self, *kinds: type[Fact]) -> list[Fact]:
        return [fact for step in self.steps for fact in step.facts if isinstance(fact, kinds)]

    # -- the venue's answers

    def answer(self, command: Command) -> None:
        if self.venue.dead:
            self.unanswered(command)
            return
        match command:
            case SubmitOrder():
                self.submit(command)
            case CancelOrder(key=key):
                if self.venue.resting.pop(key, None) is None:
                    self.tell(CancelFailed(key=key, code=-2011, why="Unknown order sent.", ts_recv=self.now))
                else:
                    self.venue.seen[key] = OrderStatus.CANCELED
                    algo = key.namespace is Namespace.ALGO
                    filled = None if algo or self.venue.curt else Qty(self.done(key))
                    self.tell(CancelAcked(key=key, filled=filled, ts_recv=self.now))
            case QueryOrder(key=key):
                view = self.view(key) if key in self.venue.seen else None
                asked = self.now
                self.tell(QueryAnswered(key=key, view=view, requested_at=asked, ts_recv=self.now))
            case RequestSnapshot():
                self.tell(self.snapshot(command))
            case RequestTrades() if self.venue.lose_trades:
                self.venue.lose_trades -= 1
                self.unanswered(command)
            case RequestTrades(symbol=symbol, from_id=first):
                trades = () if self.venue.hide_trades else self.venue.trades
                found = tuple(f for f in trades if f.trade_id >= (first or 0))
                self.tell(TradesListed(symbol=symbol, fills=found, requested_at=self.now, ts_recv=self.now))
            case RequestIncome(since=since):
                self.tell(IncomeListed(flows=(), since=since, requested_at=self.now, ts_recv=self.now))

    def unanswered(self, command: Command) -> None:
        match command:
            case SubmitOrder(key=key):
                self.venue.posts.append(key)
                self.tell(OrderUnknown(key=key, why="timeout", signed_at=self.now, ts_recv=self.now))
            case CancelOrder(key=key):
                self.tell(CancelFailed(key=key, code=0, why="timeout", ts_recv=self.now))
            case _:
                name, at = type(command).__name__, self.now
                self.tell(RequestFailed(request=name, subject="", why="timeout", ts_recv=at))

    def submit(self, command: SubmitOrder) -> None:
        key, intent, venue = command.key, command.approved.intent, self.venue
        assert key not in venue.posts, "one POST per id, ever"
        venue.posts.append(key)
        if intent.role in venue.swallow:
            self.tell(OrderUnknown(key=key, why="timeout", signed_at=self.now, ts_recv=self.now))
            return
        code = self.refusal(intent)
        if code is not None:
            self.tell(OrderRefused(key=key, code=code, why="refused", signed_at=self.now, ts_recv=self.now))
            return
        if intent.time_in_force is TimeInForce.GTX and self.crosses(intent):
            self.tell(OrderRefused(key=key, code=-5022, why="taker", signed_at=self.now, ts_recv=self.now))
            return
        venue.resting[key] = intent
        venue.seen[key] = OrderStatus.NEW
        news = None
        if self.crosses(intent) and intent.role not in venue.hold_fills:
            news = self.execute(key, None)
        elif intent.time_in_force is TimeInForce.IOC:
            venue.resting.pop(key)
            venue.seen[key] = OrderStatus.EXPIRED
            news = self.update(key, intent, OrderStatus.EXPIRED, Qty(D(0)), None)
        if intent.role in venue.lose_ack:
            venue.lose_ack.remove(intent.role)
            self.tell(OrderUnknown(key=key, why="timeout", signed_at=self.now, ts_recv=self.now))
        else:
            self.tell(
                OrderAcked(key=key, exchange_id=f"x{key.client_id}", signed_at=self.now, ts_recv=self.now)
            )
        if news is not None:
            self.say(news)

    def refusal(self, intent: OrderIntent) -> int | None:
        venue = self.venue
        once = next((row for row in venue.refuse_once if row[0] is intent.role), None)
        if once is not None:
            venue.refuse_once.remove(once)
            return once[1]
        conditional = [i for i in venue.resting.values() if i.namespace is Namespace.ALGO]
        if intent.close_position and any(i.close_position and i.side is intent.side for i in conditional):
            return -4130
        if intent.namespace is Namespace.ALGO and len(conditional) >= venue.slots:
            return -4045
        if venue.refuse_reducing_nothing and intent.role is Role.EXIT and venue.position.flat:
            return -2022
        return venue.refuse.get(intent.role)

    def crosses(self, intent: OrderIntent) -> bool:
        """Whether it meets the touch: at the market always, with a price when it reaches the other side."""
        if intent.price is None:
            return intent.type is OrderType.MARKET
        touch = self.ask if intent.side is Side.BUY else self.bid
        return (intent.price - touch) * intent.side.sign >= 0 and intent.type is OrderType.LIMIT

    def done(self, key: OrderKey) -> Decimal:
        return sum((f.qty for f in self.venue.trades if f.client_id == key.client_id), D(0))

    def children(self) -> list[tuple[OrderKey, OrderIntent]]:
        """Entries that rest."""
        return [(key, intent) for key, intent in self.venue.resting.items() if intent.role is Role.ENTRY]

    def fill(self, key: OrderKey, qty: str | None = None, *, told: bool = True) -> None:
        """The venue fills a resting order (or a triggered stop's child) at the touch."""
        news = self.execute(key, qty)
        if told:
            self.say(news)

    def say(self, news: OrderUpdate) -> None:
        """Over the user stream; a story may keep it back."""
        if self.venue.kept is not None:
            self.venue.kept.append(news)
        elif not self.venue.mute:
            self.tell(news)

    def release(self) -> list[OrderUpdate]:
        """The news kept back so far; from now on it comes at once again."""
        kept, self.venue.kept = self.venue.kept or [], None
        return kept

    def execute(self, key: OrderKey, qty: str | None) -> OrderUpdate:
        venue, intent = self.venue, self.venue.resting[key]
        size = D(qty) if qty else (intent.qty or abs(venue.position.qty)) - self.done(key)
        if intent.reduces:
            size = min(size, abs(venue.position.qty))
            if not size or venue.position.side is intent.side:
                venue.resting.pop(key)
                venue.seen[key] = OrderStatus.EXPIRED
                return self.update(key, intent, OrderStatus.EXPIRED, Qty(D(0)), None)
        price = Price(self.ask if intent.side is Side.BUY else self.bid)
        if intent.type is OrderType.LIMIT and intent.price is not None and not self.crosses(intent):
            price = intent.price
        before = venue.position
        venue.position = before.after(intent.side, price, Qty(size))
        realized = Quote((venue.position.realized - before.realized).quantize(D("1e-8")))
        fee = Quote(price * size * FEE)
        venue.wallet += realized - fee
        fill = Fill(
            symbol="BTCUSDT",
            trade_id=len(venue.trades) + 1,
            client_id=key.client_id,
            exchange_id=f"x{key.client_id}",
            side=intent.side,
            price=price,
            qty=Qty(size),
            fee=fee,
            fee_asset="USDT",
            realized=realized,
            maker=False,
            ts_event=Nanos(self.now - self.venue.behind),
            ts_recv=self.now,
        )
        venue.trades.append(fill)
        done = self.done(key)
        full = intent.qty is None or done >= intent.qty
        if full:
            venue.resting.pop(key)
        venue.seen[key] = OrderStatus.FILLED if full else OrderStatus.PARTIALLY_FILLED
        return self.update(key, intent, venue.seen[key], Qty(done), fill)

    def trigger(self, role: Role) -> None:
        """The resting stop of that role fires on the exchange."""
        key = next(key for key, intent in self.venue.resting.items() if intent.role is role)
        self.fill(key)

    def update(
        self, key: OrderKey, intent: OrderIntent, status: OrderStatus, done: Qty, fill: Fill | None
    ) -> OrderUpdate:
        return OrderUpdate(
            key=replace(key, namespace=Namespace.REGULAR),
            symbol="BTCUSDT",
            exchange_id=f"x{key.client_id}",
            side=intent.side,
            type=OrderType.MARKET,
            status=status,
            qty=intent.qty or done,
            filled=done,
            price=Price(D(0)),
            trigger=Price(D(0)),
            reduce_only=intent.reduces,
            close_position=intent.close_position,
            parent_algo="",
            child_id="",
            why="",
            fill=fill,
            ts_event=self.now,
            ts_recv=self.now,
        )

    def view(self, key: OrderKey) -> OrderView:
        intent = self.venue.resting.get(key)
        done = self.done(key)
        return OrderView(
            namespace=key.namespace,
            symbol="BTCUSDT",
            client_id=key.client_id,
            exchange_id=f"x{key.client_id}",
            side=intent.side if intent else Side.BUY,
            type=intent.type if intent else OrderType.MARKET,
            status=self.venue.seen[key],
            qty=Qty(self.venue.shrink.get(intent.role, intent.qty or D(0)) if intent else D(0)),
            filled=Qty(done),
            price=Price(D(0)),
            trigger=Price((intent.trigger if intent else None) or D(0)),
            reduce_only=bool(intent and intent.reduce_only),
            close_position=bool(intent and intent.close_position),
            ts_event=self.now,
        )

    def snapshot(self, command: RequestSnapshot) -> AccountSnapshot:
        views = [*(self.view(key) for key in self.venue.resting), *self.venue.foreign]
        held = self.venue.position
        shown = (
            ()
            if held.flat
            else (PositionView(symbol="BTCUSDT", qty=held.qty, entry=held.entry, ts_event=self.now),)
        )
        wallet = Quote(self.venue.wallet)
        return AccountSnapshot(
            symbol=command.symbol,
            positions=shown if command.positions else None,
            orders=tuple(v for v in views if v.namespace is Namespace.REGULAR) if command.orders else None,
            algo_orders=tuple(v for v in views if v.namespace is Namespace.ALGO)
            if command.algo_orders
            else None,
            balances=(BalanceView(asset="USDT", wallet=wallet, available=wallet),)
            if command.balances
            else None,
            requested_at=Nanos(self.now - MILLISECOND // 2),
            ts_recv=self.now,
        )
