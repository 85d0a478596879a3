"""chat.*, reactions.add and blocks.validate."""

from typing import Any

from sandbox.slack.blocks import check_blocks, check_message, check_view
from sandbox.slack.posting import UPDATE_TEXT, Content, read_content
from sandbox.slack.responses import replace_content
from sandbox.slack.tickets import Refused, bad_arguments
from sandbox.slack.web_api import Call, Method, Methods, Result
from sandbox.slack.workspace import BOT_USER, Channel, Message


def _thread(call: Call, channel: Channel) -> str | None:
    """The thread a message goes to. A reply's own timestamp leads to the thread it is in."""
    wanted = call.text("thread_ts")
    if not wanted:
        return None
    parent = call.core.workspace.find(channel.id, wanted)
    if parent is None:
        raise Refused("thread_not_found")
    return parent.thread_ts or parent.ts


def _metadata(call: Call) -> dict[str, Any] | None:
    given = call.read("metadata", "invalid_metadata_format")
    if not given:
        return None
    if not isinstance(given, dict) or not given.get("event_type") or not isinstance(given.get("event_payload"), dict):
        raise Refused("invalid_metadata_format")
    return given


def _message(call: Call, channel: Channel, content: Content) -> Message:
    return Message(
        channel.id,
        call.core.workspace.new_ts(),
        BOT_USER,
        content.text,
        content.blocks or [],
        content.attachments or [],
        thread_ts=_thread(call, channel),
    )


def post_message(call: Call) -> Result:
    """chat.postMessage"""
    channel = call.channel()
    content = read_content(call.args)
    message = _message(call, channel, content)
    message.metadata = _metadata(call)
    if message.is_reply and call.flag("reply_broadcast"):
        message.subtype = "thread_broadcast"
    call.core.workspace.post(message)
    result: Result = {"channel": channel.id, "ts": message.ts, "message": call.core.api_message(message, metadata=True)}
    if content.truncated:
        result |= {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
    return result


def post_ephemeral(call: Call) -> Result:
    """chat.postEphemeral"""
    channel = call.channel()
    user = call.user()
    if user.id not in channel.members:
        raise Refused("user_not_in_channel")
    message = _message(call, channel, read_content(call.args))
    message.only_for = user.id
    call.core.workspace.post(message)
    return {"message_ts": message.ts}


def update(call: Call) -> Result:
    """chat.update"""
    channel = call.channel()
    message = call.message(channel)
    if message.user != BOT_USER:
        raise Refused("cant_update_message")
    content = read_content(call.args, longest_text=UPDATE_TEXT)
    metadata = _metadata(call)
    before = call.core.api_message(message)
    replace_content(message, content)
    if call.args.get("metadata") is not None:
        message.metadata = metadata
    if content.blocks is None:
        message.edited = call.core.workspace.new_ts()
    call.core.workspace.changed(message, before)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": call.core.api_message(message, metadata=True),
    }


def delete(call: Call) -> Result:
    """chat.delete"""
    channel = call.channel()
    message = call.message(channel)
    if message.user != BOT_USER:
        raise Refused("cant_delete_message")
    call.core.workspace.delete(message, call.core.api_message(message))
    return {"channel": channel.id, "ts": message.ts}


def add_reaction(call: Call) -> Result:
    """reactions.add"""
    message = call.message(call.channel(), "timestamp")
    name = call.text("name").strip(":")
    users = message.reactions.setdefault(name, [])
    if BOT_USER in users:
        raise Refused("already_reacted")
    users.append(BOT_USER)
    call.core.workspace.touched(message)
    return {}


def validate_blocks(call: Call) -> Result:
    """blocks.validate: exactly one of blocks, message and view."""
    given = [name for name in ("blocks", "message", "view") if call.args.get(name) is not None]
    if len(given) != 1:
        raise bad_arguments("exactly one of blocks, message and view must be given")
    name = given[0]
    content = call.read(name)
    if name == "blocks":
        problems = check_blocks(content, "message", "")
    elif name == "view":
        problems = check_view(content)
    else:
        problems = check_message(content) if isinstance(content, dict) else check_blocks(None, "message")
    if problems:
        raise Refused(f"invalid_{name}", errors=[problem.as_error() for problem in problems])
    return {}


METHODS: Methods = {
    "chat.postMessage": Method(post_message, ("chat:write",), ("channel",)),
    "chat.postEphemeral": Method(post_ephemeral, ("chat:write",), ("channel", "user")),
    "chat.update": Method(update, ("chat:write",), ("channel", "ts")),
    "chat.delete": Method(delete, ("chat:write",), ("channel", "ts")),
    "reactions.add": Method(add_reaction, ("reactions:write",), ("channel", "timestamp", "name")),
    "blocks.validate": Method(validate_blocks, token="none"),
}
