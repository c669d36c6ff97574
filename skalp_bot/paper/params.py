"""Request parameters as they arrive: names matched without regard to case, values read strictly."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import unquote_plus

import orjson

from skalp_bot.paper.errors import VenueError

DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER = re.compile(r"-?[0-9]{1,20}")
INTEGER_RANGE = "^[0-9]{1,20}$"
CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]+")
CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Params:
    """What the caller sent, by lower-cased name; unknown names are simply never asked for."""

    values: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.values

    def text(self, name: str) -> str | None:
        """Give the value, None when it was not sent; sent and empty is a refusal of its own."""
        value = self.values.get(name.lower())
        if value == "":
            raise VenueError(-1105, name.lower())
        return value

    def need(self, *names: str) -> None:
        for name in names:
            if not self.values.get(name.lower()):
                raise VenueError(-1102, name.lower())

    def must(self, name: str) -> str:
        self.need(name)
        return self.values[name.lower()]

    def whole(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not INTEGER.fullmatch(value):
            raise VenueError(-1100, name.lower(), INTEGER_RANGE)
        return int(value)

    def within(self, name: str, default: int, low: int, high: int) -> int:
        """Read a whole number between two bounds, such as `limit`."""
        value = self.whole(name)
        if value is None:
            return default
        if not low <= value <= high:
            raise VenueError(-1130, name)
        return value

    def number(self, name: str) -> Decimal | None:
        value = self.text(name)
        if value is None:
            return None
        if not DECIMAL.fullmatch(value):
            raise VenueError(-1100, name.lower(), DECIMAL_RANGE)
        return Decimal(value)

    def flag(self, name: str, refusal: int = -1130) -> bool | None:
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in BOOLEANS:
            raise VenueError(refusal, name) if refusal == -1130 else VenueError(refusal)
        return BOOLEANS[value.lower()]

    def client_id(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if not CLIENT_ID.fullmatch(value):
            raise VenueError(-1100, name.lower(), CLIENT_ID_RANGE)
        if len(value) > 36:
            raise VenueError(-4015)
        return value

    def listed(self, name: str) -> list[object] | None:
        """Read a JSON array such as `batchOrders` or `orderIdList`."""
        value = self.text(name)
        if value is None:
            return None
        try:
            items = orjson.loads(value)
        except orjson.JSONDecodeError:
            items = None
        if not isinstance(items, list):
            raise VenueError(-1130, name)
        return items


def pairs(raw: str) -> Iterator[tuple[str, str]]:
    """Split a raw query string or form body; `+` is a blank, broken escapes stay as they are."""
    for piece in raw.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            yield unquote_plus(name), unquote_plus(value)


def parse(query: str, body: str) -> Params:
    """Merge query string and body; on duplicates the query string wins. Never looks at the content type."""
    values = {name.lower(): value for name, value in pairs(body)}
    values.update((name.lower(), value) for name, value in pairs(query))
    return Params(values)


def from_json(values: Mapping[str, object]) -> Params:
    """Take the parameters of a WebSocket API request, or of one order of a batch."""
    return Params({name.lower(): json_text(value) for name, value in values.items() if value is not None})


def json_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f")
        case _:
            return orjson.dumps(value).decode()
