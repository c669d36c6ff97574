"""From opinions to orders: strategy, size, plan, gates; entries only, and only from flat."""

from dataclasses import replace

from aurora.engine.protect import HELD, begin_exit
from aurora.engine.sizer import sized
from aurora.engine.slices import reviewed, send
from aurora.engine.turn import Turn, base36
from aurora.execution.bracket import with_stop
from aurora.execution.levels import Levels, exact
from aurora.execution.partials import Children, PartialSlicer
from aurora.execution.planner import Decision, entering, plan
from aurora.execution.pyramid import Add, next_add
from aurora.model.bracket import Bracket, Phase
from aurora.model.control import TradingState
from aurora.model.facts import BracketSet, ParentSet, SignalSeen, StabilizerMoved, StrategyMoved
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, NEVER, Price
from aurora.model.parent import ParentOrder, Style
from aurora.model.position import Position
from aurora.model.signal import Signal, TargetPosition
from aurora.signals.base import NO_MEMORY, Memory, Silence

REVIEW_AGAIN = 200 * MILLISECOND  # A refused symbol is not asked about on every tick.


def on_book(turn: Turn, tick: BookTicker) -> None:
    """Ask the strategy about the symbol that ticked, if it may be entered at all."""
    symbol, d, soft, now = tick.symbol, turn.d, turn.soft, turn.now
    if symbol in d.brackets or soft.stopping or soft.started_at == NEVER:
        return
    if d.trading.state is TradingState.HALTED or symbol not in d.instruments:
        return
    if now - soft.reviewed_at.get(symbol, NEVER) < REVIEW_AGAIN or now < soft.entry_after.get(symbol, NEVER):
        return
    position = d.ledger.position(symbol)
    memory = remember(turn, position)
    opinion = turn.strategy.look(symbol, soft.market.of(symbol), position, now, memory)
    if isinstance(opinion, Silence):
        soft.silences[symbol] = opinion
        return
    soft.silences.pop(symbol, None)
    soft.reviewed_at[symbol] = now
    enter(turn, opinion)


def remember(turn: Turn, position: Position) -> Memory:
    """Let the strategy see the position; what it wants to keep becomes a fact."""
    moved = turn.d.strategies.get(position.symbol)
    memory = moved.memory if moved is not None else NO_MEMORY
    kept = turn.strategy.remember(position.symbol, position, turn.now, memory)
    if kept is not memory:
        turn.conclude(StrategyMoved(symbol=position.symbol, memory=kept))
    return kept


def enter(turn: Turn, signal: Signal) -> None:
    """Size the signal, plan the parent, and let its first slice face the gates."""
    market = turn.soft.market.of(signal.symbol)
    instrument = turn.d.instruments[signal.symbol]
    target, at = sized(turn, signal, market, instrument)
    turn.conclude(SignalSeen(signal=signal, target=target))
    name = f"p{base36(turn.d.epoch)}-{base36(turn.d.orders_opened + 1)}"
    position = turn.d.ledger.position(signal.symbol)
    decision = Decision(parent_id=name, mid=Price(exact(market.mid)), now=turn.now)
    parent = plan(target, position, decision, config=turn.config.execution, instrument=instrument)
    if parent is None:
        return
    parent = PartialSlicer.split(parent, instrument)
    child = PartialSlicer.next_child(parent, Children(), instrument, turn.now)
    if child is None and parent.style is not Style.PARTICIPATE:
        return
    approved = reviewed(turn, parent, child or parent.qty, target)
    if approved is None:
        return
    commit(turn, signal, target, at, parent)
    if child is not None:
        send(turn, parent, approved, target)


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


def add_to_winners(turn: Turn) -> None:
    """Pyramiding: the stop moves first, and the add faces every gate like any entry."""
    if turn.d.trading.state is not TradingState.ACTIVE:
        return
    busy = [parent.symbol for parent in turn.d.parents.values()]
    for bracket in tuple(turn.d.brackets.values()):
        symbol = bracket.symbol
        exits = turn.config.exits_of(symbol)
        if not exits.pyramid_adds:
            continue
        recently = turn.now - turn.soft.reviewed_at.get(symbol, NEVER) < REVIEW_AGAIN
        if bracket.phase not in (Phase.GUARDED, Phase.FREE) or symbol in busy or recently:
            continue
        instrument = turn.d.instruments[symbol]
        add = next_add(bracket, exact(turn.soft.market.of(symbol).mid), exits, instrument)
        if add is None:
            continue
        turn.soft.reviewed_at[symbol] = turn.now
        parent = added(turn, bracket, add)
        approved = reviewed(turn, parent, add.qty, None)
        if approved is None:
            continue
        moved = replace(with_stop(bracket, add.stop, turn.now), adds_done=bracket.adds_done + 1)
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
