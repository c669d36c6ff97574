"""A parent in slices: on schedule, in lots the exchange takes, and the last one takes the rest."""

from dataclasses import replace
from decimal import Decimal

import pytest

from aurora.execution.partials import CHILDREN_MAX, Children, End, PartialSlicer
from aurora.model.instrument import Instrument
from aurora.model.numbers import SECOND, Nanos, Price, Qty
from aurora.model.order import OrderStatus, Side
from aurora.model.parent import ParentOrder, Style
from tests.kit import BTC, START, at, instrument, intent, order

D = Decimal
RULES = instrument()
S = OrderStatus


def parent(
    qty: str = "0.100", style: Style = Style.IMMEDIATE, children: int = 1, interval_s: int = 10
) -> ParentOrder:
    return ParentOrder(
        parent_id="p1",
        symbol=BTC,
        side=Side.BUY,
        qty=Qty(D(qty)),
        style=style,
        children=children,
        interval=interval_s * SECOND,
        started_at=START,
        decision_mid=Price(D(50_000)),
    )


def children(live: str = "0", filled: str = "0", unknown: str = "0") -> Children:
    return Children(live=Qty(D(live)), filled=Qty(D(filled)), unknown=Qty(D(unknown)))


def due(
    wanted: ParentOrder, known: Children | None = None, now: Nanos = START, rules: Instrument = RULES
) -> Decimal | None:
    return PartialSlicer.next_child(wanted, known or Children(), rules, now)


def test_an_immediate_parent_is_one_child_at_once() -> None:
    assert due(parent()) == D("0.100")
    sent = PartialSlicer.released(parent())
    assert due(sent, children(live="0.100")) is None


def test_what_an_immediate_child_did_not_fill_is_not_chased() -> None:
    sent = PartialSlicer.released(parent())
    over = PartialSlicer.track(sent, children(filled="0.040"), RULES)
    assert due(sent, children(filled="0.040")) is None
    assert (over.done, over.why, over.filled) == (True, End.SLICES_USED, D("0.040"))


def test_twap_is_due_slice_by_slice() -> None:
    plan = parent("0.100", Style.TWAP, 4)
    assert due(plan) == D("0.025")
    sent = PartialSlicer.released(plan)
    assert due(sent, children(filled="0.025"), Nanos(at(10) - 1)) is None
    assert due(sent, children(filled="0.025"), at(10)) == D("0.025")


def test_twap_catches_up_with_what_earlier_slices_did_not_fill() -> None:
    sent = PartialSlicer.released(parent("0.100", Style.TWAP, 4))
    assert due(sent, children(filled="0.010"), at(10)) == D("0.040")
    assert due(sent, Children(), at(30)) == D("0.100")


@pytest.mark.parametrize(
    "known", [children(live="0.025"), children(unknown="0.025"), children("0.015", "0.010")]
)
def test_a_child_that_may_still_fill_counts_as_spent(known: Children) -> None:
    sent = PartialSlicer.released(parent("0.100", Style.TWAP, 4))
    assert due(sent, known, at(10)) == D("0.025")
    assert due(sent, known, START) is None


def test_uneven_slices_floor_and_the_last_takes_the_rest() -> None:
    plan, sizes, filled = parent("0.100", Style.TWAP, 3), [], D(0)
    for number in range(3):
        child = due(plan, children(filled=str(filled)), at(10 * number))
        assert child is not None
        sizes.append(child)
        filled, plan = filled + child, PartialSlicer.released(plan)
    assert sizes == [D("0.033"), D("0.033"), D("0.034")]


def test_a_slice_too_small_to_send_waits_for_the_next() -> None:
    plan = parent("0.004", Style.TWAP, 4)  # 50 each, the exchange wants 100.
    assert due(plan) is None
    assert due(plan, now=at(10)) == D("0.002")


def test_a_tail_too_small_to_send_goes_with_the_child_before_it() -> None:
    plan = parent("0.007", Style.TWAP, 7)  # The sixth slice wants 0.002 and would leave 50 quote units.
    assert due(plan, children(filled="0.004"), at(50)) == D("0.003")
    assert due(plan, children(filled="0.003"), at(50)) == D("0.004")
    assert due(plan, children(filled="0.003"), at(40)) == D("0.002"), "0.002 is left, and can be sent"


def test_a_tail_that_cannot_be_sent_at_all_ends_the_parent() -> None:
    plan = PartialSlicer.released(parent("0.100", Style.TWAP, 4))
    known = children(filled="0.099")
    assert due(plan, known, at(100)) is None
    over = PartialSlicer.track(plan, known, RULES)
    assert (over.done, over.why) == (True, End.TAIL_TOO_SMALL)


def test_a_parent_larger_than_one_market_order_is_split() -> None:
    plan = PartialSlicer.split(parent("300"), RULES)
    assert plan.children == 3
    assert due(plan) == 120
    assert due(PartialSlicer.released(plan), children(live="120")) == 120
    assert due(replace(plan, released=2), children(live="240")) == 60


def test_a_split_never_strands_a_tail() -> None:
    plan = PartialSlicer.split(parent("120.001"), RULES)
    first = due(plan)
    assert first == D("60.000")
    assert due(PartialSlicer.released(plan), children(live=str(first))) == D("60.001")


def test_a_child_obeys_the_stricter_of_the_limit_and_the_market_lot() -> None:
    coarse = replace(RULES, market_step_size=Qty(D("0.010")), market_qty_min=Qty(D("0.020")))
    assert due(parent("0.105"), rules=coarse) == D("0.100")
    assert due(parent("0.015"), rules=coarse) is None
    fine = replace(RULES, step_size=Qty(D("0.010")), qty_min=Qty(D("0.020")), qty_max=Qty(D("0.050")))
    assert due(parent("0.105"), rules=fine) == D("0.050")
    assert due(parent("0.015"), rules=fine) is None


def test_the_smallest_order_the_exchange_takes_is_sent() -> None:
    rules = replace(RULES, market_qty_min=Qty(D("0.020")))
    assert due(parent("0.020"), rules=rules) == D("0.020")
    assert due(parent("0.002")) == D("0.002"), "100 quote units, the smallest notional"


def test_nothing_is_due_before_the_start() -> None:
    assert due(parent("0.100", Style.TWAP, 4), now=at(-0.001)) is None


def test_the_number_of_slices_is_bounded() -> None:
    assert PartialSlicer.split(parent("1000000"), RULES).children == CHILDREN_MAX
    assert PartialSlicer.split(parent("0.100", Style.TWAP, 4), RULES).children == 4


def test_a_full_parent_is_over() -> None:
    over = PartialSlicer.track(PartialSlicer.released(parent()), children(filled="0.100"), RULES)
    assert (over.done, over.why, over.filled) == (True, End.FILLED, D("0.100"))
    assert due(over) is None


@pytest.mark.parametrize("known", [children(live="0.001"), children(unknown="0.001")])
def test_a_parent_is_not_over_while_a_child_may_still_fill(known: Children) -> None:
    assert not PartialSlicer.track(PartialSlicer.released(parent()), known, RULES).done


def test_an_aborted_parent_sends_nothing_and_still_counts_its_fills() -> None:
    aborted = PartialSlicer.abort(PartialSlicer.released(parent("0.100", Style.TWAP, 4)), "halt")
    assert (aborted.done, aborted.why) == (True, "ABORTED: halt")
    assert due(aborted, now=at(100)) is None
    late = PartialSlicer.track(aborted, children(filled="0.025"), RULES)
    assert (late.filled, late.why) == (D("0.025"), "ABORTED: halt")
    assert PartialSlicer.abort(late, "again") is late


def test_children_are_summed_by_what_they_may_still_do() -> None:
    orders = (
        order("a", intent(qty="0.010"), S.FILLED, filled="0.010"),
        order("b", intent(qty="0.010"), S.CANCELED, filled="0.003"),
        order("c", intent(qty="0.010"), S.UNKNOWN, filled="0.001"),
        order("d", intent(qty="0.010"), S.PENDING_NEW),
        order("e", intent(qty="0.010"), S.PARTIALLY_FILLED, filled="0.004"),
        order("f", intent(qty="0.010"), S.REJECTED),
    )
    assert Children.of(orders) == children(live="0.016", filled="0.018", unknown="0.009")
    assert PartialSlicer.remaining(parent(), Children.of(orders)) == D("0.057")
