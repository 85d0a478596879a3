"""Writes many rows at once: the one place where SQLite and PostgreSQL are spoken to differently.

SQLite takes sorted multi-row VALUES fastest, PostgreSQL takes COPY. Values are plain: integers, text, None, bool;
moments as milliseconds (`models.to_milliseconds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import IdentifierPreparer

Row = Sequence[Any]

_ROWS_A_STATEMENT = 500
_VARIABLES_A_STATEMENT = 32_000


class BulkWriter(Protocol):
    """Inserts rows given as tuples in the order of `columns`."""

    def insert(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert all; a row whose key exists is an error. Returns how many."""

    def insert_new(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert those whose key does not exist yet, and leave the others as they are. Returns how many were new."""


class SqliteBulkWriter:
    """Multi-row VALUES. Fastest when rows come sorted by the table's key."""

    _quote = IdentifierPreparer(sqlite.dialect()).quote

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


class PostgresqlBulkWriter:
    """COPY; for `insert_new` into a temporary table first, then one INSERT … SELECT."""

    def insert(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        return self._copy(connection, _quoted(table.name), columns, rows)

    def insert_new(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
        names = ", ".join(map(_quoted, columns))
        target = _quoted(table.name)
        like_target = f"SELECT {names} FROM {target} LIMIT 0"  # noqa: S608 - names come from models.py
        connection.exec_driver_sql(f"CREATE TEMP TABLE bulk_stage ON COMMIT DROP AS {like_target}")
        self._copy(connection, "bulk_stage", columns, rows)
        # Not a plain anti-join: another transaction may bring the same key meanwhile.
        written = connection.exec_driver_sql(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM bulk_stage ON CONFLICT DO NOTHING"  # noqa: S608 - as above
        ).rowcount
        connection.exec_driver_sql("DROP TABLE bulk_stage")
        return written

    def _copy(self, connection: Connection, target: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        names = ", ".join(map(_quoted, columns))
        written = 0
        if not connection.in_transaction():
            # The driver's cursor would begin one that SQLAlchemy's commit() knows nothing of.
            connection.begin()
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                written += 1
        return written


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _parts(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part
