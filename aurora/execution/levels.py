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


def levels(
    side: Side, entry: Price, exits: ExitsConfig, instrument: Instrument, atr: float | None = None
) -> Levels:
    """Stops round towards being hit earlier, the target away from the entry.

    ``atr``: average true range in price units, used where the configuration says so and it is known.
    A fixed price on the wrong side of the entry is a distance again: no position goes without a stop.
    """
    tick, sign = instrument.tick_size, side.sign
    stop, target = exact(exits.sl_price), exact(exits.tp_price)
    if not stop or (entry - stop) * sign <= 0:
        stop = entry - sign * distance(entry, exits.sl_pct, exits.sl_atr, atr)
    if not target or (target - entry) * sign <= 0:
        target = entry + sign * distance(entry, exits.tp_pct, exits.tp_atr, atr)
    backstop = entry - sign * entry * exact(exits.backstop_pct)
    # A stop that is no share of the entry stays inside the backstop whatever the market does.
    if (stop - backstop) * sign <= 0:
        stop = (entry + backstop) / 2
    return Levels(
        stop=on_grid(side, stop, tick),
        take_profit=on_grid(side, target, tick),
        backstop=on_grid(side, backstop, tick),
    )


def on_grid(side: Side, price: Decimal, tick: Price) -> Price:
    """A stop or a target of a position on ``side``, upwards for a long one: hit earlier, or further away."""
    return Price(ceil_to(price, tick) if side is Side.BUY else floor_to(price, tick))


def distance(entry: Price, fraction: float, ranges: float, atr: float | None) -> Decimal:
    """Price units: so many average true ranges when configured and known, else a fraction of the entry."""
    if ranges and atr is not None and atr > 0:
        return exact(round(ranges * atr, 12))
    return entry * exact(fraction)


def resting(side: Side, stop: Price, spread: float, exits: ExitsConfig, instrument: Instrument) -> Price:
    """The trigger of the working stop: the net offset beyond the local level, rounded to be hit earlier.

    ``spread`` is the bid-ask distance in price units; the larger of the two configured offsets counts.
    """
    wide = exact(exits.net_offset_spreads) * exact(round(spread, 10))
    offset = max(stop * exact(exits.net_offset_bps) / 10_000, wide)
    if side is Side.BUY:
        return Price(ceil_to(max(stop - offset, instrument.price_min), instrument.tick_size))
    return Price(floor_to(stop + offset, instrument.tick_size))
