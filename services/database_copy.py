"""Moves an installation from SQLite to PostgreSQL: every row, verified, and resumable where it was interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    func,
    inspect,
    literal_column,
    select,
    text,
    tuple_,
)

from services.clock import Clock
from services.database import Database
from services.leases import TICKS, Leases, is_copy, name_of_copy
from services.models import lease, metadata, send_task
from services.partitions import Partitions
from services.states import TaskState

ROWS_AT_ONCE = 20_000
# Renewed with each piece of so many rows, which takes a second or two.
HELD_FOR = timedelta(seconds=30)
_HASH_BYTES = 8
# The tables of packages that belong to the installation; the others fill themselves.
_OF_PACKAGES = ("slack_bots", "slack_installations")
_LAST_KEY = text("SELECT seq FROM sqlite_sequence WHERE name = :name")

Report = Callable[[str, int], None]
Keep = Callable[[], None]


class CopyRefused(Exception):
    """`why` is source_live, target_live, source_copying, target_copying or differs; `facts` say more."""

    def __init__(self, why: str, **facts: object) -> None:
        super().__init__(f"{why}: {facts}")
        self.why, self.facts = why, facts


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """What both databases hold of a table: how many rows, and a checksum over all of their values."""

    name: str
    rows: int
    checksum: str


class DatabaseCopy:
    """Copies `source` to `target`, both with this version's schema. No bot may run on either: the copy holds the lease
    of the process that ticks on both, without which none starts.

    Rows go in the order of their keys, and each piece is committed, so that a copy that was interrupted goes on behind
    the last row that arrived.
    """

    def __init__(
        self,
        source: Database,
        target: Database,
        clock: Clock,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._source = source
        self._target = target
        owner = name_of_copy()
        self._leases = {"source": Leases(source, clock, owner), "target": Leases(target, clock, owner)}
        self._rows_at_once = rows_at_once

    def run(self, report: Report = lambda table, rows: None) -> list[CopiedTable]:
        """Copy and verify everything; `report` is told how many rows of a table have arrived. Raises CopyRefused."""
        try:
            self._keep()
            return self._run(report)
        finally:
            for leases in self._leases.values():
                leases.let_go(TICKS)

    def _run(self, report: Report) -> list[CopiedTable]:
        tables = [table for table in metadata.sorted_tables if table is not lease]
        with self._source.read(everyone=True) as source:
            tables += _of_packages(source)
            Partitions(self._target).cover(_last_given(source, send_task))
            for table in tables:
                self._copy(source, table, report)
        # Another picture: what was written to the source while it was copied shows as a difference.
        with self._source.read(everyone=True) as source:
            copied = [self._verified(source, table) for table in tables]
            self._number_on(source, tables)
        # From here on the target sends: nothing else may have begun to.
        self._keep()
        self._queue_what_is_being_sent()
        return copied

    def _keep(self) -> None:
        """Hold both databases from now on. Raises CopyRefused where a bot or another copy has one."""
        for side, leases in self._leases.items():
            if not leases.hold(TICKS, HELD_FOR):
                owner = leases.holder(TICKS)
                raise CopyRefused(f"{side}_{'copying' if is_copy(owner) else 'live'}", owner=owner)

    def _copy(self, source: Connection, table: Table, report: Report) -> None:
        names = [column.name for column in table.columns]
        with self._target.read(everyone=True) as target:
            behind = _last_key(target, table)
            done = int(target.execute(select(func.count()).select_from(table)).scalar_one())
        while rows := _next_rows(source, table, behind, self._rows_at_once):
            with self._target.write(everyone=True) as tx:
                self._target.bulk.insert(tx, table, names, rows)
                tx.commit()
            behind = _key_of(table, rows[-1])
            done += len(rows)
            report(table.name, done)
            self._keep()

    def _verified(self, source: Connection, table: Table) -> CopiedTable:
        ours = _summed(source, table, self._keep)
        with self._target.read(everyone=True) as target:
            theirs = _summed(target, table, self._keep)
        if ours != theirs:
            raise CopyRefused("differs", table=table.name, source_rows=ours.rows, target_rows=theirs.rows)
        return ours

    def _number_on(self, source: Connection, tables: Sequence[Table]) -> None:
        """The next row of each table gets a number that no row ever had, not even one that is gone."""
        with self._target.write(everyone=True) as tx:
            for table in tables:
                if (counting := table.autoincrement_column) is None:
                    continue
                last = _last_given(source, table)
                sequence = func.pg_get_serial_sequence(table.name, counting.name)
                if last and tx.execute(select(func.nextval(sequence))).scalar_one() <= last:
                    tx.execute(select(func.setval(sequence, last)))
            tx.commit()

    def _queue_what_is_being_sent(self) -> None:
        with self._target.write(everyone=True) as tx:
            sending = select(send_task.c.id, send_task.c.first_batch_done).where(
                send_task.c.state == TaskState.SENDING.value, send_task.c.queued == 0
            )
            for task in tx.execute(sending.order_by(send_task.c.id)).all():
                if task.first_batch_done:
                    self._target.queue.follow_up(tx, task.id)
                else:
                    self._target.queue.open(tx, task.id)
            tx.commit()


def _of_packages(source: Connection) -> list[Table]:
    """As they are in the source, types included: those know how each database writes a moment."""
    found = MetaData()
    there = inspect(source).get_table_names()
    return [Table(name, found, autoload_with=source) for name in _OF_PACKAGES if name in there]


def _last_given(source: Connection, table: Table) -> int:
    """The last key that SQLite gave to a row; it remembers that of some tables beyond their rows."""
    counting = table.autoincrement_column
    assert counting is not None
    last: int = source.execute(select(func.coalesce(func.max(counting), 0))).scalar_one()
    return max(last, source.execute(_LAST_KEY, {"name": table.name}).scalar() or 0)


def _last_key(target: Connection, table: Table) -> tuple[Any, ...] | None:
    """The key of the last row that arrived. Text goes by its bytes, as in SQLite, whatever order PostgreSQL has."""
    behind = [
        key.desc() if isinstance(key.type, Integer) else key.collate("C").desc() for key in table.primary_key.columns
    ]
    row = target.execute(
        select(*_plain(table.primary_key.columns)).select_from(table).order_by(*behind).limit(1)
    ).first()
    return None if row is None else tuple(row)


def _next_rows(source: Connection, table: Table, behind: tuple[Any, ...] | None, most: int) -> list[tuple[Any, ...]]:
    query = select(*_plain(table.columns)).select_from(table).order_by(*_plain(table.primary_key.columns)).limit(most)
    if behind is not None:
        query = query.where(tuple_(*_plain(table.primary_key.columns)) > tuple_(*behind))
    return [_alike(table.columns, row) for row in source.execute(query)]


def _summed(connection: Connection, table: Table, keep: Keep) -> CopiedTable:
    """The sum does not depend on the order of the rows, which the two databases may see differently."""
    count = total = 0
    compared = [column for column in table.columns if column is not send_task.c.queued]  # the queue's own, not copied
    query = select(*_plain(compared)).select_from(table)
    for rows in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).partitions():
        for row in rows:
            written = repr(_alike(compared, row)).encode("utf-8", "surrogatepass")
            total += int.from_bytes(hashlib.blake2b(written, digest_size=_HASH_BYTES).digest())
        count += len(rows)
        keep()
    return CopiedTable(table.name, count, f"{total % (1 << 8 * _HASH_BYTES):0{2 * _HASH_BYTES}x}")


def _plain(columns: Iterable[Column[Any]]) -> list[ColumnElement[Any]]:
    """Our own columns without their types: values as the driver gives and takes them."""
    return [literal_column(f'"{column.name}"') if column.table.metadata is metadata else column for column in columns]


def _alike(columns: Iterable[Column[Any]], row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as both databases write it: SQLite keeps truth as 0 and 1."""
    return tuple(
        bool(value) if isinstance(column.type, Boolean) and value is not None else value
        for column, value in zip(columns, row, strict=True)
    )


def _key_of(table: Table, row: Sequence[Any]) -> tuple[Any, ...]:
    places = {column.name: place for place, column in enumerate(table.columns)}
    return tuple(row[places[column.name]] for column in table.primary_key.columns)
