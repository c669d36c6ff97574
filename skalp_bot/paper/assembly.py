"""Puts a paper exchange together from its options, fresh or from its state directory."""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skalp_bot.paper import routes_account, routes_algo, routes_market, routes_trade
from skalp_bot.paper.archive import Record, whole
from skalp_bot.paper.auth import Key, KeyKind, Keyring, asymmetric
from skalp_bot.paper.board import Board
from skalp_bot.paper.desk import Desk
from skalp_bot.paper.exchange import Exchange, Keeper
from skalp_bot.paper.feeds import Feeds
from skalp_bot.paper.limits import Limits
from skalp_bot.paper.market import MarketSource
from skalp_bot.paper.moved import MovedMarket
from skalp_bot.paper.rest import Catalogue
from skalp_bot.paper.settings import ExchangeOptions, FrontSettings, OptionError, Switches, read_switches
from skalp_bot.paper.sources import open_market
from skalp_bot.paper.streams import Hub
from skalp_bot.paper.symbols import SymbolSpec, default_symbols, load_symbols, packaged_content
from skalp_bot.paper.venue import Venue

LETTERS = string.ascii_letters + string.digits
KEY_CHARS, INSTANCE_CHARS = 64, 12
Saved = tuple[Mapping[str, Any], Sequence[Record]]
CATALOGUE = Catalogue(
    {
        (endpoint.method, endpoint.path): endpoint
        for module in (routes_market, routes_trade, routes_algo, routes_account)
        for endpoint in module.ENDPOINTS
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What stays the same over restarts: who this exchange is, whose it is, and which market it plays."""

    instance: str
    api_key: str
    api_secret: str
    market: str
    seed: int

    def row(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "market": self.market,
            "seed": self.seed,
        }


def assemble(
    options: ExchangeOptions,
    *,
    now_ms: int,
    rng: random.Random,
    saved: Saved | None = None,
    keeper: Keeper | None = None,
) -> tuple[Exchange, Identity]:
    """Build the exchange; with `saved` it goes on where that left off. Raises OptionError or MarketError."""
    switches = read_switches(options.switches, limits=options.limits)
    state, history = saved if saved is not None else ({}, [])
    identity = identify(options, switches.front, rng, state)
    symbols = choose_symbols(options, switches.front)
    source: MarketSource = open_market(
        options.market,
        symbols=tuple(symbols) if options.symbols else None,
        specs=symbols,
        speed=options.speed,
        seed=options.seed,
    )
    if switches.front.faults:
        source = MovedMarket(source, symbols)
    symbols = {name: symbols[name] for name in source.symbols}
    now_ms = max(now_ms, int(state.get("now_ms", 0)))
    before = whole(state["venue"], history) if state else None
    venue = Venue(symbols=symbols, settings=switches.venue, now_ms=now_ms, state=before)
    if venue.account_by_key(identity.api_key) is None:
        venue.open_account(
            api_key=identity.api_key, secret=identity.api_secret, deposit=switches.front.deposit
        )
    same_market = (state.get("market"), state.get("seed")) == (options.market, options.seed)
    opening = source.resume(state["market_state"], now_ms) if same_market else source.start(now_ms)
    desk = make_desk(venue, source, symbols, switches, identity)
    desk.multi_assets.update(state.get("multi_assets", {}))
    desk.fee_burn.update(state.get("fee_burn", {}))
    hub = Hub(lenient=options.lenient)
    desk.close_key = hub.drop_key
    feeds = Feeds.make(hub, desk.board, venue.top)
    venue.hear_depth(feeds.depth.listened)
    exchange = Exchange(
        desk=desk,
        source=source,
        hub=hub,
        feeds=feeds,
        catalogue=CATALOGUE,
        identity=identity.row(),
        keeper=keeper,
    )
    if before is not None:
        exchange.archive.resume(venue.floor)
    exchange.open(opening, now_ms)
    return exchange, identity


def make_desk(
    venue: Venue,
    source: MarketSource,
    symbols: Mapping[str, SymbolSpec],
    switches: Switches,
    identity: Identity,
) -> Desk:
    keyring = Keyring()
    keyring.add(
        Key(
            api_key=identity.api_key,
            account=identity.api_key,
            kind=KeyKind.HMAC,
            material=identity.api_secret,
        )
    )
    for item in filter(None, switches.front.public_keys.split(",")):
        api_key, _, path = item.partition(":")
        try:
            keyring.add(asymmetric(api_key, identity.api_key, Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--set public_keys={item}: {error}; give APIKEY:FILE, a PEM public key"
            ) from error
    return Desk(
        venue=venue,
        board=Board.make(symbols, source.history),
        keyring=keyring,
        limits=Limits(switches.limits),
        engine_delay_ms=switches.front.engine_delay_ms,
    )


def identify(
    options: ExchangeOptions, front: FrontSettings, rng: random.Random, state: Mapping[str, Any]
) -> Identity:
    """Keep the saved identity; keys given explicitly must be the saved ones."""
    for name, given in (("api_key", front.api_key), ("api_secret", front.api_secret)):
        if given and state and state[name] != given:
            raise OptionError(
                f"--set {name}: the state directory has another key; name another --state-dir or drop this"
            )
    return Identity(
        instance=state.get("instance") or draw(rng, INSTANCE_CHARS).lower(),
        api_key=state.get("api_key") or front.api_key or draw(rng, KEY_CHARS),
        api_secret=state.get("api_secret") or front.api_secret or draw(rng, KEY_CHARS),
        market=options.market,
        seed=options.seed,
    )


def draw(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(LETTERS, k=count))


def choose_symbols(options: ExchangeOptions, front: FrontSettings) -> dict[str, SymbolSpec]:
    if not front.exchange_info and not front.brackets:
        try:
            return default_symbols(options.symbols)
        except KeyError as error:
            raise OptionError(
                f"--symbols: {error.args[0]}; add --set exchange_info=FILE for others"
            ) from error
    packaged = packaged_content()
    info = (
        read_json(front.exchange_info, "exchange_info") if front.exchange_info else packaged["exchangeInfo"]
    )
    brackets = read_json(front.brackets, "brackets") if front.brackets else packaged["brackets"]
    known = load_symbols(info, brackets)
    unknown = [name for name in options.symbols if name not in known]
    if unknown:
        raise OptionError(f"--symbols: {unknown[0]} is not in {front.exchange_info} ({len(known)} symbols)")
    return {name: known[name] for name in options.symbols} if options.symbols else known


def read_json(path: str, name: str) -> Any:
    try:
        return orjson.loads(Path(path).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise OptionError(
            f"--set {name}={path}: {error}; give a file with the venue's answer as JSON"
        ) from error
