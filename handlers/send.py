"""`/sms-send`: a preview, then the button that sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handlers import arguments
from handlers.arguments import Arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Request, Submission
from handlers.times import describe_time, parse_time
from handlers.views import send as views
from handlers.views.words import counted
from services.content import Content
from services.errors import NotAllowed, ServiceError
from services.groups import Groups
from services.previews import Preview, Previews, SendRequest
from services.send_tasks import SendTasks

KEYS = ("group", "template", "exclude", "signature", "app", "at", "name")


@dataclass(frozen=True, slots=True)
class Sending:
    """The services this file needs."""

    previews: Previews
    send_tasks: SendTasks
    groups: Groups
    content: Content


def command(request: Command, service: Sending) -> Reply:
    """A preview of what was typed; the form where nothing was."""
    _need_channel(request)
    if not request.text.strip():
        return _form(request, service)
    given = arguments.parse(request.text, KEYS)
    for key in ("group", "template"):
        if not given.all(key):
            raise NotAllowed("key_missing", key=key, example="/sms-send group:vip template:spring")
    return _preview(request, service, _wanted(given, request))


def open_form(request: Click, service: Sending) -> Reply:
    """**Send SMS** on an import's post: the form with that group chosen."""
    _need_channel(request)
    return _form(request, service, int(request.value))


def submit_form(request: Submission, service: Sending) -> Reply:
    """The form's fields, checked where the person can still mend them."""
    try:
        at = parse_time(request.values["at"], request.now, request.zone) if request.values.get("at") else None
    except ServiceError as error:
        return FieldErrors({"at": explain_in_form(error, request.zone)})
    try:
        return _preview(request, service, _chosen(request, service, at))
    except ServiceError as error:
        return FieldErrors({"template": explain_in_form(error, request.zone)})


def confirm(request: Click, service: Sending) -> Reply:
    """The button under the preview: one draft makes one task, however often it is pressed."""
    _need_channel(request)
    made = service.send_tasks.confirm(request.workspace, int(request.value), request.person)
    if isinstance(made, Preview):
        fresh = views.preview(made, request.zone, request.now)
        return Replace(fresh.text, fresh.blocks)
    customers = counted(made.recipients, "customer")
    if made.scheduled_at is None:
        return Replace(f"Task {made.number} is sending to {customers}. Its progress is in the channel.")
    return Replace(
        f"Task {made.number} is scheduled for {describe_time(made.scheduled_at, request.zone)}, to {customers}. "
        f"`/sms-cancel {made.number}` takes it back until 5 minutes before."
    )


def discard(request: Click, service: Sending) -> Reply:
    """**Don't send** under a preview."""
    return Replace("Nothing was sent.")


def _wanted(given: Arguments, request: Request) -> SendRequest:
    at = given.one("at")
    return SendRequest(
        groups=given.all("group"),
        template=given.one("template") or "",
        exclude=given.all("exclude"),
        signature=given.one("signature"),
        application=given.one("app"),
        at=parse_time(at, request.now, request.zone) if at is not None else None,
        name=given.one("name"),
    )


def _chosen(request: Submission, service: Sending, at: datetime | None) -> SendRequest:
    def names(field: str) -> list[str]:
        return [service.groups.by_id(request.workspace, int(each)).name for each in request.lists.get(field, ())]

    template = service.content.template(request.workspace, int(request.values["template"]))
    return SendRequest(
        groups=names("group"),
        template=template.name,
        exclude=names("exclude"),
        application=template.application,
        at=at,
    )


def _preview(request: Request, service: Sending, wanted: SendRequest) -> Say:
    shown = service.previews.draft(request.workspace, request.channel, request.person, wanted)
    return views.preview(shown, request.zone, request.now)


def _form(request: Request, service: Sending, chosen_group: int | None = None) -> Reply:
    groups = service.groups.recent(request.workspace)
    choices = service.content.choices(request.workspace)
    if not groups:
        raise NotAllowed("no_groups")
    if not choices.templates:
        raise NotAllowed("no_templates", not_shown=choices.not_shown)
    return OpenForm(views.send_form(groups, choices.templates, chosen_group, choices.not_shown))


def _need_channel(request: Request) -> None:
    """A result must have a place to go before anything is sent."""
    if not request.bot_in_channel:
        raise NotAllowed("bot_not_in_channel")
