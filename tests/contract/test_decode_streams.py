import gzip
import json
import math
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from aurora.model.control import DecodeFailed, Stream
from aurora.model.events import AccountUpdate, LeverageChanged, MarginCalled, OrderUpdate
from aurora.model.fill import FlowKind
from aurora.model.numbers import Nanos
from aurora.model.order import Namespace, OrderStatus, OrderType
from skalp_bot.exch.decode import IGNORED, USER_EVENTS, book_ticker, mark_price, market_trade, user_event
from skalp_bot.exch.fields import DecodeError

DATA = Path(os.environ.get("AURORA_SHARED", "../shared")) / "data"
FIXTURES = DATA / "fixtures"
NOW = Nanos(1_800_000_000_000_000_000)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded frames at {DATA} (AURORA_SHARED)")


def unwrapped(frame: Any) -> dict[str, Any]:
    inner = frame.get("data", frame)
    return inner if isinstance(inner, dict) else {}


def lines_of(name: str) -> list[dict[str, Any]]:
    text = (FIXTURES / "issue_traces" / name).read_text(encoding="utf-8")
    return [unwrapped(orjson.loads(line)) for line in text.splitlines()]


def frame_of(name: str) -> dict[str, Any]:
    return unwrapped(orjson.loads((FIXTURES / "nautilus" / name).read_bytes()))


def recorded_user_frames() -> Iterator[tuple[str, dict[str, Any]]]:
    names = {*USER_EVENTS, *IGNORED}
    for path in sorted(FIXTURES.glob("nautilus/*/*.json")):
        body = orjson.loads(path.read_bytes())
        if isinstance(body, dict) and unwrapped(body).get("e") in names:
            yield path.name, unwrapped(body)
    for path in sorted(FIXTURES.glob("issue_traces/*.json*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = orjson.loads(line)
            if isinstance(body, dict) and unwrapped(body).get("e") in names:
                yield path.name, unwrapped(body)
    for path in sorted(FIXTURES.glob("binance.net/Subscriptions__*.txt")):
        _, _, tail = path.read_text(encoding="utf-8").partition("\n= ")
        try:
            body = json.loads(tail)
        except ValueError:
            continue
        if isinstance(body, dict) and unwrapped(body).get("e") in names:
            yield path.name, unwrapped(body)


FRAMES = list(recorded_user_frames()) if DATA.is_dir() else []
# Frames of account modes that are not supported: hedge positions, multi-assets margin.
REFUSED = ("AccountUpdate", "user_data_json__account_update.json", "MultiAssetMode")


def test_there_are_recorded_frames_of_every_event_we_decode() -> None:
    assert {frame["e"] for _, frame in FRAMES} >= USER_EVENTS.keys()
    assert len(FRAMES) > 30


@pytest.mark.parametrize(("name", "frame"), FRAMES, ids=[name for name, _ in FRAMES])
def test_every_recorded_user_frame_is_read_or_ignored_by_name(name: str, frame: dict[str, Any]) -> None:
    event = user_event(frame, NOW)
    if frame["e"] in IGNORED:
        assert event is None
    elif any(mark in name for mark in REFUSED):
        assert isinstance(event, DecodeFailed)
        assert "hedge mode" in event.why or "multi-assets" in event.why
    else:
        assert isinstance(event, OrderUpdate | AccountUpdate | LeverageChanged | MarginCalled), event


def test_a_real_fill_keeps_every_digit_and_names_its_trade() -> None:
    event = user_event(lines_of("fill_pair_20210114.jsonl")[1], NOW)
    assert isinstance(event, OrderUpdate)
    assert event.status is OrderStatus.FILLED
    assert event.fill is not None
    assert (event.fill.price, event.fill.qty) == (Decimal("39849.93"), Decimal(1))
    assert (event.fill.fee, event.fill.fee_asset) == (Decimal("15.93997200"), "USDT")
    assert (event.fill.trade_id, event.fill.exchange_id) == (154402974, "2611733004")
    assert event.ts_event == 1610638208309 * 1_000_000


def test_real_deposits_withdrawals_and_funding_become_flows_and_trades_do_not() -> None:
    events = [user_event(frame, NOW) for frame in lines_of("user_data_prod_20260421.jsonl")]
    updates = [event for event in events if isinstance(event, AccountUpdate)]
    assert [[(flow.kind, flow.amount) for flow in update.flows] for update in updates] == [
        [(FlowKind.TRANSFER, Decimal(10))],
        [(FlowKind.TRANSFER, Decimal(-10))],
        [(FlowKind.FUNDING, Decimal("-0.00085067"))],
        [],
    ]
    assert updates[3].wallets == (("USDC", Decimal("37.87866827")),)
    assert updates[3].positions[0].entry == Decimal("2317.3")


def test_empty_hedge_sides_beside_a_one_way_position_are_left_out() -> None:
    event = user_event(lines_of("fill_pair_20210114.jsonl")[0], NOW)
    assert isinstance(event, AccountUpdate)
    assert [(view.symbol, view.qty) for view in event.positions] == [("BTCUSDT", Decimal(5))]


@pytest.mark.parametrize(
    ("word", "status", "child"),
    [
        ("triggering", OrderStatus.TRIGGERED, ""),
        ("triggered", OrderStatus.TRIGGERED, "88937381063"),
        ("finished", OrderStatus.FILLED, "88937381063"),
    ],
)
def test_a_triggered_stop_is_told_in_its_own_namespace_with_its_child(
    word: str, status: OrderStatus, child: str
) -> None:
    event = user_event(frame_of(f"py/ws_futures_algo_update_{word}.json"), NOW)
    assert isinstance(event, OrderUpdate)
    assert event.key.namespace is Namespace.ALGO
    assert (event.status, event.child_id, event.type) == (status, child, OrderType.STOP_MARKET)
    assert event.trigger == Decimal("0.13855")


def test_an_order_born_of_an_algo_order_names_its_parent() -> None:
    frame = orjson.loads(orjson.dumps(lines_of("order_trade_update_new_20260521.json")[0]))
    frame["o"] |= {"si": 2000000547321628, "st": "ALGO_CONDITION"}
    event = user_event(frame, NOW)
    assert isinstance(event, OrderUpdate)
    assert (event.key.namespace, event.parent_algo) == (Namespace.REGULAR, "2000000547321628")


@pytest.mark.parametrize(
    ("name", "status", "moved"),
    [
        ("rust/user_data_json__order_update_adl.json", OrderStatus.FILLED, True),
        ("rust/user_data_json__order_update_insurance.json", OrderStatus.FILLED, True),
        ("rust/user_data_json__order_update_calculated_pending.json", OrderStatus.NEW, False),
        ("py/ws_futures_order_update_liquidation.json", OrderStatus.FILLED, True),
        ("py/ws_futures_order_update_liquidation_zero_qty.json", OrderStatus.FILLED, False),
    ],
)
def test_forced_closes_are_fills_when_they_moved_something(
    name: str, status: OrderStatus, moved: bool
) -> None:
    event = user_event(frame_of(name), NOW)
    assert isinstance(event, OrderUpdate)
    assert event.status is status
    assert (event.fill is not None) is moved


@pytest.mark.parametrize(
    "change",
    [
        {"q": "NaN"},
        {"q": "Infinity"},
        {"q": "-1"},
        {"q": None},
        {"p": "1e308"},
        {"X": "WHATEVER"},
        {"S": "UP"},
        {"T": "soon"},
        {"c": None},
        {"i": True},
        {"x": "TRADE", "l": "1", "L": "0"},
    ],
)
def test_a_spoiled_account_frame_is_an_event_and_never_an_exception(change: dict[str, Any]) -> None:
    frame = lines_of("order_trade_update_new_20260521.json")[0]
    frame["o"] |= change
    if "T" in change:
        frame["T"] = change["T"]
    event = user_event(frame, NOW)
    assert isinstance(event, DecodeFailed)
    assert event.stream is Stream.USER


@pytest.mark.parametrize("frame", [{}, {"e": None}, {"e": ["x"]}, {"e": "NEWS"}, {"e": "ACCOUNT_UPDATE"}])
def test_an_unknown_account_frame_makes_the_books_suspect(frame: dict[str, Any]) -> None:
    assert isinstance(user_event(frame, NOW), DecodeFailed)


def test_every_recorded_quote_of_a_busy_hour_is_read() -> None:
    path = DATA / "ticks" / "BTCUSDT-usdm-raw-ws-20240808T2354-0000.jsonl.gz"
    count = 0
    with gzip.open(path, "rt", encoding="utf-8") as frames:
        for line in frames:
            if '"e":"bookTicker"' not in line:
                continue
            row = orjson.loads(line.split(" ", 1)[1])["data"]
            tick = book_ticker(row, NOW)
            assert tick.mid_low == tick.mid_high == (float(row["b"]) + float(row["a"])) / 2
            assert tick.bid_text == row["b"]
            count += 1
            if count == 5000:
                break
    assert count == 5000


def test_the_market_frames_of_2026_are_read() -> None:
    by_name = {frame["e"]: frame for frame in reversed(lines_of("market_frames_2026.jsonl"))}
    tick = book_ticker(by_name["bookTicker"], NOW)
    assert (tick.symbol, tick.bid, tick.update_id) == ("BTCUSDT", 84551.0, 11671659685961)
    assert tick.ts_event == 1790526538939 * 1_000_000
    mark = mark_price(by_name["markPriceUpdate"], NOW)
    assert (mark.mark, mark.index, mark.funding_rate) == (77488.24528925, 77485.96456522, 0.0001)
    assert market_trade(by_name["aggTrade"], NOW).price == 84551.10


@pytest.mark.parametrize("key", ["b", "a", "B", "A"])
@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", "1e308", "x", None, 7.5e300])
def test_a_quote_that_cannot_be_is_refused(key: str, value: Any) -> None:
    good = {"s": "BTCUSDT", "u": 1, "b": "10.0", "B": "1", "a": "10.1", "A": "1", "T": 1, "E": 1}
    assert book_ticker(good, NOW).bid == 10.0
    with pytest.raises(DecodeError):
        book_ticker(good | {key: value}, NOW)


@pytest.mark.parametrize(("bid", "ask"), [("0", "10"), ("10", "0"), ("10.2", "10.1")])
def test_an_empty_side_and_a_crossed_book_are_refused(bid: str, ask: str) -> None:
    good = {"s": "BTCUSDT", "u": 1, "b": bid, "B": "1", "a": ask, "A": "1", "T": 1, "E": 1}
    with pytest.raises(DecodeError):
        book_ticker(good, NOW)
    assert math.isfinite(book_ticker(good | {"b": "10.1", "a": "10.1"}, NOW).mid_low)
