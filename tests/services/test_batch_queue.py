"""Batches as jobs, in the transaction that makes them ready; what is lost comes again."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

from services.batch_queue import WINDOW, ProcrastinateQueue, queue_app, queue_of
from services.database import Database
from services.models import batch, send_task
from services.states import BatchState
from services.task_reports import Task
from tests.services.builders import Marketing
from tests.services.fakes import FakeCarrier


@pytest.fixture
def marketing(postgresql: Database) -> Marketing:
    """The queue is PostgreSQL's only. The carrier takes one number a request, so that every number is a batch."""
    return Marketing(postgresql, carrier=FakeCarrier(max_numbers=1))


@pytest.fixture
def queue(postgresql: Database) -> ProcrastinateQueue:
    return ProcrastinateQueue(queue_app(postgresql.conninfo))


def jobs(database: Database, status: str = "todo") -> list[tuple[int, int]]:
    """(task, batch) of the jobs, in the order workers take them."""
    query = "SELECT args FROM procrastinate_jobs WHERE status::text = %s ORDER BY priority DESC, id"
    with database.read(everyone=True) as connection:
        rows = connection.exec_driver_sql(query, (status,)).all()
    return [(row.args["task_id"], row.args["no"]) for row in rows]


def a_task(marketing: Marketing, batches: int, group: str = "vip", first: int = 86_138_0000_0001) -> Task:
    """A task of so many batches."""
    return marketing.a_confirmed_task(batches, group=group, first=first)


def record(tx: Connection, task: Task, *numbers: int, state: BatchState = BatchState.DONE) -> None:
    tx.execute(update(batch).where(batch.c.task_id == task.id, batch.c.no.in_(numbers)).values(state=state.value))
    if 1 in numbers:
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(first_batch_done=True))


def test_the_first_batch_goes_alone(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    task = a_task(marketing, 5)
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
        tx.commit()
    assert jobs(marketing.database) == [(task.id, 1)]


def test_what_is_rolled_back_is_in_no_queue(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    task = a_task(marketing, 5)
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
    assert jobs(marketing.database) == []


def test_the_first_batch_brings_a_window_and_every_other_one_more(
    marketing: Marketing, queue: ProcrastinateQueue
) -> None:
    task = a_task(marketing, WINDOW + 10)
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
        record(tx, task, 1)
        queue.follow_up(tx, task.id)
        tx.commit()
    assert jobs(marketing.database) == [(task.id, no) for no in range(1, WINDOW + 2)]
    with marketing.database.write(everyone=True) as tx:
        record(tx, task, 2, 3)
        queue.follow_up(tx, task.id, 2)
        tx.commit()
    assert jobs(marketing.database)[-2:] == [(task.id, WINDOW + 2), (task.id, WINDOW + 3)]
    with marketing.database.write(everyone=True) as tx:
        queue.follow_up(tx, task.id, 100)
        queue.follow_up(tx, task.id, 100)
        tx.commit()
    assert jobs(marketing.database)[-1] == (task.id, WINDOW + 10)
    assert len(jobs(marketing.database)) == WINDOW + 10


def test_a_small_task_comes_before_the_rest_of_a_large_one(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    large = a_task(marketing, 50, "large")
    small = a_task(marketing, 2, "small", 86_139_0000_0001)
    with marketing.database.write(everyone=True) as tx:
        for task in (large, small):
            queue.open(tx, task.id)
            record(tx, task, 1)
            queue.follow_up(tx, task.id)
        tx.commit()
    assert jobs(marketing.database).index((small.id, 2)) < jobs(marketing.database).index((large.id, 3))


def test_a_batch_put_back_waits_for_its_moment(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    task = a_task(marketing, 1)
    then = marketing.in_(timedelta(seconds=30))
    with marketing.database.write(everyone=True) as tx:
        queue.put_back(tx, task.id, 1, then)
        tx.commit()
    with marketing.database.read(everyone=True) as connection:
        row: Any = connection.exec_driver_sql("SELECT queue_name, scheduled_at FROM procrastinate_jobs").one()
    assert (row.queue_name, row.scheduled_at) == (queue_of(marketing.application_id), then)


def test_a_job_that_died_with_its_worker_comes_again_once(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    task = a_task(marketing, 4)
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
        record(tx, task, 1)
        queue.follow_up(tx, task.id)
        tx.exec_driver_sql("UPDATE procrastinate_jobs SET status = 'doing' WHERE args->>'no' IN ('1', '3')")
        tx.commit()
    with marketing.database.write(everyone=True) as tx:
        assert queue.requeue_lost(tx, marketing.clock.now()) == 1
        assert queue.requeue_lost(tx, marketing.clock.now()) == 0
        tx.commit()
    assert sorted(jobs(marketing.database)) == [(task.id, 2), (task.id, 3), (task.id, 4)]


def test_the_job_of_a_worker_that_died_goes_when_its_batch_is_over(
    marketing: Marketing, queue: ProcrastinateQueue
) -> None:
    task = a_task(marketing, 4)
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
        record(tx, task, 1)
        queue.follow_up(tx, task.id)
        tx.exec_driver_sql("UPDATE procrastinate_jobs SET status = 'doing'")
        record(tx, task, 2, state=BatchState.UNKNOWN)
        record(tx, task, 3, state=BatchState.SENDING)
        queue.requeue_lost(tx, marketing.clock.now())
        tx.commit()
    assert jobs(marketing.database, "doing") == [(task.id, 3), (task.id, 4)]
    with marketing.database.write(everyone=True) as tx:
        record(tx, task, 3, 4)
        worker = tx.exec_driver_sql("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id").scalar_one()
        tx.exec_driver_sql("UPDATE procrastinate_jobs SET worker_id = %s WHERE args->>'no' = '4'", (worker,))
        queue.requeue_lost(tx, marketing.clock.now())
        tx.commit()
    assert jobs(marketing.database, "doing") == [(task.id, 4)], "a worker that lives deletes its own"


def test_what_is_not_to_be_sent_now_is_not_lost(marketing: Marketing, queue: ProcrastinateQueue) -> None:
    task = a_task(marketing, 4)
    later = marketing.in_(timedelta(seconds=30))
    with marketing.database.write(everyone=True) as tx:
        queue.open(tx, task.id)
        record(tx, task, 1)
        queue.follow_up(tx, task.id)
        tx.exec_driver_sql("DELETE FROM procrastinate_jobs")
        record(tx, task, 2, state=BatchState.CANCELLED)
        record(tx, task, 3, state=BatchState.SENDING)
        tx.execute(update(batch).where(batch.c.task_id == task.id, batch.c.no == 4).values(not_before=later))
        assert queue.requeue_lost(tx, marketing.clock.now()) == 0
        assert queue.requeue_lost(tx, later) == 1
        tx.execute(update(send_task).values(state="paused"))
        tx.exec_driver_sql("DELETE FROM procrastinate_jobs")
        assert queue.requeue_lost(tx, later) == 0, "a paused task waits"
        tx.execute(update(send_task).values(state="sending"))
        assert queue.requeue_lost(tx, later) == 1, "and goes on when it is resumed"
        tx.commit()
