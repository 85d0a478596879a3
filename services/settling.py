"""Messages without a final word, so that their carrier can be asked what became of them.

A message is asked about from 5 minutes after it was handed over, until its application's receipt window closes, and no
more often than every 10 minutes. What the carrier says comes in as a receipt like any other (services/receipts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    or_,
    select,
    type_coerce,
)

from services.carriers.ports import Unsettled
from services.clock import Clock
from services.database import Database
from services.models import application, batch, recipient, result, send_task, submission, to_milliseconds
from services.states import BatchState, TaskState

ASKED_AFTER = timedelta(minutes=5)
ROUND_PAUSE = timedelta(minutes=10)
ASKED_AT_ONCE = 100
MILLISECONDS_AN_HOUR = 3_600_000
# A look at so many recipients takes some tens of milliseconds; a tick takes no more of them than this.
SPAN, SPANS_AT_ONCE = 20_000, 10


@dataclass(frozen=True, slots=True)
class _Place:
    """Up to where a round has come."""

    task_id: int
    seq: int


class Settling:
    """Goes round and round an application's open messages. Where it is, only this process knows: a new one starts over.

    Not thread-safe: of each application, one call at a time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._places: dict[int, _Place] = {}
        self._rests_until: dict[int, datetime] = {}

    def next_unsettled(self, application_id: int) -> Sequence[Unsettled] | None:
        """Some messages to ask about now; None where none is without a final word, however young."""
        now = self._clock.now()
        with self._database.read(everyone=True) as connection:
            tasks = connection.execute(_open_tasks(application_id, now)).all()
            if not tasks:
                self._places.pop(application_id, None)
                return None
            if now < self._rests_until.get(application_id, now):
                return ()
            return self._look(connection, application_id, tasks, now)

    def _look(
        self, connection: Connection, application_id: int, tasks: Sequence[Row[Any]], now: datetime
    ) -> Sequence[Unsettled]:
        found: list[Unsettled] = []
        place = self._places.get(application_id, _Place(0, 0))
        for spans, (task_id, first) in enumerate(_spans(tasks, place)):
            if spans == SPANS_AT_ONCE:
                return found
            for seq, each in _unsettled(connection, application_id, task_id, first, now - ASKED_AFTER):
                found.append(each)
                if len(found) == ASKED_AT_ONCE:
                    self._places[application_id] = _Place(task_id, seq)
                    return found
            self._places[application_id] = _Place(task_id, first + SPAN - 1)
        self._places.pop(application_id, None)
        if found or place.task_id:
            self._rests_until[application_id] = now + ROUND_PAUSE
        return found


def window_closes_at() -> ColumnElement[int]:
    """When the receipt window of the statement's `send_task` closes, in milliseconds; NULL while it is not over."""
    window = (
        select(application.c.receipt_window_hours * MILLISECONDS_AN_HOUR)
        .where(application.c.id == send_task.c.application_id)
        .scalar_subquery()
    )
    return type_coerce(send_task.c.finished_at, BigInteger) + window


def _open_tasks(application_id: int, now: datetime) -> Select[Any]:
    settled = send_task.c.delivered + send_task.c.failed + send_task.c.refused
    over = [TaskState.DRAFT.value, TaskState.SCHEDULED.value, TaskState.CANCELLED.value]
    return (
        select(send_task.c.id, send_task.c.recipients)
        .where(
            send_task.c.state.not_in(over),
            send_task.c.handed_over > settled,
            or_(send_task.c.finished_at.is_(None), window_closes_at() > to_milliseconds(now)),
            exists().where(batch.c.task_id == send_task.c.id, batch.c.application_id == application_id),
        )
        .order_by(send_task.c.id)
    )


def _spans(tasks: Sequence[Row[Any]], place: _Place) -> Iterator[tuple[int, int]]:
    """Each task's recipients in pieces, from where the round has come to: (task, first sequence number)."""
    for task in tasks:
        if task.id < place.task_id:
            continue
        begin = place.seq + 1 if task.id == place.task_id else 1
        for first in range(begin, task.recipients + 1, SPAN):
            yield task.id, first


def _unsettled(
    connection: Connection, application_id: int, task_id: int, first: int, before: datetime
) -> Iterator[tuple[int, Unsettled]]:
    last = first + SPAN - 1
    batches = connection.execute(
        select(batch)
        .where(
            batch.c.task_id == task_id,
            batch.c.application_id == application_id,
            batch.c.last >= first,
            batch.c.first <= last,
            batch.c.attempt > 0,
        )
        .order_by(batch.c.no)
    ).all()
    has_its = and_(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq)
    is_final = exists().where(result.c.task_id == recipient.c.task_id, result.c.seq == recipient.c.seq)
    query = (
        select(recipient.c.seq, recipient.c.number, submission.c.outcome, submission.c.sms_id, submission.c.at)
        .select_from(recipient.outerjoin(submission, has_its))
        .where(
            recipient.c.task_id == task_id, recipient.c.seq.between(bindparam("first"), bindparam("last")), ~is_final
        )
        .order_by(recipient.c.seq)
    )
    for each in batches:
        within = {"first": max(first, each.first), "last": min(last, each.last)}
        for row in connection.execute(query, within):
            at = _handed_over(row, each)
            if at is not None and at < before:
                yield row.seq, Unsettled(row.number, row.sms_id, each.reference, at)


def _handed_over(message: Any, its_batch: Row[Any]) -> datetime | None:
    """When it was, at the latest; None where it was not, or may still be under way."""
    if message.outcome in ("accepted", "unknown"):
        at: datetime = message.at
        return at
    if message.outcome is None and its_batch.state == BatchState.UNKNOWN.value:
        ended: datetime | None = its_batch.lease_until
        return ended
    return None
