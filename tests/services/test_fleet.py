"""Workers of a queue: each batch is sent by whoever takes its job, once, and whatever becomes of the job."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.batch_queue import ProcrastinateQueue, QueueWorker, queue_app
from services.clock import SystemClock
from services.database import Database
from services.dispatch import Dispatch
from services.models import batch
from services.states import BatchState, TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task, check_nobody_got_two
from tests.services.builders import ANA, Marketing
from tests.services.fakes import FakeCarrier, not_taken


@pytest.fixture
def marketing(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> Marketing:
    """A workspace on a database with a queue; the carrier takes fifty numbers a request."""
    monkeypatch.setattr(postgresql, "queue", ProcrastinateQueue(queue_app(postgresql.conninfo)))
    return Marketing(postgresql, carrier=FakeCarrier(max_numbers=50))


class Fleet:
    """Workers in this process, each with a dispatch, a queue worker and connections of its own."""

    def __init__(self, marketing: Marketing) -> None:
        self.marketing = marketing
        self.threads = ThreadPoolExecutor(4)

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[Dispatch]:
        """A worker that ends with the block."""
        sender = self.marketing.a_sender(connections=4)
        dispatch = self.marketing.a_dispatch(sender, owner=name, executor=self.threads)
        app = queue_app(self.marketing.database.conninfo, dispatch.send_named)
        worker = QueueWorker(app, {sender.application_id: 4}, name)
        running = asyncio.create_task(worker.run())
        try:
            yield dispatch
        finally:
            dispatch.stop()
            worker.stop()
            await running
            await dispatch.settle()


@pytest.fixture
def fleet(marketing: Marketing) -> Iterator[Fleet]:
    made = Fleet(marketing)
    yield made
    made.threads.shutdown()


async def until(look: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not look():  # noqa: ASYNC110 - rows set no event
            await asyncio.sleep(0.02)


def is_over(marketing: Marketing, task: Task) -> bool:
    return marketing.task(task).state is TaskState.FINISHED


async def test_three_workers_send_everything_once(marketing: Marketing, fleet: Fleet) -> None:
    async with fleet.worker("one"), fleet.worker("two"), fleet.worker("three"):
        task = marketing.a_confirmed_task(1500)
        await until(lambda: is_over(marketing, task))
    check_nobody_got_two(marketing.carrier.requests)
    check_every_task(marketing.database)
    assert len(marketing.carrier.numbers) == 1500
    assert marketing.task(task).accepted == 1500


async def test_a_job_that_comes_twice_or_after_a_stop_does_nothing(marketing: Marketing, fleet: Fleet) -> None:
    task = marketing.a_confirmed_task(300)
    dispatch = marketing.a_dispatch(executor=fleet.threads)
    await dispatch.send_named(marketing.application_id, task.id, 1)
    await dispatch.send_named(marketing.application_id, task.id, 1)
    assert len(marketing.carrier.numbers) == 50
    marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
    await dispatch.send_named(marketing.application_id, task.id, 2)
    await dispatch.send_named(marketing.application_id, 987654, 1)
    await dispatch.send_named(987654, task.id, 2)
    await dispatch.settle()
    assert len(marketing.carrier.numbers) == 50
    check_every_task(marketing.database)


async def test_before_the_first_batch_is_through_no_other_is_sent(marketing: Marketing, fleet: Fleet) -> None:
    task = marketing.a_confirmed_task(300)
    dispatch = marketing.a_dispatch(executor=fleet.threads)
    await dispatch.send_named(marketing.application_id, task.id, 2)
    assert marketing.carrier.numbers == []


async def test_slow_down_brings_the_batch_back_later(marketing: Marketing, fleet: Fleet) -> None:
    marketing.carrier.will(not_taken(retry_after_seconds=0.2))
    marketing.clock.set(SystemClock().now())
    async with fleet.worker("one"):
        task = marketing.a_confirmed_task(120)
        await until(lambda: marketing.task(task).trouble == "http_429")
        marketing.clock.move(timedelta(seconds=1))
        await until(lambda: is_over(marketing, task))
    check_nobody_got_two(marketing.carrier.requests)


async def test_what_a_dead_worker_had_taken_from_the_queue_comes_again(marketing: Marketing, fleet: Fleet) -> None:
    task = marketing.a_confirmed_task(300)
    with marketing.database.write() as tx:
        tx.exec_driver_sql("UPDATE procrastinate_jobs SET status = 'doing'")
        tx.commit()
    async with fleet.worker("one") as dispatch:
        await asyncio.sleep(0.1)
        assert marketing.carrier.numbers == []
        assert dispatch.requeue_lost() == 1
        await until(lambda: is_over(marketing, task))
    assert len(marketing.carrier.numbers) == 300
    check_every_task(marketing.database)


async def test_what_a_dead_worker_was_sending_is_unknown_and_the_rest_goes_on(
    marketing: Marketing, fleet: Fleet
) -> None:
    task = marketing.a_confirmed_task(300)
    with marketing.database.write() as tx:
        lost = update(batch).where(batch.c.task_id == task.id, batch.c.no == 1)
        gone = {"state": BatchState.SENDING.value, "owner": "dead", "lease_until": marketing.in_(timedelta(seconds=-1))}
        tx.execute(lost.values(**gone))
        tx.exec_driver_sql("UPDATE procrastinate_jobs SET status = 'doing'")
        tx.commit()
    async with fleet.worker("one") as dispatch:
        assert dispatch.give_up_lost() == 1
        await until(lambda: is_over(marketing, task))
    assert len(marketing.carrier.numbers) == 250
    assert (marketing.task(task).unknown, marketing.task(task).accepted) == (300, 250)
    check_every_task(marketing.database)


async def test_a_paused_task_goes_on_when_it_is_resumed(marketing: Marketing, fleet: Fleet) -> None:
    task = marketing.a_confirmed_task(300)
    async with fleet.worker("one") as dispatch:
        with marketing.database.write() as tx:
            tx.exec_driver_sql("UPDATE send_task SET state = 'paused'")
            tx.commit()
        await until(lambda: not jobs(marketing.database))
        sent = len(marketing.carrier.numbers)
        with marketing.database.write() as tx:
            tx.exec_driver_sql("UPDATE send_task SET state = 'sending'")
            tx.commit()
        dispatch.requeue_lost()
        await until(lambda: is_over(marketing, task))
    assert sent < 300
    assert len(marketing.carrier.numbers) == 300


def jobs(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one())
