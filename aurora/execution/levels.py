"""Where stops and targets stand: distances from a price, each rounded in a named direction."""

from dataclasses import dataclass
from decimal import Decimal

from aurora.config import ExitsConfig
from aurora.model.instrument import Instrument
from aurora.model.numbers import Price, ceil_to, floor_to
from aurora.model.order import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    stop: Price  # Local, acted on at once.
    take_profit: Price
    backstop: Price


def exact(value: float) -> Decimal:
    """A configured fraction as the decimal its author wrote."""
    return Decimal(repr(value))


def levels(side: Side, entry: Price, exits: ExitsConfig, instrument: Instrument) -> Levels:
    """Stops round towards being hit earlier, the target away from the entry."""
    down, up = (floor_to, ceil_to)
    tick = instrument.tick_size
    sl, tp, back = exact(exits.sl_pct), exact(exits.tp_pct), exact(exits.backstop_pct)
    if side is Side.BUY:
        return Levels(
            stop=Price(up(entry * (1 - sl), tick)),
            take_profit=Price(up(entry * (1 + tp), tick)),
            backstop=Price(up(entry * (1 - back), tick)),
        )
    return Levels(
        stop=Price(down(entry * (1 + sl), tick)),
        take_profit=Price(down(entry * (1 - tp), tick)),
        backstop=Price(down(entry * (1 + back), tick)),
    )


def resting(side: Side, stop: Price, spread: float, exits: ExitsConfig, instrument: Instrument) -> Price:
    """The trigger of the working stop: the net offset beyond the local level, rounded to be hit earlier.

    ``spread`` is the bid-ask distance in price units; the larger of the two configured offsets counts.
    """
    wide = exact(exits.net_offset_spreads) * exact(round(spread, 10))
    offset = max(stop * exact(exits.net_offset_bps) / 10_000, wide)
    if side is Side.BUY:
        return Price(ceil_to(max(stop - offset, instrument.price_min), instrument.tick_size))
    return Price(floor_to(stop + offset, instrument.tick_size))
