"""Replies delivered to the person who asked, where Slack gives more than one way to do it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.errors import SlackApiError

from bot.answers import Answers, Destination
from bot.workspaces import only_home
from handlers.replies import FieldErrors, Nothing, OpenForm, Replace, Say, SendFile
from handlers.views.groups import new_group_form
from sandbox.slack.workspace import TEAM_ID
from services.database import Database
from tests.bot.workplace import ANA, MARKETING, Workplace, opened

HERE = Destination(TEAM_ID, MARKETING, ANA)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Workplace]:
    async with opened(sqlite, http=False) as made:
        yield made


@pytest.fixture
def answers(place: Workplace) -> Answers:
    return Answers(only_home(TEAM_ID, place.client))


def url(place: Workplace, message_ts: str | None = None) -> str:
    """A fresh response_url, of a click in this message if any."""
    core = place.slack.core
    message = core.workspace.messages[MARKETING][message_ts] if message_ts else None
    return core.base_url + core.response_urls.issue(ANA, MARKETING, message)


async def private(place: Workplace) -> list[str]:
    """What only Ana sees."""
    return [message["text"] for message in await place.person().messages() if message.get("ephemeral")]


async def test_without_a_response_url_it_is_said_privately(place: Workplace, answers: Answers) -> None:
    await answers.give(Say("said"), HERE)
    await answers.give(Replace("replaced"), HERE)
    await answers.give(Nothing(), HERE)
    assert await private(place) == ["said", "replaced"]


async def test_a_private_answer_that_was_clicked_in_is_replaced(place: Workplace, answers: Answers) -> None:
    await answers.give(Say("a preview", [{"type": "divider"}]), HERE)
    (shown,) = await place.person().messages()
    await answers.give(Replace("sent"), Destination(TEAM_ID, MARKETING, ANA, url(place, shown["ts"]), replaces=True))
    (shown,) = await place.person().messages()
    assert (shown["text"], shown.get("blocks")) == ("sent", None), "no button is left"


async def test_a_channel_message_that_was_clicked_in_stays(place: Workplace, answers: Answers) -> None:
    posted = await place.client.chat_postMessage(channel=MARKETING, text="for all")
    await answers.give(Replace("done"), Destination(TEAM_ID, MARKETING, ANA, url(place, str(posted["ts"]))))
    assert [message["text"] for message in await place.person().messages()] == ["for all", "done"]
    assert await private(place) == ["done"]


async def test_a_sixth_answer_finds_another_way(place: Workplace, answers: Answers) -> None:
    spent = Destination(TEAM_ID, MARKETING, ANA, url(place))
    for number in range(6):
        await answers.give(Say(f"answer {number}"), spent)
    assert await private(place) == [f"answer {number}" for number in range(6)]
    assert len(place.calls("chat.postEphemeral")) == 1


async def test_field_errors_without_a_form_are_said_as_plain_text(place: Workplace, answers: Answers) -> None:
    await answers.give(FieldErrors({"name": "There is no <!channel>.", "at": "Too late."}), HERE)
    assert await private(place) == ["There is no &lt;!channel&gt;. Too late."]


async def test_a_file_goes_by_direct_message_and_the_answer_says_so(place: Workplace, answers: Answers) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"PK numbers")

    reply = SendFile("task-1-failed-numbers.xlsx", "The 3 failed numbers.", "They are in our direct messages.", write)
    await answers.give(reply, HERE)
    assert await private(place) == ["They are in our direct messages."]
    (message,) = place.slack.core.workspace.messages["D0ANA"].values()
    (file,) = [place.slack.core.files.files[each] for each in message.files]
    assert (file.name, file.content) == ("task-1-failed-numbers.xlsx", b"PK numbers")
    assert not [m for m in place.slack.core.workspace.messages[MARKETING].values() if m.files]


async def test_a_form_carries_where_its_answer_goes(place: Workplace, answers: Answers) -> None:
    trigger = place.slack.core.triggers.issue(ANA)
    await answers.give(
        OpenForm(new_group_form(), context="7"), Destination(TEAM_ID, MARKETING, ANA, None, trigger, replaces=True)
    )
    view = await place.person().form()
    assert json.loads(view["private_metadata"]) == {
        "channel": MARKETING,
        "response_url": None,
        "replaces": True,
        "context": "7",
    }


async def test_words_about_a_failure_do_not_fail_in_turn(place: Workplace, answers: Answers) -> None:
    nowhere = Destination(TEAM_ID, "C0NOWHERE", ANA)
    await answers.try_to_say("sorry", nowhere)
    with pytest.raises(SlackApiError):
        await answers.give(Say("hello"), nowhere)
