"""What a restart does first: see what is held and put stops behind it, before it learns anything else."""

import asyncio
from decimal import Decimal
from pathlib import Path

from aurora.model.account import AccountSnapshot, BalanceView, PositionView
from aurora.model.commands import Command, RequestSnapshot, SubmitOrder
from aurora.model.events import InstrumentsLoaded, OrderAcked
from aurora.model.numbers import Price, Qty, Quote
from aurora.model.order import Role
from skalp_bot.ports import Emit
from skalp_bot.runner.inbox import Inbox
from skalp_bot.runner.recovery import recover
from skalp_bot.runner.session import Parts, Session
from skalp_bot.runner.status import Log
from tests.kit import instrument
from tests.test_runner_session import ACCESS, CLOCK, QuietVenue, now, options, played, ready

BTC_HELD = PositionView(
    symbol="BTCUSDT", qty=Qty(Decimal("0.010")), entry=Price(Decimal(50_000)), ts_event=now()
)


class SlowVenue(QuietVenue):
    """Holds a position without a stop, and tells its filters only once a stop has arrived."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(emit)
        self.guarded = asyncio.Event()
        self.opened_guarded = False

    async def open(self) -> None:
        async with asyncio.timeout(10):
            await self.guarded.wait()
        self.opened_guarded = True
        self.emit(InstrumentsLoaded(instruments=(instrument(),), ts_recv=now()))

    async def execute(self, command: Command) -> None:
        if isinstance(command, SubmitOrder):
            self.asked.append(command)
            self.emit(OrderAcked(key=command.key, exchange_id="1", signed_at=now(), ts_recv=now()))
            if command.approved.intent.role is Role.STOP:
                self.guarded.set()
            return
        if not isinstance(command, RequestSnapshot):
            await super().execute(command)
            return
        self.asked.append(command)
        money = Quote(self.wallet)
        balance = BalanceView(asset="USDT", wallet=money, available=money)
        self.emit(
            AccountSnapshot(
                symbol=command.symbol,
                positions=(BTC_HELD,) if command.positions else None,
                orders=() if command.orders else None,
                algo_orders=() if command.algo_orders else None,
                balances=(balance,) if command.balances else None,
                requested_at=now(),
                ts_recv=now(),
            )
        )


def test_the_first_question_is_what_is_held_and_which_stops_rest(tmp_path: Path) -> None:
    asked: list[Command] = []

    async def story(session: Session, venue: QuietVenue) -> None:
        await ready(session, venue)
        asked.extend(venue.asked)

    played(tmp_path, story)
    first = asked[0]
    assert isinstance(first, RequestSnapshot)
    assert (first.positions, first.algo_orders) == (True, True)
    assert (first.orders, first.balances) == (False, False)


def test_a_stop_goes_out_by_the_filters_the_journal_kept_before_the_venue_tells_them(tmp_path: Path) -> None:
    played(tmp_path, ready)  # A first process, flat: the filters are in the journal now.

    async def restarted() -> SlowVenue:
        chosen = options(tmp_path)
        recovered = recover(chosen, ACCESS, CLOCK)
        inbox = Inbox(clock=CLOCK, alert=lambda *_: None)
        venue = SlowVenue(inbox.put)
        with (tmp_path / "log").open("ab") as log:
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
                    raise asyncio.CancelledError  # noqa: TRY301  # Lets the tasks go.
            except asyncio.CancelledError:
                pass
            finally:
                await session.close()
                await recovered.journal.close()
                await session.log.close()
        return venue

    venue = asyncio.run(restarted())
    assert venue.opened_guarded
    stops = [c.approved.intent for c in venue.asked if isinstance(c, SubmitOrder)]
    assert {intent.role for intent in stops} >= {Role.STOP, Role.BACKSTOP}
    assert all(intent.reduces and intent.trigger is not None for intent in stops)
    assert all(intent.trigger % instrument().tick_size == 0 for intent in stops if intent.trigger is not None)
