"""The container as it is shipped, tried on a real engine; standard library only."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGE = os.environ.get("SKALP_IMAGE", "skalp-bot:local")
BASE = os.environ.get("BASE_IMAGE", "python:3.11-slim-bookworm")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
FILLS = "sum(skalp_fills_total)"
HELD = "sum(abs(skalp_position_quote))"
BACK_S = 90.0
# What a process in there may do; the volumes are written by the daemon itself, and tried by its trading.
INSIDE = """
import json, os
def writes(folder):
    try:
        open(folder + "/probe", "w").close()
    except OSError:
        return False
    return True
told = dict(line.split(":", 1) for line in open("/proc/1/status"))
folders = ("/", "/app", "/etc", "/opt/skalp-bot", "/run/skalp-bot", "/tmp", "/usr", "/var/lib")
print(json.dumps({
    "ids": [os.getuid(), os.getgid()],
    "capabilities": sum(int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")),
    "no_new_privileges": int(told["NoNewPrivs"]),
    "written": [folder for folder in folders if writes(folder)],
}))
"""


class BrokenError(Exception):
    """A promise that did not hold."""


def say(text: str) -> None:
    print(f"container_smoke: {text}", flush=True)


def run(*words: str, check: bool = True, environ: dict[str, str] | None = None) -> str:
    if shutil.which(words[0]) is None:
        raise BrokenError(f"{words[0]} is not here: install it")
    done = subprocess.run(
        words, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ
    )
    if check and done.returncode:
        raise BrokenError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def composer() -> list[str]:
    if shutil.which("docker") and "Docker Compose" in run("docker", "compose", "version", check=False):
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise BrokenError("neither `docker compose` nor `docker-compose` answers: install one of them")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """compose.yaml as one project with a name and a port of its own, so that it disturbs no other."""

    def __init__(self) -> None:
        self.words = composer()
        self.project = f"skalpsmoke{os.getpid()}"
        self.port = free_port()
        self.environ = os.environ | {"PROMETHEUS_PORT": str(self.port), "SKALP_IMAGE": IMAGE}

    def compose(self, *words: str, check: bool = True) -> str:
        return run(*self.words, "-p", self.project, *words, check=check, environ=self.environ)

    def container(self, service: str) -> str:
        found = self.compose("ps", "-a", "-q", service).split()
        if not found:
            raise BrokenError(f"service {service} has no container")
        return found[-1]

    def inspect(self, service: str, form: str) -> str:
        return run("docker", "inspect", "-f", form, self.container(service)).strip()

    def health(self, service: str) -> str:
        return self.inspect(service, "{{.State.Health.Status}}")

    def daemon_pid(self) -> int:
        """On the host: the child of the container's init, which is the daemon itself."""
        first = int(self.inspect("daemon", "{{.State.Pid}}"))
        lines = run("docker", "top", self.container("daemon"), "-eo", "pid,ppid,args").splitlines()[1:]
        for pid, parent, *args in (line.split() for line in lines):
            if int(parent) == first and "skalp-bot" in " ".join(args):
                return int(pid)
        raise BrokenError(f"no daemon below process {first}:\n" + "\n".join(lines))

    def ask(self, query: str) -> float | None:
        """The one value of a query; None while there is none."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                rows = json.loads(answer.read())["data"]["result"]
        except (urllib.error.URLError, OSError, ValueError):
            return None
        return float(rows[0]["value"][1]) if rows else None

    def value(self, query: str) -> float:
        found = self.ask(query)
        if found is None:
            raise BrokenError(f"Prometheus has no value for {query}")
        return found

    def until(self, what: str, holds: Callable[[], bool], seconds: float) -> float:
        """Seconds until it held."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > seconds:
                raise BrokenError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.5)
        took = time.monotonic() - began
        say(f"{what} ({took:.1f} s)")
        return took

    def firing(self, alert: str) -> bool:
        return self.ask(f'ALERTS{{alertname="{alert}",alertstate="firing"}}') == 1

    def tell(self, *words: str) -> dict[str, object]:
        """A command inside the daemon's container."""
        out = self.compose("exec", "-T", "daemon", "skalp-bot", *words, "--json")
        told = [line for line in out.splitlines() if line.startswith("{")]
        if not told:
            raise BrokenError(f"skalp-bot {' '.join(words)} answered:\n{out}")
        return dict(json.loads(told[-1]))


def kill(pid: int) -> None:
    """From the host, or through a container that sees the host's processes where we may not."""
    try:
        os.kill(pid, 9)
    except (PermissionError, ProcessLookupError):
        words = ("docker", "run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "python", IMAGE)
        run(*words, "-c", f"import os; os.kill({pid}, 9)")


def build() -> float:
    arguments = [word for name in PROXIES if os.environ.get(name) for word in ("--build-arg", name)]
    began = time.monotonic()
    run(
        "docker",
        "build",
        "--network",
        "host",
        "--build-arg",
        f"BASE_IMAGE={BASE}",
        *arguments,
        "-t",
        IMAGE,
        ".",
    )
    return time.monotonic() - began


def trades(stack: Stack) -> dict[str, object]:
    """Up, scraped, and a fill counter that moves."""
    up_s = stack.until("Prometheus sees the daemon up", lambda: stack.ask('up{job="skalp-bot"}') == 1, 120)
    stack.until("the daemon is ready", lambda: stack.ask("skalp_ready") == 1, 60)
    stack.until("a fill was counted", lambda: (stack.ask(FILLS) or 0) > 0, 120)
    return {"up_s": round(up_s, 1)}


def hardened(stack: Stack) -> None:
    form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}}"
    found = stack.inspect("daemon", form)
    if found != "true [ALL] 10001:10001":
        raise BrokenError(f"read-only root, no capabilities and no root were promised, found: {found}")
    inside = stack.compose("exec", "-T", "daemon", "python", "-c", INSIDE)
    seen = json.loads(inside.splitlines()[-1])
    if seen != {"ids": [10001, 10001], "capabilities": 0, "no_new_privileges": 1, "written": ["/tmp"]}:
        raise BrokenError(f"inside, no rights and no writable place but memory were promised, found: {seen}")
    say(
        "read-only root, no capabilities, no new privileges, user 10001: as promised, and as seen from inside"
    )
    stack.until("its HEALTHCHECK says healthy", lambda: stack.health("daemon") == "healthy", 30)


def comes_back(stack: Stack) -> dict[str, object]:
    """kill -9, and the same books go on."""
    stack.until("a position is held", lambda: (stack.ask(HELD) or 0) > 0, 60)
    started, trips = stack.value("skalp_start_time_seconds"), stack.value(FILLS)
    pid = stack.daemon_pid()
    kill(pid)
    say(f"killed process {pid} after {trips:.0f} fills")

    def anew() -> bool:
        return (stack.ask("skalp_start_time_seconds") or 0) > started

    back_s = stack.until("a new process answers", anew, BACK_S)
    ready_s = stack.until("it is ready: streams up, books agreed", lambda: stack.ask("skalp_ready") == 1, 60)
    status = stack.tell("status")
    if status["reconciled_age_s"] is None or status["drift_open"]:
        raise BrokenError(f"the new process has not reconciled with the exchange: {status}")
    say(f"it reconciled with the exchange {status['reconciled_age_s']} s ago")
    before = stack.value(FILLS)
    stack.until("it trades again", lambda: (stack.ask(FILLS) or 0) > before, 120)
    if stack.inspect("daemon", "{{.RestartCount}}") != "1":
        raise BrokenError(f"one restart was expected, found {stack.inspect('daemon', '{{.RestartCount}}')}")
    return {"back_s": round(back_s, 1), "ready_s": round(back_s + ready_s, 1)}


def agrees(stack: Stack) -> dict[str, object]:
    """Nothing open between our books and the exchange's, every cent explained, nothing unprotected."""

    def settled() -> bool:
        zeros = ("sum(skalp_drift_open)", "abs(skalp_wallet_residual_quote)", "skalp_orders_unknown")
        return all(stack.ask(query) == 0 for query in zeros)

    stack.until("drift 0, residual 0, unknown orders 0", settled, 60)
    gap = stack.value("skalp_protection_gap_seconds_max")
    if gap > 3:
        raise BrokenError(f"a position had no listed stop for {gap:.1f} s, limit 3 s")
    return {"protection_gap_s_max": round(gap, 3)}


def alerts(stack: Stack) -> dict[str, object]:
    halt = stack.tell("halt", "--reason", "smoke")
    fired = stack.until("SkalpHalted fires", lambda: stack.firing("SkalpHalted"), 60)
    stack.tell("resume", str(halt["halt_id"]), "--reason", "smoke")
    cleared = stack.until("SkalpHalted clears", lambda: not stack.firing("SkalpHalted"), 60)
    return {"alert_fired_s": round(fired, 1), "alert_cleared_s": round(cleared, 1)}


def stops(stack: Stack) -> dict[str, object]:
    began = time.monotonic()
    stack.compose("stop", "-t", "60", "daemon")
    took = time.monotonic() - began
    code = stack.inspect("daemon", "{{.State.ExitCode}}")
    if code != "0" or took > 30:
        raise BrokenError(f"a stop must end with 0 within 30 s, it ended with {code} after {took:.1f} s")
    say(f"SIGTERM ended it with 0 ({took:.1f} s)")
    return {"stop_s": round(took, 1)}


@contextlib.contextmanager
def up(*, keep: bool) -> Iterator[Stack]:
    stack = Stack()
    try:
        stack.compose("up", "-d", "--no-build")
        yield stack
    except BrokenError:
        sys.stderr.write(stack.compose("ps", check=False))
        sys.stderr.write(stack.compose("logs", "--tail", "40", check=False)[-8000:])
        raise
    finally:
        if keep:
            say(f"kept: {' '.join(stack.words)} -p {stack.project} down -v")
        else:
            stack.compose("down", "-v", "--remove-orphans", "-t", "5", check=False)


def main(arguments: list[str]) -> int:
    told: dict[str, object] = {}
    try:
        if "--no-build" not in arguments:
            told["build_s"] = round(build(), 1)
        size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", IMAGE))
        base = int(run("docker", "image", "inspect", "-f", "{{.Size}}", BASE, check=False).strip() or 0)
        told |= {"image_mb": round(size / 1e6, 1), "ours_mb": round((size - base) / 1e6, 1)}
        say(f"image {IMAGE}: {told['image_mb']} MB, of these {told['ours_mb']} MB above its base")
        with up(keep="--keep" in arguments) as stack:
            told |= trades(stack)
            hardened(stack)
            told |= comes_back(stack)
            told |= agrees(stack)
            told |= alerts(stack)
            told |= stops(stack)
    except BrokenError as broken:
        say(f"FAILED: {broken}")
        print(json.dumps({"ok": False, **told}))
        return 1
    print(json.dumps({"ok": True, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
