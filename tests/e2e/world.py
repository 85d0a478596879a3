"""The sandbox in the test's own process, and the bot, unchanged, as a child process that a test may kill."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from sandbox.carriers.server import CarrierSandbox
from sandbox.carriers.tencent import TencentSandbox
from sandbox.demo import Demo, Settings, end
from sandbox.slack.core import Core, Timings
from tests.e2e.person import MARKETING, Person

RECEIPT_DELAY = (0.05, 0.3)
# Slack waits 3 s; several worlds on a small machine may need more.
PATIENT = Timings(acknowledge=15.0, trigger=15.0)


class World:
    """A workspace, a carrier and the bot; what the tests look at from the outside."""

    def __init__(self, data: Path, *, http: bool = False, carrier: str = "huawei") -> None:
        settings = Settings(port=0, http=http, data=data, receipt_delay=RECEIPT_DELAY, timings=PATIENT, carrier=carrier)
        self._demo = Demo(settings, lambda line: None)
        self._bot: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def carrier(self) -> CarrierSandbox:
        return self._demo.carrier

    @property
    def slack(self) -> Core:
        """The workspace from the inside, for what nobody can do on the page."""
        return self._demo.slack.core

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._demo.slack.url

    @property
    def bot_url(self) -> str:
        """Where the bot listens."""
        return f"http://127.0.0.1:{self._demo.bot_port}"

    @property
    def database_url(self) -> str:
        """To look at what is recorded."""
        return f"sqlite:///{self._demo.data / 'sms.db'}"

    @property
    def bot_log(self) -> str:
        return self._demo.log.read_text("utf-8")

    async def start(self) -> None:
        """Returns when the bot is connected."""
        self._session = aiohttp.ClientSession()
        await self._demo.open()
        await self.start_bot()

    async def stop(self) -> None:
        if self._bot is not None:
            await end(self._bot)
        if self._session is not None:
            await self._session.close()
        await self._demo.close()

    async def start_bot(self) -> float:
        """Returns how many seconds it took until the bot was connected."""
        began = time.monotonic()
        self._bot = await self._demo.start_bot()
        await self.until(lambda: self._demo.slack.connected)
        # Nobody answers in the other worlds, and asking for the addresses takes a second.
        if isinstance(self._demo.carrier, TencentSandbox):
            await self._demo.tell_carrier()
        return time.monotonic() - began

    async def kill_bot(self) -> None:
        """SIGKILL: no signal handler, no last word."""
        assert self._bot is not None
        self._bot.kill()
        await self._bot.wait()
        await self.until(lambda: not self._demo.slack.connected or self._demo.settings.http)

    async def stop_bot(self) -> float:
        """SIGTERM, as systemd and every container engine do. Returns how many seconds it took to end, and well."""
        assert self._bot is not None
        began = time.monotonic()
        self._bot.terminate()
        assert await self._bot.wait() == 0, self._last()
        self._bot = None
        return time.monotonic() - began

    async def until(self, look: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until `look` returns something true."""
        end_at = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < end_at, f"it did not happen in {seconds} s; the bot's log ends:\n{self._last()}"
            assert self._bot is None or self._bot.returncode in (None, -9), f"the bot ended:\n{self._last()}"
            await asyncio.sleep(0.05)

    def person(self, user: str, channel: str = MARKETING) -> Person:
        assert self._session is not None
        return Person(self._session, self.url, user, channel)

    def taken(self) -> Counter[str]:
        """How often the carrier took each number."""
        return Counter(entry.number for entry in self.carrier.log)

    def _last(self) -> str:
        return "\n".join(self.bot_log.splitlines()[-15:])


@asynccontextmanager
async def running(data: Path, *, http: bool = False, carrier: str = "huawei") -> AsyncIterator[World]:
    """A world from start to stop. By then its bot must not have logged a defect of its own."""
    world = World(data, http=http, carrier=carrier)
    try:
        await world.start()
        yield world
        assert '"level": "error"' not in world.bot_log, world.bot_log
    finally:
        await world.stop()
