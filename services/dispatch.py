"""Hands batches to carriers: claim and commit, then submit, then record.

Never twice: a batch is committed as `sending` before its request leaves, and nothing that may have left is sent again
by itself. A batch goes back to `planned` only when its request was provably not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, exists, select, update

from services.carriers.codes import ACCOUNT_WIDE, SAME_FOR_ALL
from services.carriers.http import NOT_CONNECTED
from services.carriers.ports import Answer, CutShort, Outcome
from services.claims import Claim, Claims, Waiting, count_unsubmitted
from services.clock import Clock
from services.database import Database
from services.errors import NotTaken, RequestRefused, Unanswered
from services.exchange import Exchange, Wanted
from services.failover import ATTEMPTS, choose, move
from services.models import batch, literal_state, send_task
from services.opt_outs import take_carriers_word
from services.outcomes import Handed, Moved, Outcomes, PutOff, finish_if_over, lock_tasks
from services.pauses import pause_failing
from services.senders import Sender
from services.states import BatchState

__all__ = ["LEASE_MARGIN", "Claim", "Dispatch", "Sender"]

log = structlog.get_logger()

LEASE_MARGIN = timedelta(seconds=5)
FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(seconds=60)
IDLE_SECONDS = 0.5


class Dispatch:
    """Sends what is planned.

    `owner` names this worker; the one process on SQLite always has the same name. No batch takes longer than
    `request_timeout`, or what its carrier says where that is more, so that a lease (5 s more) outlives it. `executor`
    runs what touches the database. Where the database has a queue its jobs call `send_named`; else `run` looks for
    batches.
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
        self._claims = Claims(database.bulk, owner)
        self._outcomes = Outcomes(database.bulk, owner)
        self._exchange = Exchange(executor, self._commit, self._write)
        self._request_timeout = request_timeout
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._stopping = False
        self._without_batch: set[asyncio.Task[Any]] = set()

    def wake(self) -> None:
        """Look for work now. Call from the event loop's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Send until `stop()`; returns when the requests under way are recorded."""
        try:
            async with asyncio.TaskGroup() as group:
                for sender in self._senders.values():
                    for _ in range(sender.connections):
                        group.create_task(self._send_for(sender))
        finally:
            await self._exchange.settle()

    def stop(self) -> None:
        """Claim nothing more. Whoever only waits for a turn, which may be long after "slow down", ends at once."""
        self._stopping = True
        self._wake.set()
        for waiting in self._without_batch:
            waiting.cancel()

    async def send_named(self, application_id: int, task_id: int, no: int) -> None:
        """Send this batch, where it may be sent now; else nothing. For the jobs of a queue."""
        sender = self._senders.get(application_id)
        if sender is None or self._stopping:
            return
        turn = asyncio.ensure_future(self._turn(sender))
        # Stopping ends it, and the batch is put into the queue again.
        await asyncio.wait({turn})
        if turn.cancelled():
            return
        turn.result()
        claim = None if self._stopping else await self._exchange.claim(application_id, (task_id, no))
        if claim is None:
            sender.rate.give_back()
            return
        await self.send_batch(claim, sender)

    async def settle(self) -> None:
        """Returns when everything is recorded that was handed over."""
        await self._exchange.settle()

    async def send_batch(self, claim: Claim, sender: Sender) -> None:
        """Hand one claimed batch over and record what came of it. The outcome is written even while being cancelled.

        What is logged meanwhile bears the task and the batch.
        """
        with structlog.contextvars.bound_contextvars(task=claim.task_id, batch=claim.no):
            try:
                handed = await self._hand_over(claim, sender)
            except CutShort as cut:
                await self._exchange.write(self._told(claim, sender, cut.answer))
                raise
            except asyncio.CancelledError:
                await self._exchange.write(Handed(claim, {}))
                raise
            await self._exchange.write(handed)

    def claim(self, sender: Sender) -> Claim | None:
        """Make the next batch of this application ours, durably. None where there is nothing to do now."""
        wanted = {sender.application_id: Wanted(most=1)}
        claims = self._commit([], wanted, senders={sender.application_id: sender})
        return next((claim for each in claims.values() for claim in each), None)

    def record(self, claim: Claim, outcomes: Mapping[int, Outcome], rest: PutOff | None = None) -> None:
        """Write down what the carrier answered; messages without an outcome are unknown from here on, but for the
        `rest`, which is given back.

        Also right when late: a batch given up as unknown meanwhile still takes the answer, and keeps its rest.
        """
        self._write(Handed(claim, outcomes, rest))

    def give_back(self, claim: Claim, code: str, delay: timedelta) -> None:
        """The request was provably not taken: plan the batch again for later, or hold it back if stopped meanwhile."""
        self._write(_given_back(claim, code, delay))

    def give_up_lost(self, *, own: bool = False) -> int:
        """Mark as unknown the batches whose worker is gone: their lease has run out, or (`own`) they are this
        worker's from before a restart. Returns how many.
        """
        now = self._clock.now()
        lost = [literal_state(batch.c.state, BatchState.SENDING)]
        lost.append(batch.c.owner == self._owner if own else batch.c.lease_until < now)
        with self._database.read(everyone=True) as connection:
            if not connection.execute(select(exists().where(*lost))).scalar():
                return 0
        with self._database.write(everyone=True) as tx:
            states = lock_tasks(tx, tx.execute(select(batch.c.task_id).where(*lost).distinct()).scalars())
            mine = batch.c.task_id.in_(states)
            rows = tx.execute(
                update(batch).where(*lost, mine).values(state=BatchState.UNKNOWN.value).returning(batch)
            ).all()
            for row in rows:
                log.warning("batch.lost", task=row.task_id, batch=row.no)
                handed_over = send_task.c.handed_over + count_unsubmitted(tx, row)
                counts = {"handed_over": handed_over, "first_batch_done": True, "version": send_task.c.version + 1}
                tx.execute(update(send_task).where(send_task.c.id == row.task_id).values(**counts))
                finish_if_over(tx, row.task_id, states[row.task_id], now)
                self._database.queue.follow_up(tx, row.task_id)
            tx.commit()
        return len(rows)

    def requeue_lost(self) -> int:
        """Put into the queue again what is in none and should be. Returns how many batches."""
        with self._database.write(everyone=True) as tx:
            lost = self._database.queue.requeue_lost(tx, self._clock.now())
            tx.commit()
        if lost:
            log.info("batches.requeued", count=lost)
        return lost

    def _commit(
        self, handed: Sequence[Handed], wanted: Mapping[int, Wanted], *, senders: Mapping[int, Sender] | None = None
    ) -> dict[int, list[Claim]]:
        """Write down what was handed over, then claim what is wanted of each application; in one transaction."""
        senders = self._senders if senders is None else senders
        now = self._clock.now()
        if not handed:
            with self._database.read(everyone=True) as connection:
                # Looking costs no writer's lock; an idle worker looks twice a second.
                if not self._waiting(connection, senders, wanted, now):
                    return {}
        claims: dict[int, list[Claim]] = {}
        with self._database.write(everyone=True) as tx:
            waiting = self._waiting(tx, senders, wanted, now)
            to_lock = {each.claim.task_id for each in handed}.union(*(each.to_lock for each in waiting))
            states = lock_tasks(tx, to_lock) if to_lock else {}
            self._record(tx, handed, states, now, careful=False)
            for each in waiting:
                lease_until = now + self._takes(each.sender) + LEASE_MARGIN
                claims.setdefault(each.sender.application_id, []).extend(self._claims.take(tx, each, now, lease_until))
            tx.commit()
        return claims

    def _waiting(
        self, connection: Connection, senders: Mapping[int, Sender], wanted: Mapping[int, Wanted], now: datetime
    ) -> list[Waiting]:
        found = []
        for application_id, each in wanted.items():
            sender = senders[application_id]
            if each.most:
                found.append(self._claims.waiting(connection, sender, each.most, now))
            if each.named:
                found.append(self._claims.named(connection, sender, each.named))
        return [each for each in found if each is not None]

    def _tell_queue(self, tx: Connection, moved: Sequence[Moved]) -> None:
        recorded: Counter[int] = Counter()
        for each in moved:
            if each.state is BatchState.PLANNED:
                self._database.queue.put_back(tx, each.task_id, each.no, each.not_before)
            else:
                recorded[each.task_id] += 1
        for task_id, count in recorded.items():
            self._database.queue.follow_up(tx, task_id, count)

    def _write(self, handed: Handed) -> None:
        """Write down one outcome by itself, which may have been written before."""
        with self._database.write(everyone=True) as tx:
            states = lock_tasks(tx, [handed.claim.task_id])
            self._record(tx, [handed], states, self._clock.now(), careful=True)
            tx.commit()

    def _take_carriers_word(self, tx: Connection, handed: Sequence[Handed]) -> None:
        """Of those who want no more promotional SMS."""
        for each in handed:
            codes = self._senders[each.claim.application_id].carrier.opted_out_codes
            told = [number for number, said in each.outcomes.items() if not said.accepted and said.code in codes]
            take_carriers_word(tx, self._database.bulk, each.claim.application_id, told, self._clock.now())

    def _record(
        self, tx: Connection, handed: Sequence[Handed], states: Mapping[int, str], now: datetime, *, careful: bool
    ) -> None:
        handed = choose(tx, handed, states)
        moved = self._outcomes.write(tx, handed, states, now, careful=careful)
        move(tx, handed)
        self._tell_queue(tx, moved)
        self._take_carriers_word(tx, handed)
        pause_failing(tx, handed, states)

    async def _hand_over(self, claim: Claim, sender: Sender) -> Handed:
        """Send the request. What came of it, whatever happens but for being cancelled."""
        if self._clock.now() + self._takes(sender) > claim.lease_until:
            return _given_back(claim, "lease_too_short", timedelta(0))
        if not claim.seqs:
            return Handed(claim, {})
        try:
            answer = await sender.carrier.submit(claim.submission)
        except NotTaken as trouble:
            log.warning("batch.not_taken", task=claim.task_id, batch=claim.no, code=trouble.code, reason=trouble.reason)
            delay = self._retry_delay(claim.attempt, trouble.retry_after_seconds)
            sender.rate.pause(delay.total_seconds())
            tried = trouble.code in NOT_CONNECTED and claim.attempt >= ATTEMPTS
            return replace(_given_back(claim, trouble.code, delay), elsewhere=self._elsewhere(claim, sender, tried))
        except RequestRefused as trouble:
            log.warning("batch.refused", task=claim.task_id, batch=claim.no, code=trouble.code, reason=trouble.reason)
            outcomes = dict.fromkeys(claim.submission.numbers, Outcome(accepted=False, code=trouble.code))
            answer = Answer(outcomes)
        except Unanswered as trouble:
            log.warning(
                "batch.unanswered", task=claim.task_id, batch=claim.no, code=trouble.code, reason=trouble.reason
            )
            answer = Answer(unanswered=dict.fromkeys(claim.seqs, trouble))
        except Exception:
            log.exception("batch.broken", task=claim.task_id, batch=claim.no)
            return Handed(claim, {})
        return self._told(claim, sender, answer)

    def _told(self, claim: Claim, sender: Sender, answer: Answer) -> Handed:
        account_code = _account_code(sender, answer)
        refused_whole = account_code is not None and _all_because_of_the_account(claim, sender, answer.outcomes)
        rest, elsewhere = self._put_off(claim, sender, answer), self._elsewhere(claim, sender, refused_whole)
        return Handed(claim, answer.outcomes, rest, account_code, elsewhere)

    def _elsewhere(self, claim: Claim, sender: Sender, is_cause: bool) -> int | None:
        """The application that may take the batch over, where there is cause and it can."""
        if not is_cause or sender.failover is None or not claim.may_move:
            return None
        other = self._senders.get(sender.failover)
        size = claim.last - claim.first + 1
        if other is None or other.carrier.max_numbers < size:
            log.warning("failover.impossible", task=claim.task_id, application=sender.failover, size=size)
            return None
        return sender.failover

    def _takes(self, sender: Sender) -> timedelta:
        return max(self._request_timeout, timedelta(seconds=sender.carrier.longest_seconds))

    def _put_off(self, claim: Claim, sender: Sender, answer: Answer) -> PutOff | None:
        """What goes back of a batch of which the carrier took a part; the others wait as after any "slow down"."""
        if not answer.not_taken:
            return None
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
        await self._turn(sender)
        # Before looking, not after: a wake that comes while looking must not be lost.
        self._wake.clear()
        claim = None if self._stopping else await self._exchange.claim(sender.application_id)
        if claim is not None:
            await self.send_batch(claim, sender)
            # Others may have been waiting for a task's first batch.
            self._wake.set()
            return
        sender.rate.give_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._wake.wait()

    async def _turn(self, sender: Sender) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._without_batch.add(current)
        try:
            await sender.rate.acquire()
        finally:
            self._without_batch.discard(current)

    def _retry_delay(self, attempt: int, asked_seconds: float | None) -> timedelta:
        if asked_seconds is not None:
            return timedelta(seconds=asked_seconds)
        longest: timedelta = min(FIRST_RETRY * 2 ** min(attempt - 1, 10), LONGEST_RETRY)
        return longest * (0.5 + self._jitter() / 2)


def _given_back(claim: Claim, code: str, delay: timedelta) -> Handed:
    return Handed(claim, {}, PutOff(frozenset(claim.seqs), delay, code))


def _all_because_of_the_account(claim: Claim, sender: Sender, outcomes: Mapping[int, Outcome]) -> bool:
    return claim.seqs.keys() <= outcomes.keys() and all(
        not said.accepted and sender.carrier.kind_of(said.code) in ACCOUNT_WIDE for said in outcomes.values()
    )


def _account_code(sender: Sender, answer: Answer) -> str | None:
    """The code, where the carrier says of over half of the numbers what it would say of any other."""
    said = Counter(outcome.code for outcome in answer.outcomes.values() if not outcome.accepted)
    said.update(trouble.code for trouble in answer.unanswered.values())
    whole = {code: count for code, count in said.items() if sender.carrier.kind_of(code) in SAME_FOR_ALL}
    if not whole or sum(whole.values()) * 2 <= len(answer.outcomes) + len(answer.unanswered):
        return None
    return max(whole, key=whole.__getitem__)
