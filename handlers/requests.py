"""What a person did in Slack, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from services.default_regions import MAINLAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who, where and when. `zone` and `locale` (such as en-US) are the person's own in Slack; `region` (such as CN) is
    the workspace's, whose numbers are written without country code.

    `bot_in_channel` is looked up only for routes that need it.
    """

    workspace: str
    person: str
    zone: ZoneInfo
    channel: str
    now: datetime
    bot_in_channel: bool = True
    locale: str = "en-US"
    region: str = MAINLAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Request):
    """A slash command: `name` with its slash, `text` as typed."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click(Request):
    """A button pressed or an option chosen; `value` is the button's or the option's."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Request):
    """A form sent. `values` by block id, empty text for what was left out; `context` as given to OpenForm."""

    values: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Request):
    """A file dropped into a channel, with the text typed beside it; `ts` is that message."""

    file_id: str
    file_name: str
    file_size: int
    file_url: str
    text: str
    ts: str
