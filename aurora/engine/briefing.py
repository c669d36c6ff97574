"""What the gates are told about one symbol at one instant; an input nobody has is None, and denies."""

from math import isfinite

from aurora.engine.books import marks
from aurora.engine.turn import Turn
from aurora.governance import Briefing, TailAfter
from aurora.model.bracket import Phase
from aurora.model.control import Stream
from aurora.model.numbers import NEVER, as_float
from aurora.model.order import Namespace, Side


def brief(turn: Turn, symbol: str) -> Briefing:
    """Read from the books as they stand after every approval of this step."""
    market = turn.soft.market.of(symbol)
    ledger, blotter = turn.d.ledger, turn.d.blotter
    prices = marks(turn)
    equity = as_float(ledger.equity(prices)) if not ledger.unmarked(prices) else None
    gross = blotter.gross_exposure(ledger.positions(), {**prices, symbol: turn.price(symbol)})
    used = as_float(gross) / turn.config.leverage if gross is not None else None
    occupied = tuple(sorted(turn.d.brackets))
    reconciled = turn.soft.reconciled_at if turn.soft.up.get(Stream.USER, False) else NEVER
    return Briefing(
        symbol=symbol,
        state=turn.d.trading.state,
        reconciled_at=None if reconciled == NEVER else reconciled,
        unknown_orders=len(blotter.unknown(symbol)),
        stale_protection=stale_protection(turn, symbol),
        occupied=occupied,
        equity=equity,
        day_start=as_float(ledger.day_start) if ledger.marked_at != NEVER else None,
        gross=as_float(gross) if gross is not None else None,
        available=equity - used if equity is not None and used is not None else None,
        leverage=float(turn.config.leverage),
        bid=market.bid if market.seen else None,
        ask=market.ask if market.seen else None,
        mark=market.mark if market.seen else None,
        spread_bps=market.spread_bps if market.seen and isfinite(market.spread_bps) else None,
        latency_ms=market.latency_ms if market.seen else None,
        book_at=market.ts_recv if market.seen else None,
        tail=lambda name, change: tail_after(turn, name, change),
        conditional_open=conditional_open(turn),
        exits=turn.config.exits_of(symbol),
        foreign_activity=turn.soft.look(symbol).foreign,
        instrument=turn.d.instruments.get(symbol),
        closed_at=turn.d.round_trips.get(symbol, NEVER),
    )


def tail_after(turn: Turn, symbol: str, change: float) -> TailAfter:
    """Shortfall of the book in its worst case once ``change`` (signed notional) is added."""
    exposures = {name: worst for name in turn.config.symbols if (worst := worst_signed(turn, name))}
    tail, added = turn.stats.scenarios.marginal(exposures, symbol, change)
    return TailAfter(cvar=tail.cvar, marginal=added, warming_up=tail.warming_up)


def worst_signed(turn: Turn, symbol: str) -> float:
    """Signed notional of the position with every order that could add to it, on the larger side."""
    qty = as_float(turn.d.ledger.position(symbol).qty)
    orders = tuple(turn.d.blotter.increasing(symbol))
    long = qty + sum(as_float(o.unsettled) for o in orders if o.intent.side is Side.BUY)
    short = qty - sum(as_float(o.unsettled) for o in orders if o.intent.side is Side.SELL)
    return max(long, short, key=abs) * as_float(turn.price(symbol))


def stale_protection(turn: Turn, symbol: str) -> int:
    """Orders of an earlier position not proven gone; a closed bracket counts until its sweep is proven."""
    bracket = turn.d.brackets.get(symbol)
    epoch = bracket.epoch if bracket is not None else -1
    sweeping = bracket is not None and bracket.phase is Phase.CLOSED
    stale = [
        order
        for order in turn.d.blotter.open_orders(symbol)
        if order.intent.reduces and (sweeping or order.position_epoch != epoch)
    ]
    return len(stale) + sweeping


def conditional_open(turn: Turn) -> int:
    """Slots held by anybody, or owed to positions whose stops and targets are not all sent yet."""
    owed = 0
    for bracket in turn.d.brackets.values():
        if bracket.phase in (Phase.ENTERING, Phase.NAKED):
            sent = turn.d.blotter.of_position(bracket.symbol, bracket.epoch)
            held = sum(order.open and order.key.namespace is Namespace.ALGO for order in sent)
            owed += max(turn.config.exits_of(bracket.symbol).conditional_orders - held, 0)
    return turn.d.blotter.conditional_open() + turn.soft.foreign_conditional + owed
