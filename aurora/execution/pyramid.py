"""Adding to a winner: only while the open risk after the add is at most the risk first taken."""

from dataclasses import dataclass
from decimal import Decimal

from aurora.config import ExitsConfig
from aurora.execution.levels import exact
from aurora.model.bracket import Bracket
from aurora.model.instrument import Instrument
from aurora.model.numbers import Price, Qty, Quote, ceil_to, divide, floor_to
from aurora.model.order import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """A quantity to add and the level the stop must stand at first."""

    qty: Qty
    stop: Price
    risk_after: Quote


def risk(side: Side, entry: Decimal, stop: Decimal, qty: Decimal) -> Decimal:
    """Quote units lost when the stop is hit at its level; zero when it can no longer lose."""
    return max((entry - stop) * side.sign * qty, Decimal(0))


def stop_for_risk(bracket: Bracket, entry: Decimal, qty: Decimal, instrument: Instrument) -> Price:
    """The level at which this quantity risks exactly what was risked first, rounded to be hit earlier."""
    level = entry - divide(bracket.initial_risk, qty) * bracket.side.sign
    tick = instrument.tick_size
    return Price(ceil_to(level, tick) if bracket.side is Side.BUY else floor_to(level, tick))


def next_add(bracket: Bracket, price: Decimal, exits: ExitsConfig, instrument: Instrument) -> Add | None:
    """The add that is due at this price, if its open risk can be kept; None otherwise.

    The stop moves up so far that average entry and stop risk no more than ``initial_risk``; it is rounded
    towards being hit earlier and has to stay a local stop's distance away from the price.
    """
    if bracket.adds_done >= exits.pyramid_adds or bracket.qty <= 0:
        return None
    sign = bracket.side.sign
    step = bracket.entry_first * exact(exits.pyramid_step_pct) * (bracket.adds_done + 1)
    if (price - bracket.entry_first) * sign < step:
        return None
    qty = Qty(floor_to(bracket.size_first * exact(exits.pyramid_share), instrument.market_step_size))
    if qty < instrument.market_qty_min or qty * price < instrument.notional_min:
        return None
    total = bracket.qty + qty
    average = divide(bracket.qty * bracket.entry + qty * price, total)
    stop = stop_for_risk(bracket, average, total, instrument)
    if (bracket.stop - stop) * sign > 0:
        stop = bracket.stop
    if (price - stop) * sign < price * exact(exits.sl_pct) / 2:
        return None
    after = Quote(risk(bracket.side, average, stop, total))
    if after > bracket.initial_risk:
        return None
    return Add(qty=qty, stop=stop, risk_after=after)
