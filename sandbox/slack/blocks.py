"""What Slack refuses in blocks, messages and views.

Limits are those of block_kit/limits.json; which block may stand where is Slack's block reference.
"""

from collections.abc import Iterator
from typing import Any, Literal

from sandbox.slack.block_elements import (
    ALT_TEXT,
    ELEMENTS,
    IMAGE_FIELDS,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    RICH_TEXT,
)
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

Surface = Literal["message", "modal", "home"]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS: int = LIMITS["view"]["blocks"]["max_items"]
ATTACHMENTS = 100
TABLE_ROWS, TABLE_COLUMNS = 100, 20
# Slack documents no total; posts were seen refused at about this many characters in all (bolt-js issue 2509).
MESSAGE_BLOCK_CHARACTERS = 13_200


def _block(required: Fields, optional: Fields | None = None, extra: Check | None = None) -> Check:
    block_id = string(LIMITS["block_id"]["max_length"], 1)
    return shape({"type": anything, **required}, {"block_id": block_id, **(optional or {})}, extra)


def _text_or_fields(value: Any, at: str, found: list[Problem]) -> None:
    if value.get("text") is None and not value.get("fields"):
        refuse(found, at, "required", "must provide text or fields")


def _grid(value: Any, at: str, found: list[Problem]) -> None:
    rows = value["rows"]
    if any(len(row) != len(rows[0]) for row in rows):
        refuse(found, f"{at}/rows", "row_shape", "all rows must have the same number of columns")
    if len(value.get("column_settings") or []) > len(rows[0]):
        refuse(found, f"{at}/column_settings", "max_items", "more column settings than columns")


def _data_grid(value: Any, at: str, found: list[Problem]) -> None:
    _grid(value, at, found)
    cells = [cell for row in value["rows"] for cell in row]
    if any(cell["type"] == "rich_text" for cell in value["rows"][0]):
        refuse(found, f"{at}/rows/0", "header", "header cells must be raw text or raw numbers")
    if sum(len(piece) for cell in cells for piece in strings(cell)) > LIMITS["data_table"]["content"]["max_length"]:
        refuse(found, f"{at}/rows", "max_length", "cell text is too long in total")


def strings(value: Any) -> Iterator[str]:
    """Every text a reader would see in a block, element or text object, at any depth."""
    if isinstance(value, dict):
        for name, content in value.items():
            if isinstance(content, str):
                if name in ("text", "alt_text", "title", "caption"):
                    yield content
            else:
                yield from strings(content)
    elif isinstance(value, list):
        for content in value:
            yield from strings(content)


_RICH_ELEMENTS = items(typed(RICH_TEXT))
_RICH_BLOCK = _block({"elements": _RICH_ELEMENTS})
_NUMBER_CELL = shape({"type": anything, "value": number(whole=False)}, {"text": string()})
_RICH_CELL = shape({"type": anything, "elements": _RICH_ELEMENTS})


def _cell(shortest: int) -> Check:
    raw = shape({"type": anything, "text": string(min_length=shortest)})
    return typed({"raw_text": raw, "raw_number": _NUMBER_CELL, "rich_text": _RICH_CELL})


_VIDEO, _VIS, _CARD, _DATA = LIMITS["video"], LIMITS["data_visualization"], LIMITS["card"], LIMITS["data_table"]
_POINT = shape({"label": string(_VIS["point_label"]["max_length"]), "value": number(whole=False)})
_SERIES = shape(
    {
        "name": string(_VIS["series_name"]["max_length"], 1),
        "data": items(_POINT, 1, _VIS["data"]["max_items"]),
    }
)
_AXIS = shape(
    {"categories": items(string(_VIS["category_label"]["max_length"]), 1, _VIS["categories"]["max_items"])},
    {"x_label": string(_VIS["axis_label"]["max_length"]), "y_label": string(_VIS["axis_label"]["max_length"])},
)
_AXIS_CHART = shape(
    {"type": anything, "series": items(_SERIES, 1, _VIS["series"]["max_items"]), "axis_config": _AXIS},
)
_SEGMENT = shape(
    {
        "label": string(_VIS["segment"]["label"]["max_length"]),
        "value": number(above=_VIS["segment"]["value"]["exclusive_min"], whole=False),
    }
)
_CHARTS: dict[str, Check] = {
    "pie": shape({"type": anything, "segments": items(_SEGMENT, 1, _VIS["segments"]["max_items"])}),
    "bar": _AXIS_CHART,
    "line": _AXIS_CHART,
    "area": _AXIS_CHART,
}
_TASK_FIELDS: Fields = {
    "details": _RICH_BLOCK,
    "output": _RICH_BLOCK,
    "sources": items(typed(ELEMENTS, ("url",))),
    "status": string(choices=("pending", "in_progress", "complete", "error")),
}
_TASK_REQUIRED: Fields = {"task_id": string(min_length=1), "title": string(min_length=1)}
_CARD_BLOCK = _block(
    {},
    {
        "hero_image": ELEMENTS["image"],
        "icon": ELEMENTS["image"],
        "slack_icon": shape({"type": anything, "name": string(min_length=1)}),
        "title": text(_CARD["title"]["max_length"]),
        "subtitle": text(_CARD["subtitle"]["max_length"]),
        "body": text(_CARD["body"]["max_length"]),
        "subtext": text(_CARD["subtext"]["max_length"]),
        "actions": items(typed(ELEMENTS, ("button", "workflow_button", "overflow")), 0, _CARD["actions"]["max_items"]),
    },
)

_ROWS = items(_cell(0), 1, TABLE_COLUMNS)
_DATA_ROWS = items(_cell(1), 1, _DATA["columns"]["max_items"])

BLOCKS: dict[str, Check] = {
    "section": _block(
        {},
        {
            "text": text(LIMITS["section"]["text"]["max_length"]),
            "fields": items(
                text(LIMITS["section"]["fields"]["item_max_length"]), 1, LIMITS["section"]["fields"]["max_items"]
            ),
            "accessory": typed(ELEMENTS, IN_SECTION),
            "expand": boolean,
        },
        _text_or_fields,
    ),
    "header": _block({"text": plain(LIMITS["header"]["text"]["max_length"])}, {"level": number(1, 4)}),
    "divider": _block({}),
    "image": _block(
        {"alt_text": ALT_TEXT}, {**IMAGE_FIELDS, "title": plain(2000)}, exactly_one("image_url", "slack_file")
    ),
    "actions": _block({"elements": items(typed(ELEMENTS, IN_ACTIONS), 1, LIMITS["actions"]["elements"]["max_items"])}),
    "context": _block(
        {
            "elements": items(
                typed(ELEMENTS, ("image", "mrkdwn", "plain_text")), 1, LIMITS["context"]["elements"]["max_items"]
            )
        }
    ),
    "context_actions": _block(
        {
            "elements": items(
                typed(ELEMENTS, ("feedback_buttons", "icon_button")),
                1,
                LIMITS["context_actions"]["elements"]["max_items"],
            )
        }
    ),
    "input": _block(
        {"label": plain(LIMITS["input"]["label"]["max_length"]), "element": typed(ELEMENTS, IN_INPUT)},
        {"hint": plain(LIMITS["input"]["hint"]["max_length"]), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": _RICH_BLOCK,
    "markdown": _block({"text": string(LIMITS["markdown"]["text"]["max_length"], 1)}),
    "file": _block({"external_id": string(min_length=1), "source": string(choices=("remote",))}),
    "video": _block(
        {
            "alt_text": string(_VIDEO["alt_text"]["max_length"], 1),
            "title": plain(_VIDEO["title"]["max_length"]),
            "thumbnail_url": string(min_length=1),
            "video_url": string(min_length=1),
        },
        {
            "title_url": string(),
            "author_name": string(_VIDEO["author_name"]["max_length"]),
            "description": plain(_VIDEO["description"]["max_length"]),
            "provider_name": string(_VIDEO["provider_name"]["max_length"]),
            "provider_icon_url": string(),
        },
    ),
    "table": _block(
        {"rows": items(_ROWS, 1, TABLE_ROWS)},
        {
            "column_settings": items(
                shape({}, {"align": string(choices=("left", "center", "right")), "is_wrapped": boolean}),
                0,
                TABLE_COLUMNS,
            )
        },
        _grid,
    ),
    "data_table": _block(
        {
            "caption": string(min_length=1),
            "rows": items(_DATA_ROWS, _DATA["rows"]["min_items"], _DATA["rows"]["max_items"]),
        },
        {
            "page_size": number(_DATA["page_size"]["min"], _DATA["page_size"]["max"]),
            "row_header_column_index": number(0, TABLE_COLUMNS - 1),
        },
        _data_grid,
    ),
    "data_visualization": _block({"title": string(_VIS["title"]["max_length"], 1), "chart": typed(_CHARTS)}),
    "alert": _block(
        {"text": text(LIMITS["alert"]["text"]["max_length"])},
        {"level": string(choices=("default", "info", "warning", "error", "success"))},
    ),
    "card": _CARD_BLOCK,
    "carousel": _block(
        {"elements": items(typed({"card": _CARD_BLOCK}), 1, LIMITS["carousel"]["elements"]["max_items"])}
    ),
    "plan": _block(
        {"title": string(min_length=1)},
        {"tasks": items(shape(_TASK_REQUIRED, {"type": anything, **_TASK_FIELDS}), 0, 50)},
    ),
    "task_card": _block(_TASK_REQUIRED, _TASK_FIELDS),
}
BLOCKS["container"] = _block(
    {
        "title": text(LIMITS["container"]["title"]["max_length"]),
        "child_blocks": items(typed(dict(BLOCKS)), 1, LIMITS["container"]["child_blocks"]["max_items"]),
    },
    {
        "subtitle": text(LIMITS["container"]["subtitle"]["max_length"]),
        "width": string(),
        "is_collapsible": boolean,
        "default_collapsed": boolean,
        "has_header_divider": boolean,
    },
)

_MODAL = (
    "actions", "alert", "card", "context", "divider", "header", "image", "input", "rich_text", "section", "video",
)  # fmt: skip
_MESSAGE = tuple(name for name in BLOCKS if name != "alert")
_NOT_AT_HOME = ("alert", "context_actions", "file", "markdown", "plan", "task_card")
SURFACES: dict[Surface, tuple[str, ...]] = {
    "message": _MESSAGE,
    "modal": _MODAL,
    "home": tuple(name for name in BLOCKS if name not in _NOT_AT_HOME),
}


def all_blocks(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """These blocks and those inside containers and carousels."""
    for block in blocks:
        yield block
        nested = block.get("child_blocks") or (block["elements"] if block.get("type") == "carousel" else [])
        yield from all_blocks(nested)


def elements_of(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements of one block that a person can act on, wherever the block keeps them."""
    inside = [
        *(block.get("elements") or []),
        *(block.get("actions") or []),
        block.get("accessory"),
        block.get("element"),
    ]
    if block.get("type") not in ("section", "actions", "input", "card", "context_actions"):
        return []
    return [element for element in inside if element and element["type"] != "image"]


def _repeats(values: list[Any]) -> bool:
    present = [value for value in values if value]
    return len(present) != len(set(present))


def _check_ids(blocks: list[dict[str, Any]], at: str, found: list[Problem]) -> None:
    for index, block in enumerate(blocks):
        if any(_repeats([e.get("action_id") for e in elements_of(inner)]) for inner in all_blocks([block])):
            refuse(found, f"{at}/{index}", "duplicate_action_id", "action_id must be unique within a block")
    if _repeats([block.get("block_id") for block in all_blocks(blocks)]):
        refuse(found, at, "duplicate_block_id", "block_id must be unique")


def check_blocks(blocks: Any, surface: Surface, at: str = "/blocks") -> list[Problem]:
    """What Slack refuses in these blocks on this surface; empty when it takes them."""
    found: list[Problem] = []
    limit = MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS
    items(typed(BLOCKS, SURFACES[surface]), 0 if surface == "message" else 1, limit)(blocks, at, found)
    if found:
        return found
    _check_ids(blocks, at, found)
    kinds = [block["type"] for block in blocks]
    if kinds.count("table") > 1:
        refuse(found, at, "only_one_table_allowed", "only one table is allowed in a message")
    if (
        sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
        > LIMITS["markdown"]["text"]["max_length"]
    ):
        refuse(found, at, "max_length", "markdown blocks are too long in total")
    if surface != "modal":
        for index, block in enumerate(blocks):
            if block.get("element", {}).get("type") == "file_input":
                refuse(found, f"{at}/{index}/element", "enum", "file_input is only available in modals")
    return found


def _attachment(value: Any, at: str, found: list[Problem]) -> None:
    if not isinstance(value, dict):
        refuse(found, at, "type", "must be an object")


def check_attachments(attachments: Any) -> list[Problem]:
    """What Slack refuses in a message's attachments, of which only their number and blocks are looked at."""
    found: list[Problem] = []
    items(_attachment, 0, ATTACHMENTS)(attachments, "/attachments", found)
    for index, attachment in enumerate([] if found else attachments):
        if attachment.get("blocks"):
            found += check_blocks(attachment["blocks"], "message", f"/attachments/{index}/blocks")
    return found


_VIEW = LIMITS["view"]
_VIEW_FIELDS: Fields = {
    "private_metadata": string(_VIEW["private_metadata"]["max_length"]),
    "callback_id": string(_VIEW["callback_id"]["max_length"]),
    "external_id": string(255),
}
_VIEWS: dict[str, Check] = {
    "modal": shape(
        {"type": anything, "title": plain(_VIEW["title"]["max_length"]), "blocks": anything},
        {
            "submit": plain(_VIEW["submit"]["max_length"]),
            "close": plain(_VIEW["close"]["max_length"]),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
            **_VIEW_FIELDS,
        },
    ),
    "home": shape({"type": anything, "blocks": anything}, _VIEW_FIELDS),
}


def check_view(view: Any, kinds: tuple[str, ...] = ("modal", "home")) -> list[Problem]:
    """What Slack refuses in a view; pointers begin with /view."""
    found: list[Problem] = []
    typed(_VIEWS, kinds)(view, "/view", found)
    if isinstance(view, dict) and view.get("type") in kinds and "blocks" in view:
        surface: Surface = "home" if view["type"] == "home" else "modal"
        found += check_blocks(view["blocks"], surface, "/view/blocks")
        kinds_used = [block.get("type") for block in view["blocks"]] if isinstance(view["blocks"], list) else []
        if surface == "modal" and "input" in kinds_used and not view.get("submit"):
            refuse(found, "/view", "required", "missing required field: submit (the view has input blocks)")
    return found


def check_message(message: dict[str, Any]) -> list[Problem]:
    """What Slack refuses in a message's blocks and attachments; its text has rules of its own."""
    found = check_blocks(message["blocks"], "message") if message.get("blocks") else []
    return found + (check_attachments(message["attachments"]) if message.get("attachments") else [])
