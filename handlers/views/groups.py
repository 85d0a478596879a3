"""The list of groups, and the form of a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.replies import Block, Say, View
from handlers.views import blocks
from handlers.views.words import bold, counted, moment, number
from services.groups import NAME_LIMIT, Group, GroupPage, ListedGroup
from services.states import SmsType

NEW = "group_new"
NEW_FORM = "group_new_form"
SEND = "group_send"
IMPORT = "group_import"
ENTER = "group_enter"
EXPORT = "group_export"
MORE = "group_more"
PREVIOUS_PAGE = "group_page_previous"
NEXT_PAGE = "group_page_next"

RENAME, MERGE, COPY, SPLIT, DELETE = "rename", "merge", "copy", "split", "delete"
_MORE = {
    RENAME: "Rename…",
    MERGE: "Merge into another group…",
    COPY: "Copy…",
    SPLIT: "Split by country…",
    DELETE: "Delete…",
}


def group_list(page: GroupPage, name: str = "") -> Say:
    """Some groups with their size and type, and what can be done with each; `name` is what their names hold."""
    new = blocks.button(NEW, "New group…", "new")
    if not page.groups:
        text = "No groups yet. Drop a spreadsheet of mobile numbers in a channel, or make an empty group first."
        if name:
            text = f"No group has {bold(name)} in its name. `/sms-groups` lists them all."
        return Say(text, [blocks.section(text), blocks.actions(new)])
    title = f"Groups with {bold(name)} in their name" if name else "Groups"
    head = f"*{title}*" if not name else title
    if page.pages > 1:
        head += f" · page {page.page} of {page.pages}, {number(page.total)} in all"
    rows = [block for each in page.groups for block in _row(each)]
    return Say(title, [blocks.section(head), *rows, blocks.actions(*_turning(page, name), new)])


def _row(listed: ListedGroup) -> list[Block]:
    group, key = listed.group, str(listed.group.id)
    facts = [counted(group.size, "customer")]
    facts.append(f"last import {moment(listed.last_import)}" if listed.last_import else "no import yet")
    facts.append(f"last send {moment(listed.last_send)}" if listed.last_send else "never sent to")
    return [
        blocks.section(f"{bold(group.name)} · {group.sms_type.value}\n{' · '.join(facts)}"),
        blocks.actions(
            blocks.button(SEND, "Send SMS", key),
            blocks.button(IMPORT, "Import file", key),
            blocks.button(ENTER, "Enter numbers", key),
            blocks.button(EXPORT, "Export…", key),
            {
                "type": "overflow",
                "action_id": MORE,
                "options": [blocks.option(text, f"{what}:{key}") for what, text in _MORE.items()],
            },
        ),
    ]


def _turning(page: GroupPage, name: str) -> list[dict[str, Any]]:
    buttons = []
    if page.page > 1:
        buttons.append(blocks.button(PREVIOUS_PAGE, "Previous", f"{page.page - 1}:{name}"))
    if page.page < page.pages:
        buttons.append(blocks.button(NEXT_PAGE, "Next", f"{page.page + 1}:{name}"))
    return buttons


def new_group_form() -> View:
    """A name and an SMS type."""
    return blocks.form(NEW_FORM, "New group", "Create", group_fields())


def group_fields() -> list[Block]:
    """The fields `name` and `sms_type`, wherever a group is made."""
    types = [
        blocks.option("Promotional: offers and news", SmsType.PROMOTIONAL.value),
        blocks.option("Notification: information customers expect", SmsType.NOTIFICATION.value),
    ]
    return [
        blocks.field("name", "Group name", name_input()),
        blocks.field(
            "sms_type",
            "SMS type",
            {"type": "radio_buttons", "options": types},
            hint="A group takes only templates of its own type.",
        ),
    ]


def name_input(current: str = "") -> dict[str, Any]:
    """Where a group's name is typed."""
    element: dict[str, Any] = {"type": "plain_text_input", "max_length": NAME_LIMIT}
    return {**element, "initial_value": current} if current else element


def choice(groups: Sequence[Group], chosen: Group | None = None) -> list[dict[str, Any]]:
    """The options of a menu of groups, by id; the chosen one is among them however many there are."""
    first = [] if chosen is None else [chosen]
    ordered = [*first, *(group for group in groups if chosen is None or group.id != chosen.id)]
    return [
        blocks.option(f"{blocks.cut(group.name, 40)} · {group.sms_type.value} · {number(group.size)}", str(group.id))
        for group in ordered[: blocks.MENU_LIMIT]
    ]


def many(placeholder: str, groups: Sequence[Group], chosen: Group | None = None) -> dict[str, Any]:
    """A menu that takes several groups."""
    options = choice(groups, chosen)
    menu = {**blocks.menu("", placeholder, options), "type": "multi_static_select"}
    return menu if chosen is None else {**menu, "initial_options": options[:1]}


def menu_hint(groups: Sequence[Group], otherwise: str = "") -> str | None:
    """Says that a menu does not hold all, and what takes any."""
    if len(groups) <= blocks.MENU_LIMIT:
        return None
    shown = f"The menu shows the {blocks.MENU_LIMIT} groups last used."
    return f"{shown} {otherwise} takes any." if otherwise else shown


def created(group: Group) -> str:
    """The answer to a new group."""
    return (
        f"Group {bold(group.name)} is there, for {group.sms_type.value} SMS. "
        f"Drop a spreadsheet of mobile numbers in a channel to fill it."
    )
