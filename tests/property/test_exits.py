"""Whatever exits are configured and whatever happens: stops tighten, parts sum, nothing flips or unfills."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora.execution.pyramid import risk
from aurora.model.bracket import Bracket, Phase
from aurora.model.facts import BracketSet, OrderMoved, OrderOpened
from aurora.model.numbers import Qty
from aurora.model.order import Namespace, OrderKey, OrderStatus, Role, Side
from tests.desk import Desk
from tests.test_exits import entered

D = Decimal
LADDER = ("0.001:0.4", "0.002:0.35", "0.004:0.25")
KINDS: tuple[dict[str, Any], ...] = (
    {"trail_pct": 0.002},
    {"trail_pct": 0.001, "trail_activation_pct": 0.002, "break_even_pct": 0.0015},
    {"ladder": LADDER},
    {"ladder": LADDER, "tp_order": "limit", "break_even_pct": 0.0015},
    {"ladder": LADDER, "tp_order": "algo", "trail_pct": 0.002},
    {"tp_order": "limit", "tp_pct": 0.003},
    {"pyramid_adds": 3, "pyramid_step_pct": 0.001},
    {"pyramid_adds": 2, "pyramid_step_pct": 0.001, "pyramid_share": 1.0, "trail_pct": 0.003},
    {"pyramid_adds": 2, "pyramid_step_pct": 0.001, "ladder": LADDER, "tp_order": "limit"},
    {"mode": "exchange", "trail_pct": 0.001},
)
# None is a level of a kind, nor one away from another: a tick of rounding decides nothing.
FRACTIONS = ("-0.00177", "-0.00053", "0.00057", "0.00117", "0.00164", "0.00221", "0.00353", "0.00446")
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("go"), st.sampled_from(FRACTIONS)),
        st.tuples(st.just("go"), st.sampled_from(FRACTIONS)),
        st.tuples(st.just("run"), st.sampled_from(("0.2", "1.2", "3.0"))),
        st.tuples(st.just("target"), st.sampled_from(("0.001", "0.010", ""))),
        st.tuples(st.just("stop"), st.sampled_from(("0.001", "0.010"))),
        st.tuples(st.just("lose"), st.sampled_from([role.name for role in Role])),
        st.tuples(st.just("hold"), st.sampled_from([Role.ENTRY.name, Role.TAKE_PROFIT.name])),
        st.tuples(st.just("calm"), st.just("")),
        st.tuples(st.just("mute"), st.just("")),
        st.tuples(st.just("restart"), st.just("")),
    ),
    min_size=1,
    max_size=12,
)


def act(desk: Desk, verb: str, arg: str, epoch: int) -> None:
    venue = desk.venue
    match verb:
        case "go":
            sign = venue.position.side.sign if venue.position.side else 1
            entry = venue.position.entry or desk.bid
            desk.price(str((entry * (1 + D(arg) * sign)).quantize(D("0.1"))))
        case "run":
            desk.run(float(arg))
        case "target" | "stop":
            role = Role.TAKE_PROFIT if verb == "target" else Role.STOP
            for key in resting(desk, role)[:1]:
                in_part(desk, key, arg)
        case "lose":
            venue.lose_ack.append(Role[arg])
        case "hold":
            venue.hold_fills.append(Role[arg])
        case "mute":
            venue.mute = True
        case "calm":
            calm(desk)
        case "restart":
            desk.restart(epoch)


def in_part(desk: Desk, key: OrderKey, qty: str) -> None:
    """A resting order fills as far as told; what a triggered one does not get at once expires."""
    intent = desk.venue.resting[key]
    left = (intent.qty or D(0)) - desk.done(key)
    desk.fill(key, str(min(D(qty), left)) if qty else None)
    if key in desk.venue.resting and key.namespace is Namespace.ALGO:
        desk.venue.resting.pop(key)
        desk.venue.seen[key] = OrderStatus.EXPIRED
        desk.say(desk.update(key, intent, OrderStatus.EXPIRED, Qty(desk.done(key)), None))


def resting(desk: Desk, role: Role) -> list[OrderKey]:
    return [key for key, intent in desk.venue.resting.items() if intent.role is role]


def calm(desk: Desk) -> None:
    """Whoever was slow is done; the market stands still."""
    desk.venue.mute = False
    desk.venue.lose_ack.clear()
    desk.venue.hold_fills.clear()
    for key, intent in list(desk.venue.resting.items()):
        if key in desk.venue.resting and desk.crosses(intent):
            desk.fill(key)


@settings(max_examples=100, deadline=None)
@example(exits=KINDS[8], side=Side.BUY, acts=[("go", "0.00117"), ("run", "1.2")])
@example(exits=KINDS[7], side=Side.SELL, acts=[("go", "0.00117"), ("run", "1.2"), ("go", "0.00221")])
@example(exits=KINDS[2], side=Side.BUY, acts=[("mute", ""), ("stop", "0.001"), ("go", "0.00446")])
@given(exits=st.sampled_from(KINDS), side=st.sampled_from(Side), acts=ACTS)
def test_stops_tighten_parts_sum_and_nothing_flips_or_unfills(
    exits: dict[str, Any], side: Side, acts: list[tuple[str, str]]
) -> None:
    desk = entered(side, **{"tp_pct": 0.5, **exits})
    for number, (verb, arg) in enumerate(acts):
        act(desk, verb, arg, number + 2)
    calm(desk)
    desk.run(25.0)
    conditional = [i for i in desk.venue.resting.values() if i.namespace is Namespace.ALGO]
    assert len(conditional) <= desk.config.exits_of("BTCUSDT").conditional_orders
    never_through_zero(desk)
    the_stop_only_tightens_and_the_first_risk_is_never_exceeded(desk)
    nothing_unfills_and_all_but_entries_reduce(desk)
    targets_are_the_position(desk)
    assert desk.engine.state.durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert not desk.engine.state.durable.drifts


def never_through_zero(desk: Desk) -> None:
    assert all(before * after >= 0 for before, after in pairwise(desk.venue.worst_sign))


def the_stop_only_tightens_and_the_first_risk_is_never_exceeded(desk: Desk) -> None:
    last: dict[int, Bracket] = {}
    for fact in desk.facts(BracketSet):
        assert isinstance(fact, BracketSet)
        now = fact.bracket
        before = last.get(now.epoch)
        if before is not None:
            assert (now.stop - before.stop) * now.side.sign >= 0
            missed = fact.cue == "RUNG_MISSED"  # Its order closed nothing.
            assert now.rungs_done >= before.rungs_done or missed
        if now.adds_done:
            assert risk(now.side, now.entry, now.stop, now.qty) <= now.initial_risk
        last[now.epoch] = now


def nothing_unfills_and_all_but_entries_reduce(desk: Desk) -> None:
    filled: dict[OrderKey, Decimal] = {}
    for fact in desk.facts(OrderMoved, OrderOpened):
        match fact:
            case OrderOpened(order=order):
                assert order.intent.reduces is (order.intent.role is not Role.ENTRY)
            case OrderMoved(key=key):
                assert fact.filled >= filled.get(key, D(0))
                assert fact.booked <= fact.filled
                filled[key] = fact.filled


def targets_are_the_position(desk: Desk) -> None:
    """In the calm: where targets rest, they are all of it; where they do not, none does."""
    bracket = desk.engine.state.durable.brackets.get("BTCUSDT")
    if bracket is None or bracket.phase not in (Phase.GUARDED, Phase.FREE):
        return
    if desk.now - bracket.opened_at < 4e9:
        return
    exits = desk.config.exits_of("BTCUSDT")
    keys = resting(desk, Role.TAKE_PROFIT)
    left = sum(((desk.venue.resting[key].qty or D(0)) - desk.done(key) for key in keys), D(0))
    assert left == (abs(desk.venue.position.qty) if exits.tp_order != "local" else 0)
    statuses = {order.status for order in desk.engine.state.durable.blotter.open_orders("BTCUSDT")}
    assert OrderStatus.UNKNOWN not in statuses


def life(desk: Desk) -> list[BracketSet]:
    """What became of the first position."""
    facts = [fact for fact in desk.facts(BracketSet) if isinstance(fact, BracketSet)]
    return [fact for fact in facts if fact.bracket.epoch == 1]


def told(desk: Desk) -> list[tuple[str, Phase, int, int, str]]:
    """In the words of neither side."""
    return [
        (
            fact.cue,
            fact.bracket.phase,
            fact.bracket.rungs_done,
            fact.bracket.adds_done,
            fact.bracket.exit_reason,
        )
        for fact in life(desk)
    ]


def stop_distances(desk: Desk) -> list[float]:
    brackets = [fact.bracket for fact in life(desk)]
    return [float((bracket.entry - bracket.stop) * bracket.side.sign) for bracket in brackets]


@settings(max_examples=40, deadline=None)
@given(
    exits=st.sampled_from(KINDS),
    path=st.lists(st.tuples(st.sampled_from(FRACTIONS), st.sampled_from((0.2, 1.2))), min_size=1, max_size=8),
)
def test_a_short_is_the_mirror_image_of_a_long(exits: dict[str, Any], path: list[tuple[str, float]]) -> None:
    long, short = (entered(side, **{"tp_pct": 0.5, **exits}) for side in Side)
    for desk in (long, short):
        for fraction, seconds in path:
            if desk.venue.position.flat:
                break
            act(desk, "go", fraction, 0)
            desk.run(seconds)
    assert told(long) == told(short)
    # Ticks of 0.1, a spread of one tick and what adds make of them are all that tells them apart.
    assert stop_distances(long) == pytest.approx(stop_distances(short), abs=1.0)
