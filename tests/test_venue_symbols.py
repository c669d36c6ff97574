"""Promises about symbols: the packaged ones are complete, and full dumps load."""

import json
import os
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import pytest

from skalp_bot.paper.errors import TABLE, VenueError
from skalp_bot.paper.symbols import default_symbols, load_symbols, packaged_content

SHARED = Path(os.environ.get("AURORA_SHARED", Path(__file__).parent.parent.parent / "shared"))


def test_packaged_symbols_carry_real_tick_lot_and_brackets() -> None:
    btc = default_symbols(["BTCUSDT"])["BTCUSDT"]
    assert (btc.tick, btc.step, btc.notional_min) == (Decimal("0.10"), Decimal("0.001"), Decimal(50))
    assert btc.leverage_max == 150
    assert btc.brackets[1].cum == 300
    assert len(default_symbols()) >= 20


def test_an_unpackaged_symbol_is_named() -> None:
    with pytest.raises(KeyError, match="NOSUCHUSDT is not packaged"):
        default_symbols(["NOSUCHUSDT"])


def test_the_full_dump_loads() -> None:
    if not SHARED.exists():
        pytest.skip("the shared data is absent; set AURORA_SHARED")
    info = json.loads((SHARED / "data/exchange_info/fapi-exchangeInfo-testnet-20260331.json").read_text())
    tiers = json.loads((SHARED / "data/brackets/fapi-leverageBracket-mainnet-20260702.json").read_text())
    symbols = load_symbols(info, tiers)
    assert len(symbols) == 705
    assert all(spec.tick > 0 and spec.step > 0 and spec.brackets for spec in symbols.values())


def test_a_filter_that_is_off_leaves_the_precision_as_the_grid() -> None:
    row = deepcopy(packaged_content()["exchangeInfo"]["symbols"][0])
    for item in row["filters"]:
        item.update({name: "0" for name in ("tickSize", "stepSize") if name in item})
    spec = load_symbols({"symbols": [row]}, [])["BTCUSDT"]
    assert (spec.tick, spec.step, spec.market_step) == (Decimal("0.01"), Decimal("0.001"), Decimal("0.001"))


def test_brackets_keep_maintenance_margin_continuous() -> None:
    for spec in default_symbols().values():
        for low, high in zip(spec.brackets, spec.brackets[1:], strict=False):
            assert low.cap == high.floor
            assert high.cum == low.cum + high.floor * (high.mmr - low.mmr)


def test_every_refusal_has_a_status_and_a_wording() -> None:
    assert all(400 <= status < 600 and wording for status, wording in TABLE.values())
    error = VenueError(-4016, "1.05")
    assert error.body() == {"code": -4016, "msg": "Limit price can't be higher than 1.05."}
    assert VenueError(-1003, status=418, msg="banned").status == 418
