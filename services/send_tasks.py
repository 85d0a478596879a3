"""Send tasks: confirm, cancel, stop, and what is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal, select, update

from services import text
from services.carriers.ports import Limits
from services.clock import Clock
from services.content import Signature, Template, signatures_of, template_by_id
from services.database import Database
from services.errors import NotAllowed
from services.models import application, batch, customer_group, recipient, send_task, submission, task_group, workspace
from services.posts import PostKind, want_post
from services.previews import Preview, Previews, in_region, members
from services.states import BatchState, Region, TaskState, due_state, may_cancel
from services.task_reports import Task, find_task, task_by_id

# A small first batch goes alone, so that a bad send is noticed before it is large.
FIRST_BATCH = 200
DRAFTS_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop found. `in_flight` messages are in a request right now; their outcome follows within seconds."""

    task: Task
    handed_over: int
    in_flight: int
    held_back: int


class SendTasks:
    """The life of send tasks. `limits` gives the most numbers of a batch for each application."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        previews: Previews,
        limits: Mapping[int, Limits],
    ) -> None:
        self._database = database
        self._clock = clock
        self._previews = previews
        self._limits = limits

    def confirm(self, workspace_id: str, draft_id: int, by: str) -> Task | Preview:
        """Make a draft a task, with a copy of its recipients, and owe the channel a post about it.

        Returns a fresh Preview, and sends nothing, where anything differs from what the person was shown. However
        often and by whomever it is called, one draft makes one task. Raises UnknownThing or NotAllowed.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            draft = _lock_draft(tx, workspace_id, draft_id)
            if draft.scheduled_at is not None and draft.scheduled_at <= now:
                raise NotAllowed("time_passed", at=draft.scheduled_at)
            changed = _changes(tx, draft)
            if not changed and _copy_recipients(tx, draft) != draft.recipients:
                changed = ["recipients"]
            if not changed:
                self._plan_batches(tx, draft)
                _make_real(tx, draft, by, now)
                want_post(tx, workspace_id, draft.channel, PostKind.TASK, draft.id)
                tx.commit()
                return task_by_id(tx, workspace_id, draft.id)
        return replace(self._previews.draft_again(workspace_id, draft_id, by), changed=changed)

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

    def send_late(self, workspace_id: str, number: int, by: str) -> Task:
        """A person's yes to a task that is late, or that a restored copy holds. Raises UnknownThing or NotAllowed."""
        now = self._clock.now()
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            expired = task.scheduled_at is not None and due_state(task.scheduled_at, now) is TaskState.EXPIRED
            if task.state is not TaskState.PAUSED or expired:
                state = TaskState.EXPIRED if task.state is TaskState.PAUSED else task.state
                raise NotAllowed("not_waiting", number=number, state=state.value)
            if task.scheduled_at is not None and task.scheduled_at > now:
                # Asked about after a restore, and its time is still to come.
                _move(tx, task, TaskState.SCHEDULED, now, pause_reason=None, confirmed_by=by)
            else:
                _move(tx, task, TaskState.SENDING, now, pause_reason=None, started_at=now, confirmed_by=by)
            tx.commit()
            return find_task(tx, workspace_id, number)

    def start_due(self) -> int:
        """Start what is due; ask about what is late; expire what is a day old. Returns how many tasks moved."""
        now = self._clock.now()
        moved = 0
        with self._database.read() as connection:
            if connection.execute(_due(now).limit(1)).first() is None:
                return 0
        with self._database.write() as tx:
            for row in tx.execute(_due(now).with_for_update(skip_locked=True)).all():
                state = due_state(row.scheduled_at, now)
                if state == row.state or (row.state == TaskState.PAUSED and state is TaskState.SENDING):
                    continue
                task = task_by_id(tx, row.workspace_id, row.id)
                if state is TaskState.SENDING:
                    _move(tx, task, state, now, started_at=now)
                elif state is TaskState.PAUSED:
                    _move(tx, task, state, now)
                    want_post(tx, row.workspace_id, row.channel, PostKind.LATE, row.id)
                else:
                    _move(tx, task, state, now)
                    _hold_back(tx, row.id)
                moved += 1
            tx.commit()
        return moved

    def forget_drafts(self) -> int:
        """Delete previews nobody confirmed within two days. Returns how many."""
        old = select(send_task.c.id).where(
            send_task.c.state == TaskState.DRAFT.value, send_task.c.created_at < self._clock.now() - DRAFTS_KEPT
        )
        with self._database.write() as tx:
            ids = tx.execute(old.with_for_update(skip_locked=True)).scalars().all()
            tx.execute(delete(task_group).where(task_group.c.task_id.in_(ids)))
            tx.execute(delete(send_task).where(send_task.c.id.in_(ids)))
            tx.commit()
        return len(ids)

    def _plan_batches(self, tx: Connection, draft: Row[Any]) -> None:
        limits = self._limits[draft.application_id]
        ranges = plan(draft.recipients, limits.plain if draft.variables is None else limits.with_values)
        self._database.bulk.insert(
            tx,
            batch,
            ["task_id", "no", "first", "last", "application_id", "reference", "state"],
            (
                (draft.id, no, first, last, draft.application_id, f"{draft.token}-{no}", BatchState.PLANNED.value)
                for no, (first, last) in enumerate(ranges, start=1)
            ),
        )


def plan(recipients: int, max_numbers: int) -> list[tuple[int, int]]:
    """The ranges of sequence numbers of a task's batches: a small first one, then as large as a request takes."""
    first = min(recipients, FIRST_BATCH, max_numbers)
    starts = range(first + 1, recipients + 1, max_numbers)
    return [(1, first), *((start, min(start + max_numbers - 1, recipients)) for start in starts)]


def _changes(tx: Connection, draft: Row[Any]) -> list[str]:
    """What is no longer as the person was shown it. Raises NotAllowed("template_gone")."""
    chosen = template_by_id(tx, draft.workspace_id, draft.template_id)
    if chosen is None:
        raise NotAllowed("template_gone")
    changed = []
    signature = next((s for s in signatures_of(tx, draft.application_id) if s.id == draft.signature_id), None)
    if not _is_still_signed_so(draft, chosen, signature):
        changed.append("signature")
    body = text.render(chosen.text, signature.name if signature else None, chosen.region)
    if (body, chosen.code) != (draft.text, draft.template_code):
        changed.append("text")
    shown = tx.execute(select(task_group).where(task_group.c.task_id == draft.id)).all()
    groups = _lock_groups(tx, [row.group_id for row in shown])
    if any(row.group_id not in groups or row.size != groups[row.group_id].size for row in shown):
        changed.append("groups")
    if any(
        groups[row.group_id].sms_type != chosen.sms_type for row in shown if row.group_id in groups and not row.excluded
    ):
        changed.append("sms_type")
    return changed


def _is_still_signed_so(draft: Row[Any], chosen: Template, signature: Signature | None) -> bool:
    """Whether the text would go out under the name shown, and asked for in the same way."""
    if draft.signature_id is None:
        return chosen.is_universal
    if signature is None or signature.channel_number != draft.sender or not signature.signs(chosen.sms_type):
        return False
    if chosen.is_universal:
        return bool(draft.request_signature == signature.name)
    return chosen.signature_id == signature.id and draft.request_signature is None


def _lock_groups(tx: Connection, group_ids: list[int]) -> dict[int, Row[Any]]:
    """As they are and will be until we commit: what is imported meanwhile waits, so that size and members agree."""
    query = select(customer_group).where(customer_group.c.id.in_(group_ids)).order_by(customer_group.c.id)
    return {row.id: row for row in tx.execute(query.with_for_update(read=True))}


def _copy_recipients(tx: Connection, draft: Row[Any]) -> int:
    """Copy the numbers the draft names, as they are now. Returns how many."""
    chosen = tx.execute(select(task_group).where(task_group.c.task_id == draft.id)).all()
    region = tx.execute(select(application.c.region).where(application.c.id == draft.application_id)).scalar_one()
    found = members(
        [row.group_id for row in chosen if not row.excluded], [row.group_id for row in chosen if row.excluded]
    ).subquery()
    numbered = (
        select(literal(draft.id), func.row_number().over(order_by=found.c.number), found.c.number)
        .where(in_region(found.c.number, Region(region)))
        .order_by(found.c.number)
    )
    copied = insert(recipient).from_select(["task_id", "seq", "number"], numbered)
    # psycopg forgets how many rows an INSERT wrote when its cursor closes.
    return int(tx.execute(copied, execution_options={"preserve_rowcount": True}).rowcount)


def _lock_draft(tx: Connection, workspace_id: str, draft_id: int) -> Row[Any]:
    row = tx.execute(
        select(send_task).where(send_task.c.id == draft_id, send_task.c.workspace_id == workspace_id).with_for_update()
    ).first()
    if row is None:
        raise NotAllowed("draft_gone")
    if row.state != TaskState.DRAFT:
        raise NotAllowed("already_confirmed", number=row.number, by=row.confirmed_by)
    return row


def _make_real(tx: Connection, draft: Row[Any], by: str, now: datetime) -> None:
    number = tx.execute(
        update(workspace)
        .where(workspace.c.id == draft.workspace_id)
        .values(last_task=workspace.c.last_task + 1)
        .returning(workspace.c.last_task)
    ).scalar_one()
    state = TaskState.SENDING if draft.scheduled_at is None else TaskState.SCHEDULED
    made = tx.execute(
        update(send_task)
        .where(send_task.c.id == draft.id, send_task.c.state == TaskState.DRAFT.value)
        .values(
            state=state.value,
            number=number,
            confirmed_by=by,
            confirmed_at=now,
            started_at=now if state is TaskState.SENDING else None,
            version=1,
        )
    ).rowcount
    assert made == 1


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
            send_task.c.id, send_task.c.workspace_id, send_task.c.channel, send_task.c.state, send_task.c.scheduled_at
        )
        .where(
            send_task.c.state.in_([TaskState.SCHEDULED.value, TaskState.PAUSED.value]),
            send_task.c.scheduled_at <= now,
            send_task.c.started_at.is_(None),
        )
        .order_by(send_task.c.scheduled_at)
    )
