"""Compares two JSON values field by field: names, JSON types, and whether a text is a number."""

import re
from typing import Any

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "number text" if NUMBER.fullmatch(value) else "text"
        case list():
            return "list"
        case _:
            return "object"


def differences(example: Any, ours: Any, *, extra: tuple[str, ...] = (), path: str = "$") -> list[str]:
    """Say where `ours` is not shaped like `example`; `extra` names fields we may send beyond it."""
    wanted, given = kind(example), kind(ours)
    if wanted != given and {wanted, given} != {"float", "int"}:
        return [f"{path}: {given} {ours!r} where the venue sends {wanted} {example!r}"]
    found: list[str] = []
    if isinstance(example, dict):
        found += [f"{path}.{name}: missing" for name in example if name not in ours]
        found += [f"{path}.{name}: unknown" for name in ours if name not in example and name not in extra]
        for name, value in example.items():
            if name in ours:
                found += differences(value, ours[name], extra=extra, path=f"{path}.{name}")
    elif isinstance(example, list) and example:
        if not ours:
            return [f"{path}: empty"]
        same = len(example) > 1 and not isinstance(example[0], dict | list)
        pairs = zip(example, ours, strict=True) if same else ((example[0], item) for item in ours)
        for index, (value, item) in enumerate(pairs):
            found += differences(value, item, extra=extra, path=f"{path}[{index}]")
    return found


def same_shape(example: Any, ours: Any, *, extra: tuple[str, ...] = ()) -> None:
    found = differences(example, ours, extra=extra)
    assert not found, "\n".join(found)
