"""The port for machines, on a real session: what it tells of a run, and that it tells no secret."""

import asyncio
import json
import socket
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from aurora.model.control import Stream, StreamChanged, Verb
from skalp_bot.obs.catalogue import CATALOGUE
from skalp_bot.obs.health import HealthServer, Pulses
from skalp_bot.obs.metrics import Page
from skalp_bot.runner.session import NotReadyError, Session
from tests.runner_kit import until
from tests.test_runner_session import QuietVenue, now, played

# Absent on a quiet venue: no quote, no mark, nothing of the account was streamed.
QUIET = ("skalp_quote_age_seconds", "skalp_quote_latency_seconds", "skalp_mark_age_seconds")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serving(state_dir: Path, story: Callable[[Session, QuietVenue, str], Any], port: int = 0) -> Session:
    chosen = port or free_port()

    async def told(session: Session, venue: QuietVenue) -> None:
        await story(session, venue, f"http://127.0.0.1:{chosen}")

    return played(state_dir, told, environ={"AURORA__METRICS__PORT": str(chosen)})


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text()


async def settled(session: Session) -> None:
    """Ready, and equity marked, which is once a second."""
    await session.become_ready()
    await until(lambda: not isnan(session.state.soft.equity))


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_the_catalogue_is_on_the_page_of_a_run(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue, url: str) -> None:
        await settled(session)
        status, text = await get(f"{url}/metrics")
        assert status == 200
        shown = {name for name, _ in samples(text)}
        for name, metric in CATALOGUE.items():
            exported = f"{name}_count" if metric.kind == "histogram" else name
            rare = len(metric.labels) == 3 and name == "skalp_decisions_total"
            assert (exported in shown) != (rare or name in QUIET), name

    serving(tmp_path, story)


def test_the_page_tells_the_books_the_streams_and_the_trading_state(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue, url: str) -> None:
        await settled(session)
        venue.emit(StreamChanged(stream=Stream.MARK, up=False, why="cut", ts_recv=now()))
        await session.desk.act(Verb.PAUSE, by="test", reason="news")
        shown = samples((await get(f"{url}/metrics"))[1])
        assert shown["skalp_wallet_quote", ()] == 10_000
        assert shown["skalp_equity_quote", ()] == 10_000
        assert shown["skalp_wallet_residual_quote", ()] == 0
        assert shown["skalp_trading_state", ("REDUCING",)] == 1
        assert shown["skalp_trading_state", ("ACTIVE",)] == 0
        assert shown["skalp_stream_up", ("USER",)] == 1
        assert shown["skalp_stream_up", ("MARK",)] == 0
        assert shown["skalp_rate_budget_used", ("weight",)] == 0.5
        assert shown["skalp_journal_rows_total", ()] >= 3
        assert shown["skalp_journal_commit_seconds", ("max",)] > 0
        assert 0 <= shown["skalp_reconciliation_age_seconds", ()] < 10

    serving(tmp_path, story)


def test_a_run_is_alive_before_it_is_ready_and_says_what_is_missing(tmp_path: Path) -> None:
    async def story(session: Session, venue: QuietVenue, url: str) -> None:
        await session.become_ready()
        assert (await get(f"{url}/livez"))[0] == 200
        assert await get(f"{url}/readyz") == (200, '{"ready":true,"missing":[]}\n')
        venue.emit(StreamChanged(stream=Stream.USER, up=False, why="cut", ts_recv=now()))
        await session.desk.act(Verb.HALT, by="test", reason="a reason")
        status, text = await get(f"{url}/readyz")
        missing = json.loads(text)["missing"]
        assert status == 503
        assert missing[0] == "USER stream"
        assert missing[1].startswith("trading state HALTED")
        assert missing[1].endswith("a reason)")
        assert (await get(f"{url}/livez"))[0] == 200

    serving(tmp_path, story)


@pytest.mark.parametrize(("age_s", "status"), [(4.9, 200), (5.0, 503)])
def test_a_loop_that_stopped_beating_for_five_seconds_is_not_alive(age_s: float, status: int) -> None:
    async def story() -> None:
        pulses = Pulses(page=lambda: Page(()), beat_age_s=lambda: age_s, missing=list)
        server = HealthServer(host="127.0.0.1", port=0, pulses=pulses, about={})
        await server.start()
        try:
            told, text = await get(f"http://127.0.0.1:{server.port}/livez")
        finally:
            await server.close()
        assert (told, json.loads(text)) == (status, {"alive": status == 200, "beat_age_s": age_s})

    asyncio.run(story())


def test_the_version_page_names_what_touches_wire_and_disk(tmp_path: Path) -> None:
    async def story(_session: Session, _venue: QuietVenue, url: str) -> None:
        told = json.loads((await get(f"{url}/version"))[1])
        assert told["ccxt"] == "4.5.90"
        assert told["venue"] == "paper"

    serving(tmp_path, story)


def test_a_taken_port_is_refused_with_its_number(tmp_path: Path) -> None:
    async def story(*_: object) -> None: ...

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BaseExceptionGroup) as caught:
            serving(tmp_path, story, port)
    found = caught.value.subgroup(NotReadyError)
    assert found is not None
    assert f"metrics.port {port}" in str(found.exceptions[0])


def test_nothing_listens_without_a_port(tmp_path: Path) -> None:
    async def story(session: Session, _venue: QuietVenue) -> None:
        assert session.telemetry is not None
        assert session.telemetry.server.port == 0

    played(tmp_path, story)
