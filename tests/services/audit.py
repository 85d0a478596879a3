"""DESIGN rules 1 and 2 held against a full count of the tables, which no service ever does."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from services.carriers.ports import Submission
from services.database import Database
from services.models import batch, recipient, result, send_task, submission
from services.states import BatchState, TaskState
from services.task_reports import Task, task_by_id


@dataclass(frozen=True, slots=True)
class Counted:
    """What a full count of the tables says of a task."""

    recipients: int
    handed_over: int
    held_back: int
    skipped: int
    waiting: int
    accepted: int
    refused: int
    delivered: int
    failed: int


def check_every_task(database: Database) -> None:
    """Each task's counters are what its tables say, and its messages add up to its recipients."""
    with database.read(everyone=True) as connection:
        confirmed = select(send_task.c.id, send_task.c.workspace_id).where(
            send_task.c.state != TaskState.DRAFT.value,
            # Nothing but the counts is left of the others.
            send_task.c.forgotten_at.is_(None),
        )
        for row in connection.execute(confirmed).all():
            _check(connection, task_by_id(connection, row.workspace_id, row.id))


def check_nobody_got_two(requests: Iterable[Submission]) -> None:
    """No number reached the carrier twice within one task."""
    reached = Counter(
        (request.reference.rsplit("-", 1)[0], number) for request in requests for number in request.numbers
    )
    twice = [key for key, times in reached.items() if times > 1]
    assert not twice


def count(connection: Connection, task: Task) -> Counted:
    """Count every row of the task."""
    batches = dict.fromkeys(BatchState, 0)
    of_task = select(batch).where(batch.c.task_id == task.id).order_by(batch.c.no)
    rows = connection.execute(select(submission).where(submission.c.task_id == task.id)).all()
    skipped = {row.seq for row in rows if row.outcome == "skipped"}
    taken = [row.seq for row in rows if row.seq not in skipped]
    following = 1
    for row in connection.execute(of_task):
        assert row.first == following, "batches leave no gap and do not overlap"
        following = row.last + 1
        size = row.last - row.first + 1 - sum(row.first <= seq <= row.last for seq in skipped)
        if row.state not in (BatchState.DONE, BatchState.UNKNOWN):
            # Taken in part, and planned again for the rest.
            taken_before = sum(row.first <= seq <= row.last for seq in taken)
            batches[BatchState.DONE] += taken_before
            size -= taken_before
        batches[BatchState(row.state)] += size
    results = _by(connection, result, "state", task.id)
    recipients = connection.execute(
        select(func.count()).select_from(recipient).where(recipient.c.task_id == task.id)
    ).scalar_one()
    assert following == recipients + 1
    return Counted(
        recipients=recipients,
        handed_over=batches[BatchState.DONE] + batches[BatchState.UNKNOWN],
        held_back=batches[BatchState.CANCELLED],
        skipped=len(skipped),
        waiting=batches[BatchState.PLANNED] + batches[BatchState.SENDING],
        accepted=_by(connection, submission, "outcome", task.id)["accepted"],
        refused=results["refused"],
        delivered=results["delivered"],
        failed=results["failed"],
    )


def _check(connection: Connection, task: Task) -> None:
    says = Counted(**{name: getattr(task, name) for name in Counted.__slots__})
    assert says == count(connection, task)
    states = (task.waiting, task.held_back, task.skipped, task.unknown, task.delivered, task.failed, task.refused)
    assert min(states) >= 0, states
    assert sum(states) == task.recipients
    if task.state.is_over and task.waiting == 0:
        assert task.finished_at is not None or task.handed_over == 0


def _by(connection: Connection, table: Table, column: str, task_id: int) -> Counter[str]:
    word = table.c[column]
    rows = connection.execute(select(word, func.count()).where(table.c.task_id == task_id).group_by(word))
    return Counter({row[0]: row[1] for row in rows})
