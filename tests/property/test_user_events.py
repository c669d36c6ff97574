"""User events late, twice, and in any order: the same ledger, the same position behind a stop."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora.model.bracket import Phase
from aurora.model.facts import FillBooked, OrderMoved
from aurora.model.order import Role
from tests.desk import D, Desk

PARTS = st.lists(st.sampled_from(["0.001", "0.004", "0.010"]), min_size=1, max_size=4)


def settled(desk: Desk) -> tuple[object, ...]:
    """What must not depend on how the news came."""
    durable = desk.engine.state.durable
    bracket = durable.brackets.get("BTCUSDT")
    orders = durable.blotter.orders()
    return (
        durable.ledger.position("BTCUSDT"),
        durable.ledger.wallet("USDT"),
        None if bracket is None else (bracket.side, bracket.phase, bracket.qty, bracket.entry, bracket.stop),
        [(o.key, o.status, o.filled, o.booked, o.cost) for o in orders if o.intent.role is Role.ENTRY],
    )


def entering() -> Desk:
    """A desk whose entry is accepted and waits for its fills."""
    desk = Desk().open()
    desk.venue.hold_fills.append(Role.ENTRY)
    while not desk.venue.resting:
        desk.run(0.1)
    return desk


def filled_in(desk: Desk, parts: list[str]) -> None:
    """Fill the entry in those parts and the rest at once, its news kept back."""
    ((key, intent),) = desk.children()
    desk.venue.kept = []
    for part in parts:
        if D(part) < (intent.qty or D(0)) - desk.done(key):
            desk.fill(key, part)
    desk.fill(key)


@settings(max_examples=60, deadline=None)
@given(parts=PARTS, data=st.data(), pause=st.sampled_from([0.0, 0.1, 0.7]))
def test_news_of_one_entry_in_any_order_and_number_ends_alike(
    parts: list[str], data: st.DataObject, pause: float
) -> None:
    plain = entering()
    filled_in(plain, parts)
    for news in plain.release():
        plain.tell(news)
    plain.run(3.0)

    desk = entering()
    filled_in(desk, parts)
    kept = desk.release()
    again = data.draw(st.lists(st.sampled_from(kept), max_size=3))
    for news in data.draw(st.permutations([*kept, *again])):
        desk.tell(news)
        if pause:
            desk.run(pause)
    desk.run(3.0)
    assert settled(desk) == settled(plain)
    assert desk.engine.state.durable.brackets["BTCUSDT"].phase is Phase.GUARDED
    booked = [fact.fill.trade_id for fact in desk.facts(FillBooked) if isinstance(fact, FillBooked)]
    assert len(booked) == len(set(booked))


@settings(max_examples=60, deadline=None)
@given(parts=PARTS, data=st.data())
def test_news_of_a_triggered_stop_in_any_order_ends_flat_and_swept(
    parts: list[str], data: st.DataObject
) -> None:
    desk = entering()
    ((entry, _),) = desk.children()
    desk.fill(entry)
    desk.run(1.0)
    side = desk.venue.position.side
    assert side is not None
    key = next(key for key, intent in desk.venue.resting.items() if intent.role is Role.STOP)
    desk.venue.kept = []
    for part in parts:
        if D(part) < abs(desk.venue.position.qty):
            desk.fill(key, part)
    desk.fill(key)
    kept = desk.release()
    again = data.draw(st.lists(st.sampled_from(kept), max_size=3))
    for news in data.draw(st.permutations([*kept, *again])):
        desk.tell(news)
        desk.beat()
    desk.beat(5)
    durable = desk.engine.state.durable
    assert durable.ledger.position("BTCUSDT").flat
    assert durable.ledger.wallet("USDT") == desk.venue.wallet
    assert not [intent for intent in desk.venue.resting.values() if intent.reduces]
    assert -side.sign not in desk.venue.worst_sign
    seen: dict[object, object] = {}
    for fact in desk.facts(OrderMoved):
        assert isinstance(fact, OrderMoved)
        assert fact.filled >= seen.get(fact.key, D(0))  # type: ignore[operator]  # Quantities of one order.
        seen[fact.key] = fact.filled
