"""Accidents on demand: rules say which request or user event goes wrong, and how; each counts its firing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultError(Exception):
    """A rule cannot be used; says which part, what was given, and what is allowed."""


class On(StrEnum):
    REQUEST = "request"  # A REST call.
    USER = "user"  # An event of the user stream.
    CONNECT = "connect"  # A WebSocket connection at a door.


class Do(StrEnum):
    ANSWER = "answer"  # This status, code and message instead of the venue's own answer.
    RESET = "reset"  # The connection is reset.
    HANG = "hang"  # No answer for so long, then a reset: a half-open connection.
    DELAY = "delay"  # The venue's own answer, or the event, so much later.
    DUPLICATE = "duplicate"  # The event, twice.
    SWAP = "swap"  # The event after the next one.
    DROP = "drop"  # The event never comes; pings are still answered.


ALLOWED: Mapping[On, tuple[Do, ...]] = {
    On.REQUEST: (Do.ANSWER, Do.RESET, Do.HANG, Do.DELAY),
    On.USER: (Do.DELAY, Do.DUPLICATE, Do.SWAP, Do.DROP),
    On.CONNECT: (Do.RESET,),
}


@dataclass(slots=True, kw_only=True)
class Rule:
    """Fires for what matches, after so many matches, so many times (0: for ever).

    ``accepted``: whether the venue carries the request out before the accident. ``where`` is a part of the
    path, of the event's name or of the door; every pair of ``match`` must be a parameter of the request, or
    stand in the event's own order (its ``o``), as text.
    """

    name: str
    on: On
    do: Do
    where: str = ""
    method: str = ""
    match: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    status: int = 503
    code: int = 0
    message: str = ""
    ms: int = 0
    retry_s: int = 0  # Retry-After of the answer; 0: none.
    times: int = 1
    after: int = 0
    seen: int = 0
    fired: int = 0

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "Rule":
        known = {name: type(value) for name, value in DEFAULTS.items()}
        for key, value in row.items():
            if key in ("name", "on", "do", "match"):
                continue
            if key not in known or not isinstance(value, known[key]):
                raise FaultError(f"{key} = {value!r}: allowed are {', '.join(sorted(known))}")
        try:
            on, do = On(row.get("on", On.REQUEST)), Do(row.get("do", ""))
        except ValueError as error:
            raise FaultError(f"{error}; on is one of {list(On)}, do one of {list(Do)}") from None
        if do not in ALLOWED[on]:
            raise FaultError(f"do = {do} on {on}: allowed are {[each.value for each in ALLOWED[on]]}")
        match = row.get("match", {})
        if not isinstance(match, dict):
            raise FaultError(f"match = {match!r}: must be an object of texts")
        rest = {key: value for key, value in row.items() if key in known}
        texts = {key: str(value) for key, value in match.items()}
        return cls(name=str(row.get("name", "")) or f"{on}-{do}", on=on, do=do, match=texts, **rest)

    def fires(self, where: str, facts: Mapping[str, str], method: str = "") -> bool:
        """Whether this one is hit; counted either way."""
        if self.where not in where or self.method not in ("", method):
            return False
        if any(facts.get(key) != value for key, value in self.match.items()):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times and self.fired >= self.times):
            return False
        self.fired += 1
        return True


DEFAULTS: Mapping[str, object] = {
    "where": "",
    "method": "",
    "accepted": False,
    "status": 503,
    "code": 0,
    "message": "",
    "ms": 0,
    "retry_s": 0,
    "times": 1,
    "after": 0,
}


@dataclass(slots=True)
class Switchboard:
    """The rules in force, in the order they were given; the first that fires has the say."""

    rules: dict[str, Rule] = field(default_factory=dict)
    held: list[bytes] = field(default_factory=list)  # Events that wait for the next one.

    def put(self, rule: Rule) -> None:
        self.rules[rule.name] = rule

    def clear(self, name: str) -> None:
        if name:
            self.rules.pop(name, None)
        else:
            self.rules.clear()

    def fault(self, on: On, where: str, facts: Mapping[str, str], method: str = "") -> Rule | None:
        for rule in self.rules.values():
            if rule.on is on and rule.fires(where, facts, method):
                return rule
        return None

    def counts(self) -> dict[str, dict[str, object]]:
        return {
            name: {"on": rule.on, "do": rule.do, "seen": rule.seen, "fired": rule.fired}
            for name, rule in self.rules.items()
        }

    def user_event(self, event: str, order: Mapping[str, str], payload: bytes) -> list[tuple[int, bytes]]:
        """What is delivered for this event: (milliseconds from now, payload)."""
        rule = self.fault(On.USER, event, order)
        if rule is not None and rule.do is Do.SWAP:
            self.held.append(payload)
            return []
        late = [(0, held) for held in self.held]
        self.held.clear()
        if rule is None:
            return [(0, payload), *late]
        match rule.do:
            case Do.DUPLICATE:
                return [(0, payload), (0, payload), *late]
            case Do.DELAY:
                return [*late, (rule.ms, payload)]
            case _:
                return late
