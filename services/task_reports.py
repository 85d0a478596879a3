"""How send tasks stand: one, a list, and the numbers that failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from services.database import Database
from services.errors import UnknownThing
from services.models import (
    application,
    number_import,
    recipient,
    result,
    send_task,
    signature,
    submission,
    task_group,
    template,
)
from services.states import PauseReason, Source, TaskState


@dataclass(frozen=True, slots=True)
class Task:
    """A confirmed send task. The counts of messages always add up to `recipients` (DESIGN rule 2).

    `finished_at` is when the last request was answered or given up; receipts may come after it. `file` is the name of
    the one it was sent to alone.
    """

    id: int
    number: int
    name: str
    state: TaskState
    channel: str
    template: str
    application: str
    signature: str | None
    groups: tuple[str, ...]
    excluded: tuple[str, ...]
    text: str
    segments_each: int
    recipients: int
    confirmed_by: str
    confirmed_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    ended_by: str | None
    trouble: str | None
    handed_over: int
    accepted: int
    refused: int
    delivered: int
    failed: int
    held_back: int
    skipped: int
    version: int
    pause_reason: PauseReason | None = None
    source: Source = Source.GROUPS
    file: str | None = None
    is_test: bool = False

    @property
    def waiting(self) -> int:
        """Not handed over yet, held back or skipped: planned, or in a request right now."""
        return self.recipients - self.handed_over - self.held_back - self.skipped

    @property
    def not_delivered(self) -> int:
        """Known to have failed: refused when handed over, or reported as failed later."""
        return self.refused + self.failed

    @property
    def unknown(self) -> int:
        """Handed over, with no final word: no answer to the request, or accepted and no receipt yet."""
        return self.handed_over - self.refused - self.delivered - self.failed

    @property
    def took(self) -> timedelta | None:
        """From the first request to the answer of the last."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def is_settled(self) -> bool:
        """Nothing about it will change any more."""
        return self.state.is_over and self.waiting == 0 and self.unknown == 0


@dataclass(frozen=True, slots=True)
class FailedNumber:
    """One message that is known not to have arrived. `state` is refused or failed."""

    number: int
    state: str
    code: str
    sms_id: str | None
    at: datetime


class TaskReports:
    """Reads what is known about a workspace's tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, workspace_id: str, number: int) -> Task:
        """By the number people type. Raises UnknownThing, also for another workspace's task."""
        with self._database.read() as connection:
            return find_task(connection, workspace_id, number)

    def by_id(self, workspace_id: str, task_id: int) -> Task:
        """For posts. Raises UnknownThing."""
        with self._database.read() as connection:
            return task_by_id(connection, workspace_id, task_id)

    def list(self, workspace_id: str, state: TaskState | None = None, limit: int = 20) -> list[Task]:
        """The newest first."""
        query = _tasks(workspace_id).order_by(send_task.c.number.desc()).limit(limit)
        if state is not None:
            query = query.where(send_task.c.state == state.value)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            groups = _groups(connection, [row.id for row in rows])
        return [_task(row, groups) for row in rows]

    def failed_numbers(self, workspace_id: str, task_id: int) -> Iterator[FailedNumber]:
        """Every message refused or reported as failed, in the order they were handed over."""
        query = (
            select(recipient.c.number, result.c.state, result.c.code, submission.c.sms_id, result.c.at)
            .join(recipient, (recipient.c.task_id == result.c.task_id) & (recipient.c.seq == result.c.seq))
            .outerjoin(submission, (submission.c.task_id == result.c.task_id) & (submission.c.seq == result.c.seq))
            .where(result.c.task_id == task_id, result.c.state != "delivered")
            .order_by(result.c.seq)
        )
        with self._database.read(workspace_id) as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                yield FailedNumber(row.number, row.state, row.code, row.sms_id, row.at)


def find_task(connection: Connection, workspace_id: str, number: int) -> Task:
    """Raises UnknownThing, also for another workspace's task."""
    return _only(connection, _tasks(workspace_id).where(send_task.c.number == number), str(number))


def task_by_id(connection: Connection, workspace_id: str, task_id: int) -> Task:
    """Raises UnknownThing, also for another workspace's task."""
    return _only(connection, _tasks(workspace_id).where(send_task.c.id == task_id), str(task_id))


def _only(connection: Connection, query: Select[Any], name: str) -> Task:
    row = connection.execute(query).first()
    if row is None:
        raise UnknownThing("task", name)
    return _task(row, _groups(connection, [row.id]))


def _tasks(workspace_id: str) -> Select[Any]:
    return (
        select(
            send_task,
            template.c.name.label("template"),
            application.c.name.label("application"),
            signature.c.name.label("signature"),
            number_import.c.file_name,
        )
        .join(template, template.c.id == send_task.c.template_id)
        .join(application, application.c.id == send_task.c.application_id)
        .outerjoin(signature, signature.c.id == send_task.c.signature_id)
        .outerjoin(number_import, number_import.c.id == send_task.c.import_id)
        .where(send_task.c.workspace_id == workspace_id, send_task.c.number.is_not(None))
    )


def _groups(connection: Connection, task_ids: list[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {task_id: [] for task_id in task_ids}
    query = select(task_group).where(task_group.c.task_id.in_(task_ids)).order_by(task_group.c.group_id)
    for row in connection.execute(query):
        found[row.task_id].append(row)
    return found


def _task(row: Row[Any], groups: dict[int, list[Row[Any]]]) -> Task:
    return Task(
        id=row.id,
        number=row.number,
        name=row.name,
        state=TaskState(row.state),
        channel=row.channel,
        template=row.template,
        application=row.application,
        signature=row.signature,
        groups=tuple(each.name for each in groups[row.id] if not each.excluded),
        excluded=tuple(each.name for each in groups[row.id] if each.excluded),
        text=row.text,
        segments_each=row.segments_each,
        recipients=row.recipients,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        ended_by=row.ended_by,
        trouble=row.trouble,
        handed_over=row.handed_over,
        accepted=row.accepted,
        refused=row.refused,
        delivered=row.delivered,
        failed=row.failed,
        held_back=row.held_back,
        skipped=row.skipped,
        version=row.version,
        pause_reason=PauseReason(row.pause_reason) if row.pause_reason else None,
        source=Source(row.source),
        file=row.file_name,
        is_test=row.is_test,
    )
