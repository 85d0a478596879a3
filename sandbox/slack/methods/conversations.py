"""conversations.*"""

import base64
import math
from typing import Any

from sandbox.slack.tickets import Refused, bad_arguments
from sandbox.slack.web_api import Call, Method, Methods, Result
from sandbox.slack.workspace import BOT_USER, Channel, ChannelKind, Message

_FAMILY: dict[ChannelKind, str] = {"channel": "channels", "private": "groups", "im": "im"}
_TYPES: dict[str, ChannelKind] = {"public_channel": "channel", "private_channel": "private", "im": "im"}
PAGE, HISTORY_PAGE, MOST = 100, 100, 1000


def page(call: Call, items: list[Any], default: int = PAGE) -> tuple[list[Any], Result]:
    """One page of a list by `limit` and `cursor`, and the response_metadata that leads to the next."""
    limit = min(call.number("limit", default) or default, MOST)
    start = 0
    if call.text("cursor"):
        try:
            start = int(base64.b64decode(call.text("cursor"), validate=True).decode().removeprefix("next:"))
        except ValueError:
            raise Refused("invalid_cursor") from None
    end = start + limit
    cursor = base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""
    return items[start:end], {"response_metadata": {"next_cursor": cursor}}


def _readable(call: Call, right: str, *, member: bool) -> Channel:
    channel = call.channel(member=False)
    call.need(f"{_FAMILY[channel.kind]}:{right}")
    if member and not call.core.workspace.bot_is_in(channel):
        raise Refused("not_in_channel")
    return channel


def info(call: Call) -> Result:
    """conversations.info"""
    channel = _readable(call, "read", member=False)
    shown = call.core.api_channel(channel)
    if not call.flag("include_num_members"):
        shown.pop("num_members", None)
    return {"channel": shown}


def _of_types(call: Call) -> list[Channel]:
    names = [name.strip() for name in call.text("types", "public_channel").split(",")]
    unknown = [name for name in names if name not in (*_TYPES, "mpim")]
    if unknown:
        raise Refused("invalid_types")
    kinds = {_TYPES[name] for name in names if name in _TYPES}
    for kind in kinds:
        call.need(f"{_FAMILY[kind]}:read")
    channels = call.core.workspace.channels.values()
    return [c for c in channels if c.kind in kinds and (c.kind == "channel" or BOT_USER in c.members)]


def list_all(call: Call) -> Result:
    """conversations.list"""
    shown, more = page(call, _of_types(call))
    return {"channels": [call.core.api_channel(channel) for channel in shown], **more}


def of_user(call: Call) -> Result:
    """users.conversations: those of the bot, or those it shares with the person in `user`."""
    user = call.user().id if call.text("user") else BOT_USER
    shown, more = page(call, [channel for channel in _of_types(call) if user in channel.members])
    return {"channels": [call.core.api_channel(channel) for channel in shown], **more}


def members(call: Call) -> Result:
    """conversations.members"""
    shown, more = page(call, _readable(call, "read", member=False).members)
    return {"members": shown, **more}


def open_im(call: Call) -> Result:
    """conversations.open, for one person; a conversation of several is not part of this workspace."""
    if call.text("channel"):
        channel = call.channel()
    else:
        people = [name for name in call.text("users").split(",") if name]
        if len(people) != 1:
            raise bad_arguments("exactly one user must be given [json-pointer:/users]")
        user = call.core.workspace.users.get(people[0])
        if user is None or user.is_bot:
            raise Refused("user_not_found")
        channel = call.core.workspace.im_with(user.id)
    shown = call.core.api_channel(channel) if call.flag("return_im") else {"id": channel.id}
    return {"no_op": True, "already_open": True, "channel": shown}


def _time(call: Call, name: str, default: float) -> float:
    try:
        return float(call.text(name) or default)
    except ValueError:
        raise Refused(f"invalid_ts_{name}") from None


def _in_range(call: Call, messages: list[Message]) -> list[Message]:
    oldest, latest, inclusive = _time(call, "oldest", 0.0), _time(call, "latest", math.inf), call.flag("inclusive")
    return [
        message
        for message in messages
        if oldest < float(message.ts) < latest or (inclusive and float(message.ts) in (oldest, latest))
    ]


def _shown(call: Call, messages: list[Message]) -> list[dict[str, Any]]:
    return [call.core.api_message(m, metadata=call.flag("include_all_metadata")) for m in messages]


def history(call: Call) -> Result:
    """conversations.history: newest first, without replies unless they were broadcast."""
    channel = _readable(call, "history", member=True)
    stored = [m for m in call.core.workspace.messages[channel.id].values() if not m.only_for]
    top = [m for m in stored if not m.is_reply or m.subtype == "thread_broadcast"]
    newest_first = sorted(_in_range(call, top), key=lambda message: message.ts, reverse=True)
    shown, more = page(call, newest_first, HISTORY_PAGE)
    return {"messages": _shown(call, shown), "has_more": bool(more["response_metadata"]["next_cursor"]), **more}


def replies(call: Call) -> Result:
    """conversations.replies: the thread's first message, then the replies, oldest first."""
    channel = _readable(call, "history", member=True)
    named = call.core.workspace.find(channel.id, call.text("ts"))
    parent = call.core.workspace.find(channel.id, named.thread_ts or named.ts) if named else None
    if parent is None:
        raise Refused("thread_not_found")
    inside = [parent, *_in_range(call, call.core.workspace.replies(parent))]
    shown, more = page(call, inside, MOST)
    return {"messages": _shown(call, shown), "has_more": bool(more["response_metadata"]["next_cursor"]), **more}


METHODS: Methods = {
    "conversations.info": Method(info, needs=("channel",)),
    "conversations.list": Method(list_all),
    "conversations.members": Method(members, needs=("channel",)),
    "conversations.open": Method(open_im, ("im:write",)),
    "conversations.history": Method(history, needs=("channel",)),
    "conversations.replies": Method(replies, needs=("channel", "ts")),
    "users.conversations": Method(of_user),
}
