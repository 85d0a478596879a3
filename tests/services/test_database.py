"""Transactions and schema, the same on both databases."""

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import IntegrityError

from services.database import Database, SchemaMismatch
from services.models import metadata, post, workspace
from tests.services.builders import Marketing

# What the tables of packages begin with.
PACKAGES = ("procrastinate_", "slack_")


def workspaces(database: Database) -> set[str]:
    with database.read(everyone=True) as connection:
        return set(connection.execute(select(workspace.c.id)).scalars())


def note(connection: Connection, name: str) -> None:
    connection.execute(workspace.insert().values(id=name))


def test_migrations_produce_the_models(database: Database) -> None:
    with database.read(everyone=True) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": not database.is_sqlite,
                # Those of packages are theirs.
                "include_name": lambda name, kind, _: (
                    kind != "table" or not name.startswith(("procrastinate_", "slack_"))
                ),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_partial_indexes_and_tables_without_rowid_are_migrated_too(sqlite: Database, tmp_path: Path) -> None:
    """Alembic compares neither; SQLite tells a table exactly as it was created."""
    by_models = Database(f"sqlite:///{tmp_path / 'models.db'}")
    metadata.create_all(by_models.engine)
    assert _schema(sqlite) == _schema(by_models)
    by_models.close()


def _schema(database: Database) -> dict[str, tuple[bool, bool]]:
    with database.read(everyone=True) as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, sql, tbl_name FROM sqlite_master WHERE tbl_name <> 'alembic_version'"
        )
        return {
            row.name: ("WITHOUT ROWID" in (row.sql or ""), " WHERE " in (row.sql or ""))
            for row in rows
            if not row.tbl_name.startswith(PACKAGES)
        }


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.write(everyone=True) as tx:
        note(tx, "T1")
        tx.commit()
    database.migrate()
    database.check_schema()
    assert workspaces(database) == {"T1"}


def test_a_database_without_schema_is_told_apart(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(SchemaMismatch) as mismatch:
        empty.check_schema()
    assert mismatch.value.found is None
    empty.close()


def test_what_is_not_committed_is_rolled_back(database: Database) -> None:
    with database.write(everyone=True) as tx:
        note(tx, "T1")
    assert workspaces(database) == set()


def test_an_error_rolls_everything_back(database: Database) -> None:
    def fail() -> None:
        with database.write(everyone=True) as tx:
            note(tx, "T1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert workspaces(database) == set()


def test_what_follows_a_commit_is_a_transaction_of_its_own(database: Database) -> None:
    with database.write(everyone=True) as tx:
        note(tx, "T1")
        tx.commit()
        note(tx, "T2")
    assert workspaces(database) == {"T1"}


def test_a_row_must_belong_to_what_it_names(database: Database) -> None:
    orphan = post.insert().values(workspace_id="T0NOBODY", channel="C1", kind="task", subject_id=1)
    with database.write(everyone=True) as tx, pytest.raises(IntegrityError):
        tx.execute(orphan)


def test_reading_shows_one_picture_whatever_is_written_meanwhile(database: Database) -> None:
    with database.read(everyone=True) as connection:
        before = connection.execute(select(func.count()).select_from(workspace)).scalar_one()
        with database.write(everyone=True) as tx:
            note(tx, "T1")
            tx.commit()
        assert connection.execute(select(func.count()).select_from(workspace)).scalar_one() == before
    assert workspaces(database) == {"T1"}


def test_writers_on_sqlite_wait_for_each_other(sqlite: Database) -> None:
    def write(name: str) -> None:
        for index in range(20):
            with sqlite.write(everyone=True) as tx:
                known = tx.execute(select(func.count()).select_from(workspace)).scalar_one()
                note(tx, f"{name}{index}-{known}")
                tx.commit()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(name.split("-")[1]) for name in workspaces(sqlite)) == list(range(80))


def test_a_commit_on_sqlite_is_on_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    with database.read(everyone=True) as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_write_on_sqlite_takes_the_lock_at_its_start_and_a_read_never(sqlite: Database) -> None:
    begun: list[str] = []

    @event.listens_for(sqlite.engine, "before_cursor_execute")
    def listen(*arguments: object) -> None:
        begun.append(str(arguments[2]))

    with sqlite.engine.connect() as plain:
        plain.execute(select(1))
    with sqlite.write(everyone=True) as tx:
        note(tx, "T1")
        other = sqlite3.connect(str(sqlite.engine.url.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM workspace").fetchone() == (0,)
        other.close()
    assert [each for each in begun if each.startswith("BEGIN")] == ["BEGIN", "BEGIN IMMEDIATE"]


def test_two_workspaces_live_in_one_database(database: Database) -> None:
    Marketing(database)
    Marketing(database, workspace_id="T0OTHER")
    assert workspaces(database) == {"T0SPRING", "T0OTHER"}
