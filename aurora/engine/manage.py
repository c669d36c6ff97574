"""What is done with a guarded position while it lives: its stop tightens, its profit is taken in parts."""

from dataclasses import replace
from decimal import Decimal

from aurora.engine.turn import Turn
from aurora.execution.bracket import Cue, advance, with_stop
from aurora.execution.exits import partial_intent
from aurora.execution.ladder import due, quantities, rungs
from aurora.execution.levels import exact
from aurora.execution.stops import Move, at_break_even, is_free, trailed, wished
from aurora.model.bracket import Bracket, Phase
from aurora.model.facts import BracketSet, ProtectionGap
from aurora.model.numbers import SECOND
from aurora.model.order import Order, Role

GUARDED = (Phase.GUARDED, Phase.FREE)
PART_AGAIN = SECOND


def put(turn: Turn, bracket: Bracket, cue: Cue, *, exit_reason: str = "") -> Bracket:
    """Advance the bracket and close the protection gap when the cue ends one."""
    moved = advance(bracket, cue, turn.now, exit_reason=exit_reason)
    if bracket.naked_since is not None and moved.naked_since is None:
        turn.conclude(
            ProtectionGap(
                symbol=bracket.symbol,
                epoch=bracket.epoch,
                since=bracket.naked_since,
                until=turn.now,
                notional=bracket.qty * bracket.entry,
            )
        )
    turn.conclude(BracketSet(bracket=moved, cue=cue.value))
    return moved


def manage(turn: Turn, bracket: Bracket, mid: float) -> None:
    """On every quote of a held symbol whose configuration moves stops or takes profit in parts."""
    instrument = turn.d.instruments[bracket.symbol]
    exits = turn.config.exits_of(bracket.symbol)
    if (mid - float(bracket.peak or bracket.entry)) * bracket.side.sign > 0:
        best, atr = exact(mid), turn.atr(bracket.symbol)
        fee = turn.taker_fee(bracket.symbol)
        for move in (
            at_break_even(bracket, best, exits, instrument, fee),
            trailed(bracket, best, exits, instrument, atr),
        ):
            if move is not None and (move.stop - bracket.stop) * bracket.side.sign > 0:
                bracket = tighten(turn, bracket, move)
    wish = None
    if exits.strategy_stops:
        wish = turn.strategy.stop_for(bracket.symbol, turn.soft.market.of(bracket.symbol), bracket, turn.now)
    if wish is not None:
        move = wished(bracket, exact(wish), instrument, may_loosen=exits.strategy_may_loosen)
        if move is not None:
            bracket = tighten(turn, bracket, move)
    if exits.ladder and exits.tp_order == "local":
        take_rungs(turn, bracket, mid)


def tighten(turn: Turn, bracket: Bracket, move: Move) -> Bracket:
    """Book the new local level; the resting stop follows on the next look at the bracket."""
    moved = replace(with_stop(bracket, move.stop, turn.now), peak=move.peak)
    turn.conclude(BracketSet(bracket=moved, cue=move.why))
    fee, instrument = turn.taker_fee(bracket.symbol), turn.d.instruments[bracket.symbol]
    if moved.phase is Phase.GUARDED and is_free(moved, fee=fee, instrument=instrument):
        return put(turn, moved, Cue.BREAK_EVEN)
    return moved


def take_rungs(turn: Turn, bracket: Bracket, mid: float) -> None:
    """Close the parts whose price is reached; one order for all of them, and none while one is on its way."""
    instrument = turn.d.instruments[bracket.symbol]
    ladder = rungs(turn.config.exits_of(bracket.symbol).ladder)
    reached = due(bracket, ladder, mid, instrument)
    if not reached:
        return
    taken = parts_of(turn, bracket)
    if taken and (taken[-1].open or (vain(taken[-1]) and turn.now - taken[-1].created_at < PART_AGAIN)):
        return
    sizes = quantities(bracket.size_first, ladder, instrument, bracket.entry)
    until = bracket.rungs_done + reached
    last = until == len(ladder)
    qty = bracket.qty if last else min(sum(sizes[bracket.rungs_done : until], Decimal(0)), bracket.qty)
    reason = "LADDER" if last else bracket.exit_reason
    turn.conclude(BracketSet(bracket=replace(bracket, rungs_done=until, exit_reason=reason), cue="RUNG"))
    if qty > 0:
        turn.reduce(partial_intent(bracket, type(bracket.qty)(qty), rung=until), epoch=bracket.epoch)


def missed_rungs(turn: Turn, bracket: Bracket) -> None:
    """A part that was refused, never sent or lost has closed nothing: its rungs are due again."""
    taken = parts_of(turn, bracket)
    if not taken or not vain(taken[-1]) or taken[-1].intent.slice_no != bracket.rungs_done:
        return
    done = max((order.intent.slice_no for order in taken if order.filled), default=0)
    if done < bracket.rungs_done:
        again = replace(bracket, rungs_done=done, exit_reason="")
        turn.conclude(BracketSet(bracket=again, cue="RUNG_MISSED"))


def parts_of(turn: Turn, bracket: Bracket) -> list[Order]:
    """Take-profits of the position, oldest first."""
    mine = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
    return [order for order in mine if order.intent.role is Role.TAKE_PROFIT]


def vain(order: Order) -> bool:
    """Over without a fill."""
    return not order.open and not order.filled
