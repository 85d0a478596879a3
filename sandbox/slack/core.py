"""The workspace with everything that acts in it, and how the Web API shows what it holds."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.slack.files import FileStore
from sandbox.slack.manifest import Manifest
from sandbox.slack.tickets import ResponseUrls, Triggers
from sandbox.slack.views import ViewStore
from sandbox.slack.workspace import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Channel, Message, User, Workspace

if TYPE_CHECKING:
    from sandbox.slack.delivery import Delivery
    from sandbox.slack.live import LivePages

BOT_TOKEN = "xoxb-sandbox-bot"
APP_TOKEN = "xapp-1-A0SMSAPP-sandbox"
SIGNING_SECRET = "5a4d5b0f6c1e4a0fb2c9d7e86f31a2b4"


@dataclass(frozen=True)
class Timings:
    """Slack's own times, in seconds; tests make them short. `event_retries` are the delays before each repetition."""

    acknowledge: float = 3.0
    trigger: float = 3.0
    response_url: float = 1800.0
    event_retries: tuple[float, ...] = (0.0, 60.0, 300.0)


@dataclass
class Throttle:
    """How many more calls of a method are to be answered 429, and with which Retry-After."""

    times: int
    retry_after: int


@dataclass
class Core:
    """One workspace in which one app is installed. `calls` is every Web API call the app made, in order."""

    manifest: Manifest
    timings: Timings
    base_url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    throttles: dict[str, Throttle] = field(default_factory=dict)
    # What every call with the bot's token is answered with, such as `token_revoked` once the app was removed.
    refusal: str | None = None

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.manifest)
        self.files = FileStore(self.workspace)
        self.views = ViewStore(self.workspace)
        self.triggers = Triggers(self.timings.trigger)
        self.response_urls = ResponseUrls(self.timings.response_url)
        self.delivery: Delivery
        self.live: LivePages
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until it ends or the sandbox stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop_tasks(self) -> None:
        """End what still runs in the background."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def api_file(self, file_id: str) -> dict[str, Any]:
        """A file object as messages carry it."""
        return self.files.as_api(self.files.files[file_id], self.base_url)

    def api_message(self, message: Message, *, metadata: bool = False) -> dict[str, Any]:
        """A message object of the Web API and of events; `metadata` adds what the app attached to it."""
        shown: dict[str, Any] = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts}
        shown["team"] = TEAM_ID
        if message.subtype:
            shown["subtype"] = message.subtype
        if message.user == BOT_USER:
            shown |= {"bot_id": BOT_ID, "app_id": APP_ID}
        for name in ("blocks", "attachments"):
            if getattr(message, name):
                shown[name] = getattr(message, name)
        if message.files:
            shown |= {"files": [self.api_file(f) for f in message.files], "upload": False, "display_as_bot": False}
        if message.edited:
            shown["edited"] = {"user": message.user, "ts": message.edited}
        if message.reactions:
            shown["reactions"] = [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()]
        if metadata and message.metadata:
            shown["metadata"] = message.metadata
        return shown | self._thread(message)

    def _thread(self, message: Message) -> dict[str, Any]:
        if message.thread_ts is None:
            return {}
        if message.is_reply:
            parent = self.workspace.find(message.channel, message.thread_ts)
            return {"thread_ts": message.thread_ts, "parent_user_id": parent.user if parent else ""}
        replies = self.workspace.replies(message)
        return {
            "thread_ts": message.thread_ts,
            "reply_count": len(replies),
            "reply_users_count": len({reply.user for reply in replies}),
            "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
            "latest_reply": replies[-1].ts if replies else message.ts,
            "subscribed": False,
        }

    def api_channel(self, channel: Channel) -> dict[str, Any]:
        """A conversation object."""
        common: dict[str, Any] = {
            "id": channel.id,
            "created": channel.created,
            "is_archived": False,
            "is_im": channel.kind == "im",
            "is_org_shared": False,
            "context_team_id": TEAM_ID,
        }
        if channel.kind == "im":
            return {**common, "user": channel.members[0], "is_user_deleted": False, "is_open": True}
        private = channel.kind == "private"
        return {
            **common,
            "name": channel.name,
            "name_normalized": channel.name,
            "is_channel": not private,
            "is_group": private,
            "is_mpim": False,
            "is_private": private,
            "is_general": channel.name == "general",
            "is_member": self.workspace.bot_is_in(channel),
            "is_shared": False,
            "is_ext_shared": False,
            "creator": "U0ANA",
            "topic": {"value": channel.topic, "creator": "U0ANA", "last_set": channel.created},
            "purpose": {"value": "", "creator": "", "last_set": 0},
            "num_members": len(channel.members),
        }


def user_brief(user: User) -> dict[str, Any]:
    """The person in an interaction payload."""
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": TEAM_ID}
