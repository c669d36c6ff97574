"""Whatever becomes of quotes, cancels and answers: the exchange never holds more than the parent meant."""

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurora.model.bracket import Phase
from aurora.model.facts import OrderOpened, ParentSet
from aurora.model.order import OrderStatus, Role
from aurora.model.parent import Style
from tests.desk import Desk
from tests.test_slices import desk_with

D = Decimal
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("shift"), st.sampled_from(["0.3", "-0.3", "2.0", "-2.0"])),
        st.tuples(st.just("run"), st.sampled_from(["0.1", "0.4", "1.5", "6.0"])),
        st.tuples(st.just("fill"), st.sampled_from(["0.001", "0.020", "all"])),
        st.tuples(st.just("fill_unheard"), st.sampled_from(["0.001", "0.020", "all"])),
        st.tuples(st.just("overtaken"), st.sampled_from(["0.001", "0.020", "all"])),
        st.tuples(st.just("overtaken_curtly"), st.sampled_from(["0.001", "0.020", "all"])),
        st.tuples(st.just("race"), st.sampled_from(["0.001", "0.020", "all"])),
        st.tuples(st.just("set"), st.sampled_from(["mute", "curt", "lose", "hold", "refuse"])),
        st.tuples(st.just("clear"), st.just("")),
        st.tuples(st.just("by_hand"), st.just("")),
        st.tuples(st.just("stale"), st.just("")),
    ),
    max_size=16,
)


def act(desk: Desk, verb: str, arg: str) -> None:  # noqa: C901  # One row per act.
    venue = desk.venue
    match verb:
        case "shift":
            desk.bid, desk.ask = desk.bid + D(arg), desk.ask + D(arg)
            desk.quote()
        case "stale":
            desk.bid, desk.ask = desk.bid - 3, desk.ask - 3  # Moved, and not told yet.
        case "run":
            desk.run(float(arg))
        case "fill" | "fill_unheard":
            for key, intent in desk.children()[:1]:
                left = (intent.qty or D(0)) - desk.done(key)
                qty = left if arg == "all" else min(D(arg), left)
                desk.fill(key, str(qty), told=verb == "fill")
        case "overtaken" | "overtaken_curtly":
            venue.curt = venue.curt or verb == "overtaken_curtly"
            act(desk, "run", "0.4")
            act(desk, "fill_unheard", arg)
            act(desk, "shift", "0.3")
        case "race":
            act(desk, "run", "0.4")
            desk.answering = True  # Nothing is answered for a while.
            act(desk, "shift", "0.3")
            act(desk, "run", "0.4")
            act(desk, "fill_unheard", arg)
            desk.answering = False
            desk.beat()
        case "set":
            venue.mute = venue.mute or arg == "mute"
            venue.curt = venue.curt or arg == "curt"
            if arg == "lose":
                venue.lose_ack.append(Role.ENTRY)
            if arg == "hold":
                venue.hold_fills.append(Role.ENTRY)
            if arg == "refuse":
                venue.refuse = {Role.ENTRY: -5022}
        case "clear":
            calm(desk)
        case "by_hand":
            for key, _ in desk.children():
                venue.resting.pop(key)
                venue.seen[key] = OrderStatus.CANCELED


def calm(desk: Desk) -> None:
    desk.venue.mute = desk.venue.curt = False
    desk.venue.refuse = {}
    desk.venue.hold_fills.clear()


def never_more_than_meant(desk: Desk) -> None:
    """As the exchange sees it: what rests and what has traded, per parent."""
    meant = {f.parent.parent_id: f.parent.qty for f in desk.facts(ParentSet) if isinstance(f, ParentSet)}
    held = dict.fromkeys(meant, D(0))
    for fact in desk.facts(OrderOpened):
        assert isinstance(fact, OrderOpened)
        order = fact.order
        if order.intent.parent_id is None:
            continue
        done = desk.done(order.key)
        resting = order.key in desk.venue.resting
        held[order.intent.parent_id] += (order.intent.qty or D(0)) if resting else done
    for name, qty in held.items():
        assert qty <= meant[name], (name, qty, meant[name])


@settings(max_examples=60, deadline=None)
@example(style=Style.CHASE, acts=[("race", "0.020")])
@example(style=Style.CHASE, acts=[("overtaken_curtly", "0.020")])
@given(style=st.sampled_from([Style.CHASE, Style.ICEBERG]), acts=ACTS)
def test_the_exchange_never_holds_more_than_the_parent_meant(
    style: Style, acts: list[tuple[str, str]]
) -> None:
    desk = desk_with(style, chases_max=6)
    while not desk.children():
        desk.run(0.1)
    for verb, arg in acts:
        act(desk, verb, arg)
        never_more_than_meant(desk)
    calm(desk)
    desk.run(25.0)
    never_more_than_meant(desk)
    durable = desk.engine.state.durable
    assert durable.ledger.position("BTCUSDT").qty == desk.venue.position.qty
    assert durable.ledger.wallet("USDT") == desk.venue.wallet
    bracket = durable.brackets.get("BTCUSDT")
    young = bracket is not None and desk.now - bracket.opened_at < 1_000_000_000
    if not desk.venue.position.flat and not young:
        assert bracket is not None
        assert bracket.phase in (Phase.GUARDED, Phase.FREE, Phase.CLOSING)
    living = set(durable.parents)
    for key, intent in desk.children():
        assert intent.parent_id in living, f"{key.client_id} rests for nobody"
