"""Slack over HTTP with two `run` behind a load balancer: whichever of them is asked answers, and does it once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from sandbox.slack.delivery import Attempt
from services.database import Database
from tests.e2e.conftest import Ended
from tests.e2e.fleet import Fleet, a_database, a_fleet
from tests.e2e.lists import clean_list
from tests.e2e.person import words
from tests.services.audit import check_every_task

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("postgresql_url")]

SCENARIO = "behind a load balancer"
CUSTOMERS = 300
STAFF = ("13714810001", "13714810007", "13714810008")


async def run(_name: str, folder: Path, postgresql_url: str) -> None:
    customers = await asyncio.to_thread(clean_list, folder / "vip.csv", CUSTOMERS)
    with a_database(postgresql_url, "load_balancer") as database_url:
        async with a_fleet(folder, database_url, http=True) as fleet:
            await asyncio.gather(fleet.start_run("one"), fleet.start_run("two"))
            await fleet.start_worker("worker")
            await a_file_told_of_at_both_is_imported_once(fleet, customers.path)
            await a_preview_of_one_is_confirmed_at_the_other(fleet)
            await a_form_of_one_is_submitted_to_the_other(fleet)
            await a_button_pressed_at_both_at_once_makes_one_task(fleet)
            await each_result_comes_once(fleet)
            staff = {f"+86{number}" for number in STAFF}
            assert Counter(entry.number for entry in fleet.carrier.log) == dict.fromkeys(customers.numbers | staff, 1)
            both_did_their_part(fleet)
        database = Database(database_url)
        check_every_task(database)
        database.close()


@pytest.mark.parametrize("scenario", [SCENARIO])
def test_any_of_several_that_serve_answers_and_only_once(side_by_side: Ended, scenario: str) -> None:
    side_by_side.check(scenario)


async def a_file_told_of_at_both_is_imported_once(fleet: Fleet, path: Path) -> None:
    """Slack tells of it five times, and both hear of it; the group is asked for once."""
    ben, delivery = fleet.ben, fleet.slack.delivery
    await ben.answer("/sms-groups create name:vip type:notification")
    await ben.upload(path)
    (told,) = [event for event in delivery.events if event["event"].get("subtype") == "file_share"]
    again = [delivery.try_event(told, Attempt(number, "http_timeout")) for number in range(1, 5)]
    assert set(await asyncio.gather(*again)) == {None}
    await fleet.until(lambda: sum(worked(fleet, name)["message"] for name in ("one", "two")) == 5, 30)
    asked = await ben.all("Import *vip.csv* into which group?")
    assert len(asked) == 1
    await ben.choose(asked[0], "vip")
    imported = await ben.sees("300 imported")
    assert "now has 300 customers" in words(imported)
    assert len(await ben.all("*vip.csv* →")) == 1


async def a_preview_of_one_is_confirmed_at_the_other(fleet: Fleet) -> None:
    ben = fleet.ben
    fleet.balancer.begin_with("one")
    preview = await ben.answer("/sms-send group:vip template:spring")
    assert not fleet.carrier.log
    fleet.balancer.begin_with("two")
    await ben.press(preview, "Send to 300 customers")
    await ben.sees("Task 1 is sending to 300 customers")
    assert (worked(fleet, "one")["/sms-send"], worked(fleet, "two")["send_confirm"]) == (1, 1)


async def a_form_of_one_is_submitted_to_the_other(fleet: Fleet) -> None:
    """What is wrong with it stands under its field, too, whoever opened it."""
    ben = fleet.ben
    fleet.balancer.begin_with("two")
    await ben.command("/sms-enter")
    form = await ben.form()
    fleet.balancer.begin_with("one")
    staff = {"name": "staff", "sms_type": "Notification"}
    errors = await ben.fill(form, numbers="nobody", **staff)
    assert errors["numbers"].startswith("Line 1 (nobody): ")
    fleet.balancer.begin_with("one")
    assert await ben.fill(form, numbers="\n".join(STAFF), **staff) == {}
    await ben.sees("*3 imported*")
    assert (worked(fleet, "two")["/sms-enter"], worked(fleet, "one")["enter_form"]) == (1, 2)


async def a_button_pressed_at_both_at_once_makes_one_task(fleet: Fleet) -> None:
    ben = fleet.ben
    preview = await ben.answer("/sms-send group:staff template:spring")
    confirmed = {name: worked(fleet, name)["send_confirm"] for name in ("one", "two")}
    await asyncio.gather(*(ben.press(preview, "Send to 3 customers") for _ in range(2)))
    await ben.sees("Task 2 is sending to 3 customers")
    await ben.sees("This is task 2 already")
    assert {name: worked(fleet, name)["send_confirm"] for name in confirmed} == {
        name: before + 1 for name, before in confirmed.items()
    }


async def each_result_comes_once(fleet: Fleet) -> None:
    ben = fleet.ben
    for task in (1, 2):
        await ben.sees(f"Result of task {task}")
    for task in (1, 2):
        assert len(await ben.all(f"Result of task {task}")) == 1
        assert len(await ben.all(f"(task {task})")) == 1
    assert not await ben.all("task 3")


def both_did_their_part(fleet: Fleet) -> None:
    """The event, the first press or the second: neither was told of it for nothing, and nothing was beyond it."""
    for name in ("one", "two"):
        assert worked(fleet, name).keys() >= {"message", "send_confirm"}
        assert '"level": "error"' not in fleet.log(name), fleet.log(name)


def worked(fleet: Fleet, name: str) -> Counter[str]:
    """What a `run` has answered, by route."""
    lines = map(json.loads, fleet.log(name).splitlines())
    return Counter(line["route"] for line in lines if line["event"] == "request.worked")
