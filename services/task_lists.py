"""The list of send tasks: filtered, in pages, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, exists, func, or_, select

from services.database import Database
from services.errors import UnknownThing
from services.groups import name_key
from services.models import Moment, application, customer_group, send_task, task_group, template
from services.states import TaskState
from services.task_reports import Task, read_tasks, tasks_of


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks are wanted; what is None or empty leaves all.

    `name` is part of the task's or its template's name, `group` one it was sent to, by the name it has or had then,
    both whatever the case and width of letters.
    `since` and `until` (not included) are about when it was or is to be sent. `deleted` wants those off the list.
    """

    name: str = ""
    state: TaskState | None = None
    group: str = ""
    created_by: str = ""
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: the tasks older, or newer, than the one with this number. The default is the newest."""

    side: Literal["older", "newer"] = "older"
    than: int | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks, and whether there are newer and older ones that match."""

    tasks: Sequence[Task]
    has_newer: bool
    has_older: bool


class TaskLists:
    """Lists a workspace's tasks. No page costs more than the first: each begins at a number, not behind a count."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, workspace_id: str, wanted: TaskFilter, place: Place, size: int) -> TaskPage:
        """Raises UnknownThing for a group that is not there and that no task was sent to."""
        number = send_task.c.number
        with self._database.read() as connection:
            group_id = self._group(workspace_id, wanted.group) if wanted.group else None
            templates = self._templates(workspace_id, wanted.name) if wanted.name else []
            matching = tasks_of(workspace_id).where(*_conditions(wanted, group_id, templates))
            if place.side == "older":
                behind = matching if place.than is None else matching.where(number < place.than)
                tasks = read_tasks(connection, behind.order_by(number.desc()).limit(size + 1))
                tasks, has_older = tasks[:size], len(tasks) > size
                first = tasks[0].number if tasks else (place.than or 0) - 1
                newer = matching.where(number > first).limit(1)
                return TaskPage(tasks, place.than is not None and bool(read_tasks(connection, newer)), has_older)
            before = matching.where(number > place.than).order_by(number).limit(size + 1)
            tasks = read_tasks(connection, before)
            tasks, has_newer = tasks[:size][::-1], len(tasks) > size
            older = matching.where(number < (tasks[-1].number if tasks else (place.than or 0) + 1)).limit(1)
            return TaskPage(tasks, has_newer, bool(read_tasks(connection, older)))

    def _group(self, workspace_id: str, name: str) -> int | None:
        """None where the group is gone and a task remembers it."""
        mine = customer_group.c.workspace_id == workspace_id
        remembered = (
            select(task_group.c.group_id)
            .join(send_task, send_task.c.id == task_group.c.task_id)
            .where(send_task.c.workspace_id == workspace_id, _is_called(name))
        )
        known = select(customer_group.c.name).where(mine).order_by(customer_group.c.name_key)
        with self._database.read() as connection:
            by_name = select(customer_group.c.id).where(mine, customer_group.c.name_key == name_key(name))
            found: int | None = connection.execute(by_name).scalar()
            if found is None and connection.execute(remembered.limit(1)).first() is None:
                raise UnknownThing("group", name, connection.execute(known).scalars().all())
        return found

    def _templates(self, workspace_id: str, part: str) -> list[int]:
        """Those whose name holds it."""
        with self._database.read() as connection:
            known = select(template.c.id, template.c.name).join(application)
            rows = connection.execute(known.where(application.c.workspace_id == workspace_id))
            return [row.id for row in rows if name_key(part) in name_key(row.name)]


def _conditions(wanted: TaskFilter, group_id: int | None, templates: Sequence[int]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        send_task.c.deleted_at.is_not(None) if wanted.deleted else send_task.c.deleted_at.is_(None)
    ]
    if wanted.state is not None:
        conditions.append(send_task.c.state == wanted.state.value)
    if wanted.name:
        part = name_key(wanted.name)
        by_template = [] if not templates else [send_task.c.template_id.in_(templates)]
        conditions.append(or_(send_task.c.name_key.contains(part, autoescape=True), *by_template))
    if wanted.group:
        is_it = _is_called(wanted.group)
        is_it = is_it if group_id is None else or_(task_group.c.group_id == group_id, is_it)
        conditions.append(exists().where(task_group.c.task_id == send_task.c.id, ~task_group.c.excluded, is_it))
    if wanted.created_by:
        conditions.append(send_task.c.created_by == wanted.created_by)
    sent_at: ColumnElement[datetime] = func.coalesce(send_task.c.scheduled_at, send_task.c.confirmed_at, type_=Moment)
    if wanted.since is not None:
        conditions.append(sent_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(sent_at < wanted.until)
    return conditions


def _is_called(name: str) -> ColumnElement[bool]:
    return task_group.c.name_key == name_key(name)
