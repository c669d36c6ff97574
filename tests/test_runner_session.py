import asyncio
import io
import json
import os
import select
import stat
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from aurora.model.account import AccountSnapshot, BalanceView
from aurora.model.commands import Command, RequestIncome, RequestSnapshot, RequestTrades, SubmitOrder
from aurora.model.control import Stream, StreamChanged
from aurora.model.events import IncomeListed, InstrumentsLoaded, RequestFailed, TradesListed
from aurora.model.numbers import SECOND, Nanos, Quote
from aurora.signals.base import Silence
from skalp_bot.clock import SystemClock
from skalp_bot.config import RunOptions, Secret, Venue, load_config
from skalp_bot.journal.reader import JournalReader
from skalp_bot.ports import Emit, JournalError
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.marks import Marks
from skalp_bot.runner.recovery import recover
from skalp_bot.runner.screen import drawn
from skalp_bot.runner.session import NotReadyError, Parts, Session
from skalp_bot.runner.status import Log
from skalp_bot.runner.venue import Access
from tests.kit import instrument
from tests.runner_kit import until

ROOT = Path(__file__).parent.parent
CLOCK = SystemClock()
ACCESS = Access(venue=Venue.PAPER, api_key=Secret("k"), api_secret=Secret("s"), instance="i1")


class QuietVenue:
    """A flat account on an exchange that answers at once; its streams come up when told."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.asked: list[Command] = []
        self.wallet = Decimal(10_000)
        self.mute = False
        self.streams_up = True

    async def connect_fast(self) -> None: ...

    async def open(self) -> None:
        self.emit(InstrumentsLoaded(instruments=(instrument(),), ts_recv=now()))

    async def stream(self) -> None:
        for stream in Stream:
            self.emit(StreamChanged(stream=stream, up=self.streams_up, why="", ts_recv=now()))
        await asyncio.Event().wait()

    def send_now(self, order: SubmitOrder) -> None: ...

    async def execute(self, command: Command) -> None:
        self.asked.append(command)
        asked, name = now(), type(command).__name__
        if self.mute:
            self.emit(RequestFailed(request=name, subject="", why="mute", ts_recv=now()))
            return
        match command:
            case RequestSnapshot():
                money = Quote(self.wallet)
                balance = BalanceView(asset="USDT", wallet=money, available=money)
                self.emit(
                    AccountSnapshot(
                        symbol=command.symbol,
                        positions=() if command.positions else None,
                        orders=() if command.orders else None,
                        algo_orders=() if command.algo_orders else None,
                        balances=(balance,) if command.balances else None,
                        requested_at=asked,
                        ts_recv=now(),
                    )
                )
            case RequestTrades(symbol=symbol):
                self.emit(TradesListed(symbol=symbol, fills=(), requested_at=asked, ts_recv=now()))
            case RequestIncome(since=since):
                self.emit(IncomeListed(flows=(), since=since, requested_at=asked, ts_recv=now()))
            case _:
                raise AssertionError(f"a flat account was asked for {command}")

    def budget_use(self) -> tuple[tuple[str, float], ...]:
        return (("weight", 0.5),)

    async def close(self) -> None: ...


def now() -> Nanos:
    return Nanos(CLOCK.now())


def options(state_dir: Path, **more: Any) -> RunOptions:
    profile = ROOT / "profiles" / "paper.yaml"
    state_dir.mkdir(parents=True, exist_ok=True)
    loaded = load_config(profile, environ=more.pop("environ", {}))
    return RunOptions(loaded=loaded, profile=profile, state_dir=state_dir, **more)


class Stop(Exception):  # noqa: N818  # Lets the tasks of a story go.
    pass


def let_go() -> None:
    raise Stop


Story = Callable[[Session, QuietVenue], Awaitable[None]]


def played(state_dir: Path, story: Story, **more: Any) -> Session:
    """Start a session on a quiet venue, play the story, let its tasks go."""

    async def run() -> Session:
        chosen = options(state_dir, **more)
        recovered = recover(chosen, ACCESS, CLOCK)
        inbox = Inbox(clock=CLOCK, alert=lambda *_: None)
        venue = QuietVenue(inbox.put)
        session: Session | None = None
        with (state_dir / "log").open("ab") as log:
            try:
                async with asyncio.TaskGroup() as tasks:
                    session = Session(
                        options=chosen,
                        parts=Parts(access=ACCESS, recovered=recovered, inbox=inbox, exchange=venue),
                        clock=CLOCK,
                        log=Log(clock=CLOCK, handle=log.fileno()),
                        tasks=tasks,
                    )
                    await session.start(tasks)
                    await story(session, venue)
                    let_go()
            except* Stop:
                pass
            finally:
                assert session is not None
                await session.close()
                await recovered.journal.close()
                await session.log.close()
        return session

    return asyncio.run(run())


async def ask(session: Session, path: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    connector = aiohttp.UnixConnector(str(session.control.path))
    async with aiohttp.ClientSession(connector=connector) as http:
        method = "GET" if body is None else "POST"
        async with http.request(method, f"http://daemon/{path}", json=body) as answer:
            return answer.status, json.loads(await answer.read())


async def ready(session: Session, _venue: QuietVenue) -> None:
    await session.become_ready()


def test_a_session_starts_becomes_ready_and_stops_in_order(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        assert isinstance(venue.asked[0], RequestSnapshot)
        assert (venue.asked[0].positions, venue.asked[0].algo_orders) == (True, True)
        await session.become_ready()
        assert await session.stop() == []
        await session.durable()

    session = played(tmp_path, story)
    assert session.ready_at > 0
    assert session.report.wallet()["residual"] == "0"
    reader = JournalReader(session.journal.path)
    rows = list(reader.read_rows())
    assert rows[0].kind == "Started"
    assert [row.kind for row in rows][-1] == "Checkpoint"
    assert "CleanStop" in rows[-2].facts
    assert reader.verify_chain() == len(rows)


def test_an_id_epoch_is_never_used_again(tmp_path: Path) -> None:
    first = played(tmp_path, ready).state.durable.epoch
    second = played(tmp_path, ready).state.durable.epoch
    assert second > first


def test_the_epoch_is_durable_before_anything_is_asked_of_the_venue(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        reader = JournalReader(session.journal.path)
        assert reader.last_epoch() == session.state.durable.epoch
        reader.close()

    played(tmp_path, story)


def test_a_halt_file_starts_the_next_session_halted_and_is_used_up(tmp_path: Path) -> None:
    (tmp_path / "HALT").write_text("standalone cancel")
    session = played(tmp_path, ready)
    assert session.state.durable.trading.state == "HALTED"
    assert not (tmp_path / "HALT").exists()
    again = played(tmp_path, ready)
    assert again.state.durable.trading.state == "HALTED"


def test_three_crashes_start_the_next_session_halted(tmp_path: Path) -> None:
    for _ in range(3):
        Marks(tmp_path).crashed(CLOCK.now())
    assert played(tmp_path, ready).state.durable.trading.state == "HALTED"


def test_a_second_process_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async def story(_session: Session, _venue: QuietVenue) -> None:
        with pytest.raises(JournalError, match="in use by process"):
            recover(options(tmp_path), ACCESS, CLOCK)

    played(tmp_path, story)


def test_a_venue_that_never_answers_ends_a_run_of_stated_duration(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        assert session.missing() != []
        session.ready_wait_s = 0.3
        venue.mute = True
        session.state.soft.reconciled_at = Nanos(0)
        with pytest.raises(NotReadyError, match="a reconciliation without differences"):
            await session.become_ready()

    played(tmp_path, story, duration_s=1.0)


def test_only_the_owner_may_open_the_door(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        assert stat.S_IMODE(session.control.path.stat().st_mode) == 0o600

    session = played(tmp_path, story)
    assert not session.control.path.exists()


def test_pause_and_resume_name_the_halt(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        await session.become_ready()
        status, paused = await ask(session, "pause", {"by": "anna", "reason": "lunch"})
        assert (status, paused["trading_state"], paused["verified"]) == (200, "REDUCING", True)
        _, shown = await ask(session, "status")
        assert shown["trading"]["by"] == "anna"
        assert shown["trading"]["halt_id"] == paused["halt_id"]
        status, refused = await ask(session, "resume", {"halt_id": "H0", "reason": "x"})
        assert status == 409
        assert paused["halt_id"] in refused["error"]
        assert (await ask(session, "resume", {"halt_id": paused["halt_id"]}))[0] == 400
        status, back = await ask(session, "resume", {"halt_id": paused["halt_id"], "reason": "back"})
        assert (status, back["trading_state"]) == (200, "ACTIVE")
        assert (await ask(session, "resume", {"halt_id": "H0", "reason": "x"}))[0] == 409

    session = played(tmp_path, story)
    facts = "".join(row.facts for row in JournalReader(session.journal.path).read_rows())
    assert facts.count("TradingStateChanged") == 2


def test_an_answered_halt_is_on_disk(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        status, halted = await ask(session, "halt", {"by": "anna", "reason": "news"})
        assert status == 200
        reader = JournalReader(session.journal.path)
        assert halted["halt_id"] in "".join(row.facts for row in reader.read_rows())
        reader.close()
        _, told = await ask(session, f"why/{halted['halt_id']}")
        assert told["story"][0]["facts"][0]["reason"] == "news"

    played(tmp_path, story)


def test_flatten_answers_with_the_listing(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        await session.become_ready()
        status, answer = await ask(session, "flatten", {})
        assert (status, answer["verified"]) == (200, True)
        assert answer["listing"]["positions"] == []
        assert answer["listing"]["at"]
        assert answer["trading_state"] == "HALTED"

    played(tmp_path, story)


def test_an_effect_that_cannot_be_proven_is_not_claimed(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        await session.become_ready()
        session.desk.effect_wait_s = 0.5
        venue.mute = True
        status, answer = await ask(session, "reconcile", {})
        assert (status, answer["verified"]) == (504, False)
        assert "not proven" in answer["error"]

    played(tmp_path, story)


def test_a_wallet_that_moved_without_cause_keeps_the_stop_from_being_called_clean(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        await session.become_ready()
        venue.wallet -= 1
        session.agree_wait_s = 2.0
        (doubt,) = await session.stop()
        assert "did not agree" in doubt

    session = played(tmp_path, story)
    assert session.report.wallet()["residual"] == "-1"
    assert "CleanStop" not in "".join(row.facts for row in JournalReader(session.journal.path).read_rows())


def test_why_not_tells_what_keeps_the_strategy_silent(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        await ready(session, venue)
        kept = Silence(reason="EDGE_BELOW_COSTS", observed=0.51, limit=0.87)
        session.state.soft.silences["BTCUSDT"] = kept
        _, told = await ask(session, "why-not/BTCUSDT")
        shown = told["symbols"][0]["silence"]
        assert shown == {"reason": "EDGE_BELOW_COSTS", "observed": 0.51, "limit": 0.87}

    played(tmp_path, story)


def test_questions_that_make_no_sense_are_told_so(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        for path, body, status, word in (
            ("why-not/NOPE", None, 404, "BTCUSDT"),
            ("why/nothing", None, 404, "not in the journal"),
            ("dance", {}, 404, "flatten"),
        ):
            got, answer = await ask(session, path, body)
            assert got == status
            assert word in answer["error"]
        for page in ("positions", "orders", "gates", "ledger", "why-not", "why-not/btcusdt"):
            assert (await ask(session, page))[0] == 200

    played(tmp_path, story)


def test_a_second_signal_skips_the_waits(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue) -> None:
        await session.become_ready()
        venue.mute = True
        session.ask_to_stop()
        stopping = asyncio.create_task(session.stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        session.ask_to_stop()
        await until(stopping.done, seconds=1.0)
        assert stopping.result() != []

    played(tmp_path, story)


def test_the_table_shows_who_may_trade_and_what_is_held(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        await session.become_ready()
        console = Console(width=160, record=True, file=io.StringIO())
        console.print(drawn(session.views.status(CLOCK.now())))
        text = console.export_text()
        for word in ("ACTIVE", "BTCUSDT", "flat", "nothing decided yet", "paper exercise, ready"):
            assert word in text

    played(tmp_path, story)


def test_lines_below_the_configured_level_are_left_out() -> None:
    async def story() -> bytes:
        reading, writing = os.pipe()
        log = Log(clock=CLOCK, handle=writing, level="warning")
        log.say("quiet")
        log.say("loud", level="error")
        await log.close()
        os.close(writing)
        told = os.read(reading, 65_536)
        os.close(reading)
        return told

    told = asyncio.run(story())
    assert b"loud" in told
    assert b"quiet" not in told


def test_a_line_after_a_silence_is_written_at_once_and_those_behind_it_together() -> None:
    """A packet pipe keeps writes apart."""

    async def story() -> list[int]:
        reading, writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
        log = Log(clock=CLOCK, handle=writing)
        packets = []
        log.say("first")
        await until(lambda: bool(select.select([reading], [], [], 0)[0]))
        packets.append(os.read(reading, 65_536).count(b"\n"))
        for _ in range(10):
            log.say("line")
            await asyncio.sleep(0)
        await log.close()
        packets.append(os.read(reading, 65_536).count(b"\n"))
        with pytest.raises(BlockingIOError):
            os.read(reading, 65_536)
        for end in (reading, writing):
            os.close(end)
        return packets

    assert asyncio.run(story()) == [1, 10]


def test_a_reader_that_goes_away_costs_lines_and_nothing_else() -> None:
    async def story() -> Log:
        reading, writing = os.pipe()
        os.close(reading)
        log = Log(clock=CLOCK, handle=writing)
        log.say("first")
        await log.close()
        log.say("second")
        os.close(writing)
        return log

    assert asyncio.run(story()).dropped >= 1


def test_a_reader_that_does_not_read_never_holds_up_the_loop() -> None:
    async def story() -> None:
        reading, writing = os.pipe()
        log = Log(clock=CLOCK, handle=writing)
        begun = CLOCK.monotonic()
        for number in range(20_000):
            log.say("line", number=number, text="x" * 50)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert CLOCK.monotonic() - begun < 5 * SECOND
        assert log.dropped > 0
        os.close(reading)
        await log.close()

    asyncio.run(story())
