"""A fleet on one PostgreSQL: processes that serve Slack, processes that send, and the stand-ins they all reach."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import psycopg
from sqlalchemy import make_url

from sandbox.carriers.server import CarrierSandbox
from sandbox.demo import Demo, Settings, end, free_port
from sandbox.slack.core import Core
from tests.e2e.load_balancer import LoadBalancer
from tests.e2e.person import BEN, MARKETING, Person
from tests.e2e.world import PATIENT, RECEIPT_DELAY

MIGRATE = (sys.executable, "-m", "bot", "migrate")
RUN = (sys.executable, "-m", "bot", "run", "--without-sending")
WORKER = (sys.executable, "-m", "bot", "worker")
# Set to nothing, as deploy/ does it.
WITHOUT_SLACK = dict.fromkeys(("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL"), "")


class Fleet:
    """Processes by name; each has a log. At the public address stands the one `run` that receives what the carrier
    reports; where Slack comes over HTTP too, a load balancer in front of every `run`."""

    def __init__(self, folder: Path, database_url: str, *, http: bool) -> None:
        settings = Settings(port=0, http=http, data=folder / "data", receipt_delay=RECEIPT_DELAY, timings=PATIENT)
        self._demo = Demo(settings, lambda line: None)
        self._database_url = database_url
        self._folder = folder
        self._processes: dict[str, Process] = {}
        self._session = aiohttp.ClientSession()
        self.balancer = LoadBalancer()

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
        if self._demo.settings.http:
            await self.balancer.start(self._demo.bot_port)
        migrating = await self._start("migrate", MIGRATE, free_port())
        assert await migrating.wait() == 0, self.log("migrate")

    async def close(self) -> None:
        """Stop every process, and then the stand-ins."""
        await asyncio.gather(*(end(process) for process in self._processes.values()))
        await self._session.close()
        await self._demo.close()
        await self.balancer.stop()

    async def start_run(self, name: str, *, receipts: bool = False) -> None:
        """Returns when Slack can reach it. The one with `receipts` stands at the public address."""
        port = self._demo.bot_port if receipts else free_port()
        self._processes[name] = await self._start(name, RUN, port)
        await self.until(lambda: "bot.started" in self.log(name), 30)
        self.balancer.add(name, port)
        await self.until(lambda: self.slack.delivery.connected, 30)

    async def start_worker(self, name: str) -> None:
        """Returns when it takes batches. It knows nothing of Slack."""
        self._processes[name] = await self._start(name, WORKER, free_port(), **WITHOUT_SLACK)
        await self.until(lambda: "worker.started" in self.log(name), 30)

    def pid(self, name: str) -> int:
        """Of a process that runs."""
        return self._processes[name].pid

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
            **settings,
        )


@contextmanager
def a_database(postgresql_url: str, name: str) -> Iterator[str]:
    """A database of its own on the tests' PostgreSQL, until the end of the block; its address."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def a_fleet(folder: Path, database_url: str, *, http: bool = False) -> AsyncIterator[Fleet]:
    """The stand-ins and a schema, until the end of the block; nothing of it is left then."""
    fleet = Fleet(folder, database_url, http=http)
    try:
        await fleet.open()
        yield fleet
    finally:
        await fleet.close()
