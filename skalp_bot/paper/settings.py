"""What a paper exchange is started with: the options of its command line and the switches of `--set`."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

from skalp_bot.paper.limits import LimitSettings
from skalp_bot.paper.venue import VenueSettings

Section = TypeVar("Section")


class OptionError(Exception):
    """An option cannot be used; says which, what was given, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    """The command line of `skalp-bot exchange`."""

    host: str = "127.0.0.1"
    port: int = 0
    market: str = "synthetic"
    speed: float = 1.0
    seed: int = 0
    symbols: tuple[str, ...] = ()
    limits: bool = True
    state_dir: Path | None = None
    ready_file: Path | None = None
    advertise: str | None = None
    lenient_routes: bool | None = None  # None: on when the host is a loopback address
    switches: Mapping[str, str] = field(default_factory=dict)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    exit_with_parent: bool = False

    @property
    def lenient(self) -> bool:
        return is_loopback(self.host) if self.lenient_routes is None else self.lenient_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """The venue's rules for WebSocket connections, and how long a slow reader is waited for."""

    enforced: bool = True
    messages_1s: int = 10  # on a stream connection
    requests_1s: int = 1000  # on a WebSocket API connection, where weight is the venue's limit
    message_bytes_max: int = 1 << 20
    ping_ms: int = 180_000
    pong_ms: int = 600_000
    lifetime_ms: int = 86_400_000
    backlog_bytes_wait: int = 1 << 20
    backlog_bytes_max: int = 64 << 20
    wait_ms_max: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSettings:
    """Who may call: the default account and its keys; the files that replace the packaged symbols."""

    api_key: str = ""
    api_secret: str = ""
    deposit: Decimal = Decimal(10000)
    public_keys: str = ""  # APIKEY:FILE[,APIKEY:FILE...], RSA or Ed25519 in PEM
    exchange_info: str = ""
    brackets: str = ""
    engine_delay_ms: int = 0
    faults: bool = False  # a control port for accidents, named in the ready file


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Every `--set KEY=VALUE`, sorted into the parts they turn."""

    venue: VenueSettings
    limits: LimitSettings
    sockets: SocketSettings
    front: FrontSettings


def read_switches(values: Mapping[str, str], *, limits: bool) -> Switches:
    """Read all switches; an unknown key or a value that does not fit is refused with what would."""
    left = dict(values)
    switches = Switches(
        venue=turn(VenueSettings(), left),
        limits=replace(turn(LimitSettings(), left, hidden=("enforced",)), enforced=limits),
        sockets=replace(turn(SocketSettings(), left, hidden=("enforced",)), enforced=limits),
        front=turn(FrontSettings(), left),
    )
    if left:
        known = sorted(
            item.name
            for part in (VenueSettings, LimitSettings, SocketSettings, FrontSettings)
            for item in fields(part)
            if item.name != "enforced"
        )
        raise OptionError(f"--set {next(iter(left))}: no such switch; switches are {', '.join(known)}")
    return switches


def turn(section: Section, left: dict[str, str], hidden: tuple[str, ...] = ()) -> Section:
    changes: dict[str, Any] = {}
    for item in fields(section):  # type: ignore[arg-type]  # every section is a dataclass
        if item.name in left and item.name not in hidden:
            changes[item.name] = read(item.name, left.pop(item.name), getattr(section, item.name))
    return replace(section, **changes)  # type: ignore[type-var]  # every section is a dataclass


def on_off(value: str) -> bool:
    return {"on": True, "true": True, "off": False, "false": False}[value.lower()]


READERS: Mapping[type, tuple[str, Callable[[str], object]]] = {
    bool: ("on or off", on_off),
    int: ("a whole number", int),
    Decimal: ("a decimal number", Decimal),
    float: ("a number", float),
    str: ("a text", str),
}


def read(name: str, value: str, default: object) -> object:
    kind = next((kind for kind in READERS if isinstance(default, kind)), str)
    wanted, reader = READERS[kind]
    try:
        return reader(value)
    except (KeyError, ValueError, InvalidOperation) as error:
        raise OptionError(f"--set {name}={value}: must be {wanted}; the default is {default}") from error


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
