"""The list of send tasks, a page at a time."""

from __future__ import annotations

from handlers.replies import Block, Say
from handlers.views import blocks, task_buttons
from handlers.views.tasks import at, what
from handlers.views.words import code, counted, moment, number, person
from services.states import TaskState
from services.task_lists import TaskPage
from services.task_reports import Task

NEWER = "task_list_newer"
OLDER = "task_list_older"
REFRESH = "task_list_refresh"


def task_list(page: TaskPage, filters: str, newer: str, older: str, again: str) -> Say:
    """Some tasks, each with what can be done about it. `filters` is how they were asked for, empty for all; the three
    values behind it are what the buttons carry.
    """
    title = f"Send tasks for {code(filters)}" if filters else "Send tasks, newest first"
    turning = []
    if page.has_newer:
        turning.append(blocks.button(NEWER, "Newer", newer))
    if page.has_older:
        turning.append(blocks.button(OLDER, "Older", older))
    refresh = blocks.button(REFRESH, "Refresh", again)
    if not page.tasks:
        text = f"No send task is like {code(filters)}. `/sms-tasks` alone lists them all." if filters else _NONE
        return Say(text.replace("`", ""), [blocks.section(text), blocks.actions(*turning, refresh)])
    rows = [block for task in page.tasks for block in _row(task)]
    head = blocks.section(title if filters else f"*{title}*")
    return Say(title.replace("`", ""), [head, *rows, blocks.actions(*turning, refresh)])


_NONE = "No send tasks yet. Start one with `/sms-send`."


def _row(task: Task) -> list[Block]:
    state = "deleted" if task.is_deleted else task.state.value
    test = " · test" if task.is_test else ""
    parts = [f"*{task.number}* · {what(task)} · *{state}*{test}"]
    if task.state is TaskState.SCHEDULED or (task.state is TaskState.PAUSED and task.started_at is None):
        parts.append(f"{counted(task.recipients, 'customer')}, {at(task)}")
    elif task.handed_over or task.skipped:
        parts.append(counts(task))
    else:
        parts.append(f"{counted(task.recipients, 'customer')}, none sent to")
    parts.append(f"{person(task.confirmed_by)}, {moment(task.confirmed_at)}")
    return [blocks.section("\n".join(parts)), blocks.actions(*task_buttons.for_list(task))]


def counts(task: Task) -> str:
    """What became of its messages, in one line."""
    return (
        f"{number(task.delivered)} delivered, {number(task.not_delivered)} failed, {number(task.unknown)} unknown"
        + (f", {number(task.waiting)} to go" if task.waiting else "")
        + (f", {number(task.held_back)} held back" if task.held_back else "")
        + (f", {number(task.skipped)} skipped" if task.skipped else "")
    )
