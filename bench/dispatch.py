"""Dispatch of one task: claim, commit, request of 500, record; the carrier answers at once (0 ms) or after 50 ms.

Beside it the naive loop, as it would be written first: row by row through the ORM, one request a message.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import aiohttp
import uvloop
from sqlalchemy import BigInteger, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.processes import ROOT, in_own_process, new_database, peak_mb
from bench.tasks_to_send import FIRST_NUMBER, WORKSPACE, Desk, declare
from bot.process import spare_the_collector
from services.carriers.http import Http
from services.carriers.huawei import MAX_NUMBERS, Huawei
from services.clock import SystemClock
from services.database import Database
from services.dispatch import Dispatch, Sender
from services.rate import RateLimit
from services.task_reports import TaskReports

MESSAGES = 500_000
NAIVE_MESSAGES = 1_000
RUNS = 3
# By the carrier's latency in milliseconds.
CONNECTIONS = {0: 32, 50: 32}
# No limit of ours, so that what is measured is the loop.
_PER_SECOND = 1_000_000.0
_LOOK_SECONDS = 0.05
_PROGRAM = "import sys; from bench import dispatch; dispatch.{}(*sys.argv[1:])"


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit: the fastest of three runs, the highest peak."""
    figures, peaks = {}, []
    for latency, connections in CONNECTIONS.items():
        with carrier(latency) as endpoint:
            for kind in ("sqlite", "postgresql"):
                runs = [run_once(kind, endpoint, connections) for _ in range(RUNS)]
                peaks += [run["peak_mb"] for run in runs]
                seconds = min(run["seconds"] for run in runs)
                figures[f"dispatch.{kind}.{latency}ms.per_second"] = (MESSAGES / seconds, "messages/s")
                cpu = min(run["cpu_seconds"] for run in runs)
                figures[f"dispatch.{kind}.{latency}ms.cpu_ms_a_batch"] = (cpu * 1000 / (MESSAGES / MAX_NUMBERS), "ms")
    figures["dispatch.peak_mb"] = (max(peaks), "MB")
    with carrier() as endpoint:
        seconds = float(in_own_process(_PROGRAM.format("print_naive"), endpoint))
    figures["dispatch.naive.per_second"] = (NAIVE_MESSAGES / seconds, "messages/s")
    return figures


def run_once(kind: str, endpoint: str, connections: int, messages: int = MESSAGES) -> Mapping[str, float]:
    """Send one new task from beginning to end, in a process of its own."""
    with new_database(kind) as url:
        in_own_process(_PROGRAM.format("prepare"), url, str(messages))
        run: Mapping[str, float] = json.loads(
            in_own_process(_PROGRAM.format("print_run"), url, endpoint, str(connections))
        )
    return run


@contextmanager
def carrier(latency_ms: int = 0) -> Iterator[str]:
    """A fast carrier in a process of its own; its address."""
    command = [sys.executable, "-m", "bench.carrier", str(latency_ms / 1000)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def prepare(url: str, messages: str) -> None:
    """Make a database with one confirmed task, of which nothing is sent yet."""
    database = Database(url)
    desk = Desk(database)
    desk.group(int(messages))
    desk.confirm(desk.draft())
    database.close()


def print_run(url: str, endpoint: str, connections: str) -> None:
    """Send the task in this process; prints its seconds, those of its processor and its peak, as JSON."""
    spare_the_collector()
    started = time.process_time()
    seconds = uvloop.run(_send(url, endpoint, int(connections)))
    print(json.dumps({"seconds": seconds, "cpu_seconds": time.process_time() - started, "peak_mb": peak_mb()}))


async def _send(url: str, endpoint: str, connections: int) -> float:
    database, clock, http = Database(url), SystemClock(), Http()
    rate = RateLimit(_PER_SECOND)
    carrier = Huawei(app_key="key", app_secret="secret", http=http, clock=clock, pace=rate.acquire, endpoint=endpoint)
    receipts_url = "http://127.0.0.1/receipts/1/x"
    sender = Sender(declare(database), carrier, rate, receipts_url, connections)
    threads = 1 if database.is_sqlite else 8
    with ThreadPoolExecutor(threads) as executor:
        dispatch = Dispatch(
            database,
            clock,
            [sender],
            owner="bench",
            executor=executor,
            request_timeout=timedelta(seconds=http.longest_seconds),
        )
        started_at = clock.now()
        running = asyncio.create_task(dispatch.run())
        while not await asyncio.to_thread(_is_finished, database):  # noqa: ASYNC110 - the database tells no event
            await asyncio.sleep(_LOOK_SECONDS)
        dispatch.stop()
        await running
    task = TaskReports(database).get(WORKSPACE, 1)
    await http.close()
    database.close()
    assert task.accepted == task.recipients, task
    assert task.finished_at is not None
    return (task.finished_at - started_at).total_seconds()


def _is_finished(database: Database) -> bool:
    with database.read(everyone=True) as connection:
        return connection.exec_driver_sql("SELECT finished_at FROM send_task").scalar() is not None


class _Base(DeclarativeBase):
    pass


class _Message(_Base):
    __tablename__ = "message"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    state: Mapped[str]
    sms_id: Mapped[str | None]


def print_naive(endpoint: str) -> None:
    """The naive loop in this process, on SQLite in WAL mode; prints its seconds."""
    with new_database("sqlite") as url:
        engine = create_engine(url)
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA journal_mode=WAL"))
        _Base.metadata.create_all(engine)
        with Session(engine) as session:
            numbers = range(FIRST_NUMBER, FIRST_NUMBER + NAIVE_MESSAGES)
            session.add_all([_Message(number=number, state="pending", sms_id=None) for number in numbers])
            session.commit()
            print(asyncio.run(_send_naively(session, endpoint)))
        engine.dispose()


async def _send_naively(session: Session, endpoint: str) -> float:
    start = time.perf_counter()
    async with aiohttp.ClientSession() as client:
        while message := session.scalars(select(_Message).where(_Message.state == "pending").limit(1)).first():
            body = f"from=csms100000001&templateId=8ff55eac&to=%2B{message.number}".encode()
            async with client.post(f"{endpoint}/sms/batchSendSms/v1", data=body) as response:
                (said,) = (await response.json())["result"]
            message.state, message.sms_id = "accepted", said["smsMsgId"]
            session.commit()
    return time.perf_counter() - start
