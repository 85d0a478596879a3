"""What the dispatch loop asks of batches, as statements that are built once: they are its hot path."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select, update

from services.models import Moment, batch, literal_state, recipient, send_task, submission
from services.states import BatchState, TaskState

# A task's next batch is one that is planned and not put off; until its first batch is through, only that one.
_IS_NEXT = and_(
    batch.c.application_id == bindparam("application_id"),
    literal_state(batch.c.state, BatchState.PLANNED),
    or_(batch.c.not_before.is_(None), batch.c.not_before <= bindparam("now", type_=Moment)),
    or_(batch.c.no == 1, send_task.c.first_batch_done),
)
_NEXT_NO = (
    select(func.min(batch.c.no))
    .where(batch.c.task_id == send_task.c.id, _IS_NEXT)
    .correlate(send_task)
    .scalar_subquery()
)
_CANDIDATES = (
    select(send_task.c.id, _NEXT_NO.label("next_no"))
    .where(literal_state(send_task.c.state, TaskState.SENDING))
    .subquery()
)
# The one with the lowest batch number first, so that a small task is not stuck behind a huge one.
WAITING_TASKS = (
    select(_CANDIDATES.c.id).where(_CANDIDATES.c.next_no.is_not(None)).order_by(_CANDIDATES.c.next_no, _CANDIDATES.c.id)
)
FIRST_PLANNED = (
    select(batch.c.no)
    .join(send_task, send_task.c.id == batch.c.task_id)
    .where(batch.c.task_id == bindparam("task_id"), literal_state(send_task.c.state, TaskState.SENDING), _IS_NEXT)
    .order_by(batch.c.no)
    .limit(1)
    .with_for_update(skip_locked=True, of=batch)
)
CLAIM = (
    update(batch)
    .where(
        batch.c.task_id == bindparam("the_task"),
        batch.c.no == bindparam("the_no"),
        batch.c.state == BatchState.PLANNED.value,
    )
    .values(
        state=BatchState.SENDING.value,
        owner=bindparam("the_owner"),
        lease_until=bindparam("the_lease"),
        attempt=batch.c.attempt + 1,
        not_before=None,
    )
    .returning(batch.c.task_id, batch.c.no, batch.c.first, batch.c.last, batch.c.attempt, batch.c.reference)
)
TEXT = select(send_task.c.sender, send_task.c.template_code, send_task.c.text, send_task.c.request_signature).where(
    send_task.c.id == bindparam("task_id")
)
_HAS_OUTCOME = exists().where(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq)
_UNSUBMITTED = (
    select(recipient.c.number, recipient.c.seq)
    .where(
        recipient.c.task_id == bindparam("task_id"),
        recipient.c.seq.between(bindparam("first"), bindparam("last")),
        ~_HAS_OUTCOME,
    )
    .order_by(recipient.c.seq)
)
_SUBMITTED = select(func.count()).where(
    submission.c.task_id == bindparam("task_id"), submission.c.seq.between(bindparam("first"), bindparam("last"))
)


def unsubmitted(tx: Connection, row: Row[Any]) -> dict[int, int]:
    """The batch's numbers that have no outcome yet, each with its sequence number."""
    found = tx.execute(_UNSUBMITTED, _range(row))
    return {number: seq for number, seq in found}  # noqa: C416 - dict() of rows does not type-check


def count_unsubmitted(tx: Connection, row: Row[Any]) -> int:
    """All of a batch, but for what was taken before it was planned again for the rest."""
    submitted: int = tx.execute(_SUBMITTED, _range(row)).scalar_one()
    return int(row.last) - int(row.first) + 1 - submitted


def _range(row: Row[Any]) -> dict[str, int]:
    return {"task_id": row.task_id, "first": row.first, "last": row.last}
