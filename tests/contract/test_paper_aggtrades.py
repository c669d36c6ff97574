"""aggTrade: fills of one price and taker side within 100 ms are one, on the stream and in the list."""

from pathlib import Path
from typing import Any

import pytest

from skalp_bot.paper.floor import PRINTS_MAX
from skalp_bot.paper.streams import Route
from tests.wire_kit import Ear, Shop, open_shop

BOOK = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 10, qty: 1, levels: 5}
  ETHUSDT: {price: 2000, spread: 1, qty: 10, levels: 5}
steps:
  - wait: 1
"""
FOLDED = ("a", "p", "q", "nq", "f", "l", "T", "m")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, BOOK, deposit="10000000")


def hear(shop: Shop) -> tuple[Ear, Ear]:
    """Listen to single fills and to aggregates."""
    return shop.listen(Route.PUBLIC, "btcusdt@trade")[1], shop.listen(Route.MARKET, "btcusdt@aggTrade")[1]


def rest(shop: Shop, side: str, price: str, quantity: str = "0.1") -> None:
    order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": quantity}
    assert shop.order(**order, selfTradePreventionMode="NONE").json["status"] == "NEW"


def take(shop: Shop, side: str, quantity: str) -> None:
    taken = {"side": side, "type": "MARKET", "quantity": quantity, "selfTradePreventionMode": "NONE"}
    assert shop.order(**taken, newOrderRespType="RESULT").json["status"] == "FILLED"


def listed(shop: Shop) -> Any:
    return shop.get("/fapi/v1/aggTrades", symbol="BTCUSDT").json


def test_a_sweep_through_two_makers_at_one_price_is_one(shop: Shop) -> None:
    rest(shop, "SELL", "60001")
    rest(shop, "SELL", "60001", "0.2")
    singles, sums = hear(shop)
    begun_ms = shop.now_ms
    take(shop, "BUY", "0.3")
    shop.play(99, pace_ms=1)
    assert (sums.heard(), listed(shop)) == ([], [])
    shop.play(1)
    first, last = singles.heard()
    [told] = sums.heard()
    assert (first["q"], last["q"], told["q"], told["nq"]) == ("0.100", "0.200", "0.300", "0.300")
    assert (told["f"], told["l"], told["p"], told["m"]) == (first["t"], last["t"], "60001.00", False)
    assert (told["T"], told["E"]) == (begun_ms, begun_ms + 100)


def test_another_price_and_another_taker_side_begin_another_at_once(shop: Shop) -> None:
    rest(shop, "SELL", "60001")
    rest(shop, "SELL", "60002")
    singles, sums = hear(shop)
    take(shop, "BUY", "0.2")
    shop.play(10)
    take(shop, "SELL", "0.1")
    assert [row["p"] for row in sums.heard()] == ["60001.00", "60002.00"]
    shop.play(100)
    told = sums.heard()
    assert [(row["p"], row["m"]) for row in told] == [
        ("60001.00", False),
        ("60002.00", False),
        ("60000.00", True),
    ]
    assert [row["f"] for row in told] == [row["l"] for row in told] == [row["t"] for row in singles.heard()]
    assert [row["a"] for row in told] == [told[0]["a"], told[0]["a"] + 1, told[0]["a"] + 2]
    assert [row["E"] - row["T"] for row in told] == [0, 10, 100]


def test_a_side_that_comes_between_parts_what_is_of_one_price(shop: Shop) -> None:
    _, sums = hear(shop)
    for side in ("BUY", "SELL", "BUY"):
        take(shop, side, "0.1")
    shop.play(100)
    assert [row["m"] for row in sums.heard()] == [False, True, False]


def test_fills_of_several_orders_count_together_for_100_ms_and_no_longer(shop: Shop) -> None:
    singles, sums = hear(shop)
    for wait_ms in (60, 39, 1):
        take(shop, "BUY", "0.1")
        shop.play(wait_ms, pace_ms=1)
    take(shop, "BUY", "0.1")  # 100 ms after the first
    shop.play(100)
    assert [row["q"] for row in sums.heard()] == ["0.300", "0.100"]
    assert len(singles.heard()) == 4


def test_the_list_agrees_with_the_stream(shop: Shop) -> None:
    _, sums = hear(shop)
    for side in ("BUY", "BUY", "SELL", "BUY"):
        take(shop, side, "0.1")
        shop.play(40)
    shop.play(100)
    assert [{key: row[key] for key in FOLDED} for row in sums.heard()] == listed(shop)
    assert len(listed(shop)) == 3


def test_symbols_are_aggregated_apart(shop: Shop) -> None:
    _, sums = hear(shop)
    take(shop, "BUY", "0.1")
    assert shop.order(symbol="ETHUSDT", side="SELL", type="MARKET", quantity="1").status == 200
    take(shop, "BUY", "0.1")
    shop.play(100)
    assert [row["q"] for row in sums.heard()] == ["0.200"]
    [other] = shop.get("/fapi/v1/aggTrades", symbol="ETHUSDT").json
    assert (other["q"], other["m"]) == ("1.000", True)


def test_memory_is_bounded_however_much_trades(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, BOOK, deposit="10000000", options={"limits": False})
    running = shop.exchange.desk.venue.floor.aggregates
    for _ in range(PRINTS_MAX // 2 + 1):
        for side in ("BUY", "SELL"):
            take(shop, side, "0.001")
            assert len(running) == 1
    shop.play(100)
    assert running == {}
    assert len(shop.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=1000).json) == PRINTS_MAX
    assert len(shop.exchange.desk.venue.floor.market("BTCUSDT").aggs) == PRINTS_MAX
