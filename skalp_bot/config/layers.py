"""Where values come from: files and what they extend, and the environment; each value with its origin."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from aurora.errors import ConfigError
from skalp_bot.config.knobs import COMMON, OWN, holds_keys, knob_of, knobs, sections

EXTENDS = "extends"
EXTENDS_MAX = 8
OURS = "AURORA_"
PREFIX = "AURORA__"
NOT_KNOBS = ("AURORA_SHARED",)  # Where the tests find recorded data.
SHORT_NAMES = {
    "AURORA_TP_PCT": "exits.tp_pct",
    "AURORA_MAX_CONCURRENT": "governance.max_concurrent_positions",
}
SECRET = re.compile(r"(?i)(api[-_]?key|secret|passw|token|private[-_]?key)")
NUMBER = re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value and who says so: ``FILE:LINE`` or the name of a variable or option."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Later layers win over earlier ones."""

    name: str
    entries: Mapping[str, Entry] = field(default_factory=dict)


class PlainLoader(yaml.SafeLoader):
    """YAML as people write it: 1e-5 is a number, ``on`` and ``12:30`` are text."""


# A resolver per first character; the defaults for numbers and booleans follow an older YAML.
PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":float", ":int", ":bool", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
BOOL, INT, FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float"))
PlainLoader.add_implicit_resolver(BOOL, re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
PlainLoader.add_implicit_resolver(INT, re.compile(r"^[-+]?[0-9][0-9_]*$"), list("-+0123456789"))
PlainLoader.add_implicit_resolver(FLOAT, NUMBER, list("-+.0123456789"))
PlainLoader.add_constructor(INT, lambda loader, node: int(node.value))
PlainLoader.add_constructor(FLOAT, lambda loader, node: float(node.value))


def file_layers(path: Path) -> list[Layer]:
    """The file and all it extends, the farthest first."""
    layers: list[Layer] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in seen or len(seen) >= EXTENDS_MAX:
            chain = " -> ".join(str(one) for one in (*seen, following))
            raise ConfigError(f"{path}: extends goes round or deeper than {EXTENDS_MAX}: {chain}")
        seen.append(following.resolve())
        layer, parent = read_file(following, asked_by=layers[-1].name if layers else None)
        layers.append(layer)
        following = parent
    return layers[::-1]


def read_file(path: Path, *, asked_by: str | None) -> tuple[Layer, Path | None]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        because = f"{asked_by} extends {path}, which" if asked_by else f"profile {path}"
        near = [*path.parent.glob("*.yaml"), *Path("profiles").glob("*.yaml")]
        there = ", ".join(dict.fromkeys(sorted(map(str, near)))) or "none here"
        raise ConfigError(f"{because} cannot be read ({error.strerror}); there are: {there}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text, from byte {error.start} on: save it as UTF-8") from None
    try:
        root = yaml.compose(text, Loader=PlainLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    flat: dict[str, Entry] = {}
    if root is not None:
        flatten(root, "", path, flat)
    parent = flat.pop(EXTENDS, None)
    if parent is not None and not isinstance(parent.value, str):
        raise ConfigError(f"{parent.origin}: extends = {parent.value!r}: must be the name of one file")
    for key, entry in flat.items():
        check_key(key, entry)
    return Layer(name=str(path), entries=flat), beside(path, parent.value) if parent else None


def beside(path: Path, name: str) -> Path:
    """Relative to the file that names it, without going up and down again."""
    return Path(os.path.normpath(path.parent / name))


def flatten(node: Any, prefix: str, path: Path, into: dict[str, Entry]) -> None:
    """Sections to dotted keys, each with its line; a key given twice is refused."""
    origin = f"{path}:{node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        found = repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list"
        raise ConfigError(f"{origin}: expected keys and values, found {found}")
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{path}:{key_node.start_mark.line + 1}: a key must be one plain word")
        key = f"{prefix}{key_node.value}"
        where = f"{path}:{key_node.start_mark.line + 1}"
        if isinstance(value_node, yaml.MappingNode):
            if not holds_keys(key):
                raise unknown(key, where)
            flatten(value_node, f"{key}.", path, into)
            continue
        try:
            value = constructed(value_node)
        except (yaml.YAMLError, ValueError) as error:
            why = " ".join(str(error).split())
            raise ConfigError(f"{where}: {key} has a value that cannot be read: {why}") from None
        if value is None and holds_keys(key):
            continue  # A section with all its keys commented out.
        if key in into:
            raise ConfigError(f"{where}: {key} is set twice, first at {into[key].origin}: keep one")
        into[key] = Entry(value=value, origin=where)


def constructed(node: Any) -> Any:
    loader = PlainLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def check_key(key: str, entry: Entry) -> None:
    if holds_keys(key):
        where = f"{entry.origin}__KEY" if entry.origin.startswith(PREFIX) else "below it, indented"
        raise ConfigError(f"{entry.origin}: {key} = {entry.value!r}: a section; its keys go {where}")
    if knob_of(key) is None:
        raise unknown(key, entry.origin)


def unknown(key: str, origin: str) -> ConfigError:
    if SECRET.search(key):
        return ConfigError(
            f"{origin}: {key}: secrets do not belong in configuration; remove the line (and the key at the "
            "exchange, if the file was ever shared) and set BINANCE_API_KEY_FILE and BINANCE_API_SECRET_FILE"
        )
    known = [*knobs(), *sections()]
    if key.startswith(f"{OWN}."):
        symbols = ".".join(key.split(".")[:2])
        known = [f"{symbols}.{name.partition('.')[2]}" for name in knobs() if name.startswith(f"{COMMON}.")]
    last_words = {name.rpartition(".")[2]: name for name in reversed(known)}
    near = get_close_matches(key, known, n=1, cutoff=0.75)
    if not near:
        words = get_close_matches(key.rpartition(".")[2], list(last_words), n=1, cutoff=0.7)
        near = [last_words[word] for word in words]
    hint = f"did you mean {near[0]}?" if near else "configs/aurora/base.yaml lists every key"
    return ConfigError(f"{origin}: {key} is not a key; {hint}")


# --- environment --------------------------------------------------------------------------------------


def env_layers(environ: Mapping[str, str]) -> list[Layer]:
    """Short names first, so that ``AURORA__SECTION__KEY`` wins where both say the same in other words."""
    short: dict[str, Entry] = {}
    full: dict[str, Entry] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX):
            put(full, key_of(name.removeprefix(PREFIX)), name, environ[name])
        elif name in SHORT_NAMES:
            put(short, SHORT_NAMES[name], name, environ[name])
        elif name.startswith(OURS) and name not in NOT_KNOBS:
            raise ConfigError(
                f"{name} is not a name we read: {', '.join(SHORT_NAMES)}, or {PREFIX}SECTION__KEY for any "
                "key (configs/aurora/base.yaml lists them); unset it"
            )
    for key, entry in short.items():
        agree(key, entry, full.get(key))
    return [Layer(name="environment", entries=short), Layer(name="environment", entries=full)]


def key_of(name: str) -> str:
    """``EXITS__TP_PCT`` is exits.tp_pct; a symbol keeps its capitals."""
    key = name.lower().replace("__", ".")
    place, _, rest = key.partition(".")
    symbol, _, inner = rest.partition(".")
    return f"{place}.{symbol.upper()}.{inner}" if place == OWN and inner else key


def put(into: dict[str, Entry], key: str, name: str, text: str) -> None:
    entry = Entry(value=spoken(key, text), origin=name)
    check_key(key, entry)
    agree(key, entry, into.get(key))
    into[key] = entry


def agree(key: str, entry: Entry, other: Entry | None) -> None:
    if other is not None and other.value != entry.value:
        raise ConfigError(
            f"{entry.origin}={shown_env(entry)} and {other.origin}={shown_env(other)} both set {key}, "
            "to different values: unset one of them"
        )


def shown_env(entry: Entry) -> str:
    return ",".join(entry.value) if isinstance(entry.value, list) else str(entry.value)


def spoken(key: str, text: str) -> Any:
    """A value written as plain text: lists by commas, numbers and true or false as in a file."""
    knob = knob_of(key)
    if knob is not None and knob.is_list:
        return [part.strip() for part in text.strip("[] ").split(",") if part.strip()]
    if knob is not None and knob.field.annotation is str:
        return text
    try:
        node = yaml.compose(text, Loader=PlainLoader) if text.strip() else None
        return constructed(node) if isinstance(node, yaml.ScalarNode) else text
    except (yaml.YAMLError, ValueError):
        return text  # Whoever checks the value says what it should have been.
