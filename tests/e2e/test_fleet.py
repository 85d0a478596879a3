"""Two that serve, three that send, one PostgreSQL; two of the five die on the way, and nobody gets a second SMS."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Row, func, select

from sandbox.slack.delivery import Attempt
from sandbox.slack.workspace import TEAM_ID
from services.database import Database
from services.models import batch
from services.states import BatchState, TaskState
from services.task_reports import TaskReports
from tests.e2e.fleet import Fleet, a_database, a_fleet
from tests.e2e.lists import CustomerList, clean_list
from tests.e2e.person import Person, words
from tests.services.audit import check_every_task

pytestmark = pytest.mark.e2e

CUSTOMERS = 200_000
TAKEN_OVER_SECONDS = 10.0
# After the end of its lease, however long that was.
UNKNOWN_WITHIN = timedelta(seconds=10)
# When everything is final, and 3 minutes after the last request at the latest.
RESULT_SECONDS = 240.0


@pytest.fixture
def database_url(postgresql_url: str) -> Iterator[str]:
    with a_database(postgresql_url, "fleet") as address:
        yield address


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """To look at what is recorded."""
    opened = Database(database_url)
    yield opened
    opened.close()


async def test_two_of_a_fleet_die_and_nobody_gets_a_second_sms(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    customers = await asyncio.to_thread(clean_list, tmp_path / "vip.csv", CUSTOMERS)
    async with a_fleet(tmp_path, database_url) as fleet:
        await fleet.start_run("ticking")
        await fleet.until(lambda: "leadership.taken" in fleet.log("ticking"), TAKEN_OVER_SECONDS)
        await fleet.start_run("standing by", receipts=True)
        await asyncio.gather(*(fleet.start_worker(f"worker {number}") for number in (1, 2, 3)))
        assert "leadership.taken" not in fleet.log("standing by")
        await import_into_vip(fleet, customers)
        await send_to_all(fleet.ben)
        await two_die_on_the_way(fleet, database)
        await fleet.ben.sees("Result of task 1", RESULT_SECONDS)
        everybody_is_accounted_for(fleet, customers, database)
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


async def two_die_on_the_way(fleet: Fleet, database: Database) -> None:
    """Some of the requests that are under way are taken by the carrier after the death of the worker that sent them."""
    carrier, pid = fleet.carrier, fleet.pid("worker 1")
    await fleet.until(lambda: len(carrier.log) > CUSTOMERS / 10, 60)
    # The carrier runs in this loop, so it gets no request in between: those of later batches are all held up, for
    # half the time that a worker waits for an answer.
    before = newest_claimed(database)
    carrier.inject("delay", count=1_000, seconds=5)
    await fleet.until(lambda: any(no > before for no in under_way(database, pid)[1]), 30)
    await asyncio.gather(fleet.kill("worker 1"), fleet.kill("ticking"))
    assert len(carrier.log) < CUSTOMERS
    newest = newest_claimed(database)
    carrier.faults.clear()
    await asyncio.gather(all_are_unknown_in_time(database, pid), another_ticks_in_time(fleet))
    assert newest_claimed(database) > newest, "meanwhile the others have gone on"


async def all_are_unknown_in_time(database: Database, pid: int) -> None:
    """Whatever a dead worker had under way is unknown soon after its lease, by the clock of the database."""
    lost: dict[int, datetime] = {}
    now, still = under_way(database, pid)
    assert still
    while still:
        lost.update(still)
        await asyncio.sleep(0.15)
        before = still
        now, still = await asyncio.to_thread(under_way, database, pid)
        # Those that have gone went at some moment since the last look, so now is the latest that it may have been.
        late = {no: now - lost[no] for no in before if now > lost[no] + UNKNOWN_WITHIN}
        assert not late
    assert {each.state for each in batches(database) if each.no in lost} == {BatchState.UNKNOWN.value}


async def another_ticks_in_time(fleet: Fleet) -> None:
    took = await fleet.until(lambda: "leadership.taken" in fleet.log("standing by"), TAKEN_OVER_SECONDS)
    assert took < TAKEN_OVER_SECONDS


def newest_claimed(database: Database) -> int:
    """The highest number of those batches that anybody ever claimed."""
    claimed: list[int] = [each.no for each in batches(database) if each.attempt]
    return max(claimed)


def under_way(database: Database, pid: int) -> tuple[datetime, dict[int, datetime]]:
    """The database's time, and the batches of this process that are under way then, each with the end of its lease."""
    query = select(batch.c.no, batch.c.lease_until).where(
        batch.c.state == BatchState.SENDING.value, batch.c.owner.contains(f"-{pid}-")
    )
    with database.read(everyone=True) as connection:
        found = {row.no: row.lease_until for row in connection.execute(query)}
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now.astimezone(UTC), found


def batches(database: Database) -> list[Row[tuple[int, str, int]]]:
    """Of the only task."""
    with database.read(everyone=True) as connection:
        return [*connection.execute(select(batch.c.no, batch.c.state, batch.c.attempt).order_by(batch.c.no))]


def everybody_is_accounted_for(fleet: Fleet, customers: CustomerList, database: Database) -> None:
    taken = Counter(entry.number for entry in fleet.carrier.log)
    assert set(taken.values()) == {1}
    assert set(taken) <= customers.numbers
    (task,) = TaskReports(database).list(TEAM_ID)
    assert (task.state, task.waiting, task.held_back) == (TaskState.FINISHED, 0, 0)
    assert task.delivered + task.not_delivered + task.unknown == CUSTOMERS
    check_every_task(database)
