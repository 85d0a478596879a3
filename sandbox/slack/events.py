"""What becomes an event for the app: what its manifest subscribes to and has the scope for, where it is a member."""

import secrets
import time
from typing import Any

from sandbox.slack.core import Core
from sandbox.slack.workspace import APP_ID, BOT_USER, TEAM_ID, ChangeKind, Channel, Message

_MESSAGE_EVENTS = {
    "channel": ("message.channels", "channels:history"),
    "private": ("message.groups", "groups:history"),
    "im": ("message.im", "im:history"),
}
_CHANNEL_TYPES = {"channel": "channel", "private": "group", "im": "im"}


class EventFeed:
    """Watches the workspace and tells the app what it asked to be told."""

    def __init__(self, core: Core) -> None:
        self.core = core
        core.workspace.listeners.append(self._message_changed)

    def _subscribed(self, event: str, scope: str | None) -> bool:
        return event in self.core.manifest.events and (scope is None or scope in self.core.manifest.scopes)

    def _tell(self, event: dict[str, Any]) -> None:
        authorization = {
            "enterprise_id": None,
            "team_id": TEAM_ID,
            "user_id": BOT_USER,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        self.core.delivery.tell(
            {
                "token": "unused",
                "team_id": TEAM_ID,
                "context_team_id": TEAM_ID,
                "context_enterprise_id": None,
                "api_app_id": APP_ID,
                "event": event,
                "type": "event_callback",
                "event_id": self.core.workspace.new_id("Ev"),
                "event_time": int(time.time()),
                "authorizations": [authorization],
                "is_ext_shared_channel": False,
                "event_context": f"4-{secrets.token_urlsafe(24)}",
            }
        )

    def _message_changed(self, kind: ChangeKind, message: Message, before: dict[str, Any] | None) -> None:
        channel = self.core.workspace.channels[message.channel]
        if message.only_for or not self.core.workspace.bot_is_in(channel):
            return
        if self._subscribed(*_MESSAGE_EVENTS[channel.kind]):
            event = self._message_event(kind, message, channel, before)
            if event is not None:
                self._tell(event)
        if kind == "posted":
            self._mentioned(message, channel)
            self._files_shared(message)

    def _message_event(
        self, kind: ChangeKind, message: Message, channel: Channel, before: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        place = {"channel": channel.id, "channel_type": _CHANNEL_TYPES[channel.kind]}
        shown = self.core.api_message(message)
        if kind == "posted":
            return {**shown, **place, "event_ts": message.ts}
        if before is None:
            return None
        now = self.core.workspace.new_ts()
        outer = {"type": "message", "hidden": True, **place, "ts": now, "event_ts": now, "previous_message": before}
        if kind == "deleted":
            return {**outer, "subtype": "message_deleted", "deleted_ts": message.ts}
        return {**outer, "subtype": "message_changed", "message": shown}

    def _mentioned(self, message: Message, channel: Channel) -> None:
        mentioned = f"<@{BOT_USER}>" in message.text and message.user != BOT_USER and channel.kind != "im"
        if (
            mentioned
            and message.subtype in (None, "file_share")
            and self._subscribed("app_mention", "app_mentions:read")
        ):
            shown = {k: v for k, v in self.core.api_message(message).items() if k != "subtype"}
            self._tell({**shown, "type": "app_mention", "channel": channel.id, "event_ts": message.ts})

    def _files_shared(self, message: Message) -> None:
        if not self._subscribed("file_shared", "files:read"):
            return
        for file_id in message.files:
            self._tell(
                {
                    "type": "file_shared",
                    "channel_id": message.channel,
                    "file_id": file_id,
                    "user_id": message.user,
                    "file": {"id": file_id},
                    "event_ts": self.core.workspace.new_ts(),
                }
            )

    def joined(self, user: str, channel: Channel, inviter: str) -> None:
        """Somebody, perhaps the bot itself, was added to a channel."""
        scope = "groups:read" if channel.kind == "private" else "channels:read"
        if self.core.workspace.bot_is_in(channel) and self._subscribed("member_joined_channel", scope):
            self._tell(
                {
                    "type": "member_joined_channel",
                    "user": user,
                    "channel": channel.id,
                    "channel_type": channel.id[0],
                    "team": TEAM_ID,
                    "inviter": inviter,
                    "event_ts": self.core.workspace.new_ts(),
                }
            )

    def home_opened(self, user: str, tab: str) -> None:
        """A person opened the conversation with the app; `tab` is home or messages."""
        if not self._subscribed("app_home_opened", None):
            return
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": user,
            "channel": self.core.workspace.im_with(user).id,
            "tab": tab,
            "event_ts": self.core.workspace.new_ts(),
        }
        if tab == "home" and user in self.core.views.homes:
            event["view"] = self.core.views.homes[user]
        self._tell(event)
