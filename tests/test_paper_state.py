"""What the paper exchange remembers over a restart, and what a kill between two writes leaves behind."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from skalp_bot.paper.archive import Record, whole
from skalp_bot.paper.settings import OptionError
from skalp_bot.paper.store import Store
from tests.wire_kit import Shop, open_shop

MOVING = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
  ETHUSDT: {price: 2000, spread: 0.01, qty: 50, levels: 20}
steps:
  - steady: {seconds: 600, rate: 20, wobble_ticks: 40, trades_every: 3}
"""


@dataclass(slots=True)
class Memory:
    """A keeper that keeps everything as JSON text, as a disk would."""

    living: bytes = b""
    lines: list[bytes] = field(default_factory=list)
    saves: int = 0
    largest: int = 0

    def save(self, state: dict[str, Any], ended: Sequence[Record], *, through: bool) -> None:
        self.living = orjson.dumps({**state, "through": through})
        self.lines += [orjson.dumps(record) for record in ended]
        self.saves += 1
        self.largest = max(self.largest, len(self.living))

    def saved(self) -> tuple[dict[str, Any], list[Record]]:
        return orjson.loads(self.living), [orjson.loads(line) for line in self.lines]


def one_act(shop: Shop, rng: Random) -> None:
    symbol, price, step = rng.choice([("BTCUSDT", 60000, 1), ("ETHUSDT", 2000, 0.05)])
    qty = "0.01" if symbol == "BTCUSDT" else "0.1"
    match rng.randrange(6):
        case 0 | 1:
            shop.order(symbol=symbol, side=rng.choice(["BUY", "SELL"]), type="MARKET", quantity=qty)
        case 2 | 3:
            side = rng.choice(["BUY", "SELL"])
            away = price - step * rng.randrange(1, 9) * (1 if side == "BUY" else -1)
            shop.order(
                symbol=symbol, side=side, type="LIMIT", timeInForce="GTC", quantity=qty, price=f"{away:.1f}"
            )
        case 4:
            shop.call(
                "POST",
                "/fapi/v1/algoOrder",
                algoType="CONDITIONAL",
                symbol=symbol,
                side="SELL",
                type="STOP_MARKET",
                quantity=qty,
                triggerPrice=f"{price - step * rng.randrange(1, 9):.1f}",
            )
        case _:
            open_orders = shop.call("GET", "/fapi/v1/openOrders").json
            if open_orders:
                chosen = rng.choice(open_orders)
                shop.call("DELETE", "/fapi/v1/order", symbol=chosen["symbol"], orderId=chosen["orderId"])
    shop.play(rng.randrange(300))


@pytest.mark.parametrize("seed", range(3))
def test_archive_and_living_state_together_are_the_whole_state_at_any_time(tmp_path: Path, seed: int) -> None:
    keeper, rng = Memory(), Random(seed)
    shop = open_shop(tmp_path, MOVING, options={"limits": False}, keeper=keeper)
    for _ in range(60):
        one_act(shop, rng)
        if rng.random() < 0.2:
            shop.exchange.save(through=False)
            living, records = keeper.saved()
            snapshot = orjson.loads(orjson.dumps(shop.exchange.desk.venue.snapshot()))
            assert whole(living["venue"], records) == snapshot
    assert len(keeper.lines) > 50
    assert keeper.largest < 40_000, "the living state does not grow with history"


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_answers_every_question_as_before(tmp_path: Path, seed: int) -> None:
    keeper, rng = Memory(), Random(seed)
    shop = open_shop(tmp_path, MOVING, options={"limits": False}, keeper=keeper)
    for _ in range(40):
        one_act(shop, rng)
    again = open_shop(
        tmp_path, MOVING, options={"limits": False}, saved=keeper.saved(), now_ms=shop.now_ms, settle_ms=0
    )
    asked: list[tuple[str, dict[str, Any]]] = [
        ("openOrders", {}),
        ("allOrders", {"symbol": "BTCUSDT"}),
        ("allOrders", {"symbol": "ETHUSDT"}),
        ("userTrades", {"symbol": "BTCUSDT"}),
        ("userTrades", {"symbol": "ETHUSDT"}),
        ("openAlgoOrders", {}),
        ("allAlgoOrders", {"symbol": "BTCUSDT"}),
        ("income", {"limit": 1000}),
    ]
    for path, params in asked:
        before = shop.call("GET", f"/fapi/v1/{path}", **params).json
        assert again.call("GET", f"/fapi/v1/{path}", **params).json == before
    assert again.identity == shop.identity
    one_act(again, rng)


def test_a_half_written_history_is_cut_to_what_the_last_save_counts(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = Store(folder)
    assert store.load() is None
    store.save({"a": 1}, [{"n": 1}], through=True)
    store.save({"a": 2}, [{"n": 2}, {"n": 3}], through=False)
    store.close()
    with (folder / "history.jsonl").open("ab") as file:
        file.write(b'{"n":4}\n{"n"')
    (folder / "exchange.json.new").write_bytes(b"{")
    store = Store(folder)
    found = store.load()
    assert found is not None
    assert found[0]["a"] == 2
    assert found[1] == [{"n": 1}, {"n": 2}, {"n": 3}]
    store.save({"a": 3}, [{"n": 5}], through=True)
    store.close()
    store = Store(folder)
    found = store.load()
    assert found is not None
    assert [record["n"] for record in found[1]] == [1, 2, 3, 5]
    store.close()


def test_a_directory_is_used_by_one_exchange_and_broken_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = Store(folder)
    with pytest.raises(OptionError, match="in use by another exchange"):
        Store(folder)
    store.save({"a": 1}, [{"n": 1}], through=True)
    store.close()
    shutil.copytree(folder, tmp_path / "short")
    (tmp_path / "short" / "history.jsonl").write_bytes(b"")
    (folder / "exchange.json").write_bytes(b"{")
    for broken in (folder, tmp_path / "short"):
        store = Store(broken)
        with pytest.raises(OptionError, match="move it away to start afresh"):
            store.load()
        store.close()


def test_another_key_on_a_kept_directory_is_refused(tmp_path: Path) -> None:
    keeper = Memory()
    open_shop(tmp_path, keeper=keeper)
    with pytest.raises(OptionError, match="--set api_key: the state directory has another key"):
        open_shop(tmp_path, saved=keeper.saved(), api_key="B" * 64)
