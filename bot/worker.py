"""A process that only sends: one of any number, beside those that serve Slack, on the same PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from aiohttp import web

from bot.config import BadConfig, Config
from bot.health import Health, database_part
from bot.metrics import Metrics
from bot.process import process_name
from bot.sending import Connected, Sending, connect, use_queue
from bot.web import listen, signs_of_life
from services.carriers.http import Http
from services.clock import Clock, SystemClock
from services.content import Content
from services.database import Database
from services.figures import FigureReader

log = structlog.get_logger()

HTTP_SECONDS = 2.0


class Worker:
    """The running program. `start()` returns when it takes batches; `stop()` when those under way are recorded."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._database = Database(config.database_url)
        if self._database.is_sqlite:
            raise BadConfig("DATABASE_URL: workers need PostgreSQL; with SQLite `python -m bot run` sends by itself.")
        use_queue(self._database)
        self._metrics = Metrics(FigureReader(self._database, self._clock).read, list)
        self._http = Http(
            connect_seconds=config.carrier_connect_seconds,
            read_seconds=config.carrier_read_seconds,
            connections=100 * len(config.applications),
        )
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="dispatch")
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
        parts.callback(self._database.close)
        parts.callback(self._threads.shutdown)
        self._database.check_schema()
        connected = self._connect()
        parts.push_async_callback(self._http.close)
        sending = Sending(
            connected,
            self._database,
            self._clock,
            self._metrics,
            public_url=self._config.public_url,
            owner=process_name(self._database),
            executor=self._threads,
            request_timeout=timedelta(seconds=self._http.longest_seconds),
        )
        await self._serve_http()
        sending.start()
        parts.push_async_callback(sending.stop)
        log.info("worker.started", applications=len(connected))

    def _connect(self) -> list[Connected]:
        """The applications of the settings that a `run` has entered into the database."""
        connected = [
            connect(settings, known, self._database, self._clock, self._http, self._threads)
            for workspace, name, known in Content(self._database).declared()
            for settings in self._config.applications
            if settings.name == name and settings.workspace in (None, workspace)
        ]
        if not connected:
            raise BadConfig(
                "No application of the settings is in the database yet: start `python -m bot run` first, with the same "
                "settings."
            )
        return connected

    async def _serve_http(self) -> None:
        health = Health({"database": database_part(self._database)})
        self._parts.push_async_callback(health.stop)
        app = web.Application()
        app.router.add_routes(signs_of_life(health, self._metrics))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SECONDS)
        self._parts.push_async_callback(runner.cleanup)
        await listen(runner, self._config.http_host, self._config.http_port)
