"""The whole life of a send task, lived by Ben on the page in a real browser.

`docs/parity.md` lists the steps by the names of these functions.
"""

from __future__ import annotations

import asyncio
import base64
import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import Ended
from tests.e2e.lists import CustomerList, clean_list, read_xlsx
from tests.e2e.page import (
    DROP,
    LONG,
    NAMES,
    browsing,
    composer,
    download,
    find_browser,
    held,
    post,
    private,
    type_command,
)
from tests.e2e.world import World, running

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

SCENARIO = "the life of a task in a browser"
BENS_ZONE = ZoneInfo("America/New_York")
# More than all connections take at once, so that there is a half way.
CUSTOMERS, FAILING = 8_000, ["001"] * 12 + ["005"] * 6


async def run(_name: str, folder: Path) -> None:
    browser = find_browser()
    if browser is None:
        return
    customers = await asyncio.to_thread(clean_list, folder / "customers.csv", CUSTOMERS, 1, FAILING)
    async with running(folder / "data") as world, browsing(world.url, browser) as page:
        await fill_a_group(page, customers)
        await create_for_tomorrow(page)
        await find_in_the_list(page)
        await edit_the_time_and_the_name(page)
        await copy_a_task(page)
        await cancel_it(page)
        await delete_it(page)
        await send_now_and_pause(world, page)
        await stop_halfway(world, page)
        await look_at_the_details(page)
        failing = await get_every_file(page, customers)
        await resend_to_failed(world, page, failing)


@pytest.mark.parametrize("scenario", [SCENARIO])
def test_a_task_lives_its_whole_life_on_the_page(side_by_side: Ended, scenario: str) -> None:
    if find_browser() is None:
        reason = f"no browser here ({', '.join(NAMES)})"
        assert not os.environ.get("REQUIRE_BROWSER"), reason
        pytest.skip(reason)
    side_by_side.check(scenario)


async def fill_a_group(page: Page, customers: CustomerList) -> None:
    await composer(page).click()
    await type_command(page, "/sms-groups create name:vip type:notification")
    zone = await page.get_by_role("main").element_handle()
    content = base64.b64encode(await asyncio.to_thread(customers.path.read_bytes)).decode()
    await page.evaluate(DROP, [zone, "customers.csv", content])
    await expect(page.get_by_role("list", name="Files to send")).to_contain_text("customers.csv")
    await composer(page).fill("group:vip")
    await composer(page).press("Enter")
    await expect(post(page, "customers.csv → vip")).to_contain_text("8,000 imported")


async def create_for_tomorrow(page: Page) -> None:
    """Name, group, template and time; the preview says the moment it understood."""
    preview = await type_command(page, '/sms-send group:vip template:spring at:"tomorrow 10:00" name:"spring opening"')
    tomorrow = datetime.now(BENS_ZONE) + timedelta(days=1)
    await expect(preview).to_contain_text(f"{tomorrow.day} {tomorrow:%b} {tomorrow.year}, 10:00 (America/New_York")
    await preview.get_by_role("button", name="Schedule for 8,000 customers").click()
    await expect(preview).to_contain_text("Task 1 is scheduled for")


async def find_in_the_list(page: Page) -> None:
    """By name and status, by another status, by who made it."""
    await composer(page).click()
    found = await type_command(page, "/sms-tasks name:opening status:scheduled by:me")
    await expect(found).to_contain_text("1 · spring opening, spring to vip · scheduled")
    await expect(await type_command(page, "/sms-tasks status:finished")).to_contain_text("No send task is like")


async def edit_the_time_and_the_name(page: Page) -> None:
    """Edit… beside the task: its form shows how it is."""
    listed = await type_command(page, "/sms-tasks")
    await listed.get_by_role("button", name="Edit…").click()
    form = page.get_by_role("dialog", name="Edit task 1")
    await expect(form.get_by_label("Name")).to_have_value("spring opening")
    await form.get_by_label("When").fill("soon")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_contain_text("I do not understand the time soon.")
    await form.get_by_label("When").fill("tomorrow 11:30")
    await form.get_by_label("Name").fill("grand opening")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_have_count(0)
    await expect(private(page, "Task 1 is changed:")).to_contain_text("11:30 (America/New_York")
    await expect(post(page, "(task 1)")).to_contain_text("tomorrow at 11:30 AM")
    await expect(post(page, "(task 1)")).to_contain_text("grand opening, spring to vip")


async def copy_a_task(page: Page) -> None:
    """Details, then Copy: the same again as a preview, to be sent now; this one is not."""
    await composer(page).click()
    details = await type_command(page, "/sms-task 1")
    await details.get_by_role("button", name="Copy").click()
    preview = await held(private(page, "Preview · nothing has been sent yet").last)
    await expect(preview.get_by_role("button", name="Send to 8,000 customers")).to_be_visible()
    await preview.get_by_role("button", name="Don't send").click()
    await expect(preview).to_contain_text("Nothing was sent.")


async def cancel_it(page: Page) -> None:
    """Cancel beside the task, confirmed."""
    await composer(page).click()
    listed = await type_command(page, "/sms-tasks status:scheduled")
    await listed.get_by_role("button", name="Cancel").click()
    await confirm(page, "Cancel task 1?", "Cancel the task")
    await expect(private(page, "Task 1 is cancelled. None of its 8,000 messages was sent")).to_be_visible()
    await expect(post(page, "(task 1)")).to_contain_text("before it began. Nothing was sent")


async def delete_it(page: Page) -> None:
    """Delete beside the task, confirmed; a refresh no longer shows it, the history does."""
    await composer(page).click()
    listed = await type_command(page, "/sms-tasks")
    await listed.get_by_role("button", name="Delete").click()
    await confirm(page, "Delete task 1?", "Delete it")
    await expect(private(page, "Task 1 is off the list.")).to_be_visible()
    await listed.get_by_role("button", name="Refresh").click()
    await expect(listed).to_contain_text("No send tasks yet.")
    await composer(page).click()
    gone = await type_command(page, "/sms-tasks status:deleted")
    await expect(gone).to_contain_text("1 · grand opening, spring to vip · deleted")


async def send_now_and_pause(world: World, page: Page) -> None:
    """The first batch goes, and then it waits until somebody goes on."""
    # Every request waits, just within the bot's patience of 10 s: a slow page must still find a task to stop.
    world.carrier.inject("delay", count=1_000, seconds=9)
    preview = await type_command(page, "/sms-send group:vip template:spring")
    await preview.get_by_role("button", name="Send to 8,000 customers").click()
    sending = post(page, "(task 2)")
    await expect(sending).to_contain_text("of 8,000 customers handed over")
    await sending.get_by_role("button", name="Pause").click()
    await expect(private(page, "Task 2 is paused:")).to_be_visible()
    await expect(sending).to_contain_text("Paused by")
    await sending.get_by_role("button", name="Go on").click()
    await expect(private(page, "Task 2 goes on:")).to_be_visible()


async def stop_halfway(world: World, page: Page) -> None:
    """Stop on the task's post; the answer and the post say exactly what left."""
    sending = post(page, "(task 2)")
    await sending.get_by_role("button", name="Stop").click()
    await confirm(page, "Stop task 2?", "Stop sending")
    await expect(private(page, "Task 2 is stopped:")).to_be_visible()
    world.carrier.faults.clear()
    result = post(page, "Result of task 2")
    await expect(result).to_be_visible(timeout=LONG)
    await expect(result).to_contain_text("Held back")
    assert 0 < len(world.carrier.log) < CUSTOMERS, "halfway"


async def look_at_the_details(page: Page) -> None:
    """Counts, times, the messages in pages with masked numbers, one found by its last digits."""
    await post(page, "Result of task 2").get_by_role("button", name="Details").click()
    details = await held(private(page, "Task 2 · spring to vip · stopped").last)
    await expect(details).to_contain_text("Messages 1 to 6 of 8,000")
    await expect(details).to_contain_text("****")
    await details.get_by_role("button", name="Next").click()
    await expect(details).to_contain_text("Messages 7 to 12 of 8,000")
    await details.get_by_role("button", name="Find a number…").click()
    form = page.get_by_role("dialog", name="Task 2")
    await form.get_by_label("Number").fill("99999999")
    await form.get_by_role("button", name="Find").click()
    await expect(details).to_contain_text("No number of this task is 99999999 or ends so.")


async def get_every_file(page: Page, customers: CustomerList) -> dict[str, str]:
    """Everything as xlsx by direct message. Returns the failed numbers with their codes."""
    await post(page, "Result of task 2").get_by_role("button", name="Files…").click()
    form = page.get_by_role("dialog", name="Files of task 2")
    await form.get_by_role("radio", name="Everything (8,000)").check()
    await form.get_by_role("button", name="Send it to me").click()
    await expect(private(page, "The 8,000 numbers of task 2 are in our direct messages.")).to_be_visible(timeout=LONG)
    channels = page.get_by_role("navigation", name="Channels")
    await channels.get_by_role("link", name="sms").click()
    header, *rows = read_xlsx(await download(page, page.get_by_role("log"), "task-2-numbers.xlsx"))
    assert header[:2] == ("Number", "Result")
    assert {row[0] for row in rows} == customers.numbers
    await channels.get_by_role("link", name="marketing").click()
    failing = {str(row[0]): str(row[2]) for row in rows if row[1] in ("failed", "refused")}
    handed_over = {str(row[0]) for row in rows if row[1] != "held back"}
    assert failing == {number: code for number, code in customers.failing().items() if number in handed_over}
    return failing


async def resend_to_failed(world: World, page: Page, failing: dict[str, str]) -> None:
    """Resend to failed on the result: a preview of exactly those, then a task of its own."""
    assert failing
    before = world.taken()
    await post(page, "Result of task 2").get_by_role("button", name="Resend to failed").click()
    preview = await held(private(page, "in the failed messages of task 2").last)
    await preview.get_by_role("button", name=f"Send to {len(failing)} customer").click()
    await expect(preview).to_contain_text("Task 3 is sending to")
    await expect(post(page, "Result of task 3")).to_be_visible(timeout=LONG)
    again = world.taken() - before
    refused = {number for number, code in failing.items() if code == "E200025"}
    assert set(again) == failing.keys() - refused, "exactly those that failed"
    assert set(again.values()) <= {1}


async def confirm(page: Page, title: str, button: str) -> None:
    """Slack's question before a button does its work."""
    question: Locator = page.get_by_role("dialog", name=title)
    await question.get_by_role("button", name=button, exact=True).click()
    await expect(question).to_have_count(0)
