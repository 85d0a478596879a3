"""Editing a scheduled task, copying one, and sending again what did not arrive."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Request, Submission
from handlers.tasks import Tasks
from handlers.times import parse_time
from handlers.views import send as send_views
from handlers.views import task_changes as views
from services.errors import NotAllowed, ServiceError
from services.resends import ResendState
from services.task_changes import Edit
from services.task_reports import Task


def edit_form(request: Click, service: Tasks) -> Reply:
    """**Edit…** on a scheduled task: its time, template and name."""
    task = service.changes.editable(request.workspace, int(request.value))
    templates = service.changes.templates_for(request.workspace, task)
    return OpenForm(views.edit_form(task, templates, _time_shown(task, request.zone)), context=request.value)


def submit_edit(request: Submission, service: Tasks) -> Reply:
    """What the form says, checked where the person can still mend it."""
    number = int(request.context)
    try:
        task = service.changes.editable(request.workspace, number)
        # Untouched, it is the moment it was, also in an hour that comes twice.
        untouched = request.values["at"].strip() == _time_shown(task, request.zone)
        at = task.scheduled_at if untouched else parse_time(request.values["at"], request.now, request.zone)
    except ServiceError as error:
        return FieldErrors({"at": explain_in_form(error, request.zone)})
    assert at is not None
    template_id = int(request.values.get("template") or task.template_id)
    try:
        edited = service.changes.edit(
            request.workspace, number, request.person, Edit(at, template_id, request.values.get("name", ""))
        )
    except ServiceError as error:
        return FieldErrors({_field(error): explain_in_form(error, request.zone)})
    return views.edited(edited, request.zone)


def copy(request: Click, service: Tasks) -> Reply:
    """**Copy** on a task of any state: a preview of the same."""
    _need_channel(request)
    shown = service.changes.copy(request.workspace, int(request.value), request.channel, request.person)
    return send_views.preview(shown, request.zone, request.now)


def resend_failed(request: Click, service: Tasks) -> Reply:
    """**Resend to failed**: a preview to exactly those."""
    return _resend(request, service, ResendState.FAILED)


def ask_unknown(request: Click, service: Tasks) -> Reply:
    """**Resend to unknown…**: how many of which kind, and what it risks."""
    task = service.reports.get_with_numbers(request.workspace, int(request.value))
    if not task.state.is_over or task.waiting:
        raise NotAllowed("resend_running", number=task.number, state=task.state.value)
    if not task.unknown:
        raise NotAllowed("nothing_to_resend", number=task.number, what=ResendState.UNKNOWN.value)
    resent = service.changes.resent_in(task, ResendState.UNKNOWN)
    return views.ask_unknown(task, service.messages.unknown(task), resent)


def resend_unknown(request: Click, service: Tasks) -> Reply:
    """The button under that warning: a preview to exactly those."""
    shown = _resend(request, service, ResendState.UNKNOWN)
    return Replace(shown.text, shown.blocks)


def leave(request: Click, service: Tasks) -> Reply:
    """**Leave them**."""
    return views.left()


def _resend(request: Click, service: Tasks, state: ResendState) -> Say:
    _need_channel(request)
    shown = service.changes.resend(request.workspace, int(request.value), state, request.channel, request.person)
    return send_views.preview(shown, request.zone, request.now)


def _field(error: ServiceError) -> str:
    """Where in the form it is to be mended."""
    rule = error.rule if isinstance(error, NotAllowed) else "edit_template"
    return {"edit_template": "template", "task_name": "name"}.get(rule, "at")


def _time_shown(task: Task, zone: ZoneInfo) -> str:
    """As `parse_time` reads it."""
    assert task.scheduled_at is not None
    local = task.scheduled_at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def _need_channel(request: Request) -> None:
    """A result must have a place to go before anything is sent."""
    if not request.bot_in_channel:
        raise NotAllowed("bot_not_in_channel")
