"""A file for one send alone, tested first and then sent; typed numbers; the whole pool."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.conftest import Ended
from tests.e2e.person import BEN, Person, fields, words
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

SCENARIO = "every source of recipients"
FILE = "Mobile,Name\n13900010011,Ana\n13900010012,Ben\n13900010011,Ana\n12345,Cy\n"


async def run(name: str, folder: Path) -> None:
    path = folder / "may.csv"
    await asyncio.to_thread(path.write_text, FILE, "utf-8")
    async with running(folder / "data") as world:
        ben = world.person(BEN)
        await a_file_is_tested_and_sent_to(world, ben, path)
        await typed_numbers_are_sent_to(world, ben)
        await the_pool_is_sent_to(world, ben, path)


@pytest.mark.parametrize("scenario", [SCENARIO])
def test_every_source_of_recipients_is_sent_to(side_by_side: Ended, scenario: str) -> None:
    side_by_side.check(scenario)


async def a_file_is_tested_and_sent_to(world: World, ben: Person, path: Path) -> None:
    await ben.upload(path)
    await ben.press(await ben.sees("Import *may.csv* into which group?"), "Use for one send only")
    read = await ben.sees("for one send only, in no group")
    assert read["text"] == "2 imported · 1 duplicate and 1 invalid removed · you are not charged for those"
    await ben.press(read, "Send SMS")
    assert await ben.fill(await ben.form(), template="spring") == {}
    preview = await ben.sees("2 in *may.csv*")
    await ben.press(preview, "Test send")
    form = await ben.form()
    assert list(await ben.fill(form, own="139")) == ["own"]
    assert await ben.fill(form, own="13900010099") == {}
    await ben.sees("The test to 1 number is on its way as task 1")
    await ben.sees("a test of *spring* to typed numbers (task 1)")
    await ben.sees("Result of test task 1")
    assert world.taken() == {"+8613900010099": 1}
    await ben.press(preview, "Send to 2 customers")
    await ben.sees("*spring* to the numbers of *may.csv* (task 2)")
    await ben.sees("Result of task 2")
    assert world.taken() == {f"+86139000100{end}": 1 for end in (99, 11, 12)}


async def typed_numbers_are_sent_to(world: World, ben: Person) -> None:
    await ben.command("/sms-send")
    assert await ben.fill(await ben.form(), template="spring", numbers="13900010021\n13900010022") == {}
    preview = await ben.sees("2 typed numbers")
    assert fields(preview)["Segments"] == "1 each · 2 in total"
    await ben.press(preview, "Test send")
    test = await ben.form()
    assert test["blocks"][0]["element"]["initial_value"] == "+8613900010099", "as last time"
    assert await ben.fill(test, own="+8613900010099") == {}
    await ben.sees("Result of test task 3")
    await ben.press(preview, "Send to 2 customers")
    await ben.sees("*spring* to typed numbers (task 4)")
    await ben.sees("Result of task 4")
    assert world.taken()["+8613900010022"] == 1


async def the_pool_is_sent_to(world: World, ben: Person, path: Path) -> None:
    await ben.command("/sms-groups create name:friends type:notification")
    await ben.sees("Group *friends* is there")
    await ben.upload(path, "group:friends")
    await ben.sees("now has 2 customers")
    preview = await ben.answer("/sms-send pool template:spring")
    assert "2 in the whole pool" in words(preview)
    await ben.press(preview, "Send to 2 customers")
    await ben.sees("*spring* to the whole pool (task 5)")
    await ben.sees("Result of task 5")
    assert world.taken()["+8613900010011"] == 2
