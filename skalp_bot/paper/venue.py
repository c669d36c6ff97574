"""The venue: one deterministic object that takes requests, market events and time, and says what happened."""

import hashlib
import heapq
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, assert_never

from skalp_bot.paper import algo as conditional
from skalp_bot.paper import feed, history, quotes, statements, timers, trading
from skalp_bot.paper.account import Account
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.floor import Floor, Ids, VenueSettings, add
from skalp_bot.paper.margin import asset_margin, cap_at
from skalp_bot.paper.market import BookTop, BookUpdate, Mark, MarketEvent, Trade
from skalp_bot.paper.market_events import Pairs, publish_contract, publish_mark
from skalp_bot.paper.matching import on_print
from skalp_bot.paper.money import ZERO, exact, plain
from skalp_bot.paper.orders import AlgoOrder, AlgoRef, Amend, NewAlgo, NewOrder, Order, OrderRef, Push, Query
from skalp_bot.paper.persist import dump, restore
from skalp_bot.paper.symbols import SymbolSpec, altered
from skalp_bot.paper.user_events import Why, account_update, leverage_update

__all__ = ["Account", "Venue", "VenueSettings"]
Row = dict[str, Any]  # one JSON object exactly as the client reads it
OK: Row = {"code": 200, "msg": "success"}


class Venue:
    """All methods are synchronous; times are integer milliseconds of venue time; refusals raise VenueError.

    Methods that give `Row`s give them ready for JSON. `Order` and `AlgoOrder` are the venue's own records:
    render them with `skalp_bot.paper.wire` and change nothing in them.
    """

    def __init__(
        self,
        *,
        symbols: Mapping[str, SymbolSpec],
        settings: VenueSettings,
        now_ms: int,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the venue, or go on from what `snapshot` gave."""
        self.symbols = dict(symbols)
        self.now_ms = now_ms
        ids = Ids(order=now_ms * 10, algo=2_000_000_000_000_000 + now_ms, tran=now_ms * 10)
        self.floor = Floor(symbols=self.symbols, settings=settings, ids=ids, opened_ms=now_ms)
        for spec in symbols.values():
            self.floor.add_market(spec)
        if state is not None:
            restore(self.floor, state)

    def relist(self, symbol: str, changes: Mapping[str, Any]) -> None:
        """Change a symbol's status or filters, worded as in exchangeInfo; contractInfo tells of a status."""
        market = self.floor.market(symbol)
        before, market.spec = market.spec.status, altered(market.spec, changes)
        self.symbols[symbol] = market.spec
        if market.spec.status != before:
            publish_contract(self.floor, market, self.now_ms)

    # Accounts.
    @exact
    def open_account(self, *, api_key: str, secret: str, deposit: Decimal, asset: str = "USDT") -> Account:
        account = Account(id=str(self.floor.ids.take("account")), api_key=api_key, secret=secret)
        self.floor.accounts[account.id] = account
        self.floor.by_key[api_key] = account
        self.transfer(account, deposit, self.now_ms, asset)
        return account

    def account_by_key(self, api_key: str) -> Account | None:
        return self.floor.by_key.get(api_key)

    @exact
    def transfer(self, account: Account, amount: Decimal, now_ms: int, asset: str = "USDT") -> None:
        """Move money into the account (positive) or out of it (negative); -2018 where it is not free."""
        if amount < 0 and -amount > asset_margin(self.floor, account, asset).withdrawable:
            raise VenueError(-2018)
        self.floor.pay(account, asset, amount, "TRANSFER", now_ms)
        add(self.floor.totals.deposits, asset, amount)
        why = Why(reason="DEPOSIT" if amount > 0 else "WITHDRAW", asset=asset, change=amount)
        account_update(self.floor, account, why, now_ms)

    # Regular orders.
    @exact
    def place(self, account: Account, request: NewOrder, now_ms: int) -> Order:
        self._begin(now_ms)
        order = trading.place(self.floor, account, request, now_ms)
        timers.finish_step(self.floor, now_ms)
        return order

    @exact
    def test(self, account: Account, request: NewOrder, now_ms: int) -> Order:
        self._begin(now_ms)
        return trading.place(self.floor, account, request, now_ms, dry=True)

    @exact
    def amend(self, account: Account, request: Amend, now_ms: int) -> Order:
        self._begin(now_ms)
        order = trading.amend(self.floor, account, request, now_ms)
        timers.finish_step(self.floor, now_ms)
        return order

    @exact
    def cancel(self, account: Account, ref: OrderRef, now_ms: int) -> Order:
        self._begin(now_ms)
        order = trading.cancel(self.floor, account, ref, now_ms)
        timers.finish_step(self.floor, now_ms)
        return order

    @exact
    def cancel_all(self, account: Account, symbol: str, now_ms: int) -> None:
        self._begin(now_ms)
        trading.cancel_all(self.floor, account, symbol, now_ms)
        timers.finish_step(self.floor, now_ms)

    def countdown(self, account: Account, symbol: str, countdown_ms: int, now_ms: int) -> None:
        """Cancel the symbol's orders unless called again within `countdown_ms`; 0 stops the countdown."""
        self.floor.market(symbol)
        account.countdowns.pop(symbol, None)
        if countdown_ms:
            account.countdowns[symbol] = now_ms + countdown_ms
            heapq.heappush(self.floor.deadlines, (now_ms + countdown_ms, "countdown", account.id, symbol))

    def order(self, account: Account, ref: OrderRef, now_ms: int) -> Order:
        return history.order(self.floor, account, ref, now_ms)

    def open_order(self, account: Account, ref: OrderRef) -> Order:
        return history.open_order(self.floor, account, ref)

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        return history.open_orders(self.floor, account, symbol)

    def all_orders(self, account: Account, query: Query, now_ms: int) -> list[Order]:
        return history.all_orders(self.floor, account, query, now_ms)

    def user_trades(self, account: Account, query: Query, now_ms: int) -> list[Row]:
        return history.user_trades(self.floor, account, query, now_ms)

    def amendments(self, account: Account, query: Query, ref: OrderRef | None = None) -> list[Row]:
        return history.amendments(self.floor, account, query, ref)

    def force_orders(self, account: Account, query: Query, now_ms: int) -> list[Order]:
        return history.force_orders(account, query, now_ms)

    # Conditional orders.
    @exact
    def place_algo(self, account: Account, request: NewAlgo, now_ms: int) -> AlgoOrder:
        self._begin(now_ms)
        return conditional.place_algo(self.floor, account, request, now_ms)

    def cancel_algo(self, account: Account, ref: AlgoRef, now_ms: int) -> AlgoOrder:
        self._begin(now_ms)
        return conditional.cancel_algo(self.floor, account, ref, now_ms)

    def cancel_all_algo(self, account: Account, symbol: str, now_ms: int) -> None:
        self._begin(now_ms)
        conditional.cancel_all_algo(self.floor, account, symbol, now_ms)

    def algo(self, account: Account, ref: AlgoRef, now_ms: int) -> AlgoOrder:
        return history.algo(self.floor, account, ref, now_ms)

    def open_algos(
        self, account: Account, symbol: str | None = None, algo_id: int | None = None
    ) -> list[AlgoOrder]:
        return history.open_algos(account, symbol, algo_id)

    def all_algos(self, account: Account, query: Query, now_ms: int) -> list[AlgoOrder]:
        return history.all_algos(self.floor, account, query, now_ms)

    # Account state: rows ready for JSON; version is 2 or 3.
    @exact
    def balances(
        self, account: Account, version: int, now_ms: int
    ) -> list[Row]:  # Both versions answer alike.
        return statements.balance_rows(self.floor, account, now_ms)

    @exact
    def account_row(self, account: Account, version: int, now_ms: int) -> Row:
        return statements.account_statement(self.floor, account, version, now_ms)

    @exact
    def position_risk(
        self, account: Account, version: int, now_ms: int, symbol: str | None = None
    ) -> list[Row]:
        self.now_ms = max(self.now_ms, now_ms)
        if symbol is not None:
            self.floor.market(symbol)
        if version == 2:
            listed = list(statements.every_position(self.floor, account, symbol))
        else:
            listed = statements.shown_positions(account, symbol)
        return [statements.risk_row(self.floor, account, position, version) for position in listed]

    def income(self, account: Account, query: Query, now_ms: int) -> list[Row]:
        return history.income(account, query, now_ms)

    @exact
    def set_leverage(self, account: Account, symbol: str, leverage: int, now_ms: int) -> Row:
        """Change initial leverage; -4028 outside the brackets, -2028 where the margin would not carry it."""
        market = self.floor.market(symbol)
        if not 1 <= leverage <= market.spec.leverage_max:
            raise VenueError(-4028, leverage)
        before = self.floor.leverage(account, symbol)
        cap = cap_at(market.spec, leverage)
        mark = market.mark_price() or ZERO
        if any(abs(position.qty) * mark > cap for position in account.positions_of(symbol)):
            raise VenueError(-2027)
        isolated = account.isolated.get(symbol, False)
        if leverage < before and isolated and any(p.qty for p in account.positions_of(symbol)):
            raise VenueError(-4161)
        account.leverage[symbol] = leverage
        margin = asset_margin(self.floor, account, market.spec.margin_asset)
        if leverage < before and margin.initial > margin.balance:
            account.leverage[symbol] = before
            raise VenueError(-2028)
        if leverage != before:
            leverage_update(self.floor, account, symbol, leverage, now_ms)
        return {"leverage": leverage, "maxNotionalValue": plain(cap), "symbol": symbol}

    def set_margin_type(self, account: Account, symbol: str, margin_type: str, now_ms: int) -> Row:
        self.now_ms = max(self.now_ms, now_ms)
        self.floor.market(symbol)
        isolated = margin_type == "ISOLATED"
        if account.isolated.get(symbol, False) == isolated:
            raise VenueError(-4046)
        if account.open.get(symbol) or any(a.symbol == symbol for a in account.open_algos.values()):
            raise VenueError(-4047)
        if any(position.qty for position in account.positions_of(symbol)):
            raise VenueError(-4048)
        account.isolated[symbol] = isolated
        return dict(OK)

    def dual(self, account: Account) -> bool:
        return account.dual

    def set_dual(self, account: Account, *, dual: bool, now_ms: int) -> Row:
        self.now_ms = max(self.now_ms, now_ms)
        if account.dual == dual:
            raise VenueError(-4059)
        if account.open_algos or any(account.open.values()):
            raise VenueError(-4067)
        if any(position.qty for position in account.positions.values()):
            raise VenueError(-4068)
        account.dual = dual
        return dict(OK)

    def brackets(self, symbol: str | None = None) -> list[Row]:
        if symbol is not None:
            return [dict(self.floor.market(symbol).spec.raw_brackets)]
        return [dict(spec.raw_brackets) for spec in self.symbols.values()]

    def commission_rate(self, account: Account, symbol: str) -> Row:  # One rate for all accounts.
        self.floor.market(symbol)
        settings = self.floor.settings
        return {
            "symbol": symbol,
            "makerCommissionRate": plain(settings.maker_rate),
            "takerCommissionRate": plain(settings.taker_rate),
            "rpiCommissionRate": plain(settings.rpi_rate),
        }

    def symbol_config(self, account: Account, symbol: str | None = None) -> list[Row]:
        if symbol is not None:
            self.floor.market(symbol)
        names = self.symbols if symbol is None else [symbol]
        return [statements.symbol_config_row(self.floor, account, name) for name in names]

    def account_config(self, account: Account) -> Row:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": account.dual,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def adl_quantile(self, account: Account, symbol: str | None = None) -> list[Row]:
        held = statements.shown_positions(account, symbol)
        quantiles: dict[str, dict[str, int]] = {}
        for position in held:
            sides = ("LONG", "SHORT", "HEDGE" if account.dual else "BOTH")
            row = quantiles.setdefault(position.symbol, dict.fromkeys(sides, 0))
            row[position.side] = 1 if position.qty else 0
        return [{"symbol": name, "adlQuantile": row} for name, row in quantiles.items()]

    # User stream keys.
    def new_listen_key(self, account: Account, now_ms: int) -> str:
        """Give the active key and extend it, or make one; keys are unpredictable without the secret."""
        if not account.listen_key:
            seed = f"{account.secret}:{self.floor.ids.take('listen_key')}:{now_ms}"
            account.listen_key = hashlib.sha256(seed.encode()).hexdigest()
            self.floor.by_listen_key[account.listen_key] = account
        return self.keep_listen_key(account, now_ms)

    def keep_listen_key(self, account: Account, now_ms: int) -> str:
        if not account.listen_key:
            raise VenueError(-1125)
        account.listen_key_ms = now_ms + self.floor.settings.listen_key_ms
        entry = (account.listen_key_ms, "listen_key", account.id, account.listen_key)
        heapq.heappush(self.floor.deadlines, entry)
        return account.listen_key

    def close_listen_key(self, account: Account, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)
        self.floor.by_listen_key.pop(account.listen_key, None)
        account.listen_key = ""

    def account_by_listen_key(self, listen_key: str) -> Account | None:
        return self.floor.by_listen_key.get(listen_key)

    # Public market data; unknown symbol -1121.
    def depth(self, symbol: str, limit: int, now_ms: int) -> Row:
        return quotes.depth_row(self.floor, symbol, limit, now_ms)

    def top(self, symbol: str, count: int) -> tuple[Pairs, Pairs]:
        """Best levels as texts: bids, asks."""
        return quotes.top_rows(self.floor, symbol, count)

    def book_ticker(self, symbol: str, now_ms: int) -> Row:
        return quotes.touch_row(self.floor, symbol, now_ms)

    def premium_index(self, symbol: str, now_ms: int) -> Row:
        return quotes.premium_row(self.floor, symbol, now_ms)

    def recent_trades(self, query: Query) -> list[Row]:
        prints = self.floor.market(query.symbol or "").prints
        return quotes.within(prints, query, id_name="id", time_name="time")

    def agg_trades(self, query: Query) -> list[Row]:
        aggs = self.floor.market(query.symbol or "").aggs
        return quotes.within(aggs, query, id_name="a", time_name="T")

    def funding_rates(self, query: Query) -> list[Row]:
        return quotes.funding_rows(self.floor, query)

    # Time and market.
    @exact
    def on_market(self, event: MarketEvent, now_ms: int) -> None:
        """Take one event of the feed; it may fill orders and fire conditional ones."""
        self._begin(now_ms)
        floor = self.floor
        market = floor.markets.get(event.symbol)
        if market is None:
            return
        match event:
            case BookUpdate():
                feed.on_book(floor, market, event, now_ms)
            case BookTop():
                feed.on_top(floor, market, event, now_ms)
            case Trade():
                on_print(floor, market, event, now_ms)
            case Mark():
                mark = event if market.spec.perpetual else replace(event, next_funding_ms=0)
                publish_mark(floor, market, mark, now_ms)
                timers.on_mark(floor, market, mark, now_ms)
            case _:
                assert_never(event)
        timers.finish_step(floor, now_ms)

    @exact
    def advance(self, now_ms: int) -> None:
        """Let time pass: timers, funding, expiries."""
        self._begin(now_ms)
        timers.finish_step(self.floor, now_ms)

    def next_ms(self) -> int | None:
        """Earliest venue timer: call `advance` then."""
        return timers.next_ms(self.floor)

    def drain(self) -> list[Push]:
        """Take everything that happened since the last call, in order."""
        pushes, self.floor.pushes = self.floor.pushes, []
        return pushes

    def hear_depth(self, wanted: Callable[[str], bool]) -> None:
        """Ask before making a depth frame whether anybody listens; ids advance all the same."""
        self.floor.depth_wanted = wanted

    def snapshot(self) -> dict[str, Any]:
        """Give accounts, orders, counters and prices as JSON-able values; hand back as `state`."""
        return dump(self.floor)

    def _begin(self, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)
        timers.run(self.floor, self.now_ms)
        if self.floor.moved:
            timers.finish_step(self.floor, self.now_ms)
