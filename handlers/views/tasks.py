"""What people see of a send task: its post in the channel, its result, the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from handlers.replies import Block, Say
from handlers.views import blocks
from handlers.views.words import bar, bold, counted, duration, escape, moment, number, person, recipients_of, share
from services.send_tasks import Stopped
from services.states import RECEIPT_WINDOW, PauseReason, TaskState
from services.task_reports import Task

FAILED_NUMBERS = "task_failed_numbers"
CANCEL = "task_cancel"
STOP = "task_stop"
SEND_LATE = "task_send_late"

# A message holds 50 blocks; the head takes one.
_SHOWN = 49
_RESTORED = (
    "My database was restored from an older copy. What was not sent in it may have been sent since, so it counts as "
    "unknown and is not sent again by itself."
)
_TROUBLES = {
    "connection_refused": "The carrier refuses the connection.",
    "lease_too_short": "This machine is too busy.",
}


def post(task: Task) -> tuple[str, list[Block]]:
    """The one message in the channel that says how a task goes, edited through its life."""
    head = f"{_who_did_what(task)} {_what(task)} (task {task.number})"
    body = [blocks.section(f"{head}\n{_how_it_goes(task)}")]
    if task.state is TaskState.SENDING:
        body.append(blocks.actions(_stop_button(task)))
    elif task.state is TaskState.FINISHED and task.pause_reason is PauseReason.RESTORED:
        body.append(blocks.context(_RESTORED))
    return head, body


def _how_it_goes(task: Task) -> str:
    customers, by = counted(task.recipients, "customer"), person(task.ended_by or task.confirmed_by)
    match task.state:
        case TaskState.SENDING:
            line = f"{bar(task.handed_over / task.recipients)}  {number(task.handed_over)} of {customers} handed over"
            if task.trouble is None:
                return line
            return f"{line}\n:hourglass: {trouble(task.trouble)} It goes on by itself, and nothing is sent twice."
        case TaskState.SCHEDULED:
            return f"{customers}, {_at(task)}. Until 5 minutes before, `/sms-cancel {task.number}` takes it back."
        case TaskState.PAUSED:
            due = "Its time is" if task.pause_reason is PauseReason.RESTORED else "It was due"
            return f"{customers}. {due} {_at(task)} and it waits for a decision."
        case TaskState.CANCELLED:
            return f"Cancelled by {by} before it began. Nothing was sent, and you are not charged."
        case TaskState.EXPIRED:
            return f"It was due {_at(task)} and could not be sent within 24 hours. Nothing was sent."
        case TaskState.STOPPED:
            in_flight = f"{number(task.waiting)} in a request right now, " if task.waiting else ""
            handed, held = number(task.handed_over), number(task.held_back)
            return f"Stopped by {by}: {handed} handed over, {in_flight}{held} held back."
        case _:
            took = f" in {duration(max(task.took, timedelta(0)))}" if task.took is not None else ""
            handed = counted(task.handed_over, "customer")
            return f"{handed} handed over to the carrier{took}. The result is a post of its own."


def result(task: Task) -> tuple[str, list[Block]]:
    """Delivered, failed, unknown; each with a count and a share of what was handed over."""
    whole = task.handed_over
    head = f"*Result of task {task.number}:* {_what(task)}"
    pairs = [
        ("Delivered", f"{number(task.delivered)} · {share(task.delivered, whole)}"),
        ("Failed", f"{number(task.not_delivered)} · {share(task.not_delivered, whole)}"),
        ("Unknown", f"{number(task.unknown)} · {share(task.unknown, whole)}"),
    ]
    if task.held_back:
        pairs.append(("Held back", number(task.held_back)))
    if task.took is not None:
        pairs.append(("Took", duration(task.took)))
    body = [blocks.section(head), blocks.fields(pairs)]
    if task.pause_reason is PauseReason.RESTORED:
        body.append(blocks.context(_RESTORED))
    if task.unknown and task.finished_at is not None:
        until = moment(task.finished_at + RECEIPT_WINDOW)
        body.append(
            blocks.context(
                "Unknown: the carrier has not said yet whether these arrived. "
                f"This post is brought up to date as it does, until {until}."
            )
        )
    if task.not_delivered:
        body.append(blocks.actions(blocks.button(FAILED_NUMBERS, "Failed numbers (xlsx)", str(task.number))))
    text = (
        f"Result of task {task.number}: {number(task.delivered)} delivered, {number(task.not_delivered)} failed, "
        f"{number(task.unknown)} unknown"
    )
    return text, body


def late(task: Task) -> tuple[str, list[Block]]:
    """The question after downtime; without buttons once it is answered."""
    if task.pause_reason is PauseReason.RESTORED:
        return _restored(task)
    text = f"Task {task.number} was due {_at(task)} and is late: {_what(task)}"
    if task.state is TaskState.PAUSED:
        customers = counted(task.recipients, "customer")
        send = blocks.button(SEND_LATE, f"Send to {customers} now", str(task.number), style="primary")
        stop = blocks.button(STOP, "Don't send", str(task.number))
        question = "I was not running at that time. Send it all the same?"
        return text, [blocks.section(f"{text}\n{question}"), blocks.actions(send, stop)]
    answer = {
        TaskState.STOPPED: f"{person(task.ended_by or '')} decided not to send it.",
        TaskState.EXPIRED: "Nobody decided within 24 hours, so it was not sent.",
    }.get(task.state, f"{person(task.confirmed_by)} decided to send it.")
    return text, [blocks.section(f"{text}\n{answer}")]


def _restored(task: Task) -> tuple[str, list[Block]]:
    """The question after a restore, about a task that cannot have been sent."""
    customers = counted(task.recipients, "customer")
    text = f"Task {task.number} is in the older copy that my database was restored from: {_what(task)}, {_at(task)}"
    if task.state is not TaskState.PAUSED:
        return text, [blocks.section(f"{text}\nIt is {task.state.value}.")]
    question = f"Is it still to go to {customers}? If it was cancelled since, don't send it."
    send = blocks.button(SEND_LATE, f"Send to {customers}", str(task.number), style="primary")
    stop = blocks.button(STOP, "Don't send", str(task.number))
    return text, [blocks.section(f"{text}\n{question}"), blocks.actions(send, stop)]


def task_list(tasks: Sequence[Task], state: TaskState | None) -> Say:
    """The newest tasks, each with what can be done about it."""
    if not tasks:
        what = f"No task is {state.value}." if state else "No send tasks yet."
        return Say(f"{what} Start one with /sms-send.", [blocks.section(f"{what} Start one with `/sms-send`.")])
    title = f"Send tasks that are {state.value}" if state else "Send tasks, newest first"
    shown = blocks.fitting([_row(task) for task in tasks], _SHOWN)
    return Say(title, [blocks.section(f"*{title}*"), *shown])


def cancelled(task: Task) -> str:
    """The answer to `/sms-cancel`."""
    return (
        f"Task {task.number} is cancelled. None of its {counted(task.recipients, 'message')} was sent, "
        "and you are not charged."
    )


def stopped(ended: Stopped) -> str:
    """The answer to `/sms-stop`, with exact counts."""
    in_flight = (
        f", {number(ended.in_flight)} are in a request right now and will show in the result" if ended.in_flight else ""
    )
    return (
        f"Task {ended.task.number} is stopped: {number(ended.handed_over)} were handed to the carrier, "
        f"{number(ended.held_back)} are held back{in_flight}."
    )


def trouble(code: str) -> str:
    """What holds a task up, in words."""
    return _TROUBLES.get(code, f"The carrier asks to slow down or cannot be reached ({escape(code)}).")


def _row(task: Task) -> Block:
    parts = [f"*{task.number}* · {_what(task)} · *{task.state.value}*"]
    if task.state in (TaskState.SCHEDULED, TaskState.PAUSED):
        parts.append(f"{counted(task.recipients, 'customer')}, {_at(task)}")
    elif task.handed_over:
        parts.append(
            f"{number(task.delivered)} delivered, {number(task.not_delivered)} failed, {number(task.unknown)} unknown"
            + (f", {number(task.waiting)} to go" if task.waiting else "")
            + (f", {number(task.held_back)} held back" if task.held_back else "")
        )
    else:
        parts.append(counted(task.recipients, "customer"))
    parts.append(f"{person(task.confirmed_by)}, {moment(task.confirmed_at)}")
    button = {TaskState.SCHEDULED: _cancel_button, TaskState.SENDING: _stop_button}.get(task.state)
    return blocks.section("\n".join(parts), accessory=button(task) if button else None)


def _cancel_button(task: Task) -> dict[str, object]:
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


def _stop_button(task: Task) -> dict[str, object]:
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


def _who_did_what(task: Task) -> str:
    did = {
        TaskState.SENDING: "is sending",
        TaskState.FINISHED: "sent",
        TaskState.STOPPED: "began to send",
    }.get(task.state, "scheduled")
    return f"{person(task.confirmed_by)} {did}"


def _what(task: Task) -> str:
    name = f"{bold(task.name)}, " if task.name else ""
    if task.is_test:
        return f"a *test* of {name}{bold(task.template)}"
    return f"{name}{bold(task.template)} to {recipients_of(task.source, task.groups, task.excluded, task.file)}"


def _at(task: Task) -> str:
    return moment(task.scheduled_at) if task.scheduled_at else "at once"
