"""Block Kit's elements and the objects they are made of, as a table: what each may hold, by Slack's reference."""

import re
from typing import Any

from sandbox.slack.block_rules import (
    LIMITS,
    Check,
    Fields,
    Problem,
    anything,
    boolean,
    exactly_one,
    items,
    number,
    plain,
    refuse,
    shape,
    string,
    text,
    typed,
)

_SELECT, _OPTION, _BUTTON = LIMITS["select"], LIMITS["option"], LIMITS["button"]
_CONFIRM, _FEEDBACK = LIMITS["confirmation"], LIMITS["feedback_button"]

ACTION_ID = string(LIMITS["action_id"]["max_length"], 1)
URL = string(_BUTTON["url"]["max_length"], 1)
PLACEHOLDER = plain(_SELECT["placeholder"]["max_length"])

CONFIRM = shape(
    {
        "title": plain(_CONFIRM["title"]["max_length"]),
        "text": text(_CONFIRM["text"]["max_length"]),
        "confirm": plain(_CONFIRM["confirm"]["max_length"]),
        "deny": plain(_CONFIRM["deny"]["max_length"]),
    },
    {"style": string(choices=("primary", "danger"))},
)


def _option(kinds: tuple[str, ...], url: bool = False) -> Check:
    optional: dict[str, Check] = {"description": text(_OPTION["description"]["max_length"], kinds=kinds)}
    if url:
        optional["url"] = string(_OPTION["url"]["max_length"])
    required = {
        "text": text(_OPTION["text"]["max_length"], kinds=kinds),
        "value": string(_OPTION["value"]["max_length"], 1),
    }
    return shape(required, optional)


OPTION = _option(("plain_text",))
RICH_OPTION = _option(("plain_text", "mrkdwn"))
MENU_OPTION = _option(("plain_text",), url=True)
OPTION_GROUP = shape(
    {
        "label": plain(LIMITS["option_group"]["label"]["max_length"]),
        "options": items(OPTION, 1, LIMITS["option_group"]["options"]["max_items"]),
    }
)
FILTER = shape(
    {},
    {
        "include": items(string(choices=("im", "mpim", "private", "public")), 1),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
DISPATCH = shape({}, {"trigger_actions_on": items(string(choices=("on_enter_pressed", "on_character_entered")), 1, 2)})
INPUT_PARAMETER = shape({"name": string(), "value": string()})
TRIGGER = shape({"url": URL}, {"customizable_input_parameters": items(INPUT_PARAMETER)})
WORKFLOW = shape({"trigger": TRIGGER})
SLACK_FILE = shape({}, {"id": string(), "url": string()}, exactly_one("id", "url"))


def _pattern(expression: str, name: str) -> Check:
    matcher = re.compile(expression)

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, str) or not matcher.fullmatch(value):
            refuse(found, at, "format", f"must be {name}")

    return check


def _initial_among_options(value: Any, at: str, found: list[Problem]) -> None:
    groups = value.get("option_groups") or [{"options": value.get("options") or []}]
    choices = [(option["value"], option["text"]["text"]) for group in groups for option in group["options"]]
    initial = value.get("initial_options") or ([value["initial_option"]] if value.get("initial_option") else [])
    if any((option["value"], option["text"]["text"]) not in choices for option in initial):
        refuse(found, at, "initial_option", "initial option must exactly match one of the provided options")


def _choices(value: Any, at: str, found: list[Problem]) -> None:
    exactly_one("options", "option_groups")(value, at, found)
    _initial_among_options(value, at, found)


def _element(
    fields: Fields, required: Fields | None = None, extra: Check | None = None, *, focus: bool = True
) -> Check:
    common: dict[str, Check] = {"action_id": ACTION_ID}
    if focus:
        common["focus_on_load"] = boolean
    return shape({"type": anything, **(required or {})}, {**common, **fields}, extra)


def _select(fields: Fields, extra: Check | None = None) -> Check:
    return _element({"placeholder": PLACEHOLDER, "confirm": CONFIRM, **fields}, extra=extra)


_STATIC: Fields = {
    "options": items(OPTION, 1, _SELECT["options"]["max_items"]),
    "option_groups": items(OPTION_GROUP, 1, _SELECT["option_groups"]["max_items"]),
}
_IDS = items(string(min_length=1), 1)
_MOST: Fields = {"max_selected_items": number(1)}
_CONVERSATIONS: Fields = {"default_to_current_conversation": boolean, "filter": FILTER}
_RESPONSE: Fields = {"response_url_enabled": boolean}


def _input_range(value: Any, at: str, found: list[Problem]) -> None:
    if value.get("min_length", 0) > value.get("max_length", 3000):
        refuse(found, at, "range", "min_length must not exceed max_length")


def _number_range(value: Any, at: str, found: list[Problem]) -> None:
    low, high = value.get("min_value"), value.get("max_value")
    if low is not None and high is not None and float(low) > float(high):
        refuse(found, at, "range", "min_value must not exceed max_value")


_NUMERIC = _pattern(r"[+-]?(\d+\.?\d*|\.\d+)", "a number written as a string")
_LONG_TEXT = number(1, LIMITS["plain_text_input"]["max_length"]["max"])
_TYPED_INPUT: Fields = {"placeholder": PLACEHOLDER, "dispatch_action_config": DISPATCH}
_BUTTON_FIELDS: Fields = {
    "style": string(choices=("primary", "danger")),
    "accessibility_label": string(_BUTTON["accessibility_label"]["max_length"]),
}
_FEEDBACK_BUTTON = shape(
    {"text": plain(_FEEDBACK["text"]["max_length"]), "value": string(_FEEDBACK["value"]["max_length"])},
    {"accessibility_label": string(_FEEDBACK["accessibility_label"]["max_length"])},
)
_MULTI_OPTIONS: Fields = {"initial_options": items(OPTION, 1), **_MOST}

IMAGE_FIELDS: Fields = {"image_url": string(LIMITS["image"]["image_url"]["max_length"], 1), "slack_file": SLACK_FILE}
ALT_TEXT = string(LIMITS["image"]["alt_text"]["max_length"])

ELEMENTS: dict[str, Check] = {
    "button": _element(
        {"url": URL, "value": string(_BUTTON["value"]["max_length"]), "confirm": CONFIRM, **_BUTTON_FIELDS},
        {"text": plain(_BUTTON["text"]["max_length"])},
        focus=False,
    ),
    "workflow_button": _element(
        _BUTTON_FIELDS, {"text": plain(_BUTTON["text"]["max_length"]), "workflow": WORKFLOW}, focus=False
    ),
    "checkboxes": _element(
        {"initial_options": items(RICH_OPTION, 1), "confirm": CONFIRM},
        {"options": items(RICH_OPTION, 1, LIMITS["checkboxes"]["options"]["max_items"])},
        _initial_among_options,
    ),
    "radio_buttons": _element(
        {"initial_option": RICH_OPTION, "confirm": CONFIRM},
        {"options": items(RICH_OPTION, 1, LIMITS["radio_buttons"]["options"]["max_items"])},
        _initial_among_options,
    ),
    "overflow": _element(
        {"confirm": CONFIRM},
        {"options": items(MENU_OPTION, 1, LIMITS["overflow"]["options"]["max_items"])},
        focus=False,
    ),
    "static_select": _select({**_STATIC, "initial_option": OPTION}, _choices),
    "multi_static_select": _select({**_STATIC, **_MULTI_OPTIONS}, _choices),
    "external_select": _select({"initial_option": OPTION, "min_query_length": number(0)}),
    "multi_external_select": _select({"min_query_length": number(0), **_MULTI_OPTIONS}),
    "users_select": _select({"initial_user": string(min_length=1)}),
    "multi_users_select": _select({"initial_users": _IDS, **_MOST}),
    "conversations_select": _select({"initial_conversation": string(min_length=1), **_CONVERSATIONS, **_RESPONSE}),
    "multi_conversations_select": _select({"initial_conversations": _IDS, **_CONVERSATIONS, **_MOST}),
    "channels_select": _select({"initial_channel": string(min_length=1), **_RESPONSE}),
    "multi_channels_select": _select({"initial_channels": _IDS, **_MOST}),
    "datepicker": _select({"initial_date": _pattern(r"\d{4}-\d{2}-\d{2}", "a date as YYYY-MM-DD")}),
    "timepicker": _select(
        {"initial_time": _pattern(r"([01]\d|2[0-3]):[0-5]\d", "a time as HH:mm"), "timezone": string(min_length=1)}
    ),
    "datetimepicker": _element({"initial_date_time": number(1_000_000_000, 9_999_999_999), "confirm": CONFIRM}),
    "plain_text_input": _element(
        {
            **_TYPED_INPUT,
            "initial_value": string(),
            "multiline": boolean,
            "min_length": number(0, LIMITS["plain_text_input"]["max_length"]["max"]),
            "max_length": _LONG_TEXT,
        },
        extra=_input_range,
    ),
    "number_input": _element(
        {**_TYPED_INPUT, "initial_value": _NUMERIC, "min_value": _NUMERIC, "max_value": _NUMERIC},
        {"is_decimal_allowed": boolean},
        _number_range,
    ),
    "email_text_input": _element({**_TYPED_INPUT, "initial_value": string()}),
    "url_text_input": _element({**_TYPED_INPUT, "initial_value": string()}),
    "rich_text_input": _element({**_TYPED_INPUT, "initial_value": anything}),
    "file_input": _element(
        {"filetypes": items(string(min_length=1), 1), "max_files": number(1, LIMITS["file_input"]["max_files"]["max"])},
        focus=False,
    ),
    "image": shape({"type": anything, "alt_text": ALT_TEXT}, IMAGE_FIELDS, exactly_one("image_url", "slack_file")),
    "feedback_buttons": _element(
        {}, {"positive_button": _FEEDBACK_BUTTON, "negative_button": _FEEDBACK_BUTTON}, focus=False
    ),
    "icon_button": _element(
        {
            "value": string(_BUTTON["value"]["max_length"]),
            "confirm": CONFIRM,
            "accessibility_label": _BUTTON_FIELDS["accessibility_label"],
            "visible_to_user_ids": items(
                string(min_length=1), 0, LIMITS["icon_button"]["visible_to_user_ids"]["max_items"]
            ),
        },
        {"icon": string(min_length=1), "text": plain(_BUTTON["text"]["max_length"])},
        focus=False,
    ),
    "url": shape(
        {"type": anything, "url": string(LIMITS["url_source"]["url"]["max_length"], 1), "text": string()},
    ),
    "mrkdwn": text(kinds=("mrkdwn",)),
    "plain_text": text(kinds=("plain_text",)),
}

_SELECTS = ("static_select", "external_select", "users_select", "conversations_select", "channels_select")
_MULTI = tuple(f"multi_{name}" for name in _SELECTS)
_SHARED = ("checkboxes", "radio_buttons", "datepicker", "timepicker", *_SELECTS)

IN_ACTIONS = ("button", "workflow_button", "overflow", "datetimepicker", *_SHARED)
IN_SECTION = ("button", "workflow_button", "overflow", "image", *_SHARED, *_MULTI)
IN_INPUT = (
    "plain_text_input",
    "number_input",
    "email_text_input",
    "url_text_input",
    "rich_text_input",
    "file_input",
    "datetimepicker",
    *_SHARED,
    *_MULTI,
)

_STYLED: Fields = {"style": anything}
_LEAVES: dict[str, Check] = {
    "text": shape({"type": anything, "text": string(min_length=1)}, _STYLED),
    "link": shape({"type": anything, "url": string(min_length=1)}, {"text": string(), "unsafe": boolean, **_STYLED}),
    "emoji": shape({"type": anything, "name": string(min_length=1)}, {"unicode": string(), **_STYLED}),
    "user": shape({"type": anything, "user_id": string(min_length=1)}, _STYLED),
    "usergroup": shape({"type": anything, "usergroup_id": string(min_length=1)}, _STYLED),
    "channel": shape({"type": anything, "channel_id": string(min_length=1)}, _STYLED),
    "broadcast": shape({"type": anything, "range": string(choices=("here", "channel", "everyone"))}, _STYLED),
    "color": shape({"type": anything, "value": string(min_length=1)}, _STYLED),
    "date": shape(
        {"type": anything, "timestamp": number(), "format": string(min_length=1)},
        {"url": string(), "fallback": string(), **_STYLED},
    ),
}
_RICH_SECTION = shape({"type": anything, "elements": items(typed(_LEAVES))})
RICH_TEXT: dict[str, Check] = {
    "rich_text_section": _RICH_SECTION,
    "rich_text_preformatted": shape(
        {"type": anything, "elements": items(typed(_LEAVES, ("text", "link")))},
        {"border": number(0, 1), "language": string()},
    ),
    "rich_text_quote": shape({"type": anything, "elements": items(typed(_LEAVES))}, {"border": number(0, 1)}),
    "rich_text_list": shape(
        {
            "type": anything,
            "style": string(choices=("bullet", "ordered")),
            "elements": items(typed({"rich_text_section": _RICH_SECTION})),
        },
        {"indent": number(0, 8), "offset": number(0), "border": number(0)},
    ),
}
