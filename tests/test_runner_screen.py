"""What a person sees: on a small terminal nothing is cut off, and what is wrong is said in words."""

import io
from typing import Any

from rich.console import Console

from skalp_bot.runner.screen import drawn
from skalp_bot.runner.words import closing_words, opening_words

BRACKET = {
    "phase": "GUARDED",
    "stop": "105190.5",
    "take_profit": "104927.3",
    "stop_listed": True,
    "naked_since": "",
}
HELD = {"qty": "-0.014", "entry": "105085.43217", "unrealized": -1.234}


def symbol(name: str, **more: Any) -> dict[str, Any]:
    nothing = {"position": None, "bracket": None, "silence": None, "decided_at": "", "last_id": ""}
    return (
        {"symbol": name, "bid": 105085.0, "ask": 105085.1, "last_decision": "nothing decided yet"}
        | nothing
        | more
    )


def status(**more: Any) -> dict[str, Any]:
    up = {"up": True, "since": "2026-11-28T15:00:00.000Z", "why": "connected"}
    return {
        "trading": {"state": "ACTIVE", "halt_id": "", "reason": ""},
        "venue": "paper",
        "strategy": "exercise",
        "ready": True,
        "at": "2026-11-28T15:36:48.118Z",
        "equity": 9996.444,
        "quote_asset": "USDT",
        "realized": "0.10672",
        "fees": "3.737829",
        "counters": {"fills": 5, "round_trips": 2},
        "symbols": [symbol("BTCUSDT", position=HELD, bracket=BRACKET), symbol("ETHUSDT")],
        "streams": {"MARKET": up, "USER": up},
        "orders_unknown": 0,
        "drift_open": 0,
        "alerts": [],
    } | more


def seen(view: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drawn(view))
    return console.export_text()


def test_a_small_terminal_shows_price_position_entry_result_stop_target_and_phase_in_full() -> None:
    text = seen(status())
    line = next(line for line in text.splitlines() if line.startswith("BTCUSDT"))
    assert line.split() == [
        *("BTCUSDT", "105085.05", "-0.014", "105085.43", "-1.23", "105190.5", "104927.3", "GUARDED")
    ]
    assert "equity 9996.44 USDT  realised +0.11  open -1.23  fees 3.74  fills 5  trips 2" in text
    assert "15:36:48 UTC" in text


def test_a_wide_terminal_keeps_the_columns_together() -> None:
    assert max(map(len, map(str.rstrip, seen(status(), width=200).splitlines()))) <= 100


def test_columns_stay_where_they_are_when_a_position_goes() -> None:
    flat = seen(status(symbols=[symbol("BTCUSDT"), symbol("ETHUSDT")]))
    assert flat.splitlines()[3] == seen(status()).splitlines()[3]


def test_all_is_well_has_no_lines_of_trouble() -> None:
    for word in ("DOWN", "no stop", "unknown", "differences"):
        assert word not in seen(status())


def test_what_is_wrong_is_said_in_words_and_not_by_colour_alone() -> None:
    down = {"up": False, "since": "2026-11-28T15:30:01.000Z", "why": "socket closed"}
    naked = BRACKET | {"stop_listed": False, "phase": "NAKED", "naked_since": "2026-11-28T15:36:47.000Z"}
    text = seen(
        status(
            streams={"USER": down},
            symbols=[symbol("BTCUSDT", position=HELD, bracket=naked)],
            orders_unknown=2,
            drift_open=1,
            alerts=[{"at": "2026-11-28T15:36:40.000Z", "message": "BTCUSDT has no stop"}],
            trading={"state": "HALTED", "halt_id": "H-7", "reason": "lunch"},
        )
    )
    for words in (
        "HALTED H-7 lunch",
        "stream USER is DOWN since 15:30:01: socket closed",
        "BTCUSDT: the exchange lists no stop of ours",
        "2 orders of unknown fate",
        "1 differences to the exchange's books",
        "15:36:40 BTCUSDT has no stop",
    ):
        assert words in text


def test_a_silent_strategy_is_told_with_its_reason_and_a_missing_quote_is_no_zero() -> None:
    quiet = symbol("BTCUSDT", silence={"reason": "WAITING", "observed": 1.0, "limit": 2.0}, bid=0.0, ask=0.0)
    text = seen(status(symbols=[quiet], equity=None))
    assert "nothing decided yet  (no signal: WAITING)" in text
    assert "equity ? USDT" in text
    assert next(line for line in text.splitlines() if line.startswith("BTCUSDT ")).split()[1] == "-"


def test_first_and_last_words_fit_a_small_terminal() -> None:
    first = opening_words(
        venue="paper",
        strategy="exercise",
        symbols=("BTCUSDT", "ETHUSDT"),
        state_dir="state/paper/20261128T153549Z",
        log="state/paper/20261128T153549Z/log.jsonl",
        program=".venv/bin/skalp-bot",
    )
    numbers = {
        "exit_code": 0,
        "duration_s": 60.0,
        "round_trips": 12,
        "fills": 26,
        "realized_pnl": "-12.33818123",
        "fees": "13.50893305",
        "funding": "-0.12345678",
        "wallet": {"start": "10000", "end": "9986.82924695", "residual": "0"},
        "unprotected_seconds_max": 0.034,
        "positions_left": {"BTCUSDT": "0.014", "ETHUSDT": "-0.636"},
        "state_dir": "state/paper/20261128T153549Z",
        "errors": [],
    }
    for line in (*first, *closing_words(numbers, ".venv/bin/skalp-bot")):
        assert len(line) <= 80, line
