"""What people see of an import: the question, the progress, the counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handlers.arguments import write_pair
from handlers.replies import Block, Say, View
from handlers.views import blocks
from handlers.views.countries import how_numbers_are_written
from handlers.views.groups import SEND as SEND_GROUP
from handlers.views.groups import group_fields
from handlers.views.words import bar, bold, code, counted, duration, listed, named, number, person, verb
from services.default_regions import MAINLAND
from services.groups import Group
from services.imports import Import, Progress, Purpose
from services.numbers import Reason
from services.spreadsheets.reader import Column

CHOOSE_GROUP = "import_choose_group"
NEW_GROUP = "import_new_group"
NOT_NOW = "import_not_now"
USE_ONCE = "import_use_once"
SEND = "import_send"
NEW_GROUP_FORM = "import_new_group_form"
CANCEL = "import_cancel"
CHOOSE_COLUMN = "import_choose_column"
COLUMN_FORM = "import_column_form"
KEEP = "import_keep"
UNDO = "import_undo"
HOW_TO_FORM = "import_how_to_form"
TEMPLATE = "import_template"

_FORMATS = "xlsx, xlsm, xls, ods, csv, tsv or txt, up to 30 MB, with any number of rows and sheets"

_REASONS = {
    Reason.EMPTY: "no number in the row",
    Reason.NOT_A_NUMBER: "not a phone number",
    Reason.EXTRA_TEXT: "other text beside the number",
    Reason.TWO_NUMBERS: "more than one number",
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
    """The private question which group a dropped file goes into; `note` says why it is asked all the same.

    A menu holds 100 groups: give those to be offered first.
    """
    question = f"Import {bold(asked.file.name)} into which group?"
    text = f"{note} {question}" if note else question
    options = _group_options(groups, lambda group: f"{asked.id}:{group.id}")
    elements = [
        *([blocks.menu(CHOOSE_GROUP, "Choose a group", options)] if options else []),
        blocks.button(NEW_GROUP, "New group…", str(asked.id)),
        blocks.button(USE_ONCE, "Use for one send only", str(asked.id)),
        blocks.button(NOT_NOW, "Not now", str(asked.id)),
    ]
    hint = "Next time, write *group:name* beside the file and it starts at once."
    if len(groups) > blocks.MENU_LIMIT:
        hint = f"The menu shows the {blocks.MENU_LIMIT} groups last used; *group:name* beside the file takes any."
    return Say(text, [blocks.section(text), blocks.actions(*elements), blocks.context(hint)])


def _group_options(groups: Sequence[Group], value: Callable[[Group], str]) -> list[dict[str, Any]]:
    return [
        blocks.option(f"{blocks.cut(group.name, 40)} · {group.sms_type.value} · {number(group.size)}", value(group))
        for group in groups[: blocks.MENU_LIMIT]
    ]


def new_group_form(file_name: str) -> View:
    """A new group to import the file into."""
    note = blocks.context(f"{bold(file_name)} is imported into it.")
    return blocks.form(NEW_GROUP_FORM, "New group", "Create and import", [*group_fields(), note])


def how_to(group: Group | None, region: str = MAINLAND) -> Say:
    """How to import, into this group or in general, with the template to fill in. Numbers without country code are of
    `region`.
    """
    if group is None:
        text = "Drop a spreadsheet of mobile numbers in this channel; I ask for its group."
    else:
        beside = code(write_pair("group", group.name))
        text = f"Drop the spreadsheet in this channel and write {beside} beside it. The import starts at once."
    notes = f"{_FORMATS}; {how_numbers_are_written(region)}. Other columns are kept with the number."
    template = blocks.button(TEMPLATE, "Download the template", "xlsx")
    return Say(text, [blocks.section(text), blocks.context(notes), blocks.actions(template)])


def how_to_form(groups: Sequence[Group]) -> View:
    """The choice of an existing group or a new one of an SMS type, as in the console."""
    options = _group_options(groups, lambda group: str(group.id))
    existing = []
    if options:
        hint = None
        if len(groups) > blocks.MENU_LIMIT:
            hint = f"The {blocks.MENU_LIMIT} groups last used. /sms-import group:name takes any."
        menu = blocks.menu("group", "Choose a group", options)
        existing = [blocks.field("group", "Existing group", menu, optional=True, hint=hint)]
    name, sms_type = group_fields()
    label = "Or a new group" if options else "New group"
    name = {**name, "label": blocks.plain(label, 2000), "optional": bool(options)}
    sms_type = {**sms_type, "label": blocks.plain("SMS type of the new group", 2000), "optional": bool(options)}
    note = blocks.context("The next step tells how, and gives you a template to fill in.")
    return blocks.form(HOW_TO_FORM, "Import numbers", "Next", [*existing, name, sms_type, note])


def running(current: Import, progress: Progress | None) -> tuple[str, list[Block]]:
    """The one message that is edited while an import runs."""
    text = f"Importing {bold(current.file.name)} {_into(current)}"
    if progress is not None and progress.waits:
        state = f"{bar(0)}  Waiting for another import to end…"
    elif progress is None or not progress.rows:
        state = f"{bar(0)}  Reading the file…"
    elif not progress.to_store:
        state = f"{bar(progress.done)}  {counted(progress.rows, 'row')} read and checked"
    else:
        read = f"{counted(progress.rows, 'row')} read and checked"
        stored = f"{number(progress.stored)} of {counted(progress.to_store, 'number')} stored"
        state = f"{bar(progress.stored / progress.to_store)}  {read} · {stored}"
    return text, [blocks.section(f"{text}\n{state}"), blocks.actions(_cancel_button(current))]


def interrupted(current: Import) -> tuple[str, list[Block]]:
    """The same message while the bot restarts: nobody has to do anything."""
    text = f"Importing {bold(current.file.name)} {_into(current)}"
    note = "I am being restarted. This import starts over by itself when I am back; nothing of it is stored yet."
    return text, [blocks.section(f"{text}\n:hourglass: {note}"), blocks.actions(_cancel_button(current))]


def waiting(current: Import) -> tuple[str, list[Block]]:
    """The question which column holds the numbers; the samples are in its form, because they are full numbers."""
    headers = [column.header or f"column {column.letter}" for column in current.columns]
    where = _sheet_asked_about(current)
    text = f"{where} has more than one column of phone numbers: {named(headers, 'or')}. Which one?"
    note = f"Nothing has been imported {_into(current)} yet."
    choose = blocks.button(CHOOSE_COLUMN, "Choose the column", str(current.id), "primary")
    return text, [blocks.section(text), blocks.context(note), blocks.actions(choose, _cancel_button(current))]


def column_form(current: Import) -> View:
    """A menu of the columns, each with three of its cells; its values are positions in `Import.columns`."""
    options = [blocks.option(_column_line(column), str(at)) for at, column in enumerate(current.columns)]
    menu = blocks.menu("column", "Choose a column", options)
    hint = None
    if len(options) > blocks.MENU_LIMIT:
        hint = f"The {blocks.MENU_LIMIT} of {number(len(options))} columns that look most like phone numbers. Is it "
        hint += "another one? Cancel the import, name that column “Mobile” and drop the file again."
    field = blocks.field("column", "Which column holds the numbers?", menu, hint=hint)
    note = blocks.context(f"{_sheet_asked_about(current)} is imported {_into(current)}.")
    return blocks.form(COLUMN_FORM, "Choose the column", "Import", [field, note])


def _sheet_asked_about(current: Import) -> str:
    """The file, with the sheet where it has any: each may ask for a column of its own."""
    file = bold(current.file.name)
    return f"The sheet {bold(current.columns_sheet)} of {file}" if current.columns_sheet else file


def _column_line(column: Column) -> str:
    samples = ", ".join(blocks.cut(sample, 15) for sample in column.samples)
    name = f"{column.letter} · {blocks.cut(column.header, 16)}" if column.header else column.letter
    return f"{name}: {samples}"


def _cancel_button(current: Import) -> dict[str, Any]:
    text = f"Nothing of {current.file.name} will be kept."
    confirm = blocks.confirmation("Cancel the import?", text, "Cancel the import", "Go on importing")
    return blocks.button(CANCEL, "Cancel the import", str(current.id), confirm=confirm)


def _into(current: Import) -> str:
    match current.purpose:
        case Purpose.OPT_OUTS:
            return "into the do-not-send list"
        case Purpose.SEND:
            return "for one send only"
        case _:
            return f"into {bold(current.group)}" if current.group else "into a group that is gone"


def cancelled(ended: Import) -> tuple[str, list[Block]]:
    """What stays of an import that was cancelled: nothing but this."""
    by = f" by {person(ended.ended_by)}" if ended.ended_by else ""
    into, gone = _into(ended), ""
    if ended.made_group is not None and ended.group is None:
        into, gone = f"into the new group {bold(ended.made_group)}", ", and the group is gone again"
    text = f"The import of {bold(ended.file.name)} {into} was cancelled{by}. Nothing was imported{gone}."
    return text, [blocks.section(text)]


def undone(ended: Import) -> tuple[str, list[Block]]:
    """An import whose numbers were taken out again."""
    by = f" by {person(ended.ended_by)}" if ended.ended_by else ""
    taken_out = (
        f"The {counted(ended.taken_out, 'number')} that it alone brought {verb(ended.taken_out, 'is', 'are')} "
        "out of the group."
        if ended.taken_out
        else "The group had none of its numbers any more."
    )
    text = f"The import of {bold(ended.file.name)} {_into(ended)} was undone{by}. {taken_out}"
    return text, [blocks.section(text)]


def done(ended: Import, group: Group | None) -> tuple[str, list[Block]]:
    """What happened, in one line, and the way on. `group` is None where it has been deleted since."""
    line = _counts(ended)
    body = [blocks.section(line), blocks.context(" · ".join(_notes(ended, group)))]
    if ended.purpose is Purpose.SEND:
        # Where all were set aside, nothing can be sent to before somebody keeps them.
        send = [blocks.button(SEND, "Send SMS", str(ended.id), "primary")] if ended.imported else []
        if ways := [*send, *_keep_button(ended)]:
            body.append(blocks.actions(*ways))
    elif group is not None:
        body.append(blocks.actions(*_ways_on(ended, group)))
    return line.replace("*", ""), body


def _counts(ended: Import) -> str:
    removed = []
    if ended.duplicates:
        removed.append(counted(ended.duplicates, "duplicate"))
    if ended.invalid:
        removed.append(f"{number(ended.invalid)} invalid")
    parts = [f"*{number(ended.imported)} imported*"]
    if ended.already_in_group:
        parts.append(f"{number(ended.already_in_group)} already in the group")
    if ended.by_country_code:
        parts.append(f"{number(ended.by_country_code)} of these read as country code + number")
    if removed:
        parts.append(f"{listed(removed)} removed")
    if ended.set_aside:
        parts.append(f"{number(ended.set_aside)} set aside")
    if removed or ended.set_aside:
        parts.append("you are not charged for those")
    return " · ".join(parts)


def _notes(ended: Import, group: Group | None) -> list[str]:
    where = bold(group.name if group else ended.group or "a group that is gone")
    if ended.purpose is Purpose.SEND:
        where = "for one send only, in no group"
    now = f", which now has {counted(group.size, 'customer')}" if group else ""
    notes = [f"{bold(ended.file.name)} → {where}{now}"]
    if ended.kept:
        notes.append(were_kept(ended.kept))
    hidden = [
        counted(count, noun)
        for count, noun in (
            (ended.hidden_rows, "row"),
            (ended.hidden_columns, "column"),
            (ended.hidden_sheets, "sheet"),
        )
        if count
    ]
    if hidden:
        notes.append(f"hidden in the file and left out: {listed(hidden)}")
    notes += numberless(ended)
    if ended.rejects:
        notes.append("rows that were left out are listed in the file's thread")
    notes.append(f"imported by {person(ended.uploaded_by)}" + (f" in {duration(ended.took)}" if ended.took else ""))
    return notes


def numberless(ended: Import) -> list[str]:
    """What is said of sheets whose rows are in no count, because no column of numbers was found."""
    sheets = ended.numberless_sheets
    if not sheets:
        return []
    return [f"{counted(len(sheets), 'sheet')} without a number column left out: {named(sheets)}"]


def _ways_on(ended: Import, group: Group) -> list[dict[str, Any]]:
    ways = [blocks.button(SEND_GROUP, "Send SMS", str(group.id))]
    ways += _keep_button(ended)
    if ended.imported:
        # How many these are by then, nobody knows yet.
        text = f"The numbers that it alone brought are taken out of {group.name} again."
        confirm = blocks.confirmation("Undo the import?", text, "Undo the import", "Leave it")
        ways.append(blocks.button(UNDO, "Undo the import", str(ended.id), confirm=confirm))
    return ways


def keep_anyway(count: int) -> str:
    """The button beside numbers that were set aside."""
    return "Keep this one anyway" if count == 1 else f"Keep these {number(count)} anyway"


def _keep_button(ended: Import) -> list[dict[str, Any]]:
    if not ended.keepable:
        return []
    return [blocks.button(KEEP, keep_anyway(ended.keepable), str(ended.id))]


def were_kept(count: int) -> str:
    """What became of numbers that were set aside."""
    were = verb(count, "was", "were")
    return f"{number(count)} that {were} set aside {were} kept"


def nothing_valid(ended: Import, reasons: Sequence[tuple[str, int]]) -> tuple[str, list[Block]]:
    """The console's own sentence, with the reasons counted."""
    text = "Import failed: the file has no valid phone number."
    counts = " · ".join(f"{number(count)} {reason_in_words(reason)}" for reason, count in reasons)
    note = f"{bold(ended.file.name)}: {counted(ended.rows, 'row')} read"
    return text, [blocks.section(f"*{text}*"), blocks.context(f"{note} · {counts}" if counts else note)]


def failed(text: str) -> list[Block]:
    """An import that could not be done; the sentence is `handlers/errors.py`'s."""
    return [blocks.section(text)]
