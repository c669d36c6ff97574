"""Log lines: JSON, without a secret in them, and never worth waiting for."""

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from skalp_bot.obs.log import LINE_MAX, LineHandler, install
from skalp_bot.obs.redact import redact, redacted

KEY = "k" * 32 + "A1b2" * 8  # Sixty-four letters and digits, as Binance's keys are.
Pipe = tuple[int, LineHandler]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield reading, install(handle=writing, level="info")
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    os.close(reading)
    os.close(writing)


def lines(reading: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in os.read(reading, 1 << 16).splitlines()]


def test_our_lines_and_those_of_libraries_look_alike(pipe: Pipe) -> None:
    structlog.get_logger("ours").info("started", epoch=7)
    logging.getLogger("aiohttp").warning("odd frame %s", 3)
    logging.getLogger("aiohttp").debug("too quiet to be told")
    ours, theirs = lines(pipe[0])
    assert (ours["event"], ours["level"], ours["epoch"], ours["logger"]) == ("started", "info", 7, "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("odd frame 3", "warning", "aiohttp")
    assert ours["ts"].endswith("Z")


def test_no_secret_passes_by_name_by_looks_or_in_an_exception(pipe: Pipe) -> None:
    log = structlog.get_logger()
    log.warning("request", api_key="short", headers={"X-MBX-APIKEY": KEY}, seen=[("listenKey", f"lk={KEY}")])
    log.warning("GET /fapi/v1/order?symbol=BTCUSDT&signature=abc123&x=1 %s", KEY)
    try:
        int(f"bad secret={KEY[:20]} at postgres://bot:hunter2@db/x")
    except ValueError:
        logging.getLogger("asyncio").exception("task failed")
    text = os.read(pipe[0], 1 << 16).decode()
    for secret in ("short", KEY, "abc123", KEY[:20], "hunter2"):
        assert secret not in text
    assert "symbol=BTCUSDT&signature=***&x=1" in text
    assert "ValueError" in text
    assert "postgres://bot:***@db" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BTCUSDT 0.001 at 60000.1", "BTCUSDT 0.001 at 60000.1"),
        ('{"apiKey": "abc", "qty": "1"}', '{"apiKey": "***", "qty": "1"}'),
        ("listenKey=abc&y=2", "listenKey=***&y=2"),
        ("ska1-1a2b3c-7-0E", "ska1-1a2b3c-7-0E"),
        (f"<{KEY}>", "<***>"),
    ],
)
def test_only_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_a_missing_key_is_shown_as_missing() -> None:
    assert redact({"api_key": None, "token": "", "price": 1.5}) == {
        "api_key": None,
        "token": "",
        "price": 1.5,
    }


def test_a_reader_that_sleeps_costs_lines_and_no_time(pipe: Pipe) -> None:
    log = logging.getLogger("busy")
    for number in range(3_000):
        log.warning("line %d %s", number, "x" * 200)
    assert pipe[1].dropped > 0
    told = lines(pipe[0])
    assert told[0]["event"].startswith("line 0 ")


def test_a_reader_that_left_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = LineHandler(writing)
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, "gone", None, None))
    assert handler.dropped == 1
    os.close(writing)


def test_a_long_line_is_cut_and_still_json(pipe: Pipe) -> None:
    logging.getLogger("long").warning("y" * (LINE_MAX * 3))
    (told,) = lines(pipe[0])
    assert told["event"] == "line cut"


def test_a_handler_that_was_let_go_writes_into_nobodys_socket() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    reading, writing = os.pipe()
    handler = install(handle=writing, level="info")
    handler.let_go()
    root.warning("after the end of what was logged")
    root.handlers[:] = before
    root.setLevel(level)
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
