"""Two that serve, three that send, one PostgreSQL; two of the five die on the way, and nobody gets a second SMS."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from sandbox.slack.delivery import Attempt
from sandbox.slack.workspace import TEAM_ID
from services.database import Database
from services.states import TaskState
from services.task_reports import TaskReports
from tests.e2e.fleet import Fleet, a_fleet
from tests.e2e.lists import CustomerList, clean_list
from tests.e2e.person import Person, words
from tests.services.audit import check_every_task

pytestmark = pytest.mark.e2e

CUSTOMERS = 200_000
TAKEN_OVER_SECONDS = 10.0
# When everything is final, and 3 minutes after the last request at the latest.
RESULT_SECONDS = 240.0


@pytest.fixture
def database_url(postgresql_url: str) -> Iterator[str]:
    """A database of its own on the tests' PostgreSQL."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS fleet WITH (FORCE)")
        connection.execute("CREATE DATABASE fleet")
        yield make_url(postgresql_url).set(database="fleet").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE fleet WITH (FORCE)")


async def test_two_of_a_fleet_die_and_nobody_gets_a_second_sms(database_url: str, tmp_path: Path) -> None:
    customers = await asyncio.to_thread(clean_list, tmp_path / "vip.csv", CUSTOMERS)
    async with a_fleet(tmp_path, database_url) as fleet:
        await fleet.start_run("ticking")
        await fleet.until(lambda: "leadership.taken" in fleet.log("ticking"), TAKEN_OVER_SECONDS)
        await fleet.start_run("standing by", receipts=True)
        await asyncio.gather(*(fleet.start_worker(f"worker {number}") for number in (1, 2, 3)))
        assert "leadership.taken" not in fleet.log("standing by")
        await import_into_vip(fleet, customers)
        await send_to_all(fleet.ben)
        await two_die_on_the_way(fleet)
        await fleet.ben.sees("Result of task 1", RESULT_SECONDS)
        await everybody_is_accounted_for(fleet, customers, database_url)
        assert len(await fleet.ben.all("Result of task 1")) == 1
        assert len(await fleet.ben.all("*spring* to *vip* (task 1)")) == 1


async def import_into_vip(fleet: Fleet, customers: CustomerList) -> None:
    """Slack tells of the file again while it is imported, and both that serve hear of it."""
    ben, delivery = fleet.ben, fleet.slack.delivery
    await ben.answer("/sms-groups create name:vip type:notification")
    await ben.upload(customers.path, "group:vip")
    (told,) = [event for event in delivery.events if event["event"].get("subtype") == "file_share"]
    await asyncio.gather(*(delivery.try_event(told, Attempt(number, "timeout")) for number in range(1, 5)))
    imported = await ben.sees("200,000 imported", 120)
    assert "now has 200,000 customers" in words(imported)
    await ben.answer("/sms-help")
    assert len(await ben.all("*vip.csv*")) == 1


async def send_to_all(ben: Person) -> None:
    await ben.command("/sms-send group:vip template:spring")
    preview = await ben.sees("nothing has been sent yet")
    await ben.press(preview, "Send to 200,000 customers")


async def two_die_on_the_way(fleet: Fleet) -> None:
    """Some of the requests that are under way are taken by the carrier after the death of the worker that sent them."""
    carrier = fleet.carrier
    await fleet.until(lambda: len(carrier.log) > CUSTOMERS / 10, 60)
    for _ in range(12):
        carrier.inject("delay", seconds=1.5)
    await fleet.until(lambda: not carrier.faults.waiting(), 30)
    await asyncio.gather(fleet.kill("worker 1"), fleet.kill("ticking"))
    assert len(carrier.log) < CUSTOMERS
    took = await fleet.until(lambda: "leadership.taken" in fleet.log("standing by"), TAKEN_OVER_SECONDS)
    assert took < TAKEN_OVER_SECONDS


async def everybody_is_accounted_for(fleet: Fleet, customers: CustomerList, database_url: str) -> None:
    taken = Counter(entry.number for entry in fleet.carrier.log)
    assert set(taken.values()) == {1}
    assert set(taken) <= customers.numbers
    database = Database(database_url)
    (task,) = TaskReports(database).list(TEAM_ID)
    assert (task.state, task.waiting, task.held_back) == (TaskState.FINISHED, 0, 0)
    assert task.delivered + task.not_delivered + task.unknown == CUSTOMERS
    check_every_task(database)
    database.close()
