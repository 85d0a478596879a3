"""Whom a send would reach so soon after another promotional SMS that they may well opt out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from services.audiences import Audience, recipients
from services.models import batch, recipient, result, send_task, template
from services.states import BatchState, SmsType

OVERLAP = timedelta(hours=24)
_HANDED_OVER = [BatchState.DONE.value, BatchState.UNKNOWN.value]
_NOT_ARRIVED = ["refused", "failed"]


def count_overlap(connection: Connection, audience: Audience, sms_type: SmsType, now: datetime) -> int:
    """How many of the numbers got another promotional SMS within 24 hours, or may have; 0 where this one is none."""
    if sms_type is not SmsType.PROMOTIONAL:
        return 0
    since = now - OVERLAP
    lately = (
        select(send_task.c.id)
        .join(template, template.c.id == send_task.c.template_id)
        .where(
            send_task.c.workspace_id == audience.workspace_id,
            send_task.c.handed_over > 0,
            or_(send_task.c.finished_at.is_(None), send_task.c.finished_at > since),
            template.c.sms_type == sms_type.value,
        )
    )
    task_ids = connection.execute(lately).scalars().all()
    if not task_ids:
        return 0
    found = recipients(audience).subquery()
    # Not EXISTS: nothing finds a number among recipients, so they are gathered once.
    query = select(func.count()).select_from(found).where(found.c.number.in_(_written_to(task_ids, since)))
    return int(connection.execute(query).scalar_one())


def _written_to(task_ids: Sequence[int], since: datetime) -> Select[Any]:
    """The numbers that these tasks have handed over since then, but for those that are known to have got nothing."""
    # A task's batches go out in order. Each keeps the lease of its last claim, which ends some seconds after its
    # answer; one that was made unknown by a restore may have none.
    lately = or_(batch.c.lease_until > since, batch.c.lease_until.is_(None))
    spans = (
        select(batch.c.task_id, func.min(batch.c.first).label("first"), func.max(batch.c.last).label("last"))
        .where(batch.c.task_id.in_(task_ids), batch.c.state.in_(_HANDED_OVER), lately)
        .group_by(batch.c.task_id)
        .subquery()
    )
    # Read once: to look each recipient up among a million results takes twice as long.
    nothing_came = (
        select(result.c.task_id, result.c.seq)
        .where(result.c.task_id.in_(task_ids), result.c.state.in_(_NOT_ARRIVED))
        .cte("nothing_came")
        .prefix_with("MATERIALIZED")
    )
    is_it = and_(nothing_came.c.task_id == recipient.c.task_id, nothing_came.c.seq == recipient.c.seq)
    return (
        select(recipient.c.number)
        .join(
            spans,
            and_(spans.c.task_id == recipient.c.task_id, recipient.c.seq.between(spans.c.first, spans.c.last)),
        )
        .outerjoin(nothing_came, is_it)
        .where(recipient.c.task_id.in_(task_ids), nothing_came.c.seq.is_(None))
    )
