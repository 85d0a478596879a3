"""The messages of one send task, in pages and by number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, func, select, tuple_

from services.database import Database
from services.models import application, batch, receipt, recipient, result, submission
from services.pool import Fate
from services.states import BatchState
from services.task_reports import Task


@dataclass(frozen=True, slots=True)
class Segment:
    """What the carrier reported about one segment of a message."""

    sequence: int
    total: int
    status: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """One message. `code` is the carrier's own, empty where it has said nothing; `at` is the last news, if any.

    `segments` are those that were reported, in order: each belongs to the one `sms_id`.
    """

    seq: int
    number: int
    fate: Fate
    code: str
    carrier: str
    sms_id: str | None
    at: datetime | None
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """Where a page begins: the messages after, or before, the one with this sequence number.

    `number` leaves those to it, `ending` those to numbers that end so.
    """

    side: Literal["after", "before"] = "after"
    seq: int = 0
    number: int | None = None
    ending: str = ""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Some messages in the order they are handed over, and whether there are others on either side."""

    messages: Sequence[TaskMessage]
    has_before: bool
    has_after: bool


@dataclass(frozen=True, slots=True)
class UnknownCounts:
    """The messages without a final word: no answer to the request, and accepted without a receipt."""

    unanswered: int
    unreported: int


class TaskMessages:
    """Reads single messages. No page costs more than the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, task: Task, place: MessagePlace, size: int) -> MessagePage:
        """A whole number is found by halving, an ending by looking through the task from where the page begins.

        Of a forgotten task it is empty, also where not all of its rows are deleted yet.
        """
        if task.forgotten_at is not None:
            return MessagePage((), has_before=False, has_after=False)
        with self._database.read(task.workspace_id) as connection:
            found = _seqs(connection, task, place, size + 1)
            more, seqs = len(found) > size, found[:size]
            if place.side == "before":
                other = bool(_seqs(connection, task, _beyond(place, seqs, "after"), 1))
                return MessagePage(_read(connection, task, seqs[::-1]), more, other)
            other = place.seq > 0 and bool(_seqs(connection, task, _beyond(place, seqs, "before"), 1))
            return MessagePage(_read(connection, task, seqs), other, more)

    def unknown(self, task: Task) -> UnknownCounts:
        """A full count, about half a second for a million messages."""
        is_result = and_(result.c.task_id == submission.c.task_id, result.c.seq == submission.c.seq)
        query = (
            select(func.count())
            .select_from(submission)
            .outerjoin(result, is_result)
            .where(submission.c.task_id == task.id, submission.c.outcome == "accepted", result.c.seq.is_(None))
        )
        with self._database.read(task.workspace_id) as connection:
            unreported: int = connection.execute(query).scalar_one()
        return UnknownCounts(max(0, task.unknown - unreported), min(unreported, task.unknown))


def _beyond(place: MessagePlace, seqs: Sequence[int], side: Literal["after", "before"]) -> MessagePlace:
    """The other side of a page of these, the first one read first."""
    return replace(place, side=side, seq=seqs[0] if seqs else place.seq)


def _seqs(connection: Connection, task: Task, place: MessagePlace, limit: int) -> list[int]:
    """The nearest first."""
    if place.number is not None:
        found = find_number(connection, task, place.number)
        found = [seq for seq in found if (seq > place.seq if place.side == "after" else seq < place.seq)]
        return (found if place.side == "after" else found[::-1])[:limit]
    query = select(recipient.c.seq).where(recipient.c.task_id == task.id)
    if place.ending:
        query = query.where(recipient.c.number % 10 ** len(place.ending) == int(place.ending))
    if place.side == "after":
        query = query.where(recipient.c.seq > place.seq).order_by(recipient.c.seq)
    else:
        query = query.where(recipient.c.seq < place.seq).order_by(recipient.c.seq.desc())
    return [*connection.execute(query.limit(limit)).scalars()]


def find_number(connection: Connection, task: Task, number: int) -> list[int]:
    """Where a number stands in a task, without an index on numbers: by halving, and among the few further copies."""
    of_task = recipient.c.task_id == task.id
    low, high = 1, (task.distinct_numbers or task.recipients) + 1
    last = high - 1
    while low < high:
        middle = (low + high) // 2
        at = connection.execute(select(recipient.c.number).where(of_task, recipient.c.seq == middle)).scalar()
        if at is None:
            # The task was forgotten a moment ago.
            return []
        low, high = (middle + 1, high) if at < number else (low, middle)
    here = select(recipient.c.seq).where(of_task, recipient.c.seq == low, recipient.c.number == number)
    copies = select(recipient.c.seq).where(of_task, recipient.c.seq > last, recipient.c.number == number)
    found = [*connection.execute(here).scalars()] if low <= last else []
    return [*found, *connection.execute(copies.order_by(recipient.c.seq)).scalars()]


def _read(connection: Connection, task: Task, seqs: Sequence[int]) -> list[TaskMessage]:
    if not seqs:
        return []
    rows = connection.execute(_messages(task.id, seqs)).all()
    # Not joined: each message would look at every batch of the task.
    overlapping = (
        select(batch, application.c.carrier)
        .join(application, application.c.id == batch.c.application_id)
        .where(batch.c.task_id == task.id, batch.c.last >= seqs[0], batch.c.first <= seqs[-1])
    )
    batches = {row.seq: found for found in connection.execute(overlapping) for row in rows if _is_in(row, found)}
    segments = _segments(connection, rows, batches)
    return [_message(row, batches[row.seq], segments[row.seq]) for row in rows]


def _is_in(row: Row[Any], found: Row[Any]) -> bool:
    return bool(found.first <= row.seq <= found.last)


def _messages(task_id: int, seqs: Sequence[int]) -> Select[Any]:
    return (
        select(
            recipient.c.seq,
            recipient.c.number,
            submission.c.outcome,
            submission.c.sms_id,
            submission.c.code.label("submission_code"),
            submission.c.at.label("submitted_at"),
            result.c.state.label("result_state"),
            result.c.code.label("result_code"),
            result.c.at.label("result_at"),
        )
        .outerjoin(submission, and_(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq))
        .outerjoin(result, and_(result.c.task_id == recipient.c.task_id, result.c.seq == recipient.c.seq))
        .where(recipient.c.task_id == task_id, recipient.c.seq.in_(seqs))
        .order_by(recipient.c.seq)
    )


def _segments(
    connection: Connection, rows: Sequence[Row[Any]], batches: dict[int, Row[Any]]
) -> dict[int, list[Segment]]:
    """What was reported of each message, by its reference and number, or by SMS ID where none is echoed."""
    found: dict[int, list[Segment]] = defaultdict(list)
    wanted: dict[tuple[int, str, int], Row[Any]] = {}
    for row in rows:
        of = batches[row.seq]
        wanted[of.application_id, of.reference, row.number] = row
        if row.sms_id:
            wanted[of.application_id, "", row.number] = row
    key = tuple_(receipt.c.application_id, receipt.c.reference, receipt.c.number)
    mine = receipt.c.application_id.in_({application_id for application_id, _, _ in wanted})
    reported = connection.execute(select(receipt).where(mine, key.in_(list(wanted))).order_by(receipt.c.id)).all()
    for each in reported:
        row = wanted[each.application_id, each.reference, each.number]
        if each.reference or each.sms_id == row.sms_id:
            segment = Segment(each.sequence, each.total, each.status, each.code, each.at or each.received_at)
            found[row.seq].append(segment)
    for segments in found.values():
        segments.sort(key=lambda segment: segment.sequence)
    return found


_WITHOUT_OUTCOME = {
    BatchState.PLANNED: Fate.WAITING,
    BatchState.SENDING: Fate.HANDING_OVER,
    BatchState.CANCELLED: Fate.HELD_BACK,
    BatchState.DONE: Fate.UNKNOWN,
    BatchState.UNKNOWN: Fate.UNKNOWN,
}


def _message(row: Row[Any], of: Row[Any], segments: Sequence[Segment]) -> TaskMessage:
    if row.result_state is not None:
        fate, code, at = Fate(row.result_state), row.result_code, row.result_at
    elif row.outcome is not None:
        fate, code, at = Fate(row.outcome), row.submission_code, row.submitted_at
    else:
        fate, code, at = _WITHOUT_OUTCOME[BatchState(of.state)], "", None
    return TaskMessage(row.seq, row.number, fate, code, of.carrier, row.sms_id, at, segments)
