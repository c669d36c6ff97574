import subprocess
import sys

COUNTED = "import skalp_bot.exch.exchange, sys; print(len([n for n in sys.modules if n.startswith('ccxt')]))"
OTHERS = """
import skalp_bot.exch.exchange, ccxt, ccxt.async_support, ccxt.pro
assert issubclass(ccxt.pro.binanceusdm, ccxt.async_support.binance)
assert issubclass(ccxt.binanceusdm, ccxt.Exchange)
assert issubclass(ccxt.async_support.kraken, ccxt.async_support.base.exchange.Exchange)
assert issubclass(ccxt.RequestTimeout, ccxt.NetworkError)
try:
    ccxt.nobody
except AttributeError as error:
    print(error)
"""

PONG = """
from skalp_bot.exch.ccxt_binance import PushedClient
client = PushedClient.__new__(PushedClient)
client.ponged()
print(client.lastPong)
"""


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_adapter_imports_one_exchange_and_not_all_of_them() -> None:
    assert int(said(COUNTED)) < 60


def test_other_exchanges_of_ccxt_are_still_there_when_asked_for() -> None:
    assert "no attribute 'nobody'" in said(OTHERS)


def test_a_pong_is_noted_where_only_one_exchange_was_imported() -> None:
    assert int(said(PONG)) > 1_700_000_000_000


def test_the_client_of_the_blocking_flavour_is_spared_and_left_to_whoever_wants_it() -> None:
    program = """
import skalp_bot.exch.exchange, sys
print("requests" in sys.modules, "urllib3" in sys.modules)
import requests
print(issubclass(requests.HTTPError, requests.RequestException), bool(requests.Session().headers))
"""
    assert said(program) == "False False\nTrue True\n"
