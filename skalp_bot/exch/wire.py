"""One request to the venue and what came back, before anybody judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aurora.model.numbers import Nanos
from skalp_bot.exch.fields import DecodeError, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``api`` is the signer's name of the version and class of endpoint; costs are Binance's."""

    method: str
    path: str
    api: str = "fapiPrivate"
    params: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    orders: int = 0

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The venue answered, whatever it said. ``signed_at`` is our clock at the signature."""

    status: int
    body: str
    headers: Mapping[str, str]
    signed_at: Nanos
    ts_recv: Nanos

    def payload(self) -> Any:
        """The body as JSON with exact numbers; DecodeError when it is none."""
        return parsed(self.body)

    @property
    def code(self) -> int | None:
        """Binance's error code, when the body carries one."""
        return self._error()[0]

    @property
    def message(self) -> str:
        return self._error()[1]

    def _error(self) -> tuple[int | None, str]:
        try:
            body = parsed(self.body)
        except DecodeError:
            return None, self.body[:120]
        code = body.get("code") if isinstance(body, dict) else None
        if not isinstance(code, int) or isinstance(code, bool):
            return None, self.body[:120]
        return code, str(body.get("msg", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """No answer. ``sent`` False is proof that no byte of the request left."""

    sent: bool
    why: str
    signed_at: Nanos
    ts_recv: Nanos


Answer = Reply | NoReply
