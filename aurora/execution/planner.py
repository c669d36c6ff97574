"""From a target position to the parent order that gets there."""

from dataclasses import dataclass, replace
from decimal import Decimal

from aurora.config import ExecutionConfig
from aurora.execution.levels import exact
from aurora.execution.partials import CHILDREN_MAX, lot
from aurora.execution.quotes import worst_price
from aurora.model.bracket import Bracket, Phase
from aurora.model.instrument import Instrument
from aurora.model.numbers import NO_QTY, SECOND, Nanos, Price, Qty, ceil_to, divide
from aurora.model.order import OrderIntent, OrderType, Role, TimeInForce
from aurora.model.parent import ParentOrder, Stage, Style
from aurora.model.position import Position
from aurora.model.signal import TargetPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """When, at which mid and under which name a parent begins."""

    parent_id: str
    mid: Price
    now: Nanos


def plan(
    target: TargetPosition,
    position: Position,
    decision: Decision,
    *,
    config: ExecutionConfig,
    instrument: Instrument,
) -> ParentOrder | None:
    """The parent order from a flat position to the target; None when there is nothing to do.

    A position is left by its exits, never by trading through it: with one held the plan is empty.
    """
    if target.qty <= NO_QTY or not position.flat:
        return None
    parent = ParentOrder(
        parent_id=decision.parent_id,
        symbol=target.symbol,
        side=target.side,
        qty=target.qty,
        style=Style(config.style),
        children=1,
        interval=0,
        started_at=decision.now,
        decision_mid=decision.mid,
        seed=config.seed,
    )
    return scheduled(parent, config, instrument)


def scheduled(parent: ParentOrder, config: ExecutionConfig, instrument: Instrument) -> ParentOrder:
    """The parent with what its style needs."""
    if parent.style is Style.IMMEDIATE:
        return parent
    if parent.style is Style.TWAP:
        interval = int(config.twap_interval_s * SECOND)
        jitter = int(config.twap_jitter * interval)
        return replace(parent, children=config.twap_slices, interval=interval, jitter=jitter)
    patient = replace(
        parent,
        bound=worst_price(parent.side, parent.decision_mid, exact(config.drift_bps_max), instrument),
        until=Nanos(parent.started_at + int(config.parent_timeout_s * SECOND)),
        crosses=config.then == "cross",
        children=CHILDREN_MAX,
    )
    match parent.style:
        case Style.CHASE:
            return replace(patient, children=config.chases_max + 1)
        case Style.PARTICIPATE:
            return replace(patient, share=exact(config.participation))
        case Style.ICEBERG:
            return replace(patient, clip=clip_of(parent, config, instrument))


def clip_of(parent: ParentOrder, config: ExecutionConfig, instrument: Instrument) -> Qty:
    """The configured share of the parent, and at least twice the smallest order so that no tail strands."""
    rules = lot(instrument)
    least = max(rules.smallest, ceil_to(divide(instrument.notional_min, parent.decision_mid), rules.step))
    return Qty(max(ceil_to(parent.qty * exact(config.clip_share), rules.step), least * 2))


def child_intent(parent: ParentOrder, qty: Qty, touch: Price) -> OrderIntent:
    """One child: at the market, resting at the own touch, or taking the rest at the bound."""
    price, force = None, None
    if parent.stage is Stage.CROSSING:
        price, force = parent.bound, TimeInForce.IOC
    elif parent.style.rests:
        price = touch
        force = TimeInForce.GTX if parent.style is Style.CHASE else TimeInForce.GTC
    return OrderIntent(
        symbol=parent.symbol,
        side=parent.side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        role=Role.ENTRY,
        qty=qty,
        price=price,
        time_in_force=force,
        parent_id=parent.parent_id,
        slice_no=parent.released,
        reason=f"{parent.style.value.lower()} child {parent.released + 1} of {parent.children}",
    )


def entering(
    target: TargetPosition, *, epoch: int, backstop: Price, now: Nanos, local_stop: Price
) -> Bracket:
    """The bracket of a position that is about to be entered."""
    return Bracket(
        symbol=target.symbol,
        epoch=epoch,
        side=target.side,
        phase=Phase.ENTERING,
        qty=Qty(Decimal(0)),
        entry=target.reference,
        stop=local_stop,
        initial_stop=local_stop,
        take_profit=target.take_profit,
        backstop=backstop,
        opened_at=now,
    )
