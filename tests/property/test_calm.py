"""For all positions and stories: a look that is spared would have found nothing to do."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora.config import AuroraConfig
from aurora.engine import Engine
from aurora.engine.protect import keep_stops, protect
from aurora.engine.turn import Turn
from aurora.execution.bracket import at_rest
from aurora.execution.stops import trail_distance
from aurora.model.bracket import Bracket, Phase
from aurora.model.control import Control, Verb
from aurora.model.events import Event
from aurora.model.facts import BracketSet, InstrumentsKnown, OrderOpened, PositionAdopted
from aurora.model.numbers import NO_QTY, SECOND, Nanos, Price, Qty
from aurora.model.order import Order, OrderStatus, OrderType, Role, Side
from aurora.model.step import Step
from aurora.risk.true_range import SPAN
from aurora.state import State
from tests.desk import CONFIG, START, Desk
from tests.kit import BTC, instrument, intent, order
from tests.property.test_engine_properties import ACTS, act
from tests.test_bracket import bracket

D = Decimal
EXITS: tuple[dict[str, object], ...] = (
    {},
    {"time_stop_s": 3.0},
    {"trail_pct": 0.001, "break_even_pct": 0.001, "tp_pct": 0.02},
    {"trail_atr": 2.0},
    {"ladder": ["0.0005:0.5", "0.002:0.5"]},
    {"tp_order": "limit"},
    {"mode": "local"},
    {"mode": "exchange", "backstop": False},
    {"pyramid_adds": 2, "pyramid_step_pct": 0.0005},
)
KINDS = {
    Role.STOP: OrderType.STOP_MARKET,
    Role.BACKSTOP: OrderType.STOP_MARKET,
    Role.ENTRY: OrderType.MARKET,
    Role.TAKE_PROFIT: OrderType.MARKET,
}


def configured(exits: dict[str, object]) -> AuroraConfig:
    told = CONFIG.model_dump()
    return AuroraConfig.model_validate(told | {"exits": told["exits"] | exits})


class Thorough(Desk):
    """Spares no look: what the engine keeps of the last one is taken from it before each step."""

    def tell(self, event: Event) -> Step:
        self.engine.state.soft.calm.clear()
        return super().tell(event)


@settings(max_examples=120, deadline=None)
@example(exits={"time_stop_s": 3.0}, acts=[("run", "2.0"), ("run", "2.0")], verb=None, more=[])
@example(exits={}, acts=[("run", "2.0")], verb=Verb.FLATTEN, more=[("run", "0.6")])
@example(exits={}, acts=[("run", "2.0"), ("by_hand", "")], verb=None, more=[("run", "2.0")] * 6)
@example(exits={}, acts=[("run", "2.0"), ("trigger", "")], verb=None, more=[("run", "0.6")])
@example(exits=EXITS[2], acts=[("run", "2.0"), ("move", "0.0020")], verb=None, more=[("run", "2.0")])
@example(exits=EXITS[2], acts=[("run", "2.0"), ("move", "-0.0020")], verb=None, more=[("run", "2.0")])
@given(
    exits=st.sampled_from(EXITS),
    acts=ACTS,
    verb=st.sampled_from((None, Verb.FLATTEN, Verb.HALT)),
    more=ACTS,
)
def test_sparing_looks_changes_no_step(
    exits: dict[str, object], acts: list[tuple[str, str]], verb: Verb | None, more: list[tuple[str, str]]
) -> None:
    desks = Desk(configured(exits)), Thorough(configured(exits))
    for desk in desks:
        desk.open().enter()
        for number, (what, arg) in enumerate(acts):
            act(desk, what, arg, epoch=number + 2)
        if verb is not None:
            desk.tell(Control(verb=verb, by="op", reason="", halt_id="", ts_recv=desk.now))
        for number, (what, arg) in enumerate(more):
            act(desk, what, arg, epoch=number + 100)
    sparing, thorough = desks
    assert sparing.steps == thorough.steps


def test_looks_at_a_guarded_position_are_spared() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(2.0)
    bracket, position, orders = desk.engine.state.soft.calm[BTC]
    durable = desk.engine.state.durable
    assert bracket is durable.brackets[BTC]
    assert position is durable.ledger.position(BTC)
    assert orders is durable.blotter.of_position(BTC, bracket.epoch)


def test_a_position_taken_over_smaller_is_followed_although_no_order_moved() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(2.0)
    orders = desk.engine.state.soft.calm[BTC][2]
    desk.venue.position = replace(desk.venue.position, qty=Qty(desk.venue.position.qty / 2))
    while not desk.facts(PositionAdopted):
        desk.run(0.1)
    durable = desk.engine.state.durable
    bracket = durable.brackets[BTC]
    assert bracket.qty == abs(desk.venue.position.qty)
    assert [order.key for order in durable.blotter.of_position(BTC, bracket.epoch)][: len(orders)] == [
        order.key for order in orders
    ]


def resting(role: Role, *, side: Side = Side.SELL, level: str = "59700", number: int = 0) -> Order:
    """As the exchange lists it, behind a long position of 0.5 with its stop at 59,700."""
    whole = role is Role.BACKSTOP
    wanted = replace(
        intent(side, None if whole else "0.5", kind=KINDS[role], role=role, close_position=whole),
        reduce_only=role is not Role.ENTRY and not whole,
        level=Price(D(level)),
    )
    return replace(order(f"o{number}", wanted, OrderStatus.NEW, epoch=3), listed=True)


MOSTLY = st.sampled_from((True,) * 9 + (False,))
USUAL = ((Role.ENTRY, Role.STOP, Role.BACKSTOP), (Role.ENTRY, Role.BACKSTOP), (Role.STOP,))


@st.composite
def orders_of_a_position(draw: st.DrawFn) -> list[Order]:
    """Mostly what rests behind it, and mostly as it should."""
    more = draw(st.lists(st.sampled_from(tuple(KINDS)), max_size=1))
    found = []
    for number, role in enumerate((*draw(st.sampled_from(USUAL)), *more)):
        side = Side.SELL if draw(MOSTLY) and role is not Role.ENTRY else Side.BUY
        known = resting(role, side=side, level="59700" if draw(MOSTLY) else "59690", number=number)
        status = OrderStatus.FILLED if role is Role.ENTRY else OrderStatus.NEW
        status = status if draw(MOSTLY) else draw(st.sampled_from(OrderStatus))
        refused = status is OrderStatus.REJECTED
        found.append(
            replace(
                known,
                status=status,
                filled=NO_QTY if draw(MOSTLY) else Qty(D("0.1")),
                listed=draw(MOSTLY),
                unknown_since=None if draw(MOSTLY) else START,
                code=draw(st.sampled_from((-2021, -4045))) if refused else 0,
            )
        )
    return found


def looking(exits: dict[str, object], phase: Phase, orders: list[Order]) -> tuple[Turn, Bracket]:
    """A turn of an engine that has seen the account and holds the position with these orders."""
    turn = Engine(configured(exits), State()).turn
    turn.begin(Nanos(START + SECOND))
    held = bracket(phase=phase, naked_since=START if phase is Phase.NAKED else None)
    turn.soft.first_look_at = START
    turn.conclude(InstrumentsKnown(instruments=(instrument(),), at=START))
    turn.conclude(PositionAdopted(symbol=BTC, qty=held.qty, entry=held.entry, why="", at=START))
    for each in orders:
        turn.conclude(OrderOpened(order=each, target=None))
    turn.conclude(BracketSet(bracket=replace(held, opened_at=START), cue=""))
    turn.begin(turn.now)
    return turn, turn.d.brackets[BTC]


def ranging(turn: Turn, width: float) -> None:
    """The average true range as it would be after bars of this width."""
    bars = SPAN + 1
    turn.soft.market.of(BTC).range.warm((60_000.0 + width,) * bars, (60_000.0,) * bars, (60_000.0,) * bars)


@settings(max_examples=300)
@given(exits=st.sampled_from(EXITS), orders=orders_of_a_position())
def test_stops_at_rest_need_nothing(exits: dict[str, object], orders: list[Order]) -> None:
    turn, held = looking(exits, Phase.GUARDED, orders)
    config = turn.config.exits_of(BTC)
    if at_rest(orders, held, config, trail_distance(held, config, turn.atr(BTC))):
        keep_stops(turn, held)
        assert (turn.facts, turn.commands) == ([], [])


@settings(max_examples=300)
@example(
    exits={"trail_atr": 2.0},
    phase=Phase.GUARDED,
    orders=[resting(Role.STOP, level="59690"), resting(Role.BACKSTOP, number=1)],
    later=SECOND,
    ranges=(100.0, 20.0),
)
@example(
    exits={"mode": "exchange", "backstop": False},
    phase=Phase.NAKED,
    orders=[resting(Role.STOP, side=Side.BUY)],  # Somebody's, and no cover.
    later=10 * SECOND,
    ranges=(20.0, 20.0),
)
@given(
    exits=st.sampled_from(EXITS),
    phase=st.sampled_from((Phase.NAKED, Phase.GUARDED, Phase.FREE)),
    orders=orders_of_a_position(),
    later=st.integers(0, 3_600 * SECOND),
    ranges=st.tuples(st.sampled_from((20.0, 100.0)), st.sampled_from((20.0, 100.0))),
)
def test_a_position_that_needed_nothing_needs_nothing_later(
    exits: dict[str, object], phase: Phase, orders: list[Order], later: int, ranges: tuple[float, float]
) -> None:
    turn, _ = looking(exits, phase, orders)
    before, after = ranges
    ranging(turn, before)
    protect(turn, BTC)
    if turn.soft.calm.pop(BTC, None) is None or "time_stop_s" in exits:
        return
    turn.begin(Nanos(turn.now + later))
    ranging(turn, after)
    protect(turn, BTC)
    assert (turn.facts, turn.commands) == ([], [])
