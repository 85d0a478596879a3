"""Transactions and schema, the same on both databases."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

import services.database
from services.carriers.ports import Receipt
from services.content import Content
from services.database import Database, SchemaMismatch
from services.models import metadata, post, receipt, recipient, result, submission, workspace
from tests.services.builders import FIRST_NUMBER, MAINLAND, WORKSPACE, Marketing

MIGRATIONS = Path(services.database.__file__).with_name("migrations")

# What the tables of packages begin with.
PACKAGES = ("procrastinate_", "slack_")


def workspaces(database: Database) -> set[str]:
    with database.read(everyone=True) as connection:
        return set(connection.execute(select(workspace.c.id)).scalars())


def note(connection: Connection, name: str) -> None:
    connection.execute(workspace.insert().values(id=name))


def partitions(connection: Connection) -> dict[str, str]:
    """Each partition's name and its table's; none on SQLite."""
    if connection.dialect.name == "sqlite":
        return {}
    rows = connection.exec_driver_sql(
        "SELECT inhrelid::regclass::text AS name, inhparent::regclass::text AS whole FROM pg_inherits"
        " JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'"
    )
    return {row.name: row.whole for row in rows}


def all_at_once(starts: Sequence[Callable[[], object]]) -> None:
    """As processes that are started by one command; raises what one of them raises."""
    together = threading.Barrier(len(starts))

    def start(one: Callable[[], object]) -> None:
        together.wait()
        one()

    with ThreadPoolExecutor(len(starts)) as threads:
        for started in [threads.submit(start, each) for each in starts]:
            started.result()


def test_several_may_migrate_an_empty_database_and_start_on_it_at_once(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
        url = make_url(postgresql_url).set(database="fresh").render_as_string(hide_password=False)
        processes = [Database(url) for _ in range(3)]
        all_at_once([each.migrate for each in processes])
        all_at_once([partial(Content(each).declare, WORKSPACE, [MAINLAND]) for each in processes])
        assert [name for _, name, _ in Content(processes[0]).declared()] == [MAINLAND.name]
        for each in processes:
            each.check_schema()
            each.close()
        connection.execute("DROP DATABASE fresh WITH (FORCE)")


def test_migrations_produce_the_models(database: Database) -> None:
    with database.read(everyone=True) as connection:
        parts = partitions(connection)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": not database.is_sqlite,
                # Those of packages are theirs, and a partition is made from its table.
                "include_name": lambda name, kind, _: (
                    kind != "table" or not (name.startswith(PACKAGES) or name in parts)
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


def test_a_database_of_a_newer_version_is_told_apart_and_left_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'newer.db'}")
    database.migrate()
    for found, is_newer in (("0001", False), ("9999", True)):
        with database.write(everyone=True) as tx:
            tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")
            tx.commit()
        with pytest.raises(SchemaMismatch) as mismatch:
            database.check_schema()
        assert (mismatch.value.found, mismatch.value.is_newer) == (found, is_newer)
    with pytest.raises(SchemaMismatch):
        database.migrate()
    database.close()


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> Iterator[Database]:
    """Without a schema."""
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    yield database
    database.close()


@pytest.fixture
def empty_postgresql(postgresql_url: str) -> Iterator[Database]:
    """Without a schema, and of this test's own."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
        database = Database(make_url(postgresql_url).set(database="empty").render_as_string(hide_password=False))
        yield database
        database.close()
        connection.execute("DROP DATABASE empty WITH (FORCE)")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_every_migration_can_be_taken_back_and_made_again(request: pytest.FixtureRequest, kind: str) -> None:
    lonely: Database = request.getfixturevalue(f"empty_{kind}")

    def tables() -> set[str]:
        with lonely.read(everyone=True) as connection:
            return set(inspect(connection).get_table_names())

    lonely.migrate()
    first = tables()
    downgrade(lonely, "base")
    assert tables() == {"alembic_version"}
    lonely.migrate()
    assert tables() == first
    marketing = Marketing(lonely)
    task = marketing.a_confirmed_task(3)
    await marketing.send_all()
    assert marketing.task(task).accepted == 3


def downgrade(database: Database, revision: str) -> None:
    with database.write(everyone=True) as tx:
        config = AlembicConfig()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = tx
        command.downgrade(config, revision)
        tx.commit()


async def test_the_rows_there_are_go_into_partitions_and_out_of_them(empty_postgresql: Database) -> None:
    lonely = empty_postgresql
    lonely.migrate()
    marketing = Marketing(lonely)
    task = marketing.a_confirmed_task(30)
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    marketing.report(
        Receipt("delivered", "DELIVRD", "1", reference, FIRST_NUMBER), Receipt("pending", "", "2", None, 1)
    )
    before = _rows(lonely)
    downgrade(lonely, "0003")
    with lonely.read(everyone=True) as connection:
        assert partitions(connection) == {}
    assert _rows(lonely) == before
    lonely.migrate()
    assert _rows(lonely) == before
    with lonely.read(everyone=True) as connection:
        assert set(partitions(connection).values()) == {"recipient", "submission", "result", "receipt"}
    marketing.report(Receipt("delivered", "DELIVRD", "1", reference, FIRST_NUMBER + 1))
    assert marketing.task(task).delivered == 2, "and its keys go on"


def _rows(database: Database) -> dict[str, list[Any]]:
    with database.read(everyone=True) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in (recipient, submission, result, receipt)
        }


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
