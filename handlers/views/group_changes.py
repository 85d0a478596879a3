"""Forms, questions and answers about one group: rename, merge, copy, split, export, delete."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Replace, Say, View
from handlers.views import blocks
from handlers.views.countries import country
from handlers.views.groups import choice, menu_hint, name_input
from handlers.views.words import bold, counted, number, several, verb
from services.group_changes import Merged, References, part_name
from services.groups import Group

RENAME_FORM = "group_rename_form"
MERGE_FORM = "group_merge_form"
COPY_FORM = "group_copy_form"
EXPORT_FORM = "group_export_form"
SPLIT = "group_split"
DELETE = "group_delete"
LEAVE = "group_leave"

_COUNTRIES_SHOWN, _PARTS_SHOWN = 20, 8


def rename_form(group: Group) -> View:
    """Its new name."""
    field = blocks.field("name", "New name", name_input(group.name))
    note = blocks.context("Tasks that were sent to it keep the name it had.")
    return blocks.form(RENAME_FORM, "Rename group", "Rename", [field, note])


def merge_form(group: Group, others: Sequence[Group]) -> View:
    """The group to merge into; `others` are of its SMS type, those to be offered first."""
    menu = blocks.menu("into", "Choose a group", choice(others))
    text = f"{bold(group.name)} and its {counted(group.size, 'number')} move into the group you choose, and it is gone."
    hint = menu_hint(others)
    field = blocks.field("into", f"Another {group.sms_type.value} group", menu, hint=hint)
    note = blocks.context("A number that is in both counts once.")
    return blocks.form(MERGE_FORM, "Merge groups", "Merge", [blocks.section(text), field, note])


def merge_impossible(group: Group) -> str:
    """Where there is no other group of its type."""
    return f"There is no other {group.sms_type.value} group to merge {bold(group.name)} into."


def copy_form(group: Group) -> View:
    """The copy's name."""
    text = blocks.section(
        f"All {counted(group.size, 'number')} of {bold(group.name)}, in a new group of the same type."
    )
    return blocks.form(COPY_FORM, "Copy group", "Copy", [text, blocks.field("name", "Name of the copy", name_input())])


def export_form(group: Group) -> View:
    """The kind of file."""
    kinds = [blocks.option("Excel (xlsx)", "xlsx"), blocks.option("Text (csv)", "csv")]
    text = f"{counted(group.size, 'number')} of {bold(group.name)}, each with its country, import and other columns."
    field = blocks.field("kind", "File", {"type": "radio_buttons", "options": kinds, "initial_option": kinds[0]})
    note = blocks.context("It comes as a direct message to you alone, because it holds full numbers.")
    return blocks.form(EXPORT_FORM, "Export group", "Send it to me", [blocks.section(text), field, note])


def ask_split(group: Group, countries: Sequence[tuple[str | None, int]]) -> Say:
    """What a split would make, and the button that does it."""
    if len(countries) < 2:
        where = country(countries[0][0]) if countries else ""
        text = f"All numbers of {bold(group.name)} are of {where}; there is nothing to split."
        if not countries:
            text = f"{bold(group.name)} is empty; there is nothing to split."
        return Say(text)
    parts = counted(len(countries), "group")
    like = bold(part_name(group.name, countries[0][0]))
    text = f"Split {bold(group.name)} by country into {parts}, named like {like}? It stays as it is."
    lines = [f"• {country(region)}: {counted(size, 'customer')}" for region, size in countries[:_COUNTRIES_SHOWN]]
    more = len(countries) - _COUNTRIES_SHOWN
    lines += [f"• and {number(more)} more"] if more > 0 else []
    make = blocks.button(SPLIT, f"Make {parts}", str(group.id), style="primary")
    return Say(text, [blocks.section("\n".join([text, *lines])), blocks.actions(make, _leave("Don't split"))])


def was_split(parts: Sequence[Group]) -> str:
    """The groups a split has made."""
    made = several([f"{bold(part.name)} ({number(part.size)})" for part in parts], most=_PARTS_SHOWN)
    return f"There are {counted(len(parts), 'new group')}: {made}."


def ask_delete(group: Group, found: References) -> Say:
    """What deleting it means, and the button that does it."""
    text = f"Delete {bold(group.name)} with its {counted(group.size, 'number')}? This cannot be taken back."
    notes = []
    if found.tasks:
        notes.append(_keeping(found.tasks))
    if found.drafts:
        notes.append(f"{counted(found.drafts, 'preview')} of it can no longer be sent.")
    if not notes:
        notes.append("No scheduled task refers to it.")
    buttons = blocks.actions(
        blocks.button(DELETE, "Delete the group", str(group.id), style="danger"), _leave("Keep it")
    )
    return Say(text, [blocks.section(text), *map(blocks.context, notes), buttons])


def _keeping(tasks: Sequence[int], most: int = 10) -> str:
    numbers = several([str(task) for task in tasks], most=most)
    if len(tasks) == 1:
        return f"Task {numbers} keeps its own copy of the recipients and goes on as confirmed."
    return f"Tasks {numbers} keep their own copies of the recipients and go on as confirmed."


def _leave(text: str) -> dict[str, object]:
    return blocks.button(LEAVE, text, "leave")


def left() -> Replace:
    """Nothing was wanted after all."""
    return Replace("Nothing was changed.")


def renamed(before: str, group: Group) -> str:
    """The answer to a new name."""
    return f"Group {bold(before)} is now called {bold(group.name)}."


def copied(source: Group, copy: Group) -> str:
    """The answer to a copy."""
    return f"Group {bold(copy.name)} is there, with the {counted(copy.size, 'number')} of {bold(source.name)}."


def merged(result: Merged) -> str:
    """The answer to a merge, with exact counts."""
    already = (
        f" {number(result.already)} {verb(result.already, 'was', 'were')} there already." if result.already else ""
    )
    return (
        f"Group {bold(result.name)} is merged into {bold(result.into.name)}, which has {number(result.added)} more: "
        f"{counted(result.into.size, 'customer')}.{already}"
    )


def deleted(group: Group) -> str:
    """The answer to a deletion."""
    return f"Group {bold(group.name)} is deleted, with its {counted(group.size, 'number')}."
