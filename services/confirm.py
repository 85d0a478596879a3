"""Confirming: a draft becomes a send task, once, exactly as it was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, select, update

from services import text
from services.clock import Clock
from services.content import Signature, Template, signatures_of, template_by_id
from services.database import Database
from services.errors import NotAllowed
from services.models import application, batch, customer_group, recipient, send_task, task_group, workspace
from services.posts import PostKind, want_post
from services.previews import Preview, Previews, in_region, members
from services.resends import COLUMNS, ResendState, recipients_again
from services.states import BatchState, Region, Source, TaskState
from services.task_reports import Task, task_by_id

# A small first batch goes alone, so that a bad send is noticed before it is large.
FIRST_BATCH = 200


class Confirmations:
    """Makes drafts send tasks. `max_numbers` gives the most numbers one request of an application takes."""

    def __init__(self, database: Database, clock: Clock, previews: Previews, max_numbers: dict[int, int]) -> None:
        self._database = database
        self._clock = clock
        self._previews = previews
        self._max_numbers = max_numbers

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

    def _plan_batches(self, tx: Connection, draft: Row[Any]) -> None:
        ranges = plan(draft.recipients, self._max_numbers[draft.application_id])
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
    if signature is None or signature.channel_number != draft.sender:
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
    if draft.source == Source.RESEND:
        return _copy_again(tx, draft)
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


def _copy_again(tx: Connection, draft: Row[Any]) -> int:
    """The messages of another task, with all that was known of each; what has become final meanwhile is not among
    them. Returns how many.
    """
    # Receipts lock a task before they store its results, so none comes between this look and our commit.
    tx.execute(select(send_task.c.id).where(send_task.c.id == draft.resend_of).with_for_update())
    region = tx.execute(select(application.c.region).where(application.c.id == draft.application_id)).scalar_one()
    again = recipients_again(draft.resend_of, ResendState(draft.resend_state)).subquery()
    copy_no = func.row_number().over(partition_by=again.c.number, order_by=(again.c.import_id, again.c.row))
    found = select(again, copy_no.label("copy_no")).where(in_region(again.c.number, Region(region))).subquery()
    # Each number once, and further copies of some behind them.
    order = (found.c.copy_no, found.c.number)
    seq = func.row_number().over(order_by=order)
    numbered = select(literal(draft.id), seq, *(found.c[name] for name in COLUMNS)).order_by(*order)
    copied = insert(recipient).from_select(["task_id", "seq", *COLUMNS], numbered)
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
