"""The state of one Slack workspace, in memory: people, channels, messages. It decides nothing about who may do what."""

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.slack.manifest import Manifest

TEAM_ID, TEAM_NAME, TEAM_DOMAIN = "T0SANDBOX", "Yunfan Coffee", "yunfan-coffee"
APP_ID, BOT_ID, BOT_USER, SLACKBOT = "A0SMSAPP", "B0SMSBOT", "U0SMSBOT", "USLACKBOT"

ChannelKind = Literal["channel", "private", "im"]
ChangeKind = Literal["posted", "changed", "deleted"]


@dataclass(frozen=True)
class User:
    """A member of the workspace; `tz` is an IANA name and `initials` what the page shows instead of a picture."""

    id: str
    name: str
    real_name: str
    tz: str
    color: str
    initials: str
    is_bot: bool = False


@dataclass
class Channel:
    """A conversation. An IM is between `members[0]`, a person, and the bot, and has no name of its own."""

    id: str
    name: str
    kind: ChannelKind
    topic: str
    members: list[str]
    created: int = 1_763_000_000


@dataclass
class Message:
    """A message, or with `only_for` a private (ephemeral) one that only this user sees and no API method finds."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    thread_ts: str | None = None
    subtype: str | None = None
    edited: str | None = None
    metadata: dict[str, Any] | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    only_for: str | None = None
    command: str | None = None
    failed: str | None = None

    @property
    def is_reply(self) -> bool:
        """True for a message inside a thread, false for the thread's first."""
        return self.thread_ts is not None and self.thread_ts != self.ts


ChangeListener = Callable[[ChangeKind, Message, dict[str, Any] | None], None]

PEOPLE = (
    User("U0ANA", "ana", "Ana Torres", "Europe/Madrid", "#c0362c", "AT"),
    User("U0BEN", "ben", "Ben Okafor", "America/New_York", "#2b6cb0", "BO"),
    User("U0MEI", "mei", "陈美 Mei Chen", "Asia/Shanghai", "#2f855a", "MC"),
)
USERGROUPS = {"S0MARKETING": ("marketing-team", ["U0ANA", "U0MEI"])}


def _channels() -> list[Channel]:
    everyone = [user.id for user in PEOPLE]
    return [
        Channel("C0GENERAL", "general", "channel", "Company-wide news", everyone.copy()),
        Channel("C0MARKETING", "marketing", "channel", "Campaigns and results", [*everyone, BOT_USER]),
        Channel("G0LAUNCH", "launch-autumn", "private", "The autumn launch", ["U0ANA", "U0MEI", BOT_USER]),
        *(Channel(f"D0{user.id[2:]}", "", "im", "", [user.id, BOT_USER]) for user in PEOPLE),
    ]


class Workspace:
    """All that people and the bot have made. `listeners` hear of every change of a message, and what it was before."""

    def __init__(self, manifest: Manifest) -> None:
        bot = User(BOT_USER, manifest.user_name, manifest.display_name, "Etc/UTC", "#5b3f8c", "SM", is_bot=True)
        slackbot = User(SLACKBOT, "slackbot", "Slackbot", "Etc/UTC", "#616061", "SB", is_bot=True)
        self.users = {user.id: user for user in (*PEOPLE, bot, slackbot)}
        self.channels = {channel.id: channel for channel in _channels()}
        self.messages: dict[str, dict[str, Message]] = {channel: {} for channel in self.channels}
        self.last_read: dict[tuple[str, str], str] = {}
        self.listeners: list[ChangeListener] = []
        self._numbers = itertools.count(1)
        self._last_ts = (0, 0)

    def new_id(self, prefix: str) -> str:
        """An identifier that looks like Slack's and was never given before."""
        return f"{prefix}0{next(self._numbers):08X}"

    def new_ts(self) -> str:
        """A message timestamp, later than every one before it."""
        second, counter = self._last_ts
        now = int(time.time())
        if counter + 100 >= 1_000_000:
            now = max(now, second + 1)
        self._last_ts = (now, 100) if now > second else (second, counter + 100)
        return "{}.{:06d}".format(*self._last_ts)

    def im_with(self, user: str) -> Channel:
        """The conversation between this person and the bot."""
        return next(c for c in self.channels.values() if c.kind == "im" and c.members[0] == user)

    def bot_is_in(self, channel: Channel) -> bool:
        """True when the bot user is a member of the channel."""
        return BOT_USER in channel.members

    def replies(self, parent: Message) -> list[Message]:
        """The lasting replies in this message's thread, oldest first."""
        stored = self.messages[parent.channel].values()
        return [m for m in stored if m.thread_ts == parent.ts and m.is_reply and not m.only_for]

    def find(self, channel: str, ts: str | None) -> Message | None:
        """The lasting message at this timestamp."""
        message = self.messages.get(channel, {}).get(ts or "")
        return None if message is None or message.only_for else message

    def post(self, message: Message) -> Message:
        """Add a message at the end of its channel."""
        self.messages[message.channel][message.ts] = message
        self.last_read[message.user, message.channel] = message.ts
        self._tell("posted", message)
        parent = self.find(message.channel, message.thread_ts) if message.is_reply and not message.only_for else None
        if parent is not None:
            parent.thread_ts = parent.ts
            self.touched(parent)
        return message

    def touched(self, message: Message) -> None:
        """Tell that a message looks different though nobody edited it: a reply, a reaction."""
        self._tell("changed", message)

    def changed(self, message: Message, before: dict[str, Any]) -> None:
        """Tell that a message was edited; `before` is how the API showed it."""
        self._tell("changed", message, before)

    def delete(self, message: Message, before: dict[str, Any]) -> None:
        """Take a message out of its channel."""
        del self.messages[message.channel][message.ts]
        self._tell("deleted", message, before)

    def _tell(self, kind: ChangeKind, message: Message, before: dict[str, Any] | None = None) -> None:
        for listener in self.listeners:
            listener(kind, message, before)

    def as_typed(self, typed: str, *, labels: bool = False) -> str:
        """Text as Slack stores what a person typed: escaped, with mentions, channels and addresses turned into links.

        With `labels`, mentions carry their names, as in the text of a slash command that asks for escaping.
        """
        text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = re.sub(r"(?<![\w<|])(https?://[^\s<>|]+)", r"<\1>", text)
        for user in sorted(self.users.values(), key=lambda user: -len(user.name)):
            link = f"<@{user.id}|{user.name}>" if labels else f"<@{user.id}>"
            for name in (user.real_name, user.name):
                text = re.sub(rf"(?<![\w@<|])@{re.escape(name)}(?![\w-]|\.\w)", link, text)
        for channel in self.channels.values():
            if channel.name:
                text = re.sub(rf"(?<![\w#<|&])#{channel.name}(?![\w-])", f"<#{channel.id}|{channel.name}>", text)
        return text
