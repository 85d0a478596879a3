"""A process that only sends: one of any number, beside those that serve Slack, on the same PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from bot.bad_config import BadConfig
from bot.config import WorkerConfig
from bot.health import Health, database_part
from bot.process import Process
from bot.sending import Connected
from bot.web import signs_of_life
from services.clock import Clock
from services.content import Content

log = structlog.get_logger()

# How soon a worker begins to send for an application that a `run` has entered after the worker's start.
LOOK_AGAIN_SECONDS = 60.0


class Worker:
    """The running program. `start()` returns when it takes batches; `stop()` when those under way are recorded.

    It neither ticks nor speaks to Slack: what it records, a `run` tells. `http_port` is where probes find it.
    """

    http_port: int

    def __init__(
        self, config: WorkerConfig, clock: Clock | None = None, look_again_seconds: float = LOOK_AGAIN_SECONDS
    ) -> None:
        """Raises BadConfig."""
        self._config = config
        self._look_again_seconds = look_again_seconds
        self._process = Process(config, clock)
        self._database = self._process.database
        if self._database.is_sqlite:
            raise BadConfig("DATABASE_URL: workers need PostgreSQL; with SQLite `python -m bot run` sends by itself.")
        self._parts = AsyncExitStack()

    async def start(self) -> None:
        """Raises BadConfig, SchemaMismatch or DatabaseUnavailable; what had been started by then is stopped."""
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise

    async def stop(self) -> None:
        """Take nothing new; requests under way end and are recorded, within about 12 s."""
        log.info("worker.stopping")
        await self._parts.aclose()
        log.info("worker.stopped")

    async def _start(self) -> None:
        parts = self._parts
        self._process.close_with(parts)
        self._database.check_schema()
        self._process.refuse_beside_a_copy()
        connected = self._connect()
        if not connected:
            raise BadConfig(
                "No application of the settings is in the database yet: start `python -m bot run` first, with the same "
                "settings."
            )
        self._sending = self._process.make_sending(connected)
        await self._serve_http()
        self._sending.start()
        parts.push_async_callback(self._stop_sending)
        log.info("worker.started", applications=len(connected))
        if missing := self._missing(connected):
            log.warning("applications.not_entered", applications=missing, again_in_seconds=self._look_again_seconds)
            looking = asyncio.create_task(self._take_up_missing(connected))
            parts.push_async_callback(_end, looking)

    async def _stop_sending(self) -> None:
        await self._sending.stop()

    def _connect(self) -> list[Connected]:
        """The applications of the settings that a `run` has entered into the database."""
        return [
            self._process.connect(settings, workspace, known)
            for workspace, name, known in Content(self._database).declared()
            for settings in self._config.applications
            if settings.name == name and settings.workspace in (None, workspace)
        ]

    def _missing(self, connected: list[Connected]) -> list[str]:
        """The names of the settings' other applications."""
        entered = [each.settings for each in connected]
        return [each.name for each in self._config.applications if each not in entered]

    async def _take_up_missing(self, connected: list[Connected]) -> None:
        """Send for the others too as soon as a `run` has entered them; until then the rest is sent for."""
        while self._missing(connected):
            await asyncio.sleep(self._look_again_seconds)
            try:
                found = await asyncio.to_thread(self._connect)
            except Exception:
                # The database may be away for a while.
                log.exception("applications.unknown")
                continue
            if len(self._missing(found)) < len(self._missing(connected)):
                # A failover may be among them, so all begin anew.
                await self._sending.stop()
                connected = found
                self._sending = self._process.make_sending(connected)
                self._sending.start()
                log.info("applications.taken_up", applications=len(connected), missing=self._missing(connected))

    async def _serve_http(self) -> None:
        health = Health({"database": database_part(self._database)})
        self._parts.push_async_callback(health.stop)
        app = web.Application()
        app.router.add_routes(signs_of_life(health, self._process.metrics))
        self.http_port = await self._process.serve_http(app, self._parts)


async def _end(looking: asyncio.Task[None]) -> None:
    looking.cancel()
    await asyncio.wait({looking})
