"""The main job, three ways: a file becomes a group, a template is sent to it, the result comes back."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.conftest import Ended
from tests.e2e.expected import ENDINGS, TEXT, check_rejects, counts_line, refused
from tests.e2e.lists import CustomerList, messy_list, read_xlsx
from tests.e2e.page import NAMES, browsing, find_browser, the_main_job_on_the_page
from tests.e2e.person import BEN, BEN_IM, Message, Person, fields, words
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

NEW_YORK = ZoneInfo("America/New_York")
SOCKET, HTTP, BROWSER = "over socket mode", "over signed http requests", "in a browser"


async def run(name: str, folder: Path) -> None:
    browser = find_browser() if name == BROWSER else None
    if name == BROWSER and browser is None:
        return
    customers = await asyncio.to_thread(messy_list, folder / "customers.xlsx", 10_000 if browser else 1000, ENDINGS)
    async with running(folder / "data", http=name == HTTP) as world:
        if browser:
            async with browsing(world.url, browser) as page:
                await the_main_job_on_the_page(world, page, customers)
        else:
            await the_main_job_over_the_protocol(world, world.person(BEN), customers)
        assert world.taken() == dict.fromkeys(customers.numbers - refused(customers), 1)


@pytest.mark.parametrize("scenario", [SOCKET, HTTP, pytest.param(BROWSER, marks=pytest.mark.browser)])
def test_a_dropped_file_becomes_a_group_and_is_sent_to(side_by_side: Ended, scenario: str) -> None:
    if scenario == BROWSER and find_browser() is None:
        reason = f"no browser here ({', '.join(NAMES)}), so the main job is tested over Slack's protocol alone"
        assert not os.environ.get("REQUIRE_BROWSER"), reason
        pytest.skip(reason)
    side_by_side.check(scenario)


async def the_main_job_over_the_protocol(world: World, ben: Person, customers: CustomerList) -> None:
    """Steps 1 to 4."""
    await a_file_becomes_a_group(ben, customers)
    await the_group_is_sent_to(world, ben, customers)
    await the_failed_numbers_come_privately(world, ben, customers)
    await a_task_is_scheduled_listed_and_cancelled(ben, customers)
    await help_explains_it(ben)


async def a_file_becomes_a_group(ben: Person, customers: CustomerList) -> None:
    """Step 1, with a group made on the way."""
    await ben.upload(customers.path, "customers of this spring")
    question = await ben.sees("Import *customers.xlsx* into which group?")
    assert question["ephemeral"]
    await ben.press(question, "New group…")
    assert await ben.fill(await ben.form(), name="vip", sms_type="Notification") == {}
    imported = await ben.sees("imported · ")
    assert imported["text"] == counts_line(customers)
    assert len(await ben.all("customers.xlsx* →")) == 1
    assert "now has 800 customers" in words(imported)
    dropped = await ben.sees("customers of this spring")
    rejects = await ben.sees(lambda message: message.get("thread_ts") == dropped["ts"] and "files" in message)
    assert rejects["files"][0]["name"] == "customers - not imported.xlsx"
    check_rejects(await ben.file(rejects), customers)


async def the_group_is_sent_to(world: World, ben: Person, customers: CustomerList) -> None:
    """Steps 2 and 3."""
    preview = await ben.answer("/sms-send group:vip template:spring")
    assert verbatim(preview) == TEXT
    shown = words(preview)
    assert "800 in *vip*" in shown
    assert "1 each · 800 in total" in shown
    assert "Now, as soon as you press the button" in shown
    assert not world.carrier.log
    await ben.press(preview, "Send to 800 customers")
    posted = await ben.sees("*spring* to *vip* (task 1)")
    assert posted["text"].startswith(f"<@{BEN}>")
    assert not posted.get("ephemeral")
    finished = await ben.sees("800 customers handed over to the carrier")
    assert finished["ts"] == posted["ts"]
    assert not await ben.all("Send to 800 customers")
    result = await ben.sees("Result of task 1")
    failing = len(customers.failing())
    assert fields(result) == {
        "Delivered": f"779 · {779 / 8:.1f} %",
        "Failed": f"{failing} · {failing / 8:.1f} %",
        "Unknown": "0 · 0 %",
    } | {"Took": fields(result)["Took"]}


async def the_failed_numbers_come_privately(world: World, ben: Person, customers: CustomerList) -> None:
    """The file of step 3: by direct message to who pressed the button."""
    await ben.press(await ben.sees("Result of task 1"), "Failed numbers (xlsx)")
    sent = await world.person(BEN, BEN_IM).sees(lambda message: "files" in message)
    header, *rows = read_xlsx(await ben.file(sent))
    assert header[:6] == ("Number", "Result", "Carrier code", "What it means", "SMS ID", "Time (UTC)")
    assert {row[0]: row[2] for row in rows} == customers.failing()
    assert len(rows) == len(customers.failing())
    assert {row[0] for row in rows if row[1] == "refused"} == refused(customers)
    assert (await ben.sees("are in our direct messages"))["ephemeral"]


async def a_task_is_scheduled_listed_and_cancelled(ben: Person, customers: CustomerList) -> None:
    """Step 4, with times as Ben in New York means them."""
    tomorrow = datetime.now(NEW_YORK) + timedelta(days=1)
    at = f"{tomorrow:%a} {tomorrow.day} {tomorrow:%b} {tomorrow.year}, 10:00 (America/New_York, UTC"
    preview = await ben.answer('/sms-send group:vip template:spring at:"tomorrow 10:00"')
    assert at in fields(preview)["When"]
    await ben.press(preview, "Schedule for 800 customers")
    assert at in words(await ben.sees("Task 2 is scheduled for"))
    await ben.sees("`/sms-cancel 2` takes it back")
    listed = await ben.answer("/sms-tasks")
    assert "*2* · *spring* to *vip* · *scheduled*" in words(listed)
    assert "*1* · *spring* to *vip* · *finished*\n779 delivered, 21 failed, 0 unknown" in words(listed)
    assert "*1*" not in words(await ben.answer("/sms-tasks status:scheduled"))
    assert "None of its 800 messages was sent" in words(await ben.answer("/sms-cancel 2"))
    await ben.sees("before it began. Nothing was sent")
    assert words(await ben.answer("/sms-cancel 2")).startswith("Task 2 is cancelled, and only a scheduled task can")


async def help_explains_it(ben: Person) -> None:
    shown = words(await ben.answer("/sms-help"))
    for command in ("/sms-send", "/sms-tasks", "/sms-cancel", "/sms-stop", "/sms-groups", "/sms-help"):
        assert f"`{command}" in shown


def verbatim(preview: Message) -> str:
    """The text in the box of a preview."""
    (box,) = (block for block in preview["blocks"] if block["type"] == "rich_text")
    return str(box["elements"][0]["elements"][0]["text"])
