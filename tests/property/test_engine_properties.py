"""What holds whatever happens on the way: random stories of prices and accidents, then calm."""

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora.model.bracket import Bracket, Phase
from aurora.model.control import Heartbeat
from aurora.model.facts import BracketSet
from aurora.model.order import OrderStatus, Role
from tests.desk import Desk

D = Decimal
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(["-0.0030", "-0.0010", "0.0005", "0.0030"])),
        st.tuples(st.just("run"), st.sampled_from(["0.1", "0.6", "2.0"])),
        st.tuples(st.just("lose"), st.sampled_from([r.name for r in Role if r is not Role.TAKE_PROFIT])),
        st.tuples(st.just("hold"), st.sampled_from([Role.ENTRY.name, Role.EXIT.name])),
        st.tuples(st.just("fill"), st.sampled_from(["0.001", "0.020", ""])),
        st.tuples(st.just("mute"), st.just("")),
        st.tuples(st.just("unmute"), st.just("")),
        st.tuples(
            st.just("refuse"),
            st.sampled_from(
                [
                    f"{r.name}:{c}"
                    for r in (Role.STOP, Role.BACKSTOP)
                    for c in (-1111, -2021, -4045, -4120, -4130)
                ]
            ),
        ),
        st.tuples(st.just("by_hand"), st.just("")),
        st.tuples(st.just("trigger"), st.just("")),
        st.tuples(st.just("restart"), st.just("")),
    ),
    max_size=14,
)


def act(desk: Desk, verb: str, arg: str, epoch: int) -> None:  # noqa: C901  # One row per act.
    venue = desk.venue
    match verb:
        case "move":
            mid = (desk.bid * (1 + D(arg))).quantize(D("0.1"))
            desk.price(str(mid))
        case "run":
            desk.run(float(arg))
        case "lose":
            venue.lose_ack.append(Role[arg])
        case "hold":
            venue.hold_fills.append(Role[arg])
        case "fill":
            for key in [k for k, i in venue.resting.items() if i.role in (Role.ENTRY, Role.EXIT)][:1]:
                left = (venue.resting[key].qty or D(0)) - desk.view(key).filled
                desk.fill(key, str(min(D(arg), left)) if arg else str(left))
        case "mute" | "unmute":
            venue.mute = verb == "mute"
        case "refuse":
            role, code = arg.split(":")
            venue.refuse = {Role[role]: int(code)}
        case "by_hand":
            for key in [k for k, i in venue.resting.items() if i.role.protective]:
                venue.resting.pop(key)
                venue.seen[key] = OrderStatus.CANCELED
        case "trigger":
            if any(i.role is Role.STOP for i in venue.resting.values()):
                desk.trigger(Role.STOP)
        case "restart":
            desk.restart(epoch)


def heal(desk: Desk) -> None:
    desk.venue.mute = False
    desk.venue.refuse = {}
    desk.venue.lose_ack.clear()
    desk.venue.hold_fills.clear()
    for key in [k for k, i in desk.venue.resting.items() if i.role in (Role.ENTRY, Role.EXIT)]:
        if key in desk.venue.resting:
            left = (desk.venue.resting[key].qty or D(0)) - desk.view(key).filled
            desk.fill(key, str(left))


def brackets(desk: Desk) -> list[Bracket]:
    return [fact.bracket for fact in desk.facts(BracketSet) if isinstance(fact, BracketSet)]


@settings(max_examples=150, deadline=None)
@given(acts=ACTS)
def test_after_any_accidents_the_books_agree_and_the_position_is_flat_or_guarded(
    acts: list[tuple[str, str]],
) -> None:
    desk = Desk().open()
    for number, (verb, arg) in enumerate(acts):
        act(desk, verb, arg, epoch=number + 2)
    heal(desk)
    desk.run(25.0)
    durable = desk.engine.state.durable
    assert durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert durable.ledger.wallet("USDT") == desk.venue.wallet
    assert not durable.drifts
    assert not durable.blotter.unknown("BTCUSDT")
    bracket = durable.brackets.get("BTCUSDT")
    if not desk.venue.position.flat:
        assert bracket is not None
        resting = {intent.role for intent in desk.venue.resting.values()}
        young = desk.now - bracket.opened_at < 1_000_000_000
        assert bracket.phase in (Phase.GUARDED, Phase.CLOSING) or young
        assert resting & {Role.STOP, Role.BACKSTOP} or young
    else:
        assert not [i for i in desk.venue.resting.values() if i.reduces] or bracket is not None


@settings(max_examples=40, deadline=None)
@example(
    acts=[
        ("hold", "ENTRY"),
        ("run", "2.0"),
        ("fill", "0.020"),
        ("move", "-0.0010"),
        ("run", "0.6"),
        ("fill", ""),
    ]
)
@given(acts=ACTS)
def test_the_stop_of_a_position_never_loosens(acts: list[tuple[str, str]]) -> None:
    desk = Desk().open()
    for number, (verb, arg) in enumerate(acts):
        act(desk, verb, arg, epoch=number + 2)
    last: dict[int, Bracket] = {}
    for bracket in brackets(desk):
        before = last.get(bracket.epoch)
        if before is not None:
            assert (bracket.stop - before.stop) * bracket.side.sign >= 0
        last[bracket.epoch] = bracket


@settings(max_examples=40, deadline=None)
@given(acts=ACTS)
def test_folding_the_facts_again_gives_the_same_state(acts: list[tuple[str, str]]) -> None:
    desk = Desk().open()
    for number, (verb, arg) in enumerate(acts):
        act(desk, verb, arg, epoch=number + 2)
    desk.restart(epoch=100)  # Asserts the equality of both checkpoints.


def test_planning_twice_plans_nothing() -> None:
    desk = Desk().open()
    desk.enter()
    desk.run(1.0)
    first = desk.engine.step(Heartbeat(ts_recv=desk.now))
    second = desk.engine.step(Heartbeat(ts_recv=desk.now))
    assert first.commands == second.commands == ()
