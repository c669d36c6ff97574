"""Each kind of difference is found, named and told from the others; agreement is silent."""

from dataclasses import replace
from decimal import Decimal

import pytest

from aurora.model.account import AccountSnapshot, BalanceView, PositionView
from aurora.model.drift import Drift, DriftKind
from aurora.model.numbers import Price, Qty, Quote
from aurora.model.order import Namespace, Order, OrderStatus, OrderType, Role, Side
from aurora.model.position import Position
from aurora.reconcile import ABSENT, diff, our_books, their_books
from tests.kit import BTC, ETH, START, at, intent, order, position, snapshot, stranger, view

D = Decimal
OURS = "ska1-"
SEEN = at(10)


def limit(client_id: str = "ska1-1-1-0E", status: OrderStatus = OrderStatus.NEW, filled: str = "0") -> Order:
    return order(client_id, intent(kind=OrderType.LIMIT, price="49000"), status, filled=filled)


def backstop(client_id: str = "ska1-1-2-0B", status: OrderStatus = OrderStatus.NEW) -> Order:
    wanted = intent(
        Side.SELL, None, kind=OrderType.STOP_MARKET, role=Role.BACKSTOP, trigger="49000", close_position=True
    )
    return order(client_id, wanted, status)


def found(
    theirs: AccountSnapshot,
    *orders: Order,
    positions: tuple[Position, ...] = (),
    wallets: tuple[tuple[str, Quote], ...] = (),
) -> tuple[Drift, ...]:
    return diff(our_books(positions, orders, wallets, theirs), their_books(theirs), OURS)


def holding(symbol: str, qty: str) -> PositionView:
    return PositionView(symbol=symbol, qty=Qty(D(qty)), entry=Price(D(1)), ts_event=START)


def balance(asset: str, wallet: str) -> BalanceView:
    return BalanceView(asset=asset, wallet=Quote(D(wallet)), available=Quote(D(0)))


LOOK = snapshot(SEEN)


def test_equal_books_differ_in_nothing() -> None:
    seen = replace(
        LOOK,
        positions=(holding(BTC, "0.0100"),),
        orders=(view(limit()),),
        algo_orders=(view(backstop()),),
        balances=(balance("USDT", "1000.00"), balance("BNB", "0")),
    )
    wallets = (("USDT", Quote(D(1000))),)
    assert found(seen, limit(), backstop(), positions=(position("0.01"),), wallets=wallets) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "texts"),
    [("0.010", "0.020", ("0.01", "0.02")), ("0.010", None, ("0.01", "0")), (None, "-5", ("0", "-5"))],
)
def test_another_quantity_is_a_drift_of_the_position(
    ours: str | None, theirs: str | None, texts: tuple[str, str]
) -> None:
    seen = replace(LOOK, positions=() if theirs is None else (holding(BTC, theirs),))
    (drift,) = found(seen, positions=() if ours is None else (position(ours),))
    assert (drift.kind, drift.symbol, drift.ours, drift.theirs) == (DriftKind.POSITION_QTY, BTC, *texts)


def test_a_live_order_that_is_not_listed_is_missing() -> None:
    (drift,) = found(LOOK, limit())
    assert (drift.kind, drift.subject, drift.theirs) == (DriftKind.ORDER_MISSING, "ska1-1-1-0E", ABSENT)
    (drift,) = found(LOOK, backstop())
    assert (drift.kind, drift.subject) == (DriftKind.ORDER_MISSING, "ska1-1-2-0B")


@pytest.mark.parametrize("status", [OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN, OrderStatus.TRIGGERED])
def test_an_order_in_motion_may_be_listed_or_not(status: OrderStatus) -> None:
    moving = limit(status=status)
    assert found(LOOK, moving) == ()
    assert found(replace(LOOK, orders=(view(limit(filled="0.005")),)), moving) == ()


def test_an_order_being_cancelled_may_be_listed_or_not() -> None:
    leaving = replace(limit(), cancel_requested_at=at(9))
    assert found(LOOK, leaving) == ()
    assert found(replace(LOOK, orders=(view(limit()),)), leaving) == ()


@pytest.mark.parametrize("status", [OrderStatus.NEW, OrderStatus.FILLED, OrderStatus.CANCELED])
def test_an_order_that_moved_after_the_look_began_is_not_judged_by_it(status: OrderStatus) -> None:
    late = replace(limit(status=status), updated_at=SEEN)
    assert found(LOOK, late) == ()
    assert found(replace(LOOK, orders=(view(limit()),)), late) == ()


def test_an_order_we_held_for_finished_and_that_is_still_listed_is_extra() -> None:
    (drift,) = found(replace(LOOK, orders=(view(limit()),)), limit(status=OrderStatus.DEAD))
    assert drift.kind is DriftKind.ORDER_EXTRA


def test_an_order_of_ours_that_we_do_not_hold_is_extra() -> None:
    (drift,) = found(replace(LOOK, orders=(stranger("ska1-9-9-0E"),)))
    assert (drift.kind, drift.subject, drift.ours) == (DriftKind.ORDER_EXTRA, "ska1-9-9-0E", ABSENT)


@pytest.mark.parametrize("client_id", ["web_abc", "skb2-1-1-0E", "ska12-1-1-0E", ""])
def test_an_order_of_somebody_else_is_foreign(client_id: str) -> None:
    (drift,) = found(replace(LOOK, orders=(stranger(client_id),)))
    assert (drift.kind, drift.subject) == (DriftKind.ORDER_FOREIGN, client_id)


def test_the_child_of_a_triggered_stop_is_neither_extra_nor_foreign() -> None:
    child = stranger("ska1-1-2-0B")
    fired = backstop(status=OrderStatus.TRIGGERED)
    assert found(replace(LOOK, orders=(child,)), fired) == ()
    only_regular = replace(LOOK, orders=(child,), algo_orders=None)
    assert found(only_regular, fired) == ()


def test_a_stop_that_we_do_not_hold_is_found_in_its_own_namespace() -> None:
    seen = replace(LOOK, algo_orders=(stranger("ska1-1-2-0S", Namespace.ALGO),))
    (drift,) = found(seen)
    assert (drift.kind, drift.subject) == (DriftKind.ORDER_EXTRA, "ska1-1-2-0S")


def test_a_regular_order_does_not_stand_in_for_the_stop_of_its_name() -> None:
    seen = replace(LOOK, orders=(stranger("ska1-1-2-0B"),))
    (drift,) = found(seen, backstop())
    assert drift.kind is DriftKind.ORDER_MISSING


def test_another_filled_quantity_is_a_drift() -> None:
    seen = replace(LOOK, orders=(view(limit(filled="0.005")),))
    (drift,) = found(seen, limit(filled="0.001"))
    assert (drift.kind, drift.ours, drift.theirs) == (DriftKind.ORDER_FILLED, "0.001", "0.005")


def test_a_stop_has_no_filled_quantity_to_differ_in() -> None:
    listed = replace(view(backstop()), filled=Qty(D("0.010")))
    assert found(replace(LOOK, algo_orders=(listed,)), backstop()) == ()


def test_wallets_are_compared_to_the_last_digit() -> None:
    seen = replace(LOOK, balances=(balance("USDT", "1000.00000001"), balance("BNB", "1")))
    drifts = found(seen, wallets=(("USDT", Quote(D(1000))), ("FDUSD", Quote(D(2)))))
    assert [(drift.subject, drift.ours, drift.theirs) for drift in drifts] == [
        ("BNB", "0", "1"),
        ("FDUSD", "2", "0"),
        ("USDT", "1000", "1000.00000001"),
    ]
    assert {drift.kind for drift in drifts} == {DriftKind.BALANCE}


def test_what_was_not_asked_for_is_not_compared() -> None:
    blind = replace(LOOK, positions=None, orders=None, algo_orders=None, balances=None)
    everything = (limit(), backstop())
    assert found(blind, *everything, positions=(position(),), wallets=(("USDT", Quote(D(1))),)) == ()


def test_a_look_at_one_symbol_says_nothing_about_the_orders_of_another() -> None:
    seen = replace(LOOK, symbol=ETH)
    assert found(seen, limit(), backstop()) == ()


def test_drifts_come_in_one_order_whatever_the_order_of_the_listing() -> None:
    views = (stranger("b"), stranger("a"), stranger("ska1-1-9-0E"))
    there = found(replace(LOOK, orders=views))
    back = found(replace(LOOK, orders=views[::-1]))
    assert there == back
    assert len(there) == 3
