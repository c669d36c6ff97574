"""API keys: read once from the environment or the files it names, never shown, never kept in either."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from aurora.errors import ConfigError

API_KEY, API_SECRET = "BINANCE_API_KEY", "BINANCE_API_SECRET"


class Secret:
    """A string that shows itself only when asked by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    api_key: Secret
    api_secret: Secret


def take_keys(environ: MutableMapping[str, str]) -> Keys | None:
    """The keys, removed from ``environ``; None when neither is set. ConfigError when only half is there."""
    key, secret = take(environ, API_KEY), take(environ, API_SECRET)
    if key is None and secret is None:
        return None
    if key is None or secret is None:
        missing = API_KEY if key is None else API_SECRET
        raise ConfigError(f"{missing} is missing: set {missing} or {missing}_FILE beside the other one")
    return Keys(api_key=key, api_secret=secret)


def take(environ: MutableMapping[str, str], name: str) -> Secret | None:
    plain, file = environ.pop(name, ""), environ.pop(f"{name}_FILE", "")
    if plain and file:
        raise ConfigError(f"{name} and {name}_FILE are both set: keep one of them (the file is safer)")
    value = held_in(file, name) if file else plain.strip()
    return Secret(value) if value else None


def held_in(file: str, name: str) -> str:
    try:
        value = Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = type(error).__name__
        raise ConfigError(f"{name}_FILE {file} cannot be read ({why}): check path and rights") from None
    if not value:
        raise ConfigError(f"{name}_FILE {file} is empty: it must hold the key and nothing else")
    return value
