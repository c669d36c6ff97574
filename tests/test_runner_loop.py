import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora.model.commands import Command
from aurora.model.control import Heartbeat
from aurora.model.events import Event, OrderNotSent
from aurora.model.facts import Alert, CleanStop, Fact
from aurora.model.market import BookTicker
from aurora.model.numbers import MILLISECOND, SECOND, Nanos
from aurora.model.step import Step
from skalp_bot.clock import SystemClock
from skalp_bot.runner.histogram import Histogram, bucket_of, upper_edge
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.loop import LATER_S, Loop, Onlookers, Pulse
from skalp_bot.runner.outbox import Outbox
from tests.runner_kit import Disk, HandClock, RecordingExchange, beat, submit, task_group, tick, until


class Buyer:
    """Decides one entry on every quote, and concludes what it is told to."""

    def __init__(self, *facts: Fact) -> None:
        self.seen: list[Event] = []
        self.facts = facts

    def step(self, event: Event, /) -> Step:
        self.seen.append(event)
        number = len(self.seen)
        commands: tuple[Command, ...] = (submit(f"e{number}"),) if isinstance(event, BookTicker) else ()
        return Step(seq=number, event=event, commands=commands, facts=self.facts)


class Watcher:
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def see(self, step: Step, /) -> None:
        self.steps.append(step)


class Quiet(Buyer):
    def step(self, event: Event, /) -> Step:
        return super().step(event)._replace(commands=())


class Bench:
    def __init__(self, tasks: asyncio.TaskGroup, engine: Buyer, watcher: Watcher | None = None) -> None:
        self.clock = HandClock()
        self.exchange, self.disk, self.watcher = RecordingExchange(), Disk(), watcher or Watcher()
        self.inbox = Inbox(clock=self.clock, alert=lambda *_: None)
        self.outbox = Outbox(
            exchange=self.exchange,
            journal=self.disk,
            clock=self.clock,
            emit=self.inbox.put,
            alert=lambda *_: None,
            tasks=tasks,
        )
        self.loop = Loop(
            engine=engine,
            inbox=self.inbox,
            outbox=self.outbox,
            journal=self.disk,
            clock=self.clock,
            projections=[self.watcher],
        )


def test_a_quote_becomes_a_row_a_send_and_a_shadow() -> None:
    async def story() -> Bench:
        async with task_group() as tasks:
            bench = Bench(tasks, Buyer())
            tasks.create_task(bench.loop.run())
            bench.inbox.put(tick(100.0, at=bench.clock.now() - 2 * MILLISECOND))
            await until(lambda: bench.exchange.ids == ["e1"])
        return bench

    bench = asyncio.run(story())
    assert [row.seq for row in bench.disk.steps] == [1]
    assert [seen.seq for seen in bench.watcher.steps] == [1]
    assert bench.loop.tick_to_decision.max == 2 * MILLISECOND
    assert bench.outbox.tick_to_wire.max == 2 * MILLISECOND


def test_steps_that_conclude_nothing_durable_are_not_rows() -> None:
    async def story(*facts: Fact) -> int:
        async with task_group() as tasks:
            bench = Bench(tasks, Buyer(*facts))
            bench.loop.turn(beat())
            return len(bench.disk.steps)

    told = Alert(code="X", subject="", message="", at=Nanos(0))
    assert asyncio.run(story()) == 0
    assert asyncio.run(story(told)) == 0
    assert asyncio.run(story(told, CleanStop(at=Nanos(0)))) == 1


def test_a_busy_market_leaves_room_for_sends() -> None:
    async def story() -> None:
        async with task_group() as tasks:
            bench = Bench(tasks, Buyer())
            tasks.create_task(bench.loop.run())
            for number in range(100):
                bench.inbox.put(tick(100.0 + number, symbol=f"S{number}"))
            async with asyncio.timeout(2.0):
                while not bench.exchange.ids:
                    await asyncio.sleep(0)  # One turn of everybody who waits.
            assert len(bench.inbox) > 50

    asyncio.run(story())


def test_the_pulse_beats_ten_times_a_second_and_drops_entries_after_a_silence() -> None:
    async def story() -> tuple[list[Event], list[Event]]:
        events: list[Event] = []
        async with task_group() as tasks:
            clock, disk = HandClock(), Disk(instant=False)
            outbox = Outbox(
                exchange=RecordingExchange(),
                journal=disk,
                clock=clock,
                emit=events.append,
                alert=lambda *_: None,
                tasks=tasks,
            )
            tasks.create_task(Pulse(clock=clock, emit=events.append, outbox=outbox).run())
            await until(lambda: len(events) >= 3)
            calm = list(events)
            one = Step(seq=1, event=beat(), commands=(submit("e1"),), facts=())
            outbox.put(one, disk.append(one), Nanos(0))
            clock.time += SECOND + 1
            events.clear()
            await until(lambda: len(events) >= 2)
        return calm, events

    calm, after = asyncio.run(story())
    assert all(isinstance(event, Heartbeat) and event.gap == 0 for event in calm)
    assert isinstance(after[0], OrderNotSent)
    assert "silent" in after[0].why
    assert isinstance(after[1], Heartbeat)
    assert after[1].gap == SECOND + 1


def test_the_pulse_keeps_time_by_the_machine() -> None:
    async def story() -> int:
        events: list[Event] = []
        async with task_group() as tasks:
            outbox = Outbox(
                exchange=RecordingExchange(),
                journal=Disk(),
                clock=SystemClock(),
                emit=events.append,
                alert=lambda *_: None,
                tasks=tasks,
            )
            tasks.create_task(Pulse(clock=SystemClock(), emit=events.append, outbox=outbox).run())
            await asyncio.sleep(0.55)
        return len(events)

    assert 2 <= asyncio.run(story()) <= 5


@given(st.integers(0, 1 << 50))
def test_a_histogram_bucket_is_at_most_a_thirtieth_wide(value: int) -> None:
    edge = upper_edge(bucket_of(value))
    assert value <= edge <= value * 33 // 32 + 1


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200))
def test_histogram_quantiles_bracket_the_exact_ones(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(-(-len(values) // 2) - 1, 0)]
    assert exact <= histogram.quantile(0.5) <= exact * 33 // 32 + 1
    assert histogram.max == max(values)
    assert histogram.quantile(1.0) == max(values)


def test_an_empty_histogram_answers_zero() -> None:
    assert Histogram().micros() == {"p50": 0.0, "p99": 0.0, "max": 0.0}


class Breaking(Buyer):
    def step(self, event: Event, /) -> Step:
        raise ZeroDivisionError("a broken world")


def test_what_a_step_raises_ends_the_loop_and_no_further_event_is_stepped() -> None:
    async def story() -> Bench:
        async with task_group() as tasks:
            bench = Bench(tasks, Breaking())
            running = asyncio.create_task(bench.loop.run())
            bench.inbox.put(tick(100.0))
            bench.inbox.put(beat())
            with pytest.raises(ZeroDivisionError):
                await running
            bench.inbox.put(tick(101.0))
            await asyncio.sleep(0.01)
        return bench

    bench = asyncio.run(story())
    assert bench.loop.steps == 0
    assert len(bench.inbox) == 2, "the beat, and the second quote"


def test_a_tick_passed_on_to_a_loop_at_rest_is_stepped_before_the_call_returns() -> None:
    async def story() -> Bench:
        async with task_group() as tasks:
            bench = Bench(tasks, Buyer())
            running = asyncio.create_task(bench.loop.run())
            await asyncio.sleep(0)
            bench.inbox.pass_on(tick(100.0))
            assert bench.loop.steps == 1
            bench.inbox.pass_on(tick(101.0))
            assert bench.loop.steps == 1, "the send of the first has its turn before the second"
            await until(lambda: bench.exchange.ids == ["e1", "e2"])
            running.cancel()
        return bench

    bench = asyncio.run(story())
    assert bench.inbox.frames == bench.loop.tick_to_decision.count == 2


def test_frames_of_one_read_are_stepped_as_one() -> None:
    async def story() -> list[Event]:
        async with task_group() as tasks:
            engine = Buyer()
            bench = Bench(tasks, engine)
            running = asyncio.create_task(bench.loop.run())
            await asyncio.sleep(0)
            bench.inbox.put(tick(60.0))
            bench.inbox.put(tick(100.0))
            bench.inbox.pass_on(tick(101.0))
            await asyncio.sleep(0.01)
            running.cancel()
        return engine.seen

    (seen,) = asyncio.run(story())
    assert isinstance(seen, BookTicker)
    assert (seen.bid, seen.mid_low, seen.conflated) == (100.5, 60.0, 2)


class Echoing(Watcher):
    """Passes on and puts more while a step is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox: Inbox | None = None
        self.depth = self.deepest = 0

    def see(self, step: Step, /) -> None:
        super().see(step)
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.inbox is not None and len(self.steps) == 1:
            self.inbox.pass_on(tick(1.0, symbol="OTHER"))
            self.inbox.put(beat())
        self.depth -= 1


def test_what_is_passed_on_within_a_step_waits_for_its_end() -> None:
    async def story() -> Echoing:
        async with task_group() as tasks:
            echo = Echoing()
            bench = Bench(tasks, Quiet(), watcher=echo)
            echo.inbox = bench.inbox
            running = asyncio.create_task(bench.loop.run())
            await asyncio.sleep(0)
            bench.inbox.pass_on(tick(100.0))
            assert bench.loop.steps == 3, "quiet prices in a row need no turn of the loop"
            await asyncio.sleep(0)
            bench.inbox.pass_on(tick(101.0))
            assert bench.loop.steps == 4, "at rest again"
            running.cancel()
        return echo

    echo = asyncio.run(story())
    assert echo.deepest == 1
    kinds = [type(step.event) for step in echo.steps]
    assert kinds == [BookTicker, BookTicker, Heartbeat, BookTicker]


def test_a_step_that_raises_where_it_was_passed_on_ends_the_loop_and_not_its_caller() -> None:
    async def story() -> Bench:
        async with task_group() as tasks:
            bench = Bench(tasks, Breaking())
            running = asyncio.create_task(bench.loop.run())
            await asyncio.sleep(0)
            bench.inbox.pass_on(tick(100.0))
            bench.inbox.pass_on(tick(101.0))
            with pytest.raises(ZeroDivisionError):
                await running
        return bench

    bench = asyncio.run(story())
    assert bench.loop.steps == 0
    assert len(bench.inbox) == 1, "the second"


def test_a_cancelled_loop_steps_no_more() -> None:
    async def story() -> Bench:
        async with task_group() as tasks:
            bench = Bench(tasks, Buyer())
            running = asyncio.create_task(bench.loop.run())
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.sleep(0)
            bench.inbox.put(tick(100.0))
            await asyncio.sleep(0.01)
        return bench

    assert asyncio.run(story()).loop.steps == 0


def shown(seq: int, event: Event, *commands: Command) -> Step:
    return Step(seq=seq, event=event, commands=commands, facts=())


def seen_by(*watchers: Watcher) -> list[list[int]]:
    return [[step.seq for step in watcher.steps] for watcher in watchers]


def test_onlookers_see_a_decision_after_it_has_left_and_everything_in_order() -> None:
    async def story() -> None:
        first, second = Watcher(), Watcher()
        onlookers = Onlookers(first, second)
        onlookers.see(shown(1, tick(100.0)))
        assert seen_by(first, second) == [[1], [1]], "a quote that decided nothing waits for nothing"
        onlookers.see(shown(2, tick(101.0), submit("e1")))
        onlookers.see(shown(3, tick(102.0)))
        onlookers.see(shown(4, beat()))
        assert seen_by(first, second) == [[1], [1]]
        await asyncio.sleep(LATER_S * 4)
        assert seen_by(first, second) == [[1, 2, 3, 4]] * 2
        onlookers.see(shown(5, beat()))
        onlookers.show()
        assert seen_by(first) == [[1, 2, 3, 4, 5]]
        await asyncio.sleep(LATER_S * 4)
        assert seen_by(first) == [[1, 2, 3, 4, 5]], "nothing is seen twice"

    asyncio.run(story())


class Failing(Watcher):
    def see(self, step: Step, /) -> None:
        super().see(step)
        raise ZeroDivisionError


def test_what_an_onlooker_raises_ends_the_loop_at_its_next_step() -> None:
    async def story() -> None:
        onlookers = Onlookers(Failing())
        onlookers.see(shown(1, beat()))
        await asyncio.sleep(LATER_S * 4)
        with pytest.raises(ZeroDivisionError):
            onlookers.see(shown(2, tick(100.0)))

    asyncio.run(story())
