"""How the paper exchange reads what clients send."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.params import Params, from_json, parse
from skalp_bot.paper.readers import new_algo, new_order, order_ref


def refused(code: int) -> "pytest.RaisesExc[VenueError]":
    return pytest.raises(VenueError, check=lambda error: error.code == code)


def test_the_query_string_wins_over_the_body() -> None:
    params = parse("symbol=BTCUSDT&limit=5", "symbol=ETHUSDT&side=BUY")
    assert (params.text("symbol"), params.text("side"), params.whole("limit")) == ("BTCUSDT", "BUY", 5)


def test_names_are_matched_without_regard_to_case_and_unknown_ones_are_ignored() -> None:
    params = parse("orderidlist=%5B1%2C2%5D&strange=1&&=", "")
    assert params.listed("orderIdList") == [1, 2]


def test_escapes_and_plus_signs_are_decoded() -> None:
    assert parse("a=%22x%22+y&b=%zz", "").values == {"a": '"x" y', "b": "%zz"}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            "quantity=1e3",
            -1100,
            "Illegal characters found in parameter 'quantity'; legal range is "
            r"'^([0-9]{1,20})(\.[0-9]{1,20})?$'.",
        ),
        ("quantity=", -1105, "Parameter 'quantity' was empty."),
        ("quantity=NaN", -1100, None),
        ("quantity=1.", -1100, None),
        ("quantity=%EF%BC%91", -1100, None),
    ],
)
def test_numbers_are_plain_decimals(query: str, code: int, message: str | None) -> None:
    with refused(code) as caught:
        parse(query, "").number("quantity")
    assert message is None or caught.value.msg == message


@given(st.decimals(min_value=Decimal(0), max_value=Decimal(10) ** 9, places=8))
def test_every_number_survives_the_way_in_exactly(value: Decimal) -> None:
    assert parse(f"price={value:f}", "").number("price") == value


@pytest.mark.parametrize(
    ("sent", "read"), [("true", True), ("True", True), ("FALSE", False), ("false", False)]
)
def test_booleans_may_be_written_as_any_client_writes_them(sent: str, *, read: bool) -> None:
    assert parse(f"reduceOnly={sent}", "").flag("reduceOnly") is read


def test_limits_out_of_range_are_refused_by_name() -> None:
    with refused(-1130) as caught:
        parse("limit=1001", "").within("limit", 500, 1, 1000)
    assert caught.value.msg == "Data sent for parameter 'limit' is not valid."


def test_json_values_read_like_text() -> None:
    params = from_json({"quantity": "0.1", "price": 9000.5, "reduceOnly": True, "orderId": 7, "x": None})
    assert params == Params({"quantity": "0.1", "price": "9000.5", "reduceonly": "true", "orderid": "7"})


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
        ({"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        ({"positionSide": "UP"}, -4060, "Invalid position side."),
        ({"newOrderRespType": "FULL"}, -1136, "Invalid newOrderRespType."),
        ({"priceMatch": "BEST"}, -5037, "Invalid price match"),
        ({"selfTradePreventionMode": "X"}, -5039, "Invalid self trade prevention mode"),
        ({"reduceOnly": "yes"}, -4062, "Invalid or improper reduceOnly value."),
        ({"newClientOrderId": ""}, -1118, "New client order ID was empty."),
        ({"newClientOrderId": "x" * 37}, -4015, "Client order id length should not be more than 36 chars"),
        ({"newClientOrderId": "a b"}, -1100, None),
        ({"side": ""}, -1102, "Mandatory parameter 'side' was not sent, was empty/null, or malformed."),
    ],
)
def test_a_wrong_word_in_an_order_earns_its_own_code(
    change: dict[str, object], code: int, message: str | None
) -> None:
    sent: dict[str, object] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "1",
        "price": "2",
    }
    with refused(code) as caught:
        new_order(from_json(sent | change))
    assert message is None or caught.value.msg == message


def test_an_algo_order_names_its_working_type_in_the_refusal() -> None:
    sent = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET"}
    with refused(-4031) as caught:
        new_algo(from_json(sent | {"workingType": "INDEX"}))
    assert caught.value.msg == "Invalid parameter working type: INDEX"


def test_an_order_must_be_named_one_way_or_the_other() -> None:
    assert order_ref(parse("symbol=BTCUSDT&orderId=5", "")).order_id == 5
    assert order_ref(parse("symbol=BTCUSDT&origClientOrderId=a", "")).client_order_id == "a"
    with refused(-1102):
        order_ref(parse("symbol=BTCUSDT", ""))
    with refused(-1119):
        order_ref(parse("symbol=BTCUSDT&origClientOrderId=", ""))
