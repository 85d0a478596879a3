"""The command line as an operator sees it: a program of its own, its last words and its exit status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner, Result

from bot.__main__ import cli
from sandbox.slack.server import SlackSandbox
from services.clock import SystemClock
from services.content import ApplicationDeclaration, Content
from services.database import Database
from services.leases import TICKS, Leases, name_of_copy
from services.states import Region, TaskState
from services.unread_callbacks import UnreadCallbacks
from tests.bot.settings import environment, without_slack
from tests.bot.workplace import MANIFEST, PATIENT
from tests.sandbox.people import until
from tests.services.builders import Marketing
from tests.services.fakes import FakeClock

OURS = ("SLACK_", "SMS_", "LOG_", "HTTP_HOST", "HTTP_PORT", "DATABASE_URL", "PUBLIC_URL", "HUAWEI_")


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST, timings=PATIENT)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def started(given: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *words,
        env={**inherited, **given},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(given: dict[str, str], *words: str) -> tuple[int | None, list[str], list[str]]:
    """Exit status, what it said, and what it said of trouble."""
    process = await started(given, *words)
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode().splitlines()


MISSING = "SLACK_BOT_TOKEN is missing in the environment: set it (docs/settings.md lists every setting)."


async def test_what_keeps_it_from_starting_is_one_sentence_and_nothing_else(
    slack: SlackSandbox, tmp_path: Path
) -> None:
    refused = environment(tmp_path, SLACK_API_URL=slack.api_url, SLACK_APP_TOKEN="xapp-wrong")
    missing, wrong = await asyncio.gather(run(environment(tmp_path, SLACK_BOT_TOKEN=None), "run"), run(refused, "run"))
    assert missing == (1, [], [MISSING])
    assert wrong == (1, [], ["Slack refuses SLACK_APP_TOKEN: invalid_auth. It needs the scope connections:write."])


def test_check_config_ends_with_a_status_too(tmp_path: Path) -> None:
    found = invoke(environment(tmp_path, SLACK_BOT_TOKEN=None), "check-config")
    assert (found.exit_code, found.output) == (1, f"✗ {MISSING}\n")


def test_migrate_says_what_it_did_or_why_not(tmp_path: Path) -> None:
    found = invoke(environment(tmp_path), "migrate")
    assert (found.exit_code, found.output) == (0, "The schema is up to date.\n")
    assert (tmp_path / "sms.db").exists()
    found = invoke(environment(tmp_path, DATABASE_URL="sqlite:////nowhere/sms.db"), "migrate")
    assert found.exit_code == 1
    assert found.output.startswith("DATABASE_URL: the database cannot be opened: ")
    assert found.output.count("\n") == 1


def test_what_looks_at_the_database_alone_needs_its_address_alone(tmp_path: Path) -> None:
    given = {"DATABASE_URL": f"sqlite:///{tmp_path / 'sms.db'}"}
    for words in (["migrate"], ["after-restore"], ["unread-callbacks"]):
        found = invoke(given, *words)
        assert found.exit_code == 0, found.output
    assert invoke(given, "copy-database", "--to", "sqlite:///other.db").output.startswith("--to: ")
    assert invoke({"DATABASE_URL": "", "HTTP_PORT": "http"}, "migrate").output.startswith(
        "HTTP_PORT in the environment"
    )


def test_after_restore_says_what_became_of_the_copys_tasks(tmp_path: Path) -> None:
    given = environment(tmp_path)
    refused = invoke(given, "after-restore")
    assert refused.exit_code == 1
    assert refused.output.endswith("run `python -m bot migrate`.\n")
    invoke(given, "migrate")
    database = Database(given["DATABASE_URL"])
    marketing = Marketing(database, clock=FakeClock(datetime.now(UTC)))
    marketing.a_confirmed_task(300)
    due = marketing.a_confirmed_task(5, group="due", at=marketing.in_(timedelta(hours=2)))
    later = marketing.a_confirmed_task(5, group="later", at=marketing.in_(timedelta(hours=4)))
    found = invoke(given, "after-restore", "--ran-until", f"{marketing.in_(timedelta(hours=3)):%Y-%m-%d %H:%M:%S}")
    assert (found.exit_code, found.output.splitlines()) == (
        0,
        [
            "May have been sent since the copy, so unknown from now on: 305 messages of 2 tasks.",
            "Due later, so paused and asked about in the channel: 1 task.",
            "Forgotten: 0 previews.",
        ],
    )
    assert marketing.task(due).state is TaskState.FINISHED
    assert marketing.task(later).state is TaskState.PAUSED
    database.close()


def invoke(given: dict[str, str], *words: str) -> Result:
    """For commands that leave this process as it was."""
    others: dict[str, str | None] = {name: None for name in os.environ if name.startswith(OURS)}
    return CliRunner().invoke(cli, words, env={**others, **given})


def says_schema(given: dict[str, str], found: str) -> None:
    database = Database(given["DATABASE_URL"])
    database.migrate()
    with database.write(everyone=True) as tx:
        tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")
        tx.commit()
    database.close()


async def test_every_command_tells_an_older_schema_from_a_newer_one(tmp_path: Path) -> None:
    given = environment(tmp_path)
    says_schema(given, "9999")
    newer = "DATABASE_URL: this database was made by a newer version: its schema is 9999, and this version knows "
    commands = (["migrate"], ["after-restore"], ["unread-callbacks"], ["copy-database", "--to", "postgresql://x/sms"])
    for words in commands:
        found = invoke(given, *words)
        assert (found.exit_code, found.output.startswith(newer)) == (1, True), (words, found.output)
        assert found.output.endswith("at most. Upgrade the bot.\n")
    status, said, trouble = await run(given, "run")
    assert (status, said, trouble[0].startswith(newer), len(trouble)) == (1, [], True, 1)
    with contextlib.closing(sqlite3.connect(tmp_path / "sms.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    found = invoke(given, "after-restore")
    assert found.output.startswith("DATABASE_URL: the database's schema is 0001, which is older than the ")
    assert found.output.endswith("run `python -m bot migrate`.\n")


@pytest.fixture
def target_url(postgresql_url: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE target")
        yield make_url(postgresql_url).set(database="target").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE target WITH (FORCE)")


def test_an_installation_moves_to_postgresql_and_says_so(tmp_path: Path, target_url: str) -> None:
    given = environment(tmp_path)
    source = Database(given["DATABASE_URL"])
    source.migrate()
    marketing = Marketing(source)
    task = marketing.a_confirmed_task(450)
    for _ in range(2):
        found = invoke(given, "copy-database", "--to", target_url)
        assert found.exit_code == 0, found.output
        lines = found.output.splitlines()
        (recipients,) = [line for line in lines if line.startswith("recipient ") and "rows" in line]
        assert recipients.split()[1:3] == ["450", "rows"]
        assert lines[-1].startswith("Copied and verified: ")
        assert "start the bot" in lines[-1]
    target = Database(target_url)
    target.check_schema()
    assert Marketing(target, clock=marketing.clock).task(task) == task
    Leases(source, SystemClock(), "host-7").hold("ticks", timedelta(minutes=1))
    found = invoke(given, "copy-database", "--to", target_url)
    live = "Not copied: a bot (host-7) runs on the database of DATABASE_URL: stop every process, wait ten "
    assert (found.exit_code, found.output) == (1, live + "seconds and try again.\n")
    source.close()
    target.close()


def test_only_from_sqlite_to_postgresql(tmp_path: Path) -> None:
    given = environment(tmp_path)
    invoke(given, "migrate")
    there = "DATABASE_URL: it is PostgreSQL already, and copy-database goes there from SQLite.\n"
    found = invoke({**given, "DATABASE_URL": "postgresql://x/sms"}, "copy-database", "--to", "postgresql://x/other")
    assert (found.exit_code, found.output) == (1, there)
    found = invoke(given, "copy-database", "--to", f"sqlite:///{tmp_path / 'other.db'}")
    assert found.output == "--to: copy-database goes from SQLite to PostgreSQL: write postgresql://host/sms.\n"
    assert not (tmp_path / "other.db").exists()
    found = invoke(given, "copy-database", "--to", "postgresql://127.0.0.1:9/sms")
    assert found.output.startswith("--to: the database cannot be opened: ")
    assert (found.exit_code, found.output.count("\n")) == (1, 1)


async def test_it_runs_until_it_is_asked_to_stop(slack: SlackSandbox, tmp_path: Path) -> None:
    process = await started(environment(tmp_path, SLACK_API_URL=slack.api_url), "run")
    await until(lambda: slack.connected, 20)
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert process.returncode == 0
    events = [json.loads(line) for line in err.decode().splitlines()]
    # Whether it has begun to tick by then is left open.
    told = [event["event"] for event in events if event["event"] != "leadership.taken"]
    assert told == ["bot.started", "bot.stopping", "bot.stopped"]
    assert not slack.connected


async def test_a_worker_does_not_start_beside_a_copy_of_its_database(
    postgresql: Database, postgresql_url: str, tmp_path: Path
) -> None:
    Content(postgresql).declare("T0SANDBOX", [ApplicationDeclaration("promo-cn", "huawei", Region.MAINLAND)])
    Leases(postgresql, SystemClock(), name_of_copy()).hold(TICKS, timedelta(minutes=1))
    status, _, (sentence,) = await run(without_slack(tmp_path, DATABASE_URL=postgresql_url), "worker")
    assert status == 1
    assert sentence.startswith("DATABASE_URL: copy-database copies this database: wait until it has ended ")


async def test_a_worker_takes_batches_without_any_of_slacks_settings(
    postgresql: Database, postgresql_url: str, tmp_path: Path
) -> None:
    application = ApplicationDeclaration("promo-cn", "huawei", Region.MAINLAND)
    Content(postgresql).declare("T0SANDBOX", [application])
    process = await started(without_slack(tmp_path, DATABASE_URL=postgresql_url), "worker")
    assert process.stderr is not None
    first = json.loads(await process.stderr.readline())
    assert (first["event"], first["applications"]) == ("worker.started", 1)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0


def test_unread_callbacks_are_printed_without_what_a_terminal_would_obey(tmp_path: Path) -> None:
    given = environment(tmp_path)
    found = invoke(given, "unread-callbacks")
    assert found.exit_code == 1
    assert "run `python -m bot migrate`" in found.output
    invoke(given, "migrate")
    assert invoke(given, "unread-callbacks").output == "0 callback(s) kept, the newest last.\n"
    database = Database(given["DATABASE_URL"])
    marketing = Marketing(database)
    UnreadCallbacks(database, marketing.clock).keep(
        marketing.application_id, "replies: not JSON", "退订\n\x1b]0;owned\x07".encode()
    )
    database.close()
    found = invoke(given, "unread-callbacks")
    assert found.output == (
        "1 · 2026-03-04 02:00:00 UTC · promo-cn (T0SPRING) · replies: not JSON\n"
        "退订\n\N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER}\n\n"
        "1 callback(s) kept, the newest last.\n"
    )
    assert found.exit_code == 0
