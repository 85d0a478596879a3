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


def cancel(request: Command, service: Tasks) -> Reply:
    """`/sms-cancel 42`."""
    return _cancel(request, service, number_typed(request.text))


def cancel_button(request: Click, service: Tasks) -> Reply:
    """**Cancel** in the list and the details."""
    return _cancel(request, service, int(request.value))


def stop(request: Command, service: Tasks) -> Reply:
    """`/sms-stop 42`."""
    return _stop(request, service, number_typed(request.text))


def stop_button(request: Click, service: Tasks) -> Reply:
    """**Stop** on a task's post or in the list, **Don't send** on a late one."""
    return _stop(request, service, int(request.value))


def pause(request: Command, service: Tasks) -> Reply:
    """`/sms-pause 42`."""
    return _pause(request, service, number_typed(request.text))


def pause_button(request: Click, service: Tasks) -> Reply:
    """**Pause** on a task's post or in the list."""
    return _pause(request, service, int(request.value))


def resume(request: Command, service: Tasks) -> Reply:
    """`/sms-resume 42`."""
    return _resume(request, service, number_typed(request.text))


def resume_button(request: Click, service: Tasks) -> Reply:
    """**Go on** on a paused task, **Send now** on one that is late."""
    return _resume(request, service, int(request.value))


def delete(request: Command, service: Tasks) -> Reply:
    """`/sms-delete 42`."""
    return _delete(request, service, number_typed(request.text))


def delete_button(request: Click, service: Tasks) -> Reply:
    """**Delete** in the list and the details."""
    return _delete(request, service, int(request.value))


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


def _cancel(request: Command | Click, service: Tasks, number: int) -> Reply:
    return Say(views.cancelled(service.send_tasks.cancel(request.workspace, number, request.person)))


def _stop(request: Command | Click, service: Tasks, number: int) -> Reply:
    return Say(views.stopped(service.send_tasks.stop(request.workspace, number, request.person)))


def _pause(request: Command | Click, service: Tasks, number: int) -> Reply:
    return Say(views.was_paused(service.send_tasks.pause(request.workspace, number, request.person)))


def _resume(request: Command | Click, service: Tasks, number: int) -> Reply:
    return Say(views.resumed(service.send_tasks.resume(request.workspace, number, request.person)))


def _delete(request: Command | Click, service: Tasks, number: int) -> Reply:
    return Say(views.deleted(service.changes.delete(request.workspace, number, request.person)))


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
