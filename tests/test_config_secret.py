"""Keys are read once and shown never."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from aurora.errors import ConfigError
from skalp_bot.config import Secret, take_keys

CANARY = "canary0123456789"


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret(CANARY)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>30}", repr([secret])):
        assert CANARY not in shown
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not written anywhere"):
            leak(secret)
    assert secret.reveal() == CANARY


def test_keys_are_taken_out_of_the_environment() -> None:
    environ = {"BINANCE_API_KEY": CANARY, "BINANCE_API_SECRET": f" {CANARY}2\n", "HOME": "/"}
    keys = take_keys(environ)
    assert keys is not None
    assert (keys.api_key.reveal(), keys.api_secret.reveal()) == (CANARY, f"{CANARY}2")
    assert environ == {"HOME": "/"}
    assert CANARY not in repr(keys)


def test_keys_may_stand_in_files(tmp_path: Path) -> None:
    for name in ("key", "secret"):
        (tmp_path / name).write_text(f"{CANARY}-{name}\n")
    environ = {
        "BINANCE_API_KEY_FILE": str(tmp_path / "key"),
        "BINANCE_API_SECRET_FILE": str(tmp_path / "secret"),
    }
    keys = take_keys(environ)
    assert keys is not None
    assert keys.api_secret.reveal() == f"{CANARY}-secret"
    assert environ == {}


def test_no_keys_are_no_keys() -> None:
    assert take_keys({}) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BINANCE_API_KEY": CANARY}, "BINANCE_API_SECRET is missing"),
        ({"BINANCE_API_SECRET": CANARY}, "BINANCE_API_KEY is missing"),
        ({"BINANCE_API_KEY": CANARY, "BINANCE_API_KEY_FILE": "x"}, "both set"),
        ({"BINANCE_API_KEY_FILE": "/nowhere"}, "BINANCE_API_KEY_FILE /nowhere cannot be read"),
        ({"BINANCE_API_KEY_FILE": "/dev/null"}, "is empty"),
    ],
)
def test_half_a_key_is_refused_without_showing_it(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        take_keys(environ)
    assert said in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_child_of_this_process_does_not_inherit_them() -> None:
    program = (
        "import os, subprocess, sys; from skalp_bot.config.secret import take_keys; take_keys(os.environ);"
        "print(subprocess.run(['env'], capture_output=True, text=True).stdout)"
    )
    environ = {**os.environ, "BINANCE_API_KEY": CANARY, "BINANCE_API_SECRET": CANARY}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert "PATH=" in ran.stdout
    assert CANARY not in ran.stdout
