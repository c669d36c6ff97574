"""For all books: they never differ from themselves, and every difference is seen from both sides."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from aurora.model.drift import DriftKind
from aurora.model.numbers import Qty, Quote
from aurora.model.order import Namespace
from aurora.reconcile import BookedOrder, Books, diff
from tests.kit import BTC, ETH

PREFIX = "ska1-"
names = st.sampled_from(("ska1-1", "ska1-2", "web_1", "skb2-1", ""))
amounts = st.integers(-3, 3).map(Decimal)


@st.composite
def orders(draw: st.DrawFn, namespace: Namespace) -> tuple[BookedOrder, ...]:
    return tuple(
        BookedOrder(
            namespace=namespace,
            client_id=name,
            symbol=draw(st.sampled_from((BTC, ETH))),
            filled=Qty(Decimal(draw(st.integers(0, 3)))),
            settled=draw(st.booleans()),
        )
        for name in draw(st.lists(names, unique=True))
    )


books = st.builds(
    Books,
    positions=st.none()
    | st.dictionaries(st.sampled_from((BTC, ETH)), amounts.map(Qty)).map(lambda d: tuple(d.items())),
    regular=st.none() | orders(Namespace.REGULAR),
    algo=st.none() | orders(Namespace.ALGO),
    wallets=st.none()
    | st.dictionaries(st.sampled_from(("USDT", "BNB")), amounts.map(Quote)).map(lambda d: tuple(d.items())),
)


@given(books)
def test_books_never_differ_from_themselves(side: Books) -> None:
    assert diff(side, side, PREFIX) == ()


@given(books, books)
def test_a_difference_in_money_or_position_is_seen_from_both_sides(ours: Books, theirs: Books) -> None:
    kinds = (DriftKind.POSITION_QTY, DriftKind.BALANCE)
    there = {(d.kind, d.subject, d.ours, d.theirs) for d in diff(ours, theirs, PREFIX) if d.kind in kinds}
    back = {(d.kind, d.subject, d.theirs, d.ours) for d in diff(theirs, ours, PREFIX) if d.kind in kinds}
    assert there == back


@given(books, books)
def test_every_settled_order_is_either_listed_or_reported(ours: Books, theirs: Books) -> None:
    missing = {d.subject for d in diff(ours, theirs, PREFIX) if d.kind is DriftKind.ORDER_MISSING}
    for held, listed in ((ours.regular, theirs.regular), (ours.algo, theirs.algo)):
        if held is None or listed is None:
            continue
        names = {order.client_id for order in listed}
        for order in held:
            if order.settled and order.client_id not in names:
                assert order.client_id in missing


@given(books, books)
def test_a_difference_never_says_the_same_on_both_sides(ours: Books, theirs: Books) -> None:
    for drift in diff(ours, theirs, PREFIX):
        assert drift.ours != drift.theirs
