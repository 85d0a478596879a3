"""Claiming: which batches are next, and what their requests carry.

It is the hot path: statements are built once, several batches are claimed by one, and the numbers of a batch come as
one row, because Python lets go of its lock, and must wait for it again, at every row it reads from SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, bindparam, cast, exists, func, or_, select, update

from services.bulk import BulkWriter
from services.carriers.ports import Submission
from services.elsewhere import Content, bring_home, content_at
from services.models import (
    Moment,
    batch,
    literal_state,
    opt_out,
    recipient,
    send_task,
    submission,
    template,
    to_milliseconds,
)
from services.senders import Sender
from services.states import BatchState, SmsType, TaskState
from services.text import fill

# The code of a message that was left out when its turn came.
OPTED_OUT = "opted_out"


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is this worker's until `lease_until`; its messages are in no other request, now or ever."""

    application_id: int
    task_id: int
    no: int
    attempt: int
    first: int
    last: int
    lease_until: datetime
    seqs: Mapping[int, int]
    submission: Submission
    echoes_reference: bool
    # Nothing of it was handed over before, and it is at its task's own application: another one may take it.
    may_move: bool

    @property
    def size(self) -> int:
        """How many messages it hands over: its range, but for those that were before it was planned again."""
        return len(self.seqs)


# No parameter here has a column's name: SQLAlchemy would set that column to it.
# A task's next batch is one that is planned and not put off; until its first batch is through, only that one.
_IS_NEXT = and_(
    batch.c.application_id == bindparam("the_application"),
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
_WAITING_TASKS = (
    select(_CANDIDATES.c.id)
    .where(_CANDIDATES.c.next_no.is_not(None))
    .order_by(_CANDIDATES.c.next_no, _CANDIDATES.c.id)
    .limit(bindparam("most"))
)
_PLANNED = (
    select(batch.c.no)
    .join(send_task, send_task.c.id == batch.c.task_id)
    .where(batch.c.task_id == bindparam("the_task"), literal_state(send_task.c.state, TaskState.SENDING), _IS_NEXT)
    .order_by(batch.c.no)
)
_NEXT_OF_TASK = _PLANNED.limit(bindparam("most"))
_FREE = (
    _PLANNED.where(batch.c.no.in_(bindparam("nos", expanding=True)))
    .with_for_update(skip_locked=True, of=batch)
    .cte("free")
)
_CLAIM = (
    update(batch)
    .where(
        batch.c.task_id == bindparam("the_task"),
        batch.c.no.in_(select(_FREE.c.no)),
        batch.c.state == BatchState.PLANNED.value,
    )
    .values(
        state=BatchState.SENDING.value,
        owner=bindparam("the_owner"),
        lease_until=bindparam("the_lease"),
        attempt=batch.c.attempt + 1,
        not_before=None,
    )
    .returning(batch.c.no, batch.c.first, batch.c.last, batch.c.attempt, batch.c.reference)
)
_HAS_OPT_OUTS = exists().where(opt_out.c.workspace_id == send_task.c.workspace_id).label("has_opt_outs")
_FACTS = (
    select(
        send_task.c.id,
        send_task.c.workspace_id,
        send_task.c.application_id,
        send_task.c.sender,
        send_task.c.template_code,
        send_task.c.text,
        send_task.c.variables,
        send_task.c.request_signature,
        and_(template.c.sms_type == SmsType.PROMOTIONAL.value, _HAS_OPT_OUTS.element).label("may_skip"),
    )
    .join(template, template.c.id == send_task.c.template_id)
    .where(send_task.c.id.in_(bindparam("task_ids", expanding=True)))
)
_IN_RANGE = and_(
    recipient.c.task_id == bindparam("task_id"), recipient.c.seq.between(bindparam("first"), bindparam("last"))
)
_ordered = select(recipient.c.number, recipient.c.seq).where(_IN_RANGE).order_by(recipient.c.seq).subquery()
_RECIPIENTS = select(
    func.aggregate_strings(cast(_ordered.c.number, Text), ","), func.aggregate_strings(cast(_ordered.c.seq, Text), ",")
)
_SUBMITTED = (
    submission.c.task_id == bindparam("task_id"),
    submission.c.seq.between(bindparam("first"), bindparam("last")),
)
_ANY_SUBMITTED = select(exists().where(*_SUBMITTED))
_ALL_SUBMITTED = select(submission.c.seq, submission.c.outcome).where(*_SUBMITTED)
_SUBMITTED_COUNT = select(func.count()).where(*_SUBMITTED)
_VALUES = select(recipient.c.seq, recipient.c["values"].label("given")).where(_IN_RANGE)
_OPTED_OUT = (
    select(recipient.c.number)
    .join(opt_out, opt_out.c.number == recipient.c.number)
    .where(_IN_RANGE, opt_out.c.workspace_id == bindparam("workspace_id"))
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one application may claim from: its waiting tasks, the next one first, with what their requests carry.

    `named` are the batches that are meant, where it is not simply the next ones.
    """

    sender: Sender
    most: int
    task_ids: Sequence[int]
    facts: Mapping[int, Row[Any]]
    # Of the tasks that moved here from another application; why not, where this one has nothing for them any more.
    elsewhere: Mapping[int, Content | str]
    named: Mapping[int, Sequence[int]] | None = None

    @property
    def to_lock(self) -> list[int]:
        """The tasks whose counts claiming may change."""
        return [task_id for task_id, row in self.facts.items() if row.may_skip]


class Claims:
    """Claims batches for one worker."""

    def __init__(self, bulk: BulkWriter, owner: str) -> None:
        self._bulk = bulk
        self._owner = owner

    def waiting(self, connection: Connection, sender: Sender, most: int, now: datetime) -> Waiting | None:
        """What there is to claim at most so many batches from. None where there is nothing to do now."""
        mine = {"the_application": sender.application_id, "now": now, "most": most}
        task_ids = connection.execute(_WAITING_TASKS, mine).scalars().all()
        if not task_ids:
            return None
        return _waiting(connection, sender, most, task_ids)

    def named(self, connection: Connection, sender: Sender, keys: Iterable[tuple[int, int]]) -> Waiting | None:
        """The same of these batches, each (task, number); whether they may be sent shows when they are taken."""
        by_task: dict[int, list[int]] = {}
        for task_id, no in keys:
            by_task.setdefault(task_id, []).append(no)
        found = _waiting(connection, sender, len(by_task), [*by_task])
        named = {task_id: nos for task_id, nos in by_task.items() if task_id in found.facts}
        return replace(found, named=named) if named else None

    def take(self, tx: Connection, waiting: Waiting, now: datetime, lease_until: datetime) -> list[Claim]:
        """Make the next batches ours. The tasks `waiting.to_lock` must be locked, as always before their batches."""
        mine = {"the_application": waiting.sender.application_id, "now": now}
        claims = []
        shared = _shared_out(tx, waiting, mine) if waiting.named is None else waiting.named
        for task_id, nos in shared.items():
            if isinstance(waiting.elsewhere.get(task_id), str):
                bring_home(tx, task_id, waiting.sender.application_id, waiting.facts[task_id].application_id)
                continue
            claimed = {**mine, "the_task": task_id, "nos": nos, "the_owner": self._owner, "the_lease": lease_until}
            rows = sorted(tx.execute(_CLAIM, claimed).all())
            claims += [self._claim(tx, waiting, task_id, row, now, lease_until) for row in rows]
        return claims

    def _claim(
        self, tx: Connection, waiting: Waiting, task_id: int, row: Row[Any], now: datetime, lease_until: datetime
    ) -> Claim:
        sender, task = waiting.sender, waiting.facts[task_id]
        place = {"task_id": task_id, "first": row.first, "last": row.last}
        seqs, is_whole = _unsubmitted(tx, place)
        content = waiting.elsewhere.get(task_id) or Content(task.sender, task.template_code, task.request_signature)
        assert isinstance(content, Content)
        if task.may_skip:
            self._leave_out(tx, task, place, seqs, now)
        values = _values(tx, task, place, seqs)
        return Claim(
            application_id=sender.application_id,
            task_id=task_id,
            no=row.no,
            attempt=row.attempt,
            first=row.first,
            last=row.last,
            lease_until=lease_until,
            seqs=seqs,
            submission=Submission(
                reference=row.reference,
                numbers=list(seqs),
                sender=content.sender,
                template_code=content.template_code,
                text=task.text,
                signature=content.signature,
                receipts_url=sender.receipts_url,
                values=values,
                texts=_texts(task, values),
            ),
            echoes_reference=sender.carrier.echoes_reference,
            may_move=is_whole and task_id not in waiting.elsewhere,
        )

    def _leave_out(
        self, tx: Connection, task: Row[Any], place: dict[str, int], seqs: dict[int, int], now: datetime
    ) -> None:
        """Skip those who have opted out since the task was confirmed."""
        numbers = tx.execute(_OPTED_OUT, {**place, "workspace_id": task.workspace_id}).scalars()
        skipped = sorted(seqs.pop(number) for number in numbers if number in seqs)
        if not skipped:
            return
        at = to_milliseconds(now)
        rows = [(task.id, seq, "skipped", OPTED_OUT, at) for seq in skipped]
        self._bulk.insert(tx, submission, ["task_id", "seq", "outcome", "code", "at"], rows)
        counted = {"skipped": send_task.c.skipped + len(rows), "version": send_task.c.version + 1}
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(**counted))


def count_unsubmitted(tx: Connection, row: Row[Any]) -> int:
    """All of a batch, but for what was taken before it was planned again for the rest, or skipped."""
    place = {"task_id": row.task_id, "first": row.first, "last": row.last}
    submitted: int = tx.execute(_SUBMITTED_COUNT, place).scalar_one()
    return int(row.last) - int(row.first) + 1 - submitted


def _waiting(connection: Connection, sender: Sender, most: int, task_ids: Sequence[int]) -> Waiting:
    facts = {row.id: row for row in connection.execute(_FACTS, {"task_ids": task_ids})}
    elsewhere = {
        row.id: content_at(connection, row.id, sender.application_id)
        for row in facts.values()
        if row.application_id != sender.application_id
    }
    return Waiting(sender, most, task_ids, facts, elsewhere)


def _shared_out(tx: Connection, waiting: Waiting, mine: dict[str, Any]) -> dict[int, list[int]]:
    """The numbers of the next batches of each task, so that all tasks' low numbers come before anybody's high ones."""
    found: list[tuple[int, int]] = []
    for task_id in waiting.task_ids:
        nos = tx.execute(_NEXT_OF_TASK, {**mine, "the_task": task_id, "most": waiting.most}).scalars()
        found += [(no, task_id) for no in nos]
    shared: dict[int, list[int]] = {}
    for no, task_id in sorted(found)[: waiting.most]:
        shared.setdefault(task_id, []).append(no)
    return shared


def _unsubmitted(tx: Connection, place: dict[str, int]) -> tuple[dict[int, int], bool]:
    """The batch's numbers that have no outcome yet, each with its sequence number; whether nothing was handed over."""
    numbers, seqs = tx.execute(_RECIPIENTS, place).one()
    found = dict(zip(map(int, numbers.split(",")), map(int, seqs.split(",")), strict=True))
    if not tx.execute(_ANY_SUBMITTED, place).scalar():
        return found, True
    submitted = {row.seq: row.outcome for row in tx.execute(_ALL_SUBMITTED, place)}
    is_whole = all(outcome == "skipped" for outcome in submitted.values())
    return {number: seq for number, seq in found.items() if seq not in submitted}, is_whole


def _values(tx: Connection, task: Row[Any], place: dict[str, int], seqs: Mapping[int, int]) -> dict[int, list[str]]:
    """What fills the variables of each number's text."""
    if task.variables is None:
        return {}
    by_seq: dict[int, str] = {row.seq: row.given for row in tx.execute(_VALUES, place)}
    return {number: json.loads(by_seq[seq]) for number, seq in seqs.items()}


def _texts(task: Row[Any], values: Mapping[int, Sequence[str]]) -> dict[int, str]:
    if not values:
        return {}
    names: list[str] = json.loads(task.variables)
    return {number: fill(task.text, names, each) for number, each in values.items()}
