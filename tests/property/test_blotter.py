"""For all lives of orders: a restart in the middle changes no answer, and no answer depends on luck."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from aurora.blotter import Blotter
from aurora.model.facts import DurableFact, OrderForgotten, OrderMoved, OrderOpened
from aurora.model.numbers import NO_QUOTE, Qty
from aurora.model.order import NEXT, Namespace, Order, OrderKey, OrderStatus, OrderType, Role, Side
from tests.kit import BTC, ETH, at, intent, order

KINDS = (
    intent(),
    intent(Side.SELL, symbol=ETH, kind=OrderType.LIMIT, price="49000"),
    intent(Side.SELL, kind=OrderType.STOP_MARKET, role=Role.STOP, trigger="49000", reduce_only=True),
    intent(Side.SELL, kind=OrderType.LIMIT, role=Role.TAKE_PROFIT, price="51000", reduce_only=True),
    intent(Side.SELL, role=Role.EXIT, reduce_only=True),
)
POSITIONS = tuple((symbol, epoch) for symbol in (BTC, ETH) for epoch in (1, 2))


@st.composite
def lives(draw: st.DrawFn) -> list[DurableFact]:
    """Orders opened, moved along the table of statuses and forgotten, in any interleaving.

    They fill a little now and then, and what has filled is booked at once or later.
    """
    status: dict[OrderKey, OrderStatus] = {}
    filled: dict[OrderKey, int] = {}
    booked: dict[OrderKey, int] = {}
    told: list[DurableFact] = []
    for number in range(draw(st.integers(1, 25))):
        act = draw(st.sampled_from(("open", "move", "move", "move", "forget")))
        if act == "open" or not status:
            new = order(f"o{number}", draw(st.sampled_from(KINDS)), epoch=draw(st.integers(1, 2)))
            status[new.key] = new.status
            told.append(OrderOpened(order=new, target=None))
            continue
        key = draw(st.sampled_from(sorted(status)))
        if act == "forget" and status[key].terminal:
            del status[key]
            told.append(OrderForgotten(key=key))
        elif NEXT[status[key]]:
            status[key] = draw(st.sampled_from(NEXT[status[key]]))
            filled[key] = draw(st.integers(filled.get(key, 0), 10))
            booked[key] = draw(st.integers(booked.get(key, 0), filled[key]))
            told.append(moved(key, status[key], number, (filled[key], booked[key])))
    return told


def moved(key: OrderKey, status: OrderStatus, number: int, steps: tuple[int, int]) -> OrderMoved:
    return OrderMoved(
        key=key,
        status=status,
        filled=Qty(Decimal(steps[0]) / 1_000),
        booked=Qty(Decimal(steps[1]) / 1_000),
        cost=NO_QUOTE,
        exchange_id=f"x{key.client_id}",
        signed_at=None,
        unknown_since=None,
        listed=False,
        code=0,
        why="",
        at=at(number),
    )


def answers(blotter: Blotter) -> list[object]:
    """Everything it can be asked, order of the answers included."""
    marks = {BTC: Decimal(50_000), ETH: Decimal(3_000)}
    return [
        blotter.orders(),
        blotter.open_orders(),
        *(blotter.open_orders(symbol) for symbol in (BTC, ETH)),
        *(blotter.orders(symbol) for symbol in (BTC, ETH)),
        blotter.restless(),
        *(blotter.unknown(symbol) for symbol in (BTC, ETH)),
        *(blotter.of_position(symbol, epoch) for symbol in (BTC, ETH) for epoch in (1, 2)),
        *(blotter.find_exchange_id(space, f"xo{n}") for space in Namespace for n in range(25)),
        blotter.conditional_open(),
        blotter.gross_exposure((), marks),
        blotter.finished_older_than(at(13)),
        *(blotter.since(at(13), symbol) for symbol in (None, BTC, ETH)),
    ]


@given(lives(), st.data())
def test_a_restart_at_any_point_changes_no_answer(story: list[DurableFact], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(story)))
    live, restarted = Blotter(), Blotter()
    for fact in story[:cut]:
        live.apply(fact)
        restarted.apply(fact)
    restarted = Blotter.restore(restarted.checkpoint())
    for fact in story[cut:]:
        live.apply(fact)
        restarted.apply(fact)
    assert answers(restarted) == answers(live)
    assert restarted.checkpoint() == live.checkpoint()


@given(lives())
def test_the_indexes_say_what_the_orders_say(story: list[DurableFact]) -> None:
    blotter = Blotter()
    for fact in story:
        blotter.apply(fact)
        asked = [blotter.of_position(symbol, epoch) for symbol, epoch in POSITIONS]
        for (symbol, epoch), answer in zip(POSITIONS, asked, strict=True):
            mine = (one for one in blotter.orders(symbol) if one.position_epoch == epoch)
            assert answer == tuple(mine)
            assert blotter.of_position(symbol, epoch) is answer
    known = blotter.orders()
    resting = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.TRIGGERED)
    patient = (Role.STOP, Role.TAKE_PROFIT)
    at_rest = [one for one in known if one.intent.role in patient and one.status in resting]
    assert blotter.restless() == tuple(one for one in blotter.open_orders() if one not in at_rest)

    def those(symbol: str, *, unknown: bool = False) -> tuple[Order, ...]:
        mine = (one for one in known if one.intent.symbol == symbol and one.open)
        return tuple(one for one in mine if not unknown or one.status is OrderStatus.UNKNOWN)

    for limit in (None, BTC, ETH):
        mine = (one for one in known if limit in (None, one.intent.symbol))
        asked_for = {one.key: one for one in mine if one.open or one.updated_at >= at(13)}
        assert {one.key: one for one in blotter.since(at(13), limit)} == asked_for
        assert len(blotter.since(at(13), limit)) == len(asked_for)
    for symbol in (BTC, ETH):
        assert blotter.open_orders(symbol) == those(symbol)
        assert blotter.orders(symbol) == tuple(one for one in known if one.intent.symbol == symbol)
        assert blotter.unknown(symbol) == those(symbol, unknown=True)
        buys = sells = Decimal(0)
        for one in known:
            if one.intent.symbol == symbol and not one.intent.reduces:
                may_come = (one.intent.qty or Decimal(0)) - one.filled if one.open else Decimal(0)
                unbooked = one.filled - one.booked
                buys += (may_come + unbooked) * (one.intent.side is Side.BUY)
                sells += (may_come + unbooked) * (one.intent.side is Side.SELL)
        assert blotter.worst_exposure(symbol, Decimal(0), Decimal(60_000)) == max(buys, sells) * 60_000
    algo = [one for one in known if one.open and one.key.namespace is Namespace.ALGO]
    assert blotter.conditional_open() == len(algo)
