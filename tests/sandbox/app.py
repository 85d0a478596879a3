"""An app for the sandbox's tests, on Slack's own Socket Mode client: it keeps what it is sent and answers as told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import APP_TOKEN, BOT_TOKEN
from sandbox.slack.server import SlackSandbox
from tests.sandbox.people import until

Json = dict[str, Any]


class App:
    """`requests` is every envelope so far; `answer` gives what an acknowledgement holds, `silent` withholds it."""

    def __init__(self) -> None:
        self.requests: list[SocketModeRequest] = []
        self.answer: Callable[[SocketModeRequest], Json | None] = lambda request: None
        self.silent: Callable[[SocketModeRequest], bool] = lambda request: False

    async def listen(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Take one envelope."""
        self.requests.append(request)
        if not self.silent(request):
            response = SocketModeResponse(envelope_id=request.envelope_id, payload=self.answer(request))
            await client.send_socket_mode_response(response)

    def events(self, kind: str) -> list[Json]:
        """The inner events of one type, oldest first."""
        payloads = [request.payload for request in self.requests if request.type == "events_api"]
        return [payload["event"] for payload in payloads if payload["event"]["type"] == kind]

    async def event(self, kind: str, count: int = 1) -> Json:
        """The count-th event of one type, once it has come."""
        await until(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    async def asked(self, count: int = 1) -> SocketModeRequest:
        """The count-th command or interaction, once it has come."""

        def so_far() -> list[SocketModeRequest]:
            return [request for request in self.requests if request.type != "events_api"]

        await until(lambda: len(so_far()) >= count)
        return so_far()[count - 1]


@asynccontextmanager
async def connected(slack: SlackSandbox, app: App) -> AsyncIterator[SocketModeClient]:
    """One Socket Mode connection of this app."""
    web_client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
    client = SocketModeClient(APP_TOKEN, web_client=web_client, ping_interval=0.1)
    client.socket_mode_request_listeners.append(app.listen)
    await client.connect()  # type: ignore[no-untyped-call]
    try:
        yield client
    finally:
        await client.close()  # type: ignore[no-untyped-call]
