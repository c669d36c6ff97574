"""Stream frames of Binance USD-M turned into events, from the raw strings."""

from collections.abc import Callable

from aurora.model.account import PositionView
from aurora.model.control import DecodeFailed, Stream
from aurora.model.events import AccountUpdate, Event, LeverageChanged, MarginCalled, OrderUpdate
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.market import BookTicker, MarketTrade, MarkPrice
from aurora.model.numbers import MILLISECOND, Nanos, Price, Qty
from aurora.model.order import Namespace, OrderKey, OrderStatus, OrderType, Side
from skalp_bot.exch.fields import (
    DecodeError,
    Row,
    choice,
    flag,
    mapping,
    nanos,
    number,
    number_or_zero,
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

PRICE_MAX = 1e12

ORDER_STATUS = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
}
# The venue's own closing orders: their status says who closes, so the quantities say how far.
FORCED_STATUS = ("NEW_ADL", "NEW_INSURANCE")

ALGO_STATUS = {
    "NEW": OrderStatus.NEW,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "FINISHED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
}

EXPIRY_REASON = {
    "0": "",
    "1": "self-trade prevention",
    "2": "IOC remainder",
    "3": "IOC remainder by self-trade prevention",
    "4": "knocked out by a reduce-only order of higher priority, or would reverse the position",
    "5": "liquidation",
    "6": "GTE condition unsatisfied",
    "7": "delisted",
    "8": "initial order expired after trigger",
    "9": "market order remainder",
}

FLOW_KIND = {
    "FUNDING_FEE": FlowKind.FUNDING,
    "SPECIAL_FUNDING_FEE": FlowKind.FUNDING,
    "DEPOSIT": FlowKind.TRANSFER,
    "WITHDRAW": FlowKind.TRANSFER,
    "WITHDRAW_REJECT": FlowKind.TRANSFER,
    "ADMIN_DEPOSIT": FlowKind.TRANSFER,
    "ADMIN_WITHDRAW": FlowKind.TRANSFER,
    "ASSET_TRANSFER": FlowKind.TRANSFER,
    "COIN_SWAP_DEPOSIT": FlowKind.TRANSFER,
    "COIN_SWAP_WITHDRAW": FlowKind.TRANSFER,
    "TRANSFER": FlowKind.TRANSFER,
    "INTERNAL_TRANSFER": FlowKind.TRANSFER,
    "CROSS_COLLATERAL_TRANSFER": FlowKind.TRANSFER,
    "STRATEGY_UMFUTURES_TRANSFER": FlowKind.TRANSFER,
}
# Reasons that move no cash of the wallet as a whole.
FLOWLESS = ("ORDER", "MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE")

# TRADE_LITE repeats a fill without its fee; the others belong to products we do not use.
IGNORED = (
    "TRADE_LITE",
    "CONDITIONAL_ORDER_TRIGGER_REJECT",
    "STRATEGY_UPDATE",
    "GRID_UPDATE",
    "listenKeyExpired",
)


def book_ticker(row: Row, now: Nanos) -> BookTicker:
    """The hot path: floats at once, garbage and crossed books refused."""
    try:
        bid_text, ask_text = row["b"], row["a"]
        if type(bid_text) is not str or type(ask_text) is not str:
            raise DecodeError(f"bookTicker: prices are told as text, got {bid_text!r} and {ask_text!r}")
        bid, ask = float(bid_text), float(ask_text)
        bid_qty, ask_qty = float(row["B"]), float(row["A"])
        if not (0.0 < bid <= ask < PRICE_MAX and 0.0 <= bid_qty < PRICE_MAX and 0.0 <= ask_qty < PRICE_MAX):
            raise DecodeError(
                f"bookTicker {row['s']}: bid {bid_text} x {row['B']}, ask {ask_text} x {row['A']}"
            )
        symbol, update_id, at_ms = row["s"], row["u"], row["T"]
        if type(symbol) is not str or type(update_id) is not int or type(at_ms) is not int:
            raise DecodeError(f"bookTicker: symbol {symbol!r}, update {update_id!r}, time {at_ms!r}")
        mid = (bid + ask) * 0.5
        at: Nanos = at_ms * MILLISECOND  # type: ignore[assignment]  # Naming it would cost a call per tick.
        # In the order of the fields: names cost as much as the rest of it. The extremes are its own.
        return BookTicker(
            symbol, bid, bid_qty, ask, ask_qty, bid_text, ask_text, update_id, at, now, mid, mid, bid, ask
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"bookTicker: {str(row)[:160]}") from error


def mark_price(row: Row, now: Nanos) -> MarkPrice:
    """That of every symbol comes in one burst each second: floats at once, garbage refused."""
    try:
        symbol, mark_text, next_ms, at_ms = row["s"], row["p"], row["T"], row["E"]
        mark, index, rate = float(mark_text), float(row.get("i") or 0), float(row.get("r") or 0)
        times = type(next_ms) is int and type(at_ms) is int and next_ms >= 0 and at_ms >= 0
        if type(symbol) is not str or type(mark_text) is not str or not times:
            raise DecodeError(f"markPriceUpdate: {str(row)[:160]}")
        if not (0.0 < mark < PRICE_MAX and 0.0 <= index < PRICE_MAX and -PRICE_MAX < rate < PRICE_MAX):
            raise DecodeError(f"markPriceUpdate {symbol}: mark {mark}, index {index}, funding rate {rate}")
        return MarkPrice(
            symbol=symbol,
            mark=mark,
            index=index,
            funding_rate=rate,
            next_funding=Nanos(next_ms * MILLISECOND),
            ts_event=Nanos(at_ms * MILLISECOND),
            ts_recv=now,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"markPriceUpdate: {str(row)[:160]}") from error


def market_trade(row: Row, now: Nanos) -> MarketTrade:
    """An aggTrade or trade print; ``m`` says that the buyer was waiting, so the seller took."""
    return MarketTrade(
        symbol=text(row, "s"),
        price=float(price(row, "p")),
        qty=float(qty(row, "q")),
        taker=Side.SELL if flag(row, "m") else Side.BUY,
        ts_event=nanos(row, "T"),
        ts_recv=now,
    )


def order_update(row: Row, now: Nanos) -> OrderUpdate:
    order = mapping(row.get("o"), "ORDER_TRADE_UPDATE.o")
    born_of_algo = order.get("st") == "ALGO_CONDITION"
    return OrderUpdate(
        key=OrderKey(namespace=Namespace.REGULAR, client_id=text(order, "c")),
        symbol=text(order, "s"),
        exchange_id=text(order, "i"),
        side=choice(order, "S", Side),
        type=order_type(order, "o"),
        status=_streamed_status(order),
        qty=qty(order, "q"),
        filled=qty(order, "z"),
        price=price_or_none(order, "p"),
        trigger=price_or_none(order, "sp"),
        reduce_only=flag(order, "R"),
        close_position=flag(order, "cp"),
        parent_algo=text(order, "si") if born_of_algo else "",
        child_id="",
        why=_expiry(text_or_empty(order, "er")),
        fill=_streamed_fill(order, now),
        ts_event=nanos(row, "T"),
        ts_recv=now,
    )


def algo_update(row: Row, now: Nanos) -> OrderUpdate:
    order = mapping(row.get("o"), "ALGO_UPDATE.o")
    child = text_or_empty(order, "ai")
    return OrderUpdate(
        key=OrderKey(namespace=Namespace.ALGO, client_id=text(order, "caid")),
        symbol=text(order, "s"),
        exchange_id=text(order, "aid"),
        side=choice(order, "S", Side),
        type=order_type(order, "o"),
        status=_known(ALGO_STATUS, text(order, "X")),
        qty=qty_or_zero(order, "q"),
        filled=qty_or_zero(order, "aq"),
        price=price_or_none(order, "p"),
        trigger=price_or_none(order, "tp"),
        reduce_only=flag(order, "R"),
        close_position=flag(order, "cp"),
        parent_algo="",
        child_id="" if child == "0" else child,
        why=text_or_empty(order, "rm"),
        fill=None,
        ts_event=nanos(row, "T"),
        ts_recv=now,
    )


def account_update(row: Row, now: Nanos) -> AccountUpdate:
    account = mapping(row.get("a"), "ACCOUNT_UPDATE.a")
    reason = text(account, "m")
    balances = rows(account.get("B", []), "ACCOUNT_UPDATE.B")
    at = nanos(row, "T")
    return AccountUpdate(
        reason=reason,
        wallets=tuple((text(each, "a"), quote(each, "wb")) for each in balances),
        flows=() if reason in FLOWLESS else tuple(_streamed_flows(balances, account, at, now)),
        positions=tuple(_streamed_positions(rows(account.get("P", []), "ACCOUNT_UPDATE.P"), at)),
        ts_event=at,
        ts_recv=now,
    )


def account_config_update(row: Row, now: Nanos) -> LeverageChanged:
    if "ac" not in row:
        raise DecodeError(f"account mode changed: {row.get('ai')}; multi-assets mode is not supported")
    config = mapping(row["ac"], "ACCOUNT_CONFIG_UPDATE.ac")
    return LeverageChanged(symbol=text(config, "s"), leverage=whole(config, "l"), ts_recv=now)


def margin_call(row: Row, now: Nanos) -> MarginCalled:
    called = rows(row.get("p"), "MARGIN_CALL.p")
    return MarginCalled(symbols=tuple(text(each, "s") for each in called), ts_recv=now)


def unknown_event(row: Row, now: Nanos) -> Event:
    raise DecodeError("not an event this program knows")


USER_EVENTS: dict[str, Callable[[Row, Nanos], Event]] = {
    "ORDER_TRADE_UPDATE": order_update,
    "ALGO_UPDATE": algo_update,
    "ACCOUNT_UPDATE": account_update,
    "ACCOUNT_CONFIG_UPDATE": account_config_update,
    "MARGIN_CALL": margin_call,
}


def user_event(row: Row, now: Nanos) -> Event | None:
    """Any frame of the private stream; None for those that add nothing. Never raises DecodeError."""
    name = row.get("e")
    if name in IGNORED:
        return None
    decode = USER_EVENTS.get(str(name), unknown_event)
    try:
        return decode(row, now)
    except DecodeError as error:
        return DecodeFailed(stream=Stream.USER, why=f"{name}: {error}", ts_recv=now)


def order_type(row: Row, key: str) -> OrderType:
    """LIQUIDATION is the venue's own type for a forced close; it takes what the market gives."""
    return OrderType.MARKET if row.get(key) == "LIQUIDATION" else choice(row, key, OrderType)


def order_status(word: str) -> OrderStatus:
    return _known(ORDER_STATUS, word)


def algo_status(word: str) -> OrderStatus:
    return _known(ALGO_STATUS, word)


def flow_kind(label: str) -> FlowKind:
    return FLOW_KIND.get(label, FlowKind.OTHER)


def _known(table: dict[str, OrderStatus], word: str) -> OrderStatus:
    if word not in table:
        raise DecodeError(f"order status {word!r} is not known")
    return table[word]


def _streamed_status(order: Row) -> OrderStatus:
    word = text(order, "X")
    if word not in FORCED_STATUS:
        return order_status(word)
    filled, total = number(order, "z"), number(order, "q")
    if not filled:
        return OrderStatus.NEW
    return OrderStatus.FILLED if filled >= total else OrderStatus.PARTIALLY_FILLED


def _expiry(code: str) -> str:
    return EXPIRY_REASON.get(code, f"reason {code}") if code else ""


def _streamed_fill(order: Row, now: Nanos) -> Fill | None:
    """A trade, or a forced close (CALCULATED) that really moved something."""
    if text_or_empty(order, "x") not in {"TRADE", "CALCULATED"} or not number_or_zero(order, "l"):
        return None
    return Fill(
        symbol=text(order, "s"),
        trade_id=whole(order, "t"),
        client_id=text(order, "c"),
        exchange_id=text(order, "i"),
        side=choice(order, "S", Side),
        price=price(order, "L"),
        qty=qty(order, "l"),
        fee=quote_or_zero(order, "n"),
        fee_asset=text_or_empty(order, "N"),
        realized=quote_or_zero(order, "rp"),
        maker=flag(order, "m"),
        ts_event=nanos(order, "T"),
        ts_recv=now,
    )


def _streamed_flows(balances: list[Row], account: Row, at: Nanos, now: Nanos) -> list[CashFlow]:
    reason = text(account, "m")
    return [
        CashFlow(
            kind=flow_kind(reason),
            asset=text(each, "a"),
            amount=quote(each, "bc"),
            symbol=text_or_empty(account, "S"),
            label=reason,
            flow_id="",
            ts_event=at,
            ts_recv=now,
        )
        for each in balances
        if number_or_zero(each, "bc")
    ]


def _streamed_positions(positions: list[Row], at: Nanos) -> list[PositionView]:
    """One-way positions; the empty hedge-mode sides that older frames list beside them are left out."""
    views = []
    for each in positions:
        amount = number(each, "pa")
        if each.get("ps", "BOTH") == "BOTH":
            entry = Price(number_or_zero(each, "ep"))
            views.append(PositionView(symbol=text(each, "s"), qty=Qty(amount), entry=entry, ts_event=at))
        elif amount:
            raise DecodeError(
                f"{text(each, 's')}: a {each['ps']} position of hedge mode; one-way is required"
            )
    return views
