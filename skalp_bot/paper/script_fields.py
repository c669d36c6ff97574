"""Typed reading of the keys of a market script, with complaints a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

import yaml

from skalp_bot.paper.market import Level, MarketError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the script we are reading."""

    file: str
    step: str
    path: str = ""

    def on(self, number: str) -> "Place":
        return replace(self, step=f"step {number}", path="")

    def at(self, key: str) -> "Place":
        return replace(self, path=f"{self.path}{key}.")


class Fields:
    """The keys of one mapping; every read is checked, and `done` refuses keys nobody read."""

    def __init__(self, place: Place, node: yaml.Node | None) -> None:
        self.place = place
        self._asked: dict[str, None] = {}
        self._nodes: dict[str, yaml.Node] = {}
        self._line = 1 if node is None else node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise self._complaint("", _text(node), "a mapping of keys and values")
        for key, value in node.value:
            name = _text(key)
            if name in self._nodes:
                raise self.refuse(name, _text(value), "each key once")
            self._nodes[name] = value

    def names(self) -> tuple[str, ...]:
        return tuple(self._nodes)

    def has(self, key: str) -> bool:
        self._asked[key] = None
        return key in self._nodes

    def node(self, key: str) -> yaml.Node:
        if not self.has(key):
            raise self.refuse(key, "(missing)", "it is required here")
        return self._nodes[key]

    def inner(self, key: str) -> "Fields":
        return Fields(self.place.at(key), self.node(key))

    def text(self, key: str) -> str:
        node = self.node(key)
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(key, _text(node), "a single value")
        return str(node.value)

    def choice(self, key: str, allowed: Sequence[str], default: str | None) -> str:
        if default is not None and not self.has(key):
            return default
        value = self.text(key)
        if value not in allowed:
            raise self.refuse(key, value, "one of " + ", ".join(allowed))
        return value

    def one_of(self, keys: Sequence[str]) -> str:
        """The one key of several that must be there."""
        found = [key for key in keys if self.has(key)]
        if len(found) != 1:
            told = " and ".join(found) if found else ", ".join(self._nodes) or "(nothing)"
            raise self._complaint("", told, "exactly one of the keys " + ", ".join(keys))
        return found[0]

    def integer(
        self, key: str, *, low: int | None = None, high: int | None = None, default: int | None = None
    ) -> int:
        bounds = (None if low is None else Decimal(low), None if high is None else Decimal(high))
        value = self._number(
            key, bounds, None if default is None else Decimal(default), what="a whole number"
        )
        if value != value.to_integral_value():
            raise self.refuse(key, self.text(key), _range("a whole number", bounds))
        return int(value)

    def number(
        self,
        key: str,
        *,
        low: Decimal | None = None,
        high: Decimal | None = None,
        default: Decimal | None = None,
    ) -> Decimal:
        return self._number(key, (low, high), default, what="a number")

    def milliseconds(self, key: str) -> int:
        """A time written in seconds."""
        return int(self.number(key, low=Decimal("0.001"), high=Decimal(10**7)) * 1000)

    def decimal(self, key: str, *, grid: Decimal | None = None, default: Decimal | None = None) -> Decimal:
        """A positive price or quantity, on its grid."""
        what = (
            "a decimal number above 0" if grid is None else f"a decimal number above 0, a multiple of {grid}"
        )
        value = self._number(key, (None, None), default, what=what)
        if value <= 0 or (grid is not None and value % grid != 0):
            raise self.refuse(key, str(value), what)
        return value if grid is None else value.quantize(grid)

    def levels(
        self, key: str, *, tick: Decimal, step: Decimal, worse_than: Decimal | None, sign: int
    ) -> tuple[Level, ...] | None:
        """Deeper levels, best first: [[price, quantity], ...], each worse than the one before."""
        if not self.has(key):
            return None
        told = f"[[price, quantity], ...] of prices with a tick of {tick}, each further from the touch"
        rows: list[Level] = []
        last = worse_than
        if last is None:
            raise self.refuse(key, _text(self._nodes[key]), "deeper levels only beside bid and ask")
        for row in entries(self.place, key, self.node(key)):
            pair = entries(self.place, key, row)
            if len(pair) != 2 or not all(isinstance(cell, yaml.ScalarNode) for cell in pair):
                raise self.refuse(key, _text(row), told)
            price, qty = (_decimal(str(cell.value)) for cell in pair)
            if price is None or qty is None or qty <= 0 or price <= 0 or price % tick or qty % step:
                raise self.refuse(key, _text(row), told)
            if (price - last) * sign <= 0:
                raise self.refuse(key, _text(row), told)
            rows.append((price.quantize(tick), qty.quantize(step)))
            last = price
        return tuple(rows)

    def ordered(self, bid: Decimal, ask: Decimal) -> None:
        if bid >= ask:
            raise self.refuse("ask", str(ask), f"a price above the bid {bid}")

    def done(self) -> None:
        unknown = [key for key in self._nodes if key not in self._asked]
        if unknown:
            known = "one of " + ", ".join(sorted(self._asked))
            raise self.refuse(unknown[0], _text(self._nodes[unknown[0]]), known)

    def refuse(self, key: str, value: str, allowed: str) -> MarketError:
        node = self._nodes.get(key)
        if node is not None:
            self._line = node.start_mark.line + 1
        return self._complaint(key, value, allowed)

    def _number(
        self, key: str, bounds: tuple[Decimal | None, Decimal | None], default: Decimal | None, *, what: str
    ) -> Decimal:
        if default is not None and not self.has(key):
            return default
        text = self.text(key)
        value = _decimal(text)
        low, high = bounds
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            raise self.refuse(key, text, _range(what, bounds))
        return value

    def _complaint(self, key: str, value: str, allowed: str) -> MarketError:
        about = f"{self.place.path}{key}".rstrip(".")
        named = f"key {about}: " if about else ""
        return MarketError(
            f"market script {self.place.file}, line {self._line}, {self.place.step}: "
            f"{named}value {value} is not allowed; allowed: {allowed}"
        )


def entries(place: Place, key: str, node: yaml.Node) -> list[yaml.Node]:
    """The entries of a list."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    line = node.start_mark.line + 1
    raise MarketError(
        f"market script {place.file}, line {line}, {place.step}: key {place.path}{key}: "
        f"value {_text(node)} is not allowed; allowed: a list"
    )


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _range(what: str, bounds: tuple[Decimal | None, Decimal | None]) -> str:
    match bounds:
        case (None, None):
            return what
        case (low, None):
            return f"{what}, at least {low}"
        case (None, high):
            return f"{what}, at most {high}"
        case (low, high):
            return f"{what} from {low} to {high}"


def _text(node: yaml.Node | None) -> str:
    """A node as a person would have written it, shortened."""
    match node:
        case None:
            return "(empty file)"
        case yaml.ScalarNode():
            told = str(node.value) or "(nothing)"
        case yaml.SequenceNode():
            told = "[" + ", ".join(_text(item) for item in node.value) + "]"
        case yaml.MappingNode():
            told = "{" + ", ".join(f"{k.value}: {_text(v)}" for k, v in node.value) + "}"
        case _:
            told = str(node)
    return told if len(told) <= 60 else told[:57] + "..."
