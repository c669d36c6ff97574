"""Positions that need nothing: a look that would have before it what the last one had is spared.

What a look at a guarded position depends on is its bracket, its quantity and its orders, all frozen values
that are replaced when they change, so the same objects give the same answer. What else may end a position
that is safe behind its stops, the operator or time, is asked on every look.
"""

from aurora.engine.turn import Turn
from aurora.model.bracket import Bracket, Phase
from aurora.model.numbers import SECOND
from aurora.model.position import Position


def undisturbed(turn: Turn, bracket: Bracket, position: Position) -> bool:
    """Whether the last look found that nothing was to be done, and this one would have the same before it."""
    known = turn.soft.calm.get(bracket.symbol)
    return (
        known is not None
        and known[0] is bracket
        and known[1] is position
        and known[2] is turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
        and not ended_by(turn, bracket)
    )


def still(turn: Turn, bracket: Bracket) -> bool:
    """Whether a position whose stops are at rest waits for nothing else: no price, no instant, no answer.

    A naked one has a deadline, targets that rest are placed again in time, and a distance in average true
    ranges moves with the market.
    """
    exits = turn.config.exits_of(bracket.symbol)
    guarded = bracket.phase is Phase.GUARDED or bracket.phase is Phase.FREE
    return guarded and exits.tp_order == "local" and not exits.trail_atr


def ended_by(turn: Turn, bracket: Bracket) -> str:
    """Why a position is to end however safe it is; empty when it may stay."""
    if turn.d.trading.flatten:
        return "FLATTEN"
    limit = turn.config.exits_of(bracket.symbol).time_stop_s
    return "TIME_STOP" if limit and turn.now - bracket.opened_at >= limit * SECOND else ""
