"""`/sms-tasks`, `/sms-cancel`, `/sms-stop` and the buttons on a task's posts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handlers import arguments
from handlers.replies import Nothing, Reply, Say, SendFile
from handlers.requests import Click, Command
from handlers.views import tasks as views
from handlers.views.words import counted
from services.errors import UnknownThing
from services.numbers import format_e164
from services.send_tasks import SendTasks
from services.spreadsheets.writer import write_table
from services.states import TaskState
from services.task_reports import TaskReports

_STATUSES = [state.value for state in TaskState if state is not TaskState.DRAFT]


@dataclass(frozen=True, slots=True)
class Tasks:
    """The services this file needs."""

    send_tasks: SendTasks
    reports: TaskReports


def list_tasks(request: Command, service: Tasks) -> Reply:
    """The newest tasks, of one status where asked."""
    status = arguments.parse(request.text, ("status",)).one("status")
    if status is not None and status.lower() not in _STATUSES:
        raise UnknownThing("status", status, _STATUSES)
    state = None if status is None else TaskState(status.lower())
    return views.task_list(service.reports.list(request.workspace, state), state)


def cancel(request: Command, service: Tasks) -> Reply:
    """`/sms-cancel 42`."""
    task = service.send_tasks.cancel(request.workspace, _number(request), request.person)
    return Say(views.cancelled(task))


def cancel_button(request: Click, service: Tasks) -> Reply:
    """**Cancel** in the list."""
    return Say(views.cancelled(service.send_tasks.cancel(request.workspace, int(request.value), request.person)))


def stop(request: Command, service: Tasks) -> Reply:
    """`/sms-stop 42`."""
    return Say(views.stopped(service.send_tasks.stop(request.workspace, _number(request), request.person)))


def stop_button(request: Click, service: Tasks) -> Reply:
    """**Stop** on a task's post or in the list, **Don't send** on a late one."""
    return Say(views.stopped(service.send_tasks.stop(request.workspace, int(request.value), request.person)))


def send_late(request: Click, service: Tasks) -> Reply:
    """**Send now** on a task that is late."""
    service.send_tasks.send_late(request.workspace, int(request.value), request.person)
    return Nothing()


def failed_numbers(request: Click, service: Tasks) -> Reply:
    """**Failed numbers (xlsx)**: by direct message, because the file holds full numbers."""
    task = service.reports.get(request.workspace, int(request.value))

    def write(path: Path) -> None:
        rows = (
            (format_e164(each.number), each.state, each.code, each.sms_id or "", f"{each.at:%Y-%m-%d %H:%M:%S}")
            for each in service.reports.failed_numbers(request.workspace, task.id)
        )
        write_table(path, f"Task {task.number}", ["Number", "Result", "Carrier code", "SMS ID", "Time (UTC)"], rows)

    numbers, are = counted(task.not_delivered, "failed number"), "is" if task.not_delivered == 1 else "are"
    return SendFile(
        name=f"task-{task.number}-failed-numbers.xlsx",
        comment=f"The {numbers} of task {task.number}.",
        say=f"The {numbers} of task {task.number} {are} in our direct messages.",
        write=write,
    )


def _number(request: Command) -> int:
    """The task's number as typed: 42, #42. Raises UnknownThing."""
    words = arguments.parse(request.text, (), words=True).words
    typed = " ".join(words)
    digits = typed.lstrip("#＃")
    if not digits.isdecimal() or len(digits) > 9:
        raise UnknownThing("task", typed)
    return int(digits)
