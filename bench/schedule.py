"""How late scheduled tasks begin: from the moment each is due to its first request, at the rate an application has."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

import uvloop
from sqlalchemy import select

from bench.dispatch import carrier
from bench.processes import in_own_process, new_database
from bench.tasks_to_send import Desk
from bench.watched import sending
from bot.process import spare_the_collector
from services.database import Database
from services.models import batch

# Ten at each of twelve moments, as people choose full minutes.
MOMENTS, TASKS_AT_ONCE = 12, 10
A_TASK = 1_000
PER_SECOND = 50.0
_TO_CONFIRM_SECONDS = 8
_PROGRAM = "import sys; from bench import schedule; schedule.print_starts(*sys.argv[1:])"


def measure() -> dict[str, tuple[float, str]]:
    """The 99th percentile, by its name and with its unit."""
    with carrier(50) as endpoint, new_database("sqlite") as url:
        late = json.loads(in_own_process(_PROGRAM, url, endpoint))
    return {"schedule.start_p99_ms": (sorted(late)[int(len(late) * 0.99)], "ms")}


def print_starts(url: str, endpoint: str) -> None:
    """Wait for the tasks in this process; prints how late each was, in milliseconds."""
    spare_the_collector()
    print(json.dumps(uvloop.run(_starts(url, endpoint))))


async def _starts(url: str, endpoint: str) -> list[float]:
    database = Database(url)
    desk = Desk(database)
    desk.group(A_TASK)
    due: dict[int, float] = {}
    first = time.time() + _TO_CONFIRM_SECONDS
    for moment in range(MOMENTS):
        at = first + moment
        for _ in range(TASKS_AT_ONCE):
            task = desk.confirm(desk.draft(datetime.fromtimestamp(at, UTC)))
            due[task.id] = at
    assert time.time() < first, "confirming took too long"
    async with sending(database, desk, endpoint, PER_SECOND) as watched:
        await asyncio.sleep(first + MOMENTS + 3 - time.time())
    with database.read() as connection:
        tasks = {row.reference: row.task_id for row in connection.execute(select(batch.c.reference, batch.c.task_id))}
    database.close()
    begun: dict[int, float] = {}
    for reference, at in watched.begun:
        begun.setdefault(tasks[reference], at)
    assert begun.keys() == due.keys(), "a task did not begin"
    return [(begun[task_id] - due[task_id]) * 1000 for task_id in due]
