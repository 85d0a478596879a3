"""A task whose failures pile up pauses itself and asks, before it has cost more.

That is when over half of its first batch was refused, or over half of any 1,000 recipients in a row, or when what the
carrier says of a batch it would say of any other (SAME_FOR_ALL in services/carriers/codes.py). What a person has been
asked about once does not count again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, exists, func, select, update

from services.models import application, batch, literal_state, send_task, submission
from services.outcomes import Handed
from services.posts import PostKind, want_post
from services.states import BatchState, PauseReason, TaskState

log = structlog.get_logger()

IN_A_ROW = 1000

_TASK = select(send_task).where(send_task.c.id == bindparam("the_task"))
_ANY_PLANNED = select(
    exists().where(batch.c.task_id == bindparam("the_task"), literal_state(batch.c.state, BatchState.PLANNED))
)
_REFUSED = select(submission.c.seq).where(
    submission.c.task_id == bindparam("the_task"),
    submission.c.seq.between(bindparam("first"), bindparam("last")),
    submission.c.outcome == "refused",
)
_REFUSED_COUNT = select(func.count()).select_from(_REFUSED.subquery())
_REFUSED_CODES = (
    _REFUSED.with_only_columns(submission.c.code)
    .group_by(submission.c.code)
    .order_by(func.count().desc(), submission.c.code)
)
_LAST_HANDED = select(func.max(batch.c.last)).where(
    batch.c.task_id == bindparam("the_task"), batch.c.state != BatchState.PLANNED.value
)
# Of a batch that is planned again for its rest, too.
_LAST_ANSWERED = select(func.max(submission.c.seq)).where(submission.c.task_id == bindparam("the_task"))


def pause_failing(tx: Connection, handed: Sequence[Handed], states: Mapping[int, str]) -> None:
    """Look at what has just been written, of tasks that are locked and were in these states."""
    by_task: dict[int, list[Handed]] = defaultdict(list)
    for each in handed:
        by_task[each.claim.task_id].append(each)
    for task_id, of_task in by_task.items():
        if states[task_id] == TaskState.SENDING:
            _look_at(tx, task_id, of_task)


def _look_at(tx: Connection, task_id: int, handed: Sequence[Handed]) -> None:
    # What ends the first batch may be a part of it that was accepted, behind others that were refused.
    suspect = [each for each in handed if _ends_first_batch(each) or _has_refusals(each)]
    account = next((each for each in handed if each.account_code), None)
    if not suspect and account is None:
        return
    if not tx.execute(_ANY_PLANNED, {"the_task": task_id}).scalar():
        # Nothing is left to hold back.
        return
    if account is not None:
        _pause(tx, account, PauseReason.ACCOUNT, account.account_code)
        return
    task = tx.execute(_TASK, {"the_task": task_id}).one()
    for each in suspect:
        if _is_a_bad_start(tx, task, each) or _is_a_bad_run(tx, task, each):
            _pause(tx, each, PauseReason.REFUSALS, _commonest(tx, each))
            return


def _ends_first_batch(each: Handed) -> bool:
    return each.claim.no == 1 and each.rest is None


def _has_refusals(each: Handed) -> bool:
    return any(not said.accepted for said in each.outcomes.values())


def _is_a_bad_start(tx: Connection, task: Row[Any], each: Handed) -> bool:
    """Whether over half of the first batch was refused, in however many parts the carrier took it."""
    if not _ends_first_batch(each):
        return False
    first, last = each.claim.first, each.claim.last
    unseen = {"the_task": task.id, "first": max(first, task.refusals_seen + 1), "last": last}
    refused: int = tx.execute(_REFUSED_COUNT, unseen).scalar_one()
    return refused * 2 > last - first + 1


def _is_a_bad_run(tx: Connection, task: Row[Any], each: Handed) -> bool:
    """Whether some 1,000 recipients in a row, of which this batch has some, were refused by more than a half."""
    first, last = max(each.claim.first - IN_A_ROW, task.refusals_seen) + 1, each.claim.last + IN_A_ROW - 1
    around = {"the_task": task.id, "first": first, "last": last}
    if tx.execute(_REFUSED_COUNT, around).scalar_one() * 2 <= IN_A_ROW:
        return False
    seqs = sorted(tx.execute(_REFUSED, around).scalars())
    most = IN_A_ROW // 2
    return any(beyond - seq < IN_A_ROW for seq, beyond in zip(seqs, seqs[most:], strict=False))


def _commonest(tx: Connection, each: Handed) -> str | None:
    """The code that refused the most of this batch; None where somebody else's word on all of it came first."""
    within = {"the_task": each.claim.task_id, "first": each.claim.first, "last": each.claim.last}
    code: str | None = tx.execute(_REFUSED_CODES, within).scalars().first()
    return code


def _pause(tx: Connection, why: Handed, reason: PauseReason, code: str | None) -> None:
    """Hand over nothing more until a person has decided, and owe the channel the question."""
    task_id = why.claim.task_id
    # Not always the task's own one.
    carrier = select(application.c.carrier).where(application.c.id == why.claim.application_id)
    seen = [tx.execute(each, {"the_task": task_id}).scalar() or 0 for each in (_LAST_HANDED, _LAST_ANSWERED)]
    row = tx.execute(
        update(send_task)
        .where(send_task.c.id == task_id, send_task.c.state == TaskState.SENDING.value)
        .values(
            state=TaskState.PAUSED.value,
            pause_reason=reason.value,
            pause_code=code,
            pause_carrier=carrier.scalar_subquery(),
            paused_by=None,
            refusals_seen=max(seen),
        )
        .returning(send_task.c.workspace_id, send_task.c.channel)
    ).one()
    log.warning("task.paused", task=task_id, reason=reason.value, code=code)
    want_post(tx, row.workspace_id, row.channel, PostKind.PAUSED, task_id)
