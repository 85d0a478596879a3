"""Writes many rows at once: the one place where SQLite and PostgreSQL are spoken to differently.

SQLite takes sorted multi-row VALUES fastest, PostgreSQL takes COPY. Values are plain: integers, text, None, bool;
moments as milliseconds (`models.to_milliseconds`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Sequence[Any]

_ROWS_A_STATEMENT = 500
_VARIABLES_A_STATEMENT = 32_000
_ROWS_A_BLOCK = 5_000
_FEW_ROWS = 200
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy has no types here


class BulkWriter(Protocol):
    """Inserts rows given as tuples in the order of `columns`."""

    def insert(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert all; a row whose key exists is an error. Returns how many."""

    def insert_new(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert those whose key does not exist yet, and leave the others as they are. Returns how many were new."""

    def insert_integers(
        self,
        connection: Connection,
        table: Table,
        fixed: Mapping[str, int],
        columns: Mapping[str, array[int]],
        *,
        new_only: bool,
    ) -> int:
        """The same for rows of nothing but integers, of which some columns are `fixed`: in half the time."""


class SqliteBulkWriter:
    """Multi-row VALUES. Fastest when rows come sorted by the table's key."""

    # The dialect's own: it knows words, such as values, that are taken in SQLite alone.
    _quote = sqlite.dialect().identifier_preparer.quote

    def insert(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        return self._write("", connection, table, columns, rows)

    def insert_new(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        # Not INSERT OR IGNORE, which passes over a row that breaks any rule, such as NOT NULL.
        return self._write(" ON CONFLICT DO NOTHING", connection, table, columns, rows)

    def _write(
        self, tail: str, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        names = ", ".join(map(self._quote, columns))
        head = f"INSERT INTO {self._quote(table.name)} ({names}) VALUES "  # noqa: S608 - names come from models.py
        one = "(" + ", ".join("?" * len(columns)) + ")"
        full_size = min(_ROWS_A_STATEMENT, _VARIABLES_A_STATEMENT // len(columns))
        full = head + ", ".join([one] * full_size) + tail
        written = 0
        for part in _parts(rows, full_size):
            statement = full if len(part) == full_size else head + ", ".join([one] * len(part)) + tail
            written += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part))).rowcount
        return written

    def insert_integers(
        self,
        connection: Connection,
        table: Table,
        fixed: Mapping[str, int],
        columns: Mapping[str, array[int]],
        *,
        new_only: bool,
    ) -> int:
        names = ", ".join(map(self._quote, [*fixed, *columns]))
        head = f"INSERT INTO {self._quote(table.name)} ({names}) VALUES "  # noqa: S608 - names come from models.py
        one = "(" + ", ".join([*(f"{value:d}" for value in fixed.values()), *("?" * len(columns))]) + ")"
        tail = " ON CONFLICT DO NOTHING" if new_only else ""
        full = head + ", ".join([one] * _ROWS_A_STATEMENT) + tail
        written = 0
        for size, values in _blocks(columns, _ROWS_A_STATEMENT):
            statement = full if size == _ROWS_A_STATEMENT else head + ", ".join([one] * size) + tail
            written += connection.exec_driver_sql(statement, values).rowcount
        return written


class PostgresqlBulkWriter:
    """COPY; for `insert_new` into a temporary table first, then one INSERT … SELECT. Few rows come as arrays, because
    such a table costs more than they do.
    """

    def insert(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        return self._copy(connection, _quoted(table.name), columns, rows)

    def insert_new(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        remaining = iter(rows)
        few = list(islice(remaining, _FEW_ROWS + 1))
        if len(few) <= _FEW_ROWS:
            return self._insert_few(connection, table, columns, few)
        every = chain(few, remaining)
        return self._staged(connection, table, columns, lambda: self._copy(connection, "bulk_stage", columns, every))

    def _insert_few(self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        names = ", ".join(map(_quoted, columns))
        arrays = ", ".join(f"%s::{table.c[name].type.compile(_POSTGRESQL)}[]" for name in columns)
        target = _quoted(table.name)
        statement = f"INSERT INTO {target} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - names come from models.py
        return connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True)))).rowcount

    def insert_integers(
        self,
        connection: Connection,
        table: Table,
        fixed: Mapping[str, int],
        columns: Mapping[str, array[int]],
        *,
        new_only: bool,
    ) -> int:
        names = [*fixed, *columns]
        # Text made here takes the driver half the time of as many rows.
        one = "\t".join([*(f"{value:d}" for value in fixed.values()), *(["%d"] * len(columns))]) + "\n"

        def copy(target: str) -> int:
            written = 0
            with self._copying(connection, target, names) as copying:
                for size, values in _blocks(columns, _ROWS_A_BLOCK):
                    copying.write(one * size % values)
                    written += size
            return written

        if not new_only:
            return copy(_quoted(table.name))
        return self._staged(connection, table, names, lambda: copy("bulk_stage"))

    def _staged(self, connection: Connection, table: Table, columns: Sequence[str], fill: Callable[[], object]) -> int:
        names = ", ".join(map(_quoted, columns))
        target = _quoted(table.name)
        like_target = f"SELECT {names} FROM {target} LIMIT 0"  # noqa: S608 - names come from models.py
        connection.exec_driver_sql(f"CREATE TEMP TABLE bulk_stage ON COMMIT DROP AS {like_target}")
        fill()
        # Not a plain anti-join: another transaction may bring the same key meanwhile.
        written = connection.exec_driver_sql(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM bulk_stage ON CONFLICT DO NOTHING"  # noqa: S608 - as above
        ).rowcount
        connection.exec_driver_sql("DROP TABLE bulk_stage")
        return written

    def _copy(self, connection: Connection, target: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        written = 0
        with self._copying(connection, target, columns) as copying:
            for row in rows:
                copying.write_row(row)
                written += 1
        return written

    @contextmanager
    def _copying(self, connection: Connection, target: str, columns: Sequence[str]) -> Iterator[Any]:
        names = ", ".join(map(_quoted, columns))
        if not connection.in_transaction():
            # The driver's cursor would begin one that SQLAlchemy's commit() knows nothing of.
            connection.begin()
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copying:
            yield copying


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _blocks(columns: Mapping[str, array[int]], most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """How many rows, and their values row after row."""
    (count,) = {len(values) for values in columns.values()}
    for start in range(0, count, most):
        size = min(most, count - start)
        flat = [0] * (size * len(columns))
        for no, values in enumerate(columns.values()):
            flat[no :: len(columns)] = values[start : start + size]
        yield size, tuple(flat)


def _parts(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part
