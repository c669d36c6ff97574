"""The life of a bracket as a table, and the questions protection asks about it."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from aurora.config import ExitsConfig
from aurora.errors import TransitionError
from aurora.execution.stops import rest_lags
from aurora.model.bracket import Bracket, Phase
from aurora.model.numbers import NEVER, ZERO, Nanos, Price, Qty
from aurora.model.order import LIVE, Order, OrderStatus, Role


class Cue(StrEnum):
    FILLED = "FILLED"  # The position grew.
    REDUCED = "REDUCED"  # It shrank and is not flat.
    COVERED = "COVERED"  # The exchange lists a stop that covers it.
    UNCOVERED = "UNCOVERED"  # It does not, or no longer.
    BREAK_EVEN = "BREAK_EVEN"  # The stop stands where the position can no longer lose.
    EXIT_SENT = "EXIT_SENT"
    FLAT = "FLAT"


P = Phase
NEXT: dict[tuple[Phase, Cue], Phase] = {
    (P.ENTERING, Cue.FILLED): P.NAKED,
    (P.ENTERING, Cue.FLAT): P.CLOSED,  # The entry ended without a fill.
    (P.NAKED, Cue.FILLED): P.NAKED,
    (P.NAKED, Cue.REDUCED): P.NAKED,
    (P.NAKED, Cue.COVERED): P.GUARDED,
    (P.NAKED, Cue.UNCOVERED): P.NAKED,
    (P.NAKED, Cue.EXIT_SENT): P.CLOSING,
    (P.NAKED, Cue.FLAT): P.CLOSED,
    (P.GUARDED, Cue.FILLED): P.NAKED,  # What was added is bare until a listed stop covers all of it.
    (P.GUARDED, Cue.REDUCED): P.GUARDED,
    (P.GUARDED, Cue.COVERED): P.GUARDED,
    (P.GUARDED, Cue.UNCOVERED): P.NAKED,
    (P.GUARDED, Cue.BREAK_EVEN): P.FREE,
    (P.GUARDED, Cue.EXIT_SENT): P.CLOSING,
    (P.GUARDED, Cue.FLAT): P.CLOSED,
    (P.FREE, Cue.FILLED): P.NAKED,
    (P.FREE, Cue.REDUCED): P.FREE,
    (P.FREE, Cue.COVERED): P.FREE,
    (P.FREE, Cue.UNCOVERED): P.NAKED,
    (P.FREE, Cue.BREAK_EVEN): P.FREE,
    (P.FREE, Cue.EXIT_SENT): P.CLOSING,
    (P.FREE, Cue.FLAT): P.CLOSED,
    (P.CLOSING, Cue.FILLED): P.CLOSING,  # An entry slice overtook the exit; the exit's next try takes it too.
    (P.CLOSING, Cue.REDUCED): P.CLOSING,
    (P.CLOSING, Cue.COVERED): P.CLOSING,
    (P.CLOSING, Cue.UNCOVERED): P.CLOSING,
    (P.CLOSING, Cue.EXIT_SENT): P.CLOSING,  # Another try.
    (P.CLOSING, Cue.FLAT): P.CLOSED,
    (P.CLOSED, Cue.COVERED): P.CLOSED,
    (P.CLOSED, Cue.UNCOVERED): P.CLOSED,
    (P.CLOSED, Cue.FLAT): P.CLOSED,
}


def advance(bracket: Bracket, cue: Cue, now: Nanos, *, exit_reason: str = "") -> Bracket:
    """The bracket after the cue; ``naked_since`` runs while a position is held that no listed stop covers.

    ``exit_reason`` is set when there is one.
    """
    try:
        phase = NEXT[bracket.phase, cue]
    except KeyError:
        raise TransitionError(f"bracket {bracket.symbol}: {cue} while {bracket.phase}") from None
    changes: dict[str, Any] = {"phase": phase}  # Made at once: every copy delays an exit.
    match cue:
        case Cue.FILLED | Cue.UNCOVERED:
            if bracket.naked_since is None:
                changes["naked_since"] = now
            if cue is Cue.FILLED and bracket.phase is Phase.ENTERING:
                changes["stop_since"] = now
        case Cue.COVERED:
            changes |= {"naked_since": None, "stops_tried": 0, "stop_tried_at": NEVER}
        case Cue.FLAT:
            changes["naked_since"] = None
        case Cue.EXIT_SENT:
            changes |= {"exits_tried": bracket.exits_tried + 1, "exit_tried_at": now}
        case Cue.REDUCED | Cue.BREAK_EVEN:
            pass
    if exit_reason:
        changes["exit_reason"] = exit_reason
    return replace(bracket, **changes)


def not_after(bracket: Bracket, now: Nanos) -> Bracket:
    """The bracket with no instant ahead of the clock; one that was set back must not hold up a stop."""
    since = bracket.naked_since
    return replace(
        bracket,
        opened_at=min(bracket.opened_at, now),
        stop_since=min(bracket.stop_since, now),
        naked_since=None if since is None else min(since, now),
        exit_tried_at=min(bracket.exit_tried_at, now),
        stop_tried_at=min(bracket.stop_tried_at, now),
        closed_at=min(bracket.closed_at, now),
    )


def covers(order: Order, bracket: Bracket, qty: Qty) -> bool:
    """Whether this order, as the exchange lists it, would end a position of this absolute quantity."""
    if not order.listed or order.status not in LIVE or order.intent.side is bracket.side:
        return False
    if order.intent.role not in (Role.STOP, Role.BACKSTOP):
        return False
    return order.intent.close_position or (order.intent.reduce_only and order.remaining >= qty)


def covered(orders: Iterable[Order], bracket: Bracket, qty: Qty) -> bool:
    return any(covers(order, bracket, qty) for order in orders)


def with_stop(bracket: Bracket, stop: Price, now: Nanos) -> Bracket:
    """The bracket with its stop at this level, which counts from now on if it is another one."""
    return bracket if stop == bracket.stop else replace(bracket, stop=stop, stop_since=now)


def predates(since: Nanos, bracket: Bracket) -> bool:
    """Whether what was seen since then may be older than the position or its stop; NEVER is no such time."""
    return NEVER < since < bracket.stop_since


def at_rest(orders: Iterable[Order], bracket: Bracket, exits: ExitsConfig, lag: Decimal | None) -> bool:
    """Whether each stop that is wanted rests, listed and in its place, and no other is open.

    So it is on nearly every look at a position; False only says that there may be something to do.
    """
    working = backstop = False
    for order in orders:
        role = order.intent.role
        if (role is not Role.STOP and role is not Role.BACKSTOP) or not order.open:
            continue
        if not order.listed or order.unknown_since is not None or order.status not in LIVE:
            return False
        if role is Role.BACKSTOP:
            backstop = True
        elif working or not fits(order, bracket, lag):
            return False
        else:
            working = True
    return (working or exits.mode == "local") and (backstop or not exits.backstop)


def fits(order: Order, bracket: Bracket, lag: Decimal | None) -> bool:
    """Whether a working stop stands near enough to the local level, for all of the position."""
    level = order.intent.level
    return level is not None and not rest_lags(bracket, level, lag) and order.remaining == bracket.qty


def usable(orders: Iterable[Order]) -> bool:
    """Whether one of them rests or may yet be answered; one that went missing is not waited for."""
    return any(
        order.status is OrderStatus.PENDING_NEW or (order.status in LIVE and order.unknown_since is None)
        for order in orders
    )


def last_code(orders: tuple[Order, ...], role: Role) -> int:
    """The code of the newest order of that role; zero when it was not refused, or there is none."""
    newest = [order for order in orders if order.intent.role is role][-1:]
    return newest[0].code if newest and newest[0].status is OrderStatus.REJECTED else 0


def stop_hit(bracket: Bracket, mid_low: float, mid_high: float) -> bool:
    """Against the worst mid since the last step: a spike inside a burst counts."""
    level = float(bracket.stop)
    return mid_low <= level if bracket.side.sign > 0 else mid_high >= level


def target_hit(bracket: Bracket, mid: float) -> bool:
    """Against the latest mid: a profit that is gone is not taken."""
    if bracket.take_profit is None:
        return False
    level = float(bracket.take_profit)
    return mid >= level if bracket.side.sign > 0 else mid <= level


def tightened(bracket: Bracket, stop: Qty) -> bool:
    """Whether ``stop`` is nearer to being hit than the present level; a stop never loosens."""
    return (stop - bracket.stop) * bracket.side.sign > ZERO
