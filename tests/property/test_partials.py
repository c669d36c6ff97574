"""For all parents and whatever becomes of their children: never more than was meant, never an odd lot."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aurora.execution.partials import Children, PartialSlicer
from aurora.model.numbers import NO_QTY, SECOND, Price, Qty
from aurora.model.order import Order, OrderStatus, Side
from aurora.model.parent import ParentOrder, Stage, Style
from tests.kit import BTC, START, at, instrument, intent, order

D = Decimal
RULES = instrument()
STEP = RULES.step_size


class Slicing(RuleBasedStateMachine):
    """Children fill, stall, vanish and die in any order while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Order] = []
        self.seconds = 0.0

    @initialize(
        steps=st.integers(1, 300_000) | st.integers(20_000, 300_000),
        style=st.sampled_from(Style),
        slices=st.integers(1, 12),
        interval=st.integers(1, 30),
        mid=st.sampled_from(("50000", "100", "20")),
    )
    def begin(self, steps: int, style: Style, slices: int, interval: int, mid: str) -> None:
        parent = ParentOrder(
            parent_id="p1",
            symbol=BTC,
            side=Side.BUY,
            qty=Qty(STEP * steps),
            style=style,
            children=slices,
            interval=interval * SECOND,
            started_at=START,
            decision_mid=Price(D(mid)),
            jitter=interval * SECOND // 2,
            clip=Qty(STEP * max(steps // 7, 1)) if style is Style.ICEBERG else NO_QTY,
            share=D("0.1"),
            crosses=True,
        )
        self.parent = PartialSlicer.split(parent, RULES)
        self.ask(0.0)

    @precondition(lambda self: self.parent.style is Style.PARTICIPATE)
    @rule(steps=st.integers(1, 1_000_000))
    def others_trade(self, steps: int) -> None:
        self.parent = replace(self.parent, volume=Qty(self.parent.volume + STEP * steps))
        self.ask(0.0)

    @precondition(lambda self: self.parent.released)
    @rule(stage=st.sampled_from((*[Stage.WORKING] * 6, Stage.CROSSING, Stage.LEAVING)))
    def lose_patience(self, stage: Stage) -> None:
        if self.parent.stage is Stage.WORKING:
            self.parent = replace(self.parent, stage=stage)

    @rule(seconds=st.sampled_from((0.0, 1.0, 5.0, 60.0)))
    def ask(self, seconds: float) -> None:
        self.seconds += seconds
        qty = PartialSlicer.next_child(self.parent, Children.of(self.children), RULES, at(self.seconds))
        if qty is None:
            return
        assert qty % STEP == 0
        assert RULES.market_qty_min <= qty <= RULES.market_qty_max
        assert qty * self.parent.decision_mid >= RULES.notional_min
        if self.parent.style.rests or self.parent.stage is Stage.CROSSING:
            assert not any(child.open and child.remaining for child in self.children)
        if self.parent.clip and self.parent.stage is Stage.WORKING:
            assert qty <= self.parent.clip
        wanted = intent(qty=str(qty))
        self.children.append(order(f"c{len(self.children)}", wanted))
        self.parent = PartialSlicer.released(self.parent)

    def become(self, number: int, status: OrderStatus, share: float) -> None:
        child = self.children[number]
        qty = child.intent.qty or D(0)
        more = (qty - child.filled) * D(str(round(share, 3))) // STEP * STEP
        filled = str(qty if status is OrderStatus.FILLED else child.filled + more)
        self.children[number] = order(child.key.client_id, child.intent, status, filled=filled)

    @precondition(lambda self: any(child.open for child in self.children))
    @rule(data=st.data(), status=st.sampled_from(OrderStatus), share=st.floats(0, 1))
    def happen(self, data: st.DataObject, status: OrderStatus, share: float) -> None:
        number = data.draw(st.sampled_from([n for n, child in enumerate(self.children) if child.open]))
        self.become(number, status, share)
        self.ask(data.draw(st.sampled_from((0.0, 5.0, 60.0))))

    @rule()
    def track(self) -> None:
        self.parent = PartialSlicer.track(self.parent, Children.of(self.children), RULES)
        assert self.parent.filled == sum((child.filled for child in self.children), D(0))

    @invariant()
    def an_aborted_parent_sends_nothing(self) -> None:
        aborted = PartialSlicer.abort(self.parent, "test")
        assert aborted.done
        assert PartialSlicer.next_child(aborted, Children(), RULES, at(10**6)) is None

    @invariant()
    def conservation(self) -> None:
        children = Children.of(self.children)
        spent = sum((c.intent.qty or D(0) if c.open else c.filled for c in self.children), D(0))
        assert spent <= self.parent.qty
        assert children.committed == spent
        assert PartialSlicer.remaining(self.parent, children) + children.committed == self.parent.qty
        assert len(self.children) == self.parent.released <= self.parent.children + 1

    @invariant()
    def never_over_while_a_child_may_fill(self) -> None:
        tracked = PartialSlicer.track(self.parent, Children.of(self.children), RULES)
        if any(child.open and child.remaining for child in self.children) and not self.parent.done:
            assert not tracked.done


Slicing.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestSlicing = Slicing.TestCase
