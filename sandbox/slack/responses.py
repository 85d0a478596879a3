"""Answers of the app to one interaction: in its acknowledgement, or posted to the response_url."""

from typing import Any

from sandbox.slack.core import Core
from sandbox.slack.posting import Content, read_content
from sandbox.slack.tickets import Refused, ResponseUrl
from sandbox.slack.workspace import BOT_USER, Message


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def replace_content(message: Message, content: Content) -> None:
    """Put new content into a message; its old blocks stay only where neither text nor blocks are given."""
    if content.blocks is not None:
        message.blocks = content.blocks
    elif content.text:
        message.blocks = []
    if content.attachments is not None:
        message.attachments = content.attachments
    message.text = content.text


def answer(core: Core, address: ResponseUrl, body: dict[str, Any]) -> None:
    """Do what a response says: post, replace or delete. Private unless it says in_channel; visibility never changes."""
    workspace, original = core.workspace, address.message
    is_there = original is not None and original.ts in workspace.messages[original.channel]
    if _is_true(body.get("delete_original")):
        if original is not None and is_there:
            workspace.delete(original, core.api_message(original))
        return
    content = read_content(body)
    if _is_true(body.get("replace_original")) and original is not None:
        if not is_there or original.user != BOT_USER:
            raise Refused("message_not_found")
        before = core.api_message(original)
        replace_content(original, content)
        workspace.changed(original, before)
        return
    in_channel = body.get("response_type") == "in_channel"
    thread = body.get("thread_ts")
    if thread is None and original is not None and original.is_reply and not in_channel:
        thread = original.thread_ts
    workspace.post(
        Message(
            address.channel,
            workspace.new_ts(),
            BOT_USER,
            content.text,
            content.blocks or [],
            content.attachments or [],
            thread_ts=thread,
            only_for=None if in_channel else address.user,
        )
    )
