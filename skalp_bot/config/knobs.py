"""Every key a file may hold: its place in the model, its default, and what is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo

from aurora.config import AuroraConfig, Section
from skalp_bot.config.root import Config

CORE = "aurora"
COMMON, OWN = "exits", "exits_by_symbol"  # A symbol's own keys stand below its name.
NOUNS: dict[object, str] = {int: "whole number", float: "number", str: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One key, as ``section.key`` or plain ``key``."""

    name: str
    field: FieldInfo
    default: Any

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in ``Config``: the core's keys are one floor below the file's."""
        parts = tuple(self.name.split("."))
        return (CORE, *parts) if parts[0] in AuroraConfig.model_fields else parts

    @property
    def is_list(self) -> bool:
        return get_origin(self.field.annotation) is tuple

    @property
    def allowed(self) -> str:
        """The range in words."""
        kind = self.field.annotation
        if get_origin(kind) is Literal:
            return " or ".join(shown(choice) for choice in get_args(kind))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return " or ".join(str(member.value) for member in kind)
        if kind is bool:
            return "true or false"
        if self.name == OWN:
            return f"{COMMON} by symbol"
        noun = NOUNS.get(kind, "list of text")
        limits = [limit for rule in self.field.metadata for limit in limits_of(rule)]
        return f"{noun} {' and '.join(limits)}".strip()


def limits_of(rule: object) -> list[str]:
    match rule:
        case Ge(ge=low):
            return [f">= {low}"]
        case Gt(gt=low):
            return [f"> {low}"]
        case Le(le=high):
            return [f"<= {high}"]
        case Lt(lt=high):
            return [f"< {high}"]
        case MinLen(min_length=1):
            return ["not empty"]
        case _:
            pattern = getattr(rule, "pattern", None)
            return [f"matching {pattern}"] if pattern else []


def shown(value: object) -> str:
    """As it would be written in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"{{{', '.join(map(str, value))}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".") if 1e-12 < abs(value) < 1e-3 else repr(value)
    return str(value)


@cache
def knobs() -> dict[str, Knob]:
    """All of them, in the order of the model: plain keys first, then section by section."""
    found: list[Knob] = []
    for section, field in (*Config.model_fields.items(), *AuroraConfig.model_fields.items()):
        if section == CORE:
            continue
        if isinstance(field.default, Section):
            kind = type(field.default)
            for key, inner in kind.model_fields.items():
                held = getattr(field.default, key)
                found.append(Knob(name=f"{section}.{key}", field=inner, default=held))
        else:
            found.append(Knob(name=section, field=field, default=field.default))
    found.sort(key=lambda knob: "." in knob.name)
    return {knob.name: knob for knob in found}


@cache
def sections() -> dict[str, str]:
    """Section names and the sentence at the head of each."""
    fields = (*Config.model_fields.items(), *AuroraConfig.model_fields.items())
    return {
        name: (type(field.default).__doc__ or "").strip()
        for name, field in fields
        if isinstance(field.default, Section) and name != CORE
    }


def knob_of(key: str) -> Knob | None:
    """The knob of that name, a symbol's own included; None where there is none."""
    match key.split("."):
        case [place, _, inner] if place == OWN:
            common = knobs().get(f"{COMMON}.{inner}")
            return None if common is None else replace(common, name=key, default=f"that of {common.name}")
        case _:
            return knobs().get(key)


def holds_keys(key: str) -> bool:
    """Whether keys stand below this one: a section, the own sections of symbols, one symbol's."""
    return key in sections() or key == OWN or (key.startswith(f"{OWN}.") and key.count(".") == 1)
