"""The list of groups, and the form of a new one."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Block, Say, View
from handlers.views import blocks
from handlers.views.words import bold, counted, number
from services.groups import NAME_LIMIT, Group
from services.states import SmsType

NEW = "group_new"
NEW_FORM = "group_new_form"
SEND = "group_send"

# A message holds 50 blocks; the head and the button take two.
_SHOWN = 45


def group_list(groups: Sequence[Group]) -> Say:
    """Every group with its size and type, and what can be done with it."""
    new = blocks.actions(blocks.button(NEW, "New group…", "new"))
    if not groups:
        text = "No groups yet. Drop a spreadsheet of mobile numbers in a channel, or make an empty group first."
        return Say(text, [blocks.section(text), new])
    rows = [
        blocks.section(
            f"{bold(group.name)} · {group.sms_type.value}\n{counted(group.size, 'customer')}",
            accessory=blocks.button(SEND, "Send SMS", str(group.id)),
        )
        for group in groups
    ]
    shown = blocks.fitting(rows, _SHOWN)
    more = len(rows) - len(shown)
    note = [blocks.context(f"{number(more)} more; each can be named in `group:`.")] if more else []
    return Say("Groups", [blocks.section("*Groups*"), *shown, *note, new])


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
        blocks.field("name", "Group name", {"type": "plain_text_input", "max_length": NAME_LIMIT}),
        blocks.field(
            "sms_type",
            "SMS type",
            {"type": "radio_buttons", "options": types},
            hint="A group takes only templates of its own type.",
        ),
    ]


def created(group: Group) -> str:
    """The answer to a new group."""
    return (
        f"Group {bold(group.name)} is there, for {group.sms_type.value} SMS. "
        f"Drop a spreadsheet of mobile numbers in a channel to fill it."
    )
