"""Our user events beside the recorded ones: same fields in the same order, same types, same number texts."""

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.paper.orders import Amend, OrderRef, Side
from tests.venue_kit import BTC, Bench, price

SHARED = Path(os.environ.get("AURORA_SHARED", Path(__file__).parent.parent.parent.parent / "shared"))
TRACES = SHARED / "data/fixtures/issue_traces"
NAUTILUS = SHARED / "data/fixtures/nautilus/py"
NUMBER = re.compile(r"-?\d+(\.\d+)?")
D = Decimal


def recorded() -> list[dict[str, Any]]:
    if not TRACES.exists():
        pytest.skip("the shared data is absent; set AURORA_SHARED")
    lines = (TRACES / "user_data_prod_20260421.jsonl").read_text().splitlines()
    single = json.loads((TRACES / "order_trade_update_new_20260521.json").read_text())
    return [*(json.loads(line) for line in lines), single]


def recorded_algos() -> list[dict[str, Any]]:
    if not NAUTILUS.exists():
        pytest.skip("the shared data is absent; set AURORA_SHARED")
    names = ("triggering", "triggered", "finished")
    return [json.loads((NAUTILUS / f"ws_futures_algo_update_{n}.json").read_text())["data"] for n in names]


def kind(event: dict[str, Any]) -> str:
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            return f"ORDER {event['o']['x']}"
        case "ACCOUNT_UPDATE":
            return f"ACCOUNT {event['a']['m']}"
        case "ALGO_UPDATE":
            return f"ALGO {event['o']['X']}"
        case name:
            return str(name)


def form(value: Any) -> Any:
    """Shape of a value: field order, types, and whether a number's text is padded; names are not compared."""
    if isinstance(value, dict):
        return [(key, form(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [form(item) for item in value[:1]]
    if isinstance(value, str):
        return "number" if NUMBER.fullmatch(value) else "text"
    return type(value).__name__


def ours() -> dict[str, dict[str, Any]]:
    """One event of every kind the witnesses show."""
    bench = Bench.opened(trigger_delay_ms=5)
    alice = bench.account()
    bench.venue.transfer(alice, D(10), bench.now_ms)
    bench.venue.transfer(alice, D(-10), bench.now_ms)
    order = bench.limit(alice, Side.BUY, "99.5", "0.02")
    ref = OrderRef(symbol=BTC, order_id=order.order_id)
    bench.venue.amend(alice, Amend(ref=ref, side=Side.BUY, qty=D("0.02"), price=price("99.6")), bench.now_ms)
    bench.venue.cancel(alice, ref, bench.now_ms)
    bench.limit(alice, Side.BUY, "100.0", "0.02")
    bench.print("100.0", "0.02", buyer_is_maker=True)
    bench.stop(alice, Side.SELL, "99", qty=D("0.02"))
    bench.print("98.9", "1", buyer_is_maker=True)
    bench.wait(5)
    bench.market(alice, Side.BUY, "0.02")
    bench.wait(3_600_000)
    return {kind(event): event for event in bench.user(alice)}


@pytest.mark.parametrize("index", range(9))
def test_user_events_have_the_recorded_form(index: int) -> None:
    witness = recorded()[index]
    assert form(ours()[kind(witness)]) == form(witness)


@pytest.mark.parametrize("index", range(3))
def test_conditional_order_events_have_the_recorded_form(index: int) -> None:
    witness = recorded_algos()[index]
    assert form(ours()[kind(witness)]) == form(witness)


def test_number_texts_are_stripped_except_in_trade_lite() -> None:
    events = ours()
    trade, lite = events["ORDER TRADE"]["o"], events["TRADE_LITE"]
    assert (lite["q"], lite["l"]) == ("0.020", "0.020")
    assert (trade["q"], trade["l"]) == ("0.02", "0.02")
    assert re.fullmatch(r"\d+\.\d\d", lite["L"])
    for name in ("q", "p", "ap", "l", "z", "L", "n", "b", "a", "rp"):
        assert not re.fullmatch(r".*\.\d*0", trade[name]), name
