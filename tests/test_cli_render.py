"""What people read: on a narrow terminal a table becomes lines, and no number is ever cut."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from typing import Any

import pytest

from skalp_bot.cli.pages import for_people
from skalp_bot.cli.render import put_view

SYMBOL = {
    "symbol": "BTCUSDT",
    "bid": 105091.4,
    "ask": 105091.5,
    "position": {"qty": "-0.014", "entry": "105085.43217", "unrealized": -0.00318},
    "bracket": {"phase": "GUARDED", "stop": "105190.5", "stop_listed": True},
    "last_decision": "STOP BUY 0.014 STOP_MARKET sent: working stop",
    "last_id": "ska1-zu4eh-b-0S",
}
STORY = {
    "id": "ska1-zu4eh-b-0X",
    "story": [
        {
            "at": "2026-11-28T15:59:17.121Z",
            "row": 54,
            "event": "OrderUpdate",
            "facts": [
                {"event": "fill", "level": "info", "symbol": "BTCUSDT", "qty": "0.014", "price": "105091.4"},
                {"event": "order_moved", "level": "info", "status": "FILLED"},
            ],
        }
    ],
}


SHOW = """
from skalp_bot.cli.pages import for_people
from skalp_bot.cli.render import put_view
put_view(for_people({page!r}, {view!r}))
"""


def on_a_terminal(view: dict[str, Any], page: str, columns: int) -> str:
    """As a person sees it, who has so many columns."""
    words = SHOW.format(page=page, view=view)
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    environ |= {"TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen([sys.executable, "-c", words], stdin=slave, stdout=slave, env=environ)
    os.close(slave)
    told = b""
    while True:
        try:
            told += os.read(master, 65_536)
        except OSError:  # The other end is closed.
            break
    os.close(master)
    assert process.wait(30) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", told.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [72, 80, 100])
def test_a_narrow_terminal_gets_pairs_of_name_and_value_uncut(columns: int) -> None:
    told = on_a_terminal({"symbols": [SYMBOL]}, "status", columns)
    for words in ("bid 105091.4", "entry 105085.43217", "stop 105190.5 listed", "id ska1-zu4eh-b-0S"):
        assert words in told
    assert "last decision STOP BUY 0.014 STOP_MARKET sent: working stop" in told
    assert max(map(len, told.splitlines())) <= columns


def test_a_wide_one_gets_a_table() -> None:
    head, line = on_a_terminal({"symbols": [SYMBOL]}, "status", 170).splitlines()[2:4]
    assert head.split()[:4] == ["symbol", "bid", "ask", "position"]
    assert line.split()[:4] == ["BTCUSDT", "105091.4", "105091.5", "-0.014"]


def test_a_story_is_a_line_a_fact(capsys: pytest.CaptureFixture[str]) -> None:
    put_view(for_people("why", STORY))
    told = capsys.readouterr().out
    assert "OrderUpdate  fill symbol BTCUSDT qty 0.014 price 105091.4" in told
    assert "OrderUpdate  order_moved status FILLED" in told


def test_nothing_is_said_to_be_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    put_view({"positions": []})
    assert capsys.readouterr().out.split() == ["positions", "-"]
