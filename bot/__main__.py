"""The command line: `python -m bot run`, `worker`, `migrate`, `copy-database`, `check-config` and others.

What only one command needs is imported there: importing is nearly all of what a worker's start takes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import uvloop
from cryptography.fernet import Fernet

from bot.bad_config import BadConfig
from bot.config import WorkerConfig, read_config, read_worker_config
from bot.copy_command import copy_database
from bot.environment import read_environment
from bot.logs import set_up_logs
from bot.process import spare_the_collector
from bot.schema_words import describe_mismatch
from handlers.views.words import counted
from services.clock import SystemClock
from services.database import Database, DatabaseUnavailable, SchemaMismatch
from services.restores import Restores
from services.unread_callbacks import UnreadCallbacks

if TYPE_CHECKING:
    from bot.wiring import Bot
    from bot.worker import Worker

log = structlog.get_logger()

# What has not ended by then never may: a database or a network that is away. A process may die at any line.
STOP_SECONDS = 14.5

# Plain tracebacks: the pretty ones show variables, and those hold credentials and numbers.
cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bulk SMS, run from a Slack channel.",
)


@cli.command()
def run(
    sending: Annotated[
        bool, typer.Option("--sending/--without-sending", help="Whether this process sends, or workers do.")
    ] = True,
) -> None:
    """Serve Slack, receive receipts and send."""
    from bot.wiring import Bot

    with _one_sentence():
        config = read_config()
        _set_up(config)
        uvloop.run(_serve(lambda: Bot(config, sends=sending)))


@cli.command()
def worker() -> None:
    """Only send: one of any number beside `run`, on the same PostgreSQL. It needs none of Slack's settings."""
    from bot.worker import Worker

    with _one_sentence():
        config = read_worker_config()
        _set_up(config)
        uvloop.run(_serve(lambda: Worker(config)))


@cli.command()
def migrate() -> None:
    """Bring the database's schema to this version's."""
    with _one_sentence():
        database = Database(read_environment().database_url)
        database.migrate()
        database.close()
    typer.echo("The schema is up to date.")


@cli.command("copy-database")
def copy(
    to: Annotated[str, typer.Option("--to", help="The address of an empty PostgreSQL database: postgresql://…")],
) -> None:
    """Copy a SQLite installation to PostgreSQL, and verify it; nothing may run on either meanwhile.

    One that was interrupted goes on where it was when it is run again.
    """
    with _one_sentence():
        copy_database(read_environment().database_url, to, SystemClock(), typer.echo)


@cli.command("after-restore")
def after_restore(
    ran_until: Annotated[
        datetime | None,
        typer.Option(help="When an installation with this database last ran, in UTC; without it, until now."),
    ] = None,
) -> None:
    """Make a database that was restored from an older copy safe to start; nothing may run on it meanwhile."""
    with _one_sentence():
        database = Database(read_environment().database_url)
        database.check_schema()
        clock = SystemClock()
        until = clock.now() if ran_until is None else ran_until.replace(tzinfo=UTC)
        done = Restores(database, clock).take_over(until)
        database.close()
    typer.echo(
        f"May have been sent since the copy, so unknown from now on: {counted(done.unknown_messages, 'message')} of "
        f"{counted(done.unknown_tasks, 'task')}.\n"
        f"Due later, so paused and asked about in the channel: {counted(done.paused_tasks, 'task')}.\n"
        f"Forgotten: {counted(done.forgotten_drafts, 'preview')}."
    )


@cli.command("check-config")
def check() -> None:
    """Say what is right in the settings and what is not; nothing is sent."""
    from bot.check_config import check_config

    if not asyncio.run(check_config(typer.echo)):
        raise typer.Exit(1)


@cli.command("new-token-key")
def new_token_key() -> None:
    """Print a new key for SLACK_TOKEN_KEYS."""
    typer.echo(Fernet.generate_key().decode())


@cli.command("unread-callbacks")
def unread_callbacks() -> None:
    """Print the callbacks that could not be read. They may hold customers' numbers and words."""
    with _one_sentence():
        database = Database(read_environment().database_url)
        database.check_schema()
        kept = UnreadCallbacks(database, SystemClock()).kept()
        database.close()
    for each in kept:
        head = f"{each.id} · {each.received_at:%Y-%m-%d %H:%M:%S} UTC · {each.application} ({each.workspace_id})"
        typer.echo(f"{head} · {each.reason}\n{_harmless(each.body)}\n")
    typer.echo(f"{len(kept)} callback(s) kept, the newest last.")


def _harmless(text: str) -> str:
    """Without what a terminal would obey: anybody may have written it."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


def _set_up(config: WorkerConfig) -> None:
    spare_the_collector()
    set_up_logs(config.log_format, config.log_level)


async def _serve(make: Callable[[], Bot | Worker]) -> None:
    bot = make()
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, asked_to_stop.set)
    await bot.start()
    await asked_to_stop.wait()
    watchdog = threading.Timer(STOP_SECONDS, _end_now)
    watchdog.daemon = True
    watchdog.start()
    await bot.stop()


def _end_now() -> None:
    log.error("bot.stop_took_too_long")
    logging.shutdown()
    os._exit(1)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """What an operator can mend is one sentence, not a traceback."""
    try:
        yield
    except BadConfig as error:
        sentence = str(error)
    except SchemaMismatch as error:
        sentence = describe_mismatch(error)
    except DatabaseUnavailable as error:
        sentence = f"DATABASE_URL: the database cannot be opened: {error}."
    else:
        return
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    cli()
