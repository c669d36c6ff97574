"""Which venue to talk to, as whom, and how patiently."""

import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp.abc import AbstractResolver

from skalp_bot.ports import VenueError


class Venue(StrEnum):
    PAPER = "paper"
    TESTNET = "testnet"  # Binance's demo environment.
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that signs requests and never shows itself."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """All the adapter is told; ``rest_url`` and ``ws_url`` are the paper venue's, from its ready file.

    ``resolver`` and ``ssl_context`` replace how hosts are found and trusted; None is the system's way.
    """

    venue: Venue
    api_key: Secret
    api_secret: Secret
    symbols: tuple[str, ...]
    leverage: int
    quote_asset: str = "USDT"
    margin_type: str = "CROSSED"
    rest_url: str = ""
    ws_url: str = ""
    brand: str = "skalp"
    instance: str = "a"
    prints: bool = False  # Hear the trades of others too.
    recv_window_ms: int = 3000
    http_timeout_s: float = 2.5
    bulk_timeout_s: float = 10.0  # For the few large public answers at start-up.
    market_silence_s: float = 10.0  # No tick for this long: ask whether the book moved without us.
    mark_silence_s: float = 10.0  # Mark prices come every second.
    user_proof_s: float = 3.0  # An acknowledged order whose event has not come by then.
    keepalive_ms: int = 10_000
    warm_every_s: float = 15.0
    clock_sync_s: float = 300.0
    reload_s: float = 3600.0
    connection_life_s: float = 84_600.0  # The venue ends every connection after a day; we choose the moment.
    resolver: AbstractResolver | None = None
    ssl_context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.http_timeout_s * 1000 >= self.recv_window_ms:
            raise VenueError(
                f"http_timeout_s = {self.http_timeout_s} must be below recv_window_ms ="
                f" {self.recv_window_ms}: an answer must be given up before its request can still be accepted"
            )
        if not self.symbols:
            raise VenueError("symbols is empty: name at least one, such as BTCUSDT")
        if self.venue is Venue.PAPER and not (self.rest_url and self.ws_url):
            raise VenueError("venue paper needs the rest and ws addresses of a running paper exchange")
        if not (self.api_key.value and self.api_secret.value):
            raise VenueError(
                f"venue {self.venue} needs API keys: set BINANCE_API_KEY"
                " and BINANCE_API_SECRET, or BINANCE_API_KEY_FILE and BINANCE_API_SECRET_FILE"
            )
