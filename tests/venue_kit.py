"""Builders for tests of the venue: a market with a small book, accounts, orders, and what was pushed."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from skalp_bot.paper.market import BookUpdate, Mark, Trade
from skalp_bot.paper.orders import (
    AlgoOrder,
    NewAlgo,
    NewOrder,
    Order,
    OrderType,
    Push,
    RespType,
    Side,
    TimeInForce,
    WorkingType,
)
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.venue import Account, Venue, VenueSettings

T0 = 1_790_000_000_000
BTC = "BTCUSDT"
D = Decimal
BIDS = (("99.9", "2"), ("99.8", "3"), ("99.7", "5"))
ASKS = (("100.1", "2"), ("100.2", "3"), ("100.3", "5"))
SCALE = 1000  # The book of the kit is written around 100; BTCUSDT's filters want thousands.


def price(text: str) -> Decimal:
    return D(text) * SCALE


def levels(rows: tuple[tuple[str, str], ...]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((price(p), D(q)) for p, q in rows)


@dataclass
class Bench:
    """A venue in a test's hands; time moves only when the test says so."""

    venue: Venue
    now_ms: int = T0
    seen: list[Push] = field(default_factory=list)

    @classmethod
    def opened(cls, *, mark: str = "100", symbols: tuple[str, ...] = (BTC,), **settings: Any) -> "Bench":
        venue = Venue(
            symbols=default_symbols(symbols),
            settings=VenueSettings(**settings),
            now_ms=T0,
        )
        bench = cls(venue)
        bench.book(BIDS, ASKS, snapshot=True)
        bench.mark(mark)
        bench.drain()
        bench.seen.clear()
        return bench

    def account(self, name: str = "alice", deposit: str = "1000000") -> Account:
        account = self.venue.open_account(api_key=name, secret="s" + name, deposit=D(deposit))
        self.drain()
        return account

    def book(
        self,
        bids: tuple[tuple[str, str], ...] = (),
        asks: tuple[tuple[str, str], ...] = (),
        *,
        snapshot: bool = False,
    ) -> None:
        event = BookUpdate(
            symbol=BTC, t_ms=self.now_ms, bids=levels(bids), asks=levels(asks), snapshot=snapshot
        )
        self.venue.on_market(event, self.now_ms)

    def print(self, at: str, qty: str, *, buyer_is_maker: bool) -> None:
        event = Trade(
            symbol=BTC, t_ms=self.now_ms, price=price(at), qty=D(qty), buyer_is_maker=buyer_is_maker
        )
        self.venue.on_market(event, self.now_ms)

    def mark(self, at: str, *, rate: str = "0.0001", next_funding_ms: int = T0 + 3_600_000) -> None:
        event = Mark(
            symbol=BTC,
            t_ms=self.now_ms,
            mark=price(at),
            index=price(at),
            funding_rate=D(rate),
            next_funding_ms=next_funding_ms,
        )
        self.venue.on_market(event, self.now_ms)

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.venue.advance(self.now_ms)

    def limit(self, account: Account, side: Side, at: str, qty: str, **more: Any) -> Order:
        options = {"time_in_force": TimeInForce.GTC} | more
        request = NewOrder(
            symbol=BTC,
            side=side,
            type=OrderType.LIMIT,
            qty=D(qty),
            price=price(at),
            resp_type=RespType.RESULT,
            **options,
        )
        return self.venue.place(account, request, self.now_ms)

    def market(self, account: Account, side: Side, qty: str, **more: Any) -> Order:
        request = NewOrder(symbol=BTC, side=side, type=OrderType.MARKET, qty=D(qty), **more)
        return self.venue.place(account, request, self.now_ms)

    def stop(self, account: Account, side: Side, at: str, **more: Any) -> AlgoOrder:
        options: dict[str, Any] = {"type": OrderType.STOP_MARKET, "working_type": WorkingType.CONTRACT_PRICE}
        request = NewAlgo(symbol=BTC, side=side, trigger_price=price(at), **(options | more))
        return self.venue.place_algo(account, request, self.now_ms)

    def drain(self) -> list[Push]:
        pushes = self.venue.drain()
        self.seen.extend(pushes)
        return pushes

    def user(self, account: Account) -> list[dict[str, Any]]:
        """User events of an account since the last call."""
        return [dict(push.payload) for push in self.drain() if push.account_id == account.id]

    def story(self, account: Account) -> list[str]:
        """The same, told short."""
        return [short(event) for event in self.user(account)]


def short(event: dict[str, Any]) -> str:
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            row = event["o"]
            return f"ORDER {row['x']} {row['X']}" + (f" er{row['er']}" if row["er"] != "0" else "")
        case "ALGO_UPDATE":
            return f"ALGO {event['o']['X']}"
        case "ACCOUNT_UPDATE":
            return f"ACCOUNT {event['a']['m']}"
        case name:
            return str(name)


def explained(account: Account, asset: str = "USDT") -> Decimal:
    """Sum of the income rows: what the wallet must be."""
    return sum((row.amount for row in account.income if row.asset == asset), D(0))
