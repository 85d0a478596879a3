"""The Web API, called with Slack's own client and by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import APP_TOKEN, BOT_TOKEN
from sandbox.slack.server import SlackSandbox
from tests.sandbox.people import ANA_IM, GENERAL, LAUNCH, MARKETING, Person, manifest_without

Json = dict[str, Any]
Calling = Callable[[AsyncWebClient], Awaitable[Any]]

DIVIDER = {"type": "divider"}
MODAL: Json = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": [DIVIDER]}


async def refusal(call: Awaitable[Any]) -> Json:
    """The body of the refusal that this call gets."""
    with pytest.raises(SlackApiError) as raised:
        await call
    body: Json = raised.value.response.data
    return body


async def post(slack: SlackSandbox, method: str, **how: Any) -> Json:
    async with aiohttp.ClientSession() as session, session.post(slack.api_url + method, **how) as response:
        body: Json = await response.json()
        return body


@pytest.mark.parametrize(
    "how",
    [
        {"params": {"channel": MARKETING, "text": "hi"}},
        {"data": {"channel": MARKETING, "text": "hi"}},
        {"json": {"channel": MARKETING, "text": "hi"}},
        {"params": {"channel": MARKETING}, "data": {"text": "hi"}},
        {"params": {"channel": MARKETING}, "json": {"text": "hi"}},
    ],
    ids=["query", "form", "json", "query and form", "query and json"],
)
async def test_arguments_are_read_from_query_and_body_alike(slack: SlackSandbox, how: Json) -> None:
    answer = await post(slack, "chat.postMessage", headers={"Authorization": f"Bearer {BOT_TOKEN}"}, **how)
    assert answer["ok"]
    assert answer["message"]["text"] == "hi"


async def test_the_token_may_be_an_argument(slack: SlackSandbox) -> None:
    assert (await post(slack, "auth.test", data={"token": BOT_TOKEN}))["ok"]


@pytest.mark.parametrize(
    ("method", "how", "error"),
    [
        ("chat.shout", {}, "unknown_method"),
        ("auth.test", {}, "not_authed"),
        ("auth.test", {"data": {"token": "xoxb-other"}}, "invalid_auth"),
        ("auth.test", {"data": {"token": APP_TOKEN}}, "not_allowed_token_type"),
        ("apps.connections.open", {"data": {"token": BOT_TOKEN}}, "not_allowed_token_type"),
        ("chat.postMessage", {"data": "{", "headers": {"Content-Type": "application/json"}}, "invalid_json"),
        ("chat.postMessage", {"json": [1]}, "json_not_object"),
        ("api.test", {"data": {"error": "my_error"}}, "my_error"),
    ],
)
async def test_a_call_that_is_none_is_refused(slack: SlackSandbox, method: str, how: Json, error: str) -> None:
    answer = await post(slack, method, **how)
    assert (answer["ok"], answer["error"]) == (False, error)


async def test_a_missing_argument_is_named(slack: SlackSandbox) -> None:
    answer = await post(slack, "chat.update", data={"token": BOT_TOKEN, "text": "x"})
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] missing required field: channel",
        "[ERROR] missing required field: ts",
    ]


@asynccontextmanager
async def installed_without(*names: str) -> AsyncIterator[AsyncWebClient]:
    """A client of an app whose manifest asks for less."""
    sandbox = SlackSandbox(manifest_without(*names))
    await sandbox.start()
    try:
        yield AsyncWebClient(token=BOT_TOKEN, base_url=sandbox.api_url)
    finally:
        await sandbox.stop()


SCOPED: dict[str, tuple[str, Calling]] = {
    "chat.postMessage": ("chat:write", lambda c: c.chat_postMessage(channel=MARKETING, text="x")),
    "users.info": ("users:read", lambda c: c.users_info(user="U0ANA")),
    "conversations.info": ("channels:read", lambda c: c.conversations_info(channel=MARKETING)),
    "conversations.info, private": ("groups:read", lambda c: c.conversations_info(channel=LAUNCH)),
    "conversations.list": ("groups:read", lambda c: c.conversations_list(types="public_channel,private_channel")),
    "conversations.open": ("im:write", lambda c: c.conversations_open(users="U0ANA")),
    "conversations.history": ("channels:history", lambda c: c.conversations_history(channel=MARKETING)),
    "conversations.replies": ("im:history", lambda c: c.conversations_replies(channel=ANA_IM, ts="1.0")),
    "files.info": ("files:read", lambda c: c.files_info(file="F1")),
    "files.getUploadURLExternal": ("files:write", lambda c: c.files_getUploadURLExternal(filename="a", length=1)),
    "reactions.add": ("reactions:write", lambda c: c.reactions_add(channel=MARKETING, timestamp="1.0", name="eyes")),
    "usergroups.users.list": ("usergroups:read", lambda c: c.usergroups_users_list(usergroup="S0MARKETING")),
}


@pytest.mark.parametrize(("scope", "call"), SCOPED.values(), ids=SCOPED.keys())
async def test_a_call_without_its_scope_is_refused_naming_it(scope: str, call: Calling) -> None:
    async with installed_without(scope) as client:
        answer = await refusal(call(client))
    assert (answer["error"], answer["needed"]) == ("missing_scope", scope)
    assert scope not in answer["provided"].split(",")
    assert "commands" in answer["provided"].split(",")


REFUSED: dict[str, tuple[str, Calling]] = {
    "a channel that is none": ("channel_not_found", lambda c: c.chat_postMessage(channel="C1", text="x")),
    "a channel the bot is not in": ("not_in_channel", lambda c: c.chat_postMessage(channel=GENERAL, text="x")),
    "no text": ("no_text", lambda c: c.api_call("chat.postMessage", json={"channel": MARKETING, "text": " "})),
    "a thread that is none": (
        "thread_not_found",
        lambda c: c.chat_postMessage(channel=MARKETING, text="x", thread_ts="1.0"),
    ),
    "blocks that are no JSON": (
        "invalid_blocks_format",
        lambda c: c.chat_postMessage(channel=MARKETING, text="x", blocks="{"),
    ),
    "51 blocks": ("invalid_blocks", lambda c: c.chat_postMessage(channel=MARKETING, text="x", blocks=[DIVIDER] * 51)),
    "13,200 characters in blocks": (
        "msg_blocks_too_long",
        lambda c: c.chat_postMessage(
            channel=MARKETING,
            text="x",
            blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}] * 5,
        ),
    ),
    "101 attachments": (
        "too_many_attachments",
        lambda c: c.chat_postMessage(channel=MARKETING, text="x", attachments=[{"text": "x"}] * 101),
    ),
    "metadata without a type": (
        "invalid_metadata_format",
        lambda c: c.chat_postMessage(channel=MARKETING, text="x", metadata={"event_payload": {}}),
    ),
    "a private answer to a stranger": (
        "user_not_found",
        lambda c: c.chat_postEphemeral(channel=MARKETING, user="U1", text="x"),
    ),
    "a private answer to who is not there": (
        "user_not_in_channel",
        lambda c: c.chat_postEphemeral(channel=LAUNCH, user="U0BEN", text="x"),
    ),
    "an update of nothing": ("message_not_found", lambda c: c.chat_update(channel=MARKETING, ts="1.0", text="x")),
    "an unknown person": ("user_not_found", lambda c: c.users_info(user="U1")),
    "an unknown thread": ("thread_not_found", lambda c: c.conversations_replies(channel=MARKETING, ts="1.0")),
    "history of a channel the bot is not in": ("not_in_channel", lambda c: c.conversations_history(channel=GENERAL)),
    "an unknown cursor": ("invalid_cursor", lambda c: c.users_list(cursor="???")),
    "a time in words": (
        "invalid_ts_oldest",
        lambda c: c.conversations_history(channel=MARKETING, oldest="noon"),
    ),
    "an attachment that is none": (
        "invalid_blocks",
        lambda c: c.api_call("chat.postMessage", json={"channel": MARKETING, "text": "x", "attachments": [1]}),
    ),
    "an unknown type": ("invalid_types", lambda c: c.conversations_list(types="secret")),
    "a limit in words": ("invalid_arguments", lambda c: c.users_list(limit="ten")),  # type: ignore[arg-type]
    "two people at once": ("invalid_arguments", lambda c: c.conversations_open(users=["U0ANA", "U0BEN"])),
    "an unknown file": ("file_not_found", lambda c: c.files_info(file="F1")),
    "an unknown group of people": ("no_such_subteam", lambda c: c.usergroups_users_list(usergroup="S1")),
    "a view without a trigger": ("invalid_trigger_id", lambda c: c.views_open(trigger_id="1.2.3", view=MODAL)),
    "an unknown view": ("not_found", lambda c: c.views_update(view_id="V1", view=MODAL)),
}


@pytest.mark.parametrize(("error", "call"), REFUSED.values(), ids=REFUSED.keys())
async def test_slack_refuses(client: AsyncWebClient, error: str, call: Calling) -> None:
    assert (await refusal(call(client)))["error"] == error


async def test_a_private_channel_the_bot_is_not_in_does_not_exist_for_it(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.core.workspace.channels[LAUNCH].members.remove("U0SMSBOT")
    assert (await refusal(client.chat_postMessage(channel=LAUNCH, text="x")))["error"] == "channel_not_found"
    assert (await refusal(client.conversations_info(channel=LAUNCH)))["error"] == "channel_not_found"
    listed = await client.conversations_list(types="private_channel")
    assert listed["channels"] == []


async def test_invalid_blocks_come_with_the_place_and_the_limit(client: AsyncWebClient) -> None:
    block = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    answer = await refusal(client.chat_postMessage(channel=MARKETING, text="x", blocks=[block]))
    line = "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    assert answer["errors"] == answer["response_metadata"]["messages"] == [line]


async def test_auth_test_says_who_the_bot_is_and_the_header_its_scopes(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["user"]) == ("T0SANDBOX", "U0SMSBOT", "sms")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_a_message_can_go_to_a_name_and_to_a_person(client: AsyncWebClient, ana: Person) -> None:
    named = await client.chat_postMessage(channel="#marketing", text="to all")
    direct = await client.chat_postMessage(channel="U0ANA", text="to you")
    assert (named["channel"], direct["channel"]) == (MARKETING, ANA_IM)
    await ana.sees("message", 2)
    assert [message["text"] for message in ana.messages()] == ["to all", "to you"]


async def test_a_text_over_forty_thousand_characters_is_cut(client: AsyncWebClient) -> None:
    answer = await client.chat_postMessage(channel=MARKETING, text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    assert answer["warning"] == "message_truncated"


async def test_an_update_keeps_blocks_only_when_no_text_is_given(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=MARKETING, text="a", blocks=[DIVIDER])
    here = {"channel": MARKETING, "ts": posted["ts"]}
    with_blocks = await client.chat_update(**here, text="b", blocks=[DIVIDER, DIVIDER])
    assert len(with_blocks["message"]["blocks"]) == 2
    assert "edited" not in with_blocks["message"]
    text_only = await client.chat_update(**here, text="c")
    assert "blocks" not in text_only["message"]
    assert text_only["message"]["edited"]["user"] == "U0SMSBOT"


async def test_only_the_bots_own_messages_can_be_changed_and_deleted(client: AsyncWebClient, ana: Person) -> None:
    ts = await ana.say("mine")
    assert (await refusal(client.chat_update(channel=MARKETING, ts=ts, text="x")))["error"] == "cant_update_message"
    assert (await refusal(client.chat_delete(channel=MARKETING, ts=ts)))["error"] == "cant_delete_message"
    own = await client.chat_postMessage(channel=MARKETING, text="own")
    await client.chat_delete(channel=MARKETING, ts=own["ts"])
    assert (await ana.sees("message_deleted"))["ts"] == own["ts"]


async def test_a_private_answer_is_seen_by_one_and_found_by_no_method(
    client: AsyncWebClient, ana: Person, ben: Person
) -> None:
    posted = await client.chat_postEphemeral(channel=MARKETING, user="U0ANA", text="psst")
    await client.chat_postMessage(channel=MARKETING, text="all")
    await asyncio.gather(ana.sees("message", 2), ben.sees("message"))
    assert [(m["text"], m.get("ephemeral", False)) for m in ana.messages()] == [("psst", True), ("all", False)]
    assert [m["text"] for m in ben.messages()] == ["all"]
    answer = await refusal(client.chat_update(channel=MARKETING, ts=posted["message_ts"], text="x"))
    assert answer["error"] == "message_not_found"
    history = await client.conversations_history(channel=MARKETING)
    assert [m["text"] for m in history["messages"]] == ["all"]


async def test_threads_have_replies_metadata_and_a_count(client: AsyncWebClient) -> None:
    metadata = {"event_type": "send_task", "event_payload": {"id": 42}}
    parent = await client.chat_postMessage(channel=MARKETING, text="parent", metadata=metadata)
    for number in range(3):
        await client.chat_postMessage(channel=MARKETING, text=f"reply {number}", thread_ts=parent["ts"])
    first = await client.conversations_replies(channel=MARKETING, ts=parent["ts"], limit=2, include_all_metadata=True)
    assert [m["text"] for m in first["messages"]] == ["parent", "reply 0"]
    assert first["messages"][0]["metadata"] == metadata
    assert first["messages"][0]["reply_count"] == 3
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.conversations_replies(channel=MARKETING, ts=parent["ts"], limit=2, cursor=cursor)
    assert [m["text"] for m in rest["messages"]] == ["reply 1", "reply 2"]
    without = await client.conversations_replies(channel=MARKETING, ts=parent["ts"])
    assert "metadata" not in without["messages"][0]
    history = await client.conversations_history(channel=MARKETING)
    assert [m["text"] for m in history["messages"]] == ["parent"]


async def test_metadata_stays_through_an_update_until_it_is_emptied(client: AsyncWebClient) -> None:
    metadata = {"event_type": "t", "event_payload": {"a": 1}}
    posted = await client.chat_postMessage(channel=MARKETING, text="x", metadata=metadata)
    here = {"channel": MARKETING, "ts": posted["ts"]}
    assert (await client.chat_update(**here, text="y"))["message"]["metadata"] == metadata
    assert "metadata" not in (await client.chat_update(**here, text="z", metadata={}))["message"]


async def test_history_takes_a_range_and_pages(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel=MARKETING, text=str(n)))["ts"] for n in range(4)]

    async def texts(**how: Any) -> list[str]:
        return [m["text"] for m in (await client.conversations_history(channel=MARKETING, **how))["messages"]]

    assert await texts(oldest=stamps[1]) == ["3", "2"]
    assert await texts(oldest=stamps[1], latest=stamps[2], inclusive=True) == ["2", "1"]
    assert await texts(limit=1) == ["3"]


async def test_channels_and_their_members_are_listed_page_by_page(client: AsyncWebClient) -> None:
    names: list[str] = []
    async for answer in await client.conversations_list(types="public_channel,private_channel", limit=1):
        names += [channel["name"] for channel in answer["channels"]]
    assert names == ["general", "marketing", "launch-autumn"]
    assert (await client.conversations_info(channel=GENERAL))["channel"]["is_member"] is False
    assert (await client.conversations_members(channel=LAUNCH))["members"] == ["U0ANA", "U0MEI", "U0SMSBOT"]
    shared = await client.users_conversations(user="U0BEN", types="public_channel,private_channel")
    assert [channel["name"] for channel in shared["channels"]] == ["general", "marketing"]


async def test_people_have_a_time_zone_and_a_locale(client: AsyncWebClient) -> None:
    mei = (await client.users_info(user="U0MEI", include_locale=True))["user"]
    assert (mei["tz"], mei["tz_offset"], mei["locale"], mei["is_bot"]) == ("Asia/Shanghai", 28_800, "zh-CN", False)
    assert "email" not in mei["profile"]
    assert [member["id"] for member in (await client.users_list())["members"] if member["is_bot"]] == [
        "U0SMSBOT",
        "USLACKBOT",
    ]
    assert (await client.usergroups_users_list(usergroup="S0MARKETING"))["users"] == ["U0ANA", "U0MEI"]


async def test_opening_a_conversation_gives_the_persons_im(client: AsyncWebClient) -> None:
    assert (await client.conversations_open(users="U0ANA"))["channel"]["id"] == ANA_IM


async def test_a_reaction_can_be_added_once(client: AsyncWebClient, ana: Person) -> None:
    ts = await ana.say("look")
    await client.reactions_add(channel=MARKETING, timestamp=ts, name="eyes")
    shown = (await ana.sees("message_changed"))["message"]
    assert shown["reactions"] == [{"name": "eyes", "users": ["U0SMSBOT"], "count": 1}]
    answer = await refusal(client.reactions_add(channel=MARKETING, timestamp=ts, name="eyes"))
    assert answer["error"] == "already_reacted"


async def test_a_throttled_method_answers_429_until_it_was_asked_often_enough(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    async with aiohttp.ClientSession() as session:
        limit = {"method": "auth.test", "times": 2, "retry_after": 0}
        await session.post(f"{slack.url}/control/rate_limit", json=limit)
    answer = await refusal(client.auth_test())
    assert answer["error"] == "ratelimited"
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    assert (await client.auth_test())["ok"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"blocks": [DIVIDER]}, None),
        ({"view": MODAL}, None),
        ({"message": {"blocks": [DIVIDER]}}, None),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"view": {**MODAL, "blocks": []}}, "invalid_view"),
        ({"message": {"blocks": [DIVIDER] * 51}}, "invalid_message"),
        ({"blocks": [DIVIDER], "view": MODAL}, "invalid_arguments"),
        ({}, "invalid_arguments"),
    ],
    ids=json.dumps,
)
async def test_blocks_can_be_validated_without_a_token(slack: SlackSandbox, arguments: Json, error: str | None) -> None:
    answer = await post(slack, "blocks.validate", json=arguments)
    assert answer.get("error") == error
    if error and error != "invalid_arguments":
        assert set(answer["errors"][0]) == {"pointer", "code", "message", "constraint"}


async def test_every_call_is_kept_in_order_with_its_arguments(slack: SlackSandbox, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=MARKETING, text="x")
    await refusal(client.chat_postMessage(channel=GENERAL, text="y"))
    kept = [(call["method"], call["args"]["text"], call["error"]) for call in slack.core.calls]
    assert kept == [("chat.postMessage", "x", None), ("chat.postMessage", "y", "not_in_channel")]
    assert BOT_TOKEN not in json.dumps(slack.control.state())
