"""What the exchange says a symbol is: its filters, its leverage brackets, its fees."""

from dataclasses import dataclass
from decimal import Decimal

from aurora.model.numbers import Price, Qty, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageBracket:
    """Between ``notional_floor`` and ``notional_cap`` (quote units) at most ``leverage`` is allowed."""

    leverage: int
    notional_floor: Quote
    notional_cap: Quote
    maint_margin_ratio: Decimal
    maint_amount: Quote  # Subtracted from notional x ratio ("cum").


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Filters of one symbol, in base units for quantities and quote units for prices and notional."""

    symbol: str
    base_asset: str
    quote_asset: str
    trading: bool  # False for any exchange status but TRADING.
    tick_size: Price
    price_min: Price
    price_max: Price
    step_size: Qty
    qty_min: Qty
    qty_max: Qty
    market_step_size: Qty
    market_qty_min: Qty
    market_qty_max: Qty
    notional_min: Quote
    multiplier_up: Decimal  # PERCENT_PRICE: a buy above mark x this is refused.
    multiplier_down: Decimal
    market_take_bound: Decimal
    trigger_protect: Decimal
    brackets: tuple[LeverageBracket, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRates:
    """Fractions of notional; positive is paid."""

    symbol: str
    maker: Decimal
    taker: Decimal
