"""Every knob of the core, one Section per room; defaults are the inventory's where it names one."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """Frozen, complete, and deaf to unknown keys only by refusing them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


DISTANCE_MIN = 1e-6  # A level at the price itself has no odds.
Fraction = Annotated[float, Field(gt=0, lt=1)]


class StrategyConfig(Section):
    """Who has opinions. ``exercise`` trades on a cadence with a declared p, on paper and testnet only."""

    name: Literal["skalp", "exercise"] = Field(
        "skalp", description="skalp needs an edge; exercise trades on a cadence, without one."
    )
    seed: int = Field(0, ge=0, description="Seed of the exercise's cadence and sides.")
    exercise_every_s: float = Field(
        8.0, ge=0.5, le=86_400, description="Mean seconds from flat to next entry."
    )
    exercise_hold_s: float = Field(5.0, ge=0.1, le=86_400, description="Seconds until it closes by itself.")
    exercise_p: float = Field(0.55, gt=0, lt=1, description="Probability of target before stop it declares.")
    skalp_horizon_s: float = Field(5.0, ge=0.1, le=3_600, description="Seconds its opinion is good for.")
    skalp_imbalance_min: float = Field(0.6, ge=0, le=1, description="Queue imbalance worth an opinion.")
    skalp_flow_halflife_s: float = Field(1.0, gt=0, le=600, description="Half-life of order-flow imbalance.")
    skalp_observations: float = Field(
        300.0, gt=0, le=1e6, description="Independent outcomes its weights stand for."
    )
    skalp_beta_imbalance: float = Field(0.4, ge=0, le=5, description="Weight of queue imbalance in log-odds.")
    skalp_beta_flow: float = Field(0.4, ge=0, le=5, description="Weight of order-flow imbalance in log-odds.")


class SizingConfig(Section):
    """How much: fractions are of equity lost when the stop is hit, not of notional."""

    risk_aversion: float = Field(1.0, ge=1, le=1_000, description="Kelly is divided by it.")
    clip_min: float = Field(0.0, ge=0, lt=1, description="Smallest fraction of equity at risk.")
    clip_max: float = Field(0.2, gt=0, le=1, description="Largest fraction of equity at risk.")
    drawdown_max: float = Field(0.2, gt=0, lt=1, description="Drawdown from the peak at which size is zero.")
    drawdown_method: Literal["grossman_zhou", "linear", "step"] = Field(
        "grossman_zhou", description="How size shrinks with the drawdown: docs/sizing.md."
    )
    band: float = Field(
        0.1, ge=0, lt=1, description="Relative change of the fraction that is not worth a resize."
    )
    bucket: float = Field(0.1, ge=0, lt=1, description="Relative width of size buckets; 0 for none.")
    resize_interval_s: float = Field(1.0, ge=0, le=86_400, description="Least time between increases.")
    slippage_bps: float = Field(1.0, ge=0, le=500, description="Assumed per fill, each way.")
    prior_strength: float = Field(
        50.0,
        ge=0,
        le=10_000,
        description="Pseudo-trades at break-even weighed with an estimate of p.",
    )
    drawdown_prob: float = Field(
        0.0, ge=0, lt=1, description="Chance of ever losing drawdown_max; sets the risk aversion; 0: off."
    )
    gross_cap: float = Field(2.0, gt=0, le=125, description="Common budget: gross notional over equity.")
    covariance_halflife_s: float = Field(300.0, ge=10, le=86_400, description="Memory of live covariances.")
    leverage_use_max: float = Field(
        1.0, gt=0, le=125, description="Largest notional of one position over equity."
    )

    @model_validator(mode="after")
    def clip_is_a_range(self) -> "SizingConfig":
        if self.clip_min > self.clip_max:
            raise ValueError(f"clip_min {self.clip_min} must not be above clip_max {self.clip_max}")
        return self


class ExitsConfig(Section):
    """Where a position ends. Distances are fractions of the entry price."""

    mode: Literal["both", "exchange", "local"] = Field(
        "both", description="Who acts on the stop: a resting order, we ourselves, or both."
    )
    trigger_price: Literal["mid", "executable", "mark", "last"] = Field(
        "mid", description="What local levels are compared with; executable is the side we would trade at."
    )
    tp_order: Literal["local", "limit", "algo"] = Field(
        "local", description="Take-profit: acted on here, or resting as a maker or a conditional order."
    )
    tp_pct: float = Field(
        0.00001, gt=0, lt=1, description="Take-profit distance; the default cannot pay fees."
    )
    sl_pct: float = Field(0.005, gt=0, lt=0.5, description="Stop distance of the local level.")
    net_offset_bps: float = Field(
        5.0, ge=0, le=500, description="The resting stop stands this far beyond, at least."
    )
    net_offset_spreads: float = Field(2.0, ge=0, le=100, description="... or this many spreads, if more.")
    backstop: bool = Field(default=True, description="A closePosition stop at the widest permitted loss.")
    backstop_pct: float = Field(0.02, gt=0, lt=0.9, description="Its distance from the entry price.")
    tp_atr: float = Field(
        0.0, ge=0, le=100, description="Take-profit in average true ranges instead; 0: off."
    )
    sl_atr: float = Field(0.0, ge=0, le=100, description="Stop in average true ranges instead; 0: off.")
    tp_price: float = Field(
        0.0, ge=0, description="Take-profit at this price, whatever the distances say; 0: off."
    )
    sl_price: float = Field(0.0, ge=0, description="Stop at this price, whatever the distances say; 0: off.")
    trail_pct: float = Field(
        0.0, ge=0, lt=0.5, description="Distance the stop trails the best price at; 0: off."
    )
    trail_atr: float = Field(0.0, ge=0, le=100, description="The same in average true ranges; 0: off.")
    trail_activation_pct: float = Field(0.0, ge=0, lt=0.5, description="Gain before the stop trails.")
    break_even_pct: float = Field(
        0.0, ge=0, lt=0.5, description="Gain at which the stop pays the fees; 0: off."
    )
    ladder: tuple[str, ...] = Field(
        (), max_length=10, description="Partial take-profits as gain:share texts."
    )
    pyramid_adds: int = Field(0, ge=0, le=5, description="How often a winner may be added to; 0: off.")
    pyramid_step_pct: float = Field(0.002, gt=0, lt=0.5, description="Gain from the first entry per add.")
    pyramid_share: float = Field(0.5, gt=0, le=1, description="Size of an add over the first size.")
    time_stop_s: float = Field(0.0, ge=0, le=604_800, description="Seconds a position may be held; 0: off.")
    strategy_stops: bool = Field(default=False, description="The strategy may move the stop.")
    strategy_may_loosen: bool = Field(default=False, description="A strategy's own stop may move away.")
    naked_deadline_s: float = Field(3.0, ge=0.2, le=3.0, description="Listed stop by then, or a market exit.")
    stop_resize_ms: int = Field(
        250, ge=50, le=10_000, description="Least time between changes of the resting stop."
    )
    exit_tries_per_s: float = Field(5.0, gt=0, le=5.0, description="Most exit attempts a second per symbol.")

    @model_validator(mode="after")
    def backstop_behind_stop(self) -> "ExitsConfig":
        if self.mode == "local" and not self.backstop:
            raise ValueError("mode local needs backstop true: something must rest on the exchange")
        if self.backstop and self.backstop_pct <= self.sl_pct + self.net_offset_bps / 1e4:
            raise ValueError(
                f"backstop_pct {self.backstop_pct} must lie beyond sl_pct {self.sl_pct} plus net_offset_bps"
            )
        if self.tp_price and self.ladder:
            raise ValueError(f"tp_price {self.tp_price} and ladder both say where profit is taken: keep one")
        return self

    def distances(self, price: float, atr: float | None) -> tuple[float, float]:
        """How far from ``price`` target and stop are, as fractions of it, however each is said; for odds.

        ``atr``: average true range in price units, once known. Never zero.
        """
        ranges = atr / price if atr else 0.0
        target = ranges * self.tp_atr or self.tp_pct
        stop = ranges * self.sl_atr or self.sl_pct
        if self.tp_price:
            target = abs(self.tp_price / price - 1)
        if self.sl_price:
            stop = abs(self.sl_price / price - 1)
        if stop >= self.backstop_pct:
            stop = self.backstop_pct / 2
        return max(target, DISTANCE_MIN), max(stop, DISTANCE_MIN)

    @property
    def manages(self) -> bool:
        """Whether a held position has more to do than wait for its stop and its target."""
        return bool(
            self.trail_pct
            or self.trail_atr
            or self.break_even_pct
            or self.ladder
            or self.pyramid_adds
            or self.strategy_stops
        )

    @property
    def conditional_orders(self) -> int:
        """Slots a position takes at the exchange: its stops, and targets that rest as conditional orders.

        What replaces a stop stands beside it for a moment; that lives off the reserve.
        """
        targets = max(len(self.ladder), 1) if self.tp_order == "algo" else 0
        return (self.mode != "local") + self.backstop + targets

    @field_validator("ladder")
    @classmethod
    def ladder_adds_up(cls, ladder: tuple[str, ...]) -> tuple[str, ...]:
        total, before = 0.0, 0.0
        for text in ladder:
            gain, _, share = text.partition(":")
            try:
                at, part = float(gain), float(share)
            except ValueError:
                raise ValueError(f"rung {text!r} must read gain:share, such as 0.002:0.5") from None
            if not (before < at < 1 and 0 < part <= 1):
                raise ValueError(f"rung {text!r}: gains rise within (0, 1), shares lie in (0, 1]")
            before, total = at, total + part
        if ladder and abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of the ladder add up to {total}, not 1")
        return ladder


class ExecutionConfig(Section):
    """How orders are sent."""

    style: Literal["IMMEDIATE", "TWAP", "ICEBERG", "CHASE", "PARTICIPATE"] = Field(
        "IMMEDIATE", description="How an entry is sliced: docs/execution.md."
    )
    twap_slices: int = Field(4, ge=1, le=100, description="TWAP: into how many slices.")
    twap_interval_s: float = Field(1.0, ge=0.1, le=3_600, description="TWAP: from slice to slice.")
    twap_jitter: float = Field(
        0.0, ge=0, le=0.9, description="A slice comes late by up to this share of the interval."
    )
    seed: int = Field(1, ge=0, le=2**31, description="Of the jitter.")
    clip_share: float = Field(0.25, ge=0.02, le=1, description="ICEBERG: most of the parent shown at once.")
    chases_max: int = Field(5, ge=0, le=50, description="CHASE: new quotes after the first.")
    requote_ms: int = Field(250, ge=50, le=60_000, description="CHASE: a quote rests at least this long.")
    participation: float = Field(
        0.1, ge=0.001, le=0.5, description="PARTICIPATE: share of what the others trade."
    )
    drift_bps_max: float = Field(
        10.0, gt=0, le=500, description="Worst price of the patient styles, from the decision mid."
    )
    child_timeout_s: float = Field(10.0, ge=0.5, le=3_600, description="A resting child is cancelled then.")
    parent_timeout_s: float = Field(60.0, ge=1, le=86_400, description="The patient styles end then.")
    then: Literal["cross", "give_up"] = Field(
        "cross", description="When chases or time are used up: take the rest up to the bound, or leave it."
    )
    send_before_ms: int = Field(250, ge=10, le=5_000, description="An entry older than this is not sent.")
    recv_window_ms: int = Field(3_000, ge=1_000, le=5_000, description="Life of a signature at the exchange.")
    fence_margin_ms: int = Field(
        5_000, ge=1_000, le=60_000, description="Added before 'absent' means 'dead'."
    )


class GovernanceConfig(Section):
    """The gates. Money in quote units, fractions of equity where named so."""

    max_concurrent_positions: int = Field(
        999, ge=1, le=999, description="Symbols with a position or an order that may open one."
    )
    order_notional_max: float = Field(1_000_000.0, gt=0, description="Quote units per order.")
    gross_exposure_max: float = Field(
        10.0, gt=0, le=125, description="Worst-case gross notional over equity."
    )
    free_margin_min: float = Field(
        0.1, ge=0, lt=1, description="Free margin left after the order, over equity."
    )
    spread_bps_max: float = Field(10.0, gt=0, le=1_000, description="Ask over bid, of the mid.")
    latency_ms_max: float = Field(1_500.0, gt=0, le=60_000, description="Exchange event to our step.")
    book_age_ms_max: float = Field(2_000.0, gt=0, le=60_000, description="Since the newest quote.")
    daily_drawdown_max: float = Field(
        0.05, gt=0, lt=1, description="From the UTC day's start, equity net of flows."
    )
    cvar_max: float = Field(
        0.02, gt=0, lt=1, description="Expected shortfall of the book over a minute, over equity."
    )
    cvar_alpha: float = Field(0.99, gt=0.5, lt=1, description="Its confidence.")
    cvar_samples_min: int = Field(250, ge=20, le=1_000, description="Minutes before it is trusted.")
    cvar_floor: float = Field(0.005, gt=0, lt=1, description="Assumed shortfall per exposure until then.")
    reconciled_age_s_max: float = Field(180.0, gt=0, le=3_600, description="Oldest clean reconciliation.")
    conditional_orders_max: int = Field(200, ge=4, le=200, description="The venue's cap over all symbols.")
    conditional_orders_reserve: int = Field(
        20, ge=0, le=100, description="Of these, kept free for the stops of what is open."
    )
    cooldown_s: float = Field(
        0.0, ge=0, le=86_400, description="No entry on a symbol this long after a round trip."
    )


class ReconcileConfig(Section):
    """How often our books are held against the exchange's."""

    interval_s: float = Field(60.0, ge=1, le=3_600, description="From look to look; 10 on paper.")
    quiet_ms: int = Field(
        300, ge=50, le=10_000, description="No news of a symbol for so long before it is compared."
    )
    timeout_s: float = Field(5.0, ge=0.5, le=60, description="An answer later than this is asked for again.")


class UpkeepConfig(Section):
    """What a long day needs of the connection to the exchange."""

    connection_life_s: float = Field(
        84_600.0,
        ge=2,
        le=86_000,
        description="A connection this old is relieved by a new one; the exchange cuts it after a day.",
    )
    reload_s: float = Field(
        3_600.0, ge=1, le=86_400, description="Filters, limits and leverage brackets are read again so often."
    )


class AuroraConfig(Section):
    """All the core reads; a room receives its own section and no more."""

    symbols: tuple[str, ...] = Field(("BTCUSDT",), min_length=1, description="What is traded.")
    quote_asset: str = Field(
        "USDT", pattern=r"^[A-Z0-9]{2,10}$", description="What symbols are quoted and equity is counted in."
    )
    leverage: int = Field(5, ge=1, le=125, description="Set per symbol at the exchange while it is flat.")
    brand: str = Field("sk", pattern=r"^[a-z]{2,4}$", description="First letters of our order ids.")
    instance: str = Field("a1", pattern=r"^[a-z0-9]{1,4}$", description="Tells daemons of one account apart.")
    strategy: StrategyConfig = StrategyConfig()
    sizing: SizingConfig = SizingConfig()
    exits: ExitsConfig = ExitsConfig()
    exits_by_symbol: Mapping[str, ExitsConfig] = Field(
        {}, description="A symbol's own exits; in a file it names only what differs from exits."
    )
    execution: ExecutionConfig = ExecutionConfig()
    governance: GovernanceConfig = GovernanceConfig()
    reconcile: ReconcileConfig = ReconcileConfig()
    upkeep: UpkeepConfig = UpkeepConfig()

    @model_validator(mode="after")
    def own_exits_are_of_what_is_traded(self) -> "AuroraConfig":
        for symbol in self.exits_by_symbol:
            if symbol not in self.symbols:
                raise ValueError(f"exits_by_symbol.{symbol}: not among symbols {', '.join(self.symbols)}")
        for name in ("sl_price", "tp_price"):
            if getattr(self.exits, name) and len(self.symbols) > 1:
                raise ValueError(f"{name} is a price of one symbol: it belongs into exits_by_symbol")
        return self

    def exits_of(self, symbol: str) -> ExitsConfig:
        """The symbol's own exits, complete, or the common ones."""
        return self.exits_by_symbol.get(symbol, self.exits)

    @property
    def hears_prints(self) -> bool:
        """Whether anything is decided by the trades of others."""
        sources = [self.exits_of(symbol).trigger_price for symbol in self.symbols]
        return "last" in sources or self.execution.style == "PARTICIPATE"
