"""What the sandbox's tests share: a manifest, short waits, and a person acting through the page's protocol."""

import asyncio
import copy
import dataclasses
import io
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from sandbox.slack.core import Timings
from sandbox.slack.server import SlackSandbox

MARKETING, GENERAL, LAUNCH, ANA_IM = "C0MARKETING", "C0GENERAL", "G0LAUNCH", "D0ANA"
PATIENT = Timings(acknowledge=5.0, trigger=5.0, response_url=30.0, event_retries=(0.0, 0.02, 0.02))


def make_impatient(slack: SlackSandbox) -> None:
    """Let three seconds pass in a twentieth of one."""
    slack.core.timings = dataclasses.replace(PATIENT, acknowledge=0.05)
    slack.core.triggers.seconds = 0.05


BUTTONS: list[dict[str, Any]] = [
    {
        "type": "actions",
        "block_id": "choice",
        "elements": [
            {"type": "button", "action_id": "go", "value": "7", "text": {"type": "plain_text", "text": "Go"}},
        ],
    }
]
PRESS = {"type": "button", "action_id": "go", "block_id": "choice", "value": "7"}

MANIFEST: dict[str, Any] = {
    "_metadata": {"major_version": 2},
    "display_information": {"name": "Bulk SMS"},
    "features": {
        "bot_user": {"display_name": "SMS"},
        "app_home": {"home_tab_enabled": True},
        "slash_commands": [
            {
                "command": "/sms-send",
                "description": "Send a template",
                "usage_hint": "group:vip",
                "should_escape": False,
            },
            {"command": "/sms-escaped", "description": "Sees links", "should_escape": True},
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": [
                *("commands", "chat:write", "files:read", "files:write", "users:read", "usergroups:read"),
                *("channels:read", "channels:history", "groups:read", "groups:history", "im:read", "im:history"),
                *("im:write", "app_mentions:read", "reactions:write"),
            ]
        }
    },
    "settings": {
        "event_subscriptions": {
            "bot_events": [
                *("message.channels", "message.groups", "message.im", "app_mention", "file_shared"),
                *("member_joined_channel", "app_home_opened"),
            ]
        },
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def manifest_without(*names: str) -> dict[str, Any]:
    """The manifest less these scopes and events."""
    changed = copy.deepcopy(MANIFEST)
    scopes, events = changed["oauth_config"]["scopes"], changed["settings"]["event_subscriptions"]
    scopes["bot"] = [name for name in scopes["bot"] if name not in names]
    events["bot_events"] = [name for name in events["bot_events"] if name not in names]
    return changed


async def until(look: Callable[[], Any], seconds: float = 3.0) -> Any:
    """What `look` returns once that is something true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)
    return found


class Person:
    """One person with the page open: `seen` is every event the page was sent."""

    def __init__(self, user: str, session: aiohttp.ClientSession) -> None:
        self.user = user
        self.session = session
        self.seen: list[dict[str, Any]] = []

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET /page/<path> as this person."""
        async with self.session.get(f"/page/{path}", params={"user": self.user, **query}) as response:
            found: dict[str, Any] = await response.json()
            return found

    async def do(self, path: str, **body: Any) -> dict[str, Any]:
        """POST /page/<path> as this person."""
        async with self.session.post(f"/page/{path}", json={"user": self.user, **body}) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def say(self, text: str, channel: str = MARKETING, **more: Any) -> str:
        """Write a message; its timestamp."""
        answer = await self.do("message", channel=channel, text=text, **more)
        return str(answer["ts"])

    async def run(self, command: str, text: str = "", channel: str = MARKETING) -> dict[str, Any]:
        """Type a slash command."""
        return await self.do("command", channel=channel, command=command, text=text)

    async def drop(self, name: str, content: bytes, channel: str = MARKETING, **fields: str) -> dict[str, Any]:
        """Drop a file into a channel."""
        form = aiohttp.FormData({"user": self.user, "channel": channel, **fields}, quote_fields=False)
        form.add_field("file", io.BytesIO(content), filename=name)
        async with self.session.post("/page/upload", data=form) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def press(self, message: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
        """Press a button of a message the page was sent."""
        return await self.do("action", channel=message["channel"], message_ts=message["ts"], action=action)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type the page was sent so far."""
        return [event for event in self.seen if event["type"] == kind]

    def messages(self) -> list[dict[str, Any]]:
        """The new messages the page was sent so far."""
        return [event["message"] for event in self.events("message")]

    async def sees(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The count-th event of this type, once it has come."""
        await until(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]


@asynccontextmanager
async def acting(slack: SlackSandbox, user: str) -> AsyncIterator[Person]:
    """A person with the page open."""
    async with aiohttp.ClientSession(base_url=slack.url) as session:
        person = Person(user, session)
        async with session.ws_connect("/page/live", params={"user": user}) as socket:
            await until(lambda: slack.core.live.watching(user))

            async def watch() -> None:
                async for message in socket:
                    person.seen.append(message.json())

            watching = asyncio.create_task(watch())
            try:
                yield person
            finally:
                await socket.close()
                await watching
