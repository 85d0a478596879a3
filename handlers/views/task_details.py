"""One send task: its counts, times and people, and its messages a page at a time. Numbers are masked."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Block, Say, View
from handlers.views import blocks, task_buttons
from handlers.views.tasks import at, short, what
from handlers.views.words import bold, code, counted, duration, escape, moment, number, person
from services.carriers.words import describe
from services.numbers import mask
from services.pool import Fate
from services.states import Source
from services.task_files import Which
from services.task_messages import MessagePage, Segment, TaskMessage
from services.task_reports import Task

BEFORE = "task_messages_before"
AFTER = "task_messages_after"
REFRESH = "task_messages_refresh"
FIND = "task_find"
FIND_FORM = "task_find_form"

_FATES = {
    Fate.WAITING: "waiting",
    Fate.HANDING_OVER: "being handed over right now",
    Fate.HELD_BACK: "held back, not sent",
    Fate.SKIPPED: "not sent: had opted out",
    Fate.ACCEPTED: "unknown: accepted, no receipt yet",
    Fate.UNKNOWN: "unknown: no answer from the carrier",
    Fate.DELIVERED: "delivered",
    Fate.FAILED: "failed",
    Fate.REFUSED: "refused",
}
_SEGMENTS_SHOWN = 10


def details(task: Task, page: MessagePage, search: str, before: str, after: str, again: str) -> Say:
    """The whole of it. `search` is what the messages were searched for; the three values behind it are what the
    buttons carry.
    """
    head = f"Task {task.number}: {what(task)} · {_state(task)}"
    buttons = task_buttons.for_details(task)
    body: list[Block] = [
        blocks.section(f"*Task {task.number}* · {what(task)} · *{_state(task)}*"),
        blocks.fields(_counts(task)),
        blocks.context(" · ".join(_history(task))),
        *_source(task),
        blocks.verbatim(task.text),
        blocks.actions(*buttons),
    ]
    turning = []
    if page.has_before:
        turning.append(blocks.button(BEFORE, "Previous", before))
    if page.has_after:
        turning.append(blocks.button(AFTER, "Next", after))
    turning.append(blocks.button(REFRESH, "Refresh", again))
    turning.append(blocks.button(FIND, "Find a number…", str(task.number)))
    body += [*_messages(task, page, search), blocks.actions(*turning)]
    return Say(head, body)


def _state(task: Task) -> str:
    test = ", a test" if task.is_test else ""
    return f"{task.state.value}{test}{', off the list' if task.is_deleted else ''}"


def _counts(task: Task) -> list[tuple[str, str]]:
    pairs = [
        ("Recipients", number(task.recipients)),
        ("Handed over", number(task.handed_over)),
        ("Delivered", number(task.delivered)),
        ("Failed", f"{number(task.not_delivered)} ({number(task.refused)} of them refused)"),
        ("Unknown", number(task.unknown)),
        ("Waiting", number(task.waiting)),
        ("Held back", number(task.held_back)),
        ("Segments", f"{number(task.segments_each)} each · {number(task.segments)} in total"),
    ]
    if task.skipped:
        pairs.append(("Skipped, had opted out", number(task.skipped)))
    if task.took is not None:
        pairs.append(("Took", duration(task.took)))
    return pairs


def _history(task: Task) -> list[str]:
    """Who did what, and when."""
    lines = []
    if task.created_by and task.created_by != task.confirmed_by:
        lines.append(f"Made by {person(task.created_by)}")
    lines.append(f"Confirmed by {person(task.confirmed_by)}, {moment(task.confirmed_at)}")
    if task.scheduled_at:
        lines.append(f"For {at(task)}")
    if task.edited_by:
        lines.append(f"Changed by {person(task.edited_by)}")
    if task.started_at:
        lines.append(f"Began {moment(task.started_at)}")
    if task.paused_by:
        lines.append(f"Paused by {person(task.paused_by)}")
    if task.resumed_by:
        lines.append(f"Resumed by {person(task.resumed_by)}")
    if task.finished_at:
        lines.append(f"Last request {moment(task.finished_at)}")
    if task.ended_by:
        lines.append(f"{task.state.value.capitalize()} by {person(task.ended_by)}")
    if task.deleted_at and task.deleted_by:
        lines.append(f"Taken off the list by {person(task.deleted_by)}, {moment(task.deleted_at)}")
    return lines


def _source(task: Task) -> list[Block]:
    sender = escape(blocks.cut(task.application, 60))
    if task.signature:
        sender = f"【{escape(blocks.cut(task.signature, 60))}】 through {sender}"
    parts = [f"From {sender}"]
    if task.name:
        parts.append(f"Name {bold(blocks.cut(task.name, 100))}")
    if task.source is Source.RESEND:
        parts.append(f"Sends again the {task.resend_state} of task {task.resend_of}")
    elif task.source is Source.FILE and task.file:
        parts.append(f"File {short(task.file)}")
    return [blocks.context(" · ".join(parts))]


def _messages(task: Task, page: MessagePage, search: str) -> list[Block]:
    if task.forgotten_at is not None:
        gone = f"Its numbers were deleted on {moment(task.forgotten_at)}, as your administrator's settings say."
        return [blocks.section(gone)]
    if not page.messages:
        none = f"No number of this task is {code(search)} or ends so." if search else "It has no messages."
        return [blocks.section(none)]
    first, last = page.messages[0].seq, page.messages[-1].seq
    title = f"*Messages {number(first)} to {number(last)}* of {number(task.recipients)}"
    if search:
        title = f"*Messages* to numbers that are or end in {code(search)}"
    return [blocks.section(title), *(blocks.context(_message(each)) for each in page.messages)]


def _message(each: TaskMessage) -> str:
    # Between asterisks those of the mask would not show.
    parts = [code(mask(each.number)), _FATES[each.fate]]
    if each.code and each.fate in (Fate.FAILED, Fate.REFUSED):
        parts.append(_words(each.carrier, each.code))
    if each.at:
        parts.append(moment(each.at))
    if each.sms_id:
        parts.append(f"SMS ID {code(blocks.cut(each.sms_id, 40))}")
    long = [segment for segment in each.segments if segment.total > 1]
    if long:
        parts.append("its segments: " + ", ".join(_segment(segment) for segment in long[:_SEGMENTS_SHOWN]))
    return " · ".join(parts)


def _segment(segment: Segment) -> str:
    """One segment of a long SMS, all of which have one SMS ID."""
    shown = code(blocks.cut(segment.code, 12))
    return f"{segment.sequence} of {segment.total} {segment.status} {shown}"


def _words(carrier: str, carrier_code: str) -> str:
    words = describe(carrier, carrier_code)
    shown = code(blocks.cut(carrier_code, 30))
    return shown if words == carrier_code else f"{escape(words)} ({shown})"


def find_form(task: Task) -> View:
    """A number, or its last digits."""
    element = {"type": "plain_text_input", "max_length": 40, "placeholder": blocks.plain("13800138000", 150)}
    hint = "A whole number, or its last 4 to 8 digits."
    return blocks.form(FIND_FORM, f"Task {task.number}", "Find", [blocks.field("number", "Number", element, hint=hint)])


FILES_FORM = "task_files_form"


def files_form(task: Task) -> View:
    """Which messages, and the kind of file."""
    which = [
        blocks.option(f"Failed numbers ({number(task.not_delivered)})", "failed"),
        blocks.option(f"Unknown numbers ({number(task.unknown)})", "unknown"),
        blocks.option(f"Everything ({number(task.recipients)})", "all"),
    ]
    kinds = [blocks.option("Excel (xlsx)", "xlsx"), blocks.option("Text (csv)", "csv")]
    text = "In the order of the file that was uploaded, with its other columns, and with what became of each number."
    note = blocks.context("It comes as a direct message to you alone, because it holds full numbers.")
    return blocks.form(
        FILES_FORM,
        f"Files of task {task.number}",
        "Send it to me",
        [blocks.section(text), _radio("which", "Numbers", which), _radio("kind", "File", kinds), note],
    )


def _radio(key: str, label: str, options: Sequence[dict[str, object]]) -> Block:
    return blocks.field(key, label, {"type": "radio_buttons", "options": [*options], "initial_option": options[0]})


def file_holds(task: Task, which: Which) -> tuple[int, str]:
    """How many numbers a file has, and that in words."""
    count, noun = {
        Which.FAILED: (task.not_delivered, "failed number"),
        Which.UNKNOWN: (task.unknown, "unknown number"),
        Which.ALL: (task.recipients, "number"),
    }[which]
    return count, counted(count, noun)
