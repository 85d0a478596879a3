"""The main job over Slack's protocol alone: a file becomes a group, a template is sent to it, the result comes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.lists import CustomerList, messy_list, read_xlsx
from tests.e2e.person import BEN, BEN_IM, Message, Person, elements, words
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

NEW_YORK = ZoneInfo("America/New_York")
TEXT = "【云帆咖啡】春季营业时间：每天 08:00–22:00。我们在老地方等您。"
ENDINGS = ["001"] * 9 + ["002"] * 5 + ["003"] * 4 + ["005"] * 3


@pytest.mark.parametrize("http", [False, True], ids=["socket mode", "signed http requests"])
async def test_a_dropped_file_becomes_a_group_and_is_sent_to(tmp_path: Path, http: bool) -> None:
    customers = messy_list(tmp_path / "customers.xlsx", 2000, ENDINGS)
    async with running(tmp_path / "data", http=http) as world:
        ben = world.person(BEN)
        await a_file_becomes_a_group(ben, customers)
        await the_group_is_sent_to(world, ben, customers)
        await the_failed_numbers_come_privately(world, ben, customers)
        await a_task_is_scheduled_listed_and_cancelled(ben, customers)
        await help_explains_it(ben)
        assert world.taken() == dict.fromkeys(customers.numbers - refused(customers), 1)


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
    assert "now has 1,600 customers" in words(imported)
    dropped = await ben.sees("customers of this spring")
    rejects = await ben.sees(lambda message: message.get("thread_ts") == dropped["ts"] and "files" in message)
    assert rejects["files"][0]["name"] == "customers - not imported.xlsx"
    check_rejects(await ben.file(rejects), customers)


async def the_group_is_sent_to(world: World, ben: Person, customers: CustomerList) -> None:
    """Steps 2 and 3."""
    preview = await ben.answer("/sms-send group:vip template:spring")
    assert verbatim(preview) == TEXT
    shown = words(preview)
    assert "1,600 in *vip*" in shown
    assert "1 each · 1,600 in total" in shown
    assert "Now, as soon as you press the button" in shown
    assert not world.carrier.log
    await ben.press(preview, "Send to 1,600 customers")
    posted = await ben.sees("*spring* to *vip* (task 1)")
    assert posted["text"].startswith(f"<@{BEN}>")
    assert not posted.get("ephemeral")
    finished = await ben.sees("1,600 customers handed over to the carrier")
    assert finished["ts"] == posted["ts"]
    assert not await ben.all("Send to 1,600 customers")
    result = await ben.sees("Result of task 1")
    failing = len(customers.failing())
    assert fields(result) == {
        "Delivered": f"1,579 · {1579 / 16:.1f} %",
        "Failed": f"{failing} · {failing / 16:.1f} %",
        "Unknown": "0 · 0 %",
    } | {"Took": fields(result)["Took"]}


async def the_failed_numbers_come_privately(world: World, ben: Person, customers: CustomerList) -> None:
    """The file of step 3: by direct message to who pressed the button."""
    await ben.press(await ben.sees("Result of task 1"), "Failed numbers (xlsx)")
    sent = await world.person(BEN, BEN_IM).sees(lambda message: "files" in message)
    header, *rows = read_xlsx(await ben.file(sent))
    assert header == ("Number", "Result", "Carrier code", "SMS ID", "Time (UTC)")
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
    await ben.press(preview, "Schedule for 1,600 customers")
    assert at in words(await ben.sees("Task 2 is scheduled for"))
    await ben.sees("`/sms-cancel 2` takes it back")
    listed = await ben.answer("/sms-tasks")
    assert "*2* · *spring* to *vip* · *scheduled*" in words(listed)
    assert "*1* · *spring* to *vip* · *finished*\n1,579 delivered, 21 failed, 0 unknown" in words(listed)
    assert "*1*" not in words(await ben.answer("/sms-tasks status:scheduled"))
    assert "None of its 1,600 messages was sent" in words(await ben.answer("/sms-cancel 2"))
    await ben.sees("before it began. Nothing was sent")
    assert words(await ben.answer("/sms-cancel 2")).startswith("Task 2 is cancelled; only a scheduled task can be")


async def help_explains_it(ben: Person) -> None:
    shown = words(await ben.answer("/sms-help"))
    for command in ("/sms-send", "/sms-tasks", "/sms-cancel", "/sms-stop", "/sms-groups", "/sms-help"):
        assert f"`{command}" in shown


def counts_line(customers: CustomerList) -> str:
    """What an import says at its end."""
    return (
        f"{len(customers.numbers):,} imported · {customers.duplicates:,} duplicates and {customers.invalid:,} invalid "
        f"removed · {customers.landlines:,} set aside · you are not charged for those"
    )


def check_rejects(content: bytes, customers: CustomerList) -> None:
    """The reject file lists exactly what was left out: where, as it was typed, and why."""
    header, *rows = read_xlsx(content)
    assert header == ("Sheet", "Row", "Original value", "Reason", "Suggestion")
    assert [(row[1], row[2]) for row in rows] == list(customers.rejected)
    assert all(row[3] for row in rows)
    assert sum(row[3] == "a landline" for row in rows) == customers.landlines


def refused(customers: CustomerList) -> set[str]:
    """Those that the carrier does not take."""
    return {number for number in customers.numbers if number.endswith("005")}


def verbatim(preview: Message) -> str:
    """The text in the box of a preview."""
    (box,) = (block for block in preview["blocks"] if block["type"] == "rich_text")
    return str(box["elements"][0]["elements"][0]["text"])


def fields(message: Message) -> dict[str, str]:
    """The two columns of a message, by label."""
    shown = [field["text"] for block in message["blocks"] for field in block.get("fields", ())]
    return {label.strip("*"): value for label, _, value in (text.partition("\n") for text in shown)}


def buttons(message: Message) -> list[str]:
    """What its buttons say."""
    return [str(element["text"]["text"]) for element, _ in elements(message) if element["type"] == "button"]
