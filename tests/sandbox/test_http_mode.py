"""The app behind a request URL: signed POSTs, in Slack's shapes, repeated as Slack repeats them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET
from sandbox.slack.http_delivery import signature
from sandbox.slack.server import SlackSandbox
from tests.sandbox.people import BUTTONS, MANIFEST, MARKETING, PATIENT, PRESS, Person, acting, make_impatient, until

Json = dict[str, Any]
Handler = Callable[[web.Request, str], Awaitable[web.Response]]


class HttpApp:
    """An app that answers Slack's challenge and keeps the rest; `handle` says what it answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[web.Request, str]] = []
        self.handle: Handler = self._ok
        self.url = ""

    async def _ok(self, request: web.Request, body: str) -> web.Response:
        return web.Response()

    async def serve(self, request: web.Request) -> web.Response:
        """Verify the signature, then do as told."""
        body = await request.text()
        verifier = SignatureVerifier(SIGNING_SECRET)
        assert verifier.is_valid_request(body, dict(request.headers))
        if request.content_type == "application/json" and json.loads(body)["type"] == "url_verification":
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        self.requests.append((request, body))
        return await self.handle(request, body)

    async def got(self, count: int = 1) -> tuple[web.Request, str]:
        """The count-th request, once it has come."""
        await until(lambda: len(self.requests) >= count)
        return self.requests[count - 1]


@pytest.fixture
async def app() -> AsyncIterator[HttpApp]:
    listening = HttpApp()
    served = web.Application()
    served.router.add_post("/slack/events", listening.serve)
    runner = web.AppRunner(served, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield listening
    await runner.cleanup()


@pytest.fixture
async def slack(app: HttpApp) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST, request_url=app.url, timings=PATIENT)
    await sandbox.start()
    await until(lambda: sandbox.connected)
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def ana(slack: SlackSandbox) -> AsyncIterator[Person]:
    async with acting(slack, "U0ANA") as person:
        yield person


def test_the_signature_is_the_one_slack_publishes() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body.encode())
    assert signed == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


async def test_socket_mode_is_off(slack: SlackSandbox) -> None:
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
    answer = await client.api_call("auth.test")
    assert answer["ok"]
    with pytest.raises(Exception, match="socket_mode_not_enabled"):
        await client.apps_connections_open(app_token=APP_TOKEN)


async def test_a_command_is_a_form(ana: Person, app: HttpApp) -> None:
    await ana.run("/sms-send", "group:vip & 陈美")
    request, body = await app.got()
    assert request.content_type == "application/x-www-form-urlencoded"
    fields = dict(parse_qsl(body, keep_blank_values=True))
    assert (fields["command"], fields["text"], fields["channel_id"]) == ("/sms-send", "group:vip & 陈美", MARKETING)
    assert fields["is_enterprise_install"] == "false"


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        (lambda: web.json_response({"text": "as JSON"}), "as JSON"),
        (lambda: web.Response(text="as text"), "as text"),
    ],
    ids=["json", "text"],
)
async def test_the_body_of_the_answer_is_shown(
    ana: Person, app: HttpApp, response: Callable[[], web.Response], shown: str
) -> None:
    async def handle(request: web.Request, body: str) -> web.Response:
        return response()

    app.handle = handle
    await ana.run("/sms-send")
    message = (await ana.sees("message"))["message"]
    assert (message["text"], message["ephemeral"]) == (shown, True)


async def test_a_slow_or_failing_app_makes_a_command_fail(slack: SlackSandbox, ana: Person, app: HttpApp) -> None:
    make_impatient(slack)

    async def slow(request: web.Request, body: str) -> web.Response:
        await asyncio.sleep(0.15)
        return web.Response()

    async def broken(request: web.Request, body: str) -> web.Response:
        return web.Response(status=500)

    app.handle = slow
    await ana.run("/sms-send")
    await ana.sees("message")
    app.handle = broken
    await ana.run("/sms-send")
    await ana.sees("message", 2)
    assert [message["failed"] for message in ana.messages()] == [
        '/sms-send failed with the error "operation_timeout"',
        '/sms-send failed with the error "dispatch_failed"',
    ]


async def test_a_pressed_button_is_json_in_a_form_field(slack: SlackSandbox, ana: Person, app: HttpApp) -> None:
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
    await client.chat_postMessage(channel=MARKETING, text="x", blocks=BUTTONS)
    await app.got()
    await ana.press((await ana.sees("message"))["message"], PRESS)
    _, body = await app.got(2)
    payload = json.loads(dict(parse_qsl(body))["payload"])
    assert (payload["type"], payload["actions"][0]["value"]) == ("block_actions", "7")


async def test_an_event_is_json_and_repeated_with_number_and_reason(
    slack: SlackSandbox, ana: Person, app: HttpApp
) -> None:
    make_impatient(slack)
    answers = [web.Response(status=500), None, web.Response(), web.Response()]

    async def handle(request: web.Request, body: str) -> web.Response:
        answer = answers[len(app.requests) - 1]
        if answer is None:
            await asyncio.sleep(0.15)
        return answer or web.Response()

    app.handle = handle
    await ana.say("hello")
    await app.got(3)
    tries = [
        (request.headers.get("x-slack-retry-num"), request.headers.get("x-slack-retry-reason"))
        for request, _ in app.requests[:3]
    ]
    assert tries == [(None, None), ("1", "http_error"), ("2", "http_timeout")]
    assert len({json.loads(body)["event_id"] for _, body in app.requests}) == 1


async def test_an_app_can_stop_the_repetition(ana: Person, app: HttpApp) -> None:
    async def handle(request: web.Request, body: str) -> web.Response:
        return web.Response(status=500, headers={"x-slack-no-retry": "1"})

    app.handle = handle
    await ana.say("hello")
    await app.got()
    await asyncio.sleep(0.1)
    assert len(app.requests) == 1


async def test_an_app_that_went_away_counts_as_connected_again_once_it_answers(app: HttpApp) -> None:
    address, app.url = app.url, "http://127.0.0.1:9/slack/events"
    sandbox = SlackSandbox(MANIFEST, request_url=app.url, timings=PATIENT)
    await sandbox.start()
    assert not sandbox.connected
    async with acting(sandbox, "U0ANA") as ana:
        await ana.run("/sms-send")
        assert "dispatch_failed" in (await ana.sees("message"))["message"]["failed"]
        delivery: Any = sandbox.core.delivery
        delivery.request_url = address
        await until(lambda: sandbox.connected)
        assert (await ana.sees("state"))["state"]["bot_connected"] is True
    await sandbox.stop()
