"""Receipts: stored before they are answered, applied by a tick, in any order and however often they come.

A receipt is its message's by the reference we gave and the number; where the carrier echoes no reference, by its SMS ID
and the number.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    exists,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from services.carriers.ports import Receipt
from services.clock import Clock
from services.database import Database
from services.models import batch, receipt, recipient, result, send_task, sent_sms, submission, to_milliseconds
from services.opt_outs import take_carriers_word
from services.references import NO_TASK, task_of
from services.states import BatchState

log = structlog.get_logger()

# One tick's share, so that a storm of receipts never holds SQLite's one writer for long.
APPLIED_AT_ONCE = 5_000
# So that a tick ends: the next one goes on.
LONGEST_SECONDS = 5.0
# A receipt without a reference that finds no message is looked at again for so long: longer than any request takes.
WAITS_FOR_ITS_SEND = timedelta(minutes=2)

_SHORT_RUN = 50

# (application, reference, number, SMS ID); the last is empty where there is a reference.
_Key = tuple[int, str, int, str]

_COLUMNS = [
    "application_id",
    "task_id",
    "reference",
    "number",
    "sms_id",
    "sequence",
    "total",
    "status",
    "code",
    "at",
    "received_at",
]


class Receipts:
    """The inbox of what carriers report, and its way into results."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        opted_out_codes: Mapping[int, frozenset[str]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`opted_out_codes` are those of each application's carrier, by the application's id."""
        self._database = database
        self._clock = clock
        self._opted_out_codes = opted_out_codes or {}
        self._monotonic = monotonic

    def store(self, received: Sequence[tuple[int, Receipt]]) -> int:
        """Keep (application id, receipt) pairs, durably. Returns how many were not known yet."""
        now = to_milliseconds(self._clock.now())
        tasks = [task_of(each.reference) for _, each in received]
        rows = [
            (
                application_id,
                task_id,
                each.reference or "",
                each.number or 0,
                each.sms_id,
                each.sequence,
                each.total,
                each.status,
                each.code,
                None if each.at is None else to_milliseconds(each.at),
                now,
            )
            for task_id, (application_id, each) in zip(tasks, received, strict=True)
        ]
        with self._database.write(everyone=True) as tx:
            there = _remembered(tx, set(tasks))
            rows = [row if row[1] in there else (row[0], NO_TASK, *row[2:]) for row in rows]
            new = self._database.bulk.insert_new(tx, receipt, _COLUMNS, rows)
            tx.commit()
        return new

    def keep_up(self) -> int:
        """Apply what has come, one share after the other, for so long at most. Returns how many were looked at."""
        until = self._monotonic() + LONGEST_SECONDS
        looked_at = found = self.apply()
        while found == APPLIED_AT_ONCE and self._monotonic() < until:
            found = self.apply()
            looked_at += found
        return looked_at

    def apply(self) -> int:
        """Turn new receipts into results. Returns how many receipts were looked at; fewer than asked when done."""
        new = _NEW.where(~_is_early(self._clock.now()))
        with self._database.read(everyone=True) as connection:
            # Mostly there is none at all. To see whether one is early, PostgreSQL has to think of every partition of
            # three tables, which takes it longer than the look itself.
            if not connection.execute(_ANY_NEW).first() or not connection.execute(new.limit(1)).first():
                return 0
        with self._database.write(everyone=True) as tx:
            rows = tx.execute(new.limit(APPLIED_AT_ONCE).with_for_update(skip_locked=True)).all()
            messages = _messages(tx, rows)
            final = _final_states(tx, rows, messages)
            self._store_results(tx, final)
            self._take_carriers_word(tx, [row for row in rows if row.status == "failed" and _key(row) in messages])
            # The tasks say to PostgreSQL in which partitions to look.
            mine = receipt.c.task_id.in_({row.task_id for row in rows})
            for part in _runs([row.id for row in rows]):
                tx.execute(update(receipt).where(mine, part).values(applied=True))
            tx.commit()
        return len(rows)

    def _take_carriers_word(self, tx: Connection, rows: Sequence[Row[Any]]) -> None:
        """Whoever has told the carrier to be left alone is on our list too."""
        for application_id, codes in self._opted_out_codes.items():
            mine = (row for row in rows if row.application_id == application_id and row.code in codes)
            numbers = [row.number for row in mine if row.number]
            take_carriers_word(tx, self._database.bulk, application_id, numbers, self._clock.now())

    def _store_results(self, tx: Connection, final: dict[tuple[int, int], tuple[str, str, int]]) -> None:
        """`final` maps (task, seq) to (state, code, at)."""
        # Before their results, as everybody does, so that no two transactions wait for each other.
        locked = select(send_task.c.id).where(send_task.c.id.in_({task_id for task_id, _ in final}))
        tx.execute(locked.order_by(send_task.c.id).with_for_update())
        by_task: dict[int, dict[str, list[tuple[int, int, str, str, int]]]] = defaultdict(lambda: defaultdict(list))
        for (task_id, seq), (state, code, at) in sorted(final.items()):
            by_task[task_id][state].append((task_id, seq, state, code, at))
        for task_id, by_state in by_task.items():
            counts = {
                state: self._database.bulk.insert_new(tx, result, ["task_id", "seq", "state", "code", "at"], rows)
                for state, rows in by_state.items()
            }
            if any(counts.values()):
                tx.execute(
                    update(send_task)
                    .where(send_task.c.id == task_id)
                    .values(
                        delivered=send_task.c.delivered + counts.get("delivered", 0),
                        failed=send_task.c.failed + counts.get("failed", 0),
                        version=send_task.c.version + 1,
                    )
                )


_ANY_NEW = select(receipt.c.id).where(~receipt.c.applied).limit(1)
# Moments as they are stored: making a datetime of each cost as much as all the rest.
_NEW = (
    select(
        receipt.c.id,
        receipt.c.application_id,
        receipt.c.task_id,
        receipt.c.reference,
        receipt.c.number,
        receipt.c.sms_id,
        receipt.c.total,
        receipt.c.status,
        receipt.c.code,
        func.coalesce(type_coerce(receipt.c.at, BigInteger), type_coerce(receipt.c.received_at, BigInteger)).label(
            "milliseconds"
        ),
    )
    .where(~receipt.c.applied)
    .order_by(receipt.c.id)
)


def _remembered(tx: Connection, task_ids: set[int]) -> set[int]:
    """Those of these tasks that are there and not forgotten. The others' receipts belong to nobody, whatever they say;
    so nobody fills a partition by making up references.
    """
    kept = select(send_task.c.id).where(send_task.c.id.in_(task_ids - {NO_TASK}), send_task.c.forgotten_at.is_(None))
    return set(tx.execute(kept).scalars())


def _runs(ids: Sequence[int]) -> Iterator[ColumnElement[bool]]:
    """Conditions for all of these ids, which are in order: most stand in a few unbroken runs."""
    scattered: list[int] = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end < len(ids) and ids[end] == ids[end - 1] + 1:
            continue
        if end - start < _SHORT_RUN:
            scattered += ids[start:end]
        else:
            yield receipt.c.id.between(ids[start], ids[end - 1])
        start = end
    if scattered:
        yield receipt.c.id.in_(scattered)


def _is_early(now: datetime) -> ColumnElement[bool]:
    """It overtook the record of its own request, so that its message is not counted as handed over yet."""
    not_found = ~exists().where(
        sent_sms.c.application_id == receipt.c.application_id, sent_sms.c.sms_id == receipt.c.sms_id
    )
    young = receipt.c.received_at > now - WAITS_FOR_ITS_SEND
    return or_(_NOT_RECORDED, and_(receipt.c.reference == "", young, not_found))


_IS_SUBMITTED = exists().where(
    submission.c.task_id == recipient.c.task_id,
    submission.c.seq == recipient.c.seq,
    submission.c.outcome != "skipped",
)
_IS_SKIPPED = exists().where(
    submission.c.task_id == recipient.c.task_id,
    submission.c.seq == recipient.c.seq,
    submission.c.outcome == "skipped",
)
# A batch that was taken in part, and is planned again for the rest, has handed some messages over. Any other has none,
# which is seen without looking for the number among them.
_SOME_SUBMITTED = exists().where(
    submission.c.task_id == batch.c.task_id, submission.c.seq.between(batch.c.first, batch.c.last)
)
_THIS_SUBMITTED = exists().where(
    recipient.c.number == receipt.c.number,
    recipient.c.task_id == batch.c.task_id,
    recipient.c.seq.between(batch.c.first, batch.c.last),
    _IS_SUBMITTED,
)
_NOT_RECORDED = exists().where(
    batch.c.reference == receipt.c.reference,
    batch.c.state.in_([BatchState.PLANNED.value, BatchState.SENDING.value]),
    ~and_(_SOME_SUBMITTED, _THIS_SUBMITTED.correlate(receipt, batch)),
)


def _key(row: Row[Any]) -> _Key:
    return (row.application_id, row.reference, row.number, "" if row.reference else row.sms_id)


def _messages(tx: Connection, rows: Sequence[Row[Any]]) -> dict[_Key, tuple[int, int]]:
    """Which message each receipt is of, as (task, seq). A stranger's is left out."""
    keys = {_key(row) for row in rows}
    found = dict(_by_reference(tx, keys)) | dict(_by_sms_id(tx, keys))
    if strangers := len(keys) - len(found):
        log.info("receipts.unmatched", count=strangers)
    return found


def _by_reference(tx: Connection, keys: set[_Key]) -> Iterator[tuple[_Key, tuple[int, int]]]:
    wanted: dict[tuple[int, str], set[int]] = defaultdict(set)
    for application_id, reference, number, _ in keys:
        if reference:
            wanted[application_id, reference].add(number)
    for batch_row in _batches(tx, wanted):
        key = (batch_row.application_id, batch_row.reference)
        members = select(recipient.c.number, recipient.c.seq).where(
            recipient.c.task_id == batch_row.task_id, recipient.c.seq.between(batch_row.first, batch_row.last)
        )
        if batch_row.state == BatchState.CANCELLED.value:
            # Only what was taken before it was planned again has been handed over, whatever a stranger says.
            members = members.where(_IS_SUBMITTED)
        elif batch_row.skipped:
            members = members.where(~_IS_SKIPPED)
        for number, seq in tx.execute(members):
            if number in wanted[key]:
                yield (*key, number, ""), (batch_row.task_id, seq)


def _batches(tx: Connection, wanted: Iterable[tuple[int, str]]) -> Iterator[Row[Any]]:
    references = sorted({reference for _, reference in wanted})
    for start in range(0, len(references), 500):
        query = (
            select(batch, send_task.c.skipped)
            .join(send_task, send_task.c.id == batch.c.task_id)
            .where(batch.c.reference.in_(references[start : start + 500]))
        )
        yield from tx.execute(query).all()


def _by_sms_id(tx: Connection, keys: set[_Key]) -> Iterator[tuple[_Key, tuple[int, int]]]:
    wanted = sorted((application_id, sms_id) for application_id, reference, _, sms_id in keys if not reference)
    for start in range(0, len(wanted), 300):
        part = wanted[start : start + 300]
        query = select(sent_sms).where(tuple_(sent_sms.c.application_id, sent_sms.c.sms_id).in_(part))
        for row in tx.execute(query):
            key = (row.application_id, "", row.number, row.sms_id)
            if key in keys:
                yield key, (row.task_id, row.seq)


def _final_states(
    tx: Connection, rows: Sequence[Row[Any]], messages: dict[_Key, tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str, int]]:
    """What the receipts settle: failed by any failed segment, delivered when every segment is (carriers.md 2.6)."""
    final: dict[tuple[int, int], tuple[str, str, int]] = {}
    long_ones: set[_Key] = set()
    for row in rows:
        key = _key(row)
        if key not in messages or row.status == "pending":
            continue
        at = row.milliseconds
        if row.status == "failed":
            final.setdefault(messages[key], ("failed", row.code, at))
        elif row.total <= 1:
            final.setdefault(messages[key], ("delivered", row.code, at))
        else:
            long_ones.add(key)
    task_ids = {row.task_id for row in rows}
    for key, (code, at) in _delivered_whole(tx, long_ones, task_ids).items():
        final.setdefault(messages[key], ("delivered", code, at))
    return final


def _delivered_whole(tx: Connection, keys: set[_Key], task_ids: set[int]) -> dict[_Key, tuple[str, int]]:
    """Those long messages of which every segment has been reported delivered, with the last one's code and time."""
    segments: dict[_Key, dict[int, Row[Any]]] = defaultdict(dict)
    ordered = sorted({key[:3] for key in keys})
    for start in range(0, len(ordered), 300):
        query = select(receipt).where(
            tuple_(receipt.c.application_id, receipt.c.reference, receipt.c.number).in_(ordered[start : start + 300]),
            receipt.c.status == "delivered",
            receipt.c.task_id.in_(task_ids),
        )
        for row in tx.execute(query):
            segments[_key(row)][row.sequence] = row
    whole = {}
    for key in keys:
        by_sequence = segments[key]
        last = max(by_sequence.values(), key=lambda row: row.received_at)
        if len(by_sequence) >= last.total:
            whole[key] = (last.code, to_milliseconds(last.at or last.received_at))
    return whole
