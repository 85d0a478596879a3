"""The edge in this process between a Slack stand-in and real services, over Socket Mode or signed HTTP."""

from __future__ import annotations

import copy
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.applications_file import RoleSettings
from bot.roles import Roles
from bot.slack_app import Edge
from bot.web import make_web_app
from bot.workspaces import only_home
from handlers.imports import Importing
from handlers.routes import help_lines
from handlers.send import Sending
from sandbox.slack.core import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Timings
from sandbox.slack.delivery import Attempt
from sandbox.slack.server import SlackSandbox
from sandbox.slack.workspace import TEAM_ID
from services.database import Database
from services.default_regions import MAINLAND, DefaultRegions
from tests.e2e.person import MARKETING, Person, words
from tests.handlers.samples import contents_of, tasks_of
from tests.sandbox.people import until
from tests.services.builders import Marketing

MANIFEST = Path(__file__).parents[2] / "app_manifest.yaml"
ANA = "U0ANA"
PATIENT = Timings(acknowledge=5.0, trigger=5.0, response_url=30.0, event_retries=())

Json = dict[str, Any]


@dataclass(slots=True)
class Workplace:
    """`services` may be changed by a test; `worked` counts the handlers that have run."""

    slack: SlackSandbox
    client: AsyncWebClient
    marketing: Marketing
    session: aiohttp.ClientSession
    services: dict[str, object]
    edge: Edge = field(init=False)
    worked: int = 0

    def person(self, user: str = ANA, channel: str = MARKETING) -> Person:
        """Somebody at the page."""
        return Person(self.session, self.slack.url, user, channel)

    def calls(self, method: str) -> list[Json]:
        """What the bot called so far."""
        return [call for call in self.slack.core.calls if call["method"] == method]

    async def tell(self, event: Json, **envelope: Any) -> None:
        """Send an event that nobody can make on the page; returns when it is acknowledged."""
        payload = {
            "token": "unused",
            "team_id": TEAM_ID,
            "api_app_id": "A0SMSAPP",
            "type": "event_callback",
            "event_id": f"Ev{id(event)}",
            "event_time": 1,
            "event": event,
            **envelope,
        }
        missed = await self.slack.core.delivery.try_event(copy.deepcopy(payload), Attempt())
        assert missed is None, missed

    async def settled(self) -> None:
        """Until nothing that was begun is under way."""
        await until(lambda: not self.edge._under_way, 20)


def services_of(marketing: Marketing) -> dict[str, object]:
    """What `bot.wiring` would make of them."""
    return {
        "importing": Importing(marketing.imports, marketing.groups),
        "sending": Sending(
            previews=marketing.previews,
            confirmations=marketing.confirmations,
            tests=marketing.draft_tests,
            groups=marketing.groups,
            content=marketing.content,
            imports=marketing.imports,
        ),
        "groups": marketing.groups,
        "contents": contents_of(marketing),
        "tasks": tasks_of(marketing),
        "help": help_lines(),
    }


@asynccontextmanager
async def opened(
    database: Database, *, http: bool, roles: RoleSettings | None = None, region: str = MAINLAND
) -> AsyncIterator[Workplace]:
    """A workplace from start to stop; without `roles` everybody may send."""
    async with AsyncExitStack() as parts:
        listening = parts.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/slack/events" if http else None
        slack = SlackSandbox(MANIFEST, request_url=address, timings=PATIENT)
        await slack.start()
        parts.push_async_callback(slack.stop)
        session = await parts.enter_async_context(aiohttp.ClientSession())
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
        marketing = Marketing(database, workspace_id=TEAM_ID)
        place = Workplace(slack, client, marketing, session, services_of(marketing))
        app = AsyncApp(client=client, signing_secret=SIGNING_SECRET, request_verification_enabled=http)

        def worked() -> None:
            place.worked += 1

        home = only_home(TEAM_ID, client)
        may = Roles(roles or RoleSettings(), home)
        regions = DefaultRegions(region)
        place.edge = Edge(app, home, place.services, marketing.clock, worked, may, regions=regions)
        place.edge._form_seconds = 4.0
        parts.push_async_callback(place.edge.stop)
        if http:
            nobody: Any = None
            runner = web.AppRunner(make_web_app({}, nobody, app), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            parts.push_async_callback(runner.cleanup)
            await web.SockSite(runner, listening).start()
        else:
            handler = AsyncSocketModeHandler(app, APP_TOKEN, web_client=client)
            await handler.connect_async()  # type: ignore[no-untyped-call]
            parts.push_async_callback(handler.close_async)
        await until(lambda: slack.connected, 20)
        yield place
        await place.settled()


__all__ = ["ANA", "MARKETING", "Person", "Workplace", "opened", "words"]
