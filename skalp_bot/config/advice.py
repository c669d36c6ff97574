"""What is allowed and still unwise: settings that cannot pay their costs or promise more than can be kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from aurora.config import AuroraConfig, ExitsConfig
from aurora.sizing.bracket import BracketCosts, BracketKelly, kelly_bracket
from skalp_bot.config.knobs import COMMON, OWN, shown
from skalp_bot.config.root import Config, Venue

TAKER = 0.0005  # VIP 0 of USD-M futures; an account's own rate is known only to the exchange.
MAINTENANCE = 0.004  # Of the lowest BTCUSDT bracket.


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    code: str
    keys: tuple[str, ...]
    message: str


def check_config(config: Config) -> tuple[Advice, ...]:
    """Every warning, the costliest first; none of them stops a run."""
    core = config.aurora
    return (*exits_advice(core), *protection(core), *risk(core), *pace(core), *market(config))


def exits_in_use(core: AuroraConfig) -> Iterator[tuple[str, ExitsConfig]]:
    """Each exits section that some symbol goes by, with the name its keys begin with."""
    if any(symbol not in core.exits_by_symbol for symbol in core.symbols):
        yield COMMON, core.exits
    for symbol, exits in core.exits_by_symbol.items():
        yield f"{OWN}.{symbol}", exits


def exits_advice(core: AuroraConfig) -> Iterator[Advice]:
    for place, exits in exits_in_use(core):
        yield from costs(place, exits, core)
        yield from liquidation(place, exits, core)


def bracket_odds(exits: ExitsConfig, core: AuroraConfig) -> BracketKelly:
    """The configured bracket at coin-flip odds, with taker fees and slippage inside."""
    slip = core.sizing.slippage_bps / 1e4
    paid = BracketCosts(fee_in=TAKER, fee_tp=TAKER, fee_sl=TAKER, slip_in=slip, slip_sl=slip)
    resting = exits.sl_pct + exits.net_offset_bps / 1e4
    return kelly_bracket(0.5, exits.tp_pct, resting, paid, 1)


def costs(place: str, exits: ExitsConfig, core: AuroraConfig) -> Iterator[Advice]:
    """Of distances; how far a fixed price is, only the entry will show."""
    if exits.tp_price or exits.sl_price:
        return
    odds = bracket_odds(exits, core)
    round_trip = 2 * (TAKER + core.sizing.slippage_bps / 1e4)
    target = exits.tp_pct
    if odds.p_breakeven is None:
        yield Advice(
            code="TP_CANNOT_PAY_COSTS",
            keys=(f"{place}.tp_pct",),
            message=(
                f"{place}.tp_pct {shown(target)} is {bps(target)}, a round trip costs about "
                f"{bps(round_trip)} (taker fees {bps(2 * TAKER)}, slippage {bps(round_trip - 2 * TAKER)}): "
                f"every take-profit loses money, whatever the signal; set it above {round_trip:.4f}"
            ),
        )
    elif odds.p_breakeven > 0.6:
        yield Advice(
            code="TP_HARDLY_PAYS",
            keys=(f"{place}.tp_pct", f"{place}.sl_pct"),
            message=(
                f"{place}.tp_pct {bps(target)} against {place}.sl_pct {bps(exits.sl_pct)} breaks even after "
                f"costs at a probability of {odds.p_breakeven:.1%}; the signal's p must be above it"
            ),
        )
    if exits.sl_pct <= round_trip:
        yield Advice(
            code="SL_INSIDE_COSTS",
            keys=(f"{place}.sl_pct",),
            message=(
                f"{place}.sl_pct {bps(exits.sl_pct)} is not beyond the cost of a round trip "
                f"({bps(round_trip)}): most of each stopped trade's loss is fees"
            ),
        )
    if core.governance.spread_bps_max / 1e4 > target:
        yield Advice(
            code="SPREAD_GATE_BEYOND_TP",
            keys=("governance.spread_bps_max", f"{place}.tp_pct"),
            message=(
                f"governance.spread_bps_max {core.governance.spread_bps_max:g} lets entries pay a "
                f"spread wider than the take-profit of {bps(target)}"
            ),
        )


def protection(core: AuroraConfig) -> Iterator[Advice]:
    gates = core.governance
    each = max(exits.conditional_orders for _, exits in exits_in_use(core))
    protected = (gates.conditional_orders_max - gates.conditional_orders_reserve) // each
    if gates.max_concurrent_positions > protected:
        yield Advice(
            code="MORE_POSITIONS_THAN_STOPS",
            keys=("governance.max_concurrent_positions",),
            message=(
                f"governance.max_concurrent_positions {gates.max_concurrent_positions} is more than the "
                f"exchange's {gates.conditional_orders_max} conditional orders can protect: at {each} each "
                f"and {gates.conditional_orders_reserve} in reserve that is {protected}; the gate "
                "CONDITIONAL_SLOTS will refuse the rest"
            ),
        )


def liquidation(place: str, exits: ExitsConfig, core: AuroraConfig) -> Iterator[Advice]:
    distance = 1 / core.leverage - MAINTENANCE
    widest = exits.backstop_pct if exits.backstop else exits.sl_pct
    if widest >= distance:
        yield Advice(
            code="LIQUIDATION_BEFORE_STOP",
            keys=("leverage", f"{place}.backstop_pct"),
            message=(
                f"at leverage {core.leverage} a position on its own margin is liquidated near "
                f"{bps(distance)}, before its widest stop at {bps(widest)}"
            ),
        )


def risk(core: AuroraConfig) -> Iterator[Advice]:
    sizing, gates = core.sizing, core.governance
    if sizing.clip_max > gates.daily_drawdown_max:
        yield Advice(
            code="ONE_STOP_SPENDS_THE_DAY",
            keys=("sizing.clip_max", "governance.daily_drawdown_max"),
            message=(
                f"sizing.clip_max {sizing.clip_max:g} lets one stopped position lose more of equity than "
                f"governance.daily_drawdown_max {gates.daily_drawdown_max:g} allows for the whole day"
            ),
        )
    if sizing.leverage_use_max > core.leverage:
        yield Advice(
            code="SIZE_BEYOND_LEVERAGE",
            keys=("sizing.leverage_use_max", "leverage"),
            message=(
                f"sizing.leverage_use_max {sizing.leverage_use_max:g} is above leverage {core.leverage}: "
                "the margin for it is not there, orders are cut or refused"
            ),
        )


def pace(core: AuroraConfig) -> Iterator[Advice]:
    oldest, interval = core.governance.reconciled_age_s_max, core.reconcile.interval_s
    if oldest < interval + core.reconcile.timeout_s:
        yield Advice(
            code="RECONCILED_TOO_SELDOM",
            keys=("governance.reconciled_age_s_max", "reconcile.interval_s"),
            message=(
                f"reconcile.interval_s {interval:g} plus its timeout is longer than "
                f"governance.reconciled_age_s_max {oldest:g}: entries are refused between reconciliations"
            ),
        )


def market(config: Config) -> Iterator[Advice]:
    if config.venue is not Venue.PAPER and config.market.source != "synthetic":
        yield Advice(
            code="MARKET_IGNORED",
            keys=("market.source",),
            message=f"market.source {config.market.source} is for venue paper, not {config.venue}",
        )
    leverage = config.aurora.leverage
    if config.venue is Venue.LIVE and leverage > 10:
        yield Advice(
            code="HIGH_LEVERAGE",
            keys=("leverage",),
            message=f"leverage {leverage} with real money: a move of {1 / leverage:.1%} takes the margin",
        )


def bps(fraction: float) -> str:
    return f"{fraction * 1e4:.3g} bp"
