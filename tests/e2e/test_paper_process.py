"""The paper exchange as a process: ready, stopped, killed, restarted, orphaned, behind TLS."""

import datetime as dt
import ipaddress
import os
import signal
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.paper_process import launch, running, wait_ready

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "59000"}


def test_it_is_ready_when_it_says_so_and_ends_well_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        assert set(venue.ready) >= {"rest", "ws", "ws_api", "api_key", "api_secret", "instance"}
        assert venue.ready["rest"].startswith("http://127.0.0.1:")
        assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
        status, answer = venue.request("GET", "/fapi/v1/time")
        assert status == 200
        assert abs(answer["serverTime"] - time.time_ns() // 1_000_000) < 2000
        venue.process.send_signal(signal.SIGTERM)
        assert venue.process.wait(10) == 0


def test_wrong_options_are_named_and_end_with_2(tmp_path: Path) -> None:
    cases = [
        (["--set", "nonsense=1"], "--set nonsense: no such switch"),
        (["--set", "weight_1m=many"], "--set weight_1m=many: must be a whole number"),
        (["--symbols", "NOSUCH"], "NOSUCH"),
        (["--tls-cert", "/nowhere.pem"], "--tls-cert and --tls-key belong together"),
    ]
    for arguments, words in cases:
        process = launch(tmp_path, *arguments)
        assert process.wait(20) == 2
        assert words in (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()[-1]


def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    with running(tmp_path, *state) as venue:
        filled = venue.call(
            "POST",
            "/fapi/v1/order",
            symbol="BTCUSDT",
            side="BUY",
            type="MARKET",
            quantity="0.01",
            newOrderRespType="RESULT",
        )
        assert filled["status"] == "FILLED"
        resting = [
            venue.call("POST", "/fapi/v1/order", **ORDER, quantity="0.01", newClientOrderId=f"keep-{index}")
            for index in range(5)
        ]
        stop = venue.call(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_MARKET",
            triggerPrice="55000",
            closePosition="true",
        )
        wallet = venue.call("GET", "/fapi/v3/balance")
        key = venue.request("POST", "/fapi/v1/listenKey")[1]
        venue.process.kill()
        before = venue.ready
    with running(tmp_path, *state) as venue:
        for name in ("api_key", "api_secret", "instance"):
            assert venue.ready[name] == before[name]
        orders = venue.call("GET", "/fapi/v1/openOrders")
        assert [row["orderId"] for row in orders] == [row["orderId"] for row in resting]
        assert [row["algoId"] for row in venue.call("GET", "/fapi/v1/openAlgoOrders")] == [stop["algoId"]]
        [position] = venue.call("GET", "/fapi/v3/positionRisk")
        assert position["positionAmt"] == "0.010"
        assert venue.call("GET", "/fapi/v3/balance")[0]["balance"] == wallet[0]["balance"]
        assert venue.request("PUT", "/fapi/v1/listenKey")[1] == key
        again = venue.call("POST", "/fapi/v1/order", **ORDER, quantity="0.01")
        assert again["orderId"] > max(row["orderId"] for row in resting)


def test_one_state_directory_serves_one_exchange(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    with running(tmp_path, *state):
        second = launch(tmp_path, *state)
        assert second.wait(20) == 2
        assert "in use by another exchange" in (tmp_path / "log.txt").read_text(encoding="utf-8")


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_exchange_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    process = launch(tmp_path)  # only to write the market file
    process.kill()
    process.wait(10)
    ready = tmp_path / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "skalp_bot.paper", "--market", f"script:{tmp_path / 'market.yaml'}"]
    command += ["--symbols", "BTCUSDT", "--ready-file", str(ready), "--exit-with-parent"]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *command], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_ready(tmp_path, parent)
    parent.kill()
    parent.wait(10)
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the exchange outlived its parent by 10 s")


def alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] != "Z"


def test_it_speaks_tls_under_a_given_certificate(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "paper exchange")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
    )
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    trust = ssl.create_default_context(cafile=str(files[0]))
    options = ("--tls-cert", str(files[0]), "--tls-key", str(files[1]))
    with running(tmp_path, *options, trust=trust) as venue:
        assert venue.ready["rest"].startswith("https://")
        assert venue.ready["ws"].startswith("wss://")
        assert venue.request("GET", "/fapi/v1/ping") == (200, {})
