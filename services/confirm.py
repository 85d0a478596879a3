"""Confirming: a draft becomes a send task, once, exactly as it was shown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from services import text
from services.audiences import Audience, heeds_opt_outs, is_recipient, may_repeat, rows
from services.batch_queue import BatchQueue
from services.carriers.ports import Limits
from services.clock import Clock
from services.content import Signature, Template, signatures_of, template_by_id
from services.database import Database
from services.errors import NotAllowed
from services.groups import Group, group_of, groups_of
from services.hours import may_send
from services.models import customer_group, send_task, task_group, workspace
from services.posts import PostKind, want_post
from services.previews import Preview, Previews
from services.recipients import copy_recipients, plan_batches
from services.resends import Resend, find_resend, resent_in
from services.states import Source, TaskState
from services.task_reports import Task, task_by_id
from services.variables import RecipientWriter, find_columns, from_json, people


class Confirmations:
    """Makes drafts send tasks. `limits` gives the most numbers of a batch for each application."""

    def __init__(self, database: Database, clock: Clock, previews: Previews, limits: Mapping[int, Limits]) -> None:
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
            draft = lock_draft(tx, workspace_id, draft_id)
            if draft.scheduled_at is not None and draft.scheduled_at <= now:
                raise NotAllowed("time_passed", at=draft.scheduled_at)
            changed = self._make(tx, draft, by, now)
            if not changed:
                tx.commit()
                return task_by_id(tx, workspace_id, draft.id)
        return replace(self._previews.draft_again(workspace_id, draft_id, by), changed=changed)

    def size_to_fill(self, workspace_id: str, draft_id: int) -> int:
        """How many texts `confirm` would have to fill with values one by one; 0 where all get the same."""
        query = select(send_task.c.recipients).where(
            send_task.c.id == draft_id,
            send_task.c.workspace_id == workspace_id,
            send_task.c.state == TaskState.DRAFT.value,
            send_task.c.variables.is_not(None),
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def _make(self, tx: Connection, draft: Row[Any], by: str, now: datetime) -> list[str]:
        """Returns what is no longer as the person was shown it: then nothing of this may be committed."""
        chosen = template_by_id(tx, draft.workspace_id, draft.template_id)
        if chosen is None:
            raise NotAllowed("template_gone")
        changed = changes(tx, draft, chosen)
        if not may_send(chosen.sms_type, chosen.region, draft.scheduled_at or now):
            changed.append("hours")
        audience, is_same = audience_of(tx, draft, chosen)
        if not is_same:
            changed.append("groups")
        if audience.resend is not None and _was_resent_since(tx, draft, audience.resend):
            changed.append("resent")
        if changed:
            return changed
        layers = self._copy(tx, draft, audience)
        if (sum(layers), layers[0]) != (draft.recipients, draft.distinct_numbers):
            return ["recipients"]
        plan_batches(self._database.bulk, tx, draft, layers, self._limits[draft.application_id])
        make_real(tx, self._database.queue, draft, by, now)
        return []

    def _copy(self, tx: Connection, draft: Row[Any], audience: Audience) -> list[int]:
        """Copy the recipients as they are now. Returns how many each layer has: first copies, second copies, …"""
        if draft.variables is None:
            return [_copy_numbers(tx, draft.id, audience)]
        columns = find_columns(tx, audience, draft.template_code, from_json(draft.variables))
        writer = RecipientWriter(self._database.bulk, tx, draft.id)
        with closing(people(tx, audience, columns, draft.text)) as found:
            return writer.write(found, without_missing=draft.without_missing)


def changes(tx: Connection, draft: Row[Any], chosen: Template) -> list[str]:
    """What is no longer as the person was shown it, of text and signature."""
    changed = []
    signature = next((s for s in signatures_of(tx, draft.application_id) if s.id == draft.signature_id), None)
    if not _is_still_signed_so(draft, chosen, signature):
        changed.append("signature")
    body = text.render(chosen.text, signature.name if signature else None, chosen.region)
    if (body, chosen.code) != (draft.text, draft.template_code):
        changed.append("text")
    return changed


def audience_of(tx: Connection, draft: Row[Any], chosen: Template) -> tuple[Audience, bool]:
    """The draft's audience as it is now, and whether its groups are those that were shown."""
    shown = tx.execute(select(task_group).where(task_group.c.task_id == draft.id)).all()
    groups = _lock_groups(tx, draft.workspace_id, [row.group_id for row in shown])
    there = [row for row in shown if row.group_id in groups]
    is_same = len(there) == len(shown) and all(_is_as_shown(row, groups[row.group_id]) for row in there)
    if any(groups[row.group_id].sms_type is not chosen.sms_type for row in there if not row.excluded):
        is_same = False
    source = Source(draft.source)
    if draft.resend_of is not None:
        # Receipts lock a task before they store its results, so none comes between this look and our commit. Nor does
        # another resend of it.
        tx.execute(select(send_task.c.id).where(send_task.c.id == draft.resend_of).with_for_update())
    if source is Source.POOL:
        of_type = [each for each in groups_of(tx, draft.workspace_id) if each.sms_type is chosen.sms_type]
        is_same = is_same and all(each.id in groups for each in of_type if each.size)
    audience = Audience(
        workspace_id=draft.workspace_id,
        region=chosen.region,
        source=source,
        groups=[groups[row.group_id] for row in there if not row.excluded],
        excluded=[groups[row.group_id] for row in there if row.excluded],
        import_id=draft.import_id,
        resend=find_resend(tx, draft),
        heeds_opt_outs=heeds_opt_outs(tx, draft.workspace_id, chosen.sms_type),
    )
    return audience, is_same


def _is_as_shown(shown: Row[Any], group: Group) -> bool:
    """Of a row of `task_group`: whether nobody came, left or got other values since."""
    return (shown.size, shown.members_version) == (group.size, group.members_version)


def _was_resent_since(tx: Connection, draft: Row[Any], resend: Resend) -> bool:
    """Whether somebody has sent the same messages again since the draft was made. The task it is of must be locked.

    Tasks get their numbers in the order in which they are confirmed, whatever clocks say.
    """
    return bool(max(resent_in(tx, resend.task_id, resend.state), default=0) > draft.resends_seen)


def _is_still_signed_so(draft: Row[Any], chosen: Template, signature: Signature | None) -> bool:
    """Whether the text would go out under the name shown, and asked for in the same way."""
    if draft.signature_id is None:
        return chosen.is_universal
    if signature is None or signature.channel_number != draft.sender or not signature.signs(chosen.sms_type):
        return False
    if chosen.is_universal:
        return bool(draft.request_signature == signature.name)
    return chosen.signature_id == signature.id and draft.request_signature is None


def _lock_groups(tx: Connection, workspace_id: str, group_ids: list[int]) -> dict[int, Group]:
    """As they are and will be until we commit: what is imported meanwhile waits, so that size and members agree."""
    mine = (customer_group.c.workspace_id == workspace_id, customer_group.c.id.in_(group_ids))
    query = select(customer_group).where(*mine).order_by(customer_group.c.id)
    return {row.id: group_of(row) for row in tx.execute(query.with_for_update(read=True))}


def _copy_numbers(tx: Connection, task_id: int, audience: Audience) -> int:
    """Copy each number once, with the first of its rows. Returns how many."""
    found = rows(audience).subquery()
    kept = select(found).where(is_recipient(found.c.number, audience))
    if may_repeat(audience):
        nth = func.row_number().over(partition_by=found.c.number, order_by=found.c.place).label("nth")
        every = kept.add_columns(nth).subquery()
        kept = select(every).where(every.c.nth == 1)
    return copy_recipients(tx, task_id, kept)


def lock_draft(tx: Connection, workspace_id: str, draft_id: int) -> Row[Any]:
    """Raises NotAllowed("draft_gone" | "already_confirmed")."""
    row = tx.execute(
        select(send_task).where(send_task.c.id == draft_id, send_task.c.workspace_id == workspace_id).with_for_update()
    ).first()
    if row is None:
        raise NotAllowed("draft_gone")
    if row.state != TaskState.DRAFT:
        raise NotAllowed("already_confirmed", number=row.number, by=row.confirmed_by)
    return row


def make_real(tx: Connection, queue: BatchQueue, draft: Row[Any], by: str, now: datetime) -> None:
    """Give the draft the workspace's next number, and owe the channel a post; it is due at its time, or now."""
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
    if state is TaskState.SENDING:
        queue.open(tx, draft.id)
    want_post(tx, draft.workspace_id, draft.channel, PostKind.TASK, draft.id)
