"""Socket Mode as Slack's own client sees it, and what people see when the app does not answer."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import APP_TOKEN
from sandbox.slack.server import SlackSandbox
from tests.sandbox.app import App, connected
from tests.sandbox.people import BUTTONS, GENERAL, LAUNCH, MARKETING, PRESS, Person, acting, manifest_without, until

Json = dict[str, Any]


async def control(slack: SlackSandbox, name: str, **body: Any) -> Json:
    async with aiohttp.ClientSession() as session, session.post(f"{slack.url}/control/{name}", json=body) as response:
        answer: Json = await response.json()
        return answer


async def test_an_address_can_be_used_once(slack: SlackSandbox) -> None:
    client = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    address = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
    assert address.startswith("ws://127.0.0.1:")
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address) as socket:
            hello = await socket.receive_json()
            assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)


async def test_an_eleventh_connection_is_sent_away(slack: SlackSandbox) -> None:
    client = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        firsts = []
        for _ in range(11):
            address = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
            socket = await stack.enter_async_context(session.ws_connect(address))
            firsts.append(await socket.receive_json())
    assert [first.get("num_connections") for first in firsts[:10]] == list(range(1, 11))
    assert (firsts[10]["type"], firsts[10]["reason"]) == ("disconnect", "too_many_websockets")


async def test_each_envelope_goes_to_one_of_the_connections(slack: SlackSandbox, ana: Person) -> None:
    apps = [App(), App()]
    async with connected(slack, apps[0]), connected(slack, apps[1]):
        for number in range(6):
            await ana.run("/sms-send", str(number))
        await until(lambda: sum(len(app.requests) for app in apps) == 6)
        assert sorted(r.payload["text"] for app in apps for r in app.requests) == list("012345")
        assert all(app.requests for app in apps)


async def test_a_command_has_slacks_fields(ana: Person, app: App) -> None:
    await ana.run("/sms-send", "group:vip <b> & @sms")
    request = await app.asked()
    assert (request.type, request.accepts_response_payload) == ("slash_commands", True)
    told = {name: request.payload[name] for name in ("command", "text", "channel_id", "channel_name", "user_id")}
    assert told == {
        "command": "/sms-send",
        "text": "group:vip <b> & @sms",
        "channel_id": MARKETING,
        "channel_name": "marketing",
        "user_id": "U0ANA",
    }
    fields = {"team_id", "team_domain", "user_name", "api_app_id", "response_url", "trigger_id", "token"}
    assert fields < set(request.payload)


async def test_a_command_that_asks_for_it_gets_links(ana: Person, app: App) -> None:
    await ana.run("/sms-escaped", "@sms #marketing <b>", LAUNCH)
    payload = (await app.asked()).payload
    assert payload["text"] == f"<@U0SMSBOT|sms> <#{MARKETING}|marketing> &lt;b&gt;"
    assert payload["channel_name"] == "privategroup"


async def test_an_answer_in_the_acknowledgement_is_private(ana: Person, ben: Person, app: App) -> None:
    app.answer = lambda request: {"text": "for you", "blocks": BUTTONS}
    await ana.run("/sms-send")
    message = (await ana.sees("message"))["message"]
    assert (message["text"], message["ephemeral"], message["blocks"]) == ("for you", True, BUTTONS)
    assert ben.messages() == []


async def test_an_answer_in_channel_shows_the_command_first(ana: Person, ben: Person, app: App) -> None:
    app.answer = lambda request: {"text": "for all", "response_type": "in_channel"}
    await ana.run("/sms-send", "now")
    await asyncio.gather(ana.sees("message", 2), ben.sees("message", 2))
    shown = [(m["user"], m.get("command"), m["text"]) for m in ben.messages()]
    assert shown == [("U0ANA", "/sms-send now", ""), ("U0SMSBOT", None, "for all")]


async def test_an_empty_acknowledgement_shows_nothing(slack: SlackSandbox, ana: Person, app: App) -> None:
    await ana.run("/sms-send")
    await app.asked()
    await asyncio.sleep(0.05)
    assert ana.messages() == []


FAILURES = {
    "operation_timeout": '/sms-send failed with the error "operation_timeout"',
    "dispatch_failed": '/sms-send failed with the error "dispatch_failed"',
    "invalid_blocks": '/sms-send failed with the error "invalid_blocks"',
}


@pytest.mark.usefixtures("impatient")
async def test_a_command_that_is_not_acknowledged_in_time_fails(ana: Person, app: App) -> None:
    app.silent = lambda request: True
    await ana.run("/sms-send")
    message = (await ana.sees("message"))["message"]
    assert (message["failed"], message["ephemeral"]) == (FAILURES["operation_timeout"], True)


async def test_a_command_fails_at_once_when_the_app_is_not_connected(ana: Person) -> None:
    await ana.run("/sms-send")
    assert (await ana.sees("message"))["message"]["failed"] == FAILURES["dispatch_failed"]


async def test_a_command_answered_with_bad_blocks_fails(ana: Person, app: App) -> None:
    app.answer = lambda request: {"blocks": [{"type": "marquee"}]}
    await ana.run("/sms-send")
    assert (await ana.sees("message"))["message"]["failed"] == FAILURES["invalid_blocks"]


@pytest.mark.usefixtures("impatient")
async def test_a_button_that_is_not_acknowledged_shows_a_notice(client: AsyncWebClient, ana: Person, app: App) -> None:
    app.silent = lambda request: request.type == "interactive"
    await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await ana.press((await ana.sees("message"))["message"], PRESS)
    assert (await ana.sees("toast"))["text"] == "We had some trouble connecting. Try again?"
    assert len([request for request in app.requests if request.type == "interactive"]) == 1


async def test_a_pressed_button_arrives_with_its_message_and_place(
    client: AsyncWebClient, ana: Person, app: App
) -> None:
    posted = await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await ana.press((await ana.sees("message"))["message"], PRESS)
    request = await app.asked()
    payload = request.payload
    assert (request.type, request.accepts_response_payload, payload["type"]) == ("interactive", False, "block_actions")
    assert payload["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": MARKETING,
        "is_ephemeral": False,
    }
    assert payload["message"]["blocks"] == BUTTONS
    assert payload["actions"][0].items() >= {**PRESS, "text": {"type": "plain_text", "text": "Go"}}.items()
    assert payload["user"]["id"] == "U0ANA"
    assert {"trigger_id", "response_url", "team", "channel", "state"} < set(payload)


async def test_a_button_of_a_private_answer_comes_without_its_message(ana: Person, app: App) -> None:
    app.answer = lambda request: {"text": "x", "blocks": BUTTONS} if request.type == "slash_commands" else None
    await ana.run("/sms-send")
    await ana.press((await ana.sees("message"))["message"], PRESS)
    payload = (await app.asked(2)).payload
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload


async def test_a_payload_where_none_is_taken_is_ignored(client: AsyncWebClient, ana: Person, app: App) -> None:
    app.answer = lambda request: {"text": "not shown"}
    await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await ana.press((await ana.sees("message"))["message"], PRESS)
    await app.asked()
    await asyncio.sleep(0.05)
    assert [message["text"] for message in ana.messages()] == ["x"]


@pytest.mark.usefixtures("impatient")
async def test_an_event_is_sent_again_until_it_is_acknowledged(ana: Person, app: App) -> None:
    app.silent = lambda request: request.retry_attempt in (0, 1)
    await ana.say("hello")
    await app.event("message", 3)
    tries = [(r.retry_attempt, r.retry_reason, r.payload["event_id"]) for r in app.requests[:3]]
    assert [(number, reason) for number, reason, _ in tries] == [(0, ""), (1, "timeout"), (2, "timeout")]
    assert len({event_id for _, _, event_id in tries}) == 1
    assert len({request.envelope_id for request in app.requests[:3]}) == 3


@pytest.mark.usefixtures("impatient")
async def test_an_event_is_given_up_after_three_retries(ana: Person, app: App) -> None:
    app.silent = lambda request: True
    await ana.say("hello")
    await app.event("message", 4)
    await asyncio.sleep(0.15)
    assert len(app.requests) == 4


async def test_an_event_while_nothing_is_connected_is_lost(slack: SlackSandbox, ana: Person) -> None:
    await ana.say("nobody hears")
    app = App()
    async with connected(slack, app):
        await ana.say("heard")
        assert (await app.event("message"))["text"] == "heard"
        assert len(app.requests) == 1


async def test_dropped_sockets_are_told_and_come_back(slack: SlackSandbox, ana: Person, app: App) -> None:
    await until(lambda: slack.connected)
    assert (await control(slack, "drop_sockets", reason="refresh_requested"))["dropped"] == 1
    # Slack's client may connect twice on its way back, so the first words can still be lost.
    async with asyncio.timeout(5):
        while not app.events("message"):
            await ana.say("again")
            await asyncio.sleep(0.05)


async def test_the_last_event_can_be_sent_again_under_its_id(slack: SlackSandbox, ana: Person, app: App) -> None:
    await ana.say("hello")
    await app.event("message")
    answer = await control(slack, "redeliver", type="message")
    await app.event("message", 2)
    assert answer == {"ok": True, "event_id": app.requests[0].payload["event_id"]}
    assert app.requests[0].payload == app.requests[1].payload


async def test_an_event_envelope_names_the_app_and_whom_it_is_for(ana: Person, app: App) -> None:
    await ana.say("hello")
    await app.event("message")
    payload = app.requests[0].payload
    assert payload["type"] == "event_callback"
    assert payload["authorizations"][0]["user_id"] == "U0SMSBOT"
    assert {"team_id", "api_app_id", "event_id", "event_time", "event_context"} < set(payload)


async def test_a_dropped_file_is_one_message_event_and_one_file_event(ana: Person, app: App) -> None:
    await ana.drop("customers.csv", b"13812345678", text="group:vip")
    message = await app.event("message")
    assert (message["subtype"], message["text"], message["channel_type"]) == ("file_share", "group:vip", "channel")
    file = message["files"][0]
    assert (file["name"], file["size"], file["mimetype"]) == ("customers.csv", 11, "text/csv")
    shared = await app.event("file_shared")
    assert (shared["file_id"], shared["user_id"], shared["channel_id"]) == (file["id"], "U0ANA", MARKETING)


async def test_the_bots_own_messages_come_back_as_events(client: AsyncWebClient, app: App) -> None:
    posted = await client.chat_postMessage(channel=MARKETING, text="mine")
    assert (await app.event("message"))["bot_id"] == "B0SMSBOT"
    await client.chat_update(channel=MARKETING, ts=posted["ts"], text="changed")
    changed = await app.event("message", 2)
    assert (changed["subtype"], changed["message"]["text"], changed["previous_message"]["text"]) == (
        "message_changed",
        "changed",
        "mine",
    )


async def test_a_mention_is_an_event_of_its_own(ana: Person, app: App) -> None:
    await ana.say("hey @sms, help")
    assert (await app.event("app_mention"))["text"] == "hey <@U0SMSBOT>, help"


async def test_nothing_is_told_of_channels_the_bot_is_not_in(slack: SlackSandbox, ana: Person, app: App) -> None:
    await ana.say("quiet", GENERAL)
    await ana.run("/invite", "@sms", GENERAL)
    joined = await app.event("member_joined_channel")
    assert (joined["user"], joined["channel"], joined["inviter"]) == ("U0SMSBOT", GENERAL, "U0ANA")
    await ana.say("loud", GENERAL)
    await app.event("message", 2)
    assert [event["text"] for event in app.events("message")] == ["<@U0SMSBOT> has joined the channel", "loud"]


@pytest.mark.parametrize("missing", ["message.groups", "groups:history"])
async def test_nothing_is_told_without_subscription_and_scope(missing: str) -> None:
    sandbox = SlackSandbox(manifest_without(missing))
    await sandbox.start()
    app = App()
    async with connected(sandbox, app), acting(sandbox, "U0ANA") as ana:
        await ana.say("private", LAUNCH)
        await ana.say("public", MARKETING)
        await app.event("message")
    await sandbox.stop()
    assert [event["text"] for event in app.events("message")] == ["public"]


async def test_opening_the_im_is_an_event(ana: Person, app: App) -> None:
    await ana.get("messages", channel="D0ANA")
    opened = await app.event("app_home_opened")
    assert (opened["user"], opened["tab"], opened["channel"]) == ("U0ANA", "messages", "D0ANA")
