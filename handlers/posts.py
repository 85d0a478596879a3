"""What the bot posts in a channel by itself, and keeps up to date there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handlers.content import Contents
from handlers.errors import explain_failure
from handlers.imports import Importing, write_reject_file
from handlers.replies import Block
from handlers.tasks import Tasks
from handlers.views import content as content_views
from handlers.views import imports as import_views
from handlers.views import opt_outs as opt_out_views
from handlers.views import tasks as task_views
from handlers.views.words import counted, escape
from services.errors import UnknownThing
from services.groups import Group
from services.imports import NO_VALID_NUMBER, Import, Progress, Purpose
from services.posts import Post, PostKind
from services.replies import Replies
from services.states import ApprovalStatus, ImportState, PauseReason, TaskState
from services.task_reports import Task


@dataclass(frozen=True, slots=True)
class Message:
    """A channel message. `is_last` when it will never change again; `version` is what it shows."""

    text: str
    blocks: list[Block]
    version: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ThreadFile:
    """A file for the thread under `thread_ts`."""

    name: str
    comment: str
    thread_ts: str
    write: Callable[[Path], None]


def compose(post: Post, importing: Importing, tasks: Tasks, progress: Progress | None = None) -> Message | ThreadFile:
    """What the post should show now. `progress` is that of an import under way."""
    if post.kind in (PostKind.IMPORT, PostKind.REJECTS):
        current = importing.imports.get(post.workspace_id, post.subject_id)
        if post.kind is PostKind.REJECTS:
            return _reject_file(importing, current)
        return _import(importing, current, progress, post.version)
    task = tasks.reports.by_id(post.workspace_id, post.subject_id)
    match post.kind:
        case PostKind.RESULT:
            text, body = task_views.result(task)
            is_last = task.is_settled or task.receipts_over
        case PostKind.LATE:
            text, body = task_views.late(task)
            # One that the workspace had removed the bot under may have begun before.
            is_asked = task.started_at is None or task.pause_reason is PauseReason.UNINSTALLED
            is_last = task.state is not TaskState.PAUSED or not is_asked
        case PostKind.PAUSED:
            text, body = task_views.paused(task)
            is_last = task.state is not TaskState.PAUSED
        case _:
            text, body = task_views.post(task)
            is_last = _is_over(task)
    return Message(text, body, task.version, is_last)


def approval(post: Post, contents: Contents) -> Message:
    """What the post about a template or signature that waits, or waited, for its approval should show now."""
    if post.kind is PostKind.TEMPLATE:
        template = contents.lists.template(post.workspace_id, post.subject_id)
        (text, body), standing = content_views.template_post(template), template.standing
    else:
        signature = contents.lists.signature(post.workspace_id, post.subject_id)
        (text, body), standing = content_views.signature_post(signature), signature.standing
    return Message(text, body, standing.version, is_last=standing.status is not ApprovalStatus.PENDING)


def compose_reply(post: Post, replies: Replies) -> Message:
    """What somebody answered, for the thread of the task it is about."""
    text, body = opt_out_views.reply(replies.by_id(post.subject_id))
    return Message(text, body, post.version, is_last=True)


def interrupted(post: Post, importing: Importing) -> Message | None:
    """What an import's post says while the bot restarts; None where nobody waits for it."""
    current = importing.imports.get(post.workspace_id, post.subject_id)
    if current.state is not ImportState.RUNNING:
        return None
    text, body = import_views.interrupted(current)
    return Message(text, body, post.version, is_last=False)


def _is_over(task: Task) -> bool:
    """Nothing that the task's own post shows will change; receipts show in the result."""
    return task.state.is_over and task.waiting == 0


def _import(importing: Importing, current: Import, progress: Progress | None, version: int) -> Message:
    match current.state:
        case ImportState.RUNNING:
            text, body = import_views.running(current, progress)
        case ImportState.WAITING:
            text, body = import_views.waiting(current)
        case ImportState.DONE if current.purpose is Purpose.OPT_OUTS:
            text, body = opt_out_views.imported(current)
        case ImportState.DONE:
            text, body = import_views.done(current, _group_of(importing, current))
        case ImportState.CANCELLED:
            text, body = import_views.cancelled(current)
        case ImportState.UNDONE:
            text, body = import_views.undone(current)
        case _ if current.failure == NO_VALID_NUMBER:
            text, body = import_views.nothing_valid(
                current, importing.imports.reasons(current.workspace_id, current.id)
            )
        case _:
            text = explain_failure(current.failure or "unexpected", current.file.name)
            body = import_views.failed(text)
    return Message(text, body, version, is_last=current.state not in (ImportState.RUNNING, ImportState.WAITING))


def _group_of(importing: Importing, current: Import) -> Group | None:
    """None where it has been deleted since."""
    if current.group_id is None:
        return None
    try:
        return importing.groups.by_id(current.workspace_id, current.group_id)
    except UnknownThing:
        return None


def _reject_file(importing: Importing, ended: Import) -> ThreadFile:
    stem = Path(ended.file.name).stem or "numbers"
    return ThreadFile(
        name=f"{stem} - not imported.xlsx",
        comment=f"The {counted(ended.rejects, 'row')} of {escape(ended.file.name)} that I left out, and why.",
        thread_ts=ended.file.thread_ts,
        write=lambda path: write_reject_file(importing, ended, path),
    )
