"""Every stream frame of the paper exchange against a recorded or documented one, field by field."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from skalp_bot.paper.streams import Route
from tests.contract.shapes import same_shape
from tests.wire_kit import Ear, Shop, open_shop

MOVING = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
  ETHUSDT: {price: 2000, spread: 0.01, qty: 50, levels: 20}
steps:
  - steady: {seconds: 20, rate: 50, trades_every: 2}
"""
FRAMES: dict[str, tuple[str, str]] = {
    "bookTicker": (
        "btcusdt@bookTicker",
        '{"e":"bookTicker","u":11671659685961,"s":"BTCUSDT","ps":"BTCUSDT","b":"84551.00","B":"2.646",'
        '"a":"84551.10","A":"5.302","T":1790526538939,"E":1790526538940,"st":1}',
    ),
    "all bookTickers": (
        "!bookTicker",
        '{"e":"bookTicker","u":11671659685961,"s":"BTCUSDT","ps":"BTCUSDT","b":"84551.00","B":"2.646",'
        '"a":"84551.10","A":"5.302","T":1790526538939,"E":1790526538940,"st":1}',
    ),
    "aggTrade": (
        "btcusdt@aggTrade",
        '{"e":"aggTrade","E":1790526539033,"a":3466782974,"s":"BTCUSDT","p":"84551.10","q":"0.030",'
        '"nq":"0.030","f":8123344783,"l":8123344783,"T":1790526538883,"m":false,"st":1}',
    ),
    "trade": (
        "btcusdt@trade",
        '{"e":"trade","E":1790370834849,"T":1790370834848,"s":"BTCUSDT","t":8121136411,"p":"83680.00",'
        '"q":"0.001","X":"MARKET","m":true,"st":1}',
    ),
    "depth": (
        "btcusdt@depth@100ms",
        '{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":157,"u":160,"pu":149,'
        '"b":[["0.0024","10"]],"a":[["0.0026","0"]]}',
    ),
    "partial depth": (
        "btcusdt@depth5",
        '{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":157,"u":160,"pu":149,'
        '"b":[["0.0024","10"]],"a":[["0.0026","0"]]}',
    ),
    "markPrice": (
        "btcusdt@markPrice@1s",
        '{"e":"markPriceUpdate","E":1787492323000,"s":"BTCUSDT","p":"77488.24528925","ap":"77488.24528925",'
        '"P":"77435.97981966","i":"77485.96456522","r":"0.00010000","T":1787500800000,"st":1}',
    ),
    "kline": (
        "btcusdt@kline_1m",
        '{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1,"T":2,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1","c":"1",'
        '"h":"1","l":"1","v":"1","n":100,"x":false,"q":"1","V":"1","Q":"1","B":"0"}}',
    ),
    "ticker": (
        "btcusdt@ticker",
        '{"e":"24hrTicker","E":1787492324172,"s":"BTCUSDT","ps":"BTCUSDT","p":"355.50","P":"0.461",'
        '"w":"76764.07","c":"77490.00","Q":"0.001","o":"77134.50","h":"77771.60","l":"75588.00",'
        '"v":"115619.606","q":"8875431314.20","O":1787405880000,"C":1787492324171,"F":8003360342,'
        '"L":8006170931,"n":2798861,"st":1}',
    ),
    "miniTicker": (
        "btcusdt@miniTicker",
        '{"e":"24hrMiniTicker","E":1,"s":"BTCUSDT","c":"1","o":"1","h":"1","l":"1","v":"1","q":"1"}',
    ),
}
EXTRA = ("st", "ps")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, MOVING)


def named(ear: Ear, event: str) -> list[dict[str, Any]]:
    return [message for message in ear.heard() if message["e"] == event]


@pytest.mark.parametrize("name", FRAMES)
def test_market_frames_have_the_venues_fields(shop: Shop, name: str) -> None:
    stream, example = FRAMES[name]
    _, ear = shop.listen(Route.PUBLIC, stream)
    shop.play(6000)
    frames = ear.heard()
    assert frames
    wanted = orjson.loads(example)
    for frame in frames:
        if wanted["e"] == "depthUpdate":
            trimmed = {side: frame[side] or wanted[side] for side in ("b", "a")}
            same_shape(wanted, frame | trimmed, extra=EXTRA)
        else:
            same_shape(wanted, frame, extra=EXTRA)


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        ("!markPrice@arr", "markPriceUpdate"),
        ("!markPrice@arr@1s", "markPriceUpdate"),
        ("!ticker@arr", "24hrTicker"),
        ("!miniTicker@arr", "24hrMiniTicker"),
    ],
)
def test_arrays_hold_every_symbol(shop: Shop, stream: str, event: str) -> None:
    _, ear = shop.listen(Route.MARKET, stream)
    shop.play(4000)
    for rows in ear.heard():
        assert {row["e"] for row in rows} == {event}
    assert {row["s"] for rows in ear.heard() for row in rows} == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize("stream", ["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@500ms"])
def test_depth_frames_chain_and_rebuild_the_book_that_rest_shows(shop: Shop, stream: str) -> None:
    _, ear = shop.listen(Route.PUBLIC, stream)
    shop.play(600)
    snapshot = shop.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000).json
    shop.play(5000)
    book = {side: dict(snapshot[name]) for side, name in (("b", "bids"), ("a", "asks"))}
    frames = [frame for frame in ear.heard() if frame["u"] >= snapshot["lastUpdateId"]]
    assert frames[0]["U"] <= snapshot["lastUpdateId"] + 1
    for before, after in itertools.pairwise(frames):
        assert after["pu"] == before["u"]
        assert after["U"] <= after["u"]
    for frame in frames:
        for side in ("b", "a"):
            book[side].update(dict(frame[side]))
    end = shop.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000).json
    if end["lastUpdateId"] == frames[-1]["u"]:
        for side, name in (("b", "bids"), ("a", "asks")):
            left = {float(price): qty for price, qty in book[side].items() if float(qty)}
            assert left == {float(price): qty for price, qty in end[name]}


def test_depth_streams_keep_their_pace(shop: Shop) -> None:
    counts = {}
    for stream in ("btcusdt@depth@100ms", "btcusdt@depth", "btcusdt@depth@500ms"):
        counts[stream] = shop.listen(Route.PUBLIC, stream)[1]
    shop.play(5000)
    assert [len(ear.frames) for ear in counts.values()] == pytest.approx([50, 20, 10], abs=1)


def test_a_kline_closes_once_and_the_next_opens(shop: Shop) -> None:
    _, ear = shop.listen(Route.MARKET, "btcusdt@kline_1m")
    shop.play(90_000, pace_ms=50)
    rows = [frame["k"] for frame in ear.heard()]
    closed = [row["t"] for row in rows if row["x"]]
    assert len(closed) == len(set(closed))
    assert closed
    opened = [row["t"] for row in rows if not row["x"]]
    assert max(opened) == closed[-1] + 60_000


ORDER = orjson.loads(
    '{"e":"ORDER_TRADE_UPDATE","T":1779367929401,"E":1779367929402,"o":{"s":"SOLUSDT",'
    '"c":"bot-e0536484551311f1b0c42676a180379c","S":"BUY","o":"LIMIT","f":"GTC","q":"21.26","p":"85.67",'
    '"ap":"0","sp":"0","x":"NEW","X":"NEW","i":215456450616,"l":"0","z":"0","L":"0","n":"0","N":"USDT",'
    '"T":1779367929401,"t":0,"b":"2520.672","a":"0","m":false,"R":true,"wt":"CONTRACT_PRICE","ot":"LIMIT",'
    '"ps":"SHORT","cp":false,"rp":"0","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,'
    '"er":"0"}}'
)
ACCOUNT = orjson.loads(
    '{"e":"ACCOUNT_UPDATE","T":1,"E":1,"a":{"B":[{"a":"USDT","wb":"122624.12","cw":"100.12","bc":"50.12"}],'
    '"P":[{"s":"BTCUSDT","pa":"20","ep":"6563.66500","cr":"0","up":"2850.21200","mt":"isolated",'
    '"iw":"13200.70726908","ps":"LONG","ma":"USDT","bep":"6563.6"}],"m":"ORDER"}}'
)
LITE = orjson.loads(
    '{"e":"TRADE_LITE","E":1,"T":1,"s":"ETHUSDT","q":"0.037","p":"2631.90","m":false,"c":"x","S":"BUY",'
    '"L":"2631.90","l":"0.037","t":4467432841,"i":8389765739703625592}'
)
ALGO = orjson.loads(
    '{"e":"ALGO_UPDATE","T":1772462050745,"E":1772462050745,"o":{"caid":"3q6MTOEHBSe4E80HLqoeq1",'
    '"aid":2000000547321628,"at":"CONDITIONAL","o":"STOP_MARKET","s":"ACHUSDT","S":"BUY","ps":"BOTH",'
    '"f":"GTC","q":"800","X":"TRIGGERED","ai":"4904005884","ap":"0","aq":"0","act":"MARKET","tp":"0.006659",'
    '"p":"0","V":"EXPIRE_MAKER","wt":"CONTRACT_PRICE","pm":"NONE","cp":false,"pP":false,"R":false,'
    '"tt":1772462050337,"gtd":0}}'
)


def summary(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Name each user event by what it says happened."""
    words = []
    for message in messages:
        match message["e"]:
            case "ORDER_TRADE_UPDATE":
                words.append(f"{message['o']['x']}/{message['o']['X']}")
            case "ALGO_UPDATE":
                words.append(f"ALGO {message['o']['X']}")
            case other:
                words.append(other)
    return words


def test_a_taker_order_is_told_in_the_recorded_order_with_equal_times(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    ear = shop.user()
    shop.order(side="BUY", type="MARKET", quantity="0.01")
    messages = ear.heard()
    assert summary(messages) == ["NEW/NEW", "TRADE_LITE", "ACCOUNT_UPDATE", "TRADE/FILLED"]
    assert len({message["T"] for message in messages[1:]}) == 1
    same_shape(LITE, messages[1])
    same_shape(ACCOUNT, messages[2])
    for message in (messages[0], messages[3]):
        same_shape(ORDER, message)
        assert list(message)[:3] == ["e", "T", "E"]
    assert list(messages[1])[:3] == ["e", "E", "T"]
    order = messages[3]["o"]
    assert (order["q"], order["l"], order["z"]) == ("0.01", "0.01", "0.01")
    assert (messages[1]["q"], messages[1]["L"]) == ("0.010", "60000.10")


def test_resting_amending_and_cancelling_are_told(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    ear = shop.user()
    order = shop.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="59000").json
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    shop.call("PUT", "/fapi/v1/order", **named, side="BUY", quantity="0.02", price="59000")
    shop.call("DELETE", "/fapi/v1/order", **named)
    messages = ear.heard()
    assert summary(messages) == ["NEW/NEW", "AMENDMENT/NEW", "CANCELED/CANCELED"]
    same_shape(ORDER, messages[0])


def test_a_triggered_stop_is_told_in_the_recorded_sequence(tmp_path: Path) -> None:
    falling = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
steps:
  - wait: 1000
  - {bid: 59900, ask: 59900.1}
  - trade: {side: SELL, qty: 0.01}
  - wait: 2000
"""
    shop = open_shop(tmp_path, falling)
    shop.order(side="BUY", type="MARKET", quantity="0.01")
    ear = shop.user()
    placed = shop.call(
        "POST",
        "/fapi/v1/algoOrder",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        quantity="0.01",
        triggerPrice="59950",
        reduceOnly="true",
        clientAlgoId="stop-1",
    )
    assert placed.status == 200, placed.text
    shop.play(3000)
    messages = ear.heard()
    assert summary(messages) == [
        "ALGO NEW",
        "ALGO TRIGGERING",
        "NEW/NEW",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "TRADE/FILLED",
        "ALGO TRIGGERED",
        "ALGO FINISHED",
    ]
    born = messages[2]["o"]
    assert (born["c"], born["o"], born["ot"], born["ss"]) == ("stop-1", "MARKET", "MARKET", -1)
    assert (born["si"], born["st"]) == (messages[0]["o"]["aid"], "ALGO_CONDITION")
    same_shape(ORDER, messages[2], extra=("st",))
    same_shape(ALGO, messages[6])
    assert messages[6]["o"]["ai"] == str(born["i"])


def test_settings_are_told(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    ear = shop.user()
    shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
    shop.call("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
    leverage, assets = ear.heard()
    same_shape({"e": "x", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}}, leverage)
    same_shape({"e": "x", "E": 1, "T": 1, "ai": {"j": True}}, assets)


def test_user_events_reach_wrapped_listeners_under_the_listen_key(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    ear = shop.user(combined=True)
    shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
    [message] = ear.heard()
    assert message["stream"] == shop.raw("POST", "/fapi/v1/listenKey").json["listenKey"]
    assert message["data"]["e"] == "ACCOUNT_CONFIG_UPDATE"


def test_a_listen_key_that_nobody_kept_expires_with_a_word(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, listen_key_ms="5000")
    ear = shop.user()
    key = shop.raw("POST", "/fapi/v1/listenKey").json["listenKey"]
    shop.play(6000)
    [message] = ear.heard()
    same_shape({"e": "listenKeyExpired", "E": 1736996475556, "listenKey": "x"}, message)
    assert message["listenKey"] == key
    shop.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
    assert len(ear.frames) == 1


@pytest.mark.parametrize(("switch", "events"), [("off", 0), ("on", 1)])
def test_a_stop_that_the_engine_refuses_is_rejected_with_the_reason(
    tmp_path: Path, switch: str, events: int
) -> None:
    falling = (
        MOVING.split("steps:")[0]
        + "steps:\n  - wait: 1000\n  - trade: {side: SELL, qty: 0.01}\n    symbol: BTCUSDT\n  - wait: 1000\n"
    )
    shop = open_shop(tmp_path, falling, trigger_reject_event=switch)
    ear = shop.user()
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    placed = shop.call(
        "POST", "/fapi/v1/algoOrder", **stop, quantity="0.01", triggerPrice="60000", reduceOnly="true"
    )
    assert placed.status == 200, placed.text
    shop.play(3000)
    assert summary(ear.heard())[:3] == ["ALGO NEW", "ALGO TRIGGERING", "ALGO REJECTED"]
    assert ear.heard()[2]["o"]["rm"] == "ReduceOnly Order is rejected."
    rejects = [event for event in ear.heard() if event["e"] == "CONDITIONAL_ORDER_TRIGGER_REJECT"]
    assert len(rejects) == events
    example = {"e": "x", "E": 1, "T": 1, "or": {"s": "ETHUSDT", "i": 155618472834, "r": "why"}}
    for reject in rejects:
        same_shape(example, reject)
    assert (
        shop.call("GET", "/fapi/v1/algoOrder", algoId=placed.json["algoId"]).json["algoStatus"] == "REJECTED"
    )
