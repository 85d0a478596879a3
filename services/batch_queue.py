"""The queue of a fleet: each batch that may be sent is a job of Procrastinate, on PostgreSQL.

A job only says "look at this batch". The batch's row decides whether it may be sent, so a job that comes twice, late or
after a stop does nothing, and one that was lost is put in again by `requeue_lost`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol

from procrastinate import App, PsycopgConnector
from sqlalchemy import Connection, Row, bindparam, or_, select, text, update

from services.models import Moment, batch, literal_state, send_task
from services.states import BatchState, TaskState

# How many batches of a task wait in the queue at most: enough for every connection of a large fleet, and few enough
# for another task's to come soon.
WINDOW = 256
TASK_NAME = "send_batch"
# New jobs are told of at once; this is for the notice that got lost.
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 20.0
_LOST_AT_ONCE = 5_000

Send = Callable[[int, int, int], Awaitable[object]]

_Row = Row[*tuple[Any, ...]]

_BATCHES = select(batch.c.task_id, batch.c.no, batch.c.application_id)
_PLANNED = literal_state(batch.c.state, BatchState.PLANNED)
_FOLLOWING = (
    _BATCHES.where(batch.c.task_id == bindparam("task_id"), batch.c.no > bindparam("queued"), _PLANNED)
    .order_by(batch.c.no)
    .limit(bindparam("by"))
)
_IN_NO_QUEUE = text(
    "NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job WHERE job.status = 'todo'"
    " AND job.args = jsonb_build_object("
    "'application_id', batch.application_id, 'task_id', batch.task_id, 'no', batch.no))"
)
# A worker deletes its job when it is done with it. These are of workers that died: the others have taken them off the
# list of workers, and so out of their jobs.
_LEFT_BEHIND = text(
    "DELETE FROM procrastinate_jobs AS job WHERE job.status = 'doing' AND job.worker_id IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM batch"
    " WHERE batch.task_id = (job.args->>'task_id')::bigint AND batch.no = (job.args->>'no')::bigint"
    " AND batch.state IN ('planned', 'sending'))"
)
_LOST = (
    _BATCHES.join(send_task, send_task.c.id == batch.c.task_id)
    .where(
        literal_state(send_task.c.state, TaskState.SENDING),
        _PLANNED,
        # One whose first batch was never put in has begun without a queue.
        or_(batch.c.no <= send_task.c.queued, batch.c.no == 1),
        or_(batch.c.not_before.is_(None), batch.c.not_before <= bindparam("now", type_=Moment)),
        or_(batch.c.no == 1, send_task.c.first_batch_done),
        _IN_NO_QUEUE,
    )
    .order_by(batch.c.no)
    .limit(_LOST_AT_ONCE)
)


class BatchQueue(Protocol):
    """Tells workers which batches to look at, in the transaction that makes them ready."""

    def open(self, tx: Connection, task_id: int) -> None:
        """The task is to be sent from now on: put in its first batch, which goes alone."""

    def follow_up(self, tx: Connection, task_id: int, recorded: int = 1) -> None:
        """So many of its batches were recorded: put in as many more; after the first one, a whole window."""

    def put_back(self, tx: Connection, task_id: int, no: int, not_before: datetime | None) -> None:
        """This batch is planned again, for then."""

    def requeue_lost(self, tx: Connection, now: datetime) -> int:
        """Put in again what is planned and due, and waits in no queue: a worker died with the job, or it came while
        the task was paused. Returns how many. Jobs that workers left behind go when their batch is over."""


class NoQueue:
    """Where one process sends, it looks for batches itself."""

    def open(self, tx: Connection, task_id: int) -> None:
        """Nothing."""

    def follow_up(self, tx: Connection, task_id: int, recorded: int = 1) -> None:
        """Nothing."""

    def put_back(self, tx: Connection, task_id: int, no: int, not_before: datetime | None) -> None:
        """Nothing."""

    def requeue_lost(self, tx: Connection, now: datetime) -> int:
        """Nothing."""
        return 0


class ProcrastinateQueue:
    """Jobs put in on the caller's own connection: they are there exactly when what they are about is."""

    def __init__(self, app: App, window: int = WINDOW) -> None:
        self._app = app
        self._window = window

    def open(self, tx: Connection, task_id: int) -> None:
        """As the protocol says."""
        self._advance(tx, task_id, queued=0, by=1)

    def follow_up(self, tx: Connection, task_id: int, recorded: int = 1) -> None:
        """As the protocol says."""
        task = tx.execute(
            select(send_task.c.queued).where(send_task.c.id == task_id, send_task.c.first_batch_done)
        ).first()
        if task is not None:
            self._advance(tx, task_id, task.queued, self._window if task.queued <= 1 else recorded)

    def put_back(self, tx: Connection, task_id: int, no: int, not_before: datetime | None) -> None:
        """As the protocol says."""
        rows = tx.execute(_BATCHES.where(batch.c.task_id == task_id, batch.c.no == no)).all()
        self._put_in(tx, rows, not_before)

    def requeue_lost(self, tx: Connection, now: datetime) -> int:
        """As the protocol says."""
        tx.execute(_LEFT_BEHIND)
        lost = tx.execute(_LOST, {"now": now}).all()
        self._put_in(tx, lost)
        return len(lost)

    def _advance(self, tx: Connection, task_id: int, queued: int, by: int) -> None:
        rows = tx.execute(_FOLLOWING, {"task_id": task_id, "queued": queued, "by": by}).all()
        if rows:
            tx.execute(update(send_task).where(send_task.c.id == task_id).values(queued=rows[-1].no))
            self._put_in(tx, rows)

    def _put_in(
        self, tx: Connection, rows: Sequence[Row[*tuple[Any, ...]]], not_before: datetime | None = None
    ) -> None:
        driver: Any = tx.connection.driver_connection
        jobs = []
        for application_id, of_application in groupby(rows, lambda row: int(row.application_id)):
            deferrer = self._app.configure_task(TASK_NAME, queue=queue_of(application_id), schedule_at=not_before)
            # The first batches first, so that a small task is not stuck behind a huge one.
            for row in of_application:
                job = deferrer.make_new_job(application_id=application_id, task_id=row.task_id, no=row.no)
                jobs.append(job.evolve(priority=-row.no))
        if jobs:
            self._app.job_manager.batch_defer_jobs(jobs, connection=driver)


def queue_app(conninfo: str, send: Send | None = None) -> App:
    """Procrastinate on the database at `Database.conninfo`. A worker gives `send`, which is told (application, task,
    batch). Nothing is tried again by Procrastinate: only the batch's row knows whether that is allowed.
    """
    app = App(connector=PsycopgConnector(conninfo=conninfo))
    if send is not None:
        app.task(name=TASK_NAME, pass_context=False)(_as_task(send))
    return app


def _as_task(send: Send) -> Callable[..., Awaitable[None]]:
    async def send_batch(application_id: int, task_id: int, no: int) -> None:
        await send(application_id, task_id, no)

    return send_batch


class QueueWorker:
    """Takes jobs of each application, so many at once, and calls the app's `send`. When it is stopped, a job may take
    `ending_seconds` to end before it is cancelled.
    """

    def __init__(self, app: App, at_once: Mapping[int, int], name: str, ending_seconds: float = 10.0) -> None:
        self._app = app
        self._at_once = at_once
        self._name = name
        self._ending_seconds = ending_seconds
        self._working: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Work until `stop()`; returns when the jobs under way have ended. Raises what the database says."""
        async with self._app.open_async():
            self._working = [
                asyncio.create_task(
                    self._app.run_worker_async(
                        queues=[queue_of(application_id)],
                        name=f"{self._name}-{application_id}",
                        concurrency=at_once,
                        fetch_job_polling_interval=POLL_SECONDS,
                        install_signal_handlers=False,
                        delete_jobs="always",
                        update_heartbeat_interval=HEARTBEAT_SECONDS,
                        stalled_worker_timeout=STALLED_SECONDS,
                        shutdown_graceful_timeout=self._ending_seconds,
                    )
                )
                for application_id, at_once in self._at_once.items()
            ]
            ended = await asyncio.gather(*self._working, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def stop(self) -> None:
        """Take no more jobs."""
        for working in self._working:
            # Procrastinate takes it for the wish to stop, and lets its jobs end.
            working.cancel()


def queue_of(application_id: int) -> str:
    """Each application has a queue of its own, so that a slow one holds up no other."""
    return f"application-{application_id}"
