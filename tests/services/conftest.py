"""Every test that takes `database` runs on SQLite and on PostgreSQL.

One engine of each for all tests, emptied before each test: a new one would compile every statement anew.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from services.database import Database
from services.models import metadata
from tests.services.builders import Marketing


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One file for all tests."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'sms.db'}")
    event.listen(database.engine, "connect", _without_waiting_for_the_disk)
    database.migrate()
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> Iterator[Database]:
    """One database for all tests."""
    database = Database(postgresql_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def sqlite(migrated_sqlite: Database) -> Database:
    """An empty database."""
    empty(migrated_sqlite)
    return migrated_sqlite


@pytest.fixture
def postgresql(migrated_postgresql: Database) -> Database:
    """An empty database."""
    empty(migrated_postgresql)
    return migrated_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty, migrated database of each kind."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Database)
    return found


@pytest.fixture
def marketing(database: Database) -> Marketing:
    """A workspace that may send."""
    return Marketing(database)


def empty(database: Database) -> None:
    """Delete every row of every table; on SQLite keys begin at 1 again."""
    deletes = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    if not database.is_sqlite:
        deletes += ["DELETE FROM procrastinate_jobs", "DELETE FROM procrastinate_workers"]
    else:
        # Keys begin at 1 again.
        deletes.append("DELETE FROM sqlite_sequence")
    with database.write() as tx:
        # PostgreSQL takes them all in one go.
        for statement in [*deletes, "DELETE FROM sqlite_sequence"] if database.is_sqlite else ["; ".join(deletes)]:
            tx.exec_driver_sql(statement)
        tx.commit()


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()
