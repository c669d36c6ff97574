"""Every refusal and mishap a stop or an exit can meet, and what is done about it: flat or guarded, always."""

from decimal import Decimal
from typing import Any

import pytest

from aurora.config import AuroraConfig
from aurora.engine.briefing import conditional_open
from aurora.engine.turn import Turn
from aurora.model.account import OrderView
from aurora.model.bracket import Phase
from aurora.model.facts import IntentDenied, OrderOpened, ProtectionGap, RoundTripClosed
from aurora.model.gate import GateReason as R
from aurora.model.numbers import SECOND, Nanos, Price, Qty
from aurora.model.order import Namespace, Order, OrderKey, OrderStatus, OrderType, Role, Side, TimeInForce
from tests.desk import CONFIG, START, Desk, Venue

D = Decimal
FOR_GOOD = (-4120, -4006, -4007, -4210, -4211)


def desk_with(venue: Venue | None = None, **exits: Any) -> Desk:
    plain = CONFIG.model_dump()
    plain["exits"] |= {"sl_pct": 0.01, "tp_pct": 0.4} | exits
    return Desk(AuroraConfig.model_validate(plain), venue).open()


def phase(desk: Desk) -> Phase | None:
    bracket = desk.engine.state.durable.brackets.get("BTCUSDT")
    return bracket.phase if bracket else None


def resting(desk: Desk, role: Role) -> list[OrderKey]:
    return [key for key, intent in desk.venue.resting.items() if intent.role is role]


def sent(desk: Desk, role: Role) -> list[Order]:
    found = [fact.order for fact in desk.facts(OrderOpened) if isinstance(fact, OrderOpened)]
    return [order for order in found if order.intent.role is role]


def reason(desk: Desk) -> str:
    trip = desk.facts(RoundTripClosed)[0]
    assert isinstance(trip, RoundTripClosed)
    return trip.exit_reason


def never_flipped(desk: Desk, side: Side) -> bool:
    return -side.sign not in desk.venue.worst_sign


def closed_within(desk: Desk, seconds: float) -> bool:
    """Run to the end of the round trip, and no further."""
    until = desk.now + seconds * 1e9
    while not desk.facts(RoundTripClosed) and desk.now < until:
        desk.run(0.1)
    return bool(desk.facts(RoundTripClosed))


def bare_at_most(desk: Desk, seconds: float) -> bool:
    gaps = [fact for fact in desk.facts(ProtectionGap) if isinstance(fact, ProtectionGap)]
    return all((gap.until - gap.since) / 1e9 <= seconds for gap in gaps)


def test_4130_a_second_closing_stop_is_refused_and_the_first_is_found() -> None:
    desk = desk_with()
    desk.venue.lose_ack = [Role.BACKSTOP]
    desk.enter()
    desk.run(3.0)
    codes = [order.code for order in desk.engine.state.durable.blotter.orders()]
    assert len(resting(desk, Role.BACKSTOP)) == 1
    assert phase(desk) is Phase.GUARDED
    assert len(sent(desk, Role.BACKSTOP)) <= 3
    assert -4130 in codes or len(sent(desk, Role.BACKSTOP)) == 1


def test_4130_for_a_stop_of_somebody_else_leaves_the_working_stop_on_guard() -> None:
    desk = desk_with()
    desk.venue.refuse = {Role.BACKSTOP: -4130}
    desk.enter()
    desk.run(20.0)
    assert phase(desk) is Phase.GUARDED
    assert len(resting(desk, Role.STOP)) == 1
    assert len(sent(desk, Role.BACKSTOP)) <= 6, "asked a few times, not for ever"


def test_2021_for_the_backstop_is_an_exit_at_once() -> None:
    desk = desk_with()
    desk.venue.refuse = {Role.BACKSTOP: -2021}
    assert closed_within(desk, 3.0)
    assert reason(desk) == "STOP_WOULD_TRIGGER"


@pytest.mark.parametrize("code", FOR_GOOD)
@pytest.mark.parametrize(("refused", "other"), [(Role.STOP, Role.BACKSTOP), (Role.BACKSTOP, Role.STOP)])
def test_a_stop_refused_for_good_leaves_the_guard_to_the_other_one(
    code: int, refused: Role, other: Role
) -> None:
    desk = desk_with()
    desk.venue.refuse = {refused: code}
    desk.enter()
    desk.run(20.0)
    assert phase(desk) is Phase.GUARDED
    assert len(resting(desk, other)) == 1
    assert len(sent(desk, refused)) <= 2, "no storm of refusals"
    desk.venue.refuse = {}
    desk.run(31.0)
    assert len(resting(desk, refused)) == 1, "tried again later"


@pytest.mark.parametrize("code", FOR_GOOD)
def test_when_no_stop_is_taken_the_position_ends_within_the_deadline(code: int) -> None:
    desk = desk_with()
    desk.venue.refuse = {Role.STOP: code, Role.BACKSTOP: code}
    side = desk.enter()
    assert closed_within(desk, 4.0)
    assert reason(desk) == "NAKED_DEADLINE"
    assert bare_at_most(desk, 3.3)
    assert never_flipped(desk, side)


def test_4045_the_old_stop_makes_room_for_the_new_one() -> None:
    desk = desk_with(backstop=False)
    desk.venue.hold_fills.append(Role.ENTRY)
    while not desk.children() and not desk.venue.resting:
        desk.run(0.1)
    key = next(iter(desk.venue.resting))
    desk.fill(key, "0.010")
    desk.run(0.6)
    assert phase(desk) is Phase.GUARDED
    desk.venue.slots = 1
    desk.fill(key)
    desk.run(2.0)
    stops = [intent for intent in desk.venue.resting.values() if intent.role is Role.STOP]
    assert [intent.qty for intent in stops] == [abs(desk.venue.position.qty)]
    assert phase(desk) is Phase.GUARDED
    assert bare_at_most(desk, 3.0)


def test_4045_without_a_stop_of_our_own_to_give_ends_the_position() -> None:
    desk = desk_with()
    desk.venue.slots = 0
    side = desk.enter()
    assert closed_within(desk, 4.0)
    assert reason(desk) == "NAKED_DEADLINE"
    assert bare_at_most(desk, 3.3)
    assert never_flipped(desk, side)


def test_an_entry_waits_for_slots_for_all_its_stops_beyond_the_reserve() -> None:
    """Of 200 slots 20 are kept; those that others hold on the account are gone too."""
    desk = desk_with(Venue(foreign=[stop_of_somebody_else(number) for number in range(179)]))
    desk.run(15.0)
    denied = [fact.denied for fact in desk.facts(IntentDenied) if isinstance(fact, IntentDenied)]
    assert (denied[-1].reason, denied[-1].observed, denied[-1].limit) == (R.CONDITIONAL_SLOTS, 181, 180)
    assert not desk.venue.posts
    desk.venue.foreign.pop()
    desk.run(15.0)
    assert not desk.venue.position.flat


@pytest.mark.parametrize(
    ("exits", "needed"),
    [
        ({}, 2),
        ({"backstop": False}, 1),
        ({"mode": "local"}, 1),
        ({"tp_order": "algo"}, 3),
        ({"tp_order": "algo", "ladder": ("0.01:0.5", "0.02:0.5")}, 4),
        ({"tp_order": "limit", "ladder": ("0.01:0.5", "0.02:0.5")}, 2),
    ],
)
def test_a_position_never_rests_more_conditional_orders_than_its_entry_was_counted_for(
    exits: dict[str, Any], needed: int
) -> None:
    desk = desk_with(**exits)
    counted = conditional_open(Turn(desk.config, desk.engine.state, desk.now, desk.engine.mind))
    assert (counted, desk.config.exits.conditional_orders) == (0, needed)
    desk.venue.hold_fills.append(Role.ENTRY)
    while not desk.children():
        desk.run(0.1)
    seen = []
    for qty in ("0.010", None):
        turn = Turn(desk.config, desk.engine.state, desk.now, desk.engine.mind)
        seen.append(conditional_open(turn))
        desk.fill(desk.children()[0][0], qty)
    desk.run(2.5)
    assert seen == [needed, needed]
    algo = [i for i in desk.venue.resting.values() if i.namespace is Namespace.ALGO]
    assert len(algo) == needed


def stop_of_somebody_else(number: int) -> OrderView:
    return OrderView(
        namespace=Namespace.ALGO,
        symbol="ETHUSDT",
        client_id=f"theirs-{number}",
        exchange_id=f"y{number}",
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        status=OrderStatus.NEW,
        qty=Qty(D(1)),
        filled=Qty(D(0)),
        price=Price(D(0)),
        trigger=Price(D(3000)),
        reduce_only=True,
        close_position=False,
        ts_event=Nanos(1),
    )


def test_2022_the_account_is_looked_at_before_the_next_exit() -> None:
    desk = desk_with()
    desk.enter()
    desk.run(1.0)
    venue = desk.venue
    venue.refuse_reducing_nothing = True
    venue.mute = True
    for key in resting(desk, Role.STOP):
        desk.fill(key, told=False)  # The exchange's stop fired and nobody told us.
    assert venue.position.flat
    desk.price(str((desk.bid * D("0.98")).quantize(D("0.1"))))
    desk.price(str((desk.bid * D("1.04")).quantize(D("0.1"))))
    desk.run(1.0)
    assert len(sent(desk, Role.EXIT)) <= 2
    assert desk.facts(RoundTripClosed)
    assert not [o for o in sent(desk, Role.EXIT) if not o.intent.reduces]
    venue.mute = False
    desk.run(2.0)
    assert desk.engine.state.durable.ledger.position("BTCUSDT").qty == venue.position.qty


@pytest.mark.parametrize("code", [-4131, -4016, -4024])
def test_outside_the_price_band_the_exit_is_a_limit_at_the_bound(code: int) -> None:
    desk = desk_with()
    side = desk.enter()
    desk.run(1.0)
    desk.venue.refuse_once = [(Role.EXIT, code)]
    desk.price(str((desk.venue.position.entry * (1 - D("0.011") * side.sign)).quantize(D("0.1"))))
    desk.run(0.6)
    first, second = sent(desk, Role.EXIT)[:2]
    assert first.intent.type is OrderType.MARKET
    assert (second.intent.type, second.intent.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert second.intent.price is not None
    assert desk.venue.position.flat
    assert never_flipped(desk, side)


def test_a_stop_the_exchange_cut_short_is_replaced_by_one_that_covers() -> None:
    desk = desk_with(backstop=False)
    desk.enter()
    desk.run(1.0)
    ((first),) = resting(desk, Role.STOP)
    desk.venue.shrink = {Role.STOP: D("0.001")}
    while first in desk.venue.resting:
        desk.run(0.1)
    desk.venue.shrink = {}
    desk.run(2.0)
    ((second),) = resting(desk, Role.STOP)
    assert second != first
    assert phase(desk) is Phase.GUARDED
    assert bare_at_most(desk, 3.0)


def test_a_stop_cut_to_what_is_left_of_the_position_still_covers() -> None:
    desk = desk_with()
    desk.enter()
    desk.run(1.0)
    desk.venue.shrink = {Role.STOP: abs(desk.venue.position.qty)}
    before = len(sent(desk, Role.STOP))
    desk.run(10.5)
    assert len(sent(desk, Role.STOP)) == before


@pytest.mark.parametrize("end", [OrderStatus.EXPIRED, OrderStatus.CANCELED])
def test_what_a_triggered_stop_did_not_fill_is_guarded_anew(end: OrderStatus) -> None:
    desk = desk_with(backstop=False)
    side = desk.enter()
    desk.run(1.0)
    ((key),) = resting(desk, Role.STOP)
    intent = desk.venue.resting[key]
    desk.fill(key, "0.005")
    desk.venue.resting.pop(key)
    desk.venue.seen[key] = end
    desk.tell(desk.update(key, intent, end, Qty(D("0.005")), None))
    desk.run(1.0)
    stops = [i for i in desk.venue.resting.values() if i.role is Role.STOP]
    assert [i.qty for i in stops] == [abs(desk.venue.position.qty)]
    assert phase(desk) is Phase.GUARDED
    assert bare_at_most(desk, 1.0)
    assert never_flipped(desk, side)


def test_a_triggered_stop_that_fills_in_parts_ends_flat_and_swept() -> None:
    desk = desk_with()
    side = desk.enter()
    desk.run(1.0)
    ((key),) = resting(desk, Role.STOP)
    for _ in range(3):
        desk.fill(key, "0.005")
        desk.run(0.05)
    if key in desk.venue.resting:
        desk.fill(key)
    desk.run(0.5)
    assert desk.facts(RoundTripClosed)
    assert not [i for i in desk.venue.resting.values() if i.reduces] or not desk.venue.position.flat
    assert never_flipped(desk, side)


def test_only_the_working_stop_cancelled_by_hand_is_replaced() -> None:
    desk = desk_with()
    desk.enter()
    desk.run(1.0)
    ((first),) = resting(desk, Role.STOP)
    desk.venue.resting.pop(first)
    desk.venue.seen[first] = OrderStatus.CANCELED
    desk.run(11.0)
    ((second),) = resting(desk, Role.STOP)
    assert second != first
    assert phase(desk) is Phase.GUARDED


@pytest.mark.parametrize("style", ["TWAP", "ICEBERG"])
def test_a_position_that_its_resting_stop_ended_is_not_entered_again_by_the_rest_of_its_entry(
    style: str,
) -> None:
    plain = CONFIG.model_dump()
    plain["execution"] |= {"style": style}
    desk = Desk(AuroraConfig.model_validate(plain)).open()
    while not (resting(desk, Role.STOP) and desk.venue.position.qty):
        assert desk.now < START + 20 * SECOND
        desk.run(0.1)
        for key in resting(desk, Role.ENTRY):
            if not desk.venue.position.qty:
                desk.fill(key, "0.010")
    parents = [parent.parent_id for parent in desk.engine.state.durable.parents.values()]
    assert parents, "it ends while it is being entered"
    entered = len(sent(desk, Role.ENTRY))
    desk.trigger(Role.STOP)
    assert not desk.engine.state.durable.parents
    desk.run(6.0)
    assert desk.facts(RoundTripClosed)
    more = sent(desk, Role.ENTRY)[entered:]
    assert not [order for order in more if order.intent.parent_id in parents]
    assert not [i for i in desk.venue.resting.values() if i.role is Role.ENTRY and i.parent_id in parents]
