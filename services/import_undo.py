"""Whether an import can still be undone: not once a task was, is being or will be sent to what it brought."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from services.import_records import Import
from services.models import customer_group, group_member, recipient, send_task, task_group
from services.states import TaskState

_NEVER_SENT = [state.value for state in (TaskState.DRAFT, TaskState.CANCELLED, TaskState.EXPIRED)]


class TaskInTheWay(NamedTuple):
    """A task's number. `forgotten`: who got it is no longer known, only that a group with these numbers did."""

    number: int
    forgotten: bool


def task_in_the_way(tx: Connection, done: Import) -> TaskInTheWay | None:
    """The first task that holds a number which the import alone brought to its group, if there is one.

    A task to other groups may hold the same number for its own reasons: only those count that have it from this import,
    as a copy or a country's part has. Of a group that is gone, and of a task whose recipients retention has deleted,
    nobody can say; so they count.
    """
    query = (
        select(send_task.c.number, send_task.c.forgotten_at)
        .where(*_since(done), _went_to(_groups_with_its_numbers(done), done))
        .where(or_(send_task.c.forgotten_at.is_not(None), _holds_its_numbers(done)))
        .order_by(send_task.c.number)
        .limit(1)
    )
    row = tx.execute(query).first()
    return None if row is None else TaskInTheWay(row.number, row.forgotten_at is not None)


def _since(done: Import) -> tuple[ColumnElement[bool], ...]:
    """Tasks that may have had its numbers, and were not ended before anything left."""
    return (
        send_task.c.workspace_id == done.workspace_id,
        # Not when it ended: whoever confirmed may have looked at the clock and then waited for its group.
        send_task.c.confirmed_at >= done.started_at,
        send_task.c.state.not_in(_NEVER_SENT),
        or_(send_task.c.state != TaskState.STOPPED.value, send_task.c.started_at.is_not(None)),
    )


def _groups_with_its_numbers(done: Import) -> Select[Any]:
    """Only groups that such a task went to are looked through: there is no index on who brought a number."""
    used = (
        select(task_group.c.group_id)
        .join(send_task, send_task.c.id == task_group.c.task_id)
        .where(*_since(done), ~task_group.c.excluded)
    )
    holds = exists().where(group_member.c.group_id == customer_group.c.id, group_member.c.import_id == done.id)
    return select(customer_group.c.id).where(
        customer_group.c.workspace_id == done.workspace_id, customer_group.c.id.in_(used), holds
    )


def _went_to(groups: Select[Any], done: Import) -> ColumnElement[bool]:
    live = select(customer_group.c.id).where(customer_group.c.workspace_id == done.workspace_id)
    return (
        exists()
        .where(task_group.c.task_id == send_task.c.id, ~task_group.c.excluded)
        .where(or_(task_group.c.group_id.in_(groups), task_group.c.group_id.not_in(live)))
    )


def _holds_its_numbers(done: Import) -> ColumnElement[bool]:
    return exists().where(
        and_(group_member.c.group_id == done.group_id, group_member.c.import_id == done.id),
        recipient.c.number == group_member.c.number,
        recipient.c.task_id == send_task.c.id,
    )
