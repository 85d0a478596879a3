"""A database restored from an older copy: what was sent since is not in it, so nothing goes on by itself.

What may have left since the copy is unknown, and a person may send it again, told what that risks. What cannot have
left waits for a person's yes: it may have been cancelled since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, and_, column, delete, func, insert, or_, select, table, update

from services.clock import Clock
from services.database import Database
from services.models import batch, metadata, post, send_task, submission, task_group, workspace
from services.outcomes import finish_if_over
from services.posts import PostKind, show_again, want_post
from services.states import BatchState, PauseReason, TaskState

# Numbers that were given since the copy stand in posts and buttons, and must not come to mean something else.
SKIPPED_IDS = 1_000_000
SKIPPED_TASK_NUMBERS = 1_000

_OPEN_BATCHES = [BatchState.PLANNED.value, BatchState.SENDING.value]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What became of a restored copy's tasks: how many are unknown (with their messages), wait for a yes, and how many
    previews are forgotten.
    """

    unknown_tasks: int
    unknown_messages: int
    paused_tasks: int
    forgotten_drafts: int


class Restores:
    """For the moment between a restore and the next start."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def take_over(self, ran_until: datetime) -> TakenOver:
        """Make a restored copy safe to start. Nothing may run on it meanwhile; doing it again changes nothing more.

        `ran_until` is when an installation with these tasks last ran; what was due later cannot have left.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            began = _lock(tx, _may_have_left(ran_until))
            messages = sum(_give_up(tx, task, now) for task in began)
            waiting = _lock(tx, _cannot_have_left(ran_until))
            for task in waiting:
                _ask(tx, task)
            drafts = _forget_drafts(tx)
            _skip_numbers(tx, is_sqlite=self._database.is_sqlite)
            tx.commit()
        return TakenOver(len(began), messages, len(waiting), drafts)


def _may_have_left(ran_until: datetime) -> Any:
    begun = and_(
        send_task.c.state.in_([TaskState.SENDING.value, TaskState.PAUSED.value]), send_task.c.started_at.is_not(None)
    )
    due = and_(
        send_task.c.state.in_([TaskState.SCHEDULED.value, TaskState.PAUSED.value]),
        send_task.c.started_at.is_(None),
        send_task.c.scheduled_at <= ran_until,
    )
    return or_(begun, due)


def _cannot_have_left(ran_until: datetime) -> Any:
    return and_(
        send_task.c.state.in_([TaskState.SCHEDULED.value, TaskState.PAUSED.value]),
        send_task.c.started_at.is_(None),
        send_task.c.scheduled_at > ran_until,
        or_(
            send_task.c.state == TaskState.SCHEDULED.value,
            send_task.c.pause_reason.is_(None),
            send_task.c.pause_reason != PauseReason.RESTORED.value,
        ),
    )


def _lock(tx: Connection, which: Any) -> Sequence[Any]:
    query = select(send_task.c.id, send_task.c.workspace_id, send_task.c.channel, send_task.c.scheduled_at)
    return tx.execute(query.where(which).order_by(send_task.c.id).with_for_update()).all()


def _give_up(tx: Connection, task: Row[Any], now: datetime) -> int:
    """Nobody knows of what it had not sent. Returns how many messages that is."""
    open_ones = and_(batch.c.task_id == task.id, batch.c.state.in_(_OPEN_BATCHES))
    size = select(func.coalesce(func.sum(batch.c.last - batch.c.first + 1), 0)).where(open_ones)
    # A batch that was taken in part has some of its messages behind it.
    within = submission.c.seq.between(batch.c.first, batch.c.last)
    behind = select(func.count()).where(open_ones, submission.c.task_id == batch.c.task_id, within)
    messages = int(tx.execute(size).scalar_one()) - int(tx.execute(behind).scalar_one())
    tx.execute(update(batch).where(open_ones).values(state=BatchState.UNKNOWN.value, not_before=None))
    tx.execute(
        update(send_task)
        .where(send_task.c.id == task.id)
        .values(
            state=TaskState.SENDING.value,
            started_at=func.coalesce(send_task.c.started_at, send_task.c.scheduled_at),
            pause_reason=PauseReason.RESTORED.value,
            handed_over=send_task.c.handed_over + messages,
            first_batch_done=True,
            version=send_task.c.version + 1,
        )
    )
    finish_if_over(tx, task.id, TaskState.SENDING, now)
    show_again(tx, PostKind.TASK, task.id)
    return messages


def _ask(tx: Connection, task: Row[Any]) -> None:
    tx.execute(
        update(send_task)
        .where(send_task.c.id == task.id)
        .values(
            state=TaskState.PAUSED.value,
            pause_reason=PauseReason.RESTORED.value,
            version=send_task.c.version + 1,
        )
    )
    asked = select(post.c.id).where(post.c.kind == PostKind.LATE.value, post.c.subject_id == task.id)
    if tx.execute(asked).first() is None:
        want_post(tx, task.workspace_id, task.channel, PostKind.LATE, task.id)
    else:
        show_again(tx, PostKind.LATE, task.id)


def _forget_drafts(tx: Connection) -> int:
    """Somebody may have pressed their buttons since."""
    drafts = select(send_task.c.id).where(send_task.c.state == TaskState.DRAFT.value)
    tx.execute(delete(task_group).where(task_group.c.task_id.in_(drafts)))
    return int(tx.execute(delete(send_task).where(send_task.c.state == TaskState.DRAFT.value)).rowcount)


def _skip_numbers(tx: Connection, *, is_sqlite: bool) -> None:
    tx.execute(update(workspace).values(last_task=workspace.c.last_task + SKIPPED_TASK_NUMBERS))
    for each, key in _counting():
        if is_sqlite:
            highest = tx.execute(select(func.coalesce(func.max(key), 0))).scalar_one()
            known = tx.execute(select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == each.name)).scalar() or 0
            tx.execute(delete(_SEQUENCES).where(_SEQUENCES.c.name == each.name))
            tx.execute(insert(_SEQUENCES).values(name=each.name, seq=max(highest, known) + SKIPPED_IDS))
        else:
            sequence = func.pg_get_serial_sequence(each.name, key.name)
            tx.execute(select(func.setval(sequence, func.nextval(sequence) + SKIPPED_IDS)))


_SEQUENCES = table("sqlite_sequence", column("name"), column("seq"))


def _counting() -> list[tuple[Table, Column[Any]]]:
    """The tables whose keys stand in Slack, and where a key that was given once is never given again."""
    return [
        (each, each.c.id) for each in metadata.sorted_tables if each.dialect_options["sqlite"]["autoincrement"] is True
    ]
