import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aurora.model.commands import Lane, RequestSnapshot
from aurora.model.control import Control, Verb
from aurora.model.events import Event, OrderNotSent, RequestFailed
from aurora.model.facts import SentAhead
from aurora.model.numbers import MILLISECOND, Nanos
from aurora.model.order import Role
from skalp_bot.journal.schema import FILE
from skalp_bot.journal.sqlite import Limits
from skalp_bot.runner.outbox import BACKLOG_LIMIT, Outbox, OutboxLimits
from tests.journal_kit import journal
from tests.runner_kit import (
    Disk,
    HandClock,
    RecordingExchange,
    cancel,
    query,
    step,
    submit,
    task_group,
    until,
)


@dataclass
class Scene:
    exchange: RecordingExchange
    disk: Disk
    clock: HandClock
    outbox: Outbox
    events: list[Event] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)

    def put(self, *commands: object, cause_at: int = 0) -> None:
        one = step(*commands)  # type: ignore[arg-type] # The story hands over commands only.
        self.outbox.put(one, self.disk.append(one), Nanos(cause_at))


def played(
    story: Callable[[Scene], Awaitable[None]],
    *,
    hold: bool = False,
    instant: bool = True,
    exit_wait_ms: int = 20,
) -> Scene:
    async def run() -> Scene:
        async with task_group() as tasks:
            clock, events, alerts = HandClock(), list[Event](), list[str]()
            exchange, disk = RecordingExchange(hold=hold), Disk(instant=instant)
            outbox = Outbox(
                exchange=exchange,
                journal=disk,
                clock=clock,
                emit=events.append,
                alert=lambda code, _: alerts.append(code),
                tasks=tasks,
                limits=OutboxLimits(exit_wait_ms=exit_wait_ms),
            )
            scene = Scene(
                exchange=exchange, disk=disk, clock=clock, outbox=outbox, events=events, alerts=alerts
            )
            await story(scene)
        return scene

    return asyncio.run(run())


def test_an_entry_leaves_only_when_its_record_is_durable() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1"))
        await asyncio.sleep(0.06)
        assert scene.exchange.ids == []
        assert not scene.outbox.idle
        scene.disk.sync()
        await until(lambda: scene.exchange.ids == ["e1"])
        await until(lambda: scene.outbox.idle)

    played(story, instant=False)


@pytest.mark.parametrize(
    "command", [submit("x1", role=Role.EXIT), submit("x1", role=Role.STOP), cancel("x1")]
)
def test_exits_stops_and_cancels_overtake_a_slow_disk_and_say_so(command: object) -> None:
    async def story(scene: Scene) -> None:
        scene.put(command)
        assert scene.exchange.ids == []
        await until(lambda: scene.exchange.ids == ["x1"])
        (note,) = scene.disk.notes
        assert isinstance(note, SentAhead)
        assert note.key.client_id == "x1"
        assert scene.disk.synced == 0

    scene = played(story, instant=False)
    assert scene.outbox.sent_ahead == 1


def test_exits_wait_for_a_disk_that_answers_in_time() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("x1", role=Role.EXIT))
        await asyncio.sleep(0.02)
        assert scene.exchange.ids == []
        scene.disk.sync()
        await until(lambda: scene.exchange.ids == ["x1"])

    scene = played(story, instant=False, exit_wait_ms=1_000)
    assert scene.disk.notes == []


@pytest.mark.parametrize("command", [submit("x1", role=Role.EXIT), submit("x1", role=Role.STOP)])
def test_what_protects_is_written_in_the_turn_that_hears_of_the_disk(command: object) -> None:
    async def story(scene: Scene) -> None:
        scene.put(command, cause_at=1)
        scene.disk.sync()
        while not scene.exchange.written:
            assert scene.exchange.executed == []
            await asyncio.sleep(0)
        assert scene.outbox.sent == scene.outbox.tick_to_wire.count == 1
        await until(lambda: scene.outbox.idle)
        assert scene.exchange.ids == ["x1"]

    scene = played(story, instant=False, exit_wait_ms=1_000)
    assert scene.exchange.written == ["x1"]
    assert scene.outbox.sent == 1


def test_what_finds_no_connection_goes_the_usual_way_once() -> None:
    async def story(scene: Scene) -> None:
        scene.exchange.connected = False
        scene.put(submit("x1", role=Role.EXIT), cause_at=1)
        await until(lambda: scene.outbox.idle)

    scene = played(story)
    assert scene.exchange.written == []
    assert scene.exchange.ids == ["x1"]
    assert scene.outbox.sent == scene.outbox.tick_to_wire.count == 1


def test_what_could_be_written_at_once_waits_for_room_like_everything() -> None:
    async def story(scene: Scene) -> None:
        names = [f"x{number}" for number in range(9)]
        for name in names:
            scene.put(submit(name, role=Role.EXIT), cause_at=1)
        await until(lambda: len(scene.exchange.ids) == 8)
        await asyncio.sleep(0.01)
        assert scene.exchange.written == names[:8]
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle)
        assert scene.exchange.written == scene.exchange.ids == names

    scene = played(story, hold=True)
    assert scene.outbox.sent == scene.outbox.tick_to_wire.count == 9


def test_entries_and_cancels_are_not_written_within_the_call() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1"), cancel("c1"))
        await until(lambda: scene.outbox.idle)

    scene = played(story)
    assert (scene.exchange.written, sorted(scene.exchange.ids)) == ([], ["c1", "e1"])


def test_an_order_in_the_exit_lane_that_could_add_exposure_still_waits() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1", lane=Lane.EXIT))
        await asyncio.sleep(0.06)
        assert scene.exchange.ids == []

    played(story, instant=False)


def test_one_step_sends_its_exit_though_its_entry_waits() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1"), submit("x1", role=Role.EXIT))
        await until(lambda: scene.exchange.ids == ["x1"])
        scene.disk.sync()
        await until(lambda: scene.exchange.ids == ["x1", "e1"])

    played(story, instant=False)


def test_a_late_entry_returns_not_sent() -> None:
    async def story(scene: Scene) -> None:
        before = scene.clock.now() + 250 * MILLISECOND
        scene.put(submit("e1", send_before=before))
        scene.clock.time = before + 1
        scene.disk.sync()
        await until(lambda: bool(scene.events))

    scene = played(story, instant=False)
    (event,) = scene.events
    assert isinstance(event, OrderNotSent)
    assert event.key.client_id == "e1"
    assert "too late" in event.why
    assert scene.exchange.ids == []


def test_an_entry_goes_back_in_time_though_the_disk_never_answers() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1", send_before=scene.clock.now() + 30 * MILLISECOND))
        await until(lambda: bool(scene.events))
        scene.disk.sync()
        await asyncio.sleep(0.02)

    scene = played(story, instant=False)
    assert [type(event) for event in scene.events] == [OrderNotSent]
    assert scene.exchange.ids == []
    assert scene.outbox.idle


def test_a_broken_journal_stops_entries_and_lets_exits_go_on() -> None:
    async def story(scene: Scene) -> None:
        scene.put(submit("e1"), submit("x1", role=Role.EXIT))
        scene.disk.break_down()
        await until(lambda: scene.exchange.ids == ["x1"])
        scene.put(submit("e2"))
        scene.put(cancel("c1"))
        await until(lambda: scene.exchange.ids == ["x1", "c1"])
        await until(lambda: scene.outbox.idle)

    scene = played(story, instant=False)
    assert [e.key.client_id for e in scene.events if isinstance(e, OrderNotSent)] == ["e1", "e2"]
    assert [e.verb for e in scene.events if isinstance(e, Control)] == [Verb.PAUSE]
    assert scene.alerts == ["JOURNAL_BROKEN"]


def test_the_queue_is_sent_exits_first_then_cancels_queries_entries() -> None:
    async def story(scene: Scene) -> None:
        scene.put(*(query(f"q{n}") for n in range(8)))
        await until(lambda: scene.exchange.in_flight == 6)
        scene.put(submit("e1"))
        scene.put(query("late"))
        scene.put(cancel("c1"))
        scene.put(*(submit(f"x{n}", role=Role.EXIT) for n in range(3)))
        await until(lambda: scene.exchange.in_flight == 8)
        assert scene.exchange.ids[6:] == ["x0", "x1"]
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle)

    scene = played(story, hold=True)
    assert scene.exchange.ids[6:] == ["x0", "x1", "x2", "c1", "q6", "q7", "late", "e1"]


def test_no_more_than_eight_sends_at_a_time_and_two_are_kept_for_exits() -> None:
    async def story(scene: Scene) -> None:
        scene.put(*(submit(f"e{n}") for n in range(20)))
        await asyncio.sleep(0.01)
        assert scene.exchange.in_flight == 6
        scene.put(*(submit(f"x{n}", role=Role.EXIT) for n in range(5)))
        await asyncio.sleep(0.01)
        assert scene.exchange.in_flight == 8
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle)

    scene = played(story, hold=True)
    assert scene.exchange.in_flight_max == 8
    assert len(scene.exchange.ids) == len(set(scene.exchange.ids)) == 25


def test_a_silent_loop_drops_every_queued_entry_and_nothing_else() -> None:
    async def story(scene: Scene) -> None:
        scene.put(*(query(f"q{n}") for n in range(6)))
        await until(lambda: scene.exchange.in_flight == 6)
        scene.put(submit("ready"), cancel("c1"))
        scene.disk._instant = False
        scene.put(submit("parked"))
        scene.outbox.drop_entries("the loop was silent for 1.20 s")
        dropped = [event.key.client_id for event in scene.events if isinstance(event, OrderNotSent)]
        assert sorted(dropped) == ["parked", "ready"]
        scene.disk.sync()
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle)

    scene = played(story, hold=True)
    assert scene.exchange.ids[6:] == ["c1"]
    assert len([event for event in scene.events if isinstance(event, OrderNotSent)]) == 2


def test_a_full_backlog_turns_back_questions_and_entries_never_exits() -> None:
    async def story(scene: Scene) -> None:
        scene.put(*(submit(f"e{n}") for n in range(BACKLOG_LIMIT + 10)))
        scene.put(*(submit(f"f{n}") for n in range(6)))  # In place of the six that left.
        scene.put(query("q1"))
        scene.put(
            RequestSnapshot(symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why="")
        )
        scene.put(submit("x1", role=Role.EXIT), cancel("c1"))
        await until(lambda: "x1" in scene.exchange.ids)
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle, seconds=5)

    scene = played(story, hold=True)
    assert "c1" in scene.exchange.ids
    failed = [event for event in scene.events if isinstance(event, RequestFailed)]
    assert [(event.request, event.subject) for event in failed] == [
        ("QueryOrder", "q1"),
        ("RequestSnapshot", ""),
    ]
    assert len([event for event in scene.events if isinstance(event, OrderNotSent)]) == 10


def test_a_cancel_asked_for_again_while_it_waits_is_sent_once() -> None:
    async def story(scene: Scene) -> None:
        scene.put(*(query(f"q{n}") for n in range(6)))
        await until(lambda: scene.exchange.in_flight == 6)
        for _ in range(50):
            scene.put(cancel("c1"))
        scene.put(cancel("c2"))
        scene.exchange.let_go()
        await until(lambda: scene.outbox.idle)

    scene = played(story, hold=True)
    assert scene.exchange.ids[6:] == ["c1", "c2"]


def test_time_from_quote_to_wire_is_measured_for_orders_only() -> None:
    async def story(scene: Scene) -> None:
        scene.clock.time += 5 * MILLISECOND
        scene.put(submit("e1"), query("q1"), cause_at=scene.clock.now() - 5 * MILLISECOND)
        await until(lambda: scene.outbox.idle)

    scene = played(story)
    assert scene.outbox.tick_to_wire.count == 1
    assert scene.outbox.tick_to_wire.max == 5 * MILLISECOND


def test_an_exit_whose_disk_answers_after_the_run_has_ended_is_not_sent() -> None:
    async def run() -> tuple[RecordingExchange, list[str]]:
        failures, exchange, disk = list[str](), RecordingExchange(), Disk(instant=False)
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(str(told)))
        async with task_group() as tasks:
            outbox = Outbox(
                exchange=exchange,
                journal=disk,
                clock=HandClock(),
                emit=lambda _: None,
                alert=lambda *_: None,
                tasks=tasks,
            )
            one = step(submit("x1", role=Role.EXIT))
            outbox.put(one, disk.append(one), Nanos(0))
        disk.sync()
        await asyncio.sleep(0.05)
        return exchange, failures

    exchange, failures = asyncio.run(run())
    assert (exchange.ids, failures) == ([], [])


@pytest.mark.parametrize("command", [submit("x1", role=Role.EXIT), cancel("x1")])
def test_an_exit_whose_own_note_breaks_the_journal_is_sent_once(tmp_path: Path, command: object) -> None:
    async def run() -> tuple[RecordingExchange, Outbox, list[str]]:
        """The disk stands still with one row; the row of the exit fills the queue, its note is too many."""
        exchange, alerts = RecordingExchange(), list[str]()
        book = journal(tmp_path / FILE, limits=Limits(queue_max=1, delay=lambda: 0.3))
        async with task_group() as tasks:
            outbox = Outbox(
                exchange=exchange,
                journal=book,
                clock=HandClock(),
                emit=lambda _: None,
                alert=lambda code, _: alerts.append(code),
                tasks=tasks,
            )
            book.append(step(query("q1")))
            one = step(command)  # type: ignore[arg-type]  # The story hands over commands only.
            outbox.put(one, book.append(one), Nanos(0))
            await until(lambda: bool(exchange.ids) and outbox.idle)
            await asyncio.sleep(0.02)
        assert book.broken is not None
        await book.close()
        return exchange, outbox, alerts

    exchange, outbox, alerts = asyncio.run(run())
    assert (exchange.ids, outbox.sent, outbox.sent_ahead) == (["x1"], 1, 1)
    assert alerts == ["JOURNAL_BROKEN"]
