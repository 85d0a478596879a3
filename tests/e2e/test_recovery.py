"""Machines, networks and carriers fail: the bot goes on by itself, sends nothing twice and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sandbox.slack.core import Throttle, user_brief
from sandbox.slack.delivery import Attempt
from sandbox.slack.sockets import SocketDelivery
from sandbox.slack.workspace import APP_ID, TEAM_DOMAIN, TEAM_ID
from tests.e2e.conftest import Ended
from tests.e2e.lists import CustomerList, clean_list
from tests.e2e.person import BEN, MEI, Message, Person, elements, fields, words
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

RESTART_SECONDS = 10.0
ONLY_ONE = {"is_ephemeral": True}


async def import_into_vip(ben: Person, folder: Path, count: int, magic: tuple[str, ...] = ()) -> CustomerList:
    customers = await asyncio.to_thread(clean_list, folder / "vip.csv", count, 1, magic)
    await ben.answer("/sms-groups create name:vip type:notification")
    await ben.upload(customers.path, "group:vip")
    await ben.sees(f"{count:,} imported")
    return customers


async def send_to_vip(ben: Person) -> Message:
    """Press the button of a fresh preview; the preview."""
    preview = await ben.answer("/sms-send group:vip template:spring")
    await ben.press(preview, "Send to")
    return preview


async def a_bot_killed_while_sending_goes_on_and_sends_nothing_twice(world: World, ben: Person, folder: Path) -> None:
    customers = await import_into_vip(ben, folder, 1700)
    carrier = world.carrier
    # The first 200 go alone. Of the requests after them one is told to come back; the others are under way until the
    # bot is dead, and taken then.
    carrier.inject("delay", seconds=0)
    carrier.inject("delay", seconds=9)
    carrier.inject("http_429", seconds=3)
    carrier.inject("delay", seconds=9)
    # A receipt that finds nobody does not come again, so they wait for the bot.
    await carrier.receipts.stop()
    await send_to_vip(ben)
    await world.until(lambda: "batch.not_taken" in world.bot_log)
    # A bot that dies before it wrote down "come back" must take it for unknown.
    await asyncio.sleep(0.5)
    await world.kill_bot()
    assert len(carrier.log) == 200
    carrier.faults.clear()
    assert await world.start_bot() < RESTART_SECONDS
    carrier.receipts.start()
    await world.until(lambda: len(carrier.log) == 1700, RESTART_SECONDS)
    result = await ben.sees("Result of task 1")
    assert fields(result)["Delivered"] == "1,700 · 100 %"
    assert world.taken() == dict.fromkeys(customers.numbers, 1)
    assert "batch.lost" in world.bot_log
    assert len(await ben.all("Result of task 1")) == 1
    assert len(await ben.all("*spring* to *vip* (task 1)")) == 1


async def a_bot_killed_while_importing_starts_over_in_the_same_message(world: World, ben: Person, folder: Path) -> None:
    await ben.answer("/sms-groups create name:vip type:notification")
    customers = await asyncio.to_thread(clean_list, folder / "many.csv", 150_000)
    await ben.upload(customers.path, "group:vip")
    begun = await ben.sees("Importing *many.csv* into *vip*")
    await world.kill_bot()
    assert "import.ended" not in world.bot_log
    assert await world.start_bot() < RESTART_SECONDS
    ended = await ben.sees("150,000 imported")
    assert ended["ts"] == begun["ts"]
    assert len(await ben.all("*many.csv*")) == 1
    assert "now has 150,000 customers" in words(ended)


async def a_file_that_slack_tells_of_again_is_imported_once(world: World, ben: Person, folder: Path) -> None:
    await import_into_vip(ben, folder, 50)
    told = [event for event in world.slack.delivery.events if event["event"].get("subtype") == "file_share"]
    for number in range(1, 4):
        await world.slack.delivery.try_event(told[0], Attempt(number, "timeout"))
    customers = await asyncio.to_thread(clean_list, folder / "second.csv", 10, 2)
    await ben.upload(customers.path)
    await ben.sees("*second.csv* into which group?")
    told = [event for event in world.slack.delivery.events if event["event"].get("subtype") == "file_share"]
    await asyncio.gather(*(world.slack.delivery.try_event(told[-1], Attempt(1, "timeout")) for _ in range(3)))
    # Whatever a repetition led to would be there before the answer to a later command.
    await ben.answer("/sms-help")
    assert len(await ben.all("into which group?")) == 1
    assert len(await ben.all("vip.csv*")) == 1


async def pressing_twice_and_by_two_people_makes_one_task(world: World, ben: Person, folder: Path) -> None:
    customers = await import_into_vip(ben, folder, 300)
    preview = await ben.answer("/sms-send group:vip template:spring")
    presses = [ben.press(preview, "Send to 300 customers") for _ in range(3)]
    await asyncio.gather(*presses, press_as(world, MEI, preview), press_as(world, MEI, preview))
    await ben.sees("Result of task 1")
    assert world.taken() == dict.fromkeys(customers.numbers, 1)
    assert "*2*" not in words(await ben.answer("/sms-tasks"))
    seen_by_mei = await world.person(MEI).sees("This is task 1 already, confirmed by")
    assert seen_by_mei["ephemeral"]


async def press_as(world: World, user: str, preview: Message) -> None:
    """A press that the page cannot make: on a preview that somebody else sees."""
    element, block = next(found for found in elements(preview) if found[0].get("style") == "primary")
    channel = {"id": preview["channel"], "name": "marketing"}
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": user_brief(world.slack.workspace.users[user]),
        "api_app_id": APP_ID,
        "token": "unused",
        "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
        "container": {
            "type": "message",
            "channel_id": channel["id"],
            "message_ts": preview["ts"],
            "is_ephemeral": True,
        },
        "channel": channel,
        "trigger_id": world.slack.triggers.issue(user),
        "response_url": world.url + world.slack.response_urls.issue(user, channel["id"]),
        "actions": [{**element, "block_id": block["block_id"], "action_ts": preview["ts"]}],
    }
    said = await world.slack.delivery.ask("interactive", payload, accepts_payload=False)
    assert said.failure is None


async def what_a_silent_carrier_took_is_unknown_and_never_sent_again(world: World, ben: Person, folder: Path) -> None:
    customers = await import_into_vip(ben, folder, 1700)
    carrier = world.carrier
    # The first 200 go alone: "slow down", then taken. Of the three requests after them one is never answered though it
    # was taken, and one is told to slow down.
    for kind, seconds in (("http_429", 4), ("delay", 0), ("timeout_after", 0), ("http_429", 1)):
        carrier.inject(kind, seconds=seconds)
    # Those 500 are not reported either: nobody will ever know.
    carrier.inject("duplicated", count=200)
    carrier.inject("lost", count=500)
    await send_to_vip(ben)
    assert "The carrier asks to slow down" in words(await ben.sees("It goes on by itself, and nothing is sent twice."))
    await ben.sees("1,200 of 1,700 customers handed over")
    await ben.sees("1,700 customers handed over to the carrier")
    assert world.taken() == dict.fromkeys(customers.numbers, 1)
    assert "1,200 delivered, 0 failed, 500 unknown" in words(await ben.answer("/sms-tasks"))
    assert not await ben.all("Result of task 1")


async def slacks_limits_and_lost_connections_are_waited_out(world: World, ben: Person, folder: Path) -> None:
    slack = world.slack
    slack.throttles["chat.update"] = Throttle(times=2, retry_after=1)
    slack.throttles["chat.postMessage"] = Throttle(times=1, retry_after=1)
    customers = await import_into_vip(ben, folder, 300)
    await send_to_vip(ben)
    await ben.sees("*spring* to *vip* (task 1)")
    for reason in ("refresh_requested", None):
        assert isinstance(slack.delivery, SocketDelivery)
        await slack.delivery.drop(reason)
        await world.until(lambda: slack.delivery.connected)
        # Slack's client answers both the message and the closing with a new connection; the first of them is lost.
        await asyncio.sleep(0.5)
        assert "Send tasks, newest first" in words(await ben.answer("/sms-tasks"))
    assert fields(await ben.sees("Result of task 1"))["Delivered"] == "300 · 100 %"
    assert world.taken() == dict.fromkeys(customers.numbers, 1)
    assert len(await ben.all("*spring* to *vip* (task 1)")) == 1
    assert any(call["error"] == "ratelimited" for call in slack.calls)


SCENARIOS = {
    function.__name__.replace("_", " "): function
    for function in (
        a_bot_killed_while_sending_goes_on_and_sends_nothing_twice,
        a_bot_killed_while_importing_starts_over_in_the_same_message,
        a_file_that_slack_tells_of_again_is_imported_once,
        pressing_twice_and_by_two_people_makes_one_task,
        what_a_silent_carrier_took_is_unknown_and_never_sent_again,
        slacks_limits_and_lost_connections_are_waited_out,
    )
}


async def run(name: str, folder: Path) -> None:
    async with running(folder / "data") as world:
        await SCENARIOS[name](world, world.person(BEN), folder)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_trouble(side_by_side: Ended, scenario: str) -> None:
    side_by_side.check(scenario)
