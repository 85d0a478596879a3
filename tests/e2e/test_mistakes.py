"""What people get wrong: one sentence that says what to do, and nothing half-done."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sandbox.slack.workspace import BOT_USER
from tests.e2e.lists import clean_list, numbers, write_xlsx
from tests.e2e.person import BEN, GENERAL, Person, words
from tests.e2e.world import World, running
from tests.unit.test_spreadsheets_reader import ole, raw_workbook

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NEW_YORK = ZoneInfo("America/New_York")
HOSTILE = "<!channel> & co"
LOGIN_PAGE = (
    "could not be downloaded from Slack, which sent a login page instead. "
    "Ask your administrator to check the bot's `files:read` permission."
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for all mistakes: none of them leaves a trace. Its group vip has five customers."""
    folder = tmp_path_factory.mktemp("mistakes")
    customers = await asyncio.to_thread(clean_list, folder / "vip.csv", 5)
    async with running(folder / "data") as started:
        ben = started.person(BEN)
        await ben.answer("/sms-groups create name:vip type:notification")
        await ben.upload(customers.path, "group:vip")
        await ben.sees("5 imported")
        yield started


@pytest.fixture
def ben(world: World) -> Person:
    """Ben, in New York."""
    return world.person(BEN)


HOPELESS = [("mobile",), *[("1381234567",)] * 3, ("拒绝提供",), ("13812345678 13912345678",)]


def _truncated(path: Path) -> None:
    whole = write_xlsx(path, [("mobile",), *((number,) for number in numbers(2000))]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _zip_bomb(path: Path) -> None:
    """Says in its headers that its sheet inflates to 2 GB."""
    raw_workbook(path, b"<worksheet>" + b" " * 4321)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 4332), struct.pack("<I", 2 << 30)))


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no spreadsheet": (
        "brochure.xlsx",
        lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(500)),
        "is not a spreadsheet I can read. Save it as .xlsx or .csv and drop it again.",
    ),
    "empty": (
        "empty.xlsx",
        lambda path: write_xlsx(path, []),
        "is empty. Put one phone number in each row and drop it again.",
    ),
    "no bytes at all": (
        "nothing.csv",
        lambda path: path.write_bytes(b""),
        "is empty. Put one phone number in each row and drop it again.",
    ),
    "no number column": (
        "cities.xlsx",
        lambda path: write_xlsx(path, [("Name", "City"), *[("Li", "Shanghai")] * 30]),
        "has no column of phone numbers. Name one column “Mobile” and drop it again.",
    ),
    "encrypted": (
        "secret.xlsx",
        lambda path: ole(path, "EncryptionInfo", "EncryptedPackage"),
        "is protected with a password. Save it without one and drop it again.",
    ),
    "truncated": (
        "half.xlsx",
        _truncated,
        "is damaged: a part of it is missing. Save it again and drop the new file.",
    ),
    "over 30 MB": (
        "large.csv",
        lambda path: path.write_bytes(b"mobile\n" + b"13812345678\n" * (31 * 1024 * 1024 // 12)),
        "is larger than 30 MB. Split it into smaller files and drop them one after the other.",
    ),
    "expands without bound": (
        "bomb.xlsx",
        _zip_bomb,
        "unpacks to far more than a list of numbers. Copy the numbers into a new file and drop that.",
    ),
    "a login page": (
        "login.xlsx",
        lambda path: path.write_text("<!DOCTYPE html><html><form>Sign in to Slack</form></html>"),
        LOGIN_PAGE,
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dropped(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All of the files at once: each takes some seconds of waiting for Slack's limits."""
    folder = tmp_path_factory.mktemp("files")
    await asyncio.to_thread(write_xlsx, folder / "hopeless.xlsx", HOPELESS)
    await world.person(BEN).upload(folder / "hopeless.xlsx", "group:vip")
    for name, make, _ in FILES.values():
        await asyncio.to_thread(make, folder / name)
        await world.person(BEN).upload(folder / name, "group:vip")


@pytest.mark.usefixtures("dropped")
@pytest.mark.parametrize("kind", FILES)
async def test_a_file_that_cannot_be_read_gets_one_sentence(ben: Person, kind: str) -> None:
    name, _, sentence = FILES[kind]
    told = await ben.sees(lambda message: name in words(message) and "Import failed" in words(message))
    assert told["text"] == f"Import failed: *{name}* {sentence}"
    assert len(await ben.all(f"*{name}*")) == 1
    assert "Send to 5 customers" in words(await ben.answer("/sms-send group:vip template:spring"))


async def test_a_file_that_slack_does_not_hand_out_is_not_parsed(world: World, ben: Person, tmp_path: Path) -> None:
    customers = await asyncio.to_thread(clean_list, tmp_path / "kept back.csv", 3, 7)
    await ben.upload(customers.path)
    question = await ben.sees("*kept back.csv*")
    # Slack sends its sign-in page, with status 200, for a file that is not the bot's to see.
    (shared,) = (file for file in world.slack.files.files.values() if file.name == "kept back.csv")
    shared.shares.clear()
    await ben.choose(question, "vip")
    await ben.sees(f"Import failed: *kept back.csv* {LOGIN_PAGE}")


@pytest.mark.usefixtures("dropped")
async def test_a_file_without_a_valid_number_says_so_with_the_reasons_counted(ben: Person) -> None:
    told = await ben.sees("Import failed: the file has no valid phone number.")
    assert "5 rows read" in words(told)
    assert "3 too short" in words(told)
    assert "1 not a phone number" in words(told)


TYPED = {
    "a group": ("/sms-send group:vipp template:spring", "There is no group *vipp*. Did you mean *vip*?"),
    "a template": (
        "/sms-send group:vip template:sprign",
        "There is no template *sprign*. Did you mean *spring*?",
    ),
    "a key": (
        "/sms-send gruop:vip template:spring",
        "`gruop:` is not something this command knows. Did you mean `group:`?",
    ),
    "a missing key": (
        "/sms-send group:vip",
        "`template:` is missing. Write it like `/sms-send group:vip template:spring`.",
    ),
    "a template of another type": (
        "/sms-send group:vip template:sale",
        "Template *sale* is of type promotional, and group *vip* is of type notification.",
    ),
    "a verification template": (
        "/sms-send group:vip template:login",
        (
            "*login* is a verification template, and those are never sent in bulk, to groups or any other list. Choose "
            "another template."
        ),
    ),
    "no time": (
        "/sms-send group:vip template:spring at:whenever",
        "I do not understand the time *whenever*. Write it like",
    ),
    "a quote": ('/sms-send group:"vip', "The quote in *"),
    "a task": ("/sms-cancel 99", "There is no task *99*. `/sms-tasks` lists them all."),
    "no task": ("/sms-cancel", "Which task? "),
    "a status": ("/sms-tasks status:finnished", "There is no status *finnished*. Did you mean *finished*?"),
}


@pytest.mark.parametrize("what", TYPED)
async def test_what_is_mistyped_is_named_with_the_nearest_right_spelling(ben: Person, what: str) -> None:
    line, sentence = TYPED[what]
    assert (await ben.answer(line))["text"].startswith(sentence)


async def test_a_time_that_is_over_or_too_far_is_said_in_the_persons_own_zone(ben: Person) -> None:
    now = datetime.now(NEW_YORK)
    yesterday, later = now - timedelta(days=1), now + timedelta(days=45)
    past = await ben.answer(f'/sms-send group:vip template:spring at:"{yesterday:%Y-%m-%d} 10:00"')
    assert f"{yesterday.day} {yesterday:%b} {yesterday.year}, 10:00 (America/New_York" in past["text"]
    assert "which is over." in past["text"]
    far = await ben.answer(f'/sms-send group:vip template:spring at:"{later:%Y-%m-%d} 10:00"')
    assert "more than a month ahead. Choose a time until" in far["text"]


async def test_where_the_bot_is_not_it_asks_to_be_invited_first(world: World) -> None:
    in_general = world.person(BEN, GENERAL)
    told = await in_general.answer("/sms-send group:vip template:spring")
    assert "Write `/invite @sms` and try again." in told["text"]
    await in_general.command("/invite @sms")
    await in_general.sees(lambda message: message.get("subtype") == "channel_join")
    assert "Send to 5 customers" in words(await in_general.answer("/sms-send group:vip template:spring"))


async def test_a_group_with_a_mention_for_a_name_mentions_nobody(world: World, ben: Person, tmp_path: Path) -> None:
    customers = await asyncio.to_thread(clean_list, tmp_path / "<!here> list.csv", 3, seed=9)
    await ben.upload(customers.path)
    await ben.press(await ben.sees("list.csv* into which group?"), "New group…")
    await ben.fill(await ben.form(), name=HOSTILE, sms_type="Notification")
    await ben.sees("3 imported")
    preview = await ben.answer(f'/sms-send group:"{HOSTILE}" template:spring name:"<!everyone>"')
    await ben.press(preview, "Send to 3 customers")
    await ben.sees(lambda message: message["text"].startswith("Result of task"))
    await ben.answer("/sms-tasks")
    await ben.answer("/sms-groups")
    await ben.answer(f"/sms-send group:{HOSTILE} template:spring")
    await ben.answer('/sms-send group:"<!channel> & c" template:spring')
    said = [call["args"] for call in world.slack.calls if call["method"].startswith("chat.")]
    said += [message for message in await ben.messages() if message["user"] == BOT_USER]
    marked_up = [text for each in said for text in (each.get("text") or "", *mrkdwn(each.get("blocks")))]
    assert [text for text in marked_up if "&lt;!channel&gt; &amp; co" in text]
    assert not [text for text in marked_up if "<!" in text.replace("<!date^", "")]


def mrkdwn(node: Any) -> Iterator[str]:
    """Every text in which Slack would see a mention; plain text is shown as it stands."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for each in node.values():
            yield from mrkdwn(each)
    elif isinstance(node, list):
        for each in node:
            yield from mrkdwn(each)
