"""Folds what the exchange says of our orders and money into the books."""

from dataclasses import replace

from aurora.engine.trading import set_state
from aurora.engine.turn import Turn
from aurora.model.bracket import Phase
from aurora.model.control import TradingState
from aurora.model.drift import Drift, DriftKind
from aurora.model.events import (
    AccountUpdate,
    CancelAcked,
    CancelFailed,
    IncomeListed,
    OrderAcked,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    OrderUpdate,
    QueryAnswered,
    TradesListed,
)
from aurora.model.facts import BracketSet, FillBooked, FlowBooked, IncomeRead
from aurora.model.fill import Fill
from aurora.model.numbers import MILLISECOND, NO_QTY, SECOND, Nanos, Qty, Quote
from aurora.model.order import LIVE, Namespace, Order, OrderKey, OrderStatus, Role

REDUCE_ONLY_REJECTED = -2022
ALREADY_CLOSING_STOP = -4130
FOUND = "found on the exchange"  # Why an order is in the books that an earlier journal knew.
NO_SUCH_ORDER = (-2011, -2013)
FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
UNFILLED_ENDS = (OrderStatus.EXPIRED, OrderStatus.CANCELED, OrderStatus.REJECTED)
BACKOFF_S_MAX = 60
SILENCE = SECOND  # One question that stays unanswered among answered ones is no silence.
INCOME_SETTLES = 5 * SECOND  # A stream may tell a funding payment seconds after the income row exists.


def answered(turn: Turn) -> None:
    if is_silent(turn):
        turn.soft.returned_at = turn.now
        turn.soft.looks_in_a_row = 0  # Patience was with the silence; what happened in it is asked at once.
        turn.soft.queried.clear()
        turn.look_soon("the exchange answers again")
    turn.soft.silent_since = None


def is_silent(turn: Turn) -> bool:
    """Whether the exchange has answered nothing for a while, although asked."""
    since = turn.soft.silent_since
    return since is not None and turn.now - since >= SILENCE


def silent(turn: Turn) -> None:
    if turn.soft.silent_since is None:
        turn.soft.silent_since = turn.now


def order_update(turn: Turn, update: OrderUpdate) -> None:
    order = turn.d.blotter.get(update.key)
    if order is None and update.key.namespace is Namespace.REGULAR:
        algo = turn.d.blotter.get(OrderKey(namespace=Namespace.ALGO, client_id=update.key.client_id))
        if algo is not None:
            child_update(turn, algo, update)
            return
    if order is None:
        stranger(turn, update)
        return
    if update.fill is not None and book(turn, update.fill):
        order = credited(order, update.fill)
    if update.status in UNFILLED_ENDS and order.intent.role is Role.EXIT:
        turn.list_trades(order.intent.symbol, "an exit found nothing to close")
        turn.look_soon("an exit found nothing to close")
    if update.filled > order.booked:
        turn.list_trades(order.intent.symbol, "filled more than we were told")
        turn.look_soon("a fill is missing")
    turn.move(
        order,
        update.status,
        filled=Qty(max(order.filled, update.filled)),
        exchange_id=update.exchange_id or order.exchange_id,
        unknown_since=None,
        updated_at=turn.now,
        why=update.why or order.why,
    )


def child_update(turn: Turn, algo: Order, update: OrderUpdate) -> None:
    """A triggered stop's market order, which carries its algo order's id: one life, told in two places."""
    if update.fill is not None and book(turn, update.fill):
        algo = credited(algo, update.fill)
    turn.move(
        algo,
        update.status if update.status.terminal else OrderStatus.TRIGGERED,
        filled=Qty(max(algo.filled, update.filled)),
        unknown_since=None,
        updated_at=turn.now,
        why=update.why or algo.why,
    )


def credited(order: Order, fill: Fill) -> Order:
    """The order with one more booked fill; the caller books the move."""
    booked = Qty(order.booked + fill.qty)
    cost = Quote(order.cost + fill.price * fill.qty)
    return replace(order, booked=booked, cost=cost, filled=Qty(max(order.filled, booked)))


def stranger(turn: Turn, update: OrderUpdate) -> None:
    """An order we do not hold: its fills still move our position, so they are booked whoever sent it."""
    look = turn.soft.look(update.symbol)
    if turn.own(update.key.client_id):
        turn.look_soon(f"{update.key.client_id} is ours and not in the books")
    else:
        look.foreign += 1
        turn.alert("FOREIGN_ORDER", update.symbol, f"{update.key.client_id} is not ours; it is left alone")
    if update.fill is not None:
        book(turn, update.fill)
    if update.key.client_id.startswith(FORCED):
        turn.alert("FORCED_ORDER", update.symbol, f"the exchange closed for us: {update.key.client_id}")
        set_state(turn, TradingState.HALTED, by="engine", reason=f"forced order {update.key.client_id}")


def of_our_time(turn: Turn, fill: Fill) -> bool:
    """Whether a trade happened after the story began; of our own orders it did, whatever the clocks say."""
    opened = turn.d.ledger.opened_at
    if opened is None or fill.ts_event >= opened:
        return opened is not None
    blotter = turn.d.blotter
    told = (OrderKey(namespace=namespace, client_id=fill.client_id) for namespace in Namespace)
    order = next((found for key in told if (found := blotter.get(key)) is not None), None)
    order = order or blotter.find_exchange_id(Namespace.REGULAR, fill.exchange_id)
    return order is not None and order.intent.reason != FOUND


def book(turn: Turn, fill: Fill) -> bool:
    """Book a trade once; told again it changes nothing. True when it was news."""
    if turn.d.ledger.knows(fill.symbol, fill.trade_id) or not of_our_time(turn, fill):
        return False
    turn.conclude(FillBooked(fill=fill))
    turn.soft.look(fill.symbol).changed_at = turn.now
    turn.soft.entries_failed.pop(fill.symbol, None)
    bracket = turn.d.brackets.get(fill.symbol)
    if bracket is not None and bracket.phase is not Phase.CLOSED:
        fees = fill.fee if fill.fee_asset == turn.config.quote_asset else Quote(fill.fee * 0)
        kept = replace(
            bracket, realized=Quote(bracket.realized + fill.realized), fees=Quote(bracket.fees + fees)
        )
        turn.conclude(BracketSet(bracket=kept, cue="BOOKED"))
    return True


def listed_trades(turn: Turn, answer: TradesListed) -> None:
    """Trades the stream should have told: each one it did not is a drift, found and mended."""
    answered(turn)
    late = turn.config.reconcile.quiet_ms * MILLISECOND
    look = turn.soft.look(answer.symbol)
    if answer.requested_at >= look.trades_wanted_at:
        look.trades_wanted = ""
    for fill in answer.fills:
        look.trades_complete_to = max(look.trades_complete_to, fill.trade_id)
        if not book(turn, fill):
            continue
        attribute(turn, fill)
        if fill.ts_event < answer.requested_at - late:
            drift = Drift(
                kind=DriftKind.POSITION_QTY,
                subject=str(fill.trade_id),
                symbol=fill.symbol,
                ours="trade not booked",
                theirs=f"{fill.side} {fill.qty} at {fill.price}",
            )
            turn.drift(drift, repair="booked from the trade list")


def attribute(turn: Turn, fill: Fill) -> None:
    order = turn.d.blotter.find_exchange_id(Namespace.REGULAR, fill.exchange_id)
    if order is None:
        return
    order = credited(order, fill)
    whole = order.intent.qty is not None and order.filled >= order.intent.qty
    status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
    turn.move(order, order.status if order.status.terminal else status, updated_at=turn.now)


def account_update(turn: Turn, update: AccountUpdate) -> None:
    if turn.d.ledger.opened_at is not None:
        for flow in update.flows:
            turn.conclude(FlowBooked(flow=flow, told_before=turn.d.ledger.flow_match(flow) is not None))
    for view in update.positions:
        look = turn.soft.look(view.symbol)
        look.told_qty, look.told_at = view.qty, turn.now
        turn.soft.open_questions[view.symbol] = None


def income(turn: Turn, answer: IncomeListed) -> None:
    """Cash flows the exchange has on record; those the stream already told only get their id."""
    answered(turn)
    opened = turn.d.ledger.opened_at
    until = Nanos(answer.requested_at - INCOME_SETTLES)
    for flow in answer.flows:
        if opened is None or flow.ts_event < opened or flow.ts_event > until:
            continue
        if turn.d.ledger.knows_flow(flow.flow_id):
            continue
        told = turn.d.ledger.flow_match(flow) is not None
        turn.conclude(FlowBooked(flow=flow, told_before=told))
    if until > turn.d.ledger.income_until:
        turn.conclude(IncomeRead(until=until))


def order_acked(turn: Turn, outcome: OrderAcked) -> None:
    answered(turn)
    order = turn.d.blotter.get(outcome.key)
    if order is None:
        return
    moved = turn.move(
        order,
        OrderStatus.NEW,
        exchange_id=outcome.exchange_id,
        signed_at=outcome.signed_at,
        unknown_since=None,
        updated_at=turn.now,
    )
    if moved.key.namespace is Namespace.ALGO and not moved.listed:
        turn.list_stops(moved.intent.symbol, "a stop was accepted")


def order_refused(turn: Turn, outcome: OrderRefused) -> None:
    answered(turn)
    order = turn.d.blotter.get(outcome.key)
    if order is None:
        return
    turn.move(
        order,
        OrderStatus.REJECTED,
        code=outcome.code,
        why=outcome.why,
        signed_at=outcome.signed_at,
        unknown_since=None,
        updated_at=turn.now,
    )
    if order.intent.role is Role.ENTRY:
        entry_failed(turn, order.intent.symbol, f"{outcome.code} {outcome.why}")
    if order.intent.reduces:
        turn.alert("REDUCTION_REFUSED", order.intent.symbol, f"{outcome.code} {outcome.why}")
    if outcome.code == ALREADY_CLOSING_STOP:
        turn.list_stops(order.intent.symbol, "the exchange says a closing stop exists")
    if outcome.code == REDUCE_ONLY_REJECTED:
        turn.list_trades(order.intent.symbol, "the exchange says there is nothing to reduce")
        turn.look_soon("reduce-only rejected")


def order_unknown(turn: Turn, outcome: OrderUnknown) -> None:
    silent(turn)
    order = turn.d.blotter.get(outcome.key)
    if order is None or order.status is not OrderStatus.PENDING_NEW:
        return  # The stream has told its fate already.
    turn.move(
        order,
        OrderStatus.UNKNOWN,
        signed_at=outcome.signed_at,
        unknown_since=turn.now,
        why=outcome.why,
        updated_at=turn.now,
    )
    turn.look_soon("an order's outcome is unknown")


def order_not_sent(turn: Turn, outcome: OrderNotSent) -> None:
    order = turn.d.blotter.get(outcome.key)
    if order is not None:
        turn.move(order, OrderStatus.NOT_SENT, why=outcome.why, unknown_since=None, updated_at=turn.now)
        if order.intent.role is Role.ENTRY:
            entry_failed(turn, order.intent.symbol, outcome.why)


def entry_failed(turn: Turn, symbol: str, why: str) -> None:
    """An entry that cannot be had is not asked for again at once: one second, doubling to a minute."""
    failed = turn.soft.entries_failed.get(symbol, 0)
    turn.soft.entries_failed[symbol] = failed + 1
    turn.soft.entry_after[symbol] = Nanos(turn.now + min(2**failed, BACKOFF_S_MAX) * SECOND)
    turn.alert("ENTRY_FAILED", symbol, why)


def cancel_acked(turn: Turn, outcome: CancelAcked) -> None:
    """Gone, once it is known how much of it filled first: that much is not sent again."""
    answered(turn)
    order = turn.d.blotter.get(outcome.key)
    if order is None:
        return
    if outcome.filled is None and order.intent.role is Role.ENTRY and not order.status.terminal:
        turn.query(order, now=True)
        return
    filled = Qty(max(order.filled, outcome.filled or NO_QTY))
    if filled > order.booked:
        turn.list_trades(order.intent.symbol, "a cancelled order had filled")
    turn.move(order, OrderStatus.CANCELED, filled=filled, unknown_since=None, updated_at=turn.now)


def cancel_failed(turn: Turn, outcome: CancelFailed) -> None:
    if outcome.code:
        answered(turn)
    else:
        silent(turn)
    order = turn.d.blotter.get(outcome.key)
    if order is not None and outcome.code in NO_SUCH_ORDER and not order.status.terminal:
        turn.query(order)


def query_answered(turn: Turn, answer: QueryAnswered) -> None:
    answered(turn)
    order = turn.d.blotter.get(answer.key)
    if order is None or order.status.terminal:
        return
    if answer.view is None:
        absent(turn, order, answer.requested_at)
        return
    view = answer.view
    if view.filled > order.filled:
        turn.list_trades(order.intent.symbol, "a query shows fills")
        turn.look_soon("a fill is missing")
    turn.move(
        order,
        view.status,
        filled=Qty(max(order.filled, view.filled)),
        exchange_id=view.exchange_id or order.exchange_id,
        unknown_since=None,
        listed=order.listed and view.status in LIVE,
        updated_at=turn.now,
    )
    if order.intent.reduces and view.status in LIVE and order.key.namespace is Namespace.ALGO:
        turn.list_stops(order.intent.symbol, "a stop was found")


def fence(turn: Turn, order: Order) -> Nanos:
    """Local time after which the exchange can no longer accept the order's signature."""
    execution = turn.config.execution
    signed = order.signed_at if order.signed_at is not None else order.created_at + SECOND
    return Nanos(signed + (execution.recv_window_ms + execution.fence_margin_ms) * MILLISECOND)


def absent(turn: Turn, order: Order, asked_at: Nanos) -> None:
    """The exchange knows no such order: final only when asked after the signature had expired."""
    if asked_at <= fence(turn, order):
        return
    if order.status in LIVE:
        # It lived and has left the exchange's memory: a cancelled or expired order without fills.
        turn.move(order, OrderStatus.CANCELED, why="no longer known to the exchange", updated_at=turn.now)
        return
    turn.move(order, OrderStatus.DEAD, why="absent after its signature expired", unknown_since=None)
    turn.list_trades(order.intent.symbol, "an order was proven dead")


def cancel_entries(turn: Turn, symbol: str | None = None) -> None:
    """Ask for every order that could still add exposure to be cancelled."""
    for order in turn.d.blotter.open_orders(symbol):
        if order.intent.role is Role.ENTRY and order.status is not OrderStatus.PENDING_NEW:
            turn.cancel(order)
