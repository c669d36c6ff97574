"""Every order of ours is found by any of its names, and counts until it is proven finished."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from aurora.blotter import Blotter
from aurora.errors import InvariantError, TransitionError
from aurora.model.facts import CancelRequested, CleanStop, OrderForgotten, OrderMoved, OrderOpened
from aurora.model.numbers import Nanos, Qty, Quote
from aurora.model.order import LIVE, TERMINAL, Namespace, Order, OrderKey, OrderStatus, OrderType, Role, Side
from tests.kit import BTC, ETH, START, at, intent, order, position

D = Decimal
S = OrderStatus


def holding(*orders: Order) -> Blotter:
    blotter = Blotter()
    for one in orders:
        blotter.apply(OrderOpened(order=one, target=None))
    return blotter


def move(
    blotter: Blotter,
    client_id: str,
    status: OrderStatus,
    *,
    filled: str = "0",
    booked: str | None = None,
    exchange_id: str = "",
    namespace: Namespace = Namespace.REGULAR,
    when: Nanos = START,
) -> None:
    key = OrderKey(namespace=namespace, client_id=client_id)
    blotter.apply(
        OrderMoved(
            key=key,
            status=status,
            filled=Qty(D(filled)),
            booked=Qty(D(filled if booked is None else booked)),
            cost=Quote(D(0)),
            exchange_id=exchange_id,
            signed_at=None,
            unknown_since=None,
            listed=False,
            code=0,
            why="",
            at=when,
        )
    )


def names(orders: tuple[Order, ...]) -> list[str]:
    return [one.key.client_id for one in orders]


def stop(client_id: str, *, symbol: str = BTC, status: OrderStatus = S.NEW) -> Order:
    wanted = intent(
        Side.SELL, symbol=symbol, kind=OrderType.STOP_MARKET, role=Role.STOP, trigger="1", reduce_only=True
    )
    return order(client_id, wanted, status)


def test_an_order_is_found_by_key_by_exchange_id_by_symbol_and_by_position() -> None:
    first, second = order("a", epoch=1), order("b", intent(symbol=ETH), epoch=2)
    blotter = holding(first, second)
    move(blotter, "a", S.NEW, exchange_id="42")
    found = blotter.find_exchange_id(Namespace.REGULAR, "42")
    assert found is not None
    assert found.key == first.key
    assert blotter.find_exchange_id(Namespace.ALGO, "42") is None
    assert blotter.get(second.key) == second
    assert names(blotter.open_orders(BTC)) == ["a"]
    assert names(blotter.open_orders()) == ["a", "b"]
    assert names(blotter.of_position(ETH, 2)) == ["b"]
    assert blotter.of_position(ETH, 1) == ()


def test_the_two_namespaces_do_not_see_each_other() -> None:
    algo = stop("same")
    blotter = holding(order("same"), algo)
    assert len(blotter) == 2
    move(blotter, "same", S.CANCELED, namespace=Namespace.ALGO)
    assert names(blotter.open_orders(BTC)) == ["same"]
    assert blotter.open_orders(BTC)[0].key.namespace is Namespace.REGULAR


def test_an_id_is_never_given_twice() -> None:
    blotter = holding(order("a"))
    move(blotter, "a", S.FILLED, filled="0.010")
    with pytest.raises(InvariantError, match="given twice"):
        blotter.apply(OrderOpened(order=order("a"), target=None))


def test_a_move_of_an_order_nobody_opened_is_a_bug() -> None:
    with pytest.raises(InvariantError, match="never opened"):
        move(Blotter(), "ghost", S.NEW)


def test_what_cannot_happen_is_refused() -> None:
    blotter = holding(order("a"))
    move(blotter, "a", S.FILLED, filled="0.010")
    with pytest.raises(TransitionError, match="FILLED to NEW"):
        move(blotter, "a", S.NEW, filled="0.010")


@pytest.mark.parametrize(("filled", "booked"), [("0.004", "0.005"), ("0.005", "0.004")])
def test_a_filled_quantity_never_shrinks(filled: str, booked: str) -> None:
    blotter = holding(order("a"))
    move(blotter, "a", S.PARTIALLY_FILLED, filled="0.005")
    with pytest.raises(InvariantError, match="cannot unfill"):
        move(blotter, "a", S.PARTIALLY_FILLED, filled=filled, booked=booked)


@pytest.mark.parametrize("status", TERMINAL)
def test_a_finished_order_is_not_open(status: OrderStatus) -> None:
    blotter = holding(order("a"))
    move(blotter, "a", status)
    assert blotter.open_orders(BTC) == ()
    assert names(blotter.of_position(BTC, 1)) == ["a"]
    assert names(blotter.orders()) == ["a"]


@pytest.mark.parametrize("presumed", [S.DEAD, S.REJECTED])
def test_an_order_presumed_dead_and_seen_alive_counts_again(presumed: OrderStatus) -> None:
    blotter = holding(order("a"))
    move(blotter, "a", presumed)
    move(blotter, "a", S.NEW)
    assert names(blotter.open_orders(BTC)) == ["a"]
    assert blotter.finished_older_than(at(1_000)) == ()


def test_unknown_orders_are_known_per_symbol() -> None:
    blotter = holding(order("a"), order("b", intent(symbol=ETH)))
    move(blotter, "a", S.UNKNOWN)
    assert names(blotter.unknown(BTC)) == ["a"]
    assert blotter.unknown(ETH) == ()
    move(blotter, "a", S.DEAD)
    assert blotter.unknown(BTC) == ()


def test_a_cancel_request_is_remembered_and_the_order_still_counts() -> None:
    blotter = holding(order("a", status=S.NEW))
    blotter.apply(CancelRequested(key=order("a").key, at=at(1)))
    assert blotter.open_orders(BTC)[0].cancel_requested_at == at(1)
    assert blotter.worst_exposure(BTC, D(0), D(50_000)) == 500
    blotter.apply(CancelRequested(key=order("ghost").key, at=at(1)))
    assert len(blotter) == 1


def test_conditional_orders_hold_slots_until_they_are_finished() -> None:
    blotter = holding(order("a"), stop("s1"), stop("s2", symbol=ETH))
    assert blotter.conditional_open() == 2
    move(blotter, "s1", S.TRIGGERED, namespace=Namespace.ALGO)
    assert blotter.conditional_open() == 2
    move(blotter, "s1", S.FILLED, namespace=Namespace.ALGO)
    assert blotter.conditional_open() == 1


@pytest.mark.parametrize("status", [S.PENDING_NEW, S.UNKNOWN, *LIVE])
def test_an_order_is_exposure_from_approval_to_its_proven_end(status: OrderStatus) -> None:
    blotter = holding(order("a"))
    move(blotter, "a", status)
    assert blotter.worst_exposure(BTC, D(0), D(50_000)) == 500


@pytest.mark.parametrize("status", [S.PARTIALLY_FILLED, S.CANCELED, S.FILLED])
def test_what_filled_is_exposure_until_the_ledger_has_it(status: OrderStatus) -> None:
    """A query may tell the quantity long before the trades tell the position."""
    blotter = holding(order("a"))
    move(blotter, "a", status, filled="0.010", booked="0.004")
    assert blotter.worst_exposure(BTC, D("0.004"), D(50_000)) == 500
    assert blotter.gross_exposure((), {BTC: D(50_000)}) == 300
    move(blotter, "a", status, filled="0.010")
    assert blotter.worst_exposure(BTC, D("0.010"), D(50_000)) == 500


def test_worst_exposure_takes_the_worse_side_at_the_remaining_quantity() -> None:
    blotter = holding(
        order("a", intent(Side.BUY, "2", kind=OrderType.LIMIT, price="90"), S.PARTIALLY_FILLED, filled="1"),
        order("b", intent(Side.SELL, "5")),
    )
    assert blotter.worst_exposure(BTC, D(3), D(100)) == 400
    assert blotter.worst_exposure(BTC, D(1), D(100)) == 400
    assert blotter.worst_exposure(BTC, D(-1), D(100)) == 600


def test_a_limit_above_the_mark_counts_at_its_own_price() -> None:
    blotter = holding(order("a", intent(Side.SELL, "1", kind=OrderType.LIMIT, price="120")))
    assert blotter.worst_exposure(BTC, D(0), D(100)) == 120
    assert blotter.worst_exposure(BTC, D(0), D(130)) == 130


def test_what_can_only_reduce_is_no_exposure() -> None:
    closing = intent(Side.SELL, None, kind=OrderType.STOP_MARKET, trigger="1", close_position=True)
    blotter = holding(stop("s"), order("c", closing))
    assert blotter.worst_exposure(BTC, D(1), D(100)) == 100


def test_gross_exposure_sums_positions_and_orders_over_symbols() -> None:
    blotter = holding(order("a", intent(Side.BUY, "1", symbol=ETH)))
    gross = blotter.gross_exposure((position("2", "100"),), {BTC: D(110), ETH: D(10)})
    assert gross == 230


def test_a_position_without_a_mark_counts_at_its_entry() -> None:
    assert Blotter().gross_exposure((position("-2", "100"),), {}) == 200


def test_an_order_nobody_can_price_makes_gross_unknown() -> None:
    assert holding(order("a")).gross_exposure((), {}) is None
    limit = order("b", intent(kind=OrderType.LIMIT, price="100", qty="1"))
    assert holding(limit).gross_exposure((), {}) == 100


def test_finished_orders_are_forgotten_when_they_are_old() -> None:
    blotter = holding(order("a"), order("b"), order("c"))
    move(blotter, "b", S.FILLED, filled="0.010", exchange_id="2", when=at(2))
    move(blotter, "a", S.FILLED, filled="0.010", exchange_id="1", when=at(1))
    assert names(blotter.finished_older_than(at(2))) == ["a"]
    assert names(blotter.finished_older_than(at(9))) == ["a", "b"]
    blotter.apply(OrderForgotten(key=order("a").key))
    assert blotter.get(order("a").key) is None
    assert blotter.find_exchange_id(Namespace.REGULAR, "1") is None
    assert names(blotter.of_position(BTC, 1)) == ["b", "c"]
    blotter.apply(OrderForgotten(key=order("a").key))


def test_an_open_order_cannot_be_forgotten() -> None:
    blotter = holding(order("a"))
    with pytest.raises(InvariantError, match="cannot be forgotten"):
        blotter.apply(OrderForgotten(key=order("a").key))


def test_a_blotter_that_forgot_everything_is_empty() -> None:
    blotter = holding(order("a"), stop("s"))
    move(blotter, "a", S.UNKNOWN)
    move(blotter, "a", S.CANCELED, filled="0.001", booked="0", exchange_id="7")
    move(blotter, "s", S.CANCELED, exchange_id="8", namespace=Namespace.ALGO)
    for finished in blotter.finished_older_than(at(1)):
        blotter.apply(OrderForgotten(key=finished.key))
    left = {name: kept for name, kept in vars(blotter).items() if kept and name != "_opened"}
    assert left == {}, "an index that keeps a forgotten order leaks"


def test_other_facts_are_none_of_its_business() -> None:
    blotter = holding(order("a"))
    blotter.apply(CleanStop(at=START))
    assert len(blotter) == 1


def test_a_restored_blotter_answers_alike() -> None:
    blotter = holding(order("a"), stop("s"), order("b", intent(symbol=ETH)))
    move(blotter, "a", S.NEW, exchange_id="42", when=at(1))
    move(blotter, "b", S.UNKNOWN)
    move(blotter, "s", S.CANCELED, namespace=Namespace.ALGO, when=at(2))
    again = Blotter.restore(blotter.checkpoint())
    assert vars(again) == vars(blotter)


def test_a_move_carries_every_field_it_names() -> None:
    fact = OrderMoved(
        key=order("a").key,
        status=S.UNKNOWN,
        filled=Qty(D("0.003")),
        booked=Qty(D("0.002")),
        cost=Quote(D(100)),
        exchange_id="42",
        signed_at=at(1),
        unknown_since=at(2),
        listed=True,
        code=-1007,
        why="timeout",
        at=at(3),
    )
    blotter = holding(order("a"))
    blotter.apply(fact)
    after = blotter.get(fact.key)
    assert after is not None
    assert after.updated_at == fact.at
    for name in (field.name for field in fields(OrderMoved) if field.name != "at"):
        assert getattr(after, name) == getattr(fact, name), name


def test_an_order_that_was_replaced_keeps_its_place_in_line() -> None:
    blotter = holding(order("a"), order("b"))
    move(blotter, "a", S.PARTIALLY_FILLED, filled="0.001")
    assert names(blotter.open_orders(BTC)) == ["a", "b"]
    assert blotter.open_orders(BTC)[0] == replace(
        order("a"), status=S.PARTIALLY_FILLED, filled=Qty(D("0.001")), booked=Qty(D("0.001"))
    )
