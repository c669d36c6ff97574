"""The statistics of docs/synthetic-market.md: recorded beside synthetic, measured by the same code."""

import gzip
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from skalp_bot.paper import synthetic_model as model
from skalp_bot.paper.market import BookTop, BookUpdate, MarketEvent, Trade
from skalp_bot.paper.sources import open_market
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.synthetic_path import Factors, Past, Present, history, seeded

DATA = Path(os.environ.get("AURORA_SHARED", "../shared")) / "data"
TAPE = DATA / "ticks" / "BTCUSDT-usdm-raw-ws-20240808T2354-0000.jsonl.gz"
START_MS = 1_723_161_240_000
Array = NDArray[np.float64]
SPECS = default_symbols(["BTCUSDT", "ETHUSDT"])


def main() -> None:
    rows: dict[str, tuple[float, float]] = {}
    tape = open_market(f"tape:{TAPE}", symbols=None, specs=SPECS, speed=1.0, seed=0)
    tape.start(START_MS)
    tape.subscribed("BTCUSDT", START_MS)
    recorded = ticks(tape.pop(START_MS + 345_000))
    runs = [synthetic_ticks(seed) for seed in range(8)]
    for name, value in recorded.items():
        rows[f"tick: {name}"] = (value, float(np.mean([run[name] for run in runs])))
    btc, eth = (kline_closes(name) for name in ("BTCUSDT", "ETHUSDT"))
    ours = synthetic_closes(len(btc))
    for name, real, fake in (("BTC", btc, ours[0]), ("ETH", eth, ours[1])):
        there, here = minutes(real), minutes(fake)
        for key, value in there.items():
            rows[f"minute {name}: {key}"] = (value, here[key])
    length = min(len(btc), len(eth))
    rows["minute: return correlation BTC, ETH"] = (
        correlation(returns(btc[:length]), returns(eth[:length])),
        correlation(returns(ours[0]), returns(ours[1])),
    )
    print(f"{'statistic':<58}{'recorded':>12}{'synthetic':>12}")
    for name, (there_value, here_value) in rows.items():
        print(f"{name:<58}{there_value:>12.4g}{here_value:>12.4g}")
    print(json.dumps({name: {"recorded": a, "synthetic": b} for name, (a, b) in rows.items()}))


def synthetic_ticks(seed: int) -> dict[str, float]:
    source = open_market("synthetic", symbols=["BTCUSDT"], specs=SPECS, speed=1.0, seed=seed)
    return ticks([*source.start(START_MS), *source.pop(START_MS + 345_000)])


def ticks(events: Sequence[MarketEvent]) -> dict[str, float]:
    """Statistics of the touch and of trades; a synthetic touch is rebuilt from the book."""
    tops: list[tuple[float, float, float, float, float]] = []
    book: tuple[dict[float, float], dict[float, float]] = ({}, {})
    trades: list[tuple[float, float, float]] = []
    for event in events:
        match event:
            case BookTop():
                bid, ask = float(event.bid), float(event.ask)
                tops.append((event.t_ms, bid, float(event.bid_qty), ask, float(event.ask_qty)))
            case BookUpdate(frame=None):
                for side, changes in zip(book, (event.bids, event.asks), strict=True):
                    if event.snapshot:
                        side.clear()
                    for price, qty in changes:
                        side[float(price)] = float(qty)
                        if not qty:
                            del side[float(price)]
                bid, ask = max(book[0]), min(book[1])
                top = (event.t_ms, bid, book[0][bid], ask, book[1][ask])
                if not tops or tops[-1][1:] != top[1:]:
                    tops.append(top)
            case Trade():
                trades.append((event.t_ms, float(event.price * event.qty), 1 - 2 * event.buyer_is_maker))
    return tick_statistics(np.array(tops), np.array(trades))


def tick_statistics(top: Array, trades: Array) -> dict[str, float]:
    seconds = (top[-1, 0] - top[0, 0]) / 1000
    gaps = np.diff(top[:, 0])
    spread = np.rint((top[:, 3] - top[:, 1]) / 0.1)
    mid = (top[:, 1] + top[:, 3]) / 2
    moves = np.diff(mid)
    notional = np.concatenate([top[:, 1] * top[:, 2], top[:, 3] * top[:, 4]])
    imbalance = (top[:, 2] - top[:, 4]) / (top[:, 2] + top[:, 4])
    low, mid_size, high = np.percentile(notional, [25, 50, 95])
    return {
        "bookTicker frames a second": len(top) / seconds,
        "mid changes a second": float((moves != 0).sum() / seconds),
        "frames within 1 ms of the one before": float((gaps <= 1).mean()),
        "standard deviation over mean of the gap": float(gaps.std() / gaps.mean()),
        "share of frames with a spread of one tick": float((spread == 1).mean()),
        "share of time with a spread of one tick": float(gaps[spread[:-1] == 1].sum() / gaps.sum()),
        "size of a mid change, bps rms": float(np.sqrt((moves[moves != 0] ** 2).mean()) / mid.mean() * 1e4),
        "1 s volatility, bps": float(np.std(sampled(top[:, 0], mid, 1000)) * 1e4),
        "notional at the touch, 25 % quantile": float(low),
        "notional at the touch, median": float(mid_size),
        "notional at the touch, 95 % quantile": float(high),
        "size imbalance, standard deviation": float(imbalance.std()),
        "trades a second": len(trades) / seconds,
        "notional of a trade, median": float(np.median(trades[:, 1])),
        "notional of a trade, mean": float(trades[:, 1].mean()),
        "autocorrelation of trade sides": correlation(trades[1:, 2], trades[:-1, 2]),
    }


def sampled(times: Array, mid: Array, step_ms: int) -> Array:
    grid = np.arange(times[0], times[-1], step_ms)
    return np.asarray(np.diff(np.log(mid[np.searchsorted(times, grid, side="right") - 1])))


def kline_closes(symbol: str) -> Array:
    path = DATA / "klines" / f"{symbol}-um-1m-20250504-20250624.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return np.array([float(line.split(",")[4]) for line in list(lines)[1:]])


def synthetic_closes(count: int) -> tuple[Array, Array]:
    """The history walk, as long as the recording."""
    past = Past(seeded("calibrate"), Factors.stationary(seeded("opening")), count)
    closes = []
    for symbol, spec in SPECS.items():
        nature = model.NATURES[symbol]
        assert nature.price is not None
        present = Present(
            symbol=symbol,
            tick=spec.tick,
            step=spec.step,
            mid_ticks=float(nature.price / spec.tick),
            sigma_bps=nature.sigma_bps,
            slow=0.0,
            fast=0.0,
        )
        rows = history(present, past, seeded("calibrate", symbol), START_MS)
        closes.append(np.array([float(row.close) for row in rows]))
    return closes[0], closes[1]


def minutes(closes: Array) -> dict[str, float]:
    moves = returns(closes)
    size = np.abs(moves)
    local = np.sqrt(np.convolve(moves**2, np.ones(60) / 60, "valid"))[:-1]
    scores = np.abs(moves[60:] / local)
    found = {
        "volatility, bps": float(moves.std()),
        "kurtosis": float(((moves - moves.mean()) ** 4).mean() / moves.var() ** 2),
        "autocorrelation of returns": correlation(moves[1:], moves[:-1]),
    }
    for lag in (1, 5, 15, 60, 240, 720):
        found[f"autocorrelation of sizes, lag {lag}"] = correlation(size[lag:], size[:-lag])
    for limit in (5, 8):
        found[f"moves beyond {limit} local sigma a day"] = float((scores > limit).mean() * 1440)
    return found


def returns(closes: Array) -> Array:
    return np.asarray(np.diff(np.log(closes)) * 1e4)


def correlation(left: Array, right: Array) -> float:
    return float(np.corrcoef(left, right)[0, 1])


if __name__ == "__main__":
    main()
