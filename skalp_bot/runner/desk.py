"""Where operators are served: what they may see, and verbs whose answer waits for the proven effect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aurora.model.account import AccountSnapshot
from aurora.model.control import Control, TradingState, Verb
from aurora.model.numbers import Nanos
from aurora.model.order import Order, Role
from aurora.model.step import Step
from aurora.state import State
from skalp_bot.ports import Clock, Emit
from skalp_bot.runner.report import whole
from skalp_bot.runner.views import order_shown, position_views

EFFECT_WAIT_S = 10.0
FLAT_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP status and a body."""

    status: int
    body: dict[str, Any]


class Desk:
    """A fold that remembers the last full look at the account and wakes who waits for something."""

    def __init__(
        self, *, state: State, clock: Clock, emit: Emit, durable: Callable[[], Awaitable[None]]
    ) -> None:
        self.last_look: AccountSnapshot | None = None
        self.effect_wait_s = EFFECT_WAIT_S
        self._state = state
        self._clock = clock
        self._emit = emit
        self._durable = durable
        self._waiting: list[tuple[Callable[[Step], bool], asyncio.Future[None]]] = []

    def see(self, step: Step, /) -> None:
        if isinstance(step.event, AccountSnapshot) and whole(step.event):
            self.last_look = step.event
        if self._waiting:
            self._wake(step)

    async def wait_for(self, holds: Callable[[Step], bool], seconds: float) -> bool:
        """Whether it held after some step within the time."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (holds, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        return True

    async def act(self, verb: Verb, *, by: str, reason: str, halt_id: str = "") -> Answer:
        """Put the verb on the line and answer when what it asks for is true."""
        refused = self.refusal(verb, halt_id)
        if refused is not None:
            return refused
        await self.put_on_line(verb, by=by, reason=reason, halt_id=halt_id)
        return await self.proof(verb, by)

    async def proof(self, verb: Verb, by: str) -> Answer:
        """The answer to a verb that is on the line already, once its effect is seen or overdue."""
        match verb:
            case Verb.RESUME:
                return await self._resumed()
            case Verb.PAUSE:
                return await self.answer(verified=True)
            case Verb.CANCEL | Verb.HALT:
                gone = await self.wait_until(lambda: not self.open_entries(), self.effect_wait_s)
                return await self.answer(verified=gone)
            case Verb.FLATTEN:
                return await self.answer(verified=await self.flat(by), listing=True)
            case _:
                seen = await self.looked(by)
                return await self.answer(verified=seen, listing=True)

    async def put_on_line(self, verb: Verb, *, by: str, reason: str, halt_id: str = "") -> None:
        """Hand the verb to the engine and return when it was stepped."""
        now = Nanos(self._clock.now())
        control = Control(verb=verb, by=by, reason=reason, halt_id=halt_id, ts_recv=now)
        waiting = self.wait_for(lambda step: step.event is control, self.effect_wait_s)
        self._emit(control)
        await waiting

    async def wait_until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Like ``wait_for``, but what holds already is not waited for."""
        return holds() or await self.wait_for(lambda _: holds(), seconds)

    async def flat(self, by: str) -> bool:
        """Whether our books are flat, and then a later listing of the exchange says so too."""
        if not await self.wait_until(lambda: not self._state.durable.ledger.positions(), FLAT_WAIT_S):
            return False
        return await self.looked(by) and self.listed_flat()

    async def looked(self, by: str) -> bool:
        """Whether a full look at the account, asked for from now on, has come and was compared."""
        asked = self._clock.now()
        await self.put_on_line(Verb.RECONCILE, by=by, reason="proof by listing")
        return await self.wait_until(lambda: self._looked_at() >= asked, self.effect_wait_s)

    def open_entries(self) -> tuple[Order, ...]:
        orders = self._state.durable.blotter.open_orders()
        return tuple(order for order in orders if order.intent.role is Role.ENTRY)

    def listed_flat(self) -> bool:
        look = self.last_look
        return look is not None and not any(view.qty for view in look.positions or ())

    def listed_bare(self) -> tuple[str, ...]:
        """Symbols whose position the exchange lists without a reducing stop on the other side."""
        look = self.last_look
        if look is None:
            return ()
        covered = [
            (view.symbol, view.side.sign)
            for view in look.algo_orders or ()
            if (view.reduce_only or view.close_position) and "STOP" in view.type
        ]
        held = [view for view in look.positions or () if view.qty]
        return tuple(v.symbol for v in held if (v.symbol, -1 if v.qty > 0 else 1) not in covered)

    def _looked_at(self) -> int:
        return self.last_look.requested_at if self.last_look is not None else 0

    def refusal(self, verb: Verb, halt_id: str) -> Answer | None:
        trading = self._state.durable.trading
        if verb is not Verb.RESUME:
            return None
        if trading.state is TradingState.ACTIVE:
            return Answer(status=409, body={"error": "nothing to resume: the trading state is ACTIVE"})
        if halt_id != trading.halt_id:
            error = f"halt id {halt_id!r} is not the present one, {trading.halt_id!r}: name that one"
            return Answer(status=409, body={"error": error, "halt_id": trading.halt_id})
        return None

    async def _resumed(self) -> Answer:
        if self._state.durable.trading.state is TradingState.ACTIVE:
            return await self.answer(verified=True)
        trading = self._state.durable.trading
        return Answer(
            status=409, body={"error": f"still {trading.state}: another halt, {trading.halt_id}, came first"}
        )

    async def answer(self, *, verified: bool, listing: bool = False) -> Answer:
        """What is true now, once it is on disk."""
        await self._durable()
        trading = self._state.durable.trading
        body: dict[str, Any] = {
            "verified": verified,
            "trading_state": trading.state.value,
            "halt_id": trading.halt_id,
            "open_entries": [order_shown(order) for order in self.open_entries()],
            "drift_open": len(self._state.durable.drifts),
        }
        if listing:
            body["listing"] = position_views(self.last_look)
        if not verified:
            body["error"] = "asked for, and not proven in time: look again with `skalp-bot status`"
        return Answer(status=200 if verified else 504, body=body)

    def _wake(self, step: Step) -> None:
        for entry in tuple(self._waiting):
            holds, future = entry
            if not future.done() and holds(step):
                self._waiting.remove(entry)
                future.set_result(None)
