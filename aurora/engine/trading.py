"""The trading state: who may open risk; journaled before it acts, left only by naming the halt."""

from aurora.engine.turn import Turn, base36
from aurora.model.control import TradingState
from aurora.model.facts import TradingStateChanged

SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


def set_state(turn: Turn, state: TradingState, *, by: str, reason: str, flatten: bool = False) -> None:
    """Tighten (or repeat) the state under a new halt id; never loosens."""
    present = turn.d.trading
    if SEVERITY[state] < SEVERITY[present.state]:
        state = present.state
    turn.conclude(
        TradingStateChanged(
            state=state,
            halt_id=f"H{base36(turn.d.epoch)}-{turn.d.halts + 1}",
            by=by,
            reason=reason,
            flatten=flatten or present.flatten,
            at=turn.now,
        )
    )
    turn.alert("TRADING_STATE", state.value, f"{state} by {by}: {reason}")


def resume(turn: Turn, *, halt_id: str, by: str, reason: str) -> bool:
    """Lift the halt that is named; naming another (or none) changes nothing."""
    present = turn.d.trading
    if present.state is TradingState.ACTIVE or halt_id != present.halt_id:
        turn.alert("RESUME_REFUSED", halt_id, f"the present halt is {present.halt_id or 'none'}")
        return False
    turn.conclude(
        TradingStateChanged(
            state=TradingState.ACTIVE, halt_id="", by=by, reason=reason, flatten=False, at=turn.now
        )
    )
    return True
