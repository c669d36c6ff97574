"""ccxt as transport: it signs requests and holds sockets; how it reads answers is not used."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import ccxt.pro
from aiohttp import WSMsgType
from ccxt.async_support.base.ws.client import Client

from skalp_bot.exch.settings import ExchangeSettings, Venue

OnText = Callable[
    [str, str], None
]  # (url, frame); must not raise: a raising handler kills ccxt's socket loop.
OnConnected = Callable[[str], None]


DIAL_MS = 5000


class TextClient(Client):  # type: ignore[misc]  # ccxt carries no types.
    """A ccxt socket whose text frames go straight to us; pings, pongs and closing stay with ccxt."""

    on_text: OnText

    def handle_message(self, message: Any) -> None:
        if message.type is WSMsgType.TEXT:
            self.on_text(self.url, message.data)
        else:
            super().handle_message(message)


class BinanceClient(ccxt.pro.binanceusdm):  # type: ignore[misc]  # ccxt carries no types.
    """One code path for paper, testnet and live; only the addresses differ."""

    def __init__(
        self,
        settings: ExchangeSettings,
        *,
        venue_ms: Callable[[], int],
        on_text: OnText,
        on_connected: OnConnected,
    ) -> None:
        super().__init__(
            {
                "apiKey": settings.api_key.value,
                "secret": settings.api_secret.value,
                "enableRateLimit": False,  # Our own budget knows lanes; ccxt's throttle is one slow queue.
                "streaming": {
                    "keepAlive": settings.keepalive_ms,
                    "maxPingPongMisses": 2,
                    "connectionTimeout": DIAL_MS,
                },
                "options": {
                    "recvWindow": settings.recv_window_ms,
                    "maxRetriesOnFailure": 0,
                    "ws": {"compress": 0},  # Inflating every tick costs more than the bytes.
                },
            }
        )
        self.timeout_on_exit = 0
        self._venue_ms = venue_ms
        self._on_text = on_text
        self._on_connected = on_connected
        match settings.venue:
            case Venue.PAPER:
                self._point_at(settings.rest_url.rstrip("/"), settings.ws_url.rstrip("/"))
            case Venue.TESTNET:
                self.enable_demo_trading(enable=True)
            case Venue.LIVE:
                pass

    @property
    def host(self) -> str:
        """Where requests go, for messages to people."""
        return str(self.urls["api"]["fapiPublic"]).removesuffix("/fapi/v1")

    def attach(self, session: aiohttp.ClientSession) -> None:
        """Hold sockets through this session, which stays its maker's to close."""
        self.own_session = False
        self.session = session

    def nonce(self) -> int:
        return self._venue_ms()

    def client(self, url: str) -> Any:
        """The socket to this address, made over into one that hands us its text."""
        made = super().client(url)
        if type(made) is Client:  # The base names its class outright, so it cannot be told to make ours.
            made.__class__ = TextClient
            made.on_text = self._on_text
        return made

    def on_connected(self, client: Any, message: Any = None) -> None:
        super().on_connected(client, message)
        self._on_connected(client.url)

    def ws_dial_delay(self, url: str) -> int:
        """No waiting of ccxt's own: the streams pace their attempts."""
        return 0

    def drop(self, url: str, why: str) -> None:
        """Give this socket up; whoever waits on it gets the reason."""
        held = (self.clients or {}).get(url)
        if held is not None:
            held.on_error(ccxt.NetworkError(why))

    def _point_at(self, rest: str, ws: str) -> None:
        """Every address, also of products never used, so that nothing can reach the internet."""
        api = self.urls["api"]
        for name, address in api.items():
            if isinstance(address, str):
                api[name] = rest + urlsplit(address).path
        sockets = dict.fromkeys(api["ws"], f"{ws}/unused")
        api["ws"] = sockets | {"linear": f"{ws}/ws", "ws-api": {"linear": f"{ws}/ws-fapi/v1"}}
