"""What Slack hands out for a short time: refusals of them, trigger_ids, response_urls."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.workspace import Message

RESPONSE_URL_USES = 5


class Refused(Exception):
    """An answer {"ok": false, "error": error, …}; `extra` holds the other fields of it."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


def bad_arguments(*messages: str) -> Refused:
    """invalid_arguments with Slack's lines of what is wrong."""
    return Refused("invalid_arguments", response_metadata={"messages": [f"[ERROR] {line}" for line in messages]})


@dataclass
class Trigger:
    """Permission to open one view for this person; `view_id` is the view the interaction came from."""

    user: str
    view_id: str | None
    until: float
    used: bool = False


class Triggers:
    """trigger_ids: each opens one view, within `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._issued: dict[str, Trigger] = {}

    def issue(self, user: str, view_id: str | None = None) -> str:
        """A fresh trigger_id for something this person just did."""
        trigger_id = f"{time.time_ns() // 1_000_000}.{secrets.randbelow(10**9)}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = Trigger(user, view_id, time.monotonic() + self.seconds)
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger_id up; refused when it is unknown, used or too old."""
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.used:
            raise Refused("exchanged_trigger_id")
        if time.monotonic() > trigger.until:
            raise Refused("expired_trigger_id")
        trigger.used = True
        return trigger


@dataclass
class ResponseUrl:
    """Where an answer to an interaction may be posted; `message` is the one whose button was pressed, if any."""

    user: str
    channel: str
    message: Message | None
    until: float
    uses: int = field(default=0)


class ResponseUrls:
    """response_urls: each takes five posts, within `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._issued: dict[str, ResponseUrl] = {}

    def issue(self, user: str, channel: str, message: Message | None = None) -> str:
        """The path of a fresh response_url."""
        key = secrets.token_urlsafe(18)
        self._issued[key] = ResponseUrl(user, channel, message, time.monotonic() + self.seconds)
        return f"/{'commands' if message is None else 'actions'}/respond/{key}"

    def use(self, key: str) -> ResponseUrl:
        """Count one post; refused when the address is unknown, used five times or too old."""
        address = self._issued.get(key)
        if address is None:
            raise Refused("invalid_url")
        if time.monotonic() > address.until:
            raise Refused("expired_url")
        if address.uses >= RESPONSE_URL_USES:
            raise Refused("used_url")
        address.uses += 1
        return address
