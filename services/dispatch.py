"""Hands batches to carriers: claim and commit, then submit, then record.

Never twice: a batch is committed as `sending` before its request leaves, and nothing that may have left is sent again
by itself. A batch goes back to `planned` only when its request was provably not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Row, and_, exists, select, update
from sqlalchemy.exc import DBAPIError

from services.carriers.ports import Answer, Carrier, Outcome, Submission
from services.claims import CLAIM, FIRST_PLANNED, TEXT, WAITING_TASKS, count_unsubmitted, unsubmitted
from services.clock import Clock
from services.database import Database
from services.errors import NotTaken, RequestRefused, Unanswered
from services.models import (
    batch,
    literal_state,
    result,
    send_task,
    sent_sms,
    submission,
    to_milliseconds,
)
from services.rate import RateLimit
from services.states import BatchState, TaskState

log = structlog.get_logger()
T = TypeVar("T")

LEASE_MARGIN = timedelta(seconds=5)
FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(seconds=60)
IDLE_SECONDS = 0.5
# A database that is away for a moment (restarted, failed over) must not cost an outcome.
RECORD_AGAIN_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)

# The code of a message that nobody knows of, where others of its batch go back.
UNANSWERED = "unanswered"

_SUBMISSION_COLUMNS = ["task_id", "seq", "outcome", "sms_id", "code", "segments", "at"]
_SENT_SMS_COLUMNS = ["application_id", "sms_id", "number", "task_id", "seq"]


@dataclass(frozen=True, slots=True)
class Sender:
    """An application as the dispatch loop needs it. `connections` bounds its requests under way."""

    application_id: int
    carrier: Carrier
    rate: RateLimit
    receipts_url: str | None
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is this worker's until `lease_until`; its messages are in no other request, now or ever."""

    application_id: int
    task_id: int
    no: int
    attempt: int
    lease_until: datetime
    seqs: Mapping[int, int]
    submission: Submission
    echoes_reference: bool

    @property
    def size(self) -> int:
        """How many messages it hands over: its range, but for those that were before it was planned again."""
        return len(self.seqs)


@dataclass(frozen=True, slots=True)
class PutOff:
    """The numbers of a batch that were not taken while others were, and how long they wait."""

    numbers: frozenset[int]
    delay: timedelta
    trouble: str | None


class Dispatch:
    """Sends what is planned.

    `owner` names this worker; the one process on SQLite always has the same name. No batch takes longer than
    `request_timeout`, or what its carrier says where that is more, so that a lease (5 s more) outlives it. `executor`
    runs what touches the database.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        senders: Sequence[Sender],
        *,
        owner: str,
        executor: Executor,
        request_timeout: timedelta,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._senders = {sender.application_id: sender for sender in senders}
        self._owner = owner
        self._executor = executor
        self._request_timeout = request_timeout
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for work now. Call from the event loop's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Send until `stop()`; returns when the requests under way are recorded."""
        async with asyncio.TaskGroup() as group:
            for sender in self._senders.values():
                for _ in range(sender.connections):
                    group.create_task(self._send_for(sender))

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._wake.set()

    async def send_batch(self, claim: Claim, sender: Sender) -> None:
        """Hand one claimed batch over and record what came of it. The outcome is written even while being cancelled."""
        if self._clock.now() + self._takes(sender) > claim.lease_until:
            await self._finish(self.give_back, claim, "lease_too_short", timedelta(0))
            return
        if not claim.seqs:
            await self._finish(self.record, claim, {})
            return
        try:
            answer = await sender.carrier.submit(claim.submission)
        except NotTaken as trouble:
            log.warning("batch.not_taken", task=claim.task_id, batch=claim.no, code=trouble.code, reason=trouble.reason)
            delay = self._retry_delay(claim.attempt, trouble.retry_after_seconds)
            sender.rate.pause(delay.total_seconds())
            await self._finish(self.give_back, claim, trouble.code, delay)
        except RequestRefused as trouble:
            log.warning("batch.refused", task=claim.task_id, batch=claim.no, code=trouble.code, reason=trouble.reason)
            refused = Outcome(accepted=False, code=trouble.code)
            await self._finish(self.record, claim, dict.fromkeys(claim.submission.numbers, refused))
        except Unanswered as trouble:
            log.warning("batch.unanswered", task=claim.task_id, batch=claim.no, reason=trouble.reason)
            await self._finish(self.record, claim, {})
        except asyncio.CancelledError:
            await self._finish(self.record, claim, {})
            raise
        except Exception:
            log.exception("batch.broken", task=claim.task_id, batch=claim.no)
            await self._finish(self.record, claim, {})
        else:
            await self._finish(self.record, claim, answer.outcomes, self._put_off(claim, sender, answer))

    def claim(self, sender: Sender) -> Claim | None:
        """Make the next batch of this application ours, durably. None where there is nothing to do now."""
        now = self._clock.now()
        lease_until = now + self._takes(sender) + LEASE_MARGIN
        mine = {"application_id": sender.application_id, "now": now}
        with self._database.read() as connection:
            # Looking costs no writer's lock; an idle worker looks twice a second.
            waiting = connection.execute(WAITING_TASKS, mine).all()
        if not waiting:
            return None
        with self._database.write() as tx:
            row = self._take_first(tx, [task.id for task in waiting], mine, lease_until)
            if row is None:
                return None
            numbers = unsubmitted(tx, row)
            task = tx.execute(TEXT, {"task_id": row.task_id}).one()
            tx.commit()
        return Claim(
            application_id=sender.application_id,
            task_id=row.task_id,
            no=row.no,
            attempt=row.attempt,
            lease_until=lease_until,
            seqs=numbers,
            submission=Submission(
                reference=row.reference,
                numbers=list(numbers),
                sender=task.sender,
                template_code=task.template_code,
                text=task.text,
                signature=task.request_signature,
                receipts_url=sender.receipts_url,
            ),
            echoes_reference=sender.carrier.echoes_reference,
        )

    def _take_first(
        self, tx: Connection, task_ids: Sequence[int], mine: dict[str, Any], lease_until: datetime
    ) -> Row[Any] | None:
        for task_id in task_ids:
            no = tx.execute(FIRST_PLANNED, {**mine, "task_id": task_id}).scalar()
            if no is None:
                continue
            claimed = {"the_task": task_id, "the_no": no, "the_owner": self._owner, "the_lease": lease_until}
            row = tx.execute(CLAIM, claimed).first()
            if row is not None:
                return row
        return None

    def record(self, claim: Claim, outcomes: Mapping[int, Outcome], rest: PutOff | None = None) -> None:
        """Write down what the carrier answered; messages without an outcome are unknown from here on, but for the
        `rest`, which is given back.

        Also right when late: a batch given up as unknown meanwhile still takes the answer, and keeps its rest.
        """
        now = to_milliseconds(self._clock.now())
        answered = [(seq, outcomes[number]) for number, seq in claim.seqs.items() if number in outcomes]
        accepted = [_submission(claim.task_id, seq, o, now) for seq, o in answered if o.accepted]
        refused = [_submission(claim.task_id, seq, o, now) for seq, o in answered if not o.accepted]
        refusals = [(claim.task_id, seq, "refused", o.code, now) for seq, o in answered if not o.accepted]
        with self._database.write() as tx:
            task_state = _lock_task(tx, claim.task_id)
            bulk = self._database.bulk
            newly_accepted = bulk.insert_new(tx, submission, _SUBMISSION_COLUMNS, accepted)
            bulk.insert_new(tx, submission, _SUBMISSION_COLUMNS, refused)
            if not claim.echoes_reference:
                bulk.insert_new(tx, sent_sms, _SENT_SMS_COLUMNS, _by_sms_id(claim, outcomes))
            newly_refused = bulk.insert_new(tx, result, ["task_id", "seq", "state", "code", "at"], refusals)
            counts: dict[str, Any] = {
                "accepted": send_task.c.accepted + newly_accepted,
                "refused": send_task.c.refused + newly_refused,
                "trouble": rest.trouble if rest else None,
            }
            if rest is not None and self._leave_for_later(tx, claim, task_state, rest.delay, counts, len(rest.numbers)):
                counts["handed_over"] = send_task.c.handed_over + claim.size - len(rest.numbers)
                # What nobody knows must be told from what waits: the next claim takes the numbers without a row.
                left = claim.seqs.keys() - outcomes.keys() - rest.numbers
                unknown = [
                    (claim.task_id, claim.seqs[number], "unknown", None, UNANSWERED, None, now) for number in left
                ]
                bulk.insert_new(tx, submission, _SUBMISSION_COLUMNS, sorted(unknown))
            elif _leave_sending(tx, claim, self._owner, _end_state(claim, len(answered))):
                counts["handed_over"] = send_task.c.handed_over + claim.size
                counts["first_batch_done"] = True
            _count(tx, claim.task_id, counts)
            finish_if_over(tx, claim.task_id, self._clock.now())
            tx.commit()

    def give_back(self, claim: Claim, code: str, delay: timedelta) -> None:
        """The request was provably not taken: plan the batch again for later, or hold it back if stopped meanwhile."""
        with self._database.write() as tx:
            state = _lock_task(tx, claim.task_id)
            counts: dict[str, Any] = {"trouble": code}
            if self._leave_for_later(tx, claim, state, delay, counts, claim.size):
                _count(tx, claim.task_id, counts)
                finish_if_over(tx, claim.task_id, self._clock.now())
            tx.commit()

    def _leave_for_later(
        self, tx: Connection, claim: Claim, task_state: str, delay: timedelta, counts: dict[str, Any], size: int
    ) -> bool:
        """Plan the batch again, or hold `size` messages of it back where its task is stopped; whether it was ours."""
        goes_on = task_state in (TaskState.SENDING, TaskState.PAUSED)
        next_state = BatchState.PLANNED if goes_on else BatchState.CANCELLED
        not_before = self._clock.now() + delay if goes_on else None
        if not _leave_sending(tx, claim, self._owner, next_state, not_before=not_before):
            return False
        if not goes_on:
            counts["held_back"] = send_task.c.held_back + size
        return True

    def give_up_lost(self, *, own: bool = False) -> int:
        """Mark as unknown the batches whose worker is gone: their lease has run out, or (`own`) they are this
        worker's from before a restart. Returns how many.
        """
        now = self._clock.now()
        lost = [literal_state(batch.c.state, BatchState.SENDING)]
        lost.append(batch.c.owner == self._owner if own else batch.c.lease_until < now)
        with self._database.read() as connection:
            if not connection.execute(select(exists().where(*lost))).scalar():
                return 0
        with self._database.write() as tx:
            task_ids = tx.execute(select(batch.c.task_id).where(*lost).distinct()).scalars()
            for task_id in sorted(task_ids):
                _lock_task(tx, task_id)
            rows = tx.execute(update(batch).where(*lost).values(state=BatchState.UNKNOWN.value).returning(batch)).all()
            for row in rows:
                log.warning("batch.lost", task=row.task_id, batch=row.no)
                handed_over = send_task.c.handed_over + count_unsubmitted(tx, row)
                _count(tx, row.task_id, {"handed_over": handed_over, "first_batch_done": True})
                finish_if_over(tx, row.task_id, now)
            tx.commit()
        return len(rows)

    def _takes(self, sender: Sender) -> timedelta:
        return max(self._request_timeout, timedelta(seconds=sender.carrier.longest_seconds))

    def _put_off(self, claim: Claim, sender: Sender, answer: Answer) -> PutOff | None:
        """What goes back of a batch of which the carrier took a part; the others wait as after any "slow down"."""
        numbers = frozenset(claim.seqs.keys() & answer.not_taken.keys() - answer.outcomes.keys())
        if not numbers:
            return None
        troubles = [answer.not_taken[number] for number in sorted(numbers)]
        asked = [each.retry_after_seconds for each in troubles if each.retry_after_seconds is not None]
        # A carrier that answers for some is not in deeper and deeper trouble.
        attempt = 1 if answer.outcomes else claim.attempt
        delay = self._retry_delay(attempt, max(asked) if len(asked) == len(troubles) else None)
        log.warning("batch.partly_taken", task=claim.task_id, batch=claim.no, left=len(numbers), code=troubles[0].code)
        sender.rate.pause(delay.total_seconds())
        # A batch whose time was over, and nothing worse, is in no trouble.
        return PutOff(numbers, delay, troubles[0].code if delay else None)

    async def _send_for(self, sender: Sender) -> None:
        while not self._stopping:
            try:
                await self._send_one(sender)
            except Exception:
                # One batch's trouble must not end the others' requests, nor the sending.
                log.exception("dispatch.failed", application=sender.application_id)
                await asyncio.sleep(IDLE_SECONDS)

    async def _send_one(self, sender: Sender) -> None:
        await sender.rate.acquire()
        # Before looking, not after: a wake that comes while looking must not be lost.
        self._wake.clear()
        claim = None if self._stopping else await self._in_thread(self.claim, sender)
        if claim is not None:
            await self.send_batch(claim, sender)
            # Others may have been waiting for a task's first batch.
            self._wake.set()
            return
        sender.rate.give_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._wake.wait()

    async def _finish(self, write: Callable[..., None], *arguments: object) -> None:
        """An outcome must reach the database even while the program is being shut down."""
        writing = asyncio.ensure_future(self._write(write, *arguments))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Who cancelled us may close the event loop next, and what has not begun by then never does.
            await asyncio.wait({writing})
            raise

    async def _write(self, write: Callable[..., None], *arguments: object) -> None:
        """Writing twice is right too: the second time finds nothing to do."""
        for seconds in RECORD_AGAIN_SECONDS:
            try:
                return await self._in_thread(write, *arguments)
            except DBAPIError:
                log.exception("batch.not_recorded", again_in_seconds=seconds)
                await asyncio.sleep(seconds)
        return await self._in_thread(write, *arguments)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def _retry_delay(self, attempt: int, asked_seconds: float | None) -> timedelta:
        if asked_seconds is not None:
            return timedelta(seconds=asked_seconds)
        longest: timedelta = min(FIRST_RETRY * 2 ** min(attempt - 1, 10), LONGEST_RETRY)
        return longest * (0.5 + self._jitter() / 2)


def finish_if_over(tx: Connection, task_id: int, now: datetime) -> None:
    """Note when a task's last request is behind it."""
    open_batches = exists().where(
        batch.c.task_id == task_id, batch.c.state.in_([BatchState.PLANNED.value, BatchState.SENDING.value])
    )
    over = and_(send_task.c.id == task_id, send_task.c.finished_at.is_(None), ~open_batches)
    tx.execute(
        update(send_task)
        .where(over, send_task.c.state.in_([TaskState.SENDING.value, TaskState.PAUSED.value]))
        .values(state=TaskState.FINISHED.value, finished_at=now)
    )
    tx.execute(update(send_task).where(over, send_task.c.state == TaskState.STOPPED.value).values(finished_at=now))


def _end_state(claim: Claim, answered: int) -> BatchState:
    return BatchState.DONE if answered == claim.size else BatchState.UNKNOWN


def _submission(task_id: int, seq: int, outcome: Outcome, at: int) -> tuple[object, ...]:
    word = "accepted" if outcome.accepted else "refused"
    return (task_id, seq, word, outcome.sms_id, outcome.code, outcome.segments, at)


def _by_sms_id(claim: Claim, outcomes: Mapping[int, Outcome]) -> list[tuple[object, ...]]:
    return sorted(
        (claim.application_id, outcome.sms_id, number, claim.task_id, claim.seqs[number])
        for number, outcome in outcomes.items()
        if outcome.accepted and outcome.sms_id is not None and number in claim.seqs
    )


def _lock_task(tx: Connection, task_id: int) -> str:
    """Always before its batches, so that no two transactions wait for each other. Returns the task's state."""
    query = select(send_task.c.state).where(send_task.c.id == task_id).with_for_update()
    return str(tx.execute(query).scalar_one())


def _leave_sending(
    tx: Connection, claim: Claim, owner: str, state: BatchState, not_before: datetime | None = None
) -> bool:
    """Whether the batch was still this claim's; a late owner finds it gone."""
    moved = tx.execute(
        update(batch)
        .where(
            batch.c.task_id == claim.task_id,
            batch.c.no == claim.no,
            batch.c.state == BatchState.SENDING.value,
            batch.c.owner == owner,
            batch.c.attempt == claim.attempt,
        )
        .values(state=state.value, not_before=not_before)
    ).rowcount
    return moved == 1


def _count(tx: Connection, task_id: int, counts: dict[str, Any]) -> None:
    tx.execute(update(send_task).where(send_task.c.id == task_id).values(version=send_task.c.version + 1, **counts))
