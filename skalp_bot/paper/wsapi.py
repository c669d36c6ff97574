"""The WebSocket API: the same endpoints as REST, called by method name, signed over sorted parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from skalp_bot.paper import routes_account, routes_algo, routes_market, routes_trade
from skalp_bot.paper.auth import Key, KeyKind, check_signed_json, check_time
from skalp_bot.paper.desk import Call
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.exchange import Exchange
from skalp_bot.paper.limits import rate_row
from skalp_bot.paper.params import Params, from_json
from skalp_bot.paper.readers import ALGO_MANDATORY, AMEND_MANDATORY, ORDER_MANDATORY
from skalp_bot.paper.rest import Security, Weigh

WS_API_PATH = "/ws-fapi/v1"
HANDSHAKE_WEIGHT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the WebSocket API's catalogue."""

    call: Callable[[Call], object]
    security: Security = Security.SIGNED
    weight: int | Weigh = 1
    ordering: bool = False
    mandatory: tuple[str, ...] = ()
    writes: bool = False


METHODS: Mapping[str, Method] = {
    "depth": Method(
        call=routes_market.depth,
        security=Security.NONE,
        weight=routes_market.weigh_depth,
        mandatory=("symbol",),
    ),
    "ticker.price": Method(
        call=routes_market.ticker_price, security=Security.NONE, weight=routes_market.one_or_all(1, 2)
    ),
    "ticker.book": Method(
        call=routes_market.book_ticker, security=Security.NONE, weight=routes_market.one_or_all(2, 5)
    ),
    "order.place": Method(
        call=routes_trade.place, weight=0, ordering=True, mandatory=ORDER_MANDATORY, writes=True
    ),
    "order.modify": Method(
        call=routes_trade.change, weight=0, ordering=True, mandatory=AMEND_MANDATORY[:3], writes=True
    ),
    "order.cancel": Method(call=routes_trade.cancel, mandatory=("symbol",), writes=True),
    "order.status": Method(call=routes_trade.status, mandatory=("symbol",)),
    "algoOrder.place": Method(
        call=routes_algo.place, weight=0, ordering=True, mandatory=ALGO_MANDATORY, writes=True
    ),
    "algoOrder.cancel": Method(call=routes_algo.cancel_in_full, writes=True),
    "account.status": Method(call=routes_account.account(2), weight=5),
    "v2/account.status": Method(call=routes_account.account(3), weight=5),
    "account.balance": Method(call=routes_account.balances(2), weight=5),
    "v2/account.balance": Method(call=routes_account.balances(3), weight=5),
    "account.position": Method(call=routes_account.position_risk(2), weight=5),
    "v2/account.position": Method(call=routes_account.position_risk(3), weight=5),
    "userDataStream.start": Method(call=routes_account.new_listen_key, security=Security.KEY, writes=True),
    "userDataStream.ping": Method(call=routes_account.keep_listen_key, security=Security.KEY, writes=True),
    "userDataStream.stop": Method(call=routes_account.close_listen_key, security=Security.KEY, writes=True),
}


def well_formed(name: object, values: object) -> tuple[str, dict[str, object]]:
    if not isinstance(name, str) or not isinstance(values, dict):
        raise VenueError(-1000, msg="Invalid request: method must be a string, params an object.")
    return name, values


@dataclass(slots=True, kw_only=True)
class WsApi:
    """One connection to the WebSocket API; it may be logged on with an Ed25519 key."""

    exchange: Exchange
    ip: str
    with_limits: bool
    connected_ms: int
    session: Key | None = None
    authorized_ms: int = 0
    account: str | None = field(default=None)

    @classmethod
    def open(cls, exchange: Exchange, ip: str, query: Mapping[str, str], now_ms: int) -> "WsApi":
        exchange.desk.limits.visitor(ip).weight.add(HANDSHAKE_WEIGHT, now_ms)
        return cls(
            exchange=exchange,
            ip=ip,
            with_limits=query.get("returnRateLimits", "true").lower() != "false",
            connected_ms=now_ms,
        )

    def answer(self, text: str, now_ms: int) -> bytes:
        """Serve one request frame."""
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            request = None
        if not isinstance(request, dict):
            error = {"code": -1135, "msg": "Invalid JSON Request"}
            return orjson.dumps({"id": None, "status": 400, "error": error})
        identity, name, values = request.get("id"), request.get("method"), request.get("params") or {}
        self.exchange.catch_up(now_ms)
        ordering, shown = False, self.with_limits
        try:
            name, values = well_formed(name, values)
            shown = self.shows_limits(values)
            method = METHODS.get(name.removeprefix("v1/"))
            ordering = method is not None and method.ordering
            result = self.perform(name, method, values)
            body: dict[str, object] = {"id": identity, "status": 200, "result": result}
        except VenueError as error:
            body = {"id": identity, "status": error.status, "error": error.body()}
        if shown:
            body["rateLimits"] = self.rate_limits(ordering=ordering)
        return orjson.dumps(body)

    def shows_limits(self, values: Mapping[str, object]) -> bool:
        wish = values.get("returnRateLimits")
        return self.with_limits if wish is None else wish is True or wish == "true"

    def perform(self, name: str, method: Method | None, values: dict[str, object]) -> object:
        now_ms, desk = self.exchange.now_ms, self.exchange.desk
        desk.limits.check_ban(self.ip, now_ms)
        if name.startswith("session."):
            desk.limits.spend(self.ip, 2, now_ms)
            return self.session_call(name, values)
        if method is None:
            raise VenueError(-1000, msg=f"Unknown method '{name}'.")
        params = from_json(values)
        weight = method.weight if isinstance(method.weight, int) else method.weight(params)
        desk.limits.spend(self.ip, weight, now_ms)
        key = self.admit(method, params, values)
        if key is not None:
            self.account = key.account
            if method.ordering:
                desk.limits.order(key.account, (1, 1), now_ms)
        call = Call(desk=desk, params=params, key=key, now_ms=now_ms, ip=self.ip)
        result = method.call(call)
        self.exchange.settle(changed=method.writes)
        return result

    def admit(self, method: Method, params: Params, values: dict[str, object]) -> Key | None:
        """Check key, parameters, clock and signature; a logged-on session needs neither key nor signature."""
        if method.security is Security.NONE:
            params.need(*method.mandatory)
            return None
        if self.session is not None and "apiKey" not in params:
            params.need(*method.mandatory)
            if method.security is Security.SIGNED:
                check_time(params, self.exchange.now_ms)
            return self.session
        key = self.exchange.desk.keyring.find(params.values.get("apikey"))
        params.need(*method.mandatory)
        if method.security is Security.SIGNED:
            self.prove(key, params, values)
        return key

    def prove(self, key: Key, params: Params, values: dict[str, object]) -> None:
        check_time(params, self.exchange.now_ms)
        params.need("signature")
        texts = {name: params.values[name.lower()] for name in values if name.lower() in params.values}
        check_signed_json(key, texts)

    def session_call(self, name: str, values: dict[str, object]) -> object:
        match name:
            case "session.logon":
                params = from_json(values)
                key = self.exchange.desk.keyring.find(params.values.get("apikey"))
                if key.kind is not KeyKind.ED25519:
                    raise VenueError(-1020, msg="Only Ed25519 API keys are supported for this feature.")
                self.prove(key, params, values)
                self.session, self.authorized_ms = key, self.exchange.now_ms
            case "session.logout":
                self.session, self.authorized_ms = None, 0
            case "session.status":
                pass
            case _:
                raise VenueError(-1000, msg=f"Unknown method '{name}'.")
        return {
            "apiKey": self.session.api_key if self.session else None,
            "authorizedSince": self.authorized_ms or None,
            "connectedSince": self.connected_ms,
            "returnRateLimits": self.with_limits,
            "serverTime": self.exchange.now_ms,
        }

    def rate_limits(self, *, ordering: bool) -> list[dict[str, object]]:
        limits, now_ms = self.exchange.desk.limits, self.exchange.now_ms
        rows: list[dict[str, object]] = []
        if ordering and self.account is not None:
            counts = [int(value) for _, value in limits.order_headers(self.account, now_ms)]
            orders = zip(limits.settings.order_rows(), counts, strict=True)
            rows = [{**row, "count": count} for row, count in orders]
        used = int(limits.weight_header(self.ip, now_ms)[1])
        weight = rate_row("REQUEST_WEIGHT", "MINUTE", 1, limits.settings.weight_1m)
        return [*rows, {**weight, "count": used}]
