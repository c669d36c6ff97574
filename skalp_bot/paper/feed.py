"""Books of the feed reach the venue's book: what is displayed changes, and may meet resting orders."""

from skalp_bot.paper.floor import Floor, Market
from skalp_bot.paper.market import BookTop, BookUpdate
from skalp_bot.paper.market_events import republish_depth, republish_touch, touch_of
from skalp_bot.paper.matching import uncross


def on_book(floor: Floor, market: Market, event: BookUpdate, now_ms: int) -> None:
    bids, asks = market.bids, market.asks
    untouched = not (bids.touched or asks.touched)
    if event.snapshot:
        bids.show_all(event.bids)
        asks.show_all(event.asks)
    else:
        for price, qty in event.bids:
            bids.show(price, qty)
        for price, qty in event.asks:
            asks.show(price, qty)
    if not untouched:
        uncross(floor, market, now_ms)
    elif event.snapshot:
        market.book_ms = now_ms
        bids.changed.clear()
        asks.changed.clear()
        market.touch = touch_of(market)
    elif event.frame is not None:
        republish_depth(floor, market, event.frame, now_ms)


def on_top(floor: Floor, market: Market, event: BookTop, now_ms: int) -> None:
    bids, asks = market.bids, market.asks
    untouched = not (bids.touched or asks.touched)
    if event.depth_recorded:
        bids.show_touch(event.bid, event.bid_qty)
        asks.show_touch(event.ask, event.ask_qty)
    else:
        bids.show_all(((event.bid, event.bid_qty),))
        asks.show_all(((event.ask, event.ask_qty),))
    market.taped = True
    if not untouched:
        uncross(floor, market, now_ms)
    elif event.depth_recorded:
        bids.changed.clear()
        asks.changed.clear()
    republish_touch(floor, market, event, now_ms)
