"""Layers into one configuration: the last word wins, and every refusal names file, key, value and range."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aurora.errors import ConfigError
from skalp_bot.config.knobs import COMMON, CORE, OWN, Knob, knob_of, shown
from skalp_bot.config.layers import Entry, Layer, env_layers, file_layers
from skalp_bot.config.root import Config, Venue

CODE = "code"
VALUE_ERROR = "Value error, "  # How the library begins what a rule of ours said.
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
        for part in path_of(key):
            held = held[part] if isinstance(held, Mapping) else getattr(held, part)
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


def path_of(key: str) -> tuple[str, ...]:
    knob = knob_of(key)
    if knob is None:
        raise KeyError(key)
    return knob.path


def built(entries: Mapping[str, Entry]) -> Config:
    tree: dict[str, Any] = {}
    for key, entry in entries.items():
        *parents, last = path_of(key)
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = entry.value
    core = tree.get(CORE, {})
    if OWN in core:
        core[OWN] = {symbol: {**core.get(COMMON, {}), **own} for symbol, own in core[OWN].items()}
    try:
        return Config.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as refused:
        complaints = [complaint(error["loc"], error["msg"], entries) for error in refused.errors()]
        raise ConfigError("\n".join(dict.fromkeys(complaints))) from None


def complaint(loc: Sequence[int | str], message: str, entries: Mapping[str, Entry]) -> str:
    words = [str(part) for part in loc if not isinstance(part, int) and part != CORE]
    own = ".".join(words[:2]) if words[:1] == [OWN] else ""
    key = ".".join(words[: 3 if own else 2])
    inherited = f"{COMMON}.{words[-1]}" if own else key
    for name in (key, inherited, *words[:1]):
        knob = knob_of(name)
        if knob is not None and name in entries:
            return refusal(knob, entries[name], message.partition(VALUE_ERROR)[2])
    message = message.removeprefix(VALUE_ERROR)
    about = spoken_of(message, entries, own)
    said = [f"{entries[name].origin}: {name} = {shown(entries[name].value)}" for name in about]
    return f"{'; '.join(said) or key or 'configuration'}: {message}"


def spoken_of(message: str, entries: Mapping[str, Entry], own: str) -> list[str]:
    """The keys a complaint names; of one symbol's section where ``own`` says which."""
    if own:  # Its own keys, and the common ones it leaves as they are.
        common = [name for name in entries if name.startswith(f"{COMMON}.")]
        left = [name for name in common if own + name.removeprefix(COMMON) not in entries]
        names = [*(name for name in entries if name.startswith(f"{own}.")), *left]
        return [name for name in names if name.rpartition(".")[2] in message]
    parts = {name: name.rpartition(".") for name in entries}
    return [name for name, part in parts.items() if part[0 if name.startswith(f"{OWN}.") else 2] in message]


def refusal(knob: Knob, entry: Entry, why: str) -> str:
    """``why``: what a rule of ours said; without it the value is of the wrong kind or out of range."""
    value = repr(entry.value) if isinstance(entry.value, str) else shown(entry.value)
    if knob.name == "use_futures":
        return (
            f"{entry.origin}: use_futures = {value}: this program trades USD-M futures and nothing else: "
            "set use_futures: true, or remove the line"
        )
    if why:
        return f"{entry.origin}: {knob.name} = {value}: {why}"
    return f"{entry.origin}: {knob.name} = {value}: must be {knob.allowed} (default {shown(knob.default)})"
