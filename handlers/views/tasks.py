"""What a channel sees of a send task, and the answers to what was done with it."""

from __future__ import annotations

from datetime import timedelta

from handlers.replies import Block
from handlers.views import blocks, task_buttons
from handlers.views.words import bar, bold, code, counted, duration, escape, moment, named, number, person, share
from services.carriers.words import describe, is_unread
from services.send_tasks import Paused, Stopped
from services.states import PauseReason, Source, TaskState
from services.task_reports import Task

_TROUBLES = {
    "connection_refused": "The carrier refuses the connection.",
    "lease_too_short": "This machine is too busy.",
}
_RESTORED = (
    "My database was restored from an older copy. What was not sent in it may have been sent since, so it counts as "
    "unknown and is not sent again by itself."
)
# In a list or a head; the whole name stands in the details.
_NAME_SHOWN, _GROUPS_SHOWN = 40, 3


def post(task: Task) -> tuple[str, list[Block]]:
    """The one message in the channel that says how a task goes, edited through its life."""
    head = f"{_who_did_what(task)} {what(task)} (task {task.number})"
    body = [blocks.section(f"{head}\n{_how_it_goes(task)}")]
    match task.state:
        case TaskState.SENDING:
            body.append(blocks.actions(task_buttons.pause(task), task_buttons.stop(task)))
        case TaskState.PAUSED if task.pause_reason is PauseReason.PERSON:
            body.append(blocks.actions(task_buttons.resume(task), task_buttons.stop(task)))
        case TaskState.FINISHED if _given_up(task):
            body.append(blocks.context(_RESTORED))
    return head, body


def _how_it_goes(task: Task) -> str:
    customers, by = counted(task.recipients, "customer"), person(task.ended_by or task.confirmed_by)
    match task.state:
        case TaskState.SENDING:
            return _live(task)
        case TaskState.SCHEDULED:
            edited = f" Changed by {person(task.edited_by)}." if task.edited_by else ""
            return (
                f"{customers}, {at(task)}. Until 5 minutes before, `/sms-cancel {task.number}` takes it back.{edited}"
            )
        case TaskState.PAUSED if task.started_at is None:
            due = "Its time is" if task.pause_reason is PauseReason.RESTORED else "It was due"
            return f"{customers}. {due} {at(task)} and it waits for a decision."
        case TaskState.PAUSED:
            return f"{_progress(task)}\n:double_vertical_bar: {_why_paused(task)}"
        case TaskState.CANCELLED:
            return f"Cancelled by {by} before it began. Nothing was sent, and you are not charged."
        case TaskState.EXPIRED:
            return f"It was due {at(task)} and could not be sent within 24 hours. Nothing was sent."
        case TaskState.STOPPED:
            in_flight = f"{number(task.waiting)} in a request right now, " if task.waiting else ""
            handed, held = number(task.handed_over), number(task.held_back)
            return f"Stopped by {by}: {handed} handed over, {in_flight}{held} held back{_skipped(task)}."
        case _:
            took = f" in {duration(max(task.took, timedelta(0)))}" if task.took is not None else ""
            handed = counted(task.handed_over, "customer")
            return f"{handed} handed over to the carrier{took}{_skipped(task)}. The result is a post of its own."


def _given_up(task: Task) -> bool:
    """What it had not sent when the database was restored is unknown; nobody was asked to go on with it."""
    return task.pause_reason is PauseReason.RESTORED and task.resumed_by is None


def _live(task: Task) -> str:
    """How far it is, what has arrived so far, and what holds it up."""
    lines = [_progress(task)]
    if task.delivered or task.not_delivered:
        lines.append(f"So far {number(task.delivered)} delivered, {number(task.not_delivered)} failed")
    if task.trouble is not None:
        lines.append(f":hourglass: {trouble(task.trouble)} It goes on by itself, and nothing is sent twice.")
    return "\n".join(lines)


def _progress(task: Task) -> str:
    done = task.handed_over + task.skipped
    line = f"{bar(done / task.recipients)}  {number(task.handed_over)} of {counted(task.recipients, 'customer')}"
    return f"{line} handed over{_skipped(task)}"


def _skipped(task: Task) -> str:
    return f", {number(task.skipped)} skipped because they had opted out" if task.skipped else ""


def result(task: Task) -> tuple[str, list[Block]]:
    """Delivered, failed, unknown; each with a count and a share of what was handed over."""
    whole = task.handed_over
    test = "test " if task.is_test else ""
    head = f"*Result of {test}task {task.number}:* {what(task)}"
    pairs = [
        ("Delivered", f"{number(task.delivered)} · {share(task.delivered, whole)}"),
        ("Failed", f"{number(task.not_delivered)} · {share(task.not_delivered, whole)}"),
        ("Unknown", f"{number(task.unknown)} · {share(task.unknown, whole)}"),
    ]
    if task.held_back:
        pairs.append(("Held back", number(task.held_back)))
    if task.skipped:
        pairs.append(("Skipped, had opted out", number(task.skipped)))
    if task.took is not None:
        pairs.append(("Took", duration(task.took)))
    body = [blocks.section(head), blocks.fields(pairs)]
    if _given_up(task):
        body.append(blocks.context(_RESTORED))
    if task.unknown and task.receipts_over:
        body.append(
            blocks.context(
                "Unknown: the carrier has not said whether these arrived, and its reports are waited for no more. "
                "This post is not brought up to date any longer."
            )
        )
    elif task.unknown and task.finished_at is not None:
        until = moment(task.finished_at + task.receipt_window)
        body.append(
            blocks.context(
                "Unknown: the carrier has not said yet whether these arrived. "
                f"This post is brought up to date as it does, until {until}."
            )
        )
    elif task.is_settled:
        body.append(blocks.context("This is final: the carrier has said of each message what became of it."))
    body.append(blocks.actions(*_after(task)))
    text = (
        f"Result of {test}task {task.number}: {number(task.delivered)} delivered, {number(task.not_delivered)} failed, "
        f"{number(task.unknown)} unknown"
    )
    return text, body


def _after(task: Task) -> list[task_buttons.Button]:
    key = str(task.number)
    failed = [blocks.button(task_buttons.FAILED_NUMBERS, "Failed numbers (xlsx)", key)] if task.not_delivered else []
    return [*failed, *task_buttons.resends(task), task_buttons.files(task), task_buttons.details(task)]


def late(task: Task) -> tuple[str, list[Block]]:
    """The question after downtime, and what was decided; or that it was too late even to ask."""
    if task.pause_reason is PauseReason.RESTORED:
        return _restored(task)
    if task.pause_reason is PauseReason.UNINSTALLED:
        return _uninstalled(task)
    text = f"Task {task.number}, {what(task)}, was due {at(task)}."
    if task.state is TaskState.PAUSED and task.started_at is None:
        customers = counted(task.recipients, "customer")
        send = task_buttons.resume(task, f"Send to {customers} now")
        stop = blocks.button(task_buttons.STOP, "Don't send", str(task.number))
        question = "I was not running at that time. Send it all the same?"
        return text, [blocks.section(f"{text}\n{question}"), blocks.actions(send, stop)]
    if task.state is TaskState.EXPIRED and task.pause_reason is None:
        answer = (
            "I was not running at that time, and now more than 24 hours have passed: "
            f"it is expired, and none of its {counted(task.recipients, 'message')} was sent."
        )
        return text, [blocks.section(f"{text}\n{answer}")]
    if task.state is TaskState.STOPPED and task.started_at is None:
        answer = f"{person(task.ended_by or '')} decided not to send it."
    elif task.state is TaskState.EXPIRED:
        answer = "Nobody decided within 24 hours, so it is expired and was not sent."
    else:
        answer = f"{person(task.resumed_by or task.confirmed_by)} decided to send it."
    return text, [blocks.section(f"{text}\n{answer}")]


def _uninstalled(task: Task) -> tuple[str, list[Block]]:
    """The question when the workspace has the bot again, about a task that waited or was being sent meanwhile."""
    text = f"Task {task.number}, {what(task)}, is paused: this workspace had removed me."
    if task.state is not TaskState.PAUSED:
        return text, [blocks.section(f"{text}\nIt is {task.state.value}.")]
    left = counted(task.waiting, "customer")
    go_on = task_buttons.resume(task, f"Send to {left} now")
    stop = blocks.button(task_buttons.STOP, "Don't send", str(task.number))
    question = f"It has still to go to {left}. Send it all the same?"
    return text, [blocks.section(f"{text}\n{question}"), blocks.actions(go_on, stop)]


def _restored(task: Task) -> tuple[str, list[Block]]:
    """The question after a restore, about a task that cannot have been sent."""
    customers = counted(task.recipients, "customer")
    text = f"Task {task.number} is in the older copy that my database was restored from: {what(task)}, {at(task)}"
    if task.state is not TaskState.PAUSED:
        return text, [blocks.section(f"{text}\nIt is {task.state.value}.")]
    question = f"Is it still to go to {customers}? If it was cancelled since, don't send it."
    send = task_buttons.resume(task, f"Send to {customers}")
    stop = blocks.button(task_buttons.STOP, "Don't send", str(task.number))
    return text, [blocks.section(f"{text}\n{question}"), blocks.actions(send, stop)]


def paused(task: Task) -> tuple[str, list[Block]]:
    """Why a task has paused itself, and the question whether it goes on; later what was decided."""
    text = f"Task {task.number}, {what(task)}, has paused itself."
    facts = (
        f"{number(task.handed_over)} of {counted(task.recipients, 'message')} handed over, "
        f"{number(task.refused)} of them refused, {number(task.waiting)} to go{_skipped(task)}."
    )
    lines = [f":double_vertical_bar: {text}", _why_paused(task), facts]
    if task.state is TaskState.PAUSED:
        question = "Go on with the rest, or stop?"
        buttons = blocks.actions(task_buttons.resume(task), task_buttons.stop(task))
        return text, [blocks.section("\n".join([*lines, question])), buttons]
    if task.state is TaskState.STOPPED:
        lines.append(f"{person(task.ended_by or '')} stopped it.")
    elif task.resumed_by:
        lines.append(f"{person(task.resumed_by)} decided to go on.")
    return text, [blocks.section("\n".join(lines))]


def _why_paused(task: Task) -> str:
    said = ""
    if task.pause_code:
        words = describe(task.carrier, task.pause_code)
        said = f": {escape(words)} ({code(task.pause_code)})" if words != task.pause_code else f": {code(words)}"
    match task.pause_reason:
        case PauseReason.REFUSALS:
            return f"The carrier refuses too many of its messages{said}."
        case PauseReason.ACCOUNT if task.pause_code and is_unread(task.pause_code):
            return (
                f"An error page came in the place of the carrier's answer{said}, so the messages of that request are "
                "unknown. Are its address and its credentials right?"
            )
        case PauseReason.ACCOUNT:
            return f"The carrier would refuse the rest too{said}."
        case PauseReason.UNINSTALLED:
            return "Paused, because this workspace had removed me."
        case PauseReason.PERSON if task.paused_by:
            return f"Paused by {person(task.paused_by)}."
        case _:
            return "Paused."


def cancelled(task: Task) -> str:
    """The answer to `/sms-cancel`."""
    return (
        f"Task {task.number} is cancelled. None of its {counted(task.recipients, 'message')} was sent, "
        "and you are not charged."
    )


def stopped(ended: Stopped) -> str:
    """The answer to `/sms-stop`, with exact counts."""
    task = ended.task
    return (
        f"Task {task.number} is stopped: {_handed_over(task, ended.handed_over)}, "
        f"{number(ended.held_back)} are held back{_in_flight(ended.in_flight)}."
    )


def was_paused(found: Paused) -> str:
    """The answer to `/sms-pause`, with exact counts."""
    task = found.task
    return (
        f"Task {task.number} is paused: {_handed_over(task, task.handed_over)}, "
        f"{number(task.waiting - found.in_flight)} wait{_in_flight(found.in_flight)}. "
        f"`/sms-resume {task.number}` goes on."
    )


def resumed(task: Task) -> str:
    """The answer to `/sms-resume`, with exact counts."""
    return (
        f"Task {task.number} goes on: {_handed_over(task, task.handed_over)}, {number(task.waiting)} are still to go."
    )


def deleted(task: Task) -> str:
    """The answer to `/sms-delete`."""
    return (
        f"Task {task.number} is off the list. What it sent stays in the history: "
        f"`/sms-tasks status:deleted` lists it, `/sms-task {task.number}` shows it."
    )


def trouble(code: str) -> str:
    """What holds a task up, in words."""
    return _TROUBLES.get(code, f"The carrier asks to slow down or cannot be reached ({escape(code)}).")


def what(task: Task) -> str:
    """Its name, template and recipients, short."""
    name = f"{short(task.name)}, " if task.name else ""
    return f"{name}{short(task.template)} to {_to_whom(task)}"


def _to_whom(task: Task) -> str:
    match task.source:
        case Source.GROUPS:
            return _groups(task)
        case Source.RESEND:
            return f"the {task.resend_state} of task {task.resend_of}"
        case Source.FILE:
            return f"the numbers of {short(task.file or 'a file')}"
        case Source.POOL:
            without = f" without {_names(task.excluded)}" if task.excluded else ""
            return f"the whole pool{without}"
        case Source.TYPED:
            return "typed numbers"


def _groups(task: Task) -> str:
    return _names(task.groups) + (f" without {_names(task.excluded)}" if task.excluded else "")


def _names(names: tuple[str, ...]) -> str:
    return named([blocks.cut(name, _NAME_SHOWN) for name in names], most=_GROUPS_SHOWN)


def short(name: str) -> str:
    """A name in bold that leaves room for others."""
    return bold(blocks.cut(name, _NAME_SHOWN))


def at(task: Task) -> str:
    """When it is due."""
    return moment(task.scheduled_at) if task.scheduled_at else "at once"


def _who_did_what(task: Task) -> str:
    did = {
        TaskState.SENDING: "is sending",
        TaskState.PAUSED: "began to send" if task.started_at else "scheduled",
        TaskState.FINISHED: "sent",
        TaskState.STOPPED: "began to send" if task.started_at else "scheduled",
    }.get(task.state, "scheduled")
    return f"{person(task.confirmed_by)} {did}{' a test of' if task.is_test else ''}"


def _handed_over(task: Task, count: int) -> str:
    unknown = f" ({number(task.unknown)} of them unknown so far)" if task.unknown else ""
    return f"{number(count)} were handed to the carrier{unknown}{_skipped(task)}"


def _in_flight(count: int) -> str:
    return f", {number(count)} are in a request right now and will show in the result" if count else ""
