"""Rows of Binance's REST answers turned into views, fills, flows and instruments."""

from dataclasses import replace
from typing import Any

from aurora.model.account import BalanceView, OrderView, PositionView
from aurora.model.fill import CashFlow, Fill, FillSource
from aurora.model.instrument import FeeRates, Instrument, LeverageBracket
from aurora.model.market import Candles
from aurora.model.numbers import Nanos, Qty, Quote
from aurora.model.order import Namespace, Side
from skalp_bot.exch.decode import algo_status, flow_kind, order_status, order_type
from skalp_bot.exch.fields import (
    DecodeError,
    Row,
    choice,
    flag,
    mapping,
    nanos,
    number,
    price,
    price_or_none,
    qty,
    qty_or_zero,
    quote,
    quote_or_zero,
    rows,
    text,
    text_or_empty,
    whole,
)

# Told by fills already; reading them again as flows would book them twice.
TRADE_INCOME = ("REALIZED_PNL", "COMMISSION")


def order_view(row: Row) -> OrderView:
    """An order of the regular book, as listed, queried or answered."""
    return OrderView(
        namespace=Namespace.REGULAR,
        symbol=text(row, "symbol"),
        client_id=text(row, "clientOrderId"),
        exchange_id=text(row, "orderId"),
        side=choice(row, "side", Side),
        type=order_type(row, "type"),
        status=order_status(text(row, "status")),
        qty=qty(row, "origQty"),
        filled=qty(row, "executedQty"),
        price=price_or_none(row, "price"),
        trigger=price_or_none(row, "stopPrice"),
        reduce_only=flag(row, "reduceOnly"),
        close_position=flag(row, "closePosition"),
        ts_event=nanos(row, "updateTime"),
    )


def algo_view(row: Row) -> OrderView:
    """A conditional order; some answers name its kind ``orderType``, some ``type``."""
    return OrderView(
        namespace=Namespace.ALGO,
        symbol=text(row, "symbol"),
        client_id=text(row, "clientAlgoId"),
        exchange_id=text(row, "algoId"),
        side=choice(row, "side", Side),
        type=order_type(row, "orderType" if "orderType" in row else "type"),
        status=algo_status(text(row, "algoStatus")),
        qty=qty_or_zero(row, "quantity"),
        filled=qty_or_zero(row, "actualQty"),
        price=price_or_none(row, "price"),
        trigger=price_or_none(row, "triggerPrice"),
        reduce_only=flag(row, "reduceOnly"),
        close_position=flag(row, "closePosition"),
        ts_event=nanos(row, "updateTime"),
    )


def position_view(row: Row) -> PositionView | None:
    """None when it is flat: the venue lists such rows, and a symbol that is not listed is flat, too."""
    amount = number(row, "positionAmt")
    if not amount:
        return None
    if row.get("positionSide", "BOTH") != "BOTH":
        raise DecodeError(f"{text(row, 'symbol')}: a {row['positionSide']} position of hedge mode")
    return PositionView(
        symbol=text(row, "symbol"),
        qty=Qty(amount),
        entry=price(row, "entryPrice"),
        ts_event=nanos(row, "updateTime"),
    )


def balance_view(row: Row) -> BalanceView:
    return BalanceView(
        asset=text(row, "asset"), wallet=quote(row, "balance"), available=quote(row, "availableBalance")
    )


def order_views(payload: Any) -> tuple[OrderView, ...]:
    return tuple(order_view(row) for row in rows(payload, "openOrders"))


def algo_views(payload: Any) -> tuple[OrderView, ...]:
    return tuple(algo_view(row) for row in rows(payload, "openAlgoOrders"))


def position_views(payload: Any) -> tuple[PositionView, ...]:
    """Open positions only."""
    views = (position_view(row) for row in rows(payload, "positionRisk"))
    return tuple(view for view in views if view is not None)


def balance_views(payload: Any) -> tuple[BalanceView, ...]:
    return tuple(balance_view(row) for row in rows(payload, "balance"))


def listed_fill(row: Row, now: Nanos) -> Fill:
    return Fill(
        symbol=text(row, "symbol"),
        trade_id=whole(row, "id"),
        client_id="",
        exchange_id=text(row, "orderId"),
        side=choice(row, "side", Side),
        price=price(row, "price"),
        qty=qty(row, "qty"),
        fee=quote_or_zero(row, "commission"),
        fee_asset=text_or_empty(row, "commissionAsset"),
        realized=quote_or_zero(row, "realizedPnl"),
        maker=flag(row, "maker"),
        ts_event=nanos(row, "time"),
        ts_recv=now,
        source=FillSource.QUERY,
    )


def listed_flow(row: Row, now: Nanos) -> CashFlow:
    """One income row that is not a trade; a transaction id is unique within its kind only."""
    label = text(row, "incomeType")
    return CashFlow(
        kind=flow_kind(label),
        asset=text(row, "asset"),
        amount=quote(row, "income"),
        symbol=text_or_empty(row, "symbol"),
        label=label,
        flow_id=f"{label}:{text(row, 'tranId')}",
        ts_event=nanos(row, "time"),
        ts_recv=now,
    )


def income_flows(row: Row, now: Nanos) -> tuple[CashFlow, ...]:
    """The flow of an income row; none of a trade's."""
    return () if row.get("incomeType") in TRADE_INCOME else (listed_flow(row, now),)


def instrument(row: Row) -> Instrument:
    filters = {text(each, "filterType"): each for each in rows(row.get("filters"), "filters")}
    prices, lot, market_lot, notional, percent = (
        mapping(filters.get(name), f"{row.get('symbol')} {name}")
        for name in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE")
    )
    return Instrument(
        symbol=text(row, "symbol"),
        base_asset=text(row, "baseAsset"),
        quote_asset=text(row, "quoteAsset"),
        trading=text(row, "status") == "TRADING",
        tick_size=price(prices, "tickSize"),
        price_min=price_or_none(prices, "minPrice"),
        price_max=price_or_none(prices, "maxPrice"),
        step_size=_step(lot),
        qty_min=qty(lot, "minQty"),
        qty_max=qty(lot, "maxQty"),
        market_step_size=_step(market_lot),
        market_qty_min=qty(market_lot, "minQty"),
        market_qty_max=qty(market_lot, "maxQty"),
        notional_min=quote(notional, "notional"),
        multiplier_up=number(percent, "multiplierUp"),
        multiplier_down=number(percent, "multiplierDown"),
        market_take_bound=number(row, "marketTakeBound"),
        trigger_protect=number(row, "triggerProtect"),
    )


def listed_symbols(payload: Any) -> dict[str, Row]:
    listing = mapping(payload, "exchangeInfo")
    return {text(row, "symbol"): row for row in rows(listing.get("symbols"), "exchangeInfo.symbols")}


def leverage_brackets(payload: Any) -> dict[str, tuple[LeverageBracket, ...]]:
    """By symbol, smallest notional first; a single symbol may be answered as an object."""
    listing = [payload] if isinstance(payload, dict) else payload
    return {
        text(row, "symbol"): tuple(
            sorted(
                (_bracket(each) for each in rows(row.get("brackets"), "brackets")),
                key=lambda bracket: bracket.notional_floor,
            )
        )
        for row in rows(listing, "leverageBracket")
    }


def with_brackets(plain: Instrument, brackets: tuple[LeverageBracket, ...]) -> Instrument:
    return replace(plain, brackets=brackets)


def fee_rates(payload: Any) -> FeeRates:
    row = mapping(payload, "commissionRate")
    return FeeRates(
        symbol=text(row, "symbol"),
        maker=number(row, "makerCommissionRate"),
        taker=number(row, "takerCommissionRate"),
    )


def candles(payload: Any, symbol: str, now: Nanos) -> Candles:
    """Klines as [open time, open, high, low, close, ...]; the last one may still be open."""
    if not isinstance(payload, list):
        raise DecodeError(f"klines: expected a list, got {str(payload)[:80]!r}")
    columns = [_candle(each) for each in payload]
    return Candles(
        symbol=symbol,
        closes=tuple(close for _, _, close in columns),
        highs=tuple(high for high, _, _ in columns),
        lows=tuple(low for _, low, _ in columns),
        ts_recv=now,
    )


def _candle(cells: Any) -> tuple[float, float, float]:
    if not isinstance(cells, list) or len(cells) < 5:
        raise DecodeError(f"kline: {str(cells)[:80]!r}")
    row = {"high": cells[2], "low": cells[3], "close": cells[4]}
    return float(price(row, "high")), float(price(row, "low")), float(price(row, "close"))


def _bracket(row: Row) -> LeverageBracket:
    return LeverageBracket(
        leverage=whole(row, "initialLeverage"),
        notional_floor=Quote(number(row, "notionalFloor")),
        notional_cap=Quote(number(row, "notionalCap")),
        maint_margin_ratio=number(row, "maintMarginRatio"),
        maint_amount=Quote(number(row, "cum")),
    )


def _step(row: Row) -> Qty:
    step = number(row, "stepSize")
    if step <= 0:
        raise DecodeError(f"stepSize: above zero is needed, got {step}")
    return Qty(step)
