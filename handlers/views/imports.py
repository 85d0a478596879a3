"""What people see of an import: the question, the progress, the counts."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Block, Say, View
from handlers.views import blocks
from handlers.views.groups import SEND as SEND_GROUP
from handlers.views.groups import group_fields
from handlers.views.words import bar, bold, counted, duration, listed, number, person
from services.groups import Group
from services.imports import Import, Progress
from services.numbers import Reason

CHOOSE_GROUP = "import_choose_group"
NEW_GROUP = "import_new_group"
NOT_NOW = "import_not_now"
NEW_GROUP_FORM = "import_new_group_form"

_REASONS = {
    Reason.EMPTY: "no number in the row",
    Reason.NOT_A_NUMBER: "not a phone number",
    Reason.EXTRA_TEXT: "other text beside the number",
    Reason.TWO_NUMBERS: "more than one number in the cell",
    Reason.EXTENSION: "a number with an extension",
    Reason.LOST_DIGITS: "digits lost by the spreadsheet",
    Reason.TOO_SHORT: "too short",
    Reason.TOO_LONG: "too long",
    Reason.UNKNOWN_COUNTRY: "no such country code",
    Reason.AMBIGUOUS_COUNTRY: "the country is not clear",
    Reason.UNASSIGNED: "in no assigned range",
    Reason.LANDLINE: "a landline",
    Reason.NOT_MOBILE: "not a mobile number",
}


def reason_in_words(reason: str) -> str:
    """A `numbers.Reason` as people read it in counts and reject files."""
    return _REASONS[Reason(reason)]


def ask_group(asked: Import, groups: Sequence[Group], note: str | None = None) -> Say:
    """The private question which group a dropped file goes into; `note` says why it is asked all the same."""
    question = f"Import {bold(asked.file.name)} into which group?"
    text = f"{note} {question}" if note else question
    options = [
        blocks.option(
            f"{blocks.cut(group.name, 40)} · {group.sms_type.value} · {number(group.size)}", f"{asked.id}:{group.id}"
        )
        for group in groups
    ]
    elements = [
        *([blocks.menu(CHOOSE_GROUP, "Choose a group", options)] if options else []),
        blocks.button(NEW_GROUP, "New group…", str(asked.id)),
        blocks.button(NOT_NOW, "Not now", str(asked.id)),
    ]
    hint = "Next time, write *group:name* beside the file and it starts at once."
    return Say(text, [blocks.section(text), blocks.actions(*elements), blocks.context(hint)])


def new_group_form(file_name: str) -> View:
    """A new group to import the file into."""
    note = blocks.context(f"{bold(file_name)} is imported into it.")
    return blocks.form(NEW_GROUP_FORM, "New group", "Create and import", [*group_fields(), note])


def running(current: Import, progress: Progress | None) -> tuple[str, list[Block]]:
    """The one message that is edited while an import runs."""
    text = f"Importing {bold(current.file.name)} into {bold(current.group or '')}"
    if progress is None:
        state = "Reading the file…"
    elif progress.done < 1:
        state = f"{bar(progress.done)}  {counted(progress.rows, 'row')} read and checked"
    else:
        state = f"{bar(1)}  {counted(progress.rows, 'row')} read and checked · storing…"
    return text, [blocks.section(f"{text}\n{state}")]


def done(ended: Import, group: Group) -> tuple[str, list[Block]]:
    """What happened, in one line, and the way on."""
    removed = []
    if ended.duplicates:
        removed.append(counted(ended.duplicates, "duplicate"))
    if ended.invalid:
        removed.append(f"{number(ended.invalid)} invalid")
    parts = [f"*{number(ended.imported)} imported*"]
    if ended.already_in_group:
        parts.append(f"{number(ended.already_in_group)} already in the group")
    if removed:
        parts.append(f"{listed(removed)} removed")
    if ended.set_aside:
        parts.append(f"{number(ended.set_aside)} set aside")
    if removed or ended.set_aside:
        parts.append("you are not charged for those")
    line = " · ".join(parts)
    notes = [f"{bold(ended.file.name)} → {bold(ended.group or '')}, which now has {counted(group.size, 'customer')}"]
    if ended.by_country_code:
        notes.append(f"{number(ended.by_country_code)} read as country code + number")
    if ended.rejects:
        notes.append("rows that were left out are listed in the file's thread")
    notes.append(f"imported by {person(ended.uploaded_by)}" + (f" in {duration(ended.took)}" if ended.took else ""))
    send = blocks.button(SEND_GROUP, "Send SMS", str(ended.group_id))
    return line.replace("*", ""), [blocks.section(line), blocks.context(" · ".join(notes)), blocks.actions(send)]


def nothing_valid(ended: Import, reasons: Sequence[tuple[str, int]]) -> tuple[str, list[Block]]:
    """The console's own sentence, with the reasons counted."""
    text = "Import failed: the file has no valid phone number."
    counts = " · ".join(f"{number(count)} {reason_in_words(reason)}" for reason, count in reasons)
    note = f"{bold(ended.file.name)}: {counted(ended.rows, 'row')} read"
    return text, [blocks.section(f"*{text}*"), blocks.context(f"{note} · {counts}" if counts else note)]


def failed(text: str) -> list[Block]:
    """An import that could not be done; the sentence is `handlers/errors.py`'s."""
    return [blocks.section(text)]
