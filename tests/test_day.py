"""What a long run meets beside the market: midnight, a symbol that stops trading, one that is gone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aurora.config import AuroraConfig
from aurora.engine.statistics import Statistics
from aurora.ledger import DAY
from aurora.model.events import InstrumentsLoaded
from aurora.model.facts import Alert, InstrumentsKnown, IntentDenied, OrderOpened
from aurora.model.gate import GateReason
from aurora.model.market import Candles
from aurora.model.numbers import SECOND, Nanos
from aurora.model.order import Role
from tests.desk import CONFIG, Desk
from tests.kit import instrument

D = Decimal


def desk_with(**sections: dict[str, Any]) -> Desk:
    plain = CONFIG.model_dump()
    for name, knobs in sections.items():
        plain[name] |= knobs
    return Desk(AuroraConfig.model_validate(plain)).open()


def denials(desk: Desk, reason: GateReason) -> int:
    return sum(isinstance(f, IntentDenied) and f.denied.reason is reason for f in desk.facts(IntentDenied))


def sent(desk: Desk, role: Role) -> int:
    opened = [fact for fact in desk.facts(OrderOpened) if isinstance(fact, OrderOpened)]
    return sum(fact.order.intent.role is role for fact in opened)


def listed(desk: Desk, *, trading: bool) -> None:
    changed = replace(instrument(), trading=trading)
    desk.tell(InstrumentsLoaded(instruments=(changed,), ts_recv=desk.now))


def test_the_daily_drawdown_counts_anew_from_midnight() -> None:
    desk = desk_with(governance={"daily_drawdown_max": 0.0004}, strategy={"exercise_hold_s": 1.0})
    desk.run(30.0)
    ledger = desk.engine.state.durable.ledger
    assert denials(desk, GateReason.DAILY_DRAWDOWN) > 0
    day, lost, entries = ledger.day, ledger.day_start, sent(desk, Role.ENTRY)
    desk.run(65.0)  # Equity is booked once a minute.
    assert sent(desk, Role.ENTRY) == entries, "the day is over for entries"
    desk.now = Nanos((desk.now // DAY + 1) * DAY)
    desk.run(5.0)
    assert ledger.day == day + 1
    assert ledger.day_start < lost, "the new day starts with what is left"
    assert sent(desk, Role.ENTRY) > entries


def test_a_symbol_that_stops_trading_is_entered_no_more_and_left_all_the_same() -> None:
    desk = desk_with()
    desk.enter()
    desk.run(2.0)
    listed(desk, trading=False)
    (alert,) = [f for f in desk.facts(Alert) if isinstance(f, Alert) and f.code == "NOT_TRADING"]
    assert alert.subject == "BTCUSDT"
    desk.venue.refuse = {Role.EXIT: -4140}
    desk.price("59000.0" if desk.venue.position.qty > 0 else "61000.0")
    desk.run(3.0)
    assert sent(desk, Role.EXIT) > 1, "refused, and tried again"
    desk.venue.refuse = {}
    desk.run(8.0)
    assert desk.venue.position.flat
    entries = sent(desk, Role.ENTRY)
    desk.run(5.0)
    assert (sent(desk, Role.ENTRY), denials(desk, GateReason.INSTRUMENT) > 0) == (entries, True)
    listed(desk, trading=True)
    desk.enter()


def test_a_known_symbol_that_is_listed_no_more_does_not_trade() -> None:
    desk = desk_with()
    step = desk.tell(InstrumentsLoaded(instruments=(), missing=("BTCUSDT", "NEWUSDT"), ts_recv=desk.now))
    (known,) = [fact for fact in step.facts if isinstance(fact, InstrumentsKnown)]
    assert [(each.symbol, each.trading) for each in known.instruments] == [("BTCUSDT", False)]
    told = [fact.subject for fact in step.facts if isinstance(fact, Alert)]
    assert told == ["BTCUSDT", "NEWUSDT"]
    desk.run(5.0)
    assert sent(desk, Role.ENTRY) == 0


def test_a_listing_that_says_nothing_new_is_no_fact() -> None:
    desk = desk_with()
    step = desk.tell(InstrumentsLoaded(instruments=(instrument(),), ts_recv=desk.now))
    assert (step.facts, step.durable) == ((), False)


@pytest.mark.parametrize("missing", [(), ("ETHUSDT",)])
def test_history_is_joint_over_the_symbols_it_exists_for(missing: tuple[str, ...]) -> None:
    config = AuroraConfig.model_validate(CONFIG.model_dump() | {"symbols": ["BTCUSDT", "ETHUSDT"]})
    statistics = Statistics(config)
    statistics.without(missing)
    closes = tuple(100.0 + number % 3 for number in range(10))
    statistics.warm(
        Candles(symbol="BTCUSDT", closes=closes, highs=closes, lows=closes, ts_recv=Nanos(SECOND))
    )
    tail = statistics.scenarios.tail({"BTCUSDT": 1.0})
    assert (tail.samples > 0) == bool(missing)
