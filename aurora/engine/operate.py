"""What is not the market: start-up, operators' verbs, streams coming and going, and the passing of time."""

from dataclasses import replace
from itertools import islice
from typing import assert_never

from aurora.engine import account
from aurora.engine.books import ask_snapshot, check_told, mark_equity, read_income
from aurora.engine.protect import protect
from aurora.engine.pursue import add_to_winners, leave_by_strategy
from aurora.engine.slices import cancel_orphans, work
from aurora.engine.trading import resume, set_state
from aurora.engine.turn import Turn
from aurora.execution.bracket import not_after
from aurora.execution.exits import IN_VAIN
from aurora.model.control import Control, DecodeFailed, Heartbeat, Stream, StreamChanged, TradingState, Verb
from aurora.model.events import InstrumentsLoaded, LeverageChanged, MarginCalled, RequestFailed, Started
from aurora.model.facts import BracketSet, CleanStop, EpochTaken, InstrumentsKnown, OrderForgotten
from aurora.model.numbers import NEVER, SECOND, Nanos
from aurora.model.order import Order, OrderStatus, OrderType, Role, TimeInForce

NEWS_DUE = SECOND  # A market order never rests: without news of it the stream is not to be trusted.
RESTING_NEWS_DUE = 5 * SECOND  # A resting entry that filled unheard would stand unprotected.
NEVER_DUE = 1 << 62
OUTCOME_DUE = 10 * SECOND  # The outbox answers long before; without it the order is unknown.
TRADES_DUE = SECOND
KEEP_FINISHED = 300 * SECOND
FORGET_AT_ONCE = 64


def started(turn: Turn, event: Started) -> None:
    """A new process: what was in flight is unknown now, and nothing is decided before the first listing."""
    if event.epoch <= turn.d.epoch:
        raise ValueError(f"epoch {event.epoch} must be above the last one, {turn.d.epoch}")
    turn.conclude(EpochTaken(epoch=event.epoch, at=turn.now))
    turn.soft.started_at = turn.now
    for parent in tuple(turn.d.parents.values()):
        turn.end_parent(parent, "the process ended")
    for bracket in tuple(turn.d.brackets.values()):
        if (earlier := not_after(bracket, turn.now)) != bracket:
            turn.conclude(BracketSet(bracket=earlier, cue="CLOCK_SET_BACK"))
    for order in turn.d.blotter.open_orders():
        if order.status is OrderStatus.PENDING_NEW:
            turn.move(order, OrderStatus.UNKNOWN, unknown_since=order.created_at, why="the process ended")
    if event.halt_requested:
        set_state(turn, TradingState.HALTED, by="start", reason="a halt was requested before the start")
    turn.look_soon("start")


def control(turn: Turn, event: Control) -> None:
    match event.verb:
        case Verb.PAUSE:
            set_state(turn, TradingState.REDUCING, by=event.by, reason=event.reason)
        case Verb.CANCEL:
            account.cancel_entries(turn)
        case Verb.HALT:
            set_state(turn, TradingState.HALTED, by=event.by, reason=event.reason)
            stop_entries(turn, "halt")
        case Verb.FLATTEN:
            set_state(turn, TradingState.HALTED, by=event.by, reason=event.reason, flatten=True)
            stop_entries(turn, "flatten")
        case Verb.RESUME:
            resume(turn, halt_id=event.halt_id, by=event.by, reason=event.reason)
        case Verb.RECONCILE:
            turn.look_soon(f"asked by {event.by}")
        case Verb.STOP:
            turn.soft.stopping = True
            stop_entries(turn, "stop")
            turn.look_soon("the last look before the process ends")
        case _:
            assert_never(event.verb)


def stop_entries(turn: Turn, why: str) -> None:
    for parent in tuple(turn.d.parents.values()):
        turn.end_parent(parent, why)
    account.cancel_entries(turn)


def stopped(turn: Turn) -> None:
    turn.conclude(CleanStop(at=turn.now))


def stream_changed(turn: Turn, event: StreamChanged) -> None:
    turn.soft.up[event.stream] = event.up
    if event.stream is Stream.USER and event.up:
        for symbol in turn.config.symbols:
            turn.list_trades(symbol, "the user stream is back")
        turn.look_soon("the user stream is back")
    if not event.up:
        turn.alert("STREAM_DOWN", event.stream.value, event.why)


def decode_failed(turn: Turn, event: DecodeFailed) -> None:
    turn.alert("DECODE_FAILED", event.stream.value, event.why)
    if event.stream is Stream.USER:
        for symbol in turn.config.symbols:
            turn.list_trades(symbol, "an account message could not be read")
        turn.look_soon("an account message could not be read")


def instruments_loaded(turn: Turn, event: InstrumentsLoaded) -> None:
    """What has changed is news; what does not trade any more is entered no more, and managed while held."""
    known = turn.d.instruments
    gone = [replace(known[symbol], trading=False) for symbol in event.missing if symbol in known]
    told = (*event.instruments, *gone)
    news = tuple(instrument for instrument in told if known.get(instrument.symbol) != instrument)
    if news:
        turn.conclude(InstrumentsKnown(instruments=news, at=turn.now))
    halted = tuple(instrument.symbol for instrument in event.instruments if not instrument.trading)
    turn.stats.without((*event.missing, *halted))
    for symbol in event.missing:
        turn.alert("NOT_TRADING", symbol, f"{symbol} is not listed: no entries; what is held is managed")
    for symbol in halted:
        turn.alert("NOT_TRADING", symbol, f"{symbol} does not trade: no entries; what is held is managed")


def leverage_changed(turn: Turn, event: LeverageChanged) -> None:
    if event.symbol in turn.config.symbols and event.leverage != turn.config.leverage:
        reason = f"leverage of {event.symbol} is {event.leverage}, configured {turn.config.leverage}"
        set_state(turn, TradingState.REDUCING, by="engine", reason=reason)


def margin_called(turn: Turn, event: MarginCalled) -> None:
    set_state(turn, TradingState.HALTED, by="engine", reason=f"margin call on {', '.join(event.symbols)}")


def request_failed(turn: Turn, event: RequestFailed) -> None:
    account.silent(turn)
    if event.request == "RequestSnapshot" and event.subject == "":
        turn.look_soon(f"the last look failed: {event.why}")


def heartbeat(turn: Turn, event: Heartbeat) -> None:
    """Deadlines, schedules and timers; everything that must happen although nobody spoke."""
    if event.gap > SECOND:
        turn.alert("LOOP_GAP", "loop", f"nothing ran for {event.gap / SECOND:.1f} s")
        turn.look_soon("the loop had stopped")
    for symbol in tuple(turn.d.brackets):
        protect(turn, symbol)
    chase_orders(turn)
    if not turn.soft.stopping:
        leave_by_strategy(turn)
        work(turn)
        add_to_winners(turn)
    cancel_orphans(turn)
    chase_trades(turn)
    check_told(turn)
    ask_snapshot(turn)
    if turn.now - turn.soft.marked_at >= SECOND:
        mark_equity(turn)
        turn.stats.sample(turn.soft.market, turn.now)
        read_income(turn)
        forget(turn)
    else:
        turn.stats.fold()


def chase_orders(turn: Turn) -> None:
    """Unknown orders are asked about, overdue ones become unknown, and so is a silence no order has."""
    for order in turn.d.blotter.restless():
        if order.status is OrderStatus.PENDING_NEW and turn.now - order.created_at > OUTCOME_DUE:
            turn.move(order, OrderStatus.UNKNOWN, unknown_since=turn.now, why="no outcome arrived")
        elif order.status is OrderStatus.UNKNOWN or turn.now - order.updated_at > news_due(order):
            turn.query(order, now=provable(turn, order))


def provable(turn: Turn, order: Order) -> bool:
    """Whether 'no such order' would be proof now and was none when it was last asked."""
    _, asked_at = turn.soft.queried.get(order.key, (0, NEVER))
    return order.status is OrderStatus.UNKNOWN and asked_at <= account.fence(turn, order) < turn.now


def news_due(order: Order) -> int:
    """How long this order may be silent; a protective one rests for as long as it likes."""
    if order.intent.type is OrderType.MARKET or order.intent.time_in_force is TimeInForce.IOC:
        return NEWS_DUE
    return RESTING_NEWS_DUE if order.intent.role is Role.ENTRY else NEVER_DUE


def chase_trades(turn: Turn) -> None:
    """A list of trades that somebody needs is asked for until it has come: a position may hide in it."""
    for symbol in turn.soft.open_questions:
        look = turn.soft.look(symbol)
        if look.trades_wanted and turn.now - look.trades_asked_at >= TRADES_DUE:
            turn.ask_trades(symbol)


def forget(turn: Turn) -> None:
    """Finished orders nobody asks for again leave the books, some at once; the journal keeps them."""
    finished = turn.d.blotter.finished_older_than(Nanos(turn.now - KEEP_FINISHED))
    for order in islice((order for order in finished if spent(turn, order)), FORGET_AT_ONCE):
        turn.conclude(OrderForgotten(key=order.key))


def spent(turn: Turn, order: Order) -> bool:
    """Its position is over; or it left a living one without a trace.

    Such are each stop a trail has replaced, and each exit refused while the symbol does not trade.
    """
    bracket = turn.d.brackets.get(order.intent.symbol)
    if bracket is None or bracket.epoch != order.position_epoch:
        return True
    unused = order.status in IN_VAIN and not order.filled
    return unused and order.intent.parent_id not in turn.d.parents
