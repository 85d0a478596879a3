"""The do-not-send list of a workspace: numbers that get no promotional SMS.

A number gets there by its own reply, by the carrier's word, by a person or by a file, and stays as it got there first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, func, select

from services.bulk import BulkWriter
from services.clock import Clock
from services.database import Database
from services.errors import NotAllowed
from services.models import application, opt_out, to_milliseconds
from services.numbers import mask

log = structlog.get_logger()

_COLUMNS = ["workspace_id", "number", "origin", "added_by", "at"]


class Origin(StrEnum):
    """How a number got on the list: it replied, its carrier said so, a person typed it, or a file held it."""

    REPLY = "reply"
    CARRIER = "carrier"
    PERSON = "person"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class OptOut:
    """A number on the list. `added_by` is None unless a person or their file brought it."""

    number: int
    origin: Origin
    added_by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class OptOutPage:
    """Some of the list, the newest first; `page` counts from 1, `pages` is at least 1."""

    opt_outs: Sequence[OptOut]
    page: int
    pages: int
    total: int


class OptOuts:
    """The lists of every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def page(self, workspace_id: str, page: int, size: int) -> OptOutPage:
        """A page beyond the last one is the last one."""
        with self._database.read() as connection:
            total = _count(connection, workspace_id)
            pages = max(1, -(-total // size))
            page = min(max(page, 1), pages)
            query = (
                select(opt_out)
                .where(opt_out.c.workspace_id == workspace_id)
                .order_by(opt_out.c.at.desc(), opt_out.c.number)
                .limit(size)
                .offset((page - 1) * size)
            )
            rows = connection.execute(query).all()
        return OptOutPage([_opt_out(row) for row in rows], page, pages, total)

    def count(self, workspace_id: str) -> int:
        """How many numbers are on the list."""
        with self._database.read() as connection:
            return _count(connection, workspace_id)

    def find(self, workspace_id: str, number: int) -> OptOut | None:
        """None where the number is not on the list."""
        with self._database.read() as connection:
            return find_opt_out(connection, workspace_id, number)

    def add(self, workspace_id: str, number: int, by: str) -> bool:
        """Whether it was not there yet."""
        with self._database.write() as tx:
            new = add_opt_outs(tx, self._database.bulk, workspace_id, [number], Origin.PERSON, self._clock.now(), by)
            tx.commit()
        return new == 1

    def remove(self, workspace_id: str, number: int, by: str) -> None:
        """Take it off: promotional SMS reach it again. Raises NotAllowed("not_opted_out")."""
        with self._database.write() as tx:
            gone = delete(opt_out).where(opt_out.c.workspace_id == workspace_id, opt_out.c.number == number)
            if not tx.execute(gone).rowcount:
                raise NotAllowed("not_opted_out", number=number)
            tx.commit()
        # The row is gone, and somebody may ask who did it.
        log.info("opt_out.removed", workspace=workspace_id, number=mask(number), by=by)

    def rows(self, workspace_id: str) -> Iterator[OptOut]:
        """The whole list, in order of its numbers."""
        query = select(opt_out).where(opt_out.c.workspace_id == workspace_id).order_by(opt_out.c.number)
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                yield _opt_out(row)


def find_opt_out(connection: Connection, workspace_id: str, number: int) -> OptOut | None:
    """None where the number is not on the list."""
    query = select(opt_out).where(opt_out.c.workspace_id == workspace_id, opt_out.c.number == number)
    row = connection.execute(query).first()
    return None if row is None else _opt_out(row)


def add_opt_outs(
    tx: Connection,
    bulk: BulkWriter,
    workspace_id: str,
    numbers: Iterable[int],
    origin: Origin,
    at: datetime,
    by: str | None = None,
) -> int:
    """Put numbers on the list, in the transaction that knows why. Returns how many were not there yet.

    Call it last, after every other lock is taken: all who add take the numbers in the same order, and so nobody waits
    for somebody who waits for them.
    """
    since = to_milliseconds(at)
    ordered = sorted(numbers)
    if not ordered:
        return 0
    rows = ((workspace_id, number, origin.value, by, since) for number in ordered)
    return bulk.insert_new(tx, opt_out, _COLUMNS, rows)


def take_carriers_word(
    tx: Connection, bulk: BulkWriter, application_id: int, numbers: Iterable[int], at: datetime
) -> int:
    """Put on the list whom the carrier of this application says it may not send to any more, called last as above.

    Returns how many were not there yet.
    """
    told = set(numbers)
    if not told:
        return 0
    workspace_id = tx.execute(select(application.c.workspace_id).where(application.c.id == application_id)).scalar_one()
    return add_opt_outs(tx, bulk, workspace_id, told, Origin.CARRIER, at)


def _count(connection: Connection, workspace_id: str) -> int:
    query = select(func.count()).select_from(opt_out).where(opt_out.c.workspace_id == workspace_id)
    return int(connection.execute(query).scalar_one())


def _opt_out(row: Row[Any]) -> OptOut:
    return OptOut(row.number, Origin(row.origin), row.added_by, row.at)
