"""A fleet on one PostgreSQL: processes that serve Slack, processes that send, and the stand-ins they all reach."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from sandbox.carriers.server import CarrierSandbox
from sandbox.demo import Demo, Settings, end, free_port
from sandbox.slack.core import Core
from sandbox.slack.server import HOST
from tests.e2e.person import BEN, MARKETING, Person
from tests.e2e.world import PATIENT, RECEIPT_DELAY

MIGRATE = (sys.executable, "-m", "bot", "migrate")
RUN = (sys.executable, "-m", "bot", "run", "--without-sending")
WORKER = (sys.executable, "-m", "bot", "worker")
# Set to nothing, as deploy/ does it.
WITHOUT_SLACK = dict.fromkeys(("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL"), "")


class Fleet:
    """Processes by name; each has a log. One `run` receives what the carrier reports."""

    def __init__(self, folder: Path, database_url: str) -> None:
        settings = Settings(port=0, data=folder / "data", receipt_delay=RECEIPT_DELAY, timings=PATIENT)
        self._demo = Demo(settings, lambda line: None)
        self._database_url = database_url
        self._folder = folder
        self._processes: dict[str, Process] = {}
        self._receipts_port = free_port()
        self._session = aiohttp.ClientSession()

    @property
    def carrier(self) -> CarrierSandbox:
        return self._demo.carrier

    @property
    def slack(self) -> Core:
        """The workspace from the inside, for what nobody can do on the page."""
        return self._demo.slack.core

    @property
    def ben(self) -> Person:
        """The marketing person."""
        return Person(self._session, self._demo.slack.url, BEN, MARKETING)

    async def open(self) -> None:
        """Start the stand-ins and make the schema."""
        await self._demo.open()
        migrating = await self._start("migrate", MIGRATE, free_port())
        assert await migrating.wait() == 0, self.log("migrate")

    async def close(self) -> None:
        """Stop every process, and then the stand-ins."""
        await asyncio.gather(*(end(process) for process in self._processes.values()))
        await self._session.close()
        await self._demo.close()

    async def start_run(self, name: str, *, receipts: bool = False) -> None:
        """Returns when it is connected to Slack. The carrier sends its receipts to the one with `receipts`."""
        self._processes[name] = await self._start(name, RUN, self._receipts_port if receipts else free_port())
        await self.until(lambda: "bot.started" in self.log(name), 30)

    async def start_worker(self, name: str) -> None:
        """Returns when it takes batches. It knows nothing of Slack."""
        self._processes[name] = await self._start(name, WORKER, free_port(), **WITHOUT_SLACK)
        await self.until(lambda: "worker.started" in self.log(name), 30)

    async def kill(self, name: str) -> None:
        """SIGKILL: no signal handler, no last word."""
        process = self._processes.pop(name)
        process.kill()
        await process.wait()

    async def until(self, look: Callable[[], object], seconds: float) -> float:
        """Wait until `look` returns something true; how many seconds that took."""
        began = time.monotonic()
        while not look():
            ended = [name for name, process in self._processes.items() if process.returncode is not None]
            assert not ended, f"{ended} ended: {[self.log(name)[-2000:] for name in ended]}"
            assert time.monotonic() < began + seconds, f"it did not happen in {seconds} s"
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    def log(self, name: str) -> str:
        """What a process has said until now."""
        path = self._folder / f"{name}.log"
        return path.read_text("utf-8") if path.exists() else ""

    async def _start(self, name: str, command: tuple[str, ...], port: int, **settings: str) -> Process:
        return await self._demo.start(
            command,
            self._folder / f"{name}.log",
            DATABASE_URL=self._database_url,
            HTTP_PORT=str(port),
            PUBLIC_URL=f"http://{HOST}:{self._receipts_port}",
            **settings,
        )


@asynccontextmanager
async def a_fleet(folder: Path, database_url: str) -> AsyncIterator[Fleet]:
    """The stand-ins and a schema, until the end of the block; nothing of it is left then."""
    fleet = Fleet(folder, database_url)
    try:
        await fleet.open()
        yield fleet
    finally:
        await fleet.close()
