"""The customer pool: every number a workspace holds, where each is and what became of what it was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, delete, func, literal, or_, select, tuple_

from services.database import Database
from services.entries import is_typed
from services.groups import Group, group_by_id, groups_of, resize
from services.models import (
    Moment,
    application,
    batch,
    customer_group,
    group_member,
    number_import,
    recipient,
    reply,
    result,
    send_task,
    submission,
    template,
)
from services.number_regions import RegionReader, runs
from services.opt_outs import OptOut, find_opt_out
from services.sheets import befores_from_json, row_in_sheet
from services.states import BatchState, SmsType, TaskState

_NOT_OVER = [state.value for state in TaskState if not state.is_over]
MESSAGES_SHOWN = 10
REPLIES_SHOWN = 3
# The outcomes of a message that may have reached its number.
_WROTE = ("accepted", "unknown")


class Fate(StrEnum):
    """What became of one number's message. ACCEPTED and UNKNOWN are both unknown to people: no final word yet."""

    WAITING = "waiting"
    HANDING_OVER = "handing over"
    HELD_BACK = "held back"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Totals:
    """`numbers` and the counts by type and country count a number in several groups once.

    A country is an ISO region, None for numbers of none; types and countries come with the most numbers first, and so
    do the groups, of which `group_count` there are in all.
    """

    numbers: int
    types: Sequence[tuple[SmsType, int]]
    countries: Sequence[tuple[str | None, int]]
    groups: Sequence[Group]
    group_count: int


@dataclass(frozen=True, slots=True)
class Membership:
    """A number in a group. `file` is empty for a typed number, None where the import is no longer known."""

    group: Group
    since: datetime | None
    file: str | None
    row: int
    by: str | None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message to a number. `code` is the carrier's own, empty where it has said nothing. `at` is the last
    news, or when it is due.
    """

    task: int
    template: str
    fate: Fate
    code: str
    carrier: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What a number replied. `opts_out` is None where it asked neither to be left alone nor to be written to."""

    text: str
    at: datetime
    opts_out: bool | None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """All that is known about a number: the newest messages first, at most 10 of `message_count`, and its last replies.

    `opted_out` is None where it is not on the do-not-send list.
    """

    number: int
    region: str | None
    groups: Sequence[Membership]
    messages: Sequence[SentMessage]
    message_count: int
    opted_out: OptOut | None = None
    replies: Sequence[Heard] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Numbers in some group that end in what was searched for, in order; `more`: there are others."""

    numbers: Sequence[int]
    more: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """The groups a number was taken out of, and the confirmed tasks, not over yet, whose copy still has it."""

    groups: Sequence[str]
    tasks: Sequence[int]


class Pool:
    """The numbers of every workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(self, workspace_id: str, groups_shown: int = 10) -> Totals:
        """Counts every number; about a second for a million."""
        with self._database.read() as connection:
            groups = groups_of(connection, workspace_id)
            ordered = _numbers_in(groups).order_by(group_member.c.number)
            countries: Counter[str | None] = Counter()
            for run in runs(connection.execute(ordered, execution_options={"yield_per": 20_000}).scalars()):
                countries[run.region] += run.size
            types: Counter[SmsType] = Counter()
            for sms_type in {group.sms_type for group in groups}:
                of_type = _numbers_in([group for group in groups if group.sms_type is sms_type]).subquery()
                types[sms_type] = connection.execute(select(func.count()).select_from(of_type)).scalar_one()
        return Totals(
            numbers=countries.total(),
            types=[(sms_type, size) for sms_type, size in types.most_common() if size],
            countries=countries.most_common(),
            groups=sorted(groups, key=lambda group: -group.size)[:groups_shown],
            group_count=len(groups),
        )

    def find(self, workspace_id: str, number: int) -> Whereabouts:
        """Where it is and what it was sent; both empty for a number nobody knows."""
        with self._database.read() as connection:
            groups = connection.execute(_memberships(workspace_id, number)).all()
            opted_out = find_opt_out(connection, workspace_id, number)
            replies = [
                Heard(row.text, row.at, row.opts_out) for row in connection.execute(_replies(workspace_id, number))
            ]
            sent = _sent(connection, _confirmed(workspace_id), number)
            shown = connection.execute(_messages(workspace_id, sent[:MESSAGES_SHOWN])).all()
            found = [
                Membership(
                    group=group_by_id(connection, workspace_id, row.group_id),
                    since=row.finished_at,
                    file="" if row.file_id and is_typed(row.file_id) else row.file_name,
                    row=row_in_sheet(row.row, befores_from_json(row.sheets)),
                    by=row.uploaded_by,
                )
                for row in groups
            ]
        region = RegionReader().region_of(number)
        messages = [_message(row) for row in shown]
        return Whereabouts(number, region, found, messages, len(sent), opted_out, replies)

    def search(self, workspace_id: str, last_digits: str, limit: int = 10) -> Found:
        """The numbers in the workspace's groups that end in these digits."""
        query = (
            select(group_member.c.number)
            .join(customer_group, customer_group.c.id == group_member.c.group_id)
            .where(
                customer_group.c.workspace_id == workspace_id,
                group_member.c.number % 10 ** len(last_digits) == int(last_digits),
            )
            .distinct()
            .order_by(group_member.c.number)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            numbers = connection.execute(query).scalars().all()
        return Found(numbers[:limit], len(numbers) > limit)

    def remove(self, workspace_id: str, number: int) -> Removed:
        """Take a number out of every group. What is confirmed keeps its own copy."""
        mine = select(customer_group.c.id).where(customer_group.c.workspace_id == workspace_id)
        with self._database.write() as tx:
            gone = delete(group_member).where(group_member.c.number == number, group_member.c.group_id.in_(mine))
            ids = tx.execute(gone.returning(group_member.c.group_id)).scalars().all()
            resize(tx, ids, -1)
            names = (
                select(customer_group.c.name).where(customer_group.c.id.in_(ids)).order_by(customer_group.c.name_key)
            )
            groups = tx.execute(names).scalars().all()
            tasks = _tasks_with_a_copy(tx, workspace_id, number)
            tx.commit()
        return Removed(groups, tasks)


def last_task_to(
    connection: Connection, workspace_id: str, number: int, since: datetime, until: datetime
) -> int | None:
    """The id of the task that was the last to hand a message over to this number in that time; None if none did."""
    recent = _confirmed(workspace_id).where(
        send_task.c.started_at <= until, or_(send_task.c.finished_at.is_(None), send_task.c.finished_at >= since)
    )
    sent = _sent(connection, recent, number)
    at = func.coalesce(submission.c.at, send_task.c.started_at, type_=Moment)
    under_way = [BatchState.SENDING.value, BatchState.DONE.value, BatchState.UNKNOWN.value]
    handed_over = or_(
        submission.c.outcome.in_(_WROTE), and_(submission.c.outcome.is_(None), batch.c.state.in_(under_way))
    )
    query = (
        select(recipient.c.task_id)
        .join(send_task, send_task.c.id == recipient.c.task_id)
        .join(batch, and_(batch.c.task_id == recipient.c.task_id, recipient.c.seq.between(batch.c.first, batch.c.last)))
        .outerjoin(submission, and_(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq))
        .where(tuple_(recipient.c.task_id, recipient.c.seq).in_(sent), handed_over, at.between(since, until))
        .order_by(at.desc(), recipient.c.task_id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _numbers_in(groups: Sequence[Group]) -> Select[Any]:
    """Each number of these groups once."""
    numbers = select(group_member.c.number).where(group_member.c.group_id.in_([group.id for group in groups]))
    return numbers.distinct() if len(groups) > 1 else numbers


def _tasks_with_a_copy(tx: Connection, workspace_id: str, number: int) -> Sequence[int]:
    sent = _sent(tx, _confirmed(workspace_id).where(send_task.c.state.in_(_NOT_OVER)), number)
    query = select(send_task.c.number).where(send_task.c.id.in_([task_id for task_id, _ in sent]))
    return tx.execute(query.order_by(send_task.c.number)).scalars().all()


def _confirmed(workspace_id: str) -> Select[Any]:
    """Each task with recipients, and where the search in them begins."""
    return select(
        send_task.c.id.label("task_id"), literal(1).label("low"), (send_task.c.recipients + 1).label("high")
    ).where(
        send_task.c.workspace_id == workspace_id, send_task.c.number.is_not(None), send_task.c.forgotten_at.is_(None)
    )


def _sent(connection: Connection, tasks: Select[Any], number: int) -> list[tuple[int, int]]:
    """(task, seq) of each message to a number, the newest task first.

    Found without an index on the numbers, which would make confirming a large task take twice as long: a task's
    recipients are in order of their numbers, so the place in it is found by halving.
    """
    first = {row.task_id: row.low for row in connection.execute(_first_from(tasks, number))}
    beyond = {row.task_id: row.low for row in connection.execute(_first_from(tasks, number + 1))}
    return [(task_id, seq) for task_id in sorted(first, reverse=True) for seq in range(first[task_id], beyond[task_id])]


def _first_from(tasks: Select[Any], number: int) -> Select[Any]:
    """The place of each task's first recipient whose number is not below this one; one behind the last if none is."""
    place = tasks.cte("place", recursive=True)
    middle = (place.c.low + place.c.high) // 2
    is_below = recipient.c.number < number
    halved = (
        select(
            place.c.task_id,
            case((is_below, middle + 1), else_=place.c.low),
            case((is_below, place.c.high), else_=middle),
        )
        .join(recipient, and_(recipient.c.task_id == place.c.task_id, recipient.c.seq == middle))
        .where(place.c.low < place.c.high)
    )
    place = place.union_all(halved)
    return select(place.c.task_id, place.c.low).where(place.c.low == place.c.high)


def _memberships(workspace_id: str, number: int) -> Select[Any]:
    return (
        select(
            group_member.c.group_id,
            group_member.c.row,
            number_import.c.finished_at,
            number_import.c.file_id,
            number_import.c.file_name,
            number_import.c.uploaded_by,
            number_import.c.sheets,
        )
        .join(customer_group, customer_group.c.id == group_member.c.group_id)
        .outerjoin(number_import, number_import.c.id == group_member.c.import_id)
        .where(customer_group.c.workspace_id == workspace_id, group_member.c.number == number)
        .order_by(customer_group.c.name_key)
    )


def _replies(workspace_id: str, number: int) -> Select[Any]:
    return (
        select(reply.c.text, reply.c.at, reply.c.opts_out)
        .join(application, application.c.id == reply.c.application_id)
        .where(application.c.workspace_id == workspace_id, reply.c.number == number)
        .order_by(reply.c.at.desc(), reply.c.id.desc())
        .limit(REPLIES_SHOWN)
    )


def _messages(workspace_id: str, sent: Sequence[tuple[int, int]]) -> Select[Any]:
    return (
        select(
            recipient.c.seq,
            send_task.c.number.label("task"),
            func.coalesce(send_task.c.scheduled_at, send_task.c.confirmed_at, type_=Moment).label("due_at"),
            template.c.name.label("template"),
            application.c.carrier,
            batch.c.state.label("batch_state"),
            submission.c.outcome,
            submission.c.code.label("submission_code"),
            submission.c.at.label("submitted_at"),
            result.c.state.label("result_state"),
            result.c.code.label("result_code"),
            result.c.at.label("result_at"),
        )
        .join(send_task, send_task.c.id == recipient.c.task_id)
        .join(template, template.c.id == send_task.c.template_id)
        .join(batch, and_(batch.c.task_id == recipient.c.task_id, recipient.c.seq.between(batch.c.first, batch.c.last)))
        .join(application, application.c.id == batch.c.application_id)
        .outerjoin(submission, and_(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq))
        .outerjoin(result, and_(result.c.task_id == recipient.c.task_id, result.c.seq == recipient.c.seq))
        .where(send_task.c.workspace_id == workspace_id, tuple_(recipient.c.task_id, recipient.c.seq).in_(sent))
        .order_by(send_task.c.number.desc(), recipient.c.seq)
    )


_WITHOUT_OUTCOME = {
    BatchState.PLANNED: Fate.WAITING,
    BatchState.SENDING: Fate.HANDING_OVER,
    BatchState.CANCELLED: Fate.HELD_BACK,
    BatchState.DONE: Fate.UNKNOWN,
    BatchState.UNKNOWN: Fate.UNKNOWN,
}


def _message(row: Row[Any]) -> SentMessage:
    if row.result_state is not None:
        fate, code, at = Fate(row.result_state), row.result_code, row.result_at
    elif row.outcome is not None:
        fate, code, at = Fate(row.outcome), row.submission_code, row.submitted_at
    else:
        fate, code, at = _WITHOUT_OUTCOME[BatchState(row.batch_state)], "", row.due_at
    return SentMessage(row.task, row.template, fate, code, row.carrier, at)
