"""Every status an order may be in, told every status there is: it follows, stays, or the news is refused."""

from itertools import permutations, product

import pytest

from aurora.errors import TransitionError
from aurora.model.order import LIVE, NEXT, TERMINAL, OrderStatus, follow

S = OrderStatus
# Conclusions of our own that contradict what the exchange has shown; nobody can reach them honestly.
IMPOSSIBLE = frozenset(product(LIVE, (S.NOT_SENT, S.DEAD)))
# Same or newer news first: the older one arrives late and changes nothing.
LATE = frozenset(
    [
        *((current, S.PENDING_NEW) for current in S if current is not S.PENDING_NEW),
        *((current, S.UNKNOWN) for current in S if current not in (S.PENDING_NEW, S.UNKNOWN)),
        *product((S.PARTIALLY_FILLED, S.TRIGGERED, S.FILLED, S.CANCELED, S.EXPIRED), (S.NEW,)),
        *product((S.FILLED, S.CANCELED, S.EXPIRED), (S.PARTIALLY_FILLED, S.TRIGGERED)),
        (S.PARTIALLY_FILLED, S.TRIGGERED),
        (S.TRIGGERED, S.PARTIALLY_FILLED),
        *product((S.FILLED, S.CANCELED, S.EXPIRED), (S.REJECTED, S.NOT_SENT, S.DEAD)),
        *product((S.FILLED,), (S.CANCELED, S.EXPIRED)),
        *permutations((S.CANCELED, S.EXPIRED), 2),
        *permutations((S.REJECTED, S.NOT_SENT, S.DEAD), 2),
    ]
)


@pytest.mark.parametrize(("current", "told"), list(product(S, S)))
def test_every_pair_of_status_and_news_is_followed_ignored_or_refused(
    current: OrderStatus, told: OrderStatus
) -> None:
    if (current, told) in IMPOSSIBLE:
        with pytest.raises(TransitionError, match=f"{current.value} was told {told.value}"):
            follow(current, told)
    elif (current, told) in LATE:
        assert follow(current, told) is current
    else:
        assert follow(current, told) is told


def test_the_pairs_that_are_followed_are_the_rows_of_the_table() -> None:
    rows = {(current, told) for current in S for told in NEXT[current]}
    same = {(status, status) for status in S}
    assert rows == set(product(S, S)) - IMPOSSIBLE - LATE - same


@pytest.mark.parametrize("seen", [*LIVE, S.FILLED, S.CANCELED, S.EXPIRED])
@pytest.mark.parametrize("presumed", [S.REJECTED, S.NOT_SENT, S.DEAD])
def test_an_order_presumed_gone_and_then_seen_is_what_it_was_seen_as(
    presumed: OrderStatus, seen: OrderStatus
) -> None:
    assert follow(presumed, seen) is seen


def test_nothing_follows_a_fill() -> None:
    assert {follow(S.FILLED, told) for told in S} == {S.FILLED}


def test_any_order_of_the_news_of_one_life_ends_alike() -> None:
    life = (S.NEW, S.PARTIALLY_FILLED, S.CANCELED, S.FILLED)
    for told in permutations(life):
        status = S.PENDING_NEW
        for news in told:
            status = follow(status, news)
        assert status is S.FILLED


def test_what_has_ended_on_the_exchange_never_lives_again() -> None:
    for ended, told in product((S.FILLED, S.CANCELED, S.EXPIRED), S):
        assert follow(ended, told) in TERMINAL
