"""For all fates of orders on several symbols: what the exchange may come to hold stays under the cap."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aurora import governance
from aurora.config import AuroraConfig
from aurora.engine import Engine
from aurora.engine.briefing import brief
from aurora.engine.turn import Turn
from aurora.model.account import AccountSnapshot, BalanceView, OrderView
from aurora.model.commands import Lane
from aurora.model.control import Heartbeat, Stream, StreamChanged
from aurora.model.events import (
    CancelAcked,
    Event,
    InstrumentsLoaded,
    OrderAcked,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    QueryAnswered,
    Started,
    TradesListed,
)
from aurora.model.fill import Fill
from aurora.model.gate import Approved
from aurora.model.numbers import ZERO, Price, Qty, Quote
from aurora.model.order import Namespace, OrderKey, OrderStatus, OrderType, Side
from aurora.state import State
from tests.kit import BTC, ETH, at, fill, instrument, intent, mark, tick

D = Decimal
SOL = "SOLUSDT"
PRICE, EQUITY, CAP = D(100), D(10_000), D(2)
CONFIG = AuroraConfig.model_validate(
    {
        "symbols": [BTC, ETH, SOL],
        "leverage": 100,
        "governance": {
            "gross_exposure_max": float(CAP),
            "free_margin_min": 0.0,
            "spread_bps_max": 100.0,
            "cvar_max": 0.9,
            "cvar_floor": 0.001,
        },
    }
)


@dataclass
class Sent:
    """An order as only the exchange knows it."""

    symbol: str
    side: Side
    qty: Decimal
    filled: Decimal = ZERO
    alive: bool = True


class Crowd(RuleBasedStateMachine):
    """Intents of three symbols meet the gates; their orders fill, vanish, die and are heard of late."""

    @initialize()
    def begin(self) -> None:
        self.now = at(0)
        self.engine = Engine(CONFIG, State())
        self.sent: dict[OrderKey, Sent] = {}
        self.trades: list[Fill] = []
        self.tell(Started(epoch=1, halt_requested=False, ts_recv=self.now))
        self.tell(InstrumentsLoaded(instruments=tuple(map(instrument, CONFIG.symbols)), ts_recv=self.now))
        self.tell(StreamChanged(stream=Stream.USER, up=True, why="", ts_recv=self.now))
        self.tell(
            AccountSnapshot(
                symbol=None,
                positions=(),
                orders=(),
                algo_orders=(),
                balances=(BalanceView(asset="USDT", wallet=Quote(EQUITY), available=Quote(EQUITY)),),
                requested_at=self.now,
                ts_recv=self.now,
            )
        )
        for symbol in CONFIG.symbols:
            self.tell(tick(99.9, 100.0, symbol=symbol, when=self.now))
            self.tell(mark(100.0, symbol=symbol, when=self.now))
        self.tell(Heartbeat(ts_recv=self.now))

    def tell(self, event: Event) -> None:
        self.engine.step(event)

    @rule(symbol=st.sampled_from(CONFIG.symbols), side=st.sampled_from(Side), units=st.integers(10, 80))
    def somebody_wants_in(self, symbol: str, side: Side, units: int) -> None:
        turn = Turn(CONFIG, self.engine.state, self.now, self.engine.mind)
        wanted = intent(side, str(units), symbol=symbol, kind=OrderType.MARKET)
        decision = governance.review(wanted, brief(turn, symbol), CONFIG.governance, self.now)
        if isinstance(decision, Approved):
            order = turn.submit(decision, lane=Lane.ENTRY, epoch=1)
            self.sent[order.key] = Sent(symbol=symbol, side=side, qty=D(units))

    def one(self, data: st.DataObject) -> tuple[OrderKey, Sent]:
        return data.draw(st.sampled_from([(key, sent) for key, sent in self.sent.items() if sent.alive]))

    def waits(self) -> bool:
        return any(sent.alive for sent in self.sent.values())

    @precondition(waits)
    @rule(data=st.data(), how=st.sampled_from(("acked", "lost", "refused")))
    def a_request_is_answered(self, data: st.DataObject, how: str) -> None:
        key, sent = self.one(data)
        order = self.engine.state.durable.blotter.get(key)
        if order is None or order.status is not OrderStatus.PENDING_NEW:
            return
        if how == "acked":
            self.tell(
                OrderAcked(key=key, exchange_id=f"x{key.client_id}", signed_at=self.now, ts_recv=self.now)
            )
        elif how == "lost":
            self.tell(OrderUnknown(key=key, why="timeout", signed_at=self.now, ts_recv=self.now))
        elif not sent.filled:
            sent.alive = False
            self.tell(OrderRefused(key=key, code=-2019, why="", signed_at=self.now, ts_recv=self.now))

    @precondition(waits)
    @rule(data=st.data(), units=st.integers(1, 80), told=st.sampled_from(("stream", "query", "later")))
    def an_order_fills(self, data: st.DataObject, units: int, told: str) -> None:
        key, sent = self.one(data)
        qty = min(D(units), sent.qty - sent.filled)
        sent.filled += qty
        sent.alive = sent.filled < sent.qty
        traded = fill(
            len(self.trades) + 1, sent.side, str(qty), str(PRICE), symbol=sent.symbol, fee="0", when=self.now
        )
        self.trades.append(traded)
        status = OrderStatus.PARTIALLY_FILLED if sent.alive else OrderStatus.FILLED
        if told == "stream":
            self.tell(self.update(key, sent, status, traded))
        elif told == "query":
            view = self.view(key, sent, status)
            self.tell(QueryAnswered(key=key, view=view, requested_at=self.now, ts_recv=self.now))

    @precondition(waits)
    @rule(data=st.data(), told=st.sampled_from(("stream", "answer")))
    def an_order_is_cancelled(self, data: st.DataObject, told: str) -> None:
        key, sent = self.one(data)
        sent.alive = False
        if told == "stream":
            self.tell(self.update(key, sent, OrderStatus.CANCELED, None))
        else:
            self.tell(CancelAcked(key=key, filled=Qty(sent.filled), ts_recv=self.now))

    @rule(symbol=st.sampled_from(CONFIG.symbols))
    def trades_are_listed(self, symbol: str) -> None:
        fills = tuple(trade for trade in self.trades if trade.symbol == symbol)
        self.tell(TradesListed(symbol=symbol, fills=fills, requested_at=self.now, ts_recv=self.now))

    def update(self, key: OrderKey, sent: Sent, status: OrderStatus, traded: Fill | None) -> OrderUpdate:
        return OrderUpdate(
            key=key,
            symbol=sent.symbol,
            exchange_id=f"x{key.client_id}",
            side=sent.side,
            type=OrderType.MARKET,
            status=status,
            qty=Qty(sent.qty),
            filled=Qty(sent.filled),
            price=Price(D(0)),
            trigger=Price(D(0)),
            reduce_only=False,
            close_position=False,
            parent_algo="",
            child_id="",
            why="",
            fill=traded,
            ts_event=self.now,
            ts_recv=self.now,
        )

    def view(self, key: OrderKey, sent: Sent, status: OrderStatus) -> OrderView:
        return OrderView(
            namespace=Namespace.REGULAR,
            symbol=sent.symbol,
            client_id=key.client_id,
            exchange_id=f"x{key.client_id}",
            side=sent.side,
            type=OrderType.MARKET,
            status=status,
            qty=Qty(sent.qty),
            filled=Qty(sent.filled),
            price=Price(D(0)),
            trigger=Price(D(0)),
            reduce_only=False,
            close_position=False,
            ts_event=self.now,
        )

    @invariant()
    def the_exchange_cannot_come_to_hold_more_than_the_cap(self) -> None:
        if not hasattr(self, "sent"):
            return
        gross = D(0)
        for symbol in CONFIG.symbols:
            mine = [sent for sent in self.sent.values() if sent.symbol == symbol]
            held = sum((sent.filled * sent.side.sign for sent in mine), D(0))
            more = {
                side: sum((s.qty - s.filled for s in mine if s.alive and s.side is side), D(0))
                for side in Side
            }
            gross += max(abs(held + more[Side.BUY]), abs(held - more[Side.SELL])) * PRICE
        assert gross <= CAP * EQUITY


Crowd.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCrowd = Crowd.TestCase
