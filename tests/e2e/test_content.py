"""A template's way into a send: Ana adds it in Slack, Ben reads and approves it, Ana sends it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.conftest import Ended
from tests.e2e.lists import clean_list
from tests.e2e.person import BEN, Message, Person, elements, words
from tests.e2e.world import World, running

pytestmark = pytest.mark.e2e

ANA = "U0ANA"
OTHERS = "a template is approved by somebody else and sent"
TEXT = "秋季新品上市，欢迎品尝。"


async def run(_name: str, folder: Path) -> None:
    customers = await asyncio.to_thread(clean_list, folder / "vip.csv", 20)
    # Any text may be sent there, so nobody but people can approve it.
    async with running(folder / "data", carrier="twilio") as world:
        ana, ben = world.person(ANA), world.person(BEN)
        await ana.answer("/sms-groups create name:vip type:notification")
        await ana.upload(customers.path, "group:vip")
        await ana.sees("20 imported")
        await ana_adds_a_template(ana)
        await it_cannot_be_sent_yet(ana)
        await nobody_approves_their_own(ana)
        await ben_rejects_it_and_says_why(ana, ben)
        await ana_mends_it(ana)
        await ben_approves_it(ana, ben)
        await ana_sends_it(world, ana)
        assert world.taken() == dict.fromkeys(customers.numbers, 1)


@pytest.mark.parametrize("scenario", [OTHERS])
def test_the_whole_way_of_a_template(side_by_side: Ended, scenario: str) -> None:
    side_by_side.check(scenario)


async def ana_adds_a_template(ana: Person) -> None:
    await ana.press(await ana.answer("/sms-templates"), "New template…")
    form = await ana.form()
    # "spring" is one of the settings'.
    given = {"sms_type": "Notification", "text": "秋季新品。", "signature": "【云帆咖啡】"}
    errors = await ana.fill(form, name="Spring", **given)
    assert errors["name"].startswith("Application demo-cn has a template Spring already.")
    assert await ana.fill(form, name="autumn", **given) == {}
    assert (await ana.sees("The template *autumn* waits for approval."))["ephemeral"]
    post = await ana.sees(f"<@{ANA}> asks for the approval of the template *autumn*.")
    assert not post.get("ephemeral")
    assert "【云帆咖啡】秋季新品。" in words(post)


async def it_cannot_be_sent_yet(ana: Person) -> None:
    said = words(await ana.answer("/sms-send group:vip template:autumn"))
    assert "Template *autumn* is not approved yet." in said
    await ana.command("/sms-send")
    form = await ana.form()
    assert "Not shown: *autumn* (pending) and *login* (verification)." in str(form["blocks"])
    await ana.fill(form, group="vip", template="spring")


async def nobody_approves_their_own(ana: Person) -> None:
    await ana.press(await the_post(ana), "Approve")
    assert (await ana.sees("The template *autumn* is your own"))["ephemeral"]


async def ben_rejects_it_and_says_why(ana: Person, ben: Person) -> None:
    await ben.press(await the_post(ben), "Reject")
    assert await ben.fill(await ben.form(), reason="Say where.") == {}
    post = await ana.sees(f"The template *autumn* of <@{ANA}> is rejected by <@{BEN}>: “Say where”")
    assert not buttons(post)
    assert "was rejected: Say where. Edit it under" in words(await ana.answer("/sms-send group:vip template:autumn"))


async def ana_mends_it(ana: Person) -> None:
    await ana.choose(await ana.answer("/sms-templates name:autumn"), "Edit…")
    form = await ana.form()
    given = {"name": "autumn", "sms_type": "Notification", "signature": "【云帆咖啡】"}
    assert await ana.fill(form, text=TEXT, **given) == {}
    await ana.sees(lambda message: TEXT in words(message) and bool(buttons(message)))


async def ben_approves_it(ana: Person, ben: Person) -> None:
    asking = await the_post(ben)
    await ben.press(asking, "Approve")
    approved = await ana.sees(f"The template *autumn* of <@{ANA}> is approved by <@{BEN}>.")
    assert approved["ts"] == asking["ts"]
    assert not buttons(approved)
    # The earlier post still says what became of the first text.
    assert await ana.all("is rejected by")
    assert "*approved*" in words(await ana.answer("/sms-templates name:autumn"))


async def ana_sends_it(world: World, ana: Person) -> None:
    preview = await ana.answer("/sms-send group:vip template:autumn")
    assert f"【云帆咖啡】{TEXT}" in words(preview)
    await ana.press(preview, "Send to 20 customers")
    await ana.sees("20 customers handed over to the carrier")
    assert {entry.text for entry in world.carrier.log} == {f"【云帆咖啡】{TEXT}"}


async def the_post(person: Person) -> Message:
    """The one in the channel that still asks."""
    return await person.sees(lambda message: any(label == "Approve" for label in buttons(message)))


def buttons(message: Message) -> list[str]:
    return [str((element.get("text") or {}).get("text", "")) for element, _ in elements(message)]
