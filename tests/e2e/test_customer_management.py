"""Every step of the console's Customer Management, done by Ben on the page in a real browser.

`docs/parity.md` lists the steps by the names of these functions.
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import Ended
from tests.e2e.page import DROP, NAMES, browsing, composer, download, find_browser, held, post, private, type_command
from tests.e2e.world import World, running

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

SCENARIO = "customer management in a browser"
FILLED = (("13900000001", "王伟"), ("13900000002", "李娜"), ("85261234567", "Chan"), ("13900000001", "again"))


async def run(_name: str, folder: Path) -> None:
    browser = find_browser()
    if browser is None:
        return
    async with running(folder / "data") as world, browsing(world.url, browser) as page:
        template = await import_into_a_new_group(page)
        await import_into_an_existing_group(page, template)
        await enter_into_a_new_group(page)
        await enter_into_an_existing_group(page)
        await create_a_group(page)
        await import_and_enter_from_a_group(page, template)
        await look_into_the_pool(page)
        await send_from_a_group(world, page)


@pytest.mark.parametrize("scenario", [SCENARIO])
def test_every_step_of_customer_management_is_done_on_the_page(side_by_side: Ended, scenario: str) -> None:
    if find_browser() is None:
        reason = f"no browser here ({', '.join(NAMES)})"
        assert not os.environ.get("REQUIRE_BROWSER"), reason
        pytest.skip(reason)
    side_by_side.check(scenario)


async def import_into_a_new_group(page: Page) -> bytes:
    """SMS type, template and file, a new group. Returns the template, filled in."""
    form = await open_form(page, "/sms-import", "Import numbers")
    await form.get_by_label("New group", exact=True).fill("spring list")
    await form.get_by_role("radio", name="Promotional").check()
    await submit(form, "Next")
    answer = private(page, 'group:"spring list"')
    await answer.get_by_role("button", name="Download the template").click()
    await expect(private(page, "The template is in our direct messages.")).to_be_visible()
    channels = page.get_by_role("navigation", name="Channels")
    await channels.get_by_role("link", name="sms").click()
    name = await page.get_by_role("link", name="Download ").get_attribute("download")
    assert name is not None
    filled = fill_in(await download(page, page.get_by_role("log"), name))
    await channels.get_by_role("link", name="marketing").click()
    await drop(page, "filled in.xlsx", filled, 'group:"spring list"')
    imported = post(page, "filled in.xlsx → spring list")
    await expect(imported).to_contain_text(
        "3 imported · 1 of these read as country code + number · 1 duplicate removed"
    )
    return filled


async def import_into_an_existing_group(page: Page, filled: bytes) -> None:
    """The same group again, chosen in the menu: nothing new comes in."""
    form = await open_form(page, "/sms-import", "Import numbers")
    await form.get_by_label("Existing group").select_option(label="spring list · promotional · 3")
    await submit(form, "Next")
    await expect(private(page, 'group:"spring list"').last).to_be_visible()
    await drop(page, "again.xlsx", filled, 'group:"spring list"')
    await expect(post(page, "again.xlsx → spring list")).to_contain_text("0 imported · 3 already in the group")


async def enter_into_a_new_group(page: Page) -> None:
    """SMS type, numbers one a line, a new group; a wrong line is named, and nothing typed is lost.

    The console's own example, 8526666XXXX, is in no range that the metadata knows: a person may know better.
    """
    form = await open_form(page, "/sms-enter", "Enter numbers")
    numbers = form.get_by_label("Mobile numbers")
    await numbers.fill("13714810001\n85266660001\n1371481")
    await form.get_by_label("Or a new group").fill("friends")
    await form.get_by_role("radio", name="Notification").check()
    await form.get_by_role("button", name="OK").click()
    await expect(form).to_contain_text("Line 2 (85266660001): in no assigned range. Line 3 (1371481): too short.")
    await expect(numbers).to_have_value("13714810001\n85266660001\n1371481")
    await numbers.fill("13714810001\n85266660001\n13714810003")
    await form.get_by_role("checkbox", name="Take landlines and those in no assigned range as well").check()
    await submit(form, "OK")
    entered = private(page, "3 imported · 1 of these read as country code + number")
    await expect(entered).to_contain_text("typed numbers → friends, which now has 3 customers")


async def enter_into_an_existing_group(page: Page) -> None:
    """The group named in the command is chosen in the form; the wrong line is left out."""
    form = await open_form(page, "/sms-enter group:friends", "Enter numbers")
    await form.get_by_label("Mobile numbers").fill("13714810001\n13714810004\nnobody")
    await form.get_by_role("checkbox", name="Take the right ones and leave these out").check()
    await submit(form, "OK")
    await expect(private(page, "1 imported · 1 already in the group · 1 wrong left out")).to_be_visible()
    form = await open_form(page, "/sms-enter group:friends", "Enter numbers")
    await form.get_by_label("Mobile numbers").fill("13714810005\n021 6437 4321")
    await form.get_by_role("checkbox", name="Take the right ones and leave these out").check()
    await submit(form, "OK")
    entered = await held(private(page, "1 imported · 1 set aside"))
    await entered.get_by_role("button", name="Keep this one anyway").click()
    await expect(entered).to_contain_text("2 imported")
    await entered.get_by_role("button", name="Undo").click()
    await page.get_by_role("dialog", name="Undo?").get_by_role("button", name="Undo").click()
    await expect(entered).to_contain_text("Undone: the 2 numbers that you added are out of friends.")


async def create_a_group(page: Page) -> None:
    """SMS type and name."""
    await composer(page).click()
    listed = await type_command(page, "/sms-groups")
    await listed.get_by_role("button", name="New group…").click()
    form = page.get_by_role("dialog", name="New group")
    await form.get_by_label("Group name").fill("regulars")
    await form.get_by_role("radio", name="Notification").check()
    await submit(form, "Create")
    await expect(private(page, "Group regulars is there, for notification SMS.")).to_be_visible()


async def import_and_enter_from_a_group(page: Page, filled: bytes) -> None:
    """What the console keeps behind More stands beside the group."""
    await composer(page).click()
    listed = await type_command(page, "/sms-groups name:regulars")
    await expect(listed).to_contain_text("0 customers · no import yet · never sent to")
    await listed.get_by_role("button", name="Import file").click()
    await expect(private(page, "group:regulars beside it")).to_be_visible()
    await drop(page, "regulars.xlsx", filled, "group:regulars")
    await expect(post(page, "regulars.xlsx → regulars")).to_contain_text("3 imported")
    await listed.get_by_role("button", name="Enter numbers").click()
    form = page.get_by_role("dialog", name="Enter numbers")
    await expect(form.get_by_label("Existing group")).to_contain_text("regulars")
    await form.get_by_label("Mobile numbers").fill("13714810009")
    await submit(form, "OK")
    await expect(private(page, "typed numbers → regulars, which now has 4 customers")).to_be_visible()


async def look_into_the_pool(page: Page) -> None:
    """All numbers that are held, then one of them."""
    await composer(page).click()
    pool = await type_command(page, "/sms-pool")
    await expect(pool).to_contain_text("8 numbers in 3 groups")
    await composer(page).click()
    found = await type_command(page, "/sms-pool 13900000001")
    await expect(found).to_contain_text("filled in.xlsx, row")
    await expect(found).to_contain_text("regulars.xlsx, row")


async def send_from_a_group(world: World, page: Page) -> None:
    """Send SMS beside the group: the form with it chosen, the preview, the button."""
    await composer(page).click()
    listed = await type_command(page, "/sms-groups name:friends")
    await listed.get_by_role("button", name="Send SMS").click()
    form = page.get_by_role("dialog", name="Send SMS")
    await expect(form).to_contain_text("friends · notification · 4")
    await form.get_by_label("Template").select_option(label="spring · notification")
    await submit(form, "Preview")
    preview = await held(private(page, "3 in friends"))
    await expect(preview).to_contain_text("1 number is left out")
    await preview.get_by_role("button", name="Send to 3 customers").click()
    await expect(post(page, "3 customers handed over to the carrier")).to_be_visible()
    assert sorted(world.taken()) == ["+8613714810001", "+8613714810003", "+8613714810004"]


async def open_form(page: Page, line: str, title: str) -> Locator:
    await composer(page).click()
    await composer(page).press_sequentially(line)
    await composer(page).press("Enter")
    form = page.get_by_role("dialog", name=title)
    await expect(form).to_be_visible()
    return form


async def submit(form: Locator, button: str) -> None:
    await form.get_by_role("button", name=button, exact=True).click()
    await expect(form).to_have_count(0)


async def drop(page: Page, name: str, content: bytes, text: str) -> None:
    """Drop a file with some text beside it."""
    zone = await page.get_by_role("main").element_handle()
    await page.evaluate(DROP, [zone, name, base64.b64encode(content).decode()])
    await expect(page.get_by_role("list", name="Files to send")).to_contain_text(name)
    await composer(page).fill(text)
    await composer(page).press("Enter")
    await expect(page.get_by_role("list", name="Files to send")).to_have_count(0)


def fill_in(template: bytes) -> bytes:
    """Write numbers and names under the template's header, as a person would."""
    book = load_workbook(io.BytesIO(template))
    sheet = book.worksheets[0]
    header = next(row[0].row for row in sheet.iter_rows(max_col=1) if row[0].value == "Mobile")
    for row, (number, name) in enumerate(FILLED, start=header + 1):
        sheet.cell(row, 1).value, sheet.cell(row, 2).value = number, name
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()
