"""Partial take-profits: rungs of a ladder that add up to the position."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from aurora.model.bracket import Bracket
from aurora.model.instrument import Instrument
from aurora.model.numbers import ZERO, Price, Qty, ceil_to, floor_to
from aurora.model.order import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """At this gain (fraction of the entry) this share of the largest position held is closed."""

    gain: Decimal
    share: Decimal


@cache  # Asked on every quote of a held symbol; there are as many answers as configured ladders.
def rungs(texts: tuple[str, ...]) -> tuple[Rung, ...]:
    """Read ``gain:share`` texts, nearest first; the shares must add up to one. ValueError names the rung."""
    found: list[Rung] = []
    for text in texts:
        gain, _, share = text.partition(":")
        try:
            rung = Rung(gain=Decimal(gain), share=Decimal(share))
        except ArithmeticError:
            raise ValueError(f"ladder rung {text!r} must read gain:share, such as 0.002:0.5") from None
        if not (0 < rung.gain < 1 and 0 < rung.share <= 1):
            raise ValueError(f"ladder rung {text!r}: gain must be in (0, 1) and share in (0, 1]")
        if found and rung.gain <= found[-1].gain:
            raise ValueError(f"ladder rung {text!r} must stand beyond the one before it")
        found.append(rung)
    if found and sum(rung.share for rung in found) != 1:
        raise ValueError(f"the shares of the ladder add up to {sum(r.share for r in found)}, not 1")
    return tuple(found)


def rung_price(side: Side, entry: Price, rung: Rung, instrument: Instrument) -> Price:
    """Rounded away from the entry."""
    if side is Side.BUY:
        return Price(ceil_to(entry * (1 + rung.gain), instrument.tick_size))
    return Price(floor_to(entry * (1 - rung.gain), instrument.tick_size))


def quantities(size: Qty, ladder: tuple[Rung, ...], instrument: Instrument, price: Price) -> tuple[Qty, ...]:
    """Quantity of each rung, floored to the lot; one too small for an order goes with the next, the last
    takes the rest. They always add up to ``size``.
    """
    parts: list[Qty] = []
    carried, left = ZERO, Decimal(size)
    for number, rung in enumerate(ladder):
        if number == len(ladder) - 1:
            parts.append(Qty(left))
            break
        wanted = floor_to(size * rung.share + carried, instrument.market_step_size)
        if wanted < instrument.market_qty_min or wanted * price < instrument.notional_min:
            carried += size * rung.share
            parts.append(Qty(ZERO))
            continue
        part = min(wanted, left)
        carried, left = ZERO, left - part
        parts.append(Qty(part))
    return tuple(parts)


def due(bracket: Bracket, ladder: tuple[Rung, ...], mid: float, instrument: Instrument) -> int:
    """How many further rungs the mid has reached."""
    count = 0
    for rung in ladder[bracket.rungs_done :]:
        price = float(rung_price(bracket.side, bracket.entry, rung, instrument))
        if (mid - price) * bracket.side.sign < 0:
            break
        count += 1
    return count
