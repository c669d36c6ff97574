"""For all accidents: the books agree with the exchange in the end, nothing flips, nothing stays bare."""

from decimal import Decimal
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aurora.model.bracket import Phase
from aurora.model.commands import SubmitOrder
from aurora.model.control import Control, TradingState, Verb
from aurora.model.numbers import SECOND
from aurora.model.order import OrderKey, OrderStatus, OrderType, Role, Side
from tests.desk import Desk

D = Decimal
ROLES = st.sampled_from((Role.ENTRY, Role.EXIT, Role.STOP, Role.BACKSTOP))


class Rough(Desk):
    """A desk whose exchange also fills an immediate limit order, which an exit falls back to."""

    def submit(self, command: SubmitOrder) -> None:
        super().submit(command)
        intent = command.approved.intent
        slow = intent.role in self.venue.hold_fills
        if intent.type is OrderType.LIMIT and command.key in self.venue.resting and not slow:
            self.fill(command.key)


class Accidents(RuleBasedStateMachine):
    """A market that moves, an exchange that stumbles, a process that is killed, an operator who meddles."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.walk = Random(seed)
        self.desk = Rough().open()
        self.desk.enter()
        self.epoch = 1
        self.checked = 0

    @rule(seconds=st.sampled_from((0.1, 0.5, 2.0)))
    def time_passes(self, seconds: float) -> None:
        self.desk.run(seconds)

    @rule(bps=st.integers(-60, 60), spike=st.integers(0, 60))
    def the_price_jumps(self, bps: int, spike: int) -> None:
        mid = (self.desk.bid * (1 + D(bps) / 10_000)).quantize(D("0.1"))
        low, high = (mid * (1 - D(spike) / 10_000), mid * (1 + D(spike) / 10_000))
        self.desk.price(str(mid), low=str(low), high=str(high))
        self.fire_stops()
        self.desk.run(0.1)

    def fire_stops(self) -> None:
        """The exchange triggers what the quote has reached."""
        for key, intent in list(self.desk.venue.resting.items()):
            level = intent.trigger
            if level is None or key not in self.desk.venue.resting:
                continue
            hit = self.desk.bid <= level if intent.side is Side.SELL else self.desk.ask >= level
            if hit:
                self.desk.fill(key)

    @rule(role=ROLES)
    def an_answer_is_lost(self, role: Role) -> None:
        self.desk.venue.lose_ack.append(role)

    @rule(role=ROLES, code=st.sampled_from((-2019, -2021, -2022, -4131, -1111)))
    def a_kind_of_order_is_refused(self, role: Role, code: int) -> None:
        self.desk.venue.refuse[role] = code
        self.desk.run(0.3)

    @rule()
    def the_exchange_is_kind_again(self) -> None:
        self.desk.venue.refuse.clear()

    @rule(role=ROLES)
    def fills_are_slow(self, role: Role) -> None:
        self.desk.venue.hold_fills.append(role)

    @rule(steps=st.integers(1, 20))
    def a_slow_order_fills_in_part(self, steps: int) -> None:
        for key, left in self.slow():
            self.desk.fill(key, str(min(left, D(steps) / 1_000)))
            return

    @rule()
    def slow_orders_fill(self) -> None:
        self.desk.venue.hold_fills.clear()
        for key, _ in self.slow():
            if key in self.desk.venue.resting:
                self.desk.fill(key, str(dict(self.slow())[key]))

    def slow(self) -> list[tuple[OrderKey, Decimal]]:
        """Market orders the exchange has not filled yet, and how much of each."""
        found = []
        for key, intent in self.desk.venue.resting.items():
            if intent.trigger is None:
                done = sum((t.qty for t in self.desk.venue.trades if t.client_id == key.client_id), D(0))
                found.append((key, (intent.qty or D(0)) - done))
        return found

    @rule(mute=st.booleans())
    def the_stream_falls_silent_or_speaks(self, *, mute: bool) -> None:
        self.desk.venue.mute = mute

    @rule()
    def somebody_cancels_an_order_by_hand(self) -> None:
        for key in list(self.desk.venue.resting)[:1]:
            self.desk.venue.resting.pop(key)
            self.desk.venue.seen[key] = OrderStatus.CANCELED

    @rule()
    def the_process_is_killed(self) -> None:
        self.epoch += 1
        self.desk.restart(self.epoch)

    @rule()
    def the_process_is_killed_before_it_could_send(self) -> None:
        desk = self.desk
        desk.answering = True
        for _ in range(10):
            desk.quote()
            desk.beat()
        desk.pending.clear()
        desk.answering = False
        self.the_process_is_killed()

    @rule(verb=st.sampled_from((Verb.PAUSE, Verb.CANCEL, Verb.HALT, Verb.FLATTEN, Verb.RECONCILE)))
    def an_operator_speaks(self, verb: Verb) -> None:
        self.desk.tell(Control(verb=verb, by="op", reason="drill", halt_id="", ts_recv=self.desk.now))

    @precondition(lambda self: self.trading() is not TradingState.ACTIVE)
    @rule()
    def an_operator_resumes(self) -> None:
        halt_id = self.desk.engine.state.durable.trading.halt_id
        resume = Control(verb=Verb.RESUME, by="op", reason="", halt_id=halt_id, ts_recv=self.desk.now)
        self.desk.tell(resume)

    def trading(self) -> TradingState:
        return self.desk.engine.state.durable.trading.state

    @invariant()
    def a_moment_passes(self) -> None:
        """Between any two accidents the market walks on."""
        if hasattr(self, "desk"):
            self.the_price_jumps(self.walk.randint(-15, 15), self.walk.choice((0, 0, 10)))

    @invariant()
    def no_position_ever_flips(self) -> None:
        if not hasattr(self, "desk"):
            return
        signs = self.desk.venue.worst_sign
        for before, after in zip(signs[self.checked :], signs[self.checked + 1 :], strict=False):
            assert before * after >= 0, "a position went through zero"
        self.checked = max(0, len(signs) - 1)

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        self.heal()
        durable, venue = self.desk.engine.state.durable, self.desk.venue
        assert durable.ledger.wallet("USDT") == venue.wallet
        assert durable.ledger.position("BTCUSDT").qty == venue.position.qty
        assert not durable.drifts
        assert not durable.blotter.unknown("BTCUSDT")
        open_now = {order.key for order in durable.blotter.open_orders("BTCUSDT")}
        assert open_now == set(venue.resting)
        if venue.position.flat:
            assert not venue.resting
        else:
            self.is_guarded()

    def heal(self) -> None:
        """The exchange behaves, the market rests, and half a minute passes."""
        venue = self.desk.venue
        venue.mute = False
        venue.refuse.clear()
        venue.lose_ack.clear()
        self.slow_orders_fill()
        self.desk.tell(Control(verb=Verb.PAUSE, by="op", reason="the end", halt_id="", ts_recv=self.desk.now))
        until = self.desk.now + 40 * SECOND
        while self.desk.now < until:
            self.desk.run(0.5)
            self.fire_stops()
        self.no_position_ever_flips()

    def is_guarded(self) -> None:
        bracket = self.desk.engine.state.durable.brackets["BTCUSDT"]
        assert bracket.phase in (Phase.GUARDED, Phase.FREE)
        held = self.desk.venue.position
        stops = [
            intent
            for intent in self.desk.venue.resting.values()
            if intent.side.sign * held.qty < 0 and (intent.close_position or intent.qty == abs(held.qty))
        ]
        assert stops, "a position without a stop that covers it"


Accidents.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAccidents = Accidents.TestCase
