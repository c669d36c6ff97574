"""Entries cancelled from outside: ours that open, nobody else's, and nothing that protects."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.config import load_config
from skalp_bot.ports import VenueError
from skalp_bot.runner.directions import directions_of, read_directions
from skalp_bot.runner.marks import HALT
from skalp_bot.runner.standalone import Swept, cancel_entries
from tests.exch_kit import Canned, QuickClock, WireVenue, awaited, error, scene

ROOT = Path(__file__).parent.parent
SPEED = 10.0  # The eight seconds it may take, in less than one.


def row(client_id: str, **more: Any) -> dict[str, Any]:
    usual = {
        "symbol": "BTCUSDT",
        "clientOrderId": client_id,
        "orderId": 1,
        "side": "BUY",
        "type": "LIMIT",
        "status": "NEW",
        "origQty": "0.010",
        "executedQty": "0",
        "price": "50000",
        "stopPrice": "0",
        "reduceOnly": False,
        "closePosition": False,
        "updateTime": 1_700_000_000_000,
    }
    return usual | more


def algo(client_id: str) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "clientAlgoId": client_id,
        "algoId": 2,
        "side": "SELL",
        "orderType": "STOP_MARKET",
        "algoStatus": "NEW",
        "quantity": "0.010",
        "actualQty": "0",
        "price": "0",
        "triggerPrice": "49000",
        "reduceOnly": False,
        "closePosition": False,
        "updateTime": 1_700_000_000_000,
    }


def holding(venue: WireVenue, *rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The venue lists these until they are cancelled."""
    book = {each["clientOrderId"]: each for each in rows}

    def gone(params: dict[str, str]) -> Any:
        return book.pop(params["origClientOrderId"]) | {"status": "CANCELED"}

    venue.usual["GET openOrders"] = lambda _: list(book.values())
    venue.usual["DELETE order"] = gone
    return book


async def swept(venue: WireVenue, folder: Path) -> Swept:
    ready = {"rest": venue.url, "ws": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "s", "instance": "i"}
    (folder / "ready.json").write_text(json.dumps(ready))
    config = load_config(ROOT / "profiles" / "paper.yaml", environ={}).config
    return await cancel_entries(directions_of(config, folder / "ready.json"), None, QuickClock(SPEED))


@awaited
async def test_entries_of_ours_are_cancelled_and_the_listing_proves_it(tmp_path: Path) -> None:
    async with scene(speed=SPEED, connect=False) as made:
        book = holding(made.venue, row("ska1-x-1-0E"), row("ska1-x-2-0E", symbol="ETHUSDT"))
        found = await swept(made.venue, tmp_path)
    assert not book
    assert found.verified
    assert found.cancelled == {"ska1-x-1-0E": "BTCUSDT", "ska1-x-2-0E": "ETHUSDT"}
    assert made.venue.times("GET openOrders") == 3  # One that found them, two that did not.


@awaited
async def test_strangers_exits_and_stops_are_left_alone(tmp_path: Path) -> None:
    async with scene(speed=SPEED, connect=False) as made:
        kept = (row("ska1-x-1-0X", reduceOnly=True), row("ska2-x-1-0E"), row("web_abc"))
        book = holding(made.venue, *kept)
        made.venue.usual["GET openAlgoOrders"] = lambda _: [algo("ska1-x-3-0S"), algo("theirs")]
        found = await swept(made.venue, tmp_path)
    assert list(book) == ["ska1-x-1-0X", "ska2-x-1-0E", "web_abc"]
    assert made.venue.times("DELETE order") == 0
    assert found.verified
    assert found.kept == ("ska1-x-1-0X", "ska1-x-3-0S")


@awaited
async def test_an_order_that_appears_late_is_cancelled_too(tmp_path: Path) -> None:
    async with scene(speed=SPEED, connect=False) as made:
        holding(made.venue, row("ska1-x-1-0E"))
        made.venue.next["GET openOrders"] = [Canned(body=[])]
        found = await swept(made.venue, tmp_path)
    assert found.verified
    assert list(found.cancelled) == ["ska1-x-1-0E"]


@awaited
async def test_what_cannot_be_cancelled_in_time_is_named(tmp_path: Path) -> None:
    async with scene(speed=SPEED, connect=False) as made:
        holding(made.venue, row("ska1-x-1-0E"))
        made.venue.usual["DELETE order"] = lambda _: {"code": -1000, "msg": "no"}
        found = await swept(made.venue, tmp_path)
    assert not found.verified
    assert found.left == ("ska1-x-1-0E",)


@awaited
async def test_a_listing_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    async with scene(speed=SPEED, connect=False) as made:
        holding(made.venue, row("ska1-x-1-0E"))
        made.venue.next["GET openOrders"] = [error(-1000, 500), error(-1001, 503)]
        found = await swept(made.venue, tmp_path)
    assert found.verified
    assert list(found.cancelled) == ["ska1-x-1-0E"]
    assert found.error == ""


def test_without_directions_it_says_which_options_replace_them(tmp_path: Path) -> None:
    with pytest.raises(VenueError, match=r"--profile P.*--exchange READY\.json"):
        read_directions(tmp_path)


def test_the_halt_stands_although_the_venue_cannot_be_reached(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "skalp_bot", "cancel", "--standalone", "--state-dir", str(tmp_path)]
    words += ["--profile", str(ROOT / "profiles" / "paper.yaml"), "--json", "--reason", "drill"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "exchange.json" in json.loads(done.stdout)["error"]
    assert (tmp_path / HALT).read_text().endswith("cancel --standalone: drill\n")
