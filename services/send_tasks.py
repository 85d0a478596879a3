"""Send tasks once they are confirmed (services/confirm.py): cancel, stop, pause, resume, and what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from services.clock import Clock
from services.database import Database
from services.entries import forget_unsent
from services.errors import NotAllowed
from services.hours import may_send, next_allowed
from services.models import batch, send_task, submission, task_group, workspace
from services.posts import PostKind, want_post
from services.states import BatchState, PauseReason, TaskState, due_state, may_cancel
from services.task_reports import Task, find_task, task_by_id, type_and_region

DRAFTS_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop found. `in_flight` messages are in a request right now; their outcome follows within seconds."""

    task: Task
    handed_over: int
    in_flight: int
    held_back: int


@dataclass(frozen=True, slots=True)
class Paused:
    """What a pause found: of those that `task` has waiting, `in_flight` messages are in a request right now."""

    task: Task
    in_flight: int


class SendTasks:
    """The life of send tasks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def cancel(self, workspace_id: str, number: int, by: str) -> Task:
        """Take back a scheduled task, free, until 5 minutes before its time. Raises UnknownThing or NotAllowed."""
        now = self._clock.now()
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            if task.state is not TaskState.SCHEDULED or task.scheduled_at is None:
                raise NotAllowed("not_cancellable", number=number, state=task.state.value)
            if not may_cancel(task.scheduled_at, now):
                raise NotAllowed("too_late_to_cancel", number=number, at=task.scheduled_at)
            _move(tx, task, TaskState.CANCELLED, now, ended_by=by)
            _hold_back(tx, task.id)
            tx.commit()
            return find_task(tx, workspace_id, number)

    def stop(self, workspace_id: str, number: int, by: str) -> Stopped:
        """Hand over nothing more, from this second on. Raises UnknownThing or NotAllowed."""
        now = self._clock.now()
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            if not task.state.may_become(TaskState.STOPPED):
                raise NotAllowed("not_stoppable", number=number, state=task.state.value)
            _move(tx, task, TaskState.STOPPED, now, ended_by=by)
            held_back = _hold_back(tx, task.id)
            in_flight = _not_handed_over(tx, task.id, BatchState.SENDING)
            if in_flight == 0:
                tx.execute(update(send_task).where(send_task.c.id == task.id).values(finished_at=now))
            tx.commit()
            task = find_task(tx, workspace_id, number)
        return Stopped(task, task.handed_over, in_flight, held_back)

    def pause(self, workspace_id: str, number: int, by: str) -> Paused:
        """Hand over nothing more until somebody resumes it. Raises UnknownThing or NotAllowed."""
        now = self._clock.now()
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            if task.state is not TaskState.SENDING:
                raise NotAllowed("not_pausable", number=number, state=task.state.value)
            why = {"pause_reason": PauseReason.PERSON.value, "pause_code": None, "paused_by": by}
            _move(tx, task, TaskState.PAUSED, now, **why)
            in_flight = _not_handed_over(tx, task.id, BatchState.SENDING)
            tx.commit()
            return Paused(find_task(tx, workspace_id, number), in_flight)

    def resume(self, workspace_id: str, number: int, by: str) -> Task:
        """A person's yes to a task that is paused, for whatever reason. Raises UnknownThing or NotAllowed.

        One that was late and is so by more than a day can only expire; one that carriers refuse at this hour stays
        paused.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            state = TaskState.EXPIRED if _has_expired(task, now) else task.state
            if state is not TaskState.PAUSED:
                raise NotAllowed("not_resumable", number=number, state=state.value)
            if task.started_at is None and task.scheduled_at is not None and task.scheduled_at > now:
                # Asked about after a restore, and its time is still to come.
                _move(tx, task, TaskState.SCHEDULED, now, resumed_by=by)
            else:
                if not may_send(*type_and_region(tx, task), now):
                    raise NotAllowed("resume_hours", number=number, at=next_allowed(now))
                _move(tx, task, TaskState.SENDING, now, started_at=task.started_at or now, resumed_by=by)
                if task.started_at is None:
                    self._database.queue.open(tx, task.id)
            tx.commit()
            return find_task(tx, workspace_id, number)

    def start_due(self) -> int:
        """Start what is due; ask about what is late; expire what is a day old. Returns how many tasks moved.

        A little late counts as late where carriers have begun to refuse such a text meanwhile.
        """
        now = self._clock.now()
        moved = 0
        with self._database.read(everyone=True) as connection:
            if connection.execute(_due(now).limit(1)).first() is None:
                return 0
        with self._database.write(everyone=True) as tx:
            for row in tx.execute(_due(now).with_for_update(skip_locked=True, of=send_task)).all():
                state = due_state(row.scheduled_at, now)
                if state == row.state or (row.state == TaskState.PAUSED and state is TaskState.SENDING):
                    continue
                task = task_by_id(tx, row.workspace_id, row.id)
                if state is TaskState.SENDING and not may_send(*type_and_region(tx, task), now):
                    state = TaskState.PAUSED
                if row.removed_at is not None and state is not TaskState.EXPIRED:
                    # Nobody is there to be asked; the question comes when the workspace has the bot again.
                    _move(tx, task, TaskState.PAUSED, now, pause_reason=PauseReason.UNINSTALLED.value)
                elif state is TaskState.SENDING:
                    _move(tx, task, state, now, started_at=now)
                    self._database.queue.open(tx, row.id)
                elif state is TaskState.PAUSED:
                    _move(tx, task, state, now, pause_reason=PauseReason.LATE.value)
                    want_post(tx, row.workspace_id, row.channel, PostKind.LATE, row.id)
                else:
                    if task.state is TaskState.SCHEDULED:
                        # Nobody was asked; where somebody was, the question itself becomes the answer.
                        want_post(tx, row.workspace_id, row.channel, PostKind.LATE, row.id)
                    _move(tx, task, state, now)
                    _hold_back(tx, row.id)
                moved += 1
            tx.commit()
        return moved

    def forget_drafts(self) -> int:
        """Delete previews nobody confirmed within two days, with the numbers typed for them. Returns how many."""
        old = select(send_task.c.id).where(
            send_task.c.state == TaskState.DRAFT.value, send_task.c.created_at < self._clock.now() - DRAFTS_KEPT
        )
        with self._database.write(everyone=True) as tx:
            ids = tx.execute(old.with_for_update(skip_locked=True)).scalars().all()
            tx.execute(delete(task_group).where(task_group.c.task_id.in_(ids)))
            tx.execute(delete(send_task).where(send_task.c.id.in_(ids)))
            forget_unsent(tx, self._clock.now() - DRAFTS_KEPT)
            tx.commit()
        return len(ids)


def _has_expired(task: Task, now: datetime) -> bool:
    """Paused because it was late, and by now too late for anybody's yes."""
    if task.state is not TaskState.PAUSED or task.started_at is not None or task.scheduled_at is None:
        return False
    return due_state(task.scheduled_at, now) is TaskState.EXPIRED


def _move(tx: Connection, task: Task, state: TaskState, now: datetime, **values: object) -> None:
    """Change a task's state if nobody has changed it meanwhile. Raises NotAllowed("changed_meanwhile")."""
    assert task.state.may_become(state), (task.state, state)
    moved = tx.execute(
        update(send_task)
        .where(send_task.c.id == task.id, send_task.c.state == task.state.value)
        .values(state=state.value, version=send_task.c.version + 1, **values)
    ).rowcount
    if moved != 1:
        raise NotAllowed("changed_meanwhile", number=task.number)


def _hold_back(tx: Connection, task_id: int) -> int:
    """Cancel every batch that is planned. Returns how many messages that holds back."""
    tx.execute(
        update(batch)
        .where(batch.c.task_id == task_id, batch.c.state == BatchState.PLANNED.value)
        .values(state=BatchState.CANCELLED.value)
    )
    held_back = _not_handed_over(tx, task_id, BatchState.CANCELLED)
    tx.execute(update(send_task).where(send_task.c.id == task_id).values(held_back=send_task.c.held_back + held_back))
    return held_back


def _not_handed_over(tx: Connection, task_id: int, state: BatchState) -> int:
    """How many messages the task's batches in this state hold, without those a batch planned again has behind it."""
    of_state = (batch.c.task_id == task_id, batch.c.state == state.value)
    size = select(func.coalesce(func.sum(batch.c.last - batch.c.first + 1), 0)).where(*of_state)
    within = submission.c.seq.between(batch.c.first, batch.c.last)
    behind = select(func.count()).where(*of_state, submission.c.task_id == batch.c.task_id, within)
    found: int = tx.execute(size).scalar_one() - tx.execute(behind).scalar_one()
    return found


def _due(now: datetime) -> Any:
    return (
        select(
            *(send_task.c[name] for name in ("id", "workspace_id", "channel", "state", "scheduled_at")),
            workspace.c.removed_at,
        )
        .join(workspace, workspace.c.id == send_task.c.workspace_id)
        .where(
            send_task.c.state.in_([TaskState.SCHEDULED.value, TaskState.PAUSED.value]),
            send_task.c.scheduled_at <= now,
            send_task.c.started_at.is_(None),
        )
        .order_by(send_task.c.scheduled_at)
    )
