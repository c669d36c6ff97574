"""A market that can be pushed on demand: what its source tells, some ticks higher or lower from then on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, assert_never

from skalp_bot.paper.faults import FaultError
from skalp_bot.paper.market import (
    BookTop,
    BookUpdate,
    Candle,
    Grid,
    Level,
    Mark,
    MarketEvent,
    MarketSource,
    Trade,
    next_funding,
)

ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Stand:
    """One symbol as its source shows it, and how far it was pushed."""

    tick: Decimal
    shift: Decimal = ZERO
    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    mark: Mark | None = None
    taped: bool = False

    def mid(self) -> Decimal:
        return (max(self.bids) + min(self.asks)) / 2 + self.shift


class MovedMarket:
    """Stands between a source and the venue; until it is pushed it changes nothing."""

    def __init__(self, source: MarketSource, specs: Mapping[str, Grid]) -> None:
        self._source = source
        self._stands = {name: Stand(tick=specs[name].tick) for name in source.symbols}
        self._pushed: list[MarketEvent] = []

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._source.symbols

    def history(self, symbol: str) -> Sequence[Candle]:
        return self._source.history(symbol)

    def start(self, now_ms: int) -> list[MarketEvent]:
        return [self._told(event) for event in self._source.start(now_ms)]

    def resume(self, state: dict[str, Any], now_ms: int) -> list[MarketEvent]:
        return [self._told(event) for event in self._source.resume(state, now_ms)]

    def subscribed(self, symbol: str, now_ms: int) -> None:
        self._source.subscribed(symbol, now_ms)

    def state(self) -> dict[str, Any]:
        return self._source.state()

    def next_ms(self) -> int | None:
        return self._pushed[0].t_ms if self._pushed else self._source.next_ms()

    def pop(self, until_ms: int) -> list[MarketEvent]:
        pushed, self._pushed = self._pushed, []
        return [*pushed, *(self._told(event) for event in self._source.pop(until_ms))]

    def push(self, body: Mapping[str, Any], now_ms: int) -> None:
        """Move by each of ``move_bps`` at once; then ``trade`` prints at the touch, and ``mark`` follows."""
        stand = self._stands.get(str(body.get("symbol", "")))
        if stand is None or stand.taped or not (stand.bids and stand.asks):
            raise FaultError(f"symbol = {body.get('symbol')!r}: allowed are quoted ones that no tape plays")
        symbol = str(body["symbol"])
        try:
            moves = [Decimal(str(bps)) for bps in body.get("move_bps", [])]
            trade = body.get("trade")
            qty = Decimal(str(trade["qty"])) if trade is not None else ZERO
            sells = trade is not None and {"SELL": True, "BUY": False}[trade["side"]]
        except (ArithmeticError, KeyError, TypeError) as error:
            raise FaultError(
                f"{error!r}: move_bps is a list of numbers, trade is side (BUY, SELL) and qty"
            ) from None
        for bps in moves:
            ticks = (stand.mid() * bps / 10_000 / stand.tick).to_integral_value(ROUND_HALF_EVEN)
            self._pushed.append(shifted(stand, stand.shift + ticks * stand.tick, symbol, now_ms))
        if qty:
            touch = max(stand.bids) if sells else min(stand.asks)
            price = touch + stand.shift
            told = Trade(symbol=symbol, t_ms=now_ms, price=price, qty=qty, buyer_is_maker=sells)
            self._pushed.append(told)
        if body.get("mark") and stand.mark is not None:
            told_mark = replace(stand.mark, t_ms=now_ms, next_funding_ms=next_funding(now_ms))
            self._pushed.append(moved_mark(told_mark, stand.shift))

    def _told(self, event: MarketEvent) -> MarketEvent:
        """The event as the venue hears it; what the source meant is kept."""
        stand = self._stands[event.symbol]
        match event:
            case BookUpdate():
                stand.taped |= event.frame is not None
                if event.snapshot:
                    stand.bids, stand.asks = {}, {}
                keep(stand.bids, event.bids)
                keep(stand.asks, event.asks)
                if not stand.shift:
                    return event
                bids, asks = pushed(event.bids, stand.shift), pushed(event.asks, stand.shift)
                return replace(event, bids=bids, asks=asks)
            case BookTop():
                stand.taped = True
                return event
            case Trade():
                return replace(event, price=event.price + stand.shift)
            case Mark():
                stand.mark = event
                return moved_mark(event, stand.shift)
            case _:
                assert_never(event)


def keep(side: dict[Decimal, Decimal], levels: Sequence[Level]) -> None:
    for price, qty in levels:
        if qty:
            side[price] = qty
        else:
            side.pop(price, None)


def pushed(levels: Sequence[Level], shift: Decimal) -> tuple[Level, ...]:
    return tuple((price + shift, qty) for price, qty in levels if price + shift > 0)


def shifted(stand: Stand, shift: Decimal, symbol: str, now_ms: int) -> BookUpdate:
    """The whole book gone from where it stood and shown at its new place, in one update."""
    before, stand.shift = stand.shift, shift
    sides = []
    for side in (stand.bids, stand.asks):
        new = dict(pushed(tuple(side.items()), shift))
        gone = ((price + before, ZERO) for price in side if price + before not in new)
        sides.append((*gone, *new.items()))
    return BookUpdate(symbol=symbol, t_ms=now_ms, bids=sides[0], asks=sides[1])


def moved_mark(mark: Mark, shift: Decimal) -> Mark:
    return replace(mark, mark=mark.mark + shift, index=mark.index + shift) if shift else mark
