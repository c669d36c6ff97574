"""Layers into one configuration: the last word wins, and every refusal names file, key, value and range."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aurora.errors import ConfigError
from skalp_bot.config.knobs import CORE, Knob, knobs, shown
from skalp_bot.config.layers import Entry, Layer, env_layers, file_layers
from skalp_bot.config.root import Config, Venue

CODE = "code"
VENUE_DEFAULTS: dict[str, dict[str, Any]] = {Venue.PAPER.value: {"reconcile.interval_s": 10.0}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration and, for each key, who set it and whom that overruled."""

    config: Config
    entries: Mapping[str, Entry]
    overruled: Mapping[str, tuple[Entry, ...]]  # Weakest first.
    files: tuple[str, ...]

    def value(self, key: str) -> Any:
        held: Any = self.config
        for part in knobs()[key].path:
            held = getattr(held, part)
        return held

    def origin(self, key: str) -> str:
        entry = self.entries.get(key)
        return CODE if entry is None else entry.origin


def load_config(
    profile: Path | None, *, environ: Mapping[str, str], options: Mapping[str, tuple[str, Any]] | None = None
) -> Loaded:
    """Code < configs < profile < short environment names < AURORA__SECTION__KEY < command line.

    ``options`` maps a key to the option that was given and its value. Without a profile: code and above.
    """
    files = file_layers(profile) if profile else []
    given = {key: Entry(value=value, origin=name) for key, (name, value) in (options or {}).items()}
    layers = [*files, *env_layers(environ), Layer(name="command line", entries=given)]
    stacks: dict[str, list[Entry]] = {}
    for layer in layers:
        for key, entry in layer.entries.items():
            stacks.setdefault(key, []).append(entry)
    venue = stacks["venue"][-1].value if "venue" in stacks else Venue.PAPER.value
    for key, value in VENUE_DEFAULTS.get(str(venue), {}).items():
        stacks.setdefault(key, [Entry(value=value, origin=f"{CODE} (venue {venue})")])
    entries = {key: stack[-1] for key, stack in stacks.items()}
    return Loaded(
        config=built(entries),
        entries=entries,
        overruled={key: tuple(stack[:-1]) for key, stack in stacks.items()},
        files=tuple(layer.name for layer in files),
    )


def built(entries: Mapping[str, Entry]) -> Config:
    tree: dict[str, Any] = {}
    for key, entry in entries.items():
        *parents, last = knobs()[key].path
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = entry.value
    try:
        return Config.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as refused:
        complaints = [complaint(error["loc"], error["msg"], entries) for error in refused.errors()]
        raise ConfigError("\n".join(dict.fromkeys(complaints))) from None


def complaint(loc: Sequence[int | str], message: str, entries: Mapping[str, Entry]) -> str:
    words = [str(part) for part in loc if not isinstance(part, int) and part != CORE]
    key = ".".join(words[:2])
    knob = knobs().get(key) or knobs().get(words[0] if words else "")
    if knob is not None and knob.name in entries:
        return refusal(knob, entries[knob.name])
    message = message.removeprefix("Value error, ")
    about = [name for name in entries if name.rpartition(".")[2] in message or name in message]
    said = [f"{entries[name].origin}: {name} = {shown(entries[name].value)}" for name in about]
    return f"{'; '.join(said) or key or 'configuration'}: {message}"


def refusal(knob: Knob, entry: Entry) -> str:
    value = repr(entry.value) if isinstance(entry.value, str) else shown(entry.value)
    if knob.name == "use_futures":
        return (
            f"{entry.origin}: use_futures = {value}: this program trades USD-M futures and nothing else: "
            "set use_futures: true, or remove the line"
        )
    return f"{entry.origin}: {knob.name} = {value}: must be {knob.allowed} (default {shown(knob.default)})"
