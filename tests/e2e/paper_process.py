"""A paper exchange as a child process, and a plain HTTP client for it."""

import contextlib
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

QUIET = """
begin: launch
symbols:
  BTCUSDT: {price: 60000, spread: 0.1, qty: 5, levels: 20}
steps:
  - steady: {seconds: 3600, rate: 20, trades_every: 5}
"""


@dataclass(slots=True)
class Venue:
    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    trust: ssl.SSLContext | None = None

    def request(self, method: str, path: str, query: str = "", body: str = "") -> tuple[int, Any]:
        url = self.ready["rest"] + path + (f"?{query}" if query else "")
        request = urllib.request.Request(url, method=method, data=body.encode() if body else None)
        request.add_header("X-MBX-APIKEY", self.ready["api_key"])
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.trust) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def call(self, method: str, path: str, **params: object) -> Any:
        text = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        secret = self.ready["api_secret"].encode()
        text += "&signature=" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        status, answer = (
            self.request(method, path, body=text) if method == "POST" else self.request(method, path, text)
        )
        assert status == 200, answer
        return answer


def launch(folder: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    market = folder / "market.yaml"
    if not market.exists():
        market.write_text(QUIET, encoding="utf-8")
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "skalp_bot.paper", "--market", f"script:{market}"]
    command += ["--symbols", "BTCUSDT", "--ready-file", str(ready), *arguments]
    return subprocess.Popen(command, stdin=stdin, stderr=(folder / "log.txt").open("ab"))


def wait_ready(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    ready = folder / "ready.json"
    for _ in range(400):
        if ready.exists():
            found: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
            return found
        assert process.poll() is None, (folder / "log.txt").read_text(encoding="utf-8")
        time.sleep(0.05)
    raise AssertionError("the exchange did not become ready within 20 s")


@contextlib.contextmanager
def running(folder: Path, *arguments: str, trust: ssl.SSLContext | None = None) -> Iterator[Venue]:
    process = launch(folder, *arguments)
    try:
        yield Venue(process, wait_ready(folder, process), trust)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
