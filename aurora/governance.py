"""The only place that can say Approved: every gate, in the order of its authority."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import TypeVar

from aurora.config import ExitsConfig, GovernanceConfig
from aurora.errors import AuroraError
from aurora.model.control import TradingState
from aurora.model.gate import Approved, Check, Denied, GateDecision, GateReason
from aurora.model.instrument import Instrument
from aurora.model.numbers import ZERO, Nanos, as_float, floor_to
from aurora.model.order import OrderIntent, OrderType, TimeInForce

MARKET_COST = 1.0005  # The exchange reserves margin for a market buy at the ask plus this.
SEVERITY = {TradingState.ACTIVE: 0.0, TradingState.REDUCING: 1.0, TradingState.HALTED: 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class TailAfter:
    """Expected shortfall of the book in quote units after a change, and what the change adds to it."""

    cvar: float
    marginal: float
    warming_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """Everything a gate may look at, for one symbol at one instant; money in quote units.

    None is an input that is missing, and denies. No field has a default, so none is forgotten.
    """

    symbol: str
    state: TradingState
    reconciled_at: Nanos | None  # Last reconciliation that left no drift open.
    unknown_orders: int | None  # Of this symbol.
    stale_protection: int | None  # Protective orders of earlier positions not proven gone, of this symbol.
    occupied: tuple[str, ...] | None  # Symbols with a position, or with an order that may open one.
    equity: float | None
    day_start: float | None  # Equity at the UTC day's start, net of transfers since.
    gross: float | None  # Worst-case gross notional, orders in flight included.
    available: float | None  # Margin free for new orders.
    leverage: float | None
    bid: float | None
    ask: float | None
    mark: float | None
    spread_bps: float | None
    latency_ms: float | None
    book_at: Nanos | None  # Our clock at the last quote.
    tail: (
        Callable[[str, float], "TailAfter"] | None
    )  # Shortfall of the book after a signed change of notional.
    conditional_open: int | None  # Slots held or about to be needed, by anybody on the account.
    exits: ExitsConfig | None  # Of this symbol.
    foreign_activity: int | None  # Orders and positions on the symbol that are not ours.
    instrument: Instrument | None
    closed_at: Nanos | None  # Last round trip on the symbol; NEVER for none.


def review(intent: OrderIntent, briefing: Briefing, config: GovernanceConfig, now: Nanos) -> GateDecision:
    """May this order be sent? A value either way.

    An order that can only reduce passes in every state and is shown to no gate: a gate may stop us getting
    in, nothing may stop us getting out. Every other intent is shown to every gate, and the first that fails
    in the order of ``GATES`` gives the reason. A gate that raises, lacks an input or reads a number that is
    not finite denies.
    """
    if intent.reduces:
        return reduction(intent)
    checks = tuple(look(gate, intent, briefing, config, now) for gate in GATES)
    failed = next((check for check in checks if not check.passed), None)
    if failed is None:
        return Approved(intent=intent, checks=checks)
    return Denied(
        intent=intent, reason=failed.reason, observed=failed.observed, limit=failed.limit, checks=checks
    )


def reduction(intent: OrderIntent) -> Approved:
    """Approval of an order that can only reduce; ValueError for any other, which must face the gates."""
    if not intent.reduces:
        raise ValueError(f"{intent.side} {intent.symbol} could add exposure: it must face the gates")
    return Approved(intent=intent, checks=())


Number = TypeVar("Number", int, float, Nanos)


def probe(intent: OrderIntent) -> Approved:
    """Approval of an order that tries the venue and is no trade: reducing, or post-only so it takes nothing.

    For the doctor's conformance steps, which are refused on live; no strategy's order comes this way.
    """
    if not intent.reduces and intent.time_in_force is not TimeInForce.GTX:
        raise ValueError(
            f"{intent.side} {intent.symbol} could trade at once: a probe is post-only or reducing"
        )
    return Approved(intent=intent, checks=())


class Passes(Enum):
    """How an observation is held against its limit."""

    AT_MOST = "AT_MOST"
    BELOW = "BELOW"
    AT_LEAST = "AT_LEAST"


class MissingInputError(AuroraError):
    """A gate was asked to judge without something it needs to see."""


@dataclass(frozen=True, slots=True)
class Gate:
    reason: GateReason
    passes: Passes
    limit: Callable[[GovernanceConfig], float]
    observe: Callable[[OrderIntent, Briefing, Nanos], tuple[float, str]]  # The number, and a note.


def look(gate: Gate, intent: OrderIntent, briefing: Briefing, config: GovernanceConfig, now: Nanos) -> Check:
    """One gate's verdict; whatever goes wrong in a gate is a no. What could not be observed shows as 0."""
    limit = 0.0
    try:
        limit = gate.limit(config)
        same_symbol(intent, briefing)
        observed, note = gate.observe(intent, briefing, now)
        need("observation", observed)
        passed = compare(observed, limit, gate.passes)
    except MissingInputError as missing:
        return Check(reason=gate.reason, observed=0.0, limit=limit, passed=False, note=str(missing))
    except Exception as error:  # noqa: BLE001  # A gate that fails must deny, whatever its fault.
        note = f"{gate.reason}: {type(error).__name__}: {error}"
        return Check(reason=GateReason.GATE_ERROR, observed=0.0, limit=limit, passed=False, note=note)
    return Check(reason=gate.reason, observed=observed, limit=limit, passed=passed, note=note)


def compare(observed: float, limit: float, passes: Passes) -> bool:
    match passes:
        case Passes.AT_MOST:
            return observed <= limit
        case Passes.BELOW:
            return observed < limit
        case Passes.AT_LEAST:
            return observed >= limit


def need(name: str, value: Number | None) -> Number:
    """The input, present and finite."""
    if value is None:
        raise MissingInputError(f"{name} is missing")
    if not isfinite(value):
        raise MissingInputError(f"{name} is {value}")
    return value


def same_symbol(intent: OrderIntent, briefing: Briefing) -> None:
    if intent.symbol != briefing.symbol:
        raise AuroraError(f"the briefing is of {briefing.symbol}, the intent of {intent.symbol}")


def positive(name: str, value: float | None) -> float:
    known = need(name, value)
    if known <= 0.0:
        raise MissingInputError(f"{name} is {known}")
    return known


def quantity(intent: OrderIntent) -> float:
    return need("quantity", None if intent.qty is None else as_float(intent.qty))


def notional(intent: OrderIntent, briefing: Briefing) -> float:
    """What the order adds to exposure at most, quote units: at the dearest of mark, ask, its own prices."""
    price = max(
        positive("mark", briefing.mark),
        positive("ask", briefing.ask),
        as_float(intent.price) if intent.price is not None else 0.0,
        as_float(intent.trigger) if intent.trigger is not None else 0.0,
    )
    return quantity(intent) * price


def margin(intent: OrderIntent, briefing: Briefing) -> float:
    """What the exchange sets aside: notional over leverage, plus the loss the order would open with."""
    bid, ask = positive("bid", briefing.bid), positive("ask", briefing.ask)
    touch = ask * MARKET_COST if intent.side.sign > 0 else bid
    assumed = as_float(intent.price) if intent.price is not None else touch
    worse = intent.side.sign * (assumed - positive("mark", briefing.mark))
    opening_loss = quantity(intent) * max(0.0, worse)
    return notional(intent, briefing) / positive("leverage", briefing.leverage) + opening_loss


def seconds_since(name: str, at: Nanos | None, now: Nanos) -> float:
    """A clock that went backwards makes things old, never fresh."""
    return abs(now - need(name, at)) / 1e9


def trading_state(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    return SEVERITY[briefing.state], briefing.state.value


def not_reconciled(_: OrderIntent, briefing: Briefing, now: Nanos) -> tuple[float, str]:
    return seconds_since("reconciliation", briefing.reconciled_at, now), ""


def unknown_order(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    return need("unknown_orders", briefing.unknown_orders), ""


def stale_protection(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    return need("stale_protection", briefing.stale_protection), ""


def occupied_by(briefing: Briefing) -> tuple[str, ...]:
    if briefing.occupied is None:
        raise MissingInputError("occupied is missing")
    return briefing.occupied


def concurrent_positions(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """Counted with the new one."""
    return float(len({*occupied_by(briefing), intent.symbol})), ""


def order_notional(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    return notional(intent, briefing), ""


def gross_exposure(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """Worst-case gross after the order, over equity."""
    gross = need("gross", briefing.gross) + notional(intent, briefing)
    return gross / positive("equity", briefing.equity), ""


def free_margin(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """What stays free after the order, over equity."""
    free = need("available", briefing.available) - margin(intent, briefing)
    return free / positive("equity", briefing.equity), ""


def spread(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    """A crossed book has no spread, and no price to enter at."""
    return positive("spread_bps", briefing.spread_bps), ""


def latency(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    """Either way: an event from the future is a clock that cannot be trusted."""
    return abs(need("latency_ms", briefing.latency_ms)), ""


def stale_book(_: OrderIntent, briefing: Briefing, now: Nanos) -> tuple[float, str]:
    return seconds_since("book", briefing.book_at, now) * 1e3, ""


def daily_drawdown(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    """Fraction of the day's starting equity lost; a limit reached is a limit hit."""
    return 1.0 - need("equity", briefing.equity) / positive("day_start", briefing.day_start), ""


def cvar(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """Expected shortfall of the book after the order, over equity; the note says what the order adds."""
    equity = positive("equity", briefing.equity)
    if briefing.tail is None:
        raise MissingInputError("tail is missing")
    after = briefing.tail(intent.symbol, notional(intent, briefing) * intent.side.sign)
    note = f"adds {after.marginal / equity:.6f}" + (", warming_up" if after.warming_up else "")
    return after.cvar / equity, note


def exits_of(briefing: Briefing) -> ExitsConfig:
    if briefing.exits is None:
        raise MissingInputError("exits is missing")
    return briefing.exits


def conditional_slots(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """Slots in use once this entry has its stops, and targets where these rest as conditional orders."""
    more = 0 if intent.symbol in occupied_by(briefing) else exits_of(briefing).conditional_orders
    return float(need("conditional_open", briefing.conditional_open) + more), ""


def exit_levels(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """Basis points by which a fixed price lies on the wrong side of where we would enter; below 0: none does.

    A stop belongs between the widest permitted loss and the book, a target beyond the book.
    """
    exits, sign = exits_of(briefing), intent.side.sign
    if intent.symbol in occupied_by(briefing):
        return -1e4, "held: its levels stand"
    bid, ask = positive("bid", briefing.bid), positive("ask", briefing.ask)
    near, far = (bid, ask) if sign > 0 else (ask, bid)
    stop, target, widest = exits.sl_price, exits.tp_price, far * (1 - sign * exits.backstop_pct)
    wrong = [] if stop or target else [(-1.0, "no fixed price")]
    if stop:
        wrong.append(((stop / near - 1) * sign, f"sl_price {stop:.10g}, book {near:.10g}"))
        wrong.append(((widest - stop) / near * sign, f"sl_price {stop:.10g}, widest loss at {widest:.10g}"))
    if target:
        wrong.append(((1 - target / far) * sign, f"tp_price {target:.10g}, book {far:.10g}"))
    worst, note = max(wrong)
    return worst * 1e4, note


def foreign_activity(_: OrderIntent, briefing: Briefing, __: Nanos) -> tuple[float, str]:
    return need("foreign_activity", briefing.foreign_activity), ""


def instrument(intent: OrderIntent, briefing: Briefing, _: Nanos) -> tuple[float, str]:
    """How many of the symbol's rules the order would break."""
    if briefing.instrument is None:
        raise MissingInputError("filters are missing")
    broken = broken_rules(intent, briefing.instrument, notional(intent, briefing))
    return float(len(broken)), "; ".join(broken)


def broken_rules(intent: OrderIntent, rules: Instrument, size: float) -> list[str]:
    market = intent.type is OrderType.MARKET
    step = rules.market_step_size if market else rules.step_size
    least = rules.market_qty_min if market else rules.qty_min
    most = rules.market_qty_max if market else rules.qty_max
    qty, price, tick = intent.qty or ZERO, intent.price, rules.tick_size
    broken = [] if rules.trading else ["not trading"]
    if qty <= ZERO or not least <= qty <= most:
        broken.append(f"quantity {qty} outside {least} to {most}")
    elif step > ZERO and floor_to(qty, step) != qty:
        broken.append(f"quantity {qty} is no multiple of {step}")
    if price is not None and not rules.price_min <= price <= (rules.price_max or price):
        broken.append(f"price {price} outside {rules.price_min} to {rules.price_max}")
    elif price is not None and tick > ZERO and floor_to(price, tick) != price:
        broken.append(f"price {price} is no multiple of {tick}")
    if size < as_float(rules.notional_min):
        broken.append(f"notional {size:.4f} below {rules.notional_min}")
    return broken


def cooldown(_: OrderIntent, briefing: Briefing, now: Nanos) -> tuple[float, str]:
    """Seconds since the last round trip; one in the future has just been."""
    closed_at = need("closed_at", briefing.closed_at)
    return max(0.0, (now - closed_at) / 1e9), "" if closed_at else "no round trip yet"


def none_allowed(_: GovernanceConfig) -> float:
    return 0.0


def slots_usable(config: GovernanceConfig) -> float:
    return float(config.conditional_orders_max - config.conditional_orders_reserve)


# Order is authority: who stopped us first. A new gate is a row here and a field of the Briefing.
GATES: tuple[Gate, ...] = (
    Gate(GateReason.TRADING_STATE, Passes.AT_MOST, none_allowed, trading_state),
    Gate(GateReason.NOT_RECONCILED, Passes.AT_MOST, lambda c: c.reconciled_age_s_max, not_reconciled),
    Gate(GateReason.UNKNOWN_ORDER, Passes.AT_MOST, none_allowed, unknown_order),
    Gate(GateReason.STALE_PROTECTION, Passes.AT_MOST, none_allowed, stale_protection),
    Gate(
        GateReason.MAX_CONCURRENT_POSITIONS,
        Passes.AT_MOST,
        lambda c: float(c.max_concurrent_positions),
        concurrent_positions,
    ),
    Gate(GateReason.MAX_ORDER_NOTIONAL, Passes.AT_MOST, lambda c: c.order_notional_max, order_notional),
    Gate(GateReason.GROSS_EXPOSURE, Passes.AT_MOST, lambda c: c.gross_exposure_max, gross_exposure),
    Gate(GateReason.FREE_MARGIN, Passes.AT_LEAST, lambda c: c.free_margin_min, free_margin),
    Gate(GateReason.SPREAD, Passes.AT_MOST, lambda c: c.spread_bps_max, spread),
    Gate(GateReason.LATENCY, Passes.AT_MOST, lambda c: c.latency_ms_max, latency),
    Gate(GateReason.STALE_BOOK, Passes.AT_MOST, lambda c: c.book_age_ms_max, stale_book),
    Gate(GateReason.DAILY_DRAWDOWN, Passes.BELOW, lambda c: c.daily_drawdown_max, daily_drawdown),
    Gate(GateReason.CVAR, Passes.AT_MOST, lambda c: c.cvar_max, cvar),
    Gate(GateReason.CONDITIONAL_SLOTS, Passes.AT_MOST, slots_usable, conditional_slots),
    Gate(GateReason.EXIT_LEVELS, Passes.BELOW, none_allowed, exit_levels),
    Gate(GateReason.FOREIGN_ACTIVITY, Passes.AT_MOST, none_allowed, foreign_activity),
    Gate(GateReason.INSTRUMENT, Passes.AT_MOST, none_allowed, instrument),
    Gate(GateReason.COOLDOWN, Passes.AT_LEAST, lambda c: c.cooldown_s, cooldown),
)
