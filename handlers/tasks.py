"""What is done with a send task while it waits and while it runs: cancel, stop, pause, resume, delete; its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handlers import arguments
from handlers.replies import OpenForm, Reply, Say, SendFile
from handlers.requests import Click, Command, Submission
from handlers.views import task_details
from handlers.views import tasks as views
from services.errors import UnknownThing
from services.send_tasks import SendTasks
from services.task_changes import TaskChanges
from services.task_files import FileKind, TaskFiles, Which
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import TaskReports


@dataclass(frozen=True, slots=True)
class Tasks:
    """The services that everything about send tasks needs."""

    send_tasks: SendTasks
    reports: TaskReports
    changes: TaskChanges
    lists: TaskLists
    messages: TaskMessages
    files: TaskFiles


def cancel(request: Command | Click, service: Tasks) -> Reply:
    """`/sms-cancel 42`, or **Cancel** in the list and the details."""
    return Say(views.cancelled(service.send_tasks.cancel(request.workspace, _task_meant(request), request.person)))


def stop(request: Command | Click, service: Tasks) -> Reply:
    """`/sms-stop 42`, **Stop** on a task's post or in the list, or **Don't send** on a late one."""
    return Say(views.stopped(service.send_tasks.stop(request.workspace, _task_meant(request), request.person)))


def pause(request: Command | Click, service: Tasks) -> Reply:
    """`/sms-pause 42`, or **Pause** on a task's post or in the list."""
    return Say(views.was_paused(service.send_tasks.pause(request.workspace, _task_meant(request), request.person)))


def resume(request: Command | Click, service: Tasks) -> Reply:
    """`/sms-resume 42`, **Go on** on a paused task, or **Send now** on one that is late."""
    return Say(views.resumed(service.send_tasks.resume(request.workspace, _task_meant(request), request.person)))


def delete(request: Command | Click, service: Tasks) -> Reply:
    """`/sms-delete 42`, or **Delete** in the list and the details."""
    return Say(views.deleted(service.changes.delete(request.workspace, _task_meant(request), request.person)))


def failed_numbers(request: Click, service: Tasks) -> Reply:
    """**Failed numbers (xlsx)** on a result."""
    return _file(request, service, int(request.value), Which.FAILED, FileKind.XLSX)


def files_form(request: Click, service: Tasks) -> Reply:
    """**Files…**: which messages, and the kind of file."""
    task = service.reports.get_with_numbers(request.workspace, int(request.value))
    return OpenForm(task_details.files_form(task), context=request.value)


def submit_files(request: Submission, service: Tasks) -> Reply:
    """The file, by direct message because it holds full numbers."""
    which, kind = Which(request.values["which"]), FileKind(request.values["kind"])
    return _file(request, service, int(request.context), which, kind)


def number_typed(typed: str) -> int:
    """The task's number as typed: 42, #42. Raises UnknownThing or BadArguments."""
    return number_of(" ".join(arguments.parse(typed, (), words=True).words))


def number_of(word: str) -> int:
    """The same, of the words that were found. Raises UnknownThing."""
    digits = word.lstrip("#＃")
    if not digits.isdecimal() or len(digits) > 9:
        raise UnknownThing("task", word)
    return int(digits)


def _task_meant(request: Command | Click) -> int:
    return number_typed(request.text) if isinstance(request, Command) else int(request.value)


def _file(request: Click | Submission, service: Tasks, number: int, which: Which, kind: FileKind) -> Reply:
    task = service.reports.get_with_numbers(request.workspace, number)

    def write(path: Path) -> None:
        service.files.write(task, which, kind, path)

    count, numbers = task_details.file_holds(task, which)
    name = {Which.FAILED: "failed-numbers", Which.UNKNOWN: "unknown-numbers", Which.ALL: "numbers"}[which]
    return SendFile(
        name=f"task-{task.number}-{name}.{kind.value}",
        comment=f"The {numbers} of task {task.number}.",
        say=f"The {numbers} of task {task.number} {'is' if count == 1 else 'are'} in our direct messages.",
        write=write,
    )
