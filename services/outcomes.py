"""Writing down what became of claimed batches, those of several tasks in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Connection, bindparam, exists, or_, select, tuple_, update

from services.bulk import BulkWriter
from services.carriers.ports import Outcome
from services.claims import Claim
from services.models import batch, literal_state, result, send_task, sent_sms, submission, to_milliseconds
from services.states import BatchState, TaskState

# The code of a message that nobody knows of, where others of its batch go back.
UNANSWERED = "unanswered"

_SUBMISSION_COLUMNS = ["task_id", "seq", "outcome", "sms_id", "code", "segments", "at"]
_SENT_SMS_COLUMNS = ["application_id", "sms_id", "number", "task_id", "seq"]
_RESULT_COLUMNS = ["task_id", "seq", "state", "code", "at"]


@dataclass(frozen=True, slots=True)
class PutOff:
    """The numbers of a batch that were not taken, how long they wait, and why, where that is trouble."""

    numbers: frozenset[int]
    delay: timedelta
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Handed:
    """What came of a claimed batch: an outcome for each number that has one; `rest` goes back. Of the others nobody
    knows. `account_code` is what the carrier said where it would say so of every other number too. `elsewhere` is an
    application that may take the batch in the place of this one.
    """

    claim: Claim
    outcomes: Mapping[int, Outcome]
    rest: PutOff | None = None
    account_code: str | None = None
    elsewhere: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A batch that has left the state of being sent; `not_before` where it is planned again."""

    task_id: int
    no: int
    state: BatchState
    not_before: datetime | None


_LOCK = (
    select(send_task.c.id, send_task.c.state)
    .where(send_task.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(send_task.c.id)
    .with_for_update()
)
_LEAVE_SENDING = (
    update(batch)
    .where(
        batch.c.task_id == bindparam("the_task"),
        tuple_(batch.c.no, batch.c.attempt).in_(bindparam("claims", expanding=True)),
        batch.c.state == BatchState.SENDING.value,
        batch.c.owner == bindparam("the_owner"),
    )
    .values(state=bindparam("becomes"), not_before=bindparam("until", type_=batch.c.not_before.type))
    .returning(batch.c.no)
)
_COUNT = (
    update(send_task)
    .where(send_task.c.id == bindparam("the_task"))
    .values(
        accepted=send_task.c.accepted + bindparam("more_accepted"),
        refused=send_task.c.refused + bindparam("more_refused"),
        handed_over=send_task.c.handed_over + bindparam("more_handed_over"),
        held_back=send_task.c.held_back + bindparam("more_held_back"),
        first_batch_done=or_(send_task.c.first_batch_done, bindparam("one_is_done", type_=Boolean)),
        trouble=bindparam("what_trouble"),
        version=send_task.c.version + 1,
    )
)
_IS_OPEN = select(
    or_(
        exists().where(batch.c.task_id == bindparam("the_task"), literal_state(batch.c.state, BatchState.PLANNED)),
        exists().where(batch.c.task_id == bindparam("the_task"), literal_state(batch.c.state, BatchState.SENDING)),
    )
)


@dataclass(slots=True)
class _Counts:
    """By how much a task's counts grow."""

    accepted: int = 0
    refused: int = 0
    handed_over: int = 0
    held_back: int = 0
    one_is_done: bool = False
    trouble: str | None = None
    refusals: list[tuple[int, int, str, str, int]] = field(default_factory=list)


class Outcomes:
    """Writes for one worker, `owner`. A batch is its own until somebody has given it up as lost; an answer that comes
    later still counts, but moves no batch.
    """

    def __init__(self, bulk: BulkWriter, owner: str) -> None:
        self._bulk = bulk
        self._owner = owner

    def write(
        self, tx: Connection, handed: Sequence[Handed], states: Mapping[int, str], now: datetime, *, careful: bool
    ) -> list[Moved]:
        """`states` are those of the tasks, which must be locked. `careful` is for what was perhaps written before.

        Returns the batches that were moved by it.
        """
        handed = sorted(handed, key=lambda each: (each.claim.task_id, each.claim.first))
        moved = self._leave_sending(tx, handed, states, now)
        ours = {(each.task_id, each.no) for each in moved}
        counts: dict[int, _Counts] = defaultdict(_Counts)
        new: list[tuple[object, ...]] = []
        at = to_milliseconds(now)
        for each in handed:
            claim, task = each.claim, counts[each.claim.task_id]
            is_ours = (claim.task_id, claim.no) in ours
            accepted, others = _submissions(each, at, with_unknown=is_ours and each.rest is not None)
            if is_ours and not careful:
                # Nobody else writes of a batch that is ours, so these keys cannot be there yet.
                new += accepted
                new += others
                task.accepted += len(accepted)
            else:
                task.accepted += self._bulk.insert_new(tx, submission, _SUBMISSION_COLUMNS, accepted)
                self._bulk.insert_new(tx, submission, _SUBMISSION_COLUMNS, others)
            if not claim.echoes_reference:
                self._bulk.insert_new(tx, sent_sms, _SENT_SMS_COLUMNS, _by_sms_id(each))
            task.refusals += _refusals(each, at)
            _count_batch(task, each, states[claim.task_id], is_ours)
        if new:
            self._bulk.insert(tx, submission, _SUBMISSION_COLUMNS, new)
        for task_id, task in counts.items():
            if task.refusals:
                task.refused = self._bulk.insert_new(tx, result, _RESULT_COLUMNS, task.refusals)
            _count(tx, task_id, task)
            finish_if_over(tx, task_id, states[task_id], now)
        return moved

    def _leave_sending(
        self, tx: Connection, handed: Sequence[Handed], states: Mapping[int, str], now: datetime
    ) -> list[Moved]:
        """Move each batch that is still its claim's to what it becomes; which those are."""
        moves: dict[tuple[int, BatchState, datetime | None], list[tuple[int, int]]] = defaultdict(list)
        for each in handed:
            becomes, until = _becomes(each, states[each.claim.task_id], now)
            moves[each.claim.task_id, becomes, until].append((each.claim.no, each.claim.attempt))
        ours: list[Moved] = []
        for (task_id, becomes, until), claims in moves.items():
            moved = {"the_task": task_id, "claims": claims, "the_owner": self._owner}
            nos = tx.execute(_LEAVE_SENDING, {**moved, "becomes": becomes.value, "until": until}).scalars()
            ours += [Moved(task_id, no, becomes, until) for no in nos]
        return ours


def lock_tasks(tx: Connection, task_ids: Iterable[int]) -> dict[int, str]:
    """The tasks' states. Always before their batches and in this order, so that no two transactions wait for each
    other.
    """
    return {row.id: row.state for row in tx.execute(_LOCK, {"ids": sorted(task_ids)})}


def finish_if_over(tx: Connection, task_id: int, state: str, now: datetime) -> None:
    """Note when a task's last request is behind it. The task is locked and in this state."""
    if tx.execute(_IS_OPEN, {"the_task": task_id}).scalar():
        return
    task = update(send_task).where(send_task.c.id == task_id, send_task.c.finished_at.is_(None))
    if state in (TaskState.SENDING, TaskState.PAUSED):
        tx.execute(task.values(state=TaskState.FINISHED.value, finished_at=now))
    elif state == TaskState.STOPPED:
        tx.execute(task.values(finished_at=now))


def _becomes(each: Handed, task_state: str, now: datetime) -> tuple[BatchState, datetime | None]:
    """The state of the batch from here on, and until when it waits."""
    if each.rest is None:
        answered = each.claim.seqs.keys() <= each.outcomes.keys()
        return (BatchState.DONE if answered else BatchState.UNKNOWN), None
    if task_state in (TaskState.SENDING, TaskState.PAUSED):
        return BatchState.PLANNED, now + each.rest.delay
    return BatchState.CANCELLED, None


def _count_batch(task: _Counts, each: Handed, task_state: str, is_ours: bool) -> None:
    task.trouble = None if each.rest is None else each.rest.trouble
    if not is_ours:
        return
    task.handed_over += each.claim.size
    if each.rest is None:
        task.one_is_done = True
        return
    task.handed_over -= len(each.rest.numbers)
    if task_state not in (TaskState.SENDING, TaskState.PAUSED):
        task.held_back += len(each.rest.numbers)


def _count(tx: Connection, task_id: int, task: _Counts) -> None:
    grown = {
        "the_task": task_id,
        "more_accepted": task.accepted,
        "more_refused": task.refused,
        "more_handed_over": task.handed_over,
        "more_held_back": task.held_back,
        "one_is_done": task.one_is_done,
        "what_trouble": task.trouble,
    }
    tx.execute(_COUNT, grown)


def _submissions(
    each: Handed, at: int, *, with_unknown: bool
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The rows of what was accepted, and of the rest that must be told from what waits."""
    task_id, outcomes = each.claim.task_id, each.outcomes
    waits = each.rest.numbers if each.rest else ()
    accepted: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    for number, seq in each.claim.seqs.items():
        said = outcomes.get(number)
        if said is None:
            # The next claim takes the numbers without a row, and must not take what nobody knows of.
            if with_unknown and number not in waits:
                others.append((task_id, seq, "unknown", None, UNANSWERED, None, at))
            continue
        is_accepted, code, sms_id, segments = said
        if is_accepted:
            accepted.append((task_id, seq, "accepted", sms_id, code, segments, at))
        else:
            others.append((task_id, seq, "refused", sms_id, code, segments, at))
    return accepted, others


def _refusals(each: Handed, at: int) -> list[tuple[int, int, str, str, int]]:
    task_id, seqs = each.claim.task_id, each.claim.seqs
    return [
        (task_id, seqs[number], "refused", said.code, at)
        for number, said in each.outcomes.items()
        if not said.accepted and number in seqs
    ]


def _by_sms_id(each: Handed) -> list[tuple[object, ...]]:
    claim = each.claim
    return sorted(
        (claim.application_id, said.sms_id, number, claim.task_id, claim.seqs[number])
        for number, said in each.outcomes.items()
        if said.accepted and said.sms_id is not None and number in claim.seqs
    )
