"""Keeps ccxt from importing every exchange it knows: a restart has three seconds to list a stop."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

OURS = ("binance", "binanceusdm")


def prepare() -> None:
    """Put lean ``ccxt`` packages in place; does nothing where ccxt was imported already.

    Its ``__init__`` files import some four hundred modules to fill their namespaces, which costs more than
    everything else we import. These stand-ins hold the errors, the base class and Binance, and look up any
    other exchange when it is asked for.
    """
    if "ccxt" in sys.modules:
        return
    root = stand_in("ccxt")
    with without_requests():
        errors = importlib.import_module("ccxt.base.errors")
        base = importlib.import_module("ccxt.base.exchange")
    for name, value in vars(errors).items():
        if not name.startswith("_"):
            setattr(root, name, value)
    root.Exchange = base.Exchange  # type: ignore[attr-defined]  # Made here.
    for package in ("ccxt.async_support", "ccxt.pro"):
        module = stand_in(package)
        for name in OURS:
            setattr(module, name, named(package, name))


@contextmanager
def without_requests() -> Iterator[None]:
    """Spare the HTTP client of ccxt's blocking flavour, which we never call: a tenth of all we import.

    Only while ccxt's base is imported; afterwards whoever wants the real one gets it. An exchange of the
    blocking flavour cannot ask anything in this process.
    """
    if "requests" in sys.modules:
        yield
        return
    names = ("requests", "requests.utils", "requests.exceptions")
    for name in names:
        made = sys.modules[name] = ModuleType(name)
        made.__path__ = []
        made.__getattr__ = lambda wanted: type(wanted, (Exception,), {})  # type: ignore[method-assign]  # PEP 562.
    sys.modules["requests.utils"].default_user_agent = lambda: "ccxt"  # type: ignore[attr-defined]  # Made here.
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def stand_in(package: str) -> ModuleType:
    """An empty package that finds its submodules where the real one has them."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{package} is not installed: run scripts/setup")
    made = ModuleType(package)
    made.__path__ = list(spec.submodule_search_locations)
    made.__spec__ = spec
    made.__file__ = spec.origin
    made.__getattr__ = lambda name: found(package, name)  # type: ignore[method-assign]  # PEP 562.
    sys.modules[package] = made
    parent, _, child = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, made)
    return made


def found(package: str, name: str) -> object:
    """An exchange class by its name, imported when first asked for."""
    if name.startswith("_") or find_spec(f"{package}.{name}") is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value = named(package, name)
    setattr(sys.modules[package], name, value)
    return value


def named(package: str, name: str) -> object:
    module = importlib.import_module(f"{package}.{name}")
    return getattr(module, name, module)
