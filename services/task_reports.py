"""How a send task stands, and how it got there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.models import application, number_import, send_task, signature, task_group, template
from services.states import RECEIPT_WINDOW, PauseReason, Region, SmsType, Source, TaskState


@dataclass(frozen=True, slots=True)
class Task:
    """A confirmed send task. The counts of messages always add up to `recipients` (DESIGN rule 2).

    `finished_at` is when the last request was answered or given up; receipts may come after it, for `receipt_window`,
    and `receipts_over` says that it has closed.
    `pause_reason` and what belongs to it are those of the last pause; `pause_carrier` is whose code it was. `resend_of`
    is the number of the task whose messages this one sends again, `file` the name of the file its recipients came from,
    where they did.
    Once `forgotten_at`, nothing but this is left of it: no numbers, no single messages.
    """

    id: int
    workspace_id: str
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
    version: int
    skipped: int = 0
    carrier: str = ""
    segments: int = 0
    distinct_numbers: int = 0
    is_test: bool = False
    source: Source = Source.GROUPS
    file: str | None = None
    resend_of: int | None = None
    resend_state: str | None = None
    variables: tuple[str, ...] = ()
    template_id: int = 0
    created_by: str = ""
    pause_reason: PauseReason | None = None
    pause_code: str | None = None
    pause_carrier: str | None = None
    paused_by: str | None = None
    resumed_by: str | None = None
    edited_by: str | None = None
    deleted_by: str | None = None
    deleted_at: datetime | None = None
    receipt_window: timedelta = RECEIPT_WINDOW
    receipts_over: bool = False
    forgotten_at: datetime | None = None

    @property
    def waiting(self) -> int:
        """Not handed over yet, not held back and not skipped: planned, or in a request right now."""
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

    @property
    def is_deleted(self) -> bool:
        """Off the list; its counts stay."""
        return self.deleted_at is not None


class TaskReports:
    """Reads what is known about a workspace's tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, workspace_id: str, number: int) -> Task:
        """By the number people type. Raises UnknownThing, also for another workspace's task."""
        with self._database.read() as connection:
            return find_task(connection, workspace_id, number)

    def get_with_numbers(self, workspace_id: str, number: int) -> Task:
        """The same, for what needs the task's numbers. Raises UnknownThing or NotAllowed("task_forgotten")."""
        task = self.get(workspace_id, number)
        check_not_forgotten(task)
        return task

    def by_id(self, workspace_id: str, task_id: int) -> Task:
        """For posts. Raises UnknownThing."""
        with self._database.read() as connection:
            return task_by_id(connection, workspace_id, task_id)

    def list(self, workspace_id: str, state: TaskState | None = None, limit: int = 20) -> list[Task]:
        """The newest first, without those taken off the list. For filters and pages see `services/task_lists.py`."""
        query = tasks_of(workspace_id).where(send_task.c.deleted_at.is_(None))
        if state is not None:
            query = query.where(send_task.c.state == state.value)
        with self._database.read() as connection:
            return read_tasks(connection, query.order_by(send_task.c.number.desc()).limit(limit))


def check_not_forgotten(task: Task) -> None:
    """Before anything that needs the task's numbers. Raises NotAllowed("task_forgotten")."""
    if task.forgotten_at is not None:
        raise NotAllowed("task_forgotten", number=task.number, at=task.forgotten_at)


def find_task(connection: Connection, workspace_id: str, number: int) -> Task:
    """Raises UnknownThing, also for another workspace's task."""
    return _only(connection, tasks_of(workspace_id).where(send_task.c.number == number), str(number))


def task_by_id(connection: Connection, workspace_id: str, task_id: int) -> Task:
    """Raises UnknownThing, also for another workspace's task."""
    return _only(connection, tasks_of(workspace_id).where(send_task.c.id == task_id), str(task_id))


def type_and_region(connection: Connection, task: Task) -> tuple[SmsType, Region]:
    """Of its template, also where that can no longer be chosen."""
    query = select(template.c.sms_type, application.c.region).join(
        application, application.c.id == template.c.application_id
    )
    row = connection.execute(query.where(template.c.id == task.template_id)).one()
    return SmsType(row.sms_type), Region(row.region)


def read_tasks(connection: Connection, query: Select[Any]) -> list[Task]:
    """The tasks of a `tasks_of` query, in its order."""
    rows = connection.execute(query).all()
    groups = _groups(connection, [row.id for row in rows])
    return [_task(row, groups) for row in rows]


def tasks_of(workspace_id: str) -> Select[Any]:
    """Every confirmed task of a workspace, deleted ones included, with what `read_tasks` needs."""
    origin = send_task.alias("origin")
    return (
        select(
            send_task,
            template.c.name.label("template"),
            application.c.name.label("application"),
            application.c.carrier,
            application.c.receipt_window_hours,
            signature.c.name.label("signature"),
            number_import.c.file_name,
            origin.c.number.label("resend_of_number"),
        )
        .join(template, template.c.id == send_task.c.template_id)
        .join(application, application.c.id == send_task.c.application_id)
        .outerjoin(signature, signature.c.id == send_task.c.signature_id)
        .outerjoin(number_import, number_import.c.id == send_task.c.import_id)
        .outerjoin(origin, origin.c.id == send_task.c.resend_of)
        .where(send_task.c.workspace_id == workspace_id, send_task.c.number.is_not(None))
    )


def _only(connection: Connection, query: Select[Any], name: str) -> Task:
    found = read_tasks(connection, query)
    if not found:
        raise UnknownThing("task", name)
    return found[0]


def _groups(connection: Connection, task_ids: list[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {task_id: [] for task_id in task_ids}
    query = select(task_group).where(task_group.c.task_id.in_(task_ids)).order_by(task_group.c.group_id)
    for row in connection.execute(query):
        found[row.task_id].append(row)
    return found


# Columns that go into a Task as they are.
_AS_THEY_ARE = (
    *(
        "id",
        "workspace_id",
        "number",
        "name",
        "channel",
        "template",
        "application",
        "signature",
        "text",
        "segments_each",
    ),
    *("recipients", "confirmed_by", "confirmed_at", "scheduled_at", "started_at", "finished_at", "ended_by", "trouble"),
    *("handed_over", "accepted", "refused", "delivered", "failed", "held_back", "version", "skipped", "carrier"),
    *("distinct_numbers", "is_test", "resend_state", "template_id", "created_by", "pause_code", "paused_by"),
    *("pause_carrier", "resumed_by", "edited_by", "deleted_by", "deleted_at", "receipts_over", "forgotten_at"),
)


def _task(row: Row[Any], groups: dict[int, list[Row[Any]]]) -> Task:
    values = row._mapping
    return Task(
        **{name: values[name] for name in _AS_THEY_ARE},
        state=TaskState(row.state),
        groups=tuple(each.name for each in groups[row.id] if not each.excluded),
        excluded=tuple(each.name for each in groups[row.id] if each.excluded),
        segments=row.segments or row.segments_each * row.recipients,
        source=Source(row.source),
        file=row.file_name,
        resend_of=row.resend_of_number,
        variables=tuple(json.loads(row.variables)) if row.variables else (),
        pause_reason=PauseReason(row.pause_reason) if row.pause_reason else None,
        receipt_window=timedelta(hours=row.receipt_window_hours),
    )
