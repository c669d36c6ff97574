"""What time brings: aggregated prints, fired orders, countdowns, ends of orders and keys, funding."""

import heapq
from itertools import islice

from skalp_bot.paper.account import Account
from skalp_bot.paper.algo import cancel_all_algo, conclude, expire_unneeded, finish, fire, watch
from skalp_bot.paper.floor import Floor, Market, add
from skalp_bot.paper.liquidation import check_accounts, take_over
from skalp_bot.paper.market import Mark
from skalp_bot.paper.market_events import publish_aggregate, publish_book
from skalp_bot.paper.matching import end
from skalp_bot.paper.money import cents
from skalp_bot.paper.orders import AlgoStatus, Expiry, OrderStatus, WorkingType
from skalp_bot.paper.trading import cancel_all, enforce_reduce_only
from skalp_bot.paper.user_events import Why, account_update, listen_key_expired

FORGET_EVERY_MS = 600_000


def run(floor: Floor, now_ms: int) -> None:
    """Do everything that is due, in the order of its time."""
    while floor.aggregates:
        symbol, running = next(iter(floor.aggregates.items()))
        if running.due_ms > now_ms:
            break
        publish_aggregate(floor, floor.markets[symbol], running.due_ms)
    while floor.firing and floor.firing[0][0] <= now_ms:
        _, algo_id, account_id = heapq.heappop(floor.firing)
        algo = floor.accounts[account_id].algos[algo_id]
        if algo.status is AlgoStatus.TRIGGERING:
            fire(floor, algo, now_ms)
            settle(floor, now_ms)
    while floor.deadlines and floor.deadlines[0][0] <= now_ms:
        _, kind, account_id, name = heapq.heappop(floor.deadlines)
        due(floor, floor.accounts[account_id], kind, name, now_ms)
        settle(floor, now_ms)
    for symbol in list(floor.held):
        pay_funding(floor, floor.markets[symbol], now_ms)
    if now_ms >= floor.forget_ms:
        floor.forget_ms = now_ms + FORGET_EVERY_MS
        for account in floor.accounts.values():
            forget(floor, account, now_ms)


def settle(floor: Floor, now_ms: int) -> None:
    """After a match: prints and ends reach conditional orders, positions bind reduce-only orders."""
    while floor.ended or floor.dirty or floor.printed:
        printed, floor.printed = floor.printed, []
        for symbol, price in printed:
            watch(floor, floor.markets[symbol], WorkingType.CONTRACT_PRICE, price, now_ms)
        ended, floor.ended = floor.ended, []
        for order in ended:
            if order.algo_id:
                conclude(floor, order, now_ms)
        dirty, floor.dirty = floor.dirty, {}
        for account_id, symbol in dirty:
            account = floor.accounts[account_id]
            enforce_reduce_only(floor, account, symbol, now_ms)
            expire_unneeded(floor, account, symbol, now_ms)
            if any(position.qty for position in account.positions_of(symbol)):
                floor.held[symbol] = None


def forget(floor: Floor, account: Account, now_ms: int) -> None:
    """Drop orders no query may find any more, and the oldest over the limit: memory follows what is kept."""
    ended = [o for o in account.orders.values() if not o.open]
    for left, order in zip(range(len(ended), 0, -1), ended, strict=True):
        if left > floor.settings.orders_max or not floor.keeps(order, now_ms):
            del account.orders[order.order_id]
            if account.by_client.get((order.symbol, order.client_order_id)) == order.order_id:
                del account.by_client[order.symbol, order.client_order_id]
    over = [a for a in account.algos.values() if a.algo_id not in account.open_algos]
    for left, algo in zip(range(len(over), 0, -1), over, strict=True):
        if left > floor.settings.orders_max or not floor.keeps(algo, now_ms):
            del account.algos[algo.algo_id]
            if account.algo_by_client.get(algo.client_algo_id) == algo.algo_id:
                del account.algo_by_client[algo.client_algo_id]


def finish_step(floor: Floor, now_ms: int) -> None:
    """Close one step of the venue: settle, fire what has no delay, publish every book that moved."""
    settle(floor, now_ms)
    if floor.firing and floor.firing[0][0] <= now_ms:
        run(floor, now_ms)
    for symbol in floor.moved:
        publish_book(floor, floor.markets[symbol], now_ms)
    floor.moved.clear()


def next_ms(floor: Floor) -> int | None:
    """Earliest time at which something is due."""
    times = [heap[0][0] for heap in (floor.firing, floor.deadlines) if heap]
    times.extend(running.due_ms for running in islice(floor.aggregates.values(), 1))
    for symbol in floor.held:
        market = floor.markets[symbol]
        if market.mark is not None and market.mark.next_funding_ms > market.funded_ms:
            times.append(market.mark.next_funding_ms)
    return min(times, default=None)


def due(floor: Floor, account: Account, kind: str, name: str, now_ms: int) -> None:
    """One deadline passed; it may have been moved or lost its object since it was set."""
    match kind:
        case "order":
            order = account.orders.get(int(name))
            if order is not None and order.open:
                over = OrderStatus.CANCELED if floor.settings.good_till_cancels else OrderStatus.EXPIRED
                end(floor, order, over, Expiry.NONE, now_ms)
        case "algo":
            algo = account.open_algos.get(int(name))
            if algo is not None and algo.status is AlgoStatus.NEW:
                finish(floor, algo, AlgoStatus.EXPIRED, now_ms)
        case "liquidation":
            take_over(floor, account, name, now_ms)
        case "countdown":
            if account.countdowns.get(name, now_ms + 1) <= now_ms:
                del account.countdowns[name]
                cancel_all(floor, account, name, now_ms)
                if floor.settings.countdown_cancels_algo:
                    cancel_all_algo(floor, account, name, now_ms)
        case _:
            if account.listen_key == name and account.listen_key_ms <= now_ms:
                account.listen_key = ""
                floor.by_listen_key.pop(name, None)
                listen_key_expired(floor, account, name, now_ms)


def on_mark(floor: Floor, market: Market, event: Mark, now_ms: int) -> None:
    """A new mark: funding that fell due at the old rate, then conditional orders, then margin."""
    if market.mark is not None and event.next_funding_ms != market.mark.next_funding_ms:
        pay_funding(floor, market, now_ms)
    market.mark = event
    if market.algos:
        watch(floor, market, WorkingType.MARK_PRICE, event.mark, now_ms)
    if event.symbol in floor.held:
        check_accounts(floor, market, now_ms)


def pay_funding(floor: Floor, market: Market, now_ms: int) -> None:
    """Pay what fell due: position x mark x rate, 8 decimals, half to even; longs pay a positive rate."""
    mark = market.mark
    if mark is None or not 0 < mark.next_funding_ms <= now_ms or mark.next_funding_ms <= market.funded_ms:
        return
    market.funded_ms = mark.next_funding_ms
    row = {
        "symbol": mark.symbol,
        "fundingTime": mark.next_funding_ms,
        "fundingRate": f"{mark.funding_rate:.8f}",
        "markPrice": f"{mark.mark:.8f}",
        "rateType": "Regular",
    }
    market.funding.append(row)
    if mark.symbol not in floor.held:
        return
    asset = market.spec.margin_asset
    anybody = False
    for account in floor.accounts.values():
        for position in account.positions_of(mark.symbol):
            if not position.qty:
                continue
            anybody = True
            amount = cents(-position.qty * mark.mark * mark.funding_rate)
            floor.pay(account, asset, amount, "FUNDING_FEE", now_ms, symbol=mark.symbol)
            add(floor.totals.funding, asset, -amount)
            account_update(floor, account, Why(reason="FUNDING_FEE", asset=asset, change=amount), now_ms)
    if not anybody:
        floor.held.pop(mark.symbol, None)
