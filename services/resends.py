"""Which messages of a task are sent again: those that failed, or those nobody knows of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, and_, exists, select, union_all

from services.models import batch, recipient, result, send_task, submission
from services.states import BatchState


class ResendState(StrEnum):
    """What became of the messages that are sent again. FAILED: refused when handed over, or reported as failed."""

    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resend:
    """Whose messages are sent again: `task` is the number people know, `task_id` ours."""

    task: int
    task_id: int
    state: ResendState


COLUMNS = ("number", "import_id", "row", "values", "attributes")
_RECIPIENT = tuple(recipient.c[name] for name in COLUMNS)
_HAS_RESULT = exists().where(result.c.task_id == recipient.c.task_id, result.c.seq == recipient.c.seq)
_HAS_OUTCOME = exists().where(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq)


def recipients_again(task_id: int, state: ResendState) -> Select[Any] | CompoundSelect[Any]:
    """(number, import_id, row, values, attributes) of each of these messages, as they are now, in no order."""
    return _failed(task_id) if state is ResendState.FAILED else _unknown(task_id)


def resent_in(connection: Connection, task_id: int, state: ResendState) -> list[int]:
    """The numbers of the tasks that have sent these messages again already, the last one last."""
    query = select(send_task.c.number).where(
        send_task.c.resend_of == task_id, send_task.c.resend_state == state.value, send_task.c.number.is_not(None)
    )
    return [*connection.execute(query.order_by(send_task.c.number)).scalars()]


def find_resend(connection: Connection, draft: Row[Any]) -> Resend | None:
    """What a draft, as a row of its table, sends again; None where it does not."""
    if draft.resend_of is None:
        return None
    number = connection.execute(select(send_task.c.number).where(send_task.c.id == draft.resend_of)).scalar_one()
    return Resend(number, draft.resend_of, ResendState(draft.resend_state))


def _failed(task_id: int) -> Select[Any]:
    is_it = and_(recipient.c.task_id == result.c.task_id, recipient.c.seq == result.c.seq)
    return (
        select(*_RECIPIENT)
        .select_from(result)
        .join(recipient, is_it)
        .where(result.c.task_id == task_id, result.c.state != "delivered")
    )


def _unknown(task_id: int) -> CompoundSelect[Any]:
    """Handed over and without a final word. What has no outcome either stands in a batch that got no answer."""
    is_it = and_(recipient.c.task_id == submission.c.task_id, recipient.c.seq == submission.c.seq)
    answered = (
        select(*_RECIPIENT)
        .select_from(submission)
        .join(recipient, is_it)
        .where(submission.c.task_id == task_id, submission.c.outcome != "skipped", ~_HAS_RESULT)
    )
    within = and_(recipient.c.task_id == batch.c.task_id, recipient.c.seq.between(batch.c.first, batch.c.last))
    unanswered = (
        select(*_RECIPIENT)
        .select_from(batch)
        .join(recipient, within)
        .where(batch.c.task_id == task_id, batch.c.state == BatchState.UNKNOWN.value, ~_HAS_OUTCOME, ~_HAS_RESULT)
    )
    return union_all(answered, unanswered)
