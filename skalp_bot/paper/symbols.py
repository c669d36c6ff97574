"""What is traded: one specification per symbol, read from exchangeInfo and leverage brackets."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

DEFAULT_MAX_LEVERAGE = 20
PACKAGED = "symbols.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """One row of the leverage brackets; `cum` makes maintenance margin continuous over the tiers."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    mmr: Decimal
    cum: Decimal


@dataclass(frozen=True, kw_only=True)
class SymbolSpec:
    """A symbol's filters, parsed, together with the raw rows that are echoed to clients."""

    symbol: str
    raw: Mapping[str, Any]
    raw_brackets: Mapping[str, Any]
    brackets: tuple[Bracket, ...]
    status: str
    pair: str
    base_asset: str
    margin_asset: str
    price_precision: int
    qty_precision: int
    tick: Decimal
    price_min: Decimal
    price_max: Decimal
    step: Decimal
    qty_min: Decimal
    qty_max: Decimal
    market_step: Decimal
    market_qty_min: Decimal
    market_qty_max: Decimal
    orders_max: int
    notional_min: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    multiplier_decimals: int
    position_control: str
    trigger_protect: Decimal
    market_take_bound: Decimal
    liquidation_fee: Decimal
    rpi: bool

    @property
    def places(self) -> tuple[int, int]:
        """Decimals of prices and of quantities."""
        return self.price_precision, self.qty_precision

    @cached_property
    def price_exp(self) -> Decimal:
        return Decimal(1).scaleb(-self.price_precision)

    @cached_property
    def qty_exp(self) -> Decimal:
        return Decimal(1).scaleb(-self.qty_precision)

    def price_text(self, price: Decimal) -> str:
        """Pad to the symbol's price precision, the REST and TRADE_LITE form."""
        return f"{price:.{self.price_precision}f}"

    def qty_text(self, qty: Decimal) -> str:
        return f"{qty:.{self.qty_precision}f}"

    @cached_property
    def perpetual(self) -> bool:
        """Say whether funding is paid; contracts with a delivery date pay none."""
        return str(self.raw.get("contractType", "PERPETUAL")).endswith("PERPETUAL")

    @property
    def leverage_max(self) -> int:
        return max(bracket.leverage for bracket in self.brackets)


def load_symbols(
    exchange_info: Mapping[str, Any], brackets: Iterable[Mapping[str, Any]]
) -> dict[str, SymbolSpec]:
    """Read every symbol of an exchangeInfo answer; a symbol without brackets gets one wide bracket."""
    tiers = {row["symbol"]: row for row in brackets}
    return {row["symbol"]: spec_of(row, tiers.get(row["symbol"])) for row in exchange_info["symbols"]}


def default_symbols(names: Sequence[str] = ()) -> dict[str, SymbolSpec]:
    """Give the packaged symbols (all of them, or those named in this order).

    Raises KeyError naming the symbol that is not packaged.
    """
    known = packaged()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise KeyError(f"{unknown[0]} is not packaged; packaged are {', '.join(known)}")
    return {name: known[name] for name in names} if names else dict(known)


@cache
def packaged() -> dict[str, SymbolSpec]:
    content = packaged_content()
    return load_symbols(content["exchangeInfo"], content["brackets"])


@cache
def packaged_content() -> dict[str, Any]:
    """Give the packaged `{"exchangeInfo": {...}, "brackets": [...]}`, each as its endpoint answers."""
    content: dict[str, Any] = json.loads(files("skalp_bot.paper").joinpath(PACKAGED).read_bytes())
    return content


def spec_of(row: Mapping[str, Any], tiers: Mapping[str, Any] | None) -> SymbolSpec:
    filters = {item["filterType"]: item for item in row["filters"]}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market = filters.get("MARKET_LOT_SIZE", lot)
    percent = filters.get("PERCENT_PRICE", {})
    tiers = tiers if tiers is not None and tiers.get("brackets") else one_bracket(row["symbol"])
    return SymbolSpec(
        symbol=row["symbol"],
        raw=row,
        raw_brackets=tiers,
        brackets=tuple(bracket_of(tier) for tier in tiers["brackets"]),
        status=row["status"],
        pair=row.get("pair") or row["symbol"],
        base_asset=row["baseAsset"],
        margin_asset=row.get("marginAsset") or row["quoteAsset"],
        price_precision=int(row["pricePrecision"]),
        qty_precision=int(row["quantityPrecision"]),
        tick=grid_of(price["tickSize"], row["pricePrecision"]),
        price_min=Decimal(price["minPrice"]),
        price_max=Decimal(price["maxPrice"]),
        step=grid_of(lot["stepSize"], row["quantityPrecision"]),
        qty_min=Decimal(lot["minQty"]),
        qty_max=Decimal(lot["maxQty"]),
        market_step=grid_of(market["stepSize"], row["quantityPrecision"]),
        market_qty_min=Decimal(market["minQty"]),
        market_qty_max=Decimal(market["maxQty"]),
        orders_max=int(filters.get("MAX_NUM_ORDERS", {}).get("limit", 200)),
        notional_min=Decimal(filters.get("MIN_NOTIONAL", {}).get("notional", "5")),
        multiplier_up=Decimal(percent.get("multiplierUp", "0")),
        multiplier_down=Decimal(percent.get("multiplierDown", "0")),
        multiplier_decimals=int(percent.get("multiplierDecimal", "4")),
        position_control=filters.get("POSITION_RISK_CONTROL", {}).get("positionControlSide", "NONE"),
        trigger_protect=Decimal(row.get("triggerProtect", "0.05")),
        market_take_bound=Decimal(row.get("marketTakeBound", "0.05")),
        liquidation_fee=Decimal(row.get("liquidationFee", "0.0125")),
        rpi="RPI" in row.get("permissionSets", ()),
    )


def altered(spec: SymbolSpec, changes: Mapping[str, Any]) -> SymbolSpec:
    """Lay other values of exchangeInfo over a symbol's own; filters are merged one by one, by their type."""
    told = {item["filterType"]: item for item in changes.get("filters", [])}
    filters = [item | told.get(item["filterType"], {}) for item in spec.raw["filters"]]
    return spec_of({**spec.raw, **changes, "filters": filters}, spec.raw_brackets)


def grid_of(size: str, precision: int) -> Decimal:
    """Give a filter's step; zero turns the filter off, and the precision alone (-1111) is the grid."""
    return Decimal(size) or Decimal(1).scaleb(-precision)


def bracket_of(tier: Mapping[str, Any]) -> Bracket:
    return Bracket(
        number=int(tier["bracket"]),
        leverage=int(tier["initialLeverage"]),
        floor=Decimal(str(tier["notionalFloor"])),
        cap=Decimal(str(tier["notionalCap"])),
        mmr=Decimal(str(tier["maintMarginRatio"])),
        cum=Decimal(str(tier["cum"])).normalize() + 0,
    )


def one_bracket(symbol: str) -> dict[str, Any]:
    only = {
        "bracket": 1,
        "initialLeverage": DEFAULT_MAX_LEVERAGE,
        "notionalCap": 1_000_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.025,
        "cum": 0.0,
    }
    return {"symbol": symbol, "brackets": [only]}
