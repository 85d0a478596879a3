"""How soon a stop takes effect, in the middle of a task that is sent as fast as the carrier can, at 50 ms a request."""

from __future__ import annotations

import asyncio
import json
import time

import uvloop

from bench.dispatch import carrier
from bench.processes import in_own_process, new_database
from bench.tasks_to_send import PERSON, WORKSPACE, Desk
from bench.watched import sending
from bot.process import spare_the_collector
from services.database import Database
from services.senders import MOST_CONNECTIONS

STOPS = 10
RECIPIENTS = 200_000
_REQUESTS_BEFORE = 60
_PROGRAM = "import sys; from bench import stop; stop.print_stops(*sys.argv[1:])"


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit: the slowest of ten stops, and the most requests that were begun after one.

    There may be one for each connection.
    """
    with carrier(50) as endpoint, new_database("sqlite") as url:
        stops = json.loads(in_own_process(_PROGRAM, url, endpoint))
    return {
        "stop.latency_ms": (max(latency for latency, _ in stops), "ms"),
        "stop.requests_after": (max(requests for _, requests in stops), "requests"),
        "stop.connections": (MOST_CONNECTIONS, "connections"),
    }


def print_stops(url: str, endpoint: str) -> None:
    """Stop tasks in this process; prints how long after it the last request began, and how many did."""
    spare_the_collector()
    print(json.dumps(uvloop.run(_stops(url, endpoint))))


async def _stops(url: str, endpoint: str) -> list[tuple[float, int]]:
    database = Database(url)
    desk = Desk(database)
    desk.group(RECIPIENTS)
    stops = []
    for _ in range(STOPS):
        task = desk.confirm(desk.draft())
        async with sending(database, desk, endpoint, 1_000_000.0) as watched:
            while len(watched.begun) < _REQUESTS_BEFORE:  # noqa: ASYNC110 - requests set no event
                await asyncio.sleep(0.01)
            pressed = time.time()
            await asyncio.to_thread(desk.tasks.stop, WORKSPACE, task.number, PERSON)
            await asyncio.sleep(1.5)
        after = [at for _, at in watched.begun if at > pressed]
        stops.append(((max(after, default=pressed) - pressed) * 1000, len(after)))
    database.close()
    return stops
