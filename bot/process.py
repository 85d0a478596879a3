"""What `run` and `worker` both have, and how the process as a whole is set up."""

from __future__ import annotations

import gc
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

from aiohttp import web

from bot.application_settings import ApplicationSettings
from bot.bad_config import BadConfig
from bot.config import WorkerConfig
from bot.metrics import Metrics
from bot.scheduler import TickAge
from bot.sending import Connected, Sending, connect, use_queue
from bot.web import listen
from services.carriers.http import Http
from services.clock import Clock, SystemClock
from services.content import DeclaredApplication
from services.database import Database
from services.figures import FigureReader
from services.leases import TICKS, Leases, is_copy

# How long a stop waits for open HTTP requests.
HTTP_SECONDS = 2.0

# New objects until Python looks for those that refer to each other in a circle. Its own 700 are there after half a
# batch, and looking took a quarter of the time of sending.
_LOOK_AFTER = 20_000


class Process:
    """The database, the figures, and what it takes to send: connections to carriers, and threads that record.

    `ages` are those of its ticks, if it has any.
    """

    def __init__(
        self, config: WorkerConfig, clock: Clock | None, ages: Callable[[], Iterable[TickAge]] = tuple
    ) -> None:
        self._config = config
        self.clock = clock or SystemClock()
        self.database = Database(config.database_url)
        use_queue(self.database)
        self.name = process_name(self.database)
        self.metrics = Metrics(FigureReader(self.database, self.clock).read, ages)
        self.leases = Leases(self.database, self.clock, self.name)
        self._http = Http(
            connect_seconds=config.carrier_connect_seconds,
            read_seconds=config.carrier_read_seconds,
            connections=100 * len(config.applications),
        )
        # SQLite has one writer; a second thread would only wait for the first.
        threads = 1 if self.database.is_sqlite else 8
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")

    def close_with(self, parts: AsyncExitStack) -> None:
        """Push it first: everything else is made from it."""
        parts.callback(self.database.close)
        parts.callback(self._threads.shutdown)
        parts.push_async_callback(self._http.close)

    def refuse_beside_a_copy(self) -> None:
        """Raises BadConfig where `copy-database` copies this database: what is sent meanwhile would be sent again."""
        if is_copy(self.leases.holder(TICKS)):
            raise BadConfig(
                "DATABASE_URL: copy-database copies this database: wait until it has ended (half a minute where it was "
                "killed). What has been copied to PostgreSQL must never be started on SQLite again."
            )

    def connect(self, settings: ApplicationSettings, workspace: str, known: DeclaredApplication) -> Connected:
        """An application ready to send."""
        return connect(settings, workspace, known, self.database, self.clock, self._http, self._threads)

    def make_sending(self, connected: Sequence[Connected]) -> Sending:
        """What sends for these applications, once it is started."""
        return Sending(
            connected,
            self.database,
            self.clock,
            self.metrics,
            public_url=self._config.public_url,
            owner=self.name,
            executor=self._threads,
            request_timeout=timedelta(seconds=self._http.longest_seconds),
        )

    async def serve_http(self, app: web.Application, parts: AsyncExitStack) -> int:
        """Until `parts` are closed; the port: HTTP_PORT, or for 0 the one the system chose. Raises BadConfig."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SECONDS)
        parts.push_async_callback(runner.cleanup)
        return await listen(runner, self._config.http_host, self._config.http_port)


def spare_the_collector() -> None:
    """Let Python look for circular garbage less often. Nearly all of ours is freed without it."""
    gc.freeze()
    gc.set_threshold(_LOOK_AFTER, 20, 20)


def process_name(database: Database) -> str:
    """What this process is called where several share a database. SQLite has but one, the same after a restart.

    Host and number alone are those of two containers that share the host's name.
    """
    if database.is_sqlite:
        return "embedded"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
