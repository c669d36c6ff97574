"""The port for machines: metrics, whether the loop lives, whether it is ready to trade, what it is."""

import asyncio
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from aiohttp import web

from skalp_bot.obs.metrics import Page

TEXT = "text/plain; version=0.0.4; charset=utf-8"
STALE_BEAT_S = 5.0
LIBRARIES = ("ccxt", "aiohttp", "uvloop", "apsw", "orjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """What the server asks, at the moment it is asked."""

    page: Callable[[], Page]
    beat_age_s: Callable[[], float]
    missing: Callable[[], list[str]]  # Why no entry is possible now; empty when ready.


class HealthServer:
    """``port`` is known after ``start``; a given port of 0 takes a free one."""

    def __init__(self, *, host: str, port: int, pulses: Pulses, about: dict[str, Any]) -> None:
        self.host, self.port = host, port
        self._pulses = pulses
        self._about = versions() | about
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """OSError when the port cannot be had."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/version", self._version)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        """Gathered here, written off the loop: a scrape must not hold up a tick."""
        page = self._pulses.page()
        text = await asyncio.get_running_loop().run_in_executor(None, page.text)
        return web.Response(body=text, headers={"Content-Type": TEXT})

    async def _livez(self, _request: web.Request) -> web.Response:
        age = self._pulses.beat_age_s()
        return answered({"alive": age < STALE_BEAT_S, "beat_age_s": round(age, 3)}, ok=age < STALE_BEAT_S)

    async def _readyz(self, _request: web.Request) -> web.Response:
        missing = self._pulses.missing()
        return answered({"ready": not missing, "missing": missing}, ok=not missing)

    async def _version(self, _request: web.Request) -> web.Response:
        return answered(self._about, ok=True)


def answered(body: dict[str, Any], *, ok: bool) -> web.Response:
    status = 200 if ok else 503
    return web.Response(body=orjson.dumps(body) + b"\n", status=status, content_type="application/json")


def versions() -> dict[str, Any]:
    """Ours, Python's and those of the libraries that touch the wire and the disk."""
    return {
        "version": version_of("skalp-bot"),
        "python": platform.python_version(),
        **{name: version_of(name) for name in LIBRARIES},
    }


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
