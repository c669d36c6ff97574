"""Where a stop may move while a position lives: break-even, trailing, the strategy's wish; never back."""

from dataclasses import dataclass
from decimal import Decimal

from aurora.config import ExitsConfig
from aurora.execution.levels import exact
from aurora.model.bracket import Bracket
from aurora.model.instrument import Instrument
from aurora.model.numbers import Price, ceil_to, divide, floor_to
from aurora.model.order import Side

RATCHET_SHARE = Decimal("0.05")  # The local level moves once the gain is this share of the trail distance.
REST_SHARE = Decimal("0.25")  # The resting stop follows when it lags by this share.


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A tighter local level and why."""

    stop: Price
    peak: Price | None
    why: str


def break_even(bracket: Bracket, *, fee: Decimal, instrument: Instrument) -> Price:
    """The price at which closing pays both fees and nothing more, rounded to the position's favour.

    LONG: entry (1 + fee) / (1 - fee); SHORT: entry (1 - fee) / (1 + fee). ``fee``: fraction of notional.
    """
    if bracket.side is Side.BUY:
        return Price(ceil_to(divide(bracket.entry * (1 + fee), 1 - fee), instrument.tick_size))
    return Price(floor_to(divide(bracket.entry * (1 - fee), 1 + fee), instrument.tick_size))


def is_free(bracket: Bracket, *, fee: Decimal, instrument: Instrument) -> bool:
    """Whether a stop at the present level can no longer lose, fees included."""
    return (bracket.stop - break_even(bracket, fee=fee, instrument=instrument)) * bracket.side.sign >= 0


def trail_distance(bracket: Bracket, exits: ExitsConfig, atr: float | None) -> Decimal | None:
    """Price units between peak and stop; None when trailing is off or its ATR is not known yet."""
    if exits.trail_atr and atr is not None:
        return exact(round(exits.trail_atr * atr, 12))
    if exits.trail_pct and not exits.trail_atr:
        return bracket.entry * exact(exits.trail_pct)
    return None


def trailed(
    bracket: Bracket, best: Decimal, exits: ExitsConfig, instrument: Instrument, atr: float | None
) -> Move | None:
    """The ratchet: the stop follows the best price at the trail distance once the activation gain was seen.

    ``best`` is the latest mid. The level is rounded towards being hit earlier, moves only closer, and only
    when the move is worth a twentieth of the distance.
    """
    distance = trail_distance(bracket, exits, atr)
    if distance is None or distance <= 0:
        return None
    sign = bracket.side.sign
    peak = bracket.peak if bracket.peak is not None else bracket.entry
    if (best - peak) * sign <= 0:
        return None
    if (best - bracket.entry) * sign < bracket.entry * exact(exits.trail_activation_pct):
        return None
    stop = rounded(bracket.side, best - distance * sign, instrument)
    if (stop - bracket.stop) * sign < distance * RATCHET_SHARE:
        return None
    return Move(stop=stop, peak=Price(best), why="TRAILING")


def at_break_even(
    bracket: Bracket, best: Decimal, exits: ExitsConfig, instrument: Instrument, fee: Decimal
) -> Move | None:
    """Once the configured gain was seen the stop stands where the position pays its fees."""
    if not exits.break_even_pct:
        return None
    sign = bracket.side.sign
    if (best - bracket.entry) * sign < bracket.entry * exact(exits.break_even_pct):
        return None
    stop = break_even(bracket, fee=fee, instrument=instrument)
    if (stop - bracket.stop) * sign <= 0 or (best - stop) * sign <= 0:
        return None
    return Move(stop=stop, peak=bracket.peak, why="BREAK_EVEN")


def wished(bracket: Bracket, wish: Decimal, instrument: Instrument, *, may_loosen: bool) -> Move | None:
    """A strategy's own level: closer always, further only where configured, never beyond the backstop."""
    sign = bracket.side.sign
    stop = rounded(bracket.side, wish, instrument)
    closer = (stop - bracket.stop) * sign > 0
    inside = (stop - bracket.backstop) * sign > 0
    if not inside or not (closer or (may_loosen and stop != bracket.stop)):
        return None
    return Move(stop=stop, peak=bracket.peak, why="STRATEGY")


def rounded(side: Side, price: Decimal, instrument: Instrument) -> Price:
    """Towards being hit earlier."""
    tick = instrument.tick_size
    return Price(ceil_to(price, tick) if side is Side.BUY else floor_to(price, tick))


def rest_lags(bracket: Bracket, resting_level: Price, distance: Decimal | None) -> bool:
    """Whether the resting stop is too far behind the local level to be left where it is."""
    if distance is None:
        return resting_level != bracket.stop
    return abs(bracket.stop - resting_level) >= distance * REST_SHARE
