"""The form that edits a scheduled task, and the questions before a resend."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from handlers.replies import Replace, Say, View
from handlers.times import describe_time
from handlers.views import blocks
from handlers.views.send import already_resent
from handlers.views.words import counted, number
from services.content import Template
from services.task_changes import NAME_LIMIT
from services.task_messages import UnknownCounts
from services.task_reports import Task

EDIT_FORM = "task_edit_form"
RESEND_ANYWAY = "task_resend_anyway"
LEAVE = "task_leave"


def edit_form(task: Task, templates: Sequence[Template], shown_time: str) -> View:
    """Time, template and name; `templates` are those that can stand in, `shown_time` the time as it is typed."""
    options = [blocks.option(blocks.cut(each.name, 60), str(each.id)) for each in templates]
    template = blocks.menu("template", "Choose a template", options)
    if templates and templates[0].id == task.template_id:
        template["initial_option"] = options[0]
    name = {"type": "plain_text_input", "max_length": NAME_LIMIT}
    if task.name:
        name["initial_value"] = blocks.cut(task.name, NAME_LIMIT)
    hint = "The recipients stay as they were confirmed. Templates are those of the same type and application."
    fields = [
        blocks.field(
            "at",
            "When",
            {"type": "plain_text_input", "initial_value": shown_time},
            hint="A time such as tomorrow 10:00 or 2026-12-24 09:30, at most one month ahead.",
        ),
        blocks.field("name", "Name", name, optional=True),
    ]
    if options:
        fields.insert(1, blocks.field("template", "Template", template, hint=hint))
    return blocks.form(EDIT_FORM, f"Edit task {task.number}", "Save", fields)


def edited(task: Task, zone: ZoneInfo) -> Say:
    """How it is now."""
    assert task.scheduled_at is not None
    when = describe_time(task.scheduled_at, zone)
    text = f"Task {task.number} is changed: {when}, to {counted(task.recipients, 'customer')}. This is its text now:"
    return Say(text, [blocks.section(text), blocks.verbatim(task.text)])


def ask_unknown(task: Task, found: UnknownCounts, resent_in: Sequence[int]) -> Say:
    """How many had no answer and how many no receipt, what sending again risks, and the button for a preview."""
    parts = []
    if found.unanswered:
        parts.append(
            f"• {counted(found.unanswered, 'message')} had *no answer* from the carrier: "
            "some may have been sent, some may not."
        )
    if found.unreported:
        parts.append(
            f"• {counted(found.unreported, 'message')} {'was' if found.unreported == 1 else 'were'} *accepted without "
            "a receipt*: most such messages arrive, and the receipt was lost or is late."
        )
    text = f"{counted(task.unknown, 'message')} of task {task.number} are unknown."
    risk = "Whoever has got the SMS already gets it a second time, and you are charged for both."
    lines = [text, *parts, f":warning: {risk}"]
    if resent_in:
        lines.append(already_resent(resent_in))
    button = blocks.button(
        RESEND_ANYWAY, f"Preview a resend to {number(task.unknown)}", str(task.number), style="danger"
    )
    leave = blocks.button(LEAVE, "Leave them", "leave")
    return Say(f"{text} {risk}", [blocks.section("\n".join(lines)), blocks.actions(button, leave)])


def left() -> Replace:
    """Nothing was wanted after all."""
    return Replace("Nothing was sent.")
