"""Public market events the venue sends when its own book, prints or marks change."""

from decimal import Decimal

from skalp_bot.paper.floor import Aggregate, Floor, Market
from skalp_bot.paper.market import AggFrame, BookTop, DepthFrame, Mark, TradeFrame
from skalp_bot.paper.orders import Push

Pairs = list[list[str]]
BOOK_KINDS = ("MARKET", "RPI")  # prints of the order book; ADL, the insurance fund and NA are none
AGGREGATE_MS = 100


def texts(market: Market, levels: list[tuple[Decimal, Decimal]]) -> Pairs:
    spec = market.spec
    return [[spec.price_text(price), spec.qty_text(qty)] for price, qty in levels]


def publish_book(floor: Floor, market: Market, now_ms: int) -> None:
    """Send the levels that changed since the last time, and the touch if it is another one."""
    bids, asks = market.bids.changed, market.asks.changed
    if not bids and not asks:
        return
    market.book_ms = now_ms
    market.derived = True
    if not market.update_id:
        market.update_id = market.depth_id = floor.opened_ms
    first = market.update_id + 1
    market.update_id = first + len(bids) + len(asks) - 1
    if floor.depth_wanted is None or floor.depth_wanted(market.spec.symbol):
        payload: dict[str, object] = {
            "e": "depthUpdate",
            "E": now_ms,
            "T": now_ms,
            "s": market.spec.symbol,
            "ps": market.spec.pair,
            "U": first,
            "u": market.update_id,
            "pu": market.depth_id,
            "b": texts(market, list(bids.items())),
            "a": texts(market, list(asks.items())),
            "st": 1,
        }
        floor.pushes.append(Push(event="depthUpdate", payload=payload, symbol=market.spec.symbol))
    market.depth_id = market.update_id
    bids.clear()
    asks.clear()
    publish_touch(floor, market, now_ms)


def publish_touch(floor: Floor, market: Market, now_ms: int) -> None:
    touch = touch_of(market)
    if touch == market.touch or market.taped:
        return
    market.touch = touch
    bid, bid_qty, ask, ask_qty = touch
    spec = market.spec
    payload: dict[str, object] = {
        "e": "bookTicker",
        "u": market.update_id,
        "s": spec.symbol,
        "ps": spec.pair,
        "b": spec.price_text(bid or Decimal(0)),
        "B": spec.qty_text(bid_qty),
        "a": spec.price_text(ask or Decimal(0)),
        "A": spec.qty_text(ask_qty),
        "T": now_ms,
        "E": now_ms,
        "st": 1,
    }
    floor.pushes.append(Push(event="bookTicker", payload=payload, symbol=spec.symbol))


def touch_of(market: Market) -> tuple[Decimal | None, Decimal, Decimal | None, Decimal]:
    bid, ask = market.bids.best, market.asks.best
    return (
        bid,
        market.bids.live[bid] if bid is not None else Decimal(0),
        ask,
        market.asks.live[ask] if ask is not None else Decimal(0),
    )


def republish_depth(floor: Floor, market: Market, frame: DepthFrame, now_ms: int) -> None:
    """Send a recorded depth frame as it was; only where its chain was broken by frames of ours its ids move.

    Recorded bookTickers run ahead of depth frames in the same sequence, so they do not matter here.
    """
    market.bids.changed.clear()
    market.asks.changed.clear()
    chained = market.depth_id in (0, frame.prev_id)
    market.derived = not chained
    first = frame.first_id if chained else market.update_id + 1
    last = frame.last_id if chained else max(frame.last_id, first)
    payload: dict[str, object] = {
        "e": "depthUpdate",
        "E": frame.event_ms,
        "T": frame.transact_ms,
        "s": market.spec.symbol,
        "ps": market.spec.pair,
        "U": first,
        "u": last,
        "pu": frame.prev_id if chained else market.depth_id,
        "b": texts(market, list(frame.bids)),
        "a": texts(market, list(frame.asks)),
        "st": 1,
    }
    market.depth_id = last
    market.update_id = max(market.update_id, last)
    market.book_ms = now_ms
    floor.pushes.append(Push(event="depthUpdate", payload=payload, symbol=market.spec.symbol))


def republish_touch(floor: Floor, market: Market, top: BookTop, now_ms: int) -> None:
    """One frame for one recorded touch, as it is now that clients may have taken from it or joined it.

    The tape never moves for us: between two recorded touches none is made up.
    """
    bid, bid_qty, ask, ask_qty = market.touch = touch_of(market)
    market.update_id = max(market.update_id, top.update_id)
    market.book_ms = now_ms
    spec = market.spec
    payload: dict[str, object] = {
        "e": "bookTicker",
        "u": top.update_id,
        "s": spec.symbol,
        "ps": spec.pair,
        "b": spec.price_text(bid or Decimal(0)),
        "B": spec.qty_text(bid_qty),
        "a": spec.price_text(ask or Decimal(0)),
        "A": spec.qty_text(ask_qty),
        "T": top.transact_ms,
        "E": top.event_ms,
        "st": 1,
    }
    floor.pushes.append(Push(event="bookTicker", payload=payload, symbol=spec.symbol))


def publish_trade(
    floor: Floor,
    market: Market,
    price: Decimal,
    qty: Decimal,
    now_ms: int,
    *,
    buyer_is_maker: bool,
    source: TradeFrame | AggFrame | str = "MARKET",
) -> int:
    """Send one print as trade and aggregate it; returns its trade id. `source` is its recording, or its kind.

    Only what traded in the book is a market trade: it is the last price, is listed and aggregated.
    """
    spec = market.spec
    recorded = source if isinstance(source, TradeFrame) else None
    kind = recorded.kind if recorded else source if isinstance(source, str) else "MARKET"
    ours = (market.trade_id or floor.opened_ms // 1000) + 1
    market.trade_id = ours if recorded is None else max(market.trade_id + 1, recorded.trade_id)
    transact_ms = recorded.transact_ms if recorded else now_ms
    priced = kind != "NA"
    payload: dict[str, object] = {
        "e": "trade",
        "E": recorded.event_ms if recorded else now_ms,
        "T": transact_ms,
        "s": spec.symbol,
        "t": market.trade_id,
        "p": spec.price_text(price) if priced else "0",
        "q": spec.qty_text(qty) if priced else "0",
        "X": kind,
        "m": buyer_is_maker,
        "st": 1,
    }
    floor.pushes.append(Push(event="trade", payload=payload, symbol=spec.symbol))
    if kind not in BOOK_KINDS:
        return market.trade_id
    market.last = price
    if market.algos:
        floor.printed.append((spec.symbol, price))
    row = {
        "id": market.trade_id,
        "price": payload["p"],
        "qty": payload["q"],
        "quoteQty": f"{price * qty:.2f}",
        "time": transact_ms,
        "isBuyerMaker": buyer_is_maker,
        "isRPITrade": kind == "RPI",
    }
    market.prints.append(row)
    fill = Aggregate(
        price=price,
        buyer_is_maker=buyer_is_maker,
        qty=qty,
        plain_qty=Decimal(0) if kind == "RPI" else qty,
        first_id=market.trade_id,
        last_id=market.trade_id,
        transact_ms=transact_ms,
    )
    aggregate(floor, market, fill, source if isinstance(source, AggFrame) else None, now_ms)
    return market.trade_id


def aggregate(floor: Floor, market: Market, fill: Aggregate, frame: AggFrame | None, now_ms: int) -> None:
    """Add a fill to the symbol's running aggregate, or begin another; a recorded one is told as it is."""
    running = floor.aggregates.get(market.spec.symbol)
    if running is not None and frame is None and running.takes(fill):
        return
    publish_aggregate(floor, market, now_ms)
    fill.due_ms = now_ms + AGGREGATE_MS
    floor.aggregates[market.spec.symbol] = fill
    if frame is not None:
        fill.agg_id, fill.transact_ms = frame.agg_id, frame.transact_ms
        fill.first_id, fill.last_id = frame.first_id, frame.last_id
        publish_aggregate(floor, market, frame.event_ms)


def publish_aggregate(floor: Floor, market: Market, event_ms: int) -> None:
    """Send what is running of a symbol as one aggTrade, and list it."""
    spec = market.spec
    done = floor.aggregates.pop(spec.symbol, None)
    if done is None:
        return
    ours = (market.agg_id or floor.opened_ms // 1000) + 1
    market.agg_id = max(market.agg_id + 1, done.agg_id) if done.agg_id else ours
    agg: dict[str, object] = {
        "a": market.agg_id,
        "p": spec.price_text(done.price),
        "q": spec.qty_text(done.qty),
        "nq": spec.qty_text(done.plain_qty),
        "f": done.first_id,
        "l": done.last_id,
        "T": done.transact_ms,
        "m": done.buyer_is_maker,
    }
    market.aggs.append(agg)
    payload = {"e": "aggTrade", "E": event_ms, "a": agg["a"], "s": spec.symbol, **agg, "st": 1}
    floor.pushes.append(Push(event="aggTrade", payload=payload, symbol=spec.symbol))


def publish_mark(floor: Floor, market: Market, mark: Mark, now_ms: int) -> None:
    price = f"{mark.mark:.8f}"
    payload: dict[str, object] = {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": mark.symbol,
        "p": price,
        "ap": price,
        "P": f"{mark.index:.8f}",
        "i": f"{mark.index:.8f}",
        "r": f"{mark.funding_rate:.8f}" if mark.next_funding_ms else "",
        "T": mark.next_funding_ms,
        "st": 1,
    }
    floor.pushes.append(Push(event="markPriceUpdate", payload=payload, symbol=mark.symbol))


def publish_contract(floor: Floor, market: Market, now_ms: int) -> None:
    """Send what a contract is now, after its status changed; brackets are named only where they changed."""
    raw, symbol = market.spec.raw, market.spec.symbol
    payload: dict[str, object] = {
        "e": "contractInfo",
        "E": now_ms,
        "s": symbol,
        "ps": market.spec.pair,
        "ct": raw.get("contractType", "PERPETUAL"),
        "dt": raw.get("deliveryDate", 0),
        "ot": raw.get("onboardDate", 0),
        "cs": market.spec.status,
        "st": 1,
    }
    floor.pushes.append(Push(event="contractInfo", payload=payload, symbol=symbol))
