"""`python -m bot copy-database`: an installation moves from SQLite to PostgreSQL while nothing runs."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bot.bad_config import BadConfig
from bot.schema_words import describe_mismatch
from bot.sending import use_queue
from handlers.views.words import counted, number
from services.clock import Clock
from services.database import Database, DatabaseUnavailable, SchemaMismatch
from services.database_copy import CopiedTable, CopyRefused, DatabaseCopy

Say = Callable[[str], None]


def copy_database(source_url: str, target_url: str, clock: Clock, say: Say) -> None:
    """Copy, verify and say so, table by table. Raises BadConfig with a sentence, and then can be run again."""
    source = _opened(source_url, "DATABASE_URL")
    target = _opened(target_url, "--to")
    try:
        if not source.is_sqlite:
            raise BadConfig("DATABASE_URL: it is PostgreSQL already, and copy-database goes there from SQLite.")
        if target.is_sqlite:
            raise BadConfig("--to: copy-database goes from SQLite to PostgreSQL: write postgresql://host/sms.")
        _make_ready(source, target)
        progress = _Progress(say, in_place=sys.stdout.isatty())
        use_queue(target)
        copied = DatabaseCopy(source, target, clock).run(progress)
    except CopyRefused as refused:
        raise BadConfig(_SENTENCES[refused.why].format(**refused.facts)) from refused
    finally:
        source.close()
        target.close()
    _say_what_is_there(copied, say)


def _opened(url: str, which: str) -> Database:
    try:
        return Database(url)
    except DatabaseUnavailable as error:
        raise BadConfig(f"{which}: the database cannot be opened: {error}.") from error


def _make_ready(source: Database, target: Database) -> None:
    """Both with this version's schema. Only an empty target is given one: on another something may run."""
    for database, which in ((source, "DATABASE_URL"), (target, "--to")):
        try:
            try:
                database.check_schema()
            except SchemaMismatch as mismatch:
                if database is source or mismatch.found is not None:
                    raise BadConfig(describe_mismatch(mismatch, which)) from mismatch
                database.migrate()
        except DatabaseUnavailable as error:
            raise BadConfig(f"{which}: the database cannot be opened: {error}.") from error


_LIVE = (
    "Not copied: a bot ({{owner}}) runs on the database of {which}: stop every process, wait ten seconds and try again."
)
_COPYING = (
    "Not copied: another copy-database is under way on the database of {which}, or was killed less than half a minute "
    "ago: wait and try again."
)
_SENTENCES = {
    "source_live": _LIVE.format(which="DATABASE_URL"),
    "target_live": _LIVE.format(which="--to"),
    "source_copying": _COPYING.format(which="DATABASE_URL"),
    "target_copying": _COPYING.format(which="--to"),
    "differs": (
        "The copy is not usable: table {table} has {source_rows} rows in SQLite and {target_rows} in PostgreSQL, or "
        "their contents differ. Something wrote to one of them meanwhile, or the target was not empty: make a new "
        "database and try again."
    ),
}


class _Progress:
    """A line for each table that grows; in a terminal one line that counts."""

    def __init__(self, say: Say, *, in_place: bool) -> None:
        self._say = say
        self._in_place = in_place
        self._table = ""

    def __call__(self, table: str, rows: int) -> None:
        if self._in_place:
            sys.stdout.write(f"\r\033[K{table}: {number(rows)} rows")
            sys.stdout.flush()
        elif table != self._table:
            self._say(f"{table} …")
        self._table = table


def _say_what_is_there(copied: list[CopiedTable], say: Say) -> None:
    width = max(len(each.name) for each in copied)
    for each in copied:
        say(f"{each.name:{width}} {number(each.rows):>15} rows  {each.checksum}")
    rows = sum(each.rows for each in copied)
    say(
        f"Copied and verified: {counted(rows, 'row')} in {counted(len(copied), 'table')}. Put the new address into "
        "DATABASE_URL and start the bot. Never start one on the SQLite file again: it would send what waits there."
    )
