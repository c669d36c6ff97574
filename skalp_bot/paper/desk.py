"""What every endpoint can reach: the venue, the public's memory, keys, limits; and the call it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from skalp_bot.paper.auth import Key, Keyring
from skalp_bot.paper.board import Billboard, Board
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.limits import Limits
from skalp_bot.paper.orders import Order
from skalp_bot.paper.params import Params
from skalp_bot.paper.symbols import SymbolSpec
from skalp_bot.paper.venue import Account, Venue


@dataclass(slots=True, kw_only=True)
class Desk:
    """The venue's front office."""

    venue: Venue
    board: Board
    keyring: Keyring
    limits: Limits
    engine_delay_ms: int = 0  # between the gateway's clock check and the matching engine's own
    close_key: Callable[[str], None] = lambda _key: None
    multi_assets: dict[str, bool] = field(default_factory=dict)
    fee_burn: dict[str, bool] = field(default_factory=dict)

    def spec(self, symbol: str) -> SymbolSpec:
        spec = self.venue.symbols.get(symbol)
        if spec is None:
            raise VenueError(-1121)
        return spec

    def billboard(self, symbol: str) -> Billboard:
        self.spec(symbol)
        billboard = self.board.billboards.get(symbol)
        if billboard is None:
            raise VenueError(-1121)
        return billboard

    def spec_of(self, order: Order) -> SymbolSpec:
        return self.venue.symbols[order.symbol]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request."""

    desk: Desk
    params: Params
    key: Key | None
    now_ms: int
    ip: str

    @property
    def venue(self) -> Venue:
        return self.desk.venue

    @property
    def account(self) -> Account:
        """The account behind the key; only signed and keyed endpoints ask."""
        if self.key is None:
            raise VenueError(-2014)
        account = self.desk.venue.account_by_key(self.key.account)
        if account is None:
            raise VenueError(-2015)
        return account

    def symbol(self) -> str | None:
        """Give the optional `symbol` parameter; an unknown one is refused."""
        symbol = self.params.text("symbol")
        if symbol is not None:
            self.desk.spec(symbol)
        return symbol

    def must_symbol(self) -> str:
        symbol = self.params.must("symbol")
        self.desk.spec(symbol)
        return symbol
