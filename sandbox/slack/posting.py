"""The content of a message: what Slack refuses in it and how it is kept, whichever door it comes through."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.slack.blocks import ATTACHMENTS, MESSAGE_BLOCK_CHARACTERS, check_message, strings
from sandbox.slack.tickets import Refused
from sandbox.slack.views import with_ids

POST_TEXT, UPDATE_TEXT = 40_000, 4_000


@dataclass(frozen=True)
class Content:
    """A message's sound text, blocks and attachments; None for blocks and attachments that were not given at all."""

    text: str
    blocks: list[dict[str, Any]] | None
    attachments: list[dict[str, Any]] | None
    truncated: bool = False


def from_json(value: Any, error: str) -> Any:
    """An argument that may come as JSON or already read; refused with this error when it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refused(error) from None


def read_content(given: dict[str, Any], *, longest_text: int | None = None) -> Content:
    """Judge what an app wants to say. Longer text than 40,000 is cut, or than `longest_text` refused, as Slack does."""
    text = given.get("text")
    text = "" if text is None else str(text)
    blocks = from_json(given.get("blocks"), "invalid_blocks_format")
    attachments = from_json(given.get("attachments"), "invalid_attachments")
    if isinstance(attachments, list) and len(attachments) > ATTACHMENTS:
        raise Refused("too_many_attachments")
    problems = check_message({"blocks": blocks, "attachments": attachments})
    if problems:
        lines = [problem.as_message() for problem in problems]
        raise Refused("invalid_blocks", errors=lines, response_metadata={"messages": lines})
    if sum(len(piece) for piece in strings(blocks)) > MESSAGE_BLOCK_CHARACTERS:
        raise Refused("msg_blocks_too_long")
    if not text.strip() and not blocks and not attachments:
        raise Refused("no_text")
    if longest_text is not None and len(text) > longest_text:
        raise Refused("msg_too_long")
    ready = None if blocks is None else with_ids(blocks)
    return Content(text[:POST_TEXT], ready, attachments, truncated=len(text) > POST_TEXT)
