"""All the venue holds at one instant: markets, accounts, counters, and what happened since the last drain."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from skalp_bot.paper.account import Account, Income
from skalp_bot.paper.book import Half
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.market import Mark
from skalp_bot.paper.money import ZERO
from skalp_bot.paper.orders import AlgoOrder, Order, Push, Side
from skalp_bot.paper.symbols import SymbolSpec

PRINTS_MAX = 1000
UNFILLED_ENDS = ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSettings:
    """Where the real venue's behaviour is uncertain or configurable: one switch each, with its default."""

    maker_rate: Decimal = Decimal("0.0002")
    taker_rate: Decimal = Decimal("0.0005")
    rpi_rate: Decimal = Decimal("0.00005")  # on top of the maker's
    leverage_default: int = 20
    trigger_delay_ms: int = 10  # from TRIGGERING to the born order reaching the matching engine
    percent_price: bool = True  # demo accepts limit prices far outside the band; production refuses
    trigger_band: Decimal = ZERO  # trigger prices at most this fraction from mark (-4210, -4211); 0: any
    limit_band: bool = (
        True  # limit of STOP and TAKE_PROFIT inside PERCENT_PRICE around its trigger (-4183, -4184)
    )
    trigger_reject_event: bool = False  # also the CONDITIONAL_ORDER_TRIGGER_REJECT deprecated in 2025-12
    good_till_cancels: bool = False  # a GTD order that is over ends CANCELED instead of EXPIRED
    countdown_cancels_algo: bool = False
    close_position_ends_when_flat: bool = False  # GTE_GTC orders always do
    order_update_first: bool = False  # of a fill: ORDER_TRADE_UPDATE before ACCOUNT_UPDATE
    market_premium: Decimal = Decimal("0.0005")  # a market buy is charged margin this far beyond the ask
    klines_limit_max: int = 1500
    new_order_fills: bool = True  # POST order names avgPrice and cumQuote
    bracket_object: bool = False  # leverageBracket of one symbol is an object, as documented, and no array
    test_conditional: bool = False  # order/test accepts the types that order refuses with -4120
    amend_drops_stp: bool = False  # recorded amendments keep their self-trade prevention
    algo_orders_max: int = 200
    amends_max: int = 10_000
    listen_key_ms: int = 3_600_000
    margin_call_ratio: Decimal = Decimal("0.8")
    margin_call_every_ms: int = 3_600_000
    liquidation: bool = True
    liquidation_ms: int = 100  # how long an account is in -2023 before its positions are closed
    unfilled_kept_ms: int = 3 * 86_400_000  # a cancelled or expired order without a fill is forgotten then
    orders_kept_ms: int = 90 * 86_400_000
    orders_max: int = 50_000  # that ended, and as many conditional ones, of each account; the oldest go


@dataclass(slots=True, kw_only=True)
class Market:
    """One symbol: its book, its last prints, its mark, and the conditional orders that watch it."""

    spec: SymbolSpec
    bids: Half
    asks: Half
    last: Decimal | None = None
    mark: Mark | None = None
    update_id: int = 0  # ids of a market are 0 until it has published something
    depth_id: int = 0  # last update id a depth frame ended with
    derived: bool = False  # that frame was ours, not a recorded one
    taped: bool = False  # recorded touches are played: each is sent once, with what clients did to it
    trade_id: int = 0
    agg_id: int = 0
    touch: tuple[Decimal | None, Decimal, Decimal | None, Decimal] = (None, ZERO, None, ZERO)
    book_ms: int = 0
    prints: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=PRINTS_MAX))
    aggs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=PRINTS_MAX))
    funded_ms: int = 0  # last funding time that was paid
    funding: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=PRINTS_MAX))
    algos: dict[int, AlgoOrder] = field(default_factory=dict)

    def half(self, side: Side) -> Half:
        return self.bids if side is Side.BUY else self.asks

    def mark_price(self) -> Decimal | None:
        """Mark price; before the first mark the last print, before that the mid."""
        if self.mark is not None:
            return self.mark.mark
        if self.last is not None:
            return self.last
        bid, ask = self.bids.best, self.asks.best
        if bid is None or ask is None:
            return bid if ask is None else ask
        return (bid + ask) / 2


@dataclass(slots=True, kw_only=True)
class Aggregate:
    """Fills of one price and taker side, to be told as one aggTrade; a recorded one brings its own id."""

    price: Decimal
    buyer_is_maker: bool
    qty: Decimal
    plain_qty: Decimal  # without RPI
    first_id: int
    last_id: int
    transact_ms: int  # of the first
    due_ms: int = 0
    agg_id: int = 0

    def takes(self, fill: "Aggregate") -> bool:
        """Add a later fill where it is of the same price and side."""
        if (self.price, self.buyer_is_maker) != (fill.price, fill.buyer_is_maker):
            return False
        self.qty += fill.qty
        self.plain_qty += fill.plain_qty
        self.last_id = fill.last_id
        return True


@dataclass(slots=True, kw_only=True)
class Ids:
    """Counters; a restart goes on from them."""

    order: int
    algo: int
    tran: int
    account: int = 0
    listen_key: int = 0
    amendment: int = 0
    place: int = 0

    def take(self, name: str) -> int:
        value: int = getattr(self, name) + 1
        setattr(self, name, value)
        return value


@dataclass(slots=True, kw_only=True)
class Totals:
    """Where money went that left the accounts, per asset: makes conservation checkable to the last digit."""

    deposits: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    insurance: dict[str, Decimal] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)  # paid by accounts to the rest of the market
    street: dict[str, Decimal] = field(
        default_factory=dict
    )  # cash the rest of the market got for what it traded
    rounding: dict[str, Decimal] = field(
        default_factory=dict
    )  # created by rounding realised profit and entries
    fills_beyond_displayed: int = 0


def add(totals: dict[str, Decimal], asset: str, amount: Decimal) -> None:
    totals[asset] = totals.get(asset, ZERO) + amount


@dataclass(slots=True, kw_only=True)
class Floor:
    """The one mutable state of the venue."""

    symbols: Mapping[str, SymbolSpec]
    settings: VenueSettings
    ids: Ids
    opened_ms: int  # market ids that are not recorded count from here, so that a later venue's are larger
    markets: dict[str, Market] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    by_key: dict[str, Account] = field(default_factory=dict)
    by_listen_key: dict[str, Account] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    pushes: list[Push] = field(default_factory=list)
    firing: list[tuple[int, int, str]] = field(default_factory=list)  # heap: ms, algo id, account
    deadlines: list[tuple[int, str, str, str]] = field(default_factory=list)  # heap: ms, kind, account, name
    depth_wanted: Callable[[str], bool] | None = None  # whether anybody hears depth of a symbol; None: all do
    forget_ms: int = 0  # when orders that ended long ago are next forgotten
    held: dict[str, None] = field(default_factory=dict)  # symbols somebody has a position in
    aggregates: dict[str, Aggregate] = field(default_factory=dict)  # by symbol, the first due first
    printed: list[tuple[str, Decimal]] = field(default_factory=list)  # prints conditional orders must look at
    moved: dict[str, None] = field(default_factory=dict)  # symbols whose book has something to publish
    dirty: dict[tuple[str, str], None] = field(
        default_factory=dict
    )  # (account, symbol) whose position changed
    ended: list[Order] = field(
        default_factory=list
    )  # orders that ended and whose conditional order must hear

    def market(self, symbol: str) -> Market:
        found = self.markets.get(symbol)
        if found is None:
            raise VenueError(-1121)
        return found

    def add_market(self, spec: SymbolSpec) -> None:
        symbol = spec.symbol
        self.markets[symbol] = Market(
            spec=spec, bids=Half(Side.BUY, symbol, self.moved), asks=Half(Side.SELL, symbol, self.moved)
        )

    def keeps(self, order: Order | AlgoOrder, now_ms: int) -> bool:
        """Say whether queries still find an order: three days where it ended without a fill, else ninety."""
        age_ms = now_ms - order.created_ms
        idle = order.status in UNFILLED_ENDS and not order.filled
        kept_ms = self.settings.unfilled_kept_ms if idle else self.settings.orders_kept_ms
        return order.open or age_ms <= kept_ms

    def leverage(self, account: Account, symbol: str) -> int:
        chosen = account.leverage.get(symbol)
        return chosen or min(self.settings.leverage_default, self.symbols[symbol].leverage_max)

    def pay(
        self,
        account: Account,
        asset: str,
        amount: Decimal,
        kind: str,
        now_ms: int,
        *,
        symbol: str = "",
        trade: str = "",
    ) -> None:
        """Change a wallet and write down why; nothing else changes a wallet."""
        if not amount:
            return
        account.wallet[asset] = account.wallet.get(asset, ZERO) + amount
        account.wallet_ms[asset] = now_ms
        row = Income(
            symbol=symbol,
            kind=kind,
            amount=amount,
            asset=asset,
            info=kind,
            t_ms=now_ms,
            tran_id=self.ids.take("tran"),
            trade_id=trade,
        )
        account.income.append(row)
