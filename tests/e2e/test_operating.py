"""What an operator does and sees: restarts in mid-work, probes, figures and logs of a bot that runs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import Ended
from tests.e2e.lists import clean_list
from tests.e2e.person import BEN, Person, fields, words
from tests.e2e.test_recovery import RESTART_SECONDS, import_into_vip, send_to_vip
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

STOP_SECONDS = 15.0
READY = {"ready": True, "parts": {part: {"ok": True} for part in ("database", "schema", "slack", "ticks")}}


def recorded(world: World) -> tuple[int, int]:
    """How many messages the database says were accepted, and how many batches it thinks are under way."""
    with sqlite3.connect(world.database_url.removeprefix("sqlite:///")) as connection:
        (accepted,) = connection.execute("SELECT count(*) FROM submission WHERE outcome = 'accepted'").fetchone()
        (sending,) = connection.execute("SELECT count(*) FROM batch WHERE state = 'sending'").fetchone()
    connection.close()
    return accepted, sending


async def an_upgrade_in_mid_send_doubles_and_loses_nothing(world: World, ben: Person, folder: Path) -> None:
    customers = await import_into_vip(ben, folder, 6000)
    carrier = world.carrier
    # The first 200 go alone; of the requests after them eight are under way when the bot is asked to stop.
    carrier.inject("delay", seconds=0)
    for _ in range(8):
        carrier.inject("delay", seconds=3)
    # A receipt that finds nobody does not come again, so they wait for the bot.
    await carrier.receipts.stop()
    await send_to_vip(ben)
    await world.until(lambda: not carrier.faults.waiting())
    assert len(carrier.log) == 200, "eight requests are under way"
    assert await world.stop_bot() < STOP_SECONDS
    assert recorded(world) == (len(carrier.log), 0)
    assert 200 < len(carrier.log) <= 4200, "those under way ended, and no new one began"
    assert "dispatch.cut_short" not in world.bot_log
    assert await world.start_bot() < RESTART_SECONDS
    carrier.receipts.start()
    result = await ben.sees("Result of task 1")
    assert fields(result)["Delivered"] == "6,000 · 100 %"
    assert world.taken() == dict.fromkeys(customers.numbers, 1)


async def a_carrier_that_does_not_answer_cannot_keep_the_bot_from_stopping(
    world: World, ben: Person, folder: Path
) -> None:
    customers = await import_into_vip(ben, folder, 1200)
    carrier = world.carrier
    carrier.inject("delay", seconds=0)
    carrier.inject("timeout_after", seconds=0)
    carrier.inject("http_429", seconds=25)
    await send_to_vip(ben)
    await world.until(lambda: "batch.not_taken" in world.bot_log)
    assert await world.stop_bot() < STOP_SECONDS
    assert recorded(world)[1] == 0, "what had no answer is unknown, not under way"
    assert await world.start_bot() < RESTART_SECONDS
    await world.until(lambda: len(carrier.log) == 1200)
    assert world.taken() == dict.fromkeys(customers.numbers, 1)


async def people_who_wait_for_an_import_are_told_of_a_restart(world: World, ben: Person, folder: Path) -> None:
    await ben.answer("/sms-groups create name:vip type:notification")
    customers = await asyncio.to_thread(clean_list, folder / "many.csv", 150_000)
    await ben.upload(customers.path, "group:vip")
    begun = await ben.sees("Importing *many.csv* into *vip*")
    assert await world.stop_bot() < STOP_SECONDS
    assert "import.interrupted" in world.bot_log
    (told,) = await ben.all("This import starts over by itself when I am back")
    assert told["ts"] == begun["ts"]
    assert await world.start_bot() < RESTART_SECONDS
    ended = await ben.sees("150,000 imported")
    assert ended["ts"] == begun["ts"]
    assert not await ben.all("starts over by itself")


async def a_bot_that_runs_tells_probes_figures_and_logs_and_no_number(world: World, ben: Person, folder: Path) -> None:
    assert await get(world, "/healthz") == (200, {"live": True})
    assert await get(world, "/readyz") == (200, READY)
    customers = await import_into_vip(ben, folder, 300)
    preview = await send_to_vip(ben)
    await ben.sees("Result of task 1")
    await ben.answer("/sms-stop 99")
    await ben.answer(f"/sms-pool {next(iter(customers.numbers))}")
    told = (await figures(world)).splitlines()
    for line in (
        'sms_messages{carrier="huawei",state="delivered"} 300.0',
        'sms_messages_submitted_total{application="demo-cn",carrier="huawei",outcome="accepted"} 300.0',
        'sms_requests_total{kind="command",result="refused"} 1.0',
        'sms_import_seconds_count{state="done"} 1.0',
        "sms_import_rows_total 300.0",
        'sms_slack_connected{mode="socket"} 1.0',
        "sms_database_up 1.0",
    ):
        assert line in told, [each for each in told if each.startswith(line.partition("{")[0])]
    check_logs(world, customers.numbers, words(preview))


def check_logs(world: World, numbers: Any, preview: str) -> None:
    lines = world.bot_log.splitlines()
    events = [json.loads(line) for line in lines]
    assert {event["level"] for event in events} <= {"info", "warning"}
    (batches,) = ([event for event in events if event["event"] == "batch.ended"],)
    assert [(event["batch"], event["accepted"]) for event in batches] == [(1, 200), (2, 100)]
    assert all("task" in event for event in batches)
    worked = [event for event in events if event["event"].startswith("request.")]
    assert {event["event"] for event in worked} == {"request.refused", "request.worked"}
    assert all(event["request"] for event in worked)
    # The refusal and the end of its request bear the same id.
    (refused,) = [event for event in worked if event["event"] == "request.refused"]
    assert len([event for event in worked if event["request"] == refused["request"]]) == 2
    text = next(line for line in preview.splitlines() if "【" in line)
    for secret in (text, text.partition("】")[2], *(number.removeprefix("+86") for number in numbers)):
        assert secret not in world.bot_log


async def get(world: World, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(world.bot_url + path) as response:
        return response.status, await response.json()


async def figures(world: World) -> str:
    # They may be five seconds old.
    await asyncio.sleep(5)
    async with aiohttp.ClientSession() as session, session.get(f"{world.bot_url}/metrics") as response:
        assert response.status == 200
        return await response.text()


SCENARIOS = {
    function.__name__.replace("_", " "): function
    for function in (
        an_upgrade_in_mid_send_doubles_and_loses_nothing,
        a_carrier_that_does_not_answer_cannot_keep_the_bot_from_stopping,
        people_who_wait_for_an_import_are_told_of_a_restart,
        a_bot_that_runs_tells_probes_figures_and_logs_and_no_number,
    )
}


async def run(name: str, folder: Path) -> None:
    async with running(folder / "data") as world:
        await SCENARIOS[name](world, world.person(BEN), folder)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_operating(scenario: str, side_by_side: Ended) -> None:
    side_by_side.check(scenario)
