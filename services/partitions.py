"""The partitions of the tables with a row per recipient, on PostgreSQL: each is a span of time, and retention drops it.

Partition 3 holds the tasks whose keys are 30,000,000 to 39,999,999. When a span begins, the keys of tasks jump to the
next partition's first, so that a partition ends with its span however many or few tasks there were. Nobody sees these
keys: people's task numbers are the workspace's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from services.database import Database
from services.models import receipt, recipient, result, send_task, submission

log = structlog.get_logger()

TABLES = (recipient, submission, result, receipt)
# More than anybody previews in a span. `after-restore` skips a tenth of it.
WIDTH = 10_000_000
# To make or drop a partition everybody else has to wait while we do; not for longer than this.
_LONGEST_WAIT_MILLISECONDS = 500
_LOCK_NAME = 6_770_001

_KEYS_OF_TASKS = "pg_get_serial_sequence('send_task', 'id')"
_THERE = text(
    "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
    " WHERE inhparent = CAST(:table AS regclass)"
)
_NUMBERED = re.compile(r"[a-z]+_p([0-9]+)")


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of each table, and the keys of tasks whose rows it holds: `first` to `last`."""

    no: int

    @property
    def first(self) -> int:
        """Key 0 is no task's: receipts of no task have a partition of their own."""
        return max(self.no * WIDTH, 1)

    @property
    def last(self) -> int:
        """The last key it has room for."""
        return (self.no + 1) * WIDTH - 1


class Partitions:
    """The partitions of one PostgreSQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_ahead(self, now: datetime, span: timedelta) -> None:
        """Begin a new span where the last one is over, and have a partition more than is in use."""
        with self._database.read(everyone=True) as connection:
            there, current = _numbers(connection), _current(connection)
            is_over = _began(connection, current, now) < now - span
        if is_over or current.no + 1 not in there:
            self._advance(current.no + 1 if is_over else current.no)

    def cover(self, task_id: int) -> None:
        """Have a partition for this key, and for all before it."""
        self._advance(task_id // WIDTH)

    def closed(self) -> Sequence[Partition]:
        """Those that no new task goes to, the oldest first."""
        with self._database.read(everyone=True) as connection:
            current = _current(connection)
            return [Partition(no) for no in sorted(_numbers(connection)) if no < current.no]

    def drop(self, tx: Connection, partition: Partition) -> bool:
        """All rows of its tasks, in an instant. False, and the transaction is broken, where somebody who works with
        these tables would hold everybody up for too long: another time.
        """
        names = ", ".join(f"{table.name}_p{partition.no}" for table in TABLES)
        try:
            tx.exec_driver_sql(f"SET LOCAL lock_timeout = {_LONGEST_WAIT_MILLISECONDS}")
            tx.exec_driver_sql(f"DROP TABLE IF EXISTS {names}")
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            log.info("partition.busy", partition=partition.no)
            return False
        return True

    def _advance(self, no: int) -> None:
        """Have partition `no` and the next, and let no task have an earlier key from here on."""
        with self._database.write(everyone=True) as tx:
            tx.exec_driver_sql(f"SET LOCAL lock_timeout = {_LONGEST_WAIT_MILLISECONDS}")
            # Two who move the keys at once would give some twice.
            tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_NAME})")
            there, current = _numbers(tx), _current(tx)
            try:
                for missing in sorted(set(range(min(current.no, no), no + 2)) - there):
                    if missing >= current.no:
                        _make(tx, Partition(missing))
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                log.info("partition.busy", partition=no)
                return
            if no > current.no:
                tx.exec_driver_sql(f"SELECT setval({_KEYS_OF_TASKS}, {Partition(no).first}, false)")
                log.info("partition.begun", partition=no)
            tx.commit()


def _numbers(connection: Connection) -> set[int]:
    """Of the partitions there are. All tables have the same ones."""
    names = connection.execute(_THERE, {"table": recipient.name}).scalars()
    return {int(found[1]) for name in names if (found := _NUMBERED.fullmatch(name))}


def _current(connection: Connection) -> Partition:
    """The one the next task goes to."""
    sequence = connection.exec_driver_sql(f"SELECT {_KEYS_OF_TASKS}").scalar_one()
    known = f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608 - PostgreSQL's own word
    row: Any = connection.exec_driver_sql(known).one()
    return Partition((row.last_value + row.is_called) // WIDTH)


def _began(connection: Connection, partition: Partition, now: datetime) -> datetime:
    """When its first task was made; a span without one has not begun."""
    first = select(send_task.c.created_at).where(send_task.c.id >= partition.first).order_by(send_task.c.id).limit(1)
    return connection.execute(first).scalar() or now


def _make(tx: Connection, partition: Partition) -> None:
    """Made by itself and then attached, which nobody has to wait for but who looks at the default partition."""
    for table in TABLES:
        name = f"{table.name}_p{partition.no}"
        tx.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING DEFAULTS)")
        bounds = f"FROM ({partition.first}) TO ({partition.last + 1})"
        tx.exec_driver_sql(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES {bounds}")
