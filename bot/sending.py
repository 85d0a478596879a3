"""The part of a process that hands batches to carriers: the loop of one process, or a worker of a fleet's queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from bot.application_settings import ApplicationSettings
from bot.carriers import make_carrier
from bot.metrics import Metrics
from bot.observed_carrier import ObservedCarrier
from bot.web import ReceiptsAddress
from services.batch_queue import ProcrastinateQueue, QueueWorker, queue_app
from services.carriers.http import Http
from services.carriers.ports import Carrier
from services.clock import Clock
from services.content import DeclaredApplication
from services.database import Database
from services.dispatch import Dispatch
from services.fleet_rate import FleetRate
from services.rate import Rate, RateLimit
from services.senders import Sender, connections_for

log = structlog.get_logger()

# How long a stop waits for requests at carriers.
SENDING_SECONDS = 11.0
AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Connected:
    """An application with its carrier, its rate, its id in the database and where its receipts come in."""

    settings: ApplicationSettings
    workspace_id: str
    carrier: Carrier
    rate: Rate
    address: ReceiptsAddress

    def is_failover_of(self, other: Connected) -> bool:
        """Whether the settings name it so; names are each workspace's own."""
        return self.settings.name == other.settings.failover and self.workspace_id == other.workspace_id

    @property
    def connections(self) -> int:
        """How many of its requests may be under way in this process."""
        return self.settings.connections or connections_for(self.carrier, self.settings.requests_per_second)


def connect(
    settings: ApplicationSettings,
    workspace_id: str,
    known: DeclaredApplication,
    database: Database,
    clock: Clock,
    http: Http,
    executor: Executor,
) -> Connected:
    """An application ready to send. On PostgreSQL its rate holds over every process that sends for it."""
    per_second = settings.requests_per_second
    rate: Rate = (
        RateLimit(per_second) if database.is_sqlite else FleetRate(database, clock, executor, known.id, per_second)
    )
    carrier = make_carrier(settings, http, clock, rate.acquire)
    return Connected(settings, workspace_id, carrier, rate, ReceiptsAddress(known.id, known.receipts_token, carrier))


def failovers(connected: Sequence[Connected]) -> dict[int, int]:
    """The id of the application that takes over, by that of the one it takes over from."""
    return {
        one.address.application_id: other.address.application_id
        for one in connected
        for other in connected
        if other.is_failover_of(one)
    }


def use_queue(database: Database) -> None:
    """Tell a fleet's workers of batches; SQLite has one process, which looks for them itself."""
    if not database.is_sqlite:
        database.queue = ProcrastinateQueue(queue_app(database.conninfo))


class Sending:
    """Sends for these applications. `owner` names the process; on SQLite it is the same after a restart."""

    def __init__(
        self,
        connected: Sequence[Connected],
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        public_url: str | None,
        owner: str,
        executor: Executor,
        request_timeout: timedelta,
    ) -> None:
        self._database = database
        self._owner = owner
        self._at_once = {each.address.application_id: each.connections for each in connected}
        self._worker: QueueWorker | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        takes_over = failovers(connected)
        senders = [
            Sender(
                application_id=each.address.application_id,
                carrier=ObservedCarrier(
                    each.carrier, partial(metrics.batch_answered, each.settings.name, each.settings.carrier)
                ),
                rate=each.rate,
                receipts_url=f"{public_url}{each.address.path}" if public_url else None,
                connections=each.connections,
                failover=takes_over.get(each.address.application_id),
            )
            for each in connected
        ]
        self.dispatch = Dispatch(
            database, clock, senders, owner=owner, executor=executor, request_timeout=request_timeout
        )

    def start(self) -> None:
        """Call from the event loop."""
        if not self._database.is_sqlite:
            app = queue_app(self._database.conninfo, self.dispatch.send_named)
            self._worker = QueueWorker(app, self._at_once, self._owner, SENDING_SECONDS)
        self._running = asyncio.create_task(self.dispatch.run() if self._worker is None else self._work(self._worker))

    def stop_claiming(self) -> None:
        """Take nothing more."""
        self._stopping.set()
        self.dispatch.stop()
        if self._worker is not None:
            self._worker.stop()

    async def stop(self) -> None:
        """Returns when the requests under way are recorded. One that takes longer than 11 s is given up: its messages
        are unknown, and their receipts settle them.
        """
        self.stop_claiming()
        if self._running is None:
            return
        # A worker of the queue cuts its jobs short by itself.
        patience = SENDING_SECONDS if self._worker is None else SENDING_SECONDS + 1
        done, _ = await asyncio.wait({self._running}, timeout=patience)
        if not done:
            log.warning("dispatch.cut_short")
            self._running.cancel()
        await asyncio.wait({self._running})

    async def _work(self, worker: QueueWorker) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    await worker.run()
                except Exception:
                    # The database may be away for a while; what is planned stays planned.
                    log.exception("queue.lost", again_in_seconds=AGAIN_SECONDS)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), AGAIN_SECONDS)
        finally:
            await self.dispatch.settle()
