"""Killed at any step, its requests unsent or unheard: the next start guards what is held before it enters."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora.config import AuroraConfig
from aurora.model.bracket import Phase
from aurora.model.order import Role
from tests.desk import CONFIG, D, Desk

KINDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "ladder": {"exits": {"ladder": ("0.001:0.5", "0.002:0.25", "0.003:0.25"), "tp_pct": 0.4}},
    "resting_ladder": {"exits": {"ladder": ("0.001:0.5", "0.003:0.5"), "tp_order": "limit", "tp_pct": 0.4}},
    "trailing": {"exits": {"trail_pct": 0.001, "tp_pct": 0.4}},
    "pyramid": {"exits": {"pyramid_adds": 2, "pyramid_step_pct": 0.001, "tp_pct": 0.4}},
    "chase": {"execution": {"style": "CHASE", "chases_max": 6}},
    "iceberg": {"execution": {"style": "ICEBERG"}},
}
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(["-0.0025", "-0.0010", "0.0011", "0.0022"])),
        st.tuples(st.just("run"), st.sampled_from(["0.1", "0.3", "1.2"])),
        st.tuples(st.just("fill"), st.sampled_from(["0.004", "all"])),
        st.tuples(st.just("trigger"), st.just("")),
    ),
    max_size=7,
)


def desk_of(kind: str) -> Desk:
    plain = CONFIG.model_dump()
    for section, knobs in KINDS[kind].items():
        plain[section] |= knobs
    return Desk(AuroraConfig.model_validate(plain)).open()


def act(desk: Desk, verb: str, arg: str) -> None:
    match verb:
        case "move":
            desk.price(str((desk.bid * (1 + D(arg))).quantize(D("0.1"))))
        case "run":
            desk.run(float(arg))
        case "fill":
            for key, intent in list(desk.venue.resting.items()):
                if intent.role in (Role.ENTRY, Role.TAKE_PROFIT):
                    left = (intent.qty or D(0)) - desk.done(key)
                    desk.fill(key, str(left if arg == "all" else min(D(arg), left)))
                    return
        case "trigger":
            if any(intent.role is Role.STOP for intent in desk.venue.resting.values()):
                desk.trigger(Role.STOP)


def guarded(desk: Desk) -> bool:
    """As the exchange sees it."""
    held = desk.venue.position
    return held.flat or any(
        intent.role in (Role.STOP, Role.BACKSTOP) and intent.side is not held.side and intent.reduces
        for intent in desk.venue.resting.values()
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(before=ACTS, last=ACTS.filter(bool), how=st.sampled_from(["unsent", "unheard"]))
def test_a_kill_at_any_step_is_survived(
    kind: str, before: list[tuple[str, str]], last: list[tuple[str, str]], how: str
) -> None:
    desk = desk_of(kind)
    desk.run(1.3)
    for verb, arg in before:
        act(desk, verb, arg)
    desk.dying = how
    for verb, arg in last:
        act(desk, verb, arg)
    desk.quote()
    posted, bare = len(desk.venue.posts), not guarded(desk)
    desk.restart(epoch=2)
    desk.run(2.4)  # The start itself took half a second.
    assert guarded(desk)
    if bare:
        first = next(iter(desk.venue.posts[posted:]), None)
        assert first is None or not first.client_id.endswith("E"), "protection comes before any entry"
    desk.run(25.0)
    durable = desk.engine.state.durable
    assert durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert durable.ledger.wallet("USDT") == desk.venue.wallet
    assert not durable.drifts
    assert not durable.blotter.unknown("BTCUSDT")
    bracket = durable.brackets.get("BTCUSDT")
    young = bracket is not None and desk.now - bracket.opened_at < 1_000_000_000
    assert (
        desk.venue.position.flat
        or young
        or (bracket is not None and bracket.phase in (Phase.GUARDED, Phase.FREE, Phase.CLOSING))
    )
    assert guarded(desk) or young
