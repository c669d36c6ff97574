"""From opinions to orders: strategy, size, plan, gates; entries only, and only from flat."""

from dataclasses import replace

from aurora import governance
from aurora.engine.briefing import brief
from aurora.engine.protect import HELD, begin_exit
from aurora.engine.sizer import sized
from aurora.engine.turn import Turn, base36
from aurora.execution.levels import Levels, exact
from aurora.execution.partials import Children, PartialSlicer
from aurora.execution.planner import child_intent, entering, plan
from aurora.execution.pyramid import Add, next_add
from aurora.governance import Briefing
from aurora.model.bracket import Bracket, Phase
from aurora.model.commands import Lane
from aurora.model.control import TradingState
from aurora.model.facts import BracketSet, IntentDenied, ParentSet, SignalSeen, StabilizerMoved, StrategyMoved
from aurora.model.gate import Approved
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, NEVER, Price, Qty
from aurora.model.parent import ParentOrder, Style
from aurora.model.signal import Signal, TargetPosition
from aurora.signals.base import NO_MEMORY, Memory, Silence

REVIEW_AGAIN = 200 * MILLISECOND  # A refused symbol is not asked about on every tick.


def on_book(turn: Turn, tick: BookTicker) -> None:
    """Ask the strategy about the symbol that ticked, if it may be entered at all."""
    symbol = tick.symbol
    if symbol in turn.d.brackets or turn.soft.stopping or turn.soft.started_at == NEVER:
        return
    if turn.d.trading.state is TradingState.HALTED or symbol not in turn.d.instruments:
        return
    if turn.now - turn.soft.reviewed_at.get(symbol, NEVER) < REVIEW_AGAIN:
        return
    if turn.now < turn.soft.entry_after.get(symbol, NEVER):
        return
    memory = remember(turn, symbol)
    position = turn.d.ledger.position(symbol)
    opinion = turn.strategy.look(symbol, turn.soft.market.of(symbol), position, turn.now, memory)
    if isinstance(opinion, Silence):
        turn.soft.silences[symbol] = opinion
        return
    turn.soft.silences.pop(symbol, None)
    turn.soft.reviewed_at[symbol] = turn.now
    enter(turn, opinion)


def remember(turn: Turn, symbol: str) -> Memory:
    """Let the strategy see the position; what it wants to keep becomes a fact."""
    moved = turn.d.strategies.get(symbol)
    memory = moved.memory if moved is not None else NO_MEMORY
    kept = turn.strategy.remember(symbol, turn.d.ledger.position(symbol), turn.now, memory)
    if kept is not memory:
        turn.conclude(StrategyMoved(symbol=symbol, memory=kept))
    return kept


def enter(turn: Turn, signal: Signal) -> None:
    """Size the signal, plan the parent, and let its first slice face the gates."""
    market = turn.soft.market.of(signal.symbol)
    instrument = turn.d.instruments[signal.symbol]
    target, at = sized(turn, signal, market, instrument)
    turn.conclude(SignalSeen(signal=signal, target=target))
    name = f"p{base36(turn.d.epoch)}-{base36(turn.d.orders_opened + 1)}"
    position = turn.d.ledger.position(signal.symbol)
    parent = plan(target, position, parent_id=name, config=turn.config.execution, now=turn.now)
    if parent is None:
        return
    parent = PartialSlicer.split(parent, instrument)
    child = PartialSlicer.next_child(parent, Children(), instrument, turn.now)
    if child is None:
        return
    approved = reviewed(turn, parent, child, target)
    if approved is None:
        return
    commit(turn, signal, target, at, parent)
    send(turn, parent, approved, target)


def reviewed(turn: Turn, parent: ParentOrder, qty: Qty, target: TargetPosition | None) -> Approved | None:
    briefing: Briefing = brief(turn, parent.symbol)
    decision = governance.review(child_intent(parent, qty), briefing, turn.config.governance, turn.now)
    if isinstance(decision, Approved):
        return decision
    denied = IntentDenied(denied=decision, target=target, at=turn.now)
    turn.soft.denials[parent.symbol] = denied
    turn.conclude(denied)
    return None


def commit(turn: Turn, signal: Signal, target: TargetPosition, at: Levels, parent: ParentOrder) -> None:
    """What a new position needs before its first order exists: its bracket and the memories behind it."""
    epoch = turn.d.position_epochs.get(signal.symbol, 0) + 1
    bracket = entering(target, epoch=epoch, backstop=at.backstop, now=turn.now, local_stop=at.stop)
    turn.conclude(BracketSet(bracket=bracket, cue="ENTER"))
    fraction = next(link.value for link in target.chain if link.stage == "stabilizer")
    known = turn.d.stabilizers.get(signal.symbol)
    if known is None or known.fraction != fraction:
        turn.conclude(StabilizerMoved(symbol=signal.symbol, fraction=fraction, at=turn.now))
    turn.conclude(ParentSet(parent=parent))


def send(turn: Turn, parent: ParentOrder, approved: Approved, target: TargetPosition | None) -> None:
    epoch = turn.d.position_epochs[parent.symbol]
    turn.submit(approved, lane=Lane.ENTRY, epoch=epoch, target=target)
    turn.conclude(ParentSet(parent=PartialSlicer.released(parent)))


def release_children(turn: Turn) -> None:
    """Slices that have come due; a parent whose children are done, or that may not go on, is closed."""
    for parent in tuple(turn.d.parents.values()):
        children = turn.d.blotter.of_position(parent.symbol, turn.d.position_epochs[parent.symbol])
        mine = tuple(order for order in children if order.intent.parent_id == parent.parent_id)
        instrument = turn.d.instruments[parent.symbol]
        done = Children.of(mine)
        tracked = PartialSlicer.track(parent, done, instrument)
        if tracked.done:
            turn.end_parent(tracked, tracked.why)
            continue
        child = PartialSlicer.next_child(parent, done, instrument, turn.now)
        if child is None:
            continue
        approved = reviewed(turn, parent, child, None)
        if approved is None:
            turn.end_parent(parent, "a slice was refused")
            continue
        send(turn, parent, approved, None)


def add_to_winners(turn: Turn) -> None:
    """Pyramiding: the stop moves first, and the add faces every gate like any entry."""
    if not turn.config.exits.pyramid_adds or turn.d.trading.state is not TradingState.ACTIVE:
        return
    busy = [parent.symbol for parent in turn.d.parents.values()]
    for bracket in tuple(turn.d.brackets.values()):
        symbol = bracket.symbol
        recently = turn.now - turn.soft.reviewed_at.get(symbol, NEVER) < REVIEW_AGAIN
        if bracket.phase not in (Phase.GUARDED, Phase.FREE) or symbol in busy or recently:
            continue
        instrument = turn.d.instruments[symbol]
        add = next_add(bracket, exact(turn.soft.market.of(symbol).mid), turn.config.exits, instrument)
        if add is None:
            continue
        turn.soft.reviewed_at[symbol] = turn.now
        parent = added(turn, bracket, add)
        approved = reviewed(turn, parent, add.qty, None)
        if approved is None:
            continue
        moved = replace(bracket, stop=add.stop, adds_done=bracket.adds_done + 1)
        turn.conclude(BracketSet(bracket=moved, cue="ADD"))
        turn.conclude(ParentSet(parent=parent))
        send(turn, parent, approved, None)


def added(turn: Turn, bracket: Bracket, add: Add) -> ParentOrder:
    return ParentOrder(
        parent_id=f"p{base36(turn.d.epoch)}-{base36(turn.d.orders_opened + 1)}",
        symbol=bracket.symbol,
        side=bracket.side,
        qty=add.qty,
        style=Style.IMMEDIATE,
        children=1,
        interval=0,
        started_at=turn.now,
        decision_mid=Price(turn.price(bracket.symbol)),
    )


def leave_by_strategy(turn: Turn) -> None:
    """A strategy may end its position; the exit is an exit like any other."""
    for bracket in tuple(turn.d.brackets.values()):
        if bracket.phase not in HELD:
            continue
        position = turn.d.ledger.position(bracket.symbol)
        why = turn.strategy.wants_exit(bracket.symbol, position, bracket.opened_at, turn.now)
        if why:
            begin_exit(turn, bracket, why)
