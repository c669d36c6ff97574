"""Keeps every position behind a stop the exchange lists, or ends it; first in every step."""

from dataclasses import replace
from decimal import Decimal

from aurora.engine.account import is_silent
from aurora.engine.calm import ended_by, still, undisturbed
from aurora.engine.manage import GUARDED, manage, missed_rungs, put
from aurora.engine.targets import keep_targets
from aurora.engine.turn import Turn
from aurora.execution.bracket import (
    Cue,
    at_rest,
    covered,
    fits,
    last_code,
    predates,
    stop_hit,
    target_hit,
    tightened,
    usable,
    with_stop,
)
from aurora.execution.exits import NOTHING_TO_REDUCE, exit_intents, exit_pace, stop_intent
from aurora.execution.levels import levels
from aurora.execution.pyramid import risk, stop_for_risk
from aurora.execution.stops import trail_distance
from aurora.model.bracket import Bracket, Phase
from aurora.model.facts import BracketRemoved, BracketSet, RoundTripClosed
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, NEVER, SECOND, Qty, Quote
from aurora.model.order import LIVE, Order, OrderStatus, Role, Side
from aurora.model.position import Position

EXIT_ANSWER_WAIT = SECOND  # An exit that was accepted and has not filled: asked about before the next.
STOP_AGAIN = 500 * MILLISECOND
STOP_FOLLOWS = SECOND  # The resting stop follows a ratchet at most this often.
STOPS_TRIED_MAX = 5
STOP_AGAIN_LATE = 30 * SECOND  # A stop refused for good is left to the other one, and tried now and then.
LOOK_WAIT_MAX = SECOND  # Nothing stops us getting out: so long, and no longer, an exit waits for a look.
NO_SLOT = -4045
GRACE_AFTER_SILENCE = SECOND
WOULD_TRIGGER = -2021
REFUSED_FOR_GOOD = (-4045, -4120, -4006, -4007, -4210, -4211)
EXCHANGE_STOP = "EXCHANGE_STOP"  # Nobody here ended it.
HELD = (Phase.NAKED, Phase.GUARDED, Phase.FREE)


def on_tick(turn: Turn, tick: BookTicker) -> None:
    """Local exits act first: stops against the worst price of the burst, targets against the latest.

    A burst that began before the stop stood where it stands counts with its latest price alone.
    """
    bracket = turn.d.brackets.get(tick.symbol)
    if bracket is None or bracket.phase not in HELD:
        return
    mid = (tick.bid + tick.ask) / 2
    exits = turn.config.exits_of(tick.symbol)
    source = exits.trigger_price
    mixed = predates(tick.since, bracket)
    if source == "mid":
        act(turn, bracket, (mid, mid) if mixed else (tick.mid_low, tick.mid_high), mid)
    elif source == "executable":
        # What closing would pay: the bid for a long, the ask for a short.
        now = tick.bid if bracket.side is Side.BUY else tick.ask
        act(turn, bracket, (now, now) if mixed else (tick.bid_low, tick.ask_high), now)
    if exits.manages:
        held = turn.d.brackets[tick.symbol]
        if held.phase in HELD:
            manage(turn, held, mid)


def on_price(turn: Turn, symbol: str, price: float) -> None:
    """The same against the mark or the last trade, where the configuration says so.

    One that was received before the position was decided, and waited in line since, says nothing of it.
    """
    bracket = turn.d.brackets.get(symbol)
    if bracket is not None and bracket.phase in HELD and turn.now >= bracket.opened_at:
        act(turn, bracket, (price, price), price)


def act(turn: Turn, bracket: Bracket, extremes: tuple[float, float], latest: float) -> None:
    exits = turn.config.exits_of(bracket.symbol)
    if exits.mode != "exchange" and stop_hit(bracket, *extremes):
        begin_exit(turn, bracket, "STOP_LOSS")
    elif exits.tp_order == "local" and target_hit(bracket, latest):
        begin_exit(turn, bracket, "TAKE_PROFIT")


def protect(turn: Turn, symbol: str) -> None:
    """Bring the bracket of one symbol up to date with its position and orders, then act on it."""
    position = turn.d.ledger.position(symbol)
    bracket = turn.d.brackets.get(symbol)
    if bracket is not None and undisturbed(turn, bracket, position):
        return
    if bracket is None or (bracket.phase is Phase.CLOSED and not position.flat):
        if position.flat:
            return
        bracket = adopt(turn, position, bracket)
        if bracket is None:
            return
    bracket = settle(turn, bracket, position)
    match bracket.phase:
        case Phase.ENTERING:
            entry_over(turn, bracket)
        case Phase.NAKED | Phase.GUARDED | Phase.FREE:
            guard(turn, bracket)
        case Phase.CLOSING:
            press(turn, bracket)
        case Phase.CLOSED:
            sweep(turn, bracket)


def adopt(turn: Turn, position: Position, old: Bracket | None) -> Bracket | None:
    """A position without a bracket (taken over, or grown after its bracket closed) gets one at once."""
    instrument = turn.d.instruments.get(position.symbol)
    side = position.side
    if instrument is None or side is None:
        turn.alert("UNPROTECTED", position.symbol, "a position on a symbol whose filters are not known")
        return None
    exits = turn.config.exits_of(position.symbol)
    at = levels(side, position.entry, exits, instrument, turn.atr(position.symbol))
    epoch = turn.d.position_epochs.get(position.symbol, 0) + 1
    turn.alert("ADOPTED", position.symbol, f"position {position.qty} had no bracket; its stops go out now")
    if old is not None:
        turn.conclude(BracketRemoved(symbol=old.symbol, epoch=old.epoch, at=turn.now))
    bracket = Bracket(
        symbol=position.symbol,
        epoch=epoch,
        side=side,
        phase=Phase.ENTERING,
        qty=Qty(Decimal(0)),
        entry=position.entry,
        stop=at.stop,
        initial_stop=at.stop,
        take_profit=None if exits.ladder else at.take_profit,
        backstop=at.backstop,
        opened_at=turn.now,
    )
    turn.conclude(BracketSet(bracket=bracket, cue="ADOPTED"))
    return bracket


def settle(turn: Turn, bracket: Bracket, position: Position) -> Bracket:
    """Follow the position: growth, shrinkage, flatness, and whether the exchange lists cover for it."""
    if bracket.phase is Phase.CLOSED:
        return bracket
    if not position.flat and position.side is not bracket.side:
        # The position turned over; what remains is another position.
        closed = put(turn, close(turn, bracket), Cue.FLAT)
        adopted = adopt(turn, position, closed)
        return settle(turn, adopted, position) if adopted is not None else closed
    held = Qty(abs(position.qty))
    if held > bracket.qty:
        bracket = put(turn, grown(turn, bracket, position), Cue.FILLED)
    elif position.flat and bracket.qty > 0:
        return put(turn, close(turn, bracket), Cue.FLAT)
    elif held < bracket.qty:
        bracket = put(turn, replace(bracket, qty=held), Cue.REDUCED)
    if bracket.phase is Phase.ENTERING:
        return bracket
    safe = covered(turn.d.blotter.of_position(bracket.symbol, bracket.epoch), bracket, bracket.qty)
    if safe and (bracket.naked_since is not None or bracket.phase is Phase.NAKED):
        return put(turn, bracket, Cue.COVERED)
    if not safe and bracket.naked_since is None:
        return put(turn, bracket, Cue.UNCOVERED)
    return bracket


def grown(turn: Turn, bracket: Bracket, position: Position) -> Bracket:
    """Levels follow the average entry until the first add; the stop only ever tightens."""
    instrument = turn.d.instruments[bracket.symbol]
    exits = turn.config.exits_of(bracket.symbol)
    qty, entry = Qty(abs(position.qty)), position.entry
    if bracket.adds_done:
        needed = stop_for_risk(bracket, entry, qty, instrument)
        stop = needed if tightened(bracket, Qty(needed)) else bracket.stop
        return replace(with_stop(bracket, stop, turn.now), qty=qty, entry=entry)
    at = levels(bracket.side, entry, exits, instrument, turn.atr(bracket.symbol))
    stop = at.stop if tightened(bracket, Qty(at.stop)) else bracket.stop
    return replace(
        with_stop(bracket, stop, turn.now),
        qty=qty,
        entry=entry,
        entry_first=entry,
        size_first=qty,
        initial_stop=bracket.initial_stop if bracket.qty else stop,
        initial_risk=Quote(risk(bracket.side, entry, stop, qty)),
        take_profit=None if exits.ladder else at.take_profit,
    )


def close(turn: Turn, bracket: Bracket) -> Bracket:
    """The round trip ends, and its entry with it; what its orders still rest is swept next."""
    end_entry(turn, bracket.symbol, f"closed: {bracket.exit_reason or EXCHANGE_STOP}")
    turn.conclude(
        RoundTripClosed(
            symbol=bracket.symbol,
            epoch=bracket.epoch,
            realized=bracket.realized,
            fees=bracket.fees,
            exit_reason=bracket.exit_reason or EXCHANGE_STOP,
            opened_at=bracket.opened_at,
            at=turn.now,
        )
    )
    return replace(bracket, closed_at=turn.now)


def entry_over(turn: Turn, bracket: Bracket) -> None:
    """An entry that ended without a fill leaves nothing to protect."""
    orders = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    working = any(order.open or order.filled > order.booked for order in orders)
    parent = any(p.symbol == bracket.symbol and not p.done for p in turn.d.parents.values())
    if working or parent:
        return
    put(turn, replace(bracket, closed_at=turn.now), Cue.FLAT)
    turn.conclude(BracketRemoved(symbol=bracket.symbol, epoch=bracket.epoch, at=turn.now))


def guard(turn: Turn, bracket: Bracket) -> None:
    """See to both stops; end the position when they cannot be had in time."""
    why = ended_by(turn, bracket)
    if why:
        begin_exit(turn, bracket, why)
        return
    if turn.soft.first_look_at == NEVER:
        return  # Nothing is decided on memory alone; the first listing is already asked for.
    orders = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    if any(order.code == WOULD_TRIGGER and stopping(order) for order in orders):
        begin_exit(turn, bracket, "STOP_WOULD_TRIGGER")
        return
    if bracket.phase is Phase.NAKED and deadline_passed(turn, bracket):
        begin_exit(turn, bracket, "NAKED_DEADLINE")
        return
    exits = turn.config.exits_of(bracket.symbol)
    rest = at_rest(orders, bracket, exits, trail_distance(bracket, exits, turn.atr(bracket.symbol)))
    if not rest:
        keep_stops(turn, bracket)
    elif still(turn, bracket):
        turn.soft.calm[bracket.symbol] = (bracket, turn.d.ledger.position(bracket.symbol), orders)
    if exits.tp_order == "local":
        missed_rungs(turn, turn.d.brackets[bracket.symbol])
    elif bracket.phase in GUARDED:
        keep_targets(turn, turn.d.brackets[bracket.symbol])


def stopping(order: Order) -> bool:
    return order.intent.role in (Role.STOP, Role.BACKSTOP)


def deadline_passed(turn: Turn, bracket: Bracket) -> bool:
    """The deadline runs while the exchange answers; after a silence its first answer starts a grace."""
    if bracket.naked_since is None:
        return False
    limit = int(turn.config.exits_of(bracket.symbol).naked_deadline_s * SECOND)
    naked = turn.now - bracket.naked_since
    if naked < limit:
        return False
    turn.alert(
        "NAKED", bracket.symbol, f"no listed stop for {naked / SECOND:.1f} s, limit {limit / SECOND} s"
    )
    if is_silent(turn):
        return False
    return turn.now - max(turn.soft.first_look_at, turn.soft.returned_at) >= GRACE_AFTER_SILENCE


def keep_stops(turn: Turn, bracket: Bracket) -> None:
    """The backstop once per position; the working stop at the present level and quantity, new before old."""
    mine = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    working = [order for order in mine if order.open and order.intent.role is Role.STOP]
    backstops = [order for order in mine if order.open and order.intent.role is Role.BACKSTOP]
    exits = turn.config.exits_of(bracket.symbol)
    lag = trail_distance(bracket, exits, turn.atr(bracket.symbol))
    fit = [order for order in working if fits(order, bracket, lag)]
    listed = [order for order in fit if order.listed]
    if listed:
        for order in working:
            if order is not listed[0] and order.status is not OrderStatus.PENDING_NEW:
                turn.cancel(order)
    unlisted = [order for order in (*working, *backstops) if not order.listed and order.status in LIVE]
    if unlisted:
        turn.list_stops(bracket.symbol, "a stop is accepted and not yet listed")
    if not listed and last_code(mine, Role.STOP) == NO_SLOT and working:
        for order in working:  # No slot for the new one beside the old: the old one makes room.
            turn.cancel(order)
        return
    needs = []
    if exits.backstop and not usable(backstops) and not refused_often(turn, mine, Role.BACKSTOP):
        needs.append(Role.BACKSTOP)
    if exits.mode != "local" and not usable(fit) and not refused_often(turn, mine, Role.STOP):
        needs.append(Role.STOP)
    again = STOP_AGAIN if bracket.stops_tried else exits.stop_resize_ms * MILLISECOND
    if any(order.listed and order.remaining == bracket.qty for order in working):
        again = STOP_FOLLOWS  # Covered already: only the level lags.
    if not needs or turn.now - bracket.stop_tried_at < again:
        return
    spread = turn.soft.market.of(bracket.symbol).spread
    tried = replace(bracket, stops_tried=bracket.stops_tried + 1, stop_tried_at=turn.now)
    turn.conclude(BracketSet(bracket=tried, cue="STOP_SENT"))
    instrument = turn.d.instruments[bracket.symbol]
    for role in needs:
        intent = stop_intent(role, bracket, exits, instrument, spread)
        turn.reduce(intent, epoch=bracket.epoch)


def refused_often(turn: Turn, orders: tuple[Order, ...], role: Role) -> bool:
    """A stop the exchange keeps refusing is left to the other one and to the deadline for a while.

    What was refused before one of that role ended otherwise counts no more: a slot is free again.
    """
    tried = [order for order in orders if order.intent.role is role and order.status.terminal]
    otherwise = max((o.updated_at for o in tried if o.status is not OrderStatus.REJECTED), default=NEVER)
    refused = [o for o in tried if o.status is OrderStatus.REJECTED and o.updated_at > otherwise]
    if len(refused) < STOPS_TRIED_MAX and not any(o.code in REFUSED_FOR_GOOD for o in refused):
        return False
    return turn.now - max(order.updated_at for order in refused) < STOP_AGAIN_LATE


def begin_exit(turn: Turn, bracket: Bracket, reason: str) -> None:
    """Send the market exit; the resting stops stay until the exchange reports flat."""
    end_entry(turn, bracket.symbol, f"exit: {reason}")
    send_exit(turn, bracket, reason)


def end_entry(turn: Turn, symbol: str, why: str) -> None:
    """Nothing more is added: a position that ends, however it ends, must not be entered again by its rest."""
    for parent in [p for p in turn.d.parents.values() if p.symbol == symbol]:
        turn.end_parent(parent, why)
    for order in turn.d.blotter.open_orders(symbol):
        if order.intent.role is Role.ENTRY and order.status is not OrderStatus.PENDING_NEW:
            turn.cancel(order)


def send_exit(turn: Turn, bracket: Bracket, reason: str = "") -> None:
    """The exit for what is held; without a reason, for that of the exit before."""
    sent = put(turn, bracket, Cue.EXIT_SENT, exit_reason=reason)
    mark = turn.price(bracket.symbol) or None
    exits = exits_sent(turn, bracket)
    last_code = exits[-1].code if exits else 0
    for intent in exit_intents(sent, turn.d.instruments.get(bracket.symbol), last_code=last_code, mark=mark):
        turn.reduce(intent, epoch=bracket.epoch)


def exits_sent(turn: Turn, bracket: Bracket) -> list[Order]:
    mine = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    return [order for order in mine if order.intent.role is Role.EXIT]


def press(turn: Turn, bracket: Bracket) -> None:
    """Try the exit again, paced, until the exchange reports flat; an unknown exit is not waited for."""
    exits = exits_sent(turn, bracket)
    since = turn.now - bracket.exit_tried_at
    config = turn.config.exits_of(bracket.symbol)
    if since < exit_pace(exits, config, quiet_ms=turn.config.reconcile.quiet_ms):
        return
    if nothing_to_reduce(turn, bracket) and since < LOOK_WAIT_MAX:
        return
    waiting = [order for order in exits if order.open and order.status is not OrderStatus.UNKNOWN]
    if waiting and since < EXIT_ANSWER_WAIT:
        return
    for order in waiting:
        if order.status in LIVE:
            turn.query(order)
    if waiting:
        return
    send_exit(turn, bracket)
    if bracket.naked_since is not None:
        keep_stops(turn, turn.d.brackets[bracket.symbol])


def nothing_to_reduce(turn: Turn, bracket: Bracket) -> bool:
    """Whether the exchange said so of the last exit and no look at the account is newer."""
    mine = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    if last_code(mine, Role.EXIT) != NOTHING_TO_REDUCE:
        return False
    told = max(order.updated_at for order in mine if order.intent.role is Role.EXIT)
    return turn.soft.looked_at <= told


def sweep(turn: Turn, bracket: Bracket) -> None:
    """Flat: cancel what still rests of ours on the symbol, and call it gone only when a listing shows it."""
    working = turn.d.blotter.open_orders(bracket.symbol)
    resting = [order for order in working if order.intent.reduces or order.intent.role is Role.ENTRY]
    for order in resting:
        if order.status is OrderStatus.UNKNOWN:
            turn.query(order)
        elif order.status is not OrderStatus.PENDING_NEW:
            turn.cancel(order)
    if resting:
        return
    ended = [o for o in turn.d.blotter.of_position(bracket.symbol, bracket.epoch) if o.intent.role.protective]
    gone_at = max((order.updated_at for order in ended), default=NEVER)
    if ended and turn.soft.look(bracket.symbol).listed_at <= max(bracket.closed_at, gone_at):
        turn.list_stops(bracket.symbol, "proof that no stop of ours is left")
        return
    turn.conclude(BracketRemoved(symbol=bracket.symbol, epoch=bracket.epoch, at=turn.now))
