"""What is forgotten when a workspace's retention is over: every row about a number that was written to.

A task's own row stays, with its counts, text and times. On PostgreSQL whole partitions are dropped (services/
partitions.py); a task whose partition cannot go yet, or that is on SQLite, is deleted some batches at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)

from services.clock import Clock
from services.database import Database
from services.models import (
    Moment,
    application,
    batch,
    import_reject,
    import_row,
    number_import,
    receipt,
    recipient,
    reply,
    result,
    send_task,
    sent_sms,
    submission,
    unread_callback,
)
from services.partitions import Partition, Partitions
from services.states import BatchState, ImportState, TaskState

log = structlog.get_logger()

# A transaction's share, so that nobody waits long for SQLite's one writer.
AT_ONCE = 2_000
# So that a tick ends: the next one goes on.
LONGEST_SECONDS = 5.0
# What is kept for ever is cut into partitions all the same.
LONGEST_SPAN = timedelta(days=30)
_PARTS = 30
_SHORTEST = timedelta(days=1)
_NEVER = datetime.fromtimestamp(0, UTC)

_OVER = [state.value for state in TaskState if state.is_over]
_OPEN = [BatchState.PLANNED.value, BatchState.SENDING.value]
_IMPORTING = [ImportState.RUNNING.value, ImportState.WAITING.value]
# In the words of the index on them.
_OF_NO_TASK = receipt.c.task_id == literal_column("0")


@dataclass(frozen=True, slots=True)
class Periods:
    """How long rows are kept after their task or import was over: `default`, or what a workspace has of its own.
    None: for ever.
    """

    default: timedelta | None = None
    of_workspaces: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def span(self) -> timedelta:
        """How long a partition is: there are some thirty at a time, however long rows are kept."""
        if self.default is None:
            return LONGEST_SPAN
        longest = max([self.default, *self.of_workspaces.values()])
        return min(_grace(longest), LONGEST_SPAN)


class Retention:
    """Forgets. One tick at a time, and of a fleet only in the process that ticks."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        periods: Periods,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._periods = periods
        self._monotonic = monotonic
        self._partitions = None if database.is_sqlite else Partitions(database)

    def tick(self) -> None:
        """Go on forgetting, for some seconds at most. Where it was killed, the next tick goes on."""
        until = self._monotonic() + LONGEST_SECONDS
        for _ in self._steps():
            if self._monotonic() >= until:
                return

    def _steps(self) -> Iterator[None]:
        """Each step is one small transaction."""
        if self._partitions is not None:
            self._partitions.keep_ahead(self._clock.now(), self._periods.span)
        if self._periods.default is None and not self._periods.of_workspaces:
            return
        if self._partitions is not None:
            yield from self._drop(self._partitions)
        yield from self._forget_tasks()
        yield from self._forget_imports()
        yield from self._forget_loose_rows()

    def _cutoffs(self, workspace_id: ColumnElement[str], *, after: bool = False) -> ColumnElement[Any]:
        """Until when something of this workspace must be over to be forgotten now; with `after`, although its
        partition could not be dropped.
        """
        now = self._clock.now()

        def cutoff(period: timedelta | None) -> ColumnElement[datetime]:
            late = _grace(period) if after and period is not None else timedelta(0)
            return literal(_NEVER if period is None else now - period - late, Moment())

        own = {name: cutoff(period) for name, period in self._periods.of_workspaces.items()}
        default = cutoff(self._periods.default)
        return case(own, value=workspace_id, else_=default) if own else default

    @property
    def _latest(self) -> datetime:
        """What was made later is forgotten in no workspace: for the indexes."""
        given = [self._periods.default] if self._periods.default is not None else []
        return self._clock.now() - min([*given, *self._periods.of_workspaces.values()])

    def _is_past(self, *, after: bool = False) -> ColumnElement[bool]:
        """A task is over, all that may come of it has come, and it has been kept for long enough."""
        ended_at = func.coalesce(
            send_task.c.finished_at, send_task.c.scheduled_at, send_task.c.confirmed_at, send_task.c.created_at
        )
        return and_(
            send_task.c.state.in_(_OVER),
            ended_at < self._cutoffs(send_task.c.workspace_id, after=after),
            ~exists().where(batch.c.task_id == send_task.c.id, batch.c.state.in_(_OPEN)),
        )

    def _drop(self, partitions: Partitions) -> Iterator[None]:
        for partition in partitions.closed():
            mine = send_task.c.id.between(partition.first, partition.last)
            kept = select(send_task.c.id).where(mine, send_task.c.forgotten_at.is_(None), ~self._is_past()).limit(1)
            with self._database.read(everyone=True) as connection:
                if connection.execute(kept).first() is not None:
                    continue
            yield from self._delete_all(sent_sms, sent_sms.c.task_id.between(partition.first, partition.last))
            with self._database.write(everyone=True) as tx:
                # Before anything of theirs, as everybody does, so that no two transactions wait for each other.
                tx.execute(select(send_task.c.id).where(mine).order_by(send_task.c.id).with_for_update())
                if tx.execute(kept).first() is None and partitions.drop(tx, partition):
                    self._note_dropped(tx, partition)
                    tx.commit()
            yield

    def _note_dropped(self, tx: Connection, partition: Partition) -> None:
        tx.execute(delete(batch).where(batch.c.task_id.between(partition.first, partition.last)))
        new = update(send_task).where(
            send_task.c.id.between(partition.first, partition.last), ~send_task.c.rows_deleted
        )
        at = func.coalesce(send_task.c.forgotten_at, literal(self._clock.now(), Moment()))
        count = tx.execute(new.values(forgotten_at=at, rows_deleted=True)).rowcount
        log.info("retention.partition_dropped", partition=partition.no, tasks=count)

    def _forget_tasks(self) -> Iterator[None]:
        past = (
            select(send_task.c.id)
            .where(
                send_task.c.forgotten_at.is_(None),
                send_task.c.created_at < self._latest,
                # A partition may take it along in an instant a little later.
                self._is_past(after=self._partitions is not None),
            )
            .order_by(send_task.c.id)
            .limit(AT_ONCE)
        )
        with self._database.read(everyone=True) as connection:
            found = connection.execute(past.limit(1)).first() is not None
        if found:
            with self._database.write(everyone=True) as tx:
                ids = tx.execute(past.with_for_update(skip_locked=True)).scalars().all()
                tx.execute(update(send_task).where(send_task.c.id.in_(ids)).values(forgotten_at=self._clock.now()))
                tx.commit()
            log.info("retention.tasks_forgotten", tasks=len(ids))
            yield
        for task_id in self._half_deleted():
            yield from self._delete_all(sent_sms, sent_sms.c.task_id == task_id)
            while self._delete_batches(task_id):
                yield

    def _half_deleted(self) -> Sequence[int]:
        """Tasks that are forgotten and have rows; this tick's, and those of one that was cut short."""
        query = select(send_task.c.id).where(send_task.c.forgotten_at.is_not(None), ~send_task.c.rows_deleted)
        with self._database.read(everyone=True) as connection:
            return connection.execute(query.order_by(send_task.c.id).limit(AT_ONCE)).scalars().all()

    def _delete_batches(self, task_id: int) -> bool:
        """Delete some batches with all rows of theirs; after the last, note that. Whether there was one."""
        with self._database.write(everyone=True) as tx:
            tx.execute(select(send_task.c.id).where(send_task.c.id == task_id).with_for_update())
            batches = _first_batches(tx, task_id)
            if batches:
                _delete_rows(tx, task_id, batches)
            else:
                tx.execute(update(send_task).where(send_task.c.id == task_id).values(rows_deleted=True))
            tx.commit()
        return bool(batches)

    def _forget_imports(self) -> Iterator[None]:
        ended_at = func.coalesce(number_import.c.finished_at, number_import.c.received_at)
        past = select(number_import.c.id).where(
            number_import.c.forgotten_at.is_(None),
            number_import.c.state.not_in(_IMPORTING),
            ended_at < self._cutoffs(number_import.c.workspace_id),
        )
        with self._database.read(everyone=True) as connection:
            ids = connection.execute(past.order_by(number_import.c.id).limit(AT_ONCE)).scalars().all()
        for import_id in ids:
            yield from self._delete_all(import_row, import_row.c.import_id == import_id)
            yield from self._delete_all(import_reject, import_reject.c.import_id == import_id)
            # The columns to choose from have samples of what stood in them.
            forgotten = {"forgotten_at": self._clock.now(), "keepable": 0, "columns": None}
            with self._database.write(everyone=True) as tx:
                tx.execute(update(number_import).where(number_import.c.id == import_id).values(forgotten))
                tx.commit()
            yield

    def _forget_loose_rows(self) -> Iterator[None]:
        """Replies, callbacks nobody could read, and receipts of no task."""
        for table, mine in ((reply, []), (unread_callback, []), (receipt, [_OF_NO_TASK])):
            cutoff = select(self._cutoffs(application.c.workspace_id)).where(application.c.id == table.c.application_id)
            past = [table.c.received_at < self._latest, table.c.received_at < cutoff.scalar_subquery()]
            yield from self._delete_all(table, *mine, *past)

    def _delete_all(self, table: Table, *which: ColumnElement[bool]) -> Iterator[None]:
        """Some rows at a time, by their key."""
        keys = table.primary_key.columns
        some = tuple_(*keys).in_(select(*keys).where(*which).limit(AT_ONCE))
        while True:
            with self._database.write(everyone=True) as tx:
                count = int(tx.execute(delete(table).where(*which, some)).rowcount)
                tx.commit()
            if not count:
                return
            yield


def _grace(period: timedelta) -> timedelta:
    """How long a task waits for its partition to be dropped: for as long as a partition is."""
    return max(period / _PARTS, _SHORTEST)


def _first_batches(tx: Connection, task_id: int) -> list[Row[Any]]:
    """As many as have some AT_ONCE messages, and one at least."""
    query: Any = select(batch.c.no, batch.c.first, batch.c.last, batch.c.reference).where(batch.c.task_id == task_id)
    found: list[Row[Any]] = []
    for row in tx.execute(query.order_by(batch.c.no).limit(AT_ONCE)):
        if found and row.last - found[0].first >= AT_ONCE:
            break
        found.append(row)
    return found


def _delete_rows(tx: Connection, task_id: int, batches: Sequence[Row[Any]]) -> None:
    # All applications, because the index on receipts begins with them.
    applications = tx.execute(select(application.c.id)).scalars().all()
    tx.execute(
        delete(receipt).where(
            receipt.c.task_id == task_id,
            receipt.c.application_id.in_(applications),
            receipt.c.reference.in_([row.reference for row in batches]),
        )
    )
    seqs = (batches[0].first, batches[-1].last)
    for table in (result, submission, recipient):
        tx.execute(delete(table).where(table.c.task_id == task_id, table.c.seq.between(*seqs)))
    nos = (batches[0].no, batches[-1].no)
    tx.execute(delete(batch).where(batch.c.task_id == task_id, batch.c.no.between(*nos)))
