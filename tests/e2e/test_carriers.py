"""Each carrier of the demo does the main job's second half: a group is sent to, and every receipt comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.demo_carriers import CARRIERS
from tests.e2e.conftest import Ended
from tests.e2e.lists import clean_list
from tests.e2e.person import BEN, fields
from tests.e2e.world import running

pytestmark = pytest.mark.e2e

COUNT = 240
ENDINGS = ["001"] * 4 + ["002"] * 3 + ["003"] * 2 + ["005"] * 3
# The main job has Huawei's.
SCENARIOS = [f"with {carrier}" for carrier in CARRIERS if carrier != "huawei"]


async def run(name: str, folder: Path) -> None:
    customers = await asyncio.to_thread(clean_list, folder / "customers.csv", COUNT, 7, ENDINGS)
    async with running(folder / "data", carrier=name.removeprefix("with ")) as world:
        ben = world.person(BEN)
        await ben.upload(customers.path)
        await ben.press(await ben.sees("into which group?"), "New group…")
        assert await ben.fill(await ben.form(), name="vip", sms_type="Notification") == {}
        await ben.sees(f"{COUNT} imported")
        await ben.press(await ben.answer("/sms-send group:vip template:spring"), f"Send to {COUNT} customers")
        await ben.sees(f"{COUNT} customers handed over to the carrier")
        result = fields(await ben.sees("Result of task 1"))
        assert {name: counts.split(" ")[0] for name, counts in result.items() if name != "Took"} == {
            "Delivered": str(COUNT - len(ENDINGS)),
            "Failed": str(len(ENDINGS)),
            "Unknown": "0",
        }
        refused = {number for number in customers.numbers if number.endswith("005")}
        assert world.taken() == dict.fromkeys(customers.numbers - refused, 1)
        texts = {entry.text for entry in world.carrier.log}
        assert texts == {"【云帆咖啡】春季营业时间：每天 08:00–22:00。我们在老地方等您。"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_group_is_sent_to_and_every_receipt_comes_back(side_by_side: Ended, scenario: str) -> None:
    side_by_side.check(scenario)
