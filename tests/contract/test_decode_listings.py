import json
import os
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from aurora.model.fill import FillSource, FlowKind
from aurora.model.numbers import Nanos
from aurora.model.order import Namespace, OrderStatus, Side
from skalp_bot.exch import listings
from skalp_bot.exch.fields import DecodeError, parsed

DATA = Path(os.environ.get("AURORA_SHARED", "../shared")) / "data"
NOW = Nanos(1_800_000_000_000_000_000)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded answers at {DATA} (AURORA_SHARED)")


def recorded(name: str) -> Any:
    """A JSON file, or the answer part of a request-answer pair."""
    text = (DATA / name).read_text(encoding="utf-8")
    return parsed(text if name.endswith(".json") else text.split("\n", 3)[3])


@pytest.mark.parametrize("name", ["mainnet-20210721", "testnet-20260331"])
def test_every_symbol_of_a_whole_exchange_becomes_an_instrument(name: str) -> None:
    listing = listings.listed_symbols(recorded(f"exchange_info/fapi-exchangeInfo-{name}.json"))
    assert len(listing) > 100
    perpetuals = [row for row in listing.values() if row["contractType"] == "PERPETUAL"]
    refused = []
    for row in perpetuals:
        try:
            assert listings.instrument(row).tick_size > 0
        except DecodeError:
            refused.append(row)
    ticks = [each["tickSize"] for row in refused for each in row["filters"] if "tickSize" in each]
    assert set(ticks) <= {"0"}  # The demo lists a few symbols nobody could price.
    assert len(refused) < 5


def test_the_filters_of_bitcoin_today_are_read_exactly() -> None:
    row = recorded("exchange_info/fapi-symbol-BTCUSDT-mainnet-20260915.json")
    bitcoin = listings.instrument(row)
    assert (bitcoin.tick_size, bitcoin.step_size) == (Decimal("0.10"), Decimal("0.001"))
    assert (bitcoin.qty_max, bitcoin.market_qty_max) == (Decimal(1000), Decimal(120))
    assert (bitcoin.notional_min, bitcoin.market_take_bound) == (Decimal(50), Decimal("0.05"))
    assert (bitcoin.multiplier_up, bitcoin.trigger_protect) == (Decimal("1.0500"), Decimal("0.0500"))
    assert bitcoin.trading


def test_leverage_brackets_of_every_symbol_are_exact_and_ordered() -> None:
    brackets = listings.leverage_brackets(recorded("brackets/fapi-leverageBracket-mainnet-20260702.json"))
    assert len(brackets) > 800
    for each in brackets.values():
        for lower, upper in pairwise(each):
            assert lower.notional_cap == upper.notional_floor
            assert lower.leverage >= upper.leverage
    assert isinstance(brackets["BTCUSDT"][0].maint_margin_ratio, Decimal)
    assert brackets["BTCUSDT"][0].maint_margin_ratio == Decimal("0.004")


def test_a_finished_conditional_order_is_shown_in_its_own_namespace() -> None:
    folder = "fixtures/binance.net/Endpoints__UsdFutures__Trading__"
    view = listings.algo_view(recorded(f"{folder}GetConditionalOrder.txt"))
    assert (view.namespace, view.status, view.filled) == (
        Namespace.ALGO,
        OrderStatus.FILLED,
        Decimal("0.002"),
    )
    assert (view.trigger, view.side, view.reduce_only) == (Decimal("69080.20"), Side.BUY, True)
    listed = listings.algo_views(recorded("fixtures/nautilus/rust/http_json__open_algo_orders.json"))
    assert [each.client_id for each in listed] == ["test-algo-order-1"]


def test_trades_positions_balances_fees_and_income_are_read() -> None:
    folder = "fixtures/nautilus/"
    trades = recorded(folder + "py/http_futures_account_trades.json")
    fills = [listings.listed_fill(row, NOW) for row in trades]
    assert [(fill.trade_id, fill.fee, fill.realized) for fill in fills] == [
        (82357626, Decimal("0.00555670"), Decimal(0)),
        (82357629, Decimal("0.00555800"), Decimal("-0.00325000")),
    ]
    assert fills[0].source is FillSource.QUERY
    positions = listings.position_views(recorded(folder + "rust/http_json__position_risk.json"))
    assert [(view.qty, view.entry) for view in positions] == [(Decimal("0.001"), Decimal("50000.0"))]
    balances = listings.balance_views(recorded(folder + "rust/http_json__balance.json"))
    assert [(view.asset, view.wallet) for view in balances] == [("USDT", Decimal("122.12345678"))]
    fees = listings.fee_rates(recorded(folder + "py/http_futures_wallet_commission_rate_btcusdt.json"))
    assert (fees.maker, fees.taker) == (Decimal("0.0002"), Decimal("0.0005"))
    income = recorded("fixtures/binance.net/Endpoints__UsdFutures__Account__GetIncomeHistory.txt")
    flows = [flow for row in income for flow in listings.income_flows(row, NOW)]
    assert [(flow.kind, flow.amount, flow.flow_id) for flow in flows] == [
        (FlowKind.TRANSFER, Decimal("-0.37500000"), "TRANSFER:9689322392")
    ]


def test_a_position_of_hedge_mode_is_refused_and_a_flat_row_is_no_position() -> None:
    rows = recorded("fixtures/binance.net/Endpoints__UsdFutures__Trading__GetPositions.txt")
    with pytest.raises(DecodeError, match="hedge mode"):
        listings.position_views(rows)
    assert listings.position_views([row | {"positionAmt": "0.000"} for row in rows]) == ()


def test_recorded_candles_are_read() -> None:
    recordings = json.loads((DATA / "fixtures/gocryptotrader.fapi-rest-recordings.json").read_bytes())
    klines = recordings["GET /fapi/v1/klines?interval=1d&limit=5&symbol=BTCUSDT"]
    read = listings.candles(klines, "BTCUSDT", NOW)
    assert len(read.closes) == 5
    assert all(
        low <= close <= high for close, high, low in zip(read.closes, read.highs, read.lows, strict=True)
    )


@pytest.mark.parametrize("body", ["", "{", "NaN", '{"a": Infinity}', "[" * 100_000, "1e" + "9" * 20])
def test_a_body_that_is_not_json_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        parsed(body)


@pytest.mark.parametrize("payload", [None, 7, {}, [1], [{}], "x"])
def test_a_listing_of_another_shape_is_refused(payload: Any) -> None:
    for read in (listings.order_views, listings.algo_views, listings.position_views, listings.balance_views):
        with pytest.raises(DecodeError):
            read(payload)
