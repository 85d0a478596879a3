"""Ben at a real browser: the main job as a person does it on the page."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.async_api import Locator, Page, async_playwright, expect

from tests.e2e.expected import TEXT, check_rejects, counts_line, refused
from tests.e2e.lists import CustomerList, read_xlsx
from tests.e2e.person import BEN, MARKETING
from tests.e2e.world import World

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic"),
)
DROP = """
([zone, name, content]) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  for (const type of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
}
"""
SHORT, LONG = 15_000.0, 60_000.0


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def browsing(url: str, program: str) -> AsyncIterator[Page]:
    """Ben's browser at #marketing. Nothing the page does may fail unseen."""
    expect.set_options(timeout=SHORT)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(SHORT)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        await page.goto(f"{url}/?user={BEN}&channel={MARKETING}")
        yield page
        await browser.close()
    assert not troubles


async def the_main_job_on_the_page(world: World, page: Page, customers: CustomerList) -> None:
    """Steps 1 to 4."""
    await drop_the_file_into_a_new_group(page, customers)
    await look_into_the_reject_file(page, customers)
    await preview_and_send(world, page)
    await read_the_result(world, page, customers)
    await get_the_failed_numbers(page, customers)
    await schedule_list_and_cancel(page)
    await expect(await type_command(page, "/sms-help")).to_contain_text("Bulk SMS from this channel, in three steps")


async def drop_the_file_into_a_new_group(page: Page, customers: CustomerList) -> None:
    zone = await page.get_by_role("main").element_handle()
    content = base64.b64encode(await asyncio.to_thread(customers.path.read_bytes)).decode()
    await page.evaluate(DROP, [zone, customers.path.name, content])
    await expect(page.get_by_role("list", name="Files to send")).to_contain_text("customers.xlsx")
    await composer(page).press("Enter")
    question = private(page, "Import customers.xlsx into which group?")
    await question.get_by_role("button", name="New group…").click()
    form = page.get_by_role("dialog", name="New group")
    await form.get_by_role("textbox", name="Group name").fill("vip")
    await form.get_by_role("radio", name="Notification").check()
    await form.get_by_role("button", name="Create and import").click()
    await expect(form).to_have_count(0)
    imported = post(page, "customers.xlsx → vip")
    await expect(imported).to_contain_text(counts_line(customers), timeout=LONG)
    await expect(imported).to_contain_text("now has 8,000 customers")


async def look_into_the_reject_file(page: Page, customers: CustomerList) -> None:
    await page.get_by_role("log").get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread).to_contain_text("The 800 rows of customers.xlsx that I left out, and why.")
    check_rejects(await download(page, thread, "customers - not imported.xlsx"), customers)
    await thread.get_by_role("button", name="Close thread").click()


async def preview_and_send(world: World, page: Page) -> None:
    # Nothing is answered until the progress was seen, within the bot's patience of 10 s.
    world.carrier.inject("delay", count=1_000, seconds=9)
    preview = await type_command(page, "/sms-send group:vip template:spring")
    await expect(preview.locator("pre")).to_have_text(TEXT)
    await expect(preview).to_contain_text("8,000 in vip")
    await expect(preview).to_contain_text("1 each · 8,000 in total")
    assert not world.carrier.log
    await preview.get_by_role("button", name="Send to 8,000 customers").click()
    await expect(preview).to_contain_text("Task 1 is sending to 8,000 customers")
    await expect(preview.get_by_role("button", name="Send to")).to_have_count(0)
    posted = await held(post(page, "of 8,000 customers handed over"))
    world.carrier.faults.clear()
    await expect(posted).to_contain_text("8,000 customers handed over to the carrier in", timeout=LONG)


async def read_the_result(world: World, page: Page, customers: CustomerList) -> None:
    result = post(page, "Result of task 1")
    await expect(result).to_be_visible(timeout=LONG)
    failing, accepted = len(customers.failing()), len(world.carrier.log)
    assert accepted == 8000 - len(refused(customers))
    await expect(result).to_contain_text(f"{8000 - failing:,} · 99.7 %")
    await expect(result).to_contain_text(f"{failing} · 0.3 %")
    await expect(result).to_contain_text("0 · 0 %")


async def get_the_failed_numbers(page: Page, customers: CustomerList) -> None:
    await post(page, "Result of task 1").get_by_role("button", name="Failed numbers (xlsx)").click()
    await expect(private(page, "The 21 failed numbers of task 1 are in our direct messages.")).to_be_visible()
    channels = page.get_by_role("navigation", name="Channels")
    await channels.get_by_role("link", name="sms").click()
    header, *rows = read_xlsx(await download(page, page.get_by_role("log"), "task-1-failed-numbers.xlsx"))
    assert header[0] == "Number"
    assert len(rows) == 21
    assert {row[0]: row[2] for row in rows} == customers.failing()
    await channels.get_by_role("link", name="marketing").click()


async def schedule_list_and_cancel(page: Page) -> None:
    tomorrow = datetime.now(ZoneInfo("America/New_York")) + timedelta(days=1)
    preview = await type_command(page, '/sms-send group:vip template:spring at:"tomorrow 10:00"')
    await expect(preview).to_contain_text(f"{tomorrow.day} {tomorrow:%b} {tomorrow.year}, 10:00 (America/New_York")
    await preview.get_by_role("button", name="Schedule for 8,000 customers").click()
    await expect(preview).to_contain_text("Task 2 is scheduled for")
    await expect(post(page, "(task 2)")).to_contain_text("tomorrow at 10:00 AM")
    listed = await type_command(page, "/sms-tasks")
    await expect(listed).to_contain_text("2 · spring to vip · scheduled")
    await expect(listed).to_contain_text("7,979 delivered, 21 failed, 0 unknown")
    await expect(await type_command(page, "/sms-cancel 2")).to_contain_text("None of its 8,000 messages was sent")
    await expect(post(page, "(task 2)")).to_contain_text("before it began. Nothing was sent")


def composer(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message #marketing")


async def type_command(page: Page, line: str) -> Locator:
    """Type it as a person does, with the completion in the way, and wait for the private answer."""
    answers = private(page)
    before = await answers.count()
    await composer(page).press_sequentially(line)
    await composer(page).press("Enter")
    await expect(answers).to_have_count(before + 1)
    return await held(answers.last)


def private(page: Page, text: str = "") -> Locator:
    """What only Ben sees."""
    articles = page.get_by_role("log").get_by_role("article")
    return articles.filter(has_text="Only visible to you").filter(has_text=text)


def post(page: Page, text: str) -> Locator:
    """A message that the whole channel sees."""
    articles = page.get_by_role("log").get_by_role("article")
    return articles.filter(has_not_text="Only visible to you").filter(has_text=text)


async def held(message: Locator) -> Locator:
    """The same message also when its text has changed."""
    return message.page.locator(f'article[data-ts="{await message.get_attribute("data-ts")}"]')


async def download(page: Page, where: Locator, name: str) -> bytes:
    """Click a file's download link and read what was saved."""
    async with page.expect_download() as downloading:
        await where.get_by_role("link", name=f"Download {name}").click()
    saved = await (await downloading.value).path()
    return await asyncio.to_thread(saved.read_bytes)
