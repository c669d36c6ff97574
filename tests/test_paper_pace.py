"""The exchange keeps its loop free: a market far behind, and questions about every symbol at once."""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from itertools import pairwise

from skalp_bot.clock import SystemClock
from skalp_bot.paper.assembly import assemble
from skalp_bot.paper.board import Board
from skalp_bot.paper.klines import flat_candle
from skalp_bot.paper.market import Candle
from skalp_bot.paper.minutes import MINUTE_MS
from skalp_bot.paper.server import Front
from skalp_bot.paper.settings import ExchangeOptions, SocketSettings
from skalp_bot.paper.sockets import Sockets
from skalp_bot.paper.streams import Route, Session
from skalp_bot.paper.symbols import default_symbols
from tests.wire_kit import Ear

NOW = 1_780_000_000_000
PRICE = Decimal(100)


def test_a_market_far_behind_is_drawn_in_slices_each_published_at_its_own_time() -> None:
    options = ExchangeOptions(symbols=("BTCUSDT",), speed=50.0)
    exchange, _ = assemble(options, now_ms=NOW, rng=random.Random(1))
    ear = Ear()
    exchange.hub.subscribe(Session(outlet=ear, route=Route.NONE, combined=False), "btcusdt@depth@100ms")

    waiting = [len(exchange.waiting)]
    while exchange.step(NOW + 3000):
        waiting.append(len(exchange.waiting))

    assert exchange.now_ms == NOW + 3000
    assert len(waiting) > 300  # five thousand events, and never more than some dozens at a time
    assert max(waiting) == 0
    times = [message["E"] for message in ear.heard()]
    assert len(times) > 25
    assert all(90 < later - earlier < 110 for earlier, later in pairwise(times))


class Late(SystemClock):
    """A clock three seconds after the exchange was opened, which counts how often others had a turn."""

    turns = 0

    def now(self) -> int:
        return (NOW + 3000) * 1_000_000

    async def sleep(self, seconds: float) -> None:
        assert seconds == 0
        self.turns += 1


def test_a_call_into_a_market_far_behind_waits_for_it_and_holds_up_nobody() -> None:
    options = ExchangeOptions(symbols=("BTCUSDT",), speed=50.0)
    exchange, _ = assemble(options, now_ms=NOW, rng=random.Random(1))
    clock = Late()
    sockets = Sockets(settings=SocketSettings(), now_ms=lambda: NOW)
    front = Front(exchange=exchange, sockets=sockets, clock=clock)
    assert asyncio.run(front.played()) == exchange.now_ms == NOW + 3000
    assert clock.turns > 300


def test_questions_about_all_symbols_fetch_no_history_once_it_was_drawn() -> None:
    fetched: Counter[str] = Counter()

    def history(symbol: str) -> list[Candle]:
        fetched[symbol] += 1
        start = NOW - NOW % MINUTE_MS - 100 * MINUTE_MS
        return [flat_candle(symbol, start + index * MINUTE_MS, PRICE) for index in range(100)]

    board = Board.make(default_symbols(), history)
    board.draw()
    assert set(fetched.values()) == {1}
    for now_ms in (NOW, NOW + 5 * MINUTE_MS):
        assert [day.count for day in board.days(now_ms)] == [0] * len(board.billboards)
    for billboard in board.billboards.values():
        assert len(billboard.candles.query("1m", now_ms=NOW + 5 * MINUTE_MS, limit=1500)) == 106
    assert fetched.total() == len(board.billboards)
