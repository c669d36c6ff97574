"""Promises about recordings on the venue: an untouched venue pushes the recording, frame for frame."""

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from skalp_bot.paper.orders import NewOrder, OrderType, Side, TimeInForce
from skalp_bot.paper.sources import open_market
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.venue import Venue, VenueSettings
from tests.venue_kit import explained

SHARED = Path(os.environ.get("AURORA_SHARED", Path(__file__).parent.parent.parent / "shared"))
RAW = SHARED / "data/ticks/BTCUSDT-usdm-raw-ws-20240808T2354-0000.jsonl.gz"
NOW = 1_800_000_000_000
FIRST_MS = 1_723_161_256_299  # E of the tape's first frame
FRAMES = 12_000
BTC = "BTCUSDT"
KINDS = ("bookTicker", "depthUpdate", "trade")
pytestmark = pytest.mark.skipif(not RAW.exists(), reason=f"no recording at {RAW} (set AURORA_SHARED)")


def recorded() -> Iterator[dict[str, Any]]:
    with gzip.open(RAW, "rt", encoding="utf-8") as lines:
        for line in lines:
            frame = json.loads(line.split(" ", 1)[1])
            frame = frame.get("data", frame)
            if frame.get("e") in KINDS:
                yield frame | {key: NOW + frame[key] - FIRST_MS for key in ("T", "E")}


def opened() -> tuple[Venue, Any]:
    specs = default_symbols([BTC])
    source = open_market(f"tape:{RAW}", symbols=(BTC,), specs=specs, speed=1.0, seed=0)
    venue = Venue(symbols=specs, settings=VenueSettings(), now_ms=NOW)
    for event in source.start(NOW):
        venue.on_market(event, NOW)
    source.subscribed(BTC, NOW)
    venue.drain()
    return venue, source


def test_an_untouched_venue_pushes_the_recording_frame_for_frame() -> None:
    venue, source = opened()
    pushed: list[dict[str, Any]] = []
    for event in source.pop(NOW + 60_000):
        venue.on_market(event, max(NOW, event.t_ms))
        pushed.extend(dict(push.payload) for push in venue.drain() if push.event in KINDS)
        if len(pushed) > FRAMES:
            break
    assert len(pushed) > FRAMES
    for ours, theirs in zip(pushed[:FRAMES], islice(recorded(), FRAMES), strict=True):
        assert {key: ours[key] for key in theirs} == theirs
        assert not set(ours) - set(theirs) - {"ps", "st"}


def test_a_trading_client_keeps_book_and_wallet_sound_on_a_recording() -> None:
    venue, source = opened()
    alice = venue.open_account(api_key="a", secret="s", deposit=Decimal(1_000_000))
    filled: list[Decimal] = []
    for index, event in enumerate(source.pop(NOW + 40_000)):
        now_ms = max(NOW, event.t_ms)
        venue.on_market(event, now_ms)
        market = venue.floor.markets[BTC]
        bid, ask = market.bids.best, market.asks.best
        assert bid is not None
        assert ask is not None
        assert bid < ask
        if index % 200 == 0:
            side = Side.BUY if index % 400 == 0 else Side.SELL
            request = NewOrder(
                symbol=BTC,
                side=side,
                type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                qty=Decimal("0.01"),
                price=bid if side is Side.BUY else ask,
            )
            filled.append(venue.place(alice, request, now_ms).filled)
    assert venue.floor.totals.fills_beyond_displayed == 0
    assert not any(filled), "an order at its own touch does not take"
    makers = [trade for trade in alice.trades if trade.maker]
    assert makers, "the recording never reached the queue"
    assert explained(alice) == alice.wallet["USDT"]
