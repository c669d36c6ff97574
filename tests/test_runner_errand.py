"""The door a verb without a daemon sends through, and what a run leaves for it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from aurora.errors import ConfigError
from aurora.model.events import Event, OrderNotSent
from aurora.model.order import Role
from skalp_bot.config import RunOptions, load_config
from skalp_bot.config.kept import keep, kept_options
from skalp_bot.ports import VenueError
from skalp_bot.runner.desk import Answer
from skalp_bot.runner.errand import Gate, Nowhere, Outcome, unproven
from tests.runner_kit import HandClock, cancel, submit
from tests.test_runner_session import QuietVenue

PAPER = Path(__file__).parent.parent / "profiles" / "paper.yaml"


class Recording(QuietVenue):
    """Keeps what it was asked and answers nothing."""

    async def execute(self, command: object) -> None:
        self.asked.append(command)  # type: ignore[arg-type]  # Whatever the gate lets through.


def test_the_gate_never_opens_to_an_entry() -> None:
    async def story() -> tuple[Recording, list[Event]]:
        told: list[Event] = []
        venue = Recording(told.append)
        gate = Gate(venue, emit=told.append, clock=HandClock())
        await gate.connect_fast()
        await gate.execute(submit("ska-1-1-0E"))
        await gate.execute(submit("ska-1-2-0X", role=Role.EXIT))
        return venue, told

    venue, told = asyncio.run(story())
    assert len(venue.asked) == 1
    (refused,) = told
    assert isinstance(refused, OrderNotSent)
    assert "nothing is entered" in refused.why


def test_nothing_leaves_before_the_exchange_was_reached() -> None:
    async def story() -> list[int]:
        venue = Recording(lambda _: None)
        gate = Gate(venue, emit=lambda _: None, clock=HandClock())
        sent = asyncio.ensure_future(gate.execute(cancel("ska-1-1-0E")))
        await asyncio.sleep(0.01)
        counts = [len(venue.asked)]
        await gate.connect_fast()
        await sent
        return [*counts, len(venue.asked)]

    assert asyncio.run(story()) == [0, 1]


def test_a_way_that_is_not_there_says_why() -> None:
    with pytest.raises(VenueError, match="no keys"):
        asyncio.run(Nowhere("no keys").connect_fast())


def test_an_exchange_that_refuses_to_tell_is_the_reason() -> None:
    answer = Answer(status=504, body={"verified": False, "error": "not proven in time"})
    assert unproven(answer, "") == Outcome(answer=answer, code=1)
    refused = unproven(answer, "HTTP 401 -2015 Invalid API-key")
    assert (refused.code, refused.answer.status, refused.answer.body["verified"]) == (3, 504, False)
    assert (
        refused.answer.body["error"]
        == "not proven in time; the first question that failed: HTTP 401 -2015 Invalid API-key"
    )


def run_options(state_dir: Path) -> RunOptions:
    environ = {"AURORA__EXITS__TP_PCT": "0.0077"}
    return RunOptions(loaded=load_config(PAPER, environ=environ), profile=PAPER, state_dir=state_dir)


def test_a_run_leaves_its_configuration_as_it_was_resolved(tmp_path: Path) -> None:
    options = replace(run_options(tmp_path), exchange=Path("ready.json"), resume_exchange=True)
    keep(options)
    kept = kept_options(tmp_path)
    assert kept.config == options.config
    assert (kept.exchange, kept.resume_exchange, kept.keys) == (Path("ready.json").absolute(), True, None)
    assert kept.profile == PAPER


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": {"venue": "moon"}}'])
def test_a_configuration_nobody_can_read_asks_for_the_profile(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ConfigError, match="name its profile with --profile"):
        kept_options(tmp_path)
