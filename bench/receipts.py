"""Receipts of a task that was sent, stored and applied while another task is being sent.

They come as Huawei pushes them, 50 in a request, to the bot's own web address; a request is answered when they are on
the disk. What is counted is how many have become results in a second.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import aiohttp
import uvloop
from aiohttp import web

from bench.dispatch import carrier
from bench.processes import ROOT, in_own_process, new_database
from bench.tasks_to_send import FIRST_NUMBER, Desk, declare
from bot.process import spare_the_collector
from bot.receipt_writer import ReceiptWriter
from bot.scheduler import Ticks
from bot.web import ReceiptsAddress, make_web_app
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.clock import SystemClock
from services.database import Database
from services.dispatch import Dispatch
from services.rate import RateLimit
from services.receipts import Receipts
from services.senders import Sender, connections_for

RECEIPTS = 200_000
RUNS = 2
A_REQUEST = 50
CONNECTIONS = 8
# What applications.toml says where it says nothing: 25,000 messages a second.
PER_SECOND = 50.0
# More than is sent meanwhile.
_OTHER_TASK = 1_000_000
_PROGRAM = "import sys; from bench import receipts; receipts.{}(*sys.argv[1:])"


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit: the fastest of two runs."""
    figures = {}
    with carrier(0) as endpoint:
        for kind in ("sqlite", "postgresql"):
            seconds = min(run_once(kind, endpoint) for _ in range(RUNS))
            figures[f"receipts.{kind}.per_second"] = (RECEIPTS / seconds, "receipts/s")
    return figures


def run_once(kind: str, endpoint: str) -> float:
    """From the first receipt to the last result."""
    with new_database(kind) as url:
        references = json.loads(in_own_process(_PROGRAM.format("prepare"), url, endpoint))
        with _bot(url, endpoint) as address:
            start = time.perf_counter()
            uvloop.run(_push(address, references))
            database = Database(url)
            while _results(database) < RECEIPTS:
                time.sleep(0.05)
            seconds = time.perf_counter() - start
            database.close()
    return seconds


def prepare(url: str, endpoint: str) -> None:
    """Send one task and leave another that is confirmed; prints the references of the first one's batches."""
    database = Database(url)
    desk = Desk(database)
    desk.group(RECEIPTS, "first")
    task = desk.confirm(desk.draft(group="first"))
    uvloop.run(_send_all(database, endpoint))
    desk.group(_OTHER_TASK, "second")
    desk.confirm(desk.draft(group="second"))
    with database.read(everyone=True) as connection:
        rows = connection.exec_driver_sql(
            f"SELECT reference, first, last FROM batch WHERE task_id = {task.id} ORDER BY no"
        ).all()
    database.close()
    print(json.dumps([list(row) for row in rows]))


def serve(url: str, endpoint: str) -> None:
    """Be the bot: the web address, the ticks and the dispatch loop in one process; prints the address."""
    spare_the_collector()
    uvloop.run(_serve(url, endpoint))


async def _send_all(database: Database, endpoint: str) -> None:
    http = Http()
    with ThreadPoolExecutor(1) as executor:
        dispatch = _dispatch(database, http, endpoint, 1_000_000.0, executor)
        running = asyncio.create_task(dispatch.run())
        while await asyncio.to_thread(_is_open, database):  # noqa: ASYNC110 - the database tells no event
            await asyncio.sleep(0.05)
        dispatch.stop()
        await running
    await http.close()


async def _serve(url: str, endpoint: str) -> None:
    database, clock, http = Database(url), SystemClock(), Http()
    receipts = Receipts(database, clock)
    huawei = _huawei(http, endpoint)
    application_id = declare(database)
    address = ReceiptsAddress(application_id, "token", huawei)
    with ThreadPoolExecutor(1) as for_receipts, ThreadPoolExecutor(1 if database.is_sqlite else 8) as for_dispatch:
        app = make_web_app({application_id: address}, ReceiptWriter(receipts, for_receipts), None)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ticks = Ticks()
        ticks.every(0.5, receipts.keep_up, in_thread=True)
        ticks.start()
        dispatch = _dispatch(database, http, endpoint, PER_SECOND, for_dispatch)
        running = asyncio.create_task(dispatch.run())
        print(f"http://127.0.0.1:{runner.addresses[0][1]}{address.path}", flush=True)
        await running


def _dispatch(
    database: Database, http: Http, endpoint: str, per_second: float, executor: ThreadPoolExecutor
) -> Dispatch:
    huawei = _huawei(http, endpoint)
    sender = Sender(declare(database), huawei, RateLimit(per_second), None, connections_for(huawei, per_second))
    return Dispatch(
        database,
        SystemClock(),
        [sender],
        owner="bench",
        executor=executor,
        request_timeout=timedelta(seconds=http.longest_seconds),
    )


def _huawei(http: Http, endpoint: str) -> Huawei:
    pace = RateLimit(1_000_000).acquire
    return Huawei(app_key="key", app_secret="secret", http=http, clock=SystemClock(), pace=pace, endpoint=endpoint)


@contextmanager
def _bot(url: str, endpoint: str) -> Iterator[str]:
    command = [sys.executable, "-c", _PROGRAM.format("serve"), url, endpoint]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


async def _push(address: str, batches: list[tuple[str, int, int]]) -> None:
    bodies = iter(
        [_body(reference, first, last) for reference, begin, end in batches for first, last in _cut(begin, end)]
    )

    async def push(session: aiohttp.ClientSession) -> None:
        for body in bodies:
            async with session.post(address, data=body) as response:
                assert response.status == 200, await response.text()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(push(session) for _ in range(CONNECTIONS)))


def _cut(begin: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(begin, end + 1, A_REQUEST):
        yield first, min(first + A_REQUEST - 1, end)


def _body(reference: str, first: int, last: int) -> bytes:
    reports = [
        {
            "smsMsgId": f"{reference}_{seq}",
            "status": "DELIVRD",
            "extend": reference,
            "to": f"+{FIRST_NUMBER + seq - 1}",
            "sequence": 1,
            "total": 1,
            "updateTime": "2026-01-01T00:00:00Z",
        }
        for seq in range(first, last + 1)
    ]
    return json.dumps({"statusReportList": reports}).encode()


def _results(database: Database) -> int:
    with database.read(everyone=True) as connection:
        return int(connection.exec_driver_sql("SELECT delivered FROM send_task ORDER BY id LIMIT 1").scalar_one())


def _is_open(database: Database) -> bool:
    with database.read(everyone=True) as connection:
        return connection.exec_driver_sql("SELECT finished_at FROM send_task ORDER BY id LIMIT 1").scalar() is None


if __name__ == "__main__":
    for name, (value, unit) in measure().items():
        print(f"{name:40}{value:14,.2f} {unit}")
