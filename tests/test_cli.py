"""The command line: what each command needs, what it says, and the exit codes scripts rely on."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aurora.errors import ConfigError, TransitionError
from skalp_bot.cli.app import main
from skalp_bot.cli.errors import CommandError, exit_code_of
from skalp_bot.journal.lock import StateLock
from skalp_bot.ports import JournalError, VenueError

ROOT = Path(__file__).parent.parent
PAPER = str(ROOT / "profiles/paper.yaml")
LOOKING = ["status", "positions", "orders", "gates", "why", "why-not", "ledger"]
VERBS = ["pause", "cancel", "halt", "flatten", "reconcile"]
COMMANDS = ["run", "exchange", "check-config", "doctor", *LOOKING, *VERBS, "resume"]
Capture = pytest.CaptureFixture[str]
NOWHERE = "http://127.0.0.1:9"
READY = {"rest": NOWHERE, "ws": NOWHERE, "api_key": "k", "api_secret": "s", "instance": "other"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path) -> Iterator[None]:
    """Commands look under ./state; and no name of the real environment may speak."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


@pytest.mark.parametrize("command", [*COMMANDS, "config explain"])
def test_every_command_explains_itself_with_an_example(command: str, capsys: Capture) -> None:
    assert main([*command.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert f"example: skalp-bot {command}" in said
    assert "--json" in said


def test_the_list_of_commands_is_the_contract(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    listed = [
        line.split()[0] for line in capsys.readouterr().out.split("Commands:")[1].splitlines() if line.strip()
    ]
    assert sorted(listed) == sorted([*COMMANDS, "config"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run", "Missing option '--profile'"),
        (f"run --profile {PAPER} --duration 5x", "must be a time above zero"),
        (f"run --profile {PAPER} --duration 0", "must be a time above zero"),
        (f"run --profile {PAPER} --venue moon", "is not one of 'paper', 'testnet', 'live'"),
        (f"run --profile {PAPER} --i-accept-live", "leave it out"),
        (f"run --profile {PAPER} --venue live", "strategy.name exercise"),
        (f"run --profile {ROOT}/configs/aurora/production.yaml", "add --i-accept-live"),
        (f"run --profile {PAPER} --venue testnet --speed 2", "for venue paper, not venue testnet"),
        (f"run --profile {PAPER} --venue testnet --exchange r.json", "--exchange is for venue paper"),
        (f"run --profile {PAPER} --exchange r.json --market script:x", "has its own market"),
        (f"run --profile {PAPER} --speed 0", "--speed: market.speed = 0.0: must be number >= 0.1"),
        ("run --profile nowhere.yaml", "profile nowhere.yaml cannot be read"),
        (f"doctor {ROOT}/configs/aurora/production.yaml --conformance", "is refused on venue live"),
        (f"doctor {PAPER} --venue testnet --exchange r.json", "--exchange is for venue paper"),
        ("doctor nowhere.yaml", "profile nowhere.yaml cannot be read"),
        ("exchange --limits maybe", "is not one of 'on', 'off'"),
        ("exchange --set nonsense", "must be KEY=VALUE"),
        ("exchange --set nonsense=1", "no such switch"),
        ("exchange --market csv:x", "csv:x"),
        ("resume", "Missing argument 'HALT_ID'"),
        ("resume H-1", "Missing option '--reason'"),
        ("dance", "No such command 'dance'"),
    ],
)
def test_bad_usage_is_exit_2_and_names_the_option(arguments: str, said: str, capsys: Capture) -> None:
    assert main(arguments.split()) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("x"), 1),
        (JournalError("x"), 1),
        (ConfigError("x"), 2),
        (VenueError("x"), 3),
        (TransitionError("x"), 4),
        (ValueError("x"), None),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(error: Exception, code: int | None) -> None:
    assert exit_code_of(error) == code


def test_machines_get_failures_as_json_too(capsys: Capture) -> None:
    assert main(["check-config", "nowhere.yaml", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert "nowhere.yaml" in told["error"]


def test_check_config_warns_and_still_says_usable(capsys: Capture) -> None:
    assert main(["check-config", str(ROOT / "configs/aurora/base.yaml")]) == 0
    said = capsys.readouterr().out
    assert "warning TP_CANNOT_PAY_COSTS" in said
    assert "warning MORE_POSITIONS_THAN_STOPS" in said
    assert "usable, 4 warnings" in said
    assert main(["check-config", str(ROOT / "configs/aurora/testnet.yaml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["warnings"]) == (True, [])


def test_config_explain_names_the_layer_and_hides_the_key(capsys: Capture) -> None:
    os.environ |= {"AURORA_TP_PCT": "0.0042", "BINANCE_API_KEY": "canary0123456789"}
    try:
        assert main(["config", "explain", PAPER, "--json"]) == 0
    finally:
        del os.environ["AURORA_TP_PCT"], os.environ["BINANCE_API_KEY"]
    said = capsys.readouterr().out
    rows = {row["key"]: row for row in json.loads(said)}
    assert (rows["exits.tp_pct"]["value"], rows["exits.tp_pct"]["set_by"]) == ("0.0042", "AURORA_TP_PCT")
    assert "paper.yaml" in rows["exits.tp_pct"]["overrules"]
    assert (rows["BINANCE_API_KEY"]["value"], rows["BINANCE_API_SECRET"]["value"]) == ("***", "not set")
    assert "canary" not in said


# --- a daemon that answers ----------------------------------------------------------------------------

Handler = Callable[[web.Request], Any]


def with_daemon(
    state_dir: Path, arguments: list[str], answer: dict[str, Any], status: int = 200
) -> list[Any]:
    """Run a command against a daemon that gives this answer; returns exit code and what it was asked."""
    asked: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        asked.append((request.method, request.path, json.loads(body) if body else None))
        return web.json_response(answer, status=status)

    async def scene() -> int:
        app = web.Application()
        app.router.add_route("*", "/{page:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        state_dir.mkdir(parents=True, exist_ok=True)
        await web.UnixSite(runner, str(state_dir / "control.sock")).start()
        try:
            return await asyncio.to_thread(main, arguments)
        finally:
            await runner.cleanup()

    return [asyncio.run(scene()), *asked]


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ("status", "/status"),
        ("positions", "/positions"),
        ("orders", "/orders"),
        ("gates", "/gates"),
        ("ledger", "/ledger"),
        ("why-not", "/why-not"),
        ("why-not btcusdt", "/why-not/BTCUSDT"),
        ("why sk1-2-3-0E", "/why/sk1-2-3-0E"),
    ],
)
def test_looking_asks_the_daemon_and_prints_its_answer(arguments: str, page: str, capsys: Capture) -> None:
    answer = {
        "state": "ACTIVE",
        "rows": [{"symbol": "BTCUSDT", "gates": [{"gate": "SPREAD", "observed": 7.1}]}],
    }
    code, asked = with_daemon(Path("state/testnet"), arguments.split(), answer)
    assert (code, asked) == (0, ("GET", page, None))
    shown = capsys.readouterr()
    assert "state directory state/testnet (daemon answers)" in shown.err
    for word in ("ACTIVE", "BTCUSDT", "SPREAD", "7.1"):
        assert word in shown.out
    code, _ = with_daemon(Path("state/testnet"), [*arguments.split(), "--json"], answer)
    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_posted_with_who_and_why(verb: str, capsys: Capture) -> None:
    answer = {"verified": True, "trading_state": "HALTED", "halt_id": "H-7"}
    code, asked = with_daemon(Path("state/testnet"), [verb, "--reason", "news"], answer)
    assert code == 0
    method, path, body = asked
    assert (method, path, body["reason"]) == ("POST", f"/{verb}", "news")
    assert body["by"]
    assert "H-7" in capsys.readouterr().out


def test_a_daemon_is_not_told_of_another_exchange(capsys: Capture) -> None:
    code, *asked = with_daemon(Path("state/testnet"), ["pause", "--exchange", "r.json"], {"verified": True})
    assert (code, asked) == (2, [])
    assert "for where no daemon runs" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_resume_names_its_halt() -> None:
    code, asked = with_daemon(
        Path("state/testnet"), ["resume", "H-7", "--reason", "calm"], {"verified": True}
    )
    assert code == 0
    assert asked[1:] == ("/resume", {"halt_id": "H-7", "reason": "calm", "by": asked[2]["by"]})


def test_a_refusal_of_the_daemon_is_exit_1_in_its_own_words(capsys: Capture) -> None:
    refusal = {"error": "halt id 'H-1' is not the present one, 'H-7': name that one", "halt_id": "H-7"}
    code, _ = with_daemon(Path("state/x"), ["resume", "H-1", "--reason", "r", "--json"], refusal, status=409)
    assert code == 1
    assert json.loads(capsys.readouterr().out) == {**refusal, "exit_code": 1}


def test_status_is_one_line_a_symbol(capsys: Capture) -> None:
    bracket = {"phase": "NAKED", "stop": "59900", "stop_listed": False, "stops": [{"id": "ska1-1-2-0S"}]}
    held = {"qty": "0.01", "entry": "60000", "unrealized": 1.25, "bracket": bracket}
    row = {
        "symbol": "BTCUSDT",
        "bid": 60100.5,
        "position": held,
        "bracket": bracket,
        "last_decision": "spread",
    }
    answer = {
        "trading": {"state": "REDUCING", "halt_id": "H-2", "by": "ann", "reason": "news"},
        "symbols": [row, {"symbol": "ETHUSDT", "position": None, "bracket": None}],
        "streams": {"USER": {"up": False, "why": "reset"}, "MARKET": {"up": True, "why": ""}},
        "counters": {"ticks": 12, "denied": {"SPREAD": 3}},
    }
    code, _ = with_daemon(Path("state/testnet"), ["status"], answer)
    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    (bitcoin,) = [line for line in lines if line.startswith("BTCUSDT")]
    for word in ("60100.5", "0.01", "1.25", "NAKED", "59900 NOT LISTED"):
        assert word in bitcoin
    text = "\n".join(lines)
    for words in ("REDUCING H-2 news (by ann)", "USER DOWN (reset)", "MARKET up", "ticks 12", "SPREAD 3"):
        assert words in text
    assert any(line.startswith("ETHUSDT") and "flat" in line for line in lines)


# --- no daemon ----------------------------------------------------------------------------------------


def test_with_nothing_there_it_says_how_to_begin(capsys: Capture) -> None:
    assert main(["status"]) == 1
    assert "skalp-bot run --profile profiles/paper.yaml" in capsys.readouterr().err
    assert main(["status", "--state-dir", "gone"]) == 1
    assert "gone does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["pause", "cancel", "flatten", "reconcile"])
def test_a_verb_without_a_daemon_needs_to_know_how_it_was_configured(verb: str, capsys: Capture) -> None:
    journal_in(Path("state/testnet"))
    assert main([verb]) == 2
    assert "run.json does not tell how the last run was configured" in capsys.readouterr().err
    assert not Path("state/testnet/HALT").exists()


def test_a_halt_that_cannot_be_journaled_is_left_for_the_next_start(capsys: Capture) -> None:
    journal_in(Path("state/testnet"))
    assert main(["halt", "--reason", "holiday", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["error"].startswith("state/testnet/HALT makes its next start HALTED; ")
    assert "--profile" in told["error"]
    assert "holiday" in Path("state/testnet/HALT").read_text()


def test_a_verb_with_the_wrong_account_changes_nothing(capsys: Capture) -> None:
    journal_in(Path("state/mine"))
    Path("ready.json").write_text(json.dumps(READY))
    words = ["halt", "--state-dir", "state/mine", "--profile", PAPER, "--exchange", "ready.json"]
    assert main(words) == 1
    assert "tells of another account" in capsys.readouterr().err


def test_a_verb_takes_no_paper_exchange_to_another_venue(capsys: Capture) -> None:
    journal_in(Path("state/mine"))
    testnet = str(ROOT / "profiles/btc_production_testnet.yaml")
    words = ["pause", "--state-dir", "state/mine", "--profile", testnet, "--exchange", "ready.json"]
    assert main(words) == 2
    assert "--exchange is for venue paper" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_daemon_that_hangs_is_named_by_its_pid(capsys: Capture) -> None:
    journal_in(Path("state/testnet"))
    with StateLock(Path("state/testnet")):
        assert main(["halt"]) == 1
    said = capsys.readouterr().err
    assert f"process {os.getpid()} holds" in said
    assert Path("state/testnet/HALT").exists()


def test_a_second_run_is_refused_before_it_touches_anything(capsys: Capture) -> None:
    with StateLock(Path("state/mine")):
        assert main(["run", "--profile", PAPER, "--state-dir", "state/mine"]) == 1
    assert f"in use by process {os.getpid()}" in capsys.readouterr().err
    assert os.listdir("state/mine") == ["daemon.lock"]


def test_the_newest_directory_that_answers_is_meant(capsys: Capture) -> None:
    journal_in(Path("state/paper/new"))
    (Path("state/dead")).mkdir()
    Path("state/dead/control.sock").touch()
    code, _ = with_daemon(Path("state/paper/old"), ["status"], {"a": 1})
    assert code == 0
    assert "state/paper/old (daemon answers)" in capsys.readouterr().err
    Path("state/paper/old/control.sock").unlink(missing_ok=True)
    assert main(["status"]) == 0
    assert "state/paper/new (no daemon, from its journal)" in capsys.readouterr().err


def test_gates_need_a_daemon(capsys: Capture) -> None:
    journal_in(Path("state/testnet"))
    assert main(["gates"]) == 1
    assert main(["why-not", "BTCUSDT"]) == 1
    assert "known to a running daemon only" in capsys.readouterr().err


def journal_in(state_dir: Path) -> None:
    from tests.journal_kit import journal

    asyncio.run(journal(state_dir / "journal.sqlite").close())
