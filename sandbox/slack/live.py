"""What people see: the workspace as the page shows it to one of them, and the stream of its changes."""

import asyncio
from typing import Any

from aiohttp import web

from sandbox.slack.core import Core
from sandbox.slack.views import View
from sandbox.slack.workspace import (
    BOT_ID,
    BOT_USER,
    SLACKBOT,
    TEAM_DOMAIN,
    TEAM_ID,
    TEAM_NAME,
    ChangeKind,
    Channel,
    Message,
    User,
)


class LivePages:
    """The open pages, by the person who acts on them. Nothing here waits: a slow page only has a longer queue."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._pages: dict[str, set[asyncio.Queue[dict[str, Any] | None]]] = {}
        core.workspace.listeners.append(self._message_changed)

    def watching(self, user: str) -> bool:
        """True while this person has the page open."""
        return bool(self._pages.get(user))

    def push(self, user: str, event: dict[str, Any]) -> None:
        """Send one event to every page on which this person acts."""
        for queue in self._pages.get(user, ()):
            queue.put_nowait(event)

    def toast(self, user: str, text: str) -> None:
        """A short notice that belongs to no channel."""
        self.push(user, {"type": "toast", "text": text})

    def view(self, user: str, kind: str, view: View) -> None:
        """view_opened or view_updated."""
        self.push(user, {"type": kind, "view": view})

    def state_changed(self) -> None:
        """Send everybody the state anew: the bot came or went, or a channel's members changed."""
        for user in self._pages:
            self.push(user, {"type": "state", "state": self.state(user)})

    def _message_changed(self, kind: ChangeKind, message: Message, before: dict[str, Any] | None) -> None:
        for user in self._readers(message):
            if kind == "deleted":
                name = "ephemeral_deleted" if message.only_for else "message_deleted"
                self.push(user, {"type": name, "channel": message.channel, "ts": message.ts})
            else:
                name = "message" if kind == "posted" else "message_changed"
                self.push(user, {"type": name, "message": self.message(message, user)})

    def _readers(self, message: Message) -> list[str]:
        if message.only_for:
            return [message.only_for]
        return [user for user in self.core.workspace.channels[message.channel].members if user != BOT_USER]

    def message(self, message: Message, user: str) -> dict[str, Any]:
        """A message as the page shows it to this person."""
        api = self.core.api_message(message)
        names = ("ts", "user", "text", "blocks", "attachments", "subtype", "thread_ts", "reply_count", "reply_users")
        shown = {"channel": message.channel, **{name: api[name] for name in (*names, "reactions") if name in api}}
        if message.files:
            shown["files"] = [self._file(file_id, user) for file_id in message.files]
        flags = {
            "edited": message.edited is not None,
            "ephemeral": message.only_for is not None,
            "broadcast": message.subtype == "thread_broadcast",
        }
        said = {"command": message.command, "failed": message.failed}
        if message.command:
            shown["text"] = ""
        return {**shown, **{k: v for k, v in flags.items() if v}, **{k: v for k, v in said.items() if v is not None}}

    def _file(self, file_id: str, user: str) -> dict[str, Any]:
        file = self.core.files.as_api(self.core.files.files[file_id], self.core.base_url)
        shown = {name: file[name] for name in ("id", "name", "title", "mimetype", "filetype", "size")}
        safe = file["url_private"].rpartition("/")[2]
        return {**shown, "url": f"/page/files/{file_id}/{safe}?user={user}"}

    def messages(self, channel: Channel, user: str) -> list[dict[str, Any]]:
        """All of a channel that this person may see, oldest first."""
        stored = sorted(self.core.workspace.messages[channel.id].values(), key=lambda message: message.ts)
        return [self.message(m, user) for m in stored if m.only_for in (None, user)]

    def state(self, user: str) -> dict[str, Any]:
        """The workspace around this person: who is there, which channels they are in, what they can type."""
        workspace, manifest = self.core.workspace, self.core.manifest
        bot = {"id": BOT_ID, "user_id": BOT_USER, "name": manifest.user_name, "display_name": manifest.display_name}
        return {
            "team": {"id": TEAM_ID, "name": TEAM_NAME, "domain": TEAM_DOMAIN},
            "me": _user(workspace.users[user]),
            "users": [_user(other) for other in workspace.users.values()],
            "channels": [self._channel(c, user) for c in workspace.channels.values() if user in c.members],
            "commands": [
                {"command": c.command, "usage_hint": c.usage_hint, "description": c.description}
                for c in manifest.commands
            ],
            "bot": bot,
            "bot_connected": self.core.delivery.connected,
        }

    def _channel(self, channel: Channel, user: str) -> dict[str, Any]:
        workspace = self.core.workspace
        read = workspace.last_read.get((user, channel.id), "")
        unread = [
            message
            for message in workspace.messages[channel.id].values()
            if message.ts > read and message.user != user and message.only_for in (None, user)
        ]
        return {
            "id": channel.id,
            "name": workspace.users[BOT_USER].real_name if channel.kind == "im" else channel.name,
            "kind": channel.kind,
            "topic": channel.topic,
            "bot_is_member": workspace.bot_is_in(channel),
            "members": channel.members,
            "unread": len(unread),
        }

    def tell_privately(self, user: str, channel: str, text: str, *, failed: str | None = None) -> None:
        """A private notice by Slack itself in a channel; `failed` marks it as a command's failure."""
        workspace = self.core.workspace
        workspace.post(Message(channel, workspace.new_ts(), SLACKBOT, text, only_for=user, failed=failed))

    async def serve(self, request: web.Request, user: str) -> web.WebSocketResponse:
        """One page's WebSocket, until the page goes away."""
        socket = web.WebSocketResponse(heartbeat=30, timeout=1.0)
        await socket.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._pages.setdefault(user, set()).add(queue)
        writer = asyncio.create_task(_write(queue, socket))
        try:
            async for _ in socket:
                pass
        finally:
            self._pages[user].discard(queue)
            queue.put_nowait(None)
            await writer
        return socket

    def stop(self) -> None:
        """Send every page away."""
        for queues in self._pages.values():
            for queue in queues:
                queue.put_nowait(None)


async def _write(queue: asyncio.Queue[dict[str, Any] | None], socket: web.WebSocketResponse) -> None:
    while (event := await queue.get()) is not None:
        try:
            await socket.send_json(event)
        except (ConnectionError, RuntimeError):
            return
    await socket.close()


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "tz": user.tz,
        "color": user.color,
        "is_bot": user.is_bot,
        "avatar_initials": user.initials,
    }
