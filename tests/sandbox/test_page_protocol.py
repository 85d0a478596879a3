"""The page's own requests, and what it is told live."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.server import SlackSandbox
from tests.sandbox.app import App, connected
from tests.sandbox.people import ANA_IM, BUTTONS, GENERAL, LAUNCH, MARKETING, PRESS, Person, until


async def test_the_state_shows_the_workspace_as_one_person_sees_it(ana: Person, ben: Person) -> None:
    state = await ana.get("state")
    assert (state["team"]["id"], state["me"]["real_name"], state["me"]["tz"]) == (
        "T0SANDBOX",
        "Ana Torres",
        "Europe/Madrid",
    )
    assert {user["name"] for user in state["users"]} == {"ana", "ben", "mei", "sms", "slackbot"}
    shown = [(c["id"], c["name"], c["kind"], c["bot_is_member"]) for c in state["channels"]]
    assert shown == [
        (GENERAL, "general", "channel", False),
        (MARKETING, "marketing", "channel", True),
        (LAUNCH, "launch-autumn", "private", True),
        (ANA_IM, "SMS", "im", True),
    ]
    assert state["bot"]["display_name"] == "SMS"
    assert state["commands"][0] == {
        "command": "/sms-send",
        "usage_hint": "group:vip",
        "description": "Send a template",
    }
    assert [c["name"] for c in (await ben.get("state"))["channels"]] == ["general", "marketing", "SMS"]


async def test_people_see_each_others_messages_escaped_and_linked(ana: Person, ben: Person) -> None:
    ts = await ana.say("<!channel> & @ben see https://example.com/a?b=1&c=2 in #general")
    message = (await ben.sees("message"))["message"]
    assert (message["ts"], message["user"], message["channel"]) == (ts, "U0ANA", MARKETING)
    assert message["text"] == (
        "&lt;!channel&gt; &amp; <@U0BEN> see <https://example.com/a?b=1&amp;c=2> in <#C0GENERAL|general>"
    )


async def test_a_private_channel_is_silent_for_who_is_not_in_it(ana: Person, ben: Person) -> None:
    await ana.say("secret", LAUNCH)
    await ana.say("open", MARKETING)
    await ben.sees("message")
    assert [message["text"] for message in ben.messages()] == ["open"]
    assert await ben.get("messages", channel=LAUNCH) == {"error": "You are in no such channel."}


async def test_a_channels_messages_come_with_replies_and_ones_own_private_answers(
    client: AsyncWebClient, ana: Person, ben: Person
) -> None:
    parent = await ana.say("parent")
    await ben.say("reply", thread_ts=parent)
    await client.chat_postEphemeral(channel=MARKETING, user="U0ANA", text="psst")
    messages = (await ana.get("messages", channel=MARKETING))["messages"]
    assert [(m["text"], m.get("thread_ts"), m.get("ephemeral")) for m in messages] == [
        ("parent", parent, None),
        ("reply", parent, None),
        ("psst", None, True),
    ]
    assert (messages[0]["reply_count"], messages[0]["reply_users"]) == (1, ["U0BEN"])
    changed = (await ana.sees("message_changed"))["message"]
    assert (changed["ts"], changed["reply_count"]) == (parent, 1)
    assert len((await ben.get("messages", channel=MARKETING))["messages"]) == 2


async def test_unread_messages_are_counted_until_the_channel_is_opened(ana: Person, ben: Person) -> None:
    async def unread(person: Person) -> int:
        return int(next(c["unread"] for c in (await person.get("state"))["channels"] if c["id"] == MARKETING))

    await ana.say("one")
    await ana.say("two")
    assert (await unread(ana), await unread(ben)) == (0, 2)
    await ben.get("messages", channel=MARKETING)
    assert await unread(ben) == 0


async def test_a_file_is_shown_with_an_address_for_this_person(ana: Person, ben: Person) -> None:
    answer = await ana.drop("customers.csv", b"1,2", text="group:vip")
    message = (await ben.sees("message"))["message"]
    assert (message["ts"], message["text"]) == (answer["ts"], "group:vip")
    file = message["files"][0]
    assert {"id", "name", "title", "mimetype", "filetype", "size", "url"} == set(file)
    assert file["url"].endswith("?user=U0BEN")
    async with ben.session.get(file["url"]) as response:
        assert await response.read() == b"1,2"


async def test_inviting_the_bot_makes_it_a_member_for_everybody(ana: Person, ben: Person) -> None:
    await ana.run("/invite", "@sms", GENERAL)
    for person in (ana, ben):
        channels = (await person.sees("state"))["state"]["channels"]
        assert next(c for c in channels if c["id"] == GENERAL)["bot_is_member"] is True
    assert (await ben.sees("message"))["message"]["subtype"] == "channel_join"
    await ana.run("/invite", "@sms", GENERAL)
    assert (await ana.sees("message", 2))["message"]["text"] == "<@U0SMSBOT> is already in this channel."


async def test_the_page_is_told_when_the_bot_comes_and_goes(slack: SlackSandbox, ana: Person) -> None:
    assert (await ana.get("state"))["bot_connected"] is False
    async with connected(slack, App()):
        await until(lambda: [e for e in ana.events("state") if e["state"]["bot_connected"]])
    await until(lambda: not ana.events("state")[-1]["state"]["bot_connected"])


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "nobody": ("message", {"user": "U1", "channel": MARKETING, "text": "x"}, "There is no person U1"),
    "the bot": ("message", {"user": "U0SMSBOT", "channel": MARKETING, "text": "x"}, "There is no person"),
    "no channel": ("message", {"channel": "C1", "text": "x"}, "You are in no such channel."),
    "nothing written": ("message", {"channel": MARKETING, "text": " "}, "Write something first."),
    "a thread that is none": (
        "message",
        {"channel": MARKETING, "text": "x", "thread_ts": "1.0"},
        "That thread is gone.",
    ),
    "an unknown command": ("command", {"channel": MARKETING, "command": "/shout"}, "/shout is not a valid command."),
    "an unknown guest": ("command", {"channel": MARKETING, "command": "/invite", "text": "@joe"}, "“@joe” is nobody"),
    "no action": ("action", {"channel": MARKETING}, "No action was given."),
    "a message that is none": (
        "action",
        {"channel": MARKETING, "message_ts": "1.0", "action": PRESS},
        "That message is gone.",
    ),
    "a form that is none": ("view_submit", {"view_id": "V1"}, "That form is closed."),
}


@pytest.mark.parametrize(("path", "body", "sentence"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_done_is_said_in_a_sentence(
    ana: Person, path: str, body: dict[str, Any], sentence: str
) -> None:
    async with ana.session.post(f"/page/{path}", json={"user": ana.user, **body}) as response:
        assert response.status == 400
        assert (await response.json())["error"].startswith(sentence)


async def test_a_button_that_the_message_lost_cannot_be_pressed(client: AsyncWebClient, ana: Person, app: App) -> None:
    posted = await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await client.chat_update(channel=MARKETING, ts=posted["ts"], text="done")
    answer = await ana.press({"channel": MARKETING, "ts": posted["ts"]}, PRESS)
    assert answer == {"error": "That button or menu is not there any more."}


async def test_the_page_itself_is_served_and_nothing_beside_it(slack: SlackSandbox) -> None:
    async with aiohttp.ClientSession(base_url=slack.url) as session:
        async with session.get("/") as response:
            assert (response.status, response.content_type) == (200, "text/html")
        for path in ("/nothing.js", "/..%2f..%2fserver.py", "/%2fetc/passwd"):
            async with session.get(path) as response:
                assert response.status == 404


async def test_everything_that_happened_can_be_looked_at(
    slack: SlackSandbox, client: AsyncWebClient, ana: Person
) -> None:
    await ana.say("hello")
    await client.chat_postEphemeral(channel=MARKETING, user="U0ANA", text="psst")
    async with ana.session.get("/control/state") as response:
        state = await response.json()
    assert [(m["text"], m["only_for"]) for m in state["messages"]] == [("hello", None), ("psst", "U0ANA")]
    assert [call["method"] for call in state["calls"]] == ["chat.postEphemeral"]
    assert state["events"][0]["event"]["text"] == "hello"
