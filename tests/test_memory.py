"""Nothing that lives as long as the process grows with the hours: counted, not weighed."""

import gc
from collections import Counter, deque
from decimal import Decimal
from types import FunctionType, MethodType, ModuleType
from typing import Any

from aurora.config import AuroraConfig
from aurora.model.numbers import Nanos
from skalp_bot.obs.counts import Counts
from skalp_bot.runner.board import Board
from skalp_bot.runner.lines import Lines
from skalp_bot.runner.report import Opening, Report
from tests.desk import CONFIG, Desk

OTHERS = (type, ModuleType, FunctionType, MethodType, str, bytes, int, float, Decimal)
D = Decimal


def held(*roots: object) -> Counter[str]:
    """How many objects of each type, and entries of containers, can be reached from here."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[Any] = list(roots)
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, OTHERS):
            continue
        seen.add(id(item))
        found[type(item).__name__] += 1
        if isinstance(item, dict | list | tuple | deque | set):
            found[f"entries of {type(item).__name__}"] += len(item)
        waiting += gc.get_referents(item)
    return found


class Shell:
    """The folds that run beside the engine."""

    def __init__(self, desk: Desk) -> None:
        self.report = Report(
            quote_asset="USDT",
            opening=Opening(wallet=None, trading=desk.engine.state.durable.trading.state),
        )
        self.board, self.lines, self.counts = Board(), Lines(), Counts(desk.config.symbols)
        self.seen = 0

    def see(self, desk: Desk) -> None:
        for step in desk.steps[self.seen :]:
            for fold in (self.report, self.board, self.counts):
                fold.see(step)
            for _ in self.lines.of(step):
                pass
        self.seen = len(desk.steps)


def lived(desk: Desk, seconds: int) -> None:
    """Trades every few seconds; now and then the price runs, so that stops trail and are hit."""
    for second in range(seconds):
        run = (0, 20, 60, 120, 60, 0, -40, -120, -40, 0)[second // 3 % 10]
        desk.price(str(D("60000") + run))
        for _ in range(3):
            desk.now = Nanos(desk.now + 300_000_000)
            desk.beat()
            desk.quote()


def test_no_container_grows_with_the_hours() -> None:
    plain = CONFIG.model_dump()
    plain["strategy"] |= {"exercise_every_s": 1.0, "exercise_hold_s": 2.0}
    plain["exits"] |= {"trail_pct": 0.0005}
    plain["sizing"] |= {"clip_max": 0.0005}  # Fees must not end the trading.
    plain["governance"] |= {"daily_drawdown_max": 0.99, "gross_exposure_max": 100.0}
    plain["reconcile"] |= {"interval_s": 5}
    desk = Desk(AuroraConfig.model_validate(plain)).open()
    shell = Shell(desk)
    lived(desk, 1_500)
    shell.see(desk)
    early, trips = held(desk.engine, vars(shell)), shell.report.round_trips
    lived(desk, 600)
    shell.see(desk)
    late, more = held(desk.engine, vars(shell)), shell.report.round_trips - trips
    assert more > 200
    grown = {name: (early[name], count) for name, count in late.items() if count > early[name] + more // 5}
    assert grown == {}, f"grew with {more} round trips"
