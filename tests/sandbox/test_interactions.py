"""Forms, triggers and response_urls: what the app may do with what a person did."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import Timings
from sandbox.slack.server import SlackSandbox
from sandbox.slack.tickets import Refused, ResponseUrls
from tests.sandbox.app import App
from tests.sandbox.people import BUTTONS, MARKETING, PRESS, Person, make_impatient

Json = dict[str, Any]

NAME_INPUT: Json = {
    "type": "input",
    "block_id": "name",
    "label": {"type": "plain_text", "text": "Name"},
    "element": {"type": "plain_text_input", "action_id": "entered", "max_length": 5},
}


def form(title: str = "Group", **fields: Any) -> Json:
    """A modal with one input and one button."""
    return {
        "type": "modal",
        "callback_id": "group",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Save"},
        "blocks": [NAME_INPUT, *BUTTONS],
        **fields,
    }


def entered(text: str | None) -> Json:
    return {"values": {"name": {"entered": {"type": "plain_text_input", "value": text}}}}


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


async def respond(url: str, **body: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.text()


async def trigger(ana: Person, app: App) -> str:
    """A fresh trigger_id, of a command Ana types."""
    before = len(app.requests)
    await ana.run("/sms-send")
    await app.asked(before + 1)
    return str(app.requests[before].payload["trigger_id"])


@pytest.fixture
async def view(client: AsyncWebClient, ana: Person, app: App) -> Json:
    """An open form, as the page was sent it."""
    await client.views_open(trigger_id=await trigger(ana, app), view=form())
    found: Json = (await ana.sees("view_opened"))["view"]
    return found


async def test_a_trigger_opens_one_view(client: AsyncWebClient, ana: Person, app: App) -> None:
    used = await trigger(ana, app)
    await client.views_open(trigger_id=used, view=form())
    assert await refused(client.views_open(trigger_id=used, view=form())) == "exchanged_trigger_id"


@pytest.mark.usefixtures("impatient")
async def test_a_trigger_is_good_for_three_seconds(client: AsyncWebClient, ana: Person, app: App) -> None:
    old = await trigger(ana, app)
    await asyncio.sleep(0.06)
    assert await refused(client.views_open(trigger_id=old, view=form())) == "expired_trigger_id"


async def test_a_refused_view_does_not_use_the_trigger_up(client: AsyncWebClient, ana: Person, app: App) -> None:
    kept = await trigger(ana, app)
    with pytest.raises(SlackApiError) as raised:
        await client.views_open(trigger_id=kept, view=form("A title of over 24 letters"))
    assert raised.value.response["error"] == "invalid_arguments"
    assert raised.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    await client.views_open(trigger_id=kept, view=form())


async def test_the_real_times_are_slacks() -> None:
    assert Timings() == Timings(acknowledge=3, trigger=3, response_url=30 * 60, event_retries=(0, 60, 300))


async def test_an_update_needs_the_hash_it_knows_to_be_the_current_one(client: AsyncWebClient, view: Json) -> None:
    updated = await client.views_update(view_id=view["id"], hash=view["hash"], view=form("Second"))
    assert updated["view"]["title"]["text"] == "Second"
    assert await refused(client.views_update(view_id=view["id"], hash=view["hash"], view=form())) == "hash_conflict"
    await client.views_update(view_id=view["id"], view=form("Third"))


async def test_an_update_is_shown(client: AsyncWebClient, ana: Person, view: Json) -> None:
    await client.views_update(view_id=view["id"], view=form("Second"))
    assert (await ana.sees("view_updated"))["view"]["title"]["text"] == "Second"


async def test_a_view_can_be_found_by_its_external_id(client: AsyncWebClient, ana: Person, app: App) -> None:
    await client.views_open(trigger_id=await trigger(ana, app), view=form(external_id="mine"))
    await client.views_update(external_id="mine", view=form("Second", external_id="mine"))
    again = client.views_open(trigger_id=await trigger(ana, app), view=form(external_id="mine"))
    assert await refused(again) == "duplicate_external_id"


async def press_in(ana: Person, app: App, view: Json, state: Json | None = None) -> SocketModeRequest:
    before = len(app.requests)
    await ana.do("action", view_id=view["id"], action=PRESS, state=state or {"values": {}})
    await app.asked(before + 1)
    return app.requests[before]


async def test_a_button_in_a_form_brings_what_was_typed_so_far(ana: Person, app: App, view: Json) -> None:
    payload = (await press_in(ana, app, view, entered("vip"))).payload
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert payload["view"]["state"] == entered("vip")
    assert not {"response_url", "message", "channel"} & set(payload)


async def test_three_views_lie_on_each_other_at_most(client: AsyncWebClient, ana: Person, app: App, view: Json) -> None:
    for title in ("Second", "Third"):
        pressed = await press_in(ana, app, view)
        pushed = await client.views_push(trigger_id=pressed.payload["trigger_id"], view=form(title))
        assert pushed["view"]["previous_view_id"] == view["id"]
        view = pushed["view"]
    pressed = await press_in(ana, app, view)
    assert (
        await refused(client.views_push(trigger_id=pressed.payload["trigger_id"], view=form())) == "push_limit_reached"
    )


async def test_only_an_interaction_in_a_form_can_push_another(client: AsyncWebClient, ana: Person, app: App) -> None:
    assert await refused(client.views_push(trigger_id=await trigger(ana, app), view=form())) == "not_found"


async def test_a_submission_brings_the_values_and_closes_the_form(ana: Person, app: App, view: Json) -> None:
    assert await ana.do("view_submit", view_id=view["id"], state=entered("vip")) == {"ok": True}
    request = await app.asked(2)
    assert (request.payload["type"], request.accepts_response_payload) == ("view_submission", True)
    assert request.payload["view"]["state"] == entered("vip")
    assert request.payload["view"]["callback_id"] == "group"
    assert (await ana.sees("view_closed"))["view_id"] == view["id"]


@pytest.mark.parametrize(
    ("text", "error"),
    [(None, "Please complete this required field."), ("too long", "Please enter no more than 5 characters.")],
)
async def test_slack_itself_keeps_back_what_is_not_filled_in(
    ana: Person, app: App, view: Json, text: str | None, error: str
) -> None:
    answer = await ana.do("view_submit", view_id=view["id"], state=entered(text))
    assert answer == {"ok": False, "errors": {"name": error}}
    assert len(app.requests) == 1


async def test_errors_are_shown_and_the_form_stays(ana: Person, app: App, view: Json) -> None:
    app.answer = lambda request: {"response_action": "errors", "errors": {"name": "taken"}}
    answer = await ana.do("view_submit", view_id=view["id"], state=entered("vip"))
    assert answer == {"ok": False, "errors": {"name": "taken"}}
    shown = await ana.sees("view_errors")
    assert (shown["view_id"], shown["errors"]) == (view["id"], {"name": "taken"})
    assert ana.events("view_closed") == []


async def test_an_answer_can_put_another_form_in_its_place(ana: Person, app: App, view: Json) -> None:
    app.answer = lambda request: {"response_action": "update", "view": form("Done")}
    assert (await ana.do("view_submit", view_id=view["id"], state=entered("vip")))["ok"]
    shown = (await ana.sees("view_updated"))["view"]
    assert (shown["id"], shown["title"]["text"]) == (view["id"], "Done")


async def test_an_answer_can_push_a_form_and_a_later_one_clear_them_all(ana: Person, app: App, view: Json) -> None:
    app.answer = lambda request: {"response_action": "push", "view": form("More")}
    await ana.do("view_submit", view_id=view["id"], state=entered("vip"))
    second = (await ana.sees("view_opened", 2))["view"]
    assert second["previous_view_id"] == view["id"]
    app.answer = lambda request: {"response_action": "clear"}
    await ana.do("view_submit", view_id=second["id"], state=entered("vip"))
    await ana.sees("view_closed", 2)
    assert [event["view_id"] for event in ana.events("view_closed")] == [second["id"], view["id"]]


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"elsewhere": "no"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "applaud"},
    ],
    ids=["errors of no input", "no errors", "a bad view", "an unknown action"],
)
async def test_an_answer_slack_does_not_understand_is_shown_as_trouble(
    ana: Person, app: App, view: Json, answer: Json
) -> None:
    app.answer = lambda request: answer
    assert await ana.do("view_submit", view_id=view["id"], state=entered("vip")) == {"ok": False, "errors": {}}
    assert (await ana.sees("toast"))["text"] == "We had some trouble connecting. Try again?"


async def test_a_submission_that_is_not_acknowledged_is_shown_as_trouble(
    slack: SlackSandbox, ana: Person, app: App, view: Json
) -> None:
    app.silent = lambda request: True
    make_impatient(slack)
    assert await ana.do("view_submit", view_id=view["id"], state=entered("vip")) == {"ok": False, "errors": {}}
    await ana.sees("toast")


async def test_closing_is_told_when_the_form_asks_for_it(client: AsyncWebClient, ana: Person, app: App) -> None:
    opened = await client.views_open(trigger_id=await trigger(ana, app), view=form(notify_on_close=True))
    await ana.do("view_close", view_id=opened["view"]["id"])
    payload = (await app.asked(2)).payload
    assert (payload["type"], payload["is_cleared"]) == ("view_closed", False)
    assert payload["view"]["id"] == opened["view"]["id"]


async def test_a_home_tab_is_published(slack: SlackSandbox, client: AsyncWebClient) -> None:
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    published = await client.views_publish(user_id="U0ANA", view=home)
    assert slack.control.state()["homes"]["U0ANA"]["id"] == published["view"]["id"]
    assert await refused(client.views_publish(user_id="U0ANA", view=home, hash="old")) == "hash_conflict"
    assert await refused(client.views_publish(user_id="U0ANA", view=form())) == "invalid_arguments"


@pytest.fixture
async def command_url(ana: Person, app: App) -> str:
    """The response_url of a command Ana typed."""
    await ana.run("/sms-send")
    return str((await app.asked()).payload["response_url"])


async def test_a_response_url_takes_five_posts(command_url: str, ana: Person) -> None:
    answers = [await respond(command_url, text=str(number)) for number in range(6)]
    assert answers[:5] == [(200, "ok")] * 5
    assert answers[5][0] == 404
    assert "used_url" in answers[5][1]
    await ana.sees("message", 5)
    assert all(message["ephemeral"] for message in ana.messages())


def test_a_response_url_ends_after_its_time() -> None:
    urls = ResponseUrls(seconds=-1)
    path = urls.issue("U0ANA", MARKETING)
    with pytest.raises(Refused, match="expired_url"):
        urls.use(path.rpartition("/")[2])


async def test_a_response_in_channel_is_for_all_and_may_go_into_a_thread(
    command_url: str, ana: Person, ben: Person
) -> None:
    parent = await ana.say("here")
    await respond(command_url, text="for all", response_type="in_channel", thread_ts=parent)
    await ben.sees("message", 2)
    assert (ben.messages()[1]["text"], ben.messages()[1]["thread_ts"]) == ("for all", parent)


async def test_a_commands_response_url_has_nothing_to_replace(command_url: str, ana: Person) -> None:
    await respond(command_url, text="one")
    await respond(command_url, text="two", replace_original=True)
    await ana.sees("message", 2)
    assert [message["text"] for message in ana.messages()] == ["one", "two"]


@pytest.mark.parametrize(
    ("body", "error"),
    [({"blocks": [{"type": "marquee"}]}, "invalid_blocks"), ({}, "no_text")],
    ids=["bad blocks", "nothing"],
)
async def test_a_response_is_judged_like_a_message(command_url: str, body: Json, error: str) -> None:
    status, text = await respond(command_url, **body)
    assert status == 400
    assert error in text


async def private_preview(ana: Person, app: App) -> tuple[Json, str]:
    """A private answer with a button, and the response_url that pressing it gives."""
    app.answer = lambda request: {"text": "preview", "blocks": BUTTONS} if request.type == "slash_commands" else None
    await ana.run("/sms-send")
    message: Json = (await ana.sees("message"))["message"]
    await ana.press(message, PRESS)
    return message, str((await app.asked(2)).payload["response_url"])


async def test_a_private_answer_is_replaced_through_its_buttons_response_url(ana: Person, app: App) -> None:
    message, url = await private_preview(ana, app)
    await respond(url, text="sent", replace_original=True, response_type="in_channel")
    changed = (await ana.sees("message_changed"))["message"]
    assert (changed["ts"], changed["text"], changed["ephemeral"]) == (message["ts"], "sent", True)
    assert "blocks" not in changed


async def test_a_private_answer_is_deleted_through_its_buttons_response_url(ana: Person, app: App) -> None:
    message, url = await private_preview(ana, app)
    assert await respond(url, delete_original=True) == (200, "ok")
    gone = await ana.sees("ephemeral_deleted")
    assert (gone["channel"], gone["ts"]) == (MARKETING, message["ts"])
    answer = await ana.press(message, PRESS)
    assert answer == {"error": "That message is gone."}


async def test_a_message_for_all_is_replaced_through_its_buttons_response_url(
    client: AsyncWebClient, ana: Person, ben: Person, app: App
) -> None:
    posted = await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await ana.press((await ana.sees("message"))["message"], PRESS)
    url = (await app.asked()).payload["response_url"]
    await respond(url, text="for the presser")
    await respond(url, text="done", replace_original=True)
    assert (await ben.sees("message_changed"))["message"]["text"] == "done"
    history = await client.conversations_history(channel=MARKETING)
    assert [(m["ts"], m["text"]) for m in history["messages"]] == [(posted["ts"], "done")]
