"""The switchboard: what fires, how often, and what the client on the wire sees of it."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.paper.faults import FaultError, On, Rule, Switchboard
from tests.e2e.paper_process import Venue
from tests.e2e.paper_process import running as venue


def board(*rules: dict[str, Any]) -> Switchboard:
    made = Switchboard()
    for rule in rules:
        made.put(Rule.read(rule))
    return made


def fired(made: Switchboard) -> list[object]:
    return [row["fired"] for row in made.counts().values()]


def test_a_rule_fires_on_its_match_after_so_many_so_many_times() -> None:
    made = board(
        {"on": "request", "do": "reset", "where": "/order", "after": 1, "times": 2, "method": "POST"}
    )
    hits = [made.fault(On.REQUEST, "/fapi/v1/order", {}, "POST") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert made.fault(On.REQUEST, "/fapi/v1/order", {}, "GET") is None
    assert made.fault(On.REQUEST, "/fapi/v1/depth", {}, "POST") is None
    assert made.counts()["request-reset"] == {"on": "request", "do": "reset", "seen": 5, "fired": 2}


def test_a_rule_matches_parameters() -> None:
    made = board({"do": "reset", "match": {"side": "SELL"}, "times": 0})
    assert made.fault(On.REQUEST, "/x", {"side": "BUY"}) is None
    assert made.fault(On.REQUEST, "/x", {"side": "SELL"}) is not None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"do": "explode"}, "do one of"),
        ({"do": "swap"}, "swap on request"),
        ({"on": "user", "do": "answer"}, "answer on user"),
        ({"do": "reset", "tims": 3}, "tims"),
        ({"do": "reset", "times": "3"}, "times"),
        ({"do": "reset", "match": 7}, "match"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(row: dict[str, Any], says: str) -> None:
    with pytest.raises(FaultError, match=says):
        Rule.read(row)


def test_user_events_are_doubled_swapped_delayed_and_dropped() -> None:
    made = board({"on": "user", "do": "duplicate", "name": "d"})
    assert made.user_event("E", {}, b"1") == [(0, b"1"), (0, b"1")]
    assert made.user_event("E", {}, b"2") == [(0, b"2")]
    made = board({"on": "user", "do": "swap", "name": "s"})
    assert made.user_event("E", {}, b"1") == []
    assert made.user_event("E", {}, b"2") == [(0, b"2"), (0, b"1")]
    made = board({"on": "user", "do": "delay", "ms": 70}, {"on": "user", "do": "drop", "times": 0})
    assert made.user_event("E", {}, b"1") == [(70, b"1")]
    assert made.user_event("E", {}, b"2") == []
    assert fired(made) == [1, 1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with venue(folder, "--set", "faults=on") as made:
        yield made


def ask(made: Venue, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(made.ready["control"] + path, method=method, data=data)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def stop(made: Venue, name: str) -> None:
    made.call(
        "POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
        price="50000", quantity="0.01", newClientOrderId=name,
    )  # fmt: skip


def known(made: Venue, name: str) -> bool:
    rows = made.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")
    return any(row["clientOrderId"] == name for row in rows)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_reset_loses_the_answer_and_the_order_lives_as_the_rule_says(
    running: Venue, *, accepted: bool
) -> None:
    ask(running, "DELETE", "/rules")
    ask(running, "POST", "/rules", {"do": "reset", "method": "POST", "where": "/order", "accepted": accepted})
    name = f"reset-{accepted}"
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
        stop(running, name)
    assert known(running, name) is accepted
    assert ask(running, "GET", "/rules")["request-reset"]["fired"] == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_an_answer_in_its_place_has_the_status_and_the_code(running: Venue, *, accepted: bool) -> None:
    ask(running, "DELETE", "/rules")
    rule = {"do": "answer", "status": 503, "code": -1000, "message": "Unknown error", "where": "/order"}
    ask(running, "POST", "/rules", rule | {"accepted": accepted})
    name = f"answer-{accepted}"
    with pytest.raises(AssertionError, match="-1000"):
        stop(running, name)
    assert known(running, name) is accepted


def test_the_control_port_is_not_among_the_venues_paths(running: Venue) -> None:
    ask(running, "DELETE", "/rules")
    with pytest.raises(json.JSONDecodeError):
        running.request("GET", "/rules")
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(running, "POST", "/rules", {"do": "explode"})
    assert refused.value.code == 400
    assert b"do one of" in refused.value.read()


def test_without_the_switch_there_is_no_control_port(tmp_path: Path) -> None:
    with venue(tmp_path) as made:
        assert "control" not in made.ready
