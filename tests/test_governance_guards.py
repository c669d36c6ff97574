"""Every gate at its limit, just under it and just over it; and nothing that keeps us from getting out."""

import ast
from dataclasses import fields, replace
from decimal import Decimal
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora import governance
from aurora.config import ExitsConfig, GovernanceConfig
from aurora.governance import GATES, Briefing, Gate, Passes, TailAfter, look, reduction, review
from aurora.model.control import TradingState
from aurora.model.gate import Approved, Denied, GateDecision, GateReason
from aurora.model.numbers import NEVER, SECOND, Nanos, Price, Qty
from aurora.model.order import OrderIntent, OrderType, Role, Side, TimeInForce
from tests.kit import BTC, ETH, START, at, instrument, intent

CONFIG = GovernanceConfig(
    max_concurrent_positions=2,
    order_notional_max=1_000.0,
    gross_exposure_max=2.0,
    free_margin_min=0.25,
    spread_bps_max=5.0,
    latency_ms_max=500.0,
    daily_drawdown_max=0.125,
    book_age_ms_max=1_000.0,
    reconciled_age_s_max=60.0,
    conditional_orders_max=20,
    conditional_orders_reserve=4,
    cooldown_s=30.0,
)


def tail_of(cvar: float) -> TailAfter:
    return TailAfter(cvar=cvar, marginal=cvar, warming_up=False)


# A market buy of 0.010 at a mark and ask of 50,000: notional 500, margin at 5x: 100 + 0.25 for the 5 bp.
CALM = Briefing(
    symbol=BTC,
    state=TradingState.ACTIVE,
    reconciled_at=at(-1),
    unknown_orders=0,
    stale_protection=0,
    occupied=(),
    equity=1_000.0,
    day_start=1_000.0,
    gross=0.0,
    available=1_000.0,
    leverage=5.0,
    bid=49_990.0,
    ask=50_000.0,
    mark=50_000.0,
    spread_bps=2.0,
    latency_ms=10.0,
    book_at=START,
    tail=lambda _symbol, change: tail_of(abs(change) / 100.0),
    conditional_open=0,
    exits=ExitsConfig(backstop_pct=0.02),
    foreign_activity=0,
    instrument=instrument(),
    closed_at=NEVER,
)
MARGIN = 500.0 / 5.0 + 0.010 * (50_000.0 * 1.0005 - 50_000.0)
R = GateReason


def judged(briefing: Briefing, wanted: OrderIntent | None = None) -> GateDecision:
    return review(wanted or intent(), briefing, CONFIG, START)


def altered(**changes: Any) -> Briefing:
    return replace(CALM, **changes)


def ago(seconds: float) -> Nanos:
    return at(-seconds)


def test_a_calm_market_lets_us_in_and_says_why() -> None:
    decision = judged(CALM)
    assert isinstance(decision, Approved)
    assert [check.reason for check in decision.checks] == [gate.reason for gate in GATES]
    assert all(check.passed for check in decision.checks)


def fixed(**prices: float) -> dict[str, Any]:
    return {"exits": ExitsConfig.model_validate({"backstop_pct": 0.02, **prices})}


# Reason, the briefing that still passes, the one that does not, what is observed then, the limit shown.
EDGES: list[tuple[GateReason, dict[str, Any], dict[str, Any], float, float]] = [
    (R.TRADING_STATE, {}, {"state": TradingState.REDUCING}, 1.0, 0.0),
    (R.TRADING_STATE, {}, {"state": TradingState.HALTED}, 2.0, 0.0),
    (R.NOT_RECONCILED, {"reconciled_at": ago(60)}, {"reconciled_at": ago(60.001)}, 60.001, 60.0),
    (R.UNKNOWN_ORDER, {"unknown_orders": 0}, {"unknown_orders": 1}, 1.0, 0.0),
    (R.STALE_PROTECTION, {"stale_protection": 0}, {"stale_protection": 1}, 1.0, 0.0),
    (R.MAX_CONCURRENT_POSITIONS, {"occupied": (ETH,)}, {"occupied": (ETH, "XRPUSDT")}, 3.0, 2.0),
    (R.MAX_ORDER_NOTIONAL, {"mark": 100_000.0}, {"mark": 100_000.1}, 1_000.001, 1_000.0),
    (R.GROSS_EXPOSURE, {"gross": 1_500.0}, {"gross": 1_500.5}, 2.0005, 2.0),
    (R.FREE_MARGIN, {"available": MARGIN + 250.0}, {"available": MARGIN + 249.5}, 0.2495, 0.25),
    (R.SPREAD, {"spread_bps": 5.0}, {"spread_bps": 5.01}, 5.01, 5.0),
    (R.LATENCY, {"latency_ms": 500.0}, {"latency_ms": 500.5}, 500.5, 500.0),
    (R.LATENCY, {"latency_ms": -500.0}, {"latency_ms": -500.5}, 500.5, 500.0),
    (R.STALE_BOOK, {"book_at": ago(1)}, {"book_at": ago(1.0005)}, 1_000.5, 1_000.0),
    (R.STALE_BOOK, {"book_at": ago(-1)}, {"book_at": ago(-1.0005)}, 1_000.5, 1_000.0),
    (R.DAILY_DRAWDOWN, {"equity": 876.0}, {"equity": 875.0}, 0.125, 0.125),
    (
        R.CVAR,
        {"tail": lambda _symbol, _change: tail_of(20.0)},
        {"tail": lambda _symbol, _change: tail_of(20.5)},
        0.0205,
        0.02,
    ),
    (R.CONDITIONAL_SLOTS, {"conditional_open": 14}, {"conditional_open": 15}, 17.0, 16.0),
    (R.EXIT_LEVELS, fixed(sl_price=49_989.0), fixed(sl_price=49_990.0), 0.0, 0.0),
    (R.EXIT_LEVELS, fixed(sl_price=49_000.5), fixed(sl_price=48_990.0), 2.0004, 0.0),
    (R.EXIT_LEVELS, fixed(tp_price=50_001.0), fixed(tp_price=50_000.0), 0.0, 0.0),
    (R.EXIT_LEVELS, fixed(sl_price=49_900.0, tp_price=50_100.0), fixed(tp_price=49_995.0), 1.0, 0.0),
    (R.FOREIGN_ACTIVITY, {"foreign_activity": 0}, {"foreign_activity": 1}, 1.0, 0.0),
    (R.INSTRUMENT, {}, {"instrument": replace(instrument(), trading=False)}, 1.0, 0.0),
    (R.COOLDOWN, {"closed_at": ago(30)}, {"closed_at": ago(29.5)}, 29.5, 30.0),
    (R.COOLDOWN, {"closed_at": NEVER}, {"closed_at": ago(-1)}, 0.0, 30.0),
]


@pytest.mark.parametrize(("reason", "under", "over", "observed", "limit"), EDGES)
def test_a_gate_passes_up_to_its_limit_and_no_further(
    reason: GateReason, under: dict[str, Any], over: dict[str, Any], observed: float, limit: float
) -> None:
    assert isinstance(judged(altered(**under)), Approved)
    denied = judged(altered(**over))
    assert isinstance(denied, Denied)
    assert denied.reason is reason
    assert denied.observed == pytest.approx(observed)
    assert denied.limit == pytest.approx(limit)
    assert [check.reason for check in denied.checks if not check.passed] == [reason]


@pytest.mark.parametrize(
    ("prices", "passes"),
    [
        ({"sl_price": 50_001.0}, True),
        ({"sl_price": 50_000.0}, False),
        ({"sl_price": 50_989.0}, True),
        ({"sl_price": 50_990.0}, False),
        ({"tp_price": 49_989.0}, True),
        ({"tp_price": 49_990.0}, False),
    ],
)
def test_the_fixed_levels_of_a_short_are_the_mirror_image(prices: dict[str, float], *, passes: bool) -> None:
    decision = judged(altered(**fixed(**prices)), intent(Side.SELL))
    assert isinstance(decision, Approved) is passes
    check = next(check for check in decision.checks if check.reason is R.EXIT_LEVELS)
    assert f"{prices.popitem()[1]:g}" in check.note


def test_what_is_held_may_be_added_to_wherever_its_fixed_levels_are() -> None:
    assert isinstance(judged(altered(**fixed(sl_price=50_100.0), occupied=(BTC,))), Approved)


def test_every_gate_is_in_the_table_of_edges() -> None:
    assert {edge[0] for edge in EDGES} == {gate.reason for gate in GATES}


def test_every_gate_looks_at_every_intent_and_the_first_in_the_table_gives_the_reason() -> None:
    denied = judged(altered(spread_bps=50.0, foreign_activity=2, unknown_orders=1))
    assert isinstance(denied, Denied)
    assert len(denied.checks) == len(GATES)
    failed = [check.reason for check in denied.checks if not check.passed]
    assert failed == [R.UNKNOWN_ORDER, R.SPREAD, R.FOREIGN_ACTIVITY]
    assert denied.reason is R.UNKNOWN_ORDER


INPUTS = [field.name for field in fields(Briefing) if field.name not in ("symbol", "state")]
NUMBERS = [name for name in INPUTS if isinstance(getattr(CALM, name), float)]


@pytest.mark.parametrize("name", INPUTS)
def test_a_missing_input_denies_and_is_named(name: str) -> None:
    denied = judged(altered(**{name: None}))
    assert isinstance(denied, Denied)
    assert denied.reason is not R.GATE_ERROR
    assert any("missing" in check.note for check in denied.checks)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_number_that_is_not_finite_denies(name: str, value: float) -> None:
    denied = judged(altered(**{name: value}))
    assert isinstance(denied, Denied)
    assert denied.reason is not R.GATE_ERROR


@pytest.mark.parametrize("name", ["equity", "day_start", "leverage", "bid", "ask", "mark", "spread_bps"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_what_must_be_positive_denies_when_it_is_not(name: str, value: float) -> None:
    assert isinstance(judged(altered(**{name: value})), Denied)


@given(st.lists(st.sampled_from(INPUTS), min_size=1, unique=True))
def test_no_combination_of_missing_inputs_lets_us_in(names: list[str]) -> None:
    assert isinstance(judged(altered(**dict.fromkeys(names))), Denied)


def test_a_gate_that_raises_denies_with_gate_error() -> None:
    def broken(_: OrderIntent, __: Briefing, ___: Nanos) -> tuple[float, str]:
        raise ZeroDivisionError("on purpose")

    gate = Gate(R.SPREAD, Passes.AT_MOST, lambda c: c.spread_bps_max, broken)
    check = look(gate, intent(), CALM, CONFIG, START)
    assert not check.passed
    assert check.reason is R.GATE_ERROR
    assert "SPREAD" in check.note
    assert "on purpose" in check.note


def test_a_gate_that_observes_nothing_sensible_denies() -> None:
    gate = Gate(R.SPREAD, Passes.AT_MOST, lambda c: c.spread_bps_max, lambda *_: (nan, ""))
    check = look(gate, intent(), CALM, CONFIG, START)
    assert (check.passed, check.observed, check.note) == (False, 0.0, "observation is nan")


def test_a_briefing_of_another_symbol_denies() -> None:
    denied = judged(altered(symbol=ETH))
    assert isinstance(denied, Denied)
    assert denied.reason is R.GATE_ERROR


ILL_FORMED = [
    (intent(qty="0.0005"), "outside"),
    (intent(qty="0"), "outside"),
    (intent(qty="-0.010"), "outside"),
    (intent(qty="0.0105"), "multiple"),
    (intent(qty="0.001"), "notional"),
    (intent(kind=OrderType.LIMIT, price="50000.05"), "multiple"),
    (intent(kind=OrderType.LIMIT, price="0.05"), "outside"),
]


@pytest.mark.parametrize(("wanted", "word"), ILL_FORMED)
def test_an_order_the_exchange_would_refuse_is_refused_here(wanted: OrderIntent, word: str) -> None:
    denied = judged(CALM, wanted)
    assert isinstance(denied, Denied)
    assert denied.reason is R.INSTRUMENT
    assert word in next(check.note for check in denied.checks if check.reason is R.INSTRUMENT)


def test_the_smallest_order_the_exchange_takes_is_not_refused_here() -> None:
    assert isinstance(judged(CALM, intent(qty="0.002")), Approved), "100 quote units, the smallest notional"
    rules = replace(instrument(), market_qty_min=Qty(Decimal("0.010")), market_qty_max=Qty(Decimal("0.010")))
    assert isinstance(judged(altered(instrument=rules)), Approved)


def test_a_filter_of_zero_is_switched_off() -> None:
    off, price = Qty(Decimal(0)), Price(Decimal(0))
    rules = replace(instrument(), market_step_size=off, step_size=off, tick_size=price, price_max=price)
    assert isinstance(judged(altered(instrument=rules)), Approved)
    odd = intent(kind=OrderType.LIMIT, price="50000.05")
    assert isinstance(judged(altered(instrument=rules), odd), Approved)


def test_a_price_at_the_bound_is_inside_it() -> None:
    bound = Price(Decimal(50_000))
    for rules in (replace(instrument(), price_min=bound), replace(instrument(), price_max=bound)):
        at_bound = intent(kind=OrderType.LIMIT, price="50000")
        assert isinstance(judged(altered(instrument=rules), at_bound), Approved)


def test_a_price_beyond_the_bound_is_refused() -> None:
    low = replace(instrument(), price_max=Price(Decimal(49_999)))
    denied = judged(altered(instrument=low), intent(kind=OrderType.LIMIT, price="50000"))
    assert isinstance(denied, Denied)
    assert denied.reason is R.INSTRUMENT


def test_a_symbol_that_has_its_stops_needs_no_more_slots() -> None:
    assert isinstance(judged(altered(conditional_open=16, occupied=(BTC,))), Approved)
    assert isinstance(judged(altered(conditional_open=17, occupied=(BTC,))), Denied)


def test_a_tight_spread_and_no_leverage_are_not_missing_inputs() -> None:
    assert isinstance(judged(altered(spread_bps=0.001, leverage=1.0)), Approved)


def test_a_market_order_is_held_against_the_market_lot() -> None:
    rules = replace(instrument(), market_qty_max=Qty(Decimal("0.005")))
    assert isinstance(judged(altered(instrument=rules)), Denied)
    limit = intent(kind=OrderType.LIMIT, price="49990")
    assert isinstance(judged(altered(instrument=rules), limit), Approved)


def test_an_entry_without_a_quantity_denies() -> None:
    denied = judged(CALM, intent(qty=None))
    assert isinstance(denied, Denied)
    assert "quantity is missing" in {check.note for check in denied.checks}


def test_a_limit_above_the_market_counts_at_its_own_price() -> None:
    wanted = intent(Side.SELL, kind=OrderType.LIMIT, price="100000.1")
    denied = judged(CALM, wanted)
    assert isinstance(denied, Denied)
    assert denied.reason is R.MAX_ORDER_NOTIONAL
    assert denied.observed == pytest.approx(1_000.001)


def test_margin_includes_the_loss_the_order_would_open_with() -> None:
    dear = intent(kind=OrderType.LIMIT, price="50100")
    assert governance.margin(dear, CALM) == pytest.approx(501.0 / 5 + 1.0)
    cheap = intent(kind=OrderType.LIMIT, price="49900")
    assert governance.margin(cheap, CALM) == pytest.approx(500.0 / 5)
    short = intent(Side.SELL)
    assert governance.margin(short, CALM) == pytest.approx(500.0 / 5 + 0.1), "sold 10 below the mark"


def test_only_what_reduces_may_skip_the_gates() -> None:
    with pytest.raises(ValueError, match="must face the gates"):
        reduction(intent())


@st.composite
def reducing(draw: st.DrawFn) -> OrderIntent:
    closing = draw(st.booleans())
    return OrderIntent(
        symbol=draw(st.sampled_from((BTC, ETH))),
        side=draw(st.sampled_from(Side)),
        type=draw(st.sampled_from(OrderType)),
        role=draw(st.sampled_from(Role)),
        qty=None if closing else Qty(Decimal(draw(st.integers(-10, 10**6))) / 1_000),
        price=draw(st.none() | st.integers(0, 10**6).map(lambda n: Price(Decimal(n)))),
        reduce_only=not closing,
        close_position=closing,
    )


number = st.none() | st.floats()
count = st.none() | st.integers(-3, 500)
moment = st.none() | st.integers(0, 2 * START).map(Nanos)
briefings = st.builds(
    Briefing,
    symbol=st.sampled_from((BTC, ETH)),
    state=st.sampled_from(TradingState),
    reconciled_at=moment,
    unknown_orders=count,
    stale_protection=count,
    occupied=st.none() | st.lists(st.sampled_from((BTC, ETH))).map(tuple),
    equity=number,
    day_start=number,
    gross=number,
    available=number,
    leverage=number,
    bid=number,
    ask=number,
    mark=number,
    spread_bps=number,
    latency_ms=number,
    book_at=moment,
    conditional_open=count,
    exits=st.none() | st.sampled_from((ExitsConfig(), ExitsConfig(sl_price=0.1, tp_price=1e9))),
    foreign_activity=count,
    instrument=st.none() | st.just(instrument()),
    closed_at=moment,
)


@given(reducing(), briefings)
def test_reduce_only_passes_in_every_state(wanted: OrderIntent, briefing: Briefing) -> None:
    assert review(wanted, briefing, CONFIG, START) == Approved(intent=wanted, checks=())


@given(briefings, st.sampled_from((intent(), intent(Side.SELL, kind=OrderType.LIMIT, price="50000"))))
def test_whatever_is_seen_a_verdict_is_given_and_gives_its_numbers(
    briefing: Briefing, wanted: OrderIntent
) -> None:
    decision = review(wanted, briefing, CONFIG, START)
    assert len(decision.checks) == len(GATES)
    for check in decision.checks:
        assert check.observed == check.observed < inf
        assert check.limit == check.limit < inf
    if isinstance(decision, Approved):
        assert all(check.passed for check in decision.checks)
    else:
        assert decision.reason is next(check.reason for check in decision.checks if not check.passed)


@given(st.sampled_from((TradingState.REDUCING, TradingState.HALTED)), briefings)
def test_nothing_enters_unless_active(state: TradingState, briefing: Briefing) -> None:
    assert isinstance(review(intent(), replace(briefing, state=state), CONFIG, START), Denied)


def test_a_probe_of_the_venue_can_take_nothing() -> None:
    quiet = replace(intent(), type=OrderType.LIMIT, time_in_force=TimeInForce.GTX)
    assert governance.probe(quiet).intent is quiet
    with pytest.raises(ValueError, match="could trade at once"):
        governance.probe(intent())


def test_nobody_else_makes_an_approval() -> None:
    root = Path(__file__).parent.parent
    makers = [
        path.relative_to(root).as_posix()
        for path in sorted([*root.glob("aurora/**/*.py"), *root.glob("skalp_bot/**/*.py")])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Approved"
    ]
    assert set(makers) == {"aurora/governance.py"}


def test_the_default_limits_let_the_calm_market_in() -> None:
    assert isinstance(review(intent(), CALM, GovernanceConfig(), START), Approved)
    stale = altered(reconciled_at=Nanos(START - 181 * SECOND))
    assert isinstance(review(intent(), stale, GovernanceConfig(), START), Denied)
