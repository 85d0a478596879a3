"""Connections and transactions, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Insert, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from services.batch_queue import BatchQueue, NoQueue
from services.bulk import BulkWriter, PostgresqlBulkWriter, SqliteBulkWriter
from services.tenancy import of_one_workspace, stand_guard

_MIGRATIONS = Path(__file__).with_name("migrations")
_WRITES = "sms_writes"
# Ours among the locks that PostgreSQL lets programs agree upon.
_STARTING = 7_267_001
_NO_ADDRESS = "it is no address such as sqlite:///sms.db or postgresql://host/sms"
_LONGEST_WAIT_SECONDS = 30
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={_LONGEST_WAIT_SECONDS}000",
    "foreign_keys=ON",
    "cache_size=-65536",
)


class SchemaMismatch(Exception):
    """The database's schema is not the one this version needs. `found` is None where there is none yet; `is_newer`
    where a newer version has made it.
    """

    def __init__(self, found: str | None, needed: str, *, is_newer: bool = False) -> None:
        super().__init__(f"schema is {found}, needed is {needed}")
        self.found, self.needed, self.is_newer = found, needed, is_newer


class DatabaseUnavailable(Exception):
    """The database cannot be opened; the text says why, in the driver's words and without the address."""


class Database:
    """Hands out transactions. Nothing is written without an explicit `commit()` on the connection.

    On SQLite a write takes the one writer's lock at its start (BEGIN IMMEDIATE), so that no transaction finds out
    halfway that it lost a race, and every commit is on the disk before it returns (synchronous=FULL). Who waits in this
    process is woken when the lock is free: SQLite alone would make it look again and again, and miss its chance.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise DatabaseUnavailable(_NO_ADDRESS) from error
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise DatabaseUnavailable(_NO_ADDRESS)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_pre_ping": True}
        # A statement in a log must not show the numbers it was about.
        self.engine = create_engine(parsed, hide_parameters=True, pool_size=20, max_overflow=20, **options)
        # A fleet sets its own; see `services/batch_queue.py`.
        self.queue: BatchQueue = NoQueue()
        self.bulk: BulkWriter = SqliteBulkWriter() if self.is_sqlite else PostgresqlBulkWriter()
        self._one_writer = threading.Lock() if self.is_sqlite else None
        self._readers = self.engine
        stand_guard(self.engine)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        else:
            # SQLite's every transaction sees one picture; PostgreSQL's default is a new one for each statement.
            self._readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def writing_engine(self) -> Engine:
        """For a package that makes its own transactions: each is one that writes."""
        return self.engine.execution_options(**{_WRITES: True})

    @property
    def conninfo(self) -> str:
        """The address for PostgreSQL's own driver; for what has a pool of its own."""
        return self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def read(self, workspace_id: str | None = None, *, everyone: bool = False) -> Iterator[Connection]:
        """A connection for reading one consistent picture; rolled back at the end.

        It is held to one workspace (services/tenancy.py): this one, or where it is not said the first that a statement
        names. `everyone` is for the bot's own work on all of them.
        """
        with self._readers.connect() as connection:
            yield connection if everyone else of_one_workspace(connection, workspace_id)

    @contextmanager
    def write(self, workspace_id: str | None = None, *, everyone: bool = False) -> Iterator[Connection]:
        """A transaction that writes; what the block does not `commit()` is rolled back. Held as in `read`."""
        with self._turn(), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            yield connection if everyone else of_one_workspace(connection, workspace_id)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of this process at a time on SQLite; another process's still has to be waited for."""
        if self._one_writer is None:
            yield
            return
        mine = self._one_writer.acquire(timeout=_LONGEST_WAIT_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._one_writer.release()

    def migrate(self) -> None:
        """Bring the schema to this version's. Does nothing where it is already there.

        Raises DatabaseUnavailable, or SchemaMismatch where a newer version has made it.
        """
        with self._opened() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            one_at_a_time(connection)
            mismatch = _mismatch(connection)
            if mismatch is not None and mismatch.is_newer:
                raise mismatch
            command.upgrade(_alembic(connection), "head")
            connection.commit()

    def check_schema(self) -> None:
        """Raises SchemaMismatch or DatabaseUnavailable."""
        with self._opened() as connection:
            mismatch = _mismatch(connection)
        if mismatch is not None:
            raise mismatch

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        try:
            connection = self.engine.connect()
        except OperationalError as error:
            raise DatabaseUnavailable(str(error.orig).splitlines()[0]) from error
        with connection:
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _mismatch(connection: Connection) -> SchemaMismatch | None:
    scripts = ScriptDirectory(str(_MIGRATIONS))
    needed = scripts.get_current_head()
    assert needed is not None
    found = MigrationContext.configure(connection).get_current_revision()
    if found == needed:
        return None
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaMismatch(found, needed, is_newer=found is not None and found not in known)


def _alembic(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own guesses at when to begin would split our transactions.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def one_at_a_time(tx: Connection) -> None:
    """Wait until no other transaction that called this is under way. For what every process does when it starts:
    several that start at once would make the same rows and tables. On SQLite one that writes is alone already.
    """
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_STARTING})")


def insert_row(tx: Connection, statement: Insert) -> int:
    """Run an INSERT of one row into a table with an `id`; that of the new row."""
    key = tx.execute(statement).inserted_primary_key
    assert key is not None
    new_id: int = key[0]
    return new_id
