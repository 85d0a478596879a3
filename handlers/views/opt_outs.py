"""What people see of the do-not-send list, of imports into it, and of replies. Lists and channels mask numbers."""

from __future__ import annotations

from typing import Any

from handlers.replies import Block, Say, View
from handlers.views import blocks
from handlers.views.imports import numberless
from handlers.views.words import bold, counted, duration, escape, listed, moment, number, person
from services.imports import Import
from services.numbers import format_e164, mask
from services.opt_outs import OptOut, OptOutPage, Origin
from services.replies import Reply

SHOW = "opt_out_show"
ADD = "opt_out_add"
REMOVE = "opt_out_remove"
PREVIOUS_PAGE = "opt_out_page_previous"
NEXT_PAGE = "opt_out_page_next"
EXPORT = "opt_out_export"
EXPORT_FORM = "opt_out_export_form"

# What is written beside a file that goes onto the list.
BESIDE = "optouts"

_REPLY_SHOWN = 2500
_MEANS = "They get no promotional SMS from this workspace; notifications still reach them."
_HOW = (
    "`/sms-optouts 13800138000` looks one up, `/sms-optouts add 13800138000` adds one, `/sms-optouts import` tells how "
    "to add a file. Who replies T, TD, R, 退订 or STOP is added at once."
)


def opt_out_list(page: OptOutPage) -> Say:
    """One page of the list, the newest first."""
    if not page.total:
        text = "Nobody is on the do-not-send list."
        return Say(text, [blocks.section(f"*{text}*"), blocks.context(_HOW)])
    title = f"Do-not-send list: {counted(page.total, 'number')}"
    head = f"*{title}*" + (f" · page {page.page} of {page.pages}" if page.pages > 1 else "")
    rows = [
        blocks.section(
            f"{mask(each.number)} · {moment(each.at)} · {origin(each)}",
            accessory=blocks.button(SHOW, "Show", str(each.number)),
        )
        for each in page.opt_outs
    ]
    turning = [*_turning(page), blocks.button(EXPORT, "Export…", "all")]
    return Say(
        title,
        [blocks.section(head), blocks.context(_MEANS), *rows, blocks.actions(*turning), blocks.context(_HOW)],
    )


def origin(found: OptOut) -> str:
    """How it got on the list, and by whom."""
    by = f" by {person(found.added_by)}" if found.added_by else ""
    match found.origin:
        case Origin.REPLY:
            return "asked for it in a reply"
        case Origin.CARRIER:
            return "the carrier said so"
        case Origin.PERSON:
            return f"added{by}"
        case Origin.IMPORT:
            return f"imported{by}"


def _turning(page: OptOutPage) -> list[dict[str, Any]]:
    buttons = []
    if page.page > 1:
        buttons.append(blocks.button(PREVIOUS_PAGE, "Previous", str(page.page - 1)))
    if page.page < page.pages:
        buttons.append(blocks.button(NEXT_PAGE, "Next", str(page.page + 1)))
    return buttons


def one(number_: int, found: OptOut | None) -> Say:
    """Whether a number is on the list, and the button that changes it."""
    shown = format_e164(number_)
    if found is None:
        text = f"{shown} is not on the do-not-send list."
        add = blocks.button(ADD, "Add it to the do-not-send list", str(number_))
        return Say(text, [blocks.section(f"*{shown}* is not on the do-not-send list."), blocks.actions(add)])
    text = f"{shown} is on the do-not-send list since {moment(found.at)}: {origin(found)}."
    return Say(text, [blocks.section(f"*{shown}*{text.removeprefix(shown)}"), blocks.actions(_remove_button(found))])


def line(found: OptOut) -> str:
    """For where everything about a number is shown."""
    return f"*On the do-not-send list* since {moment(found.at)}: {origin(found)}. It gets no promotional SMS."


def _remove_button(found: OptOut) -> dict[str, Any]:
    said = {
        Origin.REPLY: "This person asked not to get promotional SMS.",
        Origin.CARRIER: "The carrier says that this person does not want them.",
    }.get(found.origin, "Somebody put this number here because the person does not want promotional SMS.")
    text = f"{said} Without the entry they get them again. Take it off only if the person has agreed to that."
    return blocks.button(
        REMOVE,
        "Take it off the list…",
        str(found.number),
        style="danger",
        confirm=blocks.confirmation(
            f"Send promotional SMS to {format_e164(found.number)} again?", text, "Take it off", "Leave it", "danger"
        ),
    )


def added(number_: int, *, new: bool) -> str:
    """The answer to adding a number."""
    there = "is on the do-not-send list now" if new else "was on the do-not-send list already"
    return f"{format_e164(number_)} {there}. It gets no promotional SMS."


def removed(number_: int) -> str:
    """The answer to removing a number."""
    return f"{format_e164(number_)} is off the do-not-send list. Promotional SMS reach it again."


def how_to_import() -> Say:
    """How a file gets onto the list."""
    text = f"Drop the file in this channel and write `{BESIDE}` beside it, and nothing else."
    note = (
        "Its numbers are then added to the do-not-send list, and to no group; the counts come back to the channel. "
        "xlsx, xlsm, xls, ods, csv, tsv or txt, up to 30 MB."
    )
    return Say(text, [blocks.section(text), blocks.context(note)])


def export_form(total: int) -> View:
    """The kind of file."""
    kinds = [blocks.option("Excel (xlsx)", "xlsx"), blocks.option("Text (csv)", "csv")]
    text = f"{counted(total, 'number')} on the do-not-send list, each with when and how it got there."
    field = blocks.field("kind", "File", {"type": "radio_buttons", "options": kinds, "initial_option": kinds[0]})
    note = blocks.context("It comes as a direct message to you alone, because it holds full numbers.")
    return blocks.form(EXPORT_FORM, "Export opt-outs", "Send it to me", [blocks.section(text), field, note])


def imported(ended: Import) -> tuple[str, list[Block]]:
    """What an import into the list did; every row is in exactly one count."""
    parts = [f"*{counted(ended.imported, 'number')} added to the do-not-send list*"]
    if ended.already_in_group:
        parts.append(f"{number(ended.already_in_group)} already there")
    if ended.by_country_code:
        parts.append(f"{number(ended.by_country_code)} of these read as country code + number")
    left_out = []
    if ended.duplicates:
        left_out.append(counted(ended.duplicates, "duplicate"))
    if ended.invalid or ended.set_aside:
        left_out.append(f"{number(ended.invalid + ended.set_aside)} invalid")
    if left_out:
        parts.append(f"{listed(left_out)} left out")
    line_ = " · ".join(parts)
    notes = [f"{bold(ended.file.name)}, imported by {person(ended.uploaded_by)}"]
    if ended.took:
        notes.append(f"in {duration(ended.took)}")
    if ended.hidden_rows:
        notes.append(f"{counted(ended.hidden_rows, 'hidden row')} left out")
    notes += numberless(ended)
    if ended.rejects:
        notes.append("rows that were left out are listed in the file's thread")
    notes.append("promotional SMS no longer reach these numbers")
    return line_.replace("*", ""), [blocks.section(line_), blocks.context(" · ".join(notes))]


def reply(heard: Reply) -> tuple[str, list[Block]]:
    """What somebody answered, for a thread."""
    head = f"Reply from {mask(heard.number)}"
    text = blocks.cut(heard.text.strip(), _REPLY_SHOWN)
    if not text:
        return f"{head}, without a text", [blocks.section(f"{head}, without a text")]
    return f"{head}: {escape(text)}", [blocks.section(head), blocks.verbatim(text)]
