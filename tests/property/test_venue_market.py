"""Properties of the paper market: whatever the crowd does, the book and the money keep their laws."""

import json
import random
from itertools import product
from time import perf_counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from skalp_bot.paper.book import Half
from skalp_bot.paper.market import BookUpdate
from skalp_bot.paper.orders import PositionSide, TimeInForce
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.venue import Venue, VenueSettings
from tests.venue_chaos import ACTS, SYMBOL, Chaos


def crowd(seed: int, acts: int, *, hedged: bool = False) -> Chaos:
    chaos = Chaos(random.Random(seed), hedged=hedged)
    for _ in range(acts):
        chaos.act()
    chaos.check_rows()
    return chaos


def test_book_and_money_keep_their_laws_under_thousands_of_acts() -> None:
    chaos = crowd(7, 6_000)
    assert chaos.fills > 1_000, "a crowd that does not trade proves nothing"
    assert {-2022, -5022, -5021, -2021, -4130, -1020} <= set(chaos.refusals)
    orders = [order for account in chaos.accounts for order in account.orders.values()]
    assert any(order.filled for order in orders if order.time_in_force is TimeInForce.RPI)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("hedged", [False, True])
def test_book_and_money_keep_their_laws_under_100_000_acts(
    capsys: pytest.CaptureFixture[str], *, hedged: bool
) -> None:
    begun = perf_counter()
    chaos = crowd(int(hedged), 100_000, hedged=hedged)
    took = perf_counter() - begun
    with capsys.disabled():
        print(
            f"\n{chaos.acts} acts, {chaos.fills} fills, {sum(chaos.refusals.values())} refusals: {took:.0f} s"
        )
    assert chaos.fills > 20_000


def test_a_crowd_that_goes_bankrupt_keeps_the_laws_too() -> None:
    chaos = Chaos(random.Random(3), deposit=1_500)
    for _ in range(2_000):
        chaos.act()
    chaos.check_rows()
    closed = [o for a in chaos.accounts for o in a.orders.values() if o.client_order_id.startswith("auto")]
    assert closed, "nobody was liquidated"
    assert -2019 in chaos.refusals
    assert chaos.venue.floor.totals.insurance["USDT"] != 0


def test_a_hedging_account_keeps_the_laws_too() -> None:
    chaos = crowd(5, 3_000, hedged=True)
    hedger = chaos.accounts[2]
    assert {t.position_side for t in hedger.trades} == {PositionSide.LONG, PositionSide.SHORT}


def test_the_same_inputs_give_the_same_outputs() -> None:
    first, second = crowd(11, 800), crowd(11, 800)
    assert first.venue.snapshot() == second.venue.snapshot()


def queues(half: Half) -> dict[str, list[tuple[int, str]]]:
    waiting = [*sorted(half.queues.items()), *sorted(half.hidden.items())]
    return {f"{p} {q[0].time_in_force}": [(o.order_id, str(o.ahead)) for o in q] for p, q in waiting}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), acts=st.integers(0, 250))
def test_a_restart_changes_nothing(seed: int, acts: int) -> None:
    before = crowd(seed, acts)
    state = json.loads(json.dumps(before.venue.snapshot()))
    venue = Venue(
        symbols=default_symbols([SYMBOL]), settings=VenueSettings(), now_ms=before.now_ms, state=state
    )
    assert json.loads(json.dumps(venue.snapshot())) == state
    market = m = before.market
    n = venue.floor.markets[SYMBOL]
    opening = BookUpdate(
        symbol=SYMBOL,
        t_ms=before.now_ms,
        bids=tuple((p, market.bids.free(p)) for p in market.bids.shown),
        asks=tuple((p, market.asks.free(p)) for p in market.asks.shown),
        snapshot=True,
    )
    venue.on_market(opening, before.now_ms)
    assert venue.top(SYMBOL, 50) == before.venue.top(SYMBOL, 50)
    for account in before.accounts:
        again = venue.account_by_key(account.api_key)
        assert again is not None
        assert again.wallet == account.wallet
    for half, restored in ((m.bids, n.bids), (m.asks, n.asks)):
        assert queues(half) == queues(restored)


class Exchange(RuleBasedStateMachine):
    """Hypothesis chooses the acts; the crowd chooses their numbers from a seed hypothesis can shrink.

    It chooses two at a time: one choice each would use up its entropy after some 1,600.
    """

    chaos: Chaos
    longest: ClassVar[int] = 0

    @initialize(seed=st.integers(0, 2**32))
    def open(self, seed: int) -> None:
        self.chaos = Chaos(random.Random(seed))

    @rule(names=st.sampled_from(tuple(product(ACTS, ACTS))))
    def act(self, names: tuple[str, str]) -> None:
        for name in names:
            self.chaos.act(name)

    def teardown(self) -> None:
        if hasattr(self, "chaos"):
            self.chaos.check_rows()
            Exchange.longest = max(Exchange.longest, self.chaos.acts)


def test_no_chosen_sequence_breaks_the_laws() -> None:
    run_state_machine_as_test(
        Exchange,
        settings=settings(
            max_examples=15,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_chosen_sequence_of_2_000_steps_breaks_the_laws() -> None:
    run_state_machine_as_test(
        Exchange,
        settings=settings(
            max_examples=20,
            stateful_step_count=1_001,  # the opening, and two acts a step
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Exchange.longest == 2_000, "hypothesis gave up before"
