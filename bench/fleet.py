"""A fleet on PostgreSQL: one, two and four `python -m bot worker` against a carrier that answers after 50 ms, and what
the queue costs.

The scaling is measured with two connections a worker, so that a worker's own bound holds it back and not the machine.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from sqlalchemy import select, update

from bench.dispatch import carrier
from bench.processes import ROOT, in_own_process, new_database
from bench.tasks_to_send import Desk
from bot.sending import use_queue
from services.batch_queue import ProcrastinateQueue, QueueWorker, queue_app
from services.database import Database
from services.models import batch, send_task
from services.states import BatchState

MESSAGES = {1: 200_000, 2: 400_000, 4: 800_000}
LATENCY_MS = 50
FEW_CONNECTIONS, MANY_CONNECTIONS = 2, 32
AT_FULL_SPEED = 500_000
ENQUEUED = 2_000
JOBS = 200
STARTS = 5
_PLANNED = select(batch.c.no).where(batch.c.state == BatchState.PLANNED.value)
_PROGRAM = "import sys; from bench import fleet; fleet.{}(*sys.argv[1:])"
_APPLICATION = """
[[application]]
name = "bench"
carrier = "huawei"
region = "mainland"
endpoint = "{endpoint}"
app_key = "key"
app_secret = "secret"
requests_per_second = 1000
connections = {connections}

[[application.signature]]
name = "云帆咖啡"
channel = "csms100000001"

[[application.template]]
name = "spring"
code = "8ff55eac"
sms_type = "notification"
signature = "云帆咖啡"
text = "春季营业时间：每天 08:00–22:00。"
"""


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit."""
    figures = {}
    with carrier(LATENCY_MS) as endpoint:
        rates = {}
        for workers, messages in MESSAGES.items():
            rates[workers] = _send(endpoint, workers, FEW_CONNECTIONS, messages)
            figures[f"fleet.{workers}_workers.2_connections.per_second"] = (rates[workers], "messages/s")
        figures["fleet.two_over_one"] = (rates[2] / rates[1], "x")
        figures["fleet.four_over_one"] = (rates[4] / rates[1], "x")
        rate = max(_send(endpoint, 1, MANY_CONNECTIONS, AT_FULL_SPEED) for _ in range(2))
        figures["fleet.one_worker.per_second"] = (rate, "messages/s")
        figures["fleet.start_seconds"] = (_start(endpoint), "s")
    with new_database("postgresql") as url:
        figures["fleet.enqueue_2000_seconds"] = (float(in_own_process(_PROGRAM.format("print_enqueue"), url)), "s")
    with new_database("postgresql") as url:
        figures["fleet.queue_p50_ms"] = (float(in_own_process(_PROGRAM.format("print_wait"), url)), "ms")
    return figures


def _send(endpoint: str, workers: int, connections: int, messages: int) -> float:
    """Messages a second over one task. The workers are there before it; its clock begins with its confirmation."""
    with new_database("postgresql") as url, ExitStack() as running, TemporaryDirectory() as folder:
        in_own_process(_PROGRAM.format("prepare"), url, str(messages))
        environment = _environment(url, endpoint, connections, Path(folder))
        for number in range(workers):
            running.enter_context(_worker(environment, Path(folder, f"{number}.log")))
        seconds = float(in_own_process(_PROGRAM.format("print_run"), url))
    return messages / seconds


def _start(endpoint: str) -> float:
    """Seconds from a worker's start until its first batch is claimed, while a task waits: the median of five."""
    took = []
    for _ in range(STARTS):
        with new_database("postgresql") as url, TemporaryDirectory() as folder:
            in_own_process(_PROGRAM.format("prepare_task"), url)
            environment = _environment(url, endpoint, MANY_CONNECTIONS, Path(folder))
            database = Database(url)
            with database.read(everyone=True) as connection:
                began = time.monotonic()
                with _worker(environment, Path(folder, "worker.log"), until="") as process:
                    while connection.execute(_PLANNED).scalar() is not None:
                        assert process.poll() is None
                        connection.rollback()
                        time.sleep(0.005)
                    took.append(time.monotonic() - began)
            database.close()
    return statistics.median(took)


def _environment(url: str, endpoint: str, connections: int, folder: Path) -> dict[str, str]:
    settings = folder / "applications.toml"
    settings.write_text(_APPLICATION.format(endpoint=endpoint, connections=connections), "utf-8")
    return {**os.environ, "DATABASE_URL": url, "SMS_APPLICATIONS": str(settings), "HTTP_PORT": "0"}


@contextmanager
def _worker(
    environment: Mapping[str, str], log: Path, until: str = "worker.started"
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that has logged `until`, until the end of the block."""
    command = [sys.executable, "-m", "bot", "worker"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        while until not in log.read_text("utf-8"):
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.wait()


def prepare(url: str, messages: str) -> None:
    """A workspace with one group of so many numbers."""
    database = Database(url)
    Desk(database).group(int(messages))
    database.close()


def prepare_task(url: str) -> None:
    """A small task that waits in the queue."""
    database = Database(url)
    use_queue(database)
    desk = Desk(database)
    desk.group(200)
    desk.confirm(desk.draft())
    database.close()


def print_run(url: str) -> None:
    """Confirm one task to the whole group; prints how many seconds it takes until the last message is recorded."""
    database = Database(url)
    use_queue(database)
    desk = Desk(database)
    draft = desk.draft()
    task = desk.confirm(draft)
    finished = select(send_task.c.finished_at).where(send_task.c.id == task.id)
    with database.read(everyone=True) as connection:
        began = time.monotonic()
        while connection.execute(finished).scalar() is None:
            connection.rollback()
            time.sleep(0.02)
    print(time.monotonic() - began)
    database.close()


def print_enqueue(url: str) -> None:
    """Prints how many seconds it takes until 2,000 batches of one task are jobs, in one transaction."""
    database = Database(url)
    desk = Desk(database)
    desk.group(ENQUEUED * 500 + 200)
    task = desk.confirm(desk.draft())
    database.queue = ProcrastinateQueue(queue_app(database.conninfo), window=ENQUEUED)
    with database.write(everyone=True) as tx:
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(first_batch_done=True, queued=1))
        tx.commit()
    began = time.perf_counter()
    with database.write(everyone=True) as tx:
        database.queue.follow_up(tx, task.id)
        tx.commit()
    seconds = time.perf_counter() - began
    with database.read(everyone=True) as connection:
        jobs = connection.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one()
    assert jobs == ENQUEUED, jobs
    print(seconds)
    database.close()


def print_wait(url: str) -> None:
    """Prints the median of how many milliseconds pass from the commit that puts a job in until a worker begins it."""
    print(uvloop.run(_wait(url)))


async def _wait(url: str) -> float:
    database = Database(url)
    desk = Desk(database)
    desk.group(JOBS * 500)
    task = desk.confirm(desk.draft())
    begun = asyncio.Queue[float]()

    async def send(application_id: int, task_id: int, no: int) -> None:
        begun.put_nowait(time.perf_counter())

    queue = ProcrastinateQueue(queue_app(database.conninfo))
    worker = QueueWorker(queue_app(database.conninfo, send), {desk.application_id: 8}, "bench")
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(1)
    waited = []
    for no in range(1, JOBS + 1):
        committed = await asyncio.to_thread(_put_in, database, queue, task.id, no)
        waited.append((await begun.get() - committed) * 1000)
    worker.stop()
    await running
    database.close()
    return statistics.median(waited)


def _put_in(database: Database, queue: ProcrastinateQueue, task_id: int, no: int) -> float:
    with database.write(everyone=True) as tx:
        queue.put_back(tx, task_id, no, None)
        tx.commit()
    return time.perf_counter()
