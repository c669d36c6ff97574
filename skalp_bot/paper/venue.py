"""The venue: one deterministic object that takes requests, market events and time, and says what happened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.market import MarketEvent
from skalp_bot.paper.orders import AlgoOrder, AlgoRef, Amend, NewAlgo, NewOrder, Order, OrderRef, Push, Query
from skalp_bot.paper.symbols import SymbolSpec

Row = dict[str, Any]  # one JSON object exactly as the client reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSettings:
    """Where the real venue's behaviour is uncertain or configurable: one switch each, with its default."""

    maker_rate: Decimal = Decimal("0.0002")
    taker_rate: Decimal = Decimal("0.0005")
    leverage_default: int = 20
    trigger_delay_ms: int = 10
    percent_price: bool = True
    countdown_cancels_algo: bool = False
    algo_orders_max: int = 200
    listen_key_ms: int = 3_600_000
    margin_call_ratio: Decimal = Decimal("0.8")


@dataclass(slots=True, kw_only=True)
class Account:
    """One customer: keys, wallet, positions."""

    id: str
    api_key: str
    secret: str


class Venue:
    """All methods are synchronous; times are integer milliseconds of venue time; refusals raise VenueError.

    Methods that give `Row`s give them ready for JSON. `Order` and `AlgoOrder` are the venue's own records:
    render them with `skalp_bot.paper.wire` and change nothing in them.
    """

    symbols: Mapping[str, SymbolSpec]

    def __init__(
        self,
        *,
        symbols: Mapping[str, SymbolSpec],
        settings: VenueSettings,
        now_ms: int,
        state: Mapping[str, Any] | None = None,
    ) -> None: ...

    # Accounts.
    def open_account(self, *, api_key: str, secret: str, deposit: Decimal, asset: str = "USDT") -> Account:
        raise NotImplementedError

    def account_by_key(self, api_key: str) -> Account | None:
        raise NotImplementedError

    def transfer(self, account: Account, amount: Decimal, now_ms: int, asset: str = "USDT") -> None:
        raise NotImplementedError

    # Regular orders.
    def place(self, account: Account, request: NewOrder, now_ms: int) -> Order:
        raise NotImplementedError

    def test(self, account: Account, request: NewOrder, now_ms: int) -> Order:
        raise NotImplementedError

    def amend(self, account: Account, request: Amend, now_ms: int) -> Order:
        raise NotImplementedError

    def cancel(self, account: Account, ref: OrderRef, now_ms: int) -> Order:
        raise NotImplementedError

    def cancel_all(self, account: Account, symbol: str, now_ms: int) -> None:
        raise NotImplementedError

    def countdown(self, account: Account, symbol: str, countdown_ms: int, now_ms: int) -> None:
        raise NotImplementedError

    def batch(self, calls: Sequence[Callable[[], Order]]) -> list[Order | VenueError]:
        raise NotImplementedError

    def order(self, account: Account, ref: OrderRef, now_ms: int) -> Order:
        raise NotImplementedError  # GET order, -2013

    def open_order(self, account: Account, ref: OrderRef) -> Order:
        raise NotImplementedError  # GET openOrder, -2013

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        raise NotImplementedError

    def all_orders(self, account: Account, query: Query) -> list[Order]:
        raise NotImplementedError

    def user_trades(self, account: Account, query: Query, now_ms: int) -> list[Row]:
        raise NotImplementedError

    def amendments(self, account: Account, query: Query, ref: OrderRef | None = None) -> list[Row]:
        raise NotImplementedError

    def force_orders(self, account: Account, query: Query) -> list[Order]:
        raise NotImplementedError

    # Conditional orders.
    def place_algo(self, account: Account, request: NewAlgo, now_ms: int) -> AlgoOrder:
        raise NotImplementedError

    def cancel_algo(self, account: Account, ref: AlgoRef, now_ms: int) -> AlgoOrder:
        raise NotImplementedError

    def cancel_all_algo(self, account: Account, symbol: str, now_ms: int) -> None:
        raise NotImplementedError

    def algo(self, account: Account, ref: AlgoRef) -> AlgoOrder:
        raise NotImplementedError

    def open_algos(
        self, account: Account, symbol: str | None = None, algo_id: int | None = None
    ) -> list[AlgoOrder]:
        raise NotImplementedError

    def all_algos(self, account: Account, query: Query) -> list[AlgoOrder]:
        raise NotImplementedError

    # Account state: rows ready for JSON; version is 2 or 3.
    def balances(self, account: Account, version: int, now_ms: int) -> list[Row]:
        raise NotImplementedError

    def account_row(self, account: Account, version: int, now_ms: int) -> Row:
        raise NotImplementedError

    def position_risk(
        self, account: Account, version: int, now_ms: int, symbol: str | None = None
    ) -> list[Row]:
        raise NotImplementedError

    def income(self, account: Account, query: Query, now_ms: int) -> list[Row]:
        raise NotImplementedError

    def set_leverage(self, account: Account, symbol: str, leverage: int, now_ms: int) -> Row:
        raise NotImplementedError

    def set_margin_type(self, account: Account, symbol: str, margin_type: str, now_ms: int) -> Row:
        raise NotImplementedError

    def dual(self, account: Account) -> bool:
        raise NotImplementedError

    def set_dual(self, account: Account, *, dual: bool, now_ms: int) -> Row:
        raise NotImplementedError

    def brackets(self, symbol: str | None = None) -> list[Row]:
        raise NotImplementedError

    def commission_rate(self, account: Account, symbol: str) -> Row:
        raise NotImplementedError

    def symbol_config(self, account: Account, symbol: str | None = None) -> list[Row]:
        raise NotImplementedError

    def account_config(self, account: Account) -> Row:
        raise NotImplementedError

    def adl_quantile(self, account: Account, symbol: str | None = None) -> list[Row]:
        raise NotImplementedError

    # User stream keys.
    def new_listen_key(self, account: Account, now_ms: int) -> str:
        raise NotImplementedError

    def keep_listen_key(self, account: Account, now_ms: int) -> str:
        raise NotImplementedError  # -1125 when none is active

    def close_listen_key(self, account: Account, now_ms: int) -> None:
        raise NotImplementedError

    def account_by_listen_key(self, listen_key: str) -> Account | None:
        raise NotImplementedError

    # Public market data; unknown symbol -1121.
    def depth(self, symbol: str, limit: int, now_ms: int) -> Row:
        raise NotImplementedError

    def top(self, symbol: str, count: int) -> tuple[list[list[str]], list[list[str]]]:
        raise NotImplementedError  # bids, asks as texts

    def book_ticker(self, symbol: str, now_ms: int) -> Row:
        raise NotImplementedError

    def premium_index(self, symbol: str, now_ms: int) -> Row:
        raise NotImplementedError

    def recent_trades(self, query: Query) -> list[Row]:
        raise NotImplementedError

    def agg_trades(self, query: Query) -> list[Row]:
        raise NotImplementedError

    def funding_rates(self, query: Query) -> list[Row]:
        raise NotImplementedError

    # Time and market.
    def on_market(self, event: MarketEvent, now_ms: int) -> None:
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        raise NotImplementedError

    def next_ms(self) -> int | None:
        raise NotImplementedError  # earliest venue timer: call advance then

    def drain(self) -> list[Push]:
        raise NotImplementedError  # everything since the last call, in order

    def snapshot(self) -> dict[str, Any]:
        raise NotImplementedError  # hand back as `state`
