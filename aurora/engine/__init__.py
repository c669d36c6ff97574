"""The line: one event in, one Step out; nothing else in the program may decide to trade."""

from typing import assert_never

from aurora.config import AuroraConfig
from aurora.engine import account, books, operate
from aurora.engine.protect import on_price, on_tick, protect
from aurora.engine.pursue import on_book, remember
from aurora.engine.slices import hear_trade, work
from aurora.engine.statistics import Statistics
from aurora.engine.turn import Mind, Turn
from aurora.market import MarketView
from aurora.model.account import AccountSnapshot
from aurora.model.control import Control, DecodeFailed, Heartbeat, StreamChanged
from aurora.model.events import (
    AccountUpdate,
    CancelAcked,
    CancelFailed,
    Event,
    FeesLoaded,
    IncomeListed,
    InstrumentsLoaded,
    LeverageChanged,
    MarginCalled,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    QueryAnswered,
    RequestFailed,
    Started,
    TradesListed,
)
from aurora.model.facts import FeesKnown
from aurora.model.fill import Fill
from aurora.model.market import BookTicker, Candles, MarketTrade, MarkPrice
from aurora.model.numbers import NEVER, Nanos
from aurora.model.step import Step
from aurora.signals.roster import strategy_of
from aurora.state import State


class Engine:
    """Holds the state and the strategy; ``step`` is synchronous, total and deterministic."""

    def __init__(self, config: AuroraConfig, state: State) -> None:
        self.config = config
        self.state = state
        state.soft.market = MarketView(config.strategy.skalp_flow_halflife_s)
        self.mind = Mind(strategy_of(config, state.durable.fees), Statistics(config))
        self.turn = Turn(config, state, NEVER, self.mind)

    def step(self, event: Event) -> Step:
        """Fold the event, protect what is held, then pursue what is wanted."""
        turn = self.turn
        turn.begin(event.ts_recv)
        if type(event) is BookTicker:
            if turn.soft.market.quote(event):  # A quote that cannot be true moves nothing.
                on_tick(turn, event)
                if self.state.durable.parents:
                    work(turn, event.symbol)
                on_book(turn, event)
        else:
            self.other(turn, event)
        durable = self.state.durable
        durable.seq += 1
        return Step(durable.seq, event, tuple(turn.commands), tuple(turn.facts))

    def stopped(self, now: Nanos) -> Step:
        """The last step of an orderly end: the journal knows the process meant to stop."""
        turn = self.turn
        turn.begin(now)
        operate.stopped(turn)
        self.state.durable.seq += 1
        return Step(
            seq=self.state.durable.seq, event=Heartbeat(ts_recv=now), commands=(), facts=tuple(turn.facts)
        )

    def priced(self, turn: Turn, event: MarkPrice | MarketTrade | Candles) -> None:
        """Local levels against the mark or the last trade, where compared with these; volume is counted."""
        if isinstance(event, Candles):
            self.mind.stats.warm(event)
        if isinstance(event, MarketTrade):
            hear_trade(turn, event)
        source = self.config.exits_of(event.symbol).trigger_price
        if source == "mark" and isinstance(event, MarkPrice):
            on_price(turn, event.symbol, event.mark)
        elif source == "last" and isinstance(event, MarketTrade):
            on_price(turn, event.symbol, event.price)

    def other(self, turn: Turn, event: Event) -> None:  # noqa: C901, PLR0912  # One row per event.
        """Everything but a tick."""
        match event:
            case MarkPrice() | MarketTrade() | Candles():
                if self.state.soft.market.fold(event):
                    self.priced(turn, event)
            case Heartbeat():
                operate.heartbeat(turn, event)
            case BookTicker():
                raise AssertionError("ticks take the short way")
            case (
                OrderUpdate()
                | Fill()
                | AccountUpdate()
                | OrderAcked()
                | OrderRefused()
                | OrderUnknown()
                | OrderNotSent()
                | CancelAcked()
                | CancelFailed()
                | QueryAnswered()
                | TradesListed()
                | IncomeListed()
                | AccountSnapshot()
            ):
                fold_account(turn, event)
                for symbol in touched(turn, event):
                    protect(turn, symbol)
                    remember(turn, turn.d.ledger.position(symbol))
            case InstrumentsLoaded():
                operate.instruments_loaded(turn, event)
            case FeesLoaded(fees=fees):
                turn.conclude(FeesKnown(fees=fees, at=turn.now))
            case LeverageChanged():
                operate.leverage_changed(turn, event)
            case MarginCalled():
                operate.margin_called(turn, event)
            case RequestFailed():
                operate.request_failed(turn, event)
            case Started():
                operate.started(turn, event)
            case StreamChanged():
                operate.stream_changed(turn, event)
            case DecodeFailed():
                operate.decode_failed(turn, event)
            case Control():
                operate.control(turn, event)
            case _:
                assert_never(event)


AccountNews = (
    OrderUpdate
    | Fill
    | AccountUpdate
    | OrderAcked
    | OrderRefused
    | OrderUnknown
    | OrderNotSent
    | CancelAcked
    | CancelFailed
    | QueryAnswered
    | TradesListed
    | IncomeListed
    | AccountSnapshot
)


def fold_account(turn: Turn, event: AccountNews) -> None:  # noqa: C901, PLR0912  # One row per event.
    match event:
        case OrderUpdate():
            account.order_update(turn, event)
        case Fill():
            if account.book(turn, event):
                account.attribute(turn, event)
        case AccountUpdate():
            account.account_update(turn, event)
        case OrderAcked():
            account.order_acked(turn, event)
        case OrderRefused():
            account.order_refused(turn, event)
        case OrderUnknown():
            account.order_unknown(turn, event)
        case OrderNotSent():
            account.order_not_sent(turn, event)
        case CancelAcked():
            account.cancel_acked(turn, event)
        case CancelFailed():
            account.cancel_failed(turn, event)
        case QueryAnswered():
            account.query_answered(turn, event)
        case TradesListed():
            account.listed_trades(turn, event)
        case IncomeListed():
            account.income(turn, event)
        case AccountSnapshot():
            books.snapshot(turn, event)
        case _:
            assert_never(event)


def touched(turn: Turn, event: AccountNews) -> tuple[str, ...]:
    """The symbols whose protection the event may have changed."""
    match event:
        case OrderUpdate() | Fill() | TradesListed():
            return (event.symbol,)
        case AccountSnapshot(symbol=str(symbol)):
            return (symbol,)
        case AccountSnapshot():
            held = (position.symbol for position in turn.d.ledger.positions())
            return tuple(dict.fromkeys((*held, *turn.d.brackets)))
        case AccountUpdate() | IncomeListed():
            return ()
        case _:
            order = turn.d.blotter.get(event.key)
            return (order.intent.symbol,) if order is not None else ()
