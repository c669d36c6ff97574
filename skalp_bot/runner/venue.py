"""How a run reaches its venue: a paper exchange of its own, one that runs already, or Binance."""

import asyncio
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import aiohttp
import orjson

from aurora.errors import ConfigError
from skalp_bot.config import RunOptions, Secret, Venue
from skalp_bot.ports import Clock, Exchange, VenueError

READY_WAIT_S = 20.0
END_WAIT_S = 5.0
ASK_WAIT_S = 2.0
POLL_S = 0.02
LOG_TAIL = 2_000
USAGE = 2
# What nobody told: a venue without a tape, or an exchange that is gone. An unknown fault is not called none.
NO_TAPE: dict[str, int | None] = {"frames": 0, "sent": 0, "dropped": 0, "fills_beyond_displayed": None}


class FastExchange(Exchange, Protocol):
    """A venue that can be asked before everything about it is known."""

    async def connect_fast(self) -> None:
        """Learn the venue's time: enough to ask, cancel and submit."""
        ...

    def budget_use(self) -> tuple[tuple[str, float], ...]:
        """The share used of each of the venue's limits, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where to knock and with which keys; addresses are empty where the adapter knows them."""

    venue: Venue
    api_key: Secret
    api_secret: Secret
    rest_url: str = ""
    ws_url: str = ""
    instance: str = ""
    listed: tuple[str, ...] = ()  # What a paper exchange trades; empty where nobody said.


class PaperChild:
    """The paper exchange as a child; it ends when the pipe to us closes, also when we are killed."""

    def __init__(self, *, options: RunOptions, clock: Clock) -> None:
        self.log = options.state_dir / "exchange.log"
        self._ready = options.state_dir / "exchange.json"
        self._options = options
        self._clock = clock
        self._process: Process | None = None

    async def start(self) -> Access:
        self._ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            # A session of its own: a Ctrl-C meant for us must not take the venue away before we have stopped.
            self._process = await asyncio.create_subprocess_exec(
                *self.command(), stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(int(READY_WAIT_S / POLL_S)):
            if self._ready.exists():
                return access_of(self._ready)
            if self._process.returncode is not None:
                code = self._process.returncode  # It reads the market and the symbols; 2: they are not right.
                raise (ConfigError if code == USAGE else VenueError)(self._ended(code))
            await self._clock.sleep(POLL_S)
        raise VenueError(f"the paper exchange was not ready in {READY_WAIT_S:g} s; see {self.log}")

    def command(self) -> list[str]:
        market = self._options.config.market
        words = [sys.executable, "-m", "skalp_bot", "exchange", "--ready-file", str(self._ready)]
        words += ["--market", market.source, "--speed", str(market.speed), "--seed", str(market.seed)]
        words += ["--symbols", ",".join(self._options.config.aurora.symbols), "--exit-with-parent"]
        if self._options.resume_exchange:
            words += ["--state-dir", str(self._options.state_dir / "exchange")]
        return words

    async def watch(self) -> None:
        """Raise when it ends by itself: without a venue there is no run."""
        if self._process is not None:
            raise VenueError(self._ended(await self._process.wait()))

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_WAIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _ended(self, code: int) -> str:
        said = self.log.read_text(errors="replace")[-LOG_TAIL:].strip() if self.log.exists() else ""
        return f"the paper exchange ended with exit code {code}; see {self.log}\n{said}".strip()


async def tape_counted(access: Access) -> dict[str, int | None]:
    """bookTicker frames and impossible fills as a paper exchange counted them; ``NO_TAPE`` elsewhere."""
    if not access.rest_url:
        return NO_TAPE
    try:
        timeout = aiohttp.ClientTimeout(total=ASK_WAIT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{access.rest_url}/paper/v1/stats") as answer,
        ):
            told = orjson.loads(await answer.read())
            flat = {**told["bookTicker"], "fills_beyond_displayed": told["fills_beyond_displayed"]}
            return {name: int(flat[name]) for name in NO_TAPE}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return NO_TAPE


def child_for(options: RunOptions, clock: Clock) -> PaperChild | None:
    """The exchange a run has to start itself; None where one is there already."""
    own = options.config.venue is Venue.PAPER and options.exchange is None
    return PaperChild(options=options, clock=clock) if own else None


async def access_for(options: RunOptions, child: PaperChild | None) -> Access:
    """The way in: VenueError when there is none."""
    if child is not None:
        return await child.start()
    return keyed(options) if options.exchange is None else access_of(options.exchange)


def access_of(ready_file: Path) -> Access:
    """What a paper exchange wrote when it was ready."""
    try:
        told = orjson.loads(ready_file.read_bytes())
        return Access(
            venue=Venue.PAPER,
            api_key=Secret(told["api_key"]),
            api_secret=Secret(told["api_secret"]),
            rest_url=told["rest"],
            ws_url=told["ws"],
            instance=told["instance"],
            listed=tuple(told.get("symbols", ())),
        )
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise VenueError(
            f"ready file {ready_file} cannot be used ({type(error).__name__}: {error}): "
            "start `skalp-bot exchange --ready-file FILE` and name that file with --exchange"
        ) from None


def on_tape(options: RunOptions, access: Access) -> tuple[RunOptions, tuple[str, ...]]:
    """The options for the symbols a recording holds, and those of the profile it does not."""
    config = options.config
    if not config.market.source.startswith("tape:") or not access.listed:
        return options, ()
    played = tuple(symbol for symbol in config.aurora.symbols if symbol in access.listed)
    absent = tuple(symbol for symbol in config.aurora.symbols if symbol not in access.listed)
    if not played:
        raise ConfigError(
            f"symbols {', '.join(absent)}: none is on the tape, which holds {', '.join(access.listed)}"
        )
    aurora = config.aurora.model_copy(update={"symbols": played})
    loaded = replace(options.loaded, config=config.model_copy(update={"aurora": aurora}))
    return replace(options, loaded=loaded), absent


def keyed(options: RunOptions) -> Access:
    """Binance itself, with the keys from the environment."""
    if options.keys is None:
        raise VenueError(
            f"venue {options.config.venue} needs API keys: set BINANCE_API_KEY_FILE and "
            "BINANCE_API_SECRET_FILE (or the names without _FILE), trading allowed and withdrawal not"
        )
    keys = options.keys
    return Access(venue=options.config.venue, api_key=keys.api_key, api_secret=keys.api_secret)
