"""Whatever the wire says, a frame becomes an event or is refused; nothing else escapes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.control import DecodeFailed
from aurora.model.market import BookTicker
from aurora.model.numbers import Nanos
from skalp_bot.exch import listings
from skalp_bot.exch.decode import USER_EVENTS, book_ticker, mark_price, user_event
from skalp_bot.exch.fields import DecodeError, parsed, rows

NOW = Nanos(0)
ORDER = {
    "s": "BTCUSDT", "c": "a", "S": "BUY", "o": "MARKET", "q": "1", "p": "0", "sp": "0",
    "x": "TRADE", "X": "FILLED", "i": 1, "l": "1", "z": "1", "L": "5", "n": "0", "N": "USDT", "T": 1, "t": 1,
    "m": False, "R": False, "cp": False, "rp": "0", "er": "0", "si": 0, "ps": "BOTH",
}  # fmt: skip
FRAMES: list[dict[str, Any]] = [
    {"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": ORDER},
    {
        "e": "ALGO_UPDATE", "T": 1, "E": 1,
        "o": {
            "caid": "a", "aid": 1, "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "q": "1", "X": "NEW",
            "ai": "", "tp": "5", "p": "0", "cp": False, "R": True,
        },
    },
    {
        "e": "ACCOUNT_UPDATE", "T": 1, "E": 1,
        "a": {
            "m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "1", "cw": "1", "bc": "-1"}],
            "P": [{"s": "BTCUSDT", "pa": "1", "ep": "5", "ps": "BOTH"}],
        },
    },
    {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}},
    {"e": "MARGIN_CALL", "E": 1, "cw": "3", "p": [{"s": "ETHUSDT"}]},
]  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["NaN", "-1", "1e400", "Infinity", "0", "9" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def spoiled(frame: Any, draw: Any) -> Any:
    """The frame with one of its values, at any depth, replaced or left out."""
    if isinstance(frame, list):
        return [spoiled(frame[0], draw), *frame[1:]] if frame else draw(odd)
    if not isinstance(frame, dict):
        return draw(odd)
    key = draw(st.sampled_from(sorted(frame)))
    rest = {name: value for name, value in frame.items() if name != key}
    return rest if draw(st.booleans()) else rest | {key: spoiled(frame[key], draw)}


def test_the_frames_we_spoil_are_good() -> None:
    assert {frame["e"] for frame in FRAMES} == set(USER_EVENTS)
    assert not [frame for frame in FRAMES if isinstance(user_event(frame, NOW), DecodeFailed)]


@given(st.data())
def test_a_spoiled_account_frame_never_raises(data: st.DataObject) -> None:
    user_event(spoiled(data.draw(st.sampled_from(FRAMES)), data.draw), NOW)


@pytest.mark.parametrize("odd_value", [[], {}, None, True, 1.5, "x"], ids=repr)
def test_no_single_odd_value_in_an_account_frame_raises(odd_value: object) -> None:
    for frame in FRAMES:
        for key in frame:
            user_event(frame | {key: odd_value}, NOW)
        for key, part in frame.items():
            for name in part if isinstance(part, dict) else ():
                user_event(frame | {key: part | {name: odd_value}}, NOW)


@given(st.data())
def test_a_spoiled_market_frame_is_an_event_or_refused(data: st.DataObject) -> None:
    quote = {"e": "bookTicker", "u": 1, "s": "B", "b": "1", "B": "1", "a": "2", "A": "1", "T": 1, "E": 1}
    mark = {"e": "markPriceUpdate", "E": 1, "s": "B", "p": "1", "i": "1", "r": "0", "T": 1}
    for read, frame in ((book_ticker, quote), (mark_price, mark)):
        try:
            event = read(spoiled(frame, data.draw), NOW)
        except DecodeError:
            continue
        assert type(event.symbol) is str
        assert type(event.ts_event) is int
        if isinstance(event, BookTicker):
            assert 0.0 < event.bid <= event.ask < float("inf")
            assert type(event.bid_text) is str


@given(odd)
def test_a_listing_of_any_shape_is_read_or_refused(payload: Any) -> None:
    try:
        body = parsed(json.dumps(payload))
    except DecodeError:
        return
    readers = (
        listings.order_views, listings.algo_views, listings.position_views, listings.balance_views,
        listings.listed_symbols, listings.leverage_brackets, listings.fee_rates,
        lambda body: listings.instrument({"filters": body}),
        lambda body: [listings.listed_fill(row, NOW) for row in rows(body, "")],
        lambda body: [listings.income_flows(row, NOW) for row in rows(body, "")],
        lambda body: listings.candles(body, "B", NOW),
    )  # fmt: skip
    for read in readers:
        try:
            read(body)
        except DecodeError:
            continue
