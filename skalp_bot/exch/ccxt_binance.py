"""ccxt as transport: it knows the addresses and holds the sockets; how it reads answers is not used."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import ccxt
import ccxt.pro
from ccxt.async_support.base.ws.client import Client

from skalp_bot.exch.connection import Connection, OnFrame, dial
from skalp_bot.exch.settings import ExchangeSettings, Venue

HearerOf = Callable[[str], OnFrame]  # Who hears the frames of the connection to a URL.
OnConnected = Callable[[str], None]


DIAL_MS = 5000
PLAIN = re.compile(r"[A-Za-z0-9_.~&=:/-]*")  # Means itself in an address.


class PushedClient(Client):  # type: ignore[misc]  # ccxt carries no types.
    """A ccxt socket whose text frames are pushed to us: no task and no queue in between (ADR 0006).

    When to dial, subscribe, ping and give up stays with ccxt.
    """

    hearer_of: HearerOf
    settings: ExchangeSettings

    def create_connection(self, _session: Any) -> Awaitable[Connection]:
        connection = Connection(hear=self.hearer_of(self.url), pong=self.ponged, ended=self.ended)
        return dial(
            self.url,
            connection,
            ssl_context=self.settings.ssl_context,
            resolver=self.settings.resolver,
        )

    def receive_loop(self) -> None:
        """ccxt calls it once connected; there is nothing to fetch."""

    def ponged(self) -> None:
        self.lastPong = ccxt.Exchange.milliseconds()

    def ended(self, code: int) -> None:
        self.on_close(code)


class BinanceClient(ccxt.pro.binanceusdm):  # type: ignore[misc]  # ccxt carries no types.
    """One code path for paper, testnet and live; only the addresses differ."""

    def __init__(
        self,
        settings: ExchangeSettings,
        *,
        venue_ms: Callable[[], int],
        hearer_of: HearerOf,
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
                },
            }
        )
        self.timeout_on_exit = 0
        self._venue_ms = venue_ms
        self._settings = settings
        self._hearer_of = hearer_of
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

    def addressed(
        self, api: str, path: str, method: str, params: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """Address and headers of a request, all its parameters in the address and the signature last.

        HMAC SHA256 over the very text that is sent (Binance, "SIGNED endpoint security"): ccxt takes ten
        times as long to the same. What has no such signature, or another kind of key, is ccxt's to sign.
        """
        if api == "fapiPublic" or path == "listenKey" or "PRIVATE KEY" in self.secret:
            made = self.sign(path, [api], method, dict(params))
            url = f"{made['url']}?{made['body']}" if made["body"] else made["url"]
            return url, made["headers"] or {}
        told = "".join([f"&{name}={value}" for name, value in params.items()])
        query = f"timestamp={self.nonce()}{told}&recvWindow={self._settings.recv_window_ms}"
        if not PLAIN.fullmatch(query):
            query = quote(query, safe="&=:/")
        proof = hmac.digest(self.secret.encode(), query.encode(), "sha256").hex()
        address = f"{self.urls['api'][api]}/{path}?{query}&signature={proof}"
        return address, {"X-MBX-APIKEY": self.apiKey}

    def attach(self, session: aiohttp.ClientSession) -> None:
        """Give ccxt a session that stays its maker's to close; without one it would make its own."""
        self.own_session = False
        self.session = session

    def nonce(self) -> int:
        return self._venue_ms()

    def client(self, url: str) -> Any:
        """The socket to this address, made over into one that pushes its text to us."""
        made = super().client(url)
        if type(made) is Client:  # The base names its class outright, so it cannot be told to make ours.
            made.__class__ = PushedClient
            made.hearer_of = self._hearer_of
            made.settings = self._settings
        return made

    def on_connected(self, client: Any, message: Any = None) -> None:
        super().on_connected(client, message)
        if client in (self.clients or {}).values():
            self._on_connected(client.url)
        else:  # Given up, or cut again, while it was dialled: nobody would ever close it.
            client.on_error(ccxt.NetworkError("nobody waits for this connection any more"))

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
