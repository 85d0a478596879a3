"""The few Block Kit blocks and elements the bot uses, kept within Slack's limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.replies import Block, View

SECTION_LIMIT = 3000
OPTION_LIMIT = 75
BUTTON_LIMIT = 75
MENU_LIMIT = 100


def plain(text: str, limit: int) -> dict[str, Any]:
    """A plain_text object; Slack shows it as it stands."""
    return {"type": "plain_text", "text": cut(text, limit) or " ", "emoji": False}


def section(text: str, accessory: dict[str, Any] | None = None) -> Block:
    """A paragraph of mrkdwn; whatever people wrote in it must be escaped already."""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_LIMIT)}}
    if accessory is not None:
        block["accessory"] = accessory
    return block


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Two columns of label and value."""
    return {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": cut(f"*{label}*\n{value}", 2000)} for label, value in pairs[:10]],
    }


def context(text: str) -> Block:
    """A small grey line."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, SECTION_LIMIT)}]}


def verbatim(text: str) -> Block:
    """A text exactly as it is, in a box; nothing in it is markup."""
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}],
    }


def actions(*elements: dict[str, Any]) -> Block:
    """A row of buttons and menus."""
    return {"type": "actions", "elements": [*elements]}


def button(action_id: str, text: str, value: str, style: str | None = None, **more: Any) -> dict[str, Any]:
    """A button; `style` is primary or danger."""
    element = {"type": "button", "action_id": action_id, "text": plain(text, BUTTON_LIMIT), "value": value, **more}
    if style is not None:
        element["style"] = style
    return element


def confirmation(title: str, text: str, yes: str, no: str, style: str = "primary") -> dict[str, Any]:
    """A dialog before a button does its work; `style` is primary, or danger where something ends for good."""
    return {
        "style": style,
        "title": plain(title, 100),
        "text": {"type": "plain_text", "text": cut(text, 300), "emoji": False},
        "confirm": plain(yes, 30),
        "deny": plain(no, 30),
    }


def option(text: str, value: str) -> dict[str, Any]:
    """One line of a menu."""
    return {"text": plain(text, OPTION_LIMIT), "value": value}


def menu(action_id: str, placeholder: str, options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A menu of at most 100 options."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "options": [*options[:MENU_LIMIT]],
    }


def field(
    block_id: str, label: str, element: dict[str, Any], *, optional: bool = False, hint: str | None = None
) -> Block:
    """One field of a form; its value comes back under `block_id`."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": {**element, "action_id": block_id},
        "optional": optional,
    }
    if hint is not None:
        block["hint"] = plain(hint, 2000)
    return block


def form(callback_id: str, title: str, submit: str, blocks: Sequence[Block]) -> View:
    """A modal; title and submit hold at most 24 characters."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Close", 24),
        "blocks": [*blocks],
    }


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
