"""One synthetic symbol: a mid that is a martingale on the tick grid, and the book and trades around it.

The hidden value `fair` gathers small fair moves. The touch follows it only when it is a tick or more away, at
independent instants, rounded to the grid by a coin that keeps its mean; then `fair` is set to the mid shown.
So the shown mid is a martingale, whoever watches it. Sizes, sides of trades and spreads are drawn
independently of what `fair` does next.
"""

from bisect import bisect_right
from decimal import Decimal
from math import erf, exp, floor, sqrt
from random import Random

from skalp_bot.paper import synthetic_model as model
from skalp_bot.paper.market import BookUpdate, Grid, Level, MarketEvent, Trade

LEVELS_MAX = model.LEVELS + 6
LEVELS_MIN = model.LEVELS - 4


class SyntheticBook:
    """Prices are whole ticks and quantities whole steps; Decimal appears when an event leaves."""

    def __init__(self, symbol: str, grid: Grid, price: Decimal, rng: Random) -> None:
        self.symbol = symbol
        self._tick, self._step, self._rng = grid.tick, grid.step, rng
        self._value_of_unit = float(grid.tick) * float(grid.step)
        self.bid = max(LEVELS_MAX, round(float(price / grid.tick)))
        self.ask = self.bid + 1
        self.fair = self.mid
        self._gap = max(1.0, model.LEVEL_GAP_BPS * 1e-4 * self.bid)
        self._bought = rng.random() < 0.5
        self._lean = rng.gauss(0, 1)
        self._mood = [rng.gauss(0, 1), rng.gauss(0, 1)]
        # Sides: 0 bids, 1 asks; each a map of price to quantity, the touch included.
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._refill(0)
        self._refill(1)

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2

    def snapshot(self, t_ms: int) -> BookUpdate:
        bids = tuple(self._level(price, qty) for price, qty in sorted(self._sides[0].items(), reverse=True))
        asks = tuple(self._level(price, qty) for price, qty in sorted(self._sides[1].items()))
        return BookUpdate(symbol=self.symbol, t_ms=t_ms, bids=bids, asks=asks, snapshot=True)

    def act(self, t_ms: int) -> list[MarketEvent]:
        """What happens at one instant: the price moves, something trades, or a size changes."""
        draw = self._rng.random()
        wide = self.ask - self.bid > 1
        if (wide and self._rng.random() < model.HEAL_SHARE) or (
            draw < model.PRICE_SHARE and abs(self.fair - self.mid) >= 1
        ):
            return self._move(t_ms)
        if draw < model.PRICE_SHARE + model.TRADE_SHARE:
            return self._trade(t_ms)
        if draw < model.PRICE_SHARE + model.TRADE_SHARE + model.DEEP_SHARE:
            return self._deep(t_ms)
        side = self._rng.random() < 0.5
        return [self._update(t_ms, side, {self._touch(side): self._resize(side)})]

    def _move(self, t_ms: int) -> list[MarketEvent]:
        rng = self._rng
        spread = 1
        if rng.random() >= model.ONE_TICK_SHARE:
            spread = 2 + int(rng.expovariate(1 / model.WIDE_TICKS))
        target = self.fair - spread / 2
        bid = floor(target) + (rng.random() < target - floor(target))
        bid = max(LEVELS_MAX, bid)
        ask = bid + spread
        events: list[MarketEvent] = []
        swept = bid >= self.ask or ask <= self.bid  # The old touch of one side is gone.
        if swept and rng.random() < model.SWEEP_PRINT_SHARE:
            self._bought = bid >= self.ask
            price = self._touch(self._bought)
            qty = min(self._sides[self._bought][price], self._traded_units())
            events.append(self._print(t_ms, price, qty, bought=self._bought))
        self.bid, self.ask = bid, ask
        self.fair = self.mid
        changes = (self._retouch(0, bid), self._retouch(1, ask))
        events.append(
            BookUpdate(
                symbol=self.symbol,
                t_ms=t_ms,
                bids=tuple(self._level(price, qty) for price, qty in changes[0].items()),
                asks=tuple(self._level(price, qty) for price, qty in changes[1].items()),
            )
        )
        return events

    def _retouch(self, side: int, touch: int) -> dict[int, int]:
        """Levels better than the new touch go, the touch comes, and the far end is kept within bounds."""
        book = self._sides[side]
        sign = 1 if side else -1
        changes = {price: 0 for price in book if (touch - price) * sign > 0}
        for price in changes:
            del book[price]
        if touch not in book:
            book[touch] = changes[touch] = self._resize(side)
        while len(book) > LEVELS_MAX:
            far = max(book) if side else min(book)
            del book[far]
            changes[far] = 0
        changes.update(self._refill(side))
        return changes

    def _trade(self, t_ms: int) -> list[MarketEvent]:
        rng = self._rng
        if rng.random() >= model.SAME_SIDE_SHARE:
            self._bought = not self._bought
        side = self._bought
        price = self._touch(side)
        there = self._sides[side][price]
        if there < 2:
            return [self._update(t_ms, side, {price: self._resize(side)})]
        qty = min(there - 1, self._traded_units())
        trade = self._print(t_ms, price, qty, bought=self._bought)
        self._sides[side][price] = there - qty
        return [trade, self._update(t_ms, side, {price: there - qty})]

    def _deep(self, t_ms: int) -> list[MarketEvent]:
        """A level behind the touch comes, goes or changes its size."""
        rng = self._rng
        side = rng.random() < 0.5
        book, touch, sign = self._sides[side], self._touch(side), 1 if side else -1
        price = touch + sign * (1 + int(rng.expovariate(1 / (self._gap * model.LEVELS / 2))))
        if price < 1:
            price = touch
        if price == touch:
            return [self._update(t_ms, side, {price: self._resize(side)})]
        if price in book and len(book) > LEVELS_MIN and rng.random() < 0.4:
            del book[price]
            return [self._update(t_ms, side, {price: 0})]
        qty = self._deep_units()
        book[price] = qty
        changes = {price: qty}
        if len(book) > LEVELS_MAX:
            far = max(book) if side else min(book)
            del book[far]
            changes[far] = 0
        return [self._update(t_ms, side, changes)]

    def _refill(self, side: int) -> dict[int, int]:
        book, added = self._sides[side], {}
        sign = 1 if side else -1
        if not book:
            touch = self._touch(side)
            book[touch] = added[touch] = self._resize(side)
        price = max(book) if side else min(book)
        while len(book) < LEVELS_MIN and price + sign > 0:
            price = max(1, price + sign * (1 + int(self._rng.expovariate(1 / self._gap))))
            book[price] = added[price] = self._deep_units()
        return added

    def _resize(self, side: int) -> int:
        """A new size at the touch, remembering the last one; recorded quantiles of its notional."""
        keep, drawn = model.TOUCH_PERSISTENCE, self._rng.gauss
        news = sqrt(1 - keep * keep)
        self._lean = keep * self._lean + news * drawn(0, 1)
        self._mood[side] = keep * self._mood[side] + news * drawn(0, 1)
        against = sqrt(model.TOUCH_OPPOSED) * (self._lean if side else -self._lean)
        mood = against + sqrt(1 - model.TOUCH_OPPOSED) * self._mood[side]
        share = (1 + erf(mood / sqrt(2))) / 2
        upper = min(bisect_right(model.TOUCH_QUANTILES, share), len(model.TOUCH_QUANTILES) - 1)
        low, high = model.TOUCH_QUANTILES[upper - 1], model.TOUCH_QUANTILES[upper]
        begin, end = model.TOUCH_NOTIONALS[upper - 1], model.TOUCH_NOTIONALS[upper]
        qty = self._units(begin + (end - begin) * (share - low) / (high - low))
        touch = self._touch(side)
        if self._sides[side].get(touch) == qty:
            qty += 1  # An update is news.
        self._sides[side][touch] = qty
        return qty

    def _traded_units(self) -> int:
        notional = exp(self._rng.gauss(model.TRADE_LOG_MEAN, model.TRADE_LOG_SIGMA))
        return self._units(min(notional, model.TRADE_NOTIONAL_MAX))

    def _deep_units(self) -> int:
        notional = exp(self._rng.gauss(model.DEEP_LOG_MEAN, model.DEEP_LOG_SIGMA))
        return self._units(min(notional, model.DEEP_NOTIONAL_MAX))

    def _units(self, notional: float) -> int:
        return max(1, round(notional / (self.bid * self._value_of_unit)))

    def _touch(self, side: int) -> int:
        return self.ask if side else self.bid

    def _level(self, price: int, qty: int) -> Level:
        return price * self._tick, qty * self._step

    def _update(self, t_ms: int, side: int, changes: dict[int, int]) -> BookUpdate:
        levels = tuple(self._level(price, qty) for price, qty in changes.items())
        bids, asks = ((), levels) if side else (levels, ())
        return BookUpdate(symbol=self.symbol, t_ms=t_ms, bids=bids, asks=asks)

    def _print(self, t_ms: int, price: int, qty: int, *, bought: bool) -> Trade:
        value, size = self._level(price, qty)
        return Trade(symbol=self.symbol, t_ms=t_ms, price=value, qty=size, buyer_is_maker=not bought)
