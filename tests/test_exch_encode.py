from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.commands import Lane, SubmitOrder
from aurora.model.gate import Approved
from aurora.model.numbers import Price, Qty
from aurora.model.order import (
    Namespace,
    OrderIntent,
    OrderKey,
    OrderType,
    Role,
    Side,
    TimeInForce,
    WorkingType,
)
from skalp_bot.exch import encode

ENTRY = OrderIntent(
    symbol="BTCUSDT", side=Side.BUY, type=OrderType.MARKET, role=Role.ENTRY, qty=Qty(Decimal("0.010"))
)
STOP = OrderIntent(
    symbol="BTCUSDT",
    side=Side.SELL,
    type=OrderType.STOP_MARKET,
    role=Role.STOP,
    qty=Qty(Decimal("0.01")),
    trigger=Price(Decimal("59000.10")),
    reduce_only=True,
)


def submit(intent: OrderIntent, client_id: str = "skalpa-1-2-0E") -> SubmitOrder:
    return SubmitOrder(
        key=OrderKey(namespace=intent.namespace, client_id=client_id),
        approved=Approved(intent=intent, checks=()),
        lane=Lane.ENTRY,
        send_before=None,
    )


def changed(intent: OrderIntent, **changes: object) -> OrderIntent:
    fields = {name: getattr(intent, name) for name in OrderIntent.__slots__}
    return OrderIntent(**(fields | changes))


def test_a_market_order_carries_only_what_it_needs() -> None:
    request = encode.submit(submit(ENTRY))
    assert (request.name, request.weight, request.orders) == ("POST order", 0, 1)
    assert request.params == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.01",
        "newClientOrderId": "skalpa-1-2-0E",
        "newOrderRespType": "ACK",
    }


def test_a_limit_order_has_price_and_time_in_force() -> None:
    intent = changed(
        ENTRY, type=OrderType.LIMIT, price=Price(Decimal("60000.50")), time_in_force=TimeInForce.GTX
    )
    params = encode.submit(submit(intent)).params
    assert (params["price"], params["timeInForce"]) == ("60000.5", "GTX")


def test_a_working_stop_goes_to_the_algo_endpoint_with_the_words_it_wants() -> None:
    request = encode.submit(submit(STOP, "skalpa-1-3-0S"))
    assert request.name == "POST algoOrder"
    assert request.params == {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.01",
        "triggerPrice": "59000.1",
        "workingType": "CONTRACT_PRICE",
        "reduceOnly": "true",
        "clientAlgoId": "skalpa-1-3-0S",
        "newOrderRespType": "ACK",
    }


def test_a_backstop_closes_the_position_without_quantity_or_reduce_only() -> None:
    backstop = changed(
        STOP, qty=None, reduce_only=False, close_position=True, working_type=WorkingType.MARK_PRICE
    )
    params = encode.submit(submit(backstop)).params
    assert (params["closePosition"], params["workingType"]) == ("true", "MARK_PRICE")
    assert not {"quantity", "reduceOnly"} & params.keys()


@pytest.mark.parametrize(
    "intent",
    [
        changed(ENTRY, qty=None),
        changed(ENTRY, qty=Qty(Decimal(0))),
        changed(ENTRY, qty=Qty(Decimal("NaN"))),
        changed(ENTRY, price=Price(Decimal(1))),
        changed(ENTRY, type=OrderType.LIMIT),
        changed(STOP, trigger=None),
        changed(STOP, close_position=True),
        changed(STOP, close_position=True, qty=None),
        changed(ENTRY, close_position=True, qty=None),
        changed(STOP, type=OrderType.TRAILING_STOP_MARKET),
    ],
)
def test_an_intent_the_venue_would_not_understand_is_not_sent(intent: OrderIntent) -> None:
    with pytest.raises(encode.EncodeError):
        encode.submit(submit(intent))


@pytest.mark.parametrize("client_id", ["", "a" * 37, "has space", "ümlaut", "new\nline"])
def test_an_id_outside_the_venues_alphabet_is_not_sent(client_id: str) -> None:
    with pytest.raises(encode.EncodeError):
        encode.submit(submit(ENTRY, client_id))


def test_an_algo_order_is_never_posted_as_a_regular_one() -> None:
    command = submit(STOP)
    wrong = SubmitOrder(
        key=OrderKey(namespace=Namespace.REGULAR, client_id="x"),
        approved=command.approved,
        lane=Lane.EXIT,
        send_before=None,
    )
    with pytest.raises(encode.EncodeError):
        encode.submit(wrong)


def test_cancel_and_query_name_the_order_in_its_own_namespace() -> None:
    regular = OrderKey(namespace=Namespace.REGULAR, client_id="a")
    algo = OrderKey(namespace=Namespace.ALGO, client_id="b")
    assert encode.cancel(regular, "BTCUSDT").params == {"symbol": "BTCUSDT", "origClientOrderId": "a"}
    assert encode.cancel(algo, "BTCUSDT").name == "DELETE algoOrder"
    assert encode.query(algo, "BTCUSDT").params == {"clientAlgoId": "b"}


@given(st.decimals(min_value="1e-8", max_value="1e12", allow_nan=False, allow_infinity=False))
def test_a_number_on_the_wire_is_plain_and_exact(value: Decimal) -> None:
    written = encode.plain(value)
    assert Decimal(written) == value
    assert set(written) <= set("0123456789.")
    assert not written.endswith(".")
    assert "." not in written or not written.endswith("0")
