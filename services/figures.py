"""Figures of the whole installation for its operators: how much waits, for how long, and what became of messages.

Each is read through an index, and what can pile up is counted only up to a limit: looking must cost next to nothing
when most waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, func, literal, or_, select
from sqlalchemy.exc import SQLAlchemyError

from services.clock import Clock
from services.database import Database, DatabaseUnavailable
from services.models import application, batch, literal_state, number_import, post, receipt, send_task
from services.states import BatchState, ImportState, TaskState

# Messages of tasks that are over are counted for so long: longer than receipts come.
COUNTED_FOR = timedelta(days=7)
# A count that reaches this may be more.
COUNTED_TO = 100_000

_OVER = [state.value for state in TaskState if state.is_over]
_OPEN = [state.value for state in TaskState if not state.is_over and state is not TaskState.DRAFT]
_UNKNOWN = send_task.c.handed_over - send_task.c.refused - send_task.c.delivered - send_task.c.failed
_WAITING = send_task.c.recipients - send_task.c.handed_over - send_task.c.held_back - send_task.c.skipped
# A message's states, as people know them; together they are all of a task's recipients.
_STATES = {
    "waiting": _WAITING,
    "unknown": _UNKNOWN,
    "delivered": send_task.c.delivered,
    "failed": send_task.c.failed,
    "refused": send_task.c.refused,
    "held_back": send_task.c.held_back,
    "skipped": send_task.c.skipped,
}
MESSAGE_STATES = tuple(_STATES)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait (at most COUNTED_TO), and for how many seconds the oldest has."""

    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """`messages` maps (carrier, state) to a count; `tasks` the state of those not over.

    `batches_due` may be sent now: the oldest has been due since its task began; `due_of` says how many of them each
    application has, by its name. `batches_put_off` wait after "slow
    down". `scheduled` are tasks whose time has come and which nothing has started. `posts` are owed to Slack.
    """

    messages: Mapping[tuple[str, str], int]
    tasks: Mapping[str, int]
    batches_due: Waiting
    due_of: Mapping[str, int]
    batches_put_off: int
    batches_sending: int
    scheduled: Waiting
    receipts: Waiting
    imports: Waiting
    posts: int


class FigureReader:
    """Reads them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def read(self) -> Figures:
        """As of now. Raises DatabaseUnavailable."""
        try:
            with self._database.read(everyone=True) as connection:
                return _read(connection, self._clock.now())
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(type(error).__name__) from error


def _read(connection: Connection, now: datetime) -> Figures:
    of_sending = batch.join(send_task, send_task.c.id == batch.c.task_id)
    is_sending = literal_state(send_task.c.state, TaskState.SENDING)
    is_due = or_(batch.c.not_before.is_(None), batch.c.not_before <= now)
    has_due = exists().where(batch.c.task_id == send_task.c.id, _IS_PLANNED, is_due)
    due = and_(_IS_PLANNED, is_sending, is_due)
    put_off = and_(_IS_PLANNED, is_sending, batch.c.not_before > now)
    overdue = and_(send_task.c.state == TaskState.SCHEDULED.value, send_task.c.scheduled_at <= now)
    running = number_import.c.state == ImportState.RUNNING.value

    def waiting(table: FromClause, condition: ColumnElement[bool], since: Any) -> Waiting:
        count = _count(connection, table, condition)
        moment = connection.execute(since).scalar() if count else None
        return Waiting(count, max((now - moment).total_seconds(), 0.0) if moment else 0.0)

    return Figures(
        messages=_messages(connection, now),
        tasks={state: count for state, count in connection.execute(_TASKS)},  # noqa: C416 - dict() of rows does not type-check
        batches_due=waiting(of_sending, due, select(func.min(send_task.c.started_at)).where(is_sending, has_due)),
        due_of=_by_application(connection, of_sending, due),
        batches_put_off=_count(connection, of_sending, put_off),
        batches_sending=_count(connection, batch, literal_state(batch.c.state, BatchState.SENDING)),
        scheduled=waiting(send_task, overdue, select(func.min(send_task.c.scheduled_at)).where(overdue)),
        receipts=waiting(receipt, ~receipt.c.applied, _OLDEST_RECEIPT),
        imports=waiting(number_import, running, select(func.min(number_import.c.started_at)).where(running)),
        posts=_count(connection, post, and_(~post.c.closed, post.c.ts.is_(None))),
    )


_IS_PLANNED = literal_state(batch.c.state, BatchState.PLANNED)
_OLDEST_RECEIPT = select(receipt.c.received_at).where(~receipt.c.applied).order_by(receipt.c.id).limit(1)
_TASKS = select(send_task.c.state, func.count()).where(send_task.c.state.in_(_OPEN)).group_by(send_task.c.state)


def _messages(connection: Connection, now: datetime) -> dict[tuple[str, str], int]:
    sums = [func.coalesce(func.sum(counted), 0).label(state) for state, counted in _STATES.items()]
    recent = and_(send_task.c.state.in_(_OVER), send_task.c.created_at >= now - COUNTED_FOR)
    query = (
        select(application.c.carrier, *sums)
        .join(application, application.c.id == send_task.c.application_id)
        .where(or_(send_task.c.state.in_(_OPEN), recent))
        .group_by(application.c.carrier)
    )
    return {(row.carrier, state): int(row._mapping[state]) for row in connection.execute(query) for state in _STATES}


def _by_application(connection: Connection, table: FromClause, condition: ColumnElement[bool]) -> dict[str, int]:
    """Each is counted for itself, so that none is hidden behind COUNTED_TO of another."""
    counts: dict[str, int] = defaultdict(int)
    for row in connection.execute(select(application.c.id, application.c.name)).all():
        counts[row.name] += _count(connection, table, and_(condition, batch.c.application_id == row.id))
    return counts


def _count(connection: Connection, table: FromClause, condition: ColumnElement[bool]) -> int:
    """Of the rows, at most COUNTED_TO."""
    some = select(literal(1)).select_from(table).where(condition).limit(COUNTED_TO).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())
