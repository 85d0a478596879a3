"""Every test that takes `database` runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from services.database import Database
from services.models import metadata
from tests.services.builders import Marketing


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: quicker than migrating for each test."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> Iterator[Database]:
    """One database for all tests, emptied before each."""
    database = Database(postgresql_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def sqlite(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """A database of the test's own."""
    path = tmp_path / "sms.db"
    shutil.copy(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}")
    event.listen(database.engine, "connect", _without_waiting_for_the_disk)
    yield database
    database.close()


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
    """Delete every row of every table."""
    with database.write() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())
        tx.commit()


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()
