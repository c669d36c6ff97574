"""A REST call from raw bytes to answer: limits, key, parameters, clock, signature, then the endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from skalp_bot.paper.auth import Key, check_signature, check_time
from skalp_bot.paper.desk import Call, Desk
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.params import Params, parse

JSON_HEADERS = (("Content-Type", "application/json"), ("Server", "nginx"), ("x-response-time", "0ms"))
HTML_HEADERS = (("Content-Type", "text/html"), ("Server", "nginx"))
NOT_FOUND = (
    b"<html>\r\n<head><title>404 Not Found</title></head>\r\n"
    b"<body><center><h1>404 Not Found</h1></center></body>\r\n</html>\r\n"
)


class Security(StrEnum):
    NONE = "NONE"
    KEY = "KEY"
    SIGNED = "SIGNED"


Weigh = Callable[[Params], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the venue's catalogue."""

    method: str
    path: str
    call: Callable[[Call], object]
    security: Security = Security.NONE
    weight: int | Weigh = 1
    orders: tuple[int, int] | None = None  # what it adds to the order counts of 10 s and of 1 min
    mandatory: tuple[str, ...] = ()
    funding: bool = False  # counted in the window that fundingRate and fundingInfo share

    def weigh(self, params: Params) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(params)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A call as it came off the wire; query and body are untouched text, header names are lower case."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=JSON_HEADERS)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every endpoint by method and path."""

    endpoints: Mapping[tuple[str, str], Endpoint]

    def answer(self, desk: Desk, raw: Raw, now_ms: int) -> Answer:
        endpoint = self.endpoints.get((raw.method, raw.path))
        if endpoint is None:
            return Answer(status=404, body=NOT_FOUND, headers=HTML_HEADERS)
        headers = list(JSON_HEADERS)
        account: str | None = None
        try:
            desk.limits.check_ban(raw.ip, now_ms)
            params = parse(raw.query, raw.body)
            desk.limits.spend(raw.ip, endpoint.weigh(params), now_ms)
            if endpoint.funding:
                desk.limits.spend_funding(raw.ip, now_ms)
            key = admit(desk, endpoint, raw, params, now_ms)
            account = key.account if key else None
            if account is not None and endpoint.orders is not None:
                desk.limits.order(account, endpoint.orders, now_ms)
            call = Call(desk=desk, params=params, key=key, now_ms=now_ms, ip=raw.ip)
            status, body = 200, orjson.dumps(endpoint.call(call))
        except VenueError as error:
            status, body = error.status, error_body(error)
            if status in (418, 429) and desk.limits.settings.retry_after:
                headers.append(("Retry-After", str(desk.limits.retry_after_s(raw.ip, now_ms))))
        headers.append(desk.limits.weight_header(raw.ip, now_ms))
        if account is not None and endpoint.orders is not None and status == 200:
            headers.extend(desk.limits.order_headers(account, now_ms))
        return Answer(status=status, body=body, headers=tuple(headers))


def admit(desk: Desk, endpoint: Endpoint, raw: Raw, params: Params, now_ms: int) -> Key | None:
    """Check in the venue's order: key, mandatory parameters, timestamp, signature."""
    if endpoint.security is Security.NONE:
        params.need(*endpoint.mandatory)
        return None
    key = desk.keyring.find(raw.headers.get("x-mbx-apikey"))
    params.need(*endpoint.mandatory)
    if endpoint.security is Security.SIGNED:
        check_time(params, now_ms)
        params.need("signature")
        check_signature(key, raw.query, raw.body)
    return key


def error_body(error: VenueError) -> bytes:
    return orjson.dumps(error.body())
