"""The buttons of a send task, wherever it is shown: what can be done with it in its state."""

from __future__ import annotations

from typing import Any

from handlers.views import blocks
from handlers.views.words import counted
from services.states import TaskState
from services.task_reports import Task

DETAILS = "task_details"
CANCEL = "task_cancel"
STOP = "task_stop"
PAUSE = "task_pause"
RESUME = "task_resume"
EDIT = "task_edit"
COPY = "task_copy"
DELETE = "task_delete"
FAILED_NUMBERS = "task_failed_numbers"
FILES = "task_files"
RESEND_FAILED = "task_resend_failed"
RESEND_UNKNOWN = "task_resend_unknown"

Button = dict[str, Any]


def for_list(task: Task) -> list[Button]:
    """Beside a task in the list: its details, and what is most urgent."""
    urgent = {
        TaskState.SCHEDULED: [edit, cancel],
        TaskState.SENDING: [pause, stop],
        TaskState.PAUSED: [resume, stop],
    }.get(task.state, [] if task.is_deleted else [delete])
    return [details(task), *(button(task) for button in urgent)]


def for_details(task: Task) -> list[Button]:
    """All that can be done with it."""
    by_state = {
        TaskState.SCHEDULED: [edit, cancel, stop],
        TaskState.SENDING: [pause, stop],
        TaskState.PAUSED: [resume, stop],
    }.get(task.state, [] if task.is_deleted else [delete])
    return [*(button(task) for button in by_state), copy(task), files(task), *resends(task)]


def resends(task: Task) -> list[Button]:
    """What did not arrive, or is not known to have, once nothing more is handed over."""
    if not task.state.is_over or task.waiting:
        return []
    key = str(task.number)
    buttons = []
    if task.not_delivered:
        buttons.append(blocks.button(RESEND_FAILED, "Resend to failed", key))
    if task.unknown:
        buttons.append(blocks.button(RESEND_UNKNOWN, "Resend to unknown…", key))
    return buttons


def details(task: Task) -> Button:
    """Its counts and messages."""
    return blocks.button(DETAILS, "Details", str(task.number))


def edit(task: Task) -> Button:
    """Another time, template or name."""
    return blocks.button(EDIT, "Edit…", str(task.number))


def copy(task: Task) -> Button:
    """The same again, as a preview."""
    return blocks.button(COPY, "Copy", str(task.number))


def files(task: Task) -> Button:
    """The messages as a file."""
    return blocks.button(FILES, "Files…", str(task.number))


def pause(task: Task) -> Button:
    """Until somebody resumes it."""
    return blocks.button(PAUSE, "Pause", str(task.number))


def resume(task: Task, text: str = "Go on") -> Button:
    """After a pause of any kind."""
    return blocks.button(RESUME, text, str(task.number), style="primary")


def cancel(task: Task) -> Button:
    """Free, until 5 minutes before its time."""
    return blocks.button(
        CANCEL,
        "Cancel",
        str(task.number),
        confirm=blocks.confirmation(
            f"Cancel task {task.number}?",
            f"None of its {counted(task.recipients, 'message')} will be sent. This cannot be taken back.",
            "Cancel the task",
            "Keep it",
        ),
    )


def stop(task: Task) -> Button:
    """At any second."""
    return blocks.button(
        STOP,
        "Stop",
        str(task.number),
        style="danger",
        confirm=blocks.confirmation(
            f"Stop task {task.number}?",
            "What the carrier already has cannot be taken back; everything else is held back. "
            "A stopped task cannot be taken up again.",
            "Stop sending",
            "Go on sending",
            style="danger",
        ),
    )


def delete(task: Task) -> Button:
    """Off the list."""
    return blocks.button(
        DELETE,
        "Delete",
        str(task.number),
        confirm=blocks.confirmation(
            f"Delete task {task.number}?",
            "It goes off the list for everybody. Its counts stay: /sms-tasks status:deleted shows them.",
            "Delete it",
            "Keep it",
        ),
    )
