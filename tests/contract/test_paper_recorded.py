"""The paper exchange's frames against frames recorded on the venue: names, order of names, types."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.paper.streams import Route
from tests.contract.shapes import differences
from tests.wire_kit import Ear, Shop, open_shop

FIXTURES = Path(os.environ.get("AURORA_SHARED", "../shared")) / "data" / "fixtures"
TRACES = FIXTURES / "issue_traces"
FUNDING_MS = 1_790_006_400_000
MOVING = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
steps:
  - steady: {seconds: 30, rate: 20, trades_every: 2}
"""
Frame = dict[str, Any]


def recorded(name: str) -> list[Frame]:
    """Read a file of recorded frames, one a line; without the shared data the test is left out."""
    path = TRACES / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set AURORA_SHARED")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def in_order(example: Any, ours: Any, path: str = "$") -> list[str]:
    """Say where our names stand in another order than the venue's."""
    if isinstance(example, dict):
        common = [name for name in ours if name in example]
        found = [] if common == [name for name in example if name in ours] else [f"{path}: {common}"]
        return found + [
            line for name in common for line in in_order(example[name], ours[name], f"{path}.{name}")
        ]
    if isinstance(example, list) and example and ours:
        return in_order(example[0], ours[0], f"{path}[0]")
    return []


def same_frame(example: Frame, ours: Frame, extra: tuple[str, ...] = ()) -> None:
    found = differences(example, ours, extra=extra) + in_order(example, ours)
    assert not found, "\n".join([*found, json.dumps(example), json.dumps(ours)])


def label(frame: Frame) -> str:
    """Name the case a user frame stands for."""
    match frame["e"]:
        case "ORDER_TRADE_UPDATE":
            return f"{frame['o']['x']}/{frame['o']['X']}"
        case "ACCOUNT_UPDATE":
            return f"ACCOUNT {frame['a']['m']}" + (" with position" if frame["a"]["P"] else "")
        case other:
            return str(other)


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Frame]:
    """Live through every case once: rest, amend, cancel, fill, be funded."""
    shop = open_shop(tmp_path, MOVING, now_ms=FUNDING_MS - 5000)
    ear = shop.user()
    order = shop.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.02", price="59000").json
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    shop.call("PUT", "/fapi/v1/order", **named, side="BUY", quantity="0.02", price="59001")
    shop.call("DELETE", "/fapi/v1/order", **named)
    shop.order(side="BUY", type="MARKET", quantity="0.02")
    shop.play(8000)
    return {label(frame): frame for frame in ear.heard()}


def test_user_frames_are_as_recorded_in_2026(told: dict[str, Frame]) -> None:
    compared = []
    for frame in recorded("user_data_prod_20260421.jsonl"):
        case = label(frame)
        if case in ("ACCOUNT DEPOSIT", "ACCOUNT WITHDRAW"):
            continue
        assert case in told, (case, sorted(told))
        same_frame(frame, told[case], extra=("S",) if case == "ACCOUNT FUNDING_FEE" else ())
        compared.append(case)
    assert len(set(compared)) >= 5


def test_a_resting_order_is_told_as_recorded_in_2026(told: dict[str, Frame]) -> None:
    path = TRACES / "order_trade_update_new_20260521.json"
    if not path.exists():
        pytest.skip(f"{path} is not there; set AURORA_SHARED")
    frame = json.loads(path.read_text(encoding="utf-8"))
    same_frame(frame.get("data", frame), told["NEW/NEW"])


def streams_of(shop: Shop, names: list[str]) -> Ear:
    return shop.listen(Route.PUBLIC, *names, combined=True)[1]


def first_of_each(ear: Ear) -> Iterator[Frame]:
    seen: dict[str, Frame] = {}
    for frame in ear.heard():
        seen.setdefault(frame["stream"], frame)
    yield from seen.values()


def test_market_frames_are_as_recorded_in_2026(tmp_path: Path) -> None:
    frames = {frame["stream"]: frame for frame in recorded("market_frames_2026.jsonl")}
    shop = open_shop(tmp_path, MOVING)
    wanted = [name for name in frames if name.startswith("btcusdt@")]
    ear = streams_of(shop, wanted)
    shop.play(4000)
    ours = {frame["stream"]: frame for frame in first_of_each(ear)}
    assert sorted(ours) == sorted(wanted)
    for name in wanted:
        same_frame(frames[name], ours[name])


ALGO_FILES = {
    "TRIGGERING": "py/ws_futures_algo_update_triggering.json",
    "TRIGGERED": "py/ws_futures_algo_update_triggered.json",
    "FINISHED": "py/ws_futures_algo_update_finished.json",
}


@pytest.fixture
def algos(tmp_path: Path) -> dict[str, Frame]:
    falling = (
        MOVING.replace("steady: {seconds: 30", "steady: {seconds: 1") + "  - {bid: 59900, ask: 59900.1}\n"
    )
    shop = open_shop(tmp_path, falling + "  - trade: {side: SELL, qty: 0.01}\n  - wait: 2000\n")
    shop.order(side="BUY", type="MARKET", quantity="0.02")
    ear = shop.user()
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    gone = shop.call("POST", "/fapi/v1/algoOrder", **stop, quantity="0.01", triggerPrice="58000").json
    shop.call("DELETE", "/fapi/v1/algoOrder", algoId=gone["algoId"])
    shop.call("POST", "/fapi/v1/algoOrder", **stop, quantity="0.01", triggerPrice="59950")
    shop.play(4000)
    return {frame["o"]["X"]: frame for frame in ear.heard() if frame["e"] == "ALGO_UPDATE"}


@pytest.mark.parametrize("status", ALGO_FILES)
def test_conditional_orders_are_told_as_recorded(algos: dict[str, Frame], status: str) -> None:
    path = FIXTURES / "nautilus" / ALGO_FILES[status]
    if not path.exists():
        pytest.skip(f"{path} is not there; set AURORA_SHARED")
    frame = json.loads(path.read_text(encoding="utf-8"))
    frame = frame.get("data", frame)
    same_frame(frame, algos[status])


def test_fills_are_listed_in_the_texts_recorded(tmp_path: Path) -> None:
    path = FIXTURES / "nautilus" / "py" / "http_futures_account_trades.json"
    if not path.exists():
        pytest.skip(f"{path} is not there; set AURORA_SHARED")
    opened, closed = json.loads(path.read_text(encoding="utf-8"))
    assert (opened["quoteQty"], opened["realizedPnl"], closed["price"]) == ("13.89175", "0", "2779")
    shop = open_shop(tmp_path)
    for side in ("BUY", "SELL"):
        shop.order(side=side, type="MARKET", quantity="0.010")
    first, last = shop.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT").json
    assert (first["price"], first["qty"], first["quoteQty"]) == ("60000.1", "0.010", "600.00100")
    assert (first["realizedPnl"], last["realizedPnl"]) == ("0", "-0.00100000")
    same_frame(closed, last, extra=("baseQty", "pair"))


def test_a_flat_position_has_the_prices_recorded_of_one(tmp_path: Path) -> None:
    row = open_shop(tmp_path, MOVING).call("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").json[0]
    assert (row["positionAmt"], row["entryPrice"], row["breakEvenPrice"]) == ("0.000", "0.0", "0.0")
